//! What the strategies that model the network around a point share.

use crate::network::Real;
use crate::network::layered::Layered;
use crate::network::op::UnaryFunction;
use crate::problem::Problem;
use crate::search::kernel::seeds;
use crate::search::kernel::tally::program_work;
use crate::search::{NotApplicable, Oracle};

/// Multiplications of a network over which its programs cost more than they find.
const MOST_WEIGHTS: usize = 1_000_000;

/// Of strategies that need the network's pieces.
pub(in crate::search) const NOT_PIECEWISE: NotApplicable =
    NotApplicable("the network is not piecewise linear");

/// The edge layers of a problem's network, convolutions written out.
///
/// # Errors
/// [`NotApplicable`] where the network is no chain of layers, has an activation that `admits` refuses, or is too
/// large.
pub(in crate::search) fn view<T: Real>(
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
pub(in crate::search) fn price<T: Real>(problem: &Problem<T>, times: usize) -> u64 {
    seeds::price(problem) + program_work(times * problem.network.multiplications())
}

/// A point in double precision.
pub(in crate::search) fn widen<T: Real>(point: &[T]) -> Vec<f64> {
    point.iter().map(|x| x.widen()).collect()
}

/// The part of an oracle's box around a point: `radius` times the box's width to either side.
pub(in crate::search) fn around<T: Real>(
    oracle: &Oracle<'_, T>,
    x: &[f64],
    radius: f64,
) -> (Vec<f64>, Vec<f64>) {
    let (lower, upper) = (&oracle.region.lower, &oracle.region.upper);
    let reach = |i: usize| radius * (upper[i] - lower[i]);
    (
        (0..x.len()).map(|i| (x[i] - reach(i)).max(lower[i]).min(upper[i])).collect(),
        (0..x.len()).map(|i| (x[i] + reach(i)).min(upper[i]).max(lower[i])).collect(),
    )
}
