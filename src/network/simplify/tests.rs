//! Each rewrite on a small network that it applies to: the outputs stay, the nodes go.

use super::*;
use crate::network::matrix::Matrix;
use crate::network::op::windows::{WindowAxis, Windows};
use crate::network::op::{Affine, Binary, BinaryFunction, Conv, Rearrange, Unary, UnaryFunction};

struct Chain {
    builder: Builder<f64>,
    last: NodeId,
}

impl Chain {
    fn new(shape: &[usize]) -> Self {
        let mut builder = Builder::default();
        let last = builder.input("x", ElementType::Float64, shape.to_vec()).unwrap();
        Self { builder, last }
    }

    fn op(mut self, op: Op<f64>) -> Self {
        self.last = self.builder.push("n", op, &[self.last], ElementType::Float64).unwrap();
        self
    }

    fn with(mut self, f: BinaryFunction, shape: &[usize], left: bool) -> Self {
        let data = numbers(shape::len(shape));
        let c = self.builder.constant("c", ElementType::Float64, shape.to_vec(), data).unwrap();
        let inputs = if left { [c, self.last] } else { [self.last, c] };
        self.last = self.builder.push("b", Op::Binary(Binary(f)), &inputs, ElementType::Float64).unwrap();
        self
    }

    fn dense(self, outputs: usize, axis: usize) -> Self {
        let inputs = self.builder.shape(self.last)[axis];
        let matrix = Matrix::dense(outputs, inputs, numbers(outputs * inputs));
        self.op(Op::Affine(Affine { matrix, bias: numbers(outputs), axis }))
    }

    fn conv(self, channels: (usize, usize, usize), transposed: bool) -> Self {
        let axis = || WindowAxis::new(5, 3, 2, 1, 1, 3).unwrap();
        let windows = Windows::new(vec![axis(), axis()]).unwrap();
        let (outputs, inputs, groups) = channels;
        let results = if transposed { inputs } else { outputs };
        let weights = numbers(outputs * (inputs / groups) * 9);
        self.op(Op::Conv(Conv::new(weights, numbers(results), channels, windows, 2, transposed).unwrap()))
    }

    fn relu(self) -> Self {
        self.op(Op::Unary(Unary(UnaryFunction::Relu)))
    }

    fn reshape(self, shape: &[usize]) -> Self {
        self.op(Op::Reshape(shape.to_vec()))
    }

    /// Simplifies, compares outputs, and lists what is left.
    fn check(self, want: &[&str]) {
        let network = self.builder.finish(vec![self.last]);
        let simple = simplify(network.clone());
        let x = numbers(network.input_len());
        let (got, expected) = (simple.evaluate(&x), network.evaluate(&x));
        assert_eq!(simple.node(simple.outputs()[0]).shape, network.node(network.outputs()[0]).shape);
        for (g, w) in got.iter().zip(&expected) {
            assert!((g - w).abs() < 1e-12 * (1.0 + w.abs()), "{g} {w}");
        }
        let kinds: Vec<_> = simple.nodes().iter().map(|node| kind(&node.op)).collect();
        assert_eq!(kinds, want);
        let again = simplify(simple.clone());
        assert_eq!(again.nodes().len(), simple.nodes().len(), "one pass is enough");
    }
}

fn numbers(count: usize) -> Vec<f64> {
    (0..count).map(|i| ((i * 29 + 7) % 31) as f64 / 8.0 - 1.8).collect()
}

fn kind(op: &Op<f64>) -> &'static str {
    match op {
        Op::Input(_) => "input",
        Op::Reshape(_) => "reshape",
        Op::Affine(affine) => match affine.matrix {
            Matrix::Diagonal(_) => "diagonal",
            _ => "affine",
        },
        Op::Unary(Unary(UnaryFunction::Scale { .. })) => "scale",
        Op::Unary(_) => "unary",
        Op::Binary(_) => "binary",
        Op::Rearrange(_) => "rearrange",
        Op::Conv(_) => "conv",
        _ => "other",
    }
}

#[test]
fn acas_xu_ends_as_affine_layers_and_relus() {
    Chain::new(&[1, 1, 1, 5])
        .with(BinaryFunction::Sub, &[1, 1, 1, 5], false)
        .reshape(&[1, 5])
        .dense(7, 1)
        .with(BinaryFunction::Add, &[7], false)
        .relu()
        .dense(3, 1)
        .with(BinaryFunction::Add, &[3], true)
        .check(&["input", "affine", "reshape", "unary", "affine"]);
}

#[test]
fn scalings_by_a_number_join() {
    Chain::new(&[2, 3])
        .with(BinaryFunction::Mul, &[], false)
        .with(BinaryFunction::Sub, &[1], true)
        .op(Op::Unary(Unary(UnaryFunction::Neg)))
        .check(&["input", "scale"]);
}

#[test]
fn a_normalisation_of_channels_joins_the_dense_layer_behind_the_flattening() {
    Chain::new(&[1, 3, 2, 2])
        .with(BinaryFunction::Sub, &[3, 1, 1], false)
        .with(BinaryFunction::Div, &[1, 3, 1, 1], false)
        .reshape(&[1, 12])
        .dense(4, 1)
        .check(&["input", "reshape", "affine"]);
}

#[test]
fn a_constant_image_is_subtracted_as_one_axis() {
    Chain::new(&[1, 2, 3, 2])
        .with(BinaryFunction::Sub, &[2, 3, 1], false)
        .check(&["input", "reshape", "diagonal", "reshape"]);
}

#[test]
fn dense_layers_join_only_where_that_is_cheaper() {
    Chain::new(&[1, 6]).dense(6, 1).dense(2, 1).check(&["input", "affine"]);
    Chain::new(&[1, 6]).dense(2, 1).dense(6, 1).check(&["input", "affine", "affine"]);
}

#[test]
fn a_layer_that_others_need_too_is_not_computed_twice() {
    let mut chain = Chain::new(&[1, 6]).dense(6, 1);
    let first = chain.last;
    chain = chain.dense(6, 1);
    let sum = Op::Binary(Binary(BinaryFunction::Add));
    chain.last = chain.builder.push("sum", sum, &[first, chain.last], ElementType::Float64).unwrap();
    chain.check(&["input", "affine", "affine", "binary"]);
}

#[test]
fn index_maps_join_and_vanish() {
    let turn = |from: &[usize], order: &[usize]| Op::Rearrange(Rearrange::transpose(from, order).unwrap());
    Chain::new(&[2, 3, 4])
        .op(turn(&[2, 3, 4], &[2, 0, 1]))
        .op(turn(&[4, 2, 3], &[1, 2, 0]))
        .relu()
        .check(&["input", "unary"]);
    Chain::new(&[2, 3, 4])
        .op(turn(&[2, 3, 4], &[2, 0, 1]))
        .reshape(&[4, 6])
        .op(turn(&[4, 6], &[1, 0]))
        .check(&["input", "reshape"]);
    let fill = |from: &[usize], to: &[usize], fill: f64| {
        Op::Rearrange(Rearrange::from_fn(from, to, fill, |i| i[0].checked_sub(1)).unwrap())
    };
    Chain::new(&[2]).op(fill(&[2], &[3], 0.0)).op(fill(&[3], &[4], 1.0)).check(&[
        "input",
        "rearrange",
        "rearrange",
    ]);
    Chain::new(&[2]).op(fill(&[2], &[3], 1.0)).op(fill(&[3], &[4], 1.0)).check(&["input", "rearrange"]);
}

#[test]
fn operators_without_effect_vanish() {
    Chain::new(&[3])
        .relu()
        .relu()
        .op(Op::Unary(Unary(UnaryFunction::Scale { scale: 1.0, shift: 0.0 })))
        .reshape(&[3])
        .check(&["input", "unary"]);
}

#[test]
fn the_sign_of_a_shifted_sign_is_one_sign() {
    let sign = || Op::Unary(Unary(UnaryFunction::Sign));
    let shift = |scale: f64, shift: f64| Op::Unary(Unary(UnaryFunction::Scale { scale, shift }));
    let signs = || Chain::new(&[3]).with(BinaryFunction::Sub, &[3], false).op(sign());
    signs().op(shift(1.0, 0.1)).op(sign()).check(&["input", "diagonal", "unary"]);
    signs().op(shift(1.0, -0.1)).op(sign()).check(&["input", "diagonal", "unary"]);
    signs().op(shift(1.0, 1.5)).op(sign()).check(&["input", "diagonal", "unary", "scale", "unary"]);
    signs().op(shift(-1.0, 0.1)).op(sign()).check(&["input", "diagonal", "unary", "scale", "unary"]);
    for (by, want) in [(0.1, [1.0, 1.0, -1.0]), (-0.1, [-1.0, 1.0, -1.0])] {
        let chain = Chain::new(&[3]).op(sign()).op(shift(1.0, by)).op(sign());
        let network = simplify(chain.builder.finish(vec![chain.last]));
        assert_eq!(network.nodes().len(), 2);
        assert_eq!(network.evaluate(&[0.0, 1e-300, -2.0]), want);
    }
}

#[test]
fn channel_scalings_go_into_the_convolution_before() {
    for groups in [1, 2] {
        Chain::new(&[1, 4, 5, 5])
            .conv((6, 4, groups), false)
            .with(BinaryFunction::Mul, &[6, 1, 1], false)
            .with(BinaryFunction::Add, &[1, 6, 1, 1], false)
            .op(Op::Unary(Unary(UnaryFunction::Neg)))
            .check(&["input", "conv"]);
        Chain::new(&[1, 6, 3, 3])
            .conv((6, 4, groups), true)
            .with(BinaryFunction::Mul, &[4, 1, 1], false)
            .with(BinaryFunction::Sub, &[], true)
            .check(&["input", "conv"]);
    }
}

#[test]
fn transposes_between_layouts_meet_and_vanish() {
    let turn = |from: &[usize], order: &[usize]| Op::Rearrange(Rearrange::transpose(from, order).unwrap());
    Chain::new(&[1, 3, 2, 4])
        .op(turn(&[1, 3, 2, 4], &[0, 2, 3, 1]))
        .relu()
        .op(turn(&[1, 2, 4, 3], &[0, 3, 1, 2]))
        .check(&["input", "unary"]);
    Chain::new(&[1, 3, 2, 4])
        .op(turn(&[1, 3, 2, 4], &[0, 2, 3, 1]))
        .relu()
        .reshape(&[1, 24])
        .dense(5, 1)
        .check(&["input", "unary", "reshape", "affine"]);
}
