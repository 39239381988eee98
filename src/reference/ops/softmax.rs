//! Softmax and its relatives.
//!
//! From operator set 13 on they act along one axis; before, the operand is seen as a matrix whose rows begin at the
//! axis, and they act on each row.

use ndarray::{Array3, Axis};

use super::super::array::{self, around, floats};
use super::super::call::{Call, Results};
use super::Entry;
use super::reduce::log_sum_exp;
use crate::onnx::Tensor;

pub(super) const OPERATORS: &[Entry] = &[
    ("Hardmax", |c| along_axis(c, hardmax)),
    ("LogSoftmax", |c| along_axis(c, |v| shifted(v, |x| x))),
    ("LpNormalization", lp_normalization),
    ("Softmax", |c| along_axis(c, |v| shifted(v, f64::exp))),
];

/// `f(x - ln Σ exp(x))`.
fn shifted(values: &mut [f64], f: fn(f64) -> f64) {
    let total = log_sum_exp(values);
    values.iter_mut().for_each(|x| *x = f(*x - total));
}

/// 1 at the first of the largest values, 0 elsewhere.
fn hardmax(values: &mut [f64]) {
    let mut best = 0;
    for i in 1..values.len() {
        if values[i] > values[best] {
            best = i;
        }
    }
    values.iter_mut().enumerate().for_each(|(i, x)| *x = f64::from(u8::from(i == best)));
}

fn along_axis(call: &Call<'_>, f: fn(&mut [f64])) -> Results {
    let x = call.input(0)?;
    let old = call.opset < 13;
    let axis = array::axis(call.int("axis", if old { 1 } else { -1 })?, x.shape.len())?;
    let (outer, n, inner) = around(&x.shape, axis);
    let seen = if old { (outer, n * inner, 1) } else { (outer, n, inner) };
    Ok(vec![of_rows(call, x, seen, f)?])
}

/// Applies `f` to each run of values along the middle axis of what `x` is seen as.
fn of_rows(
    call: &Call<'_>,
    x: &Tensor,
    seen: (usize, usize, usize),
    f: impl Fn(&mut [f64]),
) -> Result<Tensor, String> {
    let mut values = Array3::from_shape_vec(seen, floats(x).into_owned()).map_err(|e| e.to_string())?;
    for mut lane in values.lanes_mut(Axis(1)) {
        let mut row = lane.to_vec();
        f(&mut row);
        lane.iter_mut().zip(row).for_each(|(x, new)| *x = new);
    }
    Ok(call.store(x.element, x.shape.clone(), array::listed(values)))
}

fn lp_normalization(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let axis = array::axis(call.int("axis", -1)?, x.shape.len())?;
    let norm: fn(&[f64]) -> f64 = match call.int("p", 2)? {
        1 => |v| v.iter().map(|x| x.abs()).sum(),
        2 => |v| v.iter().map(|x| x * x).sum::<f64>().sqrt(),
        other => return Err(format!("its attribute p is {other}, not 1 or 2")),
    };
    let result = of_rows(call, x, around(&x.shape, axis), |row| {
        let size = norm(row);
        if size != 0.0 {
            row.iter_mut().for_each(|x| *x /= size);
        }
    })?;
    Ok(vec![result])
}
