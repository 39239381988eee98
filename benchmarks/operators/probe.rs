//! The fast engine from outside, for the scripts beside this file: outputs, gradients and times of one network.
//!
//! `probe run NET INPUTS OUTPUTS LANES f32|f64` · `probe gradient NET INPUTS` · `probe time NET LANES SECONDS` ·
//! `probe nodes NET`. Numbers in files are 64-bit little-endian floats, one point after the other.

use std::path::Path;
use std::time::Instant;

use counterpatch::network::simplify::simplify;
use counterpatch::network::{Network, Real, Surrogate};
use counterpatch::onnx;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["run", net, inputs, outputs, lanes, "f32"] => run::<f32>(net, inputs, outputs, lanes.parse()?),
        ["run", net, inputs, outputs, lanes, "f64"] => run::<f64>(net, inputs, outputs, lanes.parse()?),
        ["gradient", net, inputs] => gradient(net, inputs),
        ["time", net, lanes, seconds] => time(net, lanes.parse()?, seconds.parse()?),
        ["nodes", net] => nodes(net),
        _ => Err("see the head of benchmarks/operators/probe.rs for what to type".into()),
    }
}

fn load<T: Real>(path: &str) -> Result<Network<T>, Failure> {
    let model = onnx::read(Path::new(path))?;
    Ok(simplify(onnx::import(&model)?))
}

fn read(path: &str) -> Result<Vec<f64>, Failure> {
    let bytes = std::fs::read(path)?;
    let number = |b: &[u8]| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
    Ok(bytes.chunks_exact(8).map(number).collect())
}

fn run<T: Real>(net: &str, inputs: &str, outputs: &str, lanes: usize) -> Result<(), Failure> {
    let network = load::<T>(net)?;
    let (width, height) = (network.input_len(), network.output_len());
    let points = read(inputs)?;
    let count = points.len() / width.max(1);
    let mut workspace = network.workspace(lanes);
    let (mut block, mut results) = (vec![T::zero(); width * lanes], Vec::new());
    let mut bytes = Vec::with_capacity(count * height * 8);
    for start in (0..count).step_by(lanes) {
        // The last block is filled up with its last point.
        for lane in 0..lanes {
            let point = (start + lane).min(count - 1);
            (0..width).for_each(|i| block[i * lanes + lane] = T::of(points[point * width + i]));
        }
        network.forward(&mut workspace, &block);
        network.outputs_into(&workspace, &mut results);
        for lane in 0..lanes.min(count - start) {
            (0..height).for_each(|i| bytes.extend(results[i * lanes + lane].widen().to_le_bytes()));
        }
    }
    Ok(std::fs::write(outputs, bytes)?)
}

/// Largest relative difference between the vector-Jacobian product and central differences along it and along a
/// fixed direction, over the points.
fn gradient(net: &str, inputs: &str) -> Result<(), Failure> {
    let network = load::<f64>(net)?;
    let width = network.input_len();
    let points = read(inputs)?;
    let weights: Vec<f64> = (0..network.output_len()).map(|i| (i as f64 * 0.7 + 1.0).sin()).collect();
    let mut workspace = network.workspace(1);
    let mut worst = Vec::new();
    for x in points.chunks_exact(width) {
        network.forward(&mut workspace, x);
        let mut slope = Vec::new();
        network.backward(&mut workspace, &weights, Surrogate::exact(), &mut slope);
        let norm = slope.iter().map(|g| g * g).sum::<f64>().sqrt();
        let fixed: Vec<f64> =
            (0..width).map(|i| (i as f64 * 1.3 + 0.5).cos() / (width as f64).sqrt()).collect();
        let along: Vec<f64> = slope.iter().map(|g| if norm > 0.0 { g / norm } else { 0.0 }).collect();
        for direction in [fixed, along] {
            let want: f64 = slope.iter().zip(&direction).map(|(g, d)| g * d).sum();
            worst.push(difference(&network, x, &weights, &direction, want) / norm.max(1e-6));
        }
    }
    worst.sort_by(f64::total_cmp);
    let middle = worst.get(worst.len() / 2).copied().unwrap_or(0.0);
    println!("{middle:.2e} {:.2e}", worst.last().copied().unwrap_or(0.0));
    Ok(())
}

/// The smallest error over three step lengths: a step that crosses a kink says nothing about the derivative.
fn difference(network: &Network<f64>, x: &[f64], weights: &[f64], direction: &[f64], want: f64) -> f64 {
    let at = |t: f64| -> f64 {
        let moved: Vec<f64> = x.iter().zip(direction).map(|(x, d)| x + t * d).collect();
        network.evaluate(&moved).iter().zip(weights).map(|(y, w)| y * w).sum()
    };
    let error = |h: f64| ((at(h) - at(-h)) / (2.0 * h) - want).abs();
    [1e-5, 1e-6, 1e-7].into_iter().map(error).fold(f64::INFINITY, f64::min)
}

/// Prints microseconds a point, forward and forward with backward, best of the passes that fit the time.
fn time(net: &str, lanes: usize, seconds: f64) -> Result<(), Failure> {
    let network = load::<f32>(net)?;
    let mut workspace = network.workspace(lanes);
    let block: Vec<f32> = (0..network.input_len() * lanes).map(|i| ((i * 37) % 101) as f32 / 101.0).collect();
    let cotangent = vec![1.0f32; network.output_len() * lanes];
    let mut slope = Vec::new();
    let mut best = [f64::INFINITY; 2];
    for (backward, best) in best.iter_mut().enumerate() {
        let start = Instant::now();
        while start.elapsed().as_secs_f64() < seconds {
            let pass = Instant::now();
            network.forward(&mut workspace, &block);
            if backward == 1 {
                network.backward(&mut workspace, &cotangent, Surrogate::exact(), &mut slope);
            }
            *best = best.min(pass.elapsed().as_secs_f64());
        }
    }
    println!("{:.4} {:.4}", best[0] * 1e6 / lanes as f64, best[1] * 1e6 / lanes as f64);
    Ok(())
}

fn nodes(net: &str) -> Result<(), Failure> {
    let network = load::<f32>(net)?;
    for (i, node) in network.nodes().iter().enumerate() {
        let text = format!("{:?}", node.op);
        let kind: String = text.chars().take(40).collect();
        let inputs: Vec<usize> = node.inputs.iter().map(|id| id.0).collect();
        println!("{i:4} {:30} {kind:40} {inputs:?} → {:?}", node.name, node.shape);
    }
    Ok(())
}
