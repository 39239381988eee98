//! Bounds of a network's values over a box of inputs, for the search.
//!
//! No verdict rests on them: what they exclude becomes a certificate, whose judge ([`certificate`](crate::certificate)) knows every
//! rounding of the network and shares nothing with them. Two kinds, both in double precision and widened by what rounding does
//! where it matters most: intervals, propagated forwards (`interval`), and linear bounds, propagated backwards from rows of the
//! output to the inputs (`linear`; CROWN, Zhang et al. 2018, and DeepPoly, Singh et al. 2019). The backward bounds
//! also tighten the intervals of the pre-activations, layer by layer.
//!
//! Where a value has no finite bound (a quotient by an interval around zero), its ends are infinite, and a row that
//! needs it is bounded by −∞. NaN never stands for an end.
//!
//! Rounding: a sum of `n` products computed in any order differs from the exact one by at most
//! `γ_n · Σ |terms|` with `γ_n = n·u / (1 − n·u)`, `u = 2⁻⁵³` (Higham, Accuracy and Stability, section 3.1). Every
//! operator with weights therefore has a twin with their absolute values, which bounds `Σ |terms|`.

mod ends;
mod interval;
mod linear;
mod multipliers;
mod passes;
mod product;
mod range;
mod relax;
mod softmax;

use std::sync::Arc;

pub use interval::{Phases, Tightening};
pub use linear::{BoundRow, LinearBound};
pub use multipliers::{MultiplierEffort, Multipliers, Neuron, Phase, Snapshot};

use crate::onnx::ElementType;

use crate::network::op::{Affine, BinaryFunction, Op, Operands, Pass, UnaryFunction};
use crate::network::{Network, Node, NodeId, Surrogate, shape};
use product::Products;

/// Why no bounds can be had: an operator without a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there are no sound bounds for node {node}")]
pub struct NotSupported {
    /// The node.
    pub node: String,
}

/// What the network's own rounding adds to the unit of a sum: with it the search seldom proves what the judge of `unsat`, which
/// knows every rounding, does not confirm.
fn own_rounding(element: ElementType, terms: usize) -> f64 {
    let unit = match element {
        ElementType::Float16 => 4.9e-4,
        ElementType::BFloat16 => 4e-3,
        ElementType::Float32 => 6e-8,
        _ => 0.0,
    };
    (terms + 5) as f64 * unit
}

/// `γ_n` with room for the few operations around a sum.
fn gamma(terms: usize) -> f64 {
    (terms + 8) as f64 * (1.01 * f64::EPSILON / 2.0)
}

/// How a node is bounded.
#[derive(Debug, Clone)]
enum Rule {
    /// An input or a constant.
    Leaf,
    /// A function of one number.
    Unary(UnaryFunction),
    /// Largest or smallest of several numbers: the operator itself, applied to the ends.
    Extremum,
    /// A product or quotient, or a matrix product.
    Product,
    /// An operator that has intervals only.
    Ends,
    /// An affine function of its varying operands.
    Affine(Box<AffineRule>),
}

/// What is precomputed of an affine node.
#[derive(Debug, Clone)]
struct AffineRule {
    /// Its value where all varying operands are zero.
    at_zero: Vec<f64>,
    /// The same operator with absolute weights, and no bias.
    magnitude: Option<Op<f64>>,
    /// What a sum may be off by, in units of the absolute values of its terms.
    unit: f64,
}

/// What bounds need of a network, whatever the box: computed once, shared by all that bound it.
#[derive(Debug, Clone)]
pub struct Prepared {
    rules: Arc<Vec<Rule>>,
    uses: Arc<Vec<usize>>,
}

/// Computes bounds of one network; keeps its memory from box to box.
#[derive(Debug, Clone)]
pub struct Bounder<'n> {
    network: &'n Network<f64>,
    rules: Arc<Vec<Rule>>,
    /// How many nodes use each slot.
    uses: Arc<Vec<usize>>,
    /// Multiplications of the nodes before each one, and of all.
    work: Vec<usize>,
    /// How many values there are.
    values: usize,
    /// Interval ends, one buffer a slot.
    lower: Vec<Vec<f64>>,
    upper: Vec<Vec<f64>>,
    /// The lines around bending functions, by node and number.
    lines: Vec<Vec<relax::Lines>>,
    /// What the sums of affine nodes may be off by, by node and number: right for smaller boxes, too.
    rounding: Vec<Vec<f64>>,
    scratch: Vec<f64>,
    temporary: Vec<Vec<f64>>,
    cotangents: Vec<Vec<f64>>,
    /// The lines of one node, with what was chosen.
    bends: Vec<passes::NeuronRelaxation>,
    swept: usize,
}

impl<'n> Bounder<'n> {
    /// Prepares a network.
    ///
    /// # Errors
    /// [`NotSupported`] names the first node without a rule.
    pub fn new(network: &'n Network<f64>) -> Result<Self, NotSupported> {
        let mut uses = vec![0; network.slots];
        for node in &network.nodes {
            node.inputs.iter().for_each(|&id| uses[network.node(id).slot] += 1);
        }
        let mut bounder = Self::with(network, Arc::default(), Arc::new(uses));
        let mut rules = Vec::with_capacity(network.nodes.len());
        for (index, node) in network.nodes.iter().enumerate() {
            let rule = bounder.rule(NodeId(index)).ok_or_else(|| NotSupported { node: node.name.clone() })?;
            rules.push(rule);
        }
        bounder.rules = Arc::new(rules);
        Ok(bounder)
    }

    /// A bounder with buffers of its own that shares what was prepared for the same network.
    pub fn resume(network: &'n Network<f64>, prepared: &Prepared) -> Self {
        Self::with(network, Arc::clone(&prepared.rules), Arc::clone(&prepared.uses))
    }

    /// What was computed from the network alone.
    pub fn prepared(&self) -> Prepared {
        Prepared { rules: Arc::clone(&self.rules), uses: Arc::clone(&self.uses) }
    }

    fn with(network: &'n Network<f64>, rules: Arc<Vec<Rule>>, uses: Arc<Vec<usize>>) -> Self {
        let mut ends = vec![Vec::new(); network.slots];
        for node in &network.nodes {
            match &node.op {
                Op::Constant(constant) => ends[node.slot].clone_from(&constant.data),
                _ => ends[node.slot].resize(node.len(), 0.0),
            }
        }
        let work = network.nodes.iter().scan(0, |sum, node| {
            *sum += node.op.multiplications(&node.shape);
            Some(*sum)
        });
        Self {
            network,
            rules,
            uses,
            work: std::iter::once(0).chain(work).collect(),
            values: ends.iter().map(Vec::len).sum(),
            lower: ends.clone(),
            upper: ends.clone(),
            lines: vec![Vec::new(); network.nodes.len()],
            rounding: vec![Vec::new(); network.nodes.len()],
            temporary: ends,
            scratch: Vec::new(),
            cotangents: vec![Vec::new(); network.slots],
            bends: Vec::new(),
            swept: 0,
        }
    }

    fn rule(&mut self, id: NodeId) -> Option<Rule> {
        let node = self.network.node(id);
        if !node.varies || matches!(node.op, Op::Input(_) | Op::Reshape(_)) {
            return Some(Rule::Leaf);
        }
        match &node.op {
            op if op.wraps().is_some() => return None,
            Op::Unary(op) => return range::is_bounded(op.0).then_some(Rule::Unary(op.0)),
            Op::Binary(op) if op.0 == BinaryFunction::Mul && self.is_square(node) => {
                return Some(Rule::Unary(UnaryFunction::Power { exponent: 2.0 }));
            }
            op if op.is_extremum() => return Some(Rule::Extremum),
            _ if Products::of(self.network, node).is_some() => return Some(Rule::Product),
            Op::Binary(op) if op.0 == BinaryFunction::Add || self.is_difference(node) => {}
            op if ends::has_ends(op) => return Some(Rule::Ends),
            op if !op.is_affine() => return None,
            _ => {}
        }
        let (magnitude, terms) = magnitude(&node.op, &self.network.node(node.inputs[0]).shape)?;
        for operand in node.inputs.iter().map(|&id| self.network.node(id)).filter(|operand| operand.varies) {
            self.temporary[operand.slot].fill(0.0);
        }
        let mut at_zero = vec![0.0; node.len()];
        let operands = Operands { nodes: &self.network.nodes, inputs: &node.inputs, values: &self.temporary };
        let mut pass =
            Pass { lanes: 1, scratch: &mut self.scratch, surrogate: Surrogate::exact(), threads: 1 };
        node.op.forward(operands, &mut at_zero, &mut pass);
        let unit = gamma(terms) + own_rounding(node.element, terms);
        Some(Rule::Affine(Box::new(AffineRule { at_zero, magnitude, unit })))
    }

    /// Whether both operands are the same numbers in the same order.
    fn is_square(&self, node: &Node<f64>) -> bool {
        let [a, b] = [node.inputs[0], node.inputs[1]].map(|id| self.network.node(id));
        a.slot == b.slot && a.shape == b.shape
    }

    /// A subtraction of two different values: the rule runs the operator on one end of each, and the same value
    /// twice would need its slot to hold two numbers at once.
    fn is_difference(&self, node: &Node<f64>) -> bool {
        let [a, b] = [0, 1].map(|i| node.inputs.get(i).map(|&id| self.network.node(id).slot));
        matches!(&node.op, Op::Binary(op) if op.0 == BinaryFunction::Sub) && a != b
    }

    /// The interval of a flat output's value after [`Bounder::intervals`]; `None` beyond the last.
    pub fn interval_of_output(&self, output: usize) -> Option<(f64, f64)> {
        let (slot, at, _) = linear::find(self.network, &self.network.outputs, output)?;
        Some((self.lower[slot][at], self.upper[slot][at]))
    }

    /// The interval of a node's values after [`Bounder::intervals`]: lower and upper ends.
    pub fn interval_of(&self, id: NodeId) -> (&[f64], &[f64]) {
        let slot = self.network.node(id).slot;
        (&self.lower[slot], &self.upper[slot])
    }
}

/// The operator with absolute weights and no bias, and how many products make a sum; `None` for the operator where
/// it only copies, adds or scales single numbers. The outer `None` marks an operator whose weights are not known.
fn magnitude(op: &Op<f64>, operand: &[usize]) -> Option<(Option<Op<f64>>, usize)> {
    Some(match op {
        Op::Affine(affine) => {
            let bias = vec![0.0; affine.bias.len()];
            let magnitude = Affine { matrix: affine.matrix.map(|_, _, x| x.abs()), bias, axis: affine.axis };
            (Some(Op::Affine(magnitude)), affine.matrix.inputs().max(affine.matrix.outputs()))
        }
        Op::Conv(conv) => (Some(Op::Conv(conv.magnitude())), conv.terms()),
        Op::Reduce(reduce) => (Some(op.clone()), *operand.get(reduce.axis)?),
        Op::Reshape(_) | Op::Rearrange(_) | Op::Concat(_) | Op::Binary(_) => (None, 2),
        _ => return None,
    })
}

/// Larger of the two absolute values.
fn magnitude_of(lower: f64, upper: f64) -> f64 {
    lower.abs().max(upper.abs())
}

/// Number of values of a node.
fn len_of(network: &Network<f64>, id: NodeId) -> usize {
    shape::len(&network.node(id).shape)
}

/// `x` less a few units in the last place: below what a library function rounded to it.
fn below(x: f64) -> f64 {
    x - (x.abs() * 4.0 * f64::EPSILON + f64::MIN_POSITIVE)
}

/// `x` and a few units in the last place.
fn above(x: f64) -> f64 {
    -below(-x)
}

#[cfg(test)]
mod tests;
