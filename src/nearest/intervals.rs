//! Intervals of all sums over the inputs within a distance.
//!
//! Layer by layer, each sum is bounded from both sides by the least value of its plane ([`sweep`](super::sweep)) within the
//! distance, in the norm that is meant: of an L1 ball over 784 pixels the box around it says next to nothing. The intervals
//! shrink with the distance, so that a search for something nearer than what is known has fewer open neurons than one over
//! the whole box.

use super::hinges::Hinges;
use super::reach::Reach;
use super::rounding::{RoundedSum, above, below};
use super::sweep::{Intervals, MagnitudeBounds, plane, values};
use crate::bounds::Phase;
use crate::budget::Budget;

/// A decided neuron.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DecidedNeuron {
    pub(super) layer: usize,
    pub(super) neuron: usize,
    pub(super) phase: Phase,
}

/// Intervals of the sums of all layers with hinges, and the sizes of all layers; `None` where no input is left: the ends of
/// some sum have passed each other.
///
/// `known` are intervals of a larger set; `distance` is how far the inputs may be from the nominal one.
pub(super) fn intervals(
    network: &Hinges,
    reach: &Reach<'_>,
    distance: f64,
    decisions: &[DecidedNeuron],
    known: Option<&Intervals>,
    budget: &Budget,
) -> Option<(Intervals, MagnitudeBounds)> {
    let mut found: Intervals = Vec::new();
    let mut sizes = MagnitudeBounds::new();
    let inputs: Vec<f64> = reach.lower.iter().zip(reach.upper).map(|(l, u)| l.abs().max(u.abs())).collect();
    sizes.push(network, &inputs);
    for layer in 0..network.bent() {
        let own = decisions.iter().filter(|decision| decision.layer == layer);
        let before: Vec<(f64, f64)> = match known {
            Some(known) => known[layer].clone(),
            None => plain(network, layer, reach, (&found, &sizes)),
        };
        let mut ends = before;
        for decision in own {
            let (low, high) = &mut ends[decision.neuron];
            match decision.phase {
                Phase::Active => *low = low.max(0.0),
                Phase::Inactive => *high = high.min(0.0),
            }
        }
        for (neuron, ends) in ends.iter_mut().enumerate() {
            // What is known is valid, however little: when the time is up, nothing is made tighter.
            if ends.0 < 0.0 && ends.1 > 0.0 && budget.check().is_ok() {
                tighten(network, (layer, neuron), ends, reach, distance, (&found, &sizes));
            }
            if ends.0 > ends.1 {
                return None;
            }
        }
        sizes.push(network, &values(network, layer, &ends));
        found.push(ends);
    }
    Some((found, sizes))
}

/// Ends of a sum by its two planes.
fn tighten(
    network: &Hinges,
    (layer, neuron): (usize, usize),
    ends: &mut (f64, f64),
    reach: &Reach<'_>,
    distance: f64,
    (found, sizes): (&Intervals, &MagnitudeBounds),
) {
    let bound = |sign: f64| {
        let mut row = vec![0.0; network.layers[layer].edges.outputs()];
        row[neuron] = sign;
        let plane = plane(network, (layer, row), 0.0, (found, sizes), &[]);
        below(reach.least(&plane.slopes, distance) + plane.constant)
    };
    ends.0 = ends.0.max(bound(1.0));
    if ends.0 < 0.0 {
        ends.1 = ends.1.min(-bound(-1.0));
    }
}

/// Ends of a layer's sums by interval arithmetic alone, over the whole box.
fn plain(
    network: &Hinges,
    layer: usize,
    reach: &Reach<'_>,
    (found, sizes): (&Intervals, &MagnitudeBounds),
) -> Vec<(f64, f64)> {
    let values: Vec<(f64, f64)> = match layer.checked_sub(1) {
        None => reach.lower.iter().copied().zip(reach.upper.iter().copied()).collect(),
        Some(before) => {
            let layer = &network.layers[before];
            let bent = |z: f64| (layer.low * z).max(layer.high * z);
            let value = |&(low, high): &(f64, f64)| {
                let (a, b) = (bent(low), bent(high));
                let least = if low < 0.0 && high > 0.0 { a.min(b).min(0.0) } else { a.min(b) };
                (below(least), above(a.max(b)))
            };
            found[before].iter().map(value).collect()
        }
    };
    let edges = &network.layers[layer].edges;
    let sum = |o: usize| {
        let (mut low, mut high) = (RoundedSum::default(), RoundedSum::default());
        let charge = sizes.charge(network, layer, o);
        low.charge(charge);
        high.charge(charge);
        low.add(edges.bias[o]);
        high.add(-edges.bias[o]);
        for (w, (l, u)) in edges.row(o).iter().zip(&values) {
            low.add(if *w >= 0.0 { w * l } else { w * u });
            high.add(if *w >= 0.0 { -w * u } else { -w * l });
        }
        (low.least(), -high.least())
    };
    (0..edges.outputs()).map(sum).collect()
}
