//! Rewrites that save work and change no number: whatever is said of the simpler network, bounds and proofs included, holds of the
//! one in the file.
//!
//! - A constant that is added behind a dense layer or a convolution is its bias, where the sum of both is a number of the
//!   network's type (nearly always one of them is zero): the forms that exporters write as MatMul and Add. On ACAS Xu and
//!   safenlp an evaluation takes 0.8 of the time.
//! - A sign of a shifted sign is one sign with a value at zero. Larq's binarised layers are exported as
//!   `Sign(Sign(x) + 0.1)`: two signs in a row would also bend the smooth steps that stand in for them, the second one off
//!   centre by the shift.
//! - What changes nothing is passed by: scalings by one, a zero that is added, a ReLU of a ReLU, a reshape of a reshape.
//!
//! Products of weights are never formed: their rounding would have to be charged to every proof, and batch
//! normalisation folded into weights saved at most a tenth (measured on one or two networks of every benchmark).

use super::op::{BinaryFunction, Constant, Op, Unary, UnaryFunction};
use super::real::Real;
use super::shape::{self, Split};
use super::{Network, Node, NodeId};

/// What becomes of a node.
enum Rewrite<T> {
    /// Its operand takes its place.
    PassBy(NodeId),
    /// The layer in front gets this bias, and the operand takes the node's place.
    Bias { layer: NodeId, bias: Vec<T>, operand: NodeId },
    /// It computes something else, of another operand.
    Instead { op: Box<Op<T>>, operand: NodeId },
}

/// The network after all rewrites, in one pass from the inputs to the outputs.
pub(crate) fn simplify<T: Real>(mut network: Network<T>) -> Network<T> {
    let mut uses = vec![0usize; network.nodes.len()];
    let edges = network.nodes.iter().flat_map(|node| &node.inputs).chain(&network.outputs);
    edges.for_each(|id| uses[id.0] += 1);
    // What stands for a node: itself, or one in front of it.
    let mut stands: Vec<NodeId> = (0..network.nodes.len()).map(NodeId).collect();
    for index in 0..network.nodes.len() {
        for input in &mut network.nodes[index].inputs {
            *input = stands[input.0];
        }
        while let Some(rewrite) = rewrite(&network, &uses, index) {
            let operands = network.nodes[index].inputs.clone();
            if let Some(operand) = apply(&mut network, index, rewrite) {
                // The node's users come, and the node's own use goes.
                uses[operand.0] += uses[index];
                stands[index] = operand;
                operands.iter().for_each(|&id| release(&network, &mut uses, id));
                break;
            }
            network.nodes[index].inputs.iter().for_each(|id| uses[id.0] += 1);
            operands.iter().for_each(|&id| release(&network, &mut uses, id));
        }
        let Network { nodes, .. } = &mut network;
        if let (Op::Reshape(_), [operand]) = (&nodes[index].op, &nodes[index].inputs[..]) {
            nodes[index].slot = nodes[operand.0].slot;
        }
    }
    network.outputs.iter_mut().for_each(|output| *output = stands[output.0]);
    network.without_dead_nodes()
}

/// One use less; what nothing uses does not use its operands.
fn release<T>(network: &Network<T>, uses: &mut [usize], id: NodeId) {
    let before = uses[id.0];
    uses[id.0] = before.saturating_sub(1);
    if before == 1 {
        network.nodes[id.0].inputs.iter().for_each(|&input| release(network, uses, input));
    }
}

/// Gives the node that takes the place, if one does.
fn apply<T>(network: &mut Network<T>, index: usize, rewrite: Rewrite<T>) -> Option<NodeId> {
    match rewrite {
        Rewrite::PassBy(operand) => Some(operand),
        Rewrite::Bias { layer, bias, operand } => {
            match &mut network.nodes[layer.0].op {
                Op::Affine(affine) => affine.bias = bias,
                Op::Conv(conv) => conv.bias = bias,
                _ => return None,
            }
            Some(operand)
        }
        Rewrite::Instead { op, operand } => {
            network.nodes[index].op = *op;
            network.nodes[index].inputs = vec![operand];
            None
        }
    }
}

fn rewrite<T: Real>(network: &Network<T>, uses: &[usize], index: usize) -> Option<Rewrite<T>> {
    let node = &network.nodes[index];
    if !node.varies {
        return None;
    }
    pass_by(network, node)
        .or_else(|| reshape_of_reshape(network, node))
        .or_else(|| sign_of_sign(network, node))
        .or_else(|| bias(network, uses, node))
}

/// Operators that change nothing.
fn pass_by<T: Real>(network: &Network<T>, node: &Node<T>) -> Option<Rewrite<T>> {
    let operand = *node.inputs.first()?;
    let before = network.node(operand);
    let (nothing, operand) = match &node.op {
        Op::Unary(Unary(UnaryFunction::Scale { scale, shift })) => (*scale == 1.0 && *shift == 0.0, operand),
        Op::Unary(f @ Unary(UnaryFunction::Relu | UnaryFunction::Abs)) => {
            (matches!(&before.op, Op::Unary(g) if g == f), operand)
        }
        Op::Concat(_) => (node.inputs.len() == 1, operand),
        Op::Reshape(shape) => (before.shape == *shape, operand),
        Op::Binary(_) => {
            let (operand, function, constant) = with_constant(network, node)?;
            let neutral = T::of(if function == BinaryFunction::Mul { 1.0 } else { 0.0 });
            (constant.data.iter().all(|&c| c == neutral), operand)
        }
        _ => return None,
    };
    let before = network.node(operand);
    let same = before.element == node.element && before.shape == node.shape;
    (nothing && same).then_some(Rewrite::PassBy(operand))
}

/// The operand of a sum, a difference or a product with a constant on the other side, which stands for `x − c` too.
fn with_constant<'n, T: Real>(
    network: &'n Network<T>,
    node: &Node<T>,
) -> Option<(NodeId, BinaryFunction, &'n Constant<T>)> {
    let (Op::Binary(binary), [left, right]) = (&node.op, &node.inputs[..]) else { return None };
    let constant = |id: NodeId| match &network.node(id).op {
        Op::Constant(constant) => Some(constant),
        _ => None,
    };
    match (binary.0, constant(*left), constant(*right)) {
        (f @ (BinaryFunction::Add | BinaryFunction::Mul), Some(c), None) => Some((*right, f, c)),
        (f @ (BinaryFunction::Add | BinaryFunction::Sub | BinaryFunction::Mul), None, Some(c)) => {
            Some((*left, f, c))
        }
        _ => None,
    }
}

fn reshape_of_reshape<T: Real>(network: &Network<T>, node: &Node<T>) -> Option<Rewrite<T>> {
    let Op::Reshape(shape) = &node.op else { return None };
    let before = network.node(node.inputs[0]);
    matches!(before.op, Op::Reshape(_))
        .then(|| Rewrite::Instead { op: Box::new(Op::Reshape(shape.clone())), operand: before.inputs[0] })
}

fn sign_of_sign<T: Real>(network: &Network<T>, node: &Node<T>) -> Option<Rewrite<T>> {
    let Op::Unary(Unary(UnaryFunction::Sign)) = node.op else { return None };
    let shifted = network.node(*node.inputs.first()?);
    let (inner, shift) = match &shifted.op {
        Op::Unary(Unary(UnaryFunction::Scale { scale: 1.0, shift })) => (*shifted.inputs.first()?, *shift),
        _ => {
            let (operand, function, constant) = with_constant(network, shifted)?;
            let [shift] = constant.data[..] else { return None };
            match function {
                BinaryFunction::Add => (operand, shift.widen()),
                BinaryFunction::Sub => (operand, -shift.widen()),
                _ => return None,
            }
        }
    };
    let Op::Unary(Unary(UnaryFunction::Sign)) = network.node(inner).op else { return None };
    let operand = *network.node(inner).inputs.first()?;
    (shift != 0.0 && shift.abs() < 1.0).then(|| {
        let op = Op::Unary(Unary(UnaryFunction::SignOr { zero: shift.signum() }));
        Rewrite::Instead { op: Box::new(op), operand }
    })
}

/// A constant added behind a layer that nothing else needs.
fn bias<T: Real>(network: &Network<T>, uses: &[usize], node: &Node<T>) -> Option<Rewrite<T>> {
    let (operand, function, constant) = with_constant(network, node)?;
    let sign = match function {
        BinaryFunction::Add => T::one(),
        BinaryFunction::Sub => -T::one(),
        _ => return None,
    };
    let direct = network.node(operand);
    let layer = match &direct.op {
        Op::Reshape(_) => *direct.inputs.first()?,
        _ => operand,
    };
    let before = network.node(layer);
    let same = |node: &Node<T>| node.element.is_float() && node.element == before.element;
    if uses[layer.0] > 1 || uses[operand.0] > 1 || !same(node) || !same(direct) || direct.shape != node.shape
    {
        return None;
    }
    let (bias, axis) = match &before.op {
        Op::Affine(affine) => (&affine.bias, affine.axis),
        Op::Conv(conv) => (&conv.bias, 1),
        _ => return None,
    };
    let terms = along(&node.shape, constant, shape::split(&before.shape, axis))?;
    let sum = |(at, &b): (usize, &T)| exact_sum(b, sign * terms[if terms.len() == 1 { 0 } else { at }]);
    let bias = bias.iter().enumerate().map(sum).collect::<Option<_>>()?;
    Some(Rewrite::Bias { layer, bias, operand })
}

/// The sum of two numbers, if it is a number of their type.
fn exact_sum<T: Real>(a: T, b: T) -> Option<T> {
    let sum = a + b;
    // Knuth's two-sum: what rounding took away.
    let of_b = sum - a;
    let lost = (a - (sum - of_b)) + (b - of_b);
    (sum.is_finite() && lost == T::zero()).then_some(sum)
}

/// The values of a constant, broadcast to `shape`, along the axis of a split of as many numbers: one for each place, or a single
/// one. `None` where it varies along anything else.
fn along<'c, T: Real>(shape: &[usize], constant: &'c Constant<T>, split: Split) -> Option<&'c [T]> {
    if let [_] = constant.data[..] {
        return Some(&constant.data);
    }
    // The constant's own dimensions, from the first that is not one to the last.
    let missing = shape.len().checked_sub(constant.shape.len())?;
    let first = constant.shape.iter().position(|&d| d != 1)?;
    let last = constant.shape.iter().rposition(|&d| d != 1)?;
    let (from, to) = (missing + first, missing + last);
    let own = Split {
        outer: shape::len(&shape[..from]),
        axis: shape::len(&shape[from..=to]),
        inner: shape::len(&shape[to + 1..]),
    };
    (own == split && constant.data.len() == split.axis).then_some(&constant.data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::build::Builder;
    use crate::network::matrix::Matrix;
    use crate::network::op::windows::{WindowAxis, Windows};
    use crate::network::op::{Affine, Binary, Conv};
    use crate::onnx::ElementType;

    struct Sketch {
        builder: Builder<f64>,
        last: NodeId,
    }

    fn numbers(count: usize) -> Vec<f64> {
        (0..count).map(|i| ((i * 29 + 7) % 31) as f64 / 8.0 - 1.8).collect()
    }

    fn unary(function: UnaryFunction) -> Op<f64> {
        Op::Unary(Unary(function))
    }

    impl Sketch {
        fn new(shape: &[usize]) -> Self {
            let mut builder = Builder::default();
            let last = builder.input("x", ElementType::Float64, shape.to_vec()).unwrap();
            Self { builder, last }
        }

        fn op(mut self, op: Op<f64>) -> Self {
            self.last = self.builder.push("n", op, &[self.last], ElementType::Float64).unwrap();
            self
        }

        fn with(mut self, f: BinaryFunction, shape: &[usize], data: Vec<f64>, left: bool) -> Self {
            let c = self.builder.constant("c", ElementType::Float64, shape.to_vec(), data).unwrap();
            let inputs = if left { [c, self.last] } else { [self.last, c] };
            self.last = self.builder.push("b", Op::Binary(Binary(f)), &inputs, ElementType::Float64).unwrap();
            self
        }

        fn add(self, shape: &[usize]) -> Self {
            let data = numbers(shape::len(shape));
            self.with(BinaryFunction::Add, shape, data, false)
        }

        fn dense(self, outputs: usize, axis: usize, bias: f64) -> Self {
            let inputs = self.builder.shape(self.last)[axis];
            let matrix = Matrix::dense(outputs, inputs, numbers(outputs * inputs));
            self.op(Op::Affine(Affine { matrix, bias: vec![bias; outputs], axis }))
        }

        fn conv(self) -> Self {
            let axis = || WindowAxis::new(5, 3, 2, 1, 1, 3).unwrap();
            let windows = Windows::new(vec![axis(), axis()]).unwrap();
            let conv = Conv::new(numbers(4 * 2 * 9), vec![0.0; 4], (4, 2, 1), windows, 2, false);
            self.op(Op::Conv(conv.unwrap()))
        }

        fn relu(self) -> Self {
            self.op(unary(UnaryFunction::Relu))
        }

        fn reshape(self, shape: &[usize]) -> Self {
            self.op(Op::Reshape(shape.to_vec()))
        }

        /// The names of what is left; the outputs stay to the last digit but for the order of a sum.
        fn check(self, want: &[&str]) {
            let network = self.builder.finish(vec![self.last]);
            let simple = simplify(network.clone());
            let x = numbers(network.input_len());
            let (got, expected) = (simple.evaluate(&x), network.evaluate(&x));
            assert_eq!(simple.node(simple.outputs()[0]).shape, network.node(network.outputs()[0]).shape);
            for (g, w) in got.iter().zip(&expected) {
                assert!((g - w).abs() < 1e-12 * (1.0 + w.abs()), "{g} {w}");
            }
            let varying = simple.nodes().iter().filter(|node| node.varies);
            let kinds: Vec<_> = varying.map(|node| kind(&node.op)).collect();
            assert_eq!(kinds, want);
            assert_eq!(simplify(simple.clone()).nodes().len(), simple.nodes().len(), "one pass is enough");
        }
    }

    fn kind(op: &Op<f64>) -> &'static str {
        match op {
            Op::Input(_) => "input",
            Op::Reshape(_) => "reshape",
            Op::Affine(_) => "affine",
            Op::Conv(_) => "conv",
            Op::Binary(_) => "binary",
            Op::Unary(Unary(UnaryFunction::SignOr { .. })) => "sign or",
            Op::Unary(_) => "unary",
            _ => "other",
        }
    }

    #[test]
    fn a_constant_behind_a_layer_is_its_bias() {
        Sketch::new(&[1, 5])
            .dense(7, 1, 0.0)
            .add(&[7])
            .relu()
            .dense(3, 1, 0.0)
            .add(&[1, 3])
            .check(&["input", "affine", "unary", "affine"]);
        Sketch::new(&[1, 2, 5, 5]).conv().add(&[4, 1, 1]).check(&["input", "conv"]);
        Sketch::new(&[1, 5]).dense(7, 1, 0.0).add(&[]).check(&["input", "affine"]);
        let behind_a_reshape = Sketch::new(&[1, 5]).dense(6, 1, 0.0).reshape(&[1, 6, 1]).add(&[6, 1]);
        behind_a_reshape.check(&["input", "affine", "reshape"]);
    }

    #[test]
    fn a_difference_is_a_bias_with_the_other_sign() {
        let minus =
            |left| Sketch::new(&[1, 5]).dense(3, 1, 0.0).with(BinaryFunction::Sub, &[3], numbers(3), left);
        minus(false).check(&["input", "affine"]);
        minus(true).check(&["input", "affine", "binary"]);
    }

    #[test]
    fn a_bias_that_would_be_rounded_stays_apart() {
        let layer = Sketch::new(&[1, 5]).dense(3, 1, 1e17);
        layer.add(&[3]).check(&["input", "affine", "binary"]);
    }

    #[test]
    fn a_constant_along_another_axis_stays_apart() {
        let left = ["input", "affine", "binary"];
        Sketch::new(&[2, 5]).dense(3, 1, 0.0).add(&[2, 1]).check(&left);
        Sketch::new(&[2, 5]).dense(2, 1, 0.0).add(&[2, 2]).check(&left);
    }

    #[test]
    fn a_layer_that_others_need_too_keeps_its_bias() {
        let mut sketch = Sketch::new(&[1, 6]).dense(6, 1, 0.0);
        let first = sketch.last;
        sketch = sketch.add(&[6]);
        let sum = Op::Binary(Binary(BinaryFunction::Mul));
        sketch.last = sketch.builder.push("m", sum, &[first, sketch.last], ElementType::Float64).unwrap();
        sketch.check(&["input", "affine", "binary", "binary"]);
    }

    #[test]
    fn what_changes_nothing_is_passed_by() {
        Sketch::new(&[2, 3])
            .op(unary(UnaryFunction::Scale { scale: 1.0, shift: 0.0 }))
            .with(BinaryFunction::Sub, &[3], vec![0.0; 3], false)
            .with(BinaryFunction::Mul, &[], vec![1.0], true)
            .reshape(&[6])
            .reshape(&[3, 2])
            .relu()
            .relu()
            .check(&["input", "reshape", "unary"]);
        // A broadcast is not nothing.
        let wider = Sketch::new(&[1, 3]).with(BinaryFunction::Add, &[2, 1], vec![0.0; 2], false);
        wider.check(&["input", "binary"]);
    }

    #[test]
    fn a_sign_of_a_shifted_sign_is_one() {
        let sign = || unary(UnaryFunction::Sign);
        let shifted = |by: f64| Sketch::new(&[4]).op(sign()).with(BinaryFunction::Add, &[1], vec![by], false);
        shifted(0.1).op(sign()).check(&["input", "sign or"]);
        shifted(-0.1).op(sign()).check(&["input", "sign or"]);
        shifted(1.5).op(sign()).check(&["input", "unary", "binary", "unary"]);
    }
}
