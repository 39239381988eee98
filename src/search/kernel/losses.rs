//! What is descended where a conjunction has several rows: how much each of them counts.
//!
//! The margin is the least row alone, which another one overtakes after a step or two; a conjunction of many rows asks for
//! all of them at once. Of the usual ways to make one number of them none is best everywhere, so restarts differ in it:
//! the sum of the rows that do not hold (the hinge), the sum of their squares, which minds the far ones first, and the
//! log-sum-exp of all, which also keeps those that hold from slipping.
//!
//! What climbs a number and not a gradient has the choice between the margin and that sum ([`Score`]).

use crate::network::Real;
use crate::property::Region;
use crate::property::margin::row_margins;
use crate::search::Oracle;

/// How much the rows of a conjunction count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowLoss {
    /// Every row that does not hold, alike.
    Sum,
    /// Every row that does not hold, by how far.
    Squares,
    /// All rows, by `exp(violation / mean violation)`.
    Soft,
}

impl RowLoss {
    /// That of a restart, by its number. The hinge has half: it was best for rows of one size, as images have.
    pub fn of(restart: usize) -> Self {
        // Two at a time, because restarts aim at the nearest conjunction and at all of them in turn.
        [Self::Sum, Self::Squares, Self::Sum, Self::Soft][restart / 2 % 4]
    }

    /// Replaces margins, one a row, by weights from 0 to 1; `open` tells which rows do not hold. Where all hold, the least counts.
    pub(in crate::search) fn weigh(self, margins: &mut [f64], open: impl Fn(usize, f64) -> bool) {
        let least = margins.iter().copied().fold(f64::INFINITY, f64::min);
        let count = margins.iter().enumerate().filter(|&(row, &margin)| open(row, margin)).count();
        if count == 0 {
            let first = margins.iter().position(|&margin| margin == least);
            margins.iter_mut().enumerate().for_each(|(row, margin)| *margin = f64::from(Some(row) == first));
            return;
        }
        let violation: f64 = margins.iter().map(|margin| (-margin).max(0.0)).sum();
        // All are on the edge: they count alike.
        let loss = if violation > 0.0 && violation.is_finite() { self } else { Self::Sum };
        let mean = violation / count as f64;
        for (row, margin) in margins.iter_mut().enumerate() {
            let is_open = open(row, *margin);
            *margin = match loss {
                Self::Sum => f64::from(is_open),
                // One on the edge would count nothing, and stay there.
                Self::Squares if is_open => (*margin / least).max(LEAST),
                Self::Squares => 0.0,
                Self::Soft => ((least - *margin) / mean).exp(),
            };
        }
    }
}

/// What a row counts at least that does not hold.
const LEAST: f64 = 1e-3;

/// What the points of a block are compared by. Both are below zero where the property holds, and the margin elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Score {
    /// The least row's margin.
    Margin,
    /// Minus the sum of what the rows lack: a step that helps one row counts, though another one is the least.
    Lack,
}

impl Score {
    /// The other one where some conjunction has several rows; where none has, they are the same.
    #[must_use]
    pub fn other(self, region: &Region) -> Self {
        match self {
            Self::Margin if has_several_rows(region) => Self::Lack,
            _ => Self::Margin,
        }
    }

    /// The scores of the last block's points, one a lane: of each the best that a conjunction has.
    pub fn of_block<T: Real>(self, oracle: &Oracle<'_, T>, scores: &mut Vec<T>) {
        scores.clear();
        if self == Self::Margin || !has_several_rows(&oracle.region) {
            scores.extend_from_slice(oracle.margins());
            return;
        }
        scores.resize(oracle.lanes(), T::neg_infinity());
        let mut own = Vec::new();
        for conjunction in 0..oracle.region.conjunctions.len() {
            lacks(oracle, conjunction, &mut own);
            for (score, &own) in scores.iter_mut().zip(&own) {
                *score = score.max(own);
            }
        }
    }

    /// The scores of the last block's points, each of its own conjunction.
    pub fn of_targets<T: Real>(self, oracle: &Oracle<'_, T>, targets: &[u32], scores: &mut Vec<T>) {
        scores.clear();
        let margin = |(lane, &target): (usize, &u32)| oracle.margins_of(target as usize)[lane];
        scores.extend(targets.iter().enumerate().map(margin));
        if self == Self::Margin {
            return;
        }
        let mut asked = targets.to_vec();
        asked.sort_unstable();
        asked.dedup();
        let mut own = Vec::new();
        for conjunction in asked {
            lacks(oracle, conjunction as usize, &mut own);
            for lane in (0..targets.len()).filter(|&lane| targets[lane] == conjunction) {
                scores[lane] = own[lane];
            }
        }
    }
}

/// Whether some conjunction of a region has several rows. Where the ways to violate are too many to be listed, nothing is said of them.
pub fn has_several_rows(region: &Region) -> bool {
    region.condition.is_none() && region.conjunctions.iter().any(|conjunction| conjunction.rows.len() > 1)
}

/// Minus the sum of what a conjunction's rows lack at the last block's points, one a lane; the margin where none lacks anything.
fn lacks<T: Real>(oracle: &Oracle<'_, T>, conjunction: usize, scores: &mut Vec<T>) {
    scores.clear();
    scores.extend_from_slice(oracle.margins_of(conjunction));
    let rows = &oracle.region.conjunctions[conjunction].rows;
    if rows.len() < 2 {
        return;
    }
    let (mut sums, mut margins) = (vec![T::zero(); scores.len()], vec![T::zero(); scores.len()]);
    for row in rows {
        row_margins(row, oracle.block(), &mut margins);
        for (sum, &margin) in sums.iter_mut().zip(&margins) {
            *sum += margin.min(T::zero());
        }
    }
    for (score, &sum) in scores.iter_mut().zip(&sums) {
        // One that is no number lacks everything, as in the margin.
        if sum < T::zero() && score.is_finite() {
            *score = sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::problem::Problem;
    use crate::property::{Conjunction, Row, RowKind};
    use crate::random::Random;
    use crate::search::kernel::shared::Shared;
    use crate::search::tests::{Never, random_network};

    fn check(loss: RowLoss, margins: &[f64], want: &[f64]) {
        let mut weights = margins.to_vec();
        // Rows of a strict property: one on the edge does not hold.
        loss.weigh(&mut weights, |_, margin| margin <= 0.0);
        let is_near = weights.iter().zip(want).all(|(weight, want)| (weight - want).abs() < 1e-9);
        assert!(is_near && weights.len() == want.len(), "{loss:?} of {margins:?}: {weights:?}");
    }

    #[test]
    fn rows_count_by_how_far_they_are_from_holding() {
        use RowLoss::{Soft, Squares, Sum};
        let margins = [-4.0, -2.0, 1.0, 0.0];
        check(Sum, &margins, &[1.0, 1.0, 0.0, 1.0]);
        check(Squares, &margins, &[1.0, 0.5, 0.0, LEAST]);
        // The mean violation of the three is 2.
        check(Soft, &margins, &[1.0, (-1.0f64).exp(), (-2.5f64).exp(), (-2.0f64).exp()]);
        for loss in [Sum, Squares, Soft] {
            check(loss, &[3.0, 2.0, 2.0], &[0.0, 1.0, 0.0]);
            check(loss, &[1.0, 0.0, 0.0], &[0.0, 1.0, 1.0]);
            check(loss, &[-1.0], &[1.0]);
            check(loss, &[], &[]);
        }
        check(Sum, &[f64::NEG_INFINITY, -1.0], &[1.0, 1.0]);
        check(Soft, &[f64::NEG_INFINITY, -1.0], &[1.0, 1.0]);
    }

    #[test]
    fn restarts_in_pairs_take_turns() {
        use RowLoss::{Soft, Squares, Sum};
        let losses: Vec<RowLoss> = (0..9).map(RowLoss::of).collect();
        assert_eq!(losses, [Sum, Sum, Squares, Squares, Sum, Sum, Soft, Soft, Sum]);
    }

    /// The score of a point by its definition.
    fn plain(score: Score, conjunction: &Conjunction, x: &[f64], y: &[f64]) -> f64 {
        let margins = || conjunction.rows.iter().map(|row| row.margin(x, y));
        let (least, lack) = (margins().fold(f64::INFINITY, f64::min), margins().map(|m| m.min(0.0)).sum());
        if score == Score::Lack && least < 0.0 { lack } else { least }
    }

    /// Each way to violate, and what lacks there; scores of a block of samples.
    fn check_scores(ways: &str, has_several: bool) {
        let declared: String = (0..3)
            .map(|i| format!("(declare-const X_{i} Real)(assert (>= X_{i} -2))(assert (<= X_{i} 2))(declare-const Y_{i} Real)"))
            .collect();
        let property = vnnlib::parse(format!("{declared}(assert (or {ways}))")).unwrap();
        let problem = Problem::new(property, random_network(&[3, 8, 3], 5).cast()).unwrap();
        let region = problem.property.region(0).unwrap();
        assert_eq!(has_several_rows(&region), has_several, "{ways}");
        let (shared, budget) = (Shared::default(), Budget::unlimited());
        let mut oracle = Oracle::new(&problem, &Never, &shared, &budget);
        oracle.enter(&region, None);
        let mut random = Random::new(1);
        let points: Vec<f64> = (0..3 * oracle.lanes()).map(|_| random.between(-2.0, 2.0)).collect();
        oracle.evaluate(&points).unwrap();
        let targets: Vec<u32> =
            (0..oracle.lanes()).map(|_| random.below(region.conjunctions.len()) as u32).collect();
        for score in [Score::Margin, Score::Lack] {
            let (mut of_block, mut of_targets) = (Vec::new(), Vec::new());
            score.of_block(&oracle, &mut of_block);
            score.of_targets(&oracle, &targets, &mut of_targets);
            for (lane, &target) in targets.iter().enumerate() {
                let x = oracle.point(lane);
                let y = problem.network.evaluate(&x);
                let of = |conjunction| plain(score, conjunction, &x, &y);
                let best = region.conjunctions.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
                assert!((of_block[lane] - best).abs() < 1e-9, "{ways}, {score:?}, lane {lane}");
                let own = of(&region.conjunctions[target as usize]);
                assert!((of_targets[lane] - own).abs() < 1e-9, "{ways}, {score:?}, lane {lane}");
            }
        }
    }

    #[test]
    fn scores_are_what_they_are_defined_as() {
        check_scores("(>= Y_0 1) (<= Y_1 Y_2)", false);
        check_scores("(and (>= Y_0 1) (<= Y_1 -1) (<= Y_2 X_0))", true);
        check_scores(
            "(and (>= Y_0 0) (<= Y_1 0)) (>= Y_2 0.5) (and (<= Y_0 Y_1) (<= Y_1 Y_2) (>= X_0 0))",
            true,
        );
    }

    #[test]
    fn the_other_score_is_one_that_differs() {
        for (rows, want) in [(1, [Score::Margin, Score::Margin]), (2, [Score::Lack, Score::Margin])] {
            let row = Row { inputs: vec![], outputs: vec![(0, 1.0)], bound: 0.0, kind: RowKind::AtMost };
            let region =
                Region { conjunctions: vec![Conjunction { rows: vec![row; rows] }], ..Region::default() };
            let first = Score::Margin.other(&region);
            assert_eq!([first, first.other(&region)], want);
        }
    }
}
