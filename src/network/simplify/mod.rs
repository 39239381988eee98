//! Graph rewrites that make a network cheaper without changing its outputs beyond rounding: one a file.
//!
//! The network is built anew, node by node. Each node is first offered to the rewrites, which look at the nodes
//! that have been built already (the operands and what lies before them) and may answer with a replacement; the
//! replacement's operators are offered again. A node that is passed by loses a use and disappears with its last.

use super::build::Builder;
use super::op::Op;
use super::real::Real;
use super::shape::{self, Split};
use super::{Network, Node, NodeId};
use crate::onnx::ElementType;

mod affine_chain;
mod conv_scaling;
mod identity;
mod index_maps;
mod reshape;
mod scaling;
mod signs;
#[cfg(test)]
mod tests;

/// The node in question and what has been built before it.
pub(crate) struct RewriteSubject<'a, T> {
    pub(crate) op: &'a Op<T>,
    pub(crate) inputs: &'a [NodeId],
    pub(crate) element: ElementType,
    graph: &'a RewrittenGraph<T>,
}

/// Operators that take the node's place: the first one gets `inputs`, each further one the result before it.
/// Without any, the first input itself takes the place.
pub(crate) struct Replacement<T> {
    pub(crate) inputs: Vec<NodeId>,
    pub(crate) ops: Vec<Op<T>>,
}

/// Looks at one node; `None` where there is nothing to do.
pub(crate) type Rewrite<T> = fn(&RewriteSubject<'_, T>) -> Option<Replacement<T>>;

/// A fuse against rewrites that undo each other: far more steps than any node of a real network takes.
const MOST_STEPS: usize = 64;

/// The rewrites in the order in which they are tried.
fn rewrites<T: Real>() -> [Rewrite<T>; 9] {
    [
        reshape::merge,
        identity::remove,
        signs::merge,
        index_maps::merge,
        index_maps::pass_by,
        index_maps::into_columns,
        scaling::to_affine,
        affine_chain::merge,
        conv_scaling::merge,
    ]
}

/// The network after all rewrites.
pub fn simplify<T: Real>(network: Network<T>) -> Network<T> {
    simplify_with(network, &rewrites())
}

/// The network after the given rewrites.
pub(crate) fn simplify_with<T: Real>(network: Network<T>, rewrites: &[Rewrite<T>]) -> Network<T> {
    let mut uses = vec![0usize; network.nodes.len()];
    let edges = network.nodes.iter().flat_map(|node| &node.inputs).chain(&network.outputs);
    edges.for_each(|id| uses[id.0] += 1);
    let mut graph = RewrittenGraph { builder: Builder::default(), uses: Vec::new() };
    let mut ids = Vec::with_capacity(network.nodes.len());
    for (node, &uses) in network.nodes.iter().zip(&uses) {
        let inputs: Vec<NodeId> = node.inputs.iter().map(|id| ids[id.0]).collect();
        match graph.emit(node, node.op.clone(), inputs, rewrites, MOST_STEPS) {
            Some(id) => {
                graph.uses[id.0] += uses;
                ids.push(id);
            }
            // A rewrite made operators that do not fit: its mistake, and the network is as good without it.
            None => return network,
        }
    }
    let outputs = network.outputs.iter().map(|id| ids[id.0]).collect();
    graph.builder.finish(outputs)
}

struct RewrittenGraph<T> {
    builder: Builder<T>,
    /// For each node built: uses by nodes that are still to come, and by live nodes that have come.
    uses: Vec<usize>,
}

impl<T: Real> RewrittenGraph<T> {
    /// Builds a node or what takes its place; the result has no uses yet.
    fn emit(
        &mut self,
        origin: &Node<T>,
        op: Op<T>,
        inputs: Vec<NodeId>,
        rewrites: &[Rewrite<T>],
        steps: usize,
    ) -> Option<NodeId> {
        let subject = RewriteSubject { op: &op, inputs: &inputs, element: origin.element, graph: self };
        let found = if steps == 0 { None } else { rewrites.iter().find_map(|rewrite| rewrite(&subject)) };
        let Some(Replacement { inputs: sources, ops }) = found else {
            let id = match op {
                Op::Input(shape) => self.builder.input(&origin.name, origin.element, shape),
                op => self.builder.push(&origin.name, op, &inputs, origin.element),
            };
            self.uses.resize(self.uses.len() + 1, 0);
            return id.ok();
        };
        sources.iter().for_each(|id| self.uses[id.0] += 1);
        inputs.iter().for_each(|&id| self.release(id));
        let mut last = *sources.first()?;
        if ops.is_empty() {
            // The node that takes the place is used by whoever uses the place, not by the place.
            self.uses[last.0] -= 1;
        }
        let mut operands = sources;
        let count = ops.len();
        for (i, op) in ops.into_iter().enumerate() {
            last = self.emit(origin, op, operands, rewrites, steps - 1)?;
            // The next operator is this one's use; the last one's uses are the caller's to add.
            self.uses[last.0] += usize::from(i + 1 < count);
            operands = vec![last];
        }
        Some(last)
    }

    fn release(&mut self, id: NodeId) {
        self.uses[id.0] = self.uses[id.0].saturating_sub(1);
        if self.uses[id.0] == 0 {
            let inputs = self.builder.node(id).inputs.clone();
            inputs.into_iter().for_each(|input| self.release(input));
        }
    }
}

impl<T: Real> RewriteSubject<'_, T> {
    /// A node that has been built.
    pub(crate) fn node(&self, id: NodeId) -> &Node<T> {
        self.graph.builder.node(id)
    }

    /// Whether only one node needs this one's result: what is merged into that node need not be computed again.
    pub(crate) fn single_use(&self, id: NodeId) -> bool {
        self.graph.uses[id.0] <= 1
    }

    /// The node behind `id`, past a reshape that nothing else uses.
    pub(crate) fn past_reshape(&self, id: NodeId) -> NodeId {
        match self.node(id) {
            Node { op: Op::Reshape(_), inputs, .. } if self.single_use(id) => inputs[0],
            _ => id,
        }
    }
}

/// The axis of `shape` at which it splits in this way, if there is one.
pub(crate) fn axis_of(shape: &[usize], split: Split) -> Option<usize> {
    (0..shape.len()).find(|&axis| shape::split(shape, axis) == split)
}
