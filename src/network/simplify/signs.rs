//! A sign of a shifted sign is one sign with a value at zero.
//!
//! Larq's binarised layers are exported as `Sign(Sign(x) + 0.1)`: the shift makes the zero a one. Two signs in a row
//! would also bend the smooth steps that stand in for them: the second one is off centre by the shift.

use super::{Replacement, RewriteSubject};
use crate::network::op::{Op, Unary, UnaryFunction};
use crate::network::real::Real;

pub(super) fn merge<T: Real>(subject: &RewriteSubject<'_, T>) -> Option<Replacement<T>> {
    let Op::Unary(Unary(UnaryFunction::Sign)) = subject.op else { return None };
    let operand = subject.node(*subject.inputs.first()?);
    let Op::Unary(Unary(UnaryFunction::Scale { scale, shift })) = operand.op else { return None };
    let inner = subject.node(*operand.inputs.first()?);
    let Op::Unary(Unary(UnaryFunction::Sign)) = inner.op else { return None };
    let source = *inner.inputs.first()?;
    let zero = shift.signum();
    (scale > shift.abs() && shift != 0.0).then(|| Replacement {
        inputs: vec![source],
        ops: vec![Op::Unary(Unary(UnaryFunction::SignOr { zero }))],
    })
}
