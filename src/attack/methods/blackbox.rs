//! The black-box attack of the patching paper's Table I: every value moves by one of ±a and ±2a, drawn at random, once.
//!
//! Alparslan, Alparslan, Keim-Shenk, Khade and Greenstadt, "Adversarial attacks on convolutional neural networks in
//! facial recognition domain", 2020, as the patching paper uses it: no queries, one draw, and the result is what it is.
//! `a` is 10/255 of the valid range for images of one channel and 30/255 for others. Values stop at the ends of their
//! intervals.

use super::attempt::{Attempt, StatelessMethod, confirm};
use super::{Method, NotUsable, Preparation};
use crate::attack::{Session, Task};

const GREY: f32 = 10.0 / 255.0;
const COLOUR: f32 = 30.0 / 255.0;
const MOVES: [f32; 4] = [-2.0, -1.0, 1.0, 2.0];

/// Makes the method.
pub fn make(_: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    Ok(Box::new(StatelessMethod(search)))
}

fn search(task: &Task<'_>, session: &mut Session<'_>) -> Attempt {
    let victim = task.victim;
    let size = if victim.layout.channels == 1 { GREY } else { COLOUR };
    let mut point = task.image.to_vec();
    for (index, value) in point.iter_mut().enumerate() {
        let unit = size * (victim.upper[index] - victim.lower[index]);
        *value += MOVES[session.random.below(MOVES.len())] * unit;
    }
    confirm(task, session, point)
}

#[cfg(test)]
mod tests {
    use crate::attack::Limits;
    use crate::attack::methods::{Outcome, small};

    #[test]
    fn every_value_makes_one_of_four_moves() {
        // Class 1 wins wherever something is not black: any draw is adversarial.
        let rows: [small::Row<'_>; 2] = [(&[0.0; 16], 0.0), (&[1.0; 16], 0.0)];
        let victim = small::dense(4, 4, &[&rows]);
        let image = [0.5; 16];
        let limits = Limits::none();
        let task = small::task(&victim, &image, &limits);
        let (outcome, spent) = small::run(small::method("blackbox", &task, &[]).as_ref(), &task);
        let Outcome::Adversarial(point) = outcome else { panic!("{outcome:?}") };
        assert_eq!((spent.evaluations, spent.gradients), (1, 0));
        let mut counts = [0; 5];
        for value in point {
            let steps = (value - 0.5) * 25.5;
            assert!((steps - steps.round()).abs() < 1e-4 && steps.round() != 0.0, "{value}");
            counts[(steps.round() + 2.0) as usize] += 1;
        }
        assert_eq!(counts[2], 0);
        assert!(counts.iter().filter(|&&count| count > 0).count() >= 3, "{counts:?}");
    }

    #[test]
    fn one_draw_that_changes_nothing_is_the_end() {
        let rows: [small::Row<'_>; 2] = [(&[0.0; 16], 1.0), (&[0.0; 16], 0.0)];
        let victim = small::dense(4, 4, &[&rows]);
        let (image, limits) = ([0.5; 16], Limits::none());
        assert!(!small::succeeds("blackbox", &small::task(&victim, &image, &limits), &[]));
    }
}
