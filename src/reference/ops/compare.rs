//! Comparisons, logic and operations on bits, with two operands broadcast to one shape; `Where` with three.

use ndarray::Zip;

use super::super::array::{broadcast, combined, floats, integers, moved, same_element, spread, view};
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

/// The common shape of two operands, and `f` (floats) or `g` (integers) of each pair of their values.
fn pairs<R: Copy + Default>(
    a: &Tensor,
    b: &Tensor,
    f: impl Fn(f64, f64) -> R,
    g: impl Fn(i64, i64) -> R,
) -> Result<(Vec<usize>, Vec<R>), String> {
    let element = same_element(&[a, b])?;
    let shape = broadcast(&[&a.shape, &b.shape])?;
    let shapes = [a.shape.as_slice(), &b.shape];
    let values = match element.is_float() {
        true => combined(&shape, shapes, &floats(a), &floats(b), f)?,
        false => combined(&shape, shapes, integers(a)?, integers(b)?, g)?,
    };
    Ok((shape, values))
}

fn compare(call: &Call<'_>, f: fn(f64, f64) -> bool, g: fn(i64, i64) -> bool) -> Results {
    let (a, b) = (call.input(0)?, call.input(1)?);
    // Unsigned 64-bit integers are held as signed ones: with the top bit turned, their order is the same.
    let turn = if a.element == ElementType::UInt64 { i64::MIN } else { 0 };
    let (shape, values) = pairs(a, b, f, |x, y| g(x ^ turn, y ^ turn))?;
    Ok(vec![call.store_bools(shape, values.into_iter())])
}

fn logic(call: &Call<'_>, f: fn(bool, bool) -> bool) -> Results {
    let (a, b) = (call.input(0)?, call.input(1)?);
    if a.element != ElementType::Bool {
        return Err(format!("truth values are needed where {} is given", a.element));
    }
    let (shape, values) = pairs(a, b, |_, _| false, |x, y| f(x != 0, y != 0))?;
    Ok(vec![call.store_bools(shape, values.into_iter())])
}

fn bits(call: &Call<'_>, f: impl Fn(i64, i64) -> i64) -> Results {
    let (a, b) = (call.input(0)?, call.input(1)?);
    integers(a)?;
    let (shape, values) = pairs(a, b, |_, _| 0, f)?;
    Ok(vec![call.store_integers(a.element, shape, values)])
}

/// Shifts unsigned integers; a shift by the width or more gives 0.
fn bit_shift(call: &Call<'_>) -> Results {
    let element = call.input(0)?.element;
    let shift = |x: i64, by: i64, shift: fn(u64, u32) -> Option<u64>| {
        let by = u32::try_from(by).unwrap_or(64);
        wrapped(element, shift(x as u64, by).unwrap_or(0) as i64)
    };
    let shifter = match call.string("direction", "")? {
        "LEFT" => u64::checked_shl,
        "RIGHT" => u64::checked_shr,
        other => return Err(format!("its attribute direction is {other:?}, not \"LEFT\" or \"RIGHT\"")),
    };
    bits(call, |x, y| shift(x, y, shifter))
}

fn select(call: &Call<'_>) -> Results {
    let (condition, a, b) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let shape = broadcast(&[&condition.shape, &a.shape, &b.shape])?;
    let chosen = view(&condition.shape, integers(condition)?)?;
    let chosen = spread(&chosen, &shape)?;
    Ok(vec![moved!(a, b; |a, b| {
        let mut result = spread(&a, &shape)?.to_owned();
        let others = spread(&b, &shape)?;
        Zip::from(&mut result).and(&chosen).and(others).for_each(|x, &c, &other| *x = if c != 0 { *x } else { other });
        result
    })])
}
