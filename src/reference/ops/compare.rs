//! Comparisons, logic and operations on bits, with two operands broadcast to one shape; `Where` with three.

use super::super::array::{broadcast, broadcast_map, floats, integers, pick_two, same_element};
use super::super::call::{Call, Results, wrapped};
use super::Entry;
use crate::onnx::{ElementType, Tensor};

pub(super) const OPERATORS: &[Entry] = &[
    ("And", |c| logic(c, |a, b| a && b)),
    ("BitShift", bit_shift),
    ("BitwiseAnd", |c| bits(c, |a, b| a & b)),
    ("BitwiseOr", |c| bits(c, |a, b| a | b)),
    ("BitwiseXor", |c| bits(c, |a, b| a ^ b)),
    ("Equal", |c| compare(c, |a, b| a == b, |a, b| a == b)),
    ("Greater", |c| compare(c, |a, b| a > b, |a, b| a > b)),
    ("GreaterOrEqual", |c| compare(c, |a, b| a >= b, |a, b| a >= b)),
    ("Less", |c| compare(c, |a, b| a < b, |a, b| a < b)),
    ("LessOrEqual", |c| compare(c, |a, b| a <= b, |a, b| a <= b)),
    ("Or", |c| logic(c, |a, b| a || b)),
    ("Where", select),
    ("Xor", |c| logic(c, |a, b| a != b)),
];

/// The common shape of two operands, and for each of its values the operands' flat indices.
fn pairs(a: &Tensor, b: &Tensor) -> Result<(Vec<usize>, impl Iterator<Item = (usize, usize)>), String> {
    same_element(&[a, b])?;
    let shape = broadcast(&[&a.shape, &b.shape])?;
    let pairs = broadcast_map(&a.shape, &shape).into_iter().zip(broadcast_map(&b.shape, &shape));
    Ok((shape, pairs))
}

fn compare(call: &Call<'_>, f: fn(f64, f64) -> bool, g: fn(i64, i64) -> bool) -> Results {
    let (a, b) = (call.input(0)?, call.input(1)?);
    let (shape, pairs) = pairs(a, b)?;
    if a.element.is_float() {
        let (x, y) = (floats(a), floats(b));
        return Ok(vec![call.store_bools(shape, pairs.map(|(i, j)| f(x[i], y[j])))]);
    }
    let (x, y) = (integers(a)?, integers(b)?);
    // Unsigned 64-bit integers are held as signed ones: with the top bit turned, their order is the same.
    let turn = if a.element == ElementType::UInt64 { i64::MIN } else { 0 };
    Ok(vec![call.store_bools(shape, pairs.map(|(i, j)| g(x[i] ^ turn, y[j] ^ turn)))])
}

fn logic(call: &Call<'_>, f: fn(bool, bool) -> bool) -> Results {
    let (a, b) = (call.input(0)?, call.input(1)?);
    if a.element != ElementType::Bool {
        return Err(format!("truth values are needed where {} is given", a.element));
    }
    let (shape, pairs) = pairs(a, b)?;
    let (x, y) = (integers(a)?, integers(b)?);
    Ok(vec![call.store_bools(shape, pairs.map(|(i, j)| f(x[i] != 0, y[j] != 0)))])
}

fn bits(call: &Call<'_>, f: fn(i64, i64) -> i64) -> Results {
    let (a, b) = (call.input(0)?, call.input(1)?);
    let (shape, pairs) = pairs(a, b)?;
    let (x, y) = (integers(a)?, integers(b)?);
    Ok(vec![call.store_integers(a.element, shape, pairs.map(|(i, j)| f(x[i], y[j])).collect())])
}

/// Shifts unsigned integers; a shift by the width or more gives 0.
fn bit_shift(call: &Call<'_>) -> Results {
    let element = call.input(0)?.element;
    let shift = |x: i64, by: i64, shift: fn(u64, u32) -> Option<u64>| {
        let by = u32::try_from(by).unwrap_or(64);
        wrapped(element, shift(x as u64, by).unwrap_or(0) as i64)
    };
    let (a, b) = (call.input(0)?, call.input(1)?);
    let shifter = match call.string("direction", "")? {
        "LEFT" => u64::checked_shl,
        "RIGHT" => u64::checked_shr,
        other => return Err(format!("its attribute direction is {other:?}, not \"LEFT\" or \"RIGHT\"")),
    };
    let (shape, pairs) = pairs(a, b)?;
    let (x, y) = (integers(a)?, integers(b)?);
    Ok(vec![call.store_integers(element, shape, pairs.map(|(i, j)| shift(x[i], y[j], shifter)).collect())])
}

fn select(call: &Call<'_>) -> Results {
    let (condition, a, b) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let shape = broadcast(&[&condition.shape, &a.shape, &b.shape])?;
    let chosen = integers(condition)?;
    let (from_a, from_b) = (broadcast_map(&a.shape, &shape), broadcast_map(&b.shape, &shape));
    let map: Vec<usize> = broadcast_map(&condition.shape, &shape)
        .into_iter()
        .zip(from_a.into_iter().zip(from_b))
        .map(|(c, (i, j))| if chosen[c] != 0 { i } else { a.len() + j })
        .collect();
    Ok(vec![pick_two(a, b, shape, &map)?])
}
