//! A convolution with few windows, for a single point: the last layers of a residual network, 2×2 or 4×4 pixels.
//!
//! Rows of windows would fill a fraction of a vector. So the channels of the result take the vectors, the windows the
//! panels: `y[window][o] = Σ_k column[window][k] · weights[k][o]`.

use super::Conv;
use super::rows::RowBlock;
use crate::network::kernel::panels::{PANEL, PanelsView, Rows, SumStart, weighted_rows};
use crate::network::real::Real;

/// With more windows than this their rows fill the vectors well enough (8×8 windows: four fifths).
const MOST_WINDOWS: usize = 36;
/// With fewer channels than this it is they who leave the vectors empty.
const LEAST_CHANNELS: usize = 32;

/// Channels whose weights lie together, tap by tap: four vectors, which the kernel takes at a time. So it reads one stream, whose next
/// line the processor fetches ahead.
const TOGETHER: usize = 64;

/// Whether this way is the faster one.
pub(super) fn applies(windows: usize, channels: usize, terms: usize) -> bool {
    windows <= MOST_WINDOWS && channels >= LEAST_CHANNELS && terms > 0
}

/// Numbers of scratch that [`sum`] needs for sums of `terms` products.
pub(super) fn scratch_len(windows: usize, channels: usize, terms: usize) -> usize {
    windows.div_ceil(PANEL) * PANEL * terms + windows * channels
}

impl<T: Real> Conv<T> {
    /// For each group the weights as `[outputs / TOGETHER][inputs × taps][TOGETHER]`.
    pub(super) fn turned(&self) -> Vec<Vec<T>> {
        let outputs = self.outputs / self.groups;
        let terms = self.inputs / self.groups * self.windows.taps();
        let group = |g: usize| {
            let at = move |k: usize, o: usize| self.weights[(g * outputs + o) * terms + k];
            let mut turned = Vec::with_capacity(outputs * terms);
            for first in (0..outputs).step_by(TOGETHER) {
                let together = first..outputs.min(first + TOGETHER);
                (0..terms).for_each(|k| turned.extend(together.clone().map(|o| at(k, o))));
            }
            turned
        };
        (0..self.groups).map(group).collect()
    }
}

/// The sums of all windows of `block`: tap `k` of the first one meets `data[offsets[k]]`.
pub(super) fn sum<T: Real>(
    turned: &[T],
    offsets: &[usize],
    block: &RowBlock,
    data: &[T],
    start: SumStart<'_, T>,
    out: &mut [T],
    scratch: &mut [T],
) {
    let [a, b, c] = block.counts;
    let (windows, terms) = (a * b * c, offsets.len());
    let channels = out.len() / windows;
    let (packed, sums) = scratch.split_at_mut(windows.div_ceil(PANEL) * PANEL * terms);
    let place = |w: usize| ((w / (b * c)) * block.from[1] + w / c % b) * block.from[2] + w % c;
    for (panel, packed) in packed.chunks_exact_mut(PANEL * terms).enumerate() {
        // The last window stands in for those that the last panel lacks: their sums are not stored.
        let places: [usize; PANEL] = std::array::from_fn(|m| place((panel * PANEL + m).min(windows - 1)));
        for (column, &offset) in packed.chunks_exact_mut(PANEL).zip(offsets) {
            let taps = &data[offset..];
            column.iter_mut().zip(places).for_each(|(entry, place)| *entry = taps[place]);
        }
    }
    let columns = PanelsView { outputs: windows, inputs: terms, packed };
    for (first, data) in (0..channels).step_by(TOGETHER).zip(turned.chunks(TOGETHER * terms)) {
        let together = TOGETHER.min(channels - first);
        let rows = Rows::Strided { data, stride: together };
        weighted_rows(columns, rows, SumStart::Zero, &mut sums[first..], channels, together);
    }
    for (o, out) in out.chunks_exact_mut(windows).enumerate() {
        for (w, y) in out.iter_mut().enumerate() {
            let before = match start {
                SumStart::Zero => T::zero(),
                SumStart::Bias(bias) => bias[o],
                SumStart::Accumulate => *y,
            };
            *y = before + sums[w * channels + o];
        }
    }
}
