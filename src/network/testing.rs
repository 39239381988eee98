//! Networks for tests: fully connected layers of random neurons, as a view of layers and as a graph.

use super::build::Builder;
use super::layered::{EdgeLayer, Edges, Layered};
use super::matrix::Matrix;
use super::op::{Affine, Op, Unary, UnaryFunction};
use super::{Network, Real};
use crate::onnx::ElementType;
use crate::random::Random;

/// What the numbers of a random layer are multiplied with.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    /// Weights, by the number of the layer's inputs.
    pub(crate) weights: fn(usize) -> f64,
    /// Biases.
    pub(crate) bias: f64,
}

impl Spread {
    /// Normal weights, and biases of this size.
    pub(crate) fn normal(bias: f64) -> Self {
        Self { weights: |_| 1.0, bias }
    }
}

/// Layers of these widths, the inputs' first, with an activation behind each but the last.
pub(crate) fn layered(
    widths: &[usize],
    function: UnaryFunction,
    spread: Spread,
    random: &mut Random,
) -> Layered {
    let last = widths.len() - 2;
    let layer = |(at, pair): (usize, &[usize])| {
        let (inputs, outputs) = (pair[0], pair[1]);
        let mut draw =
            |count: usize, scale: f64| (0..count).map(|_| scale * random.normal()).collect::<Vec<f64>>();
        let weights = draw(inputs * outputs, (spread.weights)(inputs));
        let edges = Edges { weights, bias: draw(outputs, spread.bias), inputs };
        EdgeLayer { edges, activation: (at < last).then_some(function), shared: false }
    };
    Layered { entry: None, layers: widths.windows(2).enumerate().map(layer).collect() }
}

/// The same layers as a graph over an input of shape `[1, inputs]`; its nodes are named `layer` and `f`.
pub(crate) fn graph<T: Real>(layered: &Layered, element: ElementType) -> Network<T> {
    let mut builder = Builder::default();
    let mut node = builder.input("x", element, vec![1, layered.layers[0].edges.inputs]).unwrap();
    for layer in &layered.layers {
        let edges = &layer.edges;
        let narrow = |numbers: &[f64]| numbers.iter().map(|&x| T::of(x)).collect::<Vec<T>>();
        let matrix = Matrix::dense(edges.outputs(), edges.inputs, narrow(&edges.weights));
        let affine = Affine { matrix, bias: narrow(&edges.bias), axis: 1 };
        node = builder.push("layer", Op::Affine(affine), &[node], element).unwrap();
        if let Some(function) = layer.activation {
            node = builder.push("f", Op::Unary(Unary(function)), &[node], element).unwrap();
        }
    }
    builder.finish(vec![node])
}
