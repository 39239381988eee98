//! Operators that choose or replace single values: Where, OneHot, Compress, gathering and scattering elements.
//!
//! With constant indices all of them are index maps: a scatter picks each number from the data or, where an
//! update goes, from the updates that are joined behind the data.

use super::Entry;
use crate::network::Real;
use crate::network::import::call::{Built, ImportCall};
use crate::network::import::{Importer, Operand};
use crate::network::op::{BinaryFunction, Concat, Op, Pick, Rearrange, Select, UnaryFunction};
use crate::network::shape;
use crate::onnx::ModelError;

impl<T: Real> Importer<T> {
    pub(super) const SELECTION: &'static [Entry<T>] = &[
        ("Compress", compress),
        ("Gather", gather),
        ("GatherElements", gather_elements),
        ("GatherND", gather_nd),
        ("OneHot", one_hot),
        ("Scatter", scatter_elements),
        ("ScatterElements", scatter_elements),
        ("ScatterND", scatter_nd),
        ("Trilu", trilu),
        ("Where", choose),
    ];
}

fn gather<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let (x, which) = (call.operand(0)?, call.operand(1)?);
    let shape = call.shape(&x);
    let axis = call.axis(call.node.int("axis")?.unwrap_or(0), shape.len())?;
    let Operand::Constant(tensor) = &which else {
        return call.result(Op::Pick(Pick { axis }), &[x, which]);
    };
    let indices = call.indices(1, shape[axis])?;
    Ok(vec![call.pick(&x, axis, &indices, &tensor.shape.clone())?])
}

/// All three operands are spread to one shape first.
fn choose<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let operands = [call.operand(0)?, call.operand(1)?, call.operand(2)?];
    let shapes = operands.each_ref().map(|operand| call.shape(operand));
    let to = call.at(shape::broadcast(&shapes.each_ref().map(Vec::as_slice)))?;
    let element = call.element(&operands[1]);
    let mut spread = Vec::with_capacity(3);
    for operand in &operands {
        spread.push(call.expand(operand, &to)?);
    }
    Ok(vec![call.apply_as(element, Op::Select(Select), &spread)?])
}

fn compress<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let mut x = call.operand(0)?;
    let condition = call.constant(1)?.to_f64();
    let axis = match call.node.int("axis")? {
        Some(axis) => call.axis(axis, call.shape(&x).len())?,
        None => {
            let len = shape::len(&call.shape(&x));
            x = call.reshape(&x, vec![len])?;
            0
        }
    };
    let len = call.shape(&x)[axis];
    let kept: Vec<usize> = (0..len.min(condition.len())).filter(|&i| condition[i] != 0.0).collect();
    Ok(vec![call.pick(&x, axis, &kept, &[kept.len()])?])
}

/// `(indices == places) · (on − off) + off` along a new axis.
fn one_hot<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let indices = call.operand(0)?;
    let depth = call.constant(1)?.scalar().filter(|&d| d >= 0.0 && d < f64::from(1 << 24));
    let depth = depth.ok_or_else(|| call.error("depth is not a small number"))? as usize;
    let (values, element) = (call.constant(2)?, call.element(&call.operand(2)?));
    let &[off, on] = values.to_f64().as_slice() else {
        return Err(call.error("values are not two numbers, off and on"));
    };
    let shape = call.shape(&indices);
    let axis = call.axis(call.node.int("axis")?.unwrap_or(-1), shape.len() + 1)?;
    let mut column = shape;
    column.insert(axis, 1);
    let x = call.reshape(&indices, column.clone())?;
    // Negative indices count from the end.
    let kind = call.element(&x);
    let end = call.literal(kind, vec![], &[depth as f64]);
    let zero = call.literal(kind, vec![], &[0.0]);
    let negative = call.binary(BinaryFunction::Less, &x, &zero)?;
    let negative = call.cast_to(&negative, kind)?;
    let shift = call.binary(BinaryFunction::Mul, &negative, &end)?;
    let x = call.binary(BinaryFunction::Add, &x, &shift)?;
    let places = call.places(kind, column.len(), axis, depth);
    let equal = call.binary(BinaryFunction::Equal, &x, &places)?;
    let scaled = UnaryFunction::Scale { scale: on - off, shift: off };
    let op = Op::Unary(crate::network::op::Unary(scaled));
    Ok(vec![call.apply_as(element, op, &[equal])?])
}

fn trilu<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let shape = call.shape(&x);
    let upper = call.node.flag("upper", true)?;
    let k = call.optional_constant(1)?.and_then(|k| k.scalar()).unwrap_or(0.0) as i64;
    if shape.len() < 2 {
        return Err(call.error(format!("shape {shape:?} has no matrices")));
    }
    let (strides, rank) = (shape::strides(&shape), shape.len());
    let map = Rearrange::from_fn(&shape, &shape, 0.0, |at| {
        let beyond = at[rank - 1] as i64 - at[rank - 2] as i64 - k;
        let kept = if upper { beyond >= 0 } else { beyond <= 0 };
        kept.then(|| at.iter().zip(&strides).map(|(i, s)| i * s).sum())
    });
    Ok(vec![call.rearrange(&x, map)?])
}

fn gather_elements<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let places = element_places(call, &call.shape(&x))?;
    let to = call.constant(1)?.shape.clone();
    let map = flat_map(&call.shape(&x), &to, &places);
    Ok(vec![call.rearrange(&x, map)?])
}

fn flat_map(from: &[usize], to: &[usize], places: &[usize]) -> Result<Rearrange, shape::ShapeError> {
    let map = Rearrange::from_fn(from, &[places.len()], 0.0, |at| places.get(at[0]).copied())?;
    Ok(Rearrange { to: to.to_vec(), ..map })
}

/// For each index of an element-wise gather or scatter, the flat place in the data that it means.
fn element_places<T: Real>(call: &ImportCall<'_, T>, data: &[usize]) -> Result<Vec<usize>, ModelError> {
    let axis = call.axis(call.node.int("axis")?.unwrap_or(0), data.len())?;
    let shape = call.constant(1)?.shape.clone();
    let fits = shape.len() == data.len() && (0..data.len()).all(|i| i == axis || shape[i] <= data[i]);
    if !fits {
        return Err(call.error(format!("indices of shape {shape:?} do not fit data of shape {data:?}")));
    }
    let indices = call.indices(1, data[axis])?;
    let (own, strides) = (shape::strides(&shape), shape::strides(data));
    let place = |(at, &index): (usize, &usize)| {
        let along = |i: usize| if i == axis { index } else { at / own[i] % shape[i] };
        (0..data.len()).map(|i| along(i) * strides[i]).sum()
    };
    Ok(indices.iter().enumerate().map(place).collect())
}

/// For each index tuple of a gather or scatter of slices, the flat place where its slice begins, and the slices'
/// shape. `batch` leading axes are common to data and indices.
fn slice_places<T: Real>(
    call: &ImportCall<'_, T>,
    data: &[usize],
    batch: usize,
) -> Result<(Vec<usize>, Vec<usize>), ModelError> {
    let indices = call.ints(1)?;
    let shape = call.constant(1)?.shape.clone();
    let bad = || call.error(format!("indices of shape {shape:?} do not fit data of shape {data:?}"));
    let &depth = shape.last().ok_or_else(bad)?;
    if batch >= shape.len() || batch + depth > data.len() || data[..batch] != shape[..batch] {
        return Err(bad());
    }
    let strides = shape::strides(data);
    let per_batch = shape::len(&shape[batch..shape.len() - 1]).max(1);
    let batch_len = shape::len(&data[batch..]);
    let mut places = Vec::new();
    let tuples = shape::len(&shape[..shape.len() - 1]);
    for t in 0..tuples {
        let mut place = t / per_batch * batch_len;
        for (i, &index) in indices[t * depth..(t + 1) * depth].iter().enumerate() {
            let len = data[batch + i];
            let from_front = if index < 0 { index + len as i64 } else { index };
            let index = usize::try_from(from_front).ok().filter(|&index| index < len);
            place += index.ok_or_else(|| call.error("an index is outside of the data"))? * strides[batch + i];
        }
        places.push(place);
    }
    Ok((places, data[batch + depth..].to_vec()))
}

fn gather_nd<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let data = call.shape(&x);
    let batch = call.node.int("batch_dims")?.unwrap_or(0);
    let batch = usize::try_from(batch).map_err(|_| call.error("batch_dims is negative"))?;
    let (places, slice) = slice_places(call, &data, batch)?;
    let len = shape::len(&slice);
    let all: Vec<usize> = places.iter().flat_map(|&place| place..place + len).collect();
    let indices = call.constant(1)?.shape.clone();
    let to = [&indices[..indices.len() - 1], slice.as_slice()].concat();
    let map = flat_map(&data, &to, &all);
    Ok(vec![call.rearrange(&x, map)?])
}

fn scatter_elements<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let places = element_places(call, &call.shape(&x))?;
    scatter(call, &x, &places)
}

fn scatter_nd<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let (places, slice) = slice_places(call, &call.shape(&x), 0)?;
    let len = shape::len(&slice);
    let all: Vec<usize> = places.iter().flat_map(|&place| place..place + len).collect();
    scatter(call, &x, &all)
}

/// Puts update `i` to place `places[i]`, or joins it with what is there. Updates to one place follow each other
/// in rounds, so that within a round all places differ.
fn scatter<T: Real>(call: &mut ImportCall<'_, T>, x: &Operand, places: &[usize]) -> Built {
    let updates = call.operand(2)?;
    let (data, count) = (call.shape(x), places.len());
    if shape::len(&call.shape(&updates)) != count {
        return Err(
            call.error(format!("updates of shape {:?} are not {count} numbers", call.shape(&updates)))
        );
    }
    let join = match call.node.string("reduction")?.unwrap_or("none") {
        "none" => None,
        "add" => Some(BinaryFunction::Add),
        "mul" => Some(BinaryFunction::Mul),
        "max" => Some(BinaryFunction::Max),
        "min" => Some(BinaryFunction::Min),
        other => return Err(call.error(format!("reduction is {other:?}"))),
    };
    let len = shape::len(&data);
    let updates = call.reshape(&updates, vec![count])?;
    let mut flat = call.reshape(x, vec![len])?;
    let mut seen = vec![0usize; len];
    let rounds: Vec<usize> = places
        .iter()
        .map(|&p| {
            seen[p] += 1;
            seen[p] - 1
        })
        .collect();
    let last = rounds.iter().max().map_or(0, |&r| r + 1);
    // Without joining, the last update of a place wins, and one round does.
    for round in if join.is_some() { 0..last } else { 0..last.min(1) } {
        let own: Vec<usize> = (0..count).filter(|&i| join.is_none() || rounds[i] == round).collect();
        let mut source: Vec<usize> = (0..len).collect();
        own.iter().enumerate().for_each(|(at, &i)| source[places[i]] = len + at);
        let mut new = call.pick(&updates, 0, &own, &[own.len()])?;
        if let Some(f) = join {
            let targets: Vec<usize> = own.iter().map(|&i| places[i]).collect();
            let old = call.pick(&flat, 0, &targets, &[own.len()])?;
            new = call.binary(f, &old, &new)?;
        }
        let joined = call.apply(Op::Concat(Concat { axis: 0 }), &[flat, new])?;
        flat = call.pick(&joined, 0, &source, &[len])?;
    }
    Ok(vec![call.reshape(&flat, data)?])
}
