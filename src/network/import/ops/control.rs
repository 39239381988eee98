//! Operators that compute graphs: `If` with a condition that is known now is the branch taken; `Loop` and `Scan` with a
//! number of rounds that is known now are their bodies, one after the other. All are imported in the node's place.

use std::sync::Arc;

use super::Entry;
use crate::network::Real;
use crate::network::import::call::{Built, ImportCall};
use crate::network::import::{Importer, Operand};
use crate::network::op::{Concat, Op};
use crate::onnx::{ElementType, Graph, ModelError};

/// More rounds than any network needs; each is a copy of the body.
const MOST_ROUNDS: usize = 10_000;

impl<T: Real> Importer<T> {
    pub(super) const CONTROL: &'static [Entry<T>] = &[("If", branch), ("Loop", rounds), ("Scan", scan)];
}

fn branch<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let condition = call.constant(0)?;
    let Some(condition) = condition.scalar() else {
        return Err(call.error("the condition is not a single truth value"));
    };
    let name = if condition != 0.0 { "then_branch" } else { "else_branch" };
    let graph = body(call, name)?;
    call.importer.inner_graph(&graph, Vec::new())
}

fn body<T: Real>(call: &ImportCall<'_, T>, name: &str) -> Result<Arc<Graph>, ModelError> {
    call.node.graph(name)?.cloned().ok_or_else(|| call.error(format!("attribute {name} is missing")))
}

/// `Loop`: the body takes the round's number, the condition and the carried values; it gives the next condition, the next
/// carried values, and a slice of each collected result.
fn rounds<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let graph = body(call, "body")?;
    let limit = match call.optional_constant(0)? {
        Some(limit) => {
            limit.scalar().ok_or_else(|| call.error("the number of rounds is not a single number"))?
        }
        None => f64::INFINITY,
    };
    let mut goes_on =
        call.optional_constant(1)?.and_then(|condition| condition.scalar()).is_none_or(|c| c != 0.0);
    let mut carried = (2..call.count()).map(|i| call.operand(i)).collect::<Result<Vec<_>, _>>()?;
    let count = carried.len();
    if graph.inputs.len() != count + 2 || graph.outputs.len() < count + 1 {
        return Err(call.error(format!("its body does not fit {count} carried values")));
    }
    let mut collected = vec![Vec::new(); graph.outputs.len() - count - 1];
    let mut round = 0_usize;
    while goes_on && (round as f64) < limit {
        if round == MOST_ROUNDS {
            return Err(call.error(format!("more than {MOST_ROUNDS} rounds")));
        }
        let number = call.literal(ElementType::Int64, vec![], &[round as f64]);
        let condition = call.literal(ElementType::Bool, vec![], &[1.0]);
        let inputs = [number, condition].into_iter().chain(carried).collect();
        let mut results = call.importer.inner_graph(&graph, inputs)?.into_iter();
        goes_on = match results.next() {
            Some(Operand::Constant(condition)) => condition.scalar().is_some_and(|c| c != 0.0),
            _ => {
                return Err(call.error(
                    "whether it goes on depends on the network's input; only a number of rounds that is known \
                     beforehand is supported",
                ));
            }
        };
        carried = results.by_ref().take(count).collect();
        collected.iter_mut().zip(results).for_each(|(slices, slice)| slices.push(slice));
        round += 1;
    }
    for slices in collected {
        carried.push(stacked(call, slices, 0)?);
    }
    Ok(carried)
}

/// `Scan` (from operator set 9 on): the body takes the states and a slice of each scanned operand; it gives the next
/// states and a slice of each result.
fn scan<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let graph = body(call, "body")?;
    let scans = usize::try_from(call.node.int("num_scan_inputs")?.unwrap_or(0)).unwrap_or(0);
    if call.opset() < 9 || scans == 0 || scans > call.count() || graph.inputs.len() != call.count() {
        return Err(
            call.error("only Scan of operator set 9 or newer, whose body fits its operands, is supported")
        );
    }
    let states = call.count() - scans;
    let Some(results) = graph.outputs.len().checked_sub(states) else {
        return Err(call.error(format!("its body does not fit {states} states")));
    };
    let list = |name: &str, len: usize| -> Result<Vec<i64>, ModelError> {
        let given = call.node.ints(name)?.map_or(vec![0; len], <[i64]>::to_vec);
        if given.len() == len {
            Ok(given)
        } else {
            Err(call.error(format!("{name} does not have {len} entries")))
        }
    };
    let (axes, reversed) = (list("scan_input_axes", scans)?, list("scan_input_directions", scans)?);
    let (to_axes, to_reversed) =
        (list("scan_output_axes", results)?, list("scan_output_directions", results)?);
    let mut carried = (0..states).map(|i| call.operand(i)).collect::<Result<Vec<_>, _>>()?;
    let mut scanned = Vec::new();
    for (i, &axis) in axes.iter().enumerate() {
        let x = call.operand(states + i)?;
        let axis = call.axis(axis, call.shape(&x).len())?;
        scanned.push((x, axis));
    }
    let length = scanned.first().map_or(0, |(x, axis)| call.shape(x)[*axis]);
    if length > MOST_ROUNDS || scanned.iter().any(|(x, axis)| call.shape(x)[*axis] != length) {
        return Err(
            call.error(format!("its operands are not scanned over one length of at most {MOST_ROUNDS}"))
        );
    }
    let mut collected = vec![Vec::new(); results];
    for round in 0..length {
        let mut inputs = carried;
        for ((x, axis), &backwards) in scanned.iter().zip(&reversed) {
            let at = if backwards != 0 { length - 1 - round } else { round };
            inputs.push(call.pick(x, *axis, &[at], &[])?);
        }
        let mut made = call.importer.inner_graph(&graph, inputs)?.into_iter();
        carried = made.by_ref().take(states).collect();
        collected.iter_mut().zip(made).for_each(|(slices, slice)| slices.push(slice));
    }
    for ((mut slices, axis), backwards) in collected.into_iter().zip(to_axes).zip(to_reversed) {
        if backwards != 0 {
            slices.reverse();
        }
        carried.push(stacked(call, slices, axis)?);
    }
    Ok(carried)
}

/// Slices joined along a new axis.
fn stacked<T: Real>(
    call: &mut ImportCall<'_, T>,
    slices: Vec<Operand>,
    axis: i64,
) -> Result<Operand, ModelError> {
    let Some(first) = slices.first() else {
        return Err(call.error("no round gives anything to be collected"));
    };
    let shape = call.shape(first);
    let axis = call.axis(axis, shape.len() + 1)?;
    if slices.iter().any(|slice| call.shape(slice) != shape) {
        return Err(call.error("its rounds give results of different shapes"));
    }
    let mut to = shape;
    to.insert(axis, 1);
    let mut parts = Vec::with_capacity(slices.len());
    for slice in &slices {
        parts.push(call.reshape(slice, to.clone())?);
    }
    call.concatenated(parts, axis)
}

impl<T: Real> ImportCall<'_, T> {
    /// Values joined along an axis.
    pub(super) fn concatenated(&mut self, parts: Vec<Operand>, axis: usize) -> Result<Operand, ModelError> {
        match parts.as_slice() {
            [one] => Ok(one.clone()),
            _ => self.apply(Op::Concat(Concat { axis }), &parts),
        }
    }
}
