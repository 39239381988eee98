//! An index map after an index map is one index map: transposes around reshapes, slices of slices.

use super::{Replacement, Subject};
use crate::network::op::{Op, Rearrange};
use crate::network::real::Real;

pub(super) fn merge<T: Real>(subject: &Subject<'_, T>) -> Option<Replacement<T>> {
    let Op::Rearrange(second) = subject.op else { return None };
    if second.is_identity() {
        return Some(Replacement {
            inputs: subject.inputs.to_vec(),
            ops: vec![Op::Reshape(second.to.clone())],
        });
    }
    let before = subject.node(subject.past_reshape(subject.inputs[0]));
    let Op::Rearrange(first) = &before.op else { return None };
    let fills = |map: &Rearrange| map.map.contains(&Rearrange::FILL);
    if fills(first) && fills(second) && first.fill != second.fill {
        return None;
    }
    let through = |&at: &u32| if at == Rearrange::FILL { at } else { first.map[at as usize] };
    let merged = Rearrange {
        from: first.from.clone(),
        to: second.to.clone(),
        map: second.map.iter().map(through).collect(),
        fill: if fills(first) { first.fill } else { second.fill },
    };
    Some(Replacement { inputs: before.inputs.clone(), ops: vec![Op::Rearrange(merged)] })
}
