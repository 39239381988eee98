//! The phase-neighbourhood program: the margin maximised over all phases of a few neurons at once.
//!
//! Each unstable neuron gets a binary `d` (Tjeng, Xiao, Tedrake, ICLR 2019):
//! `a ≥ z, a ≥ 0, a ≤ z − lo (1 − d), a ≤ hi d`. A trust region round the point is shrunk until at most `K` neurons
//! are unstable in it; from start to start, `K` grows until the whole box fits. Neurons that paths mark as decrement
//! need no binary: nothing pulls their value over the larger of its two lower bounds.
//!
//! This is what finds witnesses of networks with combinatorial behaviour: of eight planted 3-SAT formulas with 50
//! variables and 200 clauses gradients find none.

use std::time::Duration;

use super::local::{self, add_inputs, add_margins, around, is_convex, slope_below, view, widen};
use super::minorant::centre;
use super::patch::encode::{Value, add_sums};
use super::patch::marking::{Mark, Marking};
use super::programs::Programs;
use super::ray::look_along;
use super::seeds::Seeds;
use super::{Falsifier, Halt, NotApplicable, Oracle, Progress};
use crate::lp::{ColumnId, LinearProgram};
use crate::network::Real;
use crate::network::layered::Layered;
use crate::network::layered::bounds::Ranges;
use crate::network::op::UnaryFunction;
use crate::problem::Problem;
use crate::property::{Conjunction, Region};

/// Unstable neurons in the first neighbourhoods.
const FIRST_BINARIES: usize = 16;
/// Where the whole box needs no more binaries than this, it is the first neighbourhood.
const WHOLE_BOX: usize = 80;
/// More binaries than this are never asked of the solver.
const MOST_BINARIES: usize = 1_000;
/// Time for a program.
const PATIENCE: Duration = Duration::from_secs(1);
/// Programs from one start.
const MOST_STEPS: usize = 6;
/// Halvings of the trust region.
const MOST_HALVINGS: usize = 24;
/// A margin that is enough: the solver need not go on, in units of the outputs' scale.
const ENOUGH: f64 = 1e-2;

/// The exact margin over a box as a mixed-integer program.
#[derive(Debug, Clone)]
pub struct Neighbourhood {
    /// Maximises the least margin.
    pub program: LinearProgram,
    /// The inputs' columns.
    pub inputs: Vec<ColumnId>,
    /// How many binaries it has.
    pub binaries: usize,
}

impl Neighbourhood {
    /// The program over a box in which `ranges` bound the sums. Margins over `enough` count as `enough`.
    pub fn new(
        network: &Layered,
        property: &Conjunction,
        (lower, upper): (&[f64], &[f64]),
        ranges: &Ranges,
        enough: f64,
    ) -> Self {
        let mut program = LinearProgram::maximise();
        let inputs = add_inputs(&mut program, lower, upper);
        let least = program.column(f64::NEG_INFINITY, enough, 1.0);
        let marks = value_marks(network, property);
        let mut values: Vec<Value> = inputs.iter().map(|&column| Value::column(column)).collect();
        let mut binaries = 0;
        for (at, layer) in network.layers.iter().enumerate() {
            let sums = add_sums(&mut program, layer, &values, ranges.sums[at].iter().copied());
            let Some(function) = layer.activation else {
                values = sums.into_iter().map(Value::column).collect();
                break;
            };
            values = Vec::with_capacity(sums.len());
            for (neuron, sum) in sums.into_iter().enumerate() {
                let (range, mark) = (ranges.sums[at][neuron], marks[at][neuron]);
                binaries += usize::from(needs_binary(range, mark));
                values.push(activate(&mut program, function, sum, range, mark));
            }
        }
        add_margins(&mut program, property, &inputs, least, |output, _| values[output]);
        Self { program, inputs, binaries }
    }
}

/// Marks of the neurons' values, by paths; activations here never fall, so the sums' marks are the values'.
fn value_marks(network: &Layered, property: &Conjunction) -> Vec<Vec<Mark>> {
    Marking::Paths.mark(network, &network.simulate(&vec![0.0; network.input_len()]), property)
}

fn needs_binary((low, high): (f64, f64), mark: Mark) -> bool {
    low < 0.0 && high > 0.0 && !matches!(mark, Mark::Decrement | Mark::Idle)
}

/// The value behind a sum, exact where it matters.
fn activate(
    program: &mut LinearProgram,
    function: UnaryFunction,
    sum: ColumnId,
    (low, high): (f64, f64),
    mark: Mark,
) -> Value {
    let below = slope_below(function);
    if low >= 0.0 {
        return Value::column(sum);
    }
    if high <= 0.0 {
        return if below == 0.0 {
            Value::fixed(0.0)
        } else {
            Value { term: Some((sum, below)), constant: 0.0 }
        };
    }
    // For ReLU the column's own bound is the second of the two lower bounds.
    let value = program.column(below * low, high, 0.0);
    program.at_least([(value, 1.0), (sum, -1.0)], 0.0);
    if below != 0.0 {
        program.at_least([(value, 1.0), (sum, -below)], 0.0);
    }
    if needs_binary((low, high), mark) {
        let active = program.binary(0.0);
        let steps = 1.0 - below;
        // value ≤ z − (1 − below) lo (1 − d)   and   value ≤ below z + (1 − below) hi d
        program.at_most([(value, 1.0), (sum, -1.0), (active, -steps * low)], -steps * low);
        program.at_most([(value, 1.0), (sum, -below), (active, -steps * high)], 0.0);
    }
    Value::column(value)
}

/// Neighbourhoods of one start after the other.
struct PhaseMilp<T> {
    seeds: Seeds<T>,
    binaries: usize,
    started: bool,
    points: Vec<T>,
}

/// Makes the strategy; it applies to chains of layers with convex activations.
pub fn make<T: Real>(
    problem: &Problem<T>,
    region: &Region,
    seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    let seeds = Seeds::new(region, seed)?;
    view(problem, is_convex)?;
    Ok(Box::new(PhaseMilp { seeds, binaries: FIRST_BINARIES, started: false, points: Vec::new() }))
}

impl<T: Real> Falsifier<T> for PhaseMilp<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        local::price(problem, 16)
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        let Ok(network) = oracle.problem.layered() else { return Ok(Progress::Exhausted) };
        let (mut here, target) = if self.started {
            let Some(seed) = self.seeds.next(oracle)? else { return Ok(Progress::More) };
            (widen(&seed.point), seed.target as usize)
        } else {
            self.started = true;
            centre(oracle, &mut self.points)?
        };
        let mut margin = f64::NEG_INFINITY;
        for _ in 0..MOST_STEPS {
            oracle.check()?;
            let Some(through) = self.solve_around(oracle, network, &here, target) else { break };
            let through = through.iter().copied().enumerate();
            let (best, point) = look_along(oracle, &mut self.points, &here, through, target)?;
            if best <= margin + 1e-6 * (1.0 + best.abs()) {
                break;
            }
            (margin, here) = (best, widen(&point));
        }
        self.binaries = (self.binaries * 2).min(MOST_BINARIES);
        Ok(Progress::More)
    }
}

impl<T: Real> PhaseMilp<T> {
    /// The best input in the largest neighbourhood that the number of binaries allows.
    fn solve_around(
        &self,
        oracle: &mut Oracle<'_, T>,
        network: &Layered,
        here: &[f64],
        target: usize,
    ) -> Option<Vec<f64>> {
        let property = &oracle.region.conjunctions[target];
        let marks = value_marks(network, property);
        let mut radius = 1.0;
        let mut fitting = None;
        for _ in 0..MOST_HALVINGS {
            let (lower, upper) = around(oracle, here, radius);
            let ranges = Ranges::of_box(network, &lower, &upper)?;
            let pairs = ranges.sums.iter().flatten().zip(marks.iter().flatten());
            let last = ranges.sums.last().map_or(0, Vec::len);
            let hidden = ranges.sums.iter().map(Vec::len).sum::<usize>() - last;
            let needed = pairs.take(hidden).filter(|&(&range, &mark)| needs_binary(range, mark)).count();
            if needed <= self.binaries.max(WHOLE_BOX * usize::from(radius == 1.0)) {
                fitting = Some((lower, upper, ranges));
                break;
            }
            radius *= 0.5;
        }
        let (lower, upper, ranges) = fitting?;
        let scale = 1.0 + network.simulate(here).outputs().iter().map(|y| y.abs()).fold(0.0, f64::max);
        let model = Neighbourhood::new(network, property, (&lower, &upper), &ranges, ENOUGH * scale);
        let mut programs = Programs::new(oracle.budget());
        let solution = if model.binaries == 0 {
            programs.solve(&model.program).map(|solution| solution.values)
        } else {
            programs.solve_mixed(&model.program, PATIENCE).map(|solution| solution.values)
        };
        let (solved, entries) = (programs.solved, programs.entries);
        oracle.count_programs(solved, entries * (1 + model.binaries));
        let values = solution.ok()?;
        Some(model.inputs.iter().map(|column| values[column.index()]).collect())
    }
}
