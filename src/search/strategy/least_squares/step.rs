//! A step of Levenberg and Marquardt's method within a box.
//!
//! It minimises `‖J d + r‖² + λ ‖d‖²` over the steps that stay in the box, by an active set that changes as a whole (block
//! pivoting; Portugal, Júdice and Vicente 1994): inputs that would leave the box stop at its side, those at a side that
//! the gradient pushes back inside are released, and the free ones are solved for again, a few times; the best of these
//! steps is taken. The system is solved by the smaller of its two forms: `(JᵀJ + λ) d = −Jᵀ r`, or
//! `d = −Jᵀ (J Jᵀ + λ)⁻¹ r` where there are fewer equations than inputs.

use nalgebra::{Cholesky, DMatrix, DVector};

/// How often the set of free inputs changes, at most.
const MOST_STOPS: usize = 6;

/// The system at one point: coordinates run from 0 to 1 across the box.
#[derive(Debug)]
pub(super) struct System {
    /// `equations × inputs`.
    jacobian: DMatrix<f64>,
    residuals: DVector<f64>,
    /// Where the point is in the box, each coordinate from 0 to 1.
    place: Vec<f64>,
    /// The mean square of a column's length: what damping is measured by.
    scale: f64,
    /// Inputs that are free at the point, with their equations: every damping begins with them.
    first: (Vec<usize>, Normal),
}

/// The free inputs' columns of the Jacobian, and the smaller one of its two squares.
#[derive(Debug)]
struct Normal {
    jacobian: DMatrix<f64>,
    square: DMatrix<f64>,
}

impl Normal {
    fn of(jacobian: DMatrix<f64>) -> Self {
        let square =
            if is_wide(&jacobian) { &jacobian * jacobian.transpose() } else { jacobian.tr_mul(&jacobian) };
        Self { jacobian, square }
    }

    /// The damped step that makes these residuals small.
    fn solve(&self, residuals: &DVector<f64>, damping: f64) -> Option<DVector<f64>> {
        let mut square = self.square.clone();
        (0..square.nrows()).for_each(|i| square[(i, i)] += damping);
        let square = Cholesky::new(square)?;
        let step = if is_wide(&self.jacobian) {
            -self.jacobian.tr_mul(&square.solve(residuals))
        } else {
            -square.solve(&self.jacobian.tr_mul(residuals))
        };
        step.iter().all(|d| d.is_finite()).then_some(step)
    }
}

/// Whether there are fewer equations than inputs.
fn is_wide(jacobian: &DMatrix<f64>) -> bool {
    jacobian.nrows() < jacobian.ncols()
}

impl System {
    /// `rows` holds the gradient of every residual with respect to the coordinates.
    pub(super) fn new(rows: &[Vec<f64>], residuals: &[f64], place: Vec<f64>) -> Self {
        let jacobian = DMatrix::from_fn(rows.len(), place.len(), |i, j| rows[i][j]);
        let residuals = DVector::from_column_slice(residuals);
        let gradient = jacobian.tr_mul(&residuals);
        let scale = jacobian.norm_squared() / place.len().max(1) as f64;
        let free = free(&place, &gradient);
        let normal = Normal::of(jacobian.select_columns(&free));
        Self { jacobian, residuals, place, scale, first: (free, normal) }
    }

    /// Whether every number in it is one, and a step would change something.
    pub(super) fn is_usable(&self) -> bool {
        self.scale.is_finite() && self.scale > 0.0 && self.residuals.iter().all(|r| r.is_finite())
    }

    /// Of the residuals.
    pub(super) fn sum_of_squares(&self) -> f64 {
        self.residuals.norm_squared()
    }

    /// Multiplications that a step takes, roughly.
    pub(super) fn price(&self) -> usize {
        let (equations, inputs) = self.jacobian.shape();
        let least = equations.min(inputs);
        MOST_STOPS / 2 * (least * least * equations.max(inputs) + least * least * least / 3)
    }

    /// Where the step with this damping, as a share of the mean square of a column, leads: coordinates from 0 to 1.
    pub(super) fn step(&self, damping: f64) -> Vec<f64> {
        let damping = damping * self.scale;
        let mut target = self.place.clone();
        let mut best = (f64::INFINITY, target.clone());
        let mut other;
        let mut current = &self.first;
        for _ in 0..MOST_STOPS {
            let mut fixed = self.moved(&target);
            current.0.iter().for_each(|&j| fixed[j] = 0.0);
            let residuals = &self.residuals + &self.jacobian * fixed;
            let Some(step) = current.1.solve(&residuals, damping) else { break };
            for (&j, d) in current.0.iter().zip(step.iter()) {
                target[j] = (self.place[j] + d).clamp(0.0, 1.0);
            }
            let moved = self.moved(&target);
            let residuals = &self.residuals + &self.jacobian * &moved;
            let size = residuals.norm_squared() + damping * moved.norm_squared();
            if size < best.0 {
                best = (size, target.clone());
            }
            let left = free(&target, &(self.jacobian.tr_mul(&residuals) + damping * moved));
            if left == current.0 {
                break;
            }
            let normal = Normal::of(self.jacobian.select_columns(&left));
            other = (left, normal);
            current = &other;
        }
        best.1
    }

    fn moved(&self, target: &[f64]) -> DVector<f64> {
        DVector::from_fn(self.place.len(), |j, _| target[j] - self.place[j])
    }
}

/// Inputs that are inside of the box, or that the gradient of what is minimised does not push out of it.
fn free(target: &[f64], gradient: &DVector<f64>) -> Vec<usize> {
    let stays = |j: usize| (target[j] <= 0.0 && gradient[j] > 0.0) || (target[j] >= 1.0 && gradient[j] < 0.0);
    (0..target.len()).filter(|&j| !stays(j)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn random_system(random: &mut Random, equations: usize, inputs: usize) -> System {
        let mut number = || random.between(-1.0, 1.0);
        let rows: Vec<Vec<f64>> = (0..equations).map(|_| (0..inputs).map(|_| number()).collect()).collect();
        let residuals: Vec<f64> = (0..equations).map(|_| number()).collect();
        let place = (0..inputs).map(|_| 0.5 + 0.5 * number()).collect();
        System::new(&rows, &residuals, place)
    }

    fn objective(system: &System, to: &[f64], damping: f64) -> f64 {
        let step = DVector::from_fn(to.len(), |j, _| to[j] - system.place[j]);
        (&system.residuals + &system.jacobian * &step).norm_squared()
            + damping * system.scale * step.norm_squared()
    }

    /// The plain twin: projected gradient descent on the damped system, for long.
    fn slowly(system: &System, damping: f64) -> Vec<f64> {
        let mut at = system.place.clone();
        let length = 0.5 / (system.jacobian.norm_squared() + damping * system.scale);
        for _ in 0..200_000 {
            let step = DVector::from_fn(at.len(), |j, _| at[j] - system.place[j]);
            let gradient = 2.0 * system.jacobian.tr_mul(&(&system.residuals + &system.jacobian * &step))
                + 2.0 * damping * system.scale * step;
            at.iter_mut().zip(gradient.iter()).for_each(|(x, g)| *x = (*x - length * g).clamp(0.0, 1.0));
        }
        at
    }

    #[test]
    fn steps_stay_in_the_box_and_are_nearly_as_good_as_the_best() {
        let mut random = Random::new(5);
        for (equations, inputs) in [(1, 1), (1, 5), (3, 3), (4, 9), (9, 4), (12, 12)] {
            for damping in [1e-6, 1e-2, 10.0] {
                let system = random_system(&mut random, equations, inputs);
                let to = system.step(damping);
                assert!(to.iter().all(|x| (0.0..=1.0).contains(x)), "{to:?}");
                let (got, best) = (
                    objective(&system, &to, damping),
                    objective(&system, &slowly(&system, damping), damping),
                );
                let start = objective(&system, &system.place, damping);
                // Pivoting may end before the optimum; most of the gain is there.
                assert!(
                    start - got >= 0.8 * (start - best) - 1e-9,
                    "{equations} × {inputs}, {damping}: {start} to {got}, best {best}"
                );
            }
        }
    }

    #[test]
    fn both_forms_of_the_system_give_one_step() {
        // Wide open: no side of the box is in the way, and more equations that say nothing change nothing.
        let rows = vec![vec![0.3, -0.2, 0.1]];
        let wide = System::new(&rows, &[0.01], vec![0.5; 3]);
        let tall =
            System::new(&[rows[0].clone(), vec![0.0; 3], vec![0.0; 3]], &[0.01, 0.0, 0.0], vec![0.5; 3]);
        for (a, b) in wide.step(0.1).iter().zip(tall.step(0.1)) {
            assert!((a - b).abs() < 1e-12);
        }
    }
}
