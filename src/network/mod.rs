//! The fast engine: a network as a list of operators, evaluated for many points at once.
//!
//! # Layout
//! ONNX knows one input at a time; this engine evaluates a *block* of them. A value of ONNX shape `s` is held as
//! an array of shape `s × lanes`: the points of a block are the innermost axis, so that all axes of ONNX keep
//! their numbers, every inner loop runs over contiguous lanes, and for one lane a value is exactly ONNX's
//! row-major tensor. ACAS Xu networks run fastest in blocks of 64 lanes (0.23 µs a point, ONNX Runtime 0.48).
//!
//! A [`Network`] is immutable and shared between threads; a [`Workspace`] holds the values of one block.

pub mod backward;
pub mod build;
pub mod forward;
pub mod frozen;
pub mod import;
pub(crate) mod kernel;
pub mod layered;
pub mod matrix;
pub mod maxima;
pub mod op;
pub mod order;
pub mod real;
pub mod shape;
mod simplify;
pub mod soften;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::BTreeMap;

use crate::onnx::ElementType;
pub use backward::Surrogate;
pub use forward::Workspace;
pub use import::{ImportError, UnsupportedNode, import, import_with_hidden, unsupported};
use op::Op;
pub use real::Real;

/// Index of a node in its network. Operands have smaller indices than the nodes that use them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub usize);

/// One operator application with one result.
#[derive(Debug, Clone)]
pub struct Node<T> {
    /// What it computes.
    pub op: Op<T>,
    /// Its operands.
    pub inputs: Vec<NodeId>,
    /// ONNX shape of the result (without lanes).
    pub shape: Vec<usize>,
    /// Element type that ONNX gives the result; integers and booleans are held as whole numbers of type `T`.
    pub element: ElementType,
    /// The ONNX node it comes from, for messages.
    pub name: String,
    /// Which buffer of a workspace holds the result; reshapes share their operand's.
    pub slot: usize,
    /// Whether the result depends on a network input.
    pub varies: bool,
}

/// A computation graph in topological order.
#[derive(Debug, Clone)]
pub struct Network<T> {
    pub(crate) nodes: Vec<Node<T>>,
    pub(crate) inputs: Vec<NodeId>,
    pub(crate) outputs: Vec<NodeId>,
    pub(crate) slots: usize,
}

impl<T: Real> Network<T> {
    /// All nodes in topological order.
    pub fn nodes(&self) -> &[Node<T>] {
        &self.nodes
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &Node<T> {
        &self.nodes[id.0]
    }

    /// The input nodes; the flat input vector is their row-major values one after the other.
    pub fn inputs(&self) -> &[NodeId] {
        &self.inputs
    }

    /// The output nodes; the flat output vector is their row-major values one after the other.
    pub fn outputs(&self) -> &[NodeId] {
        &self.outputs
    }

    /// Length of the flat input vector.
    pub fn input_len(&self) -> usize {
        self.inputs.iter().map(|&id| self.node(id).len()).sum()
    }

    /// Length of the flat output vector.
    pub fn output_len(&self) -> usize {
        self.outputs.iter().map(|&id| self.node(id).len()).sum()
    }

    /// Values a lane that a workspace holds: what a block of points costs in memory.
    pub fn values_per_lane(&self) -> usize {
        let mut seen = vec![false; self.slots];
        let fresh = |node: &&Node<T>| !std::mem::replace(&mut seen[node.slot], true);
        self.nodes.iter().filter(fresh).map(Node::len).sum()
    }

    /// The number of points a block that is fastest: enough for the vectors, few enough for the caches. Measured from
    /// ACAS Xu to TinyYOLO, forward and with the gradient: 64 is within a tenth of the best for networks of a few
    /// thousand values, 16 for those of a few hundred thousand (64 cost TinyYOLO four times the time of 16), and
    /// beyond that the memory of a block counts for more than its speed.
    ///
    /// What the plain engine computes has no use for a block; of that, a budget is looked at more often.
    pub fn block_lanes(&self) -> usize {
        if self.plain_nodes().next().is_some() {
            return if self.multiplications() < 1_000_000 { 8 } else { 1 };
        }
        match self.values_per_lane() {
            0..=100_000 => 64,
            100_001..=1_500_000 => 16,
            _ => 1,
        }
    }

    /// The nodes that the plain engine computes: point by point, with gradients by differences at best, and without bounds.
    pub fn plain_nodes(&self) -> impl Iterator<Item = &Node<T>> {
        self.nodes.iter().filter(|node| node.varies && matches!(node.op, Op::Plain(_)))
    }

    /// What those nodes stand for: how many of each operator.
    pub fn plain_operators(&self) -> BTreeMap<String, usize> {
        let mut operators = BTreeMap::new();
        for node in self.plain_nodes() {
            if let Op::Plain(plain) = &node.op {
                plain.operators().for_each(|name| *operators.entry(name.to_owned()).or_default() += 1);
            }
        }
        operators
    }

    /// Multiplications a point, roughly: what an evaluation costs in time.
    pub fn multiplications(&self) -> usize {
        let count = |node: &Node<T>| match (&node.op, &node.inputs[..]) {
            (Op::MatMul(_), [left, _]) => node.len() * self.node(*left).shape.last().copied().unwrap_or(1),
            (op, _) => op.multiplications(&node.shape),
        };
        self.nodes.iter().map(count).sum()
    }

    /// Whether a piecewise-constant function (a sign, a rounding, a comparison) of the inputs is part of it, so that
    /// true gradients say little.
    pub fn jumps(&self) -> bool {
        self.jumping_nodes().next().is_some()
    }

    /// The nodes of these functions.
    pub(crate) fn jumping_nodes(&self) -> impl Iterator<Item = &Node<T>> {
        self.nodes.iter().filter(|node| node.varies).filter(|node| match &node.op {
            Op::Unary(op) => op.0.is_piecewise_constant(),
            Op::Binary(op) => op.0.is_piecewise_constant(),
            _ => false,
        })
    }

    /// The same network in another precision.
    pub fn cast<U: Real>(&self) -> Network<U> {
        let node = |node: &Node<T>| Node {
            op: node.op.cast(),
            inputs: node.inputs.clone(),
            shape: node.shape.clone(),
            element: node.element,
            name: node.name.clone(),
            slot: node.slot,
            varies: node.varies,
        };
        Network {
            nodes: self.nodes.iter().map(node).collect(),
            inputs: self.inputs.clone(),
            outputs: self.outputs.clone(),
            slots: self.slots,
        }
    }
}

impl<T> Node<T> {
    /// Number of values of the result for one point.
    pub fn len(&self) -> usize {
        shape::len(&self.shape)
    }

    /// Whether integers of 32 or 64 bits that depend on the inputs may leave their type here.
    pub fn wraps_wide(&self) -> bool
    where
        T: Real,
    {
        self.varies && self.op.wraps().is_some_and(op::Integer::is_wide)
    }

    /// Whether the result has no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
