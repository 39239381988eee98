//! Sums, extrema and products along an axis.

use super::{Operands, Operator, Pass, View};
use crate::dispatch::vectorized;
use crate::network::backward::Gradients;
use crate::network::real::Real;
use crate::network::shape::{self, ShapeError};

/// Joins the numbers along an axis, which is kept with length 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Reduce {
    /// How they are joined.
    pub function: Reduction,
    /// The axis.
    pub axis: usize,
}

/// Ways to join numbers; the others that ONNX has are compositions of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Reduction {
    Sum,
    Max,
    Min,
    Product,
}

impl Reduction {
    fn neutral<T: Real>(self) -> T {
        match self {
            Self::Sum => T::zero(),
            Self::Max => T::neg_infinity(),
            Self::Min => T::infinity(),
            Self::Product => T::one(),
        }
    }

    #[inline(always)]
    fn join<T: Real>(self, a: T, b: T) -> T {
        match self {
            Self::Sum => a + b,
            Self::Max => {
                if b > a || b.is_nan() {
                    b
                } else {
                    a
                }
            }
            Self::Min => {
                if b < a || b.is_nan() {
                    b
                } else {
                    a
                }
            }
            Self::Product => a * b,
        }
    }
}

/// Numbers joined side by side when they are contiguous: a vector's worth, and less rounding in long sums.
const CHAINS: usize = 16;

#[inline(always)]
fn contiguous<T: Real>(x: &[T], f: Reduction) -> T {
    let mut parts = [f.neutral::<T>(); CHAINS];
    let mut chunks = x.chunks_exact(CHAINS);
    for chunk in chunks.by_ref() {
        for (part, &x) in parts.iter_mut().zip(chunk) {
            *part = f.join(*part, x);
        }
    }
    for (part, &x) in parts.iter_mut().zip(chunks.remainder()) {
        *part = f.join(*part, x);
    }
    parts.into_iter().reduce(|a, b| f.join(a, b)).unwrap_or(f.neutral())
}

#[inline(always)]
fn forward_with<T: Real>(x: &[T], y: &mut [T], axis: usize, inner: usize, f: Reduction) {
    vectorized(|| {
        if inner == 1 {
            for (i, y) in y.iter_mut().enumerate() {
                *y = contiguous(&x[i * axis..(i + 1) * axis], f);
            }
            return;
        }
        y.fill(f.neutral());
        for (block, y) in y.chunks_exact_mut(inner.max(1)).enumerate() {
            for row in x[block * axis * inner..(block + 1) * axis * inner].chunks_exact(inner) {
                y.iter_mut().zip(row).for_each(|(y, &x)| *y = f.join(*y, x));
            }
        }
    });
}

impl<T: Real> Operator<T> for Reduce {
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
        let mut shape = inputs[0].to_vec();
        match shape.get_mut(self.axis) {
            Some(d) => *d = 1,
            None => return Err(ShapeError(format!("shape {:?} has no axis {}", inputs[0], self.axis))),
        }
        Ok(shape)
    }

    fn forward(&self, operands: Operands<'_, T>, output: &mut [T], pass: &mut Pass<'_, T>) {
        let x = operands.get(0);
        let split = shape::split(x.shape, self.axis);
        let inner = split.inner * pass.lanes;
        match self.function {
            Reduction::Sum => forward_with(x.data, output, split.axis, inner, Reduction::Sum),
            Reduction::Max => forward_with(x.data, output, split.axis, inner, Reduction::Max),
            f => forward_with(x.data, output, split.axis, inner, f),
        }
    }

    fn vjp(
        &self,
        operands: Operands<'_, T>,
        result: View<'_, T>,
        cotangent: &[T],
        gradients: &mut Gradients<'_, T>,
        pass: &mut Pass<'_, T>,
    ) {
        let Some(gradient) = gradients.wrt(0) else { return };
        let x = operands.get(0);
        let split = shape::split(x.shape, self.axis);
        let inner = split.inner * pass.lanes;
        if self.function == Reduction::Sum {
            // Reads no values: bounds run it without any.
            let block = (split.axis * inner).max(1);
            for (g, c) in gradient.chunks_exact_mut(block).zip(cotangent.chunks_exact(inner.max(1))) {
                for row in g.chunks_exact_mut(inner) {
                    row.iter_mut().zip(c).for_each(|(g, &c)| *g += c);
                }
            }
            return;
        }
        for outer in 0..split.outer {
            for i in 0..inner {
                let at = |k: usize| (outer * split.axis + k) * inner + i;
                let (y, c) = (result.data[outer * inner + i], cotangent[outer * inner + i]);
                match self.function {
                    // The largest or smallest; sums are done with.
                    Reduction::Sum | Reduction::Max | Reduction::Min => {
                        // The first one that attains it takes all.
                        if let Some(k) = (0..split.axis).find(|&k| x.data[at(k)] == y) {
                            gradient[at(k)] += c;
                        }
                    }
                    Reduction::Product => {
                        for k in 0..split.axis {
                            let others = (0..split.axis).filter(|&j| j != k);
                            let rest = others.fold(T::one(), |p, j| p * x.data[at(j)]);
                            gradient[at(k)] += c * rest;
                        }
                    }
                }
            }
        }
    }
}
