//! Starts for strategies that work on one point at a time: samples ranked by what their gradient promises.
//!
//! The potential of a sample is `f(x) + r · Σ |∂f/∂x_j| (u_j − l_j)`: ranked by the margin `f` alone, walks find
//! fewer and take longer. One seed for each activation pattern.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::network::frozen::piece;
use crate::network::op::Op;
use crate::network::{Network, Real, Surrogate, Workspace};
use crate::problem::Problem;
use crate::property::Region;
use crate::search::kernel::points::Sampler;
use crate::search::{Halt, NotApplicable, Objective, Oracle};

/// How far the gradient is believed when seeds are ranked, as a share of the box.
const REACH: f64 = 0.03;
/// Blocks of samples before the first seed; doubled each time the seeds are used up.
const FIRST_BLOCKS: usize = 4;
const MOST_BLOCKS: usize = 256;
/// Seeds kept of a batch of samples.
const SEEDS: usize = 12;

/// What the first seeds cost, in multiplications.
pub fn price<T: Real>(problem: &Problem<T>) -> u64 {
    // A gradient costs twice what an evaluation does.
    (3 * FIRST_BLOCKS * problem.network.block_lanes() * problem.network.multiplications()) as u64
}

/// A promising sample.
#[derive(Debug, Clone)]
pub struct Seed<T> {
    potential: f64,
    /// The conjunction that is nearest there.
    pub target: u32,
    /// The sample.
    pub point: Vec<T>,
}

/// An endless supply of seeds, best first within a batch.
#[derive(Debug)]
pub struct Seeds<T> {
    sampler: Sampler,
    blocks: usize,
    seeds: Vec<Seed<T>>,
    seen: HashSet<u64>,
    points: Vec<T>,
}

impl<T: Real> Seeds<T> {
    /// Seeds of a region with more than one point.
    ///
    /// # Errors
    /// [`NotApplicable`] if there is only one.
    pub fn new(region: &Region, seed: u64) -> Result<Self, NotApplicable> {
        let sampler = Sampler::new(region, seed)?;
        let (seeds, seen, points) = (Vec::new(), HashSet::new(), Vec::new());
        Ok(Self { sampler, blocks: FIRST_BLOCKS, seeds, seen, points })
    }

    /// The next seed; `None` where no sample of a batch had a gradient and a new pattern.
    ///
    /// # Errors
    /// [`Halt`] if a sample is confirmed as a witness, or the budget is used up.
    pub fn next(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Option<Seed<T>>, Halt> {
        if self.seeds.is_empty() {
            self.gather(oracle)?;
            self.blocks = (2 * self.blocks).min(MOST_BLOCKS);
        }
        Ok(self.seeds.pop())
    }

    fn gather(&mut self, oracle: &mut Oracle<'_, T>) -> Result<(), Halt> {
        let mut seeds: Vec<Seed<T>> = Vec::new();
        for _ in 0..self.blocks {
            self.sampler.draw(oracle, &mut self.points);
            oracle.evaluate(&self.points)?;
            let potentials = potentials(oracle);
            for (lane, potential) in potentials.into_iter().enumerate() {
                let full = seeds.len() >= SEEDS;
                let Some(potential) = potential else { continue };
                if full && seeds.last().is_some_and(|last| potential <= last.potential) {
                    continue;
                }
                if !self.seen.insert(pattern(&oracle.problem.network, oracle.workspace(), lane)) {
                    continue;
                }
                let seed = Seed { potential, target: oracle.nearest()[lane], point: oracle.point(lane) };
                let place = seeds.partition_point(|other| other.potential >= potential);
                seeds.insert(place, seed);
                seeds.truncate(SEEDS);
            }
        }
        seeds.reverse();
        self.seeds = seeds;
        Ok(())
    }
}

/// What each lane's gradient promises; `None` where there is no gradient (a dead plateau).
fn potentials<T: Real>(oracle: &mut Oracle<'_, T>) -> Vec<Option<f64>> {
    let lanes = oracle.lanes();
    let mut promise = vec![0.0; lanes];
    let widths: Vec<f64> = oracle.region.lower.iter().zip(&oracle.region.upper).map(|(l, u)| u - l).collect();
    let gradient = oracle.gradient(Objective::Nearest, Surrogate::exact());
    for (row, width) in gradient.chunks_exact(lanes).zip(widths) {
        promise.iter_mut().zip(row).for_each(|(p, g)| *p += g.widen().abs() * width);
    }
    let rank = |(margin, promise): (&T, f64)| (promise > 0.0).then(|| margin.widen() + REACH * promise);
    oracle.margins().iter().zip(promise).map(rank).collect()
}

/// A hash of the activation pattern of one lane: the signs of everything that goes into a bending function.
fn pattern<T: Real>(network: &Network<T>, workspace: &Workspace<T>, lane: usize) -> u64 {
    let lanes = workspace.lanes();
    let mut hasher = DefaultHasher::new();
    for node in network.nodes() {
        if let Op::Unary(op) = &node.op
            && piece(op.0, 0.0).is_some()
        {
            let values = workspace.value(network, node.inputs[0]);
            for signs in values.chunks_exact(lanes * 64).chain([values.chunks_exact(lanes * 64).remainder()])
            {
                let bits = signs
                    .iter()
                    .skip(lane)
                    .step_by(lanes)
                    .fold(0u64, |bits, x| bits << 1 | u64::from(*x > T::zero()));
                bits.hash(&mut hasher);
            }
        }
    }
    hasher.finish()
}
