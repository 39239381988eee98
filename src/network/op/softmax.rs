//! Softmax and its logarithm along an axis.

use super::{Operands, Operator, Pass, View};
use crate::dispatch::vectorized;
use crate::network::backward::Gradients;
use crate::network::kernel::functions;
use crate::network::real::Real;
use crate::network::shape::{self, ShapeError, Split};

/// ONNX `Softmax` (since operator set 13) or `LogSoftmax`.
#[derive(Debug, Clone, PartialEq)]
pub struct Softmax {
    /// The axis.
    pub axis: usize,
    /// The logarithm of the result.
    pub log: bool,
}

impl Softmax {
    fn split(&self, shape: &[usize], lanes: usize) -> Split {
        let mut split = shape::split(shape, self.axis);
        split.inner *= lanes;
        split
    }
}

/// `sums[i] = Σ_k f(row_k[i])` over the rows of a block.
#[inline(always)]
fn sum_rows<T: Real>(rows: &[T], sums: &mut [T], f: impl Fn(usize, T) -> T) {
    sums.fill(T::zero());
    let inner = sums.len();
    for (k, row) in rows.chunks_exact(inner).enumerate() {
        for (i, (sum, &x)) in sums.iter_mut().zip(row).enumerate() {
            *sum += f(k * inner + i, x);
        }
    }
}

#[inline(always)]
fn forward_block<T: Real>(x: &[T], y: &mut [T], extra: &mut [T], log: bool) {
    let inner = extra.len() / 2;
    let (most, sums) = extra.split_at_mut(inner);
    most.fill(T::neg_infinity());
    for row in x.chunks_exact(inner) {
        most.iter_mut().zip(row).for_each(|(m, &x)| *m = if x > *m { x } else { *m });
    }
    for (x, y) in x.chunks_exact(inner).zip(y.chunks_exact_mut(inner)) {
        for ((y, &x), &m) in y.iter_mut().zip(x).zip(&*most) {
            *y = if log { x - m } else { functions::exp(x - m) };
        }
    }
    sum_rows(y, sums, |_, y| if log { functions::exp(y) } else { y });
    for sum in sums.iter_mut() {
        *sum = if log { sum.ln() } else { T::one() / *sum };
    }
    for y in y.chunks_exact_mut(inner) {
        for (y, &sum) in y.iter_mut().zip(&*sums) {
            *y = if log { *y - sum } else { *y * sum };
        }
    }
}

#[inline(always)]
fn backward_block<T: Real>(y: &[T], c: &[T], g: &mut [T], sums: &mut [T], log: bool) {
    // Softmax: y·(c − Σ c·y); its logarithm: c − exp(y)·Σ c.
    sum_rows(c, sums, |at, c| if log { c } else { c * y[at] });
    let inner = sums.len();
    for (k, g) in g.chunks_exact_mut(inner).enumerate() {
        for (i, g) in g.iter_mut().enumerate() {
            let (y, c) = (y[k * inner + i], c[k * inner + i]);
            *g += if log { c - functions::exp(y) * sums[i] } else { y * (c - sums[i]) };
        }
    }
}

impl<T: Real> Operator<T> for Softmax {
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
        if self.axis >= inputs[0].len() {
            return Err(ShapeError(format!("shape {:?} has no axis {}", inputs[0], self.axis)));
        }
        Ok(inputs[0].to_vec())
    }

    fn forward(&self, operands: Operands<'_, T>, output: &mut [T], pass: &mut Pass<'_, T>) {
        let x = operands.get(0);
        let split = self.split(x.shape, pass.lanes);
        let block = (split.axis * split.inner).max(1);
        pass.scratch.resize(2 * split.inner, T::zero());
        let extra = &mut pass.scratch[..2 * split.inner];
        vectorized(|| {
            for (x, y) in x.data.chunks_exact(block).zip(output.chunks_exact_mut(block)) {
                if split.inner == 1 {
                    forward_single(x, y, self.log);
                } else {
                    forward_block(x, y, extra, self.log);
                }
            }
        });
    }

    fn vjp(
        &self,
        _operands: Operands<'_, T>,
        result: View<'_, T>,
        cotangent: &[T],
        gradients: &mut Gradients<'_, T>,
        pass: &mut Pass<'_, T>,
    ) {
        let Some(gradient) = gradients.wrt(0) else { return };
        let split = self.split(result.shape, pass.lanes);
        let block = (split.axis * split.inner).max(1);
        pass.scratch.resize(split.inner, T::zero());
        let sums = &mut pass.scratch[..split.inner];
        vectorized(|| {
            let blocks = result.data.chunks_exact(block).zip(cotangent.chunks_exact(block));
            for ((y, c), g) in blocks.zip(gradient.chunks_exact_mut(block)) {
                backward_block(y, c, g, sums, self.log);
            }
        });
    }
}

/// One row of contiguous numbers: the exponentials side by side, the sums in order.
#[inline(always)]
fn forward_single<T: Real>(x: &[T], y: &mut [T], log: bool) {
    let most = x.iter().fold(T::neg_infinity(), |m, &x| if x > m { x } else { m });
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = functions::exp(x - most));
    let sum = y.iter().fold(T::zero(), |sum, &y| sum + y);
    if log {
        let log = sum.ln();
        y.iter_mut().zip(x).for_each(|(y, &x)| *y = x - most - log);
    } else {
        let scale = T::one() / sum;
        y.iter_mut().for_each(|y| *y = *y * scale);
    }
}
