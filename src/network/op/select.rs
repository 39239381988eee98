//! Operators that choose by a value: `Where`, and gathering by indices that depend on the input.

use super::{Operands, Operator, Pass, View};
use crate::network::backward::Gradients;
use crate::network::real::Real;
use crate::network::shape::{self, ShapeError};

/// `condition ? a : b` for three operands of one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Select;

impl<T: Real> Operator<T> for Select {
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
        if inputs[0] != inputs[1] || inputs[0] != inputs[2] {
            return Err(ShapeError(format!("a selection needs one shape, not {inputs:?}")));
        }
        Ok(inputs[0].to_vec())
    }

    fn forward(&self, operands: Operands<'_, T>, output: &mut [T], _pass: &mut Pass<'_, T>) {
        let (condition, a, b) = (operands.get(0).data, operands.get(1).data, operands.get(2).data);
        for (((y, &c), &a), &b) in output.iter_mut().zip(condition).zip(a).zip(b) {
            *y = if c != T::zero() { a } else { b };
        }
    }

    fn vjp(
        &self,
        operands: Operands<'_, T>,
        _result: View<'_, T>,
        cotangent: &[T],
        gradients: &mut Gradients<'_, T>,
        _pass: &mut Pass<'_, T>,
    ) {
        let condition = operands.get(0).data;
        for side in [1, 2] {
            let Some(gradient) = gradients.wrt(side) else { continue };
            for ((g, &c), &is) in gradient.iter_mut().zip(cotangent).zip(condition) {
                if (is != T::zero()) == (side == 1) {
                    *g += c;
                }
            }
        }
    }
}

/// The rows of the first operand along `axis` that the second names, as ONNX `Gather` does; an index beyond the
/// axis is taken to its end (the standard calls it an error, but a search may not fail half way).
#[derive(Debug, Clone, PartialEq)]
pub struct Pick {
    /// The axis.
    pub axis: usize,
}

impl Pick {
    /// Calls `visit(place in the result, place in the operand)`, lanes included.
    fn each<T: Real>(
        &self,
        x: View<'_, T>,
        indices: View<'_, T>,
        lanes: usize,
        mut visit: impl FnMut(usize, usize),
    ) {
        let split = shape::split(x.shape, self.axis);
        let count = shape::len(indices.shape);
        if split.axis == 0 {
            return;
        }
        for outer in 0..split.outer {
            for at in 0..count {
                for lane in 0..lanes {
                    let index = indices.data[at * lanes + lane].widen();
                    let from_front = if index < 0.0 { index + split.axis as f64 } else { index };
                    let row = (from_front.max(0.0) as usize).min(split.axis - 1);
                    for i in 0..split.inner {
                        let to = ((outer * count + at) * split.inner + i) * lanes + lane;
                        visit(to, ((outer * split.axis + row) * split.inner + i) * lanes + lane);
                    }
                }
            }
        }
    }
}

impl<T: Real> Operator<T> for Pick {
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
        let (x, indices) = (inputs[0], inputs[1]);
        if x.get(self.axis).is_none_or(|&d| d == 0) {
            return Err(ShapeError(format!("shape {x:?} has nothing to pick along axis {}", self.axis)));
        }
        Ok([&x[..self.axis], indices, &x[self.axis + 1..]].concat())
    }

    fn forward(&self, operands: Operands<'_, T>, output: &mut [T], pass: &mut Pass<'_, T>) {
        let x = operands.get(0);
        self.each(x, operands.get(1), pass.lanes, |to, from| output[to] = x.data[from]);
    }

    fn vjp(
        &self,
        operands: Operands<'_, T>,
        _result: View<'_, T>,
        cotangent: &[T],
        gradients: &mut Gradients<'_, T>,
        pass: &mut Pass<'_, T>,
    ) {
        let Some(gradient) = gradients.wrt(0) else { return };
        self.each(operands.get(0), operands.get(1), pass.lanes, |to, from| gradient[from] += cotangent[to]);
    }
}
