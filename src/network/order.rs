//! Outputs whose order alone matters: a network without the functions at its end that keep the order.
//!
//! A classifier's property compares outputs with each other. Behind a softmax that has saturated, all but one of
//! them are zero in single precision, and with them the margin's gradient; before it, the same comparisons hold of
//! the same inputs, and their margins are as good as any. (Networks with softmax outputs and binarised layers stood
//! at a margin of exactly −1 over thousands of points.) Bounds gain as much: softmax has no linear ones.

use super::op::{Op, Softmax, Unary, UnaryFunction};
use super::shape::{self, Split};
use super::{Network, Node, NodeId, Real};

impl<T: Real> Network<T> {
    /// The network whose outputs are ordered as this one's for each input, without the strictly increasing functions
    /// at the end. Outputs keep their flat order and number; their values are others.
    pub fn up_to_order(mut self) -> Self {
        while let Some(operand) = self.before_increasing_end() {
            self.outputs = vec![operand];
            // Operands come first, so nothing that is still needed lies behind the new output.
            self.nodes.truncate(operand.0 + 1);
        }
        self
    }

    /// The operand of the only output's operator, where that keeps the order.
    pub fn before_increasing_end(&self) -> Option<NodeId> {
        let [output] = self.outputs[..] else { return None };
        let Node { op, inputs, shape, .. } = self.node(output);
        let [operand] = inputs[..] else { return None };
        keeps_order(op, shape).then_some(operand)
    }
}

/// Whether an operator with one varying operand sends larger flat values to larger ones, all by the same function.
fn keeps_order<T: Real>(op: &Op<T>, shape: &[usize]) -> bool {
    match op {
        Op::Reshape(_) => true,
        Op::Softmax(Softmax { axis, .. }) => {
            let Split { outer, inner, .. } = shape::split(shape, *axis);
            (outer, inner) == (1, 1)
        }
        Op::Unary(Unary(function)) => match *function {
            UnaryFunction::Sigmoid
            | UnaryFunction::Tanh
            | UnaryFunction::Exp
            | UnaryFunction::Softplus
            | UnaryFunction::Softsign
            | UnaryFunction::Erf => true,
            UnaryFunction::Scale { scale, .. } => scale > 0.0,
            UnaryFunction::LeakyRelu { alpha } | UnaryFunction::Elu { alpha } => alpha > 0.0,
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::build::Builder;
    use crate::network::matrix::Matrix;
    use crate::network::op::Affine;
    use crate::onnx::ElementType::Float32;

    /// `x ↦ W x`, and behind it the given operators.
    fn network(tail: &[Op<f32>]) -> Network<f32> {
        let mut builder = Builder::default();
        let input = builder.input("x", Float32, vec![1, 2]).unwrap();
        let matrix = Matrix::dense(3, 2, vec![1.0, 2.0, -1.0, 0.5, 3.0, -2.0]);
        let affine = Op::Affine(Affine { matrix, bias: vec![0.0; 3], axis: 1 });
        let mut node = builder.push("affine", affine, &[input], Float32).unwrap();
        for op in tail {
            node = builder.push("tail", op.clone(), &[node], Float32).unwrap();
        }
        builder.finish(vec![node])
    }

    fn outputs(network: &Network<f32>, point: &[f32]) -> Vec<f32> {
        let mut workspace = network.workspace(1);
        network.forward(&mut workspace, point);
        workspace.value(network, network.outputs()[0]).to_vec()
    }

    #[test]
    fn what_keeps_the_order_goes() {
        let unary = |function| Op::Unary(Unary(function));
        let softmax = |axis, log| Op::Softmax(Softmax { axis, log });
        let check = |tail: &[Op<f32>], left: usize| {
            let whole = network(tail);
            let short = whole.clone().up_to_order();
            assert_eq!(short.nodes().len(), network(&tail[..left]).nodes().len(), "{tail:?}");
            assert_eq!(short.output_len(), 3);
            for point in [[0.5, -0.25], [-1.0, 2.0], [0.0, 0.75]] {
                let (y, z) = (outputs(&whole, &point), outputs(&short, &point));
                for (i, j) in [(0, 1), (1, 2), (2, 0)] {
                    assert_eq!(y[i] < y[j], z[i] < z[j], "{tail:?}: {y:?} {z:?}");
                }
            }
        };
        check(&[softmax(1, false)], 0);
        check(&[softmax(1, true), unary(UnaryFunction::Exp)], 0);
        check(&[unary(UnaryFunction::Relu), unary(UnaryFunction::Sigmoid)], 1);
        check(&[unary(UnaryFunction::Scale { scale: -1.0, shift: 0.0 })], 1);
        check(&[unary(UnaryFunction::Scale { scale: 2.0, shift: 1.0 })], 0);
        // Along another axis each value is its own group: all become one.
        check(&[softmax(0, false)], 1);
        check(&[], 0);
    }
}
