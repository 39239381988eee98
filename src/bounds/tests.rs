//! Bounds against samples: nothing that the network does may lie outside, and on a point they are nearly exact.

use super::interval::Tightening;
use super::{BoundRow, Bounder};
use crate::network::build::Builder;
use crate::network::matrix::Matrix;
use crate::network::op::{Affine, Binary, BinaryFunction, Op, Unary, UnaryFunction};
use crate::network::{Network, NodeId};
use crate::onnx::ElementType::Float64;
use crate::random::Random;

fn layer(builder: &mut Builder<f64>, from: NodeId, outputs: usize, random: &mut Random) -> NodeId {
    let inputs = builder.shape(from)[1];
    let data = (0..inputs * outputs).map(|_| random.normal()).collect();
    let bias = (0..outputs).map(|_| random.normal()).collect();
    let matrix = Matrix::dense(outputs, inputs, data);
    builder.push("layer", Op::Affine(Affine { matrix, bias, axis: 1 }), &[from], Float64).unwrap()
}

fn network(function: UnaryFunction, seed: u64) -> Network<f64> {
    let mut random = Random::new(seed);
    let mut builder = Builder::default();
    let input = builder.input("x", Float64, vec![1, 3]).unwrap();
    let mut node = layer(&mut builder, input, 8, &mut random);
    node = builder.push("f", Op::Unary(Unary(function)), &[node], Float64).unwrap();
    let inner = layer(&mut builder, node, 8, &mut random);
    let inner = builder.push("f", Op::Unary(Unary(function)), &[inner], Float64).unwrap();
    // A residual connection, and one that subtracts.
    node = builder.push("add", Op::Binary(Binary(BinaryFunction::Add)), &[node, inner], Float64).unwrap();
    let last = layer(&mut builder, node, 8, &mut random);
    node = builder.push("sub", Op::Binary(Binary(BinaryFunction::Sub)), &[last, node], Float64).unwrap();
    let out = layer(&mut builder, node, 2, &mut random);
    builder.finish(vec![out])
}

fn check(function: UnaryFunction, seed: u64, width: f64, tightening: Tightening) {
    let network = network(function, seed);
    let mut bounder = Bounder::new(&network).unwrap();
    let mut random = Random::new(seed + 1000);
    let lower: Vec<f64> = (0..3).map(|_| random.between(-1.0, 1.0)).collect();
    let upper: Vec<f64> = lower.iter().map(|l| l + width).collect();
    assert!(bounder.intervals(&lower, &upper, tightening, &|| true));
    check_box(&network, &mut bounder, function, (&lower, &upper), &mut random);
    // A part of the box, with what is known of the whole.
    let known = bounder.phases();
    let part: Vec<f64> = lower.iter().zip(&upper).map(|(l, u)| random.between(*l, *u)).collect();
    assert!(bounder.intervals_within(&known, &part, &upper, tightening, &|| true));
    check_box(&network, &mut bounder, function, (&part, &upper), &mut random);
    let both = bounder.phases();
    assert!(bounder.intervals_within(&both, &part, &upper, tightening, &|| true));
    assert_eq!(bounder.phases(), both, "{function:?}: a phase that was decided is open again");
}

/// Samples of the box whose intervals were computed last.
fn check_box(
    network: &Network<f64>,
    bounder: &mut Bounder<'_>,
    function: UnaryFunction,
    (lower, upper): (&[f64], &[f64]),
    random: &mut Random,
) {
    let width = upper[0] - lower[0];
    let terms: [&[(usize, f64)]; 3] = [&[(0, 1.0)], &[(0, -1.0), (1, 0.5)], &[(1, 1.0)]];
    let inputs: &[(usize, f64)] = &[(2, -0.7)];
    let rows: Vec<BoundRow<'_>> = terms.iter().map(|&outputs| BoundRow { inputs, outputs }).collect();
    let bounds = bounder.rows(&rows);
    for _ in 0..300 {
        let x: Vec<f64> =
            (0..3).map(|i| random.between(lower[i], upper[i]).clamp(lower[i], upper[i])).collect();
        let mut workspace = network.workspace(1);
        network.forward(&mut workspace, &x);
        for index in 0..network.nodes().len() {
            let (low, high) = bounder.interval_of(NodeId(index));
            for (i, &value) in workspace.value(network, NodeId(index)).iter().enumerate() {
                assert!(
                    low[i] <= value && value <= high[i],
                    "{function:?} node {index}: {value} not in [{}, {}]",
                    low[i],
                    high[i]
                );
            }
        }
        let y = network.evaluate(&x);
        for (row, bound) in rows.iter().zip(&bounds) {
            let value: f64 = row.outputs.iter().map(|&(i, c)| c * y[i]).sum::<f64>() - 0.7 * x[2];
            assert!(bound.least <= value, "{function:?}: {} > {value}", bound.least);
            if width == 0.0 {
                assert!(value - bound.least < 1e-9, "on a point the bound should be tight");
            }
        }
    }
}

#[test]
fn nothing_lies_outside_of_the_bounds() {
    use UnaryFunction::*;
    for function in [Relu, LeakyRelu { alpha: 0.05 }, Sigmoid, Tanh, Abs, Clip { low: -1.0, high: 1.0 }] {
        for seed in 0..6 {
            for width in [0.0, 0.01, 0.3, 2.0] {
                check(function, seed, width, Tightening::None);
                check(function, seed, width, Tightening::OpenPhases);
            }
        }
    }
}

#[test]
fn tightening_tightens() {
    let mut better = 0;
    for seed in 0..10 {
        let network = network(UnaryFunction::Relu, seed);
        let mut bounder = Bounder::new(&network).unwrap();
        let row = BoundRow { inputs: &[], outputs: &[(0, 1.0)] };
        let mut bound = |tightening| {
            assert!(bounder.intervals(&[-0.3; 3], &[0.3; 3], tightening, &|| true));
            bounder.rows(&[row])[0].least
        };
        let (loose, tight) = (bound(Tightening::None), bound(Tightening::OpenPhases));
        better += usize::from(tight > loose + 1e-6);
    }
    assert!(better >= 5, "tighter on {better} of 10 networks only");
}
