//! Operators that make values from attributes, sizes or indices.

use std::sync::Arc;

use ndarray::Array3;

use super::super::array::{self, around, int64, moved, reshaped};
use super::super::call::{Call, Results, single};
use super::Entry;
use super::gather::position;
use super::shape::{from_operand, index};
use crate::onnx::{Attribute, Data, ElementType, Tensor};

pub(super) const OPERATORS: &[Entry] = &[
    ("BlackmanWindow", |c| window(c, [0.42, -0.5, 0.08])),
    ("Constant", constant),
    ("ConstantOfShape", constant_of_shape),
    ("EyeLike", eye_like),
    ("HammingWindow", |c| window(c, [25.0 / 46.0, -21.0 / 46.0, 0.0])),
    ("HannWindow", |c| window(c, [0.5, -0.5, 0.0])),
    ("OneHot", one_hot),
    ("Range", range),
];

fn constant(call: &Call<'_>) -> Results {
    let float = |shape, values: &[f32]| Tensor {
        element: ElementType::Float32,
        shape,
        data: Data::F32(values.to_vec().into()),
    };
    let given = call.node.attributes.iter().next().map(|(name, value)| (name.as_str(), value));
    Ok(vec![match given {
        Some(("value" | "sparse_value", Attribute::Tensor(tensor))) => Tensor::clone(tensor),
        Some(("value_float", Attribute::Float(x))) => float(vec![], &[*x]),
        Some(("value_floats", Attribute::Floats(v))) => float(vec![v.len()], v),
        Some(("value_int", Attribute::Int(x))) => int64(vec![], vec![*x]),
        Some(("value_ints", Attribute::Ints(v))) => int64(vec![v.len()], v.clone()),
        Some((name, _)) => return Err(format!("its attribute {name} is not supported")),
        None => return Err("it has no value".into()),
    }])
}

fn constant_of_shape(call: &Call<'_>) -> Results {
    let shape = from_operand(call.input(0)?)?;
    let value = match call.node.attributes.get("value") {
        Some(Attribute::Tensor(value)) => value.clone(),
        Some(_) => return Err("its attribute value is no tensor".into()),
        None => Arc::new(call.store(ElementType::Float32, vec![1], vec![0.0])),
    };
    single(&value)?;
    array::len(&shape)?;
    let value = reshaped(&value, vec![]);
    Ok(vec![moved!(&value; |values| array::spread(&values, &shape)?)])
}

fn eye_like(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let [rows, columns] = x.shape.as_slice() else {
        return Err(format!("an operand of shape {:?}", x.shape));
    };
    let diagonal = call.int("k", 0)?;
    let element = call.element("dtype")?.unwrap_or(x.element);
    let one = |i: usize, j: usize| i64::from((i as i64).checked_add(diagonal) == Some(j as i64));
    let values = (0..*rows).flat_map(|i| (0..*columns).map(move |j| one(i, j)));
    Ok(vec![if element.is_float() {
        call.store(element, x.shape.clone(), values.map(|v| v as f64).collect())
    } else {
        call.store_integers(element, x.shape.clone(), values.collect())
    }])
}

/// `start + i · delta` up to `limit`, in the operands' own type.
fn range(call: &Call<'_>) -> Results {
    let all = call.all_inputs()?;
    let element = array::same_element(&all)?;
    let [start, limit, delta] = [0, 1, 2].map(|i| call.input(i).and_then(single));
    let (start, limit, delta) = (start?, limit?, delta?);
    let count = ((limit - start) / delta).ceil().max(0.0);
    // NaN and infinity become a size that is refused.
    let count = array::len(&[if count.is_finite() { count as usize } else { usize::MAX }])?;
    Ok(vec![if element.is_float() {
        call.store(element, vec![count], (0..count).map(|i| start + i as f64 * delta).collect())
    } else {
        let (start, delta) = (index(call.input(0)?)?, index(call.input(2)?)?);
        let values = (0..count as i64).map(|i| start.wrapping_add(i.wrapping_mul(delta)));
        call.store_integers(element, vec![count], values.collect())
    }])
}

/// A new axis of `depth` values: the second of `values` where the index says, the first elsewhere and where the index
/// lies outside.
fn one_hot(call: &Call<'_>) -> Results {
    let (indices, values) = (call.input(0)?, call.input(2)?);
    let depth = single(call.input(1)?)?;
    let depth = array::len(&[if depth >= 0.0 { depth as usize } else { usize::MAX }])?;
    let axis = array::axis(call.int("axis", -1)?, indices.shape.len() + 1)?;
    if values.len() != 2 {
        return Err(format!("{} values where off and on are needed", values.len()));
    }
    let mut shape = indices.shape.clone();
    shape.insert(axis, depth);
    array::len(&shape)?;
    let (_, _, inner) = around(&shape, axis);
    let hot: Vec<Option<usize>> = indices.to_f64().iter().map(|&i| position(i as i64, depth).ok()).collect();
    let seen = (hot.len() / inner.max(1), depth, inner);
    let is_hot = |(o, class, i): (usize, usize, usize)| hot[o * inner + i] == Some(class);
    let values = reshaped(values, vec![2]);
    let made = moved!(&values; |pair| Array3::from_shape_fn(seen, |at| pair[usize::from(is_hot(at))]));
    Ok(vec![Tensor { shape, ..made }])
}

/// `a + b cos(2πi/n) + c cos(4πi/n)`; symmetric windows divide by `n - 1`.
fn window(call: &Call<'_>, [a, b, c]: [f64; 3]) -> Results {
    let size = array::len(&from_operand(&reshaped(call.input(0)?, vec![1]))?)?;
    let element = call.element("output_datatype")?.unwrap_or(ElementType::Float32);
    let period = if call.flag("periodic", true)? { size as f64 } else { size as f64 - 1.0 };
    let angle = |i: usize| 2.0 * std::f64::consts::PI * i as f64 / period;
    let value = |i: usize| a + b * angle(i).cos() + c * (2.0 * angle(i)).cos();
    Ok(vec![call.store(element, vec![size], (0..size).map(value).collect())])
}
