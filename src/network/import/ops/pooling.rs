//! Poolings: maxima have an operator of their own, averages and norms are convolutions of each channel.

use super::Entry;
use crate::network::Real;
use crate::network::import::call::{Built, ImportCall};
use crate::network::import::{Importer, Operand};
use crate::network::op::windows::Windows;
use crate::network::op::{BinaryFunction, Conv, MaxPool, Op, Reduction, UnaryFunction};
use crate::network::shape;
use crate::onnx::ModelError;

impl<T: Real> Importer<T> {
    pub(super) const POOLING: &'static [Entry<T>] = &[
        ("AveragePool", average_pool),
        ("GlobalAveragePool", |c| c.global(Reduction::Sum)),
        ("GlobalLpPool", global_lp_pool),
        ("GlobalMaxPool", |c| c.global(Reduction::Max)),
        ("LpPool", lp_pool),
        ("MaxPool", max_pool),
    ];
}

impl<T: Real> ImportCall<'_, T> {
    /// The operand's windows, and how many axes its images have.
    fn pool(&self) -> Result<(Operand, Windows, usize), ModelError> {
        let x = self.operand(0)?;
        let (_, _, image) = self.image(&self.shape(&x))?;
        let frame = self.frame(image.len(), None)?;
        if frame.fits_itself() && frame.is_dilated() {
            return Err(self.error(
                "auto_pad SAME_UPPER or SAME_LOWER with dilations: ONNX and ONNX Runtime pad differently",
            ));
        }
        let windows = self.at(frame.windows(&image, self.node.flag("ceil_mode", false)?))?;
        Ok((x, windows, image.len()))
    }

    /// `weight` times the sum of each window of each channel.
    fn window_sums(
        &mut self,
        x: &Operand,
        windows: Windows,
        rank: usize,
        weight: f64,
    ) -> Result<Operand, ModelError> {
        let channels = self.shape(x)[1];
        let weights = vec![T::of(weight); self.at(shape::checked_len(&[channels, windows.taps()]))?];
        let bias = vec![T::zero(); channels];
        let conv = self.at(Conv::new(weights, bias, (channels, channels, channels), windows, rank, false))?;
        self.apply(Op::Conv(conv), std::slice::from_ref(x))
    }

    fn global(&mut self, f: Reduction) -> Built {
        let x = self.operand(0)?;
        let (_, _, image) = self.image(&self.shape(&x))?;
        let axes: Vec<usize> = (2..2 + image.len()).collect();
        let mut y = self.reduced(&x, f, &axes)?;
        if f == Reduction::Sum {
            let scale = 1.0 / shape::len(&image) as f64;
            y = self.unary(UnaryFunction::Scale { scale, shift: 0.0 }, &y)?;
        }
        Ok(vec![y])
    }

    fn power(&self) -> Result<f64, ModelError> {
        Ok(self.node.int("p")?.unwrap_or(2) as f64)
    }
}

fn max_pool<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let (x, windows, rank) = call.pool()?;
    call.result(Op::MaxPool(MaxPool::new(windows, rank)), &[x])
}

/// The divisor is the number of taps inside the image, or inside image and padding.
fn average_pool<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let (x, windows, rank) = call.pool()?;
    let image: Vec<usize> = windows.0[3 - rank..].iter().map(|axis| axis.image).collect();
    let with_padding = call.node.flag("count_include_pad", false)?;
    let frame = call.frame(rank, None)?;
    // Along each axis, the taps that count for each window.
    let counts: Vec<Vec<f64>> = windows.0[3 - rank..]
        .iter()
        .enumerate()
        .map(|(i, axis)| {
            let (before, after) = frame.pads(i, image[i]);
            let range = if with_padding { 0..before + image[i] + after } else { before..before + image[i] };
            let inside = |w: usize| {
                let at = |k: &usize| w * axis.stride + k * axis.dilation;
                (0..axis.kernel).filter(|k| range.contains(&at(k))).count()
            };
            (0..axis.windows).map(|w| inside(w).max(1) as f64).collect()
        })
        .collect();
    let taps = windows.taps() as f64;
    if counts.iter().map(|list| list.iter().copied().fold(f64::INFINITY, f64::min)).product::<f64>() == taps {
        return Ok(vec![call.window_sums(&x, windows, rank, 1.0 / taps)?]);
    }
    let shape: Vec<usize> = counts.iter().map(Vec::len).collect();
    let strides = shape::strides(&shape);
    let divisor = |at: usize| (0..rank).map(|i| counts[i][at / strides[i] % shape[i]]).product::<f64>();
    let values: Vec<f64> = (0..shape::len(&shape)).map(divisor).collect();
    let element = call.element(&x);
    let divisors = call.literal(element, shape, &values);
    let sums = call.window_sums(&x, windows, rank, 1.0)?;
    Ok(vec![call.binary(BinaryFunction::Div, &sums, &divisors)?])
}

fn lp_pool<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let (x, windows, rank) = call.pool()?;
    let exponent = call.power()?;
    let x = call.unary(UnaryFunction::Abs, &x)?;
    let x = call.unary(UnaryFunction::Power { exponent }, &x)?;
    let sums = call.window_sums(&x, windows, rank, 1.0)?;
    Ok(vec![call.unary(UnaryFunction::Power { exponent: 1.0 / exponent }, &sums)?])
}

fn global_lp_pool<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let exponent = call.power()?;
    let x = call.unary(UnaryFunction::Abs, &x)?;
    let x = call.unary(UnaryFunction::Power { exponent }, &x)?;
    let axes: Vec<usize> = (2..call.shape(&x).len()).collect();
    let sums = call.reduced(&x, Reduction::Sum, &axes)?;
    Ok(vec![call.unary(UnaryFunction::Power { exponent: 1.0 / exponent }, &sums)?])
}
