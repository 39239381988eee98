//! What a method returns, put into the valid range and the limits, and on the grid of 8-bit pictures if asked. Methods
//! keep the limits themselves; this makes sure, to the last bit.

use super::Task;

/// Cuts `input` off at the valid range and the largest change, then shortens the change to the Euclidean limit.
pub fn into_limits(task: &Task<'_>, input: &mut [f32]) {
    for (index, value) in input.iter_mut().enumerate() {
        *value = task.clip(index, *value);
    }
    let limit = f64::from(task.limits.l2);
    // Rounding may leave a shortened change too long by a hair: each turn aims a little lower.
    for turn in 0..8 {
        let length = task.change(input).l2;
        if length <= limit {
            return;
        }
        let factor = limit / length * (1.0 - 1e-7 * f64::from(turn));
        for (value, &from) in input.iter_mut().zip(task.image) {
            *value = (f64::from(from) + (f64::from(*value) - f64::from(from)) * factor) as f32;
        }
    }
}

/// Moves every changed value to a multiple of 1/255, the nearest that the limits allow; one for which they allow none
/// goes back to where it was.
pub fn onto_grid(task: &Task<'_>, input: &mut [f32]) {
    for (index, value) in input.iter_mut().enumerate() {
        if *value != task.image[index] {
            *value = task.on_grid(index, *value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::testing::mlp;
    use crate::attack::{Confidence, Limits, TargetClasses};
    use crate::random::Random;

    /// Random results, far out of all limits, come back within them; what is within stays.
    fn check(limits: &Limits, round: bool) {
        let victim = mlp(&[6, 5, 3], 1);
        let mut random = Random::new(2);
        for _ in 0..200 {
            let image: Vec<f32> = (0..6).map(|_| (random.below(256) as f32) / 255.0).collect();
            let task = Task {
                victim: &victim,
                image: &image,
                label: 0,
                limits,
                targets: TargetClasses::All,
                confidence: Confidence::Picture,
            };
            let mut input: Vec<f32> = (0..6).map(|_| random.between(-1.0, 2.0) as f32).collect();
            input[0] = image[0];
            into_limits(&task, &mut input);
            let settled = input.clone();
            if round {
                onto_grid(&task, &mut input);
                let on_grid = |x: &f32| (0..=255).any(|level: u8| f32::from(level) / 255.0 == *x);
                assert!(input.iter().all(on_grid), "{input:?}");
            } else {
                into_limits(&task, &mut input);
                assert_eq!(input, settled, "{limits:?}");
            }
            assert_eq!(input[0], image[0]);
            let distance = task.change(&input);
            assert!(distance.linf <= f64::from(limits.linf) + 1e-7, "{limits:?}: {distance:?}");
            assert!(round || task.keeps_limits(&input), "{limits:?}: {distance:?}");
        }
    }

    #[test]
    fn results_are_put_into_the_limits_and_onto_the_grid() {
        let none = Limits::none();
        for limits in [
            none.clone(),
            Limits { linf: 0.1, ..none.clone() },
            Limits { l2: 0.3, ..none.clone() },
            Limits { linf: 0.2, l2: 0.25, ..none },
        ] {
            check(&limits, false);
            check(&limits, true);
        }
    }

    #[test]
    fn too_many_pixels_are_not_within() {
        let victim = mlp(&[4, 3, 2], 1);
        let limits = Limits { pixels: 1, ..Limits::none() };
        let task = Task {
            victim: &victim,
            image: &[0.5; 4],
            label: 0,
            limits: &limits,
            targets: TargetClasses::All,
            confidence: Confidence::Picture,
        };
        assert!(task.keeps_limits(&[0.5, 1.0, 0.5, 0.5]));
        assert!(!task.keeps_limits(&[0.5, 1.0, 0.0, 0.5]));
        assert!(!task.keeps_limits(&[0.5, 1.5, 0.5, 0.5]));
    }
}
