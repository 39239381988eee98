//! How far the switch columns can be from zero in any repair that costs at most a given amount.
//!
//! A cost B allows the changed layer's sums at a point to move by `B · max |h|` one by one, and for the least sum of
//! changes by no more than that all together. Both kinds of radius are carried through the layers behind, the second
//! as a 1-norm: `|Δz'_o| ≤ Σ_j |w_oj| |Δh_j|` and `|Δz'_o| ≤ max_j |w_oj| · Σ_j |Δh_j|`. With such bounds a switch
//! becomes a binary variable, and an optimum among them is an optimum without bounds.

use super::ChangeNorm;
use super::demand::Demand;
use super::encode::{Goal, PatchQuery};
use super::layer::{Layer, source_of};
use super::phases::steepest;
use crate::network::frozen::kinks;

/// Bounds of one point's sums: centre, radius of each, radius of all together (1-norm).
struct Spread {
    centre: Vec<f64>,
    radius: Vec<f64>,
    together: f64,
}

impl PatchQuery<'_> {
    /// An upper bound of every switch column, in the switches' order, for repairs that cost at most `cost`.
    /// Infinite where nothing bounds it.
    pub(crate) fn switch_bounds(&self, cost: f64) -> Vec<Vec<f64>> {
        let mut bounds = Vec::new();
        for (point, sources) in self.sources.iter().enumerate() {
            let mut spread = self.first(sources, cost);
            for (k, layer) in self.layers.iter().enumerate() {
                if self.is_switched(k) {
                    let sides =
                        |z: f64, r: f64, kink: f64| vec![(z - kink + r).max(0.0), (kink - z + r).max(0.0)];
                    for (&z, &r) in spread.centre.iter().zip(&spread.radius) {
                        bounds.extend(
                            layer.activation.into_iter().flat_map(kinks).map(|kink| sides(z, r, kink)),
                        );
                    }
                }
                if let Some(next) = self.layers.get(k + 1) {
                    spread = through(layer, next, &spread);
                }
            }
            if let (Goal::Demands(demands, margin), Some(last)) = (self.goal, self.layers.last()) {
                demand_bounds(&demands[point], margin, last, &spread, &mut bounds);
            }
        }
        bounds
    }

    fn first(&self, sources: &[f64], cost: f64) -> Spread {
        let layer = &self.layers[0];
        let count = layer.inputs + usize::from(self.rules.biases);
        let sizes = (0..count).map(|i| source_of(sources, i).abs());
        let largest = sizes.clone().fold(0.0, f64::max);
        let total: f64 = sizes.sum();
        let count = layer.outputs() as f64;
        // 0 · ∞ is no number: without sources nothing moves.
        let times = |size: f64, by: f64| if by == 0.0 { 0.0 } else { size * by };
        let limited = times(self.limit, total);
        let (radius, together) = match self.norm {
            ChangeNorm::Total => (times(cost, largest).min(limited), times(cost, largest)),
            ChangeNorm::Largest => (times(cost.min(self.limit), total), f64::INFINITY),
            ChangeNorm::Fewest => (limited, f64::INFINITY),
        };
        let together = together.min(times(radius, count));
        Spread { centre: layer.sums(sources), radius: vec![radius; layer.outputs()], together }
    }
}

/// The spread of the next layer's sums.
fn through(layer: &Layer<'_>, next: &Layer<'_>, spread: &Spread) -> Spread {
    let values = layer.values(&spread.centre);
    // A ReLU that stays on one side over its whole range passes on all of its change or (with slope 0) nothing.
    let slope = |z: f64, r: f64| layer.activation.map_or(1.0, |function| steepest(function, z, r));
    let ends = || spread.centre.iter().zip(&spread.radius);
    let product = |w: f64, by: f64| if w == 0.0 || by == 0.0 { 0.0 } else { w.abs() * by };
    let moved: Vec<f64> = ends().map(|(&z, &r)| reach(layer, z, r).min(product(slope(z, r), r))).collect();
    let most = ends().map(|(&z, &r)| slope(z, r)).fold(0.0, f64::max);
    let together = moved.iter().sum::<f64>().min(product(most, spread.together));
    let centre = next.sums(&next.shifted(values));
    let radius = (0..next.outputs()).map(|o| {
        let row = next.row(o).iter().zip(&moved);
        let singly: f64 = row.clone().map(|(&w, &by)| product(w, by)).sum();
        let largest = row.filter(|(_, by)| **by > 0.0).map(|(w, _)| w.abs()).fold(0.0, f64::max);
        singly.min(product(largest, together))
    });
    let radius: Vec<f64> = radius.collect();
    let column = |j: usize| (0..next.outputs()).map(|o| next.row(o)[j].abs()).sum::<f64>();
    let heaviest = (0..next.inputs).filter(|&j| moved[j] > 0.0).map(column).fold(0.0, f64::max);
    let together = radius.iter().sum::<f64>().min(product(heaviest, together));
    Spread { centre, radius, together }
}

/// The most that a value can differ from the one at the centre.
fn reach(layer: &Layer<'_>, z: f64, radius: f64) -> f64 {
    if !radius.is_finite() {
        return f64::INFINITY;
    }
    let ends = layer.values(&[z - radius, z, z + radius]);
    (ends[2] - ends[1]).abs().max((ends[1] - ends[0]).abs())
}

fn demand_bounds(
    demand: &Demand,
    margin: f64,
    last: &Layer<'_>,
    spread: &Spread,
    bounds: &mut Vec<Vec<f64>>,
) {
    let outputs = last.values(&spread.centre);
    let moved: Vec<f64> =
        spread.centre.iter().zip(&spread.radius).map(|(&z, &r)| reach(last, z, r)).collect();
    for halves in demand.clauses.iter().filter(|halves| halves.len() > 1) {
        let bound = halves.iter().map(|half| {
            let falls: f64 = half.terms.iter().map(|&(i, c)| c.abs() * moved[i]).sum();
            (margin - half.margin(&outputs) + falls).max(0.0)
        });
        bounds.push(bound.collect());
    }
}
