//! Bounds of every operator against samples: no point of a box leaves the interval of any node or the linear bounds
//! of the outputs, which are never looser than the intervals; on a point both are nearly exact.

use super::{Sketch, int, ints, numbers};
use crate::bounds::{BoundRow, Bounder, Tightening};
use crate::network::{Network, NodeId};
use crate::onnx::Attribute;
use crate::random::Random;

/// Checks the bounds of a network if all of its operators have some.
pub(super) fn check(label: &str, network: &Network<f64>) {
    let Ok(mut bounder) = Bounder::new(network) else { return };
    let centre = numbers(network.input_len(), 3);
    for (seed, width) in [0.0, 1e-3, 0.1, 0.7].into_iter().enumerate() {
        let lower: Vec<f64> = centre.iter().map(|x| x - 0.5 * width).collect();
        let upper: Vec<f64> = centre.iter().map(|x| x + 0.5 * width).collect();
        for tightening in [Tightening::None, Tightening::OpenPhases] {
            assert!(bounder.intervals(&lower, &upper, tightening, &|| true));
            check_box(
                &format!("{label}, width {width}"),
                network,
                &mut bounder,
                [&lower, &upper],
                seed as u64,
            );
        }
    }
}

fn check_box(label: &str, network: &Network<f64>, bounder: &mut Bounder<'_>, ends: [&[f64]; 2], seed: u64) {
    let height = network.output_len();
    let mixed: Vec<(usize, f64)> = numbers(height, 8).into_iter().enumerate().collect();
    let single: Vec<[(usize, f64); 1]> =
        (0..height.min(20)).flat_map(|i| [[(i, 1.0)], [(i, -1.0)]]).collect();
    let mut rows: Vec<BoundRow<'_>> =
        single.iter().map(|outputs| BoundRow { inputs: &[], outputs }).collect();
    rows.push(BoundRow { inputs: &[(0, 0.3)], outputs: &mixed });
    let bounds = bounder.rows(&rows);
    for (row, bound) in rows.iter().zip(&bounds) {
        let by_ends = bound_by_ends(network, bounder, row);
        let near = by_ends == f64::NEG_INFINITY || bound.least >= by_ends - 1e-9 * (1.0 + by_ends.abs());
        assert!(near, "{label}: {} is looser than the intervals: {by_ends}", bound.least);
    }
    let mut random = Random::new(seed);
    let mut workspace = network.workspace(1);
    for sample in 0..40 {
        // Corners, too: the extremes are there for most operators.
        let place = |random: &mut Random, i: usize| match sample % 2 {
            0 => random.between(ends[0][i], ends[1][i]).clamp(ends[0][i], ends[1][i]),
            _ => ends[usize::from(random.between(0.0, 1.0) < 0.5)][i],
        };
        let x: Vec<f64> = (0..network.input_len()).map(|i| place(&mut random, i)).collect();
        network.forward(&mut workspace, &x);
        for index in 0..network.nodes().len() {
            let (low, high) = bounder.interval_of(NodeId(index));
            for (i, &value) in workspace.value(network, NodeId(index)).iter().enumerate() {
                let inside = (low[i] <= value && value <= high[i]) || value.is_nan();
                assert!(inside, "{label}: node {index}: {value} is not in [{}, {}]", low[i], high[i]);
            }
        }
        let y = network.evaluate(&x);
        for (row, bound) in rows.iter().zip(&bounds) {
            let value = row.outputs.iter().map(|&(i, c)| c * y[i]).sum::<f64>()
                + row.inputs.iter().map(|&(i, c)| c * x[i]).sum::<f64>();
            // The value itself is rounded.
            let slack = 1e-13 * (1.0 + value.abs());
            assert!(bound.least <= value + slack || value.is_nan(), "{label}: {} > {value}", bound.least);
        }
    }
}

fn bound_by_ends(network: &Network<f64>, bounder: &Bounder<'_>, row: &BoundRow<'_>) -> f64 {
    let ends = |ids: &[NodeId]| -> Vec<(f64, f64)> {
        let of = |&id| {
            let (low, high) = bounder.interval_of(id);
            low.iter().copied().zip(high.iter().copied()).collect::<Vec<_>>()
        };
        ids.iter().flat_map(of).collect()
    };
    let term = |ends: &[(f64, f64)], i: usize, c: f64| c * if c >= 0.0 { ends[i].0 } else { ends[i].1 };
    let (inputs, outputs) = (ends(network.inputs()), ends(network.outputs()));
    let sum = row.inputs.iter().map(|&(i, c)| term(&inputs, i, c)).sum::<f64>()
        + row.outputs.iter().map(|&(i, c)| term(&outputs, i, c)).sum::<f64>();
    if sum.is_nan() { f64::NEG_INFINITY } else { sum }
}

/// `x` of shape [2, 3, 4] through some nodes to `y`; the operators must have bounds, and tight ones on a point.
fn bounded(label: &str, sketch: Sketch) {
    let network = sketch.output("y").network();
    let mut bounder = Bounder::new(&network).unwrap_or_else(|error| panic!("{label}: {error}"));
    check(label, &network);
    let x = numbers(network.input_len(), 4);
    assert!(bounder.intervals(&x, &x, Tightening::OpenPhases, &|| true));
    let y = network.evaluate(&x);
    for (i, &value) in y.iter().enumerate() {
        for sign in [1.0, -1.0] {
            let bound = bounder.rows(&[BoundRow { inputs: &[], outputs: &[(i, sign)] }])[0].least;
            assert!(
                sign * value - bound < 1e-9 * (1.0 + value.abs()),
                "{label}: {bound} for {}",
                sign * value
            );
        }
    }
}

fn sketch() -> Sketch {
    Sketch::new(14).input("x", &[2, 3, 4]).floats("c", &[3, 1], &[0.5, -2.0, 3.0]).floats("two", &[], &[2.0])
}

#[test]
fn products_and_quotients() {
    let with = |operator: &str, inputs: &[&str]| sketch().node(operator, inputs, &["y"], &[]);
    for operator in ["Mul", "Div", "Add", "Sub"] {
        bounded(&format!("{operator} by a constant"), with(operator, &["x", "c"]));
    }
    bounded("a constant by Mul", with("Mul", &["c", "x"]));
    bounded("square", with("Mul", &["x", "x"]));
    bounded("difference to itself", with("Sub", &["x", "x"]));
    let shifted = || sketch().node("Add", &["x", "two"], &["p"], &[]);
    bounded("a constant by Div", shifted().node("Div", &["c", "p"], &["y"], &[]));
    bounded("Div of two", shifted().node("Div", &["x", "p"], &["y"], &[]));
    bounded("Mul of two", shifted().node("Sin", &["x"], &["s"], &[]).node("Mul", &["s", "p"], &["y"], &[]));
    bounded("Pow of two", shifted().node("Pow", &["p", "x"], &["y"], &[]));
    let other = shifted().node("Transpose", &["p"], &["t"], &[("perm", ints(&[0, 2, 1]))]);
    bounded("MatMul of two", other.node("MatMul", &["x", "t"], &["y"], &[]));
    let matrices = sketch().floats("m", &[2, 4, 2], &numbers(16, 1));
    bounded("MatMul with constant matrices", matrices.node("MatMul", &["x", "m"], &["y"], &[]));
    let vectors = Sketch::new(13).input("x", &[3]).floats("m", &[2, 3], &numbers(6, 1));
    bounded("a matrix times a vector", vectors.node("MatMul", &["m", "x"], &["y"], &[]));
    // The result has fewer numbers than the constant has lanes of them in the backward pass.
    let scalar = Sketch::new(13).input("x", &[1]).floats("c", &[1], &[3.0]);
    bounded("a single number", scalar.node("Mul", &["x", "c"], &["y"], &[]));
}

#[test]
fn windows_and_reductions() {
    let image = || Sketch::new(13).input("x", &[1, 2, 5, 5]);
    let kernel = ("kernel_shape", ints(&[3, 3]));
    let (strides, pads) = (("strides", ints(&[2, 2])), ("pads", ints(&[1, 1, 0, 1])));
    let weights =
        |sketch: Sketch| sketch.floats("w", &[2, 2, 3, 3], &numbers(36, 1)).floats("b", &[2], &[0.3, -0.4]);
    let all = [strides, pads, kernel.clone()];
    let conv = weights(image()).node("Conv", &["x", "w", "b"], &["y"], &all);
    bounded("Conv", conv);
    bounded("ConvTranspose", weights(image()).node("ConvTranspose", &["x", "w", "b"], &["y"], &all));
    bounded("MaxPool", image().node("MaxPool", &["x"], &["y"], &all));
    bounded("AveragePool", image().node("AveragePool", &["x"], &["y"], &all));
    bounded("GlobalAveragePool", image().node("GlobalAveragePool", &["x"], &["y"], &[]));
    bounded("GlobalMaxPool", image().node("GlobalMaxPool", &["x"], &["y"], &[]));
    for operator in ["ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceSumSquare"] {
        bounded(operator, image().node(operator, &["x"], &["y"], &[("axes", ints(&[1, 2]))]));
    }
    for operator in ["Softmax", "LogSoftmax"] {
        bounded(operator, image().node(operator, &["x"], &["y"], &[("axis", int(3))]));
    }
}

#[test]
fn choices_and_orders() {
    let with = |operator: &str, inputs: &[&str], attributes: &[(&str, Attribute)]| {
        sketch().node(operator, inputs, &["y"], attributes)
    };
    bounded("Max", with("Max", &["x", "c"], &[]));
    bounded("Min", with("Min", &["x", "c"], &[]));
    bounded("PRelu", with("PRelu", &["x", "c"], &[]));
    bounded("ArgMax", with("ArgMax", &["x"], &[("axis", int(1))]));
    bounded("ArgMin", with("ArgMin", &["x"], &[("axis", int(2))]));
    let less = sketch().node("Less", &["x", "c"], &["is"], &[]);
    bounded("Where", less.node("Where", &["is", "x", "c"], &["y"], &[]));
    let top = sketch().ints("k", &[2]).node("TopK", &["x", "k"], &["y", "places"], &[("axis", int(1))]);
    bounded("TopK", top);
    for operator in ["Sign", "Floor", "Sin", "Cos", "Sigmoid", "Tanh", "Erf", "Abs", "Softplus", "HardSwish"]
    {
        bounded(operator, with(operator, &["x"], &[]));
    }
}
