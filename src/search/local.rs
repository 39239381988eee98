//! What the strategies that model the network around a point share.

use super::tally::program_work;
use super::{NotApplicable, Oracle, seeds};
use crate::lp::{ColumnId, LinearProgram};
use crate::network::Real;
use crate::network::frozen::{Piece, piece};
use crate::network::layered::{Edges, Layered, Trace};
use crate::network::op::UnaryFunction;
use crate::problem::Problem;
use crate::property::{Conjunction, RowKind};
use crate::search::patch::encode::Value;

/// Multiplications of a network over which its programs cost more than they find.
const MOST_WEIGHTS: usize = 1_000_000;

/// Of strategies that need the network's pieces.
pub(super) const NOT_PIECEWISE: NotApplicable = NotApplicable("the network is not piecewise linear");

/// The edge layers of a problem's network, convolutions written out.
///
/// # Errors
/// [`NotApplicable`] where the network is no chain of layers, has an activation that `admits` refuses, or is too
/// large.
pub(super) fn view<T: Real>(
    problem: &Problem<T>,
    admits: impl Fn(UnaryFunction) -> bool,
) -> Result<&Layered, NotApplicable> {
    const TOO_LARGE: NotApplicable = NotApplicable("the programs would be too large");
    if problem.network.multiplications() > MOST_WEIGHTS {
        return Err(TOO_LARGE);
    }
    let view = problem.layered().map_err(|reason| NotApplicable(reason.reason()))?;
    let weights: usize = view.layers.iter().map(|layer| layer.edges.weights.len()).sum();
    let admitted = view.layers.iter().filter_map(|layer| layer.activation).all(admits);
    match (admitted, weights > MOST_WEIGHTS) {
        (true, false) => Ok(view),
        (true, true) => Err(TOO_LARGE),
        (false, _) => Err(NotApplicable("an activation that the programs do not know")),
    }
}

/// What the first step of a strategy costs whose programs have about as many entries as `times` the network has
/// weights, in multiplications.
pub(super) fn price<T: Real>(problem: &Problem<T>, times: usize) -> u64 {
    seeds::price(problem) + program_work(times * problem.network.multiplications())
}

/// Whether a function is convex, never falls, and consists of two pieces that meet at zero.
pub(super) fn is_convex(function: UnaryFunction) -> bool {
    match function {
        UnaryFunction::Relu => true,
        UnaryFunction::LeakyRelu { alpha } => (0.0..=1.0).contains(&alpha),
        _ => false,
    }
}

/// The slope of such a function below zero.
pub(super) fn slope_below(function: UnaryFunction) -> f64 {
    match function {
        UnaryFunction::LeakyRelu { alpha } => alpha,
        _ => 0.0,
    }
}

/// The pieces that all neurons with an activation are on; `None` where an activation has none.
pub(super) fn pieces(network: &Layered, trace: &Trace) -> Option<Vec<Vec<Piece>>> {
    let layers = network.layers.iter().zip(&trace.sums);
    let bent = layers.filter_map(|(layer, sums)| Some((layer.activation?, sums)));
    bent.map(|(function, sums)| sums.iter().map(|&z| piece(function, z)).collect()).collect()
}

/// The sums of each layer as affine functions of the inputs, with the neurons in front on the given pieces: one map
/// more than there are layers of pieces.
pub(super) fn maps(network: &Layered, pieces: &[Vec<Piece>]) -> Vec<Edges> {
    let mut maps = vec![network.first_edges().clone()];
    for (pieces, layer) in pieces.iter().zip(&network.layers[1..]) {
        let Some(last) = maps.last() else { break };
        let mut values = last.clone();
        for (j, piece) in pieces.iter().enumerate() {
            let row = &mut values.weights[j * last.inputs..(j + 1) * last.inputs];
            row.iter_mut().for_each(|w| *w *= piece.slope);
            values.bias[j] = piece.slope * values.bias[j] + piece.shift;
        }
        maps.push(layer.edges.after(&values));
    }
    maps
}

/// Adds `least ≤` the margin of every row; rows `≠` are left out. `output` says what stands for an output in a row
/// where it has this coefficient.
pub(super) fn add_margins(
    program: &mut LinearProgram,
    property: &Conjunction,
    inputs: &[ColumnId],
    least: ColumnId,
    output: impl Fn(usize, f64) -> Value,
) {
    for row in property.rows.iter().filter(|row| row.kind != RowKind::Differs) {
        let mut bound = row.bound;
        let mut terms = vec![(least, 1.0)];
        terms.extend(row.inputs.iter().map(|&(i, c)| (inputs[i], c)));
        for &(o, c) in &row.outputs {
            let value = output(o, c);
            bound -= c * value.constant;
            terms.extend(value.term.map(|(column, k)| (column, c * k)));
        }
        program.at_most(terms, bound);
    }
}

/// A column for each input, within the box.
pub(super) fn add_inputs(program: &mut LinearProgram, lower: &[f64], upper: &[f64]) -> Vec<ColumnId> {
    lower.iter().zip(upper).map(|(&low, &high)| program.column(low, high, 0.0)).collect()
}

/// A point in double precision.
pub(super) fn widen<T: Real>(point: &[T]) -> Vec<f64> {
    point.iter().map(|x| x.widen()).collect()
}

/// The part of an oracle's box around a point: `radius` times the box's width to either side.
pub(super) fn around<T: Real>(oracle: &Oracle<'_, T>, x: &[f64], radius: f64) -> (Vec<f64>, Vec<f64>) {
    let (lower, upper) = (&oracle.region.lower, &oracle.region.upper);
    let reach = |i: usize| radius * (upper[i] - lower[i]);
    (
        (0..x.len()).map(|i| (x[i] - reach(i)).max(lower[i]).min(upper[i])).collect(),
        (0..x.len()).map(|i| (x[i] + reach(i)).min(upper[i]).max(lower[i])).collect(),
    )
}
