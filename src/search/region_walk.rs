//! The exact core of patch-based search: linear programs inside activation regions.
//!
//! The paper (Khan, Madhukar, Sharma, Sections III and IV) asks for the values that a middle layer should have, and
//! then for an input that produces them. Where the phases of all neurons are kept, both questions are one linear
//! program in the inputs alone: maximise the least margin `t` subject to the property's rows, every neuron staying
//! on its piece, and the box. Deviation: the program's optimum lies on the border of the region, so the walk does
//! not stop there but evaluates the real network along the ray through it and goes on from the best point; most
//! counterexamples are found on that ray.
//!
//! Seeds are samples ranked by what their gradient promises, `f(x) + r · Σ |∂f/∂x_j| (u_j − l_j)`: ranked by the
//! margin alone, the walk finds fewer and takes longer. One seed for each activation pattern.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::oracle::{lanes_for, program_work};
use super::sample::{Sampler, fix};
use super::{Falsifier, Halt, NotApplicable, Objective, Oracle, Progress};
use crate::lp::{LinearProgram, LpOptions, LpOutcome, Solver};
use crate::network::frozen::{Frozen, piece};
use crate::network::op::Op;
use crate::network::{Network, Real, Surrogate, Workspace};
use crate::problem::Problem;
use crate::property::margin::{Block, row_margins};
use crate::property::{Region, Row, RowKind};

/// How far the gradient is believed when seeds are ranked, as a share of the box.
const REACH: f64 = 0.03;
/// Blocks of samples before the first walks; doubled each time the seeds are used up.
const FIRST_BLOCKS: usize = 4;
const MOST_BLOCKS: usize = 256;
/// Seeds kept of a batch of samples.
const SEEDS: usize = 12;
/// Programs a walk may solve.
const MOST_PROGRAMS: usize = 40;
/// Gain of the margin, relative to its size, under which a walk ends.
const LEAST_GAIN: f64 = 1e-7;
/// Entries of a program (inputs × neurons) over which this strategy costs more than it finds.
const MOST_ENTRIES: usize = 1_000_000;
/// Where the ray through the program's optimum is looked at, in units of the distance to it.
pub(super) const RAY: [f64; 16] =
    [1.0, 1.05, 1.5, 3.0, 0.5, 1.0001, 1.001, 1.01, 1.2, 2.0, 5.0, 10.0, 30.0, 0.25, 0.75, 0.9];

/// Walks from promising samples.
struct RegionWalk<T> {
    sampler: Sampler,
    /// Inputs × neurons: the size of a program.
    entries: usize,
    blocks: usize,
    seeds: Vec<Seed<T>>,
    seen: HashSet<u64>,
    points: Vec<T>,
    workspace: Option<Workspace<f64>>,
}

struct Seed<T> {
    potential: f64,
    target: u32,
    point: Vec<T>,
}

/// Makes the strategy; it applies to piecewise-linear networks of moderate size.
pub fn make<T: Real>(
    problem: &Problem<T>,
    region: &Region,
    seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    let sampler = Sampler::new(region, seed)?;
    let frozen = Frozen::new(problem.double()).ok_or(NotApplicable("the network is not piecewise linear"))?;
    let entries = frozen.neurons().saturating_mul(region.free().count());
    if entries > MOST_ENTRIES {
        return Err(NotApplicable("the region programs would be too large"));
    }
    Ok(Box::new(RegionWalk {
        sampler,
        entries,
        blocks: FIRST_BLOCKS,
        seeds: Vec::new(),
        seen: HashSet::new(),
        points: Vec::new(),
        workspace: None,
    }))
}

impl<T: Real> Falsifier<T> for RegionWalk<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        let samples = 3 * FIRST_BLOCKS * lanes_for(&problem.network) * problem.network.multiplications();
        samples as u64 + program_work(self.entries)
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        if self.seeds.is_empty() {
            self.gather_seeds(oracle)?;
            self.blocks = (2 * self.blocks).min(MOST_BLOCKS);
        }
        if let Some(seed) = self.seeds.pop() {
            self.walk(oracle, seed)?;
        }
        Ok(Progress::More)
    }
}

impl<T: Real> RegionWalk<T> {
    fn gather_seeds(&mut self, oracle: &mut Oracle<'_, T>) -> Result<(), Halt> {
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

    fn walk(&mut self, oracle: &mut Oracle<'_, T>, seed: Seed<T>) -> Result<(), Halt> {
        let problem = oracle.problem;
        let Some(frozen) = Frozen::new(problem.double()) else { return Ok(()) };
        let mut here = seed.point;
        let mut margin = f64::NEG_INFINITY;
        for _ in 0..MOST_PROGRAMS {
            oracle.check()?;
            let map = self.linearise(oracle, &frozen, &here, seed.target as usize);
            let Some(optimum) = map.and_then(|map| map.solve(oracle)) else { return Ok(()) };
            let Some((best, point)) = self.look_along(oracle, &here, &optimum, seed.target as usize)? else {
                return Ok(());
            };
            if best <= margin + LEAST_GAIN * (1.0 + best.abs()) {
                return Ok(());
            }
            (margin, here) = (best, point);
        }
        Ok(())
    }

    /// Evaluates the ray from `here` through `optimum` (free inputs only); the best point for the target.
    fn look_along(
        &mut self,
        oracle: &mut Oracle<'_, T>,
        here: &[T],
        optimum: &[(usize, f64)],
        target: usize,
    ) -> Result<Option<(f64, Vec<T>)>, Halt> {
        let lanes = oracle.lanes();
        let mut best: Option<(f64, Vec<T>)> = None;
        // A single lane is as dear as a block elsewhere: only the four most fruitful places.
        let ray = if lanes == 1 { &RAY[..4] } else { &RAY[..] };
        for part in ray.chunks(lanes) {
            fix(oracle, &mut self.points);
            for &(i, to) in optimum {
                let from = here[i].widen();
                for lane in 0..lanes {
                    let multiple = part[lane.min(part.len() - 1)];
                    let x = T::of(from + multiple * (to - from));
                    self.points[i * lanes + lane] = x.max(oracle.lower[i]).min(oracle.upper[i]);
                }
            }
            oracle.evaluate(&self.points)?;
            for lane in 0..part.len() {
                let margin = oracle.margins_of(target)[lane].widen();
                if best.as_ref().is_none_or(|(best, _)| margin > *best) {
                    best = Some((margin, oracle.point(lane)));
                }
            }
        }
        Ok(best)
    }

    /// The affine maps of all neurons and of the target's rows around a point.
    fn linearise(
        &mut self,
        oracle: &Oracle<'_, T>,
        frozen: &Frozen<'_>,
        here: &[T],
        target: usize,
    ) -> Option<LocalMap> {
        let network = oracle.problem.double();
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
        oracle.count_program(self.rows.len() + self.margins.len(), self.free.len() + 1);
        let options = LpOptions { time_limit: oracle.budget().remaining(), ..LpOptions::default() };
        let outcome = Solver::new(&program, &options).and_then(|mut solver| solver.solve());
        let Ok(LpOutcome::Optimal(solution)) = outcome else { return None };
        let region = &oracle.region;
        let unscale =
            |(&i, &v): (&usize, &f64)| (i, region.lower[i] + v * (region.upper[i] - region.lower[i]));
        Some(self.free.iter().zip(&solution.values).map(unscale).collect())
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
