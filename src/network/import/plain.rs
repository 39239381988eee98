//! What the fast engine has no operator for, as operators of the plain engine ([`Plain`]): single nodes where their results
//! have one shape whatever the input, else the model as a whole.
//!
//! Whether a shape depends on the input's values is not looked for in the graph but tried, at a few inputs. A point where
//! it is another one after all has no result ([`Plain`]).

use std::sync::Arc;

use super::{ImportError, Importer, Operand};
use crate::network::Real;
use crate::network::build::{self, Builder};
use crate::network::op::{Op, Plain};
use crate::network::shape::{self, ShapeError};
use crate::network::{Network, NodeId};
use crate::onnx::live::Live;
use crate::onnx::{Attribute, Dim, ElementType, Graph, Model, Node, ValueInfo};
use crate::random::Random;
use crate::reference::{Engine, Precision, Unsupported};

/// Between which numbers the inputs lie at which shapes are tried.
const TRIES: [(f64, f64); 12] = [
    (0.0, 0.0),
    (1.0, 1.0),
    (0.0, 1.0),
    (-3.0, 3.0),
    (0.5, 0.5),
    (0.0, 3.0),
    (0.0, 8.0),
    (-1.0, 1.0),
    (0.0, 3.0),
    (-3.0, 3.0),
    (0.0, 1.0),
    (0.0, 3.0),
];
/// So many have to have the same shape; more answers than the second number are not asked for, of a large network no more
/// than the first.
const TRIED: std::ops::RangeInclusive<usize> = 2..=8;
/// Constants from which on a network is large: one evaluation takes a tenth of a second and more.
const LARGE: usize = 1_000_000;

/// The plain engine of a model that is being imported.
#[derive(Debug, Clone)]
pub(crate) struct Rescue {
    engine: Engine,
}

/// A value's name, element type and shape.
type Declared = (String, ElementType, Vec<usize>);

impl Rescue {
    /// For a model that the importer has refused; `None` where the plain engine refuses it as well, or where it was refused
    /// because it is too large for any engine.
    pub(super) fn new(model: &Model, refused: &ImportError) -> Option<Self> {
        let said = refused.to_string();
        let too_large =
            [shape::MOST_VALUES, build::MOST_VALUES].map(|most| format!("more than {most} values"));
        if too_large.iter().any(|words| said.contains(words)) {
            return None;
        }
        Some(Self { engine: Engine::new(Arc::new(model.clone())).ok()? })
    }

    /// Type and shape that these values of the main graph have at most of the inputs at which there are any: an index that
    /// is computed may be out of range at some.
    fn declared(&self, names: &[&str]) -> Option<Vec<Declared>> {
        let mut model = self.engine.model().clone();
        model.graph.outputs.clear();
        let engine = Engine::new(Arc::new(model)).ok()?;
        let constants: usize = engine.model().graph.initializers.values().map(|tensor| tensor.len()).sum();
        let most = if constants > LARGE { *TRIED.start() } else { *TRIED.end() };
        let mut random = Random::new(1);
        let mut found: Vec<(Vec<Declared>, usize)> = Vec::new();
        for range in TRIES {
            let declared = engine.model().graph.inputs.iter();
            let inputs: Vec<Vec<f64>> =
                declared.map(|info| tried(info, range, &mut random)).collect::<Option<_>>()?;
            let views: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
            let Ok(values) = engine.run_with_hidden(&views, Precision::Model, names) else { continue };
            let declared: Vec<Declared> =
                values.into_iter().map(|value| (value.name, value.element, value.shape)).collect();
            match found.iter_mut().find(|(before, _)| *before == declared) {
                Some((_, count)) => *count += 1,
                None => found.push((declared, 1)),
            }
            if found.iter().map(|(_, count)| count).sum::<usize>() == most {
                break;
            }
        }
        let answers: usize = found.iter().map(|(_, count)| count).sum();
        let (declared, count) = found.into_iter().max_by_key(|(_, count)| *count)?;
        // What is empty nearly everywhere has numbers only where something else decides.
        let is_empty = declared.iter().any(|(_, _, shape)| shape.contains(&0));
        // Inputs that are integers or truth values are sizes, axes and lengths more often than not: of these, one exception
        // is enough.
        let are_numbers = engine.model().graph.inputs.iter().all(|info| info.element.is_float());
        let agree = if are_numbers { 2 * count > answers } else { count == answers };
        (count >= *TRIED.start() && agree && !is_empty).then_some(declared)
    }
}

/// An input of the model to try.
fn tried(info: &ValueInfo, (low, high): (f64, f64), random: &mut Random) -> Option<Vec<f64>> {
    let len = shape::checked_len(&info.closed_shape()?).ok()?;
    let value = |x: f64| match info.element {
        ElementType::Bool => f64::from(u8::from(x >= 0.5)),
        element if element.is_float() => x,
        _ => x.abs().round(),
    };
    Some((0..len).map(|_| value(random.between(low, high))).collect())
}

/// The whole model as one operator an output.
///
/// # Errors
/// If its outputs have no shape that is the same for all inputs.
pub(super) fn whole<T: Real>(rescue: &Rescue, hidden: &[&str]) -> Result<Network<T>, ShapeError> {
    let model = rescue.engine.model();
    let outputs = model.graph.outputs.iter().map(|output| output.name.as_str());
    let names: Vec<&str> = hidden.iter().copied().chain(outputs).collect();
    let moves = || ShapeError("the shapes of the outputs depend on the input's values".into());
    let declared = rescue.declared(&names).ok_or_else(moves)?;
    let mut builder = Builder::<T>::default();
    let mut inputs = Vec::new();
    for info in &model.graph.inputs {
        let shape = info.closed_shape().ok_or_else(moves)?;
        inputs.push(builder.input(&info.name, info.element, shape)?);
    }
    let mut ids = Vec::new();
    for value in declared {
        let (name, element) = (value.0.clone(), value.1);
        let plain = operator(model, value).map_err(|unsupported| ShapeError(unsupported.to_string()))?;
        ids.push(builder.push(&name, plain, &inputs, element)?);
    }
    Ok(builder.finish(ids))
}

/// A model as the operator that computes one of its values.
fn operator<T>(model: &Model, (name, element, shape): Declared) -> Result<Op<T>, Unsupported> {
    let mut own = model.clone();
    own.graph.outputs = vec![ValueInfo { name, element, shape: None }];
    Ok(Op::Plain(Plain::new(Arc::new(Engine::new(Arc::new(own))?), shape)))
}

impl<T: Real> Importer<T> {
    /// A node of the main graph as operators of the plain engine, one a result that is needed; `None` where that cannot be.
    pub(super) fn plain(&mut self, node: &Node, live: &Live<'_>) -> Option<Vec<Operand>> {
        let rescue = self.rescue.clone().filter(|_| self.is_outermost())?;
        let needed: Vec<&str> = node
            .outputs
            .iter()
            .map(String::as_str)
            .filter(|name| !name.is_empty() && live.names.contains(name))
            .collect();
        let declared = rescue.declared(&needed)?;
        let (alone, operands) = self.alone(node, rescue.engine.model())?;
        let mut results = Vec::new();
        let mut declared = declared.into_iter();
        for name in &node.outputs {
            if !needed.contains(&name.as_str()) {
                // Nobody asks for it.
                results.push(Operand::list(Vec::new()));
                continue;
            }
            let value = declared.next()?;
            let element = value.1;
            let plain = operator(&alone, value).ok()?;
            results.push(Operand::Node(self.builder.push(&node.name, plain, &operands, element).ok()?));
        }
        Some(results)
    }

    /// A model of one node, and the nodes that its inputs are.
    fn alone(&self, node: &Node, model: &Model) -> Option<(Model, Vec<NodeId>)> {
        let mut graph = Graph { nodes: vec![node.clone()], ..Graph::default() };
        let mut operands = Vec::new();
        for name in names_used(node) {
            if graph.initializers.contains_key(name) || graph.inputs.iter().any(|info| info.name == name) {
                continue;
            }
            match self.lookup(name) {
                Some(Operand::Constant(tensor)) => {
                    graph.initializers.insert(name.to_owned(), tensor);
                }
                Some(Operand::Node(id)) => {
                    let dims = self.builder.shape(id).iter().map(|&n| Dim::Fixed(n)).collect();
                    let element = self.builder.node(id).element;
                    graph.inputs.push(ValueInfo { name: name.to_owned(), element, shape: Some(dims) });
                    operands.push(id);
                }
                Some(Operand::List(_)) => return None,
                // A name of an inner graph's own.
                None => {}
            }
        }
        let (path, ir_version, opset) = (model.path.clone(), model.ir_version, model.opset);
        Some((Model { path, ir_version, opset, graph }, operands))
    }
}

/// The names of a node's operands, and all names that its inner graphs use.
fn names_used(node: &Node) -> Vec<&str> {
    let mut names: Vec<&str> =
        node.inputs.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
    for attribute in node.attributes.values() {
        if let Attribute::Graph(inner) = attribute {
            inner.nodes.iter().for_each(|node| names.extend(names_used(node)));
            names.extend(inner.outputs.iter().map(|output| output.name.as_str()));
        }
    }
    names
}
