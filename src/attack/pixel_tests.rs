//! Limits and distances are in pixels, whatever the scale of the network's inputs: on images of two channels, each with a mean
//! and a deviation of its own.

use super::methods::{MethodEntry, Preparation, TABLE};
use super::record::{AttackEnding, Record};
use super::run::{Chosen, RunPlan, Subject};
use super::testing::{dense_over, preparation};
use super::victim::Scaling;
use super::{ChannelOrder, Confidence, ImageLayout, Limits, TargetClasses, Task, Victim};
use crate::budget::Budget;
use crate::nearest::Norm;

const MEAN: [f32; 2] = [0.25, 0.75];

/// Two classes on 1 x 2 pixels: in pixels `o0 − o1 = p0 + p1 + 2 q0 + 2 q1 − 2.8`, which is 0.2 where all are 0.5.
fn victim(order: ChannelOrder, deviation: [f32; 2]) -> Victim {
    let layout = ImageLayout { channels: 2, height: 1, width: 2, order };
    let slopes = [1.0, 2.0];
    let weight = |index: usize| slopes[layout.channel(index)] * f64::from(deviation[layout.channel(index)]);
    let weights: Vec<f64> = (0..4).map(weight).collect();
    let shift: f64 = (0..4).map(|i| slopes[layout.channel(i)] * f64::from(MEAN[layout.channel(i)])).sum();
    let scaling = Scaling { mean: MEAN.to_vec(), deviation: deviation.to_vec() };
    dense_over(layout, scaling, &[&[(&weights, shift - 2.8), (&[0.0; 4], 0.0)]])
}

/// One method on the grey image, within these limits.
fn attacked(victim: &Victim, method: &str, norm: Norm, limits: &Limits) -> (Subject, Record) {
    let subject = Subject::new(victim, 0, victim.reads(&[0.5; 4]), 0, None);
    assert!(subject.is_correct());
    let entry: MethodEntry = *TABLE.iter().find(|entry| entry.name == method).unwrap();
    let images = [subject.input.clone()];
    let run = Preparation { images: &images, labels: &[0], norm, ..preparation(victim) };
    let chosen = Chosen { entry, method: (entry.make)(&run).unwrap() };
    let plan = RunPlan {
        victim,
        limits: limits.clone(),
        targets: TargetClasses::All,
        confidence: Confidence::Lead(0.0),
        round: false,
        each: std::time::Duration::from_secs(3600),
        seed: 1,
    };
    let record = plan.attack(&subject, &chosen, &Budget::unlimited()).unwrap();
    (subject, record)
}

#[test]
fn an_input_may_move_by_the_limit_over_its_channels_deviation() {
    for order in [ChannelOrder::ChannelsFirst, ChannelOrder::ChannelsLast] {
        let victim = victim(order, [0.25, 0.5]);
        let image = victim.reads(&[0.5; 4]);
        let limits = Limits { linf: 0.125, l2: 0.2, pixels: 4 };
        let (targets, confidence) = (TargetClasses::All, Confidence::Picture);
        let task = Task { victim: &victim, image: &image, label: 0, limits: &limits, targets, confidence };
        for index in 0..4 {
            let most = [0.5, 0.25][victim.layout.channel(index)];
            assert_eq!(task.upper(index) - image[index], most, "{order:?}, {index}");
            assert_eq!(image[index] - task.lower(index), most, "{order:?}, {index}");
            let check = |share: f32, want: bool| {
                let mut input = image.clone();
                input[index] += share * most;
                assert_eq!(task.keeps_limits(&input), want, "{order:?}, {index}: {share} of the limit");
            };
            check(1.0, true);
            check(1.001, false);
        }
        // Two values by 0.125 each are 0.177 away; three are 0.217.
        let moved = |count: usize| -> Vec<f32> {
            (0..4).map(|i| if i < count { task.lower(i) } else { image[i] }).collect()
        };
        assert!(task.keeps_limits(&moved(2)) && !task.keeps_limits(&moved(3)), "{order:?}");
    }
}

#[test]
fn attacks_reach_the_border_and_no_farther() {
    let check = |method: &str, limits: Limits, want: bool| {
        for order in [ChannelOrder::ChannelsFirst, ChannelOrder::ChannelsLast] {
            let victim = victim(order, [0.25, 0.5]);
            let (_, record) = attacked(&victim, method, Norm::Linf, &limits);
            assert_eq!(record.ending == AttackEnding::Adversarial, want, "{method}, {order:?}: {limits:?}");
            let Some(found) = record.found else { continue };
            let (linf, l2) = (found.distance.linf, found.distance.l2);
            let most = f64::from(limits.linf);
            assert!(linf <= most + 1e-7, "{method}: {linf} of {limits:?}");
            if ["fgsm", "square"].contains(&method) {
                assert!((linf - most).abs() < 1e-7, "{method} goes as far as it may: {linf} of {limits:?}");
            }
            assert!(l2 <= f64::from(limits.l2), "{method}: {l2} of {limits:?}");
        }
    };
    let linf = |linf| Limits { linf, ..Limits::none() };
    let l2 = |l2| Limits { l2, ..Limits::none() };
    // All values move: the lead of 0.2 falls by 6 ε, so that ε is 0.0333; the shortest way is 0.2 / √10 = 0.0632.
    for method in ["fgsm", "apgd-ce", "square"] {
        check(method, linf(0.0335), true);
        check(method, linf(0.033), false);
    }
    // FAB's steps, which both of these make, go a twentieth too far.
    check("fab-t", linf(0.0355), true);
    check("fab-t", linf(0.0332), false);
    check("patch-strong-l2", l2(0.067), true);
    check("patch-strong-l2", l2(0.0631), false);
    check("patch-strong-linf", linf(0.0334), true);
    check("patch-strong-linf", linf(0.0332), false);
}

#[test]
fn what_is_proved_of_the_closest_image_holds_in_pixels() {
    // The border's distance, and the part of it that the bound reaches where one channel's deviation is the other's double.
    for (norm, border) in [(Norm::Linf, 0.2 / 6.0), (Norm::L2, 0.2 / 10.0_f64.sqrt()), (Norm::L1, 0.1)] {
        for (deviation, least, is_same) in [([0.5, 0.5], 0.999, true), ([0.25, 0.5], 0.4, false)] {
            let victim = victim(ChannelOrder::ChannelsFirst, deviation);
            let (_, record) = attacked(&victim, "nearest", norm, &Limits::none());
            let proved = record.proved.unwrap();
            let (bound, distance) = (proved.bound.unwrap(), proved.distance.unwrap());
            // The asked lead is 1e-5 of the outputs.
            let reach = border * 1.001;
            assert!(bound <= reach && bound >= least * border, "{norm} {deviation:?}: {proved:?}");
            assert!(
                distance >= border && (!is_same || distance <= reach),
                "{norm} {deviation:?}: {proved:?}"
            );
            assert_eq!(proved.optimal, is_same, "{norm} {deviation:?}: {proved:?}");
        }
    }
}
