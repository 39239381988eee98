//! The nearest input that fools the network, by the Euclidean length or by the largest change.
//!
//! Steps as in FAB (Croce and Hein, "Minimally distorted adversarial examples with a fast adaptive boundary attack",
//! 2020): the lead of a class is linearised at a point, the point and the image are both projected on the plane where
//! it is as large as asked, within the limits, and the next point lies between the two projections. Several walks,
//! one for each class from the image and one from each anchor, share blocks. At the end the best result is drawn
//! towards the image, and the image is projected on the plane at the border found, as long as that helps: within one
//! activation region the projection is exact.

use super::anchors::Others;
use super::beam::Found;
use super::probe::{Probe, Spot, fools, lead, safe_lead};
use crate::attack::Task;
use crate::budget::StopReason;

/// Steps of a walk.
const STEPS: usize = 60;
/// Final rounds of drawing and projecting.
const ROUNDS: usize = 12;
/// FAB's constants: the overshoot, the strongest pull to the image, and the way back.
const OVERSHOOT: f64 = 1.05;
const MOST_PULL: f64 = 0.1;
const BACKWARD: f64 = 0.9;

/// The length of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Norm {
    /// The square root of the sum of squares.
    Euclidean,
    /// The largest change.
    Largest,
}

impl Norm {
    fn of(self, a: &[f32], b: &[f32]) -> f64 {
        let changes = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
        match self {
            Self::Euclidean => changes.map(|c| c * c).sum::<f64>().sqrt(),
            Self::Largest => changes.fold(0.0, f64::max),
        }
    }

    /// The change of one value in the shortest step of size `t`: along the slope, or as far as all others.
    fn unit(self, slope: f64) -> f64 {
        match self {
            Self::Euclidean => slope,
            Self::Largest => slope.signum(),
        }
    }
}

/// The values' ends, within the limits.
struct Ends {
    lower: Vec<f32>,
    upper: Vec<f32>,
}

/// A walk: where it is and which class it aims at.
struct Walk {
    spot: Spot,
    class: usize,
}

/// Leaves the nearest result in `best`, also where the budget ends first.
///
/// # Errors
/// [`StopReason`] when the budget is used up.
pub(super) fn search(
    probe: &mut Probe<'_, '_, '_>,
    others: &Others,
    norm: Norm,
    best: &mut Option<Vec<f32>>,
) -> Result<(), StopReason> {
    let task = probe.task;
    let ends = Ends::of(task);
    let aims = task.aims(probe.session.outputs(task.image)?);
    let start = probe.spot(task.image.to_vec());
    let mut walks: Vec<Walk> = aims.into_iter().map(|class| Walk { spot: start.clone(), class }).collect();
    let anchors = others.anchors(probe)?.into_iter();
    walks.extend(anchors.map(|Found { spot, class }| Walk { spot, class }));
    for _ in 0..STEPS {
        step(probe, &mut walks, &ends, norm, best)?;
    }
    refine(probe, &ends, norm, best)
}

/// One step of all walks.
fn step(
    probe: &mut Probe<'_, '_, '_>,
    walks: &mut [Walk],
    ends: &Ends,
    norm: Norm,
    best: &mut Option<Vec<f32>>,
) -> Result<(), StopReason> {
    let (task, label) = (probe.task, probe.task.label);
    let spots: Vec<Spot> = walks.iter().map(|walk| walk.spot.clone()).collect();
    let answers = probe.outputs(&spots)?;
    let asked: Vec<(&Spot, usize)> = walks.iter().map(|walk| (&walk.spot, walk.class)).collect();
    let slopes = probe.slopes(&asked)?;
    for ((walk, outputs), slopes) in walks.iter_mut().zip(answers.iter()).zip(&slopes) {
        let here = &walk.spot.input;
        let next: Vec<f32> = if fools(outputs, label) {
            consider(probe, here, norm, best)?;
            walk.class = lead(outputs, label).0;
            here.iter().zip(task.image).map(|(x, o)| o + BACKWARD as f32 * (x - o)).collect()
        } else {
            let gap = f64::from(2.0 * safe_lead(outputs) - (outputs[walk.class] - outputs[label]));
            match between(task.image, here, slopes, gap, ends, norm) {
                Some(next) => next,
                None => continue,
            }
        };
        walk.spot = probe.spot(next);
    }
    Ok(())
}

/// The next point of FAB: between the projections of the point and of the image.
fn between(
    image: &[f32],
    here: &[f32],
    slopes: &[f32],
    gap: f64,
    ends: &Ends,
    norm: Norm,
) -> Option<Vec<f32>> {
    if slopes.iter().all(|&s| s == 0.0) {
        return None;
    }
    let moved = slopes.iter().zip(here.iter().zip(image));
    let back: f64 = moved.map(|(&s, (&x, &o))| f64::from(s) * (f64::from(x) - f64::from(o))).sum();
    let forward = project(here, slopes, gap, ends, norm);
    let inward = project(image, slopes, gap + back, ends, norm);
    let (d1, d2) = (norm.of(here, &forward), norm.of(image, &inward));
    let pull = if d1 + d2 > 0.0 { (d1 / (d1 + d2)).min(MOST_PULL) } else { 0.0 };
    let beyond = |from: f32, to: f32| f64::from(from) + OVERSHOOT * (f64::from(to) - f64::from(from));
    let value = |i: usize| {
        let value = (1.0 - pull) * beyond(here[i], forward[i]) + pull * beyond(image[i], inward[i]);
        (value as f32).clamp(ends.lower[i], ends.upper[i])
    };
    Some((0..image.len()).map(value).collect())
}

/// The nearest point whose linearised lead is larger by `gap`, within the ends; the farthest where none is.
fn project(from: &[f32], slopes: &[f32], gap: f64, ends: &Ends, norm: Norm) -> Vec<f32> {
    let way = gap.signum();
    let at = |i: usize, t: f64| {
        let x = f64::from(from[i])
            + way * t * norm.unit(f64::from(slopes[i])) * f64::from(u8::from(slopes[i] != 0.0));
        x.clamp(f64::from(ends.lower[i]), f64::from(ends.upper[i]))
    };
    let reach = |t: f64| {
        (0..from.len()).map(|i| f64::from(slopes[i]) * (at(i, t) - f64::from(from[i]))).sum::<f64>() * way
    };
    let squares: f64 = slopes.iter().map(|&s| f64::from(s) * f64::from(s)).sum();
    let sum: f64 = slopes.iter().map(|s| f64::from(s.abs())).sum();
    let (mut low, mut high) = match norm {
        Norm::Euclidean => (0.0, gap.abs() / squares.max(f64::MIN_POSITIVE)),
        Norm::Largest => (0.0, gap.abs() / sum.max(f64::MIN_POSITIVE)),
    };
    // Where the ends stop some values, the others have to go farther.
    let mut doublings = 0;
    while reach(high) < gap.abs() && doublings < 40 {
        (low, high, doublings) = (high, 2.0 * high, doublings + 1);
    }
    for _ in 0..if doublings == 0 { 0 } else { 40 } {
        let middle = 0.5 * (low + high);
        if reach(middle) < gap.abs() { low = middle } else { high = middle }
    }
    (0..from.len()).map(|i| at(i, high) as f32).collect()
}

/// Draws the best result towards the image and projects the image on the plane at the border, as long as that helps.
fn refine(
    probe: &mut Probe<'_, '_, '_>,
    ends: &Ends,
    norm: Norm,
    best: &mut Option<Vec<f32>>,
) -> Result<(), StopReason> {
    let (task, label) = (probe.task, probe.task.label);
    for _ in 0..ROUNDS {
        let Some(here) = best.clone() else { return Ok(()) };
        let length = norm.of(task.image, &here);
        draw_in(probe, &here, norm, best)?;
        let Some(here) = best.clone() else { return Ok(()) };
        let spot = probe.spot(here);
        let outputs = probe.session.outputs(&spot.input)?.to_vec();
        let (class, now) = lead(&outputs, label);
        let slopes = &probe.slopes(&[(&spot, class)])?[0];
        let moved = slopes.iter().zip(spot.input.iter().zip(task.image));
        let back: f64 = moved.map(|(&s, (&x, &o))| f64::from(s) * (f64::from(x) - f64::from(o))).sum();
        let gap = f64::from(2.0 * safe_lead(&outputs) - now) + back;
        let aim = project(task.image, slopes, gap, ends, norm);
        // The plane may be another one there: points on the way are nearer too.
        let share = |k: usize, i: usize| spot.input[i] + (aim[i] - spot.input[i]) * (k as f32 / 8.0);
        for k in 1..=8 {
            let values = (0..aim.len()).map(|i| share(k, i).clamp(ends.lower[i], ends.upper[i]));
            consider(probe, &values.collect::<Vec<f32>>(), norm, best)?;
        }
        if best.as_ref().is_some_and(|best| norm.of(task.image, best) > 0.9999 * length) {
            return Ok(());
        }
    }
    Ok(())
}

/// The nearest of a block of points between the image and a result.
fn draw_in(
    probe: &mut Probe<'_, '_, '_>,
    here: &[f32],
    norm: Norm,
    best: &mut Option<Vec<f32>>,
) -> Result<(), StopReason> {
    let (mut inside, mut outside) = (0.0f32, 1.0f32);
    for _ in 0..12 {
        let middle = 0.5 * (inside + outside);
        let point: Vec<f32> = probe.task.image.iter().zip(here).map(|(o, x)| o + middle * (x - o)).collect();
        if fools(probe.session.outputs(&point)?, probe.task.label) {
            outside = middle;
            consider(probe, &point, norm, best)?;
        } else {
            inside = middle;
        }
    }
    Ok(())
}

/// Keeps a result that is nearer than the best.
fn consider(
    probe: &mut Probe<'_, '_, '_>,
    input: &[f32],
    norm: Norm,
    best: &mut Option<Vec<f32>>,
) -> Result<(), StopReason> {
    let image = probe.task.image;
    let nearer = best.as_ref().is_none_or(|best| norm.of(image, input) < norm.of(image, best));
    if nearer && probe.accepts(input)? {
        *best = Some(input.to_vec());
    }
    Ok(())
}

impl Ends {
    fn of(task: &Task<'_>) -> Self {
        let all = 0..task.image.len();
        Self {
            lower: all.clone().map(|i| task.lower(i)).collect(),
            upper: all.map(|i| task.upper(i)).collect(),
        }
    }
}
