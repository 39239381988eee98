//! Layers, margins and inputs as rows and columns of a program: sums are columns, values are affine in them.

use crate::lp::{ColumnId, LinearProgram};
use crate::network::layered::EdgeLayer;
use crate::network::layered::bounds::envelope;
use crate::network::op::UnaryFunction;
use crate::property::{Conjunction, RowKind};

/// A neuron's value in a program: `coefficient · column + constant`, or a constant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProgramValue {
    /// The varying part.
    pub term: Option<(ColumnId, f64)>,
    /// The rest.
    pub constant: f64,
}

impl ProgramValue {
    /// A value that does not vary.
    pub fn fixed(constant: f64) -> Self {
        Self { term: None, constant }
    }

    /// A column itself.
    pub fn column(column: ColumnId) -> Self {
        Self { term: Some((column, 1.0)), constant: 0.0 }
    }
}

/// A value between the linear bounds of an activation over a range of its sum; `None` where it has no linear bounds.
pub fn between(
    program: &mut LinearProgram,
    function: UnaryFunction,
    sum: ColumnId,
    range: (f64, f64),
) -> Option<ProgramValue> {
    const END: f64 = f64::INFINITY;
    let bounds = envelope(function, range)?;
    if let ([only], true) = (bounds.below.as_slice(), bounds.below == bounds.above) {
        return Some(ProgramValue { term: Some((sum, only.slope)), constant: only.shift });
    }
    let value = program.column(-END, END, 0.0);
    for line in &bounds.below {
        program.at_least([(value, 1.0), (sum, -line.slope)], line.shift);
    }
    for line in &bounds.above {
        program.at_most([(value, 1.0), (sum, -line.slope)], line.shift);
    }
    Some(ProgramValue::column(value))
}

/// Adds a layer's sums of `sources`, each within its range; a column each.
pub fn add_sums(
    program: &mut LinearProgram,
    layer: &EdgeLayer,
    sources: &[ProgramValue],
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
    sources: &[ProgramValue],
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

/// Adds `least ≤` the margin of every row; rows `≠` are left out. `output` says what stands for an output in a row
/// where it has this coefficient.
pub fn add_margins(
    program: &mut LinearProgram,
    property: &Conjunction,
    inputs: &[ColumnId],
    least: ColumnId,
    output: impl Fn(usize, f64) -> ProgramValue,
) {
    for row in property.rows.iter().filter(|row| row.kind != RowKind::Differs) {
        let mut bound = row.bound;
        let mut terms = vec![(least, 1.0)];
        terms.extend(row.inputs.iter().map(|&(i, c)| (inputs[i], c)));
        for &(o, c) in &row.outputs {
            let value = output(o, c);
            bound -= c * value.constant;
            terms.extend(value.term.map(|(column, k)| (column, c * k)));
        }
        program.at_most(terms, bound);
    }
}

/// A column for each input, within the box.
pub fn add_inputs(program: &mut LinearProgram, lower: &[f64], upper: &[f64]) -> Vec<ColumnId> {
    lower.iter().zip(upper).map(|(&low, &high)| program.column(low, high, 0.0)).collect()
}
