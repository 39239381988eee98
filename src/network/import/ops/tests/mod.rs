//! Every builder in small models: the network's gradients against finite differences, blocks against single points.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::network::import::import_as_written;
use crate::network::simplify::simplify;
use crate::network::{Network, Surrogate};
use crate::onnx::{Attribute, Dim, ElementType, Graph, Model, Node, Tensor, ValueInfo};

mod basic;
mod bounds;
mod composed;
mod images;
mod integers;
mod plain;
mod refused;

/// A model of one node (or several) that a test writes in a few lines.
pub(super) struct Sketch {
    opset: i64,
    graph: Graph,
}

impl Sketch {
    pub(super) fn new(opset: i64) -> Self {
        Self { opset, graph: Graph::default() }
    }

    pub(super) fn input(mut self, name: &str, shape: &[usize]) -> Self {
        let shape = Some(shape.iter().map(|&d| Dim::Fixed(d)).collect());
        self.graph.inputs.push(ValueInfo { name: name.into(), element: ElementType::Float64, shape });
        self
    }

    pub(super) fn floats(self, name: &str, shape: &[usize], values: &[f64]) -> Self {
        self.tensor(name, Tensor::rounded(ElementType::Float64, shape.to_vec(), values))
    }

    pub(super) fn ints(self, name: &str, values: &[i64]) -> Self {
        self.tensor(name, Tensor::int64(values.to_vec()))
    }

    pub(super) fn tensor(mut self, name: &str, tensor: Tensor) -> Self {
        self.graph.initializers.insert(name.into(), Arc::new(tensor));
        self
    }

    pub(super) fn node(
        mut self,
        operator: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> Self {
        let owned = |list: &[&str]| list.iter().map(|s| s.to_string()).collect();
        self.graph.nodes.push(Node {
            name: format!("#{}", self.graph.nodes.len()),
            operator: operator.into(),
            domain: String::new(),
            inputs: owned(inputs),
            outputs: owned(outputs),
            attributes: attributes
                .iter()
                .map(|(k, v)| (k.to_string(), v.clone()))
                .collect::<BTreeMap<_, _>>(),
        });
        self
    }

    pub(super) fn output(mut self, name: &str) -> Self {
        self.graph.outputs.push(ValueInfo { name: name.into(), element: ElementType::Float64, shape: None });
        self
    }

    pub(super) fn model(self) -> Model {
        Model { path: "sketch.onnx".into(), ir_version: 8, opset: self.opset, graph: self.graph }
    }

    pub(super) fn network(self) -> Network<f64> {
        import_as_written(&self.model(), &[]).unwrap()
    }
}

/// Numbers without pattern, apart from each other by at least 1e-3 so that maxima are not near ties.
pub(super) fn numbers(count: usize, seed: usize) -> Vec<f64> {
    (0..count).map(|i| (((i * 7919 + seed * 104_729) % 2003) as f64 / 1001.5 - 1.0) * 0.9 + 1e-4).collect()
}

/// Checks gradients, blocks and rewrites of a network at a few points.
pub(super) fn check(label: &str, network: &Network<f64>) {
    for seed in 0..3 {
        check_gradient(label, network, &numbers(network.input_len(), seed));
    }
    for lanes in [1, 3, 16, 64] {
        check_lanes(label, network, lanes);
    }
    let simple = simplify(network.clone());
    let x = numbers(network.input_len(), 5);
    close(&format!("{label} simplified"), &simple.evaluate(&x), &network.evaluate(&x), 1e-10);
    check_gradient(&format!("{label} simplified"), &simple, &x);
    bounds::check(label, network);
}

pub(super) fn close(label: &str, got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{label}");
    for (i, (&g, &w)) in got.iter().zip(want).enumerate() {
        let near = (g - w).abs() <= tolerance * (1.0 + w.abs()) || (g.is_nan() && w.is_nan()) || g == w;
        assert!(near, "{label}: value {i} is {g}, should be {w}");
    }
}

fn check_gradient(label: &str, network: &Network<f64>, x: &[f64]) {
    let weights = numbers(network.output_len(), 11);
    let objective = |x: &[f64]| network.evaluate(x).iter().zip(&weights).map(|(y, w)| y * w).sum::<f64>();
    let mut workspace = network.workspace(1);
    network.forward(&mut workspace, x);
    let mut gradient = Vec::new();
    network.backward(&mut workspace, &weights, Surrogate::exact(), &mut gradient);
    let h = 1e-6;
    let mut moved = x.to_vec();
    let differences: Vec<f64> = (0..x.len())
        .map(|i| {
            moved[i] = x[i] + h;
            let up = objective(&moved);
            moved[i] = x[i] - h;
            let down = objective(&moved);
            moved[i] = x[i];
            (up - down) / (2.0 * h)
        })
        .collect();
    close(&format!("{label}: gradient"), &gradient, &differences, 2e-6);
}

fn check_lanes(label: &str, network: &Network<f64>, lanes: usize) {
    let points: Vec<Vec<f64>> = (0..lanes).map(|lane| numbers(network.input_len(), 100 + lane)).collect();
    let interleave = |points: &[Vec<f64>], len: usize| -> Vec<f64> {
        (0..len).flat_map(|i| points.iter().map(move |p| p[i])).collect()
    };
    let mut block = network.workspace(lanes);
    let weights: Vec<Vec<f64>> = (0..lanes).map(|lane| numbers(network.output_len(), 7 + lane)).collect();
    let (mut outputs, mut gradients) = (Vec::new(), Vec::new());
    // Twice, so that nothing may depend on what a workspace held before.
    for _ in 0..2 {
        network.forward(&mut block, &interleave(&points, network.input_len()));
        network.outputs_into(&block, &mut outputs);
        let cotangent = interleave(&weights, network.output_len());
        network.backward(&mut block, &cotangent, Surrogate::exact(), &mut gradients);
    }
    let mut single = network.workspace(1);
    let mut gradient = Vec::new();
    for lane in 0..lanes {
        let of_lane = |all: &[f64]| all.iter().skip(lane).step_by(lanes).copied().collect::<Vec<_>>();
        network.forward(&mut single, &points[lane]);
        let mut output = Vec::new();
        network.outputs_into(&single, &mut output);
        close(&format!("{label}: lane {lane} of {lanes}"), &of_lane(&outputs), &output, 1e-11);
        network.backward(&mut single, &weights[lane], Surrogate::exact(), &mut gradient);
        close(
            &format!("{label}: gradient of lane {lane} of {lanes}"),
            &of_lane(&gradients),
            &gradient,
            1e-11,
        );
    }
}

/// One operator on `x` and constants, checked.
fn one(label: &str, sketch: Sketch, node: (&str, &[&str], &[(&str, Attribute)])) {
    let network = sketch.node(node.0, node.1, &["y"], node.2).output("y").network();
    check(label, &network);
}

fn int(x: i64) -> Attribute {
    Attribute::Int(x)
}

fn ints(x: &[i64]) -> Attribute {
    Attribute::Ints(x.to_vec())
}
