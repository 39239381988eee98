//! What the plain engine computes for the fast one: the same numbers as the plain engine on the whole model.

use std::sync::Arc;

use super::Sketch;
use crate::network::import::import;
use crate::onnx::{Attribute, Model};
use crate::random::Random;
use crate::reference::{Engine, Precision};

/// Blocks of points through the network against the plain engine, point by point; how many nodes are plain.
fn check(name: &str, model: Model, (low, high): (f64, f64)) -> usize {
    let network = import::<f64>(&model).unwrap_or_else(|error| panic!("{name}: {error}"));
    let engine = Engine::new(Arc::new(model)).unwrap();
    let mut random = Random::new(5);
    let lanes = 3;
    let points: Vec<f64> = (0..lanes * network.input_len()).map(|_| random.between(low, high)).collect();
    let mut workspace = network.workspace(lanes);
    network.forward(&mut workspace, &points);
    let mut outputs = Vec::new();
    network.outputs_into(&workspace, &mut outputs);
    for lane in 0..lanes {
        let of_lane = |values: &[f64]| values[lane..].iter().step_by(lanes).copied().collect::<Vec<f64>>();
        let wanted = engine.run(&[&of_lane(&points)], Precision::Double).unwrap();
        let near = of_lane(&outputs).iter().zip(&wanted[0].values).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(near, "{name}: {:?} and {:?}", of_lane(&outputs), wanted[0].values);
    }
    // The sum of the outputs, by differences of the whole.
    let (mut gradient, ones) = (Vec::new(), vec![1.0; outputs.len()]);
    network.backward(&mut workspace, &ones, crate::network::Surrogate::exact(), &mut gradient);
    let point: Vec<f64> = points.iter().step_by(lanes).copied().collect();
    let sum = |point: &[f64]| network.evaluate(point).iter().sum::<f64>();
    for at in 0..point.len() {
        let mut moved = point.clone();
        moved[at] += 1e-6;
        let slope = (sum(&moved) - sum(&point)) / 1e-6;
        assert!((gradient[at * lanes] - slope).abs() < 1e-4, "{name}: {} and {slope}", gradient[at * lanes]);
    }
    network.plain_nodes().count()
}

/// A start that is computed from the first input, for a window of two.
fn window(operator: &str) -> Model {
    let sketch = Sketch::new(17)
        .input("x", &[6])
        .ints("zero", &[0])
        .ints("one", &[1])
        .ints("two", &[2])
        .node("Slice", &["x", "zero", "one"], &["place"], &[])
        .node("Floor", &["place"], &["floor"], &[])
        .node("Cast", &["floor"], &["start"], &[("to", Attribute::Int(7))])
        .node("Add", &["start", "two"], &["end"], &[]);
    let sketch = match operator {
        "Slice" => sketch.node("Slice", &["x", "start", "end"], &["y"], &[]),
        // As many values as the first one says: no shape is that of all inputs, but the sum has one.
        _ => sketch.node("Slice", &["x", "zero", "end"], &["some"], &[]).node(
            "ReduceSum",
            &["some"],
            &["y"],
            &[("keepdims", Attribute::Int(0))],
        ),
    };
    sketch.output("y").model()
}

#[test]
fn computed_indices_and_missing_operators_agree_with_the_plain_engine() {
    assert_eq!(check("a computed start", window("Slice"), (0.0, 4.0)), 1);
    // The whole model is one operator.
    assert_eq!(check("a computed length", window("ReduceSum"), (0.0, 3.9)), 1);
    let grid: Vec<f64> = (0..8).map(|i| f64::from(i) / 4.0 - 1.0).collect();
    let sampled = Sketch::new(20)
        .input("x", &[1, 1, 3, 3])
        .floats("grid", &[1, 2, 2, 2], &grid)
        .node("Relu", &["x"], &["h"], &[])
        .node("GridSample", &["h", "grid"], &["s"], &[("mode", Attribute::String(b"linear".to_vec()))])
        .node("Add", &["s", "s"], &["y"], &[])
        .output("y");
    assert_eq!(check("a sampled grid", sampled.model(), (-1.0, 1.0)), 1);
    let known = Sketch::new(17).input("x", &[3]).node("Relu", &["x"], &["y"], &[]).output("y");
    assert_eq!(check("nothing missing", known.model(), (-1.0, 1.0)), 0);
}

#[test]
fn a_point_without_a_result_is_no_number() {
    let network = import::<f64>(&window("Slice")).unwrap();
    let outputs = network.evaluate(&[9.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert!(outputs.iter().all(|x| x.is_nan()), "a window behind the end has another shape: {outputs:?}");
    assert_eq!(network.evaluate(&[1.0, 2.0, 3.0, 0.0, 0.0, 0.0]), [2.0, 3.0]);
}

#[test]
fn what_the_plain_engine_refuses_too_is_refused_as_before() {
    let unknown = Sketch::new(17).input("x", &[3]).node("Mystery", &["x"], &["y"], &[]).output("y");
    let message = import::<f64>(&unknown.model()).unwrap_err().to_string();
    assert!(message.contains("unsupported operators: #0 (Mystery)"), "{message}");
}
