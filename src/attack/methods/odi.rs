//! Output-diversified initialisation: random directions among the outputs lead to different starts of PGD.
//!
//! Tashiro, Song and Ermon, "Diversity can be enhanced by output diversified sampling", NeurIPS 2020. A restart draws
//! `w ~ U(−1, 1)^classes`, makes 2 sign-gradient steps of ε on `w · o(x)` from the image, then 20 of ε/4 on the margin.
//! The 20 restarts run side by side, so that the first success of any ends all. ε is the L∞ limit or the usual
//! radius of [`usual_share`].

use super::attempt::{Attempt, StatelessMethod};
use super::ball::{Ball, usual_share};
use super::block::LossBlock;
use super::losses::margin;
use super::{Method, NotUsable, Preparation};
use crate::attack::{Session, Task};

const RESTARTS: usize = 20;
const DIVERSIFYING: usize = 2;
const STEPS: usize = 20;
/// PGD's step as a share of ε.
const STEP: f32 = 0.25;

/// Makes the method.
pub fn make(_: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    Ok(Box::new(StatelessMethod(search)))
}

fn search(task: &Task<'_>, session: &mut Session<'_>) -> Attempt {
    let ball = Ball::of(task, usual_share(task.victim.layout));
    let classes = task.victim.classes();
    let directions: Vec<f32> =
        (0..classes * RESTARTS).map(|_| session.random.between(-1.0, 1.0) as f32).collect();
    let mut points: Vec<f32> = task.image.iter().flat_map(|&x| std::iter::repeat_n(x, RESTARTS)).collect();
    let mut block = LossBlock::new(task, RESTARTS);
    for step in 0..=DIVERSIFYING + STEPS {
        block.evaluate(session, &points)?;
        let found = block.adversarial(task, session, &points)?;
        if found.is_some() || step == DIVERSIFYING + STEPS {
            return Ok(found);
        }
        block.differentiate(session, |lane, outputs, weights| {
            if step < DIVERSIFYING {
                weights.copy_from_slice(&directions[lane * classes..][..classes]);
                weights.iter().zip(outputs).map(|(w, o)| w * o).sum()
            } else {
                margin(outputs, task.label, weights)
            }
        });
        let share = if step < DIVERSIFYING { 1.0 } else { STEP };
        for (at, (value, &slope)) in points.iter_mut().zip(&block.gradients).enumerate() {
            let index = at / RESTARTS;
            let sign = if slope == 0.0 { 0.0 } else { slope.signum() };
            *value = ball.clip(index, *value + sign * share * ball.radius[index]);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use crate::attack::Limits;
    use crate::attack::methods::small;

    #[test]
    fn restarts_cross_a_boundary_that_is_near_and_none_that_is_not() {
        let victim = small::victim();
        let check = |linf: f32, want: bool| {
            let limits = Limits { linf, ..Limits::none() };
            assert_eq!(small::succeeds("odi", &small::task(&victim, &small::IMAGE, &limits), &[]), want);
        };
        check(0.051, true);
        check(0.049, false);
    }

    #[test]
    fn diversified_starts_leave_a_flat_place() {
        // Class 1 wins where x0 is white, but its neuron is dead at the image: the margin has no gradient there, class 2
        // has one.
        let hidden: [small::Row<'_>; 2] = [(&[1.0, 0.0, 0.0, 0.0], -0.6), (&[1.0, 0.0, 0.0, 0.0], 0.0)];
        let last: [small::Row<'_>; 3] = [(&[0.0, 0.0], 0.5), (&[5.0, 0.0], 0.2), (&[0.5, 0.5], -0.8)];
        let victim = small::dense(2, 2, &[&hidden, &last]);
        let limits = Limits { linf: 0.4, ..Limits::none() };
        let task = small::task(&victim, &small::IMAGE, &limits);
        assert!(small::succeeds("odi", &task, &[]));
        assert!(!small::succeeds("fgsm", &small::task(&victim, &[0.0; 4], &limits), &[]));
    }
}
