//! Products of two matrices that both differ from lane to lane, or of two matrices of a single point.
//!
//! With many lanes each number of the result is a sum of products of two rows of lanes: blocks of four by four
//! results keep two loads for every four multiplications. With one lane the left matrix is packed and the rows of
//! the right one are what `weighted_rows` adds up.

use super::extent;
use super::panels::{Panels, PanelsView, Rows, SumStart, weighted_rows};
use super::vector::Vector;
use crate::dispatch::InstructionSet;
use crate::network::real::Real;

/// A matrix of rows of lanes: entry `(i, j)` starts at `(i * row + j * column) * lanes`.
#[derive(Clone, Copy)]
pub(crate) struct StridedMatrix<'a, T> {
    /// The numbers.
    pub(crate) data: &'a [T],
    /// Step from row to row, in rows of lanes.
    pub(crate) row: usize,
    /// Step from column to column, in rows of lanes.
    pub(crate) column: usize,
}

impl<T> StridedMatrix<'_, T> {
    /// Numbers up to the end of the last one that a matrix of this size reads.
    fn extent(&self, rows: usize, columns: usize, lanes: usize) -> usize {
        extent(rows - 1, self.row, extent(columns - 1, self.column, 1)).saturating_mul(lanes)
    }
}

/// Results a block, in both directions.
const TILE: usize = 4;

/// `out[i][j] += Σ_k a[i][k] · b[k][j]`, lane by lane; `sizes` are the numbers of `i`, `k`, `j`; `out` is
/// row-major. `scratch` is memory for packing.
pub(crate) fn accumulate<T: Real>(
    a: StridedMatrix<'_, T>,
    b: StridedMatrix<'_, T>,
    out: &mut [T],
    sizes: (usize, usize, usize),
    lanes: usize,
    scratch: &mut Vec<T>,
) {
    let (m, k, n) = sizes;
    if m == 0 || n == 0 || k == 0 || lanes == 0 {
        return;
    }
    if lanes == 1 {
        return single(a, b, out, sizes, scratch);
    }
    accumulate_with(InstructionSet::detect(), a, b, out, sizes, lanes);
}

/// Blocks of several lanes, with a given instruction set.
fn accumulate_with<T: Real>(
    set: InstructionSet,
    a: StridedMatrix<'_, T>,
    b: StridedMatrix<'_, T>,
    out: &mut [T],
    sizes: (usize, usize, usize),
    lanes: usize,
) {
    let (m, k, n) = sizes;
    assert!(a.data.len() >= a.extent(m, k, lanes), "the left matrix is too short");
    assert!(b.data.len() >= b.extent(k, n, lanes), "the right matrix is too short");
    assert!(out.len() >= extent(m, n, 0).saturating_mul(lanes), "the result is too short");
    let job = ProductJob { a, b, out: out.as_mut_ptr(), sizes, lanes };
    // SAFETY: the lengths were checked above, and a set carries its token.
    unsafe {
        match set {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512(_) => run_avx512(&job),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2(_) => run_avx2(&job),
            _ => run::<T, T::Plain>(&job),
        }
    }
}

fn single<T: Real>(
    a: StridedMatrix<'_, T>,
    b: StridedMatrix<'_, T>,
    out: &mut [T],
    (m, k, n): (usize, usize, usize),
    scratch: &mut Vec<T>,
) {
    Panels::pack_into(scratch, m, k, |i, j| a.data[i * a.row + j * a.column]);
    let packed = scratch.len();
    if b.column != 1 {
        scratch.reserve(k * n);
        for i in 0..k {
            scratch.extend((0..n).map(|j| b.data[i * b.row + j * b.column]));
        }
    }
    let (panels, turned) = scratch.split_at(packed);
    let weights = PanelsView { outputs: m, inputs: k, packed: panels };
    let rows = if b.column == 1 {
        Rows::Strided { data: b.data, stride: b.row }
    } else {
        Rows::Strided { data: turned, stride: n }
    };
    weighted_rows(weights, rows, SumStart::Accumulate, out, n, n);
}

struct ProductJob<'a, T> {
    a: StridedMatrix<'a, T>,
    b: StridedMatrix<'a, T>,
    out: *mut T,
    sizes: (usize, usize, usize),
    lanes: usize,
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn run_avx512<T: Real>(job: &ProductJob<'_, T>) {
    // SAFETY: the caller checked the lengths.
    unsafe { run::<T, T::Wide>(job) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<T: Real>(job: &ProductJob<'_, T>) {
    // SAFETY: the caller checked the lengths.
    unsafe { run::<T, T::Half>(job) }
}

/// # Safety
/// The job's lengths have been checked and `V`'s instruction set is there.
#[inline(always)]
unsafe fn run<T: Real, V: Vector<Number = T>>(job: &ProductJob<'_, T>) {
    let (m, _, n) = job.sizes;
    let mut lane = 0;
    while lane < job.lanes {
        let left = (job.lanes - lane).min(V::LANES);
        for i in (0..m).step_by(TILE) {
            for j in (0..n).step_by(TILE) {
                // SAFETY: as this function's.
                unsafe {
                    if left == V::LANES {
                        tile::<T, V, true>(job, i, j, lane, left);
                    } else {
                        tile::<T, V, false>(job, i, j, lane, left);
                    }
                }
            }
        }
        lane += left;
    }
}

/// # Safety
/// Rows from `i`, columns from `j` and `count` lanes from `lane` exist; `count == V::LANES` if `FULL`.
#[inline(always)]
unsafe fn tile<T: Real, V: Vector<Number = T>, const FULL: bool>(
    job: &ProductJob<'_, T>,
    i: usize,
    j: usize,
    lane: usize,
    count: usize,
) {
    let (m, k, n) = job.sizes;
    let (a, b, lanes) = (job.a, job.b, job.lanes);
    // Beyond the edge of the result the last row or column is computed again and not stored.
    let row = |r: usize| (i + r).min(m - 1);
    let column = |c: usize| (j + c).min(n - 1);
    // SAFETY: all indices are those of entries that exist, and lanes beyond `count` are masked.
    unsafe {
        let load = |from: *const T| if FULL { V::load(from) } else { V::load_partial(from, count) };
        let mut sums = [[V::splat(T::zero()); TILE]; TILE];
        for t in 0..k {
            let mut right = [V::splat(T::zero()); TILE];
            for (c, part) in right.iter_mut().enumerate() {
                *part = load(b.data.as_ptr().add((t * b.row + column(c) * b.column) * lanes + lane));
            }
            for (r, sum) in sums.iter_mut().enumerate() {
                let left = load(a.data.as_ptr().add((row(r) * a.row + t * a.column) * lanes + lane));
                for c in 0..TILE {
                    sum[c] = left.mul_add(right[c], sum[c]);
                }
            }
        }
        for (r, sum) in sums.iter().enumerate().take(m - i) {
            for (c, part) in sum.iter().enumerate().take(n - j) {
                let to = job.out.add(((i + r) * n + j + c) * lanes + lane);
                let total = part.add(load(to));
                if FULL {
                    total.store(to);
                } else {
                    total.store_partial(to, count);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_plain_sum() {
        for (m, k, n) in [(1, 1, 1), (3, 5, 2), (4, 4, 4), (9, 7, 6)] {
            for lanes in [1, 2, 8, 16, 17, 33] {
                for (turn_a, turn_b) in [(false, false), (true, false), (false, true)] {
                    check(m, k, n, lanes, turn_a, turn_b);
                }
            }
        }
    }

    fn check(m: usize, k: usize, n: usize, lanes: usize, turn_a: bool, turn_b: bool) {
        let number = |i: usize| ((i * 37) % 23) as f64 / 7.0 - 1.5;
        let a: Vec<f64> = (0..m * k * lanes).map(number).collect();
        let b: Vec<f64> = (0..k * n * lanes).map(|i| number(i + 5)).collect();
        let side = |turn: bool, rows: usize, columns: usize| if turn { (1, rows) } else { (columns, 1) };
        let ((ar, ac), (br, bc)) = (side(turn_a, m, k), side(turn_b, k, n));
        let left = || StridedMatrix { data: &a, row: ar, column: ac };
        let right = || StridedMatrix { data: &b, row: br, column: bc };
        let mut out = vec![1.0; m * n * lanes];
        accumulate(left(), right(), &mut out, (m, k, n), lanes, &mut Vec::new());
        let sets = InstructionSet::available().map(|set| {
            let mut out = vec![1.0; m * n * lanes];
            accumulate_with(set, left(), right(), &mut out, (m, k, n), lanes);
            out
        });
        for out in sets.chain([out]) {
            agrees(&out, (&a, ar, ac), (&b, br, bc), (m, k, n), lanes);
        }
    }

    type Turned<'a> = (&'a [f64], usize, usize);

    fn agrees(
        out: &[f64],
        (a, ar, ac): Turned<'_>,
        (b, br, bc): Turned<'_>,
        (m, k, n): (usize, usize, usize),
        lanes: usize,
    ) {
        for i in 0..m {
            for j in 0..n {
                for lane in 0..lanes {
                    let sum: f64 = (0..k)
                        .map(|t| a[(i * ar + t * ac) * lanes + lane] * b[(t * br + j * bc) * lanes + lane])
                        .sum();
                    let got = out[(i * n + j) * lanes + lane];
                    assert!((got - 1.0 - sum).abs() < 1e-12, "{m}×{k}×{n}, {lanes} lanes: {got}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "the left matrix is too short")]
    fn a_stride_whose_product_overflows_is_refused() {
        let side = |row: usize| StridedMatrix { data: &[1.0; 4][..], row, column: 1 };
        accumulate_with(InstructionSet::Plain, side(usize::MAX), side(2), &mut [0.0; 4], (2, 2, 2), 1);
    }
}
