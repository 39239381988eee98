//! Index maps join, and move towards the outputs: an index map after an index map is one; a function of each number
//! commutes with one that only reorders; a dense layer over all numbers takes the order into its columns. So the
//! transposes between channels-first and channels-last layers meet and vanish.

use super::{Replacement, RewriteSubject};
use crate::network::matrix::Matrix;
use crate::network::op::{Affine, Op, Rearrange};
use crate::network::real::Real;

pub(super) fn merge<T: Real>(subject: &RewriteSubject<'_, T>) -> Option<Replacement<T>> {
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

/// Whether every number of the operand is in the result exactly once.
fn reorders(map: &Rearrange) -> bool {
    let mut seen = vec![false; map.map.len()];
    map.map.len() == crate::network::shape::len(&map.from)
        && map
            .map
            .iter()
            .all(|&at| seen.get_mut(at as usize).is_some_and(|seen| !std::mem::replace(seen, true)))
}

/// `f(reorder(x))` is `reorder(f(x))`.
pub(super) fn pass_by<T: Real>(subject: &RewriteSubject<'_, T>) -> Option<Replacement<T>> {
    let Op::Unary(f) = subject.op else { return None };
    let operand = subject.inputs[0];
    let before = subject.past_reshape(operand);
    let node = subject.node(before);
    let Op::Rearrange(map) = &node.op else { return None };
    if !subject.single_use(operand) || !subject.single_use(before) || !reorders(map) {
        return None;
    }
    let shape = subject.node(operand).shape.clone();
    let ops = vec![Op::Unary(f.clone()), Op::Rearrange(map.clone()), Op::Reshape(shape)];
    Some(Replacement { inputs: node.inputs.clone(), ops })
}

/// A layer over all numbers of a reordered value: its columns are reordered instead.
pub(super) fn into_columns<T: Real>(subject: &RewriteSubject<'_, T>) -> Option<Replacement<T>> {
    let Op::Affine(affine) = subject.op else { return None };
    let Matrix::Dense(matrix) = &affine.matrix else { return None };
    let operand = subject.inputs[0];
    let before = subject.past_reshape(operand);
    let node = subject.node(before);
    let Op::Rearrange(map) = &node.op else { return None };
    let inputs = affine.matrix.inputs();
    let whole = inputs == map.map.len();
    if !whole || !subject.single_use(operand) || !subject.single_use(before) || !reorders(map) {
        return None;
    }
    let old = matrix.entries();
    let mut new = vec![T::zero(); old.len()];
    for (row, old) in new.chunks_exact_mut(inputs.max(1)).zip(old.chunks_exact(inputs.max(1))) {
        for (&at, &w) in map.map.iter().zip(old) {
            row[at as usize] = w;
        }
    }
    let shape = subject.node(operand).shape.clone();
    let matrix = Matrix::dense(affine.matrix.outputs(), inputs, new);
    let layer = Affine { matrix, bias: affine.bias.clone(), axis: affine.axis };
    Some(Replacement { inputs: node.inputs.clone(), ops: vec![Op::Reshape(shape), Op::Affine(layer)] })
}
