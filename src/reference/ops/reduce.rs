//! Reductions over axes, and running sums.

use super::super::array::{self, around, floats, int64, integers, strides};
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

/// The values of `x` as floats in groups: one group for each index of the kept axes. Also the result's shape.
pub(super) fn groups(x: &Tensor, axes: &[usize], keep: bool) -> (Vec<Vec<f64>>, Vec<usize>) {
    grouped(floats(x).iter().copied(), x, axes, keep)
}

/// As [`groups`], for values of `x` in any type.
fn grouped<T>(
    values: impl Iterator<Item = T>,
    x: &Tensor,
    axes: &[usize],
    keep: bool,
) -> (Vec<Vec<T>>, Vec<usize>) {
    let kept_shape: Vec<usize> = reduced_shape(&x.shape, axes, true);
    let kept_strides = strides(&kept_shape);
    let steps: Vec<isize> =
        (0..x.shape.len()).map(|d| if axes.contains(&d) { 0 } else { kept_strides[d] as isize }).collect();
    let size: usize = axes.iter().map(|&a| x.shape[a]).product();
    let count = kept_shape.iter().product();
    let mut groups: Vec<Vec<T>> = std::iter::repeat_with(|| Vec::with_capacity(size)).take(count).collect();
    for (value, group) in values.zip(array::strided_map(&x.shape, &steps, 0)) {
        groups[group].push(value);
    }
    (groups, reduced_shape(&x.shape, axes, keep))
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
    let (groups, shape) = groups(x, &axes, call.flag("keepdims", true)?);
    let values = groups.iter().map(|g| f(g)).collect();
    Ok(vec![call.store(x.element, shape, values)])
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
    let (groups, shape) = grouped(integers(x)?.iter().copied(), x, &axes, call.flag("keepdims", true)?);
    let values = groups.iter().map(|group| g(group)).collect::<Result<_, _>>()?;
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
