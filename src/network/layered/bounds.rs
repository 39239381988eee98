//! Sound bounds on neurons: of sums over a box of inputs, and of activations over a range of sums.
//!
//! Sums are bounded by substituting linear bounds of the activations backwards through the layers (Zhang et al.,
//! CROWN, NeurIPS 2018; Singh et al., DeepPoly, POPL 2019), the tighter of that and plain intervals. Rounding
//! is allowed for by a small slack and not proved: these bounds guide a search and tighten programs.

use super::{EdgeLayer, Layered};
use crate::network::op::UnaryFunction;

/// A straight line: `slope · z + shift`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundLine {
    /// Its slope.
    pub slope: f64,
    /// Its value at zero.
    pub shift: f64,
}

/// Lines below and above an activation over a range of its argument; at least one on either side.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// The activation is at least each of these.
    pub below: Vec<BoundLine>,
    /// The activation is at most each of these.
    pub above: Vec<BoundLine>,
}

/// For each layer a range of each neuron's sum.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranges {
    /// `(least, most)` by layer and neuron.
    pub sums: Vec<Vec<(f64, f64)>>,
}

impl BoundLine {
    /// The line through an activation's values at both ends of a range.
    fn chord(function: UnaryFunction, (low, high): (f64, f64)) -> Self {
        let (at_low, at_high) = (function.value(low), function.value(high));
        let slope = if high > low { (at_high - at_low) / (high - low) } else { 0.0 };
        Self { slope, shift: at_low - slope * low }
    }

    fn raised(self, by: f64) -> Self {
        Self { shift: self.shift + by, ..self }
    }
}

/// The lines that bound an activation over a finite range; `None` for functions that this view does not know.
///
/// ReLU, leaky ReLU and |x| get their convex hull. Others lie between two parallels to the chord, through the points
/// where the function is farthest from it: its kinks, or where its derivative is the chord's slope.
pub fn envelope(function: UnaryFunction, range: (f64, f64)) -> Option<Envelope> {
    use UnaryFunction::*;
    if !(range.0.is_finite() && range.1.is_finite()) {
        return None;
    }
    let chord = BoundLine::chord(function, range);
    let line = |slope| BoundLine { slope, shift: 0.0 };
    let hull = |pieces: [f64; 2]| {
        let sides: Vec<BoundLine> = pieces.into_iter().map(line).collect();
        Some(match range {
            (low, _) if low >= 0.0 => Envelope { below: vec![sides[1]], above: vec![sides[1]] },
            (_, high) if high <= 0.0 => Envelope { below: vec![sides[0]], above: vec![sides[0]] },
            _ => Envelope { below: sides, above: vec![chord] },
        })
    };
    match function {
        Relu => hull([0.0, 1.0]),
        LeakyRelu { alpha } if (0.0..=1.0).contains(&alpha) => hull([alpha, 1.0]),
        Abs => hull([-1.0, 1.0]),
        _ => {
            let gap = |z: f64| function.value(z) - (chord.slope * z + chord.shift);
            let inside = farthest(function, chord.slope)?.into_iter().filter(|&z| range.0 < z && z < range.1);
            let (least, most) =
                inside.map(gap).fold((0.0, 0.0), |(least, most): (f64, f64), g| (least.min(g), most.max(g)));
            Some(Envelope { below: vec![chord.raised(least)], above: vec![chord.raised(most)] })
        }
    }
}

/// Where a function can be farthest from a line of the given slope.
fn farthest(function: UnaryFunction, slope: f64) -> Option<Vec<f64>> {
    use UnaryFunction::*;
    match function {
        Clip { low, high } => Some(vec![low, high]),
        HardSigmoid { alpha, beta } if alpha > 0.0 => Some(vec![-beta / alpha, (1.0 - beta) / alpha]),
        LeakyRelu { .. } => Some(vec![0.0]),
        // s (1 − s) = slope
        Sigmoid => {
            let root = (0.25 - slope).max(0.0).sqrt();
            let logit = |s: f64| (s / (1.0 - s)).ln();
            Some([0.5 - root, 0.5 + root].map(logit).into_iter().filter(|z| z.is_finite()).collect())
        }
        // 1 − t² = slope
        Tanh => {
            let root = (1.0 - slope).max(0.0).sqrt();
            Some([-root, root].map(f64::atanh).into_iter().filter(|z| z.is_finite()).collect())
        }
        _ => None,
    }
}

impl Ranges {
    /// What the neurons do over a set of points, such as the samples of a class; `None` without points.
    pub fn of_points<'t>(traces: impl IntoIterator<Item = &'t super::Trace>) -> Option<Self> {
        let mut traces = traces.into_iter();
        let mut ranges = Self::at(traces.next()?);
        traces.for_each(|trace| ranges.include(trace));
        Some(ranges)
    }

    /// The single point's ranges.
    pub fn at(trace: &super::Trace) -> Self {
        Self { sums: trace.sums.iter().map(|sums| sums.iter().map(|&z| (z, z)).collect()).collect() }
    }

    /// Widens the ranges to hold another point.
    pub fn include(&mut self, trace: &super::Trace) {
        let points = trace.sums.iter().flatten();
        for ((low, high), &z) in self.sums.iter_mut().flatten().zip(points) {
            (*low, *high) = (low.min(z), high.max(z));
        }
    }

    /// Bounds over a box; `None` where an activation has no envelope or a bound is not finite.
    pub fn of_box(network: &Layered, lower: &[f64], upper: &[f64]) -> Option<Self> {
        let first = network.first_edges();
        let mut sums: Vec<Vec<(f64, f64)>> = Vec::new();
        let mut envelopes: Vec<Vec<Envelope>> = Vec::new();
        let mut post: Vec<(f64, f64)> = lower.iter().copied().zip(upper.iter().copied()).collect();
        for (at, layer) in network.layers.iter().enumerate() {
            let edges = if at == 0 { first } else { &layer.edges };
            let outputs = 0..edges.outputs();
            let plain = outputs.map(|o| interval(edges.row(o), edges.bias[o], &post));
            let own: Vec<(f64, f64)> = plain
                .enumerate()
                .map(|(o, plain)| {
                    if at == 0 {
                        return plain;
                    }
                    let back = Substitution { network, first, envelopes: &envelopes, lower, upper };
                    let least = back.least(at, edges.row(o), 1.0) + edges.bias[o];
                    let most = -back.least(at, edges.row(o), -1.0) + edges.bias[o];
                    (plain.0.max(least), plain.1.min(most))
                })
                .map(|(low, high)| (low - slack(low), high + slack(high)))
                .collect();
            if own.iter().any(|(low, high)| !(low.is_finite() && high.is_finite())) {
                return None;
            }
            if let Some(function) = layer.activation {
                let bounds: Option<Vec<_>> = own.iter().map(|&range| envelope(function, range)).collect();
                post = own.iter().map(|&range| values(function, range)).collect();
                envelopes.push(bounds?);
            }
            sums.push(own);
        }
        Some(Self { sums })
    }

    /// The neurons of a layer whose activation is not a straight line over their range.
    pub fn unstable(&self, layer: usize, activation: &EdgeLayer) -> usize {
        let Some(function) = activation.activation else { return 0 };
        self.sums[layer].iter().filter(|&&range| is_unstable(function, range)).count()
    }
}

/// Whether an activation bends inside a range.
pub fn is_unstable(function: UnaryFunction, range: (f64, f64)) -> bool {
    envelope(function, range).is_none_or(|e| e.below != e.above)
}

/// An activation's values over a range, from its envelope and both ends.
pub(crate) fn values(function: UnaryFunction, (low, high): (f64, f64)) -> (f64, f64) {
    let ends = (function.value(low), function.value(high));
    match function {
        UnaryFunction::Abs if low < 0.0 && high > 0.0 => (0.0, ends.0.max(ends.1)),
        _ => (ends.0.min(ends.1), ends.0.max(ends.1)),
    }
}

/// What rounding may have eaten, generously, and not more than a solver's tolerance lets pass anyway.
fn slack(bound: f64) -> f64 {
    1e-10 * (1.0 + bound.abs())
}

/// A sum's range, with its bias, over ranges of what goes into it.
pub(crate) fn interval(row: &[f64], bias: f64, values: &[(f64, f64)]) -> (f64, f64) {
    row.iter().zip(values).fold((bias, bias), |(least, most), (&w, &(low, high))| {
        if w > 0.0 { (least + w * low, most + w * high) } else { (least + w * high, most + w * low) }
    })
}

/// Backward substitution of linear bounds.
struct Substitution<'a> {
    network: &'a Layered,
    first: &'a super::Edges,
    envelopes: &'a [Vec<Envelope>],
    lower: &'a [f64],
    upper: &'a [f64],
}

impl Substitution<'_> {
    /// A lower bound of `sign · Σ row · values` for the values that go into layer `at`.
    fn least(&self, at: usize, row: &[f64], sign: f64) -> f64 {
        let mut coefficients: Vec<f64> = row.iter().map(|w| sign * w).collect();
        let mut constant = 0.0;
        for layer in (0..at).rev() {
            for (c, envelope) in coefficients.iter_mut().zip(&self.envelopes[layer]) {
                let line = if *c >= 0.0 { nearest(envelope) } else { envelope.above[0] };
                constant += *c * line.shift;
                *c *= line.slope;
            }
            let edges = if layer == 0 { self.first } else { &self.network.layers[layer].edges };
            let mut next = vec![0.0; edges.inputs];
            for (o, &c) in coefficients.iter().enumerate().filter(|(_, c)| **c != 0.0) {
                constant += c * edges.bias[o];
                next.iter_mut().zip(edges.row(o)).for_each(|(n, &w)| *n += c * w);
            }
            coefficients = next;
        }
        let ends = self.lower.iter().zip(self.upper);
        let spread = |(&c, (&low, &high)): (&f64, (&f64, &f64))| if c >= 0.0 { c * low } else { c * high };
        constant + coefficients.iter().zip(ends).map(spread).sum::<f64>()
    }
}

/// Of the lower lines the one whose slope is next to the chord's: DeepPoly's choice, the least area.
fn nearest(envelope: &Envelope) -> BoundLine {
    let chord = envelope.above[0];
    let by_slope = |a: &&BoundLine, b: &&BoundLine| {
        (a.slope - chord.slope).abs().total_cmp(&(b.slope - chord.slope).abs())
    };
    envelope.below.iter().min_by(by_slope).copied().unwrap_or(chord)
}
