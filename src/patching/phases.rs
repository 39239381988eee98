//! How the program of a layer's change treats activations.
//!
//! The paper has `max(0, ·)` in its programs and leaves it to a mixed-integer solver: phases are free. It also speaks
//! of programs in which every neuron keeps its phase, of neurons that may only go on in their direction, and of linear
//! bounds in place of phases ("Overcoming a Methodological Limitation"). A program here is any of these, or knows
//! tangents only: smooth activations have no phases.

use super::Obstacle;
use crate::network::frozen::{Piece, kinks, piece};
use crate::network::layered::bounds::{Ranges, envelope};
use crate::network::op::UnaryFunction;

/// What the neurons behind a change, and those whose sums it changes, may do.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum PhaseFreedom<'a> {
    /// Whatever their activation does: exact, with a switch for each place where it bends.
    #[default]
    Free,
    /// Each stays on the piece of its activation that it is on without the change.
    Held,
    /// And behind the changed layer, active neurons may only increase and inactive ones only decrease.
    Monotone,
    /// Their values lie between linear bounds over these ranges of sums, widened to hold those without the change. A
    /// change may then miss its goal when it is simulated.
    Approximated(&'a Ranges),
    /// Each is its tangent, read again from the changed network until that reaches the goal (`tangent`).
    Tangent(Option<Tangents<'a>>),
}

/// Where activations are replaced by their tangents.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tangents<'a> {
    /// The sums: `[point][layer][neuron]`.
    pub sums: &'a [Vec<Vec<f64>>],
    /// How far a sum may move from there.
    pub radius: f64,
}

/// Which way a sum of the changed layer may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SumDirection {
    /// Upwards.
    pub rise: bool,
    /// Downwards.
    pub fall: bool,
}

/// What a change may be, besides small.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChangeRules<'a> {
    /// What activations may do. Default: free.
    pub phases: PhaseFreedom<'a>,
    /// Which way each sum may move, where there is a single point. Default: both ways.
    pub ways: Option<&'a [SumDirection]>,
    /// Whether biases change too. Default: no.
    pub biases: bool,
}

/// How one neuron enters a program.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Treatment {
    /// Its value is its sum.
    Linear,
    /// A switch for each kink of the function, which is on this piece below all of them.
    Switched(UnaryFunction, Piece),
    /// It stays on a piece, its sum within the range.
    Piece((f64, f64), Piece),
    /// Between the linear bounds of the function over a range.
    Between(UnaryFunction, (f64, f64)),
}

impl PhaseFreedom<'_> {
    /// How a neuron enters the program. Its sum without the change is `z`; `behind` says whether the layer lies
    /// behind the changed one.
    pub(super) fn treat(
        &self,
        function: Option<UnaryFunction>,
        (layer, neuron): (usize, usize),
        z: f64,
        behind: bool,
    ) -> Result<Treatment, Obstacle> {
        let Some(function) = function else { return Ok(Treatment::Linear) };
        Ok(match self {
            Self::Free => {
                Treatment::Switched(function, piece(function, f64::NEG_INFINITY).ok_or(Obstacle::Activation)?)
            }
            Self::Approximated(ranges) => {
                let range = ranges.sums.get(layer).and_then(|sums| sums.get(neuron)).copied();
                let (low, high) = range.unwrap_or((z, z));
                let range = (low.min(z), high.max(z));
                envelope(function, range).ok_or(Obstacle::Activation)?;
                Treatment::Between(function, range)
            }
            Self::Tangent(at) => {
                let radius = at.map_or(0.0, |at| at.radius);
                let tangent = tangent(function, z).ok_or(Obstacle::Activation)?;
                Treatment::Piece((z - radius, z + radius), tangent)
            }
            Self::Held | Self::Monotone => {
                let piece = piece(function, z).ok_or(Obstacle::Activation)?;
                let mut range = (piece.from, piece.to);
                // The rule cannot be meant for the changed layer itself: in the paper's example its active neurons
                // decrease.
                if behind && *self == PhaseFreedom::Monotone {
                    range = if z > 0.0 { (z, range.1) } else { (range.0, z) };
                }
                Treatment::Piece(range, piece)
            }
        })
    }
}

/// The tangent at `z`; `None` where a function jumps, is flat nearly everywhere or is not defined everywhere.
pub fn tangent(function: UnaryFunction, z: f64) -> Option<Piece> {
    use UnaryFunction::*;
    if let Some(piece) = piece(function, z) {
        return Some(piece);
    }
    let is_bent_softly =
        matches!(function, Sigmoid | Tanh | Elu { .. } | Selu { .. } | Celu { .. } | Softplus | Softsign);
    let is_wave_or_gate = matches!(
        function,
        HardSwish | Mish | Gelu | GeluTanh | Swish { .. } | Erf | Sin | Cos | Atan | Asinh
    );
    let is_smooth = is_bent_softly || is_wave_or_gate;
    let value = function.value(z);
    let slope = function.derivative(z, value);
    let (from, to) = (f64::NEG_INFINITY, f64::INFINITY);
    is_smooth.then_some(Piece { from, to, slope, shift: value - slope * z })
}

/// The slope of a piecewise-linear function right of its `kink`, less the one left of it.
pub(super) fn turn(function: UnaryFunction, kink: f64) -> f64 {
    let step = 1e-6 * (1.0 + kink.abs());
    let slope = |z: f64| piece(function, z).map_or(0.0, |piece| piece.slope);
    slope(kink + step) - slope(kink - step)
}

/// The steepest slope, by size, of a piecewise-linear function within a distance of `z`; 1 where that is not known.
pub(super) fn steepest(function: UnaryFunction, z: f64, radius: f64) -> f64 {
    let inside = kinks(function).filter(|kink| (kink - z).abs() < radius);
    let ends = [z - radius, z, z + radius].into_iter();
    let places = ends.chain(inside.flat_map(|kink| [kink - 1e-9, kink + 1e-9]));
    let slopes: Option<Vec<f64>> =
        places.filter(|z| z.is_finite()).map(|z| piece(function, z).map(|piece| piece.slope.abs())).collect();
    slopes.map_or(1.0, |slopes| slopes.into_iter().fold(0.0, f64::max))
}
