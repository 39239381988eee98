//! No model with small inputs makes the reference engine panic; it computes, or says which node is wrong.
#![no_main]

use std::sync::Arc;

use counterpatch::onnx::{self, Dim};
use counterpatch::reference::{Engine, Precision};
use libfuzzer_sys::fuzz_target;

/// Inputs and constants with more values than this take too long.
const VALUES: usize = 1 << 12;

fuzz_target!(|data: &[u8]| {
    let Ok(model) = onnx::from_bytes(data) else { return };
    let size =
        |dims: &Vec<Dim>| dims.iter().map(|d| if let Dim::Fixed(n) = d { *n } else { 1 }).product::<usize>();
    let sizes: Vec<usize> = model.graph.inputs.iter().map(|i| i.shape.as_ref().map_or(1, size)).collect();
    if sizes.iter().sum::<usize>() > VALUES || model.graph.nodes.len() > 50 {
        return;
    }
    let inputs: Vec<Vec<f64>> =
        sizes.iter().map(|&n| (0..n).map(|i| (i % 5) as f64 - 2.0).collect()).collect();
    let inputs: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
    let Ok(engine) = Engine::new(Arc::new(model)) else { return };
    for precision in [Precision::Model, Precision::Double] {
        if let Ok(outputs) = engine.run(&inputs, precision) {
            assert!(outputs.iter().all(|o| o.shape.iter().product::<usize>() == o.values.len()));
        }
    }
});
