//! The shipped networks: their fully connected ends against the whole network, written copies against patched layers,
//! decisions counted against the reference engine.

use std::path::Path;
use std::sync::Arc;

use super::super::{Change, Job, Patch, Tail, patched, tail};
use crate::network::{self, Network};
use crate::onnx::{self, Model};
use crate::property::decision::Decision;
use crate::random::Random;
use crate::reference::{Engine, Precision};

fn network(name: &str) -> (Model, Vec<u8>, Network<f64>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let (model, bytes) = onnx::read_with_bytes(&path).unwrap();
    let network = network::import::<f64>(&model).unwrap();
    (model, bytes, network)
}

/// Random points of the unit box.
fn points(inputs: usize, count: usize) -> Vec<Vec<f64>> {
    let mut random = Random::new(11);
    (0..count).map(|_| (0..inputs).map(|_| f64::from(random.unit() as f32)).collect()).collect()
}

/// A property without a counterexample among any points, for a network of this shape.
fn job(name: &str, points: &[Vec<f64>]) -> Job {
    let (model, bytes, network) = network(name);
    let inputs: String = (0..network.input_len())
        .map(|i| format!("(declare-const X_{i} Real)(assert (>= X_{i} 0))(assert (<= X_{i} 1))"))
        .collect();
    let outputs: String = (0..network.output_len()).map(|i| format!("(declare-const Y_{i} Real)")).collect();
    let query = vnnlib::parse(format!("{inputs}{outputs}(assert (<= Y_0 -100000))")).unwrap();
    Job::new(model, bytes, query, points).unwrap()
}

fn outputs(model: &Model, point: &[f64]) -> Vec<f64> {
    let engine = Engine::new(Arc::new(model.clone())).unwrap();
    engine.run(&[point], Precision::Double).unwrap().remove(0).values
}

/// Changes all weights into one sum of every layer.
fn patches(tail: &Tail) -> Vec<Patch> {
    let mut random = Random::new(5);
    let patch = |(layer, dense): (usize, &tail::DenseLayer)| {
        let target = random.below(dense.outputs());
        let changes = (0..dense.inputs).map(|source| Change { target, source, by: random.normal() });
        Patch { layer, changes: changes.collect() }
    };
    tail.layers.iter().enumerate().map(patch).collect()
}

fn close(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-4 * (1.0 + b.abs()))
}

#[test]
fn layers_from_anywhere_on_give_the_networks_outputs() {
    for (name, layers) in
        [("toy.onnx", 3), ("marked.onnx", 3), ("digits_mlp.onnx", 3), ("digits_cnn.onnx", 1)]
    {
        let (model, _, network) = network(name);
        let tail = Tail::of(&network).unwrap();
        assert_eq!(tail.layers.len(), layers, "{name}");
        let points = points(network.input_len(), 3);
        for layer in 0..layers {
            for (sources, point) in tail.sources(&network, layer, &points).iter().zip(&points) {
                let found = tail::evaluate(&tail.layers[layer..], sources);
                assert!(close(&found, &outputs(&model, point)), "{name}, layer {layer}");
            }
        }
    }
    let (_, _, sign) = network("sign.onnx");
    assert_eq!(Tail::of(&sign).map(|tail| tail.layers.len()), Ok(1), "only what stands behind the last Sign");
}

#[test]
fn a_written_copy_computes_what_the_patched_layers_do() {
    for name in ["toy.onnx", "digits_mlp.onnx", "digits_cnn.onnx"] {
        let (_, original, network) = network(name);
        let points = points(network.input_len(), 3);
        let job = job(name, &points);
        let patches = patches(job.tail());
        let bytes = job.rewritten(&patches).unwrap();
        assert_eq!(bytes.len(), original.len(), "{name}");
        let copy = onnx::from_bytes(&bytes).unwrap();
        let layers = patched(&job.tail().layers, &patches);
        let before = onnx::from_bytes(&original).unwrap();
        let mut moved = false;
        for (sources, point) in job.tail().sources(&network, 0, &points).iter().zip(&points) {
            let found = outputs(&copy, point);
            assert!(close(&found, &tail::evaluate(&layers, sources)), "{name}");
            moved |= !close(&found, &outputs(&before, point));
        }
        assert!(moved, "{name}: the patches do nothing, so nothing was tested");
        assert_eq!(job.rewritten(&[]).unwrap(), original, "{name}: without patches nothing changes");
    }
}

#[test]
fn decisions_are_counted_as_the_reference_engine_decides() {
    let (model, _, network) = network("digits_mlp.onnx");
    // More than one block of points, the last one not full.
    let sample = points(network.input_len(), 150);
    let job = job("digits_mlp.onnx", &sample[..1]);
    let copy = onnx::from_bytes(&job.rewritten(&patches(job.tail())).unwrap()).unwrap();
    for decision in [Decision::Largest, Decision::Smallest] {
        let decide = |model: &Model, point: &Vec<f64>| decision.of(outputs(model, point).into_iter());
        let expected = sample.iter().filter(|point| decide(&model, point) != decide(&copy, point)).count();
        assert!(expected > 0, "the patches are too small for a test");
        assert_eq!(job.differences(&copy, decision, &sample).unwrap(), expected, "{decision:?}");
    }
}
