//! Results against plain twins: all pairs of values, greedy, and the grid of two inputs.

use super::*;
use crate::attack::methods::greedy_pixel;
use crate::attack::testing::{attack_all, changed, class, cnn, mlp, preparation};
use crate::attack::{Confidence, Limits, TargetClasses};
use crate::budget::{Budget, Interrupt};
use crate::random::Random;

#[test]
fn single_values_are_found_exactly_where_trying_all_finds_one() {
    let mut singles = 0;
    for seed in 0..4 {
        let victim = mlp(&[14, 8, 6, 3], seed);
        let method = make(&preparation(&victim)).unwrap();
        for (image, found) in attack_all(method.as_ref(), &victim, &Limits::none(), 0..15) {
            let label = class(&victim, &image);
            let fools = |index: usize, value: f32| {
                let mut input = image.clone();
                input[index] = value;
                class(&victim, &input) != label
            };
            let single = (0..14).any(|index| fools(index, 0.0) || fools(index, 1.0));
            let count = found.map_or(usize::MAX, |input| changed(&image, &input));
            assert_eq!(single, count == 1);
            singles += usize::from(single);
        }
    }
    assert!(singles > 5, "{singles}");
}

#[test]
fn it_changes_no_more_values_than_greedy_and_less_in_sum() {
    for victim in [mlp(&[40, 12, 12, 5], 1), mlp(&[40, 20, 5], 2), cnn(1), cnn(7)] {
        let strong = make(&preparation(&victim)).unwrap();
        let greedy = greedy_pixel::make(&preparation(&victim)).unwrap();
        let strong = attack_all(strong.as_ref(), &victim, &Limits::none(), 0..25);
        let greedy = attack_all(greedy.as_ref(), &victim, &Limits::none(), 0..25);
        let (mut sums, mut both) = ((0.0, 0.0), 0);
        for ((image, strong), (_, greedy)) in strong.iter().zip(&greedy) {
            let Some(greedy) = greedy else { continue };
            let strong = strong.as_ref().expect("what greedy finds, it finds");
            assert!(changed(image, strong) <= changed(image, greedy));
            let sum =
                |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>();
            sums = (sums.0 + sum(image, strong), sums.1 + sum(image, greedy));
            both += 1;
        }
        assert!(both > 8 && sums.0 < 0.9 * sums.1, "{both} images, {sums:?}");
    }
}

#[test]
fn the_first_anchor_is_greedys_and_stays_when_the_search_is_stopped() {
    let mut anchored = 0;
    for victim in [mlp(&[30, 12, 4], 1), cnn(2)] {
        let greedy = greedy_pixel::make(&preparation(&victim)).unwrap();
        let strong = PatchStrong {
            aim: ChangeObjective::Sparse,
            front: None,
            others: Others::of(&preparation(&victim)),
        };
        for (image, greedy) in attack_all(greedy.as_ref(), &victim, &Limits::none(), 0..8) {
            let (interrupt, limits, label) = (Interrupt::default(), Limits::none(), class(&victim, &image));
            let targets = TargetClasses::Strongest(3);
            let task = Task {
                victim: &victim,
                image: &image,
                label,
                limits: &limits,
                targets,
                confidence: Confidence::Picture,
            };
            let budget = Budget::unlimited().with_interrupt(interrupt.clone());
            let mut session = Session::new(&victim.network, &budget, Random::new(1));
            let mut probe = Probe::new(&task, &mut session, None, usize::MAX, best::fewest);
            anchors::first(&mut probe).unwrap();
            interrupt.raise();
            assert!(strong.sparse(&mut probe).is_err(), "the search goes on after the interruption");
            let Some(greedy) = greedy else { continue };
            assert_eq!(probe.best(), Some(greedy.as_slice()));
            anchored += 1;
        }
    }
    assert!(anchored > 8, "{anchored}");
}

#[test]
fn limits_are_kept_by_all_aims() {
    let victim = mlp(&[30, 12, 4], 1);
    let limits = Limits { linf: 0.4, l2: 0.9, pixels: 6 };
    for make in [make, make_l2, make_linf] {
        let method = make(&preparation(&victim)).unwrap();
        attack_all(method.as_ref(), &victim, &limits, 0..20);
    }
    let method = make(&preparation(&victim)).unwrap();
    let found = attack_all(method.as_ref(), &victim, &limits, 0..20);
    assert!(found.iter().any(|(_, found)| found.is_some()));
}

#[test]
fn the_nearest_input_is_that_of_a_fine_grid() {
    for (make, norm) in
        [(make_l2 as super::super::Make, PixelNorm::Euclidean), (make_linf, PixelNorm::Largest)]
    {
        for seed in 0..3 {
            let victim = mlp(&[2, 10, 3], seed);
            let method = make(&preparation(&victim)).unwrap();
            for (image, found) in attack_all(method.as_ref(), &victim, &Limits::none(), 0..6) {
                let label = class(&victim, &image);
                let length = |x: &[f32]| match norm {
                    PixelNorm::Euclidean => (x[0] - image[0]).hypot(x[1] - image[1]),
                    PixelNorm::Largest => (x[0] - image[0]).abs().max((x[1] - image[1]).abs()),
                };
                let grid =
                    (0..=100).flat_map(|a| (0..=100).map(move |b| [a as f32 / 100.0, b as f32 / 100.0]));
                let nearest = grid
                    .filter(|x| class(&victim, x) != label)
                    .map(|x| length(&x))
                    .fold(f32::INFINITY, f32::min);
                let own = found.as_ref().map_or(f32::INFINITY, |found| length(found));
                assert!(own <= nearest + 0.02, "network {seed}: {own} and {nearest} on the grid");
            }
        }
    }
}
