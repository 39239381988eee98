//! Making a network node by node: shapes are checked, constants folded, reshapes given their operand's buffer.

use super::op::{Constant, Op};
use super::real::Real;
use super::shape::{self, ShapeError};
use super::{Network, Node, NodeId, Workspace};
use crate::onnx::ElementType;

/// Collects nodes; operands always come before the nodes that use them.
#[derive(Debug, Clone)]
pub struct Builder<T> {
    nodes: Vec<Node<T>>,
    inputs: Vec<NodeId>,
    slots: usize,
    /// Values of all nodes together, reshapes aside.
    values: usize,
}

/// Most values of a network's nodes together, inputs and constants included: 4 GiB in double precision.
pub const MOST_VALUES: usize = 1 << 29;

impl<T: Real> Default for Builder<T> {
    fn default() -> Self {
        Self { nodes: Vec::new(), inputs: Vec::new(), slots: 0, values: 0 }
    }
}

impl<T: Real> Builder<T> {
    /// A network input.
    pub fn input(
        &mut self,
        name: &str,
        element: ElementType,
        shape: Vec<usize>,
    ) -> Result<NodeId, ShapeError> {
        let id = self.push(name, Op::Input(shape), &[], element)?;
        self.inputs.push(id);
        Ok(id)
    }

    /// A constant.
    pub fn constant(
        &mut self,
        name: &str,
        element: ElementType,
        shape: Vec<usize>,
        data: Vec<T>,
    ) -> Result<NodeId, ShapeError> {
        if shape::checked_len(&shape)? != data.len() {
            return Err(ShapeError(format!("{} values do not fill shape {shape:?}", data.len())));
        }
        self.push(name, Op::Constant(Constant { shape, data }), &[], element)
    }

    /// Adds an operator application; where all operands are constants, it is evaluated at once.
    ///
    /// # Errors
    /// If the operator does not fit its operands, or the network would hold more than [`MOST_VALUES`] values.
    pub fn push(
        &mut self,
        name: &str,
        op: Op<T>,
        inputs: &[NodeId],
        element: ElementType,
    ) -> Result<NodeId, ShapeError> {
        let shapes: Vec<&[usize]> = inputs.iter().map(|&id| self.shape(id)).collect();
        let shape = op.output_shape(&shapes)?;
        let varies = match op {
            Op::Input(_) => true,
            _ => inputs.iter().any(|&id| self.nodes[id.0].varies),
        };
        let slot = match (&op, inputs) {
            (Op::Reshape(_), [operand]) => self.nodes[operand.0].slot,
            _ => self.slots,
        };
        if slot == self.slots {
            self.values += shape::len(&shape);
            if self.values > MOST_VALUES {
                let problem =
                    format!("with shape {shape:?} the network holds more than {MOST_VALUES} values");
                return Err(ShapeError(problem));
            }
        }
        self.slots = self.slots.max(slot + 1);
        let leaf = matches!(op, Op::Constant(_));
        self.nodes.push(Node {
            op,
            inputs: inputs.to_vec(),
            shape,
            element,
            name: name.into(),
            slot,
            varies,
        });
        let id = NodeId(self.nodes.len() - 1);
        if !varies && !leaf {
            self.fold(id);
        }
        Ok(id)
    }

    /// Adds all nodes of another network, whose inputs are taken to be these nodes of the same shapes; gives the nodes
    /// of its outputs.
    pub fn embed(&mut self, network: &Network<T>, inputs: &[NodeId]) -> Result<Vec<NodeId>, ShapeError> {
        let mut given = inputs.iter();
        let mut ids: Vec<NodeId> = Vec::with_capacity(network.nodes.len());
        for node in &network.nodes {
            ids.push(match &node.op {
                Op::Input(shape) => match given.next() {
                    Some(&id) if self.shape(id) == shape.as_slice() => id,
                    _ => {
                        return Err(ShapeError(format!(
                            "no node of shape {shape:?} for input {}",
                            node.name
                        )));
                    }
                },
                op => {
                    let operands: Vec<NodeId> = node.inputs.iter().map(|id| ids[id.0]).collect();
                    self.push(&node.name, op.clone(), &operands, node.element)?
                }
            });
        }
        Ok(network.outputs.iter().map(|id| ids[id.0]).collect())
    }

    /// ONNX shape of a node's result.
    pub fn shape(&self, id: NodeId) -> &[usize] {
        &self.nodes[id.0].shape
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &Node<T> {
        &self.nodes[id.0]
    }

    /// The constant that a node is, if it is one.
    pub fn as_constant(&self, id: NodeId) -> Option<&Constant<T>> {
        match &self.nodes[id.0].op {
            Op::Constant(constant) => Some(constant),
            _ => None,
        }
    }

    /// The network with these outputs; nodes that no output needs are dropped, inputs are kept.
    pub fn finish(self, outputs: Vec<NodeId>) -> Network<T> {
        Network { nodes: self.nodes, inputs: self.inputs, outputs, slots: self.slots }.without_dead_nodes()
    }

    fn fold(&mut self, id: NodeId) {
        let node = &self.nodes[id.0];
        let mut single = Builder::<T>::default();
        let mut operands = Vec::new();
        for &input in &node.inputs {
            let source = &self.nodes[input.0];
            let slot = single.slots;
            single.slots += 1;
            single.nodes.push(Node { slot, ..source.clone() });
            operands.push(NodeId(single.nodes.len() - 1));
        }
        let slot = match node.op {
            Op::Reshape(_) => 0,
            _ => single.slots,
        };
        single.slots = single.slots.max(slot + 1);
        single.nodes.push(Node { inputs: operands, slot, varies: true, ..node.clone() });
        let last = NodeId(single.nodes.len() - 1);
        let network =
            Network { nodes: single.nodes, inputs: vec![], outputs: vec![last], slots: single.slots };
        let data = network.evaluate(&[]);
        let node = &mut self.nodes[id.0];
        node.op = Op::Constant(Constant { shape: node.shape.clone(), data });
        node.inputs.clear();
        node.slot = self.slots;
        self.slots += 1;
    }
}

impl<T: Real> Network<T> {
    /// The same network without the nodes that no output depends on, and with dense slot numbers.
    pub(crate) fn without_dead_nodes(self) -> Self {
        let mut live = vec![false; self.nodes.len()];
        for &id in self.outputs.iter().chain(&self.inputs) {
            live[id.0] = true;
        }
        for index in (0..self.nodes.len()).rev() {
            if live[index] {
                self.nodes[index].inputs.iter().for_each(|input| live[input.0] = true);
            }
        }
        let mut ids = vec![NodeId(0); self.nodes.len()];
        let mut slots = vec![None; self.slots];
        let (mut nodes, mut next_slot) = (Vec::new(), 0);
        for (index, mut node) in self.nodes.into_iter().enumerate().filter(|&(index, _)| live[index]) {
            ids[index] = NodeId(nodes.len());
            node.inputs.iter_mut().for_each(|input| *input = ids[input.0]);
            node.slot = *slots[node.slot].get_or_insert_with(|| {
                next_slot += 1;
                next_slot - 1
            });
            nodes.push(node);
        }
        let renamed = |list: Vec<NodeId>| list.into_iter().map(|id| ids[id.0]).collect();
        Network { nodes, inputs: renamed(self.inputs), outputs: renamed(self.outputs), slots: next_slot }
    }

    /// A workspace for blocks of `lanes` points.
    pub fn workspace(&self, lanes: usize) -> Workspace<T> {
        Workspace::new(self, lanes)
    }
}
