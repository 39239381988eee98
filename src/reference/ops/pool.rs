//! Poolings: the largest value, the mean or a norm of each window, or of a whole plane.

use ndarray::indices;

use super::super::array::{self, floats, int64};
use super::super::call::{Call, Results};
use super::Entry;
use super::window::{self, Window, per_axis};
use crate::onnx::Tensor;

pub(super) const OPERATORS: &[Entry] = &[
    ("AveragePool", average_pool),
    ("GlobalAveragePool", |c| global(c, |v| v.iter().sum::<f64>() / v.len() as f64)),
    ("GlobalLpPool", global_lp_pool),
    ("GlobalMaxPool", |c| global(c, |v| v.iter().copied().fold(f64::NEG_INFINITY, f64::max))),
    ("LpPool", lp_pool),
    ("MaxPool", max_pool),
    ("MaxUnpool", max_unpool),
];

/// The operand's planes (one for each sample and channel), the windows over them, and the result's shape.
struct Pooling<'a> {
    x: &'a Tensor,
    windows: Vec<Window>,
    shape: Vec<usize>,
    plane: usize,
}

impl<'a> Pooling<'a> {
    fn new(call: &'a Call<'_>) -> Result<Self, String> {
        let x = call.input(0)?;
        let [batch, channels, spatial @ ..] = x.shape.as_slice() else {
            return Err(format!("an operand of shape {:?}", x.shape));
        };
        let kernel = per_axis(call, "kernel_shape", &vec![0; spatial.len()])?;
        let dilated = call.ints("dilations")?.is_some_and(|list| list.iter().any(|&d| d != 1));
        if dilated && call.string("auto_pad", "NOTSET")?.starts_with("SAME_") {
            return Err(
                "auto_pad SAME_UPPER or SAME_LOWER with dilations: ONNX and ONNX Runtime pad differently"
                    .into(),
            );
        }
        let axes = window::axes(call, spatial, &kernel)?;
        let shape: Vec<usize> =
            [*batch, *channels].into_iter().chain(axes.iter().map(|a| a.output)).collect();
        array::len(&shape)?;
        Ok(Self { x, windows: window::windows(&axes)?, plane: spatial.iter().product(), shape })
    }

    /// `f` of each plane and window.
    fn each<R>(&self, f: impl Fn(&[f64], &Window) -> R) -> Vec<R> {
        let values = floats(self.x);
        let planes = values.chunks(self.plane.max(1));
        planes.flat_map(|plane| self.windows.iter().map(|w| f(plane, w)).collect::<Vec<_>>()).collect()
    }
}

fn average_pool(call: &Call<'_>) -> Results {
    let pooling = Pooling::new(call)?;
    let count_padding = call.flag("count_include_pad", false)?;
    let values = pooling.each(|plane, window| {
        let count = if count_padding { window.padded } else { window.taps.len() };
        window.taps.iter().map(|&(_, at)| plane[at]).sum::<f64>() / count as f64
    });
    Ok(vec![call.store(pooling.x.element, pooling.shape, values)])
}

fn lp_pool(call: &Call<'_>) -> Results {
    let pooling = Pooling::new(call)?;
    let p = call.int("p", 2)? as f64;
    let values = pooling.each(|plane, window| norm(window.taps.iter().map(|&(_, at)| plane[at]), p));
    Ok(vec![call.store(pooling.x.element, pooling.shape, values)])
}

fn norm(values: impl Iterator<Item = f64>, p: f64) -> f64 {
    values.map(|x| x.abs().powf(p)).sum::<f64>().powf(p.recip())
}

/// The second result holds flat positions in the whole operand; with `storage_order = 1` those inside a plane count
/// columns first.
fn max_pool(call: &Call<'_>) -> Results {
    let pooling = Pooling::new(call)?;
    let best = pooling.each(|plane, window| {
        let better = |best: Option<usize>, &(_, at): &(usize, usize)| match best {
            Some(b) if plane[b] >= plane[at] || plane[b].is_nan() => Some(b),
            _ => Some(at),
        };
        window.taps.iter().fold(None, better)
    });
    let source = floats(pooling.x);
    let plane_of = |i: usize| i / pooling.windows.len() * pooling.plane;
    let value =
        |(i, at): (usize, &Option<usize>)| at.map_or(f64::NEG_INFINITY, |at| source[plane_of(i) + at]);
    let values: Vec<f64> = best.iter().enumerate().map(value).collect();
    let mut results = if pooling.x.element.is_float() {
        vec![call.store(pooling.x.element, pooling.shape.clone(), values)]
    } else {
        let values = values.into_iter().map(|v| v as i64).collect();
        vec![call.store_integers(pooling.x.element, pooling.shape.clone(), values)]
    };
    if call.node.outputs.len() > 1 {
        let spatial = &pooling.x.shape[2..];
        let columns_first = call.flag("storage_order", false)?;
        let turned: Vec<usize> = spatial.iter().rev().copied().collect();
        let order = array::listed(array::numbers(&turned)?.reversed_axes());
        let number = |at: usize| if columns_first { order[at] } else { at };
        let index = |(i, at): (usize, &Option<usize>)| at.map_or(-1, |at| (plane_of(i) + number(at)) as i64);
        results.push(int64(pooling.shape.clone(), best.iter().enumerate().map(index).collect()));
    }
    Ok(results)
}

/// Puts each value back where `MaxPool` says it was; everything else is 0.
fn max_unpool(call: &Call<'_>) -> Results {
    let (x, positions) = (call.input(0)?, call.input(1)?);
    let [batch, channels, spatial @ ..] = x.shape.as_slice() else {
        return Err(format!("an operand of shape {:?}", x.shape));
    };
    let kernel = per_axis(call, "kernel_shape", &vec![1; spatial.len()])?;
    let strides = per_axis(call, "strides", &vec![1; spatial.len()])?;
    let pads = per_axis(call, "pads", &vec![0; 2 * spatial.len()])?;
    let size = |d: usize| {
        (spatial[d].saturating_sub(1) * strides[d] + kernel[d]).checked_sub(pads[d] + pads[spatial.len() + d])
    };
    let inferred: Option<Vec<usize>> = (0..spatial.len()).map(size).collect();
    let inferred =
        inferred.ok_or_else(|| format!("a padding of {pads:?} for an operand of shape {:?}", x.shape))?;
    let small: Vec<usize> = [*batch, *channels].into_iter().chain(inferred).collect();
    let shape = match call.integers(2)? {
        Some(given) => given
            .iter()
            .map(|&n| usize::try_from(n).map_err(|_| "a negative size".to_string()))
            .collect::<Result<_, _>>()?,
        None => small.clone(),
    };
    if shape.len() != small.len() {
        return Err(format!("a result of shape {shape:?} for an operand of shape {:?}", x.shape));
    }
    let mut values = vec![0.0; array::len(&shape)?];
    // The indices count positions in the smallest tensor that could have been pooled.
    array::len(&small)?;
    let numbers = array::numbers(&shape)?;
    let places: Vec<Option<usize>> =
        indices(small.as_slice()).into_iter().map(|at| numbers.get(at).copied()).collect();
    for (&value, &index) in floats(x).iter().zip(array::integers(positions)?) {
        let place = usize::try_from(index).ok().and_then(|at| places.get(at).copied().flatten());
        let place =
            place.ok_or_else(|| format!("the index {index} of {small:?} for a result of shape {shape:?}"))?;
        values[place] = value;
    }
    Ok(vec![call.store(x.element, shape, values)])
}

fn global(call: &Call<'_>, f: impl Fn(&[f64]) -> f64) -> Results {
    let x = call.input(0)?;
    let [batch, channels, spatial @ ..] = x.shape.as_slice() else {
        return Err(format!("an operand of shape {:?}", x.shape));
    };
    let plane: usize = spatial.iter().product();
    let shape = [*batch, *channels].into_iter().chain(spatial.iter().map(|_| 1)).collect();
    if plane == 0 {
        return Err(format!("nothing to pool in an operand of shape {:?}", x.shape));
    }
    Ok(vec![call.store(x.element, shape, floats(x).chunks(plane).map(f).collect())])
}

fn global_lp_pool(call: &Call<'_>) -> Results {
    let p = call.int("p", 2)? as f64;
    global(call, |v| norm(v.iter().copied(), p))
}
