//! The one hot kernel: rows of numbers, weighted and summed.
//!
//! `out[m][·] (+)= Σ_k w[m][k] · row_k[·]` for vectors of `lanes` numbers. Dense layers, convolutions and matrix
//! products all come down to it; what differs is only where `row_k` lies. Weights are packed in panels of
//! [`PANEL`] outputs, `panel[k][m]`, so that the inner loop broadcasts from one stream. Six outputs by four
//! 512-bit vectors are 24 accumulators of the 32 registers: the block that measured fastest (111 GFLOP/s on
//! 50×50 against 83 for a general matrix product, one thread, f32).

use super::extent;
use super::vector::Vector;
use crate::dispatch::{InstructionSet, WORTH_THREADS, side_by_side};
use crate::network::real::Real;

/// Outputs a panel.
pub(crate) const PANEL: usize = 6;

/// A matrix `[outputs][inputs]` packed for the kernel.
#[derive(Debug, Clone)]
pub(crate) struct Panels<T> {
    outputs: usize,
    inputs: usize,
    /// `outputs.div_ceil(PANEL)` panels of `inputs * PANEL` numbers; the last one is padded with zeros.
    packed: Vec<T>,
}

impl<T: Real> Panels<T> {
    /// Packs the matrix whose entry is `at(output, input)`.
    pub(crate) fn pack(outputs: usize, inputs: usize, at: impl Fn(usize, usize) -> T) -> Self {
        let mut packed = Vec::new();
        Self::pack_into(&mut packed, outputs, inputs, at);
        Self { outputs, inputs, packed }
    }

    /// Packs into a buffer that is reused: for matrices that are values of the network themselves.
    pub(crate) fn pack_into(
        packed: &mut Vec<T>,
        outputs: usize,
        inputs: usize,
        at: impl Fn(usize, usize) -> T,
    ) {
        packed.clear();
        packed.resize(outputs.div_ceil(PANEL) * PANEL * inputs, T::zero());
        Self::pack_slice(packed, outputs, inputs, at);
    }

    /// Packs into `outputs.div_ceil(PANEL) * PANEL * inputs` numbers.
    pub(crate) fn pack_slice(
        packed: &mut [T],
        outputs: usize,
        inputs: usize,
        at: impl Fn(usize, usize) -> T,
    ) {
        for (p, panel) in packed.chunks_exact_mut((PANEL * inputs).max(1)).enumerate() {
            let count = PANEL.min(outputs - p * PANEL);
            for (k, column) in panel.chunks_exact_mut(PANEL).enumerate() {
                for (m, entry) in column.iter_mut().enumerate() {
                    *entry = if m < count { at(p * PANEL + m, k) } else { T::zero() };
                }
            }
        }
    }

    /// The kernel's view of the packed matrix.
    pub(crate) fn view(&self) -> PanelsView<'_, T> {
        PanelsView { outputs: self.outputs, inputs: self.inputs, packed: &self.packed }
    }
}

/// A packed matrix, borrowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PanelsView<'a, T> {
    /// Rows of the matrix.
    pub(crate) outputs: usize,
    /// Columns of the matrix.
    pub(crate) inputs: usize,
    /// As [`Panels::pack_into`] leaves it.
    pub(crate) packed: &'a [T],
}

/// Where `row_k` lies.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a, T> {
    /// `row_k = data[k * stride ..]`.
    Strided {
        /// The rows.
        data: &'a [T],
        /// Distance between two of them.
        stride: usize,
    },
    /// `row_k = data[offsets[k] * unit ..]`: convolutions name the places where taps meet the image.
    Offset {
        /// What the rows lie in.
        data: &'a [T],
        /// Where they begin, in units.
        offsets: &'a [usize],
        /// Numbers a unit.
        unit: usize,
    },
}

impl<T> Rows<'_, T> {
    fn check(&self, inputs: usize, lanes: usize) {
        match *self {
            Rows::Strided { data, stride } => {
                assert!(inputs == 0 || data.len() >= extent(inputs - 1, stride, lanes), "rows are too short");
            }
            Rows::Offset { data, offsets, unit } => {
                let last = offsets[..inputs].iter().max().map_or(0, |&at| extent(at, unit, lanes));
                assert!(data.len() >= last, "a row is outside of the data");
            }
        }
    }
}

/// What the sums start from.
#[derive(Clone, Copy)]
pub(crate) enum SumStart<'a, T> {
    /// Zero.
    Zero,
    /// One number an output.
    Bias(&'a [T]),
    /// What `out` holds.
    Accumulate,
}

/// Some whole panels of a matrix, with what their sums start from and where they go.
pub(crate) struct SumPart<'a, T> {
    pub(crate) weights: PanelsView<'a, T>,
    pub(crate) start: SumStart<'a, T>,
    pub(crate) out: &'a mut [T],
}

/// Deals the outputs of a sum out, to at most so many.
pub(crate) fn sum_parts<'a, T: Copy>(
    weights: PanelsView<'a, T>,
    start: SumStart<'a, T>,
    mut out: &'a mut [T],
    out_stride: usize,
    count: usize,
) -> Vec<SumPart<'a, T>> {
    let each = weights.outputs.div_ceil(PANEL).div_ceil(count.max(1)) * PANEL;
    let mut parts = Vec::with_capacity(count);
    for first in (0..weights.outputs).step_by(each.max(1)) {
        let outputs = each.min(weights.outputs - first);
        let (own, rest) = out.split_at_mut(out.len().min(outputs * out_stride));
        out = rest;
        let start = match start {
            SumStart::Bias(bias) => SumStart::Bias(&bias[first..first + outputs]),
            other => other,
        };
        let packed = &weights.packed[first * weights.inputs..];
        parts.push(SumPart { weights: PanelsView { outputs, packed, ..weights }, start, out: own });
    }
    parts
}

/// [`weighted_rows`] on up to so many threads.
pub(crate) fn weighted_rows_on<T: Real>(
    threads: usize,
    weights: PanelsView<'_, T>,
    rows: Rows<'_, T>,
    start: SumStart<'_, T>,
    out: &mut [T],
    lanes: usize,
) {
    if threads <= 1 || weights.outputs * weights.inputs * lanes < WORTH_THREADS {
        return weighted_rows(weights, rows, start, out, lanes, lanes);
    }
    side_by_side(sum_parts(weights, start, out, lanes, threads), |part| {
        weighted_rows(part.weights, rows, part.start, part.out, lanes, lanes);
    });
}

/// `out[m * out_stride ..][..lanes] (+)= Σ_k w[m][k] · row_k[..lanes]` for every output `m` of `weights`.
pub(crate) fn weighted_rows<T: Real>(
    weights: PanelsView<'_, T>,
    rows: Rows<'_, T>,
    start: SumStart<'_, T>,
    out: &mut [T],
    out_stride: usize,
    lanes: usize,
) {
    weighted_rows_with(InstructionSet::detect(), weights, rows, start, out, out_stride, lanes);
}

/// [`weighted_rows`] with a given instruction set.
fn weighted_rows_with<T: Real>(
    set: InstructionSet,
    weights: PanelsView<'_, T>,
    rows: Rows<'_, T>,
    start: SumStart<'_, T>,
    out: &mut [T],
    out_stride: usize,
    lanes: usize,
) {
    if weights.outputs == 0 || lanes == 0 {
        return;
    }
    assert!(out.len() >= extent(weights.outputs - 1, out_stride, lanes), "the output is too short");
    let packed = extent(weights.outputs.div_ceil(PANEL), PANEL, 0).saturating_mul(weights.inputs);
    assert!(weights.packed.len() >= packed, "the panels are too short");
    if let SumStart::Bias(bias) = start {
        assert!(bias.len() >= weights.outputs, "the bias is too short");
    }
    rows.check(weights.inputs, lanes);
    let job = PanelJob { weights, rows, start, out: out.as_mut_ptr(), out_stride, lanes };
    // SAFETY: the lengths were checked above, and a set carries its token.
    unsafe {
        match set {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512(_) => run_avx512(&job),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2(_) => run_avx2(&job),
            _ => run::<T, T::Plain, 2, 3>(&job),
        }
    }
}

struct PanelJob<'a, T> {
    weights: PanelsView<'a, T>,
    rows: Rows<'a, T>,
    start: SumStart<'a, T>,
    out: *mut T,
    out_stride: usize,
    lanes: usize,
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn run_avx512<T: Real>(job: &PanelJob<'_, T>) {
    // SAFETY: the caller checked the lengths.
    unsafe { run::<T, T::Wide, 4, 6>(job) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<T: Real>(job: &PanelJob<'_, T>) {
    // SAFETY: the caller checked the lengths.
    unsafe { run::<T, T::Half, 2, 6>(job) }
}

/// Blocks of `NV` vectors by `MR` outputs (`MR` divides [`PANEL`]); what is left of the lanes is shared out among two blocks, so that
/// none has a single vector, whose sums would wait for each other.
///
/// # Safety
/// The job's lengths have been checked and `V`'s instruction set is there.
#[inline(always)]
unsafe fn run<T: Real, V: Vector<Number = T>, const NV: usize, const MR: usize>(job: &PanelJob<'_, T>) {
    let mut lane = 0;
    while lane < job.lanes {
        let left = (job.lanes - lane).div_ceil(V::LANES);
        let vectors = if NV < left && left < 2 * NV { left.div_ceil(2) } else { left.min(NV) };
        let lanes = (vectors * V::LANES).min(job.lanes - lane);
        for output in (0..job.weights.outputs).step_by(MR) {
            let count = MR.min(job.weights.outputs - output);
            // SAFETY: as this function's.
            unsafe { sum_part::<T, V, NV, MR>(job, &BlockPart { output, count, lane, lanes }, vectors) };
        }
        lane += lanes;
    }
}

/// What one block sums up: `count` outputs from `output`, `lanes` lanes from `lane`.
struct BlockPart {
    output: usize,
    count: usize,
    lane: usize,
    lanes: usize,
}

/// # Safety
/// What the part names exists; its lanes fill `vectors` vectors, the last one partly, and `vectors ≤ NV`.
#[inline(always)]
unsafe fn sum_part<T: Real, V: Vector<Number = T>, const NV: usize, const MR: usize>(
    job: &PanelJob<'_, T>,
    part: &BlockPart,
    vectors: usize,
) {
    let full = part.lanes == vectors * V::LANES;
    // SAFETY: as this function's.
    unsafe {
        match (vectors, full, part.count) {
            (v, true, 1) if v == NV => block::<T, V, NV, 1, true>(job, part),
            (v, true, 2) if v == NV => block::<T, V, NV, 2, true>(job, part),
            (v, true, _) if v == NV => block::<T, V, NV, MR, true>(job, part),
            (v, false, _) if v == NV => block::<T, V, NV, MR, false>(job, part),
            (1, true, _) => block::<T, V, 1, MR, true>(job, part),
            (1, false, _) => block::<T, V, 1, MR, false>(job, part),
            (2, true, _) => block::<T, V, 2, MR, true>(job, part),
            (2, false, _) => block::<T, V, 2, MR, false>(job, part),
            (_, true, _) => block::<T, V, 3, MR, true>(job, part),
            (_, false, _) => block::<T, V, 3, MR, false>(job, part),
        }
    }
}

/// `N` vectors by `M` outputs; the last vector is whole if `FULL`.
///
/// # Safety
/// What the part names exists.
#[inline(always)]
unsafe fn block<T: Real, V: Vector<Number = T>, const N: usize, const M: usize, const FULL: bool>(
    job: &PanelJob<'_, T>,
    part: &BlockPart,
) {
    // SAFETY: rows hold `lane + lanes` numbers, and there is one for each input.
    unsafe {
        match job.rows {
            Rows::Strided { data, stride } => {
                let start = data.as_ptr().add(part.lane);
                sum_up::<T, V, N, M, FULL>(job, part, |k| start.add(k * stride));
            }
            Rows::Offset { data, offsets, unit } => {
                let start = data.as_ptr().add(part.lane);
                sum_up::<T, V, N, M, FULL>(job, part, |k| start.add(*offsets.get_unchecked(k) * unit));
            }
        }
    }
}

/// # Safety
/// What the part names exists, and `row(k)` is where its `k`-th input's lanes begin.
#[inline(always)]
unsafe fn sum_up<T: Real, V: Vector<Number = T>, const N: usize, const M: usize, const FULL: bool>(
    job: &PanelJob<'_, T>,
    part: &BlockPart,
    row: impl Fn(usize) -> *const T,
) {
    let &BlockPart { output, count, lane, lanes } = part;
    let last = lanes - (N - 1) * V::LANES;
    // SAFETY: panel `output / PANEL` lies inside `packed`, rows and outputs hold the part's lanes, and outputs from `count` on are
    // computed from the padding's zeros and never stored.
    unsafe {
        let load = |from: *const T, v: usize| {
            let from = from.add(v * V::LANES);
            if FULL || v + 1 < N { V::load(from) } else { V::load_partial(from, last) }
        };
        let place = |m: usize| job.out.add((output + m) * job.out_stride + lane);
        let mut sums = [[V::splat(T::zero()); N]; M];
        for (m, sum) in sums.iter_mut().enumerate().take(count) {
            for (v, entry) in sum.iter_mut().enumerate() {
                *entry = match job.start {
                    SumStart::Zero => V::splat(T::zero()),
                    SumStart::Bias(bias) => V::splat(*bias.get_unchecked(output + m)),
                    SumStart::Accumulate => load(place(m), v),
                };
            }
        }
        let inputs = job.weights.inputs;
        let panel = (output / PANEL) * PANEL * inputs + output % PANEL;
        let mut weight = job.weights.packed.as_ptr().add(panel);
        for k in 0..inputs {
            let from = row(k);
            let mut x = [V::splat(T::zero()); N];
            for (v, entry) in x.iter_mut().enumerate() {
                *entry = load(from, v);
            }
            for (m, sum) in sums.iter_mut().enumerate() {
                let w = V::splat(*weight.add(m));
                for v in 0..N {
                    sum[v] = w.mul_add(x[v], sum[v]);
                }
            }
            weight = weight.add(PANEL);
        }
        for (m, sum) in sums.iter().enumerate().take(count) {
            for (v, entry) in sum.iter().enumerate() {
                let to = place(m).add(v * V::LANES);
                if FULL || v + 1 < N { entry.store(to) } else { entry.store_partial(to, last) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Real>(outputs: usize, inputs: usize, lanes: usize, tolerance: f64) {
        let w = |m: usize, k: usize| T::of(((m * 31 + k * 17) % 23) as f64 / 11.0 - 1.0);
        let x: Vec<T> = (0..inputs * lanes).map(|i| T::of(((i * 7) % 19) as f64 / 9.0 - 1.0)).collect();
        let bias: Vec<T> = (0..outputs).map(|m| T::of(m as f64 / 3.0)).collect();
        let panels = Panels::pack(outputs, inputs, w);
        let offsets: Vec<usize> = (0..inputs).collect();
        for set in InstructionSet::available() {
            let offset = Rows::Offset { data: &x, offsets: &offsets, unit: lanes };
            for rows in [Rows::Strided { data: &x, stride: lanes }, offset] {
                let mut out = vec![T::zero(); outputs * lanes];
                weighted_rows_with(set, panels.view(), rows, SumStart::Bias(&bias), &mut out, lanes, lanes);
                weighted_rows_with(set, panels.view(), rows, SumStart::Accumulate, &mut out, lanes, lanes);
                for m in 0..outputs {
                    for lane in 0..lanes {
                        let sum: f64 =
                            (0..inputs).map(|k| w(m, k).widen() * x[k * lanes + lane].widen()).sum();
                        let want = 2.0 * sum + bias[m].widen();
                        let got = out[m * lanes + lane].widen();
                        assert!((got - want).abs() <= tolerance, "{set:?} [{m}][{lane}] {got} {want}");
                    }
                }
            }
        }
    }

    #[test]
    fn agrees_with_the_plain_sum_for_every_shape_and_instruction_set() {
        for outputs in [1, 2, 5, 6, 7, 13] {
            for inputs in [0, 1, 3, 50, 1100] {
                for lanes in [1, 3, 8, 16, 17, 40, 64, 67, 80, 130] {
                    check::<f32>(outputs, inputs, lanes, 1e-4);
                    check::<f64>(outputs, inputs, lanes, 1e-12);
                }
            }
        }
    }
}
