//! Planes over the inputs, by substituting backwards from sums to inputs.
//!
//! A row `Σ c · sum` of some layer is replaced, layer by layer, by one that is nowhere larger: an open hinge by a line
//! through zero below it where its coefficient is positive, by its chord where it is negative (CROWN, Zhang et al., NeurIPS
//! 2018). Which line, and multiples of the known ends of each sum, are free choices (α,β-CROWN, Wang et al., NeurIPS 2021,
//! section 3.2): any give a valid plane, and the duals of the linear program over the same lines give the best one (Salman et
//! al., NeurIPS 2019). So a program only advises; what is believed is summed up here, with every rounding charged.
//!
//! Rounding: a product of a row with a layer's weights is off by `γ_n Σ |c| |W|` in each coefficient, which changes the row by
//! at most `γ_n Σ |c| S`, `S = |W| H + |b|`, where `H` bounds the values in front. `S` has `|b|` once more for each
//! value: a layer that was written out by evaluating it has each weight up to a rounding of its bias.

use super::hinges::{Hinges, transposed};
use super::rounding::{RoundedSum, above, gamma};

/// For each layer the interval of each sum, where it is known to lie.
pub(super) type Intervals = Vec<Vec<(f64, f64)>>;

/// The free choices at the neurons of one layer.
#[derive(Debug, Clone, Default)]
pub(super) struct Choices {
    /// By neuron the slope of the line below an open hinge.
    pub(super) slopes: Vec<f64>,
    /// By neuron what `sum ≥ low` and `sum ≤ high` are multiplied by, neither negative.
    pub(super) pushes: Vec<(f64, f64)>,
}

/// `row ≥ slopes · x + constant` wherever the sums lie in their intervals.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    /// Coefficients over the inputs.
    pub(super) slopes: Vec<f64>,
    /// Coefficients at the values of each layer in front of the row, on the way.
    pub(super) values: Vec<Vec<f64>>,
    /// Rounded to the safe side.
    pub(super) constant: f64,
}

/// How large what is multiplied may be, by layer and neuron: `S`, and the sums themselves.
#[derive(Debug, Clone)]
pub(super) struct MagnitudeBounds {
    terms: Vec<Vec<f64>>,
}

impl MagnitudeBounds {
    /// Nothing known yet but of the inputs.
    pub(super) fn new() -> Self {
        Self { terms: Vec::new() }
    }

    /// Adds the next layer, given how large the values in front of it may be.
    pub(super) fn push(&mut self, network: &Hinges, values: &[f64]) {
        let edges = &network.layers[self.terms.len()].edges;
        let total = 1.0 + values.iter().sum::<f64>();
        let term = |o: usize| {
            let products: f64 = edges.row(o).iter().zip(values).map(|(w, h)| w.abs() * h).sum();
            above(1.0001 * (products + edges.bias[o].abs() * total))
        };
        self.terms.push((0..edges.outputs()).map(term).collect());
    }

    /// How large a sum may be.
    pub(super) fn of(&self, layer: usize, neuron: usize) -> f64 {
        self.terms[layer][neuron]
    }

    /// What the rounding of a layer may be, by neuron, for a coefficient of one.
    pub(super) fn charge(&self, network: &Hinges, layer: usize, neuron: usize) -> f64 {
        let edges = &network.layers[layer].edges;
        gamma(edges.inputs + edges.outputs()) * self.terms[layer][neuron]
    }
}

/// How large the values of a layer may be, from the intervals of its sums.
pub(super) fn values(network: &Hinges, layer: usize, intervals: &[(f64, f64)]) -> Vec<f64> {
    let steepest = network.layers[layer].low.abs().max(network.layers[layer].high.abs());
    intervals.iter().map(|(low, high)| above(steepest * low.abs().max(high.abs()))).collect()
}

/// The chord of an open hinge: its slope, and a shift with which it is not below the hinge.
pub(super) fn chord((low, high): (f64, f64), slopes: (f64, f64)) -> (f64, f64) {
    let (at_low, at_high) = (slopes.0 * low, slopes.1 * high);
    let slope = (at_high - at_low) / (high - low);
    let shift = above(at_low - slope * low).max(above(at_high - slope * high));
    (slope, above(shift + 4.0 * f64::EPSILON * (at_low.abs() + at_high.abs())))
}

/// The slope below an open hinge that is nearer to it on the larger side (CROWN's own choice).
fn adaptive((low, high): (f64, f64), slopes: (f64, f64)) -> f64 {
    if high >= -low { slopes.1 } else { slopes.0 }
}

/// The plane of `Σ coefficient · sum + constant` of layer `top`; `coefficients` has one number a neuron of it. The sums in
/// front of it lie in their intervals.
pub(super) fn plane(
    network: &Hinges,
    (top, coefficients): (usize, Vec<f64>),
    constant: f64,
    (intervals, sizes): (&Intervals, &MagnitudeBounds),
    choices: &[Choices],
) -> Plane {
    let mut account = RoundedSum::default();
    account.add(constant);
    let mut row = coefficients;
    let mut values = vec![Vec::new(); top];
    for layer in (1..=top).rev() {
        let edges = &network.layers[layer].edges;
        account.add_products(&row, &edges.bias);
        for (neuron, c) in row.iter().enumerate().filter(|(_, c)| **c != 0.0) {
            account.charge(c.abs() * sizes.charge(network, layer, neuron));
        }
        row = transposed(edges, &row);
        values[layer - 1].clone_from(&row);
        bend(network, layer - 1, &mut row, &intervals[layer - 1], choices.get(layer - 1), &mut account);
    }
    let first = &network.layers[0].edges;
    account.add_products(&row, &first.bias);
    for (neuron, c) in row.iter().enumerate().filter(|(_, c)| **c != 0.0) {
        account.charge(c.abs() * sizes.charge(network, 0, neuron));
    }
    Plane { slopes: transposed(first, &row), values, constant: account.least() }
}

/// From coefficients at a layer's values to those at its sums.
fn bend(
    network: &Hinges,
    layer: usize,
    row: &mut [f64],
    intervals: &[(f64, f64)],
    choices: Option<&Choices>,
    account: &mut RoundedSum,
) {
    let slopes = (network.layers[layer].low, network.layers[layer].high);
    for (i, (c, &interval)) in row.iter_mut().zip(intervals).enumerate() {
        let (low, high) = interval;
        let size = low.abs().max(high.abs());
        if *c != 0.0 {
            let slope = if low >= 0.0 {
                slopes.1
            } else if high <= 0.0 {
                slopes.0
            } else if *c >= 0.0 {
                let chosen = choices.and_then(|choices| choices.slopes.get(i)).copied();
                chosen.unwrap_or_else(|| adaptive(interval, slopes)).clamp(slopes.0, slopes.1)
            } else {
                let (slope, shift) = chord(interval, slopes);
                account.add(*c * shift);
                slope
            };
            *c *= slope;
            account.charge(2.0 * f64::EPSILON * c.abs() * size);
        }
        let Some(&(at_least, at_most)) = choices.and_then(|choices| choices.pushes.get(i)) else { continue };
        // row ≥ row − w · (sum − low), and row ≥ row − w · (high − sum), w ≥ 0.
        for (weight, end, sign) in [(at_least, low, 1.0), (at_most, high, -1.0)] {
            if weight > 0.0 && end.is_finite() {
                *c -= sign * weight;
                account.add(sign * weight * end);
                account.charge(2.0 * f64::EPSILON * (c.abs() + weight) * size);
            }
        }
    }
}
