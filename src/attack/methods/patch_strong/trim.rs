//! Fewer values: those that are not needed go back to the image's, and two may be traded for one.
//!
//! Both are decided by exact evaluations. A long list is first cut by whole prefixes, the values that matter least in
//! front, as many as a block holds at once.

use super::beam::Found;
use super::probe::{Probe, Spot, fools, lead};
use crate::budget::StopReason;

/// Pairs for which a trade is tried.
const PAIRS: usize = 64;
/// Values tried in place of a pair, by slope.
const TRIED: usize = 64;
/// Changed values over which trades cost more than they find.
const MOST_TRADED: usize = 40;

/// Drops and trades until nothing helps.
///
/// # Errors
/// [`StopReason`] when the budget is used up.
pub(super) fn trim(probe: &mut Probe<'_, '_, '_>, found: Found) -> Result<Found, StopReason> {
    let mut found = drop_prefixes(probe, found)?;
    loop {
        found = drop_single(probe, found)?;
        match trade(probe, &found)? {
            Some(better) => found = better,
            None => return Ok(found),
        }
    }
}

/// Indices of the values that an input changes.
pub(super) fn changed(probe: &Probe<'_, '_, '_>, input: &[f32]) -> Vec<usize> {
    let image = probe.task.image;
    (0..image.len()).filter(|&index| image[index] != input[index]).collect()
}

/// Puts back as many values as possible at once, those with the least slope times change first.
fn drop_prefixes(probe: &mut Probe<'_, '_, '_>, mut found: Found) -> Result<Found, StopReason> {
    loop {
        let values = changed(probe, &found.spot.input);
        if values.len() < 2 * MOST_TRADED {
            return Ok(found);
        }
        let slopes = &probe.slopes(&[(&found.spot, found.class)])?[0];
        let image = probe.task.image;
        let worth = |&index: &usize| slopes[index] * (found.spot.input[index] - image[index]);
        let mut order = values;
        order.sort_by(|a, b| worth(a).total_cmp(&worth(b)));
        let back: Vec<(usize, f32)> = order.iter().map(|&index| (index, image[index])).collect();
        let steps = probe.lanes().max(16);
        let lengths = (1..=steps).map(|step| back.len() * step / (steps + 1));
        let spots: Vec<Spot> = lengths.map(|length| probe.moved(&found.spot, &back[..length])).collect();
        let label = probe.task.label;
        let answers = probe.outputs(&spots)?;
        let Some(best) =
            (0..spots.len()).rev().find(|&i| answers.iter().nth(i).is_some_and(|o| fools(o, label)))
        else {
            return Ok(found);
        };
        let class = answers.iter().nth(best).map_or(found.class, |outputs| lead(outputs, label).0);
        let spot = spots.into_iter().nth(best).unwrap_or(found.spot);
        if changed(probe, &spot.input).len() >= order.len() {
            return Ok(Found { spot, class });
        }
        found = Found { spot, class };
    }
}

/// Puts single values back, each time the one that leaves the largest lead.
fn drop_single(probe: &mut Probe<'_, '_, '_>, mut found: Found) -> Result<Found, StopReason> {
    let label = probe.task.label;
    loop {
        let back: Vec<(usize, f32)> =
            changed(probe, &found.spot.input).into_iter().map(|i| (i, probe.task.image[i])).collect();
        let answers = probe.after(&found.spot, &back)?;
        let fooling = answers.iter().zip(&back).filter(|(outputs, _)| fools(outputs, label));
        let leads = fooling.map(|(outputs, &change)| (lead(outputs, label), change));
        let Some(((class, _), change)) = leads.max_by(|a, b| a.0.1.total_cmp(&b.0.1)) else {
            return Ok(found);
        };
        found = Found { spot: probe.moved(&found.spot, &[change]), class };
    }
}

/// An input with one value in place of two.
fn trade(probe: &mut Probe<'_, '_, '_>, found: &Found) -> Result<Option<Found>, StopReason> {
    let values = changed(probe, &found.spot.input);
    if values.len() < 3 || values.len() > MOST_TRADED {
        return Ok(None);
    }
    let (task, label) = (probe.task, probe.task.label);
    let without = pairs(probe, found, &values)?;
    let asked: Vec<(&Spot, usize)> = without.iter().map(|spot| (spot, found.class)).collect();
    let slopes = probe.slopes(&asked)?;
    for (spot, slopes) in without.iter().zip(&slopes) {
        let way = |index: usize| if slopes[index] > 0.0 { task.upper(index) } else { task.lower(index) };
        let gain = |index: usize| slopes[index] * (way(index) - spot.input[index]);
        let mut order: Vec<usize> = (0..slopes.len()).filter(|&i| spot.input[i] == task.image[i]).collect();
        if order.len() > TRIED {
            order.select_nth_unstable_by(TRIED, |&a, &b| gain(b).total_cmp(&gain(a)));
            order.truncate(TRIED);
        }
        let changes: Vec<(usize, f32)> = order.into_iter().map(|index| (index, way(index))).collect();
        for (outputs, &change) in probe.after(spot, &changes)?.iter().zip(&changes) {
            if fools(outputs, label) {
                let better = Found { spot: probe.moved(spot, &[change]), class: lead(outputs, label).0 };
                if task.keeps_limits(&better.spot.input) {
                    return Ok(Some(better));
                }
            }
        }
    }
    Ok(None)
}

/// The input without each pair of its changed values: the pairs whose loss leaves the largest lead.
fn pairs(probe: &mut Probe<'_, '_, '_>, found: &Found, values: &[usize]) -> Result<Vec<Spot>, StopReason> {
    let image = probe.task.image;
    let pair =
        |(at, &a): (usize, &usize)| values[at + 1..].iter().map(move |&b| [(a, image[a]), (b, image[b])]);
    let all = values.iter().enumerate().flat_map(pair);
    let spots: Vec<Spot> = all.map(|pair| probe.moved(&found.spot, &pair)).collect();
    let answers = probe.outputs(&spots)?;
    let label = probe.task.label;
    let leads = answers.iter().map(|outputs| lead(outputs, label).1);
    let mut ranked: Vec<(f32, Spot)> = leads.zip(spots).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    Ok(ranked.into_iter().take(PAIRS).map(|(_, spot)| spot).collect())
}
