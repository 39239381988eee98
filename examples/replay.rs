//! Runs the reference engine over points from a file: `replay NET.onnx POINTS RESULTS [double]`.
//!
//! Both files hold little-endian doubles, point after point; all inputs, and all outputs, of a point in a row.
//! `benchmarks/reference_vs_ort.py` compares the results with ONNX Runtime's.

use std::error::Error;
use std::sync::Arc;

use counterpatch::onnx::{self, Dim};
use counterpatch::reference::{Engine, Precision};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (network, points, results, double) = match arguments.as_slice() {
        [network, points, results] => (network, points, results, false),
        [network, points, results, word] if word == "double" => (network, points, results, true),
        _ => return Err("usage: replay NET.onnx POINTS RESULTS [double]".into()),
    };
    let precision = if double { Precision::Double } else { Precision::Model };
    let engine = Engine::new(Arc::new(onnx::read(network.as_ref())?))?;
    let size =
        |dims: &Vec<Dim>| dims.iter().map(|d| if let Dim::Fixed(n) = d { *n } else { 1 }).product::<usize>();
    let sizes: Vec<usize> =
        engine.model().graph.inputs.iter().map(|i| i.shape.as_ref().map_or(1, size)).collect();
    let bytes = std::fs::read(points)?;
    let numbers: Vec<f64> = bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
    let mut out = Vec::new();
    for point in numbers.chunks_exact(sizes.iter().sum::<usize>().max(1)) {
        let mut rest = point;
        let mut inputs = Vec::new();
        for &size in &sizes {
            let (input, behind) = rest.split_at(size);
            inputs.push(input);
            rest = behind;
        }
        let outputs = engine.run(&inputs, precision)?;
        out.extend(outputs.iter().flat_map(|o| &o.values).flat_map(|v| v.to_le_bytes()));
    }
    Ok(std::fs::write(results, out)?)
}
