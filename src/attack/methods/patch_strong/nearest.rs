//! The nearest input that fools the network, by the Euclidean length or by the largest change.
//!
//! Steps as in FAB (Croce and Hein, "Minimally distorted adversarial examples with a fast adaptive boundary attack",
//! 2020): the lead of a class is linearised at a point, the point and the image are both projected on the plane where
//! it is as large as asked, within the limits, and the next point lies between the two projections. Several walks,
//! one for each class from the image and one from each anchor, share blocks. At the end the best result is drawn
//! towards the image, and the image is projected on the plane at the border found, as long as that helps: within one
//! activation region the projection is exact.

use super::anchors::Others;
use super::beam::FoolingInput;
use super::plane::{PixelNorm, ValueEnds, along, project};
use super::probe::{Probe, Spot};
use crate::budget::StopReason;

/// Points of a block: there are few walks.
pub(super) const LANES: usize = 8;
/// Steps of a walk.
const STEPS: usize = 60;
/// Steps without a result that is nearer by [`GAIN`], after which the walks end.
const IDLE: usize = 12;
/// The share of its length by which a result has to fall.
const GAIN: f64 = 0.003;
/// Final rounds of drawing and projecting.
const ROUNDS: usize = 12;
/// FAB's constants: the overshoot, the strongest pull to the image, and the way back.
const OVERSHOOT: f64 = 1.05;
const MOST_PULL: f64 = 0.1;
const BACKWARD: f64 = 0.9;

/// A walk: where it is and which class it aims at.
struct ClassWalk {
    spot: Spot,
    class: usize,
}

/// Offers results, nearer and nearer.
///
/// # Errors
/// [`StopReason`] when the budget is used up.
pub(super) fn search(
    probe: &mut Probe<'_, '_, '_>,
    others: &Others,
    norm: PixelNorm,
) -> Result<(), StopReason> {
    let task = probe.task;
    let ends = ValueEnds::of(task);
    let aims = task.aims(probe.session.outputs(task.image)?);
    let start = probe.spot(task.image.to_vec());
    let mut walks: Vec<ClassWalk> =
        aims.into_iter().map(|class| ClassWalk { spot: start.clone(), class }).collect();
    let anchors = others.anchors(probe)?.into_iter();
    walks.extend(anchors.map(|FoolingInput { spot, class }| ClassWalk { spot, class }));
    let (mut shortest, mut idle) = (f64::INFINITY, 0);
    for _ in 0..STEPS {
        step(probe, &mut walks, &ends, norm)?;
        let length = probe.best().map_or(f64::INFINITY, |best| norm.of(&ends.unit, task.image, best));
        if length < (1.0 - GAIN) * shortest {
            (shortest, idle) = (length, 0);
        } else if shortest.is_finite() {
            idle += 1;
        }
        if idle == IDLE {
            break;
        }
    }
    refine(probe, &ends, norm)
}

/// One step of all walks.
fn step(
    probe: &mut Probe<'_, '_, '_>,
    walks: &mut [ClassWalk],
    ends: &ValueEnds,
    norm: PixelNorm,
) -> Result<(), StopReason> {
    let task = probe.task;
    let spots: Vec<Spot> = walks.iter().map(|walk| walk.spot.clone()).collect();
    let answers = probe.outputs(&spots)?;
    let asked: Vec<(&Spot, usize)> = walks.iter().map(|walk| (&walk.spot, walk.class)).collect();
    let slopes = probe.slopes(&asked)?;
    for ((walk, outputs), slopes) in walks.iter_mut().zip(answers.iter()).zip(&slopes) {
        let here = &walk.spot.input;
        let next: Vec<f32> = if task.success(outputs).is_some() {
            probe.offer(here)?;
            walk.class = task.lead(outputs).0;
            here.iter().zip(task.image).map(|(x, o)| o + BACKWARD as f32 * (x - o)).collect()
        } else {
            let gap = f64::from(2.0 * task.asked(outputs) - task.toward(outputs, walk.class));
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
    ends: &ValueEnds,
    norm: PixelNorm,
) -> Option<Vec<f32>> {
    if slopes.iter().all(|&s| s == 0.0) {
        return None;
    }
    let forward = project(here, slopes, gap, ends, norm);
    let inward = project(image, slopes, gap + along(slopes, image, here), ends, norm);
    let (d1, d2) = (norm.of(&ends.unit, here, &forward), norm.of(&ends.unit, image, &inward));
    let pull = if d1 + d2 > 0.0 { (d1 / (d1 + d2)).min(MOST_PULL) } else { 0.0 };
    let beyond = |from: f32, to: f32| f64::from(from) + OVERSHOOT * (f64::from(to) - f64::from(from));
    let value = |i: usize| {
        let value = (1.0 - pull) * beyond(here[i], forward[i]) + pull * beyond(image[i], inward[i]);
        (value as f32).clamp(ends.lower[i], ends.upper[i])
    };
    Some((0..image.len()).map(value).collect())
}

/// Draws the best result towards the image and projects the image on the plane at the border, as long as that helps.
fn refine(probe: &mut Probe<'_, '_, '_>, ends: &ValueEnds, norm: PixelNorm) -> Result<(), StopReason> {
    let task = probe.task;
    for _ in 0..ROUNDS {
        let Some(here) = probe.best().map(<[f32]>::to_vec) else { return Ok(()) };
        let length = norm.of(&ends.unit, task.image, &here);
        draw_in(probe, &here)?;
        let Some(here) = probe.best().map(<[f32]>::to_vec) else { return Ok(()) };
        let spot = probe.spot(here);
        let outputs = probe.session.outputs(&spot.input)?.to_vec();
        let (class, now) = task.lead(&outputs);
        let slopes = &probe.slopes(&[(&spot, class)])?[0];
        let gap = f64::from(2.0 * task.asked(&outputs) - now) + along(slopes, task.image, &spot.input);
        let aim = project(task.image, slopes, gap, ends, norm);
        // The plane may be another one there: points on the way are nearer too.
        let share = |k: usize, i: usize| spot.input[i] + (aim[i] - spot.input[i]) * (k as f32 / 8.0);
        for k in 1..=8 {
            let values = (0..aim.len()).map(|i| share(k, i).clamp(ends.lower[i], ends.upper[i]));
            probe.offer(&values.collect::<Vec<f32>>())?;
        }
        if probe.best().is_some_and(|best| norm.of(&ends.unit, task.image, best) > 0.9999 * length) {
            return Ok(());
        }
    }
    Ok(())
}

/// The nearest of a block of points between the image and a result.
fn draw_in(probe: &mut Probe<'_, '_, '_>, here: &[f32]) -> Result<(), StopReason> {
    let (mut inside, mut outside) = (0.0f32, 1.0f32);
    for _ in 0..12 {
        let middle = 0.5 * (inside + outside);
        let point: Vec<f32> = probe.task.image.iter().zip(here).map(|(o, x)| o + middle * (x - o)).collect();
        if probe.session.fools(probe.task, &point)? {
            outside = middle;
            probe.offer(&point)?;
        } else {
            inside = middle;
        }
    }
    Ok(())
}
