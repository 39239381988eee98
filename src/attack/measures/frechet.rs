//! The Fréchet distance between two samples of features, each taken for a normal distribution (Dowson and Landau 1982;
//! Heusel et al. 2017, "FID"): `|m − n|² + tr(S + T − 2 (S T)^½)` of means and covariances (divisor: number − 1).
//!
//! The trace of the root is that of `(S^½ T S^½)^½`, which is symmetric: two symmetric eigendecompositions, rounding below
//! zero cut off. With fewer samples than features the covariances are singular, and it is found without them: for
//! `S = AᵀA` and `T = BᵀB` it is the sum of the singular values of `A Bᵀ`, a small matrix of which nothing was squared.

use nalgebra::DMatrix;

/// The distance between two samples, one row a sample; `None` for fewer than two rows, or numbers that are not finite.
pub fn frechet(a: &DMatrix<f64>, b: &DMatrix<f64>) -> Option<f64> {
    let usable = |sample: &DMatrix<f64>| sample.nrows() >= 2 && sample.iter().all(|x| x.is_finite());
    if a.ncols() != b.ncols() || !usable(a) || !usable(b) {
        return None;
    }
    let means = (a.row_mean() - b.row_mean()).norm_squared();
    let (a, b) = (centred(a), centred(b));
    let root = match a.nrows().max(b.nrows()) < a.ncols() {
        true => root_by_samples(&a, &b),
        false => root_by_covariances(&a, &b),
    };
    // Rounding may leave a negative number near zero.
    Some((means + a.norm_squared() + b.norm_squared() - 2.0 * root).max(0.0))
}

/// Rows less their mean, divided by `√(number − 1)`: `AᵀA` is the covariance.
fn centred(sample: &DMatrix<f64>) -> DMatrix<f64> {
    let (mean, scale) = (sample.row_mean(), 1.0 / ((sample.nrows() - 1) as f64).sqrt());
    let mut centred = sample.clone();
    for mut row in centred.row_iter_mut() {
        row -= &mean;
    }
    centred * scale
}

/// `tr (S T)^½` as the sum of the singular values of `A Bᵀ`.
fn root_by_samples(a: &DMatrix<f64>, b: &DMatrix<f64>) -> f64 {
    (a * b.transpose()).singular_values().sum()
}

/// `tr (S T)^½` as the trace of `(S^½ T S^½)^½`.
fn root_by_covariances(a: &DMatrix<f64>, b: &DMatrix<f64>) -> f64 {
    let (s, t) = (a.transpose() * a, b.transpose() * b);
    let half = square_root(s);
    let product = &half * t * &half;
    let product = (&product + product.transpose()) * 0.5;
    product.symmetric_eigenvalues().iter().map(|value| value.max(0.0).sqrt()).sum()
}

/// The root of a symmetric matrix without negative eigenvalues.
fn square_root(matrix: DMatrix<f64>) -> DMatrix<f64> {
    let eigen = matrix.symmetric_eigen();
    let mut scaled = eigen.eigenvectors.clone();
    for (mut column, value) in scaled.column_iter_mut().zip(eigen.eigenvalues.iter()) {
        column *= value.max(0.0).sqrt();
    }
    scaled * eigen.eigenvectors.transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn sample(rows: usize, columns: usize, seed: u64, scale: f64, shift: f64) -> DMatrix<f64> {
        let mut random = Random::new(seed);
        DMatrix::from_fn(rows, columns, |_, column| random.normal() * scale * (1 + column % 3) as f64 + shift)
    }

    fn check(name: &str, got: Option<f64>, want: f64) {
        assert!(
            got.is_some_and(|got| (got - want).abs() <= 1e-9 * want.abs().max(1.0)),
            "{name}: {got:?}, {want}"
        );
    }

    #[test]
    fn closed_forms() {
        let line = |values: &[f64]| DMatrix::from_column_slice(values.len(), 1, values);
        // One feature: (difference of the means)² + (difference of the deviations)².
        check("one feature", frechet(&line(&[0.0, 2.0]), &line(&[5.0, 9.0])), 36.0 + 2.0);
        let a = sample(40, 5, 1, 1.0, 0.0);
        check("itself", frechet(&a, &a), 0.0);
        check("shifted", frechet(&a, &a.add_scalar(0.5)), 5.0 * 0.25);
        // Doubled around the mean: the trace of the covariance, (2 − 1)² times.
        let mut doubled = a.clone();
        for mut row in doubled.row_iter_mut() {
            row *= 2.0;
        }
        let moved = a.row_mean().norm_squared();
        check("doubled", frechet(&a, &doubled), moved + centred(&a).norm_squared());
        assert_eq!(frechet(&line(&[1.0]), &line(&[1.0, 2.0])), None);
        assert_eq!(frechet(&line(&[1.0, f64::NAN]), &line(&[1.0, 2.0])), None);
    }

    #[test]
    fn both_ways_to_the_root_agree() {
        for (rows, columns) in [(4, 9), (9, 4), (6, 6), (30, 12), (12, 30), (2, 50)] {
            let (a, b) = (
                centred(&sample(rows, columns, 3, 1.0, 0.0)),
                centred(&sample(rows + 1, columns, 4, 2.0, 1.0)),
            );
            let (small, large) = (root_by_samples(&a, &b), root_by_covariances(&a, &b));
            assert!((small - large).abs() < 1e-6 * small.max(1.0), "{rows} x {columns}: {small}, {large}");
        }
    }

    /// scipy 1.x: `m + trace(S) + trace(T) - 2 * trace(scipy.linalg.sqrtm(S @ T).real)` with `numpy.cov`, of samples
    /// that both sides can make.
    #[test]
    fn the_figures_of_scipy() {
        let sample = |rows: usize, columns: usize, k: f64| {
            DMatrix::from_fn(rows, columns, |i, j| {
                let (i, j, d) = (i as f64, j as f64, columns as f64);
                (1.0 + k * i * d + 0.7 * i * j + 0.3 * j * j + k).sin()
            })
        };
        let cases =
            [(20, 3, 0.020_812_971_065_960_36), (50, 6, 0.734_148_908_831_155_1), (5, 8, 4.743_993_999_3)];
        for (rows, columns, want) in cases {
            let got = frechet(&sample(rows, columns, 0.1), &sample(rows + 3, columns, 0.23));
            assert!(got.is_some_and(|got| (got - want).abs() < 1e-5), "{rows} x {columns}: {got:?}, {want}");
        }
    }
}
