//! How far from a point the nearest counterexample is, from both sides: the largest box around it that is proved to hold none, and
//! the nearest counterexample that was found. Every step is a whole search of a smaller or larger box.
//!
//! Where a search ends without an answer the two sides part: proofs are looked for below the smallest box of that kind,
//! counterexamples above the largest.

use std::sync::Arc;
use std::time::Duration;

use super::{Verdict, falsify};
use crate::budget::{Budget, StopReason, Stopwatch};
use crate::error::Error;
use crate::onnx::Model;
use crate::property::around::Around;
use crate::search::Config;
use crate::search::observer::{Event, Observer, Silent};
use crate::witness::{Certainty, Witness};

/// Searches of one radius, at most: far more than halving needs.
const MOST_STEPS: usize = 200;

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RadiusWish {
    /// The largest distance that is of interest, in units of the network's inputs; above 0.
    pub most: f64,
    /// The part of the distance by which what is proved may be below what is found: then it is over.
    pub gap: f64,
    /// The time of one search.
    pub each: Duration,
}

/// What one search said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepAnswer {
    /// There is a counterexample.
    Sat,
    /// There is none: proved, and the proof was checked.
    Unsat,
    /// Neither, and why it ended.
    Unknown(StopReason),
}

/// One search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RadiusStep {
    /// How far inputs could be from the point.
    pub eps: f64,
    /// The answer.
    pub said: StepAnswer,
    /// The time it took.
    pub seconds: f64,
}

/// The answer, from both sides.
#[derive(Debug)]
pub struct Radius {
    /// The largest distance within which there is proved to be no counterexample; `None` if nothing was proved, not even of the
    /// point itself.
    pub proved: Option<f64>,
    /// The nearest counterexample that was found, and its largest change of an input.
    pub found: Option<(f64, Witness)>,
    /// All searches, in their order.
    pub steps: Vec<RadiusStep>,
}

impl Radius {
    /// The part of the found distance that is not decided; `None` where nothing was found.
    pub fn gap(&self) -> Option<f64> {
        let (found, _) = self.found.as_ref()?;
        Some(if *found > 0.0 { (found - self.proved.unwrap_or(0.0)) / found } else { 0.0 })
    }
}

/// Looks for the distance of the nearest counterexample to a point. `around.reach` is not looked at.
///
/// # Errors
/// If the network cannot be used, or does not belong to the point.
pub fn radius(
    around: &Around,
    model: &Arc<Model>,
    wish: &RadiusWish,
    config: &Config,
    budget: &Budget,
    observer: &dyn Observer,
) -> Result<Radius, Error> {
    let mut radius = Radius { proved: None, found: None, steps: Vec::new() };
    // The point itself comes first, then the largest box, and what lies between is halved.
    let mut next = Some(0.0);
    while let Some(eps) = next.filter(|_| budget.check().is_ok() && radius.steps.len() < MOST_STEPS) {
        let watch = Stopwatch::start();
        let text = Around { reach: vec![eps], ..around.clone() }.text(&[]);
        let query = vnnlib::parse(text.map_err(|source| Error::Around { source })?)?;
        let slice = budget.slice(wish.each);
        // Each search would tell the same.
        let verdict = falsify(query, vec![Arc::clone(model)], config, &slice, &Silent)?;
        let said = match verdict {
            // What other engines' rounding may hide is no counterexample yet.
            Verdict::Sat(witness) if witness.certainty() == Certainty::Thin => {
                StepAnswer::Unknown(StopReason::Exhausted)
            }
            Verdict::Sat(witness) => {
                let distance = distance(around, &witness).min(eps);
                if radius.found.as_ref().is_none_or(|(held, _)| distance < *held) {
                    radius.found = Some((distance, witness));
                }
                StepAnswer::Sat
            }
            Verdict::Unsat(_) => {
                radius.proved = Some(radius.proved.map_or(eps, |held| held.max(eps)));
                StepAnswer::Unsat
            }
            Verdict::Unknown(why) => StepAnswer::Unknown(why),
        };
        radius.steps.push(RadiusStep { eps, said, seconds: watch.elapsed().as_secs_f64() });
        observer.event(&Event::Note(&in_words(&radius, eps)));
        next = between(&radius, radius.found.as_ref().map(|(distance, _)| *distance), wish);
    }
    Ok(radius)
}

/// The next box to look at, with a counterexample at this distance; `None` where both sides are near enough to each other, or to
/// boxes without an answer.
fn between(radius: &Radius, found: Option<f64>, wish: &RadiusWish) -> Option<f64> {
    if found.is_none() && !radius.steps.iter().any(|step| step.eps >= wish.most) {
        return Some(wish.most);
    }
    let is_open = |step: &&RadiusStep| matches!(step.said, StepAnswer::Unknown(_));
    let unknown = radius.steps.iter().filter(is_open).map(|step| step.eps);
    let proved = radius.proved.unwrap_or(0.0);
    let ceiling = unknown.clone().chain(found).fold(wish.most, f64::min);
    let floor = unknown.fold(proved, f64::max);
    let least = wish.gap * found.unwrap_or(wish.most);
    // Room for a larger proof, and for a nearer counterexample.
    let below = ceiling - proved;
    let above = found.map_or(0.0, |found| found - floor);
    if below.max(above) <= least {
        return None;
    }
    match found {
        Some(found) if above >= below => Some(0.5 * (floor + found)),
        _ => Some(0.5 * (proved + ceiling)),
    }
}

/// The largest change of an input, rounded up.
fn distance(around: &Around, witness: &Witness) -> f64 {
    let inputs = witness.tensors().first().map(|tensor| tensor.values());
    let values = inputs.into_iter().flat_map(|values| values.iter());
    let change =
        |(value, nominal): (&str, &f64)| value.parse::<f64>().map_or(f64::INFINITY, |x| (x - nominal).abs());
    let most = values.zip(&around.point).map(change).fold(0.0, f64::max);
    if most > 0.0 { most.next_up() } else { most }
}

fn in_words(radius: &Radius, eps: f64) -> String {
    let proved = radius.proved.map_or("nothing proved".into(), |proved| format!("none within {proved:.6}"));
    let found = radius.found.as_ref().map_or("none found".into(), |(found, _)| format!("one at {found:.6}"));
    format!("looked within {eps:.6}: {proved}, {found}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes next after these searches, with proofs up to and a counterexample at the given distances.
    fn check(steps: &[(f64, StepAnswer)], proved: Option<f64>, found: Option<f64>, expected: Option<f64>) {
        let steps = steps.iter().map(|&(eps, said)| RadiusStep { eps, said, seconds: 0.0 }).collect();
        let wish = RadiusWish { most: 1.0, gap: 0.01, each: Duration::from_secs(1) };
        let radius = Radius { proved, found: None, steps };
        let next = between(&radius, found, &wish);
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        let same = next.zip(expected).map_or(next == expected, |(next, expected)| near(next, expected));
        assert!(same, "{next:?}, not {expected:?}: {radius:?} {found:?}");
    }

    #[test]
    fn what_is_looked_at_next() {
        use StepAnswer::{Sat, Unknown, Unsat};
        let unknown = Unknown(StopReason::TimeUp);
        check(&[(0.0, Unsat)], Some(0.0), None, Some(1.0));
        check(&[(0.0, Unsat), (1.0, Unsat)], Some(1.0), None, None);
        check(&[(0.0, Unsat), (1.0, Sat)], Some(0.0), Some(0.5), Some(0.25));
        check(&[(0.0, Unsat), (1.0, Sat), (0.25, Unsat)], Some(0.25), Some(0.5), Some(0.375));
        check(&[(0.0, Unsat), (1.0, Sat)], Some(0.499), Some(0.5), None);
        // Between 0.2 and 0.4 nothing is known: what is farther apart is halved first.
        check(&[(0.0, Unsat), (1.0, Sat), (0.4, unknown), (0.2, unknown)], Some(0.1), Some(0.8), Some(0.6));
        check(&[(0.0, Unsat), (1.0, Sat), (0.4, unknown), (0.2, unknown)], Some(0.1), Some(0.45), Some(0.15));
        check(&[(0.0, Unsat), (1.0, unknown)], Some(0.0), None, Some(0.5));
    }
}
