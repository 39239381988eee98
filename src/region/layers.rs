//! A chain of layers in an activation region: the pieces that its neurons are on, and the affine maps that these make.

use crate::network::frozen::{Piece, piece};
use crate::network::layered::{Edges, Layered, Trace};
use crate::network::op::UnaryFunction;

/// Whether a function is convex, never falls, and consists of two pieces that meet at zero.
pub fn is_convex(function: UnaryFunction) -> bool {
    match function {
        UnaryFunction::Relu => true,
        UnaryFunction::LeakyRelu { alpha } => (0.0..=1.0).contains(&alpha),
        _ => false,
    }
}

/// The slope of such a function below zero.
pub fn slope_below(function: UnaryFunction) -> f64 {
    match function {
        UnaryFunction::LeakyRelu { alpha } => alpha,
        _ => 0.0,
    }
}

/// The pieces that all neurons with an activation are on; `None` where an activation has none.
pub fn pieces(network: &Layered, trace: &Trace) -> Option<Vec<Vec<Piece>>> {
    let layers = network.layers.iter().zip(&trace.sums);
    let bent = layers.filter_map(|(layer, sums)| Some((layer.activation?, sums)));
    bent.map(|(function, sums)| sums.iter().map(|&z| piece(function, z)).collect()).collect()
}

/// The sums of each layer as affine functions of what `first` takes, with the neurons in front on the given pieces: one
/// map more than there are layers of pieces. `first` is the first layer's edges, or these in a few inputs.
pub fn maps(network: &Layered, first: Edges, pieces: &[Vec<Piece>]) -> Vec<Edges> {
    let mut maps = vec![first];
    for (pieces, layer) in pieces.iter().zip(&network.layers[1..]) {
        let Some(last) = maps.last() else { break };
        maps.push(layer.edges.after(&values(last, pieces)));
    }
    maps
}

/// What activations on these pieces make of sums.
pub fn values(sums: &Edges, pieces: &[Piece]) -> Edges {
    let mut values = sums.clone();
    for (j, piece) in pieces.iter().enumerate() {
        let row = &mut values.weights[j * sums.inputs..(j + 1) * sums.inputs];
        row.iter_mut().for_each(|w| *w *= piece.slope);
        values.bias[j] = piece.slope * values.bias[j] + piece.shift;
    }
    values
}
