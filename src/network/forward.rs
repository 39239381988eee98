//! Forward passes over a block of points.

use super::backward::Surrogate;
use super::op::{Op, Operands, Pass};
use super::real::Real;
use super::{Network, NodeId};

/// The values of one block, and memory for the passes: made once, used for every block of the same size.
#[derive(Debug, Clone)]
pub struct Workspace<T> {
    pub(super) lanes: usize,
    /// One buffer a slot.
    pub(super) values: Vec<Vec<T>>,
    /// One buffer a slot, empty where a backward pass has not arrived yet or is through.
    pub(super) cotangents: Vec<Vec<T>>,
    /// Cotangents that are not in use: a pass needs few at a time, and finds them here the next time.
    pub(super) spare: Vec<Vec<T>>,
    pub(super) scratch: Vec<T>,
    /// What [`Pass::threads`] says.
    pub(super) threads: usize,
}

impl<T: Real> Workspace<T> {
    /// Memory for blocks of `lanes` points of `network`, with the constants in place.
    pub fn new(network: &Network<T>, lanes: usize) -> Self {
        let mut values = vec![Vec::new(); network.slots];
        for node in network.nodes.iter().filter(|node| !matches!(node.op, Op::Reshape(_))) {
            values[node.slot] = match &node.op {
                Op::Constant(constant) => {
                    constant.data.iter().flat_map(|&x| std::iter::repeat_n(x, lanes)).collect()
                }
                _ => vec![T::zero(); node.len() * lanes],
            };
        }
        Self { lanes, values, cotangents: Vec::new(), spare: Vec::new(), scratch: Vec::new(), threads: 1 }
    }

    /// From now on large sums may be dealt out to so many threads; no result depends on it.
    pub fn set_threads(&mut self, threads: usize) {
        self.threads = threads.max(1);
    }

    /// Points in a block.
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// The cotangent of a slot: zeros, if there is none yet.
    pub(super) fn need_cotangent(&mut self, slot: usize) -> &mut [T] {
        let (buffer, len) = (&mut self.cotangents[slot], self.values[slot].len());
        if buffer.is_empty() {
            // The smallest that fits, so that every pass finds the same ones.
            let fits = self.spare.iter().enumerate().filter(|(_, spare)| spare.capacity() >= len);
            if let Some((smallest, _)) = fits.min_by_key(|(_, spare)| spare.capacity()) {
                *buffer = self.spare.swap_remove(smallest);
                buffer.clear();
            }
            buffer.resize(len, T::zero());
        }
        buffer
    }

    /// The values of a node after a forward pass: `len(shape) * lanes` numbers, lanes innermost.
    pub fn value<'a>(&'a self, network: &Network<T>, id: NodeId) -> &'a [T] {
        &self.values[network.node(id).slot]
    }
}

impl<T: Real> Network<T> {
    /// Evaluates a block: `inputs` holds `input_len × lanes` numbers, lanes innermost.
    pub fn forward(&self, workspace: &mut Workspace<T>, inputs: &[T]) {
        let lanes = workspace.lanes;
        assert_eq!(inputs.len(), self.input_len() * lanes, "a block holds input_len × lanes numbers");
        let mut at = 0;
        for &id in &self.inputs {
            let buffer = &mut workspace.values[self.node(id).slot];
            let len = buffer.len();
            buffer.copy_from_slice(&inputs[at..at + len]);
            at += len;
        }
        self.forward_from(workspace, 0);
    }

    /// Recomputes the nodes from `first` on, whose operands are in place.
    pub fn forward_from(&self, workspace: &mut Workspace<T>, first: usize) {
        for node in &self.nodes[first..] {
            if !node.varies || matches!(node.op, Op::Input(_) | Op::Reshape(_)) {
                continue;
            }
            let mut output = std::mem::take(&mut workspace.values[node.slot]);
            let operands = Operands { nodes: &self.nodes, inputs: &node.inputs, values: &workspace.values };
            let mut pass = Pass {
                lanes: workspace.lanes,
                scratch: &mut workspace.scratch,
                surrogate: Surrogate::exact(),
                threads: workspace.threads,
            };
            node.op.forward(operands, &mut output, &mut pass);
            workspace.values[node.slot] = output;
        }
    }

    /// Copies the flat output vectors of the last block: `output_len × lanes` numbers, lanes innermost.
    pub fn outputs_into(&self, workspace: &Workspace<T>, out: &mut Vec<T>) {
        out.clear();
        for &id in &self.outputs {
            out.extend_from_slice(workspace.value(self, id));
        }
    }

    /// Outputs for a single point, in a workspace of its own: convenient, not fast.
    pub fn evaluate(&self, input: &[T]) -> Vec<T> {
        let mut workspace = Workspace::new(self, 1);
        self.forward(&mut workspace, input);
        let mut out = Vec::new();
        self.outputs_into(&workspace, &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::Builder;
    use super::super::matrix::Matrix;
    use super::super::op::windows::{WindowAxis, Windows};
    use super::super::op::{Affine, Conv};
    use super::*;
    use crate::dispatch::WORTH_THREADS;
    use crate::onnx::ElementType::Float32;
    use crate::random::Random;

    /// A convolution with long rows, one with short ones and a stride, and a dense layer for one point: each is worth threads.
    fn large(random: &mut Random) -> Network<f32> {
        let mut numbers = |count: usize| (0..count).map(|_| random.normal() as f32).collect::<Vec<f32>>();
        let mut builder = Builder::default();
        let mut node = builder.input("x", Float32, vec![1, 9, 70, 70]).unwrap();
        for (inputs, outputs, image, stride) in [(9, 13, 70, 1), (13, 40, 70, 2)] {
            let axis = WindowAxis::new(image, 3, stride, 1, 1, image / stride).unwrap();
            let windows = Windows([WindowAxis::unit(), axis.clone(), axis]);
            let weights = numbers(outputs * inputs * 9);
            let conv = Conv::new(weights, numbers(outputs), (outputs, inputs, 1), windows, 2, false).unwrap();
            assert!(conv.multiplications() > WORTH_THREADS);
            node = builder.push("conv", Op::Conv(conv), &[node], Float32).unwrap();
        }
        let (inputs, outputs) = (40 * 35 * 35, 90);
        node = builder.push("flat", Op::Reshape(vec![1, inputs]), &[node], Float32).unwrap();
        let matrix = Matrix::dense(outputs, inputs, numbers(outputs * inputs));
        assert!(matrix.entries() > WORTH_THREADS);
        let affine = Affine { matrix, bias: numbers(outputs), axis: 1 };
        node = builder.push("dense", Op::Affine(affine), &[node], Float32).unwrap();
        builder.finish(vec![node])
    }

    #[test]
    fn threads_change_no_bit() {
        let mut random = Random::new(5);
        let network = large(&mut random);
        for lanes in [1, 3] {
            let point: Vec<f32> = (0..network.input_len() * lanes).map(|_| random.normal() as f32).collect();
            let cotangent: Vec<f32> =
                (0..network.output_len() * lanes).map(|_| random.normal() as f32).collect();
            let passes = |threads: usize| {
                let mut workspace = network.workspace(lanes);
                workspace.set_threads(threads);
                let (mut outputs, mut gradient) = (Vec::new(), Vec::new());
                network.forward(&mut workspace, &point);
                network.outputs_into(&workspace, &mut outputs);
                network.backward(&mut workspace, &cotangent, Surrogate::exact(), &mut gradient);
                (outputs, gradient)
            };
            let alone = passes(1);
            for threads in [2, 3, 8] {
                assert!(passes(threads) == alone, "{lanes} lanes on {threads} threads");
            }
        }
    }
}
