//! Changes that satisfy the demands, by projection: where a search over settings can start.
//!
//! The misses of all clauses are added up, their derivative with respect to the weights is taken, and the weights
//! move to where the linearised sum would be zero (Polyak's step for a known optimum). Moving only the `support`
//! weights with the largest derivatives gives sparse changes, moving all of them small ones; a search tries several.

use super::Change;
use super::demand::{Demand, Half};
use super::encode::{Goal, Query};
use super::tail::Dense;

/// Steps before giving up. ACAS Xu repairs take 5 to 200.
const STEPS: usize = 400;

/// How to move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tuning {
    /// Weights that move in a step.
    pub(super) support: usize,
    /// Length of a step: 1 goes to where the linearised misses are zero.
    pub(super) pace: f64,
    /// The least slope below zero that an activation has in the derivative: above 0 it wakes dead neurons.
    pub(super) leak: f64,
}

/// The changes of all of a layer's weights, row-major.
struct Delta {
    inputs: usize,
    by: Vec<f64>,
}

impl Delta {
    fn new(layer: &Dense, changes: &[Change]) -> Self {
        let mut delta = Self { inputs: layer.inputs, by: vec![0.0; layer.weights.len()] };
        for change in changes {
            delta.by[change.target * layer.inputs + change.source] += change.by;
        }
        delta
    }

    fn changes(&self) -> Vec<Change> {
        let changed = self.by.iter().enumerate().filter(|(_, by)| **by != 0.0);
        changed.map(|(at, &by)| Change { target: at / self.inputs, source: at % self.inputs, by }).collect()
    }
}

impl Query<'_> {
    /// Changes that satisfy the demands, from `start` on; `None` where the steps do not get there, or the goal is
    /// not a demand.
    pub(super) fn tuned(&self, start: &[Change], tuning: Tuning) -> Option<Vec<Change>> {
        let Goal::Demands(demands, margin) = self.goal else { return None };
        let mut delta = Delta::new(&self.layers[0], start);
        for _ in 0..STEPS {
            let changes = delta.changes();
            let sums = self.sums(&changes);
            let (missed, gradient) = self.misses(demands, 1.02 * margin, &sums, tuning.leak);
            if missed == 0.0 {
                return Some(changes);
            }
            let mut moving: Vec<usize> = (0..gradient.len()).filter(|&at| gradient[at] != 0.0).collect();
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

    /// By how much all clauses together are missed, and the derivative of that for each weight.
    fn misses(&self, demands: &[Demand], margin: f64, sums: &[Vec<Vec<f64>>], leak: f64) -> (f64, Vec<f64>) {
        let mut gradient = vec![0.0; self.layers[0].weights.len()];
        let mut missed = 0.0;
        let Some(last) = self.layers.last() else { return (0.0, gradient) };
        for ((sources, demand), sums) in self.sources.iter().zip(demands).zip(sums) {
            let Some(last_sums) = sums.last() else { continue };
            let outputs = last.values(last_sums);
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
            for (row, g) in gradient.chunks_exact_mut(self.layers[0].inputs).zip(back) {
                row.iter_mut().zip(sources).for_each(|(w, h)| *w += g * h);
            }
        }
        (missed, gradient)
    }

    /// From the derivative for the outputs to the one for the first layer's sums.
    fn backwards(&self, mut back: Vec<f64>, sums: &[Vec<f64>], leak: f64) -> Vec<f64> {
        for (k, layer) in self.layers.iter().enumerate().rev() {
            bend(layer, &sums[k], leak, &mut back);
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
fn best<'d>(halves: &'d [Half], outputs: &[f64]) -> Option<&'d Half> {
    halves.iter().max_by(|a, b| a.margin(outputs).total_cmp(&b.margin(outputs)))
}

fn bend(layer: &Dense, sums: &[f64], leak: f64, back: &mut [f64]) {
    if let Some(below) = layer.below {
        back.iter_mut().zip(sums).filter(|(_, z)| **z <= 0.0).for_each(|(g, _)| *g *= below.max(leak));
    }
}
