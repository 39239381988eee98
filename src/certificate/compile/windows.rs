//! Convolutions and poolings.

use super::super::tape::{Chain, Form, Groups, Linear, Rounding, StepKind, TapeWindows};
use super::linear::FUSED;
use super::{Compiler, Entry, Results, TapeCall, TapeView, format_of};

pub(super) const OPERATORS: &[Entry] = &[
    ("AveragePool", average_pool),
    ("Conv", conv),
    ("ConvTranspose", conv_transpose),
    ("GlobalAveragePool", |c, n| global_pool(c, n, true)),
    ("GlobalMaxPool", |c, n| global_pool(c, n, false)),
    ("MaxPool", max_pool),
];

/// One spatial axis of a window that slides.
#[derive(Debug, Clone, Copy)]
struct SlidingAxis {
    input: usize,
    output: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    begin: usize,
    end: usize,
}

impl SlidingAxis {
    /// Where tap `k` of the window at `o` lies, if not in the padding.
    fn source(&self, o: usize, k: usize) -> Option<usize> {
        let at = (o * self.stride + k * self.dilation).checked_sub(self.begin)?;
        (at < self.input).then_some(at)
    }

    /// Whether it lies in the operand or its padding.
    fn is_inside(&self, o: usize, k: usize) -> bool {
        o * self.stride + k * self.dilation < self.input + self.begin + self.end
    }
}

/// An attribute with a positive number for each axis.
fn numbers(call: &TapeCall<'_>, name: &str, count: usize, default: usize) -> Result<Vec<usize>, String> {
    let Some(given) = call.ints(name)? else { return Ok(vec![default; count]) };
    let list: Option<Vec<usize>> =
        given.iter().map(|&n| usize::try_from(n).ok().filter(|n| *n < 1 << 24)).collect();
    list.filter(|list| list.len() == count).ok_or_else(|| format!("its attribute {name} is {given:?}"))
}

/// The axes of a window, from the attributes that convolutions and poolings share.
fn axes(call: &TapeCall<'_>, input: &[usize], kernel: &[usize]) -> Result<Vec<SlidingAxis>, String> {
    let count = input.len();
    let (strides, dilations) = (numbers(call, "strides", count, 1)?, numbers(call, "dilations", count, 1)?);
    let pads = numbers(call, "pads", 2 * count, 0)?;
    if kernel.len() != count || kernel.iter().chain(&strides).chain(&dilations).any(|&n| n == 0) {
        return Err("a window that does not fit its operand".into());
    }
    let ceil = call.int("ceil_mode", 0)? != 0;
    let auto = call.text("auto_pad", "NOTSET")?;
    (0..count)
        .map(|d| {
            let (input, kernel, stride, dilation) = (input[d], kernel[d], strides[d], dilations[d]);
            let reach = (kernel - 1) * dilation + 1;
            let (begin, end, output) = match auto {
                "NOTSET" | "VALID" => {
                    let (begin, end) = if auto == "VALID" { (0, 0) } else { (pads[d], pads[count + d]) };
                    let room =
                        (input + begin + end).checked_sub(reach).ok_or("a window larger than its operand")?;
                    let steps = if ceil { room.div_ceil(stride) } else { room / stride };
                    // A window that would begin in the padding behind the operand is left out.
                    let steps = if ceil && steps * stride >= input + begin { steps - 1 } else { steps };
                    (begin, end, steps + 1)
                }
                "SAME_UPPER" | "SAME_LOWER" => {
                    let output = input.div_ceil(stride);
                    let total = ((output - 1) * stride + reach).saturating_sub(input);
                    let less = total / 2;
                    let (begin, end) =
                        if auto == "SAME_UPPER" { (less, total - less) } else { (total - less, less) };
                    (begin, end, output)
                }
                other => return Err(format!("the padding {other}")),
            };
            Ok(SlidingAxis { input, output, kernel, stride, dilation, begin, end })
        })
        .collect()
}

/// Calls `visit` with each index below these sizes.
fn for_each_index(sizes: &[usize], mut visit: impl FnMut(&[usize])) {
    let count: usize = sizes.iter().product();
    let mut index = vec![0; sizes.len()];
    for at in 0..count {
        let mut rest = at;
        for d in (0..sizes.len()).rev() {
            index[d] = rest % sizes[d];
            rest /= sizes[d];
        }
        visit(&index);
    }
}

/// For each place of the result: taps in the operand (place, tap number), and how many lie in the operand or its padding.
fn taps(axes: &[SlidingAxis]) -> Vec<(Vec<(u32, u32)>, usize)> {
    let sizes = |size: fn(&SlidingAxis) -> usize| axes.iter().map(size).collect::<Vec<_>>();
    let (outputs, kernel) = (sizes(|a| a.output), sizes(|a| a.kernel));
    let mut all = Vec::new();
    for_each_index(&outputs, |o| {
        let (mut list, mut inside, mut tap) = (Vec::new(), 0, 0);
        for_each_index(&kernel, |k| {
            let place = axes
                .iter()
                .enumerate()
                .try_fold(0, |place, (d, axis)| axis.source(o[d], k[d]).map(|at| place * axis.input + at));
            inside += usize::from(axes.iter().enumerate().all(|(d, axis)| axis.is_inside(o[d], k[d])));
            list.extend(place.map(|place| (place as u32, tap)));
            tap += 1;
        });
        all.push((list, inside));
    });
    all
}

/// Images, channels and the spatial sizes of an operand.
fn parts(view: &TapeView) -> Result<(usize, usize, &[usize]), String> {
    match view.shape.as_slice() {
        [images, channels, spatial @ ..] if !spatial.is_empty() => Ok((*images, *channels, spatial)),
        other => Err(format!("an operand of shape {other:?} has no spatial axes")),
    }
}

/// Weights, their shape, and biases.
type Weights<'c> = (Vec<f64>, &'c [usize], Option<Vec<f64>>);

/// Those of a convolution.
fn weights<'c>(call: &'c TapeCall<'_>) -> Result<Weights<'c>, String> {
    let weights = call.known(1)?.ok_or("operand 1 is missing")?;
    let bias = call.known(2)?;
    if weights.iter().chain(bias.iter().flatten()).any(|x| !x.is_finite()) {
        return Err("weights that are no finite numbers have no enclosure".into());
    }
    Ok((weights, call.input(1)?.shape(), bias))
}

fn conv(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    let x = compiler.view(&call.input(0)?.clone());
    let (images, in_channels, spatial) = parts(&x)?;
    let (weights, shape, bias) = weights(call)?;
    let groups = usize::try_from(call.int("group", 1)?).unwrap_or(0);
    let [out_channels, depth, kernel @ ..] = shape else { return Err("weights without channels".into()) };
    if groups == 0 || depth * groups != in_channels || out_channels % groups != 0 {
        return Err(format!("weights of shape {shape:?} for an operand of shape {:?}", x.shape));
    }
    let axes = axes(call, spatial, kernel)?;
    let (mut starts, mut list) = (Vec::new(), Vec::new());
    for (taps, _) in taps(&axes) {
        starts.push(list.len());
        list.extend(taps);
    }
    let places = starts.len();
    compiler.spend(weights.len() + list.len())?;
    let out_shape: Vec<usize> =
        [images, *out_channels].into_iter().chain(axes.iter().map(|a| a.output)).collect();
    let bias = bias.map_or_else(Vec::new, |bias| {
        (0..images * out_channels * places).map(|i| bias[i / places % out_channels]).collect()
    });
    let roundings = depth * kernel.iter().product::<usize>() + 1 + FUSED;
    let windows = TapeWindows {
        inputs: x.numbers.clone(),
        in_channels,
        out_channels: *out_channels,
        groups,
        in_places: spatial.iter().product(),
        starts,
        taps: list,
        weights,
        kernel: kernel.iter().product(),
    };
    let rounding = Rounding::Sum { format: format_of(x.element)?, roundings };
    let linear = Linear::new(Form::Windows(windows), bias);
    Ok(vec![compiler.push(out_shape, x.element, rounding, StepKind::Linear(linear))])
}

/// Each number of the operand is spread over a window of the result.
fn conv_transpose(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    let x = compiler.view(&call.input(0)?.clone());
    let (images, in_channels, spatial) = parts(&x)?;
    let (weights, shape, bias) = weights(call)?;
    let groups = usize::try_from(call.int("group", 1)?).unwrap_or(0);
    let [channels, depth, kernel @ ..] = shape else { return Err("weights without channels".into()) };
    let plain = call.text("auto_pad", "NOTSET")? == "NOTSET" && call.ints("output_shape")?.is_none();
    if groups == 0 || *channels != in_channels || in_channels % groups != 0 || !plain {
        return Err("these attributes have no enclosure".into());
    }
    let count = spatial.len();
    let (strides, dilations) = (numbers(call, "strides", count, 1)?, numbers(call, "dilations", count, 1)?);
    let (pads, more) = (numbers(call, "pads", 2 * count, 0)?, numbers(call, "output_padding", count, 0)?);
    let size = |d: usize| {
        let whole = (spatial[d] - 1) * strides[d] + (kernel[d] - 1) * dilations[d] + 1 + more[d];
        whole.checked_sub(pads[d] + pads[count + d]).ok_or("padding larger than the result")
    };
    let sizes = (0..count).map(size).collect::<Result<Vec<_>, _>>()?;
    let (taps, in_places): (usize, usize) = (kernel.iter().product(), spatial.iter().product());
    let out_channels = depth * groups;
    let places: usize = sizes.iter().product();
    compiler.spend(images * in_channels * in_places * depth * taps)?;
    // Where each tap of each place of the operand goes.
    let mut targets = Vec::new();
    for_each_index(spatial, |at| {
        for_each_index(kernel, |k| {
            targets.push((0..count).try_fold(0, |place, d| {
                let to = (at[d] * strides[d] + k[d] * dilations[d]).checked_sub(pads[d])?;
                (to < sizes[d]).then_some(place * sizes[d] + to)
            }));
        });
    });
    let mut rows = vec![Vec::new(); images * out_channels * places];
    for (image, channel) in (0..images).flat_map(|i| (0..in_channels).map(move |c| (i, c))) {
        let group = channel / (in_channels / groups);
        for (o, place) in (0..*depth).flat_map(|o| (0..in_places).map(move |p| (o, p))) {
            let number = x.numbers[(image * in_channels + channel) * in_places + place];
            for tap in 0..taps {
                let Some(to) = targets[place * taps + tap] else { continue };
                let row = (image * out_channels + group * depth + o) * places + to;
                rows[row].push((number, weights[(channel * depth + o) * taps + tap]));
            }
        }
    }
    let roundings = rows.iter().map(Vec::len).max().unwrap_or(0) + 1 + FUSED;
    let mut starts = Vec::with_capacity(rows.len());
    let (mut inputs, mut flat) = (Vec::new(), Vec::new());
    for row in rows {
        starts.push(inputs.len());
        row.into_iter().for_each(|(number, weight)| {
            inputs.push(number);
            flat.push(weight);
        });
    }
    let bias = bias
        .map_or_else(Vec::new, |bias| (0..starts.len()).map(|i| bias[i / places % out_channels]).collect());
    let rounding = Rounding::Sum { format: format_of(x.element)?, roundings };
    let linear = Linear::new(Form::Sparse { starts, inputs, weights: flat }, bias);
    let shape = [images, out_channels].into_iter().chain(sizes).collect();
    Ok(vec![compiler.push(shape, x.element, rounding, StepKind::Linear(linear))])
}

/// A pooling's axes and windows.
#[allow(clippy::type_complexity)]
fn pool(call: &TapeCall<'_>, x: &TapeView) -> Result<(Vec<usize>, Vec<(Vec<(u32, u32)>, usize)>), String> {
    let (images, channels, spatial) = parts(x)?;
    let kernel = numbers(call, "kernel_shape", spatial.len(), 1)?;
    let axes = axes(call, spatial, &kernel)?;
    let shape = [images, channels].into_iter().chain(axes.iter().map(|a| a.output)).collect();
    Ok((shape, taps(&axes)))
}

fn average_pool(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    let x = compiler.view(&call.input(0)?.clone());
    let (shape, windows) = pool(call, &x)?;
    let padded = call.int("count_include_pad", 0)? != 0;
    if !padded && windows.iter().any(|(taps, _)| taps.is_empty()) {
        return Err("a window of padding alone has no enclosure".into());
    }
    let places: usize = x.shape[2..].iter().product();
    let (mut starts, mut inputs, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for image in x.numbers.chunks_exact(places.max(1)) {
        for (taps, inside) in &windows {
            starts.push(inputs.len());
            let count = if padded { *inside } else { taps.len() };
            inputs.extend(taps.iter().map(|&(at, _)| image[at as usize]));
            weights.resize(inputs.len(), 1.0 / count as f64);
        }
    }
    compiler.spend(inputs.len())?;
    let most = windows.iter().map(|(taps, _)| taps.len()).max().unwrap_or(0);
    let rounding = Rounding::Sum { format: format_of(x.element)?, roundings: most + 2 };
    let exact = weights.iter().all(|&weight: &f64| weight.to_bits() << 12 == 0);
    let chain = |&start: &usize| Chain { scale: weights.get(start).copied().unwrap_or(1.0), offset: 0.0 };
    let chains = starts.iter().map(chain).collect();
    let linear = Linear::new(Form::Sparse { starts, inputs, weights }, Vec::new()).computed(exact);
    let linear = Linear { chains, ..linear };
    Ok(vec![compiler.push(shape, x.element, rounding, StepKind::Linear(linear))])
}

fn max_pool(compiler: &mut Compiler<'_>, call: &TapeCall<'_>) -> Results {
    if call.node.outputs.len() > 1 && !call.node.outputs[1].is_empty() {
        return Err("where the largest number lies has no enclosure".into());
    }
    let x = compiler.view(&call.input(0)?.clone());
    let (shape, windows) = pool(call, &x)?;
    let places: usize = x.shape[2..].iter().product();
    let mut groups = Groups::default();
    for image in x.numbers.chunks_exact(places.max(1)) {
        windows.iter().for_each(|(taps, _)| groups.push(taps.iter().map(|&(at, _)| image[at as usize])));
    }
    if (0..groups.len()).any(|g| groups.get(g).is_empty()) {
        return Err("a window of padding alone has no enclosure".into());
    }
    Ok(vec![compiler.push(shape, x.element, Rounding::Exact, StepKind::Extreme { largest: true, groups })])
}

fn global_pool(compiler: &mut Compiler<'_>, call: &TapeCall<'_>, mean: bool) -> Results {
    let x = compiler.view(&call.input(0)?.clone());
    let (images, channels, spatial) = parts(&x)?;
    let places: usize = spatial.iter().product();
    let shape: Vec<usize> = [images, channels].into_iter().chain(spatial.iter().map(|_| 1)).collect();
    if !mean {
        let mut groups = Groups::default();
        x.numbers.chunks_exact(places.max(1)).for_each(|image| groups.push(image.iter().copied()));
        return Ok(vec![compiler.push(
            shape,
            x.element,
            Rounding::Exact,
            StepKind::Extreme { largest: true, groups },
        )]);
    }
    let rounding = Rounding::Sum { format: format_of(x.element)?, roundings: places + 2 };
    let starts = (0..images * channels).map(|i| i * places).collect();
    let weights = vec![1.0 / places as f64; x.numbers.len()];
    let linear = Linear::new(Form::Sparse { starts, inputs: x.numbers, weights }, Vec::new())
        .computed(places.is_power_of_two())
        .scaled_by(1.0 / places as f64);
    Ok(vec![compiler.push(shape, x.element, rounding, StepKind::Linear(linear))])
}
