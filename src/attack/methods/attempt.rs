//! What the comparators share: how a search on one image ends, and when a point counts as found.

use super::{Method, Outcome};
use crate::attack::{Session, Task};
use crate::budget::StopReason;

/// An adversarial input, or nothing after everything was tried, or the budget's end.
pub type Attempt = Result<Option<Vec<f32>>, StopReason>;

/// A method without a state: a search on one image.
pub struct StatelessMethod(pub fn(&Task<'_>, &mut Session<'_>) -> Attempt);

impl Method for StatelessMethod {
    fn attack(&self, task: &Task<'_>, session: &mut Session<'_>) -> Outcome {
        outcome(self.0(task, session))
    }
}

/// The outcome of an attempt.
pub fn outcome(attempt: Attempt) -> Outcome {
    match attempt {
        Ok(Some(input)) => Outcome::Adversarial(input),
        Ok(None) => Outcome::GaveUp,
        Err(reason) => Outcome::Stopped(reason),
    }
}

/// Brings a point of the valid range within the task's limits and returns it if it is classified otherwise there.
///
/// # Errors
/// [`StopReason`] when the budget is used up.
pub fn confirm(task: &Task<'_>, session: &mut Session<'_>, mut point: Vec<f32>) -> Attempt {
    keep(task, &mut point);
    Ok(session.fools(task, &point)?.then_some(point))
}

/// Moves a point to where the limits allow it: no value leaves its interval; of too many changed pixels those that
/// changed most (by squares, in pixels) stay; a change that is too long is shortened.
pub fn keep(task: &Task<'_>, point: &mut [f32]) {
    for (index, value) in point.iter_mut().enumerate() {
        *value = task.clip(index, *value);
    }
    let layout = task.victim.layout;
    if task.limits.pixels < layout.pixels() {
        let mut moved = vec![0.0f64; layout.pixels()];
        for index in 0..point.len() {
            moved[layout.pixel(index)] += task.moved(index, point[index]).powi(2);
        }
        let mut order: Vec<usize> = (0..moved.len()).collect();
        order.sort_by(|&a, &b| moved[b].total_cmp(&moved[a]));
        for &pixel in &order[task.limits.pixels..] {
            for channel in 0..layout.channels {
                let index = layout.index(pixel, channel);
                point[index] = task.image[index];
            }
        }
    }
    let length = task.change(point).l2;
    if length > f64::from(task.limits.l2) {
        // A millionth shorter, so that rounding to single precision does not bring it back over the limit.
        let share = (f64::from(task.limits.l2) / length * (1.0 - 1e-6)) as f32;
        for (value, &origin) in point.iter_mut().zip(task.image) {
            *value = origin + share * (*value - origin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::Limits;
    use crate::attack::methods::small;

    #[test]
    fn a_point_is_brought_within_every_limit() {
        let victim = small::victim();
        let image = small::IMAGE;
        let check = |limits: Limits, want: [f32; 4]| {
            let task = small::task(&victim, &image, &limits);
            let mut point = vec![0.9, 0.7, -0.2, 0.5];
            keep(&task, &mut point);
            for (got, want) in point.iter().zip(want) {
                assert!((got - want).abs() < 1e-6, "{limits:?}: {point:?}");
            }
        };
        check(Limits::none(), [0.9, 0.7, 0.0, 0.5]);
        check(Limits { linf: 0.125, ..Limits::none() }, [0.625, 0.625, 0.375, 0.5]);
        check(Limits { pixels: 1, ..Limits::none() }, [0.5, 0.5, 0.0, 0.5]);
        check(Limits { pixels: 2, ..Limits::none() }, [0.9, 0.5, 0.0, 0.5]);
        check(Limits { l2: 0.25, pixels: 1, ..Limits::none() }, [0.5, 0.5, 0.25, 0.5]);
    }
}
