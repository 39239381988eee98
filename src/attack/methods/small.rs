//! Small classifiers whose answers are known, and one task on each, for tests of attacks.

use super::{Method, Outcome, Preparation, TABLE};
use crate::attack::session::Spent;
pub(super) use crate::attack::testing::{Row, dense};
use crate::attack::victim::{Victim, decision};
use crate::attack::{Confidence, Limits, Session, TargetClasses, Task};
use crate::budget::Budget;
use crate::random::Random;

/// A grey image of two by two pixels.
pub(super) const IMAGE: [f32; 4] = [0.5; 4];

/// Two classes on two by two pixels: `o0 − o1 = x0 + 2 x1 − x2 − 1 + 0.2`, which is 0.2 at [`IMAGE`].
pub(super) fn victim() -> Victim {
    dense(2, 2, &[&[(&[1.0, 2.0, 0.0, 0.0], -0.8), (&[0.0, 0.0, 1.0, 0.0], 0.0)]])
}

/// Four classes on four by four pixels through eight hidden neurons, with weights without pattern; and an image in
/// the middle of the range with its class.
pub(super) fn deep() -> (Victim, Vec<f32>, usize) {
    seeded(3)
}

/// As [`deep`], with weights of this seed.
pub(super) fn seeded(seed: u64) -> (Victim, Vec<f32>, usize) {
    let mut random = Random::new(seed);
    let mut numbers = |count: usize| (0..count).map(|_| random.normal()).collect::<Vec<f64>>();
    let (first, second) = (numbers(8 * 16), numbers(4 * 8));
    let hidden: Vec<Row<'_>> = first.chunks(16).map(|row| (row, 0.1)).collect();
    let last: Vec<Row<'_>> = second.chunks(8).map(|row| (row, 0.0)).collect();
    let victim = dense(4, 4, &[&hidden, &last]);
    let image: Vec<f32> = (0..16).map(|i| 0.25 + 0.5 * ((i * 7 % 16) as f32 / 15.0)).collect();
    let label = decision(&victim.network.evaluate(&image)).unwrap();
    (victim, image, label)
}

/// A task on class 0.
pub(super) fn task<'a>(victim: &'a Victim, image: &'a [f32], limits: &'a Limits) -> Task<'a> {
    Task { victim, image, label: 0, limits, targets: TargetClasses::All, confidence: Confidence::Picture }
}

/// Runs a method on a task: what came out, and what it cost.
pub(super) fn run(method: &dyn Method, task: &Task<'_>) -> (Outcome, Spent) {
    let budget = Budget::unlimited();
    let mut session = Session::new(&task.victim.network, &budget, Random::new(11));
    let outcome = method.attack(task, &mut session);
    (outcome, session.spent)
}

/// The method of this name, for the images of one task.
pub(super) fn method(name: &str, task: &Task<'_>, companions: &[Victim]) -> Box<dyn Method> {
    let images = [task.image.to_vec()];
    let preparation = Preparation {
        victim: task.victim,
        companions,
        images: &images,
        labels: &[task.label],
        seed: 1,
        reading: Default::default(),
        norm: crate::nearest::Norm::Linf,
    };
    let entry = TABLE.iter().find(|entry| entry.name == name).expect("a row of the table");
    (entry.make)(&preparation).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Runs the method of this name and checks that what it finds is within the limits and classified otherwise. Returns
/// whether it found anything.
pub(super) fn succeeds(name: &str, task: &Task<'_>, companions: &[Victim]) -> bool {
    let (outcome, spent) = run(method(name, task, companions).as_ref(), task);
    assert!(spent.evaluations > 0, "{name} evaluated nothing");
    match outcome {
        Outcome::Adversarial(input) => {
            for (index, &value) in input.iter().enumerate() {
                assert!((task.lower(index)..=task.upper(index)).contains(&value), "{name}: value {index}");
            }
            let length = task.change(&input).l2;
            assert!(length <= f64::from(task.limits.l2), "{name}: length {length}");
            let changed = input.iter().zip(task.image).filter(|(x, y)| x != y).count();
            assert!(changed <= task.limits.pixels, "{name}: {changed} pixels");
            let outputs = task.victim.network.evaluate(&input);
            assert_ne!(decision(&outputs), Some(task.label), "{name}: {outputs:?}");
            true
        }
        Outcome::GaveUp => false,
        Outcome::Stopped(reason) => panic!("{name}: {reason}"),
    }
}
