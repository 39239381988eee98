//! A network as the patching literature sees it: edge layers, and an activation behind each.
//!
//! An *edge layer* is the matrix and bias between two rows of neurons. A feed-forward [`Network`] is cut at its
//! activations; what lies between two cuts is affine and is written out as one matrix: read off where it is a single
//! product, evaluated at the unit vectors where it is a convolution, a pooling by averages or a chain of these.
//! Skip connections have no such view.
//!
//! Writing out a convolution loses that its edges share their weights, so changing one of them is no change of the
//! network. [`Layered::behind_convolutions`] is the answer of the patching paper (Khan, Madhukar, Sharma, footnote
//! 5): the layers are those behind the last convolution or pooling, and the part in front, linearised at the input in
//! question, is the *entry* through which a change is translated back to the input. Poolings by the largest number
//! are linear there as well: each window takes the number that is largest at that input.

pub mod bounds;
mod cut;
#[cfg(test)]
mod tests;

use super::Network;
use super::frozen::Frozen;
use super::op::UnaryFunction;
pub use cut::NotLayered;

/// An affine map with all its entries: `y = weights · x + bias`.
#[derive(Debug, Clone, PartialEq)]
pub struct Edges {
    /// `[outputs][inputs]`, row-major.
    pub weights: Vec<f64>,
    /// One number an output.
    pub bias: Vec<f64>,
    /// Number of inputs.
    pub inputs: usize,
}

/// Edges into a row of neurons, and what the neurons do with their sums.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeLayer {
    /// The edges.
    pub edges: Edges,
    /// The activation; `None` for the output layer.
    pub activation: Option<UnaryFunction>,
    /// Whether several edges stand for one weight of the network, as in a convolution.
    pub shared: bool,
}

/// A feed-forward network as edge layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Layered {
    /// The part in front of the first edge layer, linearised at a point; `None` where the inputs come first.
    pub entry: Option<Edges>,
    /// The edge layers, from the inputs to the outputs. Never empty; only the last has no activation.
    pub layers: Vec<EdgeLayer>,
}

/// The sizes of a network's edge layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// Whether the layers begin behind the last convolution, with a linearised part in front.
    pub behind_convolutions: bool,
    /// From the inputs to the outputs.
    pub layers: Vec<LayerOutline>,
}

/// The sizes of one edge layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerOutline {
    /// Numbers that go in.
    pub sources: usize,
    /// Neurons.
    pub targets: usize,
    /// What the neurons do with their sums; `None` for the output layer.
    pub activation: Option<UnaryFunction>,
}

/// The values of all neurons at one input.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// What goes into the first edge layer.
    pub sources: Vec<f64>,
    /// Each layer's sums, before the activation.
    pub sums: Vec<Vec<f64>>,
    /// Each layer's values, after it.
    pub values: Vec<Vec<f64>>,
}

impl Edges {
    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// The weights into one output.
    pub fn row(&self, output: usize) -> &[f64] {
        &self.weights[output * self.inputs..(output + 1) * self.inputs]
    }

    /// `weights · x + bias`
    pub fn apply(&self, x: &[f64]) -> Vec<f64> {
        (0..self.outputs()).map(|o| self.bias[o] + dot(self.row(o), x)).collect()
    }

    /// These edges behind `first`: one map from the inputs of `first`.
    pub fn after(&self, first: &Edges) -> Edges {
        let mut weights = vec![0.0; self.outputs() * first.inputs];
        for (o, sums) in weights.chunks_exact_mut(first.inputs.max(1)).enumerate() {
            for (middle, &w) in self.row(o).iter().enumerate().filter(|(_, w)| **w != 0.0) {
                sums.iter_mut().zip(first.row(middle)).for_each(|(sum, &f)| *sum += w * f);
            }
        }
        Edges { weights, bias: self.apply(&first.bias), inputs: first.inputs }
    }
}

impl EdgeLayer {
    /// The neurons' values from their sums.
    pub fn activate(&self, sums: &[f64]) -> Vec<f64> {
        match self.activation {
            Some(function) => sums.iter().map(|&z| function.value(z)).collect(),
            None => sums.to_vec(),
        }
    }
}

impl Layered {
    /// The view of a whole network.
    ///
    /// # Errors
    /// [`NotLayered`] where the network is no chain of affine parts and activations, or its matrices would be too
    /// large.
    pub fn new(network: &Network<f64>) -> Result<Self, NotLayered> {
        cut::Cuts::of(network)?.layered()
    }

    /// The view of the fully connected layers behind the last convolution, with the part in front linearised at `x`.
    /// A network without convolutions is seen whole.
    ///
    /// # Errors
    /// [`NotLayered`] as in [`Layered::new`], or where the part in front is not piecewise linear.
    pub fn behind_convolutions(network: &Network<f64>, x: &[f64]) -> Result<Self, NotLayered> {
        cut::Cuts::of(network)?.behind_convolutions(x)
    }

    /// Whether the view behind the convolutions exists, and whether there are any: cheap, nothing is written out.
    ///
    /// # Errors
    /// [`NotLayered`] as in [`Layered::behind_convolutions`].
    pub fn has_convolutions(network: &Network<f64>) -> Result<bool, NotLayered> {
        let convolutions = cut::Cuts::of(network)?.features()?.is_some();
        if convolutions && Frozen::with_maxima(network).is_none() {
            return Err(NotLayered::NotPiecewise);
        }
        Ok(convolutions)
    }

    /// The sizes of the edge layers that [`Layered::behind_convolutions`] would write out: cheap, for a first look.
    ///
    /// # Errors
    /// [`NotLayered`] as in [`Layered::behind_convolutions`].
    pub fn outline(network: &Network<f64>) -> Result<Outline, NotLayered> {
        let behind_convolutions = Self::has_convolutions(network)?;
        Ok(Outline { behind_convolutions, layers: cut::Cuts::of(network)?.outline()? })
    }

    /// Number of edge layers.
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// Length of the input vector.
    pub fn input_len(&self) -> usize {
        self.entry.as_ref().map_or(self.layers[0].edges.inputs, |entry| entry.inputs)
    }

    /// The first edge layer as a map from the inputs, through the entry.
    pub fn first_edges(&self) -> Edges {
        match &self.entry {
            Some(entry) => self.layers[0].edges.after(entry),
            None => self.layers[0].edges.clone(),
        }
    }

    /// Evaluates the network and keeps what every neuron does.
    pub fn simulate(&self, x: &[f64]) -> Trace {
        let sources = self.entry.as_ref().map_or_else(|| x.to_vec(), |entry| entry.apply(x));
        let mut trace = Trace { sources, sums: Vec::new(), values: Vec::new() };
        for layer in &self.layers {
            let sums = layer.edges.apply(trace.values.last().unwrap_or(&trace.sources));
            trace.values.push(layer.activate(&sums));
            trace.sums.push(sums);
        }
        trace
    }
}

impl Trace {
    /// What goes into a layer.
    pub fn into_layer(&self, layer: usize) -> &[f64] {
        if layer == 0 { &self.sources } else { &self.values[layer - 1] }
    }

    /// The network's outputs.
    pub fn outputs(&self) -> &[f64] {
        self.values.last().unwrap_or(&self.sources)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
