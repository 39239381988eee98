//! Operators that move, repeat or join values.

use ndarray::{Array3, ArrayD, Axis, Ix3, IxDyn, Slice};

use super::super::array::{self, broadcast, moved};
use super::super::call::{Call, Results};
use super::Entry;
use super::shape::{from_operand, index};
use crate::onnx::{Data, SparseValues, Tensor};

pub(super) const OPERATORS: &[Entry] = &[
    ("Concat", concat),
    ("DepthToSpace", depth_to_space),
    ("Expand", expand),
    ("ReverseSequence", reverse_sequence),
    ("SpaceToDepth", space_to_depth),
    ("Split", split),
    ("Tile", tile),
    ("Transpose", transpose),
    ("Trilu", trilu),
];

fn concat(call: &Call<'_>) -> Results {
    let all = call.all_inputs()?;
    let axis = array::axis(call.int("axis", 1)?, call.input(0)?.shape.len())?;
    Ok(vec![array::joined(&all, axis)?])
}

/// Sizes are an attribute before operator set 13, an operand from then on; without them the parts are equal, and
/// from 18 on the last one may be smaller.
fn split(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let axis = array::axis(call.int("axis", 0)?, x.shape.len())?;
    let n = x.shape[axis];
    let parts = usize::try_from(call.int("num_outputs", 0)?)
        .ok()
        .filter(|&p| p > 0)
        .unwrap_or(call.node.outputs.len());
    let sizes: Vec<usize> = match call.moved_ints("split", 13, 1)? {
        Some(given) => given.iter().map(|&s| usize::try_from(s).unwrap_or(usize::MAX)).collect(),
        None => {
            let each = n.div_ceil(parts.max(1));
            (0..parts).map(|p| n.saturating_sub(p * each).min(each)).collect()
        }
    };
    if sizes.iter().try_fold(0usize, |sum, &s| sum.checked_add(s)) != Some(n) || sizes.len() > n.max(1024) {
        return Err(format!("parts of sizes {sizes:?} of axis {axis} with {n} values"));
    }
    let x = array::dense(x);
    let mut start = 0;
    let mut results = Vec::with_capacity(sizes.len());
    for size in sizes {
        let part = Slice::from(start..start + size);
        results.push(moved!(&x; |values| values.slice_axis(Axis(axis), part)));
        start += size;
    }
    Ok(results)
}

fn transpose(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let rank = x.shape.len();
    let order = match call.ints("perm")? {
        Some(given) => array::axes(given, rank)?,
        None => (0..rank).rev().collect(),
    };
    if order.len() != rank {
        return Err(format!("an order {order:?} of {rank} axes"));
    }
    if let ([1, 0], Some(turned)) = (order.as_slice(), sparse_transpose(x)) {
        return Ok(vec![turned]);
    }
    Ok(vec![moved!(x; |values| values.permuted_axes(order))])
}

/// A matrix with few entries keeps them.
fn sparse_transpose(x: &Tensor) -> Option<Tensor> {
    let &[rows, columns] = x.shape.as_slice() else { return None };
    let data = match &x.data {
        Data::SparseF32(entries) => Data::SparseF32(turned(entries, rows, columns)),
        Data::SparseF64(entries) => Data::SparseF64(turned(entries, rows, columns)),
        _ => return None,
    };
    Some(Tensor { element: x.element, shape: vec![columns, rows], data })
}

fn turned<T: Copy>(entries: &SparseValues<T>, rows: usize, columns: usize) -> SparseValues<T> {
    let place = |&at: &usize| at % columns * rows + at / columns;
    let mut pairs: Vec<(usize, T)> =
        entries.indices.iter().map(place).zip(entries.values.iter().copied()).collect();
    pairs.sort_unstable_by_key(|(at, _)| *at);
    let (indices, values) = pairs.into_iter().unzip();
    SparseValues { indices, values }
}

fn expand(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let shape = broadcast(&[&x.shape, &from_operand(call.input(1)?)?])?;
    Ok(vec![moved!(x; |values| array::spread(&values, &shape)?)])
}

fn tile(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let repeats = from_operand(call.input(1)?)?;
    if repeats.len() != x.shape.len() {
        return Err(format!("{} repeats for an operand of shape {:?}", repeats.len(), x.shape));
    }
    let shape: Option<Vec<usize>> = x.shape.iter().zip(&repeats).map(|(n, r)| n.checked_mul(*r)).collect();
    let shape = shape.ok_or_else(|| format!("{repeats:?} repeats of shape {:?}", x.shape))?;
    array::len(&shape)?;
    // Each axis is seen as two: the repeats, and the operand's own.
    let own: Vec<usize> = x.shape.iter().flat_map(|&n| [1, n]).collect();
    let paired: Vec<usize> = repeats.iter().zip(&x.shape).flat_map(|(&r, &n)| [r, n]).collect();
    let x = array::reshaped(x, own);
    Ok(vec![Tensor { shape, ..moved!(&x; |values| array::spread(&values, &paired)?) }])
}

fn block(call: &Call<'_>) -> Result<usize, String> {
    let size = call.int("blocksize", 0)?;
    usize::try_from(size)
        .ok()
        .filter(|b| (1..1 << 15).contains(b))
        .ok_or_else(|| format!("its attribute blocksize is {size}"))
}

fn image(x: &Tensor) -> Result<[usize; 4], String> {
    <[usize; 4]>::try_from(x.shape.as_slice())
        .map_err(|_| format!("an operand of shape {:?}, not N×C×H×W", x.shape))
}

fn depth_to_space(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let ([n, c, h, w], b) = (image(x)?, block(call)?);
    if c % (b * b) != 0 {
        return Err(format!("{c} channels in blocks of {b}×{b}"));
    }
    let depth = c / (b * b);
    let (seen, order) = match call.string("mode", "DCR")? {
        "DCR" => ([n, b, b, depth, h, w], [0, 3, 4, 1, 5, 2]),
        "CRD" => ([n, depth, b, b, h, w], [0, 1, 4, 2, 5, 3]),
        other => return Err(format!("its attribute mode is {other:?}, not \"DCR\" or \"CRD\"")),
    };
    let x = array::reshaped(x, seen.to_vec());
    let shape = vec![n, depth, h * b, w * b];
    Ok(vec![Tensor { shape, ..moved!(&x; |values| values.permuted_axes(order.to_vec())) }])
}

fn space_to_depth(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let ([n, c, h, w], b) = (image(x)?, block(call)?);
    if h % b != 0 || w % b != 0 {
        return Err(format!("a plane of {h}×{w} in blocks of {b}×{b}"));
    }
    let x = array::reshaped(x, vec![n, c, h / b, b, w / b, b]);
    let shape = vec![n, c * b * b, h / b, w / b];
    Ok(vec![Tensor { shape, ..moved!(&x; |values| values.permuted_axes(vec![0, 3, 5, 1, 2, 4])) }])
}

/// Reverses the first so many values along the time axis, a number for each member of the batch.
fn reverse_sequence(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let lengths = array::integers(call.input(1)?)?;
    let batch = array::axis(call.int("batch_axis", 1)?, x.shape.len())?;
    let time = array::axis(call.int("time_axis", 0)?, x.shape.len())?;
    let fits = |&n: &i64| n >= 0 && n <= x.shape[time] as i64;
    if batch == time || lengths.len() != x.shape[batch] || !lengths.iter().all(fits) {
        return Err(format!("lengths {lengths:?} for an operand of shape {:?}", x.shape));
    }
    let place = |mut at: IxDyn| {
        let (t, count) = (at[time], lengths[at[batch]] as usize);
        at[time] = if t < count { count - 1 - t } else { t };
        at
    };
    Ok(vec![moved!(x; |values| ArrayD::from_shape_fn(values.raw_dim(), |at| values[place(at)]))])
}

/// Keeps the upper or the lower triangle of each matrix, from the diagonal number `k` on.
fn trilu(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let k = call.optional(1).map(index).transpose()?.unwrap_or(0);
    let upper = call.flag("upper", true)?;
    let &[.., rows, columns] = x.shape.as_slice() else {
        return Err(format!("an operand of shape {:?}", x.shape));
    };
    let is_kept = |row: usize, column: usize| {
        let diagonal = column as i64 - row as i64;
        if upper { diagonal >= k } else { diagonal <= k }
    };
    let matrices = array::reshaped(x, vec![x.len() / (rows * columns).max(1), rows, columns]);
    let kept = moved!(&matrices; |values| {
        let values = values.into_dimensionality::<Ix3>().map_err(|e| e.to_string())?;
        let value = |(m, i, j)| if is_kept(i, j) { values[[m, i, j]] } else { Default::default() };
        Array3::from_shape_fn(values.raw_dim(), value)
    });
    Ok(vec![Tensor { shape: x.shape.clone(), ..kept }])
}
