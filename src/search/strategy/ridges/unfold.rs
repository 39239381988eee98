//! What rows over a network's outputs ask of sums over its inputs.
//!
//! A row over a layer's values is a sum of functions of one number each: neurons whose edges have one direction `a` are
//! functions of `s = a · x` (a *ridge*; Pinkus 2015, "Ridge Functions"), and together of whatever shape: a window, a
//! well at 0 and at 1. `Σ φ_g(s_g) ≤ bound`, so no term may be further over its least value than all together may:
//!
//! ```text
//! φ_g(s_g) ≤ min φ_g + (bound − Σ min φ)
//! ```
//!
//! which leaves each ridge a few intervals, often points: a clause that must hold, a variable that must be 0 or 1, a
//! window that must be met. Intervals of one row raise the least values of another, so this is repeated until nothing
//! changes. In front of the first layer the ridges are sums of inputs and all of it is exact; further behind, the hull of
//! what a ridge is left makes two rows over the layer in front.

use std::collections::{BTreeMap, HashMap};

use super::profile::{ClosedInterval, Profile};
use crate::network::frozen::{kinks, piece};
use crate::network::layered::{EdgeLayer, Layered, bounds};

/// A slack of so much of what a row adds up is rounding of the network's weights: the row leaves no choice.
const ROUNDING: f64 = 2e-6;
/// What a value may be over the least one and still count as it, as a share of all that it can be.
const EQUAL: f64 = 1e-6;
/// How often rows narrow what others may do, at most.
const MOST_TURNS: usize = 8;
/// Directions are equal if their coefficients are, to this many parts of the first.
const DIGITS: f64 = 4_194_304.0;

/// `Σ coefficient · value ≤ bound`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ValueRow {
    pub terms: Vec<(usize, f64)>,
    pub bound: f64,
}

/// A sum of inputs and the intervals that it may lie in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ridge {
    /// The first coefficient is 1.
    pub direction: Vec<(usize, f64)>,
    pub allowed: Vec<ClosedInterval>,
}

/// A row that leaves a choice: `Σ φ(s) ≤ bound` over ridges, by their numbers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RidgeSum {
    /// In the order of the ridges.
    pub terms: Vec<(usize, Profile)>,
    pub bound: f64,
}

/// What is asked of the inputs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Needs {
    pub ridges: Vec<Ridge>,
    pub sums: Vec<RidgeSum>,
    /// Whether any ridge was left less than it can reach.
    pub narrows: bool,
}

/// Why there is nothing to be searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nothing {
    /// The rows ask nothing of single ridges.
    Loose,
    /// Rows contradict each other, rounding aside.
    Contradiction,
}

/// Unfolds rows over the values of the last layer but one, down to the inputs.
pub(super) fn unfold(
    network: &Layered,
    lower: &[f64],
    upper: &[f64],
    rows: Vec<ValueRow>,
) -> Result<Needs, Nothing> {
    let last = network.layers.len() - 1;
    let inputs = lower.iter().copied().zip(upper.iter().copied()).collect();
    // What goes into each layer: intervals will do, for a row that leaves little choice leaves it anyway.
    let mut sources: Vec<Vec<(f64, f64)>> = vec![inputs];
    for layer in &network.layers[..last.saturating_sub(1)] {
        let next = sources.last().map(|front| values(layer, front));
        sources.extend(next);
    }
    let mut rows = rows;
    for at in (0..last).rev() {
        let layer = &network.layers[at];
        let needs = Unfolding::new(layer, &sources[at], &rows).ok_or(Nothing::Loose)?.run()?;
        if at == 0 {
            return if needs.narrows { Ok(needs) } else { Err(Nothing::Loose) };
        }
        rows = hulls(&needs, &sources[at]);
        if rows.is_empty() {
            return Err(Nothing::Loose);
        }
    }
    Err(Nothing::Loose)
}

/// What a layer's values can be.
fn values(layer: &EdgeLayer, sources: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let sum = |neuron: usize| bounds::interval(layer.edges.row(neuron), layer.edges.bias[neuron], sources);
    let value =
        |neuron| layer.activation.map_or(sum(neuron), |function| bounds::values(function, sum(neuron)));
    (0..layer.edges.outputs()).map(value).collect()
}

/// Two rows for each ridge that may not be everything it can be.
fn hulls(needs: &Needs, sources: &[(f64, f64)]) -> Vec<ValueRow> {
    let mut rows = Vec::new();
    for ridge in &needs.ridges {
        let reach = reach(&ridge.direction, sources);
        let (Some(first), Some(last)) = (ridge.allowed.first(), ridge.allowed.last()) else { continue };
        if last.high < reach.high {
            rows.push(ValueRow { terms: ridge.direction.clone(), bound: last.high });
        }
        if first.low > reach.low {
            let terms = ridge.direction.iter().map(|&(i, c)| (i, -c)).collect();
            rows.push(ValueRow { terms, bound: -first.low });
        }
    }
    rows
}

/// What a sum can be.
fn reach(direction: &[(usize, f64)], sources: &[(f64, f64)]) -> ClosedInterval {
    let ends = direction.iter().map(|&(i, c)| {
        let (a, b) = (c * sources[i].0, c * sources[i].1);
        (a.min(b), a.max(b))
    });
    let (low, high) = ends.fold((0.0, 0.0), |(low, high), (a, b)| (low + a, high + b));
    ClosedInterval { low, high }
}

/// The rows over one layer's values while they are narrowed.
struct Unfolding {
    ridges: Vec<Ridge>,
    sums: Vec<RidgeSum>,
}

/// A neuron as a function of its ridge: `value(scale · s + bias)`.
#[derive(Clone, Copy)]
struct RidgeNeuron {
    ridge: usize,
    scale: f64,
    bias: f64,
}

impl Unfolding {
    /// `None` where the activation has no pieces.
    fn new(layer: &EdgeLayer, sources: &[(f64, f64)], rows: &[ValueRow]) -> Option<Self> {
        let function = layer.activation?;
        piece(function, 0.0)?;
        let mut known: HashMap<Vec<(usize, i64)>, usize> = HashMap::new();
        let mut ridges: Vec<Ridge> = Vec::new();
        let mut neurons: Vec<Option<RidgeNeuron>> = vec![None; layer.edges.outputs()];
        for neuron in rows.iter().flat_map(|row| &row.terms).map(|&(neuron, _)| neuron) {
            if neurons[neuron].is_some() {
                continue;
            }
            let edges = layer.edges.row(neuron);
            let scale = edges.iter().copied().find(|&w| w != 0.0).unwrap_or(1.0);
            let direction: Vec<(usize, f64)> =
                edges.iter().enumerate().filter(|(_, w)| **w != 0.0).map(|(i, w)| (i, w / scale)).collect();
            let key = direction.iter().map(|&(i, c)| (i, (c * DIGITS).round() as i64)).collect();
            let ridge = *known.entry(key).or_insert_with(|| {
                let allowed = vec![reach(&direction, sources)];
                ridges.push(Ridge { direction, allowed });
                ridges.len() - 1
            });
            neurons[neuron] = Some(RidgeNeuron { ridge, scale, bias: layer.edges.bias[neuron] });
        }
        let sums = rows
            .iter()
            .map(|row| {
                let mut by_ridge: BTreeMap<usize, Vec<(RidgeNeuron, f64)>> = BTreeMap::new();
                for &(neuron, coefficient) in &row.terms {
                    if let Some(neuron) = neurons[neuron] {
                        by_ridge.entry(neuron.ridge).or_default().push((neuron, coefficient));
                    }
                }
                let terms = by_ridge
                    .into_iter()
                    .map(|(ridge, neurons)| {
                        let reach = ridges[ridge].allowed[0];
                        let bends = neurons.iter().flat_map(|(neuron, _)| {
                            let place = |kink: f64| (kink - neuron.bias) / neuron.scale;
                            kinks(function).map(place)
                        });
                        let inside = bends.filter(|&s| reach.low < s && s < reach.high);
                        let places = [reach.low, reach.high].into_iter().chain(inside).collect();
                        let value = |s: f64| {
                            let neuron =
                                |(n, c): &(RidgeNeuron, f64)| c * function.value(n.scale * s + n.bias);
                            neurons.iter().map(neuron).sum()
                        };
                        (ridge, Profile::through(places, value))
                    })
                    .collect();
                RidgeSum { terms, bound: row.bound }
            })
            .collect();
        Some(Self { ridges, sums })
    }

    /// Narrows until nothing changes.
    fn run(mut self) -> Result<Needs, Nothing> {
        let mut narrows = false;
        for _ in 0..MOST_TURNS {
            let mut changed = false;
            for sum in &self.sums {
                changed |= narrow(sum, &mut self.ridges)?;
            }
            narrows |= changed;
            if !changed {
                break;
            }
        }
        let Self { ridges, mut sums } = self;
        sums.retain(|sum| leaves_choice(sum, &ridges));
        Ok(Needs { ridges, sums, narrows })
    }
}

/// Narrows the ridges of one row; whether any got less.
fn narrow(sum: &RidgeSum, ridges: &mut [Ridge]) -> Result<bool, Nothing> {
    let ranges: Vec<(f64, f64)> =
        sum.terms.iter().map(|(ridge, profile)| profile.range(&ridges[*ridge].allowed)).collect();
    let least: f64 = ranges.iter().map(|range| range.0).sum();
    let size = sum.bound.abs() + ranges.iter().map(|range| range.0.abs()).sum::<f64>();
    let slack = sum.bound - least;
    if slack < -ROUNDING * (1.0 + size) {
        return Err(Nothing::Contradiction);
    }
    let is_tight = slack <= ROUNDING * (1.0 + size);
    let mut changed = false;
    for ((ridge, profile), (least, most)) in sum.terms.iter().zip(ranges) {
        let allowed = &ridges[*ridge].allowed;
        let left = match is_tight {
            true => profile.lowest(allowed, EQUAL),
            false if most <= least + slack => continue,
            false => profile.sublevel(allowed, least + slack),
        };
        if left.is_empty() {
            return Err(Nothing::Contradiction);
        }
        changed |= left != ridges[*ridge].allowed;
        ridges[*ridge].allowed = left;
    }
    Ok(changed)
}

/// Whether some of what is allowed breaks the row.
fn leaves_choice(sum: &RidgeSum, ridges: &[Ridge]) -> bool {
    let ranges = sum.terms.iter().map(|(ridge, profile)| profile.range(&ridges[*ridge].allowed));
    let (most, size) = ranges
        .fold((0.0, 0.0), |(most, size), (low, high)| (most + high, size + f64::max(low.abs(), high.abs())));
    most > sum.bound + ROUNDING * (1.0 + sum.bound.abs() + size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::layered::Edges;
    use crate::network::op::UnaryFunction::Relu;

    fn layer(rows: &[&[f64]], bias: &[f64], relu: bool) -> EdgeLayer {
        let edges = Edges { weights: rows.concat(), bias: bias.to_vec(), inputs: rows[0].len() };
        EdgeLayer { edges, activation: relu.then_some(Relu), shared: false }
    }

    /// `x₀` is 0 or 1 (a hat), and `x₀ + x₁ ≥ 1` (a hinge): both by penalties that must vanish together.
    fn penalties() -> Layered {
        let hat = [&[1.0, 0.0][..], &[2.0, 0.0]];
        let first = layer(&[hat[0], hat[1], &[-1.0, -1.0]], &[0.0, -1.0, 1.0], true);
        Layered { entry: None, layers: vec![first, layer(&[&[1.0, -1.0, 1.0]], &[0.0], false)] }
    }

    fn row(terms: &[(usize, f64)], bound: f64) -> ValueRow {
        ValueRow { terms: terms.to_vec(), bound }
    }

    #[test]
    fn a_penalty_that_must_vanish_is_a_choice_and_a_clause() {
        let rows = vec![row(&[(0, 1.0), (1, -1.0), (2, 1.0)], 0.0)];
        let needs = unfold(&penalties(), &[0.0, 0.0], &[1.0, 1.0], rows).unwrap();
        let points =
            |values: &[f64]| values.iter().map(|&v| ClosedInterval { low: v, high: v }).collect::<Vec<_>>();
        let ridge = |direction: &[(usize, f64)], allowed| Ridge { direction: direction.to_vec(), allowed };
        let clause = vec![ClosedInterval { low: 1.0, high: 2.0 }];
        assert_eq!(
            needs.ridges,
            [ridge(&[(0, 1.0)], points(&[0.0, 1.0])), ridge(&[(0, 1.0), (1, 1.0)], clause)]
        );
        assert!(needs.sums.is_empty() && needs.narrows);
    }

    #[test]
    fn a_row_with_slack_stays_as_a_sum() {
        // A quarter may be missing: neither well need be reached, and the row itself still counts.
        let rows = vec![row(&[(0, 1.0), (1, -1.0), (2, 1.0)], 0.25)];
        let needs = unfold(&penalties(), &[0.0, 0.0], &[1.0, 1.0], rows).unwrap();
        assert_eq!(
            needs.ridges[0].allowed,
            [ClosedInterval { low: 0.0, high: 0.25 }, ClosedInterval { low: 0.75, high: 1.0 }]
        );
        assert_eq!(needs.sums.len(), 1);
    }

    #[test]
    fn what_cannot_be_is_a_contradiction_and_what_is_free_is_loose() {
        let check = |bound: f64, want: Nothing| {
            let rows = vec![row(&[(0, 1.0), (1, -1.0), (2, 1.0)], bound)];
            assert_eq!(unfold(&penalties(), &[0.0, 0.0], &[1.0, 1.0], rows), Err(want), "{bound}");
        };
        check(-0.5, Nothing::Contradiction);
        check(9.0, Nothing::Loose);
    }

    #[test]
    fn rows_go_through_a_second_layer_as_hulls() {
        // One neuron behind the penalties, which is active from a half on: it must be.
        let mut network = penalties();
        network.layers[1] = layer(&[&[-1.0, 1.0, -1.0]], &[0.75], true);
        network.layers.push(layer(&[&[1.0]], &[0.0], false));
        let needs = unfold(&network, &[0.0, 0.0], &[1.0, 1.0], vec![row(&[(0, -1.0)], -0.5)]).unwrap();
        assert_eq!(needs.ridges[0].allowed.len(), 2, "{:?}", needs.ridges);
        assert!((needs.ridges[0].allowed[0].high - 0.25).abs() < 1e-9, "{:?}", needs.ridges);
    }
}
