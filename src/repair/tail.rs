//! The fully connected layers at the end of a network: what a repair may change.
//!
//! The walk goes backwards from the output as long as it meets products with a constant matrix, added constants and
//! ReLU or leaky ReLU. Whatever stands in front of them (convolutions, attention) is only ever evaluated. Each layer
//! keeps the matrix as the file has it and the node that holds it, because its numbers go back into the file. That
//! is why two affine operators in a row stay two layers here.

use crate::network::op::{Affine, BinaryFunction, Op, Unary, UnaryFunction};
use crate::network::shape::split;
use crate::network::{Network, NodeId};
use crate::patching::Layer;

/// `z = weights · h + bias`, then possibly an activation.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseLayer {
    /// The node with the matrix.
    pub node: NodeId,
    /// The ONNX node that it comes from.
    pub name: String,
    /// Number of sources.
    pub inputs: usize,
    /// `[outputs][inputs]`, row-major.
    pub weights: Vec<f64>,
    /// One number an output.
    pub bias: Vec<f64>,
    /// What is added to the values of the layer in front before they are multiplied; one number a source.
    pub shift: Vec<f64>,
    /// Slope below zero of the activation behind the sums: 0 for ReLU; `None` where there is no activation.
    pub below: Option<f64>,
}

/// The layers, in the order of evaluation; never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Tail {
    /// Layer `k` of a repair is `layers[k]`.
    pub layers: Vec<DenseLayer>,
}

/// The network does not end in a fully connected layer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the network does not end in a fully connected layer; the walk back from the output ended at node {node} \
     (help: a repair changes Gemm or MatMul with a constant matrix, behind which there is nothing but more of them, \
     added constants and ReLUs)"
)]
pub struct NotDense {
    /// The node where the walk back from the output ended.
    pub node: String,
}

/// One operator of the chain.
enum TailStep<'a> {
    Product(NodeId, &'a Affine<f64>),
    Shift(Vec<f64>),
    Bend(f64),
}

impl DenseLayer {
    /// The layer as the encoder reads it.
    pub fn view(&self) -> Layer<'_> {
        let activation = self.below.map(|below| match below {
            0.0 => UnaryFunction::Relu,
            alpha => UnaryFunction::LeakyRelu { alpha },
        });
        let Self { inputs, weights, bias, shift, .. } = self;
        Layer { inputs: *inputs, weights, bias, shift, activation }
    }

    /// Number of sums.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// The weights into one sum.
    pub fn row(&self, output: usize) -> &[f64] {
        self.view().row(output)
    }
}

impl Tail {
    /// Finds the layers.
    ///
    /// # Errors
    /// If the output is not that of a fully connected layer.
    pub fn of(network: &Network<f64>) -> Result<Self, NotDense> {
        let (mut steps, mut at) = (Vec::new(), network.outputs()[0]);
        while network.outputs().len() == 1 {
            let node = network.node(at);
            if let Op::Reshape(_) = node.op {
                at = node.inputs[0];
                continue;
            }
            let Some((step, before)) = step(network, at) else { break };
            steps.push(step);
            at = before;
        }
        let mut layers = group(steps.into_iter().rev()).unwrap_or_default();
        layers.iter_mut().for_each(|layer| layer.name.clone_from(&network.node(layer.node).name));
        let refusal = NotDense { node: network.node(at).name.clone() };
        if layers.is_empty() { Err(refusal) } else { Ok(Self { layers }) }
    }

    /// For each point the values that layer `layer`'s matrix is multiplied with.
    pub fn sources(&self, network: &Network<f64>, layer: usize, points: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let operand = network.node(self.layers[layer].node).inputs[0];
        let mut workspace = network.workspace(1);
        let source = |point: &Vec<f64>| {
            network.forward(&mut workspace, point);
            workspace.value(network, operand).to_vec()
        };
        points.iter().map(source).collect()
    }
}

/// The outputs of a chain of layers for the sources of the first.
pub fn evaluate(layers: &[DenseLayer], sources: &[f64]) -> Vec<f64> {
    let mut values = sources.to_vec();
    for (k, layer) in layers.iter().enumerate() {
        let layer = layer.view();
        let sources = if k == 0 { values } else { layer.shifted(values) };
        values = layer.values(&layer.sums(&sources));
    }
    values
}

/// What a node does, if it belongs to a fully connected part, and the node in front of it.
fn step(network: &Network<f64>, at: NodeId) -> Option<(TailStep<'_>, NodeId)> {
    let node = network.node(at);
    let before = *node.inputs.first()?;
    match &node.op {
        Op::Affine(affine) => {
            let split = split(&node.shape, affine.axis);
            (split.outer == 1 && split.inner == 1).then_some((TailStep::Product(at, affine), before))
        }
        Op::Unary(Unary(UnaryFunction::Relu)) => Some((TailStep::Bend(0.0), before)),
        Op::Unary(Unary(UnaryFunction::LeakyRelu { alpha })) if (0.0..1.0).contains(alpha) => {
            Some((TailStep::Bend(*alpha), before))
        }
        Op::Binary(binary) => {
            let constant = |i: usize| match &network.node(node.inputs[i]).op {
                Op::Constant(constant) => Some(&constant.data),
                _ => None,
            };
            let (sign, shift, before) = match (binary.0, constant(0), constant(1)) {
                (BinaryFunction::Add, None, Some(shift)) => (1.0, shift, node.inputs[0]),
                (BinaryFunction::Add, Some(shift), None) => (1.0, shift, node.inputs[1]),
                (BinaryFunction::Sub, None, Some(shift)) => (-1.0, shift, node.inputs[0]),
                _ => return None,
            };
            let len = node.len();
            let whole = network.node(before).len() == len && (shift.len() == len || shift.len() == 1);
            let shift = shift.iter().cycle().take(len).map(|s| sign * s).collect();
            whole.then_some((TailStep::Shift(shift), before))
        }
        _ => None,
    }
}

/// Puts the operators, in the order of evaluation, together to layers. What stands in front of the first product is
/// left out, and so is everything in front of a second activation in a row. `None` if the network ends between two
/// layers.
fn group<'a>(steps: impl Iterator<Item = TailStep<'a>>) -> Option<Vec<DenseLayer>> {
    let mut layers: Vec<DenseLayer> = Vec::new();
    let mut shift: Option<Vec<f64>> = None;
    for step in steps {
        match (step, layers.last_mut()) {
            (TailStep::Product(node, affine), _) => {
                let inputs = affine.matrix.inputs();
                layers.push(DenseLayer {
                    node,
                    name: String::new(),
                    inputs,
                    weights: affine.matrix.to_dense(),
                    bias: affine.bias.clone(),
                    shift: shift.take().unwrap_or_else(|| vec![0.0; inputs]),
                    below: None,
                });
            }
            (_, None) => {}
            (TailStep::Shift(by), Some(layer)) if layer.below.is_none() => {
                layer.bias.iter_mut().zip(by).for_each(|(b, s)| *b += s);
            }
            (TailStep::Shift(by), Some(_)) => match &mut shift {
                Some(shift) => shift.iter_mut().zip(by).for_each(|(b, s)| *b += s),
                None => shift = Some(by),
            },
            (TailStep::Bend(below), Some(layer)) if layer.below.is_none() => layer.below = Some(below),
            (TailStep::Bend(_), Some(_)) => {
                layers.clear();
                shift = None;
            }
        }
    }
    shift.is_none().then_some(layers)
}
