//! Operators that pick parts of a value or join values.

use super::Entry;
use crate::network::Real;
use crate::network::import::call::{Built, ImportCall};
use crate::network::import::{Importer, Operand};
use crate::network::op::{Concat, Op, Rearrange};
use crate::network::shape;
use crate::onnx::ModelError;

impl<T: Real> Importer<T> {
    pub(super) const SLICING: &'static [Entry<T>] = &[
        ("Concat", concat),
        ("Pad", pad),
        ("ReverseSequence", reverse_sequence),
        ("Slice", slice),
        ("Split", split),
    ];
}

fn concat<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let operands = call.all()?;
    let axis = call.node.int("axis")?.ok_or_else(|| call.error("attribute axis is missing"))?;
    let axis = call.axis(axis, call.shape(&operands[0]).len())?;
    Ok(vec![call.join(&operands, axis)?])
}

impl<T: Real> ImportCall<'_, T> {
    /// The operands one after the other along an axis.
    pub(super) fn join(&mut self, operands: &[Operand], axis: usize) -> Result<Operand, ModelError> {
        match operands {
            [only] => Ok(only.clone()),
            _ => self.apply(Op::Concat(Concat { axis }), operands),
        }
    }

    /// `count` rows from `start` in steps of `step` along an axis.
    pub(super) fn rows(
        &mut self,
        x: &Operand,
        axis: usize,
        start: isize,
        step: isize,
        count: usize,
    ) -> Result<Operand, ModelError> {
        let from = self.shape(x);
        let mut to = from.clone();
        to[axis] = count;
        let strides = shape::strides(&from);
        let mut steps: Vec<isize> = strides.iter().map(|&s| s as isize).collect();
        let offset = start * steps[axis];
        steps[axis] *= step;
        self.rearrange(x, Rearrange::strided(&from, &to, offset, &steps))
    }

    /// The rows along an axis that `indices` name, with the axis replaced by the indices' own shape.
    pub(super) fn pick(
        &mut self,
        x: &Operand,
        axis: usize,
        indices: &[usize],
        indices_shape: &[usize],
    ) -> Result<Operand, ModelError> {
        let from = self.shape(x);
        let split = shape::split(&from, axis);
        let to: Vec<usize> = [&from[..axis], indices_shape, &from[axis + 1..]].concat();
        let flat = [split.outer, indices.len(), split.inner];
        let map = Rearrange::from_fn(&from, &flat, 0.0, |at| {
            Some((at[0] * split.axis + indices[at[1]]) * split.inner + at[2])
        });
        let map = map.map(|map| Rearrange { to: to.clone(), ..map });
        self.rearrange(x, map)
    }

    /// Indices along an axis of length `len`, counted from the front.
    pub(super) fn indices(&self, i: usize, len: usize) -> Result<Vec<usize>, ModelError> {
        let list = self.ints(i)?;
        let front = |&at: &i64| {
            let from_front = if at < 0 { at + len as i64 } else { at };
            usize::try_from(from_front).ok().filter(|&at| at < len)
        };
        let bad = || self.error(format!("an index of operand {i} is outside an axis of length {len}"));
        list.iter().map(front).collect::<Option<_>>().ok_or_else(bad)
    }
}

/// Start, step and count of a slice along an axis of length `len`, as the standard clamps them.
fn clamp(len: usize, start: i64, end: i64, step: i64) -> (isize, isize, usize) {
    let len = len as i64;
    // The largest integers stand for the far end in either direction, as in ONNX Runtime.
    let end = if step < 0 && (end == i64::MAX || end == i64::from(i32::MAX)) { i64::MIN } else { end };
    let from_front = |at: i64| if at < 0 { at.saturating_add(len) } else { at };
    let (start, end) = (from_front(start), from_front(end));
    let (start, end) = if step > 0 {
        (start.clamp(0, len), end.clamp(0, len))
    } else {
        (start.clamp(0, (len - 1).max(0)), end.clamp(-1, len - 1))
    };
    let span = if step > 0 { end - start } else { start - end };
    let count = if span <= 0 || len == 0 { 0 } else { (span - 1) / step.saturating_abs() + 1 };
    // A single row needs no step, however long; more rows have steps within the axis.
    (start as isize, if count > 1 { step as isize } else { 1 }, count as usize)
}

/// Everything is an attribute before operator set 10 and an operand after.
fn slice<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let mut x = call.operand(0)?;
    let missing = |what: &str| call.error(format!("{what} are missing"));
    let starts = call.ints_or_attribute(1, "starts")?.ok_or_else(|| missing("starts"))?;
    let ends = call.ints_or_attribute(2, "ends")?.ok_or_else(|| missing("ends"))?;
    let axes = call.ints_or_attribute(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = if call.optional(4).is_some() { call.ints(4)? } else { vec![1; starts.len()] };
    if ends.len() != starts.len() || axes.len() != starts.len() || steps.len() != starts.len() {
        return Err(call.error("starts, ends, axes and steps are not of one length"));
    }
    for i in 0..starts.len() {
        let shape = call.shape(&x);
        let axis = call.axis(axes[i], shape.len())?;
        if steps[i] == 0 {
            return Err(call.error("a slice cannot have steps of 0"));
        }
        let (start, step, count) = clamp(shape[axis], starts[i], ends[i], steps[i]);
        x = call.rows(&x, axis, start, step, count)?;
    }
    Ok(vec![x])
}

fn split<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let shape = call.shape(&x);
    let axis = call.axis(call.node.int("axis")?.unwrap_or(0), shape.len())?;
    let sizes = match call.ints_or_attribute(1, "split")? {
        Some(sizes) => {
            let sizes: Option<Vec<_>> = sizes.iter().map(|&n| usize::try_from(n).ok()).collect();
            sizes.ok_or_else(|| call.error("a part cannot have negative length"))?
        }
        None => {
            let parts = call.node.int("num_outputs")?.unwrap_or(call.node.outputs.len() as i64);
            let parts = usize::try_from(parts).unwrap_or(0);
            if parts == 0 || parts > shape[axis].max(1) {
                return Err(call.error(format!("an axis of length {} has no {parts} parts", shape[axis])));
            }
            // The last part is shorter where the length is no multiple.
            let chunk = shape[axis].div_ceil(parts);
            (0..parts).map(|i| chunk.min(shape[axis].saturating_sub(i * chunk))).collect()
        }
    };
    if sizes.iter().try_fold(0usize, |sum, &n| sum.checked_add(n)) != Some(shape[axis]) {
        return Err(
            call.error(format!("parts of {sizes:?} do not make up an axis of length {}", shape[axis]))
        );
    }
    let mut start = 0;
    let mut parts = Vec::with_capacity(sizes.len());
    for size in sizes {
        parts.push(call.rows(&x, axis, start as isize, 1, size)?);
        start += size;
    }
    Ok(parts)
}

/// The place in an axis of length `len` that position `at` of the padded axis shows, if any.
fn padded_place(at: i64, len: i64, mode: &str) -> Option<usize> {
    let inside = |at: i64| usize::try_from(at).ok().filter(|&at| (at as i64) < len);
    match mode {
        "edge" => inside(at.clamp(0, (len - 1).max(0))),
        "wrap" if len > 0 => inside(at.rem_euclid(len)),
        "reflect" if len > 1 => {
            let period = 2 * (len - 1);
            let folded = at.rem_euclid(period);
            inside(if folded < len { folded } else { period - folded })
        }
        "reflect" => inside(0),
        _ => inside(at),
    }
}

/// Pads are an attribute before operator set 11 and an operand after; negative ones cut off.
fn pad<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let from = call.shape(&x);
    let pads = call.ints_or_attribute(1, "pads")?.ok_or_else(|| call.error("pads are missing"))?;
    let fill = call.number_or_attribute(2, "value")?.unwrap_or(0.0);
    let mode = call.node.string("mode")?.unwrap_or("constant").to_owned();
    if !matches!(mode.as_str(), "constant" | "edge" | "reflect" | "wrap") {
        return Err(call.error(format!("mode is {mode:?}")));
    }
    let axes = match call.optional(3) {
        Some(_) => call.ints(3)?,
        None => (0..from.len() as i64).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err(call.error(format!("{} pads do not fit {} axes", pads.len(), axes.len())));
    }
    let (mut before, mut to) = (vec![0i64; from.len()], from.clone());
    for (i, &axis) in axes.iter().enumerate() {
        let axis = call.axis(axis, from.len())?;
        let (front, back) = (pads[i], pads[i + axes.len()]);
        let len = (from[axis] as i64).checked_add(front).and_then(|len| len.checked_add(back));
        let len = len.and_then(|len| usize::try_from(len).ok());
        to[axis] = len.ok_or_else(|| call.error(format!("pads {pads:?} leave nothing of shape {from:?}")))?;
        before[axis] = front;
    }
    let strides = shape::strides(&from);
    let map = Rearrange::from_fn(&from, &to, fill, |at| {
        let place = |i: usize| padded_place(at[i] as i64 - before[i], from[i] as i64, &mode);
        (0..from.len()).try_fold(0, |sum, i| place(i).map(|p| sum + p * strides[i]))
    });
    Ok(vec![call.rearrange(&x, map)?])
}

fn reverse_sequence<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let shape = call.shape(&x);
    let batch_axis = call.axis(call.node.int("batch_axis")?.unwrap_or(1), shape.len())?;
    let time_axis = call.axis(call.node.int("time_axis")?.unwrap_or(0), shape.len())?;
    let lengths = call.ints(1)?;
    if lengths.len() != shape[batch_axis] || lengths.iter().any(|&n| n < 0 || n > shape[time_axis] as i64) {
        return Err(call.error(format!("sequence lengths {lengths:?} do not fit shape {shape:?}")));
    }
    let strides = shape::strides(&shape);
    let map = Rearrange::from_fn(&shape, &shape, 0.0, |at| {
        let (len, time) = (lengths[at[batch_axis]] as usize, at[time_axis]);
        let time = if time < len { len - 1 - time } else { time };
        Some((0..shape.len()).map(|i| if i == time_axis { time } else { at[i] } * strides[i]).sum())
    });
    Ok(vec![call.rearrange(&x, map)?])
}

#[cfg(test)]
mod tests {
    use super::clamp;

    #[test]
    fn slices_are_clamped_as_numpy_does() {
        let check = |len, start, end, step, want: &[isize]| {
            let (start, step, count) = clamp(len, start, end, step);
            let got: Vec<isize> = (0..count as isize).map(|i| start + i * step).collect();
            assert_eq!(got, want, "{len} [{start}:{end}:{step}]");
        };
        check(5, 1, i64::MAX, 2, &[1, 3]);
        check(5, -2, 5, 1, &[3, 4]);
        check(5, -1, i64::MIN, -1, &[4, 3, 2, 1, 0]);
        check(5, 10, 0, -3, &[4, 1]);
        check(5, 3, 1, 1, &[]);
        check(0, 0, 5, 1, &[]);
        check(0, -1, -5, -1, &[]);
    }
}
