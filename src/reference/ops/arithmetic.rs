//! Arithmetic on two or more operands, broadcast to one shape.

use ndarray::ArrayD;

use super::super::array::{Held, broadcast, combined, floats, integers, listed, same_element, spread, view};
use super::super::call::{Call, Results, wrapped};
use super::Entry;
use super::cast::converted;
use super::unary::mapped;
use crate::onnx::{ElementType, Tensor};

pub(super) const OPERATORS: &[Entry] = &[
    ("Add", |c| binary(c, |a, b| a + b, |a, b| Ok(a.wrapping_add(b)))),
    ("Clip", clip),
    ("Div", |c| binary(c, |a, b| a / b, if is_unsigned(c) { unsigned_quotient } else { quotient })),
    ("Max", |c| fold(c, maximum, if is_unsigned(c) { unsigned_max } else { i64::max })),
    ("Mean", mean),
    ("Min", |c| fold(c, minimum, if is_unsigned(c) { unsigned_min } else { i64::min })),
    ("Mod", modulo),
    ("Mul", |c| binary(c, |a, b| a * b, |a, b| Ok(a.wrapping_mul(b)))),
    ("Pow", pow),
    ("Sub", |c| binary(c, |a, b| a - b, |a, b| Ok(a.wrapping_sub(b)))),
    ("Sum", |c| fold(c, |a, b| a + b, i64::wrapping_add)),
];

/// Whether the operands are 64-bit unsigned integers, which are held as the signed ones of the same bits.
pub(super) fn is_unsigned(call: &Call<'_>) -> bool {
    call.optional(0).is_some_and(|x| x.element == ElementType::UInt64)
}

fn unsigned_max(a: i64, b: i64) -> i64 {
    (a as u64).max(b as u64) as i64
}

fn unsigned_min(a: i64, b: i64) -> i64 {
    (a as u64).min(b as u64) as i64
}

fn unsigned_quotient(a: i64, b: i64) -> Result<i64, String> {
    match (a as u64).checked_div(b as u64) {
        Some(quotient) => Ok(quotient as i64),
        None => Err("an integer is divided by zero".into()),
    }
}

fn unsigned_remainder(a: i64, b: i64) -> Result<i64, String> {
    match (a as u64).checked_rem(b as u64) {
        Some(rest) => Ok(rest as i64),
        None => Err("an integer is divided by zero".into()),
    }
}

/// Integers are cut towards zero; the one quotient that does not fit wraps around.
fn quotient(a: i64, b: i64) -> Result<i64, String> {
    if b == 0 { Err("an integer is divided by zero".into()) } else { Ok(a.wrapping_div(b)) }
}

fn remainder(a: i64, b: i64) -> Result<i64, String> {
    if b == 0 { Err("an integer is divided by zero".into()) } else { Ok(a.wrapping_rem(b)) }
}

/// A NaN on either side wins, as in ONNX Runtime.
pub(super) fn maximum(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

pub(super) fn minimum(a: f64, b: f64) -> f64 {
    if a.is_nan() || a < b { a } else { b }
}

fn binary(call: &Call<'_>, f: fn(f64, f64) -> f64, g: fn(i64, i64) -> Result<i64, String>) -> Results {
    Ok(vec![combine(call, call.input(0)?, call.input(1)?, f, g)?])
}

/// `f` (floats) or `g` (integers) of each pair of values of `a` and `b`, broadcast.
fn combine(
    call: &Call<'_>,
    a: &Tensor,
    b: &Tensor,
    f: fn(f64, f64) -> f64,
    g: fn(i64, i64) -> Result<i64, String>,
) -> Result<Tensor, String> {
    let element = same_element(&[a, b])?;
    let shape = broadcast(&[&a.shape, &b.shape])?;
    if element.is_float() {
        let values = combined(&shape, [&a.shape, &b.shape], &floats(a), &floats(b), f)?;
        return Ok(call.store(element, shape, values));
    }
    let mut outcome = Ok(());
    let one = |x, y| g(x, y).map_err(|what| outcome = Err(what)).map_or(0, |v| wrapped(element, v));
    let values = combined(&shape, [&a.shape, &b.shape], integers(a)?, integers(b)?, one)?;
    outcome.map(|()| call.store_integers(element, shape, values))
}

/// Any number of operands, from left to right.
fn fold(call: &Call<'_>, f: fn(f64, f64) -> f64, g: fn(i64, i64) -> i64) -> Results {
    let all = call.all_inputs()?;
    let element = same_element(&all)?;
    let shape = broadcast(&all.iter().map(|t| t.shape.as_slice()).collect::<Vec<_>>())?;
    if element.is_float() {
        return Ok(vec![call.store(element, shape.clone(), folded(&all, &shape, f)?)]);
    }
    Ok(vec![call.store_integers(element, shape.clone(), folded(&all, &shape, g)?)])
}

fn folded<T: Held>(all: &[&Tensor], shape: &[usize], f: fn(T, T) -> T) -> Result<Vec<T>, String> {
    let mut total: Option<ArrayD<T>> = None;
    for tensor in all {
        let values = T::values(tensor);
        let values = view(&tensor.shape, &values)?;
        let values = spread(&values, shape)?;
        match &mut total {
            None => total = Some(values.as_standard_layout().into_owned()),
            Some(total) => total.zip_mut_with(&values, |t, &x| *t = f(*t, x)),
        }
    }
    Ok(total.map(listed).unwrap_or_default())
}

fn mean(call: &Call<'_>) -> Results {
    let all = call.all_inputs()?;
    let element = same_element(&all)?;
    let shape = broadcast(&all.iter().map(|t| t.shape.as_slice()).collect::<Vec<_>>())?;
    let mut total = folded::<f64>(&all, &shape, |a, b| a + b)?;
    total.iter_mut().for_each(|t| *t /= all.len() as f64);
    Ok(vec![call.store(element, shape, total)])
}

/// The bounds are attributes before operator set 11. Where they cross, the upper one wins.
fn clip(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let (low, high) = if call.opset < 11 {
        let low = call.has("min").then(|| call.float("min", 0.0)).transpose()?;
        (low, call.has("max").then(|| call.float("max", 0.0)).transpose()?)
    } else {
        (call.scalar(1)?, call.scalar(2)?)
    };
    if x.element.is_float() {
        let clipped = |v: f64| minimum(maximum(v, low.unwrap_or(v)), high.unwrap_or(f64::INFINITY));
        return Ok(vec![mapped(call, x, |v| if v.is_nan() { v } else { clipped(v) })]);
    }
    let bound = |i: usize, default| {
        Ok::<_, String>(call.integers(i)?.and_then(|v| v.first().copied()).unwrap_or(default))
    };
    let (low, high) = (bound(1, i64::MIN)?, bound(2, i64::MAX)?);
    let values = integers(x)?.iter().map(|&v| v.max(low).min(high)).collect();
    Ok(vec![call.store_integers(x.element, x.shape.clone(), values)])
}

/// `fmod = 0` takes the divisor's sign (integers only), `fmod = 1` the dividend's.
fn modulo(call: &Call<'_>) -> Results {
    if is_unsigned(call) {
        return binary(call, |a, b| a % b, unsigned_remainder);
    }
    if call.flag("fmod", false)? {
        return binary(call, |a, b| a % b, remainder);
    }
    let floored = |a: f64, b: f64| a - b * (a / b).floor();
    binary(call, floored, |a, b| {
        let rest = remainder(a, b)?;
        Ok(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
    })
}

/// The exponent may have another type than the base, whose type the result has.
fn pow(call: &Call<'_>) -> Results {
    let (base, exponent) = (call.input(0)?, call.input(1)?);
    let shapes = [base.shape.as_slice(), &exponent.shape];
    let shape = broadcast(&shapes)?;
    if base.element.is_float() || exponent.element.is_float() {
        let values = combined(&shape, shapes, &floats(base), &floats(exponent), f64::powf)?;
        return Ok(vec![match base.element {
            ElementType::Float16 | ElementType::BFloat16 | ElementType::Float32 | ElementType::Float64 => {
                call.store(base.element, shape, values)
            }
            integer => {
                let values = values.into_iter().map(|v| converted(integer, v)).collect();
                call.store_integers(integer, shape, values)
            }
        }]);
    }
    let power = |b: i64, e: i64| match u32::try_from(e) {
        Ok(e) => b.wrapping_pow(e),
        Err(_) => (b as f64).powf(e as f64) as i64,
    };
    let values = combined(&shape, shapes, integers(base)?, integers(exponent)?, power)?;
    Ok(vec![call.store_integers(base.element, shape, values)])
}
