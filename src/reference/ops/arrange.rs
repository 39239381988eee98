//! Operators that move, repeat or join values: each is a map from the result's places to the operand's.

use super::super::array::{self, around, broadcast, broadcast_map, pick, strided_map, strides};
use super::super::call::{Call, Results};
use super::Entry;
use super::shape::{from_operand, index};
use crate::onnx::{Data, Sparse, Tensor};

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
    let first = call.input(0)?;
    let axis = array::axis(call.int("axis", 1)?, first.shape.len())?;
    let mut shape = first.shape.clone();
    shape[axis] = 0;
    for part in &all {
        let fits = part.shape.len() == shape.len()
            && (0..shape.len()).all(|d| d == axis || part.shape[d] == shape[d]);
        if !fits {
            return Err(format!("parts of shapes {:?} and {:?} along axis {axis}", first.shape, part.shape));
        }
        shape[axis] += part.shape[axis];
    }
    array::len(&shape)?;
    let (outer, _, inner) = around(&shape, axis);
    let mut map = Vec::new();
    for o in 0..outer {
        let mut start = 0;
        for part in &all {
            let run = part.shape[axis] * inner;
            map.extend(start + o * run..start + (o + 1) * run);
            start += part.len();
        }
    }
    Ok(vec![pick(&array::concatenate(&all)?, shape, &map)])
}

/// Sizes are an attribute before operator set 13, an operand from then on; without them the parts are equal, and
/// from 18 on the last one may be smaller.
fn split(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let axis = array::axis(call.int("axis", 0)?, x.shape.len())?;
    let (outer, n, inner) = around(&x.shape, axis);
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
    let mut start = 0;
    let mut results = Vec::with_capacity(sizes.len());
    for size in sizes {
        let map: Vec<usize> =
            (0..outer).flat_map(|o| (o * n + start) * inner..(o * n + start + size) * inner).collect();
        let mut shape = x.shape.clone();
        shape[axis] = size;
        results.push(pick(x, shape, &map));
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
    let shape: Vec<usize> = order.iter().map(|&d| x.shape[d]).collect();
    if let Some(turned) = sparse_transpose(x, &order, &shape) {
        return Ok(vec![turned]);
    }
    let own = strides(&x.shape);
    let steps: Vec<isize> = order.iter().map(|&d| own[d] as isize).collect();
    Ok(vec![pick(x, shape.clone(), &strided_map(&shape, &steps, 0))])
}

fn sparse_transpose(x: &Tensor, order: &[usize], shape: &[usize]) -> Option<Tensor> {
    let data = match &x.data {
        Data::SparseF32(s) => Data::SparseF32(moved(s, &x.shape, order, shape)),
        Data::SparseF64(s) => Data::SparseF64(moved(s, &x.shape, order, shape)),
        _ => return None,
    };
    Some(Tensor { element: x.element, shape: shape.to_vec(), data })
}

fn moved<T: Copy>(entries: &Sparse<T>, from: &[usize], order: &[usize], to: &[usize]) -> Sparse<T> {
    let (own, new) = (strides(from), strides(to));
    let place =
        |&at: &usize| -> usize { order.iter().zip(&new).map(|(&d, s)| at / own[d] % from[d] * s).sum() };
    let mut pairs: Vec<(usize, T)> =
        entries.indices.iter().map(place).zip(entries.values.iter().copied()).collect();
    pairs.sort_unstable_by_key(|(at, _)| *at);
    let (indices, values) = pairs.into_iter().unzip();
    Sparse { indices, values }
}

fn expand(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let shape = broadcast(&[&x.shape, &from_operand(call.input(1)?)?])?;
    let map = broadcast_map(&x.shape, &shape);
    Ok(vec![pick(x, shape, &map)])
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
    // Each axis is seen as two: the repeats, which do not move, and the operand's own.
    let paired: Vec<usize> = repeats.iter().zip(&x.shape).flat_map(|(&r, &n)| [r, n]).collect();
    let steps: Vec<isize> = strides(&x.shape).into_iter().flat_map(|s| [0, s as isize]).collect();
    Ok(vec![pick(x, shape, &strided_map(&paired, &steps, 0))])
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
    let plane = (h * w) as isize;
    let (block_step, channel_step) = match call.string("mode", "DCR")? {
        "DCR" => (depth as isize * plane, plane),
        "CRD" => (plane, (b * b) as isize * plane),
        other => return Err(format!("its attribute mode is {other:?}, not \"DCR\" or \"CRD\"")),
    };
    let steps = [c as isize * plane, channel_step, w as isize, b as isize * block_step, 1, block_step];
    let map = strided_map(&[n, depth, h, b, w, b], &steps, 0);
    Ok(vec![pick(x, vec![n, depth, h * b, w * b], &map)])
}

fn space_to_depth(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let ([n, c, h, w], b) = (image(x)?, block(call)?);
    if h % b != 0 || w % b != 0 {
        return Err(format!("a plane of {h}×{w} in blocks of {b}×{b}"));
    }
    let (row, plane) = (w as isize, (h * w) as isize);
    let steps = [c as isize * plane, row, 1, plane, b as isize * row, b as isize];
    let map = strided_map(&[n, b, b, c, h / b, w / b], &steps, 0);
    Ok(vec![pick(x, vec![n, c * b * b, h / b, w / b], &map)])
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
    let own = strides(&x.shape);
    let place = |at: usize| {
        let (member, t) = (at / own[batch] % x.shape[batch], at / own[time] % x.shape[time]);
        let count = lengths[member] as usize;
        if t < count { at - t * own[time] + (count - 1 - t) * own[time] } else { at }
    };
    let map: Vec<usize> = (0..x.len()).map(place).collect();
    Ok(vec![pick(x, x.shape.clone(), &map)])
}

/// Keeps the upper or the lower triangle of each matrix, from the diagonal number `k` on.
fn trilu(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let k = call.optional(1).map(index).transpose()?.unwrap_or(0);
    let upper = call.flag("upper", true)?;
    let [.., rows, columns] = x.shape.as_slice() else {
        return Err(format!("an operand of shape {:?}", x.shape));
    };
    let kept = |at: usize| {
        let (row, column) = ((at / columns % rows) as i64, (at % columns) as i64);
        let diagonal = column - row;
        if upper { diagonal >= k } else { diagonal <= k }
    };
    let map: Vec<usize> = (0..x.len()).map(|at| if kept(at) { at } else { x.len() }).collect();
    let zero = call.store_like(x, vec![1], 0);
    Ok(vec![array::pick_two(x, &zero, x.shape.clone(), &map)?])
}
