//! AutoAttack, the standard version in the L∞ norm: four attacks without parameters, each on what the others left.
//!
//! Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks",
//! ICML 2020: APGD on the cross-entropy (1 restart of 100 steps), APGD on 9 targets, FAB on 9 targets (100 steps),
//! Square (5000 queries). An image leaves at its first success. An image that is left at the end is robust at this ε as
//! far as AutoAttack can say.

use super::attempt::{Attempt, StatelessMethod};
use super::{Method, NotUsable, Preparation, apgd, fab_t, square};
use crate::attack::{Session, Task};

/// The attacks, in the standard's order.
const SEQUENCE: [fn(&Task<'_>, &mut Session<'_>) -> Attempt; 4] =
    [apgd::ce, apgd::targeted, fab_t::search, square::search];

/// Makes the method.
pub fn make(_: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    Ok(Box::new(StatelessMethod(search)))
}

fn search(task: &Task<'_>, session: &mut Session<'_>) -> Attempt {
    for attack in SEQUENCE {
        let found = attack(task, session)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use crate::attack::methods::small;
    use crate::attack::{Limits, Task};

    #[test]
    fn all_four_run_on_a_robust_image() {
        let (victim, image, label) = small::deep();
        let limits = Limits { linf: 1e-4, ..Limits::none() };
        let task = Task { label, ..small::task(&victim, &image, &limits) };
        let (outcome, whole) = small::run(small::method("autoattack", &task, &[]).as_ref(), &task);
        assert_eq!(outcome, crate::attack::methods::Outcome::GaveUp);
        let parts = ["apgd-ce", "apgd-t", "fab-t", "square"]
            .map(|name| small::run(small::method(name, &task, &[]).as_ref(), &task).1.evaluations);
        assert_eq!(whole.evaluations, parts.iter().sum::<u64>());
    }

    #[test]
    fn it_finds_what_a_grid_of_corners_finds() {
        // On ten small networks: wherever a corner of the ball is adversarial, so is what AutoAttack finds.
        let mut found = 0;
        for seed in 0..10 {
            let (victim, image, label) = small::seeded(seed);
            for linf in [0.02, 0.05, 0.1, 0.2] {
                let limits = Limits { linf, ..Limits::none() };
                let task = Task { label, ..small::task(&victim, &image, &limits) };
                let corner = (0..1usize << 16).step_by(7).any(|bits| {
                    let end = |i: usize| if bits >> i & 1 == 1 { task.upper(i) } else { task.lower(i) };
                    let point: Vec<f32> = (0..16).map(end).collect();
                    crate::attack::victim::decision(&victim.network.evaluate(&point)) != Some(label)
                });
                let ours = small::succeeds("autoattack", &task, &[]);
                assert!(ours || !corner, "seed {seed}, {linf}");
                found += usize::from(ours);
            }
        }
        assert!((5..=39).contains(&found), "{found}");
    }
}
