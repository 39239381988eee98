//! Normalisations, composed of reductions and element-wise operators.

use std::sync::Arc;

use super::Entry;
use crate::network::Real;
use crate::network::import::call::{Built, ImportCall};
use crate::network::import::{Importer, Operand};
use crate::network::matrix::Matrix;
use crate::network::op::{Affine, BinaryFunction, Op, UnaryFunction};
use crate::network::shape;
use crate::onnx::{ModelError, Tensor};

impl<T: Real> Importer<T> {
    pub(super) const NORMALIZATION: &'static [Entry<T>] = &[
        ("BatchNormalization", batch_normalization),
        ("GroupNormalization", group_normalization),
        ("InstanceNormalization", instance_normalization),
        ("LRN", lrn),
        ("LayerNormalization", layer_normalization),
        ("LpNormalization", lp_normalization),
        ("MeanVarianceNormalization", mean_variance_normalization),
        ("RMSNormalization", rms_normalization),
    ];
}

const SQUARE: UnaryFunction = UnaryFunction::Power { exponent: 2.0 };

/// A value with mean 0 and variance 1 along some axes, and what took it there.
struct Standard {
    value: Operand,
    mean: Operand,
    inverse_deviation: Operand,
}

impl<T: Real> ImportCall<'_, T> {
    /// `(x − mean) / sqrt(variance + epsilon)` along the axes.
    fn standardize(&mut self, x: &Operand, axes: &[usize], epsilon: f64) -> Result<Standard, ModelError> {
        let mean = self.mean(x, axes)?;
        let centred = self.binary(BinaryFunction::Sub, x, &mean)?;
        let inverse_deviation = self.inverse_root_mean_square(&centred, axes, epsilon)?;
        let value = self.binary(BinaryFunction::Mul, &centred, &inverse_deviation)?;
        Ok(Standard { value, mean, inverse_deviation })
    }

    fn inverse_root_mean_square(
        &mut self,
        x: &Operand,
        axes: &[usize],
        epsilon: f64,
    ) -> Result<Operand, ModelError> {
        let squares = self.unary(SQUARE, x)?;
        let variance = self.mean(&squares, axes)?;
        let variance = self.unary(UnaryFunction::Scale { scale: 1.0, shift: epsilon }, &variance)?;
        let deviation = self.unary(UnaryFunction::Sqrt, &variance)?;
        self.unary(UnaryFunction::Reciprocal, &deviation)
    }

    /// `x · scale + bias`, with these as they broadcast.
    fn scale_shift(
        &mut self,
        x: &Operand,
        scale: &Operand,
        bias: Option<&Operand>,
    ) -> Result<Operand, ModelError> {
        let y = self.binary(BinaryFunction::Mul, x, scale)?;
        match bias {
            Some(bias) => self.binary(BinaryFunction::Add, &y, bias),
            None => Ok(y),
        }
    }

    /// A list of one number a channel, in the shape that broadcasts along axis 1.
    fn channelwise(&mut self, i: usize, rank: usize) -> Result<Operand, ModelError> {
        let list = self.operand(i)?;
        let channels = shape::len(&self.shape(&list));
        let to = std::iter::once(channels).chain(std::iter::repeat_n(1, rank.saturating_sub(2))).collect();
        self.reshape(&list, to)
    }

    fn epsilon(&self) -> Result<f64, ModelError> {
        Ok(self.node.float("epsilon")?.unwrap_or(f64::from(1e-5f32)))
    }
}

/// With constant statistics a scaling and a shift of each channel, computed in double precision.
fn batch_normalization<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    if call.node.flag("training_mode", false)? {
        return Err(call.error("training mode is not supported").help("export the network for inference"));
    }
    let list = |i: usize| -> Result<Arc<Tensor>, ModelError> { call.constant(i) };
    let (scale, bias, mean, variance) = (list(1)?, list(2)?, list(3)?, list(4)?);
    let shape = call.shape(&x);
    let channels = scale.len();
    // A batch without channels, `[N]`, has one.
    let axis = if shape.len() > 1 { 1 } else { 0 };
    let fits = [&bias, &mean, &variance].iter().all(|t| t.len() == channels);
    if !fits || shape.get(axis) != Some(&channels) {
        return Err(call.error(format!("{channels} channels of statistics do not fit shape {shape:?}")));
    }
    let epsilon = call.epsilon()?;
    let (mut diagonal, mut shifts) = (Vec::new(), Vec::new());
    let numbers = [&scale, &bias, &mean, &variance].map(|t| t.to_f64());
    for c in 0..channels {
        let factor = numbers[0][c] / (numbers[3][c] + epsilon).sqrt();
        diagonal.push(T::of(factor));
        shifts.push(T::of(numbers[1][c] - numbers[2][c] * factor));
    }
    call.result(Op::Affine(Affine { matrix: Matrix::diagonal(diagonal), bias: shifts, axis }), &[x])
}

fn instance_normalization<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let rank = call.shape(&x).len();
    let epsilon = call.epsilon()?;
    let standard = call.standardize(&x, &(2..rank).collect::<Vec<_>>(), epsilon)?;
    let (scale, bias) = (call.channelwise(1, rank)?, call.channelwise(2, rank)?);
    Ok(vec![call.scale_shift(&standard.value, &scale, Some(&bias))?])
}

/// Scale and bias have one number a group before operator set 21, one a channel after.
fn group_normalization<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let shape = call.shape(&x);
    let groups = call.node.int("num_groups")?.and_then(|g| usize::try_from(g).ok()).unwrap_or(0);
    if shape.len() < 2 || groups == 0 || !shape[1].is_multiple_of(groups) {
        return Err(call.error(format!("shape {shape:?} has no {groups} groups of channels")));
    }
    let each = shape[1] / groups;
    let grouped = call.reshape(&x, vec![shape[0], groups, each * shape::len(&shape[2..])])?;
    let epsilon = call.epsilon()?;
    let standard = call.standardize(&grouped, &[2], epsilon)?;
    let per_channel = |call: &mut ImportCall<'_, T>, i: usize| -> Result<Operand, ModelError> {
        let list = call.operand(i)?;
        if shape::len(&call.shape(&list)) == shape[1] {
            return call.channelwise(i, shape.len());
        }
        let column = call.reshape(&list, vec![groups, 1])?;
        let spread = call.expand(&column, &[groups, each])?;
        let to = std::iter::once(shape[1]).chain(std::iter::repeat_n(1, shape.len() - 2)).collect();
        call.reshape(&spread, to)
    };
    let (scale, bias) = (per_channel(call, 1)?, per_channel(call, 2)?);
    let value = call.reshape(&standard.value, shape.clone())?;
    Ok(vec![call.scale_shift(&value, &scale, Some(&bias))?])
}

fn layer_normalization<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let rank = call.shape(&x).len();
    let axis = call.axis(call.node.int("axis")?.unwrap_or(-1), rank)?;
    let epsilon = call.epsilon()?;
    let standard = call.standardize(&x, &(axis..rank).collect::<Vec<_>>(), epsilon)?;
    let (scale, bias) = (call.operand(1)?, call.optional(2));
    let y = call.scale_shift(&standard.value, &scale, bias.as_ref())?;
    Ok(vec![y, standard.mean, standard.inverse_deviation])
}

fn rms_normalization<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let rank = call.shape(&x).len();
    let axis = call.axis(call.node.int("axis")?.unwrap_or(-1), rank)?;
    let epsilon = call.epsilon()?;
    let inverse = call.inverse_root_mean_square(&x, &(axis..rank).collect::<Vec<_>>(), epsilon)?;
    let value = call.binary(BinaryFunction::Mul, &x, &inverse)?;
    let scale = call.operand(1)?;
    Ok(vec![call.scale_shift(&value, &scale, None)?])
}

/// The standard's own definition adds 1e-9 to the deviation.
fn mean_variance_normalization<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let rank = call.shape(&x).len();
    let axes = call.node.ints("axes")?.unwrap_or(&[0, 2, 3]).to_vec();
    let axes = call.axes(&axes, rank)?;
    let mean = call.mean(&x, &axes)?;
    let centred = call.binary(BinaryFunction::Sub, &x, &mean)?;
    let squares = call.unary(SQUARE, &centred)?;
    let variance = call.mean(&squares, &axes)?;
    let deviation = call.unary(UnaryFunction::Sqrt, &variance)?;
    let deviation = call.unary(UnaryFunction::Scale { scale: 1.0, shift: 1e-9 }, &deviation)?;
    Ok(vec![call.binary(BinaryFunction::Div, &centred, &deviation)?])
}

fn lp_normalization<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let axis = call.axis(call.node.int("axis")?.unwrap_or(-1), call.shape(&x).len())?;
    let norm = match call.node.int("p")?.unwrap_or(2) {
        1 => {
            let sizes = call.unary(UnaryFunction::Abs, &x)?;
            call.reduced(&sizes, crate::network::op::Reduction::Sum, &[axis])?
        }
        2 => {
            let squares = call.unary(SQUARE, &x)?;
            let sum = call.reduced(&squares, crate::network::op::Reduction::Sum, &[axis])?;
            call.unary(UnaryFunction::Sqrt, &sum)?
        }
        p => return Err(call.error(format!("p is {p}, not 1 or 2"))),
    };
    // Nothing but zeros stays zero: the least positive number takes the norm's place.
    let least = call.literal(call.element(&x), vec![], &[f64::from(f32::from_bits(1))]);
    let norm = call.binary(BinaryFunction::Max, &norm, &least)?;
    Ok(vec![call.binary(BinaryFunction::Div, &x, &norm)?])
}

/// `x / (bias + alpha / size · Σ x²)^beta` over neighbouring channels: a banded matrix makes the sums.
fn lrn<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let shape = call.shape(&x);
    let size = call.node.int("size")?.and_then(|s| usize::try_from(s).ok()).filter(|&s| s > 0);
    let size = size.ok_or_else(|| call.error("attribute size is missing or not positive"))?;
    let &[_, channels, ..] = shape.as_slice() else {
        return Err(call.error(format!("shape {shape:?} has no channels")));
    };
    let alpha = call.node.float("alpha")?.unwrap_or(f64::from(1e-4f32));
    let beta = call.node.float("beta")?.unwrap_or(0.75);
    let bias = call.node.float("bias")?.unwrap_or(1.0);
    let (before, after) = ((size - 1) / 2, size / 2);
    let near = |o: usize| o.saturating_sub(before)..(o.saturating_add(after).saturating_add(1)).min(channels);
    let weight = T::of(alpha / size as f64);
    let entries = (0..channels).flat_map(|o| near(o).map(move |i| (o as u32, i as u32, weight))).collect();
    let matrix = Matrix::sparse(channels, channels, entries);
    let squares = call.unary(SQUARE, &x)?;
    let sums =
        call.apply(Op::Affine(Affine { matrix, bias: vec![T::of(bias); channels], axis: 1 }), &[squares])?;
    let divisor = call.unary(UnaryFunction::Power { exponent: beta }, &sums)?;
    Ok(vec![call.binary(BinaryFunction::Div, &x, &divisor)?])
}
