//! Interval bounds, forwards through the network.

use std::sync::Arc;

use super::range::{EVERYTHING, range};
use super::{Bounder, Rule, above, below};
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
        self.swept = 0;
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
                    let open = tightening == Tightening::OpenPhases && frozen::bends(*function);
                    if open && !self.tighten(node.inputs[0], keep_going) {
                        return false;
                    }
                    self.unary(node, *function);
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

    /// Infinities that met leave nothing that is known.
    fn replace_nan(&mut self, slot: usize) {
        for (l, u) in self.lower[slot].iter_mut().zip(&mut self.upper[slot]) {
            if l.is_nan() || u.is_nan() {
                (*l, *u) = EVERYTHING;
            }
        }
    }

    fn unary(&mut self, node: &Node<f64>, function: UnaryFunction) {
        let from = self.network.node(node.inputs[0]).slot;
        for i in 0..self.lower[node.slot].len() {
            let (low, high) = range(function, self.lower[from][i], self.upper[from][i]);
            self.lower[node.slot][i] = low;
            self.upper[node.slot][i] = high;
        }
    }

    /// Applies the operator to all lower ends and to all upper ends: right for what grows with its operands.
    fn run_both(&mut self, node: &Node<f64>) {
        for buffers in [&mut self.lower, &mut self.upper] {
            let mut output = std::mem::take(&mut buffers[node.slot]);
            let operands = Operands { nodes: &self.network.nodes, inputs: &node.inputs, values: buffers };
            let mut pass = Pass { lanes: 1, scratch: &mut self.scratch, surrogate: Surrogate::exact() };
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
        // Centre and radius: |W x + b − fl(W c + b)| ≤ |W| (r + γ |c|) + γ |b|.
        let mut centre = std::mem::take(&mut self.temporary[from]);
        for (c, (&l, &u)) in centre.iter_mut().zip(self.lower[from].iter().zip(&self.upper[from])) {
            *c = l * 0.5 + u * 0.5;
        }
        self.temporary[from] = centre;
        let middle = self.run(node, &node.op);
        for i in 0..self.temporary[from].len() {
            let c = self.temporary[from][i];
            let radius = (self.upper[from][i] - c).max(c - self.lower[from][i]);
            self.temporary[from][i] = above(radius) + terms * c.abs();
        }
        let radius = self.run(node, magnitude);
        for i in 0..middle.len() {
            let r = radius[i] * (1.0 + 2.0 * terms) + 2.0 * terms * rule.at_zero[i].abs();
            self.lower[node.slot][i] = below(middle[i] - r);
            self.upper[node.slot][i] = above(middle[i] + r);
        }
    }

    fn run(&self, node: &Node<f64>, op: &Op<f64>) -> Vec<f64> {
        let mut output = vec![0.0; self.lower[node.slot].len()];
        let operands = Operands { nodes: &self.network.nodes, inputs: &node.inputs, values: &self.temporary };
        let mut scratch = Vec::new();
        let mut pass = Pass { lanes: 1, scratch: &mut scratch, surrogate: Surrogate::exact() };
        op.forward(operands, &mut output, &mut pass);
        output
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
