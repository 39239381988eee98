//! Samples of the box: a low-discrepancy sequence (Owen-scrambled Sobol, Burley 2020) first, uniform points after.
//!
//! Sampling alone finds most counterexamples of small networks, and the points' margins tell where to look closer.

use crate::network::Real;
use crate::problem::Problem;
use crate::property::Region;
use crate::search::kernel::points::Sampler;
use crate::search::{Falsifier, Halt, NotApplicable, Oracle, Progress};

/// Blocks a round.
const BLOCKS: usize = 4;
/// Free inputs at which a sample is worth half as much as in one dimension.
const PROMISING_DIMENSIONS: f64 = 32.0;

/// Low-discrepancy and uniform samples.
struct SampleStrategy<T> {
    sampler: Sampler,
    points: Vec<T>,
}

/// Makes the strategy; it applies where more than one point can be drawn.
pub fn make<T: Real>(
    _problem: &Problem<T>,
    region: &Region,
    seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    Ok(Box::new(SampleStrategy { sampler: Sampler::new(region, seed)?, points: Vec::new() }))
}

impl<T: Real> Falsifier<T> for SampleStrategy<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        (BLOCKS * problem.network.block_lanes() * problem.network.multiplications()) as u64
    }

    /// In many dimensions all samples of a box look alike: outputs concentrate round their mean.
    fn promise(&self, _searched: f64) -> f64 {
        1.0 / (1.0 + self.sampler.free.len() as f64 / PROMISING_DIMENSIONS)
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        for _ in 0..BLOCKS {
            self.sampler.draw(oracle, &mut self.points);
            oracle.evaluate(&self.points)?;
        }
        Ok(Progress::More)
    }
}
