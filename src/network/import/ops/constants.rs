//! Operators that make constants, ask for shapes, or change element types.

use std::sync::Arc;

use super::Entry;
use crate::network::Real;
use crate::network::import::call::{Built, ImportCall};
use crate::network::import::{Importer, Operand};
use crate::network::op::{Integer, Op, Unary, UnaryFunction};
use crate::network::shape;
use crate::onnx::{ElementType, ModelError, Tensor};

impl<T: Real> Importer<T> {
    pub(super) const CONSTANTS: &'static [Entry<T>] = &[
        ("Cast", cast),
        ("CastLike", cast_like),
        ("Constant", constant),
        ("ConstantOfShape", constant_of_shape),
        ("EyeLike", eye_like),
        ("NonZero", non_zero),
        ("Range", range),
        ("Shape", shape_of),
        ("Size", size),
    ];
}

impl<T: Real> ImportCall<'_, T> {
    fn type_attribute(&self, name: &str) -> Result<Option<ElementType>, ModelError> {
        let Some(code) = self.node.int(name)? else { return Ok(None) };
        let unsupported = || self.error(format!("element type {code} of attribute {name} is not supported"));
        i32::try_from(code)
            .ok()
            .and_then(|code| ElementType::from_number(code).ok())
            .map(Some)
            .ok_or_else(unsupported)
    }

    /// The value as another element type. Networks compute in one float type, so that float casts are exact
    /// there; casts to integers truncate (and bring back what does not fit), casts to booleans test for zero.
    pub(super) fn cast_to(&mut self, x: &Operand, to: ElementType) -> Result<Operand, ModelError> {
        let from = self.element(x);
        let f = match (from, Integer::of(to)) {
            (from, _) if from == to => return Ok(x.clone()),
            (_, None) if to == ElementType::Bool => UnaryFunction::Nonzero,
            (from, Some(integer)) if from.is_float() => {
                if self.always_fits(x, integer) {
                    UnaryFunction::Truncate
                } else {
                    UnaryFunction::Convert(integer)
                }
            }
            _ => {
                let shape = self.shape(x);
                return self.apply_as(to, Op::Reshape(shape), std::slice::from_ref(x));
            }
        };
        self.apply_as(to, Op::Unary(Unary(f)), std::slice::from_ref(x))
    }

    /// A shape from a constant list of integers.
    pub(super) fn shape_from(&self, dims: &[i64]) -> Result<Vec<usize>, ModelError> {
        let shape = dims.iter().map(|&d| usize::try_from(d).ok()).collect::<Option<Vec<_>>>();
        let shape = shape.ok_or_else(|| self.error(format!("{dims:?} is not a shape")))?;
        self.at(shape::checked_len(&shape))?;
        Ok(shape)
    }
}

fn cast<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let to = call.type_attribute("to")?.ok_or_else(|| call.error("attribute `to` is missing"))?;
    Ok(vec![call.cast_to(&x, to)?])
}

fn cast_like<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let (x, like) = (call.operand(0)?, call.operand(1)?);
    let to = call.element(&like);
    Ok(vec![call.cast_to(&x, to)?])
}

fn constant<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let node = call.node;
    let float = |shape, values: Vec<f64>| Arc::new(Tensor::rounded(ElementType::Float32, shape, &values));
    let tensor = if let Some(tensor) = node.tensor("value")? {
        tensor.clone()
    } else if let Some(tensor) = node.tensor("sparse_value")? {
        tensor.clone()
    } else if let Some(x) = node.float("value_float")? {
        float(vec![], vec![x])
    } else if let Some(list) = node.floats("value_floats")? {
        float(vec![list.len()], list.iter().map(|&x| f64::from(x)).collect())
    } else if let Some(x) = node.int("value_int")? {
        Arc::new(Tensor::int64(vec![x]).reshaped(vec![]))
    } else if let Some(list) = node.ints("value_ints")? {
        Arc::new(Tensor::int64(list.to_vec()))
    } else {
        return Err(node.error("the constant has no value of a supported kind"));
    };
    Ok(vec![Operand::Constant(tensor)])
}

fn constant_of_shape<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let shape = call.shape_from(&call.ints(0)?)?;
    let (element, value) = match call.node.tensor("value")? {
        None => (ElementType::Float32, 0.0),
        Some(tensor) => {
            let value =
                tensor.scalar().ok_or_else(|| call.error("attribute value is not a single number"))?;
            (tensor.element, value)
        }
    };
    let values = vec![value; shape::len(&shape)];
    Ok(vec![call.literal(element, shape, &values)])
}

fn eye_like<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let element = call.type_attribute("dtype")?.unwrap_or_else(|| call.element(&x));
    let shift = call.node.int("k")?.unwrap_or(0);
    let shape = call.shape(&x);
    let &[rows, columns] = shape.as_slice() else {
        return Err(call.error(format!("the operand must be a matrix, not of shape {shape:?}")));
    };
    let at = |i: usize| (i % columns) as i64 - (i / columns) as i64 == shift;
    let values: Vec<f64> = (0..rows * columns).map(|i| f64::from(u8::from(at(i)))).collect();
    Ok(vec![call.literal(element, shape, &values)])
}

fn non_zero<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let tensor = call.constant(0)?;
    // A scalar counts as a vector of length one.
    let rank = tensor.shape.len().max(1);
    let strides = shape::strides(&tensor.shape);
    let places: Vec<usize> =
        tensor.to_f64().iter().enumerate().filter(|(_, x)| **x != 0.0).map(|(i, _)| i).collect();
    let index = |axis: usize, i: usize| match tensor.shape.get(axis) {
        Some(&d) => (i / strides[axis] % d) as f64,
        None => 0.0,
    };
    let values: Vec<f64> = (0..rank).flat_map(|axis| places.iter().map(move |&i| index(axis, i))).collect();
    Ok(vec![call.literal(ElementType::Int64, vec![rank, places.len()], &values)])
}

fn range<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let element = call.element(&call.operand(0)?);
    let number = |i| {
        call.constant(i)?.scalar().ok_or_else(|| call.error(format!("operand {i} is not a single number")))
    };
    let (start, limit, step) = (number(0)?, number(1)?, number(2)?);
    let count = ((limit - start) / step).ceil();
    if step == 0.0 || count.is_nan() || count > shape::MOST_VALUES as f64 {
        return Err(call.error(format!("a range from {start} to {limit} in steps of {step} is too long")));
    }
    let values: Vec<f64> = (0..count as usize).map(|i| start + i as f64 * step).collect();
    Ok(vec![call.literal(element, vec![values.len()], &values)])
}

/// Known at import, even for values that are not.
fn shape_of<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let shape = call.shape(&call.operand(0)?);
    let rank = shape.len() as i64;
    let clamp = |at: i64| (if at < 0 { at + rank } else { at }).clamp(0, rank) as usize;
    let start = clamp(call.node.int("start")?.unwrap_or(0));
    let end = clamp(call.node.int("end")?.unwrap_or(rank)).max(start);
    let dims = shape[start..end].iter().map(|&d| d as i64).collect();
    Ok(vec![Operand::Constant(Arc::new(Tensor::int64(dims)))])
}

fn size<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let len = shape::len(&call.shape(&call.operand(0)?)) as i64;
    Ok(vec![Operand::Constant(Arc::new(Tensor::int64(vec![len]).reshaped(vec![])))])
}
