//! What operators need beside ndarray: tensors as arrays and back, axes as ONNX words them, limits on sizes.
//!
//! Shapes, strides, broadcasting, slices and orders of axes are ndarray's; a tensor's values are seen as an array without a copy. An operator
//! that only moves values is written once, for all types of values, with [`moved`]. Sums of many products (`linear`, `conv`,
//! `window`) stay loops over slices: they decide how long a replay takes, and the order of their terms is part of what they compute.

use std::borrow::Cow;

use ndarray::{Array, Array3, ArrayD, ArrayView3, ArrayViewD, Axis, CowArray, Dimension, Slice, Zip};

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

/// Types that a tensor's values are held in.
pub(super) trait Held: Copy + Default {
    /// A tensor's values, converted where they are held in another type.
    fn values(tensor: &Tensor) -> Cow<'_, [Self]>;
    /// Values as a tensor holds them.
    fn data(values: Vec<Self>) -> Data;
}

impl Held for f32 {
    fn values(tensor: &Tensor) -> Cow<'_, [f32]> {
        match &tensor.data {
            Data::F32(values) => Cow::Borrowed(values),
            _ => Cow::Owned(tensor.to_f64().into_iter().map(|x| x as f32).collect()),
        }
    }

    fn data(values: Vec<f32>) -> Data {
        Data::F32(values.into())
    }
}

impl Held for f64 {
    fn values(tensor: &Tensor) -> Cow<'_, [f64]> {
        floats(tensor)
    }

    fn data(values: Vec<f64>) -> Data {
        Data::F64(values)
    }
}

impl Held for i64 {
    fn values(tensor: &Tensor) -> Cow<'_, [i64]> {
        Cow::Borrowed(tensor.as_i64().unwrap_or_default())
    }

    fn data(values: Vec<i64>) -> Data {
        Data::I64(values)
    }
}

/// The type that can hold the values of several tensors.
pub(super) enum Common {
    F32,
    F64,
    I64,
}

/// The type that all operands' values are seen in. An error where their element types differ.
pub(super) fn common(tensors: &[&Tensor]) -> Result<(ElementType, Common), String> {
    let element = same_element(tensors)?;
    let is_double = |t: &&Tensor| matches!(t.data, Data::F64(_) | Data::SparseF64(_));
    Ok(match element.is_float() {
        false => (element, Common::I64),
        true if tensors.iter().any(is_double) => (element, Common::F64),
        true => (element, Common::F32),
    })
}

/// The tensor that an expression makes of the arrays of one or several tensors' values, in whatever type they are held:
/// `moved!(x; |values| values.permuted_axes(order))`. For functions whose errors are texts.
macro_rules! moved {
    ($($tensor:expr),+; |$($view:ident),+| $array:expr) => {
        match $crate::reference::array::common(&[$($tensor),+])? {
            (e, $crate::reference::array::Common::F32) => moved!(f32, e, [$($tensor),+], [$($view),+], $array),
            (e, $crate::reference::array::Common::F64) => moved!(f64, e, [$($tensor),+], [$($view),+], $array),
            (e, $crate::reference::array::Common::I64) => moved!(i64, e, [$($tensor),+], [$($view),+], $array),
        }
    };
    ($type:ty, $element:expr, [$($tensor:expr),+], [$($view:ident),+], $array:expr) => {{
        $(
            let values = <$type as $crate::reference::array::Held>::values($tensor);
            let $view = $crate::reference::array::view(&$tensor.shape, &values)?;
        )+
        $crate::reference::array::stored($element, $array)
    }};
}
pub(super) use moved;

/// Values in row-major order as an array of this shape.
pub(super) fn view<'a, T>(shape: &[usize], values: &'a [T]) -> Result<ArrayViewD<'a, T>, String> {
    let fail = |e| format!("{} values for an array of shape {shape:?}: {e}", values.len());
    ArrayViewD::from_shape(shape, values).map_err(fail)
}

/// The same with all dimensions before `axis` as one, and all behind it.
pub(super) fn view_around<'a, T>(
    shape: &[usize],
    axis: usize,
    values: &'a [T],
) -> Result<ArrayView3<'a, T>, String> {
    let fail = |e| format!("{} values for an array of shape {shape:?}: {e}", values.len());
    ArrayView3::from_shape(around(shape, axis), values).map_err(fail)
}

/// An array's values in row-major order.
pub(super) fn listed<'a, T: Copy + 'a, D: Dimension>(array: impl Into<CowArray<'a, T, D>>) -> Vec<T> {
    let array = array.into();
    if array.is_standard_layout() {
        // An array of its own begins where its memory does: none here is a part of another.
        return array.into_owned().into_raw_vec_and_offset().0;
    }
    let Some(&any) = array.first() else { return Vec::new() };
    let mut turned = array.view();
    let mut list = Array::from_elem(array.raw_dim(), any);
    let mut target = list.view_mut();
    // The longest axis is walked innermost: three channels at the end would be three steps a walk.
    if let Some(longest) = (0..turned.ndim()).max_by_key(|&d| turned.shape()[d]) {
        let last = turned.ndim() - 1;
        turned.swap_axes(longest, last);
        target.swap_axes(longest, last);
    }
    target.assign(&turned);
    list.into_raw_vec_and_offset().0
}

/// An array as a tensor.
pub(super) fn stored<'a, T: Held + 'a, D: Dimension>(
    element: ElementType,
    array: impl Into<CowArray<'a, T, D>>,
) -> Tensor {
    let array = array.into();
    Tensor { element, shape: array.shape().to_vec(), data: T::data(listed(array)) }
}

/// 0, 1, 2 … as an array of this shape: each place's number in row-major order.
pub(super) fn numbers(shape: &[usize]) -> Result<ArrayD<usize>, String> {
    let count = len(shape)?;
    ArrayD::from_shape_vec(shape, (0..count).collect()).map_err(|e| format!("shape {shape:?}: {e}"))
}

/// `f` of each pair of values of two operands of these shapes, both broadcast to `shape`, in row-major order.
pub(super) fn combined<A: Copy, B: Copy, R: Copy + Default>(
    shape: &[usize],
    [a_shape, b_shape]: [&[usize]; 2],
    a: &[A],
    b: &[B],
    mut f: impl FnMut(A, B) -> R,
) -> Result<Vec<R>, String> {
    // Two lists, or a list and a number, are most of what there is, and two to seven times as fast without strides.
    match (a, b) {
        (a, b) if a_shape == shape && b_shape == shape => {
            return Ok(a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect());
        }
        (a, &[b]) if a_shape == shape => return Ok(a.iter().map(|&a| f(a, b)).collect()),
        (&[a], b) if b_shape == shape => return Ok(b.iter().map(|&b| f(a, b)).collect()),
        _ => {}
    }
    let (a, b) = (view(a_shape, a)?, view(b_shape, b)?);
    let (a, b) = (spread(&a, shape)?, spread(&b, shape)?);
    let mut out = ArrayD::from_elem(shape, R::default());
    // Along the last axis an operand is a list, or one number again and again.
    Zip::from(out.rows_mut()).and(a.rows()).and(b.rows()).for_each(|mut out, a, b| {
        match (out.as_slice_mut(), a.as_slice(), b.as_slice()) {
            (Some(out), Some(a), Some(b)) => {
                out.iter_mut().zip(a.iter().zip(b)).for_each(|(out, (&a, &b))| *out = f(a, b));
            }
            (Some(out), Some(a), None) => {
                let b = b[0];
                out.iter_mut().zip(a).for_each(|(out, &a)| *out = f(a, b));
            }
            (Some(out), None, Some(b)) => {
                let a = a[0];
                out.iter_mut().zip(b).for_each(|(out, &b)| *out = f(a, b));
            }
            (Some(out), None, None) => out.iter_mut().for_each(|out| *out = f(a[0], b[0])),
            (None, ..) => {}
        }
    });
    Ok(listed(out))
}

/// An array broadcast to `shape`.
pub(super) fn spread<'a, T>(
    array: &'a ArrayViewD<'_, T>,
    shape: &[usize],
) -> Result<ArrayViewD<'a, T>, String> {
    let fail = || format!("an operand of shape {:?} cannot be broadcast to {shape:?}", array.shape());
    array.broadcast(shape).ok_or_else(fail)
}

/// The slices along an axis at these positions, in their order. Its dimensions are those [`around`] the axis.
pub(super) fn taken<T: Copy>(
    array: &ArrayViewD<'_, T>,
    axis: usize,
    positions: &[usize],
) -> Result<Array3<T>, String> {
    let (outer, _, inner) = around(array.shape(), axis);
    let values = array.as_slice().ok_or("an operand that is not in row-major order")?;
    let slices = view_around(array.shape(), axis, values)?;
    let place = |(o, k, i): (usize, usize, usize)| slices[[o, positions[k], i]];
    Ok(Array3::from_shape_fn((outer, positions.len(), inner), place))
}

/// Tensors joined along an axis, in which alone their shapes may differ.
pub(super) fn joined(tensors: &[&Tensor], axis: usize) -> Result<Tensor, String> {
    let (element, common) = common(tensors)?;
    let first = tensors.first().ok_or("it has no operands")?;
    let mut shape = first.shape.clone();
    shape[axis] = 0;
    for part in tensors {
        let fits = part.shape.len() == shape.len()
            && (0..shape.len()).all(|d| d == axis || part.shape[d] == shape[d]);
        if !fits {
            return Err(format!("parts of shapes {:?} and {:?} along axis {axis}", first.shape, part.shape));
        }
        shape[axis] += part.shape[axis];
    }
    len(&shape)?;
    match common {
        Common::F32 => joined_as::<f32>(element, tensors, &shape, axis),
        Common::F64 => joined_as::<f64>(element, tensors, &shape, axis),
        Common::I64 => joined_as::<i64>(element, tensors, &shape, axis),
    }
}

fn joined_as<T: Held>(
    element: ElementType,
    tensors: &[&Tensor],
    shape: &[usize],
    axis: usize,
) -> Result<Tensor, String> {
    let mut whole = ArrayD::from_elem(shape, T::default());
    let mut start = 0;
    for tensor in tensors {
        let (values, end) = (T::values(tensor), start + tensor.shape[axis]);
        let mut part = whole.slice_axis_mut(Axis(axis), Slice::from(start..end));
        part.assign(&view(&tensor.shape, &values)?);
        start = end;
    }
    Ok(stored(element, whole))
}

/// Tensors of one shape beside each other along a new axis.
pub(super) fn stacked(tensors: &[&Tensor], axis: usize) -> Result<Tensor, String> {
    let with_axis = |tensor: &&Tensor| {
        let mut shape = tensor.shape.clone();
        shape.insert(axis, 1);
        reshaped(tensor, shape)
    };
    let parts: Vec<Tensor> = tensors.iter().map(with_axis).collect();
    joined(&parts.iter().collect::<Vec<_>>(), axis)
}

/// The slices of a tensor along an axis, without it.
pub(super) fn slices(tensor: &Tensor, axis: usize) -> Result<Vec<Tensor>, String> {
    let tensor = dense(tensor);
    let slice = |at: usize| Ok(moved!(&*tensor; |values| values.index_axis(Axis(axis), at)));
    (0..tensor.shape[axis]).map(slice).collect()
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

    /// Every operator that moves values rests on these: transposed, sliced, repeated and joined.
    #[test]
    fn arrays_are_listed_in_row_major_order() -> Result<(), String> {
        let values: Vec<i64> = (0..6).collect();
        let table = int64(vec![2, 3], values.clone());
        let row = int64(vec![3], vec![7, 8, 9]);
        let cases = [
            (moved!(&table; |v| v), vec![2, 3], vec![0, 1, 2, 3, 4, 5]),
            (moved!(&table; |v| v.reversed_axes()), vec![3, 2], vec![0, 3, 1, 4, 2, 5]),
            (
                moved!(&table; |v| v.slice_axis(Axis(1), Slice::new(0, None, -2))),
                vec![2, 2],
                vec![2, 0, 5, 3],
            ),
            (moved!(&row; |v| spread(&v, &[2, 3])?), vec![2, 3], vec![7, 8, 9, 7, 8, 9]),
            (moved!(&table; |v| taken(&v, 1, &[2, 2])?), vec![2, 2, 1], vec![2, 2, 5, 5]),
            (moved!(&table; |v| taken(&v, 0, &[])?), vec![1, 0, 3], vec![]),
            (joined(&[&table, &table], 1)?, vec![2, 6], vec![0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5]),
            (stacked(&[&row, &row], 1)?, vec![3, 2], vec![7, 7, 8, 8, 9, 9]),
            (slices(&table, 1)?.remove(1), vec![2], vec![1, 4]),
        ];
        for (got, shape, expected) in cases {
            assert_eq!((got.shape.as_slice(), got.as_i64()), (shape.as_slice(), Some(expected.as_slice())));
        }
        let sums = combined(&[2, 3], [&[2, 3], &[3]], &values, &[10, 20, 30], |a, b| a + b)?;
        assert_eq!(sums, [10, 21, 32, 13, 24, 35]);
        assert_eq!(listed(numbers(&[2, 0])?), [0usize; 0]);
        Ok(())
    }
}
