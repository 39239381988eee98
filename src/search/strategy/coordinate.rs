//! Coordinate ascent, a block of moves at a time, for gradients that vanish or mislead.
//!
//! From one point, every lane tries a move: the inputs that the gradient ranks highest (slope times the room to the
//! interval's end) to their ends, one alone or the first 1, 2, 4, ... together; or, without a gradient too, an input in
//! turn to its lower end, upper end, any value, or a value nearby. The best lane is the next point if it is not worse:
//! moves sideways cross plateaus. (NNV does the like from its best samples: Tran et al., CAV 2020.)
//!
//! Better is what has the larger margin. Where a conjunction has several rows, most moves that help one row leave the least as it is,
//! so first what they lack together counts, and the margin where that rises no more ([`Score`]). Where neither rises, the next
//! start is the best of a block of samples.

use crate::network::{Real, Surrogate};
use crate::problem::Problem;
use crate::property::Region;
use crate::random::Random;
use crate::search::kernel::losses::{RowLoss, Score};
use crate::search::kernel::points::{Sampler, at};
use crate::search::{Falsifier, Halt, NotApplicable, Objective, Oracle, Progress};

/// Blocks a round.
const BLOCKS: usize = 16;
/// Kinds of moves: four by the gradient, four without.
const KINDS: usize = 8;
/// Moves without a rise before a new start, for each free input, and at least.
const PATIENCE: usize = 24;
const LEAST_PATIENCE: usize = 512;
/// A value nearby is within a share of the interval, which a move draws down to this power of two.
const NEAREST: f64 = -12.0;

struct Coordinate<T> {
    sampler: Sampler,
    free: Vec<usize>,
    random: Random,
    points: Vec<T>,
    /// What is climbed now, and what the last block's points have of it.
    score: Score,
    scores: Vec<T>,
    /// Where it is; `None` before a start.
    height: Option<T>,
    point: Vec<T>,
    /// Free inputs by what the gradient promises, best first, with the end it points to; empty where it is zero.
    ranks: Vec<Rank>,
    /// Moves made so far, of them by rank since the last rise, and all since the last rise.
    moves: usize,
    ranked: usize,
    stale: usize,
}

#[derive(Debug, Clone, Copy)]
struct Rank {
    promise: f64,
    input: usize,
    up: bool,
}

/// Makes the strategy; it applies where more than one point can be reached.
pub fn make<T: Real>(
    _problem: &Problem<T>,
    region: &Region,
    seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    Ok(Box::new(Coordinate {
        sampler: Sampler::new(region, seed)?,
        free: region.free().collect(),
        random: Random::new(seed).fork(1),
        points: Vec::new(),
        score: Score::Margin.other(region),
        scores: Vec::new(),
        height: None,
        point: Vec::new(),
        ranks: Vec::new(),
        moves: 0,
        ranked: 0,
        stale: 0,
    }))
}

impl<T: Real> Falsifier<T> for Coordinate<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        (3 * BLOCKS * problem.network.block_lanes() * problem.network.multiplications()) as u64
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        for _ in 0..BLOCKS {
            match self.height {
                None => self.sampler.draw(oracle, &mut self.points),
                Some(_) => self.draw_moves(oracle),
            }
            oracle.evaluate(&self.points)?;
            self.take_best(oracle);
        }
        Ok(Progress::More)
    }
}

impl<T: Real> Coordinate<T> {
    fn take_best(&mut self, oracle: &mut Oracle<'_, T>) {
        let lanes = oracle.lanes();
        self.score.of_block(oracle, &mut self.scores);
        let better = |a: usize, b: usize| if self.scores[b] > self.scores[a] { b } else { a };
        let lane = (0..lanes).reduce(better).unwrap_or(0);
        let found = self.scores[lane];
        let rises = self.height.is_none_or(|height| found > height);
        self.stale = if rises { 0 } else { self.stale + lanes };
        if self.height.is_none_or(|height| found >= height) {
            self.height = Some(found);
            self.point.clear();
            self.point.extend(self.points.iter().skip(lane).step_by(lanes));
        }
        if rises {
            self.rank(oracle, lane);
        }
        if self.stale > (PATIENCE * self.free.len()).max(LEAST_PATIENCE) {
            self.give_up(oracle);
        }
    }

    /// Goes on with the margin, from the best of the next moves; or, if that was climbed, from somewhere else.
    fn give_up(&mut self, oracle: &Oracle<'_, T>) {
        self.height = (self.score == Score::Lack).then_some(T::neg_infinity());
        self.score = self.score.other(&oracle.region);
        self.stale = 0;
    }

    /// Ranks the inputs by the gradient at a lane of the last block.
    fn rank(&mut self, oracle: &mut Oracle<'_, T>, lane: usize) {
        let lanes = oracle.lanes();
        self.ranked = 0;
        self.ranks.clear();
        match self.score {
            Score::Margin => oracle.gradient(Objective::Nearest, Surrogate::exact()),
            Score::Lack => {
                let (nearest, sums) = (oracle.nearest().to_vec(), vec![RowLoss::Sum; lanes]);
                oracle.gradient(Objective::Rows(&nearest, &sums), Surrogate::exact())
            }
        };
        for &input in &self.free {
            let slope = oracle.last_gradient()[input * lanes + lane].widen();
            let up = slope > 0.0;
            let end = if up { oracle.upper[input] } else { oracle.lower[input] };
            let promise = (slope * (end - self.point[input]).widen()).abs();
            if promise > 0.0 && promise.is_finite() {
                self.ranks.push(Rank { promise, input, up });
            }
        }
        self.ranks.sort_by(|a, b| b.promise.total_cmp(&a.promise));
    }

    fn draw_moves(&mut self, oracle: &Oracle<'_, T>) {
        let lanes = oracle.lanes();
        for (row, &x) in self.points.chunks_exact_mut(lanes).zip(&self.point) {
            row.fill(x);
        }
        for lane in 0..lanes {
            let kind = self.moves % KINDS;
            self.moves += 1;
            if kind < 4 && !self.ranks.is_empty() {
                self.move_by_rank(oracle, kind, lane);
            } else {
                let input = self.free[self.random.below(self.free.len())];
                self.points[input * lanes + lane] = self.value(oracle, kind % 4, input);
            }
        }
    }

    /// Odd kinds move one input, even ones the first 1, 2, 4, ...
    fn move_by_rank(&mut self, oracle: &Oracle<'_, T>, kind: usize, lane: usize) {
        let turn = self.ranked / 2;
        self.ranked += 1;
        let count = self.ranks.len();
        let powers = count.ilog2() as usize + 2;
        let moved = match kind % 2 {
            0 => 0..(1 << (turn % powers)).min(count),
            _ => turn % count..turn % count + 1,
        };
        for rank in &self.ranks[moved] {
            let end = if rank.up { oracle.upper[rank.input] } else { oracle.lower[rank.input] };
            self.points[rank.input * oracle.lanes() + lane] = end;
        }
    }

    fn value(&mut self, oracle: &Oracle<'_, T>, kind: usize, input: usize) -> T {
        let (lower, upper) = (oracle.lower[input], oracle.upper[input]);
        match kind {
            0 => lower,
            1 => upper,
            2 => at(lower, upper, self.random.unit()),
            _ => {
                let share = self.random.between(NEAREST, 0.0).exp2() * self.random.between(-1.0, 1.0);
                let moved = self.point[input].widen() + share * (upper - lower).widen();
                T::of(moved).max(lower).min(upper)
            }
        }
    }
}
