//! Fewer values by a mixed-integer program: which of a few candidates change, in the activation region of a result.
//!
//! Each candidate has a switch, 0 or 1; its value may move only where the switch is on, as far as its range allows (the
//! "big M" is the room to the range's end). The lead has to stay large enough and the neurons on their pieces; what is
//! minimised is the number of switches and, among equal numbers, the sum of changes. Phases are added when a solution
//! breaks them. The solution is tried as it is and with its values at their ends; where neither fools the network, the
//! program is written anew around it.
//!
//! Most programs need not be solved: where the strongest `n - 1` candidates together do not reach the lead, no `n - 1`
//! of them do.

use super::beam::FoolingInput;
use super::local::{ChangeRow, Local, Moves};
use super::probe::Probe;
use super::trim::changed;
use crate::budget::StopReason;
use crate::lp::{LinearProgram, MipOptions, mip};

/// Candidates, with the values that are changed already.
const CANDIDATES: usize = 24;
/// Regions that are looked at one after the other.
const ROUNDS: usize = 2;
/// Times that broken phases are added to a program.
const REFINEMENTS: usize = 3;
/// Nodes of a search tree: a program takes two to ten milliseconds.
const NODES: i32 = 40;
/// The share of its objective by which a program's answer may miss the best: one switch fewer is enough.
const GAP: f64 = 0.1;
/// Changed values over which the candidates are too few.
const MOST: usize = 24;

/// A result that changes fewer values, if a program says where to look.
///
/// # Errors
/// [`StopReason`] when the budget is used up.
pub(super) fn fewer(
    probe: &mut Probe<'_, '_, '_>,
    found: &FoolingInput,
) -> Result<Option<FoolingInput>, StopReason> {
    let own = changed(probe, &found.spot.input);
    if !(2..=MOST).contains(&own.len()) {
        return Ok(None);
    }
    let (task, image) = (probe.task, probe.task.image);
    let mut around = found.clone();
    for _ in 0..ROUNDS {
        let columns = candidates(probe, &around, &own)?;
        let local = Local::around(probe, &around, &columns);
        if !is_promising(&local, own.len() - 1) {
            break;
        }
        let Some(changes) = solve(probe, &local, own.len() - 1) else { break };
        let values = local.values(&changes);
        let end = |&i: &usize, value: f32| match value.total_cmp(&image[i]) {
            std::cmp::Ordering::Less => probe.task.lower(i),
            std::cmp::Ordering::Equal => value,
            std::cmp::Ordering::Greater => probe.task.upper(i),
        };
        let moves = |value: &dyn Fn(&usize, f32) -> f32| -> Vec<(usize, f32)> {
            columns.iter().zip(&values).map(|(i, &v)| (*i, value(i, v))).collect()
        };
        let base = probe.spot(image.to_vec());
        let spots = [probe.moved(&base, &moves(&|_, v| v)), probe.moved(&base, &moves(&end))];
        let answers = probe.outputs(&spots)?;
        for (outputs, spot) in answers.iter().zip(&spots) {
            let fewer = changed(probe, &spot.input).len() < own.len();
            if fewer && task.success(outputs).is_some() && task.keeps_limits(&spot.input) {
                return Ok(Some(FoolingInput { class: task.lead(outputs).0, spot: spot.clone() }));
            }
        }
        let [_, spot] = spots;
        around = FoolingInput { spot, class: around.class };
    }
    Ok(None)
}

/// The changed values and those that promise most by their slopes, ascending.
fn candidates(
    probe: &mut Probe<'_, '_, '_>,
    around: &FoolingInput,
    own: &[usize],
) -> Result<Vec<usize>, StopReason> {
    let slopes = &probe.slopes(&[(&around.spot, around.class)])?[0];
    let task = probe.task;
    let gain = |i: usize| {
        let end = if slopes[i] > 0.0 { task.upper(i) } else { task.lower(i) };
        slopes[i] * (end - task.image[i])
    };
    let mut columns = changed(probe, &around.spot.input);
    columns.extend(own);
    columns.sort_unstable();
    columns.dedup();
    let mut rivals: Vec<usize> = (0..slopes.len()).filter(|i| columns.binary_search(i).is_err()).collect();
    let count = CANDIDATES.saturating_sub(columns.len()).min(rivals.len());
    if count < rivals.len() {
        rivals.select_nth_unstable_by(count, |&a, &b| gain(b).total_cmp(&gain(a)));
    }
    columns.extend(&rivals[..count]);
    columns.sort_unstable();
    Ok(columns)
}

/// Whether so many candidates could reach the lead if no phase stood in the way.
fn is_promising(local: &Local, count: usize) -> bool {
    let row = local.leads();
    let gain = |(s, (up, down)): (&f64, &(f64, f64))| (s * up).max(-s * down);
    let mut gains: Vec<f64> = row.slopes.iter().zip(local.rooms()).map(gain).collect();
    gains.sort_by(|a, b| b.total_cmp(a));
    gains.iter().take(count).sum::<f64>() >= row.from
}

/// The changes with the fewest switches, at most `most`, and then the least sum; `None` where there are none.
fn solve(probe: &mut Probe<'_, '_, '_>, local: &Local, most: usize) -> Option<Vec<f64>> {
    let mut held = Vec::new();
    let mut best = None;
    for _ in 0..REFINEMENTS {
        probe.session.spent.programs += 1;
        let (program, moves) = write(local, most, &held);
        let budget = probe.session.budget;
        let options = MipOptions {
            time_limit: budget.remaining(),
            node_limit: Some(NODES),
            relative_gap: GAP,
            ..MipOptions::default()
        };
        let run = mip::solve_under(budget, &program, &options, None).ok()?;
        let Some(solution) = run.outcome.solution() else { return best };
        let changes = moves.changes(&solution.values);
        let broken = local.broken(&held, &changes);
        best = Some(changes);
        if broken.is_empty() {
            break;
        }
        held.extend(broken);
    }
    best
}

/// The program with the phases that are held.
fn write(local: &Local, most: usize, held: &[usize]) -> (LinearProgram, Moves) {
    let mut program = LinearProgram::minimise();
    // All changes together cost less than one switch.
    let range: f64 = local.rooms().iter().map(|(up, down)| up.max(*down)).sum();
    let cost = 0.5 / range.max(1e-9);
    let moves = Moves::new(&mut program, local, &vec![cost; local.rooms().len()]);
    let switches: Vec<_> = local.rooms().iter().map(|_| program.binary(1.0)).collect();
    for (j, &(up, down)) in local.rooms().iter().enumerate() {
        program.at_most([(moves.up[j], 1.0), (switches[j], -up)], 0.0);
        program.at_most([(moves.down[j], 1.0), (switches[j], -down)], 0.0);
    }
    program.at_most(switches.iter().map(|&switch| (switch, 1.0)), most as f64);
    let add = |program: &mut LinearProgram, row: &ChangeRow<'_>| {
        program.row(row.from, moves.terms(row), row.to);
    };
    add(&mut program, &local.leads());
    for &at in held {
        add(&mut program, &local.phase(at));
    }
    (program, moves)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::methods::patch_strong::best::fewest;
    use crate::attack::methods::patch_strong::front::Front;
    use crate::attack::testing::{class, image, mlp};
    use crate::attack::{Confidence, Limits, Session, TargetClasses, Task};
    use crate::budget::Budget;
    use crate::lp::{LpOptions, LpOutcome, Solver};
    use crate::random::Random;

    /// Tries all sets of at most `most` columns, the small ones first: the least sum of changes that keeps all phases.
    fn by_enumeration(local: &Local, most: usize) -> Option<(usize, f64)> {
        let count = local.rooms().len();
        let solve = |set: u32| {
            let mut program = LinearProgram::minimise();
            let moves = Moves::new(&mut program, local, &vec![1.0; count]);
            for j in (0..count).filter(|j| set & (1 << j) == 0) {
                program.set_bounds(moves.up[j], 0.0, 0.0).unwrap();
                program.set_bounds(moves.down[j], 0.0, 0.0).unwrap();
            }
            let rows = [local.leads()].into_iter().chain((0..local.phases()).map(|at| local.phase(at)));
            rows.for_each(|row| {
                program.row(row.from, moves.terms(&row), row.to);
            });
            match Solver::new(&program, &LpOptions::default()).unwrap().solve().unwrap() {
                LpOutcome::Optimal(solution) => Some(solution.objective),
                _ => None,
            }
        };
        (0..=most as u32).find_map(|size| {
            let sets = (0..1u32 << count).filter(|set| set.count_ones() == size);
            sets.filter_map(solve).min_by(f64::total_cmp).map(|sum| (size as usize, sum))
        })
    }

    /// The program's answer on ten columns around the image with its first columns at an end.
    fn check(seed: u64, moved: usize) -> bool {
        let victim = mlp(&[10, 7, 6, 3], seed);
        let (front, original) = (Front::new(&victim.double), image(&victim, seed));
        let (limits, label) = (Limits::none(), class(&victim, &original));
        let task = Task {
            victim: &victim,
            image: &original,
            label,
            limits: &limits,
            targets: TargetClasses::All,
            confidence: Confidence::Picture,
        };
        let budget = Budget::unlimited();
        let mut session = Session::new(&victim.network, &budget, Random::new(1));
        let mut probe = Probe::new(&task, &mut session, front.as_ref(), 64, fewest);
        let ends: Vec<(usize, f32)> =
            (0..moved).map(|i| (i, f32::from(u8::from(original[i] < 0.5)))).collect();
        let spot = probe.moved(&probe.spot(original.clone()), &ends);
        let around = FoolingInput { spot, class: (label + 1) % 3 };
        let local = Local::around(&probe, &around, &(0..10).collect::<Vec<usize>>());
        let expected = by_enumeration(&local, 6);
        // All phases stand in the program, as in the enumeration.
        let held: Vec<usize> = (0..local.phases()).collect();
        let (program, moves) = write(&local, 6, &held);
        let solution = mip::solve(&program, &MipOptions::default()).unwrap().solution();
        let own = solution.map(|solution| {
            let changes = moves.changes(&solution.values);
            let count = changes.iter().filter(|change| change.abs() > 1e-6).count();
            (count, changes.iter().map(|change| change.abs()).sum::<f64>())
        });
        match (own, expected) {
            (Some(own), Some(expected)) => {
                assert_eq!(own.0, expected.0, "network {seed}, {moved} moved");
                assert!((own.1 - expected.1).abs() < 1e-5, "network {seed}: {own:?} and {expected:?}");
                assert!(is_promising(&local, own.0), "what can be done is not left out");
                let lazily = solve(&mut probe, &local, 6).map(|changes| local.broken(&[], &changes).len());
                assert_eq!(lazily, Some(0), "the phases added one by one are enough");
            }
            (own, expected) => assert_eq!(own, expected, "network {seed}, {moved} moved"),
        }
        expected.is_some()
    }

    #[test]
    fn the_program_changes_as_few_values_as_trying_all_sets() {
        let cases = (0..12).flat_map(|seed| [0, 2, 4, 7].map(|moved| (seed, moved)));
        let answers: Vec<bool> = cases.map(|(seed, moved)| check(seed, moved)).collect();
        let with = answers.iter().filter(|&&with| with).count();
        assert!(with >= 4 && answers.len() - with >= 4, "{with} of {} have an answer", answers.len());
    }
}
