//! What there is to say of a model before any search: its interface, its operators, and what this program can do
//! with it. Filled as far as the model allows: a model with an unsupported operator still tells its inputs.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::bounds::Bounder;
use crate::network::op::Op;
use crate::network::{self, ImportError, Network, Node};
use crate::onnx::live::Live;
use crate::onnx::{self, Attribute, Data, Dim, Graph, Model, Tensor};
use crate::reference;
use crate::search::kernel::exclusion::affordable;
use crate::search::strategy::patch;
use crate::search::strategy::patch::reading::PaperReading;

/// A model's description. Serialised as it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// `ir_version` of the file.
    pub ir_version: i64,
    /// Version of the default operator set.
    pub opset: i64,
    /// What the user provides.
    pub inputs: Vec<InspectedValue>,
    /// What the model gives.
    pub outputs: Vec<InspectedValue>,
    /// What was decided about dimensions that the model leaves open, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bound: Vec<String>,
    /// How indices, sizes and conditions that are computed from the inputs are dealt with in a search of a property, where one is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub computed: Option<String>,
    /// Nodes by operator, inner graphs included.
    pub operators: BTreeMap<String, usize>,
    /// Constant floating-point numbers.
    pub parameters: usize,
    /// How many of them are not zero.
    pub nonzero_parameters: usize,
    /// Operators that are not supported, each with the nodes that apply it.
    pub unsupported: BTreeMap<String, Vec<String>>,
    /// Why the model is no network for this program, whatever its operators.
    pub error: Option<String>,
    /// What the model became; `None` with unsupported operators or an error.
    pub network: Option<Computation>,
}

/// An input or output.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InspectedValue {
    /// Its name.
    pub name: String,
    /// Its element type in ONNX's spelling.
    pub element: &'static str,
    /// Its dimensions; `None` where the file gives none.
    pub shape: Option<Vec<Dimension>>,
}

/// A dimension: a number, or a name.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Dimension {
    /// A number.
    Fixed(usize),
    /// A name, possibly empty; this program sets it to 1.
    Symbolic(String),
}

/// The network that searches run on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Computation {
    /// Length of the flat input.
    pub input_len: usize,
    /// Length of the flat output.
    pub output_len: usize,
    /// Multiplications a point, roughly.
    pub multiplications: usize,
    /// What is not affine, by function.
    pub activations: BTreeMap<String, Activation>,
    /// How many of which operators the plain engine computes, point by point and without bounds.
    pub plain: BTreeMap<String, usize>,
    /// Whether there are sound bounds, which proofs of `unsat` need.
    pub bounds: Applies,
    /// Whether the patching method applies.
    pub patching: Applies,
    /// The readings of patching that apply: parts of `--reading`, with the defaults for the rest.
    pub readings: Vec<String>,
    /// The edge layers that patching changes, from the inputs to the outputs; empty where it does not apply.
    pub edge_layers: Vec<InspectedLayer>,
    /// Whether the edge layers begin behind the last convolution, the part in front being linearised.
    pub behind_convolutions: bool,
}

/// How often a function that is not affine is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Activation {
    /// Nodes.
    pub nodes: usize,
    /// Numbers that they give.
    pub values: usize,
}

/// Yes, or no and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Applies {
    /// Whether it does.
    pub applies: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// An edge layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InspectedLayer {
    /// Numbers that go in.
    pub sources: usize,
    /// Neurons.
    pub targets: usize,
    /// What the neurons do with their sums; `None` for the output layer.
    pub activation: Option<String>,
}

impl Inspection {
    /// Looks at a model.
    pub fn of(model: &Model) -> Self {
        let mut inspection = Self {
            ir_version: model.ir_version,
            opset: model.opset,
            inputs: model.graph.inputs.iter().map(InspectedValue::from).collect(),
            outputs: model.graph.outputs.iter().map(InspectedValue::from).collect(),
            bound: Vec::new(),
            computed: None,
            operators: BTreeMap::new(),
            parameters: 0,
            nonzero_parameters: 0,
            unsupported: BTreeMap::new(),
            error: None,
            network: None,
        };
        let replayed = reference::operators();
        inspection.count(&model.graph, &replayed);
        if inspection.unsupported.is_empty() {
            match network::import::<f64>(model) {
                Ok(network) => inspection.network = Some(Computation::of(network)),
                Err(error @ ImportError::Model(_)) => inspection.error = Some(error.to_string()),
                Err(ImportError::Unsupported(nodes)) => {
                    for node in nodes {
                        inspection.unsupported.entry(node.operator).or_default().push(node.node);
                    }
                }
            }
        }
        inspection
    }

    /// Whether a search can run on the model.
    pub fn is_usable(&self) -> bool {
        self.network.is_some()
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.operators.values().sum()
    }

    /// Counts nodes and parameters, and lists the operators that the engine for replays (`replayed`, sorted) lacks.
    fn count(&mut self, graph: &Graph, replayed: &[&str]) {
        graph.initializers.values().for_each(|tensor| self.count_parameters(tensor));
        let live = Live::of_outputs(graph);
        for (node, needed) in graph.nodes.iter().zip(&live.nodes) {
            let standard = matches!(node.domain.as_str(), "" | "ai.onnx");
            let name =
                if standard { node.operator.clone() } else { format!("{}.{}", node.domain, node.operator) };
            if *needed && (!standard || replayed.binary_search(&node.operator.as_str()).is_err()) {
                self.unsupported.entry(name.clone()).or_default().push(node.name.clone());
            }
            *self.operators.entry(name).or_default() += 1;
            for attribute in node.attributes.values() {
                match attribute {
                    Attribute::Tensor(tensor) => self.count_parameters(tensor),
                    Attribute::Graph(inner) => self.count(inner, replayed),
                    _ => {}
                }
            }
        }
    }

    fn count_parameters(&mut self, tensor: &Tensor) {
        if tensor.element.is_float() {
            self.parameters += tensor.len();
            self.nonzero_parameters += match &tensor.data {
                Data::F32(values) => values.iter().filter(|&&x| x != 0.0).count(),
                Data::F64(values) => values.iter().filter(|&&x| x != 0.0).count(),
                Data::I64(values) => values.iter().filter(|&&x| x != 0).count(),
                Data::SparseF32(_) | Data::SparseF64(_) => tensor.stored_len(),
            };
        }
    }
}

impl From<&onnx::ValueInfo> for InspectedValue {
    fn from(info: &onnx::ValueInfo) -> Self {
        let dimension = |dim: &Dim| match dim {
            Dim::Fixed(n) => Dimension::Fixed(*n),
            Dim::Symbolic(name) => Dimension::Symbolic(name.clone()),
        };
        Self {
            name: info.name.clone(),
            element: info.element.name(),
            shape: info.shape.as_ref().map(|dims| dims.iter().map(dimension).collect()),
        }
    }
}

impl Computation {
    fn of(network: Network<f64>) -> Self {
        let mut activations: BTreeMap<String, Activation> = BTreeMap::new();
        for node in network.nodes().iter().filter(|node| node.varies) {
            if let Some(name) = bend(&network, node) {
                let entry = activations.entry(name).or_default();
                entry.nodes += 1;
                entry.values += node.len();
            }
        }
        let bounds = affordable(&network).map_err(|error| error.to_string());
        let bounds =
            bounds.and_then(|()| Bounder::new(&network).map(drop).map_err(|error| error.to_string()));
        let outline = patch::strategy::applies(&network, &PaperReading::default());
        let reads = |reading: &PaperReading| patch::strategy::applies(&network, reading).is_ok();
        let readings = PaperReading::variants().into_iter().filter(|(_, reading)| reads(reading));
        let layers = outline.as_ref().map(|outline| outline.layers.as_slice()).unwrap_or_default();
        let layer = |layer: &crate::network::layered::LayerOutline| InspectedLayer {
            sources: layer.sources,
            targets: layer.targets,
            activation: layer.activation.map(|function| format!("{function:?}")),
        };
        Self {
            input_len: network.input_len(),
            output_len: network.output_len(),
            multiplications: network.multiplications(),
            activations,
            plain: network.plain_operators(),
            bounds: Applies::from(bounds),
            readings: readings.map(|(name, _)| name).collect(),
            edge_layers: layers.iter().map(layer).collect(),
            behind_convolutions: outline.as_ref().is_ok_and(|outline| outline.has_entry),
            patching: Applies::from(outline.map(|_| ()).map_err(|error| error.0.to_owned())),
        }
    }
}

impl From<Result<(), String>> for Applies {
    fn from(result: Result<(), String>) -> Self {
        Self { applies: result.is_ok(), reason: result.err() }
    }
}

/// What a node that is not affine does, with its parameters; `None` for affine ones.
fn bend(network: &Network<f64>, node: &Node<f64>) -> Option<String> {
    use crate::network::op::BinaryFunction::{Add, Div, Mul, Sub};
    let varies = |i: usize| node.inputs.get(i).is_some_and(|&id| network.node(id).varies);
    match &node.op {
        Op::Unary(op) => crate::network::frozen::bends(op.0).then(|| format!("{:?}", op.0)),
        Op::Binary(op) => match op.0 {
            Add | Sub => None,
            Mul if !(varies(0) && varies(1)) => None,
            Div if !varies(1) => None,
            function => Some(format!("{function:?}")),
        },
        Op::MatMul(_) if !(varies(0) && varies(1)) => None,
        Op::Reduce(op) if !node.op.is_affine() => Some(format!("Reduce{:?}", op.function)),
        Op::MatMul(_) => Some("MatMul".into()),
        Op::MaxPool(_) => Some("MaxPool".into()),
        Op::ArgExtreme(_) => Some("ArgExtreme".into()),
        Op::TopK(_) => Some("TopK".into()),
        Op::Softmax(op) => Some(if op.log { "LogSoftmax".into() } else { "Softmax".into() }),
        Op::Select(_) => Some("Where".into()),
        Op::Pick(_) => Some("Gather".into()),
        Op::Plain(_) => Some("plain".into()),
        _ => None,
    }
}
