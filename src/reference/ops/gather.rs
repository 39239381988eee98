//! Operators that look values up by index. Negative indices count from the end.

use ndarray::{Array3, ArrayD, ArrayViewD, Axis, Slice};

use super::super::array::{self, integers, listed, moved, reshaped, taken, view, view_around};
use super::super::call::{Call, Results};
use super::Entry;
use crate::onnx::Tensor;

pub(super) const OPERATORS: &[Entry] =
    &[("Gather", gather), ("GatherElements", gather_elements), ("GatherND", gather_nd)];

/// An index into an axis of `n` values.
pub(super) fn position(index: i64, n: usize) -> Result<usize, String> {
    let from_start = if index < 0 { index.saturating_add(n as i64) } else { index };
    let found = usize::try_from(from_start).ok().filter(|&i| i < n);
    found.ok_or_else(|| format!("the index {index} into {n} values"))
}

/// Several of them.
fn positions(indices: &[i64], n: usize) -> Result<Vec<usize>, String> {
    indices.iter().map(|&i| position(i, n)).collect()
}

fn gather(call: &Call<'_>) -> Results {
    let (x, indices) = (call.input(0)?, call.input(1)?);
    let axis = array::axis(call.int("axis", 0)?, x.shape.len())?;
    let found = positions(integers(indices)?, x.shape[axis])?;
    let shape: Vec<usize> = [&x.shape[..axis], &indices.shape, &x.shape[axis + 1..]].concat();
    array::len(&shape)?;
    Ok(vec![Tensor { shape, ..moved!(x; |values| taken(&values, axis, &found)?) }])
}

fn gather_elements(call: &Call<'_>) -> Results {
    let (x, indices) = (call.input(0)?, call.input(1)?);
    let axis = array::axis(call.int("axis", 0)?, x.shape.len())?;
    let places = places(&x.shape, &indices.shape, integers(indices)?, axis)?;
    Ok(vec![along(x, axis, &places)?])
}

/// The values of `x` at each place's own coordinates, that of `axis` replaced by what stands there.
pub(super) fn along(x: &Tensor, axis: usize, places: &ArrayD<usize>) -> Result<Tensor, String> {
    let shape = places.shape().to_vec();
    Ok(Tensor { shape, ..moved!(x; |values| values_along(values, axis, places)?) })
}

/// The same of an array. The axes before and behind `axis` are seen as one each.
pub(super) fn values_along<T: Copy>(
    mut values: ArrayViewD<'_, T>,
    axis: usize,
    places: &ArrayD<usize>,
) -> Result<Array3<T>, String> {
    for d in (0..values.ndim()).filter(|&d| d != axis) {
        values.slice_axis_inplace(Axis(d), Slice::from(..places.shape()[d]));
    }
    let (shape, list) = (values.shape().to_vec(), listed(values));
    let values = view_around(&shape, axis, &list)?;
    let list = listed(places.view());
    let places = view_around(places.shape(), axis, &list)?;
    Ok(Array3::from_shape_fn(places.raw_dim(), |(o, k, i)| values[[o, places[[o, k, i]], i]]))
}

/// Positions in `axis` of an operand of shape `x`, one for each index, which may not have more of any other axis.
pub(super) fn places(
    x: &[usize],
    shape: &[usize],
    indices: &[i64],
    axis: usize,
) -> Result<ArrayD<usize>, String> {
    let fits = shape.len() == x.len() && (0..x.len()).all(|d| d == axis || shape[d] <= x[d]);
    if !fits {
        return Err(format!("indices of shape {shape:?} for an operand of shape {x:?}"));
    }
    Ok(view(shape, &positions(indices, x[axis])?)?.to_owned())
}

fn gather_nd(call: &Call<'_>) -> Results {
    let (x, indices) = (call.input(0)?, call.input(1)?);
    let batch =
        usize::try_from(call.int("batch_dims", 0)?).map_err(|_| "its attribute batch_dims is negative")?;
    let (numbers, seen) = blocks(&x.shape, &indices.shape, integers(indices)?, batch)?;
    let depth = indices.shape.last().copied().unwrap_or(0);
    let outer = &indices.shape[..indices.shape.len() - 1];
    let shape: Vec<usize> = [outer, &x.shape[batch + depth..]].concat();
    array::len(&shape)?;
    let x = reshaped(x, seen.to_vec());
    Ok(vec![Tensor { shape, ..moved!(&x; |values| taken(&values, 0, &numbers)?) }])
}

/// Rows of `indices` name blocks of a tensor of shape `x`: the number of each, and the tensor's shape as a row for each block.
pub(super) fn blocks(
    x: &[usize],
    shape: &[usize],
    indices: &[i64],
    batch: usize,
) -> Result<(Vec<usize>, [usize; 2]), String> {
    let depth = shape.last().copied().unwrap_or(0);
    let fits = batch < shape.len() && batch + depth <= x.len() && shape[..batch] == x[..batch];
    if !fits {
        return Err(format!("indices of shape {shape:?} for an operand of shape {x:?}"));
    }
    let count = |sizes: &[usize]| sizes.iter().product::<usize>();
    let members = count(&x[..batch]);
    let rows = count(&shape[..shape.len() - 1]);
    let mut numbers = Vec::with_capacity(rows);
    for row in 0..rows {
        let mut number = row / (rows / members.max(1)).max(1);
        for (&index, &size) in indices[row * depth..(row + 1) * depth].iter().zip(&x[batch..]) {
            number = number * size + position(index, size)?;
        }
        numbers.push(number);
    }
    Ok((numbers, [count(&x[..batch + depth]), count(&x[batch + depth..])]))
}
