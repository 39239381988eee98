//! Fewer values: those that are not needed go back to the image's, and a few may be traded for one less.
//!
//! Both are decided by exact evaluations. A long list is first cut by whole prefixes, the values that matter least in
//! front, as many as a block holds at once.

use super::beam::{BeamState, FoolingInput, search_from};
use super::probe::{Probe, Spot, ValueChange};
use crate::budget::StopReason;

/// Subsets evaluated for a trade, at most.
const SUBSETS: usize = 256;
/// Changed values over which trades cost more than they find.
const MOST_TRADED: usize = 40;

/// Drops and trades until nothing helps.
///
/// # Errors
/// [`StopReason`] when the budget is used up.
pub(super) fn trim(probe: &mut Probe<'_, '_, '_>, found: FoolingInput) -> Result<FoolingInput, StopReason> {
    let mut found = drop_prefixes(probe, found)?;
    let mut size = 2;
    while size <= probe.effort().trade {
        found = drop_single(probe, found)?;
        match trade(probe, &found, size)? {
            Some(better) => {
                probe.offer(&better.spot.input)?;
                (found, size) = (better, 2);
            }
            None => size += 1,
        }
    }
    Ok(found)
}

/// Indices of the values that an input changes.
pub(super) fn changed(probe: &Probe<'_, '_, '_>, input: &[f32]) -> Vec<usize> {
    let image = probe.task.image;
    (0..image.len()).filter(|&index| image[index] != input[index]).collect()
}

/// Puts back as many values as possible at once, those with the least slope times change first.
fn drop_prefixes(probe: &mut Probe<'_, '_, '_>, mut found: FoolingInput) -> Result<FoolingInput, StopReason> {
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
        let task = probe.task;
        let answers = probe.outputs(&spots)?;
        let Some(best) = (0..spots.len())
            .rev()
            .find(|&i| answers.iter().nth(i).is_some_and(|o| task.success(o).is_some()))
        else {
            return Ok(found);
        };
        let class = answers.iter().nth(best).map_or(found.class, |outputs| task.lead(outputs).0);
        let spot = spots.into_iter().nth(best).unwrap_or(found.spot);
        if changed(probe, &spot.input).len() >= order.len() {
            return Ok(FoolingInput { spot, class });
        }
        found = FoolingInput { spot, class };
        probe.offer(&found.spot.input)?;
    }
}

/// Puts single values back, each time the one that leaves the largest lead.
fn drop_single(probe: &mut Probe<'_, '_, '_>, mut found: FoolingInput) -> Result<FoolingInput, StopReason> {
    let task = probe.task;
    loop {
        let back = |index: usize| ValueChange { parent: 0, index, value: task.image[index] };
        let back: Vec<ValueChange> = changed(probe, &found.spot.input).into_iter().map(back).collect();
        let answers = probe.after(&[&found.spot], &back)?;
        let fooling = answers.iter().zip(&back).filter(|(outputs, _)| task.success(outputs).is_some());
        let leads = fooling.map(|(outputs, &change)| (task.lead(outputs), change));
        let Some(((class, _), change)) = leads.max_by(|a, b| a.0.1.total_cmp(&b.0.1)) else {
            return Ok(found);
        };
        found = FoolingInput { spot: probe.moved(&found.spot, &[(change.index, change.value)]), class };
        probe.offer(&found.spot.input)?;
    }
}

/// An input with `size - 1` values in place of `size`: a short search from the subsets that leave the largest lead.
fn trade(
    probe: &mut Probe<'_, '_, '_>,
    found: &FoolingInput,
    size: usize,
) -> Result<Option<FoolingInput>, StopReason> {
    let values = changed(probe, &found.spot.input);
    if values.len() <= size || values.len() > MOST_TRADED {
        return Ok(None);
    }
    let (task, image) = (probe.task, probe.task.image);
    let without = subsets(probe, values.len(), size).into_iter().map(|subset| {
        let back: Vec<(usize, f32)> = subset.iter().map(|&at| (values[at], image[values[at]])).collect();
        probe.moved(&found.spot, &back)
    });
    let spots: Vec<Spot> = without.collect();
    let answers = probe.outputs(&spots)?;
    let leads = answers.iter().map(|outputs| task.toward(outputs, found.class));
    let mut ranked: Vec<(f32, Spot)> = leads.zip(spots).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let starts = probe.effort().starts;
    ranked.truncate(starts);
    let states = ranked.into_iter().map(|(_, spot)| BeamState::new(probe, spot, found.class)).collect();
    Ok(search_from(probe, states, starts, size - 1)?.into_iter().next())
}

/// Subsets of `size` of `count` places: all of them, or some at random.
fn subsets(probe: &mut Probe<'_, '_, '_>, count: usize, size: usize) -> Vec<Vec<usize>> {
    let most = SUBSETS.min(probe.effort().evaluations);
    let mut all = vec![Vec::new()];
    for _ in 0..size {
        let longer = |subset: &Vec<usize>| {
            let (subset, from) = (subset.clone(), subset.last().map_or(0, |last| last + 1));
            (from..count).map(move |next| subset.iter().copied().chain([next]).collect())
        };
        all = all.iter().flat_map(longer).collect();
        let random = &mut probe.session.random;
        while all.len() > most {
            all.swap_remove(random.below(all.len()));
        }
    }
    all
}
