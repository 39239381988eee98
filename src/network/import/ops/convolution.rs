//! Convolutions, their transposes, and the window attributes they share with poolings.

use super::Entry;
use crate::network::Real;
use crate::network::import::call::{Built, ImportCall};
use crate::network::import::{Importer, Operand};
use crate::network::op::windows::{WindowAxis, Windows};
use crate::network::op::{Affine, BinaryFunction, Conv, MatMul, Op, Rearrange};
use crate::network::shape;
use crate::onnx::{ModelError, Tensor};

impl<T: Real> Importer<T> {
    pub(super) const CONVOLUTION: &'static [Entry<T>] = &[("Conv", conv), ("ConvTranspose", conv_transpose)];
}

/// `kernel_shape`, `strides`, `dilations`, `pads` and `auto_pad` of a node, one number an axis.
pub(super) struct Frame {
    pub(super) kernel: Vec<usize>,
    pub(super) strides: Vec<usize>,
    pub(super) dilations: Vec<usize>,
    /// In front of and behind each axis; `None` where `auto_pad` decides.
    pads: Option<Vec<(usize, usize)>>,
    /// `SAME_UPPER`: an odd padding has its larger half behind.
    upper: bool,
}

impl<T: Real> ImportCall<'_, T> {
    /// The window attributes for an image of `rank` axes.
    pub(super) fn frame(&self, rank: usize, kernel: Option<&[usize]>) -> Result<Frame, ModelError> {
        let list = |name: &str, len: usize, default: usize| -> Result<Vec<usize>, ModelError> {
            let Some(given) = self.node.ints(name)? else { return Ok(vec![default; len]) };
            let numbers: Option<Vec<usize>> = given.iter().map(|&x| usize::try_from(x).ok()).collect();
            numbers.filter(|numbers| numbers.len() == len).ok_or_else(|| {
                self.error(format!("attribute {name} is {given:?}, not {len} numbers from 0 up"))
            })
        };
        let named = list("kernel_shape", rank, 0)?;
        let kernel = kernel.map_or_else(|| named.clone(), <[usize]>::to_vec);
        if self.node.ints("kernel_shape")?.is_some() && named != kernel {
            return Err(
                self.error(format!("attribute kernel_shape is {named:?}, the weights have {kernel:?}"))
            );
        }
        let pads = list("pads", 2 * rank, 0)?;
        let pads: Vec<(usize, usize)> = (0..rank).map(|i| (pads[i], pads[i + rank])).collect();
        let (pads, upper) = match self.node.string("auto_pad")?.unwrap_or("NOTSET") {
            "NOTSET" => (Some(pads), false),
            "VALID" => (Some(vec![(0, 0); rank]), false),
            "SAME_UPPER" => (None, true),
            "SAME_LOWER" => (None, false),
            other => return Err(self.error(format!("auto_pad is {other:?}"))),
        };
        let frame = Frame {
            kernel,
            strides: list("strides", rank, 1)?,
            dilations: list("dilations", rank, 1)?,
            pads,
            upper,
        };
        let zero = |list: &[usize]| list.contains(&0);
        if zero(&frame.kernel) || zero(&frame.strides) || zero(&frame.dilations) {
            return Err(self.error("kernel_shape, strides and dilations must be positive"));
        }
        Ok(frame)
    }

    /// Splits a shape into batch, channels and image.
    pub(super) fn image(&self, shape: &[usize]) -> Result<(usize, usize, Vec<usize>), ModelError> {
        match shape {
            [batch, channels, image @ ..] if !image.is_empty() => Ok((*batch, *channels, image.to_vec())),
            _ => {
                Err(self.error(format!("the operand of shape {shape:?} is no batch of images with channels")))
            }
        }
    }
}

impl Frame {
    /// Whether `auto_pad` asks for the paddings that keep the image's size.
    pub(super) fn fits_itself(&self) -> bool {
        self.pads.is_none()
    }

    pub(super) fn is_dilated(&self) -> bool {
        self.dilations.iter().any(|&d| d != 1)
    }

    /// Length of the window along an axis, gaps included.
    fn span(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1).saturating_mul(self.dilations[axis]).saturating_add(1)
    }

    /// Padding in front of and behind an axis of an image.
    pub(super) fn pads(&self, axis: usize, image: usize) -> (usize, usize) {
        if let Some(pads) = &self.pads {
            return pads[axis];
        }
        let windows = image.div_ceil(self.strides[axis]);
        let total = (windows.saturating_sub(1) * self.strides[axis] + self.span(axis)).saturating_sub(image);
        if self.upper { (total / 2, total - total / 2) } else { (total - total / 2, total / 2) }
    }

    /// The windows on an image; `ceil` also counts one that begins inside and ends outside.
    pub(super) fn windows(&self, image: &[usize], ceil: bool) -> Result<Windows, shape::ShapeError> {
        let axes = image.iter().enumerate().map(|(i, &len)| {
            let ((before, after), stride) = (self.pads(i, len), self.strides[i]);
            let room = len.saturating_add(before).saturating_add(after);
            let Some(room) = room.checked_sub(self.span(i)) else {
                return Err(shape::ShapeError(format!(
                    "a window of {} does not fit an image of {len}",
                    self.span(i)
                )));
            };
            let mut windows = if ceil { room.div_ceil(stride) + 1 } else { room / stride + 1 };
            // A window that begins in the padding behind the image is none.
            if ceil && (windows - 1) * stride >= len + before {
                windows -= 1;
            }
            WindowAxis::new(len, self.kernel[i], stride, self.dilations[i], before, windows)
        });
        Windows::new(axes.collect::<Result<_, _>>()?)
    }
}

fn groups<T: Real>(call: &ImportCall<'_, T>) -> Result<usize, ModelError> {
    let groups = call.node.int("group")?.unwrap_or(1);
    usize::try_from(groups).ok().filter(|&g| g > 0).ok_or_else(|| call.error(format!("group is {groups}")))
}

fn bias<T: Real>(call: &ImportCall<'_, T>, channels: usize) -> Result<Vec<T>, ModelError> {
    match call.optional_constant(2)? {
        None => Ok(vec![T::zero(); channels]),
        Some(bias) if bias.len() == channels => Ok(bias.values()),
        Some(bias) => Err(call.error(format!("{} biases do not fit {channels} channels", bias.len()))),
    }
}

fn conv<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let (x, w) = (call.operand(0)?, call.operand(1)?);
    let (_, channels, image) = call.image(&call.shape(&x))?;
    let (outputs, own, kernel) = call.image(&call.shape(&w))?;
    let groups = groups(call)?;
    if kernel.len() != image.len() || own.checked_mul(groups) != Some(channels) || outputs % groups != 0 {
        let (x, w) = (call.shape(&x), call.shape(&w));
        return Err(call.error(format!("weights of shape {w:?} in {groups} groups do not fit shape {x:?}")));
    }
    let frame = call.frame(image.len(), Some(&kernel))?;
    let windows = call.at(frame.windows(&image, false))?;
    let Operand::Constant(weights) = w else {
        let b = call.optional(2);
        return varying_conv(call, &x, &w, b, (groups, windows));
    };
    let bias = bias(call, outputs)?;
    if groups == 1 && windows.is_plain() && windows.taps() == 1 {
        let matrix = weights.matrix(outputs, channels, false, 1.0);
        return call.result(Op::Affine(Affine { matrix, bias, axis: 1 }), &[x]);
    }
    // A dilated window can reach over the whole image without touching all of it.
    if groups == 1 && windows.is_plain() && windows.count() == 1 && kernel == image {
        return whole_image(call, &x, &weights, bias);
    }
    let conv = Conv::new(weights.values(), bias, (outputs, channels, groups), windows, image.len(), false);
    let conv = call.at(conv)?;
    call.result(Op::Conv(conv), &[x])
}

/// A window as large as the image is a dense layer.
fn whole_image<T: Real>(call: &mut ImportCall<'_, T>, x: &Operand, weights: &Tensor, bias: Vec<T>) -> Built {
    let shape = call.shape(x);
    let (outputs, inputs) = (bias.len(), shape::len(&shape[1..]));
    let flat = call.reshape(x, vec![shape[0], inputs])?;
    let matrix = weights.matrix(outputs, inputs, false, 1.0);
    let y = call.apply(Op::Affine(Affine { matrix, bias, axis: 1 }), &[flat])?;
    let to = [shape[0], outputs].into_iter().chain(std::iter::repeat_n(1, shape.len() - 2)).collect();
    Ok(vec![call.reshape(&y, to)?])
}

/// Weights that depend on the input: each window becomes a column, and a matrix product does the rest.
fn varying_conv<T: Real>(
    call: &mut ImportCall<'_, T>,
    x: &Operand,
    w: &Operand,
    b: Option<Operand>,
    (groups, windows): (usize, Windows),
) -> Built {
    let (x_shape, w_shape) = (call.shape(x), call.shape(w));
    let (batch, outputs, own) = (x_shape[0], w_shape[0], w_shape[1]);
    let (taps, count, image) = (windows.taps(), windows.count(), windows.image_len());
    let kernel = windows.0.each_ref().map(|axis| axis.kernel);
    let counts = windows.0.each_ref().map(|axis| axis.windows);
    let columns = Rearrange::from_fn(&x_shape, &[batch, groups, own * taps, count], 0.0, |at| {
        let (channel, tap) = (at[1] * own + at[2] / taps, at[2] % taps);
        let place = |i: usize, tap: usize, window: usize| {
            let axis = &windows.0[i];
            (window * axis.stride + tap * axis.dilation).checked_sub(axis.pad).filter(|&p| p < axis.image)
        };
        let p0 = place(0, tap / (kernel[1] * kernel[2]), at[3] / (counts[1] * counts[2]))?;
        let p1 = place(1, tap / kernel[2] % kernel[1], at[3] / counts[2] % counts[1])?;
        let p2 = place(2, tap % kernel[2], at[3] % counts[2])?;
        let inside = (p0 * windows.0[1].image + p1) * windows.0[2].image + p2;
        Some((at[0] * groups * own + channel) * image + inside)
    });
    let columns = call.rearrange(x, columns)?;
    let weights = call.reshape(w, vec![1, groups, outputs / groups, own * taps])?;
    let mut y = call.apply(Op::MatMul(MatMul), &[weights, columns])?;
    let to: Vec<usize> = [batch, outputs]
        .into_iter()
        .chain(windows.0[3 - (x_shape.len() - 2)..].iter().map(|axis| axis.windows))
        .collect();
    y = call.reshape(&y, to)?;
    if let Some(b) = b {
        let column = std::iter::once(outputs).chain(std::iter::repeat_n(1, x_shape.len() - 2)).collect();
        let b = call.reshape(&b, column)?;
        y = call.binary(BinaryFunction::Add, &y, &b)?;
    }
    Ok(vec![y])
}

/// The transposed convolution: its operand are the windows, its result the image.
fn conv_transpose<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let weights = call.constant(1)?;
    let (_, outputs, counts) = call.image(&call.shape(&x))?;
    let (own_outputs, own, kernel) = call.image(&weights.shape)?;
    let groups = groups(call)?;
    if kernel.len() != counts.len() || own_outputs != outputs || outputs % groups != 0 {
        let x = call.shape(&x);
        return Err(call.error(format!("weights of shape {:?} do not fit shape {x:?}", weights.shape)));
    }
    let channels =
        call.at(own.checked_mul(groups).ok_or_else(|| shape::ShapeError("too many channels".into())))?;
    let frame = call.frame(counts.len(), Some(&kernel))?;
    let axes = transposed_axes(call, &frame, &counts)?;
    let windows = call.at(axes.into_iter().collect::<Result<_, _>>().and_then(Windows::new))?;
    let bias = bias(call, channels)?;
    let conv = Conv::new(weights.values(), bias, (outputs, channels, groups), windows, counts.len(), true);
    let conv = call.at(conv)?;
    call.result(Op::Conv(conv), &[x])
}

/// Length of the image that a transposed convolution makes, and its padding, along each axis.
fn transposed_axes<T: Real>(
    call: &ImportCall<'_, T>,
    frame: &Frame,
    counts: &[usize],
) -> Result<Vec<Result<WindowAxis, shape::ShapeError>>, ModelError> {
    let extra = call.node.ints("output_padding")?;
    let wanted = call.node.ints("output_shape")?;
    let number = |list: Option<&[i64]>, i: usize| list.and_then(|list| list.get(i)).copied();
    let mut axes = Vec::new();
    for (i, &count) in counts.iter().enumerate() {
        let extra = number(extra, i).unwrap_or(0);
        let stride = frame.strides[i];
        let full = (stride * count.saturating_sub(1) + frame.span(i)) as i64 + extra;
        let image = match (number(wanted, i), &frame.pads) {
            (Some(image), _) => image,
            (None, Some(pads)) => full - (pads[i].0 + pads[i].1) as i64,
            (None, None) if (count * stride) as i64 > full => {
                return Err(call.error(
                    "auto_pad SAME_UPPER or SAME_LOWER with strides beyond the kernel: \
                     ONNX and ONNX Runtime differ about the size",
                ));
            }
            (None, None) => (count * stride) as i64,
        };
        let total = (full - image).max(0) as usize;
        let before = match &frame.pads {
            Some(pads) if wanted.is_none() => pads[i].0,
            _ if frame.upper => total / 2,
            _ => total - total / 2,
        };
        let image =
            usize::try_from(image).map_err(|_| call.error("the result would have a negative length"))?;
        axes.push(WindowAxis::new(image, frame.kernel[i], stride, frame.dilations[i], before, count));
    }
    Ok(axes)
}
