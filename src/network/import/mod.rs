//! From an ONNX model to the fast network: a walk over the graph in which each operator's builder function says
//! what the operator is in the network's smaller language.
//!
//! Constants stay constants as long as they can: an operator whose operands are all constants is evaluated at
//! once, in double precision, and rounded to the element type that ONNX gives its result. So the chains of
//! Shape, Gather, Concat and ConstantOfShape that exporters write disappear without any builder knowing of them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

mod call;
mod constant;
mod ops;
mod plain;
mod reach;

use crate::network::build::Builder;
use crate::network::shape::ShapeError;
use crate::network::simplify::simplify;
use crate::network::{Network, NodeId, Real};
use crate::onnx::live::Live;
use crate::onnx::{Attribute, ElementType, Graph, Model, ModelError, Node, Place, Tensor, expand};
use call::ImportCall;
use plain::Rescue;
use reach::Reach;

/// Why a model did not become a network.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Something is wrong with the model, or outside of what the importer supports.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// All the nodes with operators that no builder exists for, found before anything was built.
    #[error("{}", ListedNodes(.0))]
    Unsupported(Vec<UnsupportedNode>),
}

/// A node with an operator that the importer does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsupportedNode {
    /// Name of the node.
    pub node: String,
    /// Its operator, with the domain in front where that is not the default one.
    pub operator: String,
}

struct ListedNodes<'a>(&'a [UnsupportedNode]);

impl fmt::Display for ListedNodes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} node(s) with unsupported operators:", self.0.len())?;
        for (i, node) in self.0.iter().enumerate() {
            write!(f, "{} {} ({})", if i == 0 { "" } else { "," }, node.node, node.operator)?;
        }
        f.write_str(" (help: `counterpatch supports --onnx-operators` lists what is supported)")
    }
}

/// A value during the import.
#[derive(Debug, Clone)]
pub(crate) enum Operand {
    /// Known now.
    Constant(Arc<Tensor>),
    /// Known when the network runs.
    Node(NodeId),
    /// A list of values.
    List(Arc<[Operand]>),
}

impl Operand {
    /// A list of values.
    pub(super) fn list(elements: Vec<Self>) -> Self {
        Self::List(elements.into())
    }
}

/// The state of an import.
pub(crate) struct Importer<T> {
    pub(super) builder: Builder<T>,
    pub(super) opset: i64,
    /// Values by name, one map a graph: an inner graph sees the values of the graphs around it.
    scopes: Vec<HashMap<String, Operand>>,
    /// Constants that have become nodes already, by address; the `Arc` keeps the address taken.
    nodes_of_constants: HashMap<usize, (Arc<Tensor>, NodeId)>,
    /// Between which numbers the values of nodes lie, where more is known than their element type.
    pub(super) reaches: HashMap<NodeId, Reach>,
    /// What computes the nodes that no builder can make.
    rescue: Option<Rescue>,
}

/// Before this operator set, operators broadcast their operands in another way.
const OLDEST_OPSET: i64 = 7;

/// Makes the network of a model.
///
/// A model may claim sizes that no memory holds; each is checked before anything of that size is allocated. One value may
/// have 2^28 numbers, all values of the network together 2^29 (4 GiB in double precision): that, the file itself and
/// one more copy of its largest constant are what an import can take.
///
/// Symbolic dimensions become 1: the network's own lanes take the place of ONNX's batch axis.
///
/// # Errors
/// All unsupported operators together, or the first thing that is wrong, with its node.
pub fn import<T: Real>(model: &Model) -> Result<Network<T>, ImportError> {
    import_with_hidden(model, &[])
}

/// As [`import`]; in front of the outputs come the values named in `hidden`, in that order.
///
/// What no builder can make is left to the plain engine, if that knows it: node by node, else the whole model.
///
/// # Errors
/// As [`import`]; also if the main graph has no value of such a name.
pub fn import_with_hidden<T: Real>(model: &Model, hidden: &[&str]) -> Result<Network<T>, ImportError> {
    import_as_written(model, hidden).map(simplify)
}

/// As [`import_with_hidden`], node by node as in the file: the twin of what is [simplified](mod@super::simplify).
pub(crate) fn import_as_written<T: Real>(model: &Model, hidden: &[&str]) -> Result<Network<T>, ImportError> {
    let refused = match attempt(model, hidden, None) {
        Err(refused) if model.opset >= OLDEST_OPSET => refused,
        answer => return answer,
    };
    let Some(rescue) = Rescue::new(model, &refused) else { return Err(refused) };
    attempt(model, hidden, Some(rescue.clone()))
        .or_else(|_| plain::whole(&rescue, hidden).map_err(|_| refused))
}

fn attempt<T: Real>(
    model: &Model,
    hidden: &[&str],
    rescue: Option<Rescue>,
) -> Result<Network<T>, ImportError> {
    if model.opset < OLDEST_OPSET {
        let what = format!("operator set {} is older than {OLDEST_OPSET}", model.opset);
        let error = ModelError::new(Place::File, what).help("convert the model with onnx.version_converter");
        return Err(error.into());
    }
    let outputs = model.graph.outputs.iter().map(|output| output.name.as_str());
    let wanted: Vec<&str> = outputs.chain(hidden.iter().copied()).collect();
    let live = Live::of(&model.graph, wanted.iter().copied());
    if let Some(error) = live.filter(&model.graph).find_map(expand::refusal) {
        return Err(error.into());
    }
    let mut unsupported = Vec::new();
    scan(&model.graph, &wanted, &mut unsupported);
    if !unsupported.is_empty() && rescue.is_none() {
        return Err(ImportError::Unsupported(unsupported));
    }
    let mut importer = Importer::<T> {
        builder: Builder::default(),
        opset: model.opset,
        scopes: vec![HashMap::new()],
        nodes_of_constants: HashMap::new(),
        reaches: HashMap::new(),
        rescue,
    };
    for input in &model.graph.inputs {
        let place = || Place::Value(input.name.clone());
        let Some(shape) = input.closed_shape() else {
            let error = ModelError::new(place(), "the input has no declared shape")
                .help("run onnx.shape_inference, or declare the shape when exporting");
            return Err(error.into());
        };
        let node = importer.builder.input(&input.name, input.element, shape);
        let node = node.map_err(|error| ModelError::new(place(), error.0))?;
        importer.bind(&input.name, Operand::Node(node));
    }
    let expanded = expand::for_importer(&model.graph, model.opset)?;
    let outputs = importer.graph(expanded.as_ref().unwrap_or(&model.graph), hidden)?;
    let mut ids = Vec::new();
    for &name in hidden {
        let place = || Place::Value(name.to_owned());
        let missing = || {
            ModelError::new(place(), "the property declares this hidden value, no node computes it")
                .help("name a result of a node of the main graph")
        };
        let value = importer.lookup(name).ok_or_else(missing)?;
        ids.push(importer.node_of(&value).map_err(|e| ModelError::new(place(), e.0))?);
    }
    for (output, info) in outputs.into_iter().zip(&model.graph.outputs) {
        ids.push(
            importer.node_of(&output).map_err(|e| ModelError::new(Place::Value(info.name.clone()), e.0))?,
        );
    }
    Ok(importer.builder.finish(ids))
}

/// All nodes that a model's outputs need, inner graphs included, whose operators have no builder.
pub fn unsupported(model: &Model) -> Vec<UnsupportedNode> {
    let mut nodes = Vec::new();
    let wanted: Vec<&str> = model.graph.outputs.iter().map(|output| output.name.as_str()).collect();
    scan(&model.graph, &wanted, &mut nodes);
    nodes
}

fn scan<'g>(graph: &'g Graph, wanted: &[&'g str], unsupported: &mut Vec<UnsupportedNode>) {
    for node in Live::of(graph, wanted.iter().copied()).filter(graph) {
        let default_domain = matches!(node.domain.as_str(), "" | "ai.onnx");
        let composed = expand::is_for_network(node);
        if !composed && (!default_domain || ops::find::<f32>(&node.operator).is_none()) {
            let operator = if default_domain {
                node.operator.clone()
            } else {
                format!("{}.{}", node.domain, node.operator)
            };
            unsupported.push(UnsupportedNode { node: node.name.clone(), operator });
        }
        for attribute in node.attributes.values() {
            if let Attribute::Graph(inner) = attribute {
                let outputs: Vec<&str> = inner.outputs.iter().map(|output| output.name.as_str()).collect();
                scan(inner, &outputs, unsupported);
            }
        }
    }
}

fn is_needed(name: &str, live: &Live<'_>) -> bool {
    !name.is_empty() && live.names.contains(name)
}

impl<T: Real> Importer<T> {
    /// Builds what a graph's outputs and the values named in `hidden` need, the inputs being bound, and gives the outputs.
    pub(super) fn graph(&mut self, graph: &Graph, hidden: &[&str]) -> Result<Vec<Operand>, ModelError> {
        let outputs = graph.outputs.iter().map(|output| output.name.as_str());
        let live = Live::of(graph, outputs.chain(hidden.iter().copied()));
        if let Some(error) = live.refusal(graph) {
            return Err(error);
        }
        for (name, tensor) in &graph.initializers {
            self.bind(name, Operand::Constant(tensor.clone()));
        }
        for node in live.filter(graph) {
            self.node(node, &live)?;
        }
        let outputs = graph.outputs.iter().map(|output| {
            self.lookup(&output.name).ok_or_else(|| {
                ModelError::new(Place::Value(output.name.clone()), "the graph output is computed by no node")
            })
        });
        outputs.collect()
    }

    /// As [`Importer::graph`], with names of its own and these inputs.
    pub(super) fn inner_graph(
        &mut self,
        graph: &Graph,
        inputs: Vec<Operand>,
    ) -> Result<Vec<Operand>, ModelError> {
        self.scopes.push(HashMap::new());
        for (input, operand) in graph.inputs.iter().zip(inputs) {
            self.bind(&input.name, operand);
        }
        let outputs = self.graph(graph, &[]);
        self.scopes.pop();
        outputs
    }

    fn node(&mut self, node: &Node, live: &Live<'_>) -> Result<(), ModelError> {
        let mut operands = Vec::with_capacity(node.inputs.len());
        for name in &node.inputs {
            operands.push(match name.as_str() {
                "" => None,
                name => Some(self.lookup(name).ok_or_else(|| {
                    node.error(format!("operand {name} is neither an input nor computed before this node"))
                })?),
            });
        }
        let results = match self.built(node, operands, live) {
            Ok(results) => results,
            Err(refused) => self.plain(node, live).ok_or(refused)?,
        };
        for (name, result) in node.outputs.iter().zip(results).filter(|(name, _)| is_needed(name, live)) {
            self.bind(name, result);
        }
        Ok(())
    }

    /// What the node's builder makes of it: all results that are needed.
    fn built(
        &mut self,
        node: &Node,
        operands: Vec<Option<Operand>>,
        live: &Live<'_>,
    ) -> Result<Vec<Operand>, ModelError> {
        let standard = matches!(node.domain.as_str(), "" | "ai.onnx") || expand::is_for_network(node);
        let Some((_, build)) = ops::find::<T>(&node.operator).filter(|_| standard) else {
            return Err(node.error("the operator is not supported"));
        };
        let results = build(&mut ImportCall { importer: self, node, operands })?;
        let missing = node.outputs.iter().enumerate().skip(results.len());
        match missing.into_iter().find(|(_, name)| is_needed(name, live)) {
            Some((i, name)) => Err(node.error(format!("result {i} ({name}) is not supported"))),
            None => Ok(results),
        }
    }

    /// Whether nodes are those of the main graph.
    fn is_outermost(&self) -> bool {
        self.scopes.len() == 1
    }

    fn bind(&mut self, name: &str, operand: Operand) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name.to_owned(), operand);
        }
    }

    fn lookup(&self, name: &str) -> Option<Operand> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name)).cloned()
    }

    /// The node of an operand; a constant becomes one when it is first needed.
    pub(super) fn node_of(&mut self, operand: &Operand) -> Result<NodeId, ShapeError> {
        let tensor = match operand {
            Operand::Node(id) => return Ok(*id),
            Operand::Constant(tensor) => tensor,
            Operand::List(_) => return Err(ShapeError("a list stands where a tensor is needed".into())),
        };
        let address = Arc::as_ptr(tensor) as usize;
        if let Some((_, id)) = self.nodes_of_constants.get(&address) {
            return Ok(*id);
        }
        let id = self.builder.constant("", tensor.element, tensor.shape.clone(), tensor.values())?;
        self.nodes_of_constants.insert(address, (tensor.clone(), id));
        Ok(id)
    }

    pub(super) fn shape_of<'a>(&'a self, operand: &'a Operand) -> &'a [usize] {
        match operand {
            Operand::Constant(tensor) => &tensor.shape,
            Operand::Node(id) => self.builder.shape(*id),
            // Whoever reads its numbers is told what it is.
            Operand::List(_) => &[],
        }
    }

    /// Between which numbers the values of an operand lie.
    pub(super) fn reach_of(&self, operand: &Operand) -> Reach {
        match operand {
            Operand::Constant(tensor) => reach::of_constant(tensor),
            Operand::Node(id) => match self.reaches.get(id) {
                Some(&reach) => reach,
                None => reach::of_element(self.element_of(operand)),
            },
            Operand::List(_) => reach::of_element(self.element_of(operand)),
        }
    }

    pub(super) fn element_of(&self, operand: &Operand) -> ElementType {
        match operand {
            Operand::Constant(tensor) => tensor.element,
            Operand::Node(id) => self.builder.node(*id).element,
            Operand::List(elements) => elements.first().map_or(ElementType::Float32, |x| self.element_of(x)),
        }
    }
}
