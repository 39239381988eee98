//! Sums of rows for a block of windows: one by one where rows are long, as one run with gaps where they are short.

use std::mem;

use crate::dispatch::{WORTH_THREADS, side_by_side};
use crate::network::kernel::panels::{PanelsView, Rows, SumStart, sum_parts, weighted_rows};
use crate::network::op::windows::AXES;
use crate::network::real::Real;

/// Rows of at least this many numbers are summed one by one; shorter ones as one run with the numbers between
/// them, which are thrown away: four 512-bit vectors keep the kernel busy.
const LONG_ROW: usize = 64;

/// A block of rows that sums are made for: `counts[2]` numbers long, `counts[0] × counts[1]` of them.
pub(super) struct RowBlock {
    pub(super) counts: [usize; AXES],
    /// Lengths of the tensor that the rows of the operand lie in.
    pub(super) from: [usize; AXES],
    /// Lengths of the tensor that the rows of the result lie in.
    pub(super) to: [usize; AXES],
    pub(super) lanes: usize,
    /// How many threads it may be dealt out to.
    pub(super) threads: usize,
}

/// Results that are `stride` numbers apart.
pub(super) struct Strided<'a, T> {
    pub(super) out: &'a mut [T],
    pub(super) stride: usize,
}

impl RowBlock {
    pub(super) fn is_long(&self) -> bool {
        self.counts[2] * self.lanes >= LONG_ROW || self.counts[0] * self.counts[1] == 1
    }

    /// Numbers from the first row's start to the last row's end.
    pub(super) fn run(&self) -> usize {
        let [a, b, c] = self.counts;
        (((a - 1) * self.from[1] + b - 1) * self.from[2] + c) * self.lanes
    }

    /// The sums of all rows, on several threads if that is worth their start: each has some of the outputs.
    pub(super) fn sum<T: Real>(
        &self,
        weights: PanelsView<'_, T>,
        data: &[T],
        offsets: &[usize],
        start: SumStart<'_, T>,
        to: Strided<'_, T>,
        scratch: &mut [T],
    ) {
        let work = weights.outputs * weights.inputs * self.counts.iter().product::<usize>() * self.lanes;
        if self.threads <= 1 || work < WORTH_THREADS {
            return self.sum_part(weights, data, offsets, start, to, scratch);
        }
        let (stride, run) = (to.stride, if self.is_long() { 0 } else { self.run() });
        let mut scratch = scratch;
        let parts = sum_parts(weights, start, to.out, stride, self.threads).into_iter().map(|part| {
            let (sums, rest) = mem::take(&mut scratch).split_at_mut(run * part.weights.outputs);
            scratch = rest;
            (part, sums)
        });
        side_by_side(parts, |(part, sums)| {
            let to = Strided { out: part.out, stride };
            self.sum_part(part.weights, data, offsets, part.start, to, sums);
        });
    }

    fn sum_part<T: Real>(
        &self,
        weights: PanelsView<'_, T>,
        data: &[T],
        offsets: &[usize],
        start: SumStart<'_, T>,
        to: Strided<'_, T>,
        scratch: &mut [T],
    ) {
        let ([a, b, c], lanes) = (self.counts, self.lanes);
        let rows = (0..a).flat_map(|i| (0..b).map(move |j| (i, j)));
        let from = |(i, j): (usize, usize)| (i * self.from[1] + j) * self.from[2] * lanes;
        let target = |(i, j): (usize, usize)| (i * self.to[1] + j) * self.to[2] * lanes;
        if self.is_long() {
            for row in rows {
                let source = Rows::Offset { data: &data[from(row)..], offsets, unit: lanes };
                weighted_rows(weights, source, start, &mut to.out[target(row)..], to.stride, c * lanes);
            }
            return;
        }
        let run = self.run();
        let accumulate = matches!(start, SumStart::Accumulate);
        let start = if accumulate { SumStart::Zero } else { start };
        let sums = &mut scratch[..run * weights.outputs];
        weighted_rows(weights, Rows::Offset { data, offsets, unit: lanes }, start, sums, run, run);
        for (m, sums) in sums.chunks_exact(run).enumerate() {
            for row in rows.clone() {
                let source = &sums[from(row)..][..c * lanes];
                let target = &mut to.out[m * to.stride + target(row)..][..c * lanes];
                if accumulate {
                    target.iter_mut().zip(source).for_each(|(t, &s)| *t += s);
                } else {
                    target.copy_from_slice(source);
                }
            }
        }
    }
}
