//! What sound bounds say of a property's row: how far it could be met, or that it cannot.

use crate::bounds::{BoundRow, Bounder};
use crate::network::op::Op;
use crate::network::{Network, Node, Real};
use crate::problem::Problem;
use crate::property::Row;
use crate::search::NotApplicable;
use crate::search::kernel::tally::PRICE_OF_BOUNDS;

/// What a proof that is nearly done adds to a strategy's share of the work: others then have a tenth of the thread.
const PROOF: f64 = 47.0;

/// Boxes in whose time a fruitless search doubles what a proof is worth, and the most that it may come to.
const BOXES: f64 = 2_000.0;
const MOST: f64 = 16.0;

/// What a proof promises of which a share is done, after so many boxes' worth of search. The share's third power: half
/// a box is often excluded where there is a counterexample, nine tenths are not. The search's first: what has failed n
/// times succeeds the next time with probability 1 / (n + 2) (Laplace's rule of succession), while a box that is
/// excluded brings the proof as far at last as at first.
///
/// Where a point is known whose margin is not below zero, no bounds exclude its box, whatever a replay has said of its last
/// digits: a proof promises nothing then.
pub(in crate::search) fn promise_of_proof(excluded: f64, searched: f64, is_touched: bool) -> f64 {
    if is_touched {
        return 1.0;
    }
    (1.0 + PROOF * excluded.powi(3)) * (1.0 + searched / BOXES).min(MOST)
}

/// Multiplications of a box's bounds, at ten thousand million a second about a day: such a strategy would never have its turn.
const MOST_WORK: u64 = 1_000_000_000_000_000;

/// Relative rounding of the rows' own coefficients, which are nearest doubles of exact decimals.
const COEFFICIENT_ROUNDING: f64 = 4.0 * f64::EPSILON;

/// A row as the bounds see it.
pub(in crate::search) fn view(row: &Row) -> BoundRow<'_> {
    BoundRow { inputs: &row.inputs, outputs: &row.outputs }
}

/// The largest margin that a row could have, given that its left side is at least `least`; `None` if it cannot hold.
pub(in crate::search) fn reach(bounder: &Bounder<'_>, row: &Row, least: f64) -> Option<f64> {
    // The bound is rounded already; only the row's own coefficients are not.
    let magnitude = || bounder.magnitude(&row.inputs, &row.outputs);
    let slack = if row.is_exact() { 0.0 } else { COEFFICIENT_ROUNDING * magnitude() };
    let least = exact_least(bounder, row).map_or(least, |exact| exact.max(least));
    let most = row.bound - least + slack;
    // Written so that a bound that is not a number excludes nothing.
    let excluded = most < 0.0 || (most == 0.0 && !row.admits_zero());
    (!excluded).then_some(most)
}

/// The least value of a row that is one output, or one output negated: an end of its interval, to the last bit.
fn exact_least(bounder: &Bounder<'_>, row: &Row) -> Option<f64> {
    match (row.inputs.as_slice(), row.outputs.as_slice()) {
        ([], &[(output, coefficient)]) if coefficient.abs() == 1.0 => {
            let (low, high) = bounder.interval_of_output(output)?;
            Some(if coefficient > 0.0 { low } else { -high })
        }
        _ => None,
    }
}

/// A search's bounder.
///
/// # Errors
/// [`NotApplicable`] where an operator has no bounds, or they cost too much.
pub(in crate::search) fn bounder<T: Real>(problem: &Problem<T>) -> Result<Bounder<'_>, NotApplicable> {
    affordable(&problem.network)?;
    problem.bounder().map_err(|_| NotApplicable("an operator has no sound bounds"))
}

/// Whether bounds of a network have their turn in any search. Asked before time and memory go into a copy in double
/// precision and what bounds prepare of it.
///
/// # Errors
/// [`NotApplicable`] if not.
pub fn affordable<T: Real>(network: &Network<T>) -> Result<(), NotApplicable> {
    match price_of_bounds(network) <= MOST_WORK {
        true => Ok(()),
        false => Err(NotApplicable("the bounds of a box would take a day")),
    }
}

/// What the bounds of one box cost, in multiplications of evaluations.
pub(crate) fn price_of_bounds<T: Real>(network: &Network<T>) -> u64 {
    let bends = |node: &&Node<T>| matches!(node.op, Op::Unary(_));
    let neurons: usize = network.nodes().iter().filter(bends).map(Node::len).sum();
    // Two rows a neuron, through half of the network on average.
    let multiplications = neurons.saturating_mul(network.multiplications()) as u64;
    multiplications.saturating_mul(PRICE_OF_BOUNDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::build::Builder;
    use crate::network::matrix::Matrix;
    use crate::network::op::{Affine, Unary, UnaryFunction};
    use crate::onnx::ElementType::Float32;

    /// Rows of eight numbers, each multiplied by an 8 × 8 matrix and rectified.
    fn network(rows: usize) -> Network<f32> {
        let mut builder = Builder::default();
        let input = builder.input("x", Float32, vec![1, rows, 8]).unwrap();
        let affine = Affine { matrix: Matrix::dense(8, 8, vec![1.0; 64]), bias: vec![0.0; 8], axis: 2 };
        let sums = builder.push("sums", Op::Affine(affine), &[input], Float32).unwrap();
        let bent = builder.push("bent", Op::Unary(Unary(UnaryFunction::Relu)), &[sums], Float32).unwrap();
        builder.finish(vec![bent])
    }

    #[test]
    fn bounds_that_would_take_a_day_are_refused() {
        for (rows, expected) in [(1, true), (1_000, true), (1_000_000, false)] {
            assert_eq!(affordable(&network(rows)).is_ok(), expected, "{rows} rows");
        }
    }
}
