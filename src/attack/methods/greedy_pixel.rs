//! The baseline of sparse attacks: one value at a time goes to an end of what it may be, always the one that promises
//! most by the gradient of the margin, which is computed anew at every step. Each class aimed at is one attempt; the
//! attempt that changes the fewest values is the answer.

use super::{Method, NotUsable, Outcome, Preparation};
use crate::attack::{Session, Task};
use crate::budget::StopReason;

struct GreedyPixel;

/// Makes the method.
pub fn make(_: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    Ok(Box::new(GreedyPixel))
}

impl Method for GreedyPixel {
    fn attack(&self, task: &Task<'_>, session: &mut Session<'_>) -> Outcome {
        let mut best = None;
        let ended = search(task, session, &mut best);
        match (best, ended) {
            (Some(input), _) => Outcome::Adversarial(input),
            (None, Ok(())) => Outcome::GaveUp,
            (None, Err(reason)) => Outcome::Stopped(reason),
        }
    }
}

/// Leaves the attempt with the fewest values in `best`, also where the budget ends first.
///
/// # Errors
/// [`StopReason`] when the budget is used up.
pub(super) fn search(
    task: &Task<'_>,
    session: &mut Session<'_>,
    best: &mut Option<Vec<f32>>,
) -> Result<(), StopReason> {
    let aims = task.aims(session.outputs(task.image)?);
    let mut most = usize::MAX;
    for aim in aims {
        if let Some((steps, input)) = descend(task, session, aim, most)? {
            (*best, most) = (Some(input), steps.saturating_sub(1));
        }
    }
    Ok(())
}

/// Moves values towards one class until the decision changes, at most so many.
fn descend(
    task: &Task<'_>,
    session: &mut Session<'_>,
    aim: usize,
    most: usize,
) -> Result<Option<(usize, Vec<f32>)>, StopReason> {
    let mut weights = vec![0.0; task.victim.classes()];
    (weights[aim], weights[task.label]) = (1.0, -1.0);
    let mut input = task.image.to_vec();
    let mut moved = vec![false; input.len()];
    for steps in 0..=input.len().min(most) {
        if session.fools(task, &input)? {
            return Ok(Some((steps, input)));
        }
        let gradient = session.gradient(&weights);
        let Some((index, end)) = most_promising(task, &input, &moved, gradient) else { return Ok(None) };
        (input[index], moved[index]) = (end, true);
        if !task.keeps_limits(&input) {
            return Ok(None);
        }
    }
    Ok(None)
}

/// The value that has not moved and whose way to its end, times the slope, is the longest; `None` where all slopes are
/// flat.
fn most_promising(task: &Task<'_>, input: &[f32], moved: &[bool], gradient: &[f32]) -> Option<(usize, f32)> {
    let mut best = (0.0, None);
    for (index, (&x, &slope)) in input.iter().zip(gradient).enumerate() {
        let end = if slope > 0.0 { task.upper(index) } else { task.lower(index) };
        let gain = slope * (end - x);
        if !moved[index] && gain > best.0 {
            best = (gain, Some((index, end)));
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::Limits;
    use crate::attack::testing::{attack_all, changed, cnn, mlp, preparation};

    #[test]
    fn it_changes_few_values_to_their_ends() {
        for (victim, least) in [(mlp(&[30, 12, 4], 1), 18), (cnn(2), 12)] {
            let method = make(&preparation(&victim)).unwrap();
            let results = attack_all(method.as_ref(), &victim, &Limits::none(), 0..20);
            let found: Vec<_> = results.iter().filter_map(|(a, b)| Some((a, b.as_ref()?))).collect();
            assert!(found.len() >= least, "{} of 20", found.len());
            for (image, input) in found {
                let ends = image.iter().zip(input).filter(|(a, b)| a != b);
                assert!(ends.clone().all(|(_, &b)| b == 0.0 || b == 1.0));
                assert!(changed(image, input) < image.len() / 2);
            }
        }
    }

    #[test]
    fn limits_are_kept() {
        let victim = mlp(&[30, 12, 4], 1);
        let method = make(&preparation(&victim)).unwrap();
        let limits = Limits { linf: 0.4, l2: 0.9, pixels: 4 };
        let results = attack_all(method.as_ref(), &victim, &limits, 0..30);
        assert!(results.iter().any(|(_, found)| found.is_some()), "some image is near enough");
    }

    #[test]
    fn on_a_linear_classifier_the_first_step_is_the_best_single_value() {
        let victim = mlp(&[12, 2], 5);
        let method = make(&preparation(&victim)).unwrap();
        for (image, found) in attack_all(method.as_ref(), &victim, &Limits::none(), 0..20) {
            let label = crate::attack::testing::class(&victim, &image);
            let single = (0..12).any(|index| {
                [0.0, 1.0].into_iter().any(|end| {
                    let mut input = image.clone();
                    input[index] = end;
                    crate::attack::testing::class(&victim, &input) != label
                })
            });
            let one = found.is_some_and(|input| changed(&image, &input) == 1);
            assert_eq!(single, one, "one value is enough exactly where trying all says so");
        }
    }
}
