//! Inputs that the network classifies otherwise, whatever the way there: where slopes lead nowhere, a result is looked
//! for from the far side.
//!
//! The first anchor is what greedy-pixel or random-k finds. Further anchors are the images of the run that the network
//! gives another class, the nearest of each class first, and, where these do not help, black, white and random images.

use super::beam::FoolingInput;
use super::probe::{Probe, Spot};
use crate::attack::Preparation;
use crate::attack::methods::{greedy_pixel, random_k};
use crate::attack::victim::decision;
use crate::budget::StopReason;

/// Random images tried.
const RANDOM: usize = 64;
/// Anchors handed on.
const ANCHORS: usize = 3;

/// What is found first and at once: greedy-pixel's result, or that of random values where its slopes lead nowhere.
///
/// # Errors
/// [`StopReason`] when the budget is used up.
pub(super) fn first(probe: &mut Probe<'_, '_, '_>) -> Result<Option<FoolingInput>, StopReason> {
    let (task, mut input) = (probe.task, None);
    let ended = greedy_pixel::search(task, probe.session, &mut input);
    if input.is_none() && ended.is_ok() {
        input = random_k::search(task, probe.session)?.filter(|input| task.keeps_limits(input));
    }
    let Some(input) = input else { return ended.map(|()| None) };
    probe.keep(&input);
    ended?;
    let spot = probe.spot(input);
    let outputs = probe.session.outputs(&spot.input)?;
    let (class, safe) = (task.lead(outputs).0, task.success(outputs).is_some());
    Ok(safe.then_some(FoolingInput { spot, class }))
}

/// The images of the run with the network's class of each.
pub(super) struct Others {
    images: Vec<(usize, Vec<f32>)>,
}

impl Others {
    /// Classifies the images of a run.
    pub(super) fn of(run: &Preparation<'_>) -> Self {
        let class = |image: &Vec<f32>| Some((decision(&run.victim.network.evaluate(image))?, image.clone()));
        Self { images: run.images.iter().filter_map(class).collect() }
    }

    /// Inputs that fool the network, the nearest by the sum of changes first. They keep the valid range and the limit
    /// of single changes; the other limits are for those who shorten them.
    ///
    /// # Errors
    /// [`StopReason`] when the budget is used up.
    pub(super) fn anchors(&self, probe: &mut Probe<'_, '_, '_>) -> Result<Vec<FoolingInput>, StopReason> {
        let task = probe.task;
        let mut nearest: Vec<Option<(f32, Vec<f32>)>> = vec![None; task.victim.classes()];
        for (class, image) in self.images.iter().filter(|(class, _)| task.counts(*class)) {
            let input: Vec<f32> = image.iter().enumerate().map(|(i, &x)| task.clip(i, x)).collect();
            let length: f32 = input.iter().zip(task.image).map(|(a, b)| (a - b).abs()).sum();
            if nearest[*class].as_ref().is_none_or(|(least, _)| length < *least) {
                nearest[*class] = Some((length, input));
            }
        }
        let mut inputs: Vec<(f32, Vec<f32>)> = nearest.into_iter().flatten().collect();
        inputs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let inputs: Vec<Vec<f32>> = inputs.into_iter().map(|(_, input)| input).collect();
        let found = fooling(probe, inputs)?;
        if !found.is_empty() {
            return Ok(found);
        }
        let made = made(probe);
        fooling(probe, made)
    }
}

/// Black, white and random images within the limits.
fn made(probe: &mut Probe<'_, '_, '_>) -> Vec<Vec<f32>> {
    let (task, len) = (probe.task, probe.task.image.len());
    let mut inputs: Vec<Vec<f32>> =
        vec![(0..len).map(|i| task.lower(i)).collect(), (0..len).map(|i| task.upper(i)).collect()];
    for _ in 0..RANDOM {
        let random = &mut probe.session.random;
        let mut draw = |i| random.between(f64::from(task.lower(i)), f64::from(task.upper(i))) as f32;
        inputs.push(
            (0..len)
                .map(|i| {
                    let value = draw(i);
                    task.clip(i, value)
                })
                .collect(),
        );
    }
    inputs
}

/// The first few of these inputs that fool the network.
fn fooling(probe: &mut Probe<'_, '_, '_>, inputs: Vec<Vec<f32>>) -> Result<Vec<FoolingInput>, StopReason> {
    let task = probe.task;
    let spots: Vec<Spot> = inputs.into_iter().map(|input| probe.spot(input)).collect();
    let answers = probe.outputs(&spots)?;
    let results = answers.iter().zip(spots).filter(|(outputs, _)| task.success(outputs).is_some());
    let found = results.map(|(outputs, spot)| FoolingInput { class: task.lead(outputs).0, spot });
    Ok(found.take(ANCHORS).collect())
}
