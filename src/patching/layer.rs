//! One edge layer as the encoder reads it: borrowed, from whatever view of a network it comes.

use super::Change;
use crate::network::layered::EdgeLayer;
use crate::network::op::UnaryFunction;

/// `z = weights · (h + shift) + bias`, then possibly an activation.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'a> {
    /// Number of sources.
    pub inputs: usize,
    /// `[outputs][inputs]`, row-major.
    pub weights: &'a [f64],
    /// One number an output.
    pub bias: &'a [f64],
    /// What is added to the values of the layer in front before they are multiplied: one number a source, or none.
    pub shift: &'a [f64],
    /// What is made of the sums.
    pub activation: Option<UnaryFunction>,
}

impl<'a> From<&'a EdgeLayer> for Layer<'a> {
    fn from(layer: &'a EdgeLayer) -> Self {
        let edges = &layer.edges;
        let (inputs, weights, bias) = (edges.inputs, &edges.weights, &edges.bias);
        Self { inputs, weights, bias, shift: &[], activation: layer.activation }
    }
}

impl<'a> Layer<'a> {
    /// Number of sums.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// The weights into one sum.
    pub fn row(&self, output: usize) -> &'a [f64] {
        &self.weights[output * self.inputs..(output + 1) * self.inputs]
    }

    /// What is added to a source's value.
    pub fn shift_of(&self, source: usize) -> f64 {
        self.shift.get(source).copied().unwrap_or(0.0)
    }

    /// The sums for the values that the matrix is multiplied with.
    pub fn sums(&self, sources: &[f64]) -> Vec<f64> {
        let sum = |o: usize| self.bias[o] + self.row(o).iter().zip(sources).map(|(w, h)| w * h).sum::<f64>();
        (0..self.outputs()).map(sum).collect()
    }

    /// The sums after changes of weights.
    pub fn changed_sums(&self, changes: &[Change], sources: &[f64]) -> Vec<f64> {
        let mut sums = self.sums(sources);
        for change in changes {
            sums[change.target] += change.by * source_of(sources, change.source);
        }
        sums
    }

    /// What the activation makes of sums.
    pub fn values(&self, sums: &[f64]) -> Vec<f64> {
        match self.activation {
            Some(function) => sums.iter().map(|&z| function.value(z)).collect(),
            None => sums.to_vec(),
        }
    }

    /// The values of the layer in front, as the matrix meets them.
    pub fn shifted(&self, mut values: Vec<f64>) -> Vec<f64> {
        values.iter_mut().zip(self.shift).for_each(|(v, s)| *v += s);
        values
    }
}

/// A source's value; the one behind the last is what a bias is multiplied with.
pub(super) fn source_of(sources: &[f64], source: usize) -> f64 {
    sources.get(source).copied().unwrap_or(1.0)
}
