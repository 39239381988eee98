//! Linear bounds, backwards from rows to the inputs.
//!
//! A row `Σ a · value` is rewritten, node by node from the last to the first, into a row over the inputs that is
//! nowhere larger on the box: affine nodes are substituted exactly, a bending function is replaced by the line below
//! it where its coefficient is positive and by the line above where it is negative. What rounding can change is
//! collected in one number for each row: a coefficient that is off by `δ` changes the row by at most `δ` times the
//! magnitude of the value that it multiplies, and the intervals bound that.

use std::sync::Arc;

use super::multipliers::Multipliers;
use super::passes::NeuronRelaxation;
use super::range::times;
use super::{Bounder, Rule, gamma, len_of, magnitude_of, relax};
use crate::network::backward::Gradients;
use crate::network::op::{Op, Operands, Pass, Softmax, View};
use crate::network::{Network, NodeId, Surrogate};

/// Rows bounded in one sweep, at most.
const LANES: usize = 32;
/// A sweep with so many rows or fewer is done in this many lanes: a property has one row or two, and 32 lanes of
/// which 30 are empty cost eight times as much.
const FEW: usize = 4;

/// `Σ coefficient · input + Σ coefficient · output`, by flat indices: what is to be bounded from below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundRow<'r> {
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
pub(super) struct SweepSums<const L: usize> {
    pub(super) constant: [f64; L],
    /// `Σ |terms|` of the constant, and what the coefficients' rounding can change.
    pub(super) absolute: [f64; L],
    pub(super) rounding: [f64; L],
}

impl<const L: usize> SweepSums<L> {
    fn new() -> Self {
        Self { constant: [0.0; L], absolute: [0.0; L], rounding: [0.0; L] }
    }
}

impl Bounder<'_> {
    /// Bounds rows over the box of the last [`Bounder::intervals`].
    pub fn rows(&mut self, rows: &[BoundRow<'_>]) -> Vec<LinearBound> {
        let mut bounds = Vec::with_capacity(rows.len());
        for part in rows.chunks(LANES) {
            match part.len() {
                1 => self.some_rows::<1>(part, None, &mut bounds),
                2..=FEW => self.some_rows::<FEW>(part, None, &mut bounds),
                _ => self.some_rows::<LANES>(part, None, &mut bounds),
            }
        }
        for (row, bound) in rows.iter().zip(&mut bounds) {
            bound.least = bound.least.max(self.by_intervals(row));
        }
        bounds
    }

    /// Bounds at most `L` rows.
    pub(super) fn some_rows<const L: usize>(
        &mut self,
        rows: &[BoundRow<'_>],
        multipliers: Option<&Multipliers>,
        bounds: &mut Vec<LinearBound>,
    ) {
        let network = self.network;
        self.clear(network.nodes.len(), L);
        let mut sums = SweepSums::<L>::new();
        for (lane, row) in rows.iter().enumerate() {
            for (ids, terms) in [(&network.inputs, row.inputs), (&network.outputs, row.outputs)] {
                for &(index, coefficient) in terms {
                    let Some((slot, at, varies)) = find(network, ids, index) else { continue };
                    if varies {
                        self.cotangents[slot][at * L + lane] += coefficient;
                    } else {
                        let constant = coefficient * self.lower[slot][at];
                        sums.constant[lane] += constant;
                        sums.absolute[lane] += constant.abs();
                    }
                }
            }
        }
        self.sweep(network.nodes.len(), &mut sums, multipliers);
        for lane in 0..rows.len() {
            let mut slopes = Vec::with_capacity(network.input_len());
            let least = self.least(lane, &sums, |slope| slopes.push(slope));
            bounds.push(LinearBound { least, slopes });
        }
    }

    /// A row's bound by the intervals of its values alone: the lines of a function may be looser than its range.
    pub(super) fn by_intervals(&self, row: &BoundRow<'_>) -> f64 {
        let (mut least, mut absolute) = (0.0, 0.0);
        for (ids, terms) in [(&self.network.inputs, row.inputs), (&self.network.outputs, row.outputs)] {
            for &(i, c) in terms {
                let Some((slot, at, _)) = find(self.network, ids, i) else { continue };
                let term = times(c, if c >= 0.0 { self.lower[slot][at] } else { self.upper[slot][at] });
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
            self.clear(operand.0 + 1, LANES);
            for (pair, &neuron) in part.iter().enumerate() {
                self.cotangents[slot][neuron * LANES + 2 * pair] = 1.0;
                self.cotangents[slot][neuron * LANES + 2 * pair + 1] = -1.0;
            }
            let mut sums = SweepSums::<LANES>::new();
            self.sweep(operand.0 + 1, &mut sums, None);
            bounds.extend((0..2 * part.len()).map(|lane| self.least(lane, &sums, |_| {})));
        }
        for (&neuron, pair) in neurons.iter().zip(bounds.chunks_exact(2)) {
            let (low, high) = (&mut self.lower[slot][neuron], &mut self.upper[slot][neuron]);
            *low = low.max(pair[0]);
            *high = high.min(-pair[1]);
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

    fn clear(&mut self, end: usize, lanes: usize) {
        for node in &self.network.nodes[..end] {
            if node.varies {
                let buffer = &mut self.cotangents[node.slot];
                buffer.clear();
                buffer.resize(self.lower[node.slot].len() * lanes, 0.0);
            }
        }
    }

    fn sweep<const L: usize>(
        &mut self,
        end: usize,
        sums: &mut SweepSums<L>,
        multipliers: Option<&Multipliers>,
    ) {
        let network = self.network;
        // A single row costs as much as two: the loops over it have nothing to vectorise.
        self.swept += self.work[end] * L.max(2);
        let rules = Arc::clone(&self.rules);
        for index in (0..end).rev() {
            let node = &network.nodes[index];
            if !node.varies || matches!(node.op, Op::Reshape(_) | Op::Input(_)) {
                continue;
            }
            let cotangent = std::mem::take(&mut self.cotangents[node.slot]);
            self.account(node.slot, &cotangent, sums);
            match &rules[index] {
                Rule::Unary(_) => self.through_unary(NodeId(index), &cotangent, sums, multipliers),
                Rule::Product => self.through_product(NodeId(index), &cotangent, sums),
                Rule::Affine(_) => self.through_affine(NodeId(index), &cotangent, sums),
                Rule::Extremum | Rule::Ends => match &node.op {
                    Op::Softmax(op @ Softmax { log: false, .. }) => {
                        self.through_softmax(node, op, &cotangent, sums);
                    }
                    // A node without lines: its interval's ends.
                    _ => sums.settle(&cotangent, &self.lower[node.slot], &self.upper[node.slot]),
                },
                Rule::Leaf => {}
            }
            self.cotangents[node.slot] = cotangent;
        }
    }

    /// Rounding of the coefficients that were added up at a value: one addition for each use, and one more where a
    /// decided phase pushes it.
    fn account<const L: usize>(&self, slot: usize, cotangent: &[f64], sums: &mut SweepSums<L>) {
        let unit = gamma(self.uses[slot] + 1);
        let ends = self.lower[slot].iter().zip(&self.upper[slot]);
        sums.add_rounding(cotangent, ends.map(|(&l, &u)| unit * magnitude_of(l, u)));
    }

    /// How a function is replaced at one neuron of a node whose operand lies in the slot `from`.
    pub(super) fn bend_at(
        &self,
        id: NodeId,
        from: usize,
        i: usize,
        multipliers: Option<&Multipliers>,
    ) -> NeuronRelaxation {
        let (low, high) = (self.lower[from][i], self.upper[from][i]);
        let (mut under, over) = self.lines[id.0][i];
        let (slope, push) = multipliers.map_or((None, 0.0), |multipliers| multipliers.at(id, i, low, high));
        if let Some(slope) = slope.filter(|_| low < 0.0 && high > 0.0 && low.is_finite() && high.is_finite())
        {
            under = relax::RelaxationLine { slope, shift: 0.0 };
        }
        NeuronRelaxation { under, over, push }
    }

    fn through_unary<const L: usize>(
        &mut self,
        id: NodeId,
        cotangent: &[f64],
        sums: &mut SweepSums<L>,
        multipliers: Option<&Multipliers>,
    ) {
        let from = self.network.node(self.network.node(id).inputs[0]).slot;
        let mut bends = std::mem::take(&mut self.bends);
        bends.clear();
        let neurons = 0..self.lower[from].len();
        bends.extend(neurons.map(|i| self.bend_at(id, from, i, multipliers)));
        sums.bend(cotangent, &mut self.cotangents[from], &bends);
        self.bends = bends;
    }

    fn through_affine<const L: usize>(&mut self, id: NodeId, cotangent: &[f64], sums: &mut SweepSums<L>) {
        let node = self.network.node(id);
        let rules = Arc::clone(&self.rules);
        let Rule::Affine(rule) = &rules[id.0] else { return };
        if rule.magnitude.is_none() && matches!(node.op, Op::Binary(_)) {
            let ends = self.lower[node.slot].iter().zip(&self.upper[node.slot]);
            sums.add_rounding(cotangent, ends.map(|(&l, &u)| rule.unit * magnitude_of(l, u)));
        }
        if rule.magnitude.is_some() {
            sums.add_rounding(cotangent, self.rounding[id.0].iter().copied());
        }
        sums.add_constants(cotangent, &rule.at_zero);
        let operands = Operands { nodes: &self.network.nodes, inputs: &node.inputs, values: &self.temporary };
        let result = View { shape: &node.shape, data: &self.lower[node.slot] };
        let mut gradients =
            Gradients { network: self.network, inputs: &node.inputs, buffers: &mut self.cotangents };
        let mut pass =
            Pass { lanes: L, scratch: &mut self.scratch, surrogate: Surrogate::exact(), threads: 1 };
        node.op.vjp(operands, result, cotangent, &mut gradients, &mut pass);
    }

    /// The least value over the input box of the row in a lane. Its slopes are handed on one by one.
    fn least<const L: usize>(&self, lane: usize, sums: &SweepSums<L>, mut slope: impl FnMut(f64)) -> f64 {
        let (mut least, mut absolute) = (sums.constant[lane], sums.absolute[lane]);
        for &id in &self.network.inputs {
            let slot = self.network.node(id).slot;
            for (i, (&low, &high)) in self.lower[slot].iter().zip(&self.upper[slot]).enumerate() {
                let c = self.cotangents[slot][i * L + lane];
                least += times(c, if c >= 0.0 { low } else { high });
                absolute += times(c.abs(), magnitude_of(low, high));
                slope(c);
            }
        }
        // Terms of the constant: at most three for each value of the network (a quotient), one for each input.
        let terms = 3 * self.values + self.network.input_len();
        let rounding = gamma(terms) * absolute + 1.01 * sums.rounding[lane];
        let least = super::below(least - rounding);
        if least.is_nan() { f64::NEG_INFINITY } else { least }
    }
}

/// Where a flat index lies: the slot, the place in it, and whether it varies.
pub(super) fn find(network: &Network<f64>, ids: &[NodeId], mut index: usize) -> Option<(usize, usize, bool)> {
    for &id in ids {
        let (len, node) = (len_of(network, id), network.node(id));
        if index < len {
            return Some((node.slot, index, node.varies));
        }
        index -= len;
    }
    None
}
