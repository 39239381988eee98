//! Structural similarity (Wang, Bovik, Sheikh and Simoncelli 2004): Gaussian window of 11 × 11 with deviation 1.5,
//! `K = 0.01, 0.03`, range 1; the mean over all windows that lie within the image, and over the channels. Smaller images
//! have the largest odd window that fits.

use crate::attack::images::Shape;

const WINDOW: usize = 11;
const DEVIATION: f64 = 1.5;
/// `(K1 · range)²` and `(K2 · range)²`.
const C1: f64 = 0.01 * 0.01;
const C2: f64 = 0.03 * 0.03;

/// The similarity of two images with values from 0 to 1, the channels of a pixel side by side; `None` for an empty shape.
pub fn similarity(shape: Shape, a: &[f32], b: &[f32]) -> Option<f64> {
    let side = WINDOW.min(shape.height).min(shape.width);
    if shape.is_empty() || a.len() != shape.len() || b.len() != shape.len() {
        return None;
    }
    let weights = gaussian(if side.is_multiple_of(2) { side - 1 } else { side });
    let channel = |channel: usize| {
        let plane = |image: &[f32]| -> Vec<f64> {
            image.iter().skip(channel).step_by(shape.channels).map(|&value| f64::from(value)).collect()
        };
        of_planes(shape, &plane(a), &plane(b), &weights)
    };
    Some((0..shape.channels).map(channel).sum::<f64>() / shape.channels as f64)
}

/// Weights of a window's rows, which are also those of its columns; they sum to 1.
fn gaussian(size: usize) -> Vec<f64> {
    let middle = (size / 2) as f64;
    let bell = |at: usize| (-0.5 * ((at as f64 - middle) / DEVIATION).powi(2)).exp();
    let sum: f64 = (0..size).map(bell).sum();
    (0..size).map(|at| bell(at) / sum).collect()
}

fn of_planes(shape: Shape, a: &[f64], b: &[f64], weights: &[f64]) -> f64 {
    let product = |x: &[f64], y: &[f64]| -> Vec<f64> { x.iter().zip(y).map(|(x, y)| x * y).collect() };
    let blurred = |plane: &[f64]| blur(shape, plane, weights);
    let (mean_a, mean_b) = (blurred(a), blurred(b));
    let (aa, bb, ab) = (blurred(&product(a, a)), blurred(&product(b, b)), blurred(&product(a, b)));
    let window = |at: usize| {
        let (m, n) = (mean_a[at], mean_b[at]);
        formula(m, n, aa[at] - m * m, bb[at] - n * n, ab[at] - m * n)
    };
    (0..mean_a.len()).map(window).sum::<f64>() / mean_a.len() as f64
}

/// Of means, variances and the covariance.
fn formula(m: f64, n: f64, variance_a: f64, variance_b: f64, covariance: f64) -> f64 {
    (2.0 * m * n + C1) * (2.0 * covariance + C2) / ((m * m + n * n + C1) * (variance_a + variance_b + C2))
}

/// Weighted means of all windows that lie within: along the rows, then along the columns.
fn blur(shape: Shape, plane: &[f64], weights: &[f64]) -> Vec<f64> {
    let columns = shape.width + 1 - weights.len();
    let along_row = |row: &[f64]| -> Vec<f64> {
        row.windows(weights.len())
            .map(|window| window.iter().zip(weights).map(|(x, w)| x * w).sum())
            .collect()
    };
    let rows: Vec<Vec<f64>> = plane.chunks_exact(shape.width).map(along_row).collect();
    let mean =
        |window: &[Vec<f64>], column: usize| window.iter().zip(weights).map(|(row, w)| row[column] * w).sum();
    rows.windows(weights.len())
        .flat_map(|window| (0..columns).map(|column| mean(window, column)).collect::<Vec<f64>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// Window by window, by the definition.
    fn plain(shape: Shape, a: &[f32], b: &[f32]) -> f64 {
        let side = WINDOW.min(shape.height).min(shape.width);
        let weights = gaussian(side - (side + 1) % 2);
        let size = weights.len();
        let (mut sum, mut count) = (0.0, 0.0);
        for channel in 0..shape.channels {
            for top in 0..=shape.height - size {
                for left in 0..=shape.width - size {
                    let cell = |k: usize| {
                        let at =
                            ((top + k / size) * shape.width + left + k % size) * shape.channels + channel;
                        (weights[k / size] * weights[k % size], f64::from(a[at]), f64::from(b[at]))
                    };
                    let mean = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
                        (0..size * size).map(cell).map(|(w, x, y)| w * f(x, y)).sum()
                    };
                    let (m, n) = (mean(&|x, _| x), mean(&|_, y| y));
                    let variances = (mean(&|x, _| (x - m).powi(2)), mean(&|_, y| (y - n).powi(2)));
                    sum += formula(m, n, variances.0, variances.1, mean(&|x, y| (x - m) * (y - n)));
                    count += 1.0;
                }
            }
        }
        sum / count
    }

    #[test]
    fn fast_and_plain_agree() {
        let mut random = Random::new(5);
        for (height, width, channels) in [(11, 11, 1), (20, 13, 3), (8, 8, 1), (3, 30, 2), (1, 1, 1)] {
            let shape = Shape { height, width, channels };
            let mut draw = || -> Vec<f32> { (0..shape.len()).map(|_| random.unit() as f32).collect() };
            let (a, b) = (draw(), draw());
            let (fast, slow) = (similarity(shape, &a, &b).unwrap(), plain(shape, &a, &b));
            assert!((fast - slow).abs() < 1e-9, "{shape:?}: {fast}, {slow}");
            assert!((similarity(shape, &a, &a).unwrap() - 1.0).abs() < 1e-12, "{shape:?}");
        }
    }

    #[test]
    fn flat_images_differ_by_their_means_alone() {
        let shape = Shape { height: 16, width: 16, channels: 1 };
        let got = similarity(shape, &[0.25; 256], &[0.75; 256]).unwrap();
        let want = (2.0 * 0.25 * 0.75 + C1) / (0.25 * 0.25 + 0.75 * 0.75 + C1);
        assert!((got - want).abs() < 1e-9, "{got}, {want}");
    }
}
