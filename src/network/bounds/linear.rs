//! Linear bounds, backwards from rows to the inputs.
//!
//! A row `Σ a · value` is rewritten, node by node from the last to the first, into a row over the inputs that is
//! nowhere larger on the box: affine nodes are substituted exactly, a bending function is replaced by the line below
//! it where its coefficient is positive and by the line above where it is negative. What rounding can change is
//! collected in one number for each row: a coefficient that is off by `δ` changes the row by at most `δ` times the
//! magnitude of the value that it multiplies, and the intervals bound that.

use std::sync::Arc;

use super::product::times;
use super::{Bounder, Rule, gamma, len_of, magnitude_of, relax};
use crate::network::backward::Gradients;
use crate::network::op::{Op, Operands, Pass, Softmax, UnaryFunction, View};
use crate::network::{NodeId, Surrogate};

/// Rows bounded in one sweep.
pub(super) const LANES: usize = 32;

/// `Σ coefficient · input + Σ coefficient · output`, by flat indices: what is to be bounded from below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<'r> {
    /// Input terms.
    pub inputs: &'r [(usize, f64)],
    /// Output terms.
    pub outputs: &'r [(usize, f64)],
}

/// A row's bound over the box and the linear function that gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearBound {
    /// The row is at least this everywhere in the box: by the linear function below, or by intervals, whichever is
    /// larger.
    pub least: f64,
    /// Coefficients over the flat inputs of the linear function that the row is at least, up to rounding.
    pub slopes: Vec<f64>,
}

/// Constants and rounding of the rows of one sweep.
pub(super) struct Sums {
    pub(super) constant: [f64; LANES],
    /// `Σ |terms|` of the constant, and what the coefficients' rounding can change.
    pub(super) absolute: [f64; LANES],
    pub(super) rounding: [f64; LANES],
}

impl Sums {
    fn new() -> Self {
        Self { constant: [0.0; LANES], absolute: [0.0; LANES], rounding: [0.0; LANES] }
    }
}

impl Bounder<'_> {
    /// Bounds rows over the box of the last [`Bounder::intervals`].
    pub fn rows(&mut self, rows: &[Row<'_>]) -> Vec<LinearBound> {
        let network = self.network;
        let mut bounds = Vec::with_capacity(rows.len());
        for part in rows.chunks(LANES) {
            self.clear(network.nodes.len());
            let mut sums = Sums::new();
            for (ids, terms) in [(&network.inputs, 0), (&network.outputs, 1)] {
                for (lane, row) in part.iter().enumerate() {
                    for &(index, coefficient) in if terms == 0 { row.inputs } else { row.outputs } {
                        let mut at = index;
                        for &id in ids {
                            let (len, slot) = (len_of(network, id), network.node(id).slot);
                            if at < len && network.node(id).varies {
                                self.cotangents[slot][at * LANES + lane] += coefficient;
                                break;
                            }
                            if at < len {
                                let constant = coefficient * self.lower[slot][at];
                                sums.constant[lane] += constant;
                                sums.absolute[lane] += constant.abs();
                                break;
                            }
                            at -= len;
                        }
                    }
                }
            }
            self.sweep(network.nodes.len(), part.len(), sums, &mut bounds);
        }
        for (row, bound) in rows.iter().zip(&mut bounds) {
            bound.least = bound.least.max(self.by_intervals(row));
        }
        bounds
    }

    /// A row's bound by the intervals of its values alone: the lines of a function may be looser than its range.
    fn by_intervals(&self, row: &Row<'_>) -> f64 {
        let (mut least, mut absolute) = (0.0, 0.0);
        for (ids, terms) in [(&self.network.inputs, row.inputs), (&self.network.outputs, row.outputs)] {
            let ends: Vec<(f64, f64)> = ids
                .iter()
                .flat_map(|&id| {
                    self.interval_of(id).0.iter().copied().zip(self.interval_of(id).1.iter().copied())
                })
                .collect();
            for &(i, c) in terms {
                let term = times(c, if c >= 0.0 { ends[i].0 } else { ends[i].1 });
                least += term;
                absolute += term.abs();
            }
        }
        let least = super::below(least - gamma(row.inputs.len() + row.outputs.len()) * absolute);
        if least.is_nan() { f64::NEG_INFINITY } else { least }
    }

    /// Tightens the interval of a pre-activation where it leaves the phase open.
    pub(super) fn tighten(&mut self, operand: NodeId, keep_going: &dyn Fn() -> bool) -> bool {
        let network = self.network;
        let slot = network.node(operand).slot;
        let first_layer = matches!(network.node(operand).op, Op::Input(_));
        let open = |i: &usize| self.lower[slot][*i] < 0.0 && self.upper[slot][*i] > 0.0;
        let neurons: Vec<usize> = (0..self.lower[slot].len()).filter(open).collect();
        if first_layer {
            return true;
        }
        let mut bounds = Vec::new();
        for part in neurons.chunks(LANES / 2) {
            if !keep_going() {
                return false;
            }
            self.clear(operand.0 + 1);
            for (pair, &neuron) in part.iter().enumerate() {
                self.cotangents[slot][neuron * LANES + 2 * pair] = 1.0;
                self.cotangents[slot][neuron * LANES + 2 * pair + 1] = -1.0;
            }
            self.sweep(operand.0 + 1, 2 * part.len(), Sums::new(), &mut bounds);
        }
        for (&neuron, pair) in neurons.iter().zip(bounds.chunks_exact(2)) {
            let (low, high) = (&mut self.lower[slot][neuron], &mut self.upper[slot][neuron]);
            *low = low.max(pair[0].least);
            *high = high.min(-pair[1].least);
            // Rounding may let the two ends pass each other on a box that is nearly a point.
            if *low > *high {
                (*low, *high) = (*high, *low);
            }
        }
        true
    }

    /// Multiplications of the backward sweeps since the last [`Bounder::intervals`] began: what the bounds of a box
    /// cost.
    pub fn swept(&self) -> usize {
        self.swept
    }

    /// `Σ |coefficient| · |value|` at most, over the box.
    pub fn magnitude(&self, inputs: &[(usize, f64)], outputs: &[(usize, f64)]) -> f64 {
        let sum = |ids: &[NodeId], terms: &[(usize, f64)]| {
            let sizes: Vec<f64> = ids
                .iter()
                .flat_map(|&id| {
                    let (low, high) = self.interval_of(id);
                    low.iter().zip(high).map(|(&l, &u)| magnitude_of(l, u))
                })
                .collect();
            terms.iter().map(|&(i, c)| c.abs() * sizes[i]).sum::<f64>()
        };
        sum(&self.network.inputs, inputs) + sum(&self.network.outputs, outputs)
    }

    fn clear(&mut self, end: usize) {
        for node in &self.network.nodes[..end] {
            if node.varies {
                let buffer = &mut self.cotangents[node.slot];
                buffer.clear();
                buffer.resize(self.lower[node.slot].len() * LANES, 0.0);
            }
        }
    }

    fn sweep(&mut self, end: usize, count: usize, mut sums: Sums, bounds: &mut Vec<LinearBound>) {
        let network = self.network;
        self.swept +=
            network.nodes[..end].iter().map(|node| node.op.multiplications(&node.shape)).sum::<usize>()
                * LANES;
        let rules = Arc::clone(&self.rules);
        for index in (0..end).rev() {
            let node = &network.nodes[index];
            if !node.varies || matches!(node.op, Op::Reshape(_) | Op::Input(_)) {
                continue;
            }
            let cotangent = std::mem::take(&mut self.cotangents[node.slot]);
            self.account(node.slot, &cotangent, &mut sums);
            match &rules[index] {
                Rule::Unary(function) => self.through_unary(NodeId(index), *function, &cotangent, &mut sums),
                Rule::Product => self.through_product(NodeId(index), &cotangent, &mut sums),
                Rule::Affine(_) => self.through_affine(NodeId(index), &cotangent, &mut sums),
                Rule::Extremum | Rule::Ends => match &node.op {
                    Op::Softmax(op @ Softmax { log: false, .. }) => {
                        self.through_softmax(node, op, &cotangent, &mut sums);
                    }
                    _ => self.through_constant(NodeId(index), &cotangent, &mut sums),
                },
                Rule::Leaf => {}
            }
            self.cotangents[node.slot] = cotangent;
        }
        self.concretise(count, &sums, bounds);
    }

    /// Rounding of the coefficients that were added up at a value: one addition for each use.
    fn account(&self, slot: usize, cotangent: &[f64], sums: &mut Sums) {
        let unit = gamma(self.uses[slot]);
        for (i, row) in cotangent.chunks_exact(LANES).enumerate() {
            let size = unit * magnitude_of(self.lower[slot][i], self.upper[slot][i]);
            for (r, c) in sums.rounding.iter_mut().zip(row) {
                *r += times(c.abs(), size);
            }
        }
    }

    fn through_unary(&mut self, id: NodeId, function: UnaryFunction, cotangent: &[f64], sums: &mut Sums) {
        let node = self.network.node(id);
        let from = self.network.node(node.inputs[0]).slot;
        for i in 0..self.lower[from].len() {
            let (under, over) = relax::lines(function, self.lower[from][i], self.upper[from][i]);
            let target = &mut self.cotangents[from][i * LANES..][..LANES];
            for lane in 0..LANES {
                let c = cotangent[i * LANES + lane];
                let line = if c >= 0.0 { under } else { over };
                target[lane] += times(c, line.slope);
                let shift = times(c, line.shift);
                sums.constant[lane] += shift;
                sums.absolute[lane] += shift.abs();
            }
        }
    }

    fn through_affine(&mut self, id: NodeId, cotangent: &[f64], sums: &mut Sums) {
        let node = self.network.node(id);
        let rules = Arc::clone(&self.rules);
        let Rule::Affine(rule) = &rules[id.0] else { return };
        // Σ_i |A_i| (|W| H + |b|)_i bounds what the rounding of A W and A b can change.
        let sizes = rule.magnitude.as_ref().map(|magnitude| {
            let from = self.network.node(node.inputs[0]).slot;
            let mut values = self.temporary[from].clone();
            for (v, (&l, &u)) in values.iter_mut().zip(self.lower[from].iter().zip(&self.upper[from])) {
                *v = magnitude_of(l, u);
            }
            (magnitude, from, values)
        });
        if let Some((magnitude, from, values)) = sizes {
            let unit = gamma(rule.terms);
            self.temporary[from] = values;
            let mut sizes = vec![0.0; self.lower[node.slot].len()];
            let operands =
                Operands { nodes: &self.network.nodes, inputs: &node.inputs, values: &self.temporary };
            let mut pass = Pass { lanes: 1, scratch: &mut self.scratch, surrogate: Surrogate::exact() };
            magnitude.forward(operands, &mut sizes, &mut pass);
            for (row, size) in cotangent.chunks_exact(LANES).zip(sizes) {
                for (r, c) in sums.rounding.iter_mut().zip(row) {
                    *r += unit * times(c.abs(), size);
                }
            }
        }
        for (row, &b) in cotangent.chunks_exact(LANES).zip(&rule.at_zero) {
            if b != 0.0 {
                for lane in 0..LANES {
                    sums.constant[lane] += row[lane] * b;
                    sums.absolute[lane] += (row[lane] * b).abs();
                }
            }
        }
        let operands = Operands { nodes: &self.network.nodes, inputs: &node.inputs, values: &self.temporary };
        let result = View { shape: &node.shape, data: &self.lower[node.slot] };
        let mut gradients =
            Gradients { network: self.network, inputs: &node.inputs, buffers: &mut self.cotangents };
        let mut pass = Pass { lanes: LANES, scratch: &mut self.scratch, surrogate: Surrogate::exact() };
        node.op.vjp(operands, result, cotangent, &mut gradients, &mut pass);
    }

    /// A node without lines: its interval's ends.
    fn through_constant(&mut self, id: NodeId, cotangent: &[f64], sums: &mut Sums) {
        let slot = self.network.node(id).slot;
        for (i, row) in cotangent.chunks_exact(LANES).enumerate() {
            for lane in 0..LANES {
                let c = row[lane];
                let value = times(c, if c >= 0.0 { self.lower[slot][i] } else { self.upper[slot][i] });
                sums.constant[lane] += value;
                sums.absolute[lane] += value.abs();
            }
        }
    }

    /// The least value of each row over the input box.
    fn concretise(&self, count: usize, sums: &Sums, bounds: &mut Vec<LinearBound>) {
        let dimensions: usize = self.network.input_len();
        for lane in 0..count {
            let (mut least, mut absolute) = (sums.constant[lane], sums.absolute[lane]);
            let mut slopes = Vec::with_capacity(dimensions);
            for &id in &self.network.inputs {
                let slot = self.network.node(id).slot;
                for i in 0..self.lower[slot].len() {
                    let c = self.cotangents[slot][i * LANES + lane];
                    let term = times(c, if c >= 0.0 { self.lower[slot][i] } else { self.upper[slot][i] });
                    least += term;
                    absolute += times(c.abs(), magnitude_of(self.lower[slot][i], self.upper[slot][i]));
                    slopes.push(c);
                }
            }
            // Terms of the constant: at most three for each value of the network (a quotient), one for each input.
            let terms = 3 * self.lower.iter().map(Vec::len).sum::<usize>() + dimensions;
            let rounding = gamma(terms) * absolute + 1.01 * sums.rounding[lane];
            let least = super::below(least - rounding);
            let least = if least.is_nan() { f64::NEG_INFINITY } else { least };
            bounds.push(LinearBound { least, slopes });
        }
    }
}
