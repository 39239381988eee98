//! The features of images: the values of one layer of a network. Without a name it is the penultimate layer, what the
//! last matrix or convolution reads; a network that has no such layer behind its input gives its outputs.

use nalgebra::DMatrix;

use crate::attack::Victim;
use crate::network::op::Op;
use crate::network::{Network, NodeId};

/// One layer of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The nodes whose values are the features, one after the other.
    nodes: Vec<NodeId>,
    /// What it is, for people.
    pub name: String,
}

/// There is no such layer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the network has no node {wanted} that depends on its input (help: there are {})", .known.join(", "))]
pub struct NoLayer {
    /// The name.
    pub wanted: String,
    /// Names that exist.
    pub known: Vec<String>,
}

impl Layer {
    /// The penultimate layer, or else the outputs.
    pub fn penultimate(network: &Network<f32>) -> Self {
        let linear = |op: &Op<f32>| matches!(op, Op::Affine(_) | Op::Conv(_) | Op::MatMul(_));
        let last = network.nodes().iter().rposition(|node| node.varies && linear(&node.op));
        let operand = last.and_then(|last| {
            network.nodes()[last].inputs.iter().copied().find(|&id| network.node(id).varies)
        });
        match operand.filter(|&id| !is_input(network, id)) {
            Some(id) => {
                let (name, size) = (network.node(id).name.clone(), network.node(id).len());
                Self { nodes: vec![id], name: format!("the penultimate layer, {size} values of node {name}") }
            }
            None => Self {
                nodes: network.outputs().to_vec(),
                name: format!("the outputs, {} values", network.output_len()),
            },
        }
    }

    /// The values of a node of the ONNX file.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn named(network: &Network<f32>, wanted: &str) -> Result<Self, NoLayer> {
        let nodes = network.nodes();
        let Some(place) = nodes.iter().rposition(|node| node.varies && node.name == wanted) else {
            let mut known: Vec<String> = Vec::new();
            for node in nodes.iter().filter(|node| node.varies) {
                if known.last() != Some(&node.name) {
                    known.push(node.name.clone());
                }
            }
            return Err(NoLayer { wanted: wanted.to_owned(), known });
        };
        Ok(Self {
            nodes: vec![NodeId(place)],
            name: format!("{} values of node {wanted}", nodes[place].len()),
        })
    }

    /// The features of inputs, one row an input.
    pub fn of(&self, network: &Network<f32>, inputs: &[Vec<f32>]) -> DMatrix<f64> {
        let columns = self.nodes.iter().map(|&id| network.node(id).len()).sum();
        let mut features = DMatrix::zeros(inputs.len(), columns);
        let mut workspace = network.workspace(1);
        for (row, input) in inputs.iter().enumerate() {
            network.forward(&mut workspace, input);
            let values = self.nodes.iter().flat_map(|&id| workspace.value(network, id));
            for (cell, &value) in features.row_mut(row).iter_mut().zip(values) {
                *cell = f64::from(value);
            }
        }
        features
    }
}

/// Whether a node is an input, perhaps under another shape.
fn is_input(network: &Network<f32>, id: NodeId) -> bool {
    let node = network.node(id);
    match (&node.op, &node.inputs[..]) {
        (Op::Input(_), _) => true,
        (Op::Reshape(_), [operand]) => is_input(network, *operand),
        _ => false,
    }
}

/// A network and the layer of it that is measured.
#[derive(Debug)]
pub struct Features<'a> {
    /// The network, as a reader of the same images.
    pub network: &'a Victim,
    /// The layer.
    pub layer: Layer,
    /// What both are, for people.
    pub name: String,
}
