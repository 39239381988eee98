//! Windows that slide over an image: the geometry that convolutions and poolings share.
//!
//! An image is copied into *planes* in which every tap of the window meets the image at stride one: the padding is
//! filled in, and along an axis of stride `s` the positions `≡ r (mod s)` form plane `r`. Then the numbers that
//! one tap contributes to a row of results lie next to each other, whatever the stride, dilation and padding, and
//! the kernels know nothing of them. The copy costs one pass over the image; the product behind it, one for every
//! tap and output channel.

use crate::network::real::Real;
use crate::network::shape::{self, ShapeError};

/// Most axes of an image.
pub const AXES: usize = 3;

/// One axis of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowAxis {
    /// Length of the image.
    pub image: usize,
    /// Taps of the window.
    pub kernel: usize,
    /// Step from window to window.
    pub stride: usize,
    /// Step from tap to tap.
    pub dilation: usize,
    /// Positions in front of the image.
    pub pad: usize,
    /// Number of windows; they may reach beyond the image's end.
    pub windows: usize,
    /// The residues of tap positions modulo the stride, ascending: one plane each.
    phases: Vec<usize>,
}

impl WindowAxis {
    /// An axis; kernel, stride and dilation must be positive and the sizes within reason.
    pub fn new(
        image: usize,
        kernel: usize,
        stride: usize,
        dilation: usize,
        pad: usize,
        windows: usize,
    ) -> Result<Self, ShapeError> {
        let small = |x: usize| x < 1 << 24;
        if kernel == 0 || stride == 0 || dilation == 0 {
            return Err(ShapeError("kernel, stride and dilation must be positive".into()));
        }
        if ![image, kernel, stride, dilation, pad, windows].into_iter().all(small)
            || !small(kernel * dilation)
        {
            return Err(ShapeError("a window does not fit any image".into()));
        }
        let mut phases: Vec<usize> = (0..kernel.min(stride)).map(|k| k * dilation % stride).collect();
        phases.sort_unstable();
        phases.dedup();
        Ok(Self { image, kernel, stride, dilation, pad, windows, phases })
    }

    /// An axis that is not there.
    pub fn unit() -> Self {
        Self { image: 1, kernel: 1, stride: 1, dilation: 1, pad: 0, windows: 1, phases: vec![0] }
    }

    /// Plane of a tap and the tap's place in it.
    pub fn tap(&self, k: usize) -> (usize, usize) {
        let position = k * self.dilation;
        let phase = self.phases.iter().position(|&r| r == position % self.stride).unwrap_or(0);
        (phase, position / self.stride)
    }

    /// The largest place of a tap in its plane.
    pub fn reach(&self) -> usize {
        (self.kernel - 1) * self.dilation / self.stride
    }

    /// Length of a plane.
    pub fn plane(&self) -> usize {
        self.windows + self.reach()
    }

    /// Number of planes.
    pub fn phases(&self) -> usize {
        self.phases.len()
    }

    /// The positions of the image that the taps of a window meet, in the order of the taps.
    pub fn positions(&self, window: usize) -> impl Iterator<Item = usize> + use<> {
        let (first, step, pad, image) = (window * self.stride, self.dilation, self.pad, self.image);
        (0..self.kernel).filter_map(move |k| (first + k * step).checked_sub(pad).filter(|&at| at < image))
    }

    /// The windows in which a tap meets the image, and where it does so in the first of them.
    pub fn meets(&self, tap: usize) -> (std::ops::Range<usize>, usize) {
        let (at, s) = (tap * self.dilation, self.stride);
        let from = self.pad.saturating_sub(at).div_ceil(s).min(self.windows);
        let to = (self.image + self.pad).saturating_sub(at).div_ceil(s).min(self.windows).max(from);
        (from..to, (from * s + at).saturating_sub(self.pad))
    }

    /// Each tap with each window in which it meets the image: window, tap and the image's place.
    fn meetings(&self) -> Vec<(usize, usize, usize)> {
        let of_tap = |tap: usize| {
            let (windows, first) = self.meets(tap);
            let from = windows.start;
            windows.map(move |window| (window, tap, first + (window - from) * self.stride))
        };
        (0..self.kernel).flat_map(of_tap).collect()
    }

    /// The part of plane `phase` that lies inside the image, and the image position of its first place.
    fn inside(&self, phase: usize) -> (std::ops::Range<usize>, usize) {
        let (r, s) = (self.phases[phase], self.stride);
        let from = self.pad.saturating_sub(r).div_ceil(s);
        let to = (self.image + self.pad).saturating_sub(r).div_ceil(s).min(self.plane()).max(from);
        (from..to, (from * s + r).saturating_sub(self.pad))
    }
}

/// The axes of a window; missing ones in front are units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows(pub [WindowAxis; AXES]);

impl Windows {
    /// Up to three axes.
    pub fn new(axes: Vec<WindowAxis>) -> Result<Self, ShapeError> {
        let mut all = [WindowAxis::unit(), WindowAxis::unit(), WindowAxis::unit()];
        if axes.len() > AXES {
            return Err(ShapeError(format!("images of {} axes are not supported", axes.len())));
        }
        let front = AXES - axes.len();
        for (slot, axis) in all[front..].iter_mut().zip(axes) {
            *slot = axis;
        }
        for of in [
            |a: &WindowAxis| a.image,
            |a: &WindowAxis| a.kernel,
            |a: &WindowAxis| a.windows,
            |a: &WindowAxis| a.plane() * a.phases(),
        ] {
            shape::checked_len(&all.each_ref().map(of))?;
        }
        Ok(Self(all))
    }

    /// Calls `visit(window, tap, place)` for each tap of each window that meets the image, all of them flat numbers.
    pub fn each_meeting(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let [a, b, c] = self.0.each_ref().map(WindowAxis::meetings);
        let [_, y, z] = &self.0;
        let flat = |i: usize, j: usize, k: usize, of: fn(&WindowAxis) -> usize| (i * of(y) + j) * of(z) + k;
        for &(window_a, tap_a, place_a) in &a {
            for &(window_b, tap_b, place_b) in &b {
                for &(window_c, tap_c, place_c) in &c {
                    visit(
                        flat(window_a, window_b, window_c, |axis| axis.windows),
                        flat(tap_a, tap_b, tap_c, |axis| axis.kernel),
                        flat(place_a, place_b, place_c, |axis| axis.image),
                    );
                }
            }
        }
    }

    fn product(&self, of: impl Fn(&WindowAxis) -> usize) -> usize {
        self.0.iter().map(of).product()
    }

    /// Positions of an image.
    pub fn image_len(&self) -> usize {
        self.product(|a| a.image)
    }

    /// Number of windows.
    pub fn count(&self) -> usize {
        self.product(|a| a.windows)
    }

    /// Taps of a window.
    pub fn taps(&self) -> usize {
        self.product(|a| a.kernel)
    }

    /// Lengths of a plane.
    pub fn plane_shape(&self) -> [usize; AXES] {
        self.0.each_ref().map(WindowAxis::plane)
    }

    /// Numbers that the planes of one channel hold.
    pub fn planes_len(&self) -> usize {
        self.product(|a| a.plane() * a.phases())
    }

    /// Whether the image itself is its only plane.
    pub fn is_plain(&self) -> bool {
        self.0.iter().all(|a| a.stride == 1 && a.pad == 0 && a.plane() == a.image)
    }

    /// Calls `visit(phases, places)` for each tap in row-major order.
    pub fn each_tap(&self, mut visit: impl FnMut([usize; AXES], [usize; AXES])) {
        let [a, b, c] = &self.0;
        for i in 0..a.kernel {
            for j in 0..b.kernel {
                for k in 0..c.kernel {
                    let (p, q, r) = (a.tap(i), b.tap(j), c.tap(k));
                    visit([p.0, q.0, r.0], [p.1, q.1, r.1]);
                }
            }
        }
    }

    /// Number of the plane of these phases.
    pub fn plane_number(&self, phases: [usize; AXES]) -> usize {
        (phases[0] * self.0[1].phases() + phases[1]) * self.0[2].phases() + phases[2]
    }

    /// Where each tap meets the first window, as an index into the planes of a channel.
    pub fn offsets(&self) -> Vec<usize> {
        let shape = self.plane_shape();
        let mut offsets = Vec::with_capacity(self.taps());
        self.each_tap(|phases, places| {
            let place = (places[0] * shape[1] + places[1]) * shape[2] + places[2];
            offsets.push(self.plane_number(phases) * shape.iter().product::<usize>() + place);
        });
        offsets
    }

    /// Fills the planes of one channel from its image.
    pub fn to_planes<T: Real>(&self, image: &[T], planes: &mut [T], lanes: usize, fill: T) {
        planes.fill(fill);
        self.each_run(lanes, |plane, from, step, count| {
            if step == lanes {
                planes[plane..plane + count * lanes].copy_from_slice(&image[from..from + count * lanes]);
            } else if lanes == 1 && step == 2 {
                // The usual stride, as a constant that the compiler can make vectors of.
                let pairs = image[from..].chunks(2);
                planes[plane..plane + count].iter_mut().zip(pairs).for_each(|(p, pair)| *p = pair[0]);
            } else if lanes == 1 {
                let source = image[from..].iter().step_by(step);
                planes[plane..plane + count].iter_mut().zip(source).for_each(|(p, &x)| *p = x);
            } else {
                for i in 0..count {
                    planes[plane + i * lanes..][..lanes].copy_from_slice(&image[from + i * step..][..lanes]);
                }
            }
        });
    }

    /// Adds the planes of one channel to its image; what lies in the padding is dropped.
    pub fn add_planes<T: Real>(&self, planes: &[T], image: &mut [T], lanes: usize) {
        self.each_run(lanes, |plane, to, step, count| {
            for i in 0..count {
                let source = &planes[plane + i * lanes..][..lanes];
                image[to + i * step..][..lanes].iter_mut().zip(source).for_each(|(x, &p)| *x += p);
            }
        });
    }

    /// Visits the rows of the planes where they lie inside the image: first number in the planes, first number in
    /// the image, step in the image, count. Numbers include lanes.
    fn each_run(&self, lanes: usize, mut visit: impl FnMut(usize, usize, usize, usize)) {
        let [a, b, c] = &self.0;
        let shape = self.plane_shape();
        for i in 0..a.phases() {
            let (outer, first_a) = a.inside(i);
            for j in 0..b.phases() {
                let (middle, first_b) = b.inside(j);
                for k in 0..c.phases() {
                    let (inner, first_c) = c.inside(k);
                    let number = self.plane_number([i, j, k]);
                    for u in outer.clone() {
                        for v in middle.clone() {
                            let row = (number * shape[0] + u) * shape[1] + v;
                            let image_row = (first_a + (u - outer.start) * a.stride) * b.image
                                + first_b
                                + (v - middle.start) * b.stride;
                            let at = image_row * c.image + first_c;
                            let plane = (row * shape[2] + inner.start) * lanes;
                            if !inner.is_empty() {
                                visit(plane, at * lanes, c.stride * lanes, inner.len());
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The planes hold, for every window and tap, what plain index arithmetic finds in the image.
    #[test]
    fn planes_agree_with_index_arithmetic() {
        for kernel in 1..4 {
            for stride in 1..4 {
                for dilation in 1..3 {
                    for pad in 0..3 {
                        for windows in [1, 3, 5] {
                            check(kernel, stride, dilation, pad, windows);
                        }
                    }
                }
            }
        }
    }

    fn check(kernel: usize, stride: usize, dilation: usize, pad: usize, windows: usize) {
        let axis = |image| WindowAxis::new(image, kernel, stride, dilation, pad, windows).unwrap();
        let shape = Windows::new(vec![axis(7), axis(4)]).unwrap();
        let lanes = 2;
        let image: Vec<f64> = (0..7 * 4 * lanes).map(|i| i as f64 + 1.0).collect();
        let mut planes = vec![0.0; shape.planes_len() * lanes];
        shape.to_planes(&image, &mut planes, lanes, -1.0);
        let (offsets, [_, _, row]) = (shape.offsets(), shape.plane_shape());
        let inside = |at: usize, len: usize| at.checked_sub(pad).filter(|&i| i < len);
        let mut counted = vec![0.0; image.len()];
        shape.add_planes(&vec![1.0; planes.len()], &mut counted, lanes);
        for (tap, &offset) in offsets.iter().enumerate() {
            let (ky, kx) = (tap / kernel, tap % kernel);
            for y in 0..windows {
                for x in 0..windows {
                    let place =
                        (inside(y * stride + ky * dilation, 7), inside(x * stride + kx * dilation, 4));
                    let want = match place {
                        (Some(i), Some(j)) => {
                            assert_eq!(counted[(i * 4 + j) * lanes], 1.0, "each position has one place");
                            image[(i * 4 + j) * lanes + 1]
                        }
                        _ => -1.0,
                    };
                    let got = planes[(offset + y * row + x) * lanes + 1];
                    assert_eq!(got, want, "kernel {kernel} stride {stride} dilation {dilation} pad {pad}");
                }
            }
        }
    }
}
