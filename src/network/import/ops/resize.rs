//! Resizing of images: along each axis an index map (nearest) or a sparse matrix of interpolation weights.

use super::Entry;
use crate::network::Real;
use crate::network::import::Importer;
use crate::network::import::call::{Built, ImportCall};
use crate::network::matrix::Matrix;
use crate::network::op::{Affine, Op};
use crate::onnx::ModelError;

impl<T: Real> Importer<T> {
    pub(super) const RESIZE: &'static [Entry<T>] = &[("Resize", resize), ("Upsample", upsample)];
}

/// Places of the operand with their weights, and a constant.
type Row = (Vec<(usize, f64)>, f64);

/// How one axis is resized.
#[derive(Debug, Clone)]
struct ResizePlan {
    from: usize,
    to: usize,
    /// `to / from` as the node gives it; not exactly that where the result's length is rounded.
    scale: f64,
    coordinates: String,
    interpolation: Interpolation,
    cubic: f64,
    exclude_outside: bool,
    antialias: bool,
    /// Start and end of the region of interest, and the value outside of it.
    crop: Option<(f64, f64, f64)>,
}

#[derive(Debug, Clone)]
enum Interpolation {
    Nearest(String),
    Linear,
    Cubic,
}

impl ResizePlan {
    /// The place in the operand that place `at` of the result shows.
    fn source(&self, at: usize) -> f64 {
        let (x, from, to) = (at as f64, self.from as f64, self.to as f64);
        match self.coordinates.as_str() {
            "asymmetric" => x / self.scale,
            "align_corners" if self.to <= 1 => 0.0,
            "align_corners" => x * (from - 1.0) / (to - 1.0),
            "pytorch_half_pixel" if self.to <= 1 => 0.0,
            "tf_half_pixel_for_nn" => (x + 0.5) / self.scale,
            "half_pixel_symmetric" => {
                let adjustment = to / (self.scale * from);
                from / 2.0 * (1.0 - adjustment) + (x + 0.5) / self.scale - 0.5
            }
            "tf_crop_and_resize" => {
                let (start, end, _) = self.crop.unwrap_or((0.0, 1.0, 0.0));
                if self.to > 1 {
                    start * (from - 1.0) + x * (end - start) * (from - 1.0) / (to - 1.0)
                } else {
                    0.5 * (start + end) * (from - 1.0)
                }
            }
            _ => (x + 0.5) / self.scale - 0.5,
        }
    }

    /// As [`Plan::source`], in single precision, where rounding decides between two pixels: as ONNX Runtime does.
    fn source_single(&self, at: usize) -> f32 {
        let (x, from, to) = (at as f32, self.from as f32, self.to as f32);
        let (scale, half) = (self.scale as f32, (at as f32 + 0.5) / self.scale as f32);
        match self.coordinates.as_str() {
            "asymmetric" => x / scale,
            "align_corners" if self.to > 1 => x * (from - 1.0) / (to - 1.0),
            "pytorch_half_pixel" if self.to > 1 => half - 0.5,
            "tf_half_pixel_for_nn" => half,
            "half_pixel" => half - 0.5,
            "half_pixel_symmetric" => from / 2.0 * (1.0 - to / (scale * from)) + half - 0.5,
            "tf_crop_and_resize" if self.to > 1 => {
                let (start, end, _) = self.crop.unwrap_or((0.0, 1.0, 0.0));
                let (start, end) = (start as f32, end as f32);
                start * (from - 1.0) + x * (end - start) * (from - 1.0) / (to - 1.0)
            }
            _ => self.source(at) as f32,
        }
    }

    /// Weights of places of the operand that make place `at` of the result, and a constant.
    fn weights(&self, at: usize) -> Row {
        let x = self.source(at);
        if let Some((_, _, value)) = self.crop
            && (x < 0.0 || x > self.from as f64 - 1.0)
        {
            return (Vec::new(), value);
        }
        let last = self.from as i64 - 1;
        let taps: Vec<(i64, f64)> = match &self.interpolation {
            Interpolation::Nearest(rule) => {
                vec![(nearest(f64::from(self.source_single(at)), rule, self.scale), 1.0)]
            }
            Interpolation::Linear => self.spread(x, 1.0, |d| (1.0 - d.abs()).max(0.0)),
            Interpolation::Cubic => self.spread(x, 2.0, |d| cubic(d, self.cubic)),
        };
        let mut sums: Vec<(usize, f64)> = Vec::new();
        let mut total = 0.0;
        for (place, weight) in taps {
            if self.exclude_outside && !(0..=last).contains(&place) {
                continue;
            }
            total += weight;
            sums.push((place.clamp(0, last) as usize, weight));
        }
        if self.exclude_outside && total != 0.0 {
            sums.iter_mut().for_each(|entry| entry.1 /= total);
        }
        (sums, 0.0)
    }

    /// The taps of a kernel of the given reach round `x`; with antialiasing a shrinking stretches the kernel.
    fn spread(&self, x: f64, reach: f64, kernel: impl Fn(f64) -> f64) -> Vec<(i64, f64)> {
        let stretch = if self.antialias { self.scale.min(1.0) } else { 1.0 };
        let reach = reach / stretch;
        let first = (x - reach).floor() as i64 + 1;
        // Whole places keep the tap at distance `reach`, whose weight is zero, so that every count is even.
        let last = (x + reach).ceil() as i64 - 1;
        let taps: Vec<(i64, f64)> = (first..=last).map(|p| (p, kernel((x - p as f64) * stretch))).collect();
        let total: f64 = taps.iter().map(|t| t.1).sum();
        if self.antialias && total != 0.0 {
            taps.into_iter().map(|(p, w)| (p, w / total)).collect()
        } else {
            taps
        }
    }
}

/// `simple` is the rule of operator set 10, where ONNX says nothing: ONNX Runtime rounds up where it shrinks.
fn nearest(x: f64, rule: &str, scale: f64) -> i64 {
    (match rule {
        "simple" if scale < 1.0 => x.ceil(),
        "simple" => x.floor(),
        "round_prefer_ceil" => (x + 0.5).floor(),
        "floor" => x.floor(),
        "ceil" => x.ceil(),
        _ => (x - 0.5).ceil(),
    }) as i64
}

/// Keys' cubic convolution.
fn cubic(d: f64, a: f64) -> f64 {
    let d = d.abs();
    if d <= 1.0 {
        ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
    } else if d < 2.0 {
        ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a
    } else {
        0.0
    }
}

impl<T: Real> ImportCall<'_, T> {
    fn resized(&mut self, plans: &[(usize, ResizePlan)]) -> Built {
        let mut y = self.operand(0)?;
        for (axis, plan) in plans {
            let unchanged = plan.from == plan.to && plan.scale == 1.0 && plan.crop.is_none();
            if unchanged || plan.from == 0 {
                continue;
            }
            let rows: Vec<_> = (0..plan.to).map(|at| plan.weights(at)).collect();
            let single = |row: &Row| row.1 == 0.0 && matches!(row.0.as_slice(), [(_, 1.0)]);
            if rows.iter().all(single) {
                let indices: Vec<usize> = rows.iter().map(|row| row.0[0].0).collect();
                y = self.pick(&y, *axis, &indices, &[plan.to])?;
                continue;
            }
            let entry = |(o, row): (usize, &Row)| {
                row.0.iter().map(move |&(i, w)| (o as u32, i as u32, T::of(w))).collect::<Vec<_>>()
            };
            let entries = rows.iter().enumerate().flat_map(entry).collect();
            let matrix = Matrix::sparse(plan.to, plan.from, entries);
            let bias = rows.iter().map(|row| T::of(row.1)).collect();
            y = self.apply(Op::Affine(Affine { matrix, bias, axis: *axis }), &[y])?;
        }
        Ok(vec![y])
    }

    fn interpolation(&self) -> Result<Interpolation, ModelError> {
        match self.node.string("mode")?.unwrap_or("nearest") {
            "nearest" => {
                let rule = self.node.string("nearest_mode")?;
                Ok(Interpolation::Nearest(rule.unwrap_or("round_prefer_floor").to_owned()))
            }
            "linear" | "bilinear" => Ok(Interpolation::Linear),
            "cubic" => Ok(Interpolation::Cubic),
            other => Err(self.error(format!("mode is {other:?}"))),
        }
    }

    /// A length from a scale.
    fn scaled_len(&self, from: usize, scale: f64) -> Result<usize, ModelError> {
        // In single precision, as ONNX Runtime does: 10 · 0.7f is 7.
        let to = f64::from((from as f32 * scale as f32).floor());
        if scale > 0.0 && to < f64::from(1 << 24) {
            Ok(to as usize)
        } else {
            Err(self.error(format!("a scale of {scale} is not supported")))
        }
    }
}

/// Operands: data, region of interest, scales, sizes (from operator set 11); data, scales (10).
fn resize<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let shape = call.shape(&call.operand(0)?);
    let (scales, sizes) = if call.opset() < 11 { (1, 9) } else { (2, 3) };
    let axes = match call.node.ints("axes")? {
        Some(axes) => axes.iter().map(|&a| call.axis(a, shape.len())).collect::<Result<Vec<_>, _>>()?,
        None => (0..shape.len()).collect(),
    };
    let list = |i: usize| -> Result<Option<Vec<f64>>, ModelError> {
        let values = call.optional_constant(i)?.map(|t| t.to_f64()).filter(|v| !v.is_empty());
        match values {
            Some(values) if values.len() != axes.len() => {
                Err(call.error(format!("operand {i} has {} numbers for {} axes", values.len(), axes.len())))
            }
            values => Ok(values),
        }
    };
    let mut targets: Vec<(usize, f64)> = Vec::new();
    if let Some(sizes) = list(sizes)? {
        let ratios = axes.iter().zip(&sizes).map(|(&axis, &size)| size / shape[axis].max(1) as f64);
        let common = match call.node.string("keep_aspect_ratio_policy")?.unwrap_or("stretch") {
            "not_larger" => Some(ratios.fold(f64::INFINITY, f64::min)),
            "not_smaller" => Some(ratios.fold(0.0, f64::max)),
            _ => None,
        };
        for (&axis, &size) in axes.iter().zip(&sizes) {
            let from = shape[axis] as f64;
            let size = common.map_or(size, |scale| (scale * from + 0.5).floor());
            targets.push((call.scaled_len(1, size)?, common.unwrap_or(size / from)));
        }
    } else if let Some(scales) = list(scales)? {
        for (&axis, &scale) in axes.iter().zip(&scales) {
            targets.push((call.scaled_len(shape[axis], scale)?, scale));
        }
    } else {
        return Err(call.error("neither scales nor sizes are given"));
    }
    let default = if call.opset() < 11 { "asymmetric" } else { "half_pixel" };
    let coordinates = call.node.string("coordinate_transformation_mode")?.unwrap_or(default).to_owned();
    let mut interpolation = call.interpolation()?;
    if call.opset() < 11 && matches!(interpolation, Interpolation::Nearest(_)) {
        interpolation = Interpolation::Nearest("simple".into());
    }
    let crop = coordinates == "tf_crop_and_resize";
    let outside = call.node.float("extrapolation_value")?.unwrap_or(0.0);
    let region = if crop { call.constant(1)?.to_f64() } else { Vec::new() };
    if crop && region.len() != 2 * axes.len() {
        return Err(call.error("the region of interest does not fit the axes"));
    }
    let mut plans = Vec::new();
    for (i, (&axis, (to, scale))) in axes.iter().zip(targets).enumerate() {
        let plan = ResizePlan {
            from: shape[axis],
            to,
            scale,
            coordinates: coordinates.clone(),
            interpolation: interpolation.clone(),
            cubic: call.node.float("cubic_coeff_a")?.unwrap_or(-0.75),
            exclude_outside: call.node.flag("exclude_outside", false)?,
            antialias: call.node.flag("antialias", false)?,
            crop: crop.then(|| (region[i], region[i + axes.len()], outside)),
        };
        if crop && plan.scale == 1.0 && plan.crop.is_some_and(|(start, end, _)| (start, end) != (0.0, 1.0)) {
            return Err(call.error(
                "a region of interest on an axis that keeps its length: ONNX crops it, ONNX Runtime does not",
            ));
        }
        plans.push((axis, plan));
    }
    call.resized(&plans)
}

fn upsample<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let shape = call.shape(&call.operand(0)?);
    let scales: Vec<f64> = match (call.optional_constant(1)?, call.node.floats("scales")?) {
        (Some(scales), _) => scales.to_f64(),
        (None, Some(scales)) => scales.iter().map(|&s| f64::from(s)).collect(),
        (None, None) => return Err(call.error("scales are missing")),
    };
    if scales.len() != shape.len() {
        return Err(call.error(format!("{} scales do not fit shape {shape:?}", scales.len())));
    }
    let interpolation = match call.interpolation()? {
        Interpolation::Nearest(_) => Interpolation::Nearest("floor".into()),
        other => other,
    };
    let mut plans = Vec::new();
    for (axis, &scale) in scales.iter().enumerate() {
        let plan = ResizePlan {
            from: shape[axis],
            to: call.scaled_len(shape[axis], scale)?,
            scale,
            coordinates: "asymmetric".into(),
            interpolation: interpolation.clone(),
            cubic: -0.75,
            exclude_outside: false,
            antialias: false,
            crop: None,
        };
        plans.push((axis, plan));
    }
    call.resized(&plans)
}
