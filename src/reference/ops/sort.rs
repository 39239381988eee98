//! `TopK` and `Unique`.

use super::super::array::{self, around, floats, int64, pick};
use super::super::call::{Call, Results};
use super::Entry;
use super::shape::index;

pub(super) const OPERATORS: &[Entry] = &[("TopK", top_k), ("Unique", unique)];

/// The `k` largest or smallest values along an axis; of equal ones the first wins.
fn top_k(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let axis = array::axis(call.int("axis", -1)?, x.shape.len())?;
    let k = if call.opset < 10 { call.int("k", 0)? } else { index(call.input(1)?)? };
    let largest = call.flag("largest", true)?;
    let (outer, n, inner) = around(&x.shape, axis);
    let k =
        usize::try_from(k).ok().filter(|&k| k <= n).ok_or_else(|| format!("the first {k} of {n} values"))?;
    let values = floats(x);
    let mut shape = x.shape.clone();
    shape[axis] = k;
    let mut map = vec![0; array::len(&shape)?];
    let mut found = vec![0; map.len()];
    for (o, i) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
        let at = |r: usize| (o * n + r) * inner + i;
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| {
            // Both zeros are equal.
            let ascending = (values[at(a)] + 0.0).total_cmp(&(values[at(b)] + 0.0));
            if largest { ascending.reverse() } else { ascending }
        });
        for (rank, &r) in order.iter().take(k).enumerate() {
            map[(o * k + rank) * inner + i] = at(r);
            found[(o * k + rank) * inner + i] = r as i64;
        }
    }
    Ok(vec![pick(x, shape.clone(), &map), int64(shape, found)])
}

/// The different values, or slices along an axis; with the first place of each, the number of each original one,
/// and how often each occurs.
fn unique(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let (shape, axis) = match call.has("axis") {
        true => (x.shape.clone(), array::axis(call.int("axis", 0)?, x.shape.len())?),
        false => (vec![x.len()], 0),
    };
    let (outer, n, inner) = around(&shape, axis);
    let values = floats(x);
    let places = |r: usize| (0..outer).flat_map(move |o| (o * n + r) * inner..(o * n + r + 1) * inner);
    let compare = |a: usize, b: usize| {
        let pairs = places(a).zip(places(b)).map(|(i, j)| values[i].total_cmp(&values[j]));
        pairs.into_iter().find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
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
    let kept = &kept;
    let map: Vec<usize> = (0..outer)
        .flat_map(|o| kept.iter().flat_map(move |&r| (o * n + r) * inner..(o * n + r + 1) * inner))
        .collect();
    let mut shape = shape;
    shape[axis] = count;
    Ok(vec![
        pick(x, shape, &map),
        int64(vec![count], kept.iter().map(|&r| r as i64).collect()),
        int64(vec![n], inverse),
        int64(vec![count], runs.iter().map(|run| run.len() as i64).collect()),
    ])
}
