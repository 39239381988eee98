//! `Resize` and `Upsample`: interpolation along one axis after the other.
//!
//! Source: the specification of `Resize` in operator sets 11 to 19. Sizes and nearest positions are computed in single
//! precision, as ONNX Runtime does: in double, 10 · 0.7f would be 6.9999999 and round to another pixel.

use super::super::array::{self, floats, view_around};
use super::super::call::{Call, Results};
use super::Entry;

pub(super) const OPERATORS: &[Entry] = &[("Resize", resize), ("Upsample", upsample)];

/// How one axis is resized.
#[derive(Debug, Clone, Copy)]
struct ResizedAxis {
    input: usize,
    output: usize,
    scale: f32,
    /// Part of the axis that is looked at, from 0 to 1 (`tf_crop_and_resize`).
    region: (f64, f64),
}

/// What is the same for all axes.
struct ResizeMethod<'a> {
    mode: &'a str,
    coordinates: &'a str,
    nearest: &'a str,
    /// `cubic_coeff_a`
    cubic: f64,
    exclude_outside: bool,
    antialias: bool,
    /// Value of points outside the input (`tf_crop_and_resize`).
    outside: f64,
}

/// Where a value of the result comes from: input positions with weights; `None`: from outside.
type Source = Option<Vec<(usize, f64)>>;

fn upsample(call: &Call<'_>) -> Results {
    let given = if call.opset < 9 {
        call.floats("scales")?
    } else {
        call.optional(1).map(|t| floats(t).into_owned())
    };
    let scales = given.ok_or("it has no scales")?;
    interpolate(call, &scaled(&call.input(0)?.shape, &scales)?, &plain(call)?)
}

/// Before operator set 11 there is nothing to choose but the mode. ONNX does not say what the nearest position is; ONNX Runtime
/// rounds up where the image shrinks, and down where it grows.
fn plain<'a>(call: &'a Call<'_>) -> Result<ResizeMethod<'a>, String> {
    let mode = call.string("mode", "nearest")?;
    let (coordinates, nearest) = ("asymmetric", "simple");
    Ok(ResizeMethod {
        mode,
        coordinates,
        nearest,
        cubic: 0.0,
        exclude_outside: false,
        antialias: false,
        outside: 0.0,
    })
}

fn resize(call: &Call<'_>) -> Results {
    let shape = &call.input(0)?.shape;
    let list = |i: usize| call.optional(i).filter(|t| !t.is_empty()).map(|t| floats(t).into_owned());
    if call.opset < 11 {
        return interpolate(call, &scaled(shape, &list(1).ok_or("it has no scales")?)?, &plain(call)?);
    }
    let method = ResizeMethod {
        mode: call.string("mode", "nearest")?,
        coordinates: call.string("coordinate_transformation_mode", "half_pixel")?,
        nearest: call.string("nearest_mode", "round_prefer_floor")?,
        cubic: call.float("cubic_coeff_a", -0.75)?,
        exclude_outside: call.flag("exclude_outside", false)?,
        antialias: call.flag("antialias", false)?,
        outside: call.float("extrapolation_value", 0.0)?,
    };
    let chosen = match call.ints("axes")? {
        Some(given) => array::axes(given, shape.len())?,
        None => (0..shape.len()).collect(),
    };
    let small: Vec<usize> = chosen.iter().map(|&d| shape[d]).collect();
    let mut resized = match (list(2), list(3)) {
        (Some(scales), None) => scaled(&small, &scales)?,
        (None, Some(sizes)) => sized(&small, &sizes, call.string("keep_aspect_ratio_policy", "stretch")?)?,
        _ => return Err("either scales or sizes are needed".into()),
    };
    if method.coordinates == "tf_crop_and_resize" {
        let region = list(1).filter(|r| r.len() == 2 * small.len());
        let region = region.ok_or_else(|| format!("a region is needed for {} axes", small.len()))?;
        for (i, axis) in resized.iter_mut().enumerate() {
            axis.region = (region[i], region[small.len() + i]);
            if axis.scale == 1.0 && axis.region != (0.0, 1.0) {
                return Err("a region of interest on an axis that keeps its length: ONNX crops it, ONNX Runtime does not".into());
            }
        }
    }
    let mut axes: Vec<ResizedAxis> = shape.iter().map(|&n| untouched(n)).collect();
    chosen.iter().zip(resized).for_each(|(&d, axis)| axes[d] = axis);
    interpolate(call, &axes, &method)
}

fn untouched(n: usize) -> ResizedAxis {
    ResizedAxis { input: n, output: n, scale: 1.0, region: (0.0, 1.0) }
}

fn scaled(shape: &[usize], scales: &[f64]) -> Result<Vec<ResizedAxis>, String> {
    if scales.len() != shape.len() || !scales.iter().all(|s| s.is_finite() && *s > 0.0) {
        return Err(format!("scales {scales:?} for shape {shape:?}"));
    }
    let axis = |(&n, &scale): (&usize, &f64)| {
        let scale = scale as f32;
        ResizedAxis { output: (n as f32 * scale).floor() as usize, scale, ..untouched(n) }
    };
    Ok(shape.iter().zip(scales).map(axis).collect())
}

fn sized(shape: &[usize], sizes: &[f64], policy: &str) -> Result<Vec<ResizedAxis>, String> {
    if sizes.len() != shape.len() || shape.contains(&0) || sizes.iter().any(|s| *s < 0.0) {
        return Err(format!("sizes {sizes:?} for shape {shape:?}"));
    }
    let ratios = sizes.iter().zip(shape).map(|(s, &n)| (s / n as f64) as f32);
    let common = match policy {
        "stretch" => None,
        "not_larger" => ratios.clone().reduce(f32::min),
        "not_smaller" => ratios.clone().reduce(f32::max),
        other => return Err(format!("its attribute keep_aspect_ratio_policy is {other:?}")),
    };
    let axis = |((&n, &size), ratio): ((&usize, &f64), f32)| match common {
        Some(scale) => {
            ResizedAxis { output: (n as f32 * scale + 0.5).floor() as usize, scale, ..untouched(n) }
        }
        None => ResizedAxis { output: size as usize, scale: ratio, ..untouched(n) },
    };
    Ok(shape.iter().zip(sizes).zip(ratios).map(axis).collect())
}

fn interpolate(call: &Call<'_>, axes: &[ResizedAxis], method: &ResizeMethod<'_>) -> Results {
    let x = call.input(0)?;
    array::len(&axes.iter().map(|a| a.output).collect::<Vec<_>>())?;
    let mut shape = x.shape.clone();
    let mut values = floats(x).into_owned();
    for (d, axis) in axes.iter().enumerate() {
        if axis.input == axis.output && axis.scale == 1.0 && axis.region == (0.0, 1.0) {
            continue;
        }
        let sources: Vec<Source> =
            (0..axis.output).map(|i| source(i, axis, method)).collect::<Result<_, _>>()?;
        let old = view_around(&shape, d, &values)?;
        let (outer, _, inner) = old.dim();
        shape[d] = axis.output;
        let mut out = Vec::with_capacity(array::len(&shape)?);
        for o in 0..outer {
            for source in &sources {
                let value = |i: usize| match source {
                    Some(taps) => taps.iter().map(|&(k, w)| w * old[[o, k, i]]).sum(),
                    None => method.outside,
                };
                out.extend((0..inner).map(value));
            }
        }
        values = out;
    }
    if x.element.is_float() {
        return Ok(vec![call.store(x.element, shape, values)]);
    }
    let values = values.into_iter().map(|v| v.round() as i64).collect();
    Ok(vec![call.store_integers(x.element, shape, values)])
}

fn source(i: usize, axis: &ResizedAxis, method: &ResizeMethod<'_>) -> Result<Source, String> {
    let n = axis.input;
    if n == 0 {
        return Err("nothing to interpolate between".into());
    }
    let last = n - 1;
    let at = coordinate(i as f64, axis, method.coordinates)?;
    if method.coordinates == "tf_crop_and_resize" && !(0.0..=last as f64).contains(&at) {
        return Ok(None);
    }
    let clamp = |k: i64| k.clamp(0, last as i64) as usize;
    let radius = match method.mode {
        "nearest" => {
            let at = coordinate_single(i, axis, method.coordinates).unwrap_or(at as f32);
            let k = match method.nearest {
                "round_prefer_floor" => (at - 0.5).ceil(),
                "round_prefer_ceil" => (at + 0.5).floor(),
                "simple" if axis.scale < 1.0 => at.ceil(),
                "floor" | "simple" => at.floor(),
                "ceil" => at.ceil(),
                other => return Err(format!("its attribute nearest_mode is {other:?}")),
            };
            return Ok(Some(vec![(clamp(k as i64), 1.0)]));
        }
        "linear" => 1.0,
        "cubic" => 2.0,
        other => return Err(format!("its attribute mode is {other:?}")),
    };
    // Antialiasing stretches the kernel over all input values that fall on one output value.
    let shrink = if method.antialias { f64::from(axis.scale).min(1.0) } else { 1.0 };
    let base = at.floor() as i64;
    let first = (-radius / shrink).floor() as i64 + 1;
    let mut taps = Vec::new();
    for k in base + first..base + 2 - first {
        let distance = (k as f64 - at).abs() * shrink;
        let weight = if radius == 1.0 { (1.0 - distance).max(0.0) } else { cubic(distance, method.cubic) };
        let inside = (0..n as i64).contains(&k);
        if inside || !method.exclude_outside {
            taps.push((clamp(k), weight));
        }
    }
    if method.antialias || method.exclude_outside {
        let total: f64 = taps.iter().map(|(_, w)| w).sum();
        taps.iter_mut().for_each(|(_, w)| *w /= total);
    }
    Ok(Some(taps))
}

/// The position in the input that position `i` of the result looks at.
fn coordinate(i: f64, axis: &ResizedAxis, mode: &str) -> Result<f64, String> {
    let (n, m, scale) = (axis.input as f64, axis.output as f64, f64::from(axis.scale));
    Ok(match mode {
        "half_pixel" => (i + 0.5) / scale - 0.5,
        "tf_half_pixel_for_nn" => (i + 0.5) / scale,
        "pytorch_half_pixel" if m > 1.0 => (i + 0.5) / scale - 0.5,
        "pytorch_half_pixel" => 0.0,
        "half_pixel_symmetric" => n / 2.0 * (1.0 - m / (n * scale)) + (i + 0.5) / scale - 0.5,
        "asymmetric" => i / scale,
        "align_corners" if m > 1.0 => i * (n - 1.0) / (m - 1.0),
        "align_corners" => 0.0,
        "tf_crop_and_resize" => {
            let (start, end) = axis.region;
            match m > 1.0 {
                true => start * (n - 1.0) + i * (end - start) * (n - 1.0) / (m - 1.0),
                false => 0.5 * (start + end) * (n - 1.0),
            }
        }
        other => return Err(format!("its attribute coordinate_transformation_mode is {other:?}")),
    })
}

/// The same in single precision, where rounding decides between two pixels.
fn coordinate_single(i: usize, axis: &ResizedAxis, mode: &str) -> Option<f32> {
    let (i, n, m, scale) = (i as f32, axis.input as f32, axis.output as f32, axis.scale);
    let half = (i + 0.5) / scale;
    match mode {
        "half_pixel" => Some(half - 0.5),
        "asymmetric" => Some(i / scale),
        "tf_half_pixel_for_nn" => Some(half),
        "half_pixel_symmetric" => Some(n / 2.0 * (1.0 - m / (scale * n)) + half - 0.5),
        _ if m <= 1.0 => None,
        "pytorch_half_pixel" => Some(half - 0.5),
        "align_corners" => Some(i * (n - 1.0) / (m - 1.0)),
        "tf_crop_and_resize" => {
            let (start, end) = (axis.region.0 as f32, axis.region.1 as f32);
            Some(start * (n - 1.0) + i * (end - start) * (n - 1.0) / (m - 1.0))
        }
        _ => None,
    }
}

/// Keys' cubic convolution kernel with parameter `a`.
fn cubic(x: f64, a: f64) -> f64 {
    if x <= 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((x - 5.0) * x + 8.0) * x * a - 4.0 * a
    } else {
        0.0
    }
}
