//! `GridSample` and `AffineGrid`: values looked up between the pixels, at coordinates that another operand gives.
//!
//! Source: the specification in operator sets 16 to 20. Coordinates go from -1 to 1; the grid's last axis names the
//! fastest-moving spatial axis first.

use ndarray::indices;

use super::super::array::{self, floats};
use super::super::call::{Call, Results};
use super::Entry;
use super::shape::from_operand;

pub(super) const OPERATORS: &[Entry] =
    &[("AffineGrid", affine_grid), ("Col2Im", col_to_image), ("GridSample", grid_sample)];

#[derive(Clone, Copy)]
enum Padding {
    Zeros,
    Border,
    Reflection,
}

/// Position in an axis of `n` pixels for a coordinate from -1 to 1.
fn denormal(x: f64, n: usize, align_corners: bool) -> f64 {
    let n = n as f64;
    if align_corners { (x + 1.0) / 2.0 * (n - 1.0) } else { ((x + 1.0) * n - 1.0) / 2.0 }
}

/// Folds a position back into the picture, whose edges are its outermost pixels' centres or their outer edges.
fn reflected(at: f64, n: usize, align_corners: bool) -> f64 {
    let (low, high) = if align_corners { (0.0, n as f64 - 1.0) } else { (-0.5, n as f64 - 0.5) };
    let span = high - low;
    if span <= 0.0 {
        return 0.0;
    }
    let folded = (at - low).rem_euclid(2.0 * span);
    low + folded.min(2.0 * span - folded)
}

/// Input positions with their weights along one axis.
type Taps = Vec<(i64, f64)>;

fn taps(at: f64, mode: &str) -> Result<Taps, String> {
    let base = at.floor();
    let rest = at - base;
    let base = base as i64;
    Ok(match mode {
        "nearest" => vec![(at.round_ties_even() as i64, 1.0)],
        "linear" | "bilinear" => vec![(base, 1.0 - rest), (base.saturating_add(1), rest)],
        "cubic" | "bicubic" => {
            let weight = |k: i64| cubic((k as f64 - rest).abs());
            (-1..3).map(|k| (base.saturating_add(k), weight(k))).collect()
        }
        other => return Err(format!("its attribute mode is {other:?}")),
    })
}

/// Keys' kernel with parameter -0.75.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.75;
    if x <= 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((x - 5.0) * x + 8.0) * x * A - 4.0 * A
    } else {
        0.0
    }
}

fn grid_sample(call: &Call<'_>) -> Results {
    let (x, grid) = (call.input(0)?, call.input(1)?);
    let fail = || format!("operands of shapes {:?} and {:?}", x.shape, grid.shape);
    let ([batch, channels, spatial @ ..], [grid_batch, outer @ .., axes]) =
        (x.shape.as_slice(), grid.shape.as_slice())
    else {
        return Err(fail());
    };
    if batch != grid_batch || *axes != spatial.len() || outer.len() != spatial.len() || spatial.contains(&0) {
        return Err(fail());
    }
    let mode = call.string("mode", "linear")?;
    let align = call.flag("align_corners", false)?;
    let padding = match call.string("padding_mode", "zeros")? {
        "zeros" => Padding::Zeros,
        "border" => Padding::Border,
        "reflection" => Padding::Reflection,
        other => return Err(format!("its attribute padding_mode is {other:?}")),
    };
    let shape: Vec<usize> = [*batch, *channels].into_iter().chain(outer.iter().copied()).collect();
    let mut values = vec![0.0; array::len(&shape)?];
    let (source, points) = (floats(x), floats(grid));
    let places = array::numbers(spatial)?;
    let (plane, count): (usize, usize) = (spatial.iter().product(), outer.iter().product());
    for (p, point) in points.chunks(spatial.len().max(1)).enumerate() {
        let per_axis: Vec<Taps> = (0..spatial.len())
            .map(|d| {
                let (n, at) = (spatial[d], point[spatial.len() - 1 - d]);
                let at = denormal(at, n, align);
                let at = match padding {
                    Padding::Zeros => at,
                    Padding::Border => at.clamp(0.0, n as f64 - 1.0),
                    Padding::Reflection => reflected(at, n, align),
                };
                taps(at, mode).map(|t| settled(&t, n, padding, align))
            })
            .collect::<Result<_, _>>()?;
        let weights = corners(&per_axis, places.strides());
        for c in 0..*channels {
            let row = (p / count * channels + c) * plane;
            let sum: f64 = weights.iter().map(|&(at, w)| w * source[row + at]).sum();
            values[(p / count * channels + c) * count + p % count] = sum;
        }
    }
    Ok(vec![call.store(x.element, shape, values)])
}

/// Taps outside the picture vanish, or move to where the padding takes its values from.
fn settled(taps: &[(i64, f64)], n: usize, padding: Padding, align: bool) -> Vec<(i64, f64)> {
    let last = n as i64 - 1;
    let place = |&(k, w): &(i64, f64)| match padding {
        _ if (0..=last).contains(&k) => Some((k, w)),
        Padding::Zeros => None,
        Padding::Border => Some((k.clamp(0, last), w)),
        Padding::Reflection => Some(((reflected(k as f64, n, align).round() as i64).clamp(0, last), w)),
    };
    taps.iter().filter_map(place).collect()
}

/// All combinations of one tap for each axis: flat position and product of the weights.
fn corners(per_axis: &[Taps], strides: &[isize]) -> Vec<(usize, f64)> {
    let mut all = vec![(0, 1.0)];
    for (taps, &stride) in per_axis.iter().zip(strides) {
        let with = |&(at, w): &(usize, f64)| {
            taps.iter().map(move |&(k, v)| (at + k as usize * stride as usize, w * v)).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(with).collect();
    }
    all
}

/// The grid that an affine map of the coordinates gives.
fn affine_grid(call: &Call<'_>) -> Results {
    let theta = call.input(0)?;
    let size = from_operand(call.input(1)?)?;
    let align = call.flag("align_corners", false)?;
    let [batch, _, spatial @ ..] = size.as_slice() else { return Err(format!("a size {size:?}")) };
    let rank = spatial.len();
    if theta.shape != [*batch, rank, rank + 1] {
        return Err(format!("maps of shape {:?} for a size {size:?}", theta.shape));
    }
    let shape: Vec<usize> = [*batch].into_iter().chain(spatial.iter().copied()).chain([rank]).collect();
    let mut values = Vec::with_capacity(array::len(&shape)?);
    let maps = floats(theta);
    let normal = |i: usize, n: usize| match (align, n) {
        (true, 1) => 0.0,
        (true, n) => 2.0 * i as f64 / (n as f64 - 1.0) - 1.0,
        (false, n) => (2.0 * i as f64 + 1.0) / n as f64 - 1.0,
    };
    for map in maps.chunks(rank * (rank + 1)) {
        for index in indices(spatial) {
            // Coordinates count from the fastest-moving axis.
            let at: Vec<f64> = (0..rank).rev().map(|d| normal(index[d], spatial[d])).chain([1.0]).collect();
            let row = |row: &[f64]| row.iter().zip(&at).map(|(m, x)| m * x).sum::<f64>();
            values.extend(map.chunks(rank + 1).map(row));
        }
    }
    Ok(vec![call.store(theta.element, shape, values)])
}

/// Adds columns of windows up to the picture that they were taken from.
fn col_to_image(call: &Call<'_>) -> Results {
    use super::window;
    let x = call.input(0)?;
    let (spatial, kernel) = (from_operand(call.input(1)?)?, from_operand(call.input(2)?)?);
    let axes = window::axes(call, &spatial, &kernel)?;
    let windows = window::windows(&axes)?;
    let taps: usize = kernel.iter().product();
    let [batch, rows, count] = x.shape.as_slice() else {
        return Err(format!("an operand of shape {:?}", x.shape));
    };
    if *count != windows.len() || taps == 0 || rows % taps != 0 {
        return Err(format!("columns of shape {:?} for {} windows of {taps} values", x.shape, windows.len()));
    }
    let (channels, plane) = (rows / taps, spatial.iter().product::<usize>());
    let shape: Vec<usize> = [*batch, channels].into_iter().chain(spatial).collect();
    let mut values = vec![0.0; array::len(&shape)?];
    let source = floats(x);
    for image in 0..batch * channels {
        for (p, window) in windows.iter().enumerate() {
            for &(tap, at) in &window.taps {
                values[image * plane + at] += source[(image * taps + tap) * count + p];
            }
        }
    }
    Ok(vec![call.store(x.element, shape, values)])
}
