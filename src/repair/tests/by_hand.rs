//! Repairs small enough to be worked on paper.

use super::super::demand::OutputHalfSpace;
use super::super::{Change, ChangeNorm, Demand, RepairOutcome, RepairSettings};
use super::{dense, margin, search};

/// Output 1 must exceed output 0.
fn second_wins() -> Demand {
    Demand { clauses: vec![vec![OutputHalfSpace { terms: vec![(1, 1.0), (0, -1.0)], bound: 0.0 }]] }
}

#[test]
fn the_last_layer_for_one_point() {
    // Sources (1, 2), outputs (1, 0), margin 1/2: the difference must rise by 3/2. A weight with source 2 gives twice
    // its change, so the least sum is 3/4 in one weight; all four weights together give 2 · (1 + 2) times theirs, so
    // the least largest change is 1/4.
    let layers = [dense(&[&[1.0, 0.0], &[0.0, 0.0]], &[0.0, 0.0], None)];
    let check = |norm: ChangeNorm, sizes: [f64; 3]| {
        let settings = RepairSettings { norm, margin: 0.5, ..RepairSettings::default() };
        let demands = [second_wins()];
        let sources = [vec![1.0, 2.0]];
        let outcome = search(&layers, &[0], &sources, &demands, &settings);
        let RepairOutcome::Repaired(repair) = &outcome else { panic!("{outcome:?}") };
        assert!(repair.optimal);
        for (norm, size) in
            [ChangeNorm::Fewest, ChangeNorm::Total, ChangeNorm::Largest].into_iter().zip(sizes)
        {
            assert!((norm.of(&repair.patches) - size).abs() < 1e-9, "{norm:?}: {repair:?}");
        }
        assert!((margin(&layers, &sources, &demands, &outcome) - 0.5).abs() < 1e-9);
    };
    check(ChangeNorm::Total, [1.0, 0.75, 0.75]);
    check(ChangeNorm::Largest, [4.0, 1.0, 0.25]);
    check(ChangeNorm::Fewest, [1.0, 0.75, 0.75]);
}

#[test]
fn points_share_one_change() {
    // Sources (1, 0) and (1, 1), no weights: at both points output 1 must exceed output 0 by 1. One weight of source 0
    // does it for both.
    let layers = [dense(&[&[0.0, 0.0], &[0.0, 0.0]], &[0.0, 0.0], None)];
    let settings = RepairSettings { margin: 1.0, ..RepairSettings::default() };
    let sources = [vec![1.0, 0.0], vec![1.0, 1.0]];
    let outcome = search(&layers, &[0], &sources, &[second_wins(), second_wins()], &settings);
    let RepairOutcome::Repaired(repair) = outcome else { panic!("{outcome:?}") };
    assert!((ChangeNorm::Total.of(&repair.patches) - 1.0).abs() < 1e-9, "{repair:?}");
}

#[test]
fn a_phase_must_turn() {
    // y1 − y0 = relu(h) − 1/2 with h = w · 1 and w = −1: inactive, where no change small enough to keep the phase
    // does. At w = 3/5 it is 1/10: a change of 8/5.
    let layers = [dense(&[&[-1.0]], &[0.0], Some(0.0)), dense(&[&[0.0], &[1.0]], &[0.5, 0.0], None)];
    let demands = [second_wins()];
    let settings = RepairSettings { margin: 0.1, ..RepairSettings::default() };
    let outcome = search(&layers, &[0], &[vec![1.0]], &demands, &settings);
    let RepairOutcome::Repaired(repair) = outcome else { panic!("{outcome:?}") };
    let [Change { target: 0, source: 0, by }] = repair.patches[0].changes[..] else { panic!("{repair:?}") };
    assert!((by - 1.6).abs() < 1e-9 && repair.optimal, "{repair:?}");
    let limited = RepairSettings { limit: 1.5, ..settings };
    assert_eq!(search(&layers, &[0], &[vec![1.0]], &demands, &limited), RepairOutcome::Impossible);
}

#[test]
fn a_source_of_zero_cannot_be_repaired() {
    let layers = [dense(&[&[0.0], &[0.0]], &[1.0, 0.0], None)];
    let outcome = search(&layers, &[0], &[vec![0.0]], &[second_wins()], &RepairSettings::default());
    assert_eq!(outcome, RepairOutcome::Impossible);
}

#[test]
fn a_satisfied_demand_needs_no_change() {
    let layers = [dense(&[&[1.0]], &[0.0], Some(0.0)), dense(&[&[0.0], &[1.0]], &[0.0, 0.0], None)];
    for norm in [ChangeNorm::Total, ChangeNorm::Largest, ChangeNorm::Fewest] {
        let settings = RepairSettings { norm, ..RepairSettings::default() };
        let outcome = search(&layers, &[0], &[vec![1.0]], &[second_wins()], &settings);
        let RepairOutcome::Repaired(repair) = outcome else { panic!("{outcome:?}") };
        assert!(repair.optimal && repair.patches.iter().all(|patch| patch.changes.is_empty()), "{repair:?}");
    }
}

#[test]
fn several_layers_are_no_dearer_than_the_best_of_them_alone() {
    // y = 2 · relu(w h), h = 1, w = 1, wanted 4: the first layer alone needs 1, the second 2 (relu(2) · 2 or 1 · 4).
    let layers = [dense(&[&[1.0]], &[0.0], Some(0.0)), dense(&[&[2.0]], &[0.0], None)];
    let demands = [Demand { clauses: vec![vec![OutputHalfSpace { terms: vec![(0, 1.0)], bound: 4.0 }]] }];
    let settings = RepairSettings { margin: 1e-6, ..RepairSettings::default() };
    let total = |changed: &[usize]| {
        let outcome = search(&layers, changed, &[vec![1.0]], &demands, &settings);
        assert!(margin(&layers, &[vec![1.0]], &demands, &outcome) >= 0.0, "{outcome:?}");
        let RepairOutcome::Repaired(repair) = outcome else { panic!("{outcome:?}") };
        ChangeNorm::Total.of(&repair.patches)
    };
    assert!((total(&[0]) - 1.0).abs() < 1e-4);
    assert!((total(&[1]) - 2.0).abs() < 1e-4);
    assert!(total(&[0, 1]) <= 1.0 + 1e-4);
}
