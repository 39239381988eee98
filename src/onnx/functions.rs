//! Calls of the model's own functions (`FunctionProto`) are replaced by their bodies.
//!
//! Source: `onnx/docs/IR.md`, "Functions". Values inside a body get the function's name and the call's number in
//! front, so that two calls do not clash.

use std::cell::Cell;
use std::collections::HashMap;

use onnx_protobuf::{AttributeProto, FunctionProto, GraphProto, Message, NodeProto};

use super::error::{ModelError, Place};

/// Functions may call each other this deep. They may not call themselves, which would be deeper.
const MAX_DEPTH: usize = 16;
/// Most bytes of bodies that calls may be replaced by. Sixteen functions that each call the next one four times would
/// make 4 billion nodes.
const MOST_NODES: u64 = 1 << 26;
/// What a node costs beside its protobuf size.
const NODE_BYTES: u64 = 256;

/// The functions of a model, by domain, name and overload.
pub(super) struct Functions<'a> {
    by_name: HashMap<(&'a str, &'a str, &'a str), &'a FunctionProto>,
    calls: Cell<usize>,
    bytes: Cell<u64>,
}

impl<'a> Functions<'a> {
    /// Takes the functions of a model whose default operator set is `opset`.
    pub(super) fn new(functions: &'a [FunctionProto], opset: i64) -> Result<Self, ModelError> {
        for function in functions {
            let other = |o: &&onnx_protobuf::OperatorSetIdProto| is_default(&o.domain) && o.version != opset;
            if let Some(other) = function.opset_import.iter().find(other) {
                let what = format!(
                    "the function {} is written for operator set {}, the model for {opset}",
                    function.name, other.version
                );
                return Err(ModelError::new(Place::File, what).help("convert both to the same version"));
            }
        }
        let key = |f: &'a FunctionProto| (f.domain.as_str(), f.name.as_str(), f.overload.as_str());
        let by_name = functions.iter().map(|f| (key(f), f)).collect();
        Ok(Self { by_name, calls: Cell::new(0), bytes: Cell::new(0) })
    }

    /// `nodes` with every call replaced.
    pub(super) fn inline(&self, nodes: Vec<NodeProto>) -> Result<Vec<NodeProto>, ModelError> {
        if self.by_name.is_empty() {
            return Ok(nodes);
        }
        let mut out = Vec::with_capacity(nodes.len());
        for node in nodes {
            self.expand(node, 0, &mut out)?;
        }
        Ok(out)
    }

    fn expand(&self, call: NodeProto, depth: usize, out: &mut Vec<NodeProto>) -> Result<(), ModelError> {
        let key = (call.domain.as_str(), call.op_type.as_str(), call.overload.as_str());
        let Some(function) = self.by_name.get(&key) else {
            out.push(call);
            return Ok(());
        };
        let fail = |what: &str| {
            let place = Place::Node { name: call.name.clone(), operator: call.op_type.clone() };
            Err(ModelError::new(place, what).help("export the model again, without functions"))
        };
        if depth == MAX_DEPTH {
            return fail("functions call each other too deeply, or themselves");
        }
        let scope = FunctionCall::new(function, &call, self.calls.replace(self.calls.get() + 1));
        for node in &function.node {
            self.bytes.set(self.bytes.get() + node.compute_size() + NODE_BYTES);
            if self.bytes.get() > MOST_NODES {
                return fail("calls of functions multiply to more than 64 MiB of nodes");
            }
            self.expand(scope.node(node), depth + 1, out)?;
        }
        Ok(())
    }
}

/// One call: what the names and attributes of the body stand for.
struct FunctionCall<'a> {
    prefix: String,
    values: HashMap<&'a str, &'a str>,
    attributes: HashMap<&'a str, &'a AttributeProto>,
}

impl<'a> FunctionCall<'a> {
    fn new(function: &'a FunctionProto, call: &'a NodeProto, number: usize) -> Self {
        let actual = |names: &'a [String], i: usize| names.get(i).map_or("", String::as_str);
        let inputs = function.input.iter().enumerate().map(|(i, f)| (f.as_str(), actual(&call.input, i)));
        let outputs = function.output.iter().enumerate().map(|(i, f)| (f.as_str(), actual(&call.output, i)));
        let defaults = function.attribute_proto.iter().map(|a| (a.name.as_str(), a));
        let given = call.attribute.iter().map(|a| (a.name.as_str(), a));
        Self {
            prefix: format!("{}#{number}/", function.name),
            values: inputs.chain(outputs.filter(|(_, actual)| !actual.is_empty())).collect(),
            attributes: defaults.chain(given).collect(),
        }
    }

    fn name(&self, name: &str) -> String {
        match self.values.get(name) {
            Some(actual) => (*actual).to_owned(),
            None if name.is_empty() => String::new(),
            None => format!("{}{name}", self.prefix),
        }
    }

    fn node(&self, node: &NodeProto) -> NodeProto {
        let rename = |names: &[String]| names.iter().map(|n| self.name(n)).collect();
        NodeProto {
            name: format!("{}{}", self.prefix, if node.name.is_empty() { &node.op_type } else { &node.name }),
            input: rename(&node.input),
            output: rename(&node.output),
            attribute: node.attribute.iter().filter_map(|a| self.attribute(a)).collect(),
            ..node.clone()
        }
    }

    /// The attribute with references to the function's own attributes filled in; `None` where the caller gives none.
    fn attribute(&self, attribute: &AttributeProto) -> Option<AttributeProto> {
        if !attribute.ref_attr_name.is_empty() {
            let given = *self.attributes.get(attribute.ref_attr_name.as_str())?;
            return Some(AttributeProto { name: attribute.name.clone(), ..given.clone() });
        }
        let mut attribute = attribute.clone();
        if let Some(graph) = attribute.g.as_mut() {
            self.graph(graph);
        }
        Some(attribute)
    }

    fn graph(&self, graph: &mut GraphProto) {
        graph.node = graph.node.iter().map(|n| self.node(n)).collect();
        for value in graph.input.iter_mut().chain(&mut graph.output) {
            value.name = self.name(&value.name);
        }
        graph.initializer.iter_mut().for_each(|t| t.name = self.name(&t.name));
    }
}

/// Whether a domain is ONNX's own.
pub(super) fn is_default(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(op_type: &str, input: &[&str], output: &[&str]) -> NodeProto {
        let names = |n: &[&str]| n.iter().map(|s| s.to_string()).collect();
        NodeProto {
            op_type: op_type.into(),
            input: names(input),
            output: names(output),
            domain: if op_type.starts_with("my") { "me".into() } else { String::new() },
            ..Default::default()
        }
    }

    fn function(name: &str, body: Vec<NodeProto>) -> FunctionProto {
        FunctionProto {
            name: name.into(),
            domain: "me".into(),
            input: vec!["a".into()],
            output: vec!["b".into()],
            node: body,
            ..Default::default()
        }
    }

    fn shown(nodes: &[NodeProto]) -> Vec<String> {
        nodes
            .iter()
            .map(|n| format!("{} {} > {}", n.op_type, n.input.join(" "), n.output.join(" ")))
            .collect()
    }

    #[test]
    fn calls_become_bodies() {
        let mut leaky = node("LeakyRelu", &["t"], &["b"]);
        leaky.attribute.push(AttributeProto {
            name: "alpha".into(),
            ref_attr_name: "slope".into(),
            ..Default::default()
        });
        let functions = [
            function("myA", vec![node("Neg", &["a"], &["t"]), leaky]),
            function("myB", vec![node("myA", &["a"], &["s"]), node("Abs", &["s"], &["b"])]),
        ];
        let mut call = node("myA", &["x"], &["h"]);
        call.attribute.push(AttributeProto { name: "slope".into(), f: 0.5, ..Default::default() });
        let inlined =
            Functions::new(&functions, 13).unwrap().inline(vec![call, node("myB", &["h"], &["y"])]).unwrap();
        let expected = [
            "Neg x > myA#0/t",
            "LeakyRelu myA#0/t > h",
            "Neg h > myA#2/t",
            "LeakyRelu myA#2/t > myB#1/s",
            "Abs myB#1/s > y",
        ];
        assert_eq!(shown(&inlined), expected);
        assert_eq!((inlined[1].attribute[0].name.as_str(), inlined[1].attribute[0].f), ("alpha", 0.5));
        assert!(inlined[3].attribute.is_empty(), "a reference that nobody fills is dropped");
    }

    #[test]
    fn endless_and_exploding_calls_are_refused() {
        let endless = [function("myA", vec![node("myA", &["a"], &["b"])])];
        let doubling: Vec<FunctionProto> = (0..15)
            .map(|i| {
                let next = format!("my{}", i + 1);
                function(
                    &format!("my{i}"),
                    (0..4).map(|k| node(&next, &["a"], &[&format!("t{k}")])).collect(),
                )
            })
            .chain([function("my15", vec![node("Abs", &["a"], &["b"])])])
            .collect();
        for (functions, call, expected) in [
            (&endless[..], "myA", "too deeply, or themselves"),
            (&doubling[..], "my0", "multiply to more than 64 MiB"),
        ] {
            let functions = Functions::new(functions, 13).unwrap();
            let message = functions.inline(vec![node(call, &["x"], &["y"])]).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
