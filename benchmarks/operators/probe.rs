//! The fast engine from outside, for the scripts beside this file: outputs, gradients and times of one network.
//!
//! `probe run NET INPUTS OUTPUTS LANES f32|f64` · `probe gradient NET INPUTS` · `probe time NET LANES` ·
//! `probe profile NET LANES` · `probe once NET` · `probe replay NET THREADS` · `probe nodes NET` · `probe both`. Numbers in files are 64-bit little-endian floats, one point after the other.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use counterpatch::network::{self, Network, NodeId, Real, Surrogate};
use counterpatch::onnx;
use counterpatch::problem::need_double;
use counterpatch::reference::{Engine, Precision};
use rustix::time::{ClockId, clock_gettime};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["run", net, inputs, outputs, lanes, "f32"] => run::<f32>(net, inputs, outputs, lanes.parse()?),
        ["run", net, inputs, outputs, lanes, "f64"] => run::<f64>(net, inputs, outputs, lanes.parse()?),
        ["gradient", net, inputs] => gradient(net, inputs),
        ["time", net, lanes] => time(net, lanes.parse()?),
        ["profile", net, lanes] => profile(net, lanes.parse()?),
        ["once", net] => once(net),
        ["replay", net, threads] => replay(net, threads.parse()?),
        ["nodes", net] => nodes(net),
        ["both"] => both(),
        _ => Err("see the head of benchmarks/operators/probe.rs for what to type".into()),
    }
}

fn load<T: Real>(path: &str) -> Result<Network<T>, Failure> {
    let model = onnx::read(Path::new(path))?;
    Ok(network::import(&model)?)
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

/// Compares the vector-Jacobian product of a fixed combination of the outputs with central differences, over the points
/// and over directions: the gradient's own, and every input's where there are at most 64, else eight dense ones.
/// Prints the median and the largest difference relative to the gradient's length, how many directions were compared,
/// and how many were left out because differences with two step lengths contradict each other: a kink lies between.
fn gradient(net: &str, inputs: &str) -> Result<(), Failure> {
    let network = load::<f64>(net)?;
    let width = network.input_len();
    let points = read(inputs)?;
    let weights: Vec<f64> = (0..network.output_len()).map(|i| (i as f64 * 0.7 + 1.0).sin()).collect();
    let mut workspace = network.workspace(1);
    let (mut errors, mut kinks) = (Vec::new(), 0);
    for x in points.chunks_exact(width) {
        network.forward(&mut workspace, x);
        let mut slope = Vec::new();
        network.backward(&mut workspace, &weights, Surrogate::exact(), &mut slope);
        let norm = slope.iter().map(|g| g * g).sum::<f64>().sqrt();
        for direction in directions(&slope, norm) {
            let want: f64 = slope.iter().zip(&direction).map(|(g, d)| g * d).sum();
            match difference(&network, x, &weights, &direction, norm) {
                Some(got) => errors.push((got - want).abs() / norm.max(1e-6)),
                None => kinks += 1,
            }
        }
    }
    errors.sort_by(f64::total_cmp);
    let middle = errors.get(errors.len() / 2).copied().unwrap_or(0.0);
    println!("{middle:.1e} {:.1e} {} {kinks}", errors.last().copied().unwrap_or(0.0), errors.len());
    Ok(())
}

/// Directions of length one.
fn directions(slope: &[f64], norm: f64) -> Vec<Vec<f64>> {
    let width = slope.len();
    let mut all = vec![slope.iter().map(|g| if norm > 0.0 { g / norm } else { 0.0 }).collect()];
    if width <= 64 {
        let unit = |axis| (0..width).map(|i| f64::from(u8::from(i == axis))).collect();
        all.extend((0..width).map(unit));
    } else {
        let dense = |k: usize| -> Vec<f64> {
            let numbers: Vec<f64> = (0..width).map(|i| (i as f64 * (1.3 + k as f64) + 0.5).cos()).collect();
            let length = numbers.iter().map(|d| d * d).sum::<f64>().sqrt();
            numbers.iter().map(|d| d / length).collect()
        };
        all.extend((0..8).map(dense));
    }
    all
}

/// The derivative along a direction by central differences, if two step lengths agree on it to 1e-5 of the gradient's
/// length.
fn difference(
    network: &Network<f64>,
    x: &[f64],
    weights: &[f64],
    direction: &[f64],
    norm: f64,
) -> Option<f64> {
    let at = |t: f64| -> f64 {
        let moved: Vec<f64> = x.iter().zip(direction).map(|(x, d)| x + t * d).collect();
        network.evaluate(&moved).iter().zip(weights).map(|(y, w)| y * w).sum()
    };
    let slope = |h: f64| (at(h) - at(-h)) / (2.0 * h);
    let slopes = [1e-4, 1e-5, 1e-6, 1e-7].map(slope);
    let near = |pair: &&[f64]| (pair[0] - pair[1]).abs() <= 1e-5 * norm.max(1e-6);
    slopes.windows(2).find(near).map(|pair| pair[1])
}

/// For each line of standard input, which holds seconds and `forward` or `gradient`, passes until they are over and
/// prints the fastest pass in microseconds of this thread's own CPU time a point: other programs do not count.
fn time(net: &str, lanes: usize) -> Result<(), Failure> {
    let network = load::<f32>(net)?;
    let mut workspace = network.workspace(lanes);
    let block: Vec<f32> = (0..network.input_len() * lanes).map(|i| ((i * 37) % 101) as f32 / 101.0).collect();
    let cotangent = vec![1.0f32; network.output_len() * lanes];
    let mut slope = Vec::new();
    for line in std::io::stdin().lines() {
        let line = line?;
        let (seconds, what) = line.split_once(' ').ok_or("a line holds seconds and what to measure")?;
        let seconds: f64 = seconds.parse()?;
        let (start, mut best) = (cpu_seconds(), f64::INFINITY);
        let mut now = start;
        // Short passes are timed together, so that asking for the time does not count.
        let mut passes = 1;
        while now - start < seconds {
            let begin = now;
            for _ in 0..passes {
                network.forward(&mut workspace, &block);
                if what == "gradient" {
                    network.backward(&mut workspace, &cotangent, Surrogate::exact(), &mut slope);
                }
            }
            now = cpu_seconds();
            best = best.min((now - begin) / f64::from(passes));
            if now - begin < 2e-3 {
                passes *= 2;
                best = f64::INFINITY;
            }
        }
        println!("{:.4}", best * 1e6 / lanes as f64);
    }
    Ok(())
}

/// Prints what each node's forward and backward pass take, in microseconds of CPU time a point, and how many billions of
/// multiplications a second the forward pass makes. A pass that begins or ends there less one that does so behind it, the fastest of some.
fn profile(net: &str, lanes: usize) -> Result<(), Failure> {
    let network = load::<f32>(net)?;
    let mut workspace = network.workspace(lanes);
    let block: Vec<f32> = (0..network.input_len() * lanes).map(|i| ((i * 37) % 101) as f32 / 101.0).collect();
    network.forward(&mut workspace, &block);
    let ones = vec![1.0f32; network.nodes().iter().map(|node| node.len()).max().unwrap_or(0) * lanes];
    let count = network.nodes().len();
    let (mut from, mut down) = (vec![f64::INFINITY; count + 1], vec![f64::INFINITY; count + 1]);
    let mut slope = Vec::new();
    for _ in 0..20 {
        for (first, best) in from.iter_mut().enumerate() {
            let begin = cpu_seconds();
            (0..5).for_each(|_| network.forward_from(&mut workspace, first));
            *best = best.min((cpu_seconds() - begin) / 5.0);
        }
        for (node, best) in network.nodes().iter().enumerate().zip(&mut down[1..]) {
            let cotangent = &ones[..node.1.len() * lanes];
            let begin = cpu_seconds();
            let exact = Surrogate::exact();
            network.backward_from(&mut workspace, NodeId(node.0), cotangent, exact, &mut slope);
            *best = best.min(cpu_seconds() - begin);
        }
    }
    down[0] = down[1];
    println!("node   forward  backward    10⁹/s  shape, operator");
    for (i, node) in network.nodes().iter().enumerate() {
        let [forward, backward] =
            [from[i] - from[i + 1], down[i + 1] - down[i]].map(|seconds| seconds * 1e6 / lanes as f64);
        let speed = node.op.multiplications(&node.shape) as f64 / forward / 1e3;
        let kind: String = format!("{:?}", node.op).chars().take(30).collect();
        println!("{i:4} {forward:9.2} {backward:9.2} {speed:8.1}  {:?} {kind}", node.shape);
    }
    Ok(())
}

/// Prints seconds of CPU time as a list in JSON: to read the file, to import it, and the best of three passes over one point,
/// forward and with the gradient.
fn once(net: &str) -> Result<(), Failure> {
    let begin = cpu_seconds();
    let model = onnx::read(Path::new(net))?;
    let read = cpu_seconds();
    let network: Network<f32> = network::import(&model)?;
    let imported = cpu_seconds();
    let mut workspace = network.workspace(1);
    let point: Vec<f32> = (0..network.input_len()).map(|i| ((i * 37) % 101) as f32 / 101.0).collect();
    let (cotangent, mut slope) = (vec![1.0f32; network.output_len()], Vec::new());
    let (mut forward, mut both) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..3 {
        let start = cpu_seconds();
        network.forward(&mut workspace, &point);
        forward = forward.min(cpu_seconds() - start);
        network.backward(&mut workspace, &cotangent, Surrogate::exact(), &mut slope);
        both = both.min(cpu_seconds() - start);
    }
    println!("[{:.4}, {:.4}, {forward:.5}, {both:.5}]", read - begin, imported - read);
    Ok(())
}

/// Prints seconds by the clock as a list in JSON: one replay in the model's types, and one in double precision.
fn replay(net: &str, threads: usize) -> Result<(), Failure> {
    let engine = Engine::new(Arc::new(onnx::read(Path::new(net))?))?.with_threads(threads);
    let len: usize = engine.model().graph.inputs.iter().map(length).sum();
    let point: Vec<f64> = (0..len).map(|i| ((i * 37) % 101) as f64 / 101.0).collect();
    let seconds = |precision| -> Result<f64, Failure> {
        let begin = Instant::now();
        engine.run(&[&point], precision)?;
        Ok(begin.elapsed().as_secs_f64())
    };
    println!("[{:.4}, {:.4}]", seconds(Precision::Model)?, seconds(Precision::Double)?);
    Ok(())
}

/// CPU seconds of this thread.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
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

/// Evaluates model after model from standard input at one point each, in both engines: for each two lines on standard
/// output, the plain engine's and the fast one's, of `ok` and the outputs, or of `refused` and why.
///
/// A model comes as its length in bytes and its bytes, a point as its length in numbers and its numbers; lengths are
/// 32-bit little-endian integers.
fn both() -> Result<(), Failure> {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    while let Some(len) = frame(&mut input)? {
        let mut bytes = vec![0; len];
        input.read_exact(&mut bytes)?;
        let count = frame(&mut input)?.ok_or("a point is missing")?;
        let mut point = vec![0; count * 8];
        input.read_exact(&mut point)?;
        let point: Vec<f64> = point.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
        for engine in [plain, fast] {
            let line = match engine(&bytes, &point) {
                Ok(values) => format!("ok {values:?}"),
                Err(why) => format!("refused {}", why.to_string().replace('\n', " ")),
            };
            writeln!(output, "{line}")?;
        }
        output.flush()?;
    }
    Ok(())
}

/// The next length; `None` at the end.
fn frame(input: &mut impl Read) -> Result<Option<usize>, Failure> {
    let mut bytes = [0; 4];
    match input.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(usize::try_from(u32::from_le_bytes(bytes))?)),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn plain(bytes: &[u8], point: &[f64]) -> Result<Vec<f64>, Failure> {
    let model = onnx::from_bytes(bytes)?;
    let lengths: Vec<usize> = model.graph.inputs.iter().map(length).collect();
    let mut rest = point;
    let mut inputs = Vec::new();
    for length in lengths {
        let (own, behind) = rest.split_at_checked(length).ok_or("the point is too short")?;
        inputs.push(own);
        rest = behind;
    }
    let outputs = Engine::new(Arc::new(model))?.run(&inputs, Precision::Model)?;
    Ok(outputs.into_iter().flat_map(|output| output.values).collect())
}

fn length(input: &onnx::ValueInfo) -> usize {
    let size = |dim: &onnx::Dim| if let onnx::Dim::Fixed(n) = dim { *n } else { 1 };
    input.shape.iter().flatten().map(size).product()
}

fn fast(bytes: &[u8], point: &[f64]) -> Result<Vec<f64>, Failure> {
    let model = Arc::new(onnx::from_bytes(bytes)?);
    if need_double(std::slice::from_ref(&model)) {
        return Ok(network::import::<f64>(&model)?.evaluate(point));
    }
    let point: Vec<f32> = point.iter().map(|&x| x as f32).collect();
    let network = network::import::<f32>(&model)?;
    Ok(network.evaluate(&point).into_iter().map(f64::from).collect())
}
