//! Operators that look values up by index. Negative indices count from the end.

use super::super::array::{self, around, flat, for_each_index, integers, pick, strides};
use super::super::call::{Call, Results};
use super::Entry;

pub(super) const OPERATORS: &[Entry] =
    &[("Gather", gather), ("GatherElements", gather_elements), ("GatherND", gather_nd)];

/// An index into an axis of `n` values.
pub(super) fn position(index: i64, n: usize) -> Result<usize, String> {
    let from_start = if index < 0 { index.saturating_add(n as i64) } else { index };
    let found = usize::try_from(from_start).ok().filter(|&i| i < n);
    found.ok_or_else(|| format!("the index {index} into {n} values"))
}

fn gather(call: &Call<'_>) -> Results {
    let (x, indices) = (call.input(0)?, call.input(1)?);
    let axis = array::axis(call.int("axis", 0)?, x.shape.len())?;
    let (outer, n, inner) = around(&x.shape, axis);
    let found: Vec<usize> = integers(indices)?.iter().map(|&i| position(i, n)).collect::<Result<_, _>>()?;
    let shape: Vec<usize> = [&x.shape[..axis], &indices.shape, &x.shape[axis + 1..]].concat();
    array::len(&shape)?;
    let found = &found;
    let map: Vec<usize> = (0..outer)
        .flat_map(|o| found.iter().flat_map(move |&k| (0..inner).map(move |i| (o * n + k) * inner + i)))
        .collect();
    Ok(vec![pick(x, shape, &map)])
}

fn gather_elements(call: &Call<'_>) -> Results {
    let (x, indices) = (call.input(0)?, call.input(1)?);
    let axis = array::axis(call.int("axis", 0)?, x.shape.len())?;
    let map = places(&x.shape, &indices.shape, integers(indices)?, axis)?;
    Ok(vec![pick(x, indices.shape.clone(), &map)])
}

/// For each index its place in a tensor of shape `x`: its own coordinates, that of `axis` replaced by the index.
pub(super) fn places(
    x: &[usize],
    shape: &[usize],
    indices: &[i64],
    axis: usize,
) -> Result<Vec<usize>, String> {
    let fits = shape.len() == x.len() && (0..x.len()).all(|d| d == axis || shape[d] <= x[d]);
    if !fits {
        return Err(format!("indices of shape {shape:?} for an operand of shape {x:?}"));
    }
    let own = strides(x);
    let found: Vec<usize> = indices.iter().map(|&i| position(i, x[axis])).collect::<Result<_, _>>()?;
    let mut map = Vec::with_capacity(found.len());
    for_each_index(shape, |at| {
        let index = found[map.len()];
        map.push(flat(at, &own) - at[axis] * own[axis] + index * own[axis]);
    });
    Ok(map)
}

fn gather_nd(call: &Call<'_>) -> Results {
    let (x, indices) = (call.input(0)?, call.input(1)?);
    let batch =
        usize::try_from(call.int("batch_dims", 0)?).map_err(|_| "its attribute batch_dims is negative")?;
    let (starts, inner) = blocks(&x.shape, &indices.shape, integers(indices)?, batch)?;
    let depth = indices.shape.last().copied().unwrap_or(0);
    let outer = &indices.shape[..indices.shape.len() - 1];
    let shape: Vec<usize> = [outer, &x.shape[batch + depth..]].concat();
    array::len(&shape)?;
    let map: Vec<usize> = starts.into_iter().flat_map(|s| s..s + inner).collect();
    Ok(vec![pick(x, shape, &map)])
}

/// Rows of `indices` name blocks of a tensor of shape `x`: where each begins, and how long all are.
pub(super) fn blocks(
    x: &[usize],
    shape: &[usize],
    indices: &[i64],
    batch: usize,
) -> Result<(Vec<usize>, usize), String> {
    let depth = shape.last().copied().unwrap_or(0);
    let fits = batch < shape.len() && batch + depth <= x.len() && shape[..batch] == x[..batch];
    if !fits {
        return Err(format!("indices of shape {shape:?} for an operand of shape {x:?}"));
    }
    let own = strides(x);
    let inner: usize = x[batch + depth..].iter().product();
    let rows: usize = shape[..shape.len() - 1].iter().product();
    let members: usize = x[..batch].iter().product();
    let member_size: usize = x[batch..].iter().product();
    let mut starts = Vec::with_capacity(rows);
    for row in 0..rows {
        let mut start = row / (rows / members.max(1)).max(1) * member_size;
        for (d, &index) in indices[row * depth..(row + 1) * depth].iter().enumerate() {
            start += position(index, x[batch + d])? * own[batch + d];
        }
        starts.push(start);
    }
    Ok((starts, inner))
}
