//! Linear quantisation, with constant scales and zero points.

use super::Entry;
use crate::network::Real;
use crate::network::import::call::{Built, ImportCall};
use crate::network::import::{Importer, Operand};
use crate::network::op::{BinaryFunction, UnaryFunction};
use crate::onnx::{ElementType, ModelError};

impl<T: Real> Importer<T> {
    pub(super) const QUANTIZATION: &'static [Entry<T>] =
        &[("DequantizeLinear", dequantize), ("QuantizeLinear", quantize)];
}

impl<T: Real> ImportCall<'_, T> {
    /// Operand `i`, one number or one along the quantisation axis, shaped to broadcast against `rank` axes.
    fn along_axis(&mut self, i: usize, rank: usize) -> Result<Option<Operand>, ModelError> {
        if self.node.int("block_size")?.unwrap_or(0) != 0 {
            return Err(self.error("blocked quantisation is not supported"));
        }
        let Some(x) = self.optional(i) else { return Ok(None) };
        let shape = self.shape(&x);
        if shape.len() != 1 || shape[0] == 1 {
            return self.reshape(&x, vec![]).map(Some);
        }
        let axis = self.axis(self.node.int("axis")?.unwrap_or(1), rank)?;
        let to = (axis..rank).map(|a| if a == axis { shape[0] } else { 1 }).collect();
        self.reshape(&x, to).map(Some)
    }
}

/// `(x − zero) · scale`
fn dequantize<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let rank = call.shape(&x).len();
    let scale = call.along_axis(1, rank)?.ok_or_else(|| call.error("the scale is missing"))?;
    let element = call.element(&scale);
    let mut y = call.cast_to(&x, element)?;
    if let Some(zero) = call.along_axis(2, rank)? {
        let zero = call.cast_to(&zero, element)?;
        y = call.binary(BinaryFunction::Sub, &y, &zero)?;
    }
    Ok(vec![call.binary(BinaryFunction::Mul, &y, &scale)?])
}

/// `clip(round(x / scale) + zero)` to the range of the zero point's type.
fn quantize<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let x = call.operand(0)?;
    let rank = call.shape(&x).len();
    let scale = call.along_axis(1, rank)?.ok_or_else(|| call.error("the scale is missing"))?;
    let zero = call.along_axis(2, rank)?;
    let to = zero.as_ref().map_or(ElementType::UInt8, |zero| call.element(zero));
    let (low, high) = match to {
        ElementType::UInt8 => (0.0, 255.0),
        ElementType::Int8 => (-128.0, 127.0),
        ElementType::UInt16 => (0.0, 65_535.0),
        ElementType::Int16 => (-32_768.0, 32_767.0),
        other => return Err(call.error(format!("quantisation to {other} is not supported"))),
    };
    let ratio = call.binary(BinaryFunction::Div, &x, &scale)?;
    let mut y = call.unary(UnaryFunction::Round, &ratio)?;
    if let Some(zero) = zero {
        let element = call.element(&y);
        let zero = call.cast_to(&zero, element)?;
        y = call.binary(BinaryFunction::Add, &y, &zero)?;
    }
    let y = call.unary(UnaryFunction::Clip { low, high }, &y)?;
    Ok(vec![call.cast_to(&y, to)?])
}
