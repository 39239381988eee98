//! The fewest changed weights.
//!
//! First the smallest sum of changes, which is sparse already (never more weights than rows hold at once). Then each
//! change costs what the last one says, `1 / (|ε| + δ)`, so that small changes become dear and vanish (Candès, Wakin
//! and Boyd, "Enhancing sparsity by reweighted ℓ1 minimization", 2008). Then, in the phases found, a mixed-integer
//! program with a binary for each weight looks for fewer still. At the end the sum of changes is minimised over the
//! weights that are left.

use super::encode::{Encoded, PatchQuery};
use super::search::{self, BestPatch, Single};
use super::walk::{Landing, SettingWalker};
use super::{Change, ChangeNorm};
use crate::budget::{Budget, StopReason};
use crate::lp::{ColumnId, LpError, MipOptions, MipOutcome, mip};
use crate::random::Random;

/// Reweightings from one δ to the next smaller.
const ROUNDS: usize = 8;
/// Binaries that the mixed-integer program may have: beyond, HiGHS finds nothing in seconds.
const MOST_BINARIES: usize = 600;
/// Without a limit of the user's, the mixed-integer program lets each weight change by this many times the largest
/// change known.
const REACH: f64 = 20.0;

/// Looks for the fewest changed weights of the query's first layer.
pub(crate) fn fewest(
    query: &PatchQuery<'_>,
    patience: usize,
    random: &mut Random,
    budget: &Budget,
) -> Result<Single, LpError> {
    let total = PatchQuery { norm: ChangeNorm::Total, ..*query };
    let Ok(encoded) = total.encode() else { return Ok(Single::NotFound(StopReason::Exhausted)) };
    let part = budget.remaining().map_or(std::time::Duration::MAX, |left| left / 2);
    let mut best = match search::smallest(&total, &encoded, patience, random, &budget.slice(part))? {
        Single::Found(best) => best,
        other => return Ok(other),
    };
    let count = best.changes.len();
    best.objective = count as f64;
    // Zero or one change cannot be undercut by a search.
    best.optimal = count <= 1;
    if count > 1 {
        reweight(&encoded, &mut best, budget)?;
        best.optimal = best.changes.len() <= 1;
    }
    if best.changes.len() > 1 {
        fewer(query, &encoded, &mut best, budget)?;
    }
    Ok(Single::Found(best))
}

/// Makes small changes dear until they vanish.
pub(crate) fn reweight(encoded: &Encoded, best: &mut BestPatch, budget: &Budget) -> Result<(), LpError> {
    let mut walker = SettingWalker::new(encoded)?;
    let mut setting = best.setting.clone();
    let mut moved: Vec<f64> = match walker.walk(&setting, false, budget)? {
        Ok(Some(landing)) => sizes(encoded, &landing.solution.values),
        _ => return Ok(()),
    };
    for round in 0..ROUNDS {
        let largest = moved.iter().copied().fold(0.0, f64::max);
        let delta = largest * 10f64.powi(-1 - round as i32 / 2);
        for (&(rise, fall), size) in encoded.moves.iter().zip(&moved) {
            let cost = largest / (size + delta);
            walker.set_cost(rise, cost)?;
            walker.set_cost(fall, cost)?;
        }
        let Ok(Some(Landing { setting: at, solution })) = walker.walk(&setting, false, budget)? else {
            break;
        };
        moved = sizes(encoded, &solution.values);
        let changes = encoded.changes(&solution.values);
        setting = at;
        if changes.len() < best.changes.len() {
            *best = BestPatch {
                objective: changes.len() as f64,
                changes,
                setting: setting.clone(),
                optimal: false,
            };
        }
    }
    settle(encoded, best, budget)
}

fn sizes(encoded: &Encoded, values: &[f64]) -> Vec<f64> {
    encoded.moves.iter().map(|(rise, fall)| (values[rise.index()] - values[fall.index()]).abs()).collect()
}

/// The least sum of changes over the weights that are changed, in the best repair's setting.
fn settle(encoded: &Encoded, best: &mut BestPatch, budget: &Budget) -> Result<(), LpError> {
    let mut support = encoded.clone();
    for (lever, &(rise, fall)) in encoded.moves.iter().enumerate() {
        if !best.changes.iter().any(|change| encoded.moves_weight(lever, change)) {
            support.switched.program.set_bounds(rise, 0.0, 0.0)?;
            support.switched.program.set_bounds(fall, 0.0, 0.0)?;
        }
    }
    if let Ok(Some(Landing { setting, solution })) =
        SettingWalker::new(&support)?.walk(&best.setting, false, budget)?
    {
        let changes = encoded.changes(&solution.values);
        if changes.len() <= best.changes.len() {
            *best = BestPatch { objective: changes.len() as f64, changes, setting, optimal: best.optimal };
        }
    }
    Ok(())
}

/// Fewer changes in the same setting, by a mixed-integer program.
fn fewer(
    query: &PatchQuery<'_>,
    encoded: &Encoded,
    best: &mut BestPatch,
    budget: &Budget,
) -> Result<(), LpError> {
    if encoded.moves.len() > MOST_BINARIES {
        return Ok(());
    }
    let largest = best.changes.iter().map(|change| change.by.abs()).fold(0.0, f64::max);
    let reach = query.limit.min(REACH * largest);
    let mut program = encoded.switched.fixed(&best.setting);
    let mut used: Vec<ColumnId> = Vec::new();
    for &(rise, fall) in &encoded.moves {
        program.set_cost(rise, 0.0)?;
        program.set_cost(fall, 0.0)?;
        let is_used = program.binary(1.0);
        program.at_most([(rise, 1.0), (fall, 1.0), (is_used, -reach)], 0.0);
        used.push(is_used);
    }
    program.at_most(used.into_iter().map(|column| (column, 1.0)), best.objective - 1.0);
    let options = MipOptions { time_limit: budget.remaining(), ..MipOptions::default() };
    let outcome = mip::solve(&program, &options)?;
    let proved = matches!(outcome, MipOutcome::Optimal(_) | MipOutcome::Infeasible);
    if let Some(solution) = outcome.solution() {
        let changes: Vec<Change> = encoded.changes(&solution.values);
        if changes.len() < best.changes.len() {
            *best = BestPatch { objective: changes.len() as f64, changes, ..best.clone() };
            settle(encoded, best, budget)?;
        }
    }
    // Other settings were not looked at, and beyond the reach nothing is known.
    best.optimal |= proved && encoded.switched.switches.is_empty() && reach == query.limit;
    Ok(())
}
