//! The shipped networks, against the outputs that ONNX Runtime gave when they were made.

use std::path::Path;
use std::sync::Arc;

use crate::onnx;
use crate::reference::{Engine, Precision};

#[derive(serde::Deserialize)]
struct Points {
    inputs: Vec<Vec<f64>>,
    outputs: Vec<Vec<f64>>,
}

#[test]
fn shipped_networks_give_onnx_runtimes_outputs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut networks = 0;
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|e| e != "onnx") {
            continue;
        }
        let points: Points =
            serde_json::from_str(&std::fs::read_to_string(path.with_extension("json")).unwrap()).unwrap();
        let engine = Engine::new(Arc::new(onnx::read(&path).unwrap())).unwrap();
        for (input, expected) in points.inputs.iter().zip(&points.outputs) {
            let scale = expected.iter().fold(1e-6, |m: f64, v| m.max(v.abs()));
            for precision in [Precision::Model, Precision::Double] {
                let outputs = engine.run(&[input], precision).unwrap();
                let gap =
                    outputs[0].values.iter().zip(expected).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs()));
                assert!(gap <= 1e-5 * scale, "{}: {gap} at scale {scale}", path.display());
            }
        }
        networks += 1;
    }
    assert!(networks > 5, "only {networks} networks were found");
}
