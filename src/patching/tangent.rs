//! A layer's change where activations are smooth, or meant to be: by their tangents.
//!
//! Every activation is replaced by its tangent at the sums that the changed network has; the program that is left has no
//! switches. Its answer is worth no more than the tangents, so sums move within a *trust region* round those at which
//! they were taken. The changed network is simulated, the tangents are taken there, and so on until it reaches the goal
//! and the change gets no smaller: sequential linear programming with an exact penalty (Fletcher and Sainz de la Maza,
//! Mathematical Programming 43, 1989). For ReLU networks the tangents are the phases, read again from the patched
//! network.
//!
//! A goal may be out of reach within the region, so each unit by which it is missed has a price.

use super::demand::Demand;
use super::modify::PatchSpending;
use super::phases::{ChangeRules, PhaseFreedom, Tangents, tangent};
use super::{Change, ChangeNorm, Goal, Obstacle, PatchQuery, optimum};
use crate::budget::Budget;
use crate::network::frozen::piece;
use crate::network::op::UnaryFunction;

/// Programs of one change.
const MOST_STEPS: usize = 40;
/// Price of a missed unit where the goal is strict, in units of the norm.
const PRICE: f64 = 1e4;
/// Half width of the first trust region, in sums: about where a sigmoid bends.
const FIRST_RADIUS: f64 = 1.0;
/// Below this a search ends.
const LEAST_RADIUS: f64 = 1e-3;
/// A gain of this part ends a search that has reached its goal.
const LEAST_GAIN: f64 = 1e-2;
/// A miss of this is none: solvers miss their rows by less, and margins are a thousand times as large.
const MET: f64 = 1e-7;

/// A change and what it comes to.
struct Trial {
    changes: Vec<Change>,
    /// By how much the changed network misses the goal.
    miss: f64,
    /// The change's size, and the price of what is missed.
    merit: f64,
}

impl PatchQuery<'_> {
    /// Whether some activation that matters has no pieces, but tangents.
    pub(super) fn has_smooth(&self) -> bool {
        let given = self.goal.ranges().is_some();
        let last = self.layers.len() - usize::from(given);
        let smooth =
            |function: UnaryFunction| piece(function, 0.0).is_none() && tangent(function, 0.0).is_some();
        self.layers[..last].iter().filter_map(|layer| layer.activation).any(smooth)
    }

    fn trial(&self, changes: Vec<Change>) -> Trial {
        let sums = self.sums(&changes);
        let misses: Vec<(f64, f64)> =
            sums.iter().enumerate().flat_map(|(point, sums)| self.misses_at(point, sums)).collect();
        let sizes = changes.iter().map(|change| change.by.abs());
        let size = match self.norm {
            ChangeNorm::Largest => sizes.fold(0.0, f64::max),
            ChangeNorm::Total | ChangeNorm::Fewest => sizes.fold(0.0, |sum, by| sum + by),
        };
        let cost: f64 = misses.iter().map(|(miss, price)| miss * price).sum();
        Trial { changes, miss: misses.iter().map(|(miss, _)| miss).sum(), merit: size + cost }
    }

    /// By how much each part of the goal is missed at a point where the layers have these sums, and at what price.
    fn misses_at(&self, point: usize, sums: &[Vec<f64>]) -> Vec<(f64, f64)> {
        let (Some(layer), Some(last)) = (self.layers.last(), sums.last()) else { return Vec::new() };
        if let Some(ranges) = self.goal.ranges() {
            let price = |neuron| self.goal.price(neuron).unwrap_or(PRICE);
            let miss = |(z, (low, high)): (f64, (f64, f64))| (low - z).max(z - high).max(0.0);
            let ranges = last.iter().copied().zip(ranges[point].iter().copied());
            return ranges.map(miss).enumerate().map(|(neuron, miss)| (miss, price(neuron))).collect();
        }
        let Goal::Demands(demands, margin) = self.goal else { return Vec::new() };
        let outputs = layer.values(last);
        let clauses = demands[point].clauses.iter().cloned();
        let missed = |clause| (margin - Demand { clauses: vec![clause] }.margin(&outputs)).max(0.0);
        clauses.map(|clause| (missed(clause), PRICE)).collect()
    }
}

/// Looks for a small change of the first layer that reaches the query's goal.
///
/// # Errors
/// [`Obstacle::Infeasible`] where none was found, which proves nothing.
pub(super) fn modify(
    query: &PatchQuery<'_>,
    budget: &Budget,
    spent: &mut PatchSpending,
) -> Result<Vec<Change>, Obstacle> {
    let mut best = query.trial(Vec::new());
    let mut radius = FIRST_RADIUS;
    for _ in 0..MOST_STEPS {
        let sums = query.sums(&best.changes);
        let phases = PhaseFreedom::Tangent(Some(Tangents { sums: &sums, radius }));
        let linear = PatchQuery { rules: ChangeRules { phases, ..query.rules }, ..*query };
        let next = query.trial(step(&linear, &best, budget, spent)?);
        let gain = best.merit - next.merit;
        let is_small = gain <= LEAST_GAIN * best.merit.abs();
        if gain > 0.0 {
            best = next;
            radius *= 2.0;
        } else {
            radius *= 0.25;
        }
        if is_small && best.miss <= MET || radius < LEAST_RADIUS {
            break;
        }
    }
    if best.miss <= MET || query.goal.price(0).is_some() {
        Ok(best.changes)
    } else {
        Err(Obstacle::Infeasible)
    }
}

/// The best change by the tangents.
fn step(
    linear: &PatchQuery<'_>,
    here: &Trial,
    budget: &Budget,
    spent: &mut PatchSpending,
) -> Result<Vec<Change>, Obstacle> {
    let encoded = linear.encode()?;
    // What is left of switches says which half-space of a clause is to hold: the one that is nearest.
    let mut program = encoded.switched.fixed(&linear.setting(&here.changes));
    for &relief in &encoded.relief {
        // The ids are the program's own, so these cannot fail.
        let _ = program.set_bounds(relief, 0.0, f64::INFINITY);
        let _ = program.set_cost(relief, PRICE);
    }
    let entries: usize = program.rows().map(|row| row.columns.len()).sum();
    spent.programs += 1;
    spent.entries = spent.entries.saturating_add(entries);
    Ok(encoded.changes(&optimum(&program, budget)?.values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patching::demand::OutputHalfSpace;
    use crate::patching::{Effort, Layer, modify};
    use crate::random::Random;

    type Matrix = (usize, Vec<f64>, Vec<f64>);

    /// Three sources, two rows of five neurons and three outputs.
    fn matrices(random: &mut Random) -> [Matrix; 3] {
        [(3, 5), (5, 5), (5, 3)].map(|(inputs, outputs)| {
            let weights = (0..inputs * outputs).map(|_| random.normal()).collect();
            (inputs, weights, (0..outputs).map(|_| 0.1 * random.normal()).collect())
        })
    }

    /// The size of a change with which output 0 exceeds output 1.
    fn size(matrices: &[Matrix], function: UnaryFunction, phases: PhaseFreedom<'_>) -> Option<f64> {
        let layers: Vec<Layer<'_>> = matrices
            .iter()
            .enumerate()
            .map(|(at, (inputs, weights, bias))| {
                let activation = (at + 1 < matrices.len()).then_some(function);
                Layer { inputs: *inputs, weights, bias, shift: &[], activation }
            })
            .collect();
        let sources = [vec![0.5, 1.0, 0.25]];
        let half = OutputHalfSpace { terms: vec![(0, 1.0), (1, -1.0)], bound: 0.0 };
        let demands = [Demand { clauses: vec![vec![half]] }];
        let goal = Goal::Demands(&demands, 1e-3);
        let rules = ChangeRules { phases, ..ChangeRules::default() };
        let (norm, limit) = (ChangeNorm::Total, f64::INFINITY);
        let query = PatchQuery { layers: &layers, sources: &sources, goal, norm, limit, rules };
        let effort = Effort { proof: 1000, ..Effort::default() };
        let found = modify(&query, effort, &Budget::unlimited(), &mut PatchSpending::default()).ok()?;
        let sums = query.sums(&found.patch.changes);
        let outputs = layers[2].values(&sums[0][2]);
        assert!(outputs[0] - outputs[1] >= 1e-3 - 1e-6, "{function:?}: {outputs:?}");
        Some(found.patch.total())
    }

    #[test]
    fn changed_networks_reach_the_goal_when_they_are_simulated() {
        use UnaryFunction::*;
        for function in [Sigmoid, Tanh, Gelu, Elu { alpha: 1.0 }] {
            let mut random = Random::new(11);
            let found =
                (0..20).filter_map(|_| size(&matrices(&mut random), function, PhaseFreedom::Free)).count();
            assert!(found >= 12, "{function:?}: {found} of 20");
        }
    }

    #[test]
    fn of_piecewise_linear_networks_tangents_find_no_less_than_a_search_through_all_phases() {
        let mut random = Random::new(12);
        let (mut found, mut least) = (0, 0);
        for _ in 0..20 {
            let matrices = matrices(&mut random);
            let exact = size(&matrices, UnaryFunction::Relu, PhaseFreedom::Free);
            let Some(linear) = size(&matrices, UnaryFunction::Relu, PhaseFreedom::Tangent(None)) else {
                continue;
            };
            let exact = exact.unwrap();
            assert!(linear >= exact - 1e-6, "{linear} and {exact}");
            found += 1;
            least += usize::from(linear <= 1.05 * exact + 1e-6);
        }
        // Neurons that are off pass nothing on, and their tangents say so.
        assert!(found >= 8 && least >= 8, "{found} found, {least} of them nearly the least");
    }
}
