//! Inputs that may differ by little: `x − y ≤ b`, as in a property about one network at two inputs that are close.
//!
//! Ascents by the sign of the gradient tear such inputs apart in every step, and their worst row is then the tie, again and again. So
//! points are moved onto their ties before they are evaluated, as into their box: each pair by half of what it is apart too much.

use std::collections::BTreeMap;

use crate::network::Real;
use crate::property::{Region, Row, RowKind};

/// What a difference keeps away from its ends, in roundings of the larger input: then rows that are rounded see it inside.
const ROUNDINGS: f64 = 4.0;

/// `low ≤ second − first ≤ high`.
#[derive(Debug, Clone, PartialEq)]
struct Tie {
    first: usize,
    second: usize,
    low: f64,
    high: f64,
}

/// The ties of a region.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ties(Vec<Tie>);

impl Ties {
    /// The differences of two inputs that every way to violate bounds from both sides; `epsilon` is the rounding of the inputs' type.
    pub fn of(region: &Region, epsilon: f64) -> Self {
        let Some(first) = region.conjunctions.first().filter(|_| region.condition.is_none()) else {
            return Self::default();
        };
        // What all ways have in common stands first in each, in one order.
        let is_common =
            |at: usize, row: &Row| region.conjunctions.iter().all(|other| other.rows.get(at) == Some(row));
        let mut ends: BTreeMap<(usize, usize), (f64, f64)> = BTreeMap::new();
        for (at, row) in first.rows.iter().enumerate() {
            let Some((pair, low, high)) = difference(row) else { continue };
            if is_common(at, row) {
                let end = ends.entry(pair).or_insert((f64::NEG_INFINITY, f64::INFINITY));
                *end = (end.0.max(low), end.1.min(high));
            }
        }
        let size = |i: usize| region.lower[i].abs().max(region.upper[i].abs());
        let tie = |((first, second), (low, high)): ((usize, usize), (f64, f64))| {
            let room = ROUNDINGS * epsilon * size(first).max(size(second));
            let tie = Tie { first, second, low: low + room, high: high - room };
            (high.is_finite() && low.is_finite() && tie.low <= tie.high).then_some(tie)
        };
        Self(ends.into_iter().filter_map(tie).collect())
    }

    /// Moves a block of points onto the ties, and stays in the box.
    pub fn project<T: Real>(&self, points: &mut [T], lower: &[T], upper: &[T]) {
        let lanes = points.len() / lower.len().max(1);
        for tie in &self.0 {
            let (a, b) = (tie.first, tie.second);
            let (low, high) = (T::of(tie.low), T::of(tie.high));
            for lane in 0..lanes {
                let (x, y) = (points[a * lanes + lane], points[b * lanes + lane]);
                let apart = y - x;
                let over = apart - apart.max(low).min(high);
                if over == T::zero() {
                    continue;
                }
                let half = over * T::of(0.5);
                let x = (x + half).max(lower[a]).min(upper[a]);
                let y = (y - half).max(x + low).min(x + high).max(lower[b]).min(upper[b]);
                // Where the second is held back by its box, the first goes all the way.
                let x = x.max(y - high).min(y - low).max(lower[a]).min(upper[a]);
                (points[a * lanes + lane], points[b * lanes + lane]) = (x, y);
            }
        }
    }
}

/// The two inputs of a row that bounds their difference, the smaller first, and the ends that it gives.
fn difference(row: &Row) -> Option<((usize, usize), f64, f64)> {
    let [(i, a), (j, b)] = row.inputs[..] else { return None };
    if !row.outputs.is_empty() || row.kind == RowKind::Differs || a != -b || a == 0.0 || i == j {
        return None;
    }
    // The coefficient of the second of the pair.
    let (pair, c) = if i < j { ((i, j), b) } else { ((j, i), a) };
    let end = row.bound / c;
    Some(if c > 0.0 { (pair, f64::NEG_INFINITY, end) } else { (pair, end, f64::INFINITY) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::property::Conjunction;
    use crate::random::Random;

    fn row(i: usize, j: usize, scale: f64, bound: f64) -> Row {
        Row { inputs: vec![(i, scale), (j, -scale)], outputs: Vec::new(), bound, kind: RowKind::AtMost }
    }

    fn region(ways: Vec<Vec<Row>>, lower: [f64; 4], upper: [f64; 4]) -> Region {
        let conjunctions = ways.into_iter().map(|rows| Conjunction { rows }).collect();
        Region { lower: lower.to_vec(), upper: upper.to_vec(), conjunctions, ..Region::default() }
    }

    /// The pairs that are tied.
    fn check(ways: Vec<Vec<Row>>, want: &[(usize, usize)]) {
        let ties = Ties::of(&region(ways, [0.0; 4], [1.0; 4]), 1e-7);
        let pairs: Vec<_> = ties.0.iter().map(|tie| (tie.first, tie.second)).collect();
        assert_eq!(pairs, want);
    }

    #[test]
    fn differences_that_all_ways_bound_from_both_sides_are_ties() {
        let both = |i, j| vec![row(i, j, 1.0, 0.1), row(j, i, 2.0, 0.2)];
        check(vec![both(0, 2)], &[(0, 2)]);
        check(vec![[both(1, 3), both(2, 0)].concat()], &[(0, 2), (1, 3)]);
        check(vec![vec![row(0, 2, 1.0, 0.1)]], &[]);
        check(vec![both(0, 2), both(0, 2)], &[(0, 2)]);
        check(vec![both(0, 2), both(1, 3)], &[]);
        // No number of the type is between the ends.
        check(vec![vec![row(0, 2, 1.0, 0.1), row(2, 0, 1.0, -0.1)]], &[]);
    }

    #[test]
    fn points_are_moved_onto_their_ties_and_stay_in_the_box() {
        let rows = vec![row(2, 0, 1.0, 0.05), row(0, 2, 1.0, 0.02), row(1, 3, 4.0, 0.4), row(3, 1, 1.0, 0.0)];
        let region = region(vec![rows.clone()], [0.0, 0.5, -0.01, 0.0], [1.0, 0.5, 1.0, 1.0]);
        let ties = Ties::of(&region, f64::from(f32::EPSILON));
        let narrow = |ends: &[f64]| ends.iter().map(|&x| x as f32).collect::<Vec<f32>>();
        let (lower, upper) = (narrow(&region.lower), narrow(&region.upper));
        let mut random = Random::new(7);
        let lanes = 16;
        for _ in 0..200 {
            let ends = lower.iter().zip(&upper).flat_map(|ends| std::iter::repeat_n(ends, lanes));
            let mut points: Vec<f32> =
                ends.map(|(&l, &u)| random.between(l.into(), u.into()) as f32).collect();
            let before = points.clone();
            ties.project(&mut points, &lower, &upper);
            for lane in 0..lanes {
                let at = |points: &[f32]| -> Vec<f64> {
                    points.iter().skip(lane).step_by(lanes).map(|&x| x.into()).collect()
                };
                let (x, old) = (at(&points), at(&before));
                assert_eq!(region.clamped(&x), x);
                assert!(rows.iter().all(|row| row.holds(&x, &[])), "{old:?} to {x:?}");
                if rows.iter().all(|row| row.margin(&old, &[]) > 1e-5) {
                    assert_eq!(x, old);
                }
            }
        }
    }
}
