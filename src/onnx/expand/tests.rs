//! Networks of one operator each, made and computed by `scripts/networks/composed.py`: both engines against ONNX Runtime.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use std::collections::BTreeMap;

use crate::network::Network;
use crate::onnx::{self, Model};
use crate::reference::{Engine, Precision};

#[derive(Deserialize)]
struct Point {
    x: Vec<f64>,
    y: Vec<f64>,
}

#[derive(Deserialize)]
struct Expected {
    points: Vec<Point>,
}

fn all() -> BTreeMap<String, Expected> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/composed");
    serde_json::from_str(&std::fs::read_to_string(folder.join("expected.json")).unwrap()).unwrap()
}

fn model(name: &str) -> Arc<Model> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/composed");
    Arc::new(
        onnx::read(&folder.join(format!("{name}.onnx"))).unwrap_or_else(|error| panic!("{name}: {error}")),
    )
}

/// The largest difference, relative to the largest number.
fn apart(got: &[f64], want: &[f64]) -> f64 {
    if got.len() != want.len() {
        return f64::INFINITY;
    }
    let scale = want.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
    got.iter().zip(want).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max)
}

#[test]
fn both_engines_compute_what_onnx_runtime_does() {
    let mut wrong = Vec::new();
    for (name, expected) in all() {
        let model = model(&name);
        let engine = match Engine::new(Arc::clone(&model)) {
            Ok(engine) => engine,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        let network: Network<f32> = match crate::network::import(&model) {
            Ok(network) => network,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        for (at, point) in expected.points.iter().enumerate() {
            match engine.run(&[&point.x], Precision::Model) {
                Ok(outputs) => {
                    let error = apart(&outputs[0].values, &point.y);
                    if error > 1e-5 {
                        wrong.push(format!("{name}: the plain engine is off by {error:.1e} at point {at}"));
                    }
                }
                Err(error) => wrong.push(format!("{name}: {error}")),
            }
            let single: Vec<f32> = point.x.iter().map(|&x| x as f32).collect();
            let got: Vec<f64> = network.evaluate(&single).iter().map(|&y| y.into()).collect();
            let error = apart(&got, &point.y);
            if error > 1e-5 {
                wrong.push(format!("{name}: the fast network is off by {error:.1e} at point {at}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_operator_that_is_written_out_has_a_network() {
    let mut seen = String::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/composed");
    for name in all().keys() {
        // Names of operators stand as text in the file.
        seen.push_str(&String::from_utf8_lossy(&std::fs::read(folder.join(format!("{name}.onnx"))).unwrap()));
    }
    let names = super::operators().into_iter().map(|name| name.rsplit('.').next().unwrap_or("").to_owned());
    let unseen: Vec<String> = names
        .chain(super::for_network().map(str::to_owned))
        // Other names of what has a network.
        .filter(|name| {
            !["TransposeMatMul", "DequantizeLinear", "QuantizeLinear", "GemmFastGelu"]
                .contains(&name.as_str())
        })
        .filter(|name| name != "QLinearAveragePool" && !seen.contains(name.as_str()))
        .collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}
