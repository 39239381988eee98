//! Evaluations a second of a fully connected network of ACAS Xu's shape (5, six times 50, 5), in blocks of 64
//! points: forward, and forward with the gradient of one output. `ort_forward.py` measures ONNX Runtime beside it.

use std::hint::black_box;

use counterpatch::network::build::Builder;
use counterpatch::network::matrix::Matrix;
use counterpatch::network::op::{Affine, Op, Unary, UnaryFunction};
use counterpatch::network::{Network, Surrogate};
use counterpatch::onnx::ElementType::Float32;
use counterpatch::random::Random;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const WIDTHS: [usize; 8] = [5, 50, 50, 50, 50, 50, 50, 5];

fn network() -> Network<f32> {
    let mut random = Random::new(1);
    let mut builder = Builder::default();
    let mut node = builder.input("x", Float32, vec![1, WIDTHS[0]]).expect("a small shape");
    for layer in 1..WIDTHS.len() {
        let (inputs, outputs) = (WIDTHS[layer - 1], WIDTHS[layer]);
        let scale = (2.0 / inputs as f64).sqrt();
        let mut draw =
            |count: usize| (0..count).map(|_| (scale * random.normal()) as f32).collect::<Vec<_>>();
        let matrix = Matrix::dense(outputs, inputs, draw(outputs * inputs));
        let affine = Op::Affine(Affine { matrix, bias: draw(outputs), axis: 1 });
        node = builder.push("layer", affine, &[node], Float32).expect("the widths fit");
        if layer + 1 < WIDTHS.len() {
            let relu = Op::Unary(Unary(UnaryFunction::Relu));
            node = builder.push("relu", relu, &[node], Float32).expect("any shape fits");
        }
    }
    builder.finish(vec![node])
}

fn forward(c: &mut Criterion) {
    let network = network();
    let mut group = c.benchmark_group("acas-shape");
    for lanes in [1, 64, 256] {
        let mut workspace = network.workspace(lanes);
        let mut random = Random::new(2);
        let points: Vec<f32> = (0..WIDTHS[0] * lanes).map(|_| random.unit() as f32).collect();
        group.throughput(Throughput::Elements(lanes as u64));
        group.bench_function(format!("forward/{lanes}"), |b| {
            b.iter(|| network.forward(&mut workspace, black_box(&points)));
        });
        let cotangent = vec![1.0; network.output_len() * lanes];
        let mut gradient = Vec::new();
        group.bench_function(format!("forward+gradient/{lanes}"), |b| {
            b.iter(|| {
                network.forward(&mut workspace, black_box(&points));
                network.backward(&mut workspace, &cotangent, Surrogate::exact(), &mut gradient);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, forward);
criterion_main!(benches);
