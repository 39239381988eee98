//! `modifyEdgeLayer`: the smallest change of one edge layer's weights that reaches a goal, as a linear program.
//!
//! With the layers in front evaluated at the input, their values are constants and the layer's sums are affine in
//! the unknown changes ε: `z_j = Σ_i (w_ij + ε_ij) h_i + b_j`. The layers behind are encoded with their phases.
//!
//! A change enters the program as a *lever*: `|ε| ≥ 0` in a direction. The marks leave one direction of the two for
//! most neurons, and an edge whose source is zero none at all. For the largest change, one lever moves all edges of
//! a neuron by the same amount: that is optimal, and keeps the program as small as the layer has neurons. For the
//! sum of changes without a limit α, the edge with the largest source is the only one worth moving.

use super::encode::{Value, add_property, add_sums};
use super::targets::Goal;
use super::{Change, Chopped, Rules};
use crate::lp::{ColumnId, LinearProgram};
use crate::network::layered::EdgeLayer;
use crate::search::programs::{Obstacle, Programs};

/// A change of one edge layer.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgePatch {
    /// The edge layer, counted from 0.
    pub layer: usize,
    /// Changed weights as `(target, source, ε)`, in order.
    pub weights: Vec<(usize, usize, f64)>,
    /// Changed biases as `(target, ε)`.
    pub biases: Vec<(usize, f64)>,
}

impl EdgePatch {
    /// Σ |ε|
    pub fn total(&self) -> f64 {
        self.changes().map(f64::abs).sum()
    }

    /// max |ε|
    pub fn largest(&self) -> f64 {
        self.changes().map(f64::abs).fold(0.0, f64::max)
    }

    /// All ε.
    pub fn changes(&self) -> impl Iterator<Item = f64> + '_ {
        self.weights.iter().map(|w| w.2).chain(self.biases.iter().map(|b| b.1))
    }

    /// The layer with the changes.
    pub fn applied(&self, layer: &EdgeLayer) -> EdgeLayer {
        let mut layer = layer.clone();
        for &(target, source, change) in &self.weights {
            layer.edges.weights[target * layer.edges.inputs + source] += change;
        }
        self.biases.iter().for_each(|&(target, change)| layer.edges.bias[target] += change);
        layer
    }

    /// The sums of the changed layer.
    pub fn simulate(&self, layer: &EdgeLayer, sources: &[f64]) -> Vec<f64> {
        self.applied(layer).edges.apply(sources)
    }
}

/// Edges into one neuron that move together.
struct Lever {
    target: usize,
    /// Sources with the sign that moves the sum in the lever's direction; `None` is the bias.
    edges: Vec<(Option<usize>, f64)>,
    /// What one unit of change does to the sum.
    effect: f64,
}

/// Finds the smallest change of edge layer `p` with which the chopped network reaches its goal.
///
/// # Errors
/// [`Obstacle`] if there is none under the rules, or the program was not solved.
pub fn modify_edge_layer(
    network: &Chopped<'_>,
    p: usize,
    rules: &Rules,
    programs: &mut Programs<'_>,
) -> Result<EdgePatch, Obstacle> {
    let levers = levers(network, p, rules);
    let mut program = LinearProgram::minimise();
    let changes = add_changes(&mut program, &levers, rules);
    let sums = add_changed_sums(&mut program, network, p, rules, &levers, &changes)?;
    add_suffix(&mut program, network, p, rules, sums)?;
    let solution = programs.solve(&program)?;
    let mut patch = EdgePatch { layer: p, weights: Vec::new(), biases: Vec::new() };
    for (lever, column) in levers.iter().zip(changes) {
        let size = solution.values[column.index()];
        for &(source, sign) in lever.edges.iter().filter(|_| size > 0.0) {
            match source {
                Some(source) => patch.weights.push((lever.target, source, sign * size)),
                None => patch.biases.push((lever.target, sign * size)),
            }
        }
    }
    patch.weights.sort_by_key(|&(target, source, _)| (target, source));
    Ok(patch)
}

fn levers(network: &Chopped<'_>, p: usize, rules: &Rules) -> Vec<Lever> {
    let sources = network.trace.into_layer(p).iter().enumerate().map(|(i, &h)| (Some(i), h));
    let bias = rules.biases.then_some((None, 1.0));
    let mut moving: Vec<(Option<usize>, f64)> = sources.chain(bias).filter(|&(_, h)| h != 0.0).collect();
    if rules.alpha.is_infinite() && rules.objective == Change::Total {
        let strongest = moving.iter().copied().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
        moving = strongest.into_iter().collect();
    }
    let mut levers = Vec::new();
    for (target, mark) in network.marks[p].iter().enumerate() {
        let directions = [(mark.may_rise(), 1.0), (mark.may_fall(), -1.0)];
        for (_, direction) in directions.into_iter().filter(|&(allowed, _)| allowed && !moving.is_empty()) {
            let edge = |&(source, h): &(Option<usize>, f64)| (source, direction * h.signum());
            let lever = |edges: &[(Option<usize>, f64)]| Lever {
                target,
                edges: edges.iter().map(edge).collect(),
                effect: direction * edges.iter().map(|(_, h)| h.abs()).sum::<f64>(),
            };
            match rules.objective {
                Change::Total => levers.extend(moving.chunks(1).map(lever)),
                Change::Largest => levers.push(lever(&moving)),
            }
        }
    }
    levers
}

/// A column for each lever, within α, and the objective.
fn add_changes(program: &mut LinearProgram, levers: &[Lever], rules: &Rules) -> Vec<ColumnId> {
    match rules.objective {
        Change::Total => levers.iter().map(|_| program.column(0.0, rules.alpha, 1.0)).collect(),
        Change::Largest => {
            let largest = program.column(0.0, rules.alpha, 1.0);
            let changes: Vec<ColumnId> =
                levers.iter().map(|_| program.column(0.0, f64::INFINITY, 0.0)).collect();
            changes.iter().for_each(|&change| {
                program.at_most([(change, 1.0), (largest, -1.0)], 0.0);
            });
            changes
        }
    }
}

/// The changed layer's sums: what they are at the input, and what the levers add.
fn add_changed_sums(
    program: &mut LinearProgram,
    network: &Chopped<'_>,
    p: usize,
    rules: &Rules,
    levers: &[Lever],
    changes: &[ColumnId],
) -> Result<Vec<ColumnId>, Obstacle> {
    let ranges = ranges(network, p, rules, false)?;
    let sums: Vec<ColumnId> = ranges.into_iter().map(|(low, high)| program.column(low, high, 0.0)).collect();
    let mut rows: Vec<Vec<(ColumnId, f64)>> = sums.iter().map(|&sum| vec![(sum, 1.0)]).collect();
    for (lever, &change) in levers.iter().zip(changes) {
        rows[lever.target].push((change, -lever.effect));
    }
    for (row, &now) in rows.into_iter().zip(&network.trace.sums[p]) {
        program.equal(row, now);
    }
    Ok(sums)
}

/// The layers behind the changed one, and the goal.
fn add_suffix(
    program: &mut LinearProgram,
    network: &Chopped<'_>,
    p: usize,
    rules: &Rules,
    mut sums: Vec<ColumnId>,
) -> Result<(), Obstacle> {
    for at in p..network.layers.len() - 1 {
        let layer = &network.layers[at];
        let mut values = Vec::with_capacity(sums.len());
        for (neuron, &sum) in sums.iter().enumerate() {
            values.push(match layer.activation {
                None => Value::column(sum),
                Some(function) => {
                    let now = network.trace.sums[at][neuron];
                    let allowed = rules.phases.allow(function, (at, neuron), now, at > p)?;
                    allowed.value(program, function, sum)?
                }
            });
        }
        let ranges = ranges(network, at + 1, rules, true)?;
        sums = add_sums(program, &network.layers[at + 1], &values, ranges.into_iter());
    }
    if let Goal::Property(property) = network.goal {
        add_property(program, property, network.input, &sums, rules.margin);
    }
    Ok(())
}

/// The ranges of a layer's sums: by their phases, or by the goal where the network ends.
fn ranges(
    network: &Chopped<'_>,
    at: usize,
    rules: &Rules,
    behind: bool,
) -> Result<Vec<(f64, f64)>, Obstacle> {
    let sums = &network.trace.sums[at];
    if at + 1 == network.layers.len() {
        return Ok(match network.goal {
            Goal::Sums(ranges) => ranges.clone(),
            Goal::Property(_) => vec![(f64::NEG_INFINITY, f64::INFINITY); sums.len()],
        });
    }
    let Some(function) = network.layers[at].activation else {
        return Ok(vec![(f64::NEG_INFINITY, f64::INFINITY); sums.len()]);
    };
    let neurons = sums.iter().enumerate();
    neurons.map(|(j, &z)| Ok(rules.phases.allow(function, (at, j), z, behind)?.range())).collect()
}
