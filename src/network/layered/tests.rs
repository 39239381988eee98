//! The view agrees with the network, and bounds hold.

use super::bounds::{Ranges, envelope};
use super::cut::Cuts;
use super::*;
use crate::network::build::Builder;
use crate::network::matrix::Matrix;
use crate::network::op::max_pool::MaxPool;
use crate::network::op::windows::{WindowAxis, Windows};
use crate::network::op::{Affine, Binary, BinaryFunction, Conv, Op, Unary, UnaryFunction};
use crate::onnx::ElementType::Float64;
use crate::random::Random;

fn draw(random: &mut Random, count: usize) -> Vec<f64> {
    (0..count).map(|_| random.normal()).collect()
}

fn affine(random: &mut Random, outputs: usize, inputs: usize, axis: usize) -> Op<f64> {
    let matrix = Matrix::dense(outputs, inputs, draw(random, outputs * inputs));
    Op::Affine(Affine { matrix, bias: draw(random, outputs), axis })
}

/// Three tokens of two numbers through one shared matrix, an activation, then two full layers.
fn shared_then_full(activation: UnaryFunction, seed: u64) -> Network<f64> {
    let mut random = Random::new(seed);
    let mut b = Builder::default();
    let x = b.input("x", Float64, vec![1, 6]).unwrap();
    let tokens = b.push("tokens", Op::Reshape(vec![1, 3, 2]), &[x], Float64).unwrap();
    let shared = b.push("shared", affine(&mut random, 4, 2, 2), &[tokens], Float64).unwrap();
    let first = b.push("first", Op::Unary(Unary(activation)), &[shared], Float64).unwrap();
    let flat = b.push("flat", Op::Reshape(vec![1, 12]), &[first], Float64).unwrap();
    let full = b.push("full", affine(&mut random, 5, 12, 1), &[flat], Float64).unwrap();
    let constant = b.constant("c", Float64, vec![1, 5], draw(&mut random, 5)).unwrap();
    let added = b.push("added", Op::Binary(Binary(BinaryFunction::Add)), &[full, constant], Float64).unwrap();
    let second = b.push("second", Op::Unary(Unary(activation)), &[added], Float64).unwrap();
    let last = b.push("last", affine(&mut random, 2, 5, 1), &[second], Float64).unwrap();
    b.finish(vec![last])
}

fn assert_close(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    let distance = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(distance < 1e-9, "{a:?} and {b:?}");
}

#[test]
fn the_view_computes_what_the_network_does() {
    use UnaryFunction::*;
    for (seed, activation) in [Relu, Abs, Tanh, LeakyRelu { alpha: 0.1 }].into_iter().enumerate() {
        let network = shared_then_full(activation, seed as u64);
        let layered = Layered::new(&network).unwrap();
        assert_eq!(layered.layers.iter().map(|l| l.shared).collect::<Vec<_>>(), [true, false, false]);
        let mut random = Random::new(9);
        for _ in 0..5 {
            let x = draw(&mut random, 6);
            assert_close(layered.simulate(&x).outputs(), &network.evaluate(&x));
        }
    }
}

#[test]
fn a_linearised_part_in_front_is_exact_at_its_point_and_in_its_region() {
    let network = shared_then_full(UnaryFunction::Relu, 4);
    let mut random = Random::new(5);
    for (extent, depth) in [(Extent::BehindConvolutions, 2), (Extent::Last, 1)] {
        let mut view = Layered::at(&network, extent, &[0.0; 6]).unwrap();
        for _ in 0..5 {
            let x = draw(&mut random, 6);
            view.move_to(&network, &x).unwrap();
            assert_eq!(view, Layered::at(&network, extent, &x).unwrap());
            assert_eq!((view.depth(), view.input_len()), (depth, 6));
            let near: Vec<f64> = x.iter().map(|v| v + 1e-6 * random.normal()).collect();
            for point in [&x, &near] {
                assert_close(view.simulate(point).outputs(), &network.evaluate(point));
            }
            let trace = view.simulate(&x);
            assert_close(&trace.sums[0], &view.layers[0].edges.apply(&trace.sources));
        }
    }
}

#[test]
fn layers_in_front_are_linearised_as_a_pass_through_the_network_does() {
    for activation in [UnaryFunction::Relu, UnaryFunction::Tanh] {
        let network = shared_then_full(activation, 3);
        let mut random = Random::new(7);
        let x = draw(&mut random, 6);
        let whole = Layered::new(&network).unwrap();
        let cases = [(Extent::BehindConvolutions, 1), (Extent::Last, 2)];
        for (extent, level) in cases {
            let (twin, view) = (Layered::at(&network, extent, &x).unwrap(), whole.from_layer(level, &x));
            assert_close(&view.first_edges().weights, &twin.first_edges().weights);
            assert_close(&view.first_edges().bias, &twin.first_edges().bias);
            assert_close(&view.simulate(&x).sources, &twin.simulate(&x).sources);
            let mut moved = view.clone();
            moved.move_to(&network, &draw(&mut random, 6)).unwrap();
            moved.move_to(&network, &x).unwrap();
            assert_close(&view.first_edges().weights, &moved.first_edges().weights);
        }
    }
}

#[test]
fn a_smooth_part_in_front_has_its_tangent() {
    let network = shared_then_full(UnaryFunction::Tanh, 4);
    let mut random = Random::new(6);
    for extent in [Extent::BehindConvolutions, Extent::Last] {
        let x = draw(&mut random, 6);
        let view = Layered::at(&network, extent, &x).unwrap();
        assert_close(view.simulate(&x).outputs(), &network.evaluate(&x));
        let near: Vec<f64> = x.iter().map(|v| v + 1e-6 * random.normal()).collect();
        // The error is of second order.
        assert_close(view.simulate(&near).outputs(), &network.evaluate(&near));
    }
}

/// Three rows of four numbers through a shared matrix and an activation, the largest of each pair, and two full layers.
fn shared_then_largest(seed: u64) -> Network<f64> {
    let mut random = Random::new(seed);
    let mut b = Builder::default();
    let x = b.input("x", Float64, vec![1, 6]).unwrap();
    let rows = b.push("rows", Op::Reshape(vec![1, 3, 2]), &[x], Float64).unwrap();
    let shared = b.push("shared", affine(&mut random, 4, 2, 2), &[rows], Float64).unwrap();
    let first = b.push("first", Op::Unary(Unary(UnaryFunction::Relu)), &[shared], Float64).unwrap();
    let windows = Windows::new(vec![WindowAxis::new(4, 2, 2, 1, 0, 2).unwrap()]).unwrap();
    let largest = b.push("largest", Op::MaxPool(MaxPool::new(windows, 1)), &[first], Float64).unwrap();
    let flat = b.push("flat", Op::Reshape(vec![1, 6]), &[largest], Float64).unwrap();
    let full = b.push("full", affine(&mut random, 5, 6, 1), &[flat], Float64).unwrap();
    let second = b.push("second", Op::Unary(Unary(UnaryFunction::Relu)), &[full], Float64).unwrap();
    let last = b.push("last", affine(&mut random, 2, 5, 1), &[second], Float64).unwrap();
    b.finish(vec![last])
}

#[test]
fn poolings_by_the_largest_number_are_linear_where_they_stand() {
    let network = shared_then_largest(6);
    assert_eq!(Layered::new(&network), Err(NotLayered::Operator));
    assert!(Layered::outline(&network, Extent::BehindConvolutions).unwrap().has_entry);
    let mut random = Random::new(8);
    for _ in 0..20 {
        let x = draw(&mut random, 6);
        let view = Layered::at(&network, Extent::BehindConvolutions, &x).unwrap();
        assert_eq!((view.depth(), view.input_len()), (2, 6));
        let near: Vec<f64> = x.iter().map(|v| v + 1e-7 * random.normal()).collect();
        for point in [&x, &near] {
            assert_close(view.simulate(point).outputs(), &network.evaluate(point));
        }
    }
}

#[test]
fn matrices_read_off_are_those_written_out() {
    let network = shared_then_full(UnaryFunction::Relu, 2);
    let cuts = Cuts::of(&network).unwrap();
    let layered = cuts.layered().unwrap();
    for (level, layer) in layered.layers.iter().enumerate() {
        let twin = cuts.write_out(level);
        assert_close(&layer.edges.weights, &twin.weights);
        assert_close(&layer.edges.bias, &twin.bias);
    }
}

#[test]
fn convolutions_read_off_are_those_written_out() {
    // Inputs, outputs, groups; then image, kernel, stride, dilation and padding of the first axis, and of the second.
    let cases = [
        ((2, 3, 1), [5, 3, 1, 1, 1], [4, 2, 1, 1, 0]),
        ((4, 6, 2), [7, 3, 2, 1, 0], [6, 3, 2, 1, 1]),
        ((3, 3, 3), [6, 2, 1, 2, 1], [5, 3, 3, 1, 2]),
        ((1, 2, 1), [4, 4, 4, 1, 0], [3, 1, 1, 1, 0]),
    ];
    for ((inputs, outputs, groups), first, second) in cases {
        let axis = |[image, kernel, stride, dilation, pad]: [usize; 5]| {
            let windows = (image + 2 * pad - (kernel - 1) * dilation - 1) / stride + 1;
            WindowAxis::new(image, kernel, stride, dilation, pad, windows).unwrap()
        };
        let mut random = Random::new(3);
        let windows = Windows::new(vec![axis(first), axis(second)]).unwrap();
        let weights = draw(&mut random, outputs * (inputs / groups) * windows.taps());
        let bias = draw(&mut random, outputs);
        let conv = Conv::new(weights, bias, (outputs, inputs, groups), windows, 2, false).unwrap();
        let mut b = Builder::default();
        let x = b.input("x", Float64, vec![1, inputs, first[0], second[0]]).unwrap();
        let y = b.push("y", Op::Conv(conv), &[x], Float64).unwrap();
        let network = b.finish(vec![y]);
        let cuts = Cuts::of(&network).unwrap();
        let (edges, twin) = (&cuts.layered().unwrap().layers[0].edges, cuts.write_out(0));
        assert_close(&edges.weights, &twin.weights);
        assert_close(&edges.bias, &twin.bias);
    }
}

#[test]
fn skips_and_products_of_values_are_no_layers() {
    let mut random = Random::new(1);
    let mut b = Builder::default();
    let x = b.input("x", Float64, vec![1, 3]).unwrap();
    let z = b.push("z", affine(&mut random, 3, 3, 1), &[x], Float64).unwrap();
    let h = b.push("h", Op::Unary(Unary(UnaryFunction::Relu)), &[z], Float64).unwrap();
    let check = |function, error| {
        let mut b = b.clone();
        let y = b.push("y", Op::Binary(Binary(function)), &[h, x], Float64).unwrap();
        assert_eq!(Layered::new(&b.finish(vec![y])), Err(error));
    };
    check(BinaryFunction::Add, NotLayered::Branches);
    let y = b.push("y", Op::Binary(Binary(BinaryFunction::Mul)), &[h, h], Float64).unwrap();
    assert_eq!(Layered::new(&b.finish(vec![y])), Err(NotLayered::Operator));
}

#[test]
fn envelopes_hold_their_functions() {
    use UnaryFunction::*;
    let functions = [
        Relu,
        Abs,
        LeakyRelu { alpha: 0.2 },
        Clip { low: -0.5, high: 1.0 },
        HardSigmoid { alpha: 0.2, beta: 0.5 },
        Sigmoid,
        Tanh,
    ];
    let ranges = [(-2.0, 3.0), (-4.0, -1.0), (0.5, 2.0), (-0.1, 5.0), (1.5, 1.5), (-6.0, 6.0)];
    for function in functions {
        for range in ranges {
            let lines = envelope(function, range).unwrap();
            for step in 0..=100 {
                let z = range.0 + (range.1 - range.0) * f64::from(step) / 100.0;
                let y = function.value(z);
                let at = |line: &super::bounds::BoundLine| line.slope * z + line.shift;
                assert!(lines.below.iter().all(|l| at(l) <= y + 1e-12), "{function:?} {range:?} at {z}");
                assert!(lines.above.iter().all(|l| at(l) >= y - 1e-12), "{function:?} {range:?} at {z}");
            }
        }
    }
    assert_eq!(envelope(Sin, (0.0, 1.0)), None);
    assert_eq!(envelope(Relu, (0.0, f64::INFINITY)), None);
}

#[test]
fn bounds_over_a_box_hold_and_are_tighter_than_intervals() {
    for activation in [UnaryFunction::Relu, UnaryFunction::Tanh] {
        let layered = Layered::new(&shared_then_full(activation, 7)).unwrap();
        let (lower, upper) = ([-0.3; 6], [0.5; 6]);
        let ranges = Ranges::of_box(&layered, &lower, &upper).unwrap();
        let mut random = Random::new(3);
        let mut seen: Option<Ranges> = None;
        for _ in 0..300 {
            let x: Vec<f64> = (0..6).map(|_| random.between(-0.3, 0.5)).collect();
            let trace = layered.simulate(&x);
            match &mut seen {
                Some(seen) => seen.include(&trace),
                None => seen = Ranges::of_points([&trace]),
            }
        }
        let pairs = ranges.sums.iter().flatten().zip(seen.unwrap().sums.into_iter().flatten());
        for (bound, seen) in pairs {
            assert!(bound.0 <= seen.0 + 1e-9 && seen.1 <= bound.1 + 1e-9, "{bound:?} {seen:?}");
        }
        let narrow = Ranges::of_box(&layered, &[0.1; 6], &[0.1; 6]).unwrap();
        assert!(narrow.sums.iter().flatten().all(|(low, high)| high - low < 1e-9));
    }
}
