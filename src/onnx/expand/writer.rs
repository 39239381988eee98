//! The pen: nodes and constants in place of one node, under names that nothing else has.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::onnx::error::ModelError;
use crate::onnx::model::{Attribute, Dim, Graph, Node};
use crate::onnx::tensor::{ElementType, Tensor};

/// Attribute of a node that stands for a result without a value.
const REFUSED: &str = "refused";

/// Why a node has no value, if it was [refused](Writer::refuse).
pub(super) fn refusal(node: &Node) -> Option<ModelError> {
    let Some(Attribute::Refused(why)) = node.attributes.get(REFUSED) else { return None };
    Some(node.error(why.clone()))
}

/// What is known of named values before anything is computed: of constants and of the graph's inputs.
pub(super) struct Known {
    values: BTreeMap<String, (ElementType, Vec<Option<usize>>)>,
}

impl Known {
    pub(super) fn of(graph: &Graph) -> Self {
        let constants = graph.initializers.iter().map(|(name, tensor)| {
            (name.clone(), (tensor.element, tensor.shape.iter().map(|&n| Some(n)).collect()))
        });
        let size = |dim: &Dim| if let Dim::Fixed(n) = dim { Some(*n) } else { None };
        let inputs = graph.inputs.iter().filter_map(|input| {
            let dims = input.shape.as_ref()?.iter().map(size).collect();
            Some((input.name.clone(), (input.element, dims)))
        });
        let made = graph.nodes.iter().filter(|node| node.operator == "Constant").filter_map(|node| {
            let Attribute::Tensor(tensor) = node.attributes.get("value")? else { return None };
            let dims = tensor.shape.iter().map(|&n| Some(n)).collect();
            Some((node.outputs.first()?.clone(), (tensor.element, dims)))
        });
        Self { values: inputs.chain(constants).chain(made).collect() }
    }
}

/// Writes what stands in a node's place.
pub(super) struct Writer<'a> {
    pub(super) node: &'a Node,
    /// Version of the operator set.
    pub(super) opset: i64,
    known: &'a Known,
    /// Names that the graph's outputs need.
    live: &'a HashSet<String>,
    names: &'a mut BTreeSet<String>,
    nodes: Vec<Node>,
    constants: Vec<(String, Tensor)>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        node: &'a Node,
        opset: i64,
        (known, live): (&'a Known, &'a HashSet<String>),
        names: &'a mut BTreeSet<String>,
    ) -> Self {
        Self { node, opset, known, live, names, nodes: Vec::new(), constants: Vec::new() }
    }

    pub(super) fn finish(self) -> (Vec<Node>, Vec<(String, Tensor)>) {
        (self.nodes, self.constants)
    }

    /// The name of operand `i`, if it is there.
    pub(super) fn optional(&self, i: usize) -> Option<String> {
        self.node.inputs.get(i).filter(|name| !name.is_empty()).cloned()
    }

    /// The name of operand `i`.
    pub(super) fn input(&self, i: usize) -> Result<String, ModelError> {
        self.optional(i).ok_or_else(|| self.node.error(format!("operand {i} is missing")))
    }

    pub(super) fn error(&self, what: impl Into<String>) -> ModelError {
        self.node.error(what)
    }

    /// Element type and sizes of a value that is known beforehand.
    pub(super) fn shape(&self, name: &str) -> Option<(ElementType, &[Option<usize>])> {
        self.known.values.get(name).map(|(element, dims)| (*element, dims.as_slice()))
    }

    /// A name that nothing has.
    pub(super) fn fresh(&mut self) -> String {
        let stem = self.node.outputs.iter().find(|name| !name.is_empty()).cloned().unwrap_or_default();
        let mut number = self.nodes.len() + self.constants.len();
        loop {
            let name = format!("{stem}~{number}");
            if self.names.insert(name.clone()) {
                return name;
            }
            number += 1;
        }
    }

    /// A graph inside of the node: `write` gives its inputs and outputs, what it writes becomes the rest.
    pub(super) fn body(
        &mut self,
        write: impl FnOnce(&mut Writer<'_>) -> Result<Graph, ModelError>,
    ) -> Result<Graph, ModelError> {
        let mut inner = Writer {
            node: self.node,
            opset: self.opset,
            known: self.known,
            live: self.live,
            names: self.names,
            nodes: Vec::new(),
            constants: Vec::new(),
        };
        let graph = write(&mut inner)?;
        let (nodes, constants) = inner.finish();
        let initializers = constants.into_iter().map(|(name, tensor)| (name, tensor.into())).collect();
        Ok(Graph { nodes, initializers, ..graph })
    }

    /// The first result of an operator.
    pub(super) fn op(&mut self, operator: &str, inputs: &[&str]) -> String {
        self.with(operator, inputs, &[])
    }

    /// The same with attributes.
    pub(super) fn with(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> String {
        self.results(operator, inputs, attributes, 1).swap_remove(0)
    }

    /// Several results of an operator.
    pub(super) fn results(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
        count: usize,
    ) -> Vec<String> {
        let outputs: Vec<String> = (0..count).map(|_| self.fresh()).collect();
        self.nodes.push(Node {
            name: self.node.name.clone(),
            operator: operator.to_owned(),
            domain: String::new(),
            inputs: inputs.iter().map(|&name| name.to_owned()).collect(),
            outputs: outputs.clone(),
            attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        });
        outputs
    }

    /// Makes a value the node's result `i`, if that has a name.
    pub(super) fn give(&mut self, i: usize, value: &str) {
        let Some(output) = self.node.outputs.get(i).filter(|name| !name.is_empty()) else { return };
        self.nodes.push(Node {
            name: self.node.name.clone(),
            operator: "Identity".to_owned(),
            domain: String::new(),
            inputs: vec![value.to_owned()],
            outputs: vec![output.clone()],
            attributes: BTreeMap::new(),
        });
    }

    /// Keeps the node's labels at the last node that was written, for those who tell what an output is.
    pub(super) fn keep_labels(&mut self) {
        let labels = self.node.attributes.iter().filter(|(name, _)| name.starts_with("classlabels"));
        let labels: Vec<(String, Attribute)> =
            labels.map(|(name, list)| (name.clone(), list.clone())).collect();
        if let Some(last) = self.nodes.last_mut() {
            last.attributes.extend(labels);
        }
    }

    /// Leaves result `i` without a value: whoever needs it is told why.
    pub(super) fn refuse(&mut self, i: usize, why: &ModelError) {
        let Some(output) = self.node.outputs.get(i).filter(|name| !name.is_empty()) else { return };
        let help = if why.help.is_empty() { String::new() } else { format!(" (help: {})", why.help) };
        let why = Attribute::Refused(format!("{}{help}", why.what));
        self.nodes.push(Node {
            inputs: Vec::new(),
            outputs: vec![output.clone()],
            attributes: BTreeMap::from([(REFUSED.to_owned(), why)]),
            ..self.node.clone()
        });
    }

    /// Whether the graph's outputs need result `i`.
    pub(super) fn wants(&self, i: usize) -> bool {
        self.node.outputs.get(i).is_some_and(|name| !name.is_empty() && self.live.contains(name))
    }

    pub(super) fn constant(&mut self, tensor: Tensor) -> String {
        let name = self.fresh();
        self.constants.push((name.clone(), tensor));
        name
    }

    /// One number of type float32.
    pub(super) fn number(&mut self, x: f64) -> String {
        self.floats(vec![], &[x])
    }

    /// Numbers of type float32.
    pub(super) fn floats(&mut self, shape: Vec<usize>, values: &[f64]) -> String {
        self.constant(Tensor::rounded(ElementType::Float32, shape, values))
    }

    /// One number of the type of another value.
    pub(super) fn like(&mut self, x: f64, other: &str) -> String {
        let number = self.number(x);
        self.op("CastLike", &[&number, other])
    }

    /// A list of integers.
    pub(super) fn ints(&mut self, values: &[i64]) -> String {
        self.constant(Tensor::int64(values.to_vec()))
    }

    pub(super) fn cast(&mut self, x: &str, to: ElementType) -> String {
        self.with("Cast", &[x], &[("to", Attribute::Int(to.number().into()))])
    }

    pub(super) fn reshape(&mut self, x: &str, to: &[i64]) -> String {
        let to = self.ints(to);
        self.op("Reshape", &[x, &to])
    }

    pub(super) fn transpose(&mut self, x: &str, order: &[i64]) -> String {
        self.with("Transpose", &[x], &[("perm", Attribute::Ints(order.to_vec()))])
    }

    pub(super) fn softmax(&mut self, x: &str) -> String {
        self.with("Softmax", &[x], &[("axis", Attribute::Int(-1))])
    }

    /// Values of `x` along an axis from `from` up to `to`, every `step`-th.
    pub(super) fn slice(&mut self, x: &str, axis: i64, (from, to): (i64, i64), step: i64) -> String {
        let (from, to) = (self.ints(&[from]), self.ints(&[to]));
        let (axis, step) = (self.ints(&[axis]), self.ints(&[step]));
        self.op("Slice", &[x, &from, &to, &axis, &step])
    }

    /// An axis of size 1 more.
    pub(super) fn unsqueeze(&mut self, x: &str, axis: i64) -> String {
        if self.opset < 13 {
            return self.with("Unsqueeze", &[x], &[("axes", Attribute::Ints(vec![axis]))]);
        }
        let axis = self.ints(&[axis]);
        self.op("Unsqueeze", &[x, &axis])
    }

    /// The attribute of this name, handed on under it.
    pub(super) fn handed_on(&self, names: &[&'static str]) -> Vec<(&'static str, Attribute)> {
        names.iter().filter_map(|&name| Some((name, self.node.attributes.get(name)?.clone()))).collect()
    }
}
