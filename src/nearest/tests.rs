//! The search against its plain twin: every activation pattern of a small network, one linear program each.

use super::program::usable;
use super::*;
use crate::lp::{LinearProgram, LpOptions, LpOutcome, Solver};
use crate::network::layered::Layered;
use crate::network::op::UnaryFunction;
use crate::network::testing::{Spread, layered};
use crate::property::{Row, RowKind};
use crate::random::Random;

/// A network of random weights.
fn network(widths: &[usize], function: UnaryFunction, random: &mut Random) -> Layered {
    layered(widths, function, Spread::normal(0.5), random)
}

/// The least distance with all phases as the bits of `pattern` say, by a linear program; `sizes` are pixels that may change
/// under L0.
fn within(question: &Question<'_>, way: &Disjunct, pattern: u32, changed: Option<u32>) -> f64 {
    let network = question.network;
    let mut program = LinearProgram::minimise();
    let bound = program.column(0.0, f64::INFINITY, if question.norm == Norm::Linf { 1.0 } else { 0.0 });
    let mut inputs = Vec::new();
    for (i, &x) in question.nominal.iter().enumerate() {
        let stays = changed.is_some_and(|set| set & (1 << i) == 0);
        let (low, high) = if stays { (x, x) } else { (way.lower[i], way.upper[i]) };
        let column = program.column(low, high, 0.0);
        let change = program.column(0.0, f64::INFINITY, if question.norm == Norm::L1 { 1.0 } else { 0.0 });
        for sign in [1.0, -1.0] {
            program.at_least([(change, 1.0), (column, sign)], sign * x);
        }
        program.at_most([(change, 1.0), (bound, -1.0)], 0.0);
        inputs.push(column);
    }
    let mut values = inputs.clone();
    let mut bit = 0;
    for layer in &network.layers[..network.bent()] {
        let own = (0..layer.edges.outputs()).map(|o| {
            let is_active = pattern & (1 << bit) != 0;
            bit += 1;
            let terms = |factor: f64| {
                let row = layer.edges.row(o).to_vec();
                values.iter().copied().zip(row).map(move |(v, w)| (v, factor * w)).collect::<Vec<_>>()
            };
            let bias = layer.edges.bias[o];
            program.at_least(terms(if is_active { 1.0 } else { -1.0 }), if is_active { -bias } else { bias });
            let slope = if is_active { layer.high } else { layer.low };
            let value = program.column(f64::NEG_INFINITY, f64::INFINITY, 0.0);
            program.equal(terms(slope).into_iter().chain([(value, -1.0)]), -slope * bias);
            value
        });
        values = own.collect();
    }
    let edges = &network.layers[network.bent()].edges;
    for row in usable(&way.conjunction) {
        let mut terms: Vec<_> = row.inputs.iter().map(|&(i, c)| (inputs[i], c)).collect();
        let mut limit = row.bound;
        for &(o, c) in &row.outputs {
            terms.extend(values.iter().copied().zip(edges.row(o).iter().map(|w| c * w)));
            limit -= c * edges.bias[o];
        }
        program.at_most(terms, limit);
    }
    match Solver::new(&program, &LpOptions::default()).unwrap().solve().unwrap() {
        LpOutcome::Optimal(solution) => solution.objective,
        _ => f64::INFINITY,
    }
}

/// The nearest over all patterns.
fn by_enumeration(question: &Question<'_>) -> f64 {
    let patterns = 0..1u32 << question.network.neurons();
    let mut least = f64::INFINITY;
    for way in question.ways {
        for pattern in patterns.clone() {
            if question.norm == Norm::L0 {
                let sets = 0..1u32 << question.nominal.len();
                let open = sets.filter(|set| f64::from(set.count_ones()) < least);
                let fitting = open.filter(|&set| within(question, way, pattern, Some(set)).is_finite());
                least = fitting.map(|set| f64::from(set.count_ones())).fold(least, f64::min);
            } else {
                least = least.min(within(question, way, pattern, None));
            }
        }
    }
    least
}

/// One way that asks for an output to lead, one for two rows at once, in different boxes.
fn ways(inputs: usize, random: &mut Random, with_inputs: bool) -> Vec<Disjunct> {
    let row = |outputs: Vec<(usize, f64)>, bound: f64| {
        let inputs = if with_inputs { vec![(0, 0.3)] } else { Vec::new() };
        Row { inputs, outputs, bound, kind: RowKind::AtMost }
    };
    let box_of = |random: &mut Random| -> (Vec<f64>, Vec<f64>) {
        (0..inputs).map(|_| (random.between(-1.5, -0.5), random.between(0.5, 1.5))).unzip()
    };
    let bound = random.normal();
    let conjunctions = [
        vec![row(vec![(0, 1.0), (1, -1.0)], -1.0)],
        vec![row(vec![(1, 1.0)], bound - 1.0), row(vec![(0, -1.0), (1, 0.5)], 0.3)],
    ];
    let way = |rows| {
        let (lower, upper) = box_of(random);
        let (hull_lower, hull_upper) = (lower.clone(), upper.clone());
        Disjunct { lower, upper, hull_lower, hull_upper, conjunction: Conjunction { rows } }
    };
    conjunctions.into_iter().map(way).collect()
}

/// Whether there was anything to find.
fn check(norm: Norm, widths: &[usize], function: UnaryFunction, seed: u64, outside: bool) -> bool {
    let mut random = Random::new(seed);
    let layered = network(widths, function, &mut random);
    let hinges = Hinges::of(&layered).unwrap();
    let inputs = widths[0];
    let ways = ways(inputs, &mut random, seed.is_multiple_of(3));
    let spread = if outside { 2.0 } else { 0.4 };
    let nominal: Vec<f64> = (0..inputs).map(|_| random.between(-spread, spread)).collect();
    let pixels = Pixels::single(inputs);
    let question = Question {
        network: &hinges,
        nominal: &nominal,
        norm,
        pixels: &pixels,
        ways: &ways,
        seeds: &[],
        snap: &|_, x| x,
        gap: GAP,
    };
    let violates = |x: &[f64]| {
        let outputs = layered.simulate(x).outputs().to_vec();
        ways.iter().any(|way| way.conjunction.margin(x, &outputs) >= -1e-12)
    };
    let answer = nearest(&question, &mut |_, x| violates(x), &Budget::unlimited());
    let expected = by_enumeration(&question);
    let case = format!("{norm} {widths:?} {function:?} seed {seed}: {expected}, found {answer:?}");
    assert_eq!(answer.ending, NearestEnding::Proved, "{case}");
    if expected.is_infinite() {
        assert!(answer.input.is_none() && answer.bound.is_infinite(), "{case}");
        return false;
    }
    assert!(answer.bound <= expected + 1e-9, "the bound is above the least distance: {case}");
    assert!(answer.distance >= expected - 1e-9, "{case}");
    assert!(answer.gap() <= GAP || answer.distance < 1e-9, "{case}");
    let input = answer.input.clone().unwrap();
    assert!(violates(&input), "{case}");
    assert_eq!(norm.distance(&input, &nominal, &pixels), answer.distance, "{case}");
    true
}

#[test]
fn the_nearest_input_is_that_of_all_patterns() {
    let mut found = 0;
    let leaky = UnaryFunction::LeakyRelu { alpha: 0.2 };
    let norms = [Norm::Linf, Norm::L1];
    for norm in norms {
        for seed in 0..12 {
            // Few inputs, and more inputs than neurons in the first layer.
            for widths in [&[3, 4, 3, 2][..], &[6, 3, 4, 2]] {
                let function = if seed % 4 == 3 { leaky } else { UnaryFunction::Relu };
                found += usize::from(check(norm, widths, function, seed, seed % 5 == 4));
            }
        }
    }
    assert!(found >= 24, "only {found} of 48 can be violated");
}

#[test]
fn the_fewest_changes_are_those_of_all_patterns_and_sets() {
    let found = (0..10).filter(|&seed| {
        check(
            Norm::L0,
            if seed % 2 == 0 { &[3, 3, 2, 2] } else { &[4, 3, 2, 2] },
            UnaryFunction::Relu,
            seed,
            false,
        )
    });
    assert!(found.count() >= 5);
}
