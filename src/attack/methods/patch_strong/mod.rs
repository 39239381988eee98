//! The strong form of the paper's idea: few values, and they change little.
//!
//! The paper (Khan, Madhukar, Sharma, Section V) looks for a change of the first layer's sums and then for few pixels
//! that produce it. Here the pixels come first, by exact evaluation, and the programs of the paper's second half
//! shorten what is found:
//! 1. `anchors`: the result of greedy-pixel, or of random values, is there at once and is the answer until something
//!    is better, so that the time's end never leaves the method with less;
//! 2. `beam`: greedy searches side by side over values at their ends, by class, at most as deep as the anchor;
//! 3. where both fail, inputs that the network is known to classify otherwise;
//! 4. `trim`: values that are not needed go back, up to four are traded for one less;
//! 5. `switches`: a mixed-integer program on few candidates, for one less again;
//! 6. `spread` and `region`: the shortest change over the values that are left: Euclidean by projections, the least sum
//!    by a program in the activation region, also, with re-weighted costs, over those and their rivals.
//!
//! The result has the fewest values found; among equals the least Euclidean length. Everything is evaluated through a
//! `probe`, which knows a fast path for fully connected networks. `patch-strong-l2` and `patch-strong-linf` look for
//! the `nearest` input by another length and leave out what makes it sparse.

mod anchors;
mod beam;
mod best;
mod effort;
mod front;
mod local;
mod nearest;
mod plane;
mod probe;
mod region;
mod spread;
mod switches;
#[cfg(test)]
mod tests;
mod trim;

use super::{Method, NotUsable, Outcome, Preparation};
use crate::attack::{Session, Task};
use crate::budget::StopReason;
use anchors::Others;
use beam::FoolingInput;
use front::Front;
use plane::{PixelNorm, ValueEnds};
use probe::Probe;
use spread::spread;

/// Values that a beam may change before anchors are asked.
const MOST_STEPS: usize = 48;
/// Rivals of the changed values in the re-weighted programs.
const RIVALS: usize = 48;
/// A change of a pixel by so much counts half in the re-weighted programs.
const HALF: f64 = 0.1;

/// What is to be small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChangeObjective {
    /// The number of changed values, then the Euclidean length.
    Sparse,
    /// A length of the change.
    Near(PixelNorm),
}

struct PatchStrong {
    aim: ChangeObjective,
    front: Option<Front>,
    others: Others,
}

/// Makes `patch-strong`.
pub fn make(run: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    with(run, ChangeObjective::Sparse)
}

/// Makes `patch-strong-l2`.
pub fn make_l2(run: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    with(run, ChangeObjective::Near(PixelNorm::Euclidean))
}

/// Makes `patch-strong-linf`.
pub fn make_linf(run: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    with(run, ChangeObjective::Near(PixelNorm::Largest))
}

fn with(run: &Preparation<'_>, aim: ChangeObjective) -> Result<Box<dyn Method>, NotUsable> {
    let front = Front::new(&run.victim.double);
    Ok(Box::new(PatchStrong { aim, front, others: Others::of(run) }))
}

impl Method for PatchStrong {
    fn attack(&self, task: &Task<'_>, session: &mut Session<'_>) -> Outcome {
        let (lanes, worth) = match self.aim {
            ChangeObjective::Sparse => (usize::MAX, best::fewest as best::Worth),
            ChangeObjective::Near(PixelNorm::Euclidean) => (nearest::LANES, best::euclidean as best::Worth),
            ChangeObjective::Near(PixelNorm::Largest) => (nearest::LANES, best::largest as best::Worth),
        };
        let mut probe = Probe::new(task, session, self.front.as_ref(), lanes, worth);
        let ended = match self.aim {
            ChangeObjective::Sparse => self.sparse(&mut probe),
            ChangeObjective::Near(norm) => nearest::search(&mut probe, &self.others, norm),
        };
        match (probe.best(), ended) {
            (Some(input), _) => Outcome::Adversarial(input.to_vec()),
            (None, Ok(())) => Outcome::GaveUp,
            (None, Err(reason)) => Outcome::Stopped(reason),
        }
    }
}

impl PatchStrong {
    /// Offers results, better and better.
    fn sparse(&self, probe: &mut Probe<'_, '_, '_>) -> Result<(), StopReason> {
        let first = anchors::first(probe)?;
        let steps = first.as_ref().map_or(MOST_STEPS, |found| values(probe, found).min(MOST_STEPS));
        let aims = probe.task.aims(probe.session.outputs(probe.task.image)?);
        let mut results = beam::search(probe, &aims, steps)?;
        if results.is_empty() {
            results = first.map_or_else(|| self.others.anchors(probe), |found| Ok(vec![found]))?;
        }
        let trimmed = fewest_of(probe, results)?;
        let ends = ValueEnds::of(probe.task);
        let mut shortest: Option<(f64, FoolingInput)> = None;
        for found in trimmed {
            let found = spread(probe, found, &ends)?;
            probe.offer(&found.spot.input)?;
            let length = PixelNorm::Euclidean.of(&ends.unit, probe.task.image, &found.spot.input);
            if shortest.as_ref().is_none_or(|(least, _)| length < *least) {
                shortest = Some((length, found));
            }
        }
        let Some((_, found)) = shortest.filter(|(_, found)| values(probe, found) > 1) else { return Ok(()) };
        let columns = trim::changed(probe, &found.spot.input);
        let short = region::shorten(probe, found, &columns, |_| 1.0)?;
        polish(probe, short.clone(), &ends)?;
        rivals(probe, short, &ends)
    }
}

/// The results without what they do not need; those with the fewest values.
fn fewest_of(
    probe: &mut Probe<'_, '_, '_>,
    results: Vec<FoolingInput>,
) -> Result<Vec<FoolingInput>, StopReason> {
    for found in results.iter().take(1) {
        probe.offer(&found.spot.input)?;
    }
    let mut trimmed: Vec<FoolingInput> = Vec::new();
    for found in results.into_iter().take(probe.effort().shortened) {
        let fewest = trimmed.first().map_or(usize::MAX, |first| values(probe, first));
        // Trades cost most: results of one beam are alike, only the first is traded.
        let mut found = if trimmed.is_empty() { trim::trim(probe, found)? } else { found };
        while trimmed.is_empty()
            && let Some(fewer) = switches::fewer(probe, &found)?
        {
            probe.offer(&fewer.spot.input)?;
            found = trim::trim(probe, fewer)?;
        }
        if values(probe, &found) <= fewest {
            trimmed.push(found);
        }
    }
    let fewest = trimmed.iter().map(|found| values(probe, found)).min().unwrap_or(0);
    trimmed.retain(|found| values(probe, found) == fewest);
    Ok(trimmed)
}

/// Offers a result after its changes have been shared out.
fn polish(probe: &mut Probe<'_, '_, '_>, found: FoolingInput, ends: &ValueEnds) -> Result<(), StopReason> {
    let found = spread(probe, found, ends)?;
    probe.offer(&found.spot.input)
}

/// The re-weighted programs: small changes cost more, so that they end at zero and their work is done by others.
fn rivals(probe: &mut Probe<'_, '_, '_>, found: FoolingInput, ends: &ValueEnds) -> Result<(), StopReason> {
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
    let cost = |change: f64| 1.0 / (HALF + change);
    let other = region::shorten(probe, found, &columns, cost)?;
    if values(probe, &other) <= own + 2 {
        let other = trim::trim(probe, other)?;
        polish(probe, other, ends)?;
    }
    Ok(())
}

/// Number of changed values.
fn values(probe: &Probe<'_, '_, '_>, found: &FoolingInput) -> usize {
    trim::changed(probe, &found.spot.input).len()
}
