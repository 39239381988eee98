//! Cholesky's factors of a small symmetric matrix, `L Lᵀ`, and systems solved with them.
//!
//! Rows are what everything goes along (`L` row by row, its transpose from the last row up), because a matrix lies in memory by
//! rows. Systems have 600 rows at most: that is 36 million multiplications, some 20 ms.

use ndarray::{Array1, Array2, ArrayView1, s};

/// The lower factor; what stands above its diagonal is not read.
#[derive(Debug)]
pub(super) struct Cholesky(Array2<f64>);

impl Cholesky {
    /// Of a symmetric matrix, of which the part above the diagonal is not read; `None` if it is not positive definite.
    pub(super) fn new(mut matrix: Array2<f64>) -> Option<Self> {
        for i in 0..matrix.nrows() {
            let (above, mut below) = matrix.view_mut().split_at(ndarray::Axis(0), i);
            let mut row = below.row_mut(0);
            for j in 0..i {
                row[j] = (row[j] - row.slice(s![..j]).dot(&above.slice(s![j, ..j]))) / above[(j, j)];
            }
            let left = row[i] - row.slice(s![..i]).dot(&row.slice(s![..i]));
            // Not a number is no square either.
            if left.is_nan() || left <= 0.0 {
                return None;
            }
            row[i] = left.sqrt();
        }
        Some(Self(matrix))
    }

    /// The `x` with `L Lᵀ x = b`.
    pub(super) fn solve(&self, b: ArrayView1<'_, f64>) -> Array1<f64> {
        let (lower, mut x) = (&self.0, b.to_owned());
        for i in 0..x.len() {
            x[i] = (x[i] - lower.slice(s![i, ..i]).dot(&x.slice(s![..i]))) / lower[(i, i)];
        }
        for i in (0..x.len()).rev() {
            x[i] /= lower[(i, i)];
            let last = x[i];
            x.slice_mut(s![..i]).scaled_add(-last, &lower.slice(s![i, ..i]));
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// `b` comes back from the solution of `A x = b`.
    fn check(matrix: &Array2<f64>, b: &Array1<f64>) {
        let x = Cholesky::new(matrix.clone()).map(|factors| factors.solve(b.view()));
        let far = x.map(|x| (matrix.dot(&x) - b).iter().fold(0.0, |most: f64, d| most.max(d.abs())));
        assert!(far.is_some_and(|far| far < 1e-9), "{matrix}: {far:?}");
    }

    #[test]
    fn systems_are_solved() {
        let mut random = Random::new(11);
        for size in [0, 1, 2, 3, 7, 20, 61] {
            let root = Array2::from_shape_fn((size, size + 3), |_| random.between(-1.0, 1.0));
            let matrix = root.dot(&root.t()) + Array2::<f64>::eye(size);
            check(&matrix, &Array1::from_shape_fn(size, |_| random.between(-1.0, 1.0)));
        }
    }

    #[test]
    fn what_is_not_positive_definite_has_no_factors() {
        for matrix in [[[1.0, 2.0], [2.0, 1.0]], [[0.0, 0.0], [0.0, 1.0]], [[f64::NAN, 0.0], [0.0, 1.0]]] {
            assert!(Cholesky::new(ndarray::arr2(&matrix)).is_none(), "{matrix:?}");
        }
    }
}
