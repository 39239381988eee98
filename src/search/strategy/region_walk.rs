//! The exact core of patch-based search: linear programs inside activation regions.
//!
//! The paper (Khan, Madhukar, Sharma, Sections III and IV) asks for the values that a middle layer should have, and
//! then for an input that produces them. Where the phases of all neurons are kept, both questions are one linear
//! program in the inputs alone: maximise the least margin `t` subject to the property's rows, every neuron staying
//! on its piece, and the box. Deviation: the program's optimum lies on the border of the region, so the walk does
//! not stop there but evaluates the real network along the ray through it and goes on from the best point; most
//! counterexamples are found on that ray.
//!
//! Walks start from [`crate::search::kernel::seeds`].

use crate::lp::{LpOptions, LpOutcome, Solver};
use crate::network::frozen::Frozen;
use crate::network::{Real, Workspace, maxima};
use crate::problem::Problem;
use crate::property::Region;
use crate::region::graph::LocalMap;
use crate::search::kernel::local::{NOT_PIECEWISE, widen};
use crate::search::kernel::ray::look_along;
use crate::search::kernel::seeds::{self, Seed, Seeds};
use crate::search::kernel::tally::program_work;
use crate::search::{Falsifier, Halt, NotApplicable, Oracle, Progress};

/// Programs a walk may solve.
const MOST_PROGRAMS: usize = 40;
/// Work after which a walk waits for the next round: with 100 inputs and 700 rows 40 programs take eleven seconds, for which
/// others would wait. On ACAS Xu a walk is one round.
const MOST_WORK: u64 = 2_000_000_000;
/// Gain of the margin, relative to its size, under which a walk ends.
const LEAST_GAIN: f64 = 1e-7;
/// Entries of a program (inputs × neurons) over which this strategy costs more than it finds.
const MOST_ENTRIES: usize = 1_000_000;

/// Walks from promising samples.
struct RegionWalk<T> {
    seeds: Seeds<T>,
    /// Inputs × neurons: the size of a program.
    entries: usize,
    /// The walk that goes on in the next round.
    walk: Option<RegionWalkState<T>>,
    points: Vec<T>,
    workspace: Option<Workspace<f64>>,
}

/// A walk that has solved some programs.
struct RegionWalkState<T> {
    here: Vec<T>,
    target: usize,
    margin: f64,
    solved: usize,
}

impl<T> RegionWalkState<T> {
    fn from(seed: Seed<T>) -> Self {
        Self { here: seed.point, target: seed.target as usize, margin: f64::NEG_INFINITY, solved: 0 }
    }
}

/// Makes the strategy; it applies to piecewise-linear networks of moderate size.
pub fn make<T: Real>(
    problem: &Problem<T>,
    region: &Region,
    seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    let seeds = Seeds::new(region, seed)?;
    // Asked of the network as it is: one in double precision is only made where it is used.
    let network = &problem.network;
    let neurons = maxima::neurons(network).ok_or(NOT_PIECEWISE)?;
    let entries = neurons.saturating_mul(region.free().count());
    if entries > MOST_ENTRIES {
        return Err(NotApplicable("the region programs would be too large"));
    }
    Ok(Box::new(RegionWalk { seeds, entries, walk: None, points: Vec::new(), workspace: None }))
}

impl<T: Real> Falsifier<T> for RegionWalk<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        seeds::price(problem) + program_work(self.entries)
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        let walk = match self.walk.take() {
            Some(walk) => Some(walk),
            None => self.seeds.next(oracle)?.map(RegionWalkState::from),
        };
        if let Some(walk) = walk {
            self.walk = self.go_on(oracle, walk)?;
        }
        Ok(Progress::More)
    }
}

impl<T: Real> RegionWalk<T> {
    /// Goes on with a walk; gives it back if it is not over.
    fn go_on(
        &mut self,
        oracle: &mut Oracle<'_, T>,
        mut walk: RegionWalkState<T>,
    ) -> Result<Option<RegionWalkState<T>>, Halt> {
        let problem = oracle.problem;
        let Some(frozen) = Frozen::new(problem.without_maxima()) else { return Ok(None) };
        let until = oracle.tally.work + MOST_WORK;
        while walk.solved < MOST_PROGRAMS {
            oracle.check()?;
            let map = self.linearise(oracle, &frozen, &walk.here, walk.target);
            let Some(optimum) = map.and_then(|map| solve(&map, oracle)) else { return Ok(None) };
            let from = widen(&walk.here);
            let through = optimum.iter().copied();
            let (best, point) = look_along(oracle, &mut self.points, &from, through, walk.target)?;
            if best <= walk.margin + LEAST_GAIN * (1.0 + best.abs()) {
                return Ok(None);
            }
            walk = RegionWalkState { here: point, margin: best, solved: walk.solved + 1, ..walk };
            if oracle.tally.work > until {
                return Ok(Some(walk));
            }
        }
        Ok(None)
    }

    /// The affine maps of all neurons and of the target's rows around a point.
    fn linearise(
        &mut self,
        oracle: &Oracle<'_, T>,
        frozen: &Frozen<'_>,
        here: &[T],
        target: usize,
    ) -> Option<LocalMap> {
        let region = &oracle.region;
        let lanes = region.free().count() + 1;
        if self.workspace.as_ref().is_none_or(|workspace| workspace.lanes() != lanes) {
            self.workspace = Some(oracle.problem.without_maxima().workspace(lanes));
        }
        let rows = &region.conjunctions[target].rows;
        LocalMap::around(frozen, self.workspace.as_mut()?, (region, rows), &widen(here))
    }
}

/// Maximises the least margin over the region: the optimum as values of the free inputs.
fn solve<T: Real>(map: &LocalMap, oracle: &mut Oracle<'_, T>) -> Option<Vec<(usize, f64)>> {
    let (rows, columns) = map.size();
    oracle.tally.count_program(rows, columns);
    let options = LpOptions { time_limit: oracle.budget().remaining(), ..LpOptions::default() };
    let outcome = Solver::new(&map.program(), &options).and_then(|mut solver| {
        solver.obey(oracle.budget())?;
        solver.solve()
    });
    let Ok(LpOutcome::Optimal(solution)) = outcome else { return None };
    Some(map.unscale(&oracle.region, &solution.values))
}
