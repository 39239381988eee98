//! Convolutions with one to any number of spatial axes, and their transposes.
//!
//! A convolution is written as a matrix product: filters × columns, where a column holds the input values under one
//! window. The transposed one goes the other way: a product first, whose rows are then added up where they overlap.

use super::super::array::{self, same_element};
use super::super::call::{Call, Results};
use super::Entry;
use super::linear::centred;
use super::product::{Fused, RealValue, Sizes, product, widened};
use super::window::{self, Window};
use crate::onnx::{Data, ElementType, Tensor};

pub(super) const OPERATORS: &[Entry] =
    &[("Conv", conv), ("ConvInteger", conv_integer), ("ConvTranspose", conv_transpose)];

/// Values of the column matrix that are in memory at a time.
const COLUMN_VALUES: usize = 1 << 22;

/// Channels and groups of a convolution.
#[derive(Clone, Copy)]
struct Channels {
    batch: usize,
    groups: usize,
    /// Input channels of one group.
    input: usize,
    /// Output channels of one group.
    output: usize,
}

fn conv(call: &Call<'_>) -> Results {
    let (x, w) = (call.input(0)?, call.input(1)?);
    let element = same_element(&[x, w])?;
    if !element.is_float() {
        return Err(format!("floats are needed where {element} is given"));
    }
    convolve(call, x, w, call.optional(2))
}

/// 8-bit integers around their zero points, added up without rounding: in double they are exact.
fn conv_integer(call: &Call<'_>) -> Results {
    let exact = |tensor: &Tensor, zero, axis| -> Result<Tensor, String> {
        let values = centred(tensor, zero, axis)?.into_iter().map(|x| x as f64).collect();
        Ok(Tensor { element: ElementType::Float64, shape: tensor.shape.clone(), data: Data::F64(values) })
    };
    let x = exact(call.input(0)?, call.optional(2), 1)?;
    let w = exact(call.input(1)?, call.optional(3), 0)?;
    let result = convolve(call, &x, &w, None)?;
    let cast = |t: Tensor| {
        let values = t.to_f64().into_iter().map(|v| v as i64).collect();
        call.store_integers(ElementType::Int32, t.shape, values)
    };
    Ok(result.into_iter().map(cast).collect())
}

fn convolve(call: &Call<'_>, x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Results {
    let ([batch, channels, spatial @ ..], [filters, depth, kernel @ ..]) =
        (x.shape.as_slice(), w.shape.as_slice())
    else {
        return Err(format!("operands of shapes {:?} and {:?}", x.shape, w.shape));
    };
    let groups = usize::try_from(call.int("group", 1)?).unwrap_or(0);
    if groups == 0 || depth * groups != *channels || filters % groups != 0 {
        return Err(format!(
            "filters of shape {:?} for an input of shape {:?} in {groups} groups",
            w.shape, x.shape
        ));
    }
    expect_kernel(call, kernel)?;
    let axes = window::axes(call, spatial, kernel)?;
    let windows = window::windows(&axes)?;
    let channels = Channels { batch: *batch, groups, input: *depth, output: filters / groups };
    let shape: Vec<usize> = [*batch, *filters].into_iter().chain(axes.iter().map(|a| a.output)).collect();
    array::len(&shape)?;
    let slide =
        Slide { channels, windows: &windows, plane: spatial.iter().product(), taps: kernel.iter().product() };
    let mut values = if call.is_fused(x.element) {
        widened(slide.product::<Fused>(&Fused::read(x), &Fused::read(w), call.threads))
    } else if call.is_single(x.element) {
        widened(slide.product::<f32>(&f32::read(x), &f32::read(w), call.threads))
    } else {
        slide.product::<f64>(&f64::read(x), &f64::read(w), call.threads)
    };
    add_bias(&mut values, bias, *filters, windows.len())?;
    Ok(vec![call.store(x.element, shape, values)])
}

fn expect_kernel(call: &Call<'_>, kernel: &[usize]) -> Result<(), String> {
    let declared = window::per_axis(call, "kernel_shape", kernel)?;
    if declared == kernel {
        return Ok(());
    }
    Err(format!("its attribute kernel_shape is {declared:?}, its filters have {kernel:?}"))
}

fn add_bias(values: &mut [f64], bias: Option<&Tensor>, filters: usize, plane: usize) -> Result<(), String> {
    let Some(bias) = bias else { return Ok(()) };
    let bias = array::floats(bias);
    if bias.len() != filters {
        return Err(format!("{} bias values for {filters} filters", bias.len()));
    }
    for (i, part) in values.chunks_mut(plane.max(1)).enumerate() {
        part.iter_mut().for_each(|v| *v += bias[i % filters]);
    }
    Ok(())
}

/// Filters that slide over an input, or are put down at its windows.
struct Slide<'w> {
    channels: Channels,
    windows: &'w [Window],
    /// Values of a channel that the windows lie on.
    plane: usize,
    /// Values of a filter in one channel.
    taps: usize,
}

impl Slide<'_> {
    /// Filters × columns.
    fn product<T: RealValue>(&self, x: &[T], w: &[T], threads: usize) -> Vec<T> {
        let Channels { batch, groups, input, output } = self.channels;
        let (all, depth) = (self.windows.len(), input * self.taps);
        let mut out = vec![T::default(); batch * groups * output * all];
        let step = (COLUMN_VALUES / depth.max(1)).max(1);
        for (block, windows) in self.windows.chunks(step).enumerate() {
            let (count, places) = (windows.len(), self.places(windows));
            for (n, g) in (0..batch).flat_map(|n| (0..groups).map(move |g| (n, g))) {
                let source = &x[(n * groups + g) * input * self.plane..][..input * self.plane];
                let filters = &w[g * output * depth..][..output * depth];
                let columns = self.columns(source, &places, count);
                let part = product(filters, &columns, Sizes { m: output, k: depth, n: count }, threads);
                for (f, row) in part.chunks_exact(count).enumerate() {
                    let start = ((n * groups + g) * output + f) * all + block * step;
                    out[start..start + count].copy_from_slice(row);
                }
            }
        }
        out
    }

    /// For each tap, which windows have it in the input, and where.
    fn places(&self, windows: &[Window]) -> Vec<Vec<(usize, usize)>> {
        let mut places = vec![Vec::new(); self.taps];
        for (p, window) in windows.iter().enumerate() {
            window.taps.iter().for_each(|&(tap, at)| places[tap].push((p, at)));
        }
        places
    }

    /// The columns of so many windows; what a window has outside of the input is zero.
    fn columns<T: RealValue>(&self, source: &[T], places: &[Vec<(usize, usize)>], count: usize) -> Vec<T> {
        let mut columns = vec![T::default(); self.channels.input * self.taps * count];
        let rows = (0..self.channels.input).flat_map(|c| places.iter().map(move |places| (c, places)));
        for ((c, places), row) in rows.zip(columns.chunks_exact_mut(count)) {
            let plane = &source[c * self.plane..][..self.plane];
            places.iter().for_each(|&(p, at)| row[p] = plane[at]);
        }
        columns
    }

    /// Filters × values, put down at the windows, which add up where they overlap.
    fn scattered<T: RealValue>(&self, x: &[T], w: &[T], threads: usize) -> Vec<T> {
        let Channels { batch, groups, input, output } = self.channels;
        let count = self.windows.len();
        let mut out = vec![T::default(); batch * groups * output * self.plane];
        for (n, g) in (0..batch).flat_map(|n| (0..groups).map(move |g| (n, g))) {
            let source = &x[(n * groups + g) * input * count..][..input * count];
            let filters = &w[g * input * output * self.taps..][..input * output * self.taps];
            let rows = output * self.taps;
            let turned: Vec<T> = (0..rows * input).map(|i| filters[i % input * rows + i / input]).collect();
            let parts = product(&turned, source, Sizes { m: rows, k: input, n: count }, threads);
            for (f, (p, window)) in
                (0..output).flat_map(|f| self.windows.iter().enumerate().map(move |w| (f, w)))
            {
                let target = &mut out[((n * groups + g) * output + f) * self.plane..][..self.plane];
                for &(tap, at) in &window.taps {
                    target[at] += parts[(f * self.taps + tap) * count + p];
                }
            }
        }
        out
    }
}

fn conv_transpose(call: &Call<'_>) -> Results {
    let (x, w) = (call.input(0)?, call.input(1)?);
    let element = same_element(&[x, w])?;
    if !element.is_float() {
        return Err(format!("floats are needed where {element} is given"));
    }
    let ([batch, channels, spatial @ ..], [filters, depth, kernel @ ..]) =
        (x.shape.as_slice(), w.shape.as_slice())
    else {
        return Err(format!("operands of shapes {:?} and {:?}", x.shape, w.shape));
    };
    let groups = usize::try_from(call.int("group", 1)?).unwrap_or(0);
    if groups == 0 || filters != channels || filters % groups != 0 || kernel.len() != spatial.len() {
        return Err(format!(
            "filters of shape {:?} for an input of shape {:?} in {groups} groups",
            w.shape, x.shape
        ));
    }
    expect_kernel(call, kernel)?;
    let axes = transposed_axes(call, spatial, kernel)?;
    let windows = window::windows(&axes)?;
    let channels = Channels { batch: *batch, groups, input: filters / groups, output: *depth };
    let result: Vec<usize> = axes.iter().map(|a| a.input).collect();
    array::len(&[*depth, kernel.iter().product(), windows.len()])?;
    let shape: Vec<usize> = [*batch, depth * groups].into_iter().chain(result.iter().copied()).collect();
    array::len(&shape)?;
    let slide =
        Slide { channels, windows: &windows, plane: result.iter().product(), taps: kernel.iter().product() };
    let mut values = if call.is_fused(element) {
        widened(slide.scattered::<Fused>(&Fused::read(x), &Fused::read(w), call.threads))
    } else if call.is_single(element) {
        widened(slide.scattered::<f32>(&f32::read(x), &f32::read(w), call.threads))
    } else {
        slide.scattered::<f64>(&f64::read(x), &f64::read(w), call.threads)
    };
    add_bias(&mut values, call.optional(2), depth * groups, result.iter().product())?;
    Ok(vec![call.store(element, shape, values)])
}

/// The windows of the convolution whose transpose this is: its input is our output.
fn transposed_axes(
    call: &Call<'_>,
    spatial: &[usize],
    kernel: &[usize],
) -> Result<Vec<window::Axis>, String> {
    let rank = spatial.len();
    let ones = vec![1; rank];
    let strides = window::per_axis(call, "strides", &ones)?;
    let dilations = window::per_axis(call, "dilations", &ones)?;
    let pads = window::per_axis(call, "pads", &vec![0; 2 * rank])?;
    let extra = window::per_axis(call, "output_padding", &vec![0; rank])?;
    let auto_pad = call.string("auto_pad", "NOTSET")?;
    let asked =
        call.has("output_shape").then(|| window::per_axis(call, "output_shape", &ones)).transpose()?;
    let mut axes = Vec::with_capacity(rank);
    for d in 0..rank {
        if spatial[d] == 0 || kernel[d] == 0 || strides[d] == 0 || dilations[d] == 0 {
            return Err(format!(
                "kernel {kernel:?}, strides {strides:?}, dilations {dilations:?} for {spatial:?}"
            ));
        }
        let mut axis = window::Axis {
            input: 0,
            output: spatial[d],
            kernel: kernel[d],
            stride: strides[d],
            dilation: dilations[d],
            pad_begin: pads[d],
            pad_end: pads[rank + d],
        };
        let full = (spatial[d] - 1) * axis.stride + axis.reach() + extra[d];
        let same = auto_pad.starts_with("SAME_").then(|| spatial[d] * strides[d]);
        if let Some(size) = asked.as_ref().map(|s| s[d]).or(same) {
            if asked.is_none() && size > full {
                return Err("auto_pad SAME_UPPER or SAME_LOWER with strides beyond the kernel: ONNX and ONNX Runtime differ about the size".into());
            }
            // A result larger than what the windows reach has zeros at its end.
            let total = full.saturating_sub(size);
            axis.input = size.saturating_sub(full);
            let (small, large) = (total / 2, total - total / 2);
            (axis.pad_begin, axis.pad_end) =
                if auto_pad == "SAME_UPPER" { (small, large) } else { (large, small) };
        }
        let pads = axis.pad_begin + axis.pad_end;
        axis.input +=
            full.checked_sub(pads).ok_or_else(|| format!("a padding of {pads} for {full} values"))?;
        axes.push(axis);
    }
    Ok(axes)
}
