//! Increment/decrement marking: which way each neuron should move.
//!
//! Y. Elboher, J. Gottschlich, G. Katz, "An Abstraction-Based Framework for Neural Network Verification" (CAV
//! 2020), call a neuron *increment* if raising it raises the output, *decrement* if raising it lowers the output,
//! decided backwards by the signs of the edges. The patching paper uses the marks to fix the sign of every weight
//! change and to turn φ′ from equations into inequalities. Elboher et al. split a neuron whose paths disagree in
//! two; here, as in the patching paper, it is neutral.

use crate::network::frozen::piece;
use crate::network::layered::{EdgeLayer, Layered, Trace};
use crate::network::op::UnaryFunction;
use crate::property::{Conjunction, Row};

/// What moving a neuron's sum does for the property's violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mark {
    /// Nothing.
    #[default]
    Idle,
    /// Raising it never hurts.
    Increment,
    /// Lowering it never hurts.
    Decrement,
    /// It depends.
    Neutral,
}

/// Where marks come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marking {
    /// Nowhere: every neuron is neutral.
    Off,
    /// From the signs of the edges on all paths to the outputs: holds for every input.
    Paths,
    /// From the gradient of each row of the property: holds within the activation region, and leaves fewer neurons
    /// neutral, because paths through inactive neurons do not count and paths that disagree add up.
    Gradient,
}

impl Mark {
    /// The mark of a neuron that matters in two ways.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Idle, mark) | (mark, Self::Idle) => mark,
            (a, b) if a == b => a,
            _ => Self::Neutral,
        }
    }

    /// The mark that an edge of this weight hands from its target to its source.
    #[must_use]
    pub fn through(self, weight: f64) -> Self {
        match self {
            _ if weight == 0.0 => Self::Idle,
            Self::Increment if weight < 0.0 => Self::Decrement,
            Self::Decrement if weight < 0.0 => Self::Increment,
            mark => mark,
        }
    }

    /// The mark of a sum from that of the neuron's value.
    #[must_use]
    pub fn behind(self, activation: Option<UnaryFunction>) -> Self {
        match self {
            Self::Idle => Self::Idle,
            _ if !activation.is_none_or(rises) => Self::Neutral,
            mark => mark,
        }
    }

    /// Whether a patch may raise a neuron's sum. On an edge from a positive source that is a larger weight, from a
    /// negative source a smaller one.
    pub fn may_rise(self) -> bool {
        matches!(self, Self::Increment | Self::Neutral)
    }

    /// Whether a patch may lower it.
    pub fn may_fall(self) -> bool {
        matches!(self, Self::Decrement | Self::Neutral)
    }
}

impl Marking {
    /// The marks of all sums, by layer.
    pub fn mark(self, network: &Layered, trace: &Trace, property: &Conjunction) -> Vec<Vec<Mark>> {
        match self {
            Self::Off => network.layers.iter().map(|l| vec![Mark::Neutral; l.edges.outputs()]).collect(),
            Self::Paths => by_paths(network, property),
            Self::Gradient => by_gradient(network, trace, property),
        }
    }
}

fn by_paths(network: &Layered, property: &Conjunction) -> Vec<Vec<Mark>> {
    let outputs = network.layers.last().map_or(0, |layer| layer.edges.outputs());
    let mut of_values = vec![Mark::Idle; outputs];
    for &(output, coefficient) in property.rows.iter().flat_map(|row| &row.outputs) {
        // A row is `Σ coefficient · output ≤ bound`: the output should fall where its coefficient is positive.
        of_values[output] = of_values[output].join(Mark::Decrement.through(coefficient));
    }
    let mut marks = Vec::with_capacity(network.depth());
    for layer in network.layers.iter().rev() {
        let of_sums: Vec<Mark> = of_values.iter().map(|mark| mark.behind(layer.activation)).collect();
        of_values = vec![Mark::Idle; layer.edges.inputs];
        for (target, mark) in of_sums.iter().enumerate() {
            for (of_source, &weight) in of_values.iter_mut().zip(layer.edges.row(target)) {
                *of_source = of_source.join(mark.through(weight));
            }
        }
        marks.push(of_sums);
    }
    marks.reverse();
    marks
}

fn by_gradient(network: &Layered, trace: &Trace, property: &Conjunction) -> Vec<Vec<Mark>> {
    let mut marks: Vec<Vec<Mark>> =
        network.layers.iter().map(|layer| vec![Mark::Idle; layer.edges.outputs()]).collect();
    for row in &property.rows {
        for (marks, gradient) in marks.iter_mut().zip(gradient(&network.layers, &trace.sums, row)) {
            for (mark, g) in marks.iter_mut().zip(gradient) {
                *mark = mark.join(Mark::Increment.through(g));
            }
        }
    }
    marks
}

/// What a unit more of each sum does to the margin of a row, by layer, where the last layers have these sums.
pub fn gradient(layers: &[EdgeLayer], sums: &[Vec<f64>], row: &Row) -> Vec<Vec<f64>> {
    let mut of_values = vec![0.0; layers.last().map_or(0, |layer| layer.edges.outputs())];
    row.outputs.iter().for_each(|&(output, coefficient)| of_values[output] -= coefficient);
    let mut gradient = Vec::with_capacity(layers.len());
    for (layer, sums) in layers.iter().zip(sums).rev() {
        let slopes = sums.iter().map(|&z| slope(layer.activation, z));
        let of_sums: Vec<f64> = of_values.iter().zip(slopes).map(|(g, slope)| g * slope).collect();
        of_values = vec![0.0; layer.edges.inputs];
        for (target, &g) in of_sums.iter().enumerate() {
            let sources = of_values.iter_mut().zip(layer.edges.row(target));
            sources.for_each(|(sum, weight)| *sum += g * weight);
        }
        gradient.push(of_sums);
    }
    gradient.reverse();
    gradient
}

/// The slope of an activation at a sum; for smooth ones only its sign matters.
fn slope(activation: Option<UnaryFunction>, z: f64) -> f64 {
    match activation {
        None => 1.0,
        Some(function) => match piece(function, z) {
            Some(piece) => piece.slope,
            None => {
                let step = 1e-6 * (1.0 + z.abs());
                (function.value(z + step) - function.value(z - step)) / (2.0 * step)
            }
        },
    }
}

/// Whether a function never falls.
fn rises(function: UnaryFunction) -> bool {
    use UnaryFunction::*;
    match function {
        Relu | Clip { .. } | Sigmoid | Tanh | Softplus | Softsign | Erf | Exp | Atan | Asinh | Sinh => true,
        Sign | SignOr { .. } | Floor | Ceil | Round | Truncate => true,
        LeakyRelu { alpha } | HardSigmoid { alpha, .. } | Elu { alpha } | ThresholdedRelu { alpha } => {
            alpha >= 0.0
        }
        Celu { alpha } => alpha > 0.0,
        Selu { alpha, gamma } => alpha >= 0.0 && gamma >= 0.0,
        _ => false,
    }
}
