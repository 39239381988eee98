//! Joined networks against each network alone, declarations that do not fit, isomorphism.

use std::collections::BTreeMap;

use super::*;
use crate::bounds::{BoundRow, Tightening};
use crate::network::build::Builder;
use crate::network::op::{Op, Unary, UnaryFunction};
use crate::onnx::ElementType;
use crate::random::Random;

/// `y = scale · x + shift`, and in front of it the hidden value `relu(x)` where it is asked for.
fn network(scale: f64, shift: f64, hidden: bool, element: ElementType) -> Network<f64> {
    let mut builder = Builder::default();
    let x = builder.input("x", element, vec![2]).unwrap();
    let line = Op::Unary(Unary(UnaryFunction::Scale { scale, shift }));
    let y = builder.push("y", line, &[x], element).unwrap();
    let h = builder.push("h", Op::Unary(Unary(UnaryFunction::Relu)), &[x], element).unwrap();
    builder.finish(if hidden { vec![h, y] } else { vec![y] })
}

const FG: &str = "(vnnlib-version <2.0>)\
    (declare-network f (declare-input X float64 [2]) (declare-hidden H float64 [2] \"h\") (declare-output Y float64 [2]))\
    (declare-network g (declare-input U float64 [2]) (declare-output V float64 [2]))\
    (assert (and (>= X[0] -1.0) (<= X[0] 1.0) (>= X[1] -1.0) (<= X[1] 1.0)))";

#[test]
fn joined_networks_compute_what_each_computes() {
    let text = format!(
        "{FG}(assert (and (== X[0] U[1]) (== U[0] X[1])))(assert (<= (* H[0] V[0] V[0]) (* X[1] Y[0])))"
    );
    let networks =
        vec![network(2.0, 1.0, true, ElementType::Float64), network(-3.0, 0.5, false, ElementType::Float64)];
    let problem = Problem::of_networks(vnnlib::parse(text).unwrap(), networks.clone()).unwrap();
    assert_eq!((problem.network.input_len(), problem.network.output_len()), (2, 8));
    for x in [[0.25, -0.5], [-1.0, 0.75], [0.5, 0.5]] {
        let (declared, _) = problem.declared_inputs(&x, &BTreeMap::new());
        assert_eq!(declared, [x[0], x[1], x[1], x[0]]);
        let (f, g) = (networks[0].evaluate(&declared[..2]), networks[1].evaluate(&declared[2..]));
        let products = [x[1] * f[2], f[0] * g[0] * g[0]];
        let want = [f, g, products.to_vec()].concat();
        assert_eq!(problem.network.evaluate(&x), want, "{x:?}");
        let region = problem.property.region(0).unwrap();
        assert_eq!(region.margin(&x, &want), products[0] - products[1]);
    }
}

#[test]
fn networks_behind_others_compute_what_each_computes() {
    let networks =
        vec![network(2.0, 1.0, true, ElementType::Float64), network(-3.0, 0.5, false, ElementType::Float64)];
    // What the inputs of g are, from those and the hidden values and outputs of f.
    let check = |assertions: &str, inputs: usize, behind: fn(&[f64], &[f64]) -> [f64; 2]| {
        let text = format!("{FG}{assertions}(assert (<= (* U[0] V[1]) Y[0]))");
        let problem = Problem::of_networks(vnnlib::parse(text).unwrap(), networks.clone()).unwrap();
        assert_eq!(problem.network.input_len(), inputs, "{assertions}");
        for x in [[0.25, -0.5, 0.75, 0.1], [-1.0, 0.75, 0.5, 0.0], [0.5, 0.5, -0.25, 1.0]] {
            let x = &x[..inputs];
            let (declared, _) = problem.declared_inputs(x, &BTreeMap::new());
            let f = networks[0].evaluate(&declared[..2]);
            assert_eq!(declared[2..], behind(&declared, &f), "{assertions} at {x:?}");
            let g = networks[1].evaluate(&declared[2..]);
            let outputs = problem.network.evaluate(x);
            assert_eq!(outputs[..6], [f.clone(), g.clone()].concat(), "{assertions} at {x:?}");
            let margin = problem.property.region(0).unwrap().margin(x, &outputs);
            assert!((margin - (f[2] - declared[2] * g[1])).abs() < 1e-12, "{assertions} at {x:?}");
        }
    };
    check("(assert (and (== U[0] Y[0]) (== U[1] Y[1])))", 2, |_, f| [f[2], f[3]]);
    check("(assert (and (== U[0] Y[1]) (== U[1] H[0])))", 2, |_, f| [f[3], f[0]]);
    check("(assert (== U[0] Y[0]))", 3, |x, f| [f[2], x[3]]);
    check("(assert (and (== U[0] (+ (* 2.0 Y[0]) 1.0)) (== U[1] X[1])))", 2, |x, f| [2.0 * f[2] + 1.0, x[1]]);
    check("(assert (and (== U[0] (- Y[0] X[1])) (== (* 0.5 U[1]) U[0])))", 2, |x, f| {
        [f[2] - x[1], 2.0 * (f[2] - x[1])]
    });
}

#[test]
fn whole_numbers_stay_whole() {
    let text = "(vnnlib-version <2.0>)\
        (declare-network f (declare-input X int8 [2]) (declare-output Y int8 [2]))\
        (assert (and (>= X[0] -2) (<= X[0] 5) (>= Y[0] 3)))";
    let networks = vec![network(2.0, 1.0, false, ElementType::Int8)];
    let problem = Problem::of_networks(vnnlib::parse(text).unwrap(), networks).unwrap();
    let region = problem.property.region(0).unwrap();
    assert_eq!((region.lower, region.upper), (vec![-2.0, -128.0], vec![5.0, 127.0]));
    assert_eq!(problem.network.evaluate(&[1.3, 2.6]), [3.0, 7.0]);
    assert_eq!(problem.declared_inputs(&[1.3, 2.6], &BTreeMap::new()).0, [1.0, 3.0]);
}

#[test]
fn literals_follow_their_coupling() {
    let text = format!("{FG}(assert (and (== X[0] U[1]) (== X[0] 0.1) (<= Y[0] 0.0)))");
    let networks =
        vec![network(2.0, 1.0, true, ElementType::Float64), network(-3.0, 0.5, false, ElementType::Float64)];
    let problem = Problem::of_networks(vnnlib::parse(text).unwrap(), networks).unwrap();
    let region = problem.property.region(0).unwrap();
    assert_eq!(region.literals, BTreeMap::from([(0, "0.1".to_owned())]));
    let (_, literals) = problem.declared_inputs(&[0.1, 0.0, 0.0], &region.literals);
    assert_eq!(literals, BTreeMap::from([(0, "0.1".to_owned()), (3, "0.1".to_owned())]));
}

#[test]
fn declarations_must_fit() {
    let f = |declarations: &str| {
        let text = format!("(vnnlib-version <2.0>)(declare-network f {declarations})(assert (<= 1.0 1.0))");
        let networks = vec![network(2.0, 1.0, false, ElementType::Float64)];
        let problem = Problem::of_networks(vnnlib::parse(text).unwrap(), networks);
        problem.map(|_| ()).map_err(|error| error.to_string())
    };
    let fine = ["(declare-input X real [1,2]) (declare-output Y float64 [2])"];
    fine.iter().for_each(|text| assert_eq!(f(text), Ok(()), "{text}"));
    let wrong = [
        (
            "(declare-input X float32 [2]) (declare-output Y real [2])",
            "X is declared as float32, the model's x is float64",
        ),
        ("(declare-input X real [3]) (declare-output Y real [2])", "X is declared with the shape [3]"),
        (
            "(declare-input X real [2]) (declare-output Y real [1]) (declare-output Z real [1])",
            "declares 2 output",
        ),
        (
            "(declare-input X real [2]) (declare-input Z real [2]) (declare-output Y real [2])",
            "declares 2 input",
        ),
        (
            "(declare-input X real [2] initialized) (declare-output Y real [2])",
            "X is declared as initialized",
        ),
    ];
    for (text, want) in wrong {
        let error = f(text).unwrap_err();
        assert!(error.contains(want) && error.contains("(help: "), "{text}: {error}");
    }
}

#[test]
fn products_in_bounds_are_sound() {
    let text = format!("{FG}(assert (<= (* X[0] X[0]) -0.001))(assert (<= (* X[0] X[1] Y[0]) V[0]))");
    let networks =
        vec![network(2.0, 1.0, true, ElementType::Float64), network(-3.0, 0.5, false, ElementType::Float64)];
    let problem = Problem::of_networks(vnnlib::parse(text).unwrap(), networks).unwrap();
    let region = problem.property.region(0).unwrap();
    let mut bounder = problem.bounder().unwrap();
    let (lower, upper) = ([-1.0, -1.0, -0.5, -0.5], [1.0, 1.0, 0.25, 0.25]);
    assert!(bounder.intervals(&lower, &upper, Tightening::OpenPhases, &|| true));
    let rows: Vec<_> = region.conjunctions[0].rows.iter().filter(|row| !row.outputs.is_empty()).collect();
    let views: Vec<_> =
        rows.iter().map(|row| BoundRow { inputs: &row.inputs, outputs: &row.outputs }).collect();
    let least: Vec<f64> = bounder.rows(&views).into_iter().map(|bound| bound.least).collect();
    let mut random = Random::new(3);
    let mut nearest = [f64::INFINITY; 2];
    for _ in 0..2000 {
        let x: Vec<f64> = lower.iter().zip(upper).map(|(&l, u)| random.between(l, u)).collect();
        let y = problem.network.evaluate(&x);
        for ((row, least), nearest) in rows.iter().zip(&least).zip(&mut nearest) {
            let sum: f64 = row.outputs.iter().map(|&(i, c)| c * y[i]).sum();
            assert!(*least <= sum, "{least} > {sum} at {x:?}");
            *nearest = nearest.min(sum - least);
        }
    }
    assert!(nearest[0] < 0.01 && nearest[1] < 4.0, "the bounds say something: {nearest:?}");
}
