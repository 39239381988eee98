//! Between which numbers a value lies whatever the inputs: what tells whether an integer may leave its type.
//!
//! A wrapped integer has no bounds that a proof could use, so that operators are brought back into their type
//! ([`Integer`]) only where they can leave it: indices, truth values and quantised numbers never do.

use crate::network::Real;
use crate::network::op::{Affine, BinaryFunction, Integer, Op, Reduce, Reduction, UnaryFunction};

use crate::onnx::{ElementType, Tensor};

/// Least and largest number; infinite where nothing is known.
pub(super) type Reach = (f64, f64);

/// What nothing is known about.
pub(super) const EVERYTHING: Reach = (f64::NEG_INFINITY, f64::INFINITY);

/// All numbers of an element type.
pub(super) fn of_element(element: ElementType) -> Reach {
    match Integer::of(element) {
        Some(integer) => integer.range(),
        None if element == ElementType::Bool => (0.0, 1.0),
        None => EVERYTHING,
    }
}

/// The numbers of a constant.
pub(super) fn of_constant(tensor: &Tensor) -> Reach {
    let values = tensor.to_f64();
    hull(values.iter().map(|&x| (x, x)))
}

/// Whether every number of the reach is one of the type.
pub(super) fn fits(reach: Reach, integer: Integer) -> bool {
    let (low, high) = integer.range();
    low <= reach.0 && reach.1 <= high
}

/// The reach of a result before anything wraps; `shape` is the first operand's.
pub(super) fn of_result<T: Real>(op: &Op<T>, operands: &[Reach], shape: &[usize]) -> Reach {
    let first = operands.first().copied().unwrap_or(EVERYTHING);
    let second = operands.get(1).copied().unwrap_or(EVERYTHING);
    match op {
        Op::Unary(op) => of_function(op.0, first),
        Op::Binary(op) => of_pair(op.0, first, second),
        Op::Affine(affine) => of_rows(affine, size(first)),
        Op::MatMul(_) => around(size(first) * size(second) * last(shape)),
        Op::Reduce(Reduce { function: Reduction::Sum, axis }) => {
            let terms = shape.get(*axis).map_or(f64::INFINITY, |&n| n as f64);
            (times(first.0.min(0.0), terms), times(first.1.max(0.0), terms))
        }
        Op::Reduce(Reduce { function: Reduction::Product, axis }) => {
            let factors = shape.get(*axis).copied().and_then(|n| i32::try_from(n).ok()).unwrap_or(i32::MAX);
            around(size(first).max(1.0).powi(factors))
        }
        Op::ArgExtreme(op) => (0.0, shape.get(op.axis).map_or(f64::INFINITY, |&n| n as f64)),
        Op::TopK(op) if op.places => (0.0, shape.get(op.axis).map_or(f64::INFINITY, |&n| n as f64)),
        Op::Rearrange(map) => hull([first, (map.fill, map.fill)].into_iter()),
        // The first operand chooses between the others.
        Op::Select(_) => hull(operands.iter().skip(1).copied()),
        Op::Reshape(_) | Op::Concat(_) | Op::Reduce(_) | Op::MaxPool(_) | Op::TopK(_) => {
            hull(operands.iter().copied())
        }
        Op::Pick(_) => first,
        Op::Input(_) | Op::Constant(_) | Op::Conv(_) | Op::Softmax(_) | Op::Plain(_) => EVERYTHING,
    }
}

/// Whether a function of integers may give other numbers.
pub(super) fn makes_fractions<T: Real>(op: &Op<T>) -> bool {
    use UnaryFunction::*;
    let Op::Unary(op) = op else { return false };
    match op.0 {
        Abs | Neg | Relu | Clip { .. } | Sign | SignOr { .. } | Nonzero | Not | IsNan | IsInf { .. } => false,
        Floor | Ceil | Round | Truncate | Convert(_) | Wrap(_) => false,
        Scale { scale, shift } => scale.fract() != 0.0 || shift.fract() != 0.0,
        Power { exponent } => exponent < 0.0 || exponent.fract() != 0.0,
        _ => true,
    }
}

fn of_function(function: UnaryFunction, x: Reach) -> Reach {
    use UnaryFunction::*;
    match function {
        Abs => (0.0, size(x)),
        Neg => (-x.1, -x.0),
        Relu => (x.0.max(0.0), x.1.max(0.0)),
        Clip { low, high } => (x.0.max(low).min(high), x.1.max(low).min(high)),
        Sign | SignOr { .. } => (-1.0, 1.0),
        Nonzero | Not | IsNan | IsInf { .. } => (0.0, 1.0),
        Floor | Ceil | Round | Truncate => (x.0.floor(), x.1.ceil()),
        Scale { scale, shift } => {
            let ends = [times(scale, x.0) + shift, times(scale, x.1) + shift];
            (ends[0].min(ends[1]), ends[0].max(ends[1]))
        }
        Power { exponent } if exponent >= 0.0 => around(size(x).max(1.0).powf(exponent)),
        _ => EVERYTHING,
    }
}

fn of_pair(function: BinaryFunction, a: Reach, b: Reach) -> Reach {
    use BinaryFunction::*;
    let holds_zero = b.0 <= 0.0 && b.1 >= 0.0;
    match function {
        Add => (a.0 + b.0, a.1 + b.1),
        Sub => (a.0 - b.1, a.1 - b.0),
        Mul => {
            let ends = [times(a.0, b.0), times(a.0, b.1), times(a.1, b.0), times(a.1, b.1)];
            hull(ends.into_iter().map(|end| (end, end)))
        }
        IntegerDiv if !holds_zero => around(size(a)),
        Modulo | Remainder if !holds_zero => around(size(b)),
        Max => (a.0.max(b.0), a.1.max(b.1)),
        Min => (a.0.min(b.0), a.1.min(b.1)),
        Less | LessOrEqual | Greater | GreaterOrEqual | Equal | And | Or | Xor => (0.0, 1.0),
        _ => EVERYTHING,
    }
}

/// Products with constant rows.
fn of_rows<T: Real>(affine: &Affine<T>, size: f64) -> Reach {
    let mut most = 0.0f64;
    for (output, bias) in affine.bias.iter().enumerate() {
        let mut sum = 0.0;
        affine.matrix.for_row(output, |_, weight| sum += weight.widen().abs());
        most = most.max(times(sum, size) + bias.widen().abs());
    }
    around(most)
}

fn size(x: Reach) -> f64 {
    x.0.abs().max(x.1.abs())
}

fn around(size: f64) -> Reach {
    if size.is_nan() { EVERYTHING } else { (-size, size) }
}

/// A product in which nothing comes of nothing.
fn times(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 { 0.0 } else { a * b }
}

fn last(shape: &[usize]) -> f64 {
    shape.last().map_or(1.0, |&n| n as f64)
}

fn hull(all: impl Iterator<Item = Reach>) -> Reach {
    let joined = |a: Reach, b: Reach| (a.0.min(b.0), a.1.max(b.1));
    all.reduce(joined).unwrap_or(EVERYTHING)
}
