//! Interval bounds, forwards through the network.

use std::sync::Arc;

use super::multipliers::leak;
use super::range::{EVERYTHING, range};
use super::relax::lines;
use super::{AffineRule, Bounder, Rule, above, below, magnitude_of};
use crate::network::op::{BinaryFunction, Op, Operands, Pass, UnaryFunction};
use crate::network::{Node, NodeId, Surrogate, frozen};

/// Whether the intervals of pre-activations are tightened by linear bounds on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tightening {
    /// Intervals alone.
    None,
    /// Every neuron whose phase the intervals leave open.
    OpenPhases,
}

/// Phases of neurons that are decided in a box, two bits a neuron: they are so in every part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Phases {
    bits: Vec<u64>,
}

/// Neurons of networks whose phases are handed on: a quarter of a byte each, of every box that waits.
const MOST_NEURONS: usize = 8192;

impl Phases {
    /// Whether the neuron's pre-activation is at least zero, and at most zero.
    fn of(&self, neuron: usize) -> [bool; 2] {
        let word = self.bits.get(neuron / 32).copied().unwrap_or(0) >> (2 * (neuron % 32));
        [word & 1 != 0, word & 2 != 0]
    }

    fn push(&mut self, neuron: usize, [active, inactive]: [bool; 2]) {
        self.bits.resize(neuron / 32 + 1, 0);
        let bits = u64::from(active) | u64::from(inactive) << 1;
        self.bits[neuron / 32] |= bits << (2 * (neuron % 32));
    }
}

impl Bounder<'_> {
    /// Bounds all values over the box `lower ≤ x ≤ upper` of flat inputs. Tightening a large network takes long:
    /// `keep_going` is asked now and then, and once it says no, the answer is `false` and there are no bounds.
    pub fn intervals(
        &mut self,
        lower: &[f64],
        upper: &[f64],
        tightening: Tightening,
        keep_going: &dyn Fn() -> bool,
    ) -> bool {
        self.intervals_within(&Phases::default(), lower, upper, tightening, keep_going)
    }

    /// The same in a box that lies in another one: the phases that are decided there need not be found again.
    pub fn intervals_within(
        &mut self,
        known: &Phases,
        lower: &[f64],
        upper: &[f64],
        tightening: Tightening,
        keep_going: &dyn Fn() -> bool,
    ) -> bool {
        self.swept = 0;
        let mut neurons = 0;
        let mut at = 0;
        for &id in &self.network.inputs {
            let slot = self.network.node(id).slot;
            let len = self.lower[slot].len();
            self.lower[slot].copy_from_slice(&lower[at..at + len]);
            self.upper[slot].copy_from_slice(&upper[at..at + len]);
            at += len;
        }
        let network = self.network;
        let rules = Arc::clone(&self.rules);
        for (index, node) in network.nodes.iter().enumerate() {
            match &rules[index] {
                Rule::Leaf => {}
                Rule::Unary(function) => {
                    let bends = frozen::bends(*function);
                    if bends {
                        self.take_phases(known, node.inputs[0], &mut neurons);
                    }
                    let open = tightening == Tightening::OpenPhases && bends;
                    if open && !self.tighten(node.inputs[0], keep_going) {
                        return false;
                    }
                    self.unary(NodeId(index), *function);
                }
                Rule::Product => self.product(node),
                Rule::Ends => self.ends(node),
                Rule::Extremum => {
                    self.run_both(node);
                }
                Rule::Affine(_) => self.affine(NodeId(index)),
            }
            self.replace_nan(node.slot);
        }
        true
    }

    fn take_phases(&mut self, known: &Phases, operand: NodeId, neurons: &mut usize) {
        let slot = self.network.node(operand).slot;
        let ends = self.lower[slot].iter_mut().zip(&mut self.upper[slot]);
        for (neuron, (low, high)) in (*neurons..).zip(ends).filter(|_| !known.bits.is_empty()) {
            let [active, inactive] = known.of(neuron);
            // Rounding may have moved the other end past zero.
            if active {
                (*low, *high) = (low.max(0.0), high.max(0.0));
            }
            if inactive {
                (*low, *high) = (low.min(0.0), high.min(0.0));
            }
        }
        *neurons += self.lower[slot].len();
    }

    /// The phases that are decided in the box. None of large networks, and none where something else than phases bends:
    /// a neuron whose phase is known is not tightened again, and intervals that are looser for it would loosen, say, the lines
    /// around a sigmoid behind it.
    pub fn phases(&self) -> Phases {
        let mut phases = Phases::default();
        let is_exact = |rule: &Rule| match rule {
            Rule::Leaf | Rule::Affine(_) => true,
            Rule::Unary(function) => leak(*function).is_some(),
            Rule::Extremum | Rule::Product | Rule::Ends => false,
        };
        if !self.rules.iter().all(is_exact) {
            return phases;
        }
        let mut neurons = 0;
        for (node, rule) in self.network.nodes.iter().zip(self.rules.iter()) {
            let Rule::Unary(function) = rule else { continue };
            if !frozen::bends(*function) {
                continue;
            }
            let (lower, upper) = self.interval_of(node.inputs[0]);
            for (low, high) in lower.iter().zip(upper) {
                if neurons == MOST_NEURONS {
                    return Phases::default();
                }
                phases.push(neurons, [*low >= 0.0, *high <= 0.0]);
                neurons += 1;
            }
        }
        phases
    }

    /// Infinities that met leave nothing that is known.
    fn replace_nan(&mut self, slot: usize) {
        for (l, u) in self.lower[slot].iter_mut().zip(&mut self.upper[slot]) {
            if l.is_nan() || u.is_nan() {
                (*l, *u) = EVERYTHING;
            }
        }
    }

    fn unary(&mut self, id: NodeId, function: UnaryFunction) {
        let node = self.network.node(id);
        let from = self.network.node(node.inputs[0]).slot;
        let mut around = std::mem::take(&mut self.lines[id.0]);
        around.clear();
        for i in 0..self.lower[node.slot].len() {
            let (from_low, from_high) = (self.lower[from][i], self.upper[from][i]);
            let (low, high) = range(function, from_low, from_high);
            self.lower[node.slot][i] = low;
            self.upper[node.slot][i] = high;
            around.push(lines(function, from_low, from_high));
        }
        self.lines[id.0] = around;
    }

    /// Applies the operator to all lower ends and to all upper ends: right for what grows with its operands.
    fn run_both(&mut self, node: &Node<f64>) {
        for buffers in [&mut self.lower, &mut self.upper] {
            let mut output = std::mem::take(&mut buffers[node.slot]);
            let operands = Operands { nodes: &self.network.nodes, inputs: &node.inputs, values: buffers };
            let mut pass =
                Pass { lanes: 1, scratch: &mut self.scratch, surrogate: Surrogate::exact(), threads: 1 };
            node.op.forward(operands, &mut output, &mut pass);
            buffers[node.slot] = output;
        }
    }

    fn affine(&mut self, id: NodeId) {
        let network = self.network;
        let node = network.node(id);
        let rules = Arc::clone(&self.rules);
        let Rule::Affine(rule) = &rules[id.0] else { return };
        let Some(magnitude) = &rule.magnitude else { return self.simple(node) };
        let terms = rule.unit;
        let from = network.node(node.inputs[0]).slot;
        let ends = |bounder: &Self, i: usize| (bounder.lower[from][i], bounder.upper[from][i]);
        let centre = |(low, high): (f64, f64)| low * 0.5 + high * 0.5;
        let width = self.temporary[from].len();
        // Centre and radius: |W x + b − fl(W c + b)| ≤ |W| (r + γ |c|) + γ |b|.
        for i in 0..width {
            self.temporary[from][i] = centre(ends(self, i));
        }
        let mut middle = std::mem::take(&mut self.lower[node.slot]);
        self.run(node, &node.op, &mut middle);
        for i in 0..width {
            let (low, high) = ends(self, i);
            let c = centre((low, high));
            self.temporary[from][i] = above((high - c).max(c - low)) + terms * c.abs();
        }
        let mut radius = std::mem::take(&mut self.upper[node.slot]);
        self.run(node, magnitude, &mut radius);
        for i in 0..middle.len() {
            let r = radius[i] * (1.0 + 2.0 * terms) + 2.0 * terms * rule.at_zero[i].abs();
            (middle[i], radius[i]) = (below(middle[i] - r), above(middle[i] + r));
        }
        (self.lower[node.slot], self.upper[node.slot]) = (middle, radius);
        self.price(id, magnitude, rule);
    }

    /// What sweeps are charged at an affine node: `(|W| H + |b|)` bounds what the rounding of `W x + b` can change, where `H` is how
    /// large its operand's values may be.
    fn price(&mut self, id: NodeId, magnitude: &Op<f64>, rule: &AffineRule) {
        let node = self.network.node(id);
        let from = self.network.node(node.inputs[0]).slot;
        let ends = self.lower[from].iter().zip(&self.upper[from]);
        for (value, (&low, &high)) in self.temporary[from].iter_mut().zip(ends) {
            *value = magnitude_of(low, high);
        }
        let mut sizes = std::mem::take(&mut self.rounding[id.0]);
        sizes.resize(node.len(), 0.0);
        self.run(node, magnitude, &mut sizes);
        for (size, bias) in sizes.iter_mut().zip(&rule.at_zero) {
            *size = rule.unit * (*size + bias.abs());
        }
        self.rounding[id.0] = sizes;
    }

    /// Applies an operator to the temporary values.
    fn run(&mut self, node: &Node<f64>, op: &Op<f64>, output: &mut [f64]) {
        let operands = Operands { nodes: &self.network.nodes, inputs: &node.inputs, values: &self.temporary };
        let mut pass =
            Pass { lanes: 1, scratch: &mut self.scratch, surrogate: Surrogate::exact(), threads: 1 };
        op.forward(operands, output, &mut pass);
    }

    /// Operators that copy, add or scale single numbers: run on the ends, swapped where they fall.
    fn simple(&mut self, node: &Node<f64>) {
        if let Op::Binary(op) = &node.op {
            match op.0 {
                BinaryFunction::Sub => {
                    let second = self.network.node(node.inputs[1]).slot;
                    std::mem::swap(&mut self.lower[second], &mut self.upper[second]);
                    self.run_both(node);
                    std::mem::swap(&mut self.lower[second], &mut self.upper[second]);
                }
                _ => self.run_both(node),
            }
            let (lower, upper) = (&mut self.lower[node.slot], &mut self.upper[node.slot]);
            for (l, u) in lower.iter_mut().zip(upper) {
                let (a, b) = (l.min(*u), l.max(*u));
                (*l, *u) = (below(a), above(b));
            }
        } else {
            self.run_both(node);
        }
    }
}
