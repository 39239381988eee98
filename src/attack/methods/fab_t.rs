//! FAB in the L∞ norm on targets, as in AutoAttack's standard version: minimal changes by steps to linearised boundaries.
//!
//! Croce and Hein, "Minimally distorted adversarial examples with a fast adaptive boundary attack", ICML 2020; the
//! steps are those of [`Fab`]. For each of the 9 strongest other classes 100 steps are made from the image towards
//! the hyperplane where the linear `o_t − o_y` is zero; targets run side by side. Any point within ε that is
//! classified otherwise, as whatever class, ends the attack: the authors' code goes on to the least change and
//! compares that with ε, which succeeds on the same images.
//!
//! ε is the L∞ limit or the usual radius of [`usual_share`].

use super::attempt::{Attempt, StatelessMethod, confirm};
use super::ball::{Ball, usual_share};
use super::block::LossBlock;
use super::fab::Fab;
use super::losses::difference;
use super::{Method, NotUsable, Preparation, apgd};
use crate::attack::{Session, Task};

const STEPS: usize = 100;

/// Makes the method.
pub fn make(_: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    Ok(Box::new(StatelessMethod(search)))
}

/// All targets from the image.
///
/// # Errors
/// [`StopReason`](crate::budget::StopReason) when the budget is used up.
pub fn search(task: &Task<'_>, session: &mut Session<'_>) -> Attempt {
    let victim = task.victim;
    let ball = Ball::of(task, usual_share(victim.layout));
    let targets = apgd::targets(task, session)?;
    let lanes = targets.len();
    let mut kernel = Fab::new(&victim.lower, &victim.upper, &ball.radius, lanes);
    let origins: Vec<f32> = task.image.iter().flat_map(|&x| std::iter::repeat_n(x, lanes)).collect();
    kernel.start(&origins, &origins);
    let mut block = LossBlock::new(task, lanes);
    let mut steps = vec![0; lanes];
    loop {
        block.evaluate(session, kernel.points())?;
        let crossed: Vec<bool> = (0..lanes).map(|lane| block.crossed(lane, task)).collect();
        for lane in (0..lanes).filter(|&lane| crossed[lane] && steps[lane] <= STEPS) {
            let point = block.point(kernel.points(), lane);
            if ball.holds(task, &point)
                && let Some(found) = confirm(task, session, point)?
            {
                return Ok(Some(found));
            }
        }
        if steps.iter().all(|&count| count >= STEPS) {
            return Ok(None);
        }
        block.differentiate(session, |lane, outputs, weights| {
            let gap = difference(outputs, task.label, targets[lane], weights);
            if crossed[lane] { gap.max(0.0) } else { gap }
        });
        kernel.tell(&block.losses, &block.gradients);
        for (lane, count) in steps.iter_mut().enumerate() {
            *count =
                if kernel.stuck()[lane] { STEPS } else { *count + usize::from(!kernel.returned()[lane]) };
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::attack::methods::small;
    use crate::attack::{Limits, Task};

    #[test]
    fn a_linear_boundary_is_approached_from_outside_the_ball() {
        let victim = small::victim();
        let check = |linf: f32, want: bool| {
            let limits = Limits { linf, ..Limits::none() };
            let task = small::task(&victim, &small::IMAGE, &limits);
            assert_eq!(small::succeeds("fab-t", &task, &[]), want, "{linf}");
        };
        check(0.053, true);
        check(0.0499, false);
    }

    #[test]
    fn steps_end_where_nothing_is_near_enough() {
        let (victim, image, label) = small::deep();
        let limits = Limits { linf: 1e-4, ..Limits::none() };
        let task = Task { label, ..small::task(&victim, &image, &limits) };
        let (_, spent) = small::run(small::method("fab-t", &task, &[]).as_ref(), &task);
        // One look at the image, then at most two points a step of three lanes, and the last points.
        assert!((1 + 3 * 101..=1 + 3 * 201).contains(&spent.evaluations), "{spent:?}");
    }
}
