//! φ′: what an earlier layer has to bring about once a later one has been patched.

use super::marking::Mark;
use crate::network::frozen::piece;
use crate::network::op::UnaryFunction;

/// How strictly the sums `c` of a patched layer are to be reproduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Targets {
    /// `z = c`
    Exact,
    /// The same values behind the activation: where it is flat at `c`, any sum on that piece will do (for ReLU
    /// `z ≤ 0` in place of `z = c ≤ 0`).
    Rectified,
    /// And marked neurons may overshoot: `z ≥ c` for increment, `z ≤ c` for decrement, nothing for idle ones.
    Marked,
    /// As [`Rectified`](Self::Rectified), but a sum may miss its range, at a price: at every stage, and at the input.
    Elastic,
}

impl Targets {
    /// The ranges that will do for the sums `c` of a layer with these marks.
    pub fn around(self, sums: &[f64], marks: &[Mark], activation: Option<UnaryFunction>) -> Vec<(f64, f64)> {
        let flat = |c: f64| match activation.and_then(|function| piece(function, c)) {
            Some(piece) if piece.slope == 0.0 => (piece.from, piece.to),
            _ => (c, c),
        };
        let range = |(&c, &mark): (&f64, &Mark)| match (self, mark) {
            (Self::Exact, _) => (c, c),
            (Self::Rectified | Self::Elastic, _) | (Self::Marked, Mark::Neutral) => flat(c),
            (Self::Marked, Mark::Increment) => (flat(c).0, f64::INFINITY),
            (Self::Marked, Mark::Decrement) => (f64::NEG_INFINITY, flat(c).1),
            (Self::Marked, Mark::Idle) => (f64::NEG_INFINITY, f64::INFINITY),
        };
        sums.iter().zip(marks).map(range).collect()
    }
}
