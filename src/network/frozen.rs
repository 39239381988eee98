//! The local affine map of a piecewise-linear network, by evaluating it with its activation phases frozen.
//!
//! Inside the activation region of a point `x0` the network is affine. With every piecewise-linear function held to
//! the piece that `x0` is on, it is affine everywhere, so its values at `x0` and at `x0 + δ_j e_j` give the map
//! exactly up to rounding: one forward pass with a lane for each free input, whatever the layers in between are.

use super::backward::Surrogate;
use super::op::{BinaryFunction, Op, Operands, Pass, UnaryFunction};
use super::{Network, Node, NodeId, Real, Workspace};

/// The piece of a piecewise-linear function that a number lies on: `slope · x + shift` for `from ≤ x ≤ to`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece {
    /// Lower end, possibly `-∞`.
    pub from: f64,
    /// Upper end, possibly `+∞`.
    pub to: f64,
    /// Slope on the piece.
    pub slope: f64,
    /// Value of its line at zero.
    pub shift: f64,
}

/// The piece that `x` lies on; `None` for functions that are not piecewise linear and continuous.
pub fn piece(function: UnaryFunction, x: f64) -> Option<Piece> {
    use UnaryFunction::*;
    const END: f64 = f64::INFINITY;
    let piece = |from, to, slope, shift| Some(Piece { from, to, slope, shift });
    let bent = |below: f64| if x > 0.0 { piece(0.0, END, 1.0, 0.0) } else { piece(-END, 0.0, below, 0.0) };
    match function {
        Relu => bent(0.0),
        LeakyRelu { alpha } => bent(alpha),
        Abs => bent(-1.0),
        Neg => piece(-END, END, -1.0, 0.0),
        Scale { scale, shift } => piece(-END, END, scale, shift),
        Clip { low, .. } if x < low => piece(-END, low, 0.0, low),
        Clip { high, .. } if x > high => piece(high, END, 0.0, high),
        Clip { low, high } => piece(low, high, 1.0, 0.0),
        HardSigmoid { alpha, beta } if alpha > 0.0 => {
            let (low, high) = (-beta / alpha, (1.0 - beta) / alpha);
            if x < low {
                piece(-END, low, 0.0, 0.0)
            } else if x > high {
                piece(high, END, 0.0, 1.0)
            } else {
                piece(low, high, alpha, beta)
            }
        }
        // Soft shrinkage; with another bias it jumps.
        Shrink { lambda, bias } if lambda == bias && lambda > 0.0 => {
            if x < -lambda {
                piece(-END, -lambda, 1.0, lambda)
            } else if x > lambda {
                piece(lambda, END, 1.0, -lambda)
            } else {
                piece(-lambda, lambda, 0.0, 0.0)
            }
        }
        _ => None,
    }
}

/// Where the pieces of such a function meet, in ascending order.
pub fn kinks(function: UnaryFunction) -> impl Iterator<Item = f64> {
    use UnaryFunction::*;
    let ends = match function {
        Neg | Scale { .. } => [f64::NAN, f64::NAN],
        Clip { low, high } => [low, high],
        HardSigmoid { alpha, beta } => [-beta / alpha, (1.0 - beta) / alpha],
        Shrink { lambda, .. } => [-lambda, lambda],
        _ => [0.0, f64::NAN],
    };
    ends.into_iter().filter(|end| end.is_finite())
}

/// Whether a function has more than one piece.
pub(crate) fn bends(function: UnaryFunction) -> bool {
    !matches!(function, UnaryFunction::Neg | UnaryFunction::Scale { .. })
}

/// The nodes of a piecewise-linear network that bend it.
#[derive(Debug, Clone)]
pub struct Frozen<'a> {
    network: &'a Network<f64>,
    /// Nodes whose function of one number has several pieces, in order.
    pub bends: Vec<NodeId>,
}

impl<'a> Frozen<'a> {
    /// The view of a network that is built of affine operators and piecewise-linear functions; `None` otherwise.
    pub fn new(network: &'a Network<f64>) -> Option<Self> {
        Some(Self { network, bends: bends_of(network)? })
    }

    /// The network itself.
    pub fn network(&self) -> &'a Network<f64> {
        self.network
    }

    /// Evaluates the frozen network: lane 0 decides the pieces of all lanes.
    pub fn forward(&self, workspace: &mut Workspace<f64>, inputs: &[f64]) {
        let network = self.network;
        let mut at = 0;
        for &id in &network.inputs {
            let buffer = &mut workspace.values[network.node(id).slot];
            let len = buffer.len();
            buffer.copy_from_slice(&inputs[at..at + len]);
            at += len;
        }
        let lanes = workspace.lanes;
        for node in &network.nodes {
            if !node.varies || matches!(node.op, Op::Input(_) | Op::Reshape(_)) {
                continue;
            }
            let mut output = std::mem::take(&mut workspace.values[node.slot]);
            let operands =
                Operands { nodes: &network.nodes, inputs: &node.inputs, values: &workspace.values };
            if let Op::Unary(op) = &node.op {
                let x = operands.get(0).data;
                for (y, x) in output.chunks_exact_mut(lanes).zip(x.chunks_exact(lanes)) {
                    // `new` has admitted only functions that have pieces.
                    let Some(piece) = piece(op.0, x[0]) else { continue };
                    y.iter_mut().zip(x).for_each(|(y, &x)| *y = piece.slope * x + piece.shift);
                }
            } else {
                let threads = workspace.threads;
                let mut pass =
                    Pass { lanes, scratch: &mut workspace.scratch, surrogate: Surrogate::exact(), threads };
                node.op.forward(operands, &mut output, &mut pass);
            }
            workspace.values[node.slot] = output;
        }
    }

    /// The pre-activations of a bending node after a forward pass, and its function.
    pub fn pre_activations<'w>(
        &self,
        workspace: &'w Workspace<f64>,
        id: NodeId,
    ) -> Option<(UnaryFunction, &'w [f64])> {
        let node = self.network.node(id);
        match &node.op {
            Op::Unary(op) => Some((op.0, workspace.value(self.network, node.inputs[0]))),
            _ => None,
        }
    }
}

/// The nodes of a network whose function of one number has several pieces, in order; `None` where the network is not
/// built of affine operators and such functions.
pub fn bends_of<T: Real>(network: &Network<T>) -> Option<Vec<NodeId>> {
    let mut found = Vec::new();
    for (index, node) in network.nodes.iter().enumerate().filter(|(_, node)| node.varies) {
        found.extend(is_bend(network, node)?.then_some(NodeId(index)));
    }
    Some(found)
}

/// Whether a node's function of one number has several pieces; `None` where the node is neither affine nor such a function.
pub(crate) fn is_bend<T: Real>(network: &Network<T>, node: &Node<T>) -> Option<bool> {
    let varying = node.inputs.iter().filter(|&&id| network.node(id).varies).count();
    match &node.op {
        Op::Unary(op) => piece(op.0, 0.0).map(|_| bends(op.0)),
        Op::Binary(op) => match op.0 {
            BinaryFunction::Add | BinaryFunction::Sub => Some(false),
            BinaryFunction::Mul if varying == 1 => Some(false),
            BinaryFunction::Div if network.node(node.inputs[0]).varies && varying == 1 => Some(false),
            _ => None,
        },
        op if op.is_affine() => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_tangent_to_their_functions() {
        use UnaryFunction::*;
        let functions = [
            Relu,
            LeakyRelu { alpha: 0.1 },
            Abs,
            Neg,
            Scale { scale: 2.0, shift: 1.0 },
            Clip { low: -0.5, high: 1.5 },
            HardSigmoid { alpha: 0.2, beta: 0.5 },
            Shrink { lambda: 0.4, bias: 0.4 },
        ];
        for function in functions {
            for x in [-9.0, -0.7, -0.1, 0.0, 0.3, 1.2, 1.5, 8.0] {
                let piece = piece(function, x).unwrap();
                assert!(piece.from <= x && x <= piece.to, "{function:?} at {x}: {piece:?}");
                assert!((piece.slope * x + piece.shift - function.value(x)).abs() < 1e-12);
                for end in [piece.from, piece.to].into_iter().filter(|end| end.is_finite()) {
                    assert!((piece.slope * end + piece.shift - function.value(end)).abs() < 1e-12);
                    assert!(kinks(function).any(|kink| kink == end), "{function:?} at {end}");
                }
            }
            for kink in kinks(function) {
                let sides = [kink - 1e-9, kink + 1e-9].map(|x| piece(function, x).unwrap().slope);
                assert_ne!(sides[0], sides[1], "{function:?} at {kink}");
            }
        }
    }
}
