//! Auto-PGD in the L∞ norm, as in AutoAttack's standard version: on the cross-entropy, and on targets.
//!
//! Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks",
//! ICML 2020; the steps are those of [`Apgd`]. `apgd-ce` is one restart from a random point of the ball with 100
//! steps on the cross-entropy. `apgd-t` is one such restart for each of the 9 strongest other classes on the targeted
//! difference-of-logits ratio; they run side by side, so that the first success of any ends all. (The authors' code
//! runs them one after the other: the same points but for the draws.) Any wrong class counts, also for a target.
//!
//! ε is the L∞ limit or the usual radius of [`usual_share`]. The first step is 2ε, as published.

use super::attempt::{Attempt, StatelessMethod};
use super::ball::{Ball, usual_share};
use super::block::LossBlock;
use super::losses::{cross_entropy, targeted_dlr};
use super::{Method, NotUsable, Preparation};
use crate::attack::{Session, Task};
use crate::budget::StopReason;
use crate::search::kernel::apgd::Apgd;

const STEPS: usize = 100;
/// Classes that targeted attacks of the standard version aim at.
const TARGETS: usize = 9;

/// Makes `apgd-ce`.
pub fn make_ce(_: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    Ok(Box::new(StatelessMethod(ce)))
}

/// Makes `apgd-t`.
pub fn make_t(_: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    Ok(Box::new(StatelessMethod(targeted)))
}

/// One restart on the cross-entropy.
///
/// # Errors
/// [`StopReason`] when the budget is used up.
pub fn ce(task: &Task<'_>, session: &mut Session<'_>) -> Attempt {
    ascend(task, session, 1, |_, outputs, weights| cross_entropy(outputs, task.label, weights))
}

/// One restart for each target.
///
/// # Errors
/// [`StopReason`] when the budget is used up.
pub fn targeted(task: &Task<'_>, session: &mut Session<'_>) -> Attempt {
    let targets = targets(task, session)?;
    ascend(task, session, targets.len(), |lane, outputs, weights| {
        targeted_dlr(outputs, task.label, targets[lane], weights)
    })
}

/// The classes that the standard version's targeted attacks aim at: those with the largest outputs at the image.
///
/// # Errors
/// [`StopReason`] when the budget is used up.
pub fn targets(task: &Task<'_>, session: &mut Session<'_>) -> Result<Vec<usize>, StopReason> {
    let outputs = session.outputs(task.image)?;
    let mut classes: Vec<usize> = (0..outputs.len()).filter(|&class| class != task.label).collect();
    classes.sort_by(|&a, &b| outputs[b].total_cmp(&outputs[a]));
    classes.truncate(TARGETS);
    Ok(classes)
}

fn ascend(
    task: &Task<'_>,
    session: &mut Session<'_>,
    lanes: usize,
    loss: impl Fn(usize, &[f32], &mut [f32]) -> f32,
) -> Attempt {
    let ball = Ball::of(task, usual_share(task.victim.layout));
    let reach: Vec<f32> = ball.radius.iter().map(|radius| 2.0 * radius).collect();
    // The start counts as a point of its own.
    let mut kernel = Apgd::new(&ball.lower, &ball.upper, &reach, lanes, STEPS + 1);
    kernel.start(&ball.starts(task.image, lanes, &mut session.random));
    let mut block = LossBlock::new(task, lanes);
    loop {
        block.evaluate(session, kernel.points())?;
        let found = block.adversarial(task, session, kernel.points())?;
        if found.is_some() {
            return Ok(found);
        }
        block.differentiate(session, &loss);
        if !kernel.tell(&block.losses, &block.gradients) {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::attack::Limits;
    use crate::attack::methods::small;

    #[test]
    fn both_cross_a_linear_boundary_at_the_least_radius() {
        let victim = small::victim();
        for name in ["apgd-ce", "apgd-t"] {
            let check = |linf: f32, want: bool| {
                let limits = Limits { linf, ..Limits::none() };
                let task = small::task(&victim, &small::IMAGE, &limits);
                assert_eq!(small::succeeds(name, &task, &[]), want, "{name} {linf}");
            };
            check(0.0505, true);
            check(0.0495, false);
        }
    }

    #[test]
    fn the_budget_of_steps_is_spent_where_nothing_can_be_found() {
        let (victim, image, label) = small::deep();
        let limits = Limits { linf: 1e-4, ..Limits::none() };
        let task = crate::attack::Task { label, ..small::task(&victim, &image, &limits) };
        for (name, evaluations, gradients) in [("apgd-ce", 101, 101), ("apgd-t", 304, 303)] {
            let (_, spent) = small::run(small::method(name, &task, &[]).as_ref(), &task);
            assert_eq!((spent.evaluations, spent.gradients), (evaluations, gradients), "{name}");
        }
    }

    #[test]
    fn other_limits_hold_as_well() {
        let victim = small::victim();
        let check = |pixels: usize, l2: f32, want: bool| {
            let limits = Limits { linf: 0.2, l2, pixels };
            let task = small::task(&victim, &small::IMAGE, &limits);
            assert_eq!(small::succeeds("apgd-ce", &task, &[]), want, "{pixels} {l2}");
        };
        // The shortest way is 0.2 / √6. Of pixels that moved alike the first ones are kept: one is not enough.
        check(1, f32::INFINITY, false);
        check(2, f32::INFINITY, true);
        check(usize::MAX, 0.2, true);
        check(usize::MAX, 0.08, false);
    }
}
