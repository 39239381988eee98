//! The nearest point to an image on the plane where a linearised lead is as large as asked, within the values' ends.

use crate::attack::Task;
use crate::attack::methods::fab::{Projector, ScaledBox};

/// The length of a change, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PixelNorm {
    /// The square root of the sum of squares.
    Euclidean,
    /// The largest change.
    Largest,
}

impl PixelNorm {
    /// From one input to another; `unit` is by how much each moves where its pixel moves by 1.
    pub(super) fn of(self, unit: &[f32], a: &[f32], b: &[f32]) -> f64 {
        let changes = a
            .iter()
            .zip(b)
            .zip(unit)
            .map(|((a, b), u)| (f64::from(*a) - f64::from(*b)).abs() / f64::from(*u));
        match self {
            Self::Euclidean => changes.map(|c| c * c).sum::<f64>().sqrt(),
            Self::Largest => changes.fold(0.0, f64::max),
        }
    }

    /// The change of one value in the shortest step of size 1: along the slope, or as far as all others, in pixels.
    fn step(self, slope: f64, unit: f64) -> f64 {
        match self {
            Self::Euclidean => slope * unit * unit,
            Self::Largest => slope.signum() * unit,
        }
    }
}

/// The values' ends, within the limits, and by how much each moves where its pixel moves by 1.
pub(super) struct ValueEnds {
    pub(super) lower: Vec<f32>,
    pub(super) upper: Vec<f32>,
    pub(super) unit: Vec<f32>,
}

impl ValueEnds {
    /// Of an image under attack.
    pub(super) fn of(task: &Task<'_>) -> Self {
        let all = 0..task.image.len();
        Self {
            lower: all.clone().map(|i| task.lower(i)).collect(),
            upper: all.map(|i| task.upper(i)).collect(),
            unit: task.victim.unit.clone(),
        }
    }
}

/// What a linearised lead gains from one point to another.
pub(super) fn along(slopes: &[f32], from: &[f32], to: &[f32]) -> f64 {
    let moves = slopes.iter().zip(to.iter().zip(from));
    moves.map(|(&s, (&x, &o))| f64::from(s) * (f64::from(x) - f64::from(o))).sum()
}

/// The nearest point whose linearised lead is larger by `gap`, within the ends; the farthest where none is.
pub(super) fn project(from: &[f32], slopes: &[f32], gap: f64, ends: &ValueEnds, norm: PixelNorm) -> Vec<f32> {
    let wide = |values: &[f32]| values.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
    let (point, normal, lower, upper) = (wide(from), wide(slopes), wide(&ends.lower), wide(&ends.upper));
    // In both norms each value moves at a rate of its own until its end, so one projection does for both.
    let rate = |(&slope, &unit): (&f64, &f32)| norm.step(slope, f64::from(unit)).abs();
    let rates: Vec<f64> = normal.iter().zip(&ends.unit).map(rate).collect();
    let mut step = vec![0.0; from.len()];
    let within = ScaledBox { lower: &lower, upper: &upper, scale: &rates };
    Projector::default().project(&point, &normal, gap, within, &mut step);
    point.iter().zip(&step).map(|(x, step)| (x + step) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The nearest of a fine grid of two values that gains enough.
    fn on_grid(from: [f32; 2], slopes: [f32; 2], gap: f64, norm: PixelNorm, unit: &[f32]) -> f64 {
        let points = (0..=400).flat_map(|a| (0..=400).map(move |b| [a as f32 / 400.0, b as f32 / 400.0]));
        let enough = points.filter(|point| along(&slopes, &from, point) * gap.signum() >= gap.abs());
        enough.map(|point| norm.of(unit, &from, &point)).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn it_is_as_near_as_the_best_point_of_a_grid() {
        let ends =
            |unit: [f32; 2]| ValueEnds { lower: vec![0.0; 2], upper: vec![1.0; 2], unit: unit.to_vec() };
        let ends = [ends([1.0, 1.0]), ends([1.0, 3.0])];
        for (from, slopes, gap) in [
            ([0.5, 0.5], [1.0, 1.0], 0.4),
            ([0.5, 0.5], [1.0, -3.0], 1.2),
            ([0.9, 0.5], [3.0, 1.0], 0.6),
            ([0.2, 0.7], [0.0, 1.0], -0.5),
            ([0.0, 0.0], [2.0, 1.0], 2.5),
        ] {
            let both = |norm| ends.iter().map(move |ends| (norm, ends));
            for (norm, ends) in both(PixelNorm::Euclidean).chain(both(PixelNorm::Largest)) {
                let point = project(&from, &slopes, gap, ends, norm);
                let own = norm.of(&ends.unit, &from, &point);
                let grid = on_grid(from, slopes, gap, norm, &ends.unit);
                assert!((along(&slopes, &from, &point) - gap).abs() < 1e-5, "{from:?} {slopes:?} {gap}");
                assert!(own <= grid + 1e-6 && grid <= own + 0.006, "{own} and {grid} on the grid");
            }
        }
    }
}
