//! Conversions between element types, and quantisation.

use super::super::array::{self, around, combined, floats, integers};
use super::super::call::{Call, Results};
use super::Entry;
use crate::onnx::{ElementType, Tensor};

pub(super) const OPERATORS: &[Entry] = &[
    ("Cast", |c| Ok(vec![cast(c, c.element("to")?.ok_or("it has no attribute to")?)?])),
    ("CastLike", |c| Ok(vec![cast(c, c.input(1)?.element)?])),
    ("DequantizeLinear", dequantize),
    ("DynamicQuantizeLinear", dynamic_quantize),
    ("QuantizeLinear", quantize),
];

/// A float as an integer, the fraction cut off. C leaves open what becomes of one that does not fit, and so does ONNX: this is
/// what ONNX Runtime gives on x86. Narrow types are the low bits of a conversion to 32 bits, and a conversion that does
/// not fit gives the least integer.
pub(super) fn converted(to: ElementType, x: f64) -> i64 {
    let x = x.trunc();
    let to_32 = || if x >= f64::from(i32::MIN) && x <= f64::from(i32::MAX) { x as i32 } else { i32::MIN };
    let top = 2f64.powi(63);
    match to {
        ElementType::UInt64 if x >= top => {
            if x < 2.0 * top {
                x as u64 as i64
            } else {
                0
            }
        }
        ElementType::Int64 | ElementType::UInt64 | ElementType::UInt32 => {
            if x >= -top && x < top {
                x as i64
            } else {
                i64::MIN
            }
        }
        _ => to_32().into(),
    }
}

/// Floats become integers as [`converted`] says; integers wrap around.
fn cast(call: &Call<'_>, to: ElementType) -> Result<Tensor, String> {
    let x = call.input(0)?;
    let shape = x.shape.clone();
    if to == ElementType::Bool {
        return Ok(call.store_bools(shape, floats(x).iter().map(|&v| v != 0.0)));
    }
    if to.is_float() {
        return Ok(call.store(to, shape, floats(x).into_owned()));
    }
    let values = match x.as_i64() {
        Some(values) => values.to_vec(),
        None => floats(x).iter().map(|&v| converted(to, v)).collect(),
    };
    Ok(call.store_integers(to, shape, values))
}

/// Smallest and largest number of an integer type of at most 32 bits.
fn limits(element: ElementType) -> Result<(f64, f64), String> {
    Ok(match element {
        ElementType::UInt8 => (0.0, 255.0),
        ElementType::Int8 => (-128.0, 127.0),
        ElementType::UInt16 => (0.0, 65535.0),
        ElementType::Int16 => (-32768.0, 32767.0),
        ElementType::Int32 => (i32::MIN.into(), i32::MAX.into()),
        other => return Err(format!("quantisation to {other}")),
    })
}

/// Shapes in which `x` and its scales are seen, so that each value meets its scale: there is one for all, one for each index of `axis`,
/// or (`block_size`, operator set 21) one for each block along `axis`.
fn seen(call: &Call<'_>, x: &Tensor, scale: &Tensor) -> Result<(Vec<usize>, Vec<usize>), String> {
    if scale.len() == 1 {
        return Ok((x.shape.clone(), vec![]));
    }
    let axis = array::axis(call.int("axis", 1)?, x.shape.len())?;
    let (outer, n, inner) = around(&x.shape, axis);
    let block = call.int("block_size", 0)? as usize;
    if block == 0 && scale.shape == [n] {
        return Ok((vec![outer, n, inner], vec![n, 1]));
    }
    let mut expected = x.shape.clone();
    expected[axis] = n.checked_div(block).unwrap_or(0);
    if block == 0 || n % block != 0 || scale.shape != expected {
        return Err(format!("scales of shape {:?} for an operand of shape {:?}", scale.shape, x.shape));
    }
    Ok((vec![outer, n / block, block, inner], vec![outer, n / block, 1, inner]))
}

fn zero_points(call: &Call<'_>, scale: &Tensor) -> Result<Vec<i64>, String> {
    match call.integers(2)? {
        None => Ok(vec![0; scale.len()]),
        Some(zeros) if zeros.len() == scale.len() => Ok(zeros.to_vec()),
        Some(zeros) => Err(format!("{} zero points for {} scales", zeros.len(), scale.len())),
    }
}

/// `v / scale` in the operand's own precision: rounding decides on which side of a tie it falls.
fn quotient(v: f64, scale: f64, single: bool) -> f64 {
    if single { f64::from(v as f32 / scale as f32) } else { v / scale }
}

fn quantize(call: &Call<'_>) -> Results {
    let (x, scale) = (call.input(0)?, call.input(1)?);
    let element = match call.optional(2) {
        Some(zero) => zero.element,
        None => call.element("output_dtype")?.unwrap_or(ElementType::UInt8),
    };
    let (low, high) = limits(element)?;
    let (wide, own) = seen(call, x, scale)?;
    let (scales, zeros) = (floats(scale), zero_points(call, scale)?);
    let single = call.is_single(x.element);
    let shapes = [wide.as_slice(), &own];
    let quotients = combined(&wide, shapes, &floats(x), &scales, |v, s| quotient(v, s, single))?;
    let rounded = |v: f64, zero: i64| (v.round_ties_even() + zero as f64).clamp(low, high) as i64;
    let values = combined(&wide, shapes, &quotients, &zeros, rounded)?;
    Ok(vec![call.store_integers(element, x.shape.clone(), values)])
}

fn dequantize(call: &Call<'_>) -> Results {
    let (x, scale) = (call.input(0)?, call.input(1)?);
    let (wide, own) = seen(call, x, scale)?;
    let (scales, zeros) = (floats(scale), zero_points(call, scale)?);
    let shapes = [wide.as_slice(), &own];
    let centred = combined(&wide, shapes, integers(x)?, &zeros, |v, zero| v - zero)?;
    let values = combined(&wide, shapes, &centred, &scales, |v, s| v as f64 * s)?;
    Ok(vec![call.store(scale.element, x.shape.clone(), values)])
}

/// To 8 bits, the scale taken from the operand's own range.
fn dynamic_quantize(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let values = floats(x);
    let low = values.iter().copied().fold(0.0, f64::min);
    let high = values.iter().copied().fold(0.0, f64::max);
    let scale = f64::from(((high - low) / 255.0) as f32);
    let divisor = if scale == 0.0 { 1.0 } else { scale };
    let single = call.is_single(x.element);
    let zero = quotient(-low, divisor, single).clamp(0.0, 255.0).round_ties_even();
    let value = |v: &f64| (quotient(*v, divisor, single).round_ties_even() + zero).clamp(0.0, 255.0) as i64;
    let rounded = values.iter().map(value).collect();
    Ok(vec![
        call.store_integers(ElementType::UInt8, x.shape.clone(), rounded),
        call.store(ElementType::Float32, vec![], vec![scale]),
        call.store_integers(ElementType::UInt8, vec![], vec![zero as i64]),
    ])
}
