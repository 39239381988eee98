//! The closed set of operators of the fast engine.
//!
//! ONNX has some 150 operators for inference; most of them move numbers around or combine a few others. The
//! importer says them in this smaller language: an index map ([`Rearrange`]) stands for every slicing, gathering,
//! padding, tiling and transposing operator, an [`Affine`] for every product with constants along an axis.

use super::Node;
use super::NodeId;
use super::backward::{Gradients, Surrogate};
use super::real::Real;
use super::shape::{self, ShapeError};

pub mod affine;
pub mod binary;
pub mod concat;
pub mod conv;
pub mod integer;
pub mod matmul;
pub mod max_pool;
pub mod plain;
pub mod rank;
pub mod rearrange;
pub mod reduce;
pub mod select;
mod smooth_step;
pub mod softmax;
pub mod unary;
pub mod windows;

pub use affine::Affine;
pub use binary::{Binary, BinaryFunction};
pub use concat::Concat;
pub use conv::Conv;
pub use integer::Integer;
pub use matmul::MatMul;
pub use max_pool::MaxPool;
pub use plain::Plain;
pub use rank::{ArgExtreme, TopK};
pub use rearrange::Rearrange;
pub use reduce::{Reduce, Reduction};
pub use select::{Pick, Select};
pub use softmax::Softmax;
pub use unary::{Unary, UnaryFunction};

/// A value for a whole block: ONNX shape and `len(shape) * lanes` numbers, lanes innermost.
#[derive(Debug, Clone, Copy)]
pub struct View<'a, T> {
    /// ONNX shape.
    pub shape: &'a [usize],
    /// The numbers.
    pub data: &'a [T],
}

/// The operands of a node.
#[derive(Clone, Copy)]
pub struct Operands<'a, T> {
    pub(crate) nodes: &'a [Node<T>],
    pub(crate) inputs: &'a [NodeId],
    pub(crate) values: &'a [Vec<T>],
}

impl<'a, T> Operands<'a, T> {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.inputs.len()
    }

    /// The `i`-th operand.
    pub fn get(&self, i: usize) -> View<'a, T> {
        let node = &self.nodes[self.inputs[i].0];
        View { shape: &node.shape, data: &self.values[node.slot] }
    }
}

/// What a pass over the network carries along.
pub struct Pass<'a, T> {
    /// Points in the block.
    pub lanes: usize,
    /// Memory for intermediate numbers, kept between calls.
    pub scratch: &'a mut Vec<T>,
    /// How a backward pass bends derivatives; ignored by forward passes.
    pub surrogate: Surrogate<'a, T>,
    /// How many threads a large sum may be dealt out to; no result depends on it.
    pub threads: usize,
}

/// What every operator can do.
pub trait Operator<T: Real> {
    /// ONNX shape of the result, or why the operands do not fit.
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError>;

    /// Writes the result for a block: `output` holds `len(output_shape) * lanes` numbers of any value.
    fn forward(&self, operands: Operands<'_, T>, output: &mut [T], pass: &mut Pass<'_, T>);

    /// Adds to the operands' gradients what the result's `cotangent` contributes (the vector-Jacobian product).
    /// Where an operator has no derivative it adds nothing.
    fn vjp(
        &self,
        operands: Operands<'_, T>,
        result: View<'_, T>,
        cotangent: &[T],
        gradients: &mut Gradients<'_, T>,
        pass: &mut Pass<'_, T>,
    );
}

/// An operator with its parameters.
#[derive(Debug, Clone)]
pub enum Op<T> {
    /// A network input of this shape.
    Input(Vec<usize>),
    /// A constant value.
    Constant(Constant<T>),
    /// The operand under another shape of equal length.
    Reshape(Vec<usize>),
    /// A matrix along one axis, and a bias.
    Affine(Affine<T>),
    /// A function of each number.
    Unary(Unary),
    /// A function of two operands, broadcast.
    Binary(Binary),
    /// An index map.
    Rearrange(Rearrange),
    /// Operands joined along an axis.
    Concat(Concat),
    /// A product of two values.
    MatMul(MatMul),
    /// A convolution or its transpose.
    Conv(Conv<T>),
    /// The largest number of each window.
    MaxPool(MaxPool),
    /// Numbers joined along an axis.
    Reduce(Reduce),
    /// The place of the largest or smallest number along an axis.
    ArgExtreme(ArgExtreme),
    /// The largest or smallest numbers along an axis.
    TopK(TopK),
    /// Softmax or its logarithm.
    Softmax(Softmax),
    /// A choice between two values.
    Select(Select),
    /// Rows named by indices that depend on the input.
    Pick(Pick),
    /// Whatever the plain engine computes and this one has no operator for.
    Plain(Plain),
}

/// A constant tensor, row-major.
#[derive(Debug, Clone)]
pub struct Constant<T> {
    /// Dimensions.
    pub shape: Vec<usize>,
    /// `len(shape)` numbers.
    pub data: Vec<T>,
}

/// Applies `$body` to the operator struct in `$op`, with the leaves handled by `$leaf`.
macro_rules! each {
    ($op:expr, $inner:ident => $body:expr, $leaf:expr) => {
        match $op {
            Op::Input(_) | Op::Constant(_) | Op::Reshape(_) => $leaf,
            Op::Affine($inner) => $body,
            Op::Unary($inner) => $body,
            Op::Binary($inner) => $body,
            Op::Rearrange($inner) => $body,
            Op::Concat($inner) => $body,
            Op::MatMul($inner) => $body,
            Op::Conv($inner) => $body,
            Op::MaxPool($inner) => $body,
            Op::Reduce($inner) => $body,
            Op::ArgExtreme($inner) => $body,
            Op::TopK($inner) => $body,
            Op::Softmax($inner) => $body,
            Op::Select($inner) => $body,
            Op::Pick($inner) => $body,
            Op::Plain($inner) => $body,
        }
    };
}

impl<T: Real> Op<T> {
    /// ONNX shape of the result, or why the operands do not fit.
    pub fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
        let shape = each!(self, op => Operator::<T>::output_shape(op, inputs)?, match self {
            Op::Reshape(shape) if shape::checked_len(shape)? != shape::len(inputs[0]) => {
                return Err(ShapeError(format!("{:?} cannot be reshaped to {shape:?}", inputs[0])));
            }
            Op::Input(shape) | Op::Reshape(shape) => shape.clone(),
            Op::Constant(constant) => constant.shape.clone(),
            _ => Vec::new(),
        });
        shape::checked_len(&shape)?;
        Ok(shape)
    }

    /// Runs the operator; leaves and reshapes have nothing to compute.
    #[inline]
    pub fn forward(&self, operands: Operands<'_, T>, output: &mut [T], pass: &mut Pass<'_, T>) {
        each!(self, op => op.forward(operands, output, pass), ());
    }

    /// Adds the operator's contribution to its operands' gradients.
    #[inline]
    pub fn vjp(
        &self,
        operands: Operands<'_, T>,
        result: View<'_, T>,
        cotangent: &[T],
        gradients: &mut Gradients<'_, T>,
        pass: &mut Pass<'_, T>,
    ) {
        each!(self, op => op.vjp(operands, result, cotangent, gradients, pass), ());
    }

    /// Whether the result is an affine function of the operands together (where it can be told from the kind).
    pub fn is_affine(&self) -> bool {
        matches!(
            self,
            Op::Input(_)
                | Op::Constant(_)
                | Op::Reshape(_)
                | Op::Affine(_)
                | Op::Rearrange(_)
                | Op::Concat(_)
                | Op::Conv(_)
                | Op::Reduce(Reduce { function: Reduction::Sum, .. })
        )
    }

    /// Whether each number of the result is the largest or the smallest of some numbers of the operands.
    pub fn is_extremum(&self) -> bool {
        match self {
            Op::Binary(op) => matches!(op.0, BinaryFunction::Max | BinaryFunction::Min),
            Op::Reduce(op) => matches!(op.function, Reduction::Max | Reduction::Min),
            Op::MaxPool(_) => true,
            _ => false,
        }
    }

    /// The integer type that its result is brought back into, where it is: the result is no function of reals.
    pub fn wraps(&self) -> Option<Integer> {
        match self {
            Op::Unary(Unary(UnaryFunction::Wrap(to) | UnaryFunction::Convert(to))) => Some(*to),
            Op::Binary(Binary(BinaryFunction::WrappingMul(to))) => Some(*to),
            _ => None,
        }
    }

    /// Whether it is a power of one operand by another.
    pub fn is_power(&self) -> bool {
        matches!(self, Op::Binary(Binary(BinaryFunction::Pow)))
    }

    /// Multiplications for one point, roughly, when the result has `shape`.
    pub fn multiplications(&self, shape: &[usize]) -> usize {
        match self {
            Op::Input(_) | Op::Constant(_) | Op::Reshape(_) => 0,
            Op::Affine(affine) => affine.multiplications(shape),
            Op::Conv(conv) => conv.multiplications() * shape[0],
            Op::Plain(plain) => plain.multiplications(),
            _ => shape::len(shape),
        }
    }

    /// The same operator with parameters of another precision.
    pub fn cast<U: Real>(&self) -> Op<U> {
        match self {
            Op::Input(shape) => Op::Input(shape.clone()),
            Op::Constant(c) => Op::Constant(Constant { shape: c.shape.clone(), data: cast(&c.data) }),
            Op::Reshape(shape) => Op::Reshape(shape.clone()),
            Op::Affine(op) => Op::Affine(op.cast()),
            Op::Unary(op) => Op::Unary(op.clone()),
            Op::Binary(op) => Op::Binary(op.clone()),
            Op::Rearrange(op) => Op::Rearrange(op.clone()),
            Op::Concat(op) => Op::Concat(op.clone()),
            Op::MatMul(op) => Op::MatMul(op.clone()),
            Op::Conv(op) => Op::Conv(op.cast()),
            Op::MaxPool(op) => Op::MaxPool(op.clone()),
            Op::Reduce(op) => Op::Reduce(op.clone()),
            Op::ArgExtreme(op) => Op::ArgExtreme(op.clone()),
            Op::TopK(op) => Op::TopK(op.clone()),
            Op::Softmax(op) => Op::Softmax(op.clone()),
            Op::Select(op) => Op::Select(op.clone()),
            Op::Pick(op) => Op::Pick(op.clone()),
            Op::Plain(op) => Op::Plain(op.clone()),
        }
    }
}

/// Every number in another precision, rounded to nearest.
pub fn cast<T: Real, U: Real>(data: &[T]) -> Vec<U> {
    data.iter().map(|x| U::of(x.widen())).collect()
}
