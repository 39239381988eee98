//! The phase-neighbourhood program: the margin maximised over all phases of a few neurons at once.
//!
//! Where the whole box needs few binaries (see [`crate::search::strategy::neighbourhood`]), its program is solved conjunction by
//! conjunction, each time with more iterations: this is what finds witnesses of networks with combinatorial behaviour.
//! Elsewhere a trust region round a promising sample is shrunk until at most `K` neurons need a binary; the real
//! network is looked at along the ray through the optimum, and the next region lies round the best point there. `K`
//! grows as long as programs are solved to the end and falls where they are not.
//!
//! Simplex iterations are counted, not seconds: one seed gives one answer. Not nodes either: on ACAS Xu a program of 70
//! binaries took 9 s at its first six. A round is one program, so that other strategies wait for no more than that.

use crate::network::Real;
use crate::network::layered::Layered;
use crate::network::layered::bounds::Ranges;
use crate::problem::Problem;
use crate::property::Region;
use crate::region::layers::is_convex;
use crate::search::kernel::local::{self, around, view, widen};
use crate::search::kernel::programs::{Obstacle, Programs};
use crate::search::kernel::ray::look_along;
use crate::search::kernel::seeds::Seeds;
use crate::search::strategy::minorant::centre;
use crate::search::strategy::neighbourhood::{Neighbourhood, binaries_needed, marks, tighten};
use crate::search::{Falsifier, Halt, NotApplicable, Oracle, Progress};

/// Binaries in the first neighbourhoods, and the fewest and most that they may have.
const FIRST_BINARIES: usize = 16;
const FEWEST_BINARIES: usize = 6;
const MOST_BINARIES: usize = 200;
/// Where the whole box needs no more binaries than this, it is the neighbourhood.
const WHOLE_BOX: usize = 100;
/// Simplex iterations for a neighbourhood: 0.4 s on ACAS Xu.
const ITERATIONS: u64 = 500;
/// Simplex iterations for the whole box at first, and the factor from one time to the next.
const FIRST_ITERATIONS: u64 = 4_000;
const MORE_ITERATIONS: u64 = 4;
/// What the first neighbourhood costs, in continuous programs.
const FIRST_PROGRAM: usize = 150;
/// Programs from one start.
const MOST_STEPS: usize = 6;
/// Halvings of the trust region.
const MOST_HALVINGS: i32 = 24;
/// A margin that is enough, in units of the outputs' scale: far over what rounding can take away, and the solver
/// need not prove how much more there is.
const ENOUGH: f64 = 1e-4;

/// Neighbourhoods of one start after the other, or the whole box.
struct PhaseMilp<T> {
    seeds: Seeds<T>,
    mode: NeighbourhoodMode,
    /// The walk that goes on in the next round.
    walk: Option<NeighbourhoodWalk>,
    points: Vec<T>,
}

/// A way from neighbourhood to neighbourhood.
#[derive(Debug)]
struct NeighbourhoodWalk {
    here: Vec<f64>,
    target: usize,
    margin: f64,
    steps: usize,
}

#[derive(Debug)]
enum NeighbourhoodMode {
    /// Nothing is known yet.
    Unknown,
    /// The whole box, for the conjunctions that are not settled, the next one last.
    Whole { ranges: Ranges, open: Vec<usize>, iterations: u64, waiting: Vec<usize> },
    /// Trust regions with at most so many binaries; the radius is that of the last one.
    Around { binaries: usize, halvings: i32 },
}

/// Makes the strategy; it applies to chains of layers with convex activations.
pub fn make<T: Real>(
    problem: &Problem<T>,
    region: &Region,
    seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    let seeds = Seeds::new(region, seed)?;
    view(problem, is_convex)?;
    Ok(Box::new(PhaseMilp { seeds, mode: NeighbourhoodMode::Unknown, walk: None, points: Vec::new() }))
}

impl<T: Real> Falsifier<T> for PhaseMilp<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        local::price(problem, FIRST_PROGRAM)
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        let Ok(network) = oracle.problem.layered() else { return Ok(Progress::Exhausted) };
        if matches!(self.mode, NeighbourhoodMode::Unknown) {
            let Some(mode) = first_mode(oracle, network) else { return Ok(Progress::Exhausted) };
            self.mode = mode;
            let (start, target) = centre(oracle, &mut self.points)?;
            return if matches!(self.mode, NeighbourhoodMode::Whole { .. }) {
                self.whole_box(oracle, network, &start)
            } else {
                self.step(oracle, network, NeighbourhoodWalk::new(start, target))
            };
        }
        if let NeighbourhoodMode::Whole { .. } = self.mode {
            let start = oracle.best.as_ref().map(|best| widen(&best.input)).unwrap_or_default();
            return self.whole_box(oracle, network, &start);
        }
        if let Some(walk) = self.walk.take() {
            return self.step(oracle, network, walk);
        }
        let Some(seed) = self.seeds.next(oracle)? else { return Ok(Progress::More) };
        self.step(oracle, network, NeighbourhoodWalk::new(widen(&seed.point), seed.target as usize))
    }
}

/// The whole box if it needs few binaries; `None` where there are no bounds.
fn first_mode<T: Real>(oracle: &mut Oracle<'_, T>, network: &Layered) -> Option<NeighbourhoodMode> {
    let bounds = (oracle.region.lower.as_slice(), oracle.region.upper.as_slice());
    let mut ranges = Ranges::of_box(network, bounds.0, bounds.1)?;
    let conjunctions = &oracle.region.conjunctions;
    let needed = |ranges: &Ranges| {
        let each = conjunctions.iter().map(|c| binaries_needed(network, ranges, &marks(network, c)));
        each.max().unwrap_or(0)
    };
    let mut programs = Programs::new(oracle.budget());
    let mut most = needed(&ranges);
    if most <= 2 * WHOLE_BOX {
        tighten(network, bounds, &mut ranges, &mut programs);
        most = needed(&ranges);
    }
    let open = (0..conjunctions.len()).collect();
    let (solved, entries) = (programs.solved, programs.entries);
    oracle.tally.count_programs(solved, entries);
    Some(if most <= WHOLE_BOX {
        NeighbourhoodMode::Whole { ranges, open, iterations: FIRST_ITERATIONS, waiting: Vec::new() }
    } else {
        NeighbourhoodMode::Around { binaries: FIRST_BINARIES, halvings: 0 }
    })
}

/// The input where the program's margin is largest, and whether that is proven.
fn solve<T: Real>(
    oracle: &mut Oracle<'_, T>,
    network: &Layered,
    target: usize,
    here: &[f64],
    (bounds, ranges): ((&[f64], &[f64]), &Ranges),
    iterations: u64,
) -> Result<(Vec<f64>, bool), Obstacle> {
    let property = &oracle.region.conjunctions[target];
    let scale = 1.0 + network.simulate(here).outputs().iter().map(|y| y.abs()).fold(0.0, f64::max);
    let model = Neighbourhood::new(network, property, bounds, ranges, ENOUGH * scale);
    let start = model.point(network, property, here);
    let mut programs = Programs::new(oracle.budget());
    let outcome = programs.solve_within(iterations, &model.program, Some(&start));
    let (solved, entries) = (programs.solved, programs.entries);
    oracle.tally.count_programs(solved, entries);
    let (solution, proven) = outcome?;
    Ok((model.inputs.iter().map(|column| solution.values[column.index()]).collect(), proven))
}

impl NeighbourhoodWalk {
    fn new(here: Vec<f64>, target: usize) -> Self {
        Self { here, target, margin: f64::NEG_INFINITY, steps: 0 }
    }
}

impl<T: Real> PhaseMilp<T> {
    /// The whole box for the next conjunction that is not settled.
    fn whole_box(
        &mut self,
        oracle: &mut Oracle<'_, T>,
        network: &Layered,
        start: &[f64],
    ) -> Result<Progress, Halt> {
        let NeighbourhoodMode::Whole { ranges, open, iterations, waiting } = &mut self.mode else {
            return Ok(Progress::More);
        };
        let Some(target) = open.pop() else {
            // What no proof has settled gets more iterations.
            *open = std::mem::take(waiting);
            *iterations = iterations.saturating_mul(MORE_ITERATIONS);
            return Ok(if open.is_empty() { Progress::Exhausted } else { Progress::More });
        };
        let bounds = (oracle.region.lower.clone(), oracle.region.upper.clone());
        match solve(oracle, network, target, start, ((&bounds.0, &bounds.1), ranges), *iterations) {
            Ok((through, proven)) => {
                if !proven {
                    waiting.push(target);
                }
                look_along(oracle, &mut self.points, start, through.into_iter().enumerate(), target)?;
            }
            Err(Obstacle::Unsolved) => waiting.push(target),
            Err(_) => {}
        }
        Ok(Progress::More)
    }

    /// To the best point of the next neighbourhood; the walk ends where the margin grows no more.
    fn step(
        &mut self,
        oracle: &mut Oracle<'_, T>,
        network: &Layered,
        walk: NeighbourhoodWalk,
    ) -> Result<Progress, Halt> {
        oracle.check()?;
        let Some(through) = self.solve_around(oracle, network, &walk.here, walk.target) else {
            return Ok(Progress::More);
        };
        let through = through.into_iter().enumerate();
        let (best, point) = look_along(oracle, &mut self.points, &walk.here, through, walk.target)?;
        let steps = walk.steps + 1;
        if best > walk.margin + 1e-6 * (1.0 + best.abs()) && steps < MOST_STEPS {
            self.walk = Some(NeighbourhoodWalk { here: widen(&point), margin: best, steps, ..walk });
        }
        Ok(Progress::More)
    }

    /// The best input in the largest neighbourhood that the number of binaries allows.
    fn solve_around(
        &mut self,
        oracle: &mut Oracle<'_, T>,
        network: &Layered,
        here: &[f64],
        target: usize,
    ) -> Option<Vec<f64>> {
        let NeighbourhoodMode::Around { binaries, halvings } = &mut self.mode else { return None };
        let marks = marks(network, &oracle.region.conjunctions[target]);
        // The last radius is a good guess for the next.
        let first = (*halvings - 1).max(0);
        for halving in first..MOST_HALVINGS {
            let (lower, upper) = around(oracle, here, 0.5f64.powi(halving));
            let ranges = Ranges::of_box(network, &lower, &upper)?;
            if binaries_needed(network, &ranges, &marks) > *binaries {
                continue;
            }
            *halvings = halving;
            let outcome = solve(oracle, network, target, here, ((&lower, &upper), &ranges), ITERATIONS);
            let (through, proven) = outcome.ok()?;
            *binaries = if proven { *binaries * 5 / 4 } else { *binaries * 3 / 4 };
            *binaries = (*binaries).clamp(FEWEST_BINARIES, MOST_BINARIES);
            return Some(through);
        }
        None
    }
}
