//! Sums, differences, products and quotients with a constant become affine layers with a diagonal matrix, which
//! the layers before or after can absorb: input normalisation, biases behind MatMul, batch-norm-like scalings.

use super::{Replacement, RewriteSubject, axis_of};
use crate::network::matrix::Matrix;
use crate::network::op::{Affine, Binary, BinaryFunction, Constant, Op, Unary, UnaryFunction};
use crate::network::real::Real;
use crate::network::shape::{self, Split};

pub(super) fn to_affine<T: Real>(subject: &RewriteSubject<'_, T>) -> Option<Replacement<T>> {
    let Op::Binary(Binary(f)) = subject.op else { return None };
    if !subject.element.is_float() {
        return None;
    }
    let constant = |i: usize| match &subject.node(subject.inputs[i]).op {
        Op::Constant(constant) => Some(constant),
        _ => None,
    };
    let (side, constant) = match (constant(0), constant(1)) {
        (None, Some(constant)) => (0, constant),
        (Some(constant), None) => (1, constant),
        _ => return None,
    };
    let x = subject.inputs[side];
    let shape = &subject.node(x).shape;
    if shape::broadcast(&[shape, &constant.shape]).ok()? != *shape {
        return None;
    }
    let terms: Vec<(f64, f64)> =
        constant.data.iter().map(|&c| term(*f, side, c.widen())).collect::<Option<_>>()?;
    let (split, terms) = along_axes(shape, constant, &terms)?;
    if let [(scale, shift)] = terms.as_slice() {
        let op = Op::Unary(Unary(UnaryFunction::Scale { scale: *scale, shift: *shift }));
        return Some(Replacement { inputs: vec![x], ops: vec![op] });
    }
    let axis = axis_of(shape, split);
    let affine = Op::Affine(Affine {
        matrix: Matrix::Diagonal(terms.iter().map(|t| T::of(t.0)).collect()),
        bias: terms.iter().map(|t| T::of(t.1)).collect(),
        axis: axis.unwrap_or(1),
    });
    let ops = match axis {
        Some(_) => vec![affine],
        None => {
            let flat = vec![split.outer, split.axis, split.inner];
            vec![Op::Reshape(flat), affine, Op::Reshape(shape.clone())]
        }
    };
    Some(Replacement { inputs: vec![x], ops })
}

/// Scale and shift of `f(x, c)` (or, with `x` on side 1, `f(c, x)`) as a function of `x`, where it has them.
fn term(f: BinaryFunction, side: usize, c: f64) -> Option<(f64, f64)> {
    let fine =
        |(scale, shift): (f64, f64)| (scale.is_finite() && shift.is_finite()).then_some((scale, shift));
    match (f, side) {
        (BinaryFunction::Add, _) => fine((1.0, c)),
        (BinaryFunction::Sub, 0) => fine((1.0, -c)),
        (BinaryFunction::Sub, _) => fine((-1.0, c)),
        (BinaryFunction::Mul, _) => fine((c, 0.0)),
        (BinaryFunction::Div, 0) if c != 0.0 => fine((1.0 / c, 0.0)),
        _ => None,
    }
}

/// The consecutive axes of `shape` along which the constant varies, as one split of it, and a term for each
/// place along them; a split of one place where it does not vary at all.
fn along_axes<T>(
    shape: &[usize],
    constant: &Constant<T>,
    terms: &[(f64, f64)],
) -> Option<(Split, Vec<(f64, f64)>)> {
    let missing = shape.len().checked_sub(constant.shape.len())?;
    let own = |axis: usize| axis.checked_sub(missing).map_or(1, |own| constant.shape[own]);
    let mut varying = (0..shape.len()).filter(|&axis| own(axis) != 1);
    let Some(first) = varying.next() else {
        let term = *terms.first()?;
        return Some((Split { outer: shape::len(shape), axis: 1, inner: 1 }, vec![term]));
    };
    let last = varying.next_back().unwrap_or(first);
    let group = &shape[first..=last];
    let split = Split {
        outer: shape::len(&shape[..first]),
        axis: shape::len(group),
        inner: shape::len(&shape[last + 1..]),
    };
    let own_group: Vec<usize> = (first..=last).map(own).collect();
    let (strides, own_strides) = (shape::strides(group), shape::strides(&own_group));
    let place = |at: usize| {
        let index = |axis: usize| if own_group[axis] == 1 { 0 } else { at / strides[axis] % group[axis] };
        (0..group.len()).map(|axis| index(axis) * own_strides[axis]).sum::<usize>()
    };
    Some((split, (0..split.axis).map(|at| terms[place(at)]).collect()))
}
