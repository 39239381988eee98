//! Operators that change nothing: scalings by one, matrices that are the identity, a ReLU of a ReLU.

use super::{Replacement, RewriteSubject};
use crate::network::matrix::Matrix;
use crate::network::op::{Op, Unary, UnaryFunction};
use crate::network::real::Real;

pub(super) fn remove<T: Real>(subject: &RewriteSubject<'_, T>) -> Option<Replacement<T>> {
    let operand = subject.node(*subject.inputs.first()?);
    let nothing = match subject.op {
        Op::Unary(Unary(UnaryFunction::Scale { scale, shift })) => *scale == 1.0 && *shift == 0.0,
        Op::Unary(f @ Unary(UnaryFunction::Relu | UnaryFunction::Abs)) => {
            matches!(&operand.op, Op::Unary(before) if before == f)
        }
        Op::Affine(affine) => {
            let ones = matches!(&affine.matrix, Matrix::Diagonal(d) if d.iter().all(|&x| x == T::one()));
            ones && affine.bias.iter().all(|&b| b == T::zero())
        }
        Op::Concat(_) => subject.inputs.len() == 1,
        _ => false,
    };
    (nothing && operand.element == subject.element)
        .then(|| Replacement { inputs: vec![subject.inputs[0]], ops: vec![] })
}
