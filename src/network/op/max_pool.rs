//! The largest number of each window.
//!
//! A row of windows is pooled in two steps: the largest of the image's rows that it looks at, number by number, then
//! the largest of each window's taps along that one row. Each number is read once for every row of windows, not once a tap,
//! and the first step has long rows whatever the windows are. Gradients go straight to the first tap that holds the maximum. A network
//! of one convolution and a pooling of 32 channels by 4×4, one point: 45 µs by planes of taps, 32 so; with its gradient 640 and 108.

use super::windows::{WindowAxis, Windows};
use super::{Operands, Operator, Pass, View};
use crate::dispatch::vectorized;
use crate::network::backward::Gradients;
use crate::network::kernel::extremes::largest_rows;
use crate::network::real::Real;
use crate::network::shape::ShapeError;

/// ONNX `MaxPool`: positions beyond the image do not count.
#[derive(Debug, Clone)]
pub struct MaxPool {
    /// The image and the windows on it.
    pub windows: Windows,
    /// How many of the image's axes ONNX knows of.
    pub rank: usize,
}

impl MaxPool {
    /// A pooling over these windows.
    pub fn new(windows: Windows, rank: usize) -> Self {
        Self { windows, rank }
    }

    /// Pools one channel; `row` has room for a row of its image.
    fn pool<T: Real>(&self, x: &[T], y: &mut [T], row: &mut [T], lanes: usize, starts: &mut Vec<usize>) {
        let [a, b, c] = &self.windows.0;
        let mut results = y.chunks_exact_mut((c.windows * lanes).max(1));
        for i in 0..a.windows {
            for (j, y) in (0..b.windows).zip(&mut results) {
                starts.clear();
                for u in a.positions(i) {
                    starts.extend(b.positions(j).map(|v| (u * b.image + v) * row.len()));
                }
                largest_rows(x, starts, row);
                if lanes == 1 {
                    vectorized(|| pool_row(c, row, y));
                    continue;
                }
                for (w, y) in y.chunks_exact_mut(lanes).enumerate() {
                    starts.clear();
                    starts.extend(c.positions(w).map(|at| at * lanes));
                    largest_rows(row, starts, y);
                }
            }
        }
    }

    /// Calls `visit(window, at)` for the windows of a channel and, in the order of their taps, where each tap meets the image,
    /// until it says that the window is through.
    #[inline(always)]
    fn each_tap(&self, mut visit: impl FnMut(usize, usize) -> bool) {
        let [a, b, c] = &self.windows.0;
        for w in 0..self.windows.count() {
            let (i, j, k) = (w / (b.windows * c.windows), w / c.windows % b.windows, w % c.windows);
            let rows = a.positions(i).flat_map(|u| b.positions(j).map(move |v| u * b.image + v));
            let mut taps = rows.flat_map(|row| c.positions(k).map(move |p| row * c.image + p));
            let _ = taps.any(|at| visit(w, at));
        }
    }

    /// Gives what each window of one channel passes back to the first tap that holds its maximum; `left` has room for a window.
    #[inline(always)]
    fn pass_back<T: Real>(&self, (x, y): (&[T], &[T]), cotangent: &[T], gradient: &mut [T], left: &mut [T]) {
        let lanes = left.len();
        if lanes == 1 {
            self.each_tap(|w, at| {
                let holds = x[at] == y[w];
                if holds {
                    gradient[at] += cotangent[w];
                }
                holds
            });
            return;
        }
        let mut window = usize::MAX;
        self.each_tap(|w, at| {
            let own = w * lanes..(w + 1) * lanes;
            if w != window {
                window = w;
                left.copy_from_slice(&cotangent[own.clone()]);
            }
            let at = at * lanes..(at + 1) * lanes;
            take(&x[at.clone()], &y[own], &mut gradient[at], left);
            false
        });
    }
}

/// Lanes whose number is the maximum hand over all that is left, others nothing.
#[inline(always)]
fn take<T: Real>(x: &[T], y: &[T], gradient: &mut [T], left: &mut [T]) {
    for (((&x, &y), sum), left) in x.iter().zip(y).zip(gradient).zip(left) {
        let (taken, kept) = if x == y { (*left, T::zero()) } else { (T::zero(), *left) };
        *sum += taken;
        *left = kept;
    }
}

/// The largest number of each window along one row of the image, tap by tap.
#[inline(always)]
fn pool_row<T: Real>(axis: &WindowAxis, row: &[T], y: &mut [T]) {
    y.fill(T::neg_infinity());
    for tap in 0..axis.kernel {
        let (windows, from) = axis.meets(tap);
        let y = &mut y[windows];
        if y.is_empty() {
            continue;
        }
        let x = &row[from..=from + (y.len() - 1) * axis.stride];
        // Strides as constants, which the compiler can make vectors of.
        match axis.stride {
            1 => raise::<T>(y, x, 1),
            2 => raise::<T>(y, x, 2),
            3 => raise::<T>(y, x, 3),
            4 => raise::<T>(y, x, 4),
            step => raise::<T>(y, x, step),
        }
    }
}

/// `y[w] = max(y[w], x[w · step])`
#[inline(always)]
fn raise<T: Real>(y: &mut [T], x: &[T], step: usize) {
    for (w, y) in y.iter_mut().enumerate() {
        let x = x[w * step];
        *y = if x > *y { x } else { *y };
    }
}

impl<T: Real> Operator<T> for MaxPool {
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
        let axes = &self.windows.0[self.windows.0.len() - self.rank..];
        let from: Vec<usize> = axes.iter().map(|axis| axis.image).collect();
        match inputs[0] {
            [batch, channels, image @ ..] if image == from => {
                Ok([*batch, *channels].into_iter().chain(axes.iter().map(|axis| axis.windows)).collect())
            }
            other => {
                Err(ShapeError(format!("a pooling made for images of {from:?} does not fit shape {other:?}")))
            }
        }
    }

    fn forward(&self, operands: Operands<'_, T>, output: &mut [T], pass: &mut Pass<'_, T>) {
        let lanes = pass.lanes;
        let (image, count) = (self.windows.image_len() * lanes, self.windows.count() * lanes);
        let channels =
            operands.get(0).data.chunks_exact(image.max(1)).zip(output.chunks_exact_mut(count.max(1)));
        let row_len = self.windows.0[2].image * lanes;
        pass.scratch.resize(pass.scratch.len().max(row_len), T::zero());
        let row = &mut pass.scratch[..row_len];
        let mut starts = Vec::new();
        channels.for_each(|(x, y)| self.pool(x, y, row, lanes, &mut starts));
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
        let lanes = pass.lanes;
        let (image, count) = (self.windows.image_len() * lanes, self.windows.count() * lanes);
        pass.scratch.resize(pass.scratch.len().max(lanes), T::zero());
        let left = &mut pass.scratch[..lanes];
        let images =
            operands.get(0).data.chunks_exact(image.max(1)).zip(gradient.chunks_exact_mut(image.max(1)));
        let windows = result.data.chunks_exact(count.max(1)).zip(cotangent.chunks_exact(count.max(1)));
        vectorized(|| {
            for ((x, gradient), (y, cotangent)) in images.zip(windows) {
                self.pass_back((x, y), cotangent, gradient, left);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pools one channel in blocks of one and three lanes, and compares with index arithmetic.
    fn check(kernel: usize, stride: usize, dilation: usize, pad: usize) {
        let axis = |image: usize| {
            let windows = (image + 2 * pad - (kernel - 1) * dilation - 1) / stride + 1;
            WindowAxis::new(image, kernel, stride, dilation, pad, windows).unwrap()
        };
        let pool = MaxPool::new(Windows::new(vec![axis(9), axis(11)]).unwrap(), 2);
        let [_, a, b] = &pool.windows.0;
        for lanes in [1, 3] {
            let x: Vec<f32> = (0..99 * lanes).map(|i| ((i * 37) % 101) as f32 - 50.0).collect();
            let mut y = vec![0.0; pool.windows.count() * lanes];
            pool.pool(&x, &mut y, &mut vec![0.0; 11 * lanes], lanes, &mut Vec::new());
            for (at, &got) in y.iter().enumerate() {
                let (w, lane) = (at / lanes, at % lanes);
                let mut want = f32::NEG_INFINITY;
                for u in a.positions(w / b.windows) {
                    for v in b.positions(w % b.windows) {
                        want = want.max(x[(u * 11 + v) * lanes + lane]);
                    }
                }
                assert_eq!(got, want, "kernel {kernel}, stride {stride}, window {w}, lane {lane} of {lanes}");
            }
        }
    }

    #[test]
    fn windows_agree_with_index_arithmetic() {
        for kernel in 1..4 {
            for stride in 1..6 {
                for dilation in 1..3 {
                    (0..3).for_each(|pad| check(kernel, stride, dilation, pad));
                }
            }
        }
    }
}
