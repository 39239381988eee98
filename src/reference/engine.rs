//! The walk over the graph: which value is where, and for how long it is needed.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use crate::onnx::{Attribute, Data, ElementType, Graph, Model, ModelError, Node, Place, Tensor, ValueInfo};

use crate::onnx::expand;
use crate::onnx::live::Live;

use super::array::floats;
use super::call::{Call, Precision};
use super::lists;
use super::scope::{Scope, Value};
use super::{byte_kernels, control, ops};

/// A computed value.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Its name in the graph.
    pub name: String,
    /// The element type that the model gives it, whatever precision it was computed in.
    pub element: ElementType,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its values in row-major order.
    pub values: Vec<f64>,
}

/// All nodes of a model that the engine has no operator for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported(pub Vec<ModelError>);

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for Unsupported {}

/// An interpreter for one model.
#[derive(Debug, Clone)]
pub struct Engine {
    model: Arc<Model>,
    threads: usize,
}

impl Engine {
    /// Takes a model all of whose operators are known; else all that are not, together.
    pub fn new(model: Arc<Model>) -> Result<Self, Unsupported> {
        let mut unknown = Vec::new();
        find_unknown(&model.graph, &mut unknown);
        if unknown.is_empty() { Ok(Self { model, threads: 1 }) } else { Err(Unsupported(unknown)) }
    }

    /// Large products may be dealt out to so many threads; no result depends on it.
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// The model that is run.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Whether kernels for bytes may compute something else of the model: whether [`Precision::Bytes`] says anything new.
    pub fn may_differ_in_bytes(&self) -> bool {
        byte_kernels::may_differ(&self.model.graph)
    }

    /// Computes all outputs. `inputs` holds one list of values for each input of the model, in its order and
    /// row-major; symbolic dimensions are 1.
    pub fn run(&self, inputs: &[&[f64]], precision: Precision) -> Result<Vec<Output>, ModelError> {
        self.run_with_hidden(inputs, precision, &[])
    }

    /// As [`run`](Self::run); behind the outputs come the values named in `hidden`, in that order.
    pub fn run_with_hidden(
        &self,
        inputs: &[&[f64]],
        precision: Precision,
        hidden: &[&str],
    ) -> Result<Vec<Output>, ModelError> {
        let declared = &self.model.graph.inputs;
        expect_inputs(self.model.graph.inputs.len(), inputs.len())?;
        let tensors = declared.iter().zip(inputs).map(|(info, values)| input_tensor(info, values, precision));
        let results = self.run_tensors(tensors.collect::<Result<_, _>>()?, precision, hidden)?;
        let output = |(name, tensor): (String, Arc<Tensor>)| Output {
            name,
            element: tensor.element,
            shape: tensor.shape.clone(),
            values: floats(&tensor).into_owned(),
        };
        Ok(results.into_iter().map(output).collect())
    }

    /// As [`run_with_hidden`](Self::run_with_hidden), for inputs of any shape and element type.
    pub fn run_tensors(
        &self,
        inputs: Vec<Tensor>,
        precision: Precision,
        hidden: &[&str],
    ) -> Result<Vec<(String, Arc<Tensor>)>, ModelError> {
        expect_inputs(self.model.graph.inputs.len(), inputs.len())?;
        let walk = Walk { opset: self.model.opset, precision, threads: self.threads };
        let graph = &self.model.graph;
        let wanted: Vec<&str> =
            graph.outputs.iter().map(|o| o.name.as_str()).chain(hidden.iter().copied()).collect();
        let inputs = inputs.into_iter().map(|tensor| Value::Tensor(Arc::new(tensor))).collect();
        let values = walk.graph(graph, inputs, None, &wanted)?;
        let tensor = |(name, value): (&str, Value)| match value {
            Value::Tensor(tensor) => Ok((name.to_owned(), tensor)),
            Value::List(_) => Err(ModelError::new(Place::Value(name.to_owned()), "a list of tensors")
                .help("let ConcatFromSequence join it where the model is made: a property is about numbers")),
        };
        wanted.into_iter().zip(values).map(tensor).collect()
    }
}

pub(super) fn expect_inputs(needed: usize, given: usize) -> Result<(), ModelError> {
    if needed == given {
        return Ok(());
    }
    Err(ModelError::new(Place::File, format!("the model has {needed} inputs, {given} are given")))
}

/// Computes the results of one node from its operands; `None` stands for one that is left out.
pub(crate) fn run_node(
    node: &Node,
    opset: i64,
    inputs: Vec<Option<Arc<Tensor>>>,
    precision: Precision,
) -> Result<Vec<Tensor>, String> {
    ops::run(&Call { node, opset, precision, threads: 1, inputs })
}

/// The shape of an input that `len` values are given for; symbolic dimensions are 1.
pub(super) fn input_shape(info: &ValueInfo, len: usize) -> Result<Vec<usize>, ModelError> {
    let shape = info.closed_shape().unwrap_or_else(|| vec![len]);
    if shape.iter().product::<usize>() == len {
        return Ok(shape);
    }
    let what = format!("it has the shape {shape:?}, {len} values are given");
    Err(ModelError::new(Place::Value(info.name.clone()), what))
}

fn find_unknown(graph: &Graph, unknown: &mut Vec<ModelError>) {
    for node in Live::of_outputs(graph).filter(graph) {
        if !ops::is_known(node) && !control::is_known(node) && !lists::is_known(node) {
            let domain =
                if node.domain.is_empty() { String::new() } else { format!(" of domain {}", node.domain) };
            let other = || node.error(format!("this operator{domain} is not supported"));
            unknown.push(expand::refusal(node).unwrap_or_else(other));
        }
        for attribute in node.attributes.values() {
            if let Attribute::Graph(body) = attribute {
                find_unknown(body, unknown);
            }
        }
    }
}

fn input_tensor(info: &ValueInfo, values: &[f64], precision: Precision) -> Result<Tensor, ModelError> {
    let fail = |what: String| Err(ModelError::new(Place::Value(info.name.clone()), what));
    let shape = input_shape(info, values.len())?;
    let data = match info.element {
        ElementType::Float64 => Data::F64(values.to_vec()),
        e if e.is_float() && precision == Precision::Double => Data::F64(values.to_vec()),
        e if e.is_float() => Data::F32(values.iter().map(|&x| x as f32).collect::<Vec<_>>().into()),
        _ => match values.iter().find(|x| x.fract() != 0.0) {
            Some(x) => return fail(format!("it has the type {}, the value {x} is given", info.element)),
            None => Data::I64(values.iter().map(|&x| x as i64).collect()),
        },
    };
    Ok(Tensor { element: info.element, shape, data })
}

/// What stays the same during a run.
#[derive(Clone, Copy)]
pub(super) struct Walk {
    opset: i64,
    precision: Precision,
    threads: usize,
}

impl Walk {
    /// Version of the operator set.
    pub(super) fn opset(&self) -> i64 {
        self.opset
    }

    /// Computes the values named in `wanted`.
    pub(super) fn graph(
        &self,
        graph: &Graph,
        inputs: Vec<Value>,
        outer: Option<&Scope<'_>>,
        wanted: &[&str],
    ) -> Result<Vec<Value>, ModelError> {
        let mut scope = Scope { graph, values: HashMap::new(), lists: HashMap::new(), outer };
        for (info, value) in graph.inputs.iter().zip(inputs) {
            scope.bind(&info.name, value);
        }
        let kept: HashSet<&str> = wanted.iter().copied().collect();
        let last_use = last_uses(graph);
        let live = Live::of(graph, wanted.iter().copied());
        if let Some(error) = live.refusal(graph) {
            return Err(error);
        }
        for (i, node) in graph.nodes.iter().enumerate().filter(|&(i, _)| live.nodes[i]) {
            if let Some(results) = self.with_lists(node, &scope, &live)? {
                for (name, value) in node.outputs.iter().zip(results).filter(|(name, _)| !name.is_empty()) {
                    scope.bind(name, value);
                }
                continue;
            }
            let mut results = self.node(node, &scope, &live)?;
            if let Precision::Bytes(kernels) = self.precision {
                byte_kernels::adjust(&self.call(node, &scope)?, &scope, kernels, &mut results);
            }
            for (name, value) in node.outputs.iter().zip(results).filter(|(name, _)| !name.is_empty()) {
                if kept.contains(name.as_str()) || last_use.contains_key(name.as_str()) {
                    scope.values.insert(name, Arc::new(value));
                }
            }
            for name in node.inputs.iter().filter(|n| last_use.get(n.as_str()) == Some(&i)) {
                // Who computes with bytes asks for what an operand was made of.
                if !kept.contains(name.as_str()) && !matches!(self.precision, Precision::Bytes(_)) {
                    scope.values.remove(name.as_str());
                }
            }
        }
        let find = |name: &&str| {
            let missing =
                || ModelError::new(Place::Value((*name).into()), "no node of the graph computes it");
            scope.value(name).ok_or_else(missing)
        };
        wanted.iter().map(find).collect()
    }

    /// What a node that may take or give lists computes; `None` for one that knows tensors only.
    fn with_lists(
        &self,
        node: &Node,
        scope: &Scope<'_>,
        live: &Live<'_>,
    ) -> Result<Option<Vec<Value>>, ModelError> {
        if lists::is_known(node) {
            return Ok(Some(vec![lists::run(&self.call(node, scope)?, scope)?]));
        }
        if control::is_known(node) {
            let results = control::run(self, &self.call(node, scope)?, scope)?;
            all_given(node, results.len(), live)?;
            return Ok(Some(results));
        }
        let is_copy = node.domain.is_empty() && node.operator == "Identity";
        let list = node.inputs.first().filter(|_| is_copy).and_then(|name| scope.list(name));
        Ok(list.map(|list| vec![Value::List(list)]))
    }

    /// A node with its operands. A list is none that an operator on tensors can have.
    fn call<'a>(&self, node: &'a Node, scope: &Scope<'_>) -> Result<Call<'a>, ModelError> {
        let takes_lists = lists::is_known(node) || control::is_known(node);
        let find = |name: &String| match scope.value(name) {
            _ if name.is_empty() => Ok(None),
            Some(Value::Tensor(tensor)) => Ok(Some(tensor)),
            Some(Value::List(_)) if takes_lists => Ok(None),
            Some(Value::List(_)) => Err(node.error(format!("its operand {name} is a list of tensors"))),
            None => Err(node.error(format!("its operand {name} has no value"))),
        };
        let inputs = node.inputs.iter().map(find).collect::<Result<_, _>>()?;
        Ok(Call { node, opset: self.opset, precision: self.precision, threads: self.threads, inputs })
    }

    fn node(&self, node: &Node, scope: &Scope<'_>, live: &Live<'_>) -> Result<Vec<Tensor>, ModelError> {
        let results = ops::run(&self.call(node, scope)?).map_err(|what| node.error(what))?;
        all_given(node, results.len(), live)?;
        Ok(results)
    }
}

/// Refuses a node whose needed results are not all there.
fn all_given(node: &Node, results: usize, live: &Live<'_>) -> Result<(), ModelError> {
    match node.outputs.iter().skip(results).find(|name| live.names.contains(name.as_str())) {
        None => Ok(()),
        Some(name) => Err(node.error(format!("its result {name} is not supported"))),
    }
}

/// For each name, the last node that needs it. Names that a subgraph uses are needed to the end.
fn last_uses(graph: &Graph) -> HashMap<&str, usize> {
    let mut last = HashMap::new();
    for (i, node) in graph.nodes.iter().enumerate() {
        last.extend(node.inputs.iter().map(|name| (name.as_str(), i)));
    }
    let mut bodies: Vec<&Graph> = vec![graph];
    while let Some(body) = bodies.pop() {
        if !std::ptr::eq(body, graph) {
            let used = body.nodes.iter().flat_map(|n| &n.inputs).chain(body.outputs.iter().map(|o| &o.name));
            last.extend(used.map(|name| (name.as_str(), usize::MAX)));
        }
        let attributes = body.nodes.iter().flat_map(|n| n.attributes.values());
        bodies.extend(attributes.filter_map(|a| if let Attribute::Graph(g) = a { Some(&**g) } else { None }));
    }
    last
}
