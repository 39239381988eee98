//! The backward rule of softmax: its results add up to one.
//!
//! `Σ y = 1` makes `Σ c y = p + Σ (c − p) y` for any `p`, and each `y` lies in its interval. As a function of `p` the
//! bound is concave and bends at the coefficients, so that one of them is best.

use super::Bounder;
use super::linear::SweepSums;
use super::range::times;
use crate::network::op::Softmax;
use crate::network::{Node, shape};

/// With more members than this, only the least and the largest coefficient and zero are tried.
const FEW: usize = 16;

impl Bounder<'_> {
    /// Replaces the results by a constant that the row's part in them is at least.
    pub(super) fn through_softmax<const L: usize>(
        &self,
        node: &Node<f64>,
        op: &Softmax,
        cotangent: &[f64],
        sums: &mut SweepSums<L>,
    ) {
        let (lower, upper) = (&self.lower[node.slot], &self.upper[node.slot]);
        let split = shape::split(&node.shape, op.axis);
        for (outer, inner) in (0..split.outer).flat_map(|o| (0..split.inner).map(move |i| (o, i))) {
            let members: Vec<usize> =
                (0..split.axis).map(|k| (outer * split.axis + k) * split.inner + inner).collect();
            for lane in 0..L {
                let terms: Vec<(f64, f64, f64)> =
                    members.iter().map(|&i| (cotangent[i * L + lane], lower[i], upper[i])).collect();
                if terms.iter().all(|&(c, _, _)| c == 0.0) {
                    continue;
                }
                let (bound, size) = least(&terms);
                sums.constant[lane] += bound;
                sums.absolute[lane] += size;
            }
        }
    }
}

/// The least value of `Σ c y` for `(c, lower, upper)`, and the size of what was added up, roundings of the
/// coefficients' differences included.
fn least(terms: &[(f64, f64, f64)]) -> (f64, f64) {
    let most = terms.iter().map(|&(c, _, _)| c).fold(f64::NEG_INFINITY, f64::max);
    let fewest = terms.iter().map(|&(c, _, _)| c).fold(f64::INFINITY, f64::min);
    let pivots: Vec<f64> = match terms.len() {
        0..=FEW => terms.iter().map(|&(c, _, _)| c).chain([0.0]).collect(),
        _ => vec![fewest, most, 0.0],
    };
    let with = |pivot: f64| {
        let term = |&(c, low, high): &(f64, f64, f64)| times(c - pivot, if c >= pivot { low } else { high });
        pivot + terms.iter().map(term).sum::<f64>()
    };
    let best = pivots.into_iter().map(with).fold(f64::NEG_INFINITY, f64::max);
    (best, 4.0 * (1 + terms.len()) as f64 * most.abs().max(fewest.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn the_least_value_is_not_above_any_value() {
        let mut random = Random::new(5);
        for round in 0..500 {
            let count = 2 + round % 20;
            let weights: Vec<f64> = (0..count).map(|_| random.between(-2.0, 2.0).exp()).collect();
            let sum: f64 = weights.iter().sum();
            let y: Vec<f64> = weights.iter().map(|w| w / sum).collect();
            let terms: Vec<_> = y
                .iter()
                .map(|&y| (random.between(-1.0, 1.0), y - random.unit() * y, y + random.unit() * (1.0 - y)))
                .collect();
            let value: f64 = terms.iter().zip(&y).map(|((c, _, _), y)| c * y).sum();
            assert!(least(&terms).0 <= value + 1e-12, "{terms:?}");
        }
        // All of the sum: exact whatever the intervals.
        assert_eq!(least(&[(-1.0, 0.0, 1.0), (-1.0, 0.0, 1.0)]).0, -1.0);
    }
}
