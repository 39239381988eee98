//! Layers as rows of a program: sums are columns, values are affine in them.

use super::Phases;
use crate::lp::{ColumnId, LinearProgram};
use crate::network::frozen::piece;
use crate::network::layered::EdgeLayer;
use crate::network::layered::bounds::envelope;
use crate::network::op::UnaryFunction;
use crate::property::{Conjunction, RowKind};
use crate::search::programs::Obstacle;

/// A neuron's value in a program: `coefficient · column + constant`, or a constant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    /// The varying part.
    pub term: Option<(ColumnId, f64)>,
    /// The rest.
    pub constant: f64,
}

/// What a program allows a neuron to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Allowed {
    /// Its value is `slope · z + shift` for sums in the range.
    Piece {
        /// The range of sums.
        range: (f64, f64),
        /// Slope of the value.
        slope: f64,
        /// Value of the line at zero.
        shift: f64,
    },
    /// Its value lies between the linear bounds of the activation over this range of sums.
    Between((f64, f64)),
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

impl Phases {
    /// What neuron `neuron` of `layer` may do, whose sum at the input is `z`; `behind` says whether the layer lies
    /// behind the changed one.
    ///
    /// # Errors
    /// [`Obstacle::Activation`] where phases are asked of a function without pieces.
    pub fn allow(
        &self,
        function: UnaryFunction,
        (layer, neuron): (usize, usize),
        z: f64,
        behind: bool,
    ) -> Result<Allowed, Obstacle> {
        if let Self::Approximated(ranges) = self {
            let (low, high) = ranges.sums[layer][neuron];
            return Ok(Allowed::Between((low.min(z), high.max(z))));
        }
        let piece = piece(function, z).ok_or(Obstacle::Activation)?;
        let mut range = (piece.from, piece.to);
        // The rule cannot be meant for the changed layer itself: in the paper's example its active neurons decrease.
        if behind && matches!(self, Self::Monotone) {
            range = if z > 0.0 { (z, range.1) } else { (range.0, z) };
        }
        Ok(Allowed::Piece { range, slope: piece.slope, shift: piece.shift })
    }
}

impl Allowed {
    /// The range of sums.
    pub fn range(self) -> (f64, f64) {
        match self {
            Self::Piece { range, .. } | Self::Between(range) => range,
        }
    }

    /// The value behind a sum's column.
    ///
    /// # Errors
    /// [`Obstacle::Activation`] where the activation has no linear bounds.
    pub fn value(
        self,
        program: &mut LinearProgram,
        function: UnaryFunction,
        sum: ColumnId,
    ) -> Result<Value, Obstacle> {
        match self {
            Self::Piece { slope: 0.0, shift, .. } => Ok(Value::fixed(shift)),
            Self::Piece { slope, shift, .. } => Ok(Value { term: Some((sum, slope)), constant: shift }),
            Self::Between(range) => {
                let bounds = envelope(function, range).ok_or(Obstacle::Activation)?;
                if let ([only], true) = (bounds.below.as_slice(), bounds.below == bounds.above) {
                    return Ok(Value { term: Some((sum, only.slope)), constant: only.shift });
                }
                let value = program.column(f64::NEG_INFINITY, f64::INFINITY, 0.0);
                for line in &bounds.below {
                    program.at_least([(value, 1.0), (sum, -line.slope)], line.shift);
                }
                for line in &bounds.above {
                    program.at_most([(value, 1.0), (sum, -line.slope)], line.shift);
                }
                Ok(Value::column(value))
            }
        }
    }
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

/// Adds the rows of a property, each with a margin; the inputs are constants. A row `≠` is left out: whether it
/// holds shows when the input is evaluated.
pub fn add_property(
    program: &mut LinearProgram,
    property: &Conjunction,
    input: &[f64],
    outputs: &[ColumnId],
    margin: f64,
) {
    for row in property.rows.iter().filter(|row| row.kind != RowKind::Differs) {
        let from_inputs: f64 = row.inputs.iter().map(|&(i, c)| c * input[i]).sum();
        let terms = row.outputs.iter().map(|&(i, c)| (outputs[i], c));
        program.at_most(terms, row.bound - from_inputs - margin);
    }
}
