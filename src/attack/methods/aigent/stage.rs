//! One stage of the published code: the weights of one edge layer change so that what lies behind reaches a goal.
//!
//! The network is chopped behind layer `depth`; the layers in front of the changed one are evaluated at the image, and
//! those behind keep the phases they have there: a neuron that is off contributes nothing and has no row, one that is
//! on has its sum for a value, whatever its sign. The first stage's goal is an objective on the outputs, not a
//! constraint. A later stage's goal is one-sided: sums may be at most so large. Its objective is |Σ ε|, the magnitude
//! of the *signed* sum, which is zero almost always.
//!
//! That leaves most of a stage's answer open, and the code takes what Gurobi returns. Two things are decided here
//! instead, after what the logs print of the patched networks' classes. Edges into neurons without a row stay as they
//! are in the first stage (37 of the first 38 MNIST images then have the class that the log prints; with HiGHS's
//! vertex 26). In later stages the sums of the changed layer are as large as the optimum allows (25 of 34; with
//! HiGHS's vertex 7).
//!
//! The program is not that of [`patching`](crate::patching), which has no place for the authors' constants: a signed sum for a
//! size, an objective on outputs, one-sided goals, values without the row of their phase, a range of values behind the layer.
//! Nor is its answer: groups of edges are one column with one bound here, and what goes on to the next stage are sums, never the
//! changes of single weights that `patching` applies and counts.
//!
//! Edges into one neuron whose sources are nearly equal move together, [`GROUPS`] groups a neuron: 3,200 columns in
//! place of 153,600 for CIFAR-10's first layer.

use super::recipe::StageBounds;
use crate::lp::{ColumnId, LinearProgram};
use crate::network::layered::{Layered, Trace};
use crate::search::kernel::programs::{Obstacle, Programs};

/// Groups of edges that move together, at most, for each neuron.
pub(super) const GROUPS: usize = 32;

/// By how much the first objective may be missed while the second is minimised: Gurobi's `ObjNAbsTol`.
const GIVE: f64 = 1e-6;

/// What the chopped network should do.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum StageGoal {
    /// The least weighted sum of its outputs, within a range.
    Least {
        /// One weight an output.
        weights: Vec<f64>,
        /// The sum's range.
        range: (f64, f64),
    },
    /// Each sum of its last layer is at most this.
    AtMost(Vec<f64>),
}

/// A chopped network with one layer that may change.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChoppedStage<'a> {
    /// The whole network.
    pub(super) network: &'a Layered,
    /// What it does at the image.
    pub(super) trace: &'a Trace,
    /// The layer that may change.
    pub(super) layer: usize,
    /// Layers that are left of the network; more than `layer`.
    pub(super) depth: usize,
    /// The bounds of the changes.
    pub(super) bounds: &'a StageBounds,
    /// The edges that may change, `[outputs][inputs]`.
    pub(super) kept: &'a [bool],
    /// Groups of edges a neuron, at least one.
    pub(super) groups: usize,
}

/// The answer of a stage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Patched {
    /// The sums of the changed layer.
    pub(super) sums: Vec<f64>,
    /// The stage's first objective.
    pub(super) objective: f64,
}

/// Edges that move together.
struct StageLever {
    column: ColumnId,
    target: usize,
    /// What one unit does to the neuron's sum.
    effect: f64,
    /// How many they are.
    edges: f64,
}

/// `Σ terms + constant`
struct AffineExpression {
    terms: Vec<(ColumnId, f64)>,
    constant: f64,
}

/// A stage's program on the way.
struct Draft {
    program: LinearProgram,
    levers: Vec<StageLever>,
    /// |Σ ε|
    total: ColumnId,
    /// max |ε|, in the first stage only.
    largest: Option<ColumnId>,
}

impl ChoppedStage<'_> {
    /// Solves the stage.
    ///
    /// # Errors
    /// [`Obstacle`] where it has no answer. That includes what stops the code in another way: where all neurons of a
    /// layer are off, its one-sided rows hold no variable, and Gurobi's interface refuses them. On MNIST these are the
    /// images that the logs call UNSAT, all of them and no others.
    pub(super) fn solve(&self, goal: &StageGoal, programs: &mut Programs<'_>) -> Result<Patched, Obstacle> {
        let front = &self.trace.values[..self.layer];
        if front.iter().flatten().any(|&value| value > self.bounds.value) {
            return Err(Obstacle::Infeasible);
        }
        let mut draft = self.draft(matches!(goal, StageGoal::Least { .. }));
        let outputs = self.behind(&mut draft);
        let score = match goal {
            StageGoal::Least { weights, range } => draft.score(&outputs, weights, *range),
            StageGoal::AtMost(ceilings) => {
                for (sum, ceiling) in outputs.iter().zip(ceilings) {
                    if sum.terms.is_empty() {
                        return Err(Obstacle::Infeasible);
                    }
                    draft.program.at_most(sum.terms.iter().copied(), ceiling - sum.constant);
                }
                draft.total
            }
        };
        self.best(draft, score, programs)
    }

    /// The least score, and among its answers the least largest and total change, or the largest sums.
    fn best(&self, draft: Draft, score: ColumnId, programs: &mut Programs<'_>) -> Result<Patched, Obstacle> {
        let Draft { mut program, levers, total, largest } = draft;
        program.set_cost(score, 1.0)?;
        let first = programs.solve(&program)?;
        let lower = program.columns()[score.index()].lower;
        program.set_bounds(score, lower, first.objective + GIVE)?;
        program.set_cost(score, 0.0)?;
        match largest {
            Some(largest) => {
                program.set_cost(largest, 1.0)?;
                program.set_cost(total, 1.0)?;
            }
            None => levers.iter().try_for_each(|lever| program.set_cost(lever.column, -lever.effect))?,
        }
        // The first answer is one as well, should rounding defeat the second program.
        let values = programs.solve(&program).map_or(first.values, |second| second.values);
        let mut sums = self.trace.sums[self.layer].clone();
        for lever in &levers {
            sums[lever.target] += values[lever.column.index()] * lever.effect;
        }
        Ok(Patched { sums, objective: first.objective })
    }

    /// The changes, their largest and their total.
    fn draft(&self, first: bool) -> Draft {
        let StageBounds { change, total, .. } = *self.bounds;
        let mut program = LinearProgram::minimise();
        let sum = program.column(0.0, total, 0.0);
        let largest = first.then(|| program.column(0.0, change, 0.0));
        let sources = self.trace.into_layer(self.layer);
        let mut order: Vec<usize> = (0..sources.len()).collect();
        order.sort_by(|&a, &b| sources[a].total_cmp(&sources[b]));
        let mut levers = Vec::new();
        for (target, &now) in self.trace.sums[self.layer].iter().enumerate() {
            if first && self.layer + 1 < self.depth && now <= 0.0 {
                continue;
            }
            let kept = &self.kept[target * sources.len()..(target + 1) * sources.len()];
            let moving: Vec<usize> = order.iter().copied().filter(|&source| kept[source]).collect();
            for group in moving.chunks(moving.len().div_ceil(self.groups).max(1)) {
                let effect = group.iter().map(|&source| sources[source]).sum();
                let column = program.column(-change, change, 0.0);
                levers.push(StageLever { column, target, effect, edges: group.len() as f64 });
                if let Some(largest) = largest {
                    program.at_most([(column, 1.0), (largest, -1.0)], 0.0);
                    program.at_least([(column, 1.0), (largest, 1.0)], 0.0);
                }
            }
        }
        let all = || levers.iter().map(|lever| (lever.column, lever.edges));
        program.at_most(all().chain([(sum, -1.0)]), 0.0);
        program.at_least(all().chain([(sum, 1.0)]), 0.0);
        Draft { program, levers, total: sum, largest }
    }

    /// The sums of the chopped network's last layer.
    fn behind(&self, draft: &mut Draft) -> Vec<AffineExpression> {
        let now = self.trace.sums[self.layer].iter();
        let mut sums: Vec<AffineExpression> =
            now.map(|&constant| AffineExpression { terms: Vec::new(), constant }).collect();
        for lever in draft.levers.iter().filter(|lever| lever.effect != 0.0) {
            sums[lever.target].terms.push((lever.column, lever.effect));
        }
        for at in self.layer..self.depth - 1 {
            let on = |(neuron, sum): (usize, AffineExpression)| {
                (self.trace.sums[at][neuron] > 0.0).then_some((neuron, sum))
            };
            let mut values = Vec::new();
            for (neuron, sum) in sums.into_iter().enumerate().filter_map(on) {
                let value = draft.program.column(-self.bounds.value, self.bounds.value, 0.0);
                let terms = sum.terms.into_iter().map(|(column, factor)| (column, -factor));
                draft.program.equal(terms.chain([(value, 1.0)]), sum.constant);
                values.push((neuron, value));
            }
            let edges = &self.network.layers[at + 1].edges;
            let sum = |output: usize| {
                let row = edges.row(output);
                let terms = values.iter().map(|&(neuron, value)| (value, row[neuron])).collect();
                AffineExpression { terms, constant: edges.bias[output] }
            };
            sums = (0..edges.outputs()).map(sum).collect();
        }
        sums
    }
}

impl Draft {
    /// A column that is the weighted sum of the outputs.
    fn score(&mut self, outputs: &[AffineExpression], weights: &[f64], range: (f64, f64)) -> ColumnId {
        let score = self.program.column(range.0, range.1, 0.0);
        let mut terms = vec![(score, 1.0)];
        let mut constant = 0.0;
        for (output, &weight) in outputs.iter().zip(weights).filter(|(_, weight)| **weight != 0.0) {
            constant += weight * output.constant;
            terms.extend(output.terms.iter().map(|&(column, factor)| (column, -weight * factor)));
        }
        self.program.equal(terms, constant);
        score
    }
}
