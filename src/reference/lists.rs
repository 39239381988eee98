//! Operators on lists of tensors. A list is no tensor: the walk keeps lists beside its values.

use std::sync::Arc;

use ndarray::{Axis, Slice};

use crate::onnx::{ModelError, Node, Tensor};

use super::array::{self, moved};
use super::call::Call;
use super::scope::{Scope, Value};

/// Names of the operators of this file.
pub(super) const OPERATORS: [&str; 8] = [
    "ConcatFromSequence",
    "SequenceAt",
    "SequenceConstruct",
    "SequenceEmpty",
    "SequenceErase",
    "SequenceInsert",
    "SequenceLength",
    "SplitToSequence",
];

/// A list of tensors.
pub(super) type List = Vec<Arc<Tensor>>;

pub(super) fn is_known(node: &Node) -> bool {
    node.domain.is_empty() && OPERATORS.contains(&node.operator.as_str())
}

/// Computes a node whose tensors are the call's operands; its list, if it takes one, is the first operand.
pub(super) fn run(call: &Call<'_>, scope: &Scope<'_>) -> Result<Value, ModelError> {
    let list = call.node.inputs.first().and_then(|name| scope.list(name));
    made(call, list).map_err(|what| call.node.error(what))
}

fn made(call: &Call<'_>, list: Option<List>) -> Result<Value, String> {
    let listed = || list.clone().ok_or_else(|| "operand 0 is no list".to_owned());
    Ok(match call.node.operator.as_str() {
        "SequenceEmpty" => Value::List(Vec::new()),
        "SequenceConstruct" => {
            let given: Option<List> = call.inputs.iter().cloned().collect();
            Value::List(given.ok_or("an operand is missing")?)
        }
        "SequenceLength" => Value::Tensor(Arc::new(array::int64(vec![], vec![listed()?.len() as i64]))),
        "SequenceAt" => {
            let list = listed()?;
            let at = position(call, 1, list.len(), 0)?;
            Value::Tensor(list.get(at).cloned().ok_or_else(|| beyond(at, list.len()))?)
        }
        "SequenceInsert" => {
            let mut list = listed()?;
            let at = position(call, 2, list.len(), list.len())?;
            if at > list.len() {
                return Err(beyond(at, list.len()));
            }
            list.insert(at, call.inputs.get(1).cloned().flatten().ok_or("operand 1 is missing")?);
            Value::List(list)
        }
        "SequenceErase" => {
            let mut list = listed()?;
            let at = position(call, 1, list.len(), list.len().saturating_sub(1))?;
            if at >= list.len() {
                return Err(beyond(at, list.len()));
            }
            list.remove(at);
            Value::List(list)
        }
        "ConcatFromSequence" => Value::Tensor(Arc::new(joined(call, &listed()?)?)),
        _ => Value::List(split(call)?),
    })
}

fn beyond(at: usize, len: usize) -> String {
    format!("position {at} in a list of {len}")
}

fn position(call: &Call<'_>, i: usize, len: usize, otherwise: usize) -> Result<usize, String> {
    let Some(given) = call.scalar(i)? else { return Ok(otherwise) };
    let at = if given < 0.0 { given + len as f64 } else { given };
    if at < 0.0 { Err(format!("position {given} in a list of {len}")) } else { Ok(at as usize) }
}

fn joined(call: &Call<'_>, list: &[Arc<Tensor>]) -> Result<Tensor, String> {
    let first = list.first().ok_or("the list is empty")?;
    let fresh = call.flag("new_axis", false)?;
    let axis = array::axis(call.int("axis", 0)?, first.shape.len() + usize::from(fresh))?;
    let parts: Vec<&Tensor> = list.iter().map(|part| &**part).collect();
    if parts.iter().any(|part| part.shape.len() != first.shape.len()) {
        return Err("the list holds tensors of different ranks".into());
    }
    if fresh && parts.iter().any(|part| part.shape != first.shape) {
        return Err("the list holds tensors of different shapes".into());
    }
    if fresh { array::stacked(&parts, axis) } else { array::joined(&parts, axis) }
}

fn split(call: &Call<'_>) -> Result<List, String> {
    let x = call.input(0)?;
    let axis = array::axis(call.int("axis", 0)?, x.shape.len())?;
    let Some(sizes) = call.optional(1) else {
        let keep = call.flag("keepdims", true)?;
        let kept = |slice: Tensor| {
            let mut shape = slice.shape.clone();
            if keep {
                shape.insert(axis, 1);
            }
            Arc::new(Tensor { shape, ..slice })
        };
        return Ok(array::slices(x, axis)?.into_iter().map(kept).collect());
    };
    let n = x.shape[axis];
    let given: Option<Vec<usize>> =
        array::integers(sizes)?.iter().map(|&size| usize::try_from(size).ok()).collect();
    let given = given.ok_or("a negative size")?;
    let sizes: Vec<usize> = match given.as_slice() {
        &[each] if sizes.shape.is_empty() && each > 0 => {
            (0..n).step_by(each).map(|start| each.min(n - start)).collect()
        }
        list if list.iter().try_fold(0_usize, |sum, &size| sum.checked_add(size)) == Some(n) => list.to_vec(),
        _ => return Err(format!("parts that do not make up the length {n}")),
    };
    let x = array::dense(x);
    let mut start = 0;
    let mut parts = Vec::with_capacity(sizes.len());
    for size in sizes {
        let part = Slice::from(start..start + size);
        parts.push(Arc::new(moved!(&x; |values| values.slice_axis(Axis(axis), part))));
        start += size;
    }
    Ok(parts)
}
