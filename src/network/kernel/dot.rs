//! Products of a row-major matrix and a vector: dense layers for a single point.
//!
//! Several rows go together, so that each part of the vector is loaded once for all of them and enough sums run side
//! by side to hide the latency of additions.

use super::extent;
use super::vector::Vector;
use crate::dispatch::{InstructionSet, vectorized};
use crate::network::real::Real;

/// Rows that go together.
const ROWS: usize = 4;
/// Vectors of a row that go together: `ROWS · PARTS` sums.
const PARTS: usize = 2;
/// Room for the lanes of any vector.
const MOST_LANES: usize = 16;

/// `out[m] += Σ_k matrix[m][k] · x[k]` for a row-major matrix.
pub(crate) fn matrix_vector<T: Real>(matrix: &[T], x: &[T], out: &mut [T]) {
    matrix_vector_with(InstructionSet::detect(), matrix, x, out);
}

/// [`matrix_vector`] with a given instruction set.
fn matrix_vector_with<T: Real>(set: InstructionSet, matrix: &[T], x: &[T], out: &mut [T]) {
    assert!(matrix.len() >= extent(out.len(), x.len(), 0), "the matrix is too short");
    // SAFETY: the length was checked above, and a set carries its token.
    unsafe {
        match set {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512(_) => run_avx512(matrix, x, out),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2(_) => run_avx2(matrix, x, out),
            _ => run::<T, T::Plain>(matrix, x, out),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn run_avx512<T: Real>(matrix: &[T], x: &[T], out: &mut [T]) {
    // SAFETY: the caller checked the lengths.
    unsafe { run::<T, T::Wide>(matrix, x, out) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<T: Real>(matrix: &[T], x: &[T], out: &mut [T]) {
    // SAFETY: the caller checked the lengths.
    unsafe { run::<T, T::Half>(matrix, x, out) }
}

/// # Safety
/// `matrix` holds `out.len()` rows of `x.len()` numbers and `V`'s instruction set is there.
#[inline(always)]
unsafe fn run<T: Real, V: Vector<Number = T>>(matrix: &[T], x: &[T], out: &mut [T]) {
    let columns = x.len();
    for (block, out) in out.chunks_mut(ROWS).enumerate() {
        // SAFETY: as this function's; the last block repeats its first row where it has none.
        unsafe {
            let first = matrix.as_ptr().add(block * ROWS * columns);
            let row = |r: usize| first.add(if r < out.len() { r * columns } else { 0 });
            let mut sums = [[V::splat(T::zero()); PARTS]; ROWS];
            let mut k = 0;
            while k + PARTS * V::LANES <= columns {
                for part in 0..PARTS {
                    let at = k + part * V::LANES;
                    let x = V::load(x.as_ptr().add(at));
                    for (r, sum) in sums.iter_mut().enumerate() {
                        sum[part] = V::load(row(r).add(at)).mul_add(x, sum[part]);
                    }
                }
                k += PARTS * V::LANES;
            }
            while k < columns {
                let count = V::LANES.min(columns - k);
                let x = V::load_partial(x.as_ptr().add(k), count);
                for (r, sum) in sums.iter_mut().enumerate() {
                    sum[0] = V::load_partial(row(r).add(k), count).mul_add(x, sum[0]);
                }
                k += count;
            }
            for (y, sum) in out.iter_mut().zip(sums) {
                let mut lanes = [T::zero(); MOST_LANES];
                sum[0].add(sum[1]).store(lanes.as_mut_ptr());
                *y += total(lanes);
            }
        }
    }
}

/// The sum of all lanes, by halves.
#[inline(always)]
fn total<T: Real>(mut lanes: [T; MOST_LANES]) -> T {
    let mut width = MOST_LANES / 2;
    while width > 0 {
        for i in 0..width {
            let other = lanes[i + width];
            lanes[i] += other;
        }
        width /= 2;
    }
    lanes[0]
}

/// `out[k] += Σ_m matrix[m][first + k] · y[m]` for a row-major matrix of so many columns: the product with its transpose. Rows whose
/// factor is zero are skipped, which after a ReLU are many.
pub(crate) fn vector_matrix<T: Real>(matrix: &[T], columns: usize, first: usize, y: &[T], out: &mut [T]) {
    if out.is_empty() {
        return;
    }
    let wanted = first..first + out.len();
    let rows = matrix.chunks_exact(columns).map(|row| &row[wanted.clone()]);
    let mut rows = rows.zip(y).filter(|(_, y)| **y != T::zero());
    vectorized(|| {
        while let Some((a, &p)) = rows.next() {
            let Some((b, &q)) = rows.next() else {
                out.iter_mut().zip(a).for_each(|(o, &a)| *o = a.fma(p, *o));
                return;
            };
            for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
                *o = b.fma(q, a.fma(p, *o));
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_agree_with_plain_sums() {
        for (rows, columns) in [(1, 1), (3, 7), (5, 32), (4, 100), (2, 67)] {
            let matrix: Vec<f64> = (0..rows * columns).map(|i| ((i * 13) % 29) as f64 / 7.0 - 2.0).collect();
            let x: Vec<f64> = (0..columns).map(|i| (i as f64).sin()).collect();
            let y: Vec<f64> = (0..rows).map(|i| (i as f64).cos()).collect();
            for set in InstructionSet::available() {
                let mut forward = vec![1.0; rows];
                matrix_vector_with(set, &matrix, &x, &mut forward);
                for m in 0..rows {
                    let want: f64 = 1.0 + (0..columns).map(|k| matrix[m * columns + k] * x[k]).sum::<f64>();
                    assert!((forward[m] - want).abs() < 1e-12, "{set:?}");
                }
            }
            let mut backward = vec![1.0; columns];
            let (left, right) = backward.split_at_mut(columns / 3);
            vector_matrix(&matrix, columns, 0, &y, left);
            vector_matrix(&matrix, columns, columns / 3, &y, right);
            for k in 0..columns {
                let want: f64 = 1.0 + (0..rows).map(|m| matrix[m * columns + k] * y[m]).sum::<f64>();
                assert!((backward[k] - want).abs() < 1e-12);
            }
        }
    }
}
