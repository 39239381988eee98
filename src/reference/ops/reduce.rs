//! Reductions over axes, and running sums.

use ndarray::{Array2, ArrayViewD, Axis, Slice};

use super::super::array::{self, floats, int64, integers, listed, view};
use super::super::call::{Call, Results, single, wrapped};
use super::Entry;
use super::arithmetic::{is_unsigned, maximum, minimum};
use crate::onnx::{ElementType, Tensor};

pub(super) const OPERATORS: &[Entry] = &[
    ("ArgMax", |c| arg(c, |new, best| new > best)),
    ("ArgMin", |c| arg(c, |new, best| new < best)),
    ("CumSum", cumulative_sum),
    ("ReduceL1", reduce_l1),
    ("ReduceL2", |c| reduce(c, 18, |v| v.iter().map(|x| x * x).sum::<f64>().sqrt())),
    ("ReduceLogSum", |c| reduce(c, 18, |v| v.iter().sum::<f64>().ln())),
    ("ReduceLogSumExp", |c| reduce(c, 18, log_sum_exp)),
    ("ReduceMax", |c| reduce_extreme(c, true)),
    ("ReduceMean", reduce_mean),
    ("ReduceMin", |c| reduce_extreme(c, false)),
    ("ReduceProd", |c| reduce_any(c, 18, |v| v.iter().product(), |v| Ok(product(v)))),
    ("ReduceSum", |c| reduce_any(c, 13, |v| v.iter().sum(), |v| Ok(sum(v)))),
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

/// The values of `x` as floats in groups: one row for each index of the kept axes. Also the result's shape.
pub(super) fn groups(x: &Tensor, axes: &[usize], keep: bool) -> Result<(Array2<f64>, Vec<usize>), String> {
    grouped(&floats(x), x, axes, keep)
}

/// As [`groups`], for values of `x` in any type.
fn grouped<T: Copy>(
    values: &[T],
    x: &Tensor,
    axes: &[usize],
    keep: bool,
) -> Result<(Array2<T>, Vec<usize>), String> {
    let (reduced, kept): (Vec<usize>, Vec<usize>) = (0..x.shape.len()).partition(|d| axes.contains(d));
    let size = |axes: &[usize]| axes.iter().map(|&d| x.shape[d]).product::<usize>();
    let seen = (size(&kept), size(&reduced));
    let turned = view(&x.shape, values)?.permuted_axes([kept, reduced].concat());
    let groups = Array2::from_shape_vec(seen, listed(turned)).map_err(|e| e.to_string())?;
    Ok((groups, reduced_shape(&x.shape, axes, keep)))
}

/// `f` of each group.
pub(super) fn each<T, R>(groups: &Array2<T>, f: impl Fn(&[T]) -> R) -> Vec<R> {
    groups.rows().into_iter().map(|group| f(group.to_slice().unwrap_or_default())).collect()
}

fn reduced_shape(shape: &[usize], axes: &[usize], keep: bool) -> Vec<usize> {
    let kept = shape.iter().enumerate().filter(|(d, _)| keep || !axes.contains(d));
    kept.map(|(d, &n)| if axes.contains(&d) { 1 } else { n }).collect()
}

/// The axes that are reduced: an attribute before operator set `since`, an operand from then on. None at all means every
/// axis, or, with `noop_with_empty_axes`, that each value is its own group.
fn reduced_axes(call: &Call<'_>, since: i64, rank: usize) -> Result<Vec<usize>, String> {
    let given = call.moved_ints("axes", since, 1)?.unwrap_or_default();
    let axes = array::axes(given, rank)?;
    if axes.is_empty() && !call.flag("noop_with_empty_axes", false)? {
        return Ok((0..rank).collect());
    }
    Ok(axes)
}

/// A reduction of floats. Of integers ONNX Runtime computes it in a type of its own, which ONNX does not name.
fn reduce(call: &Call<'_>, since: i64, f: impl Fn(&[f64]) -> f64) -> Results {
    let x = call.input(0)?;
    if !x.element.is_float() {
        return Err(format!("{} is not supported here", x.element));
    }
    let axes = reduced_axes(call, since, x.shape.len())?;
    let (groups, shape) = groups(x, &axes, call.flag("keepdims", true)?)?;
    Ok(vec![call.store(x.element, shape, each(&groups, f))])
}

/// A reduction that integers have too: `g` of each group, which wraps around where it does not fit.
fn reduce_any(
    call: &Call<'_>,
    since: i64,
    f: impl Fn(&[f64]) -> f64,
    g: impl Fn(&[i64]) -> Result<i64, String>,
) -> Results {
    let x = call.input(0)?;
    if x.element.is_float() {
        return reduce(call, since, f);
    }
    let axes = reduced_axes(call, since, x.shape.len())?;
    let (groups, shape) = grouped(integers(x)?, x, &axes, call.flag("keepdims", true)?)?;
    let values = each(&groups, g).into_iter().collect::<Result<_, _>>()?;
    Ok(vec![call.store_integers(x.element, shape, values)])
}

/// The largest or smallest integer of a group; unsigned 64-bit ones are held as signed ones of the same bits.
fn extreme(group: &[i64], unsigned: bool, largest: bool) -> i64 {
    let turn = if unsigned { i64::MIN } else { 0 };
    let turned = group.iter().map(|&x| x ^ turn);
    let found = if largest { turned.max() } else { turned.min() };
    found.unwrap_or(0) ^ turn
}

fn sum(group: &[i64]) -> i64 {
    group.iter().fold(0, |sum, &x| sum.wrapping_add(x))
}

fn product(group: &[i64]) -> i64 {
    group.iter().fold(1, |product, &x| product.wrapping_mul(x))
}

fn reduce_extreme(call: &Call<'_>, largest: bool) -> Results {
    let unsigned = is_unsigned(call);
    let of_floats = |v: &[f64]| match largest {
        true => v.iter().copied().fold(f64::NEG_INFINITY, maximum),
        false => v.iter().copied().fold(f64::INFINITY, minimum),
    };
    reduce_any(call, 18, of_floats, |group| Ok(extreme(group, unsigned, largest)))
}

fn reduce_mean(call: &Call<'_>) -> Results {
    let element = call.input(0)?.element;
    let of_integers = |v: &[i64]| {
        let sum = fitting_sum(element, v.iter().map(|&x| i128::from(x)))?;
        Ok(sum.checked_div(v.len() as i64).unwrap_or(0))
    };
    reduce_any(call, 18, |v| v.iter().sum::<f64>() / v.len() as f64, of_integers)
}

fn reduce_l1(call: &Call<'_>) -> Results {
    let element = call.input(0)?.element;
    let of_integers = |v: &[i64]| fitting_sum(element, v.iter().map(|&x| i128::from(x).abs()));
    reduce_any(call, 18, |v| v.iter().map(|x| x.abs()).sum(), of_integers)
}

/// A sum that must fit its type: where it does not, ONNX is silent and ONNX Runtime adds in a type of its own.
fn fitting_sum(element: ElementType, terms: impl Iterator<Item = i128>) -> Result<i64, String> {
    let total: i128 = terms.sum();
    let short = i64::try_from(total).ok().filter(|&x| wrapped(element, x) == x);
    short.ok_or_else(|| format!("a sum of {total} does not fit {element}"))
}

fn arg(call: &Call<'_>, better: fn(f64, f64) -> bool) -> Results {
    let x = call.input(0)?;
    let axis = array::axis(call.int("axis", 0)?, x.shape.len())?;
    let last = call.flag("select_last_index", false)?;
    if x.shape[axis] == 0 {
        return Err(format!("axis {axis} is empty: no value is the largest or smallest"));
    }
    let (groups, shape) = groups(x, &[axis], call.flag("keepdims", true)?)?;
    let best = |group: &[f64]| {
        let mut best = 0;
        for (i, &value) in group.iter().enumerate().skip(1) {
            if better(value, group[best]) || (last && value == group[best]) {
                best = i;
            }
        }
        best as i64
    };
    Ok(vec![int64(shape, each(&groups, best))])
}

fn cumulative_sum(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let axis = array::axis(single(call.input(1)?)? as i64, x.shape.len())?;
    let (exclusive, reverse) = (call.flag("exclusive", false)?, call.flag("reverse", false)?);
    if x.element.is_float() {
        let sums = running(view(&x.shape, &floats(x))?, axis, (exclusive, reverse), 0.0, |a, b| a + b);
        return Ok(vec![call.store(x.element, x.shape.clone(), sums)]);
    }
    let sums = running(view(&x.shape, integers(x)?)?, axis, (exclusive, reverse), 0, i64::wrapping_add);
    Ok(vec![call.store_integers(x.element, x.shape.clone(), sums)])
}

/// Running sums; exclusive ones begin with `zero` and leave each value's own term out.
fn running<T: Copy>(
    mut terms: ArrayViewD<'_, T>,
    axis: usize,
    (exclusive, reverse): (bool, bool),
    zero: T,
    add: fn(T, T) -> T,
) -> Vec<T> {
    let mut sums = terms.to_owned();
    let mut turned = sums.view_mut();
    if reverse {
        terms.invert_axis(Axis(axis));
        turned.invert_axis(Axis(axis));
    }
    if exclusive && !terms.is_empty() {
        turned
            .slice_axis_mut(Axis(axis), Slice::from(1..))
            .assign(&terms.slice_axis(Axis(axis), Slice::from(..-1)));
        turned.index_axis_mut(Axis(axis), 0).fill(zero);
    }
    turned.accumulate_axis_inplace(Axis(axis), |&before, sum| *sum = add(before, *sum));
    listed(sums)
}
