//! The least sum of changes within the activation region of an input that fools the network.
//!
//! In its region the network is affine in the inputs, so the least `Σ cost_i |x_i − image_i|` that keeps the lead is a
//! linear program. The rows that hold neurons on their pieces are added when a solution breaks them, most never are.
//!
//! A program is solved at most [`ROUNDS`] times, each time in the region of the last result.

use super::beam::FoolingInput;
use super::local::{Local, Moves};
use super::probe::{Probe, Spot};
use crate::budget::StopReason;
use crate::lp::{LinearProgram, LpOptions, LpOutcome, Solver};

/// Regions that are looked at one after the other.
const ROUNDS: usize = 3;
/// Times that broken phases are added to a program.
const REFINEMENTS: usize = 6;
/// Points between a program's solution and the input it started from.
const STEPS: usize = 15;

/// Shortens the change over these values: `Σ cost · |change|`, in pixels, falls, or the input stays. The cost is one of
/// the change of the result so far.
///
/// # Errors
/// [`StopReason`] when the budget is used up.
pub(super) fn shorten(
    probe: &mut Probe<'_, '_, '_>,
    mut found: FoolingInput,
    columns: &[usize],
    cost: impl Fn(f64) -> f64,
) -> Result<FoolingInput, StopReason> {
    for _ in 0..ROUNDS {
        let task = probe.task;
        let cost = |&i: &usize| task.victim.in_pixels(i, cost(task.moved(i, found.spot.input[i])));
        let costs: Vec<f64> = columns.iter().map(cost).collect();
        let local = Local::around(probe, &found, columns);
        let Some(point) = solve(probe, &local, &costs) else { break };
        let Some(better) = closest(probe, &found, columns, &point)? else { break };
        let length = |found: &FoolingInput| -> f64 {
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

/// The point closest to a proposal, on the way there, that fools the network.
///
/// # Errors
/// [`StopReason`] when the budget is used up.
pub(super) fn closest(
    probe: &mut Probe<'_, '_, '_>,
    found: &FoolingInput,
    columns: &[usize],
    point: &[f32],
) -> Result<Option<FoolingInput>, StopReason> {
    let between = |share: f32| {
        let change = |(&index, &to): (&usize, &f32)| {
            let from = found.spot.input[index];
            let value = if share == 1.0 { to } else { from + share * (to - from) };
            (index, probe.task.clip(index, value))
        };
        let changes: Vec<(usize, f32)> = columns.iter().zip(point).map(change).collect();
        probe.moved(&found.spot, &changes)
    };
    let spots: Vec<Spot> = (1..=STEPS).rev().map(|step| between(step as f32 / STEPS as f32)).collect();
    let task = probe.task;
    let answers = probe.outputs(&spots)?;
    for (outputs, spot) in answers.iter().zip(spots) {
        if task.success(outputs).is_some() && task.keeps_limits(&spot.input) {
            return Ok(Some(FoolingInput { class: task.lead(outputs).0, spot }));
        }
    }
    Ok(None)
}

/// The columns' values with the least cost that keep the lead.
fn solve(probe: &mut Probe<'_, '_, '_>, local: &Local, costs: &[f64]) -> Option<Vec<f32>> {
    let mut program = LinearProgram::minimise();
    let moves = Moves::new(&mut program, local, costs);
    let row = local.keeps_lead();
    program.at_least(moves.terms(&row), row.from);
    let options = LpOptions { time_limit: probe.session.budget.remaining(), ..LpOptions::default() };
    let mut solver = Solver::new(&program, &options).ok()?;
    solver.obey(probe.session.budget).ok()?;
    let (mut held, mut best) = (Vec::new(), None);
    for _ in 0..REFINEMENTS {
        probe.session.spent.programs += 1;
        let Ok(LpOutcome::Optimal(solution)) = solver.solve() else { return best };
        let changes = moves.changes(&solution.values);
        best = Some(local.values(&changes));
        let broken = local.broken(&held, &changes);
        if broken.is_empty() {
            break;
        }
        for at in broken {
            held.push(at);
            let row = local.phase(at);
            solver.add_row(row.from, moves.terms(&row), row.to).ok()?;
        }
    }
    best
}
