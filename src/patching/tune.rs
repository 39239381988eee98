//! Changes that satisfy the demands, by projection: where a search over settings can start.
//!
//! The misses of all clauses are added up, their derivative with respect to the weights is taken, and the weights
//! move to where the linearised sum would be zero (Polyak's step for a known optimum). Moving only the `support`
//! weights with the largest derivatives gives sparse changes, moving all of them small ones; a search tries several.

use super::Change;
use super::demand::{Demand, OutputHalfSpace};
use super::encode::{Goal, PatchQuery};
use super::layer::{Layer, source_of};
use crate::network::frozen::piece;

/// Steps before giving up. ACAS Xu repairs take 5 to 200.
const STEPS: usize = 400;
/// By how much each range of sums may be missed, on average.
const NEAR: f64 = 1e-3;

/// How to move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tuning {
    /// Weights that move in a step.
    pub(crate) support: usize,
    /// Length of a step: 1 goes to where the linearised misses are zero.
    pub(crate) pace: f64,
    /// The least slope below zero that an activation has in the derivative: above 0 it wakes dead neurons.
    pub(crate) leak: f64,
}

/// The changes of all of a layer's weights, row-major.
struct Delta {
    inputs: usize,
    by: Vec<f64>,
}

impl Delta {
    fn new(query: &PatchQuery<'_>, changes: &[Change]) -> Self {
        let inputs = query.width();
        let outputs = query.layers.first().map_or(0, Layer::outputs);
        let mut delta = Self { inputs, by: vec![0.0; inputs * outputs] };
        for change in changes {
            delta.by[change.target * inputs + change.source] += change.by;
        }
        delta
    }

    fn changes(&self) -> Vec<Change> {
        let changed = self.by.iter().enumerate().filter(|(_, by)| **by != 0.0);
        changed.map(|(at, &by)| Change { target: at / self.inputs, source: at % self.inputs, by }).collect()
    }
}

impl PatchQuery<'_> {
    /// Weights into a sum of the changed layer, with the bias if it changes too.
    pub(crate) fn width(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.inputs) + usize::from(self.rules.biases)
    }

    /// Changes that reach the goal, from `start` on; `None` where the steps do not get there. Ranges of sums may be
    /// missed by a little.
    pub(crate) fn tuned(&self, start: &[Change], tuning: Tuning) -> Option<Vec<Change>> {
        let own;
        let (demands, margin, slack) = match self.goal {
            Goal::Demands(demands, margin) => (demands, 1.02 * margin, 0.0),
            Goal::Sums(ranges, _) | Goal::Near(ranges, _) => {
                own = ranges.iter().map(|ranges| Demand::within(ranges)).collect::<Vec<_>>();
                (own.as_slice(), 0.0, NEAR * self.layers.last().map_or(0, Layer::outputs) as f64)
            }
        };
        let mut delta = Delta::new(self, start);
        for _ in 0..STEPS {
            let changes = delta.changes();
            let sums = self.sums(&changes);
            let (missed, gradient) = self.misses(demands, margin, &sums, tuning.leak);
            if missed <= slack {
                return Some(changes);
            }
            let mut moving: Vec<usize> =
                (0..gradient.len()).filter(|&at| self.admits(at, -gradient[at])).collect();
            if moving.len() > tuning.support {
                let by_size = |a: &usize, b: &usize| gradient[*b].abs().total_cmp(&gradient[*a].abs());
                moving.select_nth_unstable_by(tuning.support, by_size);
                moving.truncate(tuning.support);
            }
            let square: f64 = moving.iter().map(|&at| gradient[at] * gradient[at]).sum();
            if square < 1e-24 || !square.is_finite() {
                return None;
            }
            let step = tuning.pace * missed / square;
            for at in moving {
                delta.by[at] = (delta.by[at] - step * gradient[at]).clamp(-self.limit, self.limit);
            }
        }
        None
    }

    /// Whether a weight may move by this.
    fn admits(&self, at: usize, by: f64) -> bool {
        let (Some(ways), [sources]) = (self.rules.ways, self.sources) else { return by != 0.0 };
        let way = ways[at / self.width()];
        let moved = by * source_of(sources, at % self.width());
        moved > 0.0 && way.rise || moved < 0.0 && way.fall
    }

    /// By how much all clauses together are missed, and the derivative of that for each weight.
    fn misses(&self, demands: &[Demand], margin: f64, sums: &[Vec<Vec<f64>>], leak: f64) -> (f64, Vec<f64>) {
        let width = self.width();
        let mut gradient = vec![0.0; width * self.layers.first().map_or(0, Layer::outputs)];
        let mut missed = 0.0;
        for ((sources, demand), sums) in self.sources.iter().zip(demands).zip(sums) {
            let Some(outputs) = self.ends(sums) else { continue };
            let mut back = vec![0.0; outputs.len()];
            for half in demand.clauses.iter().filter_map(|halves| best(halves, &outputs)) {
                let miss = margin - half.margin(&outputs);
                if miss > 0.0 {
                    missed += miss;
                    half.terms.iter().for_each(|&(output, c)| back[output] -= c);
                }
            }
            if back.iter().all(|&g| g == 0.0) {
                continue;
            }
            let back = self.backwards(back, sums, leak);
            for (row, g) in gradient.chunks_exact_mut(width).zip(back) {
                row.iter_mut().enumerate().for_each(|(i, w)| *w += g * source_of(sources, i));
            }
        }
        (missed, gradient)
    }

    /// What the goal speaks of: the last layer's values, or its sums.
    fn ends(&self, sums: &[Vec<f64>]) -> Option<Vec<f64>> {
        let (last, sums) = (self.layers.last()?, sums.last()?);
        Some(match self.goal {
            Goal::Demands(..) => last.values(sums),
            Goal::Sums(..) | Goal::Near(..) => sums.clone(),
        })
    }

    /// From the derivative for what the goal speaks of to the one for the first layer's sums.
    fn backwards(&self, mut back: Vec<f64>, sums: &[Vec<f64>], leak: f64) -> Vec<f64> {
        for (k, layer) in self.layers.iter().enumerate().rev() {
            let is_end = k + 1 == self.layers.len();
            if !(is_end && self.goal.ranges().is_some()) {
                bend(layer, &sums[k], leak, &mut back);
            }
            if k == 0 {
                break;
            }
            let mut next = vec![0.0; layer.inputs];
            for (o, &g) in back.iter().enumerate().filter(|(_, g)| **g != 0.0) {
                next.iter_mut().zip(layer.row(o)).for_each(|(n, w)| *n += g * w);
            }
            back = next;
        }
        back
    }
}

/// The half-space of a clause that is nearest to holding.
fn best<'d>(halves: &'d [OutputHalfSpace], outputs: &[f64]) -> Option<&'d OutputHalfSpace> {
    halves.iter().max_by(|a, b| a.margin(outputs).total_cmp(&b.margin(outputs)))
}

fn bend(layer: &Layer<'_>, sums: &[f64], leak: f64, back: &mut [f64]) {
    let Some(function) = layer.activation else { return };
    for (g, &z) in back.iter_mut().zip(sums) {
        let slope = piece(function, z).map_or(1.0, |piece| piece.slope);
        *g *= if slope.abs() < leak { leak } else { slope };
    }
}
