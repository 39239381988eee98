//! A reshape of a reshape is one reshape; a reshape to the shape that is there already is none.

use super::{Replacement, RewriteSubject};
use crate::network::op::Op;
use crate::network::real::Real;

pub(super) fn merge<T: Real>(subject: &RewriteSubject<'_, T>) -> Option<Replacement<T>> {
    let Op::Reshape(shape) = subject.op else { return None };
    let operand = subject.node(subject.inputs[0]);
    if let Op::Reshape(_) = operand.op {
        return Some(Replacement { inputs: operand.inputs.clone(), ops: vec![Op::Reshape(shape.clone())] });
    }
    if operand.shape == *shape && operand.element == subject.element {
        return Some(Replacement { inputs: subject.inputs.to_vec(), ops: vec![] });
    }
    None
}
