//! Lists of tensors, as far as their lengths are known now: exporters split a value into a list and join it again. Nothing
//! of a list is left in the network; it is its elements.

use super::Entry;
use crate::network::Real;
use crate::network::import::call::{Built, ImportCall};
use crate::network::import::{Importer, Operand};
use crate::onnx::ModelError;

impl<T: Real> Importer<T> {
    pub(super) const SEQUENCES: &'static [Entry<T>] = &[
        ("ConcatFromSequence", concat),
        ("SequenceAt", at),
        ("SequenceConstruct", construct),
        ("SequenceEmpty", |_| Ok(vec![Operand::list(Vec::new())])),
        ("SequenceErase", erase),
        ("SequenceInsert", insert),
        ("SequenceLength", length),
        ("SplitToSequence", split),
    ];
}

impl<T: Real> ImportCall<'_, T> {
    fn list(&self, i: usize) -> Result<Vec<Operand>, ModelError> {
        match self.operand(i)? {
            Operand::List(elements) => Ok(elements.to_vec()),
            _ => Err(self.error(format!("operand {i} is no list"))),
        }
    }

    /// The position that operand `i` gives in a list, negative ones from the end; the last one where it is left out.
    fn position(&self, i: usize, len: usize, otherwise: usize) -> Result<usize, ModelError> {
        if self.optional(i).is_none() {
            return Ok(otherwise);
        }
        let given = *self.ints(i)?.first().ok_or_else(|| self.error("the position is missing"))?;
        let at = if given < 0 { given + len as i64 } else { given };
        usize::try_from(at).map_err(|_| self.error(format!("position {given} in a list of {len}")))
    }
}

fn construct<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    Ok(vec![Operand::list(call.all()?)])
}

fn at<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let list = call.list(0)?;
    let at = call.position(1, list.len(), 0)?;
    let missing = || call.error(format!("position {at} in a list of {}", list.len()));
    Ok(vec![list.get(at).cloned().ok_or_else(missing)?])
}

fn insert<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let (mut list, x) = (call.list(0)?, call.operand(1)?);
    let at = call.position(2, list.len(), list.len())?;
    if at > list.len() {
        return Err(call.error(format!("position {at} in a list of {}", list.len())));
    }
    list.insert(at, x);
    Ok(vec![Operand::list(list)])
}

fn erase<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let mut list = call.list(0)?;
    let at = call.position(1, list.len(), list.len().saturating_sub(1))?;
    if at >= list.len() {
        return Err(call.error(format!("position {at} in a list of {}", list.len())));
    }
    list.remove(at);
    Ok(vec![Operand::list(list)])
}

fn length<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let len = call.list(0)?.len();
    Ok(vec![call.literal(crate::onnx::ElementType::Int64, vec![], &[len as f64])])
}

fn concat<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let list = call.list(0)?;
    let Some(first) = list.first() else { return Err(call.error("the list is empty")) };
    let fresh = call.node.flag("new_axis", false)?;
    let rank = call.shape(first).len() + usize::from(fresh);
    let axis = call.node.int("axis")?.ok_or_else(|| call.error("attribute axis is missing"))?;
    let axis = call.axis(axis, rank)?;
    let first = call.shape(first).len();
    if list.iter().any(|x| call.shape(x).len() != first) {
        return Err(call.error("the list holds tensors of different ranks"));
    }
    let mut parts = Vec::with_capacity(list.len());
    for x in &list {
        let mut shape = call.shape(x);
        if fresh {
            shape.insert(axis, 1);
        }
        parts.push(call.reshape(x, shape)?);
    }
    Ok(vec![call.concatenated(parts, axis)?])
}

/// Into parts of one size, of the given sizes, or of 1: then the axis is dropped unless `keepdims` says otherwise.
fn split<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let shape = call.shape(&x);
    let axis = call.axis(call.node.int("axis")?.unwrap_or(0), shape.len())?;
    let len = shape[axis];
    let sizes: Vec<usize> = match call.optional_constant(1)? {
        None => vec![1; len],
        Some(sizes) => {
            let given = sizes.as_i64().ok_or_else(|| call.error("the sizes are no integers"))?;
            let given: Option<Vec<usize>> = given.iter().map(|&n| usize::try_from(n).ok()).collect();
            match given.as_deref() {
                Some([each]) if sizes.shape.is_empty() && *each > 0 => {
                    (0..len.div_ceil(*each)).map(|i| (*each).min(len - i * each)).collect()
                }
                Some(list) if list.iter().try_fold(0_usize, |sum, &n| sum.checked_add(n)) == Some(len) => {
                    list.to_vec()
                }
                _ => return Err(call.error(format!("parts that do not make up the length {len}"))),
            }
        }
    };
    let drop = call.optional(1).is_none() && !call.node.flag("keepdims", true)?;
    let (mut list, mut from) = (Vec::with_capacity(sizes.len()), 0);
    for size in sizes {
        let indices: Vec<usize> = (from..from + size).collect();
        let to: &[usize] = if drop { &[] } else { &[size] };
        list.push(call.pick(&x, axis, &indices, to)?);
        from += size;
    }
    Ok(vec![Operand::list(list)])
}
