//! Operators that write values into a copy of their operand, by index.

use super::super::array::{self, floats, integers, same_element};
use super::super::call::{Call, Results, wrapped};
use super::Entry;
use super::arithmetic::{maximum, minimum};
use super::gather::{blocks, places, values_along};
use crate::onnx::{Data, Tensor};

pub(super) const OPERATORS: &[Entry] =
    &[("Scatter", scatter_elements), ("ScatterElements", scatter_elements), ("ScatterND", scatter_nd)];

/// What becomes of the old value `a` and the new value `b`.
struct ScatterReduction {
    floats: fn(f64, f64) -> f64,
    integers: fn(i64, i64) -> i64,
}

fn reduction(call: &Call<'_>) -> Result<ScatterReduction, String> {
    Ok(match call.string("reduction", "none")? {
        "none" => ScatterReduction { floats: |_, b| b, integers: |_, b| b },
        "add" => ScatterReduction { floats: |a, b| a + b, integers: i64::wrapping_add },
        "mul" => ScatterReduction { floats: |a, b| a * b, integers: i64::wrapping_mul },
        "max" => ScatterReduction { floats: maximum, integers: i64::max },
        "min" => ScatterReduction { floats: minimum, integers: i64::min },
        other => return Err(format!("its attribute reduction is {other:?}")),
    })
}

fn scatter_elements(call: &Call<'_>) -> Results {
    let (x, indices, updates) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let axis = array::axis(call.int("axis", 0)?, x.shape.len())?;
    if updates.shape != indices.shape {
        return Err(format!("updates of shape {:?} at indices of shape {:?}", updates.shape, indices.shape));
    }
    let places = places(&x.shape, &indices.shape, integers(indices)?, axis)?;
    let numbers = array::numbers(&x.shape)?;
    write(call, x, updates, &array::listed(values_along(numbers.view(), axis, &places)?))
}

fn scatter_nd(call: &Call<'_>) -> Results {
    let (x, indices, updates) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let (blocks, [_, inner]) = blocks(&x.shape, &indices.shape, integers(indices)?, 0)?;
    if updates.len() != blocks.len() * inner {
        return Err(format!("updates of shape {:?} at indices of shape {:?}", updates.shape, indices.shape));
    }
    let places: Vec<usize> = blocks.into_iter().flat_map(|b| b * inner..(b + 1) * inner).collect();
    write(call, x, updates, &places)
}

/// Writes each update at its place, numbered in row-major order.
fn write(call: &Call<'_>, x: &Tensor, updates: &Tensor, places: &[usize]) -> Results {
    same_element(&[x, updates])?;
    let reduction = reduction(call)?;
    if let Data::I64(old) = &x.data {
        let mut values = old.clone();
        for (&at, &new) in places.iter().zip(integers(updates)?) {
            values[at] = wrapped(x.element, (reduction.integers)(values[at], new));
        }
        return Ok(vec![call.store_integers(x.element, x.shape.clone(), values)]);
    }
    let mut values = x.to_f64();
    for (&at, &new) in places.iter().zip(floats(updates).iter()) {
        values[at] = (reduction.floats)(values[at], new);
    }
    Ok(vec![call.store(x.element, x.shape.clone(), values)])
}
