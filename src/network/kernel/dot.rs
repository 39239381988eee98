//! Inner products and scaled additions of contiguous vectors: dense layers for a single point.

use super::dispatch::vectorized;
use crate::network::real::Real;

/// Independent sums: enough to hide the latency of additions, and what the compiler turns into vectors.
const CHAINS: usize = 32;

/// `Σ a[i] · b[i]`.
pub fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    vectorized(|| dot_body(a, b))
}

/// `out[m] (+)= Σ_k matrix[m][k] · x[k]` for a row-major matrix, starting from what `out` holds.
pub fn matrix_vector<T: Real>(matrix: &[T], x: &[T], out: &mut [T]) {
    if x.is_empty() {
        return;
    }
    vectorized(|| {
        for (row, y) in matrix.chunks_exact(x.len()).zip(out) {
            *y += dot_body(row, x);
        }
    });
}

/// `out[k] += Σ_m matrix[m][k] · y[m]` for a row-major matrix: the product with its transpose.
pub fn vector_matrix<T: Real>(matrix: &[T], y: &[T], out: &mut [T]) {
    if out.is_empty() {
        return;
    }
    let columns = out.len();
    vectorized(|| {
        for (row, &scale) in matrix.chunks_exact(columns).zip(y) {
            if scale != T::zero() {
                for (o, &w) in out.iter_mut().zip(row) {
                    *o += w * scale;
                }
            }
        }
    });
}

#[inline(always)]
fn dot_body<T: Real>(a: &[T], b: &[T]) -> T {
    let mut sums = [T::zero(); CHAINS];
    let (mut a, mut b) = (a.chunks_exact(CHAINS), b.chunks_exact(CHAINS));
    for (a, b) in a.by_ref().zip(b.by_ref()) {
        for i in 0..CHAINS {
            sums[i] += a[i] * b[i];
        }
    }
    for (i, (&a, &b)) in a.remainder().iter().zip(b.remainder()).enumerate() {
        sums[i] += a * b;
    }
    let mut width = CHAINS / 2;
    while width > 0 {
        for i in 0..width {
            let other = sums[i + width];
            sums[i] += other;
        }
        width /= 2;
    }
    sums[0]
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
            let (mut forward, mut backward) = (vec![1.0; rows], vec![1.0; columns]);
            matrix_vector(&matrix, &x, &mut forward);
            vector_matrix(&matrix, &y, &mut backward);
            for m in 0..rows {
                let want: f64 = 1.0 + (0..columns).map(|k| matrix[m * columns + k] * x[k]).sum::<f64>();
                assert!((forward[m] - want).abs() < 1e-12);
                assert!((dot(&matrix[m * columns..(m + 1) * columns], &x) + 1.0 - want).abs() < 1e-12);
            }
            for k in 0..columns {
                let want: f64 = 1.0 + (0..rows).map(|m| matrix[m * columns + k] * y[m]).sum::<f64>();
                assert!((backward[k] - want).abs() < 1e-12);
            }
        }
    }
}
