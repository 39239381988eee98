//! A constant matrix along one axis, and a bias: Gemm, MatMul with a constant, fused scalings.

use super::{Operands, Operator, Pass, View};
use crate::network::backward::Gradients;
use crate::network::kernel::panels::SumStart;
use crate::network::matrix::Matrix;
use crate::network::real::Real;
use crate::network::shape::{self, ShapeError, Split};

/// `y[.., o, ..] = Σ_i matrix[o][i] · x[.., i, ..] + bias[o]` along `axis`.
#[derive(Debug, Clone)]
pub struct Affine<T> {
    /// `[outputs][inputs]`
    pub matrix: Matrix<T>,
    /// One number an output; zeros where the ONNX node has none.
    pub bias: Vec<T>,
    /// The axis that is contracted.
    pub axis: usize,
}

impl<T: Real> Affine<T> {
    /// Multiplications for one point when the result has `shape`.
    pub fn multiplications(&self, shape: &[usize]) -> usize {
        let split = shape::split(shape, self.axis);
        self.matrix.entries() * split.outer * split.inner
    }

    /// The same layer in another precision.
    pub fn cast<U: Real>(&self) -> Affine<U> {
        Affine { matrix: self.matrix.cast(), bias: super::cast(&self.bias), axis: self.axis }
    }

    fn split(&self, input: &[usize], lanes: usize) -> Split {
        let mut split = shape::split(input, self.axis);
        split.inner *= lanes;
        split
    }
}

/// An innermost axis shorter than this leaves the kernel's vectors mostly empty.
const SHORT: usize = 16;

/// Whether the blocks of a short innermost axis should become lanes themselves: a transformer's tokens.
fn turns(split: Split) -> bool {
    split.inner < SHORT && split.outer > 1
}

/// `to[k][o·inner + l] = from[o][k][l]`: blocks to lanes.
fn blocks_to_lanes<T: Real>(from: &[T], outer: usize, rows: usize, inner: usize, to: &mut [T]) {
    for o in 0..outer {
        for k in 0..rows {
            let source = &from[(o * rows + k) * inner..][..inner];
            to[(k * outer + o) * inner..][..inner].copy_from_slice(source);
        }
    }
}

impl<T: Real> Operator<T> for Affine<T> {
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
        let mut shape = inputs[0].to_vec();
        match shape.get_mut(self.axis) {
            Some(d) if *d == self.matrix.inputs() => *d = self.matrix.outputs(),
            _ => {
                let (inputs_, axis) = (self.matrix.inputs(), self.axis);
                return Err(ShapeError(format!(
                    "a matrix with {inputs_} columns does not fit axis {axis} of shape {:?}",
                    inputs[0]
                )));
            }
        }
        Ok(shape)
    }

    fn forward(&self, operands: Operands<'_, T>, output: &mut [T], pass: &mut Pass<'_, T>) {
        let x = operands.get(0);
        let split = self.split(x.shape, pass.lanes);
        let (inputs, outputs) = (self.matrix.inputs(), self.matrix.outputs());
        let lanes = split.outer * split.inner;
        if turns(split) && matches!(self.matrix, Matrix::Dense(_)) {
            pass.scratch.resize((inputs + outputs) * lanes, T::zero());
            let (columns, results) = pass.scratch.split_at_mut(inputs * lanes);
            blocks_to_lanes(x.data, split.outer, inputs, split.inner, columns);
            self.matrix.apply(columns, SumStart::Bias(&self.bias), results, lanes, pass.threads);
            for o in 0..split.outer {
                for k in 0..outputs {
                    let source = &results[(k * split.outer + o) * split.inner..][..split.inner];
                    output[(o * outputs + k) * split.inner..][..split.inner].copy_from_slice(source);
                }
            }
            return;
        }
        for o in 0..split.outer {
            let x = &x.data[o * inputs * split.inner..][..inputs * split.inner];
            let y = &mut output[o * outputs * split.inner..][..outputs * split.inner];
            self.matrix.apply(x, SumStart::Bias(&self.bias), y, split.inner, pass.threads);
        }
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
        let split = self.split(operands.get(0).shape, pass.lanes);
        let (inputs, outputs) = (self.matrix.inputs(), self.matrix.outputs());
        let lanes = split.outer * split.inner;
        if turns(split) && matches!(self.matrix, Matrix::Dense(_)) {
            pass.scratch.resize((inputs + outputs) * lanes, T::zero());
            let (sums, columns) = pass.scratch.split_at_mut(inputs * lanes);
            blocks_to_lanes(cotangent, split.outer, outputs, split.inner, columns);
            sums.fill(T::zero());
            self.matrix.apply_transposed(columns, sums, lanes, pass.threads);
            for o in 0..split.outer {
                for k in 0..inputs {
                    let source = &sums[(k * split.outer + o) * split.inner..][..split.inner];
                    let target = &mut gradient[(o * inputs + k) * split.inner..][..split.inner];
                    target.iter_mut().zip(source).for_each(|(g, &s)| *g += s);
                }
            }
            return;
        }
        for o in 0..split.outer {
            let y = &cotangent[o * outputs * split.inner..][..outputs * split.inner];
            let g = &mut gradient[o * inputs * split.inner..][..inputs * split.inner];
            self.matrix.apply_transposed(y, g, split.inner, pass.threads);
        }
    }
}
