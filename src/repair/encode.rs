//! The program of one layer's smallest change.
//!
//! Everything in front of the changed layer is evaluated, so its sums are affine in the unknown changes ε:
//! `z_j = Σ_i (w_ij + ε_ij) h_i + b_j` for each point. The layers behind are written out for each point, activations
//! as switches. After Goldberger, Katz, Adi and Keshet, "Minimal Modifications of Deep Neural Networks using
//! Verification" (LPAR 2020), section 3; they leave the switches to Marabou.
//!
//! A change enters as a *lever*. In general that is one weight. For a single point far fewer do: the least sum of
//! changes moves only the weight with the largest source into each neuron, the least largest change moves all of a
//! neuron's weights alike.

use super::demand::Demand;
use super::switched::{Setting, Switch, Switched};
use super::tail::Dense;
use super::{Change, Norm};
use crate::lp::{ColumnId, LinearProgram};

/// What the outputs of the last layer must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Goal<'a> {
    /// Satisfy a demand at each point, by a margin.
    Demands(&'a [Demand], f64),
    /// Have these values, behind the activation, at each point.
    Values(&'a [Vec<f64>]),
}

/// Layers of which the first is to be changed, and what for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query<'a> {
    pub(super) layers: &'a [Dense],
    /// What the first layer's matrix is multiplied with, for each point.
    pub(super) sources: &'a [Vec<f64>],
    pub(super) goal: Goal<'a>,
    /// What "small" means.
    pub(super) norm: Norm,
    /// No weight changes by more.
    pub(super) limit: f64,
}

/// Weights into one sum that move together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lever {
    target: usize,
    /// Sources, and the sign with which their weight moves.
    edges: Vec<(usize, f64)>,
}

/// The program of a query.
#[derive(Debug, Clone)]
pub(super) struct Encoded {
    pub(super) switched: Switched,
    levers: Vec<Lever>,
    /// By how much each lever rises and falls.
    pub(super) moves: Vec<(ColumnId, ColumnId)>,
    /// By how much each clause is missed: 0 in a repair, free while one is looked for.
    pub(super) relief: Vec<ColumnId>,
}

/// A value of the network at one point: a sum of columns and a number.
struct Value {
    terms: Vec<(ColumnId, f64)>,
    constant: f64,
}

impl Lever {
    /// What a unit of this lever does to its sum.
    fn effect(&self, sources: &[f64]) -> f64 {
        self.edges.iter().map(|&(source, sign)| sign * sources[source]).sum()
    }
}

impl Encoded {
    /// Whether a lever moves a weight.
    pub(super) fn moves_weight(&self, lever: usize, change: &Change) -> bool {
        let Lever { target, edges } = &self.levers[lever];
        *target == change.target && edges.iter().any(|&(source, _)| source == change.source)
    }

    /// The changes of weights at a point of the program. Less than 1e-10 is rounding.
    pub(super) fn changes(&self, values: &[f64]) -> Vec<Change> {
        let mut changes = Vec::new();
        for (lever, (rise, fall)) in self.levers.iter().zip(&self.moves) {
            let by = values[rise.index()] - values[fall.index()];
            if by.abs() > 1e-10 {
                let change = |&(source, sign)| Change { target: lever.target, source, by: sign * by };
                changes.extend(lever.edges.iter().map(change));
            }
        }
        changes
    }
}

impl Query<'_> {
    /// The changed first layer.
    pub(super) fn changed(&self, changes: &[Change]) -> Dense {
        let mut layer = self.layers[0].clone();
        for change in changes {
            layer.weights[change.target * layer.inputs + change.source] += change.by;
        }
        layer
    }

    /// The sums of every layer at every point under the changes: `[point][layer][neuron]`.
    pub(super) fn sums(&self, changes: &[Change]) -> Vec<Vec<Vec<f64>>> {
        let changed = self.changed(changes);
        let point = |sources: &Vec<f64>| {
            let mut sums = vec![changed.sums(sources)];
            let mut values = changed.values(&sums[0]);
            for layer in &self.layers[1..] {
                let next = layer.sums(&layer.shifted(values));
                values = layer.values(&next);
                sums.push(next);
            }
            sums
        };
        self.sources.iter().map(point).collect()
    }

    /// What the network does under the changes, as the setting of the program's switches.
    pub(super) fn setting(&self, changes: &[Change]) -> Setting {
        let mut setting = Setting::new();
        for (point, sums) in self.sums(changes).iter().enumerate() {
            let bent = self.layers.iter().zip(sums).enumerate().filter(|&(k, _)| self.is_switched(k));
            for (_, (_, sums)) in bent {
                setting.extend(sums.iter().map(|&z| usize::from(z > 0.0)));
            }
            if let (Goal::Demands(demands, _), Some(last)) = (self.goal, self.layers.len().checked_sub(1)) {
                let outputs = self.layers[last].values(&sums[last]);
                for halves in demands[point].clauses.iter().filter(|halves| halves.len() > 1) {
                    let margin = |k: &usize| halves[*k].margin(&outputs);
                    let best = (0..halves.len()).max_by(|a, b| margin(a).total_cmp(&margin(b)));
                    setting.push(best.unwrap_or(0));
                }
            }
        }
        setting
    }

    /// Whether a layer's activation is left to switches: not where there is none, or the goal says its values.
    pub(super) fn is_switched(&self, layer: usize) -> bool {
        let given = matches!(self.goal, Goal::Values(_)) && layer + 1 == self.layers.len();
        self.layers[layer].below.is_some() && !given
    }

    /// Writes the program.
    pub(super) fn encode(&self) -> Encoded {
        let mut program = LinearProgram::minimise();
        let levers = self.levers();
        let own_cost = if self.norm == Norm::Largest { 0.0 } else { 1.0 };
        let mut column = || program.column(0.0, self.limit, own_cost);
        let moves: Vec<(ColumnId, ColumnId)> = levers.iter().map(|_| (column(), column())).collect();
        let largest = (self.norm == Norm::Largest).then(|| program.column(0.0, f64::INFINITY, 1.0));
        for (&(rise, fall), largest) in moves.iter().zip(largest.iter().cycle()) {
            program.at_most([(rise, 1.0), (fall, 1.0), (*largest, -1.0)], 0.0);
        }
        let switched = Switched { program, switches: Vec::new() };
        let mut encoded = Encoded { switched, levers, moves, relief: Vec::new() };
        for point in 0..self.sources.len() {
            self.add_point(&mut encoded, point);
        }
        encoded
    }

    fn levers(&self) -> Vec<Lever> {
        let layer = &self.layers[0];
        let targets = 0..layer.outputs();
        if let [sources] = self.sources {
            let moving: Vec<usize> = (0..layer.inputs).filter(|&i| sources[i] != 0.0).collect();
            let strongest =
                moving.iter().copied().max_by(|&a, &b| sources[a].abs().total_cmp(&sources[b].abs()));
            let edges: Vec<(usize, f64)> = match (self.norm, strongest) {
                (_, None) => return Vec::new(),
                (Norm::Largest, _) => moving.iter().map(|&i| (i, sources[i].signum())).collect(),
                // A limit could be reached by the strongest alone, so all are needed then.
                (_, Some(i)) if self.limit.is_infinite() => vec![(i, 1.0)],
                _ => {
                    let edges = |target| moving.iter().map(move |&i| Lever { target, edges: vec![(i, 1.0)] });
                    return targets.flat_map(edges).collect();
                }
            };
            return targets.map(|target| Lever { target, edges: edges.clone() }).collect();
        }
        let moves = |i: &usize| self.sources.iter().any(|sources| sources[*i] != 0.0);
        let moving: Vec<usize> = (0..layer.inputs).filter(moves).collect();
        let edges = |target| moving.iter().map(move |&i| Lever { target, edges: vec![(i, 1.0)] });
        targets.flat_map(edges).collect()
    }

    fn add_point(&self, encoded: &mut Encoded, point: usize) {
        let sources = &self.sources[point];
        let changed = &self.layers[0];
        let constants = changed.sums(sources);
        let mut sums: Vec<Value> =
            constants.into_iter().map(|constant| Value { terms: Vec::new(), constant }).collect();
        for (lever, &(rise, fall)) in encoded.levers.iter().zip(&encoded.moves) {
            let effect = lever.effect(sources);
            sums[lever.target].terms.extend([(rise, effect), (fall, -effect)]);
        }
        for (k, layer) in self.layers.iter().enumerate() {
            let wanted = match self.goal {
                Goal::Values(values) if k + 1 == self.layers.len() => Some(&values[point]),
                _ => None,
            };
            let mut values = Vec::with_capacity(sums.len());
            for (neuron, sum) in sums.into_iter().enumerate() {
                let wanted = wanted.map(|values| values[neuron]);
                values.push(add_neuron(&mut encoded.switched, layer.below, sum, wanted));
            }
            sums = match self.layers.get(k + 1) {
                Some(next) => next_sums(next, &values),
                None => values,
            };
        }
        if let Goal::Demands(demands, margin) = self.goal {
            add_demand(encoded, &demands[point], &sums, margin);
        }
    }
}

/// Adds a neuron with this sum; its value behind the activation. A wanted value fixes the columns.
fn add_neuron(switched: &mut Switched, below: Option<f64>, sum: Value, wanted: Option<f64>) -> Value {
    const END: f64 = f64::INFINITY;
    let program = &mut switched.program;
    let minus_one = |column| (column, -1.0);
    let Some(below) = below else {
        let (low, high) = wanted.map_or((-END, END), |value| (value, value));
        let z = program.column(low, high, 0.0);
        program.equal(sum.terms.into_iter().chain([minus_one(z)]), -sum.constant);
        return Value { terms: vec![(z, 1.0)], constant: 0.0 };
    };
    // A value that is not positive says what `b` is, unless the slope below zero is none.
    let (above, beneath) = match wanted {
        None => ((0.0, END), (0.0, END)),
        Some(value) if value > 0.0 => ((value, value), (0.0, 0.0)),
        Some(_) if below == 0.0 => ((0.0, 0.0), (0.0, END)),
        Some(value) => ((0.0, 0.0), (-value / below, -value / below)),
    };
    let a = program.column(above.0, above.1, 0.0);
    let b = program.column(beneath.0, beneath.1, 0.0);
    program.equal(sum.terms.into_iter().chain([minus_one(a), (b, 1.0)]), -sum.constant);
    if wanted.is_none() {
        switched.switches.push(Switch { columns: vec![a, b] });
    }
    let terms = if below == 0.0 { vec![(a, 1.0)] } else { vec![(a, 1.0), (b, -below)] };
    Value { terms, constant: 0.0 }
}

fn next_sums(layer: &Dense, values: &[Value]) -> Vec<Value> {
    let sum = |o: usize| {
        let mut sum = Value { terms: Vec::new(), constant: layer.bias[o] };
        for ((&weight, value), shift) in layer.row(o).iter().zip(values).zip(&layer.shift) {
            sum.constant += weight * (value.constant + shift);
            sum.terms.extend(value.terms.iter().map(|&(column, c)| (column, weight * c)));
        }
        sum
    };
    (0..layer.outputs()).map(sum).collect()
}

/// Adds the clauses of a demand: each half-space may be missed by the clause's relief, and all of a clause's but one
/// by their own slack.
fn add_demand(encoded: &mut Encoded, demand: &Demand, outputs: &[Value], margin: f64) {
    for halves in &demand.clauses {
        let program = &mut encoded.switched.program;
        let relief = program.column(0.0, 0.0, 0.0);
        encoded.relief.push(relief);
        let mut slacks = Vec::new();
        for half in halves {
            let slack = (halves.len() > 1).then(|| program.column(0.0, f64::INFINITY, 0.0));
            slacks.extend(slack);
            let mut terms: Vec<(ColumnId, f64)> = vec![(relief, 1.0)];
            terms.extend(slack.map(|slack| (slack, 1.0)));
            let mut bound = half.bound + margin;
            for &(output, coefficient) in &half.terms {
                let value = &outputs[output];
                bound -= coefficient * value.constant;
                terms.extend(value.terms.iter().map(|&(column, c)| (column, coefficient * c)));
            }
            program.at_least(terms, bound);
        }
        if halves.len() > 1 {
            encoded.switched.switches.push(Switch { columns: slacks });
        }
    }
}
