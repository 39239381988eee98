//! The exact core of patch-based search: linear programs inside activation regions.
//!
//! The paper (Khan, Madhukar, Sharma, Sections III and IV) asks for the values that a middle layer should have, and
//! then for an input that produces them. Where the phases of all neurons are kept, both questions are one linear
//! program in the inputs alone: maximise the least margin `t` subject to the property's rows, every neuron staying
//! on its piece, and the box. Deviation: the program's optimum lies on the border of the region, so the walk does
//! not stop there but evaluates the real network along the ray through it and goes on from the best point; most
//! counterexamples are found on that ray.
//!
//! Walks start from [`super::seeds`].

use super::local::NOT_PIECEWISE;
use super::ray::look_along;
use super::seeds::{self, Seed, Seeds};
use super::tally::program_work;
use super::{Falsifier, Halt, NotApplicable, Oracle, Progress};
use crate::lp::{LinearProgram, LpOptions, LpOutcome, Solver};
use crate::network::frozen::{Frozen, piece};
use crate::network::{Real, Workspace, maxima};
use crate::problem::Problem;
use crate::property::margin::{Block, row_margins};
use crate::property::{Region, Row, RowKind};

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
    walk: Option<Walk<T>>,
    points: Vec<T>,
    workspace: Option<Workspace<f64>>,
}

/// A walk that has solved some programs.
struct Walk<T> {
    here: Vec<T>,
    target: usize,
    margin: f64,
    solved: usize,
}

impl<T> Walk<T> {
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
            None => self.seeds.next(oracle)?.map(Walk::from),
        };
        if let Some(walk) = walk {
            self.walk = self.go_on(oracle, walk)?;
        }
        Ok(Progress::More)
    }
}

impl<T: Real> RegionWalk<T> {
    /// Goes on with a walk; gives it back if it is not over.
    fn go_on(&mut self, oracle: &mut Oracle<'_, T>, mut walk: Walk<T>) -> Result<Option<Walk<T>>, Halt> {
        let problem = oracle.problem;
        let Some(frozen) = Frozen::new(problem.without_maxima()) else { return Ok(None) };
        let until = oracle.tally.work + MOST_WORK;
        while walk.solved < MOST_PROGRAMS {
            oracle.check()?;
            let map = self.linearise(oracle, &frozen, &walk.here, walk.target);
            let Some(optimum) = map.and_then(|map| map.solve(oracle)) else { return Ok(None) };
            let from: Vec<f64> = walk.here.iter().map(|x| x.widen()).collect();
            let through = optimum.iter().copied();
            let (best, point) = look_along(oracle, &mut self.points, &from, through, walk.target)?;
            if best <= walk.margin + LEAST_GAIN * (1.0 + best.abs()) {
                return Ok(None);
            }
            walk = Walk { here: point, margin: best, solved: walk.solved + 1, ..walk };
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
        let network = oracle.problem.without_maxima();
        let region = &oracle.region;
        let free: Vec<usize> = region.free().collect();
        let lanes = free.len() + 1;
        if self.workspace.as_ref().is_none_or(|workspace| workspace.lanes() != lanes) {
            self.workspace = Some(network.workspace(lanes));
        }
        let workspace = self.workspace.as_mut()?;
        let mut inputs: Vec<f64> = here.iter().flat_map(|x| std::iter::repeat_n(x.widen(), lanes)).collect();
        for (j, &i) in free.iter().enumerate() {
            inputs[i * lanes + j + 1] += region.upper[i] - region.lower[i];
        }
        frozen.forward(workspace, &inputs);
        let mut outputs = Vec::new();
        network.outputs_into(workspace, &mut outputs);
        let start: Vec<f64> = free
            .iter()
            .map(|&i| (here[i].widen() - region.lower[i]) / (region.upper[i] - region.lower[i]))
            .collect();
        let mut map = LocalMap { free, start, rows: Vec::new(), margins: Vec::new() };
        let block = Block { inputs: &inputs, outputs: &outputs, lanes };
        for row in &region.conjunctions[target].rows {
            map.add_margin(row, block);
        }
        for &id in &frozen.bends {
            let (function, values) = frozen.pre_activations(workspace, id)?;
            for lanes in values.chunks_exact(lanes) {
                let piece = piece(function, lanes[0])?;
                map.add_phase(lanes, piece.from, piece.to);
            }
        }
        Some(map)
    }
}

/// What the region's program is made of, in inputs scaled to the box: `v_j ∈ [0, 1]`.
struct LocalMap {
    free: Vec<usize>,
    /// The point itself.
    start: Vec<f64>,
    /// Neurons that could leave their piece: coefficients and the range of `Σ c_j v_j`.
    rows: Vec<(Vec<f64>, f64, f64)>,
    /// Margins of the property's rows: coefficients and the value at `v = 0`.
    margins: Vec<(Vec<f64>, f64)>,
}

impl LocalMap {
    fn add_margin(&mut self, row: &Row, block: Block<'_, f64>) {
        if row.kind == RowKind::Differs {
            return;
        }
        let mut margins = vec![0.0; block.lanes];
        row_margins(row, block, &mut margins);
        let (coefficients, at_zero) = self.affine(&margins);
        self.margins.push((coefficients, at_zero));
    }

    /// Keeps the row `from ≤ z ≤ to` unless the box already implies it; a row that the point itself violates by
    /// rounding is relaxed to its value there.
    fn add_phase(&mut self, lanes: &[f64], from: f64, to: f64) {
        let (coefficients, at_zero) = self.affine(lanes);
        let least = at_zero + coefficients.iter().map(|c| c.min(0.0)).sum::<f64>();
        let most = at_zero + coefficients.iter().map(|c| c.max(0.0)).sum::<f64>();
        if least < from || most > to {
            let (from, to) = (from.min(lanes[0]), to.max(lanes[0]));
            self.rows.push((coefficients, from - at_zero, to - at_zero));
        }
    }

    /// Coefficients and the value at `v = 0` of an affine function, from its values in the lanes.
    fn affine(&self, lanes: &[f64]) -> (Vec<f64>, f64) {
        let coefficients: Vec<f64> = lanes[1..].iter().map(|x| x - lanes[0]).collect();
        let at_zero = lanes[0] - coefficients.iter().zip(&self.start).map(|(c, v)| c * v).sum::<f64>();
        (coefficients, at_zero)
    }

    /// Maximises the least margin over the region: the optimum as values of the free inputs.
    fn solve<T: Real>(&self, oracle: &mut Oracle<'_, T>) -> Option<Vec<(usize, f64)>> {
        let mut program = LinearProgram::maximise();
        let inputs: Vec<_> = self.free.iter().map(|_| program.column(0.0, 1.0, 0.0)).collect();
        let least = program.column(f64::NEG_INFINITY, f64::INFINITY, 1.0);
        for (coefficients, at_zero) in &self.margins {
            let terms = inputs.iter().copied().zip(coefficients.iter().copied()).filter(|&(_, c)| c != 0.0);
            program.at_least(terms.chain([(least, -1.0)]), -at_zero);
        }
        for (coefficients, from, to) in &self.rows {
            let terms = inputs.iter().copied().zip(coefficients.iter().copied()).filter(|&(_, c)| c != 0.0);
            program.row(*from, terms, *to);
        }
        oracle.tally.count_program(self.rows.len() + self.margins.len(), self.free.len() + 1);
        let options = LpOptions { time_limit: oracle.budget().remaining(), ..LpOptions::default() };
        let outcome = Solver::new(&program, &options).and_then(|mut solver| {
            solver.obey(oracle.budget())?;
            solver.solve()
        });
        let Ok(LpOutcome::Optimal(solution)) = outcome else { return None };
        let region = &oracle.region;
        let unscale =
            |(&i, &v): (&usize, &f64)| (i, region.lower[i] + v * (region.upper[i] - region.lower[i]));
        Some(self.free.iter().zip(&solution.values).map(unscale).collect())
    }
}
