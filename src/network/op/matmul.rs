//! A product of two values that both depend on the input: attention.

use super::{Operands, Operator, Pass, View};
use crate::network::backward::Gradients;
use crate::network::kernel::products::{self, StridedMatrix};
use crate::network::real::Real;
use crate::network::shape::{self, MAX_RANK, ShapeError};

/// ONNX `MatMul` of operands with at least two axes each; the axes in front are broadcast.
#[derive(Debug, Clone)]
pub struct MatMul;

/// The sizes of one application.
struct MatMulSizes {
    m: usize,
    k: usize,
    n: usize,
    batches: Batches,
}

/// The matrices of a broadcast batch: for each, its number in the left and right operand.
struct Batches {
    rank: usize,
    dims: [usize; MAX_RANK],
    /// Steps in matrices along each axis, zero where the operand is repeated.
    steps: [[usize; MAX_RANK]; 2],
}

impl Batches {
    fn new(a: &[usize], b: &[usize]) -> Self {
        let rank = a.len().max(b.len());
        let mut this = Self { rank, dims: [1; MAX_RANK], steps: [[0; MAX_RANK]; 2] };
        for (side, shape) in [a, b].into_iter().enumerate() {
            let mut step = 1;
            for (own, &d) in shape.iter().enumerate().rev() {
                let axis = rank - shape.len() + own;
                if d != 1 {
                    this.dims[axis] = d;
                    this.steps[side][axis] = step;
                }
                step *= d;
            }
        }
        this
    }

    /// Calls `visit(result, left, right)` with the numbers of the matrices.
    fn each(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let total: usize = self.dims[..self.rank].iter().product();
        for number in 0..total {
            let (mut rest, mut at) = (number, [0, 0]);
            for axis in (0..self.rank).rev() {
                let index = rest % self.dims[axis];
                rest /= self.dims[axis];
                at[0] += index * self.steps[0][axis];
                at[1] += index * self.steps[1][axis];
            }
            visit(number, at[0], at[1]);
        }
    }
}

impl MatMulSizes {
    fn of(a: &[usize], b: &[usize]) -> Self {
        let (a_rank, b_rank) = (a.len(), b.len());
        Self {
            m: a[a_rank - 2],
            k: a[a_rank - 1],
            n: b[b_rank - 1],
            batches: Batches::new(&a[..a_rank - 2], &b[..b_rank - 2]),
        }
    }
}

impl<T: Real> Operator<T> for MatMul {
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
        let (a, b) = (inputs[0], inputs[1]);
        let mismatch = || ShapeError(format!("matrices of shapes {a:?} and {b:?} cannot be multiplied"));
        if a.len() < 2 || b.len() < 2 || a[a.len() - 1] != b[b.len() - 2] {
            return Err(mismatch());
        }
        let mut shape = shape::broadcast(&[&a[..a.len() - 2], &b[..b.len() - 2]])?;
        shape.extend([a[a.len() - 2], b[b.len() - 1]]);
        Ok(shape)
    }

    fn forward(&self, operands: Operands<'_, T>, output: &mut [T], pass: &mut Pass<'_, T>) {
        let (a, b) = (operands.get(0), operands.get(1));
        let MatMulSizes { m, k, n, batches } = MatMulSizes::of(a.shape, b.shape);
        output.fill(T::zero());
        let lanes = pass.lanes;
        batches.each(|result, left, right| {
            let a =
                StridedMatrix { data: &a.data[left * m * k * lanes..][..m * k * lanes], row: k, column: 1 };
            let b =
                StridedMatrix { data: &b.data[right * k * n * lanes..][..k * n * lanes], row: n, column: 1 };
            let c = &mut output[result * m * n * lanes..][..m * n * lanes];
            products::accumulate(a, b, c, (m, k, n), lanes, pass.scratch);
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
        let (a, b) = (operands.get(0), operands.get(1));
        let MatMulSizes { m, k, n, batches } = MatMulSizes::of(a.shape, b.shape);
        let lanes = pass.lanes;
        let matrix = |data, at: usize, rows: usize, columns: usize| -> &[T] {
            let data: &[T] = data;
            &data[at * rows * columns * lanes..][..rows * columns * lanes]
        };
        if let Some(gradient) = gradients.wrt(0) {
            batches.each(|result, left, right| {
                let c = StridedMatrix { data: matrix(cotangent, result, m, n), row: n, column: 1 };
                let b = StridedMatrix { data: matrix(b.data, right, k, n), row: 1, column: n };
                let g = &mut gradient[left * m * k * lanes..][..m * k * lanes];
                products::accumulate(c, b, g, (m, n, k), lanes, pass.scratch);
            });
        }
        if let Some(gradient) = gradients.wrt(1) {
            batches.each(|result, left, right| {
                let a = StridedMatrix { data: matrix(a.data, left, m, k), row: 1, column: k };
                let c = StridedMatrix { data: matrix(cotangent, result, m, n), row: n, column: 1 };
                let g = &mut gradient[right * k * n * lanes..][..k * n * lanes];
                products::accumulate(a, c, g, (k, m, n), lanes, pass.scratch);
            });
        }
    }
}
