//! `TopK` and `Unique`.

use std::cmp::Ordering;

use ndarray::{ArrayD, Axis};

use super::super::array::{self, floats, int64, moved, reshaped, taken, view};
use super::super::call::{Call, Results};
use super::Entry;
use super::gather::along;
use super::shape::index;
use crate::onnx::Tensor;

pub(super) const OPERATORS: &[Entry] = &[("TopK", top_k), ("Unique", unique)];

/// The `k` largest or smallest values along an axis; of equal ones the first wins.
fn top_k(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let axis = array::axis(call.int("axis", -1)?, x.shape.len())?;
    let k = if call.opset < 10 { call.int("k", 0)? } else { index(call.input(1)?)? };
    let largest = call.flag("largest", true)?;
    let n = x.shape[axis];
    let k =
        usize::try_from(k).ok().filter(|&k| k <= n).ok_or_else(|| format!("the first {k} of {n} values"))?;
    let values = floats(x);
    let mut shape = x.shape.clone();
    shape[axis] = k;
    array::len(&shape)?;
    let mut found = ArrayD::from_elem(shape.as_slice(), 0);
    let lanes = view(&x.shape, &values)?;
    for (mut best, lane) in found.lanes_mut(Axis(axis)).into_iter().zip(lanes.lanes(Axis(axis))) {
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| {
            // Both zeros are equal.
            let ascending = (lane[a] + 0.0).total_cmp(&(lane[b] + 0.0));
            if largest { ascending.reverse() } else { ascending }
        });
        best.iter_mut().zip(order).for_each(|(best, place)| *best = place);
    }
    let places = found.iter().map(|&place| place as i64).collect();
    Ok(vec![along(x, axis, &found)?, int64(shape, places)])
}

/// The different values, or slices along an axis; with the first place of each, the number of each original one,
/// and how often each occurs.
fn unique(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let (mut shape, axis) = match call.has("axis") {
        true => (x.shape.clone(), array::axis(call.int("axis", 0)?, x.shape.len())?),
        false => (vec![x.len()], 0),
    };
    let n = shape[axis];
    let values = floats(x);
    let values = view(&shape, &values)?;
    let slices: Vec<Vec<f64>> = values.axis_iter(Axis(axis)).map(|s| s.iter().copied().collect()).collect();
    let compare = |a: usize, b: usize| {
        let mut pairs = slices[a].iter().zip(&slices[b]).map(|(x, y)| x.total_cmp(y));
        pairs.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    };
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| compare(a, b));
    // Runs of equal slices; the sort is stable, so that each begins with its first place.
    let mut runs: Vec<Vec<usize>> = Vec::new();
    for r in order {
        match runs.last_mut() {
            Some(run) if compare(run[0], r).is_eq() => run.push(r),
            _ => runs.push(vec![r]),
        }
    }
    if !call.flag("sorted", true)? {
        runs.sort_by_key(|run| run[0]);
    }
    let mut inverse = vec![0; n];
    runs.iter().enumerate().for_each(|(u, run)| run.iter().for_each(|&r| inverse[r] = u as i64));
    let count = runs.len();
    let kept = runs.iter().map(|run| run[0]).collect::<Vec<_>>();
    let x = reshaped(x, shape.clone());
    let different = moved!(&x; |values| taken(&values, axis, &kept)?);
    shape[axis] = count;
    Ok(vec![
        Tensor { shape, ..different },
        int64(vec![count], kept.iter().map(|&r| r as i64).collect()),
        int64(vec![n], inverse),
        int64(vec![count], runs.iter().map(|run| run.len() as i64).collect()),
    ])
}
