//! Normalisations: values less a mean, over a deviation, with the statistics given or taken from the operand.

use super::super::array::{self, broadcast, combined, floats, view_around};
use super::super::call::{Call, Results};
use super::Entry;
use super::reduce::each;
use crate::onnx::Tensor;

pub(super) const OPERATORS: &[Entry] = &[
    ("BatchNormalization", batch),
    ("GroupNormalization", group),
    ("InstanceNormalization", instance),
    ("LRN", local_response),
    ("LayerNormalization", layer),
    ("MeanVarianceNormalization", mean_variance),
];

/// One value for each channel of `x` (axis 1).
fn per_channel<'a>(
    call: &'a Call<'_>,
    i: usize,
    channels: usize,
) -> Result<std::borrow::Cow<'a, [f64]>, String> {
    let values = floats(call.input(i)?);
    if values.len() != channels {
        return Err(format!("operand {i} has {} values for {channels} channels", values.len()));
    }
    Ok(values)
}

fn channels(x: &Tensor) -> Result<usize, String> {
    x.shape.get(1).copied().ok_or_else(|| format!("an operand of shape {:?} has no channels", x.shape))
}

/// In training mode the statistics are the operand's own, and the running ones move towards them.
fn batch(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let epsilon = call.float("epsilon", 1e-5)?;
    let count = if x.shape.len() == 1 { 1 } else { channels(x)? };
    let (scale, bias) = (per_channel(call, 1, count)?, per_channel(call, 2, count)?);
    let (mut mean, mut variance) = (per_channel(call, 3, count)?, per_channel(call, 4, count)?);
    let mut running = Vec::new();
    if call.opset >= 14 && call.flag("training_mode", false)? {
        let momentum = call.float("momentum", 0.9)?;
        let others: Vec<usize> = (0..x.shape.len()).filter(|&d| d != 1).collect();
        let (groups, _) = super::reduce::groups(x, &others, false)?;
        let (own_mean, own_variance): (Vec<f64>, Vec<f64>) = each(&groups, moments).into_iter().unzip();
        for (old, new, i) in [(&mean, &own_mean, 3), (&variance, &own_variance, 4)] {
            let moved = old.iter().zip(new).map(|(o, n)| momentum * o + (1.0 - momentum) * n).collect();
            running.push(call.store(call.input(i)?.element, vec![count], moved));
        }
        (mean, variance) = (own_mean.into(), own_variance.into());
    }
    let axis = usize::from(x.shape.len() > 1);
    let source = floats(x);
    let normal = |((_, channel, _), v): ((usize, usize, usize), &f64)| {
        let c = if axis == 1 { channel } else { 0 };
        (v - mean[c]) / (variance[c] + epsilon).sqrt() * scale[c] + bias[c]
    };
    let values = view_around(&x.shape, axis, &source)?.indexed_iter().map(normal).collect();
    let mut results = vec![call.store(x.element, x.shape.clone(), values)];
    results.append(&mut running);
    Ok(results)
}

/// Mean and variance (of the whole population).
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (mean, values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count)
}

/// Each run of `size` neighbouring values less its mean over its deviation.
fn standardised(values: &[f64], size: usize, epsilon: f64) -> Vec<f64> {
    let run = |run: &[f64]| {
        let (mean, variance) = moments(run);
        let deviation = (variance + epsilon).sqrt();
        run.iter().map(|x| (x - mean) / deviation).collect::<Vec<_>>()
    };
    values.chunks(size.max(1)).flat_map(run).collect()
}

fn instance(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let count = channels(x)?;
    let (scale, bias) = (per_channel(call, 1, count)?, per_channel(call, 2, count)?);
    let plane: usize = x.shape[2..].iter().product();
    let mut values = standardised(&floats(x), plane, call.float("epsilon", 1e-5)?);
    for (i, v) in values.iter_mut().enumerate() {
        let c = i / plane % count;
        *v = *v * scale[c] + bias[c];
    }
    Ok(vec![call.store(x.element, x.shape.clone(), values)])
}

/// Scale and bias belong to groups in operand set 18, to channels from 21 on.
fn group(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let count = channels(x)?;
    let groups = usize::try_from(call.int("num_groups", 0)?).unwrap_or(0);
    if groups == 0 || !count.is_multiple_of(groups) {
        return Err(format!("{count} channels in {groups} groups"));
    }
    let plane: usize = x.shape[2..].iter().product();
    let per_group = count / groups;
    let own = if call.opset < 21 { groups } else { count };
    let (scale, bias) = (per_channel(call, 1, own)?, per_channel(call, 2, own)?);
    let mut values = standardised(&floats(x), per_group * plane, call.float("epsilon", 1e-5)?);
    for (i, v) in values.iter_mut().enumerate() {
        let channel = i / plane % count;
        let c = if call.opset < 21 { channel / per_group } else { channel };
        *v = *v * scale[c] + bias[c];
    }
    Ok(vec![call.store(x.element, x.shape.clone(), values)])
}

fn layer(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let axis = array::axis(call.int("axis", -1)?, x.shape.len())?;
    let epsilon = call.float("epsilon", 1e-5)?;
    let size: usize = x.shape[axis..].iter().product();
    let source = floats(x);
    let mut values = standardised(&source, size, epsilon);
    for i in 1..3 {
        let Some(factor) = call.optional(i) else { continue };
        if broadcast(&[&factor.shape, &x.shape])? != x.shape {
            return Err(format!(
                "operand {i} of shape {:?} for an input of shape {:?}",
                factor.shape, x.shape
            ));
        }
        let applied = |v, factor| if i == 1 { v * factor } else { v + factor };
        values = combined(&x.shape, [&x.shape, &factor.shape], &values, &floats(factor), applied)?;
    }
    let statistics: Vec<(f64, f64)> = source.chunks(size.max(1)).map(moments).collect();
    let mut small = x.shape[..axis].to_vec();
    small.resize(x.shape.len(), 1);
    let means = statistics.iter().map(|s| s.0).collect();
    let inverse = statistics.iter().map(|s| (s.1 + epsilon).sqrt().recip()).collect();
    Ok(vec![
        call.store(x.element, x.shape.clone(), values),
        call.store(x.element, small.clone(), means),
        call.store(x.element, small, inverse),
    ])
}

/// `x / (bias + alpha / size · Σ x²)^beta`, the sum over `size` neighbouring channels.
fn local_response(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    channels(x)?;
    let (alpha, beta) = (call.float("alpha", 1e-4)?, call.float("beta", 0.75)?);
    let bias = call.float("bias", 1.0)?;
    let size = usize::try_from(call.int("size", 1)?)
        .ok()
        .filter(|&s| s > 0)
        .ok_or("its attribute size is not positive")?;
    let source = floats(x);
    let source = view_around(&x.shape, 1, &source)?;
    let count = source.dim().1;
    let normal = |((o, channel, i), v): ((usize, usize, usize), &f64)| {
        let first = channel.saturating_sub((size - 1) / 2);
        let last = (channel + size / 2).min(count - 1);
        let sum: f64 = (first..=last).map(|c| source[[o, c, i]].powi(2)).sum();
        v / (bias + alpha / size as f64 * sum).powf(beta)
    };
    Ok(vec![call.store(x.element, x.shape.clone(), source.indexed_iter().map(normal).collect())])
}

/// `(x - mean) / (deviation + 1e-9)`, the statistics over `axes`.
fn mean_variance(call: &Call<'_>) -> Results {
    let x = call.input(0)?;
    let axes = array::axes(call.ints("axes")?.unwrap_or(&[0, 2, 3]), x.shape.len())?;
    let (groups, kept) = super::reduce::groups(x, &axes, true)?;
    let normal = |v, (mean, variance): (f64, f64)| (v - mean) / (variance.sqrt() + 1e-9);
    let values = combined(&x.shape, [&x.shape, &kept], &floats(x), &each(&groups, moments), normal)?;
    Ok(vec![call.store(x.element, x.shape.clone(), values)])
}
