//! The least sum of changes within the activation region of an input that fools the network.
//!
//! In its region the network is affine in the inputs, so the least `Σ cost_i |x_i − image_i|` that keeps the lead is a
//! linear program. Only some values may move: the columns. The rows that hold neurons on their pieces are added when a
//! solution breaks them, most never are. A network with convolutions has the lead's linearisation at the input and no
//! rows of phases; what the program says is then only proposed, and evaluated like everything else here.
//!
//! A program is solved at most [`ROUNDS`] times, each time in the region of the last result.

use super::beam::Found;
use super::front::Front;
use super::probe::{Probe, Spot, fools, lead};
use crate::budget::StopReason;
use crate::lp::{ColumnId, LinearProgram, LpOptions, LpOutcome, Solver};
use crate::network::Surrogate;
use crate::network::frozen::piece;

/// Regions that are looked at one after the other.
const ROUNDS: usize = 3;
/// Times that broken phases are added to a program.
const REFINEMENTS: usize = 6;
/// Rows added at a time.
const ROWS: usize = 8;
/// Points between a program's solution and the input it started from.
const STEPS: usize = 15;

/// An affine function of the columns' values: its slopes, and its value at the input.
struct Line {
    slopes: Vec<f64>,
    now: f64,
}

/// Neurons' sums with the range of their piece.
struct Phase {
    sum: Line,
    from: f64,
    to: f64,
}

/// The network around an input, in the values that may move.
struct Region {
    lead: Line,
    phases: Vec<Phase>,
}

/// Shortens the change over these values: `Σ cost · |change|` falls, or the input stays.
///
/// # Errors
/// [`StopReason`] when the budget is used up.
pub(super) fn shorten(
    probe: &mut Probe<'_, '_, '_>,
    mut found: Found,
    columns: &[usize],
    cost: impl Fn(usize, f32) -> f64,
) -> Result<Found, StopReason> {
    for _ in 0..ROUNDS {
        let costs: Vec<f64> =
            columns.iter().map(|&i| cost(i, (found.spot.input[i] - probe.task.image[i]).abs())).collect();
        let region = Region::around(probe, &found, columns);
        let Some(point) = region.solve(probe, &found, columns, &costs) else { break };
        let Some(better) = nearest(probe, &found, columns, &point)? else { break };
        let length = |found: &Found| -> f64 {
            let change = |&i: &usize| f64::from((found.spot.input[i] - probe.task.image[i]).abs());
            columns.iter().zip(&costs).map(|(i, cost)| cost * change(i)).sum()
        };
        let (before, after) = (length(&found), length(&better));
        if after >= before {
            break;
        }
        found = better;
        if after > 0.999 * before {
            break;
        }
    }
    Ok(found)
}

/// The point nearest to the program's solution, on the way there, that fools the network.
fn nearest(
    probe: &mut Probe<'_, '_, '_>,
    found: &Found,
    columns: &[usize],
    point: &[f32],
) -> Result<Option<Found>, StopReason> {
    let between = |share: f32| {
        let change = |(&index, &to): (&usize, &f32)| {
            let from = found.spot.input[index];
            let value = if share == 1.0 { to } else { from + share * (to - from) };
            (index, value.clamp(probe.task.lower(index), probe.task.upper(index)))
        };
        let changes: Vec<(usize, f32)> = columns.iter().zip(point).map(change).collect();
        probe.moved(&found.spot, &changes)
    };
    let spots: Vec<Spot> = (1..=STEPS).rev().map(|step| between(step as f32 / STEPS as f32)).collect();
    let label = probe.task.label;
    let answers = probe.outputs(&spots)?;
    for (outputs, spot) in answers.iter().zip(spots) {
        if fools(outputs, label) && probe.task.keeps_limits(&spot.input) {
            return Ok(Some(Found { class: lead(outputs, label).0, spot }));
        }
    }
    Ok(None)
}

impl Region {
    fn around(probe: &Probe<'_, '_, '_>, found: &Found, columns: &[usize]) -> Self {
        let input: Vec<f64> = found.spot.input.iter().map(|&x| f64::from(x)).collect();
        match probe.front {
            Some(front) => Self::of_layers(front, &input, columns, (found.class, probe.task.label)),
            None => Self::of_slopes(probe, &input, columns, found.class),
        }
    }

    /// Exact, with the phases of all neurons.
    fn of_layers(front: &Front, input: &[f64], columns: &[usize], (class, label): (usize, usize)) -> Self {
        let trace = front.layered.simulate(input);
        let mut phases = Vec::new();
        // For each value that goes into a layer, its slopes in the columns.
        let mut sources: Vec<Vec<f64>> = Vec::new();
        for (at, layer) in front.layered.layers.iter().enumerate() {
            let sums = (0..layer.edges.outputs()).map(|neuron| {
                let row = layer.edges.row(neuron);
                if at == 0 {
                    return columns.iter().map(|&i| row[i]).collect();
                }
                let mut slopes = vec![0.0; columns.len()];
                for (source, &w) in sources.iter().zip(row).filter(|(source, _)| !source.is_empty()) {
                    slopes.iter_mut().zip(source).for_each(|(sum, s)| *sum += w * s);
                }
                slopes
            });
            let sums: Vec<Vec<f64>> = sums.collect();
            let Some(function) = layer.activation else {
                sources = sums;
                continue;
            };
            let pieces = trace.sums[at].iter().map(|&z| piece(function, z));
            let mut next = Vec::with_capacity(sums.len());
            for ((slopes, &now), piece) in sums.into_iter().zip(&trace.sums[at]).zip(pieces) {
                // A smooth activation is taken as its tangent; nothing then holds the neuron.
                let slope = piece.map_or_else(|| tangent(|z| function.value(z), now), |piece| piece.slope);
                next.push(if slope == 0.0 { Vec::new() } else { slopes.iter().map(|s| slope * s).collect() });
                if let Some(piece) = piece {
                    phases.push(Phase { sum: Line { slopes, now }, from: piece.from, to: piece.to });
                }
            }
            sources = next;
        }
        let none = vec![0.0; columns.len()];
        let row = |class: usize| sources.get(class).filter(|row| !row.is_empty()).unwrap_or(&none);
        let slopes = row(class).iter().zip(row(label)).map(|(a, b)| a - b).collect();
        let outputs = trace.outputs();
        Self { lead: Line { slopes, now: outputs[class] - outputs[label] }, phases }
    }

    /// The linearisation of the lead, from a backward pass in double precision.
    fn of_slopes(probe: &Probe<'_, '_, '_>, input: &[f64], columns: &[usize], class: usize) -> Self {
        let network = &probe.task.victim.double;
        let mut workspace = network.workspace(1);
        network.forward(&mut workspace, input);
        let (mut outputs, mut slopes) = (Vec::new(), Vec::new());
        network.outputs_into(&workspace, &mut outputs);
        let mut weights = vec![0.0; outputs.len()];
        (weights[class], weights[probe.task.label]) = (1.0, -1.0);
        network.backward(&mut workspace, &weights, Surrogate::exact(), &mut slopes);
        let now = outputs[class] - outputs[probe.task.label];
        let slopes = columns.iter().map(|&i| slopes[i]).collect();
        Self { lead: Line { slopes, now }, phases: Vec::new() }
    }

    /// The columns' values with the least cost.
    fn solve(
        &self,
        probe: &mut Probe<'_, '_, '_>,
        found: &Found,
        columns: &[usize],
        costs: &[f64],
    ) -> Option<Vec<f32>> {
        let task = probe.task;
        let mut program = LinearProgram::minimise();
        let image = |i: usize| f64::from(task.image[i]);
        let up: Vec<ColumnId> = columns
            .iter()
            .zip(costs)
            .map(|(&i, &cost)| program.column(0.0, (f64::from(task.upper(i)) - image(i)).max(0.0), cost))
            .collect();
        let down: Vec<ColumnId> = columns
            .iter()
            .zip(costs)
            .map(|(&i, &cost)| program.column(0.0, (image(i) - f64::from(task.lower(i))).max(0.0), cost))
            .collect();
        // The line's value at the image's own values, from which the columns count.
        let at_image = |line: &Line| {
            let moved = columns.iter().map(|&i| image(i) - f64::from(found.spot.input[i]));
            line.now + line.slopes.iter().zip(moved).map(|(s, m)| s * m).sum::<f64>()
        };
        let terms = |line: &Line| -> Vec<(ColumnId, f64)> {
            let ups = up.iter().copied().zip(line.slopes.iter().copied());
            let downs = down.iter().copied().zip(line.slopes.iter().map(|s| -s));
            ups.chain(downs).collect()
        };
        // Twice what a result needs, so that rounding to single precision leaves enough.
        let needed = 2e-5 * (1.0 + self.lead.now.abs());
        program.at_least(terms(&self.lead), needed.min(self.lead.now) - at_image(&self.lead));
        let options = LpOptions { time_limit: probe.session.budget.remaining(), ..LpOptions::default() };
        let mut solver = Solver::new(&program, &options).ok()?;
        solver.obey(probe.session.budget).ok()?;
        let mut held = vec![false; self.phases.len()];
        let mut best = None;
        for _ in 0..REFINEMENTS {
            probe.session.spent.programs += 1;
            let Ok(LpOutcome::Optimal(solution)) = solver.solve() else { return best };
            let change = |j: usize| solution.values[up[j].index()] - solution.values[down[j].index()];
            let changes: Vec<f64> = (0..columns.len()).map(change).collect();
            best = Some(columns.iter().zip(&changes).map(|(&i, &c)| value(task.image[i], c)).collect());
            let broken = self.broken(&held, &changes, at_image);
            if broken.is_empty() {
                break;
            }
            for at in broken {
                held[at] = true;
                let (phase, base) = (&self.phases[at], at_image(&self.phases[at].sum));
                let now = phase.sum.now;
                let (from, to) = (phase.from.min(now), phase.to.max(now));
                solver.add_row(from - base, terms(&phase.sum), to - base).ok()?;
            }
        }
        best
    }

    /// The phases that a solution breaks most.
    fn broken(&self, held: &[bool], changes: &[f64], at_image: impl Fn(&Line) -> f64) -> Vec<usize> {
        let mut broken: Vec<(f64, usize)> = Vec::new();
        for (at, phase) in self.phases.iter().enumerate().filter(|&(at, _)| !held[at]) {
            let moved: f64 = phase.sum.slopes.iter().zip(changes).map(|(s, c)| s * c).sum();
            let z = at_image(&phase.sum) + moved;
            let miss = (phase.from.min(phase.sum.now) - z).max(z - phase.to.max(phase.sum.now));
            if miss > 1e-9 {
                broken.push((miss, at));
            }
        }
        broken.sort_by(|a, b| b.0.total_cmp(&a.0));
        broken.into_iter().take(ROWS).map(|(_, at)| at).collect()
    }
}

/// A changed value; what a solver means by zero is no change.
fn value(image: f32, change: f64) -> f32 {
    if change.abs() < 1e-6 { image } else { (f64::from(image) + change) as f32 }
}

fn tangent(f: impl Fn(f64) -> f64, z: f64) -> f64 {
    let step = 1e-6 * (1.0 + z.abs());
    (f(z + step) - f(z - step)) / (2.0 * step)
}
