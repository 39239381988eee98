//! Evolution in few dimensions: the separable CMA strategy on the margin, restarted in turn at random points and near
//! the best one.

use super::sample::at;
use super::separable::Separable;
use super::{Falsifier, Halt, NotApplicable, Oracle, Progress};
use crate::network::Real;
use crate::problem::Problem;
use crate::property::Region;
use crate::random::Random;

/// Most free inputs.
const MOST_DIMENSIONS: usize = 50;
/// Fewest points of a generation.
const LEAST_LANES: usize = 16;
/// Generations a round.
const GENERATIONS: usize = 20;
/// Generations without a rise before a restart, at least, and for each free input.
const PATIENCE: usize = 20;
/// A distribution narrower than this share of the box cannot find much any more.
const NARROW: f64 = 1e-7;
/// Standard deviation of a first generation, as a share of the box: at a random point, and near the best.
const WIDE: f64 = 0.3;
const NEAR: f64 = 0.05;

struct Evolution<T> {
    free: Vec<usize>,
    kernel: Separable,
    points: Vec<T>,
    restarts: usize,
    /// Generations since the best margin of this restart rose; `None` before a restart.
    stale: Option<usize>,
    best: T,
}

/// Makes the strategy; it applies to boxes of 1 to 50 free inputs.
pub fn make<T: Real>(
    problem: &Problem<T>,
    region: &Region,
    seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    let free: Vec<usize> = region.free().collect();
    let lanes = problem.network.block_lanes();
    match free.len() {
        0 => return Err(NotApplicable("the region is a single point")),
        1..=MOST_DIMENSIONS => {}
        _ => return Err(NotApplicable("too many free inputs for an evolution strategy")),
    }
    if lanes < LEAST_LANES {
        return Err(NotApplicable("a block holds too few points for a generation"));
    }
    let kernel = Separable::new(free.len(), lanes, Random::new(seed));
    let best = T::neg_infinity();
    Ok(Box::new(Evolution { free, kernel, points: Vec::new(), restarts: 0, stale: None, best }))
}

impl<T: Real> Falsifier<T> for Evolution<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        (GENERATIONS * problem.network.block_lanes() * problem.network.multiplications()) as u64
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        for _ in 0..GENERATIONS {
            if self.stale.is_none() {
                self.restart(oracle);
            }
            self.place(oracle);
            oracle.evaluate(&self.points)?;
            let margins = oracle.margins();
            let best = margins.iter().copied().fold(T::neg_infinity(), T::max);
            let stale = if best > self.best { 0 } else { self.stale.unwrap_or(0) + 1 };
            self.best = self.best.max(best);
            self.kernel.tell(|lane| margins[lane].widen());
            let over = stale > PATIENCE + self.free.len() || self.kernel.widest() < NARROW;
            self.stale = (!over).then_some(stale);
        }
        Ok(Progress::More)
    }
}

impl<T: Real> Evolution<T> {
    fn restart(&mut self, oracle: &Oracle<'_, T>) {
        let near = oracle.best.as_ref().filter(|_| self.restarts % 2 == 1);
        let free = &self.free;
        self.kernel.start(if near.is_some() { NEAR } else { WIDE }, |mean, random| {
            for (m, &i) in mean.iter_mut().zip(free) {
                let (lower, upper) = (oracle.lower[i].widen(), oracle.upper[i].widen());
                let width = upper - lower;
                *m = match near {
                    Some(best) if width > 0.0 => (best.input[i].widen() - lower) / width,
                    _ => random.unit(),
                };
            }
        });
        self.best = T::neg_infinity();
        self.restarts += 1;
        self.stale = Some(0);
    }

    /// Writes the kernel's points as points of the box.
    fn place(&mut self, oracle: &Oracle<'_, T>) {
        let lanes = oracle.lanes();
        super::sample::fix(oracle, &mut self.points);
        for (units, &i) in self.kernel.points().chunks_exact(lanes).zip(&self.free) {
            let row = &mut self.points[i * lanes..][..lanes];
            for (x, &unit) in row.iter_mut().zip(units) {
                *x = at(oracle.lower[i], oracle.upper[i], unit);
            }
        }
    }
}
