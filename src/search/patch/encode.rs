//! Layers as rows of a program: sums are columns, values are affine in them.

use crate::lp::{ColumnId, LinearProgram};
use crate::network::layered::EdgeLayer;
use crate::network::op::UnaryFunction;
use crate::patching::encode::add_between;
use crate::search::programs::Obstacle;

/// A neuron's value in a program: `coefficient · column + constant`, or a constant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    /// The varying part.
    pub term: Option<(ColumnId, f64)>,
    /// The rest.
    pub constant: f64,
}

impl Value {
    /// A value that does not vary.
    pub fn fixed(constant: f64) -> Self {
        Self { term: None, constant }
    }

    /// A column itself.
    pub fn column(column: ColumnId) -> Self {
        Self { term: Some((column, 1.0)), constant: 0.0 }
    }
}

/// A value between the linear bounds of an activation over a range of its sum.
///
/// # Errors
/// [`Obstacle::Activation`] where the activation has no linear bounds.
pub fn between(
    program: &mut LinearProgram,
    function: UnaryFunction,
    sum: ColumnId,
    range: (f64, f64),
) -> Result<Value, Obstacle> {
    let (term, constant) = add_between(program, function, sum, range)?;
    Ok(Value { term: Some(term), constant })
}

/// Adds a layer's sums of `sources`, each within its range; a column each.
pub fn add_sums(
    program: &mut LinearProgram,
    layer: &EdgeLayer,
    sources: &[Value],
    ranges: impl Iterator<Item = (f64, f64)>,
) -> Vec<ColumnId> {
    let mut sums = Vec::with_capacity(layer.edges.outputs());
    for (neuron, (low, high)) in ranges.enumerate() {
        let sum = program.column(low, high, 0.0);
        add_sum(program, layer, neuron, sources, sum);
        sums.push(sum);
    }
    sums
}

/// Ties a column to a neuron's sum over its sources.
pub fn add_sum(
    program: &mut LinearProgram,
    layer: &EdgeLayer,
    neuron: usize,
    sources: &[Value],
    sum: ColumnId,
) {
    let mut constant = layer.edges.bias[neuron];
    let mut terms = vec![(sum, -1.0)];
    for (&weight, source) in layer.edges.row(neuron).iter().zip(sources).filter(|(w, _)| **w != 0.0) {
        constant += weight * source.constant;
        terms.extend(source.term.map(|(column, c)| (column, weight * c)));
    }
    program.equal(terms, -constant);
}
