//! The largest number of each window.

use super::windows::Windows;
use super::{Operands, Operator, Pass, View};
use crate::network::backward::Gradients;
use crate::network::kernel::dispatch::vectorized;
use crate::network::real::Real;
use crate::network::shape::ShapeError;

/// ONNX `MaxPool`: positions beyond the image do not count.
#[derive(Debug, Clone)]
pub struct MaxPool {
    /// The image and the windows on it.
    pub windows: Windows,
    /// How many of the image's axes ONNX knows of.
    pub rank: usize,
    offsets: Vec<usize>,
}

impl MaxPool {
    /// A pooling over these windows.
    pub fn new(windows: Windows, rank: usize) -> Self {
        let offsets = windows.offsets();
        Self { windows, rank, offsets }
    }

    /// Hands out each channel's planes, beyond the image `-∞`, and its part of the result.
    fn each_channel<T: Real>(
        &self,
        operands: Operands<'_, T>,
        output: &mut [T],
        pass: &mut Pass<'_, T>,
        mut pool: impl FnMut(&[T], &mut [T]),
    ) {
        let lanes = pass.lanes;
        let (image, count) = (self.windows.image_len() * lanes, self.windows.count() * lanes);
        pass.scratch.resize(self.windows.planes_len() * lanes, T::zero());
        let channels =
            operands.get(0).data.chunks_exact(image.max(1)).zip(output.chunks_exact_mut(count.max(1)));
        for (x, y) in channels {
            self.windows.to_planes(x, pass.scratch, lanes, T::neg_infinity());
            pool(pass.scratch, y);
        }
    }

    /// For each row of windows: where it begins in the planes, where in the result, and its length, with lanes.
    fn rows(&self, lanes: usize) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
        let [a, b, c] = self.windows.0.each_ref().map(|axis| axis.windows);
        let shape = self.windows.plane_shape();
        let row = move |i, j| (((i * shape[1] + j) * shape[2]) * lanes, (i * b + j) * c * lanes, c * lanes);
        (0..a).flat_map(move |i| (0..b).map(move |j| row(i, j)))
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
        self.each_channel(operands, output, pass, |planes, y| {
            y.fill(T::neg_infinity());
            for (from, to, len) in self.rows(lanes) {
                let y = &mut y[to..to + len];
                for &offset in &self.offsets {
                    let row = &planes[from + offset * lanes..][..len];
                    vectorized(|| y.iter_mut().zip(row).for_each(|(y, &x)| *y = if x > *y { x } else { *y }));
                }
            }
        });
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
        let planes_len = self.windows.planes_len() * lanes;
        pass.scratch.resize(2 * planes_len + count, T::zero());
        let (planes, rest) = pass.scratch.split_at_mut(planes_len);
        let (sums, left) = rest.split_at_mut(planes_len);
        for (channel, gradient) in gradient.chunks_exact_mut(image.max(1)).enumerate() {
            self.windows.to_planes(
                &operands.get(0).data[channel * image..][..image],
                planes,
                lanes,
                T::neg_infinity(),
            );
            sums.fill(T::zero());
            // The first tap that holds the maximum takes what the window passes back, and leaves nothing.
            left[..count].copy_from_slice(&cotangent[channel * count..][..count]);
            let y = &result.data[channel * count..][..count];
            for (from, to, len) in self.rows(lanes) {
                let (y, left) = (&y[to..to + len], &mut left[to..to + len]);
                for &offset in &self.offsets {
                    let at = from + offset * lanes;
                    let rows =
                        planes[at..at + len].iter().zip(&mut sums[at..at + len]).zip(y).zip(&mut *left);
                    for (((&x, sum), &y), left) in rows {
                        if x == y {
                            *sum += *left;
                            *left = T::zero();
                        }
                    }
                }
            }
            self.windows.add_planes(sums, gradient, lanes);
        }
    }
}
