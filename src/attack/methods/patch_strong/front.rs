//! A fully connected network cut behind its first layer's sums.
//!
//! Changing one value of the image adds a multiple of one column of the first matrix to these sums, and the layers
//! behind are small: a 784-8-16-10 network takes 288 multiplications for a changed value in place of 6,560, a
//! 3072-100-50-25-10 network 6,500 in place of 313,700. Networks with convolutions have no such cut.

use crate::network::Network;
use crate::network::build::Builder;
use crate::network::layered::{EdgeLayer, Layered};
use crate::network::matrix::Matrix;
use crate::network::op::{Affine, Op, Unary};
use crate::network::shape::ShapeError;
use crate::onnx::ElementType::Float32;

/// The two parts.
#[derive(Debug)]
pub(super) struct Front {
    /// All layers in double precision, for programs.
    pub layered: Layered,
    /// The layers behind the first sums: from `neurons` numbers to the classes.
    pub suffix: Network<f32>,
    /// The first matrix by columns: `[input][neuron]`.
    columns: Vec<f32>,
    /// And by rows: `[neuron][input]`.
    rows: Vec<f32>,
    bias: Vec<f32>,
}

impl Front {
    /// The parts of a fully connected network; `None` for others.
    pub(super) fn new(network: &Network<f64>) -> Option<Self> {
        let layered = Layered::new(network).ok()?;
        if layered.layers.iter().any(|layer| layer.shared) {
            return None;
        }
        let suffix = suffix(&layered.layers).ok()?;
        let first = &layered.layers[0].edges;
        let by_columns = (0..first.inputs).flat_map(|i| (0..first.outputs()).map(move |o| (o, i)));
        let columns = by_columns.map(|(o, i)| first.row(o)[i] as f32).collect();
        let bias = first.bias.iter().map(|&b| b as f32).collect();
        let rows = first.weights.iter().map(|&w| w as f32).collect();
        Some(Self { suffix, columns, rows, bias, layered })
    }

    /// Number of first sums.
    pub(super) fn neurons(&self) -> usize {
        self.bias.len()
    }

    /// What one unit of a value adds to the first sums.
    pub(super) fn column(&self, input: usize) -> &[f32] {
        &self.columns[input * self.neurons()..(input + 1) * self.neurons()]
    }

    /// The first sums at an input.
    pub(super) fn sums(&self, input: &[f32]) -> Vec<f32> {
        let mut sums = self.bias.clone();
        for (i, &x) in input.iter().enumerate().filter(|(_, x)| **x != 0.0) {
            sums.iter_mut().zip(self.column(i)).for_each(|(sum, w)| *sum += w * x);
        }
        sums
    }

    /// Slopes of the inputs from slopes of the first sums.
    pub(super) fn pull_back(&self, slopes: &[f32]) -> Vec<f32> {
        let inputs = self.layered.input_len();
        let mut all = vec![0.0; inputs];
        for (row, &slope) in self.rows.chunks_exact(inputs.max(1)).zip(slopes).filter(|(_, s)| **s != 0.0) {
            all.iter_mut().zip(row).for_each(|(sum, w)| *sum += slope * w);
        }
        all
    }
}

fn suffix(layers: &[EdgeLayer]) -> Result<Network<f32>, ShapeError> {
    let mut builder = Builder::default();
    let neurons = layers[0].edges.outputs();
    let mut last = builder.input("sums", Float32, vec![1, neurons])?;
    for pair in layers.windows(2) {
        if let Some(function) = pair[0].activation {
            last = builder.push("activation", Op::Unary(Unary(function)), &[last], Float32)?;
        }
        let edges = &pair[1].edges;
        let narrow = |values: &[f64]| values.iter().map(|&x| x as f32).collect::<Vec<f32>>();
        let matrix = Matrix::dense(edges.outputs(), edges.inputs, narrow(&edges.weights));
        let affine = Op::Affine(Affine { matrix, bias: narrow(&edges.bias), axis: 1 });
        last = builder.push("layer", affine, &[last], Float32)?;
    }
    Ok(builder.finish(vec![last]))
}
