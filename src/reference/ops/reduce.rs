//! Reductions over axes, and running sums.

use super::super::array::{self, around, floats, int64, integers, strides};
use super::super::call::{Call, Results, single};
use super::Entry;
use super::arithmetic::{maximum, minimum};
use crate::onnx::Tensor;

pub(super) const OPERATORS: &[Entry] = &[
    ("ArgMax", |c| arg(c, |new, best| new > best)),
    ("ArgMin", |c| arg(c, |new, best| new < best)),
    ("CumSum", cumulative_sum),
    ("ReduceL1", |c| reduce(c, 18, |v| v.iter().map(|x| x.abs()).sum())),
    ("ReduceL2", |c| reduce(c, 18, |v| v.iter().map(|x| x * x).sum::<f64>().sqrt())),
    ("ReduceLogSum", |c| reduce(c, 18, |v| v.iter().sum::<f64>().ln())),
    ("ReduceLogSumExp", |c| reduce(c, 18, log_sum_exp)),
    ("ReduceMax", |c| reduce(c, 18, |v| v.iter().copied().fold(f64::NEG_INFINITY, maximum))),
    ("ReduceMean", |c| reduce(c, 18, |v| v.iter().sum::<f64>() / v.len() as f64)),
    ("ReduceMin", |c| reduce(c, 18, |v| v.iter().copied().fold(f64::INFINITY, minimum))),
    ("ReduceProd", |c| reduce(c, 18, |v| v.iter().product())),
    ("ReduceSum", |c| reduce(c, 13, |v| v.iter().sum())),
    ("ReduceSumSquare", |c| reduce(c, 18, |v| v.iter().map(|x| x * x).sum())),
];

/// `ln Σ exp(x)` without overflow.
pub(super) fn log_sum_exp(values: &[f64]) -> f64 {
    let top = values.iter().copied().fold(f64::NEG_INFINITY, maximum);
    if top.is_infinite() {
        return top;
    }
    top + values.iter().map(|x| (x - top).exp()).sum::<f64>().ln()
}

/// The values of `x` in groups: one group for each index of the kept axes. Also the result's shape.
pub(super) fn groups(x: &Tensor, axes: &[usize], keep: bool) -> (Vec<Vec<f64>>, Vec<usize>) {
    let values = floats(x);
    let kept_shape: Vec<usize> = reduced_shape(&x.shape, axes, true);
    let kept_strides = strides(&kept_shape);
    let steps: Vec<isize> =
        (0..x.shape.len()).map(|d| if axes.contains(&d) { 0 } else { kept_strides[d] as isize }).collect();
    let size: usize = axes.iter().map(|&a| x.shape[a]).product();
    let mut groups = vec![Vec::with_capacity(size); kept_shape.iter().product()];
    for (value, group) in values.iter().zip(array::strided_map(&x.shape, &steps, 0)) {
        groups[group].push(*value);
    }
    (groups, reduced_shape(&x.shape, axes, keep))
}

fn reduced_shape(shape: &[usize], axes: &[usize], keep: bool) -> Vec<usize> {
    let kept = shape.iter().enumerate().filter(|(d, _)| keep || !axes.contains(d));
    kept.map(|(d, &n)| if axes.contains(&d) { 1 } else { n }).collect()
}

/// Axes are an attribute before operator set `since`, an operand from then on.
fn reduce(call: &Call<'_>, since: i64, f: impl Fn(&[f64]) -> f64) -> Results {
    let x = call.input(0)?;
    let given = call.moved_ints("axes", since, 1)?.unwrap_or_default();
    let mut axes = array::axes(given, x.shape.len())?;
    if axes.is_empty() && call.flag("noop_with_empty_axes", false)? {
        return Ok(vec![x.clone()]);
    }
    if axes.is_empty() {
        axes = (0..x.shape.len()).collect();
    }
    let (groups, shape) = groups(x, &axes, call.flag("keepdims", true)?);
    let values: Vec<f64> = groups.iter().map(|g| f(g)).collect();
    if x.element.is_float() {
        return Ok(vec![call.store(x.element, shape, values)]);
    }
    // Sums of integers beyond 2^53 are not exact here; shapes and indices stay far below.
    let values = values.into_iter().map(|v| v as i64).collect();
    Ok(vec![call.store_integers(x.element, shape, values)])
}

fn arg(call: &Call<'_>, better: fn(f64, f64) -> bool) -> Results {
    let x = call.input(0)?;
    let axis = array::axis(call.int("axis", 0)?, x.shape.len())?;
    let last = call.flag("select_last_index", false)?;
    if x.shape[axis] == 0 {
        return Err(format!("axis {axis} is empty: no value is the largest or smallest"));
    }
    let (groups, shape) = groups(x, &[axis], call.flag("keepdims", true)?);
    let best = |group: &Vec<f64>| {
        let mut best = 0;
        for (i, &value) in group.iter().enumerate().skip(1) {
            if better(value, group[best]) || (last && value == group[best]) {
                best = i;
            }
        }
        best as i64
    };
    Ok(vec![int64(shape, groups.iter().map(best).collect())])
}

fn cumulative_sum(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let axis = array::axis(single(call.input(1)?)? as i64, x.shape.len())?;
    let (exclusive, reverse) = (call.flag("exclusive", false)?, call.flag("reverse", false)?);
    let (outer, n, inner) = around(&x.shape, axis);
    // Pairs of flat indices: a sum and the one that it continues.
    let steps = (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))).flat_map(|(o, i)| {
        let at = move |k: usize| (o * n + if reverse { n - 1 - k } else { k }) * inner + i;
        (1..n).map(move |k| (at(k), at(k - 1)))
    });
    if x.element.is_float() {
        let terms = floats(x);
        let sums = running(&terms, 0.0, exclusive, steps, |a, b| a + b);
        return Ok(vec![call.store(x.element, x.shape.clone(), sums)]);
    }
    let sums = running(integers(x)?, 0, exclusive, steps, i64::wrapping_add);
    Ok(vec![call.store_integers(x.element, x.shape.clone(), sums)])
}

/// Running sums; exclusive ones begin with `zero` and leave each value's own term out.
fn running<T: Copy>(
    terms: &[T],
    zero: T,
    exclusive: bool,
    steps: impl Iterator<Item = (usize, usize)>,
    add: fn(T, T) -> T,
) -> Vec<T> {
    let mut sums = if exclusive { vec![zero; terms.len()] } else { terms.to_vec() };
    for (to, from) in steps {
        sums[to] = add(sums[from], if exclusive { terms[from] } else { terms[to] });
    }
    sums
}
