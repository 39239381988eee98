//! Neurons of a network as coverage-guided testing sees them (DeepXplore, DLFuzz).
//!
//! Pei, Cao, Yang and Jana, "DeepXplore: automated whitebox testing of deep learning systems", SOSP 2017, section 4.1
//! and the authors' code: a neuron is a channel of a layer's result, its activation the mean over the channel's
//! places. To say whether it is covered, the layer's values are first scaled so that they reach from 0 to 1.
//!
//! Layers are the network's activation functions before the output.

use crate::network::op::{Op, UnaryFunction};
use crate::network::shape::{self, Split};
use crate::network::{Network, NodeId, Surrogate, Workspace};

#[derive(Debug, Clone)]
struct CoveredLayer {
    node: NodeId,
    split: Split,
}

/// The neurons of a network, numbered layer by layer.
#[derive(Debug, Clone)]
pub struct Neurons {
    layers: Vec<CoveredLayer>,
}

impl Neurons {
    /// All hidden neurons. There are none where nothing but the outputs has an activation function.
    pub fn of(network: &Network<f32>) -> Self {
        let hidden = |id: &NodeId| {
            let node = network.node(*id);
            let activates = matches!(&node.op, Op::Unary(unary) if is_activation(unary.0));
            activates && node.varies && !node.is_empty() && !network.outputs().contains(id)
        };
        let layer = |node: NodeId| {
            let shape = &network.node(node).shape;
            // The first axis is the batch, of one image.
            let axis = usize::from(shape.len() > 1);
            (!shape.is_empty()).then(|| CoveredLayer { node, split: shape::split(shape, axis) })
        };
        let ids = (0..network.nodes().len()).map(NodeId);
        Self { layers: ids.filter(hidden).filter_map(layer).collect() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.layers.iter().map(|layer| layer.split.axis).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// The mean scaled activation of each neuron at the single point that `workspace` holds. Not a number in layers
    /// whose values are all equal: nothing there counts as covered.
    pub fn activations(&self, network: &Network<f32>, workspace: &Workspace<f32>) -> Vec<f32> {
        let mut means = Vec::with_capacity(self.len());
        for layer in &self.layers {
            let values = workspace.value(network, layer.node);
            let low = values.iter().copied().fold(f32::INFINITY, f32::min);
            let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let Split { outer, axis, inner } = layer.split;
            for channel in 0..axis {
                let places = (0..outer).flat_map(|o| &values[(o * axis + channel) * inner..][..inner]);
                let sum: f32 = places.map(|x| (x - low) / (high - low)).sum();
                means.push(sum / (outer * inner) as f32);
            }
        }
        means
    }

    /// Adds the gradient of `Σ factor · mean activation` of the chosen neurons (unscaled, by number) at the single point
    /// that `workspace` holds. Returns the number of backward passes: one a layer with a chosen neuron.
    pub fn add_gradient(
        &self,
        network: &Network<f32>,
        workspace: &mut Workspace<f32>,
        chosen: &[(usize, f32)],
        gradient: &mut [f32],
    ) -> u64 {
        let (mut first, mut passes, mut own) = (0, 0, Vec::new());
        for layer in &self.layers {
            let Split { outer, axis, inner } = layer.split;
            let numbers = first..first + axis;
            first += axis;
            let mut cotangent = vec![0.0; outer * axis * inner];
            for &(number, factor) in chosen.iter().filter(|(number, _)| numbers.contains(number)) {
                for o in 0..outer {
                    let places = &mut cotangent[(o * axis + number - numbers.start) * inner..][..inner];
                    places.iter_mut().for_each(|x| *x += factor / (outer * inner) as f32);
                }
            }
            if cotangent.iter().any(|&x| x != 0.0) {
                network.backward_from(workspace, layer.node, &cotangent, Surrogate::exact(), &mut own);
                gradient.iter_mut().zip(&own).for_each(|(sum, x)| *sum += x);
                passes += 1;
            }
        }
        passes
    }

    /// The mean weight with which each neuron reads; 0 where its layer reads from no affine layer or convolution.
    pub fn mean_weights(&self, network: &Network<f32>) -> Vec<f64> {
        self.layers.iter().flat_map(|layer| weights_of(network, layer)).collect()
    }
}

/// Activation functions, as opposed to arithmetic on every value.
fn is_activation(function: UnaryFunction) -> bool {
    use UnaryFunction as F;
    matches!(
        function,
        F::Relu
            | F::LeakyRelu { .. }
            | F::Clip { .. }
            | F::HardSigmoid { .. }
            | F::ThresholdedRelu { .. }
            | F::Sigmoid
            | F::Tanh
            | F::Elu { .. }
            | F::Selu { .. }
            | F::Celu { .. }
            | F::Softplus
            | F::Softsign
            | F::HardSwish
            | F::Mish
            | F::Gelu
            | F::GeluTanh
            | F::Swish { .. }
    )
}

fn weights_of(network: &Network<f32>, layer: &CoveredLayer) -> Vec<f64> {
    let mean =
        |values: &[f32]| values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len().max(1) as f64;
    let channels = layer.split.axis;
    let mut at = layer.node;
    // Operands have smaller numbers, so this ends.
    while let Some(&operand) = network.node(at).inputs.iter().find(|&&id| network.node(id).varies) {
        let means: Vec<f64> = match &network.node(operand).op {
            Op::Affine(affine) => {
                let row = |output| {
                    let mut sum = 0.0;
                    affine.matrix.for_row(output, |_, x| sum += f64::from(x));
                    sum / affine.matrix.inputs().max(1) as f64
                };
                (0..affine.matrix.outputs()).map(row).collect()
            }
            Op::Conv(conv) if !conv.transposed => {
                conv.weights.chunks(conv.weights.len() / conv.outputs.max(1)).map(mean).collect()
            }
            Op::Unary(_) | Op::Binary(_) | Op::Reshape(_) => {
                at = operand;
                continue;
            }
            _ => break,
        };
        if means.len() == channels {
            return means;
        }
        break;
    }
    vec![0.0; channels]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::methods::small;
    use crate::{network, onnx};
    use std::path::Path;

    #[test]
    fn activations_are_scaled_layer_by_layer() {
        let hidden: [small::Row<'_>; 3] =
            [(&[1.0, 1.0, 0.0, 0.0], 0.0), (&[-1.0, 0.0, 0.0, 0.0], 0.0), (&[0.0, 0.0, 0.5, 0.5], 0.0)];
        let last: [small::Row<'_>; 2] = [(&[1.0, 0.0, 0.0], 0.0), (&[0.0, 1.0, 0.0], 0.0)];
        let victim = small::dense(2, 2, &[&hidden, &last]);
        let neurons = Neurons::of(&victim.network);
        assert_eq!(neurons.len(), 3);
        assert_eq!(neurons.mean_weights(&victim.network), [0.5, -0.25, 0.25]);
        let mut workspace = victim.network.workspace(1);
        victim.network.forward(&mut workspace, &[0.5; 4]);
        assert_eq!(neurons.activations(&victim.network, &workspace), [1.0, 0.0, 0.5]);
        assert!(Neurons::of(&small::victim().network).is_empty());
    }

    #[test]
    fn gradients_of_channels_are_those_of_their_means() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/digits_cnn.onnx");
        let network = network::import::<f32>(&onnx::read(&path).unwrap()).unwrap();
        let neurons = Neurons::of(&network);
        assert_eq!(neurons.layers.len(), 2);
        assert!(neurons.mean_weights(&network).iter().all(|&weight| weight != 0.0));
        let chosen = [(1, 1.0), (neurons.len() - 1, -0.5)];
        let mut workspace = network.workspace(1);
        let image: Vec<f32> = (0..network.input_len()).map(|i| (i * 37 % 64) as f32 / 64.0).collect();
        let mut value = |image: &[f32]| -> f64 {
            network.forward(&mut workspace, image);
            let mean = |layer: &CoveredLayer, channel: usize| {
                let Split { inner, .. } = layer.split;
                let values = &workspace.value(&network, layer.node)[channel * inner..][..inner];
                values.iter().map(|&x| f64::from(x)).sum::<f64>() / inner as f64
            };
            mean(&neurons.layers[0], 1) - 0.5 * mean(&neurons.layers[1], neurons.layers[1].split.axis - 1)
        };
        let step = 1.0 / 512.0;
        let slopes: Vec<f64> = (0..image.len())
            .map(|i| {
                let mut moved = image.clone();
                moved[i] += step;
                let up = value(&moved);
                moved[i] -= 2.0 * step;
                (up - value(&moved)) / (2.0 * f64::from(step))
            })
            .collect();
        network.forward(&mut workspace, &image);
        let mut gradient = vec![0.0; image.len()];
        assert_eq!(neurons.add_gradient(&network, &mut workspace, &chosen, &mut gradient), 2);
        // A kink within the step shifts a few slopes a little.
        let close = slopes.iter().zip(&gradient).filter(|&(a, &b)| (a - f64::from(b)).abs() < 1e-3).count();
        assert!(close * 10 >= 9 * image.len(), "{close} of {}", image.len());
        assert!(gradient.iter().any(|&x| x.abs() > 1e-2));
    }
}
