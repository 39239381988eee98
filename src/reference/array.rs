//! Shapes and index arithmetic that all operators share.
//!
//! Operators that only move values are written as a map: for each value of the result, the flat index of the operand's
//! value that goes there.

use std::borrow::Cow;

use crate::onnx::{Data, ElementType, Tensor};

/// Most values that an operator may compute: 1 GiB of doubles.
const MAX_LEN: usize = 1 << 27;

/// Number of values of a tensor of this shape. An error where it is more than a tensor may have.
pub(super) fn len(shape: &[usize]) -> Result<usize, String> {
    // A size of 0 may not hide what the other sizes would cost on the way there.
    let product = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d.max(1)));
    product
        .filter(|&n| n <= MAX_LEN)
        .map(|_| shape.iter().product())
        .ok_or_else(|| format!("a result of shape {shape:?}, which has more than {MAX_LEN} values"))
}

/// Row-major strides of `shape`.
pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i];
    }
    strides
}

/// `axis` as an index, negative ones counted from the end.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, String> {
    let from_start = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(from_start)
        .ok()
        .filter(|&a| a < rank)
        .ok_or_else(|| format!("axis {axis} of an operand with {rank} dimensions"))
}

/// Several axes, in the order given; none may occur twice.
pub(super) fn axes(list: &[i64], rank: usize) -> Result<Vec<usize>, String> {
    let mut found = Vec::with_capacity(list.len());
    for &given in list {
        let index = axis(given, rank)?;
        if found.contains(&index) {
            return Err(format!("axis {given} is named twice in {list:?}"));
        }
        found.push(index);
    }
    Ok(found)
}

/// Product of the dimensions before `axis`, the dimension itself, product of those behind it.
pub(super) fn around(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}

/// The shape that operands of these shapes are broadcast to.
pub(super) fn broadcast(shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
    let rank = shapes.iter().map(|s| s.len()).max().unwrap_or(0);
    let mut out = vec![1; rank];
    for shape in shapes {
        for (have, &need) in out[rank - shape.len()..].iter_mut().zip(*shape) {
            if *have == 1 {
                *have = need;
            } else if need != 1 && need != *have {
                return Err(format!("operands of shapes {shapes:?} cannot be broadcast"));
            }
        }
    }
    len(&out)?;
    Ok(out)
}

/// For each flat index of `to`, the flat index in `from`, which is broadcast to it.
pub(super) fn broadcast_map(from: &[usize], to: &[usize]) -> Vec<usize> {
    let own = strides(from);
    let missing = to.len() - from.len();
    let steps: Vec<isize> = (0..to.len())
        .map(|d| if d < missing || from[d - missing] == 1 { 0 } else { own[d - missing] as isize })
        .collect();
    strided_map(to, &steps, 0)
}

/// `start + Σ index[d] * steps[d]` for each index of `shape` in row-major order.
pub(super) fn strided_map(shape: &[usize], steps: &[isize], start: isize) -> Vec<usize> {
    let mut map = vec![start];
    for (&size, &step) in shape.iter().zip(steps) {
        map = map.iter().flat_map(|&base| (0..size as isize).map(move |i| base + i * step)).collect();
    }
    map.into_iter().map(|i| i as usize).collect()
}

/// Calls `visit` with each index of `shape` in row-major order.
pub(super) fn for_each_index(shape: &[usize], mut visit: impl FnMut(&[usize])) {
    if shape.contains(&0) {
        return;
    }
    let mut index = vec![0; shape.len()];
    loop {
        visit(&index);
        let Some(d) = (0..shape.len()).rev().find(|&d| index[d] + 1 < shape[d]) else { return };
        index[d] += 1;
        index[d + 1..].fill(0);
    }
}

/// Flat index of `index` with the given strides.
pub(super) fn flat(index: &[usize], strides: &[usize]) -> usize {
    index.iter().zip(strides).map(|(i, s)| i * s).sum()
}

/// The tensor of `shape` whose i-th value is `tensor`'s value number `map[i]`.
pub(super) fn pick(tensor: &Tensor, shape: Vec<usize>, map: &[usize]) -> Tensor {
    let tensor = dense(tensor);
    let data = match &tensor.data {
        Data::F32(v) => Data::F32(map.iter().map(|&i| v[i]).collect()),
        Data::F64(v) => Data::F64(map.iter().map(|&i| v[i]).collect()),
        Data::I64(v) => Data::I64(map.iter().map(|&i| v[i]).collect()),
        Data::SparseF32(_) | Data::SparseF64(_) => unreachable_sparse(),
    };
    Tensor { element: tensor.element, shape, data }
}

/// As [`pick`], with values numbered from `tensor`'s length on taken from `more`.
pub(super) fn pick_two(
    tensor: &Tensor,
    more: &Tensor,
    shape: Vec<usize>,
    map: &[usize],
) -> Result<Tensor, String> {
    Ok(pick(&concatenate(&[tensor, more])?, shape, map))
}

/// All values of `tensors`, one tensor behind the other, with one dimension.
pub(super) fn concatenate(tensors: &[&Tensor]) -> Result<Tensor, String> {
    let element = same_element(tensors)?;
    let total = len(&[tensors.iter().map(|t| t.len()).sum()])?;
    let data = if !element.is_float() {
        Data::I64(tensors.iter().flat_map(|t| t.as_i64().unwrap_or_default()).copied().collect())
    } else if tensors.iter().any(|t| is_f64(t)) {
        Data::F64(tensors.iter().flat_map(|t| t.to_f64()).collect())
    } else {
        Data::F32(tensors.iter().flat_map(|t| t.to_f64()).map(|x| x as f32).collect())
    };
    Ok(Tensor { element, shape: vec![total], data })
}

fn is_f64(tensor: &Tensor) -> bool {
    matches!(tensor.data, Data::F64(_) | Data::SparseF64(_))
}

/// The element type of all operands. An error where they differ.
pub(super) fn same_element(tensors: &[&Tensor]) -> Result<ElementType, String> {
    let Some(first) = tensors.first() else { return Err("it has no operands".into()) };
    match tensors.iter().find(|t| t.element != first.element) {
        None => Ok(first.element),
        Some(other) => Err(format!("operands of types {} and {}", first.element, other.element)),
    }
}

/// The tensor with all its values stored.
pub(super) fn dense(tensor: &Tensor) -> Cow<'_, Tensor> {
    match tensor.data {
        Data::SparseF32(_) | Data::SparseF64(_) => Cow::Owned(tensor.clone().into_dense()),
        _ => Cow::Borrowed(tensor),
    }
}

/// For a match behind [`dense`].
fn unreachable_sparse() -> Data {
    unreachable!("a dense tensor has no sparse data")
}

/// The values as doubles.
pub(super) fn floats(tensor: &Tensor) -> Cow<'_, [f64]> {
    match &tensor.data {
        Data::F64(v) => Cow::Borrowed(v),
        _ => Cow::Owned(tensor.to_f64()),
    }
}

/// The values of an integer or boolean tensor.
pub(super) fn integers(tensor: &Tensor) -> Result<&[i64], String> {
    tensor.as_i64().ok_or_else(|| format!("integers are needed where {} is given", tensor.element))
}

/// A tensor of indices or sizes.
pub(super) fn int64(shape: Vec<usize>, values: Vec<i64>) -> Tensor {
    Tensor { element: ElementType::Int64, shape, data: Data::I64(values) }
}

/// The tensor under another shape with as many values.
pub(super) fn reshaped(tensor: &Tensor, shape: Vec<usize>) -> Tensor {
    Tensor { shape, ..tensor.clone() }
}

/// The slices of a tensor along an axis, without it.
pub(super) fn slices(tensor: &Tensor, given: i64) -> Result<Vec<Tensor>, String> {
    let axis = axis(given, tensor.shape.len())?;
    let (outer, count, inner) = around(&tensor.shape, axis);
    let mut shape = tensor.shape.clone();
    shape.remove(axis);
    let slice = |at: usize| {
        let map: Vec<usize> =
            (0..outer).flat_map(|o| (0..inner).map(move |i| (o * count + at) * inner + i)).collect();
        pick(tensor, shape.clone(), &map)
    };
    Ok((0..count).map(slice).collect())
}

/// The tensor with its first axis at another place.
pub(super) fn moved_first_axis(tensor: Tensor, given: i64) -> Result<Tensor, String> {
    let to = axis(given, tensor.shape.len())?;
    if to == 0 {
        return Ok(tensor);
    }
    let own = strides(&tensor.shape);
    let mut order: Vec<usize> = (1..tensor.shape.len()).collect();
    order.insert(to, 0);
    let shape: Vec<usize> = order.iter().map(|&d| tensor.shape[d]).collect();
    let steps: Vec<isize> = order.iter().map(|&d| own[d] as isize).collect();
    let map = strided_map(&shape, &steps, 0);
    Ok(pick(&tensor, shape, &map))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_broadcast_as_numpy_does() {
        type Expected = Result<&'static [usize], &'static str>;
        let cases: [(&[&[usize]], Expected); 6] = [
            (&[&[2, 3], &[3]], Ok(&[2, 3])),
            (&[&[2, 1], &[1, 4]], Ok(&[2, 4])),
            (&[&[], &[5]], Ok(&[5])),
            (&[&[0], &[1]], Ok(&[0])),
            (&[&[2], &[3]], Err("cannot be broadcast")),
            (&[&[1 << 30, 1], &[1 << 30]], Err("more than")),
        ];
        for (shapes, expected) in cases {
            match (broadcast(shapes), expected) {
                (Ok(shape), Ok(want)) => assert_eq!(shape, want),
                (Err(message), Err(want)) => assert!(message.contains(want), "{message}"),
                (got, want) => panic!("{shapes:?}: {got:?} instead of {want:?}"),
            }
        }
    }

    #[test]
    fn maps_follow_row_major_order() {
        assert_eq!(broadcast_map(&[3], &[2, 3]), [0, 1, 2, 0, 1, 2]);
        assert_eq!(broadcast_map(&[2, 1], &[2, 3]), [0, 0, 0, 1, 1, 1]);
        assert_eq!(strided_map(&[3, 2], &[1, 3], 0), [0, 3, 1, 4, 2, 5]);
        assert_eq!(strided_map(&[3], &[-1], 2), [2, 1, 0]);
        assert_eq!(strided_map(&[2, 0], &[1, 1], 0), [0usize; 0]);
        let mut seen = Vec::new();
        for_each_index(&[2, 2], |i| seen.push(i.to_vec()));
        assert_eq!(seen, [[0, 0], [0, 1], [1, 0], [1, 1]]);
        for_each_index(&[2, 0], |_| panic!("an empty shape has no index"));
    }
}
