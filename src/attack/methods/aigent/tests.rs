//! What the stages promise, and what the methods keep.

use super::last_step::Finish;
use super::recipe::{KeptEdges, Recipe};
use super::stage::{ChoppedStage, GROUPS, Patched, StageGoal};
use super::*;
use crate::attack::methods::TABLE;
use crate::attack::methods::small::{self, dense};
use crate::attack::testing::{attack_all, class, image, mlp, mlp_over, preparation};
use crate::attack::{ChannelOrder, Confidence, ImageLayout, Limits, TargetClasses, Victim};
use crate::budget::Budget;
use crate::random::Random;

fn wide(image: &[f32]) -> Vec<f64> {
    image.iter().map(|&x| f64::from(x)).collect()
}

/// Both stages of a three-layer network with so many groups of edges.
fn stages(victim: &Victim, image: &[f32], groups: usize) -> Vec<Patched> {
    let network = Layered::new(&victim.double).unwrap();
    let (recipe, trace) = (Recipe::of(victim.layout), network.simulate(&wide(image)));
    let budget = Budget::unlimited();
    let mut programs = Programs::new(&budget);
    let weights = vec![0.0, 1.0, 1.0, 1.0];
    let mut goal = StageGoal::Least { weights, range: (f64::NEG_INFINITY, f64::INFINITY) };
    let mut answers = Vec::new();
    for Planned { layer, depth, bounds, kept } in &plan(&network, recipe) {
        let (layer, depth, bounds) = (*layer, *depth, *bounds);
        let stage = ChoppedStage { network: &network, trace: &trace, layer, depth, bounds, kept, groups };
        let patched = stage.solve(&goal, &mut programs).unwrap();
        goal = StageGoal::AtMost(recipe.slack.above(&network.layers[layer].activate(&patched.sums)));
        answers.push(patched);
    }
    answers
}

#[test]
fn edges_that_move_together_reach_the_same_optimum_as_each_by_itself() {
    let victim = mlp(&[60, 9, 7, 4], 5);
    for seed in 0..8 {
        let image = image(&victim, seed);
        let each = stages(&victim, &image, usize::MAX);
        for groups in [GROUPS, 4] {
            let together = stages(&victim, &image, groups);
            for (stage, (a, b)) in each.iter().zip(&together).enumerate() {
                assert!((a.objective - b.objective).abs() < 1e-5, "{groups}, stage {stage}: {a:?} {b:?}");
            }
        }
    }
}

#[test]
fn a_stage_does_what_it_was_asked_with_the_phases_of_the_image() {
    let victim = mlp(&[60, 9, 7, 4], 5);
    let network = Layered::new(&victim.double).unwrap();
    let mut moved = 0;
    for seed in 0..8 {
        let image = image(&victim, seed);
        let trace = network.simulate(&wide(&image));
        let [first, later] = <[Patched; 2]>::try_from(stages(&victim, &image, GROUPS)).unwrap();
        // A neuron that is on passes its sum on, whatever its sign; one that is off passes nothing.
        let pass = |sums: &[f64], at: usize| -> Vec<f64> {
            sums.iter().zip(&trace.sums[at]).map(|(&z, &was)| if was > 0.0 { z } else { 0.0 }).collect()
        };
        let outputs = network.layers[2].edges.apply(&pass(&first.sums, 1));
        assert!((outputs[1..].iter().sum::<f64>() - first.objective).abs() < 1e-4, "{outputs:?}");
        assert!(outputs[1..].iter().sum::<f64>() <= trace.outputs()[1..].iter().sum::<f64>() + 1e-6);
        let sums = network.layers[1].edges.apply(&pass(&later.sums, 0));
        for (sum, target) in sums.iter().zip(&first.sums) {
            assert!(*sum <= target.max(0.0) + 2.0 + 1e-5, "{sum} for {target}");
        }
        let on = |sum: &&f64| **sum > 0.0;
        assert!(pass(&later.sums, 0).iter().filter(on).all(|&value| value <= 10.0 + 1e-6));
        moved += usize::from(later.sums != trace.sums[0]);
    }
    assert_eq!(moved, 8);
}

#[test]
fn where_the_first_layer_is_off_the_code_has_no_answer() {
    let hidden: &[small::Row<'_>] = &[(&[1.0, 1.0, -1.0, 0.0], -9.0), (&[-1.0, 0.5, 0.0, 1.0], -9.0)];
    let middle: &[small::Row<'_>] = &[(&[1.0, -1.0], 0.5), (&[2.0, 1.0], 0.5)];
    let last: &[small::Row<'_>] = &[(&[1.0, 0.0], 0.0), (&[0.0, 1.0], -0.2)];
    let victim = dense(2, 2, &[hidden, middle, last]);
    let limits = Limits::none();
    let task = small::task(&victim, &small::IMAGE, &limits);
    for name in ["aigent-published", "aigent-published-unboxed", "aigent-published-high-defect"] {
        let (outcome, spent) = small::run(small::method(name, &task, &[]).as_ref(), &task);
        // The first stage's two programs are solved, the second stage has none.
        assert_eq!((outcome, spent.programs, spent.evaluations), (Outcome::GaveUp, 2, 1), "{name}");
    }
}

#[test]
fn the_boxed_method_keeps_the_range_and_every_limit() {
    let victim = mlp(&[40, 6, 6, 4], 3);
    let method = make(&preparation(&victim)).unwrap();
    let found = |limits: &Limits| {
        attack_all(method.as_ref(), &victim, limits, 0..20).iter().filter(|(_, b)| b.is_some()).count()
    };
    let free = found(&Limits::none());
    assert!(free >= 5, "{free} of 20");
    let tight = found(&Limits { linf: 0.8, l2: 2.0, pixels: 16 });
    assert!(tight >= 1, "{tight} of 20");
}

#[test]
fn the_high_setting_finds_what_the_published_one_gives_up() {
    let victim = mlp(&[40, 6, 6, 4], 3);
    let limits = Limits { linf: 0.2, ..Limits::none() };
    let found = |method: Box<dyn Method>| -> Vec<bool> {
        attack_all(method.as_ref(), &victim, &limits, 0..40).iter().map(|(_, b)| b.is_some()).collect()
    };
    let (usual, high) = (
        found(make(&preparation(&victim)).unwrap()),
        found(make_high_defect(&preparation(&victim)).unwrap()),
    );
    // The first round begins with the same draws.
    assert!(usual.iter().zip(&high).all(|(&usual, &high)| high || !usual));
    let count = |found: &[bool]| found.iter().filter(|&&found| found).count();
    assert!(count(&high) > count(&usual), "{} and {}", count(&high), count(&usual));
}

/// Attacks random images as published; gives those that fool the network, with their images.
fn unboxed(victim: &Victim) -> Vec<(Vec<f32>, Vec<f32>)> {
    let method = make_unboxed(&preparation(victim)).unwrap();
    let (limits, targets) = (Limits::none(), TargetClasses::RunnerUp);
    let attack = |seed| {
        let image = image(victim, seed);
        let task = Task {
            victim,
            image: &image,
            label: class(victim, &image),
            limits: &limits,
            targets,
            confidence: Confidence::Picture,
        };
        match small::run(method.as_ref(), &task).0 {
            Outcome::Adversarial(input) => {
                assert_ne!(class(victim, &input), task.label);
                Some((image.clone(), input))
            }
            _ => None,
        }
    };
    (0..20).filter_map(attack).collect()
}

#[test]
fn the_published_method_leaves_the_range_by_its_own_bounds() {
    let colour = ImageLayout { channels: 3, height: 4, width: 4, order: ChannelOrder::ChannelsLast };
    let check = |victim: &Victim, step: f32, least: usize| {
        let found = unboxed(victim);
        assert!(found.len() >= least, "{} of 20", found.len());
        let mut outside = 0;
        for (image, input) in &found {
            let changes = || image.iter().zip(input).map(|(a, b)| b - a);
            assert!(changes().all(|change| change.abs() <= step + 1e-4));
            assert!((-1e-3..=150.001).contains(&changes().sum::<f32>()));
            assert!(input.iter().all(|x| x.abs() <= 10.0 + 1e-4));
            outside += usize::from(input.iter().any(|x| !(0.0..=1.0).contains(x)));
        }
        assert!(outside > found.len() / 2, "{outside} of {}", found.len());
    };
    check(&mlp(&[40, 6, 6, 4], 3), 1.0, 10);
    check(&mlp_over(colour, &[48, 10, 8, 4], 3), 10.0, 10);
    let entry = |name: &str| TABLE.iter().find(|entry| entry.name == name).unwrap().leaves_range;
    assert!(entry("aigent-published-unboxed") && !entry("aigent-published"));
}

#[test]
fn the_last_step_meets_its_rows_with_no_more_values_than_it_may() {
    let victim = mlp(&[40, 6, 6, 4], 3);
    let network = Layered::new(&victim.double).unwrap();
    let (mut first, budget) = (network.layers[0].edges.clone(), Budget::unlimited());
    first.bias.iter_mut().for_each(|bias| *bias += 9.0);
    let rules = &Recipe::of(victim.layout).last;
    let mut forced = 0;
    for seed in 0..10 {
        let image = wide(&image(&victim, seed));
        let sums = first.apply(&image);
        // Of two sums it is asked that they come down, below the slack.
        let below = |(at, z): (usize, &f64)| if at < 2 { z - rules.slack.on - 0.4 } else { z + 1.0 };
        let wanted: Vec<f64> = sums.iter().enumerate().map(below).collect();
        let ceilings = rules.slack.above(&wanted);
        let mut finish = Finish::new(&first, rules, &image, &wanted, |_| (0.0, 1.0));
        for count in [6, 12, 40] {
            let mut programs = Programs::new(&budget);
            let Ok(found) = finish.image(count, &mut Random::new(seed), &mut programs) else { continue };
            assert!(found.iter().zip(&image).filter(|(a, b)| a != b).count() <= count);
            assert!(found.iter().all(|x| (-1e-9..=1.0 + 1e-9).contains(x)));
            assert!(first.apply(&found).iter().zip(&ceilings).all(|(sum, ceiling)| *sum <= ceiling + 1e-6));
            forced += usize::from(programs.solved > 1);
        }
    }
    // Where the values drawn do not reach it, those of the least change do.
    assert!(forced > 0);
}

#[test]
fn large_images_move_their_brightest_values_only() {
    let mut rules =
        Recipe::of(ImageLayout { channels: 3, height: 64, width: 64, order: ChannelOrder::ChannelsLast })
            .last
            .clone();
    rules.brightest = Some(4);
    let first = crate::network::layered::Edges { weights: vec![0.1; 10], bias: vec![0.0], inputs: 10 };
    let image: Vec<f64> = (0..10).map(|i| f64::from(i) / 10.0).collect();
    let budget = Budget::unlimited();
    let free = |_| (f64::NEG_INFINITY, f64::INFINITY);
    let mut finish = Finish::new(&first, &rules, &image, &[9.0], free);
    let check = |finish: &mut Finish<'_>, count: usize, want: &[usize]| {
        let found = finish.image(count, &mut Random::new(1), &mut Programs::new(&budget)).unwrap();
        let moved: Vec<usize> = (0..10).filter(|&i| found[i] != image[i]).collect();
        assert_eq!(moved, want);
    };
    // The code compares with the fourth brightest, which itself stays.
    check(&mut finish, 4, &[7, 8, 9]);
    check(&mut finish, 6, &[5, 6, 7, 8, 9]);
}

#[test]
fn a_network_without_the_codes_layers_is_refused() {
    let one = mlp(&[9, 3], 1);
    assert!(make(&preparation(&one)).is_err());
    let convolutions = crate::attack::testing::cnn(1);
    assert!(make_unboxed(&preparation(&convolutions)).is_err());
    assert_eq!(KeptEdges::All.of(&Layered::new(&one.double).unwrap().layers[0].edges).len(), 27);
}
