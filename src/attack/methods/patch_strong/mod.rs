//! The strong form of the paper's idea: few values, and they change little.
//!
//! The paper (Khan, Madhukar, Sharma, Section V) looks for a change of the first layer's sums and then for few pixels
//! that produce it. Here the pixels come first, by exact evaluation, and the programs of the paper's second half
//! shorten what is found:
//! 1. `beam`: greedy searches side by side over values at their ends, by class;
//! 2. where they fail, `anchors`: inputs that the network is known to classify otherwise;
//! 3. `trim`: values that are not needed go back, two are traded for one;
//! 4. `region`: the least sum of changes in the activation region, over the values that are left and, with
//!    re-weighted costs, over those and their rivals.
//!
//! The result has the fewest values found; among equals the least sum of changes. Everything is evaluated through a
//! `probe`, which knows a fast path for fully connected networks. `patch-strong-l2` and `patch-strong-linf` look for
//! the `nearest` input by another length and leave out what makes it sparse.

mod anchors;
mod beam;
mod front;
mod nearest;
mod probe;
mod region;
#[cfg(test)]
mod tests;
mod trim;

use super::{Method, NotUsable, Outcome, Preparation};
use crate::attack::{Session, Task};
use crate::budget::StopReason;
use anchors::Others;
use beam::Found;
use front::Front;
use nearest::Norm;
use probe::Probe;

/// Values that a beam may change before anchors are asked.
const MOST_STEPS: usize = 48;
/// Rivals of the changed values in the re-weighted programs.
const RIVALS: usize = 48;
/// Results of the beam that are shortened.
const SHORTENED: usize = 6;
/// A change of this share of the valid range counts half in the re-weighted programs.
const HALF: f64 = 0.1;

/// What is to be small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aim {
    /// The number of changed values, then the sum of changes.
    Sparse,
    /// A length of the change.
    Near(Norm),
}

struct PatchStrong {
    aim: Aim,
    front: Option<Front>,
    others: Others,
}

/// Makes `patch-strong`.
pub fn make(run: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    with(run, Aim::Sparse)
}

/// Makes `patch-strong-l2`.
pub fn make_l2(run: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    with(run, Aim::Near(Norm::Euclidean))
}

/// Makes `patch-strong-linf`.
pub fn make_linf(run: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    with(run, Aim::Near(Norm::Largest))
}

fn with(run: &Preparation<'_>, aim: Aim) -> Result<Box<dyn Method>, NotUsable> {
    let front = Front::new(&run.victim.double);
    Ok(Box::new(PatchStrong { aim, front, others: Others::of(run) }))
}

impl Method for PatchStrong {
    fn attack(&self, task: &Task<'_>, session: &mut Session<'_>) -> Outcome {
        let mut best = None;
        let mut probe = Probe::new(task, session, self.front.as_ref());
        let ended = match self.aim {
            Aim::Sparse => self.sparse(&mut probe, &mut best),
            Aim::Near(norm) => nearest::search(&mut probe, &self.others, norm, &mut best),
        };
        match (best, ended) {
            (Some(input), _) => Outcome::Adversarial(input),
            (None, Ok(())) => Outcome::GaveUp,
            (None, Err(reason)) => Outcome::Stopped(reason),
        }
    }
}

impl PatchStrong {
    /// Leaves the best result in `best`, also where the budget ends first.
    fn sparse(&self, probe: &mut Probe<'_, '_, '_>, best: &mut Option<Vec<f32>>) -> Result<(), StopReason> {
        let aims = probe.task.aims(probe.session.outputs(probe.task.image)?);
        let mut results = beam::search(probe, &aims, MOST_STEPS)?;
        if results.is_empty() {
            results = self.others.anchors(probe)?;
        }
        for found in results.iter().take(1) {
            keep(probe, found, best)?;
        }
        let mut trimmed: Vec<Found> = Vec::new();
        for found in results.into_iter().take(SHORTENED) {
            let fewest = trimmed.first().map_or(usize::MAX, |first| values(probe, first));
            // Trades cost most: results of one beam are alike, only the first is traded.
            let found = if trimmed.is_empty() { trim::trim(probe, found)? } else { found };
            if values(probe, &found) <= fewest {
                keep(probe, &found, best)?;
                trimmed.push(found);
            }
        }
        let fewest = trimmed.iter().map(|found| values(probe, found)).min().unwrap_or(0);
        let mut shortened = Vec::new();
        for found in
            trimmed.into_iter().filter(|found| values(probe, found) == fewest).collect::<Vec<Found>>()
        {
            let columns = trim::changed(probe, &found.spot.input);
            let short = region::shorten(probe, found, &columns, |_, _| 1.0)?;
            keep(probe, &short, best)?;
            shortened.push(short);
        }
        let length = |found: &Found| sum(probe.task.image, &found.spot.input);
        let shortest = shortened.into_iter().min_by(|a, b| length(a).total_cmp(&length(b)));
        match shortest {
            Some(found) if values(probe, &found) > 1 => rivals(probe, found, best),
            _ => Ok(()),
        }
    }
}

/// The re-weighted programs: small changes cost more, so that they end at zero and their work is done by others.
fn rivals(
    probe: &mut Probe<'_, '_, '_>,
    found: Found,
    best: &mut Option<Vec<f32>>,
) -> Result<(), StopReason> {
    let slopes = &probe.slopes(&[(&found.spot, found.class)])?[0];
    let mut columns = trim::changed(probe, &found.spot.input);
    let own = columns.len();
    let task = probe.task;
    let room = |i: usize| if slopes[i] > 0.0 { task.upper(i) } else { task.lower(i) } - task.image[i];
    let mut rivals: Vec<usize> = (0..slopes.len()).filter(|i| columns.binary_search(i).is_err()).collect();
    let count = RIVALS.min(rivals.len());
    if count < rivals.len() {
        rivals
            .select_nth_unstable_by(count, |&a, &b| (slopes[b] * room(b)).total_cmp(&(slopes[a] * room(a))));
    }
    columns.extend(&rivals[..count]);
    let range = |i: usize| f64::from(task.victim.upper[i] - task.victim.lower[i]);
    let cost = |i: usize, change: f32| 1.0 / (HALF + f64::from(change) / range(i).max(1e-9));
    let other = region::shorten(probe, found, &columns, cost)?;
    if values(probe, &other) <= own + 2 {
        let other = trim::trim(probe, other)?;
        let columns = trim::changed(probe, &other.spot.input);
        let other = region::shorten(probe, other, &columns, |_, _| 1.0)?;
        keep(probe, &other, best)?;
    }
    Ok(())
}

/// Number of changed values.
fn values(probe: &Probe<'_, '_, '_>, found: &Found) -> usize {
    trim::changed(probe, &found.spot.input).len()
}

/// The sum of changes.
fn sum(image: &[f32], input: &[f32]) -> f64 {
    image.iter().zip(input).map(|(a, b)| f64::from((a - b).abs())).sum()
}

/// Keeps a result that is better than the best one: fewer values, then a smaller sum of changes.
fn keep(probe: &mut Probe<'_, '_, '_>, found: &Found, best: &mut Option<Vec<f32>>) -> Result<(), StopReason> {
    let image = probe.task.image;
    let count = |input: &[f32]| image.iter().zip(input).filter(|(a, b)| a != b).count();
    let worth = |input: &[f32]| (count(input), sum(image, input));
    let better = best.as_ref().is_none_or(|best| worth(&found.spot.input) < worth(best));
    if better && probe.accepts(&found.spot.input)? {
        *best = Some(found.spot.input.clone());
    }
    Ok(())
}
