//! The worked example number by number, and every program against enumeration of all phases.

mod enumeration;
mod shipped;
mod worked_example;

use crate::network::layered::{EdgeLayer, Edges, Layered};
use crate::network::op::UnaryFunction;
use crate::network::testing::{Spread, layered};
use crate::property::{Conjunction, Row, RowKind};
use crate::random::Random;

/// A ReLU network from its matrices, without biases.
fn relu_network(matrices: &[&[&[f64]]]) -> Layered {
    let layer = |(at, rows): (usize, &&[&[f64]])| EdgeLayer {
        edges: Edges { weights: rows.concat(), bias: vec![0.0; rows.len()], inputs: rows[0].len() },
        activation: (at + 1 < matrices.len()).then_some(UnaryFunction::Relu),
        shared: false,
    };
    Layered { entry: None, layers: matrices.iter().enumerate().map(layer).collect() }
}

/// A random ReLU network with biases.
fn random_network(widths: &[usize], seed: u64) -> Layered {
    layered(widths, UnaryFunction::Relu, Spread::normal(1.0), &mut Random::new(seed))
}

/// `Σ coefficient · output ≤ bound`
fn at_most(outputs: &[(usize, f64)], bound: f64) -> Row {
    Row { inputs: Vec::new(), outputs: outputs.to_vec(), bound, kind: RowKind::AtMost }
}

fn conjunction(rows: Vec<Row>) -> Conjunction {
    Conjunction { rows }
}

fn assert_close(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    let distance = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(distance < 1e-6, "{a:?} and {b:?}");
}
