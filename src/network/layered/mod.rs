//! A network as the patching literature sees it: edge layers, and an activation behind each.
//!
//! An *edge layer* is the matrix and bias between two rows of neurons. A feed-forward [`Network`] is cut at its
//! activations; what lies between two cuts is affine and is written out as one matrix: read off where it is a single
//! product, evaluated at the unit vectors where it is a convolution, a pooling by averages or a chain of these.
//! Skip connections have no such view.
//!
//! Writing out a convolution loses that its edges share their weights, so changing one of them is no change of the
//! network. [`Extent::BehindConvolutions`] is the answer of the patching paper (Khan, Madhukar, Sharma, footnote 5):
//! the layers are those behind the last convolution or pooling, and the part in front, linearised at the input in
//! question, is the *entry* through which a change is translated back to the input. [`Extent::Last`] leaves the last
//! layer alone and linearises all in front of it.
//!
//! An entry is never written out as a whole (784 features of 784 inputs are a small one): what is wanted of it are
//! the first layer's sums as functions of the inputs, one vector-Jacobian product a sum.

pub mod bounds;
mod cut;
#[cfg(test)]
mod tests;

use super::Network;
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

/// Which edge layers a view has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Those behind the last convolution or pooling; all, where there is none.
    BehindConvolutions,
    /// The last one.
    Last,
}

/// The part in front of the first edge layer, linearised at a point.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearisedEntry {
    /// The point.
    pub point: Vec<f64>,
    /// What goes into the first edge layer there.
    pub sources: Vec<f64>,
    /// The first layer's sums as an affine function of the network's inputs.
    pub edges: Edges,
    /// Activations and maxima in front of the first edge layer.
    level: usize,
}

/// A feed-forward network as edge layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Layered {
    /// The part in front of the first edge layer; `None` where the inputs come first.
    pub entry: Option<LinearisedEntry>,
    /// The edge layers, from the inputs to the outputs. Never empty; only the last has no activation.
    pub layers: Vec<EdgeLayer>,
}

/// The sizes of a network's edge layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// Whether a part of the network is in front of the layers, and linearised.
    pub has_entry: bool,
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
        // Behind a ReLU about half of the rows are zero.
        let live: Vec<bool> =
            (0..first.outputs()).map(|row| first.row(row).iter().any(|&w| w != 0.0)).collect();
        for (o, sums) in weights.chunks_exact_mut(first.inputs.max(1)).enumerate() {
            for (middle, &w) in self.row(o).iter().enumerate().filter(|&(m, &w)| w != 0.0 && live[m]) {
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

    /// The view of some of the layers, with the part in front linearised at `x`.
    ///
    /// # Errors
    /// [`NotLayered`] as in [`Layered::new`].
    pub fn at(network: &Network<f64>, extent: Extent, x: &[f64]) -> Result<Self, NotLayered> {
        cut::Cuts::of(network)?.view(extent, x)
    }

    /// Linearises the part in front of the layers at another point of the network that this is a view of.
    ///
    /// # Errors
    /// [`NotLayered`] as in [`Layered::new`].
    pub fn move_to(&mut self, network: &Network<f64>, x: &[f64]) -> Result<(), NotLayered> {
        if let Some(entry) = self.entry.as_mut().filter(|entry| entry.point != x) {
            *entry = cut::Cuts::of(network)?.entry(entry.level, x);
        }
        Ok(())
    }

    /// The sizes of the edge layers that [`Layered::at`] would write out: cheap, for a first look.
    ///
    /// # Errors
    /// [`NotLayered`] as in [`Layered::at`].
    pub fn outline(network: &Network<f64>, extent: Extent) -> Result<Outline, NotLayered> {
        cut::Cuts::of(network)?.outline(extent)
    }

    /// The layers from `level` on, with those in front of it linearised at `x`: every activation is its tangent there.
    #[must_use]
    pub fn from_layer(&self, level: usize, x: &[f64]) -> Self {
        let trace = self.simulate(x);
        let mut edges = self.layers[level].edges.clone();
        for (at, layer) in self.layers[..level].iter().enumerate().rev() {
            if let Some(function) = layer.activation {
                let slopes =
                    trace.sums[at].iter().zip(&trace.values[at]).map(|(&z, &h)| function.derivative(z, h));
                let slopes: Vec<f64> = slopes.collect();
                for row in edges.weights.chunks_exact_mut(slopes.len().max(1)) {
                    row.iter_mut().zip(&slopes).for_each(|(weight, slope)| *weight *= slope);
                }
            }
            edges = edges.after(if at == 0 { self.first_edges() } else { &layer.edges });
        }
        let here = |o: usize| trace.sums[level][o] - dot(edges.row(o), x);
        edges.bias = (0..edges.outputs()).map(here).collect();
        let (point, sources) = (x.to_vec(), trace.into_layer(level).to_vec());
        let level_of_network = level + self.entry.as_ref().map_or(0, |entry| entry.level);
        let entry = LinearisedEntry { point, sources, edges, level: level_of_network };
        Self { entry: (level > 0).then_some(entry), layers: self.layers[level..].to_vec() }
    }

    /// Number of edge layers.
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// Length of the input vector.
    pub fn input_len(&self) -> usize {
        self.entry.as_ref().map_or(self.layers[0].edges.inputs, |entry| entry.edges.inputs)
    }

    /// The first edge layer as a map from the inputs, through the entry.
    pub fn first_edges(&self) -> &Edges {
        self.entry.as_ref().map_or(&self.layers[0].edges, |entry| &entry.edges)
    }

    /// Evaluates the network and keeps what every neuron does. Behind an entry the sums are those of its linearisation,
    /// and what goes into the first layer is that of its point.
    pub fn simulate(&self, x: &[f64]) -> Trace {
        let sources = self.entry.as_ref().map_or_else(|| x.to_vec(), |entry| entry.sources.clone());
        let mut sums = vec![self.first_edges().apply(x)];
        let mut values = vec![self.layers[0].activate(&sums[0])];
        for (at, layer) in self.layers.iter().enumerate().skip(1) {
            sums.push(layer.edges.apply(&values[at - 1]));
            values.push(layer.activate(&sums[at]));
        }
        Trace { sources, sums, values }
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
