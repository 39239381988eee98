//! The Square Attack (Andriushchenko et al. 2020) on the margin: no gradients, corners of the box only.
//!
//! Where a conjunction has several rows, every other restart climbs what they lack together instead ([`Score`]).

use crate::network::{Network, Real};
use crate::problem::Problem;
use crate::property::Region;
use crate::search::kernel::losses::Score;
use crate::search::kernel::points::ALL_CORNERS;
use crate::search::kernel::square::{Grid, Square};
use crate::search::{Falsifier, Halt, NotApplicable, Oracle, Progress};

/// Queries of a restart, and of a round.
const QUERIES: usize = 1000;
const ROUND: usize = 20;

struct SquareStrategy<T> {
    seed: u64,
    kernel: Option<Square<T>>,
    /// Whether the kernel's points are a restart's first.
    fresh: bool,
    /// What this restart climbs.
    score: Score,
    scores: Vec<T>,
}

/// Makes the strategy; it applies where the box has too many corners to try them all.
pub fn make<T: Real>(
    _problem: &Problem<T>,
    region: &Region,
    seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    if region.free().count() <= ALL_CORNERS {
        return Err(NotApplicable("of a box with so few free inputs all corners are tried"));
    }
    Ok(Box::new(SquareStrategy { seed, kernel: None, fresh: true, score: Score::Lack, scores: Vec::new() }))
}

/// How the network's only input lies on an image.
fn grid<T: Real>(network: &Network<T>) -> Option<Grid> {
    let &[input] = network.inputs() else { return None };
    Grid::of_shape(&network.node(input).shape)
}

impl<T: Real> Falsifier<T> for SquareStrategy<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        (ROUND * problem.network.block_lanes() * problem.network.multiplications()) as u64
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        let kernel = self.kernel.get_or_insert_with(|| {
            let grid = grid(&oracle.problem.network);
            Square::new(&oracle.lower, &oracle.upper, grid, oracle.lanes(), QUERIES, self.seed)
        });
        for _ in 0..ROUND {
            if std::mem::take(&mut self.fresh) {
                kernel.start();
                self.score = self.score.other(&oracle.region);
            }
            oracle.evaluate(kernel.points())?;
            self.score.of_block(oracle, &mut self.scores);
            self.fresh = !kernel.tell(&self.scores);
        }
        Ok(Progress::More)
    }
}
