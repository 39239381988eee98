//! The fast gradient sign method: one step of ε along the sign of the gradient of the cross-entropy.
//!
//! Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial examples", ICLR 2015, section 4. ε is the L∞
//! limit or, where none is given, 0.1 of the valid range, as in the patching paper's Table I. Untargeted.

use super::attempt::{Attempt, StatelessMethod, confirm};
use super::ball::Ball;
use super::losses::cross_entropy;
use super::{Method, NotUsable, Preparation};
use crate::attack::{Session, Task};

/// ε as a share of the valid range.
const STEP: f32 = 0.1;

/// Makes the method.
pub fn make(_: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    Ok(Box::new(StatelessMethod(search)))
}

fn search(task: &Task<'_>, session: &mut Session<'_>) -> Attempt {
    let ball = Ball::of(task, STEP);
    let outputs = session.outputs(task.image)?;
    let mut weights = vec![0.0; outputs.len()];
    cross_entropy(outputs, task.label, &mut weights);
    let gradient = session.gradient(&weights);
    let step = |(index, &slope): (usize, &f32)| {
        let sign = if slope == 0.0 { 0.0 } else { slope.signum() };
        ball.clip(index, task.image[index] + sign * ball.radius[index])
    };
    let point = gradient.iter().enumerate().map(step).collect();
    confirm(task, session, point)
}

#[cfg(test)]
mod tests {
    use crate::attack::Limits;
    use crate::attack::methods::{Outcome, small};

    #[test]
    fn one_step_crosses_a_linear_boundary_if_the_limit_reaches_it() {
        // The margin of 0.2 falls by 4 ε: x0 and x1 go down, x2 up; x3 has no gradient.
        let victim = small::victim();
        let check = |limits: Limits, want: Option<[f32; 4]>| {
            let task = small::task(&victim, &small::IMAGE, &limits);
            let (outcome, spent) = small::run(small::method("fgsm", &task, &[]).as_ref(), &task);
            let want = want.map_or(Outcome::GaveUp, |x| Outcome::Adversarial(x.to_vec()));
            assert_eq!((outcome, spent.evaluations, spent.gradients), (want, 2, 1), "{limits:?}");
        };
        check(Limits { linf: 0.0625, ..Limits::none() }, Some([0.4375, 0.4375, 0.5625, 0.5]));
        check(Limits { linf: 0.04, ..Limits::none() }, None);
        check(Limits::none(), Some([0.4, 0.4, 0.6, 0.5]));
        check(Limits { linf: 0.0625, pixels: 1, ..Limits::none() }, None);
    }
}
