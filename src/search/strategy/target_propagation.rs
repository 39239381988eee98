//! Iterated target propagation: the paper's idea with each of its three obstacles removed.
//!
//! A patch of a middle layer is a wish for that layer's sums. Algorithm 1 fails because it first fixes the wish and
//! then finds that no input fulfils it (in 183 starts on ACAS Xu: always). Here wish and input are found together:
//!
//! - the wished sums of layer `p` stay within what bounds over a *trust region* round the point say can be reached;
//! - they need not be met: the part in front, linearised at the point and without any phase rows, may miss a wish by
//!   an elastic amount, which costs more than it seems to bring;
//! - the part behind holds no phases: activations lie between their linear bounds over the same trust region.
//!
//! One program gives the input. The real network judges it (on the ray), the model is built anew at the better
//! point, and the trust region grows after a gain and shrinks after a failure; as it shrinks the linear bounds close
//! up and the model becomes the gradient. The layer `p` decides the mixture: the last one makes a step of
//! sequential linear programming, the first one a linear relaxation of the whole network; it changes from round to
//! round.

use crate::lp::{ColumnId, LinearProgram};
use crate::network::Real;
use crate::network::frozen::{Piece, piece};
use crate::network::layered::bounds::Ranges;
use crate::network::layered::{Layered, Trace};
use crate::problem::Problem;
use crate::property::{Conjunction, Region};
use crate::region::layers::{maps, pieces};
use crate::region::rows::{ProgramValue, add_sums, between};
use crate::region::rows::{add_inputs, add_margins};
use crate::search::kernel::local::{self, around, view, widen};
use crate::search::kernel::programs::{Obstacle, Programs};
use crate::search::kernel::ray::look_along;
use crate::search::kernel::seeds::Seeds;
use crate::search::strategy::minorant::centre;
use crate::search::{Falsifier, Halt, NotApplicable, Oracle, Progress};

/// Half width of the first trust region, as a share of the box.
const FIRST_RADIUS: f64 = 0.1;
/// Below this a start is given up.
const LEAST_RADIUS: f64 = 1e-4;
/// Programs from one start.
const MOST_STEPS: usize = 24;
/// What a miss costs, in units of what the sum's gradient says it would bring.
const PRICE: f64 = 2.0;

/// One step's program.
#[derive(Debug, Clone)]
pub struct PropagationStep {
    /// Maximises the modelled margin less the price of misses.
    pub program: LinearProgram,
    /// The inputs' columns.
    pub inputs: Vec<ColumnId>,
}

/// The point that a step starts from.
#[derive(Debug, Clone, Copy)]
pub struct Here<'a> {
    /// The input.
    pub input: &'a [f64],
    /// What the network does there.
    pub trace: &'a Trace,
    /// The pieces its neurons are on.
    pub pieces: &'a [Vec<Piece>],
}

impl PropagationStep {
    /// The program with wishes for the sums of layer `p`, over a trust region with bounds `ranges`.
    ///
    /// # Errors
    /// [`Obstacle::Activation`] where an activation has no linear bounds.
    pub fn new(
        network: &Layered,
        here: Here<'_>,
        p: usize,
        property: &Conjunction,
        (lower, upper): (&[f64], &[f64]),
        ranges: &Ranges,
    ) -> Result<Self, Obstacle> {
        let mut program = LinearProgram::maximise();
        let inputs = add_inputs(&mut program, lower, upper);
        let least = program.column(f64::NEG_INFINITY, f64::INFINITY, 1.0);
        let wish = maps(network, network.first_edges().clone(), &here.pieces[..p])
            .pop()
            .unwrap_or_else(|| network.first_edges().clone());
        let worth = worth(network, here, p, property);
        let mut sums: Vec<ColumnId> = Vec::with_capacity(wish.outputs());
        for (neuron, &(low, high)) in ranges.sums[p].iter().enumerate() {
            let sum = program.column(low, high, 0.0);
            // Where the wish lies in front of any activation, the map is exact and there is nothing to miss.
            let misses = (p > 0).then(|| {
                let price = -PRICE * worth[neuron];
                [
                    (program.column(0.0, f64::INFINITY, price), 1.0),
                    (program.column(0.0, f64::INFINITY, price), -1.0),
                ]
            });
            let terms = inputs.iter().copied().zip(wish.row(neuron).iter().copied());
            let terms = terms.chain(misses.into_iter().flatten()).chain([(sum, -1.0)]);
            program.equal(terms, -wish.bias[neuron]);
            sums.push(sum);
        }
        for at in p..network.depth() - 1 {
            let Some(function) = network.layers[at].activation else { break };
            let mut values = Vec::with_capacity(sums.len());
            for (neuron, &sum) in sums.iter().enumerate() {
                values.push(
                    between(&mut program, function, sum, ranges.sums[at][neuron])
                        .ok_or(Obstacle::Activation)?,
                );
            }
            let next = &network.layers[at + 1];
            sums = add_sums(&mut program, next, &values, ranges.sums[at + 1].iter().copied());
        }
        add_margins(&mut program, property, &inputs, least, |output, _| ProgramValue::column(sums[output]));
        Ok(Self { program, inputs })
    }
}

/// What each sum of layer `p` is worth: the largest size of any row's gradient with respect to it. Inactive neurons
/// have none, but a wish for them is not free either: they get the mean.
fn worth(network: &Layered, here: Here<'_>, p: usize, property: &Conjunction) -> Vec<f64> {
    let mut worth = vec![0.0f64; here.trace.sums[p].len()];
    for row in &property.rows {
        let mut gradient = vec![0.0; here.trace.outputs().len()];
        row.outputs.iter().for_each(|&(o, c)| gradient[o] += c);
        for at in (p + 1..network.depth()).rev() {
            let edges = &network.layers[at].edges;
            let mut sources = vec![0.0; edges.inputs];
            for (o, &g) in gradient.iter().enumerate().filter(|(_, g)| **g != 0.0) {
                sources.iter_mut().zip(edges.row(o)).for_each(|(s, w)| *s += g * w);
            }
            let slopes = here.pieces[at - 1].iter().map(|piece| piece.slope);
            gradient = sources.iter().zip(slopes).map(|(s, slope)| s * slope).collect();
        }
        worth.iter_mut().zip(gradient).for_each(|(worth, g)| *worth = worth.max(g.abs()));
    }
    let mean = worth.iter().sum::<f64>() / worth.len().max(1) as f64;
    worth.iter().map(|&w| w.max(mean)).collect()
}

/// Propagates targets from one start after the other.
struct TargetPropagation<T> {
    seeds: Seeds<T>,
    /// The round, which decides the layer.
    rounds: usize,
    points: Vec<T>,
}

/// Makes the strategy; it applies to chains of layers with piecewise-linear activations.
pub fn make<T: Real>(
    problem: &Problem<T>,
    region: &Region,
    seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    let seeds = Seeds::new(region, seed)?;
    view(problem, |function| piece(function, 0.0).is_some())?;
    Ok(Box::new(TargetPropagation { seeds, rounds: 0, points: Vec::new() }))
}

impl<T: Real> Falsifier<T> for TargetPropagation<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        local::price(problem, 1)
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        let Ok(network) = oracle.problem.layered() else { return Ok(Progress::Exhausted) };
        let (start, target) = if self.rounds == 0 {
            centre(oracle, &mut self.points)?
        } else {
            let Some(seed) = self.seeds.next(oracle)? else { return Ok(Progress::More) };
            (widen(&seed.point), seed.target as usize)
        };
        // From the middle outwards: the middle is where the paper starts.
        let depth = network.depth();
        let p = (depth.div_ceil(2) - 1 + self.rounds) % depth;
        self.rounds += 1;
        let (mut here, mut radius) = (start, FIRST_RADIUS);
        let mut margin = f64::NEG_INFINITY;
        for _ in 0..MOST_STEPS {
            oracle.check()?;
            let Some(through) = self.step(oracle, network, &here, p, target, radius) else {
                return Ok(Progress::More);
            };
            let through = through.iter().copied().enumerate();
            let (best, point) = look_along(oracle, &mut self.points, &here, through, target)?;
            if best > margin + 1e-7 * (1.0 + best.abs()) {
                (margin, here, radius) = (best, widen(&point), (2.0 * radius).min(1.0));
            } else {
                radius *= 0.25;
            }
            if radius < LEAST_RADIUS {
                break;
            }
        }
        Ok(Progress::More)
    }
}

impl<T: Real> TargetPropagation<T> {
    fn step(
        &self,
        oracle: &mut Oracle<'_, T>,
        network: &Layered,
        here: &[f64],
        p: usize,
        target: usize,
        radius: f64,
    ) -> Option<Vec<f64>> {
        let (lower, upper) = around(oracle, here, radius);
        let ranges = Ranges::of_box(network, &lower, &upper)?;
        let trace = network.simulate(here);
        let pieces = pieces(network, &trace)?;
        let at = Here { input: here, trace: &trace, pieces: &pieces };
        let property = &oracle.region.conjunctions[target];
        let step = PropagationStep::new(network, at, p, property, (&lower, &upper), &ranges).ok()?;
        let mut programs = Programs::new(oracle.budget());
        let solution = programs.solve(&step.program);
        let (solved, entries) = (programs.solved, programs.entries);
        oracle.tally.count_programs(solved, entries);
        let values = solution.ok()?.values;
        Some(step.inputs.iter().map(|column| values[column.index()]).collect())
    }
}
