//! Operands joined along an axis.

use super::{Operands, Operator, Pass, View};
use crate::network::backward::Gradients;
use crate::network::real::Real;
use crate::network::shape::{self, ShapeError};

/// ONNX `Concat`.
#[derive(Debug, Clone)]
pub struct Concat {
    /// The axis along which the operands follow each other.
    pub axis: usize,
}

impl<T: Real> Operator<T> for Concat {
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
        let mut shape = inputs[0].to_vec();
        let mismatch = || ShapeError(format!("shapes {inputs:?} cannot be joined along axis {}", self.axis));
        if self.axis >= shape.len() {
            return Err(mismatch());
        }
        for other in &inputs[1..] {
            let fits = other.len() == shape.len()
                && (0..shape.len()).all(|axis| axis == self.axis || other[axis] == shape[axis]);
            if !fits {
                return Err(mismatch());
            }
            shape[self.axis] = shape[self.axis].checked_add(other[self.axis]).ok_or_else(mismatch)?;
        }
        Ok(shape)
    }

    fn forward(&self, operands: Operands<'_, T>, output: &mut [T], pass: &mut Pass<'_, T>) {
        self.for_pieces(operands, pass.lanes, output.len(), |i, at, from| {
            let piece = &operands.get(i).data[from.clone()];
            output[at..at + from.len()].copy_from_slice(piece);
        });
    }

    fn vjp(
        &self,
        operands: Operands<'_, T>,
        _result: View<'_, T>,
        cotangent: &[T],
        gradients: &mut Gradients<'_, T>,
        pass: &mut Pass<'_, T>,
    ) {
        self.for_pieces(operands, pass.lanes, cotangent.len(), |i, at, from| {
            if let Some(gradient) = gradients.wrt(i) {
                let piece = &cotangent[at..at + from.len()];
                gradient[from].iter_mut().zip(piece).for_each(|(g, &c)| *g += c);
            }
        });
    }
}

impl Concat {
    /// Visits contiguous pieces: operand, offset in the result, range in the operand.
    fn for_pieces<T: Real>(
        &self,
        operands: Operands<'_, T>,
        lanes: usize,
        total: usize,
        mut visit: impl FnMut(usize, usize, std::ops::Range<usize>),
    ) {
        let outer = shape::len(&operands.get(0).shape[..self.axis]);
        let stride = total / outer.max(1);
        let mut offset = 0;
        for i in 0..operands.count() {
            let split = shape::split(operands.get(i).shape, self.axis);
            let piece = split.axis * split.inner * lanes;
            for o in 0..outer {
                visit(i, o * stride + offset, o * piece..(o + 1) * piece);
            }
            offset += piece;
        }
    }
}
