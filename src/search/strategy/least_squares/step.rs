//! A step of Levenberg and Marquardt's method within a box.
//!
//! It minimises `‖J d + r‖² + λ ‖d‖²` over the steps that stay in the box, by an active set that changes as a whole (block
//! pivoting; Portugal, Júdice and Vicente 1994): inputs that would leave the box stop at its side, those at a side that
//! the gradient pushes back inside are released, and the free ones are solved for again, a few times; the best of these
//! steps is taken. The system is solved by the smaller of its two forms: `(JᵀJ + λ) d = −Jᵀ r`, or
//! `d = −Jᵀ (J Jᵀ + λ)⁻¹ r` where there are fewer equations than inputs.

use ndarray::{Array1, Array2, Axis};

use super::cholesky::Cholesky;
use crate::network::kernel::dot;

/// How often the set of free inputs changes, at most.
const MOST_STOPS: usize = 6;

/// The system at one point: coordinates run from 0 to 1 across the box.
#[derive(Debug)]
pub(super) struct System {
    /// `equations × inputs`.
    jacobian: Array2<f64>,
    residuals: Array1<f64>,
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
    jacobian: Array2<f64>,
    square: Array2<f64>,
}

impl Normal {
    fn of(all: &Array2<f64>, free: &[usize]) -> Self {
        // Chosen columns lie by columns.
        let jacobian = all.select(Axis(1), free).as_standard_layout().into_owned();
        let transposed = jacobian.t();
        let square = if is_wide(&jacobian) { jacobian.dot(&transposed) } else { transposed.dot(&jacobian) };
        Self { jacobian, square }
    }

    /// The damped step that makes these residuals small.
    fn solve(&self, residuals: &Array1<f64>, damping: f64) -> Option<Array1<f64>> {
        let mut square = self.square.clone();
        square.diag_mut().map_inplace(|d| *d += damping);
        let square = Cholesky::new(square)?;
        let step = if is_wide(&self.jacobian) {
            -gradient(&self.jacobian, &square.solve(residuals.view()))
        } else {
            -square.solve(gradient(&self.jacobian, residuals).view())
        };
        step.iter().all(|d| d.is_finite()).then_some(step)
    }
}

/// `Jᵀ r`, row by row.
fn gradient(jacobian: &Array2<f64>, residuals: &Array1<f64>) -> Array1<f64> {
    let mut sum = vec![0.0; jacobian.ncols()];
    let rows = jacobian.as_standard_layout();
    dot::vector_matrix(
        rows.as_slice().expect("the standard layout is by rows, without gaps"),
        jacobian.ncols(),
        0,
        residuals.as_slice().expect("a vector that is no view has no gaps"),
        &mut sum,
    );
    sum.into()
}

/// The sum of the squares.
fn norm_squared(vector: &Array1<f64>) -> f64 {
    vector.dot(vector)
}

/// Whether there are fewer equations than inputs.
fn is_wide(jacobian: &Array2<f64>) -> bool {
    jacobian.nrows() < jacobian.ncols()
}

impl System {
    /// `rows` holds the gradient of every residual with respect to the coordinates.
    pub(super) fn new(rows: &[Vec<f64>], residuals: &[f64], place: Vec<f64>) -> Self {
        let jacobian = Array2::from_shape_fn((rows.len(), place.len()), |(i, j)| rows[i][j]);
        let residuals = Array1::from(residuals.to_vec());
        let scale = jacobian.iter().map(|x| x * x).sum::<f64>() / place.len().max(1) as f64;
        let free = free(&place, &gradient(&jacobian, &residuals));
        let normal = Normal::of(&jacobian, &free);
        Self { jacobian, residuals, place, scale, first: (free, normal) }
    }

    /// Whether every number in it is one, and a step would change something.
    pub(super) fn is_usable(&self) -> bool {
        self.scale.is_finite() && self.scale > 0.0 && self.residuals.iter().all(|r| r.is_finite())
    }

    /// Of the residuals.
    pub(super) fn sum_of_squares(&self) -> f64 {
        norm_squared(&self.residuals)
    }

    /// Multiplications that a step takes, roughly.
    pub(super) fn price(&self) -> usize {
        let (equations, inputs) = self.jacobian.dim();
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
            let residuals = &self.residuals + &self.jacobian.dot(&fixed);
            let Some(step) = current.1.solve(&residuals, damping) else { break };
            for (&j, d) in current.0.iter().zip(step.iter()) {
                target[j] = (self.place[j] + d).clamp(0.0, 1.0);
            }
            let moved = self.moved(&target);
            let residuals = &self.residuals + &self.jacobian.dot(&moved);
            let size = norm_squared(&residuals) + damping * norm_squared(&moved);
            if size < best.0 {
                best = (size, target.clone());
            }
            let left = free(&target, &(gradient(&self.jacobian, &residuals) + damping * &moved));
            if left == current.0 {
                break;
            }
            let normal = Normal::of(&self.jacobian, &left);
            other = (left, normal);
            current = &other;
        }
        best.1
    }

    fn moved(&self, target: &[f64]) -> Array1<f64> {
        Array1::from_shape_fn(self.place.len(), |j| target[j] - self.place[j])
    }
}

/// Inputs that are inside of the box, or that the gradient of what is minimised does not push out of it.
fn free(target: &[f64], gradient: &Array1<f64>) -> Vec<usize> {
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
        let step = Array1::from_shape_fn(to.len(), |j| to[j] - system.place[j]);
        norm_squared(&(&system.residuals + &system.jacobian.dot(&step)))
            + damping * system.scale * norm_squared(&step)
    }

    /// The plain twin: projected gradient descent on the damped system, for long.
    fn slowly(system: &System, damping: f64) -> Vec<f64> {
        let mut at = system.place.clone();
        let length = 0.5 / (system.jacobian.iter().map(|x| x * x).sum::<f64>() + damping * system.scale);
        for _ in 0..200_000 {
            let step = Array1::from_shape_fn(at.len(), |j| at[j] - system.place[j]);
            let gradient = 2.0 * system.jacobian.t().dot(&(&system.residuals + &system.jacobian.dot(&step)))
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
