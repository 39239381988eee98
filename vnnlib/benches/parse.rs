//! Reading speed on a generated query of the largest kind in the competition: an `or` of boxes.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// An `or` of `disjuncts` boxes of `inputs` variables, with a condition on the output each.
fn boxes(inputs: usize, disjuncts: usize) -> String {
    let mut text = String::new();
    for i in 0..inputs {
        // Writing to a string does not fail, here and below.
        let _ = writeln!(text, "(declare-const X_{i} Real)");
    }
    text.push_str("(declare-const Y_0 Real)\n(assert (or\n");
    for k in 0..disjuncts {
        text.push_str("  (and");
        for i in 0..inputs {
            let low = (k * 37 + i * 11) as f64 / 7919.0;
            let _ = write!(text, " (>= X_{i} {low:.16}) (<= X_{i} {:.16})", low + 1e-3);
        }
        text.push_str(" (<= Y_0 0.6058041961681648))\n");
    }
    text.push_str("))\n");
    text
}

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    for (name, inputs, disjuncts) in [("many disjuncts", 1, 120_000), ("wide boxes", 308, 500)] {
        let text = boxes(inputs, disjuncts);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.sample_size(20);
        group.bench_function(name, |b| b.iter(|| vnnlib::parse(black_box(text.as_str())).is_ok()));
    }
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
