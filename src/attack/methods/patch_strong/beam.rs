//! Several greedy searches side by side: every state of a beam is the image with some values at an end of their range.
//!
//! A step evaluates, for each state, the single changes that promise most by the slopes, exactly and in blocks; the
//! best children of each aimed-at class go on. The first step tries every value at both ends, where the network is
//! small enough: slopes miss what lies behind a bend. The first step at which an input fools the network ends the
//! search, with all the results of that step: they change equally many values and differ in how far.

use std::collections::HashSet;

use super::probe::{Probe, Spot, ValueChange};
use super::trim;
use crate::budget::StopReason;

/// Results handed on.
const RESULTS: usize = 12;

/// An input that fools the network.
#[derive(Debug, Clone)]
pub(super) struct FoolingInput {
    pub(super) spot: Spot,
    /// The class that it leads to.
    pub(super) class: usize,
}

/// A point of a search: an input with the class that it aims at.
pub(super) struct BeamState {
    spot: Spot,
    /// Indices of the changed values, ascending.
    changed: Vec<usize>,
    aim: usize,
}

impl BeamState {
    /// The image itself, or a result without some of its changes.
    pub(super) fn new(probe: &Probe<'_, '_, '_>, spot: Spot, aim: usize) -> Self {
        Self { changed: trim::changed(probe, &spot.input), spot, aim }
    }
}

/// A state with one more change, not yet made.
struct BeamChild {
    change: ValueChange,
    /// Of the parent's class, or of the class that it leads to.
    class: usize,
    lead: f32,
}

impl BeamChild {
    fn made(&self, probe: &Probe<'_, '_, '_>, states: &[BeamState]) -> Spot {
        let ValueChange { parent, index, value } = self.change;
        probe.moved(&states[parent].spot, &[(index, value)])
    }
}

/// Searches from the image towards each class; what is found changes the same number of values, at most `most`.
///
/// # Errors
/// [`StopReason`] when the budget is used up.
pub(super) fn search(
    probe: &mut Probe<'_, '_, '_>,
    aims: &[usize],
    most: usize,
) -> Result<Vec<FoolingInput>, StopReason> {
    let start = probe.spot(probe.task.image.to_vec());
    let width = probe.effort().width;
    let states = aims.iter().map(|&aim| BeamState::new(probe, start.clone(), aim)).collect();
    search_from(probe, states, width, most)
}

/// Searches from some states at once, at most so many steps, and keeps so many states for each class.
///
/// # Errors
/// [`StopReason`] when the budget is used up.
pub(super) fn search_from(
    probe: &mut Probe<'_, '_, '_>,
    mut states: Vec<BeamState>,
    width: usize,
    steps: usize,
) -> Result<Vec<FoolingInput>, StopReason> {
    let mut aims: Vec<usize> = states.iter().map(|state| state.aim).collect();
    aims.sort_unstable();
    aims.dedup();
    for step in 0..steps {
        let (children, results) = expand(probe, &states)?;
        let found = accepted(probe, &states, results);
        if !found.is_empty() || step + 1 == steps {
            return Ok(found);
        }
        states = select(probe, &states, children, &aims, width);
        if states.is_empty() {
            break;
        }
    }
    Ok(Vec::new())
}

/// All children that are evaluated, and those that fool the network.
fn expand(
    probe: &mut Probe<'_, '_, '_>,
    states: &[BeamState],
) -> Result<(Vec<BeamChild>, Vec<BeamChild>), StopReason> {
    let task = probe.task;
    let evaluations = probe.effort().evaluations;
    let asked: Vec<(&Spot, usize)> = states.iter().map(|state| (&state.spot, state.aim)).collect();
    let slopes = probe.slopes(&asked)?;
    let each = evaluations / states.len().max(1);
    let parts = states.iter().zip(&slopes).enumerate();
    let changes: Vec<ValueChange> = parts
        .flat_map(|(parent, (state, slopes))| candidates(probe, (parent, state), slopes, each))
        .collect();
    let parents: Vec<&Spot> = states.iter().map(|state| &state.spot).collect();
    let answers = probe.after(&parents, &changes)?;
    let (mut children, mut results) = (Vec::with_capacity(changes.len()), Vec::new());
    for (outputs, &change) in answers.iter().zip(&changes) {
        let state = &states[change.parent];
        let (class, best) = task.lead(outputs);
        if task.success(outputs).is_some() {
            let saved = spare(probe, state, &slopes[change.parent], change, best);
            results.push(BeamChild { change, class, lead: saved });
        }
        let lead = task.toward(outputs, state.aim);
        children.push(BeamChild { change, class: state.aim, lead });
    }
    Ok((children, results))
}

/// The changes of one more value that are tried: every value at both ends where that fits, else the most promising.
fn candidates(
    probe: &Probe<'_, '_, '_>,
    (parent, state): (usize, &BeamState),
    slopes: &[f32],
    most: usize,
) -> Vec<ValueChange> {
    let task = probe.task;
    let x = |index: usize| state.spot.input[index];
    let free = |index: &usize| state.changed.binary_search(index).is_err();
    let change = |index: usize, value: f32| ValueChange { parent, index, value };
    if 2 * slopes.len() <= most {
        let ends = |index: usize| [change(index, task.lower(index)), change(index, task.upper(index))];
        let all = (0..slopes.len()).filter(free).flat_map(ends);
        return all.filter(|change| change.value != x(change.index)).collect();
    }
    let way = |index: usize| if slopes[index] > 0.0 { task.upper(index) } else { task.lower(index) };
    let mut gains: Vec<(f32, usize)> = Vec::with_capacity(slopes.len());
    for index in 0..slopes.len() {
        let gain = slopes[index] * (way(index) - x(index));
        if gain > 0.0 {
            gains.push((gain, index));
        }
    }
    let most = most + state.changed.len();
    if gains.len() > most {
        gains.select_nth_unstable_by(most, |a, b| b.0.total_cmp(&a.0));
        gains.truncate(most);
    }
    let indices = gains.into_iter().map(|(_, index)| index).filter(free);
    indices.map(|index| change(index, way(index))).collect()
}

/// How short a result's change may become, to first order, as a negative length: what its lead spares is taken off the
/// values whose slopes are lowest.
fn spare(
    probe: &Probe<'_, '_, '_>,
    state: &BeamState,
    slopes: &[f32],
    change: ValueChange,
    lead: f32,
) -> f32 {
    let task = probe.task;
    let own = |&index: &usize| (index, state.spot.input[index]);
    let values = state.changed.iter().map(own).chain([(change.index, change.value)]);
    let of_pixel = |index: usize| slopes[index] * task.victim.unit[index];
    let mut moves: Vec<(f32, f32)> =
        values.map(|(index, x)| (of_pixel(index).abs().max(1e-9), task.moved(index, x) as f32)).collect();
    moves.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut left, mut length) = (lead, 0.0);
    for (slope, size) in moves {
        let off = size.min(left / slope);
        left -= off * slope;
        length += size - off;
    }
    -length
}

/// The results that keep the limits, those that may become shortest first.
fn accepted(
    probe: &Probe<'_, '_, '_>,
    states: &[BeamState],
    mut results: Vec<BeamChild>,
) -> Vec<FoolingInput> {
    results.sort_by(|a, b| b.lead.total_cmp(&a.lead));
    let made = |child: &BeamChild| {
        let spot = child.made(probe, states);
        FoolingInput { spot, class: child.class }
    };
    let mut seen = HashSet::new();
    let fresh = |child: &&BeamChild| seen.insert(changed(&states[child.change.parent], child.change.index));
    let kept = |found: &FoolingInput| probe.task.keeps_limits(&found.spot.input);
    results.iter().filter(fresh).map(made).filter(kept).take(RESULTS).collect()
}

/// The states of the next step: for each class the children with the largest lead, no set of values twice.
fn select(
    probe: &Probe<'_, '_, '_>,
    states: &[BeamState],
    mut children: Vec<BeamChild>,
    aims: &[usize],
    width: usize,
) -> Vec<BeamState> {
    children.sort_by(|a, b| b.lead.total_cmp(&a.lead));
    let mut next = Vec::new();
    for &aim in aims {
        let mut seen = HashSet::new();
        let state = |child: &BeamChild| {
            let changed = changed(&states[child.change.parent], child.change.index);
            if !seen.insert(changed.clone()) {
                return None;
            }
            let spot = child.made(probe, states);
            probe.task.keeps_limits(&spot.input).then_some(BeamState { spot, changed, aim })
        };
        next.extend(children.iter().filter(|child| child.class == aim).filter_map(state).take(width));
    }
    next
}

/// A state's changed values with one more.
fn changed(state: &BeamState, index: usize) -> Vec<usize> {
    let mut changed = state.changed.clone();
    let at = changed.partition_point(|&other| other < index);
    changed.insert(at, index);
    changed
}
