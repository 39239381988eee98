//! The program of one layer's smallest change.
//!
//! Everything in front of the changed layer is evaluated, so its sums are affine in the unknown changes ε:
//! `z_j = Σ_i (w_ij + ε_ij) h_i + b_j` for each point. The layers behind are written out for each point, activations
//! as switches where phases are free. After Khan, Madhukar and Sharma, Eqns. 6 to 11, and Goldberger, Katz, Adi and
//! Keshet, "Minimal Modifications of Deep Neural Networks using Verification" (LPAR 2020), section 3; these leave the
//! switches to Gurobi and to Marabou.
//!
//! A change enters as a *lever*. In general that is one weight. For a single point far fewer do: the least sum of
//! changes moves only the weight with the largest source into each neuron, the least largest change moves all of a
//! neuron's weights alike.

use super::demand::Demand;
use super::layer::{Layer, source_of};
use super::phases::{ChangeRules, PhaseFreedom, Treatment, turn};
use super::switched::{Setting, Switch, Switched};
use super::{Change, ChangeNorm, Obstacle};
use crate::lp::{ColumnId, LinearProgram, merged};
use crate::network::frozen::kinks;
use crate::region::rows::between;

/// What the last layer must do.
#[derive(Debug, Clone, Copy)]
pub enum Goal<'a> {
    /// Its values satisfy a demand at each point, by a margin.
    Demands(&'a [Demand], f64),
    /// Its sums lie in these ranges at each point.
    Sums(&'a [Vec<(f64, f64)>], Strictness),
    /// Its sums come as near to these ranges as they can at each point. A unit missed has a price for each neuron, in
    /// units of the norm.
    Near(&'a [Vec<(f64, f64)>], &'a [f64]),
}

/// How strictly ranges are meant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Strictness {
    /// They have to be met.
    Strict,
    /// Each unit by which a sum misses its range costs this much, in units of the norm.
    Elastic(f64),
}

/// Layers of which the first is to be changed, and what for.
#[derive(Debug, Clone, Copy)]
pub struct PatchQuery<'a> {
    /// The layer to change, and those behind it.
    pub layers: &'a [Layer<'a>],
    /// What the first layer's matrix is multiplied with, for each point.
    pub sources: &'a [Vec<f64>],
    /// What for.
    pub goal: Goal<'a>,
    /// What "small" means.
    pub norm: ChangeNorm,
    /// No weight changes by more.
    pub limit: f64,
    /// What else a change must keep to.
    pub rules: ChangeRules<'a>,
}

/// Weights into one sum that move together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lever {
    target: usize,
    /// Sources, and the sign with which their weight moves.
    edges: Vec<(usize, f64)>,
}

/// The program of a query.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    pub(crate) switched: Switched,
    levers: Vec<Lever>,
    /// By how much each lever rises and falls.
    pub(crate) moves: Vec<(ColumnId, ColumnId)>,
    /// By how much each clause or range is missed: 0 in an answer, free while one is looked for.
    pub(crate) relief: Vec<ColumnId>,
}

/// A value of the network at one point: a sum of columns and a number.
struct EncodedValue {
    terms: Vec<(ColumnId, f64)>,
    constant: f64,
}

const END: f64 = f64::INFINITY;

impl<'a> Goal<'a> {
    /// Where it wants the last layer's sums at each point.
    pub(super) fn ranges(self) -> Option<&'a [Vec<(f64, f64)>]> {
        match self {
            Self::Demands(..) => None,
            Self::Sums(ranges, _) | Self::Near(ranges, _) => Some(ranges),
        }
    }

    /// What a unit costs by which a neuron's sum misses its range; `None` where none may.
    pub(super) fn price(self, neuron: usize) -> Option<f64> {
        match self {
            Self::Demands(..) | Self::Sums(_, Strictness::Strict) => None,
            Self::Sums(_, Strictness::Elastic(price)) => Some(price),
            Self::Near(_, prices) => Some(prices[neuron]),
        }
    }
}

impl Lever {
    /// What a unit of this lever does to its sum.
    fn effect(&self, sources: &[f64]) -> f64 {
        self.edges.iter().map(|&(source, sign)| sign * source_of(sources, source)).sum()
    }
}

impl Encoded {
    /// Whether a lever moves a weight.
    pub(crate) fn moves_weight(&self, lever: usize, change: &Change) -> bool {
        let Lever { target, edges } = &self.levers[lever];
        *target == change.target && edges.iter().any(|&(source, _)| source == change.source)
    }

    /// The changes of weights at a point of the program. Less than 1e-10 is rounding.
    pub(crate) fn changes(&self, values: &[f64]) -> Vec<Change> {
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

impl PatchQuery<'_> {
    /// The sums of every layer at every point under the changes: `[point][layer][neuron]`.
    pub(crate) fn sums(&self, changes: &[Change]) -> Vec<Vec<Vec<f64>>> {
        let point = |sources: &Vec<f64>| {
            let Some(changed) = self.layers.first() else { return Vec::new() };
            let mut sums = vec![changed.changed_sums(changes, sources)];
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
    pub(crate) fn setting(&self, changes: &[Change]) -> Setting {
        let mut setting = Setting::new();
        for (point, sums) in self.sums(changes).iter().enumerate() {
            let bent = self.layers.iter().zip(sums).enumerate().filter(|&(k, _)| self.is_switched(k));
            for (_, (layer, sums)) in bent {
                let sides =
                    |&z: &f64| layer.activation.into_iter().flat_map(kinks).map(move |k| usize::from(z > k));
                setting.extend(sums.iter().flat_map(sides));
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

    /// Whether a layer's activation is left to switches: not where there is none, or the goal says its sums.
    pub(crate) fn is_switched(&self, layer: usize) -> bool {
        let given = self.goal.ranges().is_some() && layer + 1 == self.layers.len();
        self.layers[layer].activation.is_some() && !given && self.rules.phases == PhaseFreedom::Free
    }

    /// Writes the program.
    ///
    /// # Errors
    /// [`Obstacle::Activation`] where an activation cannot be treated so.
    pub(crate) fn encode(&self) -> Result<Encoded, Obstacle> {
        let mut program = LinearProgram::minimise();
        let levers = self.levers();
        let own_cost = if self.norm == ChangeNorm::Largest { 0.0 } else { 1.0 };
        let mut column =
            |allowed: bool| program.column(0.0, if allowed { self.limit } else { 0.0 }, own_cost);
        let moves: Vec<(ColumnId, ColumnId)> = levers
            .iter()
            .map(|lever| {
                let way = self.rules.ways.and_then(|ways| ways.get(lever.target));
                (column(way.is_none_or(|way| way.rise)), column(way.is_none_or(|way| way.fall)))
            })
            .collect();
        let largest = (self.norm == ChangeNorm::Largest).then(|| program.column(0.0, END, 1.0));
        for (&(rise, fall), largest) in moves.iter().zip(largest.iter().cycle()) {
            program.at_most([(rise, 1.0), (fall, 1.0), (*largest, -1.0)], 0.0);
        }
        let switched = Switched { program, switches: Vec::new() };
        let mut encoded = Encoded { switched, levers, moves, relief: Vec::new() };
        let own = match self.rules.phases {
            PhaseFreedom::Free => Vec::new(),
            PhaseFreedom::Tangent(Some(tangents)) => tangents.sums.to_vec(),
            _ => self.sums(&[]),
        };
        for point in 0..self.sources.len() {
            self.add_point(&mut encoded, point, own.get(point).map(Vec::as_slice))?;
        }
        Ok(encoded)
    }

    fn levers(&self) -> Vec<Lever> {
        let Some(layer) = self.layers.first() else { return Vec::new() };
        let targets = 0..layer.outputs();
        let bias = self.rules.biases.then_some(layer.inputs);
        let all = || (0..layer.inputs).chain(bias);
        if let [sources] = self.sources {
            let source = |i: usize| source_of(sources, i);
            let moving: Vec<usize> = all().filter(|&i| source(i) != 0.0).collect();
            let strongest =
                moving.iter().copied().max_by(|&a, &b| source(a).abs().total_cmp(&source(b).abs()));
            // A lever that rises raises its sum.
            let edge = |i: usize| (i, source(i).signum());
            let edges: Vec<(usize, f64)> = match (self.norm, strongest) {
                (_, None) => return Vec::new(),
                (ChangeNorm::Largest, _) => moving.iter().map(|&i| edge(i)).collect(),
                // A limit could be reached by the strongest alone, so all are needed then.
                (_, Some(i)) if self.limit.is_infinite() => vec![edge(i)],
                _ => {
                    let edges = |target| moving.iter().map(move |&i| Lever { target, edges: vec![edge(i)] });
                    return targets.flat_map(edges).collect();
                }
            };
            return targets.map(|target| Lever { target, edges: edges.clone() }).collect();
        }
        let moves = |i: &usize| self.sources.iter().any(|sources| source_of(sources, *i) != 0.0);
        let moving: Vec<usize> = all().filter(moves).collect();
        let edges = |target| moving.iter().map(move |&i| Lever { target, edges: vec![(i, 1.0)] });
        targets.flat_map(edges).collect()
    }

    fn add_point(
        &self,
        encoded: &mut Encoded,
        point: usize,
        own: Option<&[Vec<f64>]>,
    ) -> Result<(), Obstacle> {
        let sources = &self.sources[point];
        let Some(changed) = self.layers.first() else { return Ok(()) };
        let constants = changed.sums(sources);
        let mut sums: Vec<EncodedValue> =
            constants.into_iter().map(|constant| EncodedValue { terms: Vec::new(), constant }).collect();
        for (lever, &(rise, fall)) in encoded.levers.iter().zip(&encoded.moves) {
            let effect = lever.effect(sources);
            sums[lever.target].terms.extend([(rise, effect), (fall, -effect)]);
        }
        for (k, layer) in self.layers.iter().enumerate() {
            let is_last = k + 1 == self.layers.len();
            if let (Some(ranges), true) = (self.goal.ranges(), is_last) {
                for (neuron, (sum, &range)) in sums.into_iter().zip(&ranges[point]).enumerate() {
                    add_range(encoded, sum, range, self.goal.price(neuron));
                }
                return Ok(());
            }
            let mut values = Vec::with_capacity(sums.len());
            for (neuron, sum) in sums.into_iter().enumerate() {
                let z = own.map_or(0.0, |own| own[k][neuron]);
                let treatment = self.rules.phases.treat(layer.activation, (k, neuron), z, k > 0)?;
                values.push(add_neuron(&mut encoded.switched, treatment, sum)?);
            }
            sums = match self.layers.get(k + 1) {
                Some(next) => next_sums(next, &values),
                None => values,
            };
        }
        if let Goal::Demands(demands, margin) = self.goal {
            add_demand(encoded, &demands[point], &sums, margin);
        }
        Ok(())
    }
}

/// Adds a neuron with this sum; its value behind the activation.
fn add_neuron(
    switched: &mut Switched,
    treatment: Treatment,
    sum: EncodedValue,
) -> Result<EncodedValue, Obstacle> {
    let column = |terms: Vec<(ColumnId, f64)>, constant| EncodedValue { terms, constant };
    Ok(match treatment {
        Treatment::Linear => {
            let z = add_sum(&mut switched.program, sum, (-END, END));
            column(vec![(z, 1.0)], 0.0)
        }
        Treatment::Piece(range, piece) => {
            let z = add_sum(&mut switched.program, sum, range);
            let terms = if piece.slope == 0.0 { Vec::new() } else { vec![(z, piece.slope)] };
            column(terms, piece.shift)
        }
        Treatment::Between(function, range) => {
            let z = add_sum(&mut switched.program, sum, range);
            let value = between(&mut switched.program, function, z, range).ok_or(Obstacle::Activation)?;
            column(value.term.into_iter().collect(), value.constant)
        }
        Treatment::Switched(function, first) => {
            // z = kink + a − b for every kink; the value is the leftmost line plus a turn at each.
            let mut value = column(Vec::new(), 0.0);
            for (place, kink) in kinks(function).enumerate() {
                let program = &mut switched.program;
                let (a, b) = (program.column(0.0, END, 0.0), program.column(0.0, END, 0.0));
                let ends = [(a, -1.0), (b, 1.0)];
                program.equal(sum.terms.iter().copied().chain(ends), kink - sum.constant);
                switched.switches.push(Switch { columns: vec![a, b] });
                if place == 0 {
                    value.constant = first.slope * kink + first.shift;
                    value.terms.extend([(a, first.slope), (b, -first.slope)]);
                }
                value.terms.push((a, turn(function, kink)));
            }
            if value.terms.is_empty() {
                let z = add_sum(&mut switched.program, sum, (-END, END));
                return Ok(column(vec![(z, first.slope)], first.shift));
            }
            value.terms = merged(value.terms);
            value
        }
    })
}

/// A column for a sum, within a range.
fn add_sum(program: &mut LinearProgram, sum: EncodedValue, (low, high): (f64, f64)) -> ColumnId {
    let z = program.column(low, high, 0.0);
    program.equal(sum.terms.into_iter().chain([(z, -1.0)]), -sum.constant);
    z
}

/// A sum that has to lie in a range, or misses it at a price.
fn add_range(encoded: &mut Encoded, sum: EncodedValue, (low, high): (f64, f64), price: Option<f64>) {
    if low == -END && high == END {
        return;
    }
    let program = &mut encoded.switched.program;
    let (most, cost) = price.map_or((0.0, 0.0), |price| (END, price));
    let (missing, excess) = (program.column(0.0, most, cost), program.column(0.0, most, cost));
    let terms = sum.terms.into_iter().chain([(missing, 1.0), (excess, -1.0)]);
    program.row(low - sum.constant, terms, high - sum.constant);
    if price.is_none() {
        encoded.relief.extend([missing, excess]);
    }
}

fn next_sums(layer: &Layer<'_>, values: &[EncodedValue]) -> Vec<EncodedValue> {
    let sum = |o: usize| {
        let mut sum = EncodedValue { terms: Vec::new(), constant: layer.bias[o] };
        for (source, (&weight, value)) in layer.row(o).iter().zip(values).enumerate() {
            sum.constant += weight * (value.constant + layer.shift_of(source));
            sum.terms.extend(value.terms.iter().map(|&(column, c)| (column, weight * c)));
        }
        sum
    };
    (0..layer.outputs()).map(sum).collect()
}

/// Adds the clauses of a demand: each half-space may be missed by the clause's relief, and all of a clause's but one
/// by their own slack.
fn add_demand(encoded: &mut Encoded, demand: &Demand, outputs: &[EncodedValue], margin: f64) {
    for halves in &demand.clauses {
        let program = &mut encoded.switched.program;
        let relief = program.column(0.0, 0.0, 0.0);
        encoded.relief.push(relief);
        let mut slacks = Vec::new();
        for half in halves {
            let slack = (halves.len() > 1).then(|| program.column(0.0, END, 0.0));
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
