//! Operators that take a part of their operand: by ranges, by a mask, or by which values are not zero.

use ndarray::{Axis, IxDyn, Slice};

use super::super::array::{self, floats, int64, integers, moved};
use super::super::call::{Call, Results};
use super::Entry;
use crate::onnx::Tensor;

pub(super) const OPERATORS: &[Entry] = &[("Compress", compress), ("NonZero", non_zero), ("Slice", slice)];

/// Ranges are attributes before operator set 10 (always with step 1), operands from then on.
fn slice(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let rank = x.shape.len();
    let old = call.opset < 10;
    let list = |name: &str, operand: usize| if old { call.ints(name) } else { call.integers(operand) };
    let (starts, ends) =
        (list("starts", 1)?.ok_or("it has no starts")?, list("ends", 2)?.ok_or("it has no ends")?);
    let default_axes: Vec<i64> = (0..starts.len() as i64).collect();
    let axes = array::axes(list("axes", 3)?.unwrap_or(&default_axes), rank)?;
    let default_steps = vec![1; starts.len()];
    let steps = if old { None } else { call.integers(4)? }.unwrap_or(&default_steps);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(format!(
            "{} starts, {} ends, {} axes, {} steps",
            starts.len(),
            ends.len(),
            axes.len(),
            steps.len()
        ));
    }
    let ranges = axes.iter().enumerate().map(|(i, &axis)| {
        let (start, count) = range(starts[i], ends[i], steps[i], x.shape[axis] as i64)?;
        Ok((axis, part(start as isize, count as isize, steps[i] as isize)))
    });
    let ranges = ranges.collect::<Result<Vec<_>, String>>()?;
    Ok(vec![moved!(x; |values| {
        let mut values = values;
        ranges.iter().for_each(|&(axis, part)| values.slice_axis_inplace(Axis(axis), part));
        values
    })])
}

/// `count` positions from `start` on. ndarray names a range that is walked backwards by its ends in ascending order.
fn part(start: isize, count: isize, step: isize) -> Slice {
    match count {
        0 => Slice::new(0, Some(0), 1),
        // A single value needs no step, and a huge one would overflow.
        1 => Slice::new(start, Some(start + 1), 1),
        _ if step > 0 => Slice::new(start, Some(start + (count - 1) * step + 1), step),
        _ => Slice::new(start + (count - 1) * step, Some(start + 1), step),
    }
}

/// First position and number of positions of a range over an axis of `n` values, as numpy counts.
fn range(start: i64, end: i64, step: i64, n: i64) -> Result<(i64, usize), String> {
    // As ONNX Runtime does: the largest integer means the far end, backwards too.
    let end = if step < 0 && [i64::MAX, i32::MAX.into()].contains(&end) { i64::MIN } else { end };
    let absolute = |at: i64| if at < 0 { at.saturating_add(n) } else { at };
    let (start, end) = (absolute(start), absolute(end));
    let (start, span) = match step {
        0 => return Err("a step of 0".into()),
        1.. => {
            let start = start.clamp(0, n);
            (start, end.clamp(0, n) - start)
        }
        _ => {
            let start = start.clamp(0, (n - 1).max(0));
            (start, start - end.clamp(-1, n - 1))
        }
    };
    let count = if span <= 0 { 0 } else { (span as u64).div_ceil(step.unsigned_abs()) };
    Ok((start.max(0), count as usize))
}

fn compress(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let mask = integers(call.input(1)?)?;
    let (mut shape, axis) = match call.has("axis") {
        true => (x.shape.clone(), array::axis(call.int("axis", 0)?, x.shape.len())?),
        false => (vec![x.len()], 0),
    };
    let kept: Vec<usize> = (0..shape[axis].min(mask.len())).filter(|&i| mask[i] != 0).collect();
    let x = array::reshaped(x, shape.clone());
    let taken = moved!(&x; |values| array::taken(&values, axis, &kept)?);
    shape[axis] = kept.len();
    Ok(vec![Tensor { shape, ..taken }])
}

/// One column of coordinates for each value that is not zero.
fn non_zero(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let values = floats(x);
    let values = array::view(&x.shape, &values)?;
    let found = values.indexed_iter().filter(|(_, value)| **value != 0.0);
    let columns: Vec<IxDyn> = found.map(|(at, _)| at).collect();
    let rows = (0..x.shape.len()).flat_map(|d| columns.iter().map(move |at| at[d] as i64));
    Ok(vec![int64(vec![x.shape.len(), columns.len()], rows.collect())])
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_count_as_numpy_does() {
        let cases = [
            ((0, 3, 1, 5), (0, 3)),
            ((-3, -1, 1, 5), (2, 2)),
            ((1, i64::MAX, 2, 5), (1, 2)),
            ((4, 1, 1, 5), (4, 0)),
            ((9, 1, -1, 5), (4, 3)),
            ((-1, i64::MIN, -2, 5), (4, 3)),
            ((0, 5, i64::MAX, 5), (0, 1)),
            ((0, 5, 1, 0), (0, 0)),
        ];
        for ((start, end, step, n), expected) in cases {
            assert_eq!(range(start, end, step, n), Ok(expected), "{start}:{end}:{step} of {n}");
        }
        assert!(range(0, 5, 0, 5).is_err());
    }
}
