//! The spread of the outputs: what a margin is divided by to make a loss that scaling the outputs does not change.
//!
//! Croce and Hein 2020 divide the difference of two logits by that of the largest and the third (DLR), which needs a
//! ranking of classes. For any conjunction, divide its margin by the standard deviation `s` of all outputs:
//!
//! ```text
//! loss = margin / s        ∇ loss = (∇ margin − loss · ∇ s) / s        ∂s/∂y_j = (y_j − mean) / (n s)
//! ```
//!
//! Three outputs are needed: the ratio of two outputs' difference and their spread is a sign.

use crate::network::Real;

/// Outputs below which the ratio says nothing.
pub const LEAST_OUTPUTS: usize = 3;

/// Mean and standard deviation of one lane's outputs; the outputs are `outputs × lanes` numbers.
pub fn moments<T: Real>(outputs: &[T], lanes: usize, lane: usize) -> (f64, f64) {
    let values = || outputs.iter().skip(lane).step_by(lanes).map(|y| y.widen());
    let count = (outputs.len() / lanes.max(1)).max(1) as f64;
    let mean = values().sum::<f64>() / count;
    let variance = values().map(|y| (y - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

/// The margin over the spread; the margin itself where outputs do not differ.
pub fn scaled<T: Real>(margin: T, spread: f64) -> T {
    if spread > 0.0 && spread.is_finite() { T::of(margin.widen() / spread) } else { margin }
}

/// Adds `−loss · ∇s` to one lane of a cotangent that holds the margin's gradient: the ratio's direction.
pub fn add_gradient<T: Real>(outputs: &[T], lanes: usize, lane: usize, margin: T, cotangent: &mut [T]) {
    let (mean, spread) = moments(outputs, lanes, lane);
    if !(spread > 0.0 && spread.is_finite() && margin.is_finite()) {
        return;
    }
    let count = (outputs.len() / lanes) as f64;
    let factor = margin.widen() / (spread * spread * count);
    let rows = cotangent.iter_mut().zip(outputs).skip(lane).step_by(lanes);
    rows.for_each(|(c, y)| *c += -T::of(factor * (y.widen() - mean)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_agrees_with_differences_up_to_the_spread() {
        let (lanes, outputs) = (2, [0.3f64, 5.0, -1.2, 5.0, 0.8, 5.0, 2.0, 5.0]);
        let margin = |y: &[f64]| 2.0 * y[0] - y[4] + 0.1;
        let loss = |y: &[f64]| margin(y) / moments(y, lanes, 0).1;
        let mut cotangent = [0.0; 8];
        (cotangent[0], cotangent[4]) = (2.0, -1.0);
        add_gradient(&outputs, lanes, 0, margin(&outputs), &mut cotangent);
        let spread = moments(&outputs, lanes, 0).1;
        for j in (0..8).step_by(2) {
            let (mut more, mut less) = (outputs, outputs);
            more[j] += 1e-6;
            less[j] -= 1e-6;
            let want = (loss(&more) - loss(&less)) / 2e-6 * spread;
            assert!((cotangent[j] - want).abs() < 1e-6, "{} against {want}", cotangent[j]);
        }
        let before = cotangent;
        add_gradient(&outputs, lanes, 1, 1.0, &mut cotangent);
        assert_eq!(cotangent, before, "outputs that do not differ have no spread to divide by");
        assert_eq!(scaled(3.0f32, 0.0), 3.0);
    }
}
