//! Shapes and what ONNX says about combining them.

use std::fmt;

/// Most dimensions a tensor may have: competition networks stay at six, and fixed arrays keep the inner
/// loops free of allocation.
pub const MAX_RANK: usize = 10;

/// Why an operator cannot be applied to operands of the given shapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeError(pub String);

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ShapeError {}

/// Most values of one tensor that is computed: 2 GiB in double precision.
pub const MOST_VALUES: usize = 1 << 28;

/// Number of values of a tensor; an error where they are more than [`MOST_VALUES`] or the rank is too high.
pub fn checked_len(shape: &[usize]) -> Result<usize, ShapeError> {
    if shape.len() > MAX_RANK {
        return Err(ShapeError(format!("rank {} is over the limit of {MAX_RANK}", shape.len())));
    }
    let len = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    len.filter(|&n| n <= MOST_VALUES)
        .ok_or_else(|| ShapeError(format!("shape {shape:?} has more than {MOST_VALUES} values")))
}

/// Number of values of a tensor whose shape has been checked.
pub fn len(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// The common shape of operands under ONNX's multidirectional broadcasting.
pub fn broadcast(shapes: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
    let rank = shapes.iter().map(|s| s.len()).max().unwrap_or(0);
    let mut out = vec![1; rank];
    for shape in shapes {
        for (axis, &d) in shape.iter().enumerate() {
            let at = rank - shape.len() + axis;
            match (out[at], d) {
                (o, d) if o == d || d == 1 => {}
                (1, d) => out[at] = d,
                _ => return Err(ShapeError(format!("shapes {shapes:?} cannot be broadcast together"))),
            }
        }
    }
    checked_len(&out)?;
    Ok(out)
}

/// `axis` counted from the front, negative values from the back.
pub fn axis(axis: i64, rank: usize) -> Result<usize, ShapeError> {
    let rank_signed = rank as i64;
    let from_front = if axis < 0 { axis + rank_signed } else { axis };
    if (0..rank_signed).contains(&from_front) {
        Ok(from_front as usize)
    } else {
        Err(ShapeError(format!("axis {axis} is not an axis of a tensor of rank {rank}")))
    }
}

/// Row-major strides in elements.
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// A tensor seen from one axis: `outer` blocks of `axis` rows of `inner` values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// Product of the dimensions before the axis.
    pub outer: usize,
    /// The axis itself.
    pub axis: usize,
    /// Product of the dimensions behind it.
    pub inner: usize,
}

/// Splits a shape at `axis` (below the rank).
pub fn split(shape: &[usize], axis: usize) -> Split {
    Split { outer: len(&shape[..axis]), axis: shape[axis], inner: len(&shape[axis + 1..]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_onnx() {
        let check = |shapes: &[&[usize]], want: Option<&[usize]>| {
            assert_eq!(broadcast(shapes).ok().as_deref(), want, "{shapes:?}");
        };
        check(&[&[2, 3], &[3]], Some(&[2, 3]));
        check(&[&[2, 1, 4], &[3, 1]], Some(&[2, 3, 4]));
        check(&[&[], &[5]], Some(&[5]));
        check(&[&[2], &[3]], None);
        check(&[&[0, 2], &[1, 2]], Some(&[0, 2]));
    }

    #[test]
    fn claims_that_no_memory_could_hold_are_refused() {
        assert!(checked_len(&[usize::MAX, 2]).is_err());
        assert!(checked_len(&[1 << 21, 1 << 21]).is_err());
        assert!(checked_len(&[1; MAX_RANK + 1]).is_err());
        assert_eq!(checked_len(&[3, 0, 5]), Ok(0));
    }
}
