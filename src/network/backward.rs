//! Backward passes: vector-Jacobian products for a block of points.

use super::op::{Op, Operands, Pass, View};
use super::real::Real;
use super::{Network, NodeId, Workspace};

/// How a backward pass bends derivatives that say nothing. The forward pass stays exact.
#[derive(Debug, Clone, Copy)]
pub struct Surrogate<'a, T> {
    /// For each lane the slope that an inactive ReLU passes on (annealed leaky gradients).
    pub leak: Option<&'a [T]>,
    /// Jumps (signs, comparisons) get the slope of a smooth step, so many times as wide as the points of the block are
    /// spread in front of it; roundings get slope one.
    pub width: Option<T>,
}

impl<T> Surrogate<'_, T> {
    /// The true derivatives.
    pub fn exact() -> Self {
        Self { leak: None, width: None }
    }
}

/// Where an operator adds its contributions: the gradients of its operands, one at a time.
pub struct Gradients<'a, T> {
    pub(crate) network: &'a Network<T>,
    pub(crate) inputs: &'a [NodeId],
    pub(crate) buffers: &'a mut [Vec<T>],
}

impl<T> Gradients<'_, T> {
    /// The gradient of the `i`-th operand, or `None` where nobody needs it (a constant).
    pub fn wrt(&mut self, i: usize) -> Option<&mut [T]> {
        let node = &self.network.nodes[self.inputs[i].0];
        node.varies.then(|| self.buffers[node.slot].as_mut_slice())
    }
}

impl<T: Real> Network<T> {
    /// Gradients of `Σ cotangent · output` with respect to the inputs, for the block of the last forward pass.
    ///
    /// `cotangent` holds `output_len × lanes` numbers, `gradient` receives `input_len × lanes`, lanes innermost.
    pub fn backward(
        &self,
        workspace: &mut Workspace<T>,
        cotangent: &[T],
        surrogate: Surrogate<'_, T>,
        gradient: &mut Vec<T>,
    ) {
        self.start_backward(workspace);
        let mut at = 0;
        for &id in &self.outputs {
            if self.node(id).varies {
                let buffer = workspace.need_cotangent(self.node(id).slot);
                buffer.iter_mut().zip(&cotangent[at..]).for_each(|(sum, &c)| *sum += c);
            }
            at += self.node(id).len() * workspace.lanes;
        }
        self.sweep(workspace, self.nodes.len(), surrogate);
        self.collect(workspace, gradient);
    }

    /// As [`Network::backward`], from a node in the middle: `cotangent` holds `len × lanes` numbers of it.
    pub fn backward_from(
        &self,
        workspace: &mut Workspace<T>,
        node: NodeId,
        cotangent: &[T],
        surrogate: Surrogate<'_, T>,
        gradient: &mut Vec<T>,
    ) {
        self.start_backward(workspace);
        if self.node(node).varies {
            workspace.need_cotangent(self.node(node).slot).copy_from_slice(cotangent);
        }
        self.sweep(workspace, node.0 + 1, surrogate);
        self.collect(workspace, gradient);
    }

    /// Takes back the buffers of the last pass.
    fn start_backward(&self, workspace: &mut Workspace<T>) {
        workspace.cotangents.resize_with(self.slots, Vec::new);
        let used = workspace.cotangents.iter_mut().filter(|buffer| !buffer.is_empty());
        workspace.spare.extend(used.map(std::mem::take));
    }

    fn sweep(&self, workspace: &mut Workspace<T>, end: usize, surrogate: Surrogate<'_, T>) {
        for node in self.nodes[..end].iter().rev() {
            if !node.varies || matches!(node.op, Op::Input(_) | Op::Reshape(_)) {
                continue;
            }
            let cotangent = std::mem::take(&mut workspace.cotangents[node.slot]);
            if cotangent.is_empty() {
                // Nothing that the pass differentiates depends on it.
                continue;
            }
            for operand in node.inputs.iter().map(|&id| self.node(id)).filter(|operand| operand.varies) {
                workspace.need_cotangent(operand.slot);
            }
            let operands = Operands { nodes: &self.nodes, inputs: &node.inputs, values: &workspace.values };
            let result = View { shape: &node.shape, data: &workspace.values[node.slot] };
            let mut gradients =
                Gradients { network: self, inputs: &node.inputs, buffers: &mut workspace.cotangents };
            let (lanes, threads) = (workspace.lanes, workspace.threads);
            let mut pass = Pass { lanes, scratch: &mut workspace.scratch, surrogate, threads };
            node.op.vjp(operands, result, &cotangent, &mut gradients, &mut pass);
            workspace.spare.push(cotangent);
        }
    }

    fn collect(&self, workspace: &mut Workspace<T>, gradient: &mut Vec<T>) {
        gradient.clear();
        for &id in &self.inputs {
            // Zeros, if nothing depends on it.
            gradient.extend_from_slice(workspace.need_cotangent(self.node(id).slot));
        }
    }
}
