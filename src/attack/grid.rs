//! A result on the grid of 8-bit pictures that is still one: searched for there, not rounded to at the end.
//!
//! A picture holds multiples of 1/255. A result that stands on the border of its class is over it again after rounding
//! about every second time (of 58 MNIST pictures of `patch-strong` 31 were adversarial when read back). Here the result
//! is
//! 1. *snapped*: its changed values go to the nearest levels, or farther out than that, step by step;
//! 2. *mended*: where that is no success, values move by whole levels along the slopes of the lead, first those that are
//!    changed already, then others, until it is one;
//! 3. *trimmed*: values go back level by level, the longest change for its slope first, as long as it stays one; a value
//!    that comes back to the image is dropped;
//! 4. *traded*: one level back for one forward, where that shortens the change.
//!
//! All of it is counted in evaluations; the network is evaluated at the very values that a reader of the picture gets.

use super::{Session, Task};
use crate::budget::StopReason;

/// Evaluations of one search.
const EVALUATIONS: usize = 1_500;
/// How much farther than the nearest level a change is snapped, one after the other.
const STRETCHES: [f32; 6] = [1.0, 1.03, 1.1, 1.25, 1.5, 2.0];
/// Changed values up to which trades are tried.
const MOST_TRADED: usize = 48;
/// Slopes are looked at anew after so many moves of one mending.
const MENDS: usize = 400;

/// The nearest success on the grid that the search finds from an input; `None` where it finds none.
///
/// # Errors
/// [`StopReason`] when the budget is used up before there is any.
pub fn settle(
    task: &Task<'_>,
    session: &mut Session<'_>,
    input: &[f32],
) -> Result<Option<Vec<f32>>, StopReason> {
    let mut search = GridSearch { task, session, left: EVALUATIONS };
    let start = search.snapped(input)?;
    let Some(mut found) = search.mended(start)? else { return Ok(None) };
    // What is found so far is an answer, whenever the time is up.
    let _ = search
        .trimmed(&mut found)
        .and_then(|()| search.traded(&mut found))
        .and_then(|()| search.trimmed(&mut found));
    Ok(Some(found))
}

struct GridSearch<'a, 's, 't> {
    task: &'a Task<'t>,
    session: &'a mut Session<'s>,
    left: usize,
}

impl GridSearch<'_, '_, '_> {
    /// Whether an input on the grid is a result. What is left of the search ends with the evaluations.
    fn accepts(&mut self, input: &[f32]) -> Result<bool, StopReason> {
        self.left = self.left.checked_sub(1).ok_or(StopReason::Exhausted)?;
        // Values go back until the last evaluation that is a success: with no more than what is asked, the replay might
        // say otherwise (4 of 150 results on colour images).
        Ok(self.task.keeps_limits(input) && self.task.is_safe(self.session.outputs(input)?))
    }

    /// The changed values on the grid, stretched as little as makes it a success; the nearest levels where none does.
    fn snapped(&mut self, input: &[f32]) -> Result<Vec<f32>, StopReason> {
        let image = self.task.image;
        let stretched = |stretch: f32| -> Vec<f32> {
            let value = |i: usize| match input[i] == image[i] {
                true => image[i],
                false => self.task.on_grid(i, image[i] + stretch * (input[i] - image[i])),
            };
            (0..input.len()).map(value).collect()
        };
        let snaps = STRETCHES.map(stretched);
        for snapped in &snaps {
            if self.accepts(snapped)? {
                return Ok(snapped.clone());
            }
        }
        let [nearest, ..] = snaps;
        Ok(nearest)
    }

    /// Moves values along the slopes until the input is a success; `None` where no slope leads on.
    fn mended(&mut self, mut input: Vec<f32>) -> Result<Option<Vec<f32>>, StopReason> {
        for _ in 0..MENDS {
            if self.accepts(&input)? {
                return Ok(Some(input));
            }
            let (lead, asked, slopes) = self.slopes(&input)?;
            let Some(next) = self.gain(&input, &slopes) else { return Ok(None) };
            // To first order one value may be enough; then it goes no farther than that.
            let missing = (2.0 * asked - lead).max(0.0) / slopes[next].abs();
            let way = slopes[next].signum();
            let one = self.task.level(next);
            let by = (missing / one).ceil().max(1.0) * one;
            let moved = self.task.on_grid(next, input[next] + way * by);
            let end = self
                .task
                .on_grid(next, if way > 0.0 { self.task.upper(next) } else { self.task.lower(next) });
            input[next] = if (moved - input[next]) * way > 0.0 { moved } else { end };
        }
        Ok(None)
    }

    /// The lead at an input, what is asked of it, and its slopes.
    fn slopes(&mut self, input: &[f32]) -> Result<(f32, f32, Vec<f32>), StopReason> {
        let outputs = self.session.outputs(input)?;
        let ((class, lead), asked) = (self.task.lead(outputs), self.task.asked(outputs));
        let rival = self.task.rival(outputs, class);
        let mut weights = vec![0.0; outputs.len()];
        (weights[class], weights[rival]) = (1.0, -1.0);
        Ok((lead, asked, self.session.gradient(&weights).to_vec()))
    }

    /// The value whose way to its end raises the lead most; one that is changed already where any can move on, and else
    /// one whose change keeps the limits.
    fn gain(&self, input: &[f32], slopes: &[f32]) -> Option<usize> {
        let task = self.task;
        let end = |i: usize| task.on_grid(i, if slopes[i] > 0.0 { task.upper(i) } else { task.lower(i) });
        let gain = |i: usize| slopes[i] * (end(i) - input[i]);
        let best = |among: &dyn Fn(usize) -> bool| {
            let all = (0..input.len()).filter(|&i| among(i) && gain(i) > 0.0);
            all.max_by(|&a, &b| gain(a).total_cmp(&gain(b)))
        };
        let moved = |i: usize| input[i] != task.image[i];
        best(&moved).or_else(|| best(&|i| !moved(i)))
    }

    /// Puts values back, level by level, as long as the input stays a success.
    fn trimmed(&mut self, input: &mut [f32]) -> Result<(), StopReason> {
        loop {
            let (_, _, slopes) = self.slopes(input)?;
            let mut order = self.changed(input);
            let length = |&i: &usize| (input[i] - self.task.image[i]).abs() / slopes[i].abs().max(1e-9);
            order.sort_by(|a, b| length(b).total_cmp(&length(a)));
            let mut shorter = false;
            for i in order {
                shorter |= self.shortened(input, i)?;
            }
            if !shorter {
                return Ok(());
            }
        }
    }

    /// Puts one value back: at once to the image, or by one level.
    fn shortened(&mut self, input: &mut [f32], i: usize) -> Result<bool, StopReason> {
        for value in [self.task.image[i], self.nearer(input, i)] {
            let before = std::mem::replace(&mut input[i], value);
            match self.accepts(input) {
                Ok(true) => return Ok(true),
                Ok(false) => input[i] = before,
                Err(stop) => {
                    input[i] = before;
                    return Err(stop);
                }
            }
        }
        Ok(false)
    }

    /// A value one level nearer to the image's.
    fn nearer(&self, input: &[f32], i: usize) -> f32 {
        let (from, one) = (self.task.image[i], self.task.level(i));
        let back = self.task.on_grid(i, input[i] - one * (input[i] - from).signum());
        if (input[i] - from).abs() <= one { from } else { back }
    }

    /// One level of the longest change for one level of another, where that is shorter.
    fn traded(&mut self, input: &mut Vec<f32>) -> Result<(), StopReason> {
        let image = self.task.image;
        let far = |input: &[f32], i: usize| self.task.moved(i, input[i]);
        let length = |input: &[f32]| (0..input.len()).map(|i| far(input, i).powi(2)).sum::<f64>();
        let mut order = self.changed(input);
        if order.len() > MOST_TRADED {
            return Ok(());
        }
        order.sort_by(|&a, &b| far(input, b).total_cmp(&far(input, a)));
        for (place, &from) in order.iter().enumerate() {
            for &to in order[place + 1..].iter().rev() {
                let mut other = input.clone();
                other[from] = self.nearer(input, from);
                let out = (input[to] - image[to]).signum() * self.task.level(to);
                other[to] = self.task.on_grid(to, input[to] + out);
                if length(&other) < length(input) && self.accepts(&other)? {
                    *input = other;
                }
            }
        }
        Ok(())
    }

    fn changed(&self, input: &[f32]) -> Vec<usize> {
        (0..input.len()).filter(|&i| input[i] != self.task.image[i]).collect()
    }
}

impl Task<'_> {
    /// One level of an 8-bit picture, on the scale of an input.
    fn level(&self, index: usize) -> f32 {
        self.victim.unit[index] / 255.0
    }

    /// The value of an 8-bit picture nearest to `x` that the limits allow an input; the image's own where they allow
    /// none.
    pub fn on_grid(&self, index: usize, x: f32) -> f32 {
        let victim = self.victim;
        let channel = victim.layout.channel(index);
        let (mean, deviation) = (victim.scaling.mean[channel], victim.scaling.deviation[channel]);
        let x = x.max(self.lower(index)).min(self.upper(index));
        let level = ((x * deviation + mean) * 255.0).round();
        let value = |level: f32| (level.clamp(0.0, 255.0) / 255.0 - mean) / deviation;
        let allowed = |value: &f32| (self.lower(index)..=self.upper(index)).contains(value);
        let near = [level, level - 1.0, level + 1.0].map(value);
        let best = near.into_iter().filter(allowed).min_by(|a, b| (a - x).abs().total_cmp(&(b - x).abs()));
        best.unwrap_or(self.image[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::testing::{changed, class, cnn, image, mlp};
    use crate::attack::{Confidence, Limits, TargetClasses, Victim};
    use crate::budget::Budget;
    use crate::random::Random;

    /// A task on an image of whole levels, and an input of another class than the image's: a corner of the range, drawn
    /// towards it until just before the decision changes.
    fn case(victim: &Victim, seed: u64) -> Option<(Vec<f32>, usize, Vec<f32>)> {
        let levels =
            |image: Vec<f32>| image.iter().map(|x| (x * 255.0).round() / 255.0).collect::<Vec<f32>>();
        let from = levels(image(victim, seed));
        let label = class(victim, &from);
        let corner = |seed: u64| image(victim, seed).iter().map(|x| x.round()).collect::<Vec<f32>>();
        let to = (0..200).map(|k| corner(1000 * (seed + 1) + k)).find(|to| class(victim, to) != label)?;
        let between = |t: f32| from.iter().zip(&to).map(|(a, b)| a + t * (b - a)).collect::<Vec<f32>>();
        let inside = (0..=64).rev().find(|&k| class(victim, &between(k as f32 / 64.0)) == label)?;
        (inside < 64).then(|| (from.clone(), label, between((inside + 1) as f32 / 64.0)))
    }

    fn check(victim: &Victim, limits: &Limits, confidence: Confidence) -> usize {
        let budget = Budget::unlimited();
        let mut settled = 0;
        for seed in 0..30 {
            let Some((image, label, input)) = case(victim, seed) else { continue };
            let task = Task { victim, image: &image, label, limits, targets: TargetClasses::All, confidence };
            let mut session = Session::new(&victim.network, &budget, Random::new(seed));
            let Some(found) = settle(&task, &mut session, &input).unwrap() else { continue };
            settled += 1;
            assert!(task.keeps_limits(&found), "{limits:?}, seed {seed}");
            // Images of two channels have no picture.
            let picture = victim.pictured(&found);
            assert!(picture.is_none_or(|picture| picture == found), "the picture is the result");
            let outputs = victim.network.evaluate(&found);
            assert!(task.success(&outputs).is_some(), "{confidence:?}, seed {seed}: {outputs:?}");
            // The plain twin of trimming: no single value can go one level back any more.
            if session.spent.evaluations < EVALUATIONS as u64 {
                for i in (0..found.len()).filter(|&i| found[i] != image[i]) {
                    let mut other = found.clone();
                    other[i] = image[i];
                    assert!(
                        task.success(&victim.network.evaluate(&other)).is_none(),
                        "value {i} is not needed"
                    );
                }
            }
            assert!(changed(&image, &found) <= image.len());
        }
        settled
    }

    #[test]
    fn results_on_the_grid_are_what_a_reader_of_the_picture_gets() {
        for (victim, least) in [(mlp(&[30, 12, 4], 1), 20), (cnn(2), 15)] {
            for confidence in [Confidence::Picture, Confidence::Lead(0.05)] {
                let settled = check(&victim, &Limits::none(), confidence);
                assert!(settled >= least, "{settled} settled at {confidence:?}");
            }
            let tight = Limits { linf: 0.4, l2: 1.2, ..Limits::none() };
            check(&victim, &tight, Confidence::Picture);
        }
    }

    #[test]
    fn values_go_to_the_nearest_level_that_is_allowed() {
        let victim = mlp(&[2, 2], 1);
        let limits = Limits { linf: 0.25, ..Limits::none() };
        let (targets, confidence) = (TargetClasses::All, Confidence::Picture);
        let task =
            Task { victim: &victim, image: &[0.5, 0.0], label: 0, limits: &limits, targets, confidence };
        for (x, level) in [(0.502, 128.0), (0.503, 128.0), (0.9, 191.0), (0.1, 64.0)] {
            assert_eq!(task.on_grid(0, x), level / 255.0, "{x}");
        }
    }
}
