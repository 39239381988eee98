//! The marked minorant: what increment/decrement marking is really for.
//!
//! A ReLU network is a difference of convex functions, and marking (see [`crate::search::strategy::patch::marking`]) separates the
//! two. A neuron whose value should be small (decrement) needs only an upper estimate `U`, one whose value should be
//! large (increment) only a lower estimate `L`; a neutral one is split in two, as Elboher et al. split neurons:
//!
//! ```text
//! U ≥ W⁺U' + W⁻L' + b,  U ≥ 0                    the epigraph: its phase is free
//! L = W⁺L' + W⁻U' + b   if z(x) > 0, else 0      the tangent at x
//! max t   s.t.  t ≤ c − A y  for all rows, y by U where its coefficient is positive, by L where it is negative
//! ```
//!
//! This is a concave minorant of the margin, tight at `x`: the margin at the program's optimum is at least the
//! program's value, so steps ascend, and the value is at least that of the program of the activation region (there
//! are no phase rows). Per step it costs about ten region programs; it pays where few neurons are unstable.

use crate::lp::{ColumnId, LinearProgram};
use crate::network::Real;
use crate::network::layered::bounds::Ranges;
use crate::network::layered::{EdgeLayer, Layered};
use crate::network::op::UnaryFunction;
use crate::problem::Problem;
use crate::property::{Conjunction, Region};
use crate::region::layers::{is_convex, slope_below};
use crate::region::rows::ProgramValue;
use crate::region::rows::{add_inputs, add_margins};
use crate::search::kernel::local::{self, view, widen};
use crate::search::kernel::programs::Programs;
use crate::search::kernel::ray::look_along;
use crate::search::kernel::seeds::Seeds;
use crate::search::{Falsifier, Halt, NotApplicable, Oracle, Progress};

/// Steps from one seed.
const MOST_STEPS: usize = 12;
/// Gain of the margin, relative to its size, under which the ascent ends.
const LEAST_GAIN: f64 = 1e-6;

/// The minorant at a point as a program.
#[derive(Debug, Clone)]
pub struct Minorant {
    /// Maximises the least margin.
    pub program: LinearProgram,
    /// The inputs' columns.
    pub inputs: Vec<ColumnId>,
}

/// Estimates of a neuron: for each only those that something needs.
#[derive(Debug, Clone, Copy, Default)]
struct Estimates {
    upper: Option<ProgramValue>,
    lower: Option<ProgramValue>,
}

/// Which estimates are needed.
#[derive(Debug, Clone, Copy, Default)]
struct Need {
    upper: bool,
    lower: bool,
}

impl Minorant {
    /// The minorant at `x` of a network whose activations are convex (ReLU, leaky ReLU), over a box. `ranges` bound
    /// the sums there: neurons that cannot change their phase are exact.
    pub fn new(
        network: &Layered,
        x: &[f64],
        property: &Conjunction,
        (lower, upper): (&[f64], &[f64]),
        ranges: &Ranges,
    ) -> Self {
        let mut program = LinearProgram::maximise();
        let inputs = add_inputs(&mut program, lower, upper);
        let least = program.column(f64::NEG_INFINITY, f64::INFINITY, 1.0);
        let (trace, needs) = (network.simulate(x), needs(network, property));
        let exact = |&column: &ColumnId| ProgramValue::column(column);
        let mut values: Vec<Estimates> = (inputs.iter().map(exact))
            .map(|value| Estimates { upper: Some(value), lower: Some(value) })
            .collect();
        for (at, layer) in network.layers.iter().enumerate() {
            let sums = add_sums(&mut program, layer, &values, &needs[at], at == 0);
            let Some(function) = layer.activation else {
                values = sums;
                break;
            };
            let neurons = sums.into_iter().zip(&trace.sums[at]).zip(&ranges.sums[at]);
            values =
                neurons.map(|((sum, &z), &range)| activate(&mut program, function, sum, z, range)).collect();
        }
        add_margins(&mut program, property, &inputs, least, |output, coefficient| {
            let estimates = values[output];
            let side = if coefficient > 0.0 { estimates.upper } else { estimates.lower };
            // `needs` asked for this side.
            side.unwrap_or(ProgramValue::fixed(0.0))
        });
        Self { program, inputs }
    }
}

/// Backwards from the rows: which estimates each layer's sums need.
fn needs(network: &Layered, property: &Conjunction) -> Vec<Vec<Need>> {
    let outputs = network.layers.last().map_or(0, |layer| layer.edges.outputs());
    let mut of_sums = vec![Need::default(); outputs];
    for &(output, coefficient) in property.rows.iter().flat_map(|row| &row.outputs) {
        of_sums[output].upper |= coefficient > 0.0;
        of_sums[output].lower |= coefficient < 0.0;
    }
    let mut all = Vec::with_capacity(network.depth());
    for layer in network.layers.iter().rev() {
        let mut of_values = vec![Need::default(); layer.edges.inputs];
        for (target, need) in of_sums.iter().enumerate() {
            for (source, &weight) in of_values.iter_mut().zip(layer.edges.row(target)) {
                source.upper |= need.upper && weight > 0.0 || need.lower && weight < 0.0;
                source.lower |= need.lower && weight > 0.0 || need.upper && weight < 0.0;
            }
        }
        all.push(std::mem::replace(&mut of_sums, of_values));
    }
    all.reverse();
    all
}

/// A layer's sums; of exact sources one column serves both estimates.
fn add_sums(
    program: &mut LinearProgram,
    layer: &EdgeLayer,
    values: &[Estimates],
    needs: &[Need],
    exact: bool,
) -> Vec<Estimates> {
    let mut add = |neuron: usize, upper: bool| {
        let sum = program.column(f64::NEG_INFINITY, f64::INFINITY, 0.0);
        let mut constant = layer.edges.bias[neuron];
        let mut terms = vec![(sum, -1.0)];
        for (&weight, estimates) in layer.edges.row(neuron).iter().zip(values).filter(|(w, _)| **w != 0.0) {
            let side = if upper == (weight > 0.0) { estimates.upper } else { estimates.lower };
            let Some(value) = side else { continue };
            constant += weight * value.constant;
            terms.extend(value.term.map(|(column, c)| (column, weight * c)));
        }
        program.equal(terms, -constant);
        ProgramValue::column(sum)
    };
    let estimate = |(neuron, need): (usize, &Need)| {
        if exact {
            let sum = (need.upper || need.lower).then(|| add(neuron, true));
            return Estimates { upper: sum, lower: sum };
        }
        let upper = need.upper.then(|| add(neuron, true));
        Estimates { upper, lower: need.lower.then(|| add(neuron, false)) }
    };
    needs.iter().enumerate().map(estimate).collect()
}

/// The values behind sums: the epigraph above, the tangent at `z` below.
fn activate(
    program: &mut LinearProgram,
    function: UnaryFunction,
    sum: Estimates,
    z: f64,
    (low, high): (f64, f64),
) -> Estimates {
    let below = slope_below(function);
    let line = |value: ProgramValue, slope: f64| match (value.term, slope) {
        (_, 0.0) | (None, _) => ProgramValue::fixed(slope * value.constant),
        (Some((column, c)), _) => {
            ProgramValue { term: Some((column, slope * c)), constant: slope * value.constant }
        }
    };
    let fixed = if low >= 0.0 { Some(1.0) } else { (high <= 0.0).then_some(below) };
    let upper = sum.upper.map(|upper| match (fixed, upper.term) {
        (Some(slope), _) => line(upper, slope),
        (None, Some((column, c))) => {
            let value = program.column(f64::NEG_INFINITY, f64::INFINITY, 0.0);
            for slope in [1.0, below] {
                program.at_least([(value, 1.0), (column, -slope * c)], slope * upper.constant);
            }
            ProgramValue::column(value)
        }
        (None, None) => ProgramValue::fixed(function.value(upper.constant)),
    });
    let tangent = fixed.unwrap_or(if z > 0.0 { 1.0 } else { below });
    Estimates { upper, lower: sum.lower.map(|lower| line(lower, tangent)) }
}

/// Ascends minorants from promising samples.
struct Ascent<T> {
    ranges: Option<Ranges>,
    seeds: Seeds<T>,
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
    Ok(Box::new(Ascent { ranges: None, seeds, started: false, points: Vec::new() }))
}

impl<T: Real> Falsifier<T> for Ascent<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        local::price(problem, 2)
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        let Ok(network) = oracle.problem.layered() else { return Ok(Progress::Exhausted) };
        if self.ranges.is_none() {
            self.ranges = Ranges::of_box(network, &oracle.region.lower, &oracle.region.upper);
        }
        let Some(ranges) = &self.ranges else { return Ok(Progress::Exhausted) };
        let (start, target) = if self.started {
            let Some(seed) = self.seeds.next(oracle)? else { return Ok(Progress::More) };
            (widen(&seed.point), seed.target as usize)
        } else {
            self.started = true;
            centre(oracle, &mut self.points)?
        };
        let mut here = start;
        let mut margin = f64::NEG_INFINITY;
        for _ in 0..MOST_STEPS {
            oracle.check()?;
            let region = &oracle.region;
            let (lower, upper) = (&region.lower, &region.upper);
            let property = &region.conjunctions[target];
            let model = Minorant::new(network, &here, property, (lower, upper), ranges);
            let mut programs = Programs::new(oracle.budget());
            let solution = programs.solve(&model.program);
            let (solved, entries) = (programs.solved, programs.entries);
            oracle.tally.count_programs(solved, entries);
            let Ok(solution) = solution else { return Ok(Progress::More) };
            let through = model.inputs.iter().map(|column| solution.values[column.index()]).enumerate();
            let (best, point) = look_along(oracle, &mut self.points, &here, through, target)?;
            if best <= margin + LEAST_GAIN * (1.0 + best.abs()) {
                break;
            }
            (margin, here) = (best, widen(&point));
        }
        Ok(Progress::More)
    }
}

/// The centre of the box and the conjunction nearest there.
pub(in crate::search) fn centre<T: Real>(
    oracle: &mut Oracle<'_, T>,
    points: &mut Vec<T>,
) -> Result<(Vec<f64>, usize), Halt> {
    crate::search::kernel::points::fix(oracle, points);
    let lanes = oracle.lanes();
    for (i, values) in points.chunks_exact_mut(lanes).enumerate() {
        values.fill(crate::search::kernel::points::middle(oracle.lower[i], oracle.upper[i]));
    }
    oracle.evaluate(points)?;
    Ok((widen(&oracle.point(0)), oracle.nearest()[0] as usize))
}
