//! `Pad` in all its modes. Negative pads cut values off.

use ndarray::{ArrayD, IxDyn};

use super::super::array::{self, moved, reshaped, same_element};
use super::super::call::{Call, Results};
use super::Entry;
use crate::onnx::{Data, Tensor};

pub(super) const OPERATORS: &[Entry] = &[("CenterCropPad", center_crop_pad), ("Pad", pad)];

#[derive(Clone, Copy)]
enum Mode {
    Constant,
    Reflect,
    Edge,
    Wrap,
}

impl Mode {
    /// The position in an axis of `n` values that stands at `at`, which may lie outside; `None`: the fill value.
    fn source(self, at: i64, n: i64) -> Option<usize> {
        let inside = match self {
            _ if (0..n).contains(&at) => at,
            _ if n == 0 => return None,
            Self::Constant => return None,
            Self::Edge => at.clamp(0, n - 1),
            Self::Wrap => at.rem_euclid(n),
            Self::Reflect if n == 1 => 0,
            Self::Reflect => {
                let period = 2 * (n - 1);
                let folded = at.rem_euclid(period);
                folded.min(period - folded)
            }
        };
        usize::try_from(inside).ok()
    }
}

/// Pads and the fill value are attributes before operator set 11; from 18 on some axes may be chosen.
fn pad(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let rank = x.shape.len();
    let pads = call.moved_ints("pads", 11, 1)?.ok_or("it has no pads")?;
    let axes = match if call.opset < 18 { None } else { call.integers(3)? } {
        Some(given) => array::axes(given, rank)?,
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err(format!("{} pads for {} axes", pads.len(), axes.len()));
    }
    let mut both = vec![(0, 0); rank];
    axes.iter().enumerate().for_each(|(i, &axis)| both[axis] = (pads[i], pads[axes.len() + i]));
    let mode = match call.string("mode", "constant")? {
        "constant" => Mode::Constant,
        "reflect" => Mode::Reflect,
        "edge" => Mode::Edge,
        "wrap" => Mode::Wrap,
        other => return Err(format!("its attribute mode is {other:?}")),
    };
    let fill = if call.opset < 11 {
        call.store(x.element, vec![1], vec![call.float("value", 0.0)?])
    } else {
        call.optional(2).cloned().unwrap_or_else(|| zero(x))
    };
    Ok(vec![padded(x, &both, mode, &fill)?])
}

fn zero(like: &Tensor) -> Tensor {
    let data = match like.data {
        Data::I64(_) => Data::I64(vec![0]),
        Data::F64(_) | Data::SparseF64(_) => Data::F64(vec![0.0]),
        Data::F32(_) | Data::SparseF32(_) => Data::F32(vec![0.0].into()),
    };
    Tensor { element: like.element, shape: vec![1], data }
}

fn padded(x: &Tensor, pads: &[(i64, i64)], mode: Mode, fill: &Tensor) -> Result<Tensor, String> {
    same_element(&[x, fill])?;
    let size = |(&n, &(before, after)): (&usize, &(i64, i64))| {
        let total = before.checked_add(after).and_then(|p| p.checked_add(n as i64));
        total
            .and_then(|t| usize::try_from(t).ok())
            .ok_or_else(|| format!("pads {before} and {after} for {n} values"))
    };
    let shape: Vec<usize> = x.shape.iter().zip(pads).map(size).collect::<Result<_, _>>()?;
    array::len(&shape)?;
    // For each axis, where the result's values stand in the operand's axis.
    let source = |(d, &size): (usize, &usize)| -> Vec<Option<usize>> {
        (0..size).map(|i| mode.source(i as i64 - pads[d].0, x.shape[d] as i64)).collect()
    };
    let sources: Vec<_> = shape.iter().enumerate().map(source).collect();
    let source = |mut at: IxDyn| {
        (0..sources.len()).try_for_each(|d| sources[d][at[d]].map(|source| at[d] = source))?;
        Some(at)
    };
    let fill = reshaped(fill, vec![1]);
    Ok(moved!(x, &fill; |values, fill| {
        ArrayD::from_shape_fn(shape.as_slice(), |at| source(at).map_or(fill[0], |at| values[at]))
    }))
}

/// Cuts or pads with zeros on both sides alike, up to the given size.
fn center_crop_pad(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let rank = x.shape.len();
    let sizes = call.integers(1)?.ok_or("it has no sizes")?;
    let axes = match call.ints("axes")? {
        Some(given) => array::axes(given, rank)?,
        None => (0..rank).collect(),
    };
    if sizes.len() != axes.len() {
        return Err(format!("{} sizes for {} axes", sizes.len(), axes.len()));
    }
    let mut pads = vec![(0, 0); rank];
    for (&axis, &size) in axes.iter().zip(sizes) {
        let missing = size.checked_sub(x.shape[axis] as i64).ok_or_else(|| format!("the size {size}"))?;
        // An odd number leaves the larger part behind, be it cut or padded.
        pads[axis] = (missing / 2, missing - missing / 2);
        if missing < 0 {
            pads[axis] = (-(-missing / 2), missing + -missing / 2);
        }
    }
    Ok(vec![padded(x, &pads, Mode::Constant, &zero(x))?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_outside_are_found_in_every_mode() {
        let cases = [
            (Mode::Constant, [None, None, Some(0), Some(2), None]),
            (Mode::Edge, [Some(0), Some(0), Some(0), Some(2), Some(2)]),
            (Mode::Wrap, [Some(2), Some(1), Some(0), Some(2), Some(0)]),
            (Mode::Reflect, [Some(1), Some(2), Some(0), Some(2), Some(1)]),
        ];
        for (mode, expected) in cases {
            assert_eq!([-1, -2, 0, 2, 3].map(|at| mode.source(at, 3)), expected);
        }
        assert_eq!(Mode::Reflect.source(-5, 3), Some(1), "longer pads are reflected again");
    }
}
