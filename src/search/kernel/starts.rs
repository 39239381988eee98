//! Random starts for a block of restarts, with a conjunction to aim at for each.

use crate::network::Real;
use crate::problem::Problem;
use crate::property::Region;
use crate::random::Random;
use crate::search::kernel::points::{at, fix};
use crate::search::{Halt, NotApplicable, Oracle};

/// An endless supply of blocks of starts.
#[derive(Debug)]
pub struct Starts {
    /// Inputs that can take more than one value.
    pub free: Vec<usize>,
    /// Where the starts come from.
    pub random: Random,
    /// Blocks drawn before.
    pub batch: usize,
    /// The conjunction that each lane aims at.
    pub targets: Vec<u32>,
}

impl Starts {
    /// Starts in a region with more than one point.
    ///
    /// # Errors
    /// [`NotApplicable`] if there is only one.
    pub fn new(region: &Region, seed: u64) -> Result<Self, NotApplicable> {
        let free: Vec<usize> = region.free().collect();
        if free.is_empty() {
            return Err(NotApplicable("the region is a single point"));
        }
        Ok(Self { free, random: Random::new(seed), batch: 0, targets: Vec::new() })
    }

    /// Draws starts (the best point so far in lane 0), evaluates them, and gives each lane a target: even lanes their
    /// nearest conjunction, odd ones all conjunctions in turn.
    ///
    /// # Errors
    /// [`Halt`] when a start is confirmed as a witness or the budget is used up.
    pub fn draw<T: Real>(&mut self, oracle: &mut Oracle<'_, T>, points: &mut Vec<T>) -> Result<(), Halt> {
        let lanes = oracle.lanes();
        fix(oracle, points);
        for lane in 0..lanes {
            self.redraw(oracle, lane, points);
        }
        if let Some(best) = &oracle.best {
            for (row, &x) in points.chunks_exact_mut(lanes).zip(&best.input) {
                row[0] = x;
            }
        }
        oracle.tie(points);
        oracle.evaluate(points)?;
        let conjunctions = oracle.region.conjunctions.len();
        let turn = self.batch * lanes.div_ceil(2);
        let target = |lane: usize| match lane % 2 {
            0 if lanes > 1 || self.batch.is_multiple_of(2) => oracle.nearest()[lane],
            _ => ((turn + lane / 2) % conjunctions) as u32,
        };
        self.targets.clear();
        self.targets.extend((0..lanes).map(target));
        self.batch += 1;
        Ok(())
    }

    /// Draws one lane anew.
    pub fn redraw<T: Real>(&mut self, oracle: &Oracle<'_, T>, lane: usize, points: &mut [T]) {
        let lanes = oracle.lanes();
        for &i in &self.free {
            points[i * lanes + lane] = at(oracle.lower[i], oracle.upper[i], self.random.unit());
        }
    }
}

/// What so many steps of a block of restarts cost, each an evaluation and a gradient.
pub fn price<T: Real>(problem: &Problem<T>, steps: usize) -> u64 {
    (3 * steps * problem.network.block_lanes() * problem.network.multiplications()) as u64
}
