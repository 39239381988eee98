//! Smooth steps that stand in for jumps (signs, comparisons) in a backward pass.
//!
//! The slope of a jump is zero, so gradients of binarised networks are. The straight-through estimator (Bengio et al.
//! 2013; Hubara et al. 2016) lets the gradient pass where the sum in front of the jump is within a fixed distance of
//! it. No fixed distance fits: in the traffic sign networks of VNN-COMP first sums are off by hundreds, and an input
//! moves them by up to 75; in the last layers they are off by one. What matters is whether the sum can be brought across.
//! So each number has a width of its own: a multiple of the standard deviation that it has among the points of the
//! block, which is measured, whatever lies in front. What hardly moves has a narrow step and gets no say unless it is
//! close to its jump; the widths shrink on their own while restarts converge.
//!
//! The step of height `h` and width `w` is `h` times the distribution function of the density `2 / (π w (1 + (x/w)²)²)`:
//! its tails are heavy, so that no gradient is ever zero.

use std::f64::consts::FRAC_2_PI;

use crate::dispatch::vectorized;
use crate::network::real::Real;

/// No width is less than this share of the mean one: a number that is the same at all points of a block says
/// nothing about the points that it has not seen.
const LEAST_SHARE: f64 = 0.1;

/// Replaces every number, the operand of a jump at zero, by the slope of a step of this height, `factor` deviations
/// wide. `x` holds `len × lanes` numbers, lanes innermost.
pub(super) fn slopes<T: Real>(x: &mut [T], lanes: usize, height: T, factor: T) {
    let least = least_width(x, lanes);
    let height = height * T::of(FRAC_2_PI);
    vectorized(|| {
        for row in x.chunks_exact_mut(lanes) {
            let sharpness = T::one() / (factor * deviation(row).max(least));
            for x in row {
                let t = *x * sharpness;
                let q = T::one() / (T::one() + t * t);
                *x = height * sharpness * q * q;
            }
        }
    });
}

/// The standard deviation of one number among the points of a block.
#[inline(always)]
fn deviation<T: Real>(row: &[T]) -> T {
    let share = T::of(1.0 / row.len() as f64);
    let mean = row.iter().fold(T::zero(), |sum, &x| sum + x) * share;
    (row.iter().fold(T::zero(), |sum, &x| sum + (x - mean) * (x - mean)) * share).sqrt()
}

/// A share of the mean deviation; where no number differs between points (a block of one), of the mean size; one
/// where all are zero.
fn least_width<T: Real>(x: &[T], lanes: usize) -> T {
    let mean = |total: f64, count: usize| total / count.max(1) as f64;
    let deviations = x.chunks_exact(lanes).map(|row| deviation(row).widen()).sum();
    let sizes = || x.iter().map(|x| x.widen().abs()).sum();
    let candidates = [LEAST_SHARE * mean(deviations, x.len() / lanes), mean(sizes(), x.len()), 1.0];
    let width = candidates.into_iter().find(|&width| width > 0.0 && width.is_finite());
    T::of(width.unwrap_or(1.0)).max(T::min_positive_value())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANES: usize = 4;

    fn block() -> Vec<f64> {
        vec![300.0, 310.0, 290.0, 300.0, 0.5, -1.5, 0.0, 1.0, 7.0, 7.0, 7.0, 7.0]
    }

    fn of(mut x: Vec<f64>, lanes: usize, factor: f64) -> Vec<f64> {
        slopes(&mut x, lanes, 2.0, factor);
        x
    }

    #[test]
    fn each_number_has_the_slope_of_the_plain_formula() {
        let mean = |row: &[f64]| row.iter().sum::<f64>() / LANES as f64;
        let deviation =
            |row: &[f64]| mean(&row.iter().map(|x| (x - mean(row)).powi(2)).collect::<Vec<_>>()).sqrt();
        let deviations: Vec<f64> = block().chunks(LANES).map(deviation).collect();
        let least = 0.1 * deviations.iter().sum::<f64>() / 3.0;
        for factor in [0.5, 3.0] {
            for (i, got) in of(block(), LANES, factor).into_iter().enumerate() {
                let width = factor * deviations[i / LANES].max(least);
                let want = 4.0 / std::f64::consts::PI / width / (1.0 + (block()[i] / width).powi(2)).powi(2);
                assert!((got - want).abs() < 1e-12 * want, "{i}: {got}, {want}");
            }
        }
    }

    #[test]
    fn the_slopes_of_a_step_sum_up_to_its_height() {
        // One row across the jump: its own deviation gives the width.
        let (count, reach) = (20_001, 1000.0);
        let x: Vec<f64> = (0..count).map(|i| reach * (2.0 * i as f64 / (count - 1) as f64 - 1.0)).collect();
        let height = of(x, count, 0.02).iter().sum::<f64>() * 2.0 * reach / (count - 1) as f64;
        assert!((height - 2.0).abs() < 1e-3, "{height}");
    }

    #[test]
    fn scaling_the_numbers_scales_the_widths() {
        for lanes in [1, LANES] {
            let scaled = of(block().iter().map(|x| 1000.0 * x).collect(), lanes, 2.0);
            for (slope, scaled) in of(block(), lanes, 2.0).into_iter().zip(scaled) {
                assert!((slope - 1000.0 * scaled).abs() < 1e-12 * slope && slope > 0.0, "{slope}, {scaled}");
            }
        }
    }

    #[test]
    fn zeros_have_a_width_of_one() {
        assert_eq!(of(vec![0.0; 8], LANES, 1.0), [2.0 * FRAC_2_PI; 8]);
    }
}
