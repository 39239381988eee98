//! Projected gradient ascent with signed momentum, many restarts at once.
//!
//! Madry et al. 2018, with what works on controllers as well as on images: momentum β = 0.9 on the normalised
//! gradient, its sign as direction, one step length for all inputs (an eighth of the widest interval, × 0.99 a
//! step), so that narrow inputs jump between their ends. Every lane is a restart with a target conjunction of its
//! own; a restart without a gradient is drawn anew. Odd batches start from output diversification (Tashiro et al.
//! 2020: two steps along a random direction of the outputs), and every third batch lets inactive ReLUs leak in the
//! backward pass, by a slope drawn for each restart that falls to zero over the first 70% of the steps: the mode
//! for plateaus, where the true gradient is zero.

use super::starts::{Starts, price};
use super::{Falsifier, Halt, NotApplicable, Objective, Oracle, Progress};
use crate::network::{Real, Surrogate};
use crate::problem::Problem;
use crate::property::Region;

const STEPS: usize = 100;
const MOMENTUM: f64 = 0.9;
const DECAY: f64 = 0.99;
const DIVERSIFICATION_STEPS: usize = 2;
/// Largest slope of an inactive ReLU at the start of a leaky batch.
const LEAK: f64 = 0.3;
/// Widths of the smooth steps that stand in for jumps (signs, roundings, comparisons) in the backward pass, in deviations
/// among the restarts, one a batch. On the traffic sign networks 2 is the best single one; 1 and 4 find as many at a
/// radius of 1 pixel value, and fewer at half of it.
const WIDTHS: [f64; 2] = [2.0, 4.0];
/// Share of a leaky batch's steps after which nothing leaks.
const COOLING: f64 = 0.7;

/// Signed-momentum ascent on the margin.
struct Pgd<T> {
    starts: Starts,
    widest: f64,
    /// Whether the network jumps somewhere, so that true gradients say nothing.
    jumps: bool,
    points: Vec<T>,
    momentum: Vec<T>,
    slopes: Vec<T>,
    leak: Vec<T>,
    scale: Vec<T>,
}

/// Makes the strategy; it applies where more than one point can be reached.
pub fn make<T: Real>(
    problem: &Problem<T>,
    region: &Region,
    seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    let starts = Starts::new(region, seed)?;
    let widest = starts.free.iter().map(|&i| region.upper[i] - region.lower[i]).fold(0.0, f64::max);
    Ok(Box::new(Pgd {
        starts,
        widest,
        jumps: problem.network.jumps(),
        points: Vec::new(),
        momentum: Vec::new(),
        slopes: Vec::new(),
        leak: Vec::new(),
        scale: Vec::new(),
    }))
}

impl<T: Real> Falsifier<T> for Pgd<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        price(problem, STEPS)
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        self.starts.draw(oracle, &mut self.points)?;
        self.momentum.clear();
        self.momentum.resize(self.points.len(), T::zero());
        // Numbered from 0; drawing has counted this one.
        let batch = self.starts.batch - 1;
        if batch % 2 == 1 {
            self.diversify(oracle)?;
        }
        self.climb(oracle, batch % 3 == 2)?;
        Ok(Progress::More)
    }
}

impl<T: Real> Pgd<T> {
    fn surrogate(&self) -> Surrogate<'static, T> {
        let width = T::of(WIDTHS[(self.starts.batch - 1) % WIDTHS.len()]);
        Surrogate { leak: None, width: self.jumps.then_some(width) }
    }

    fn diversify(&mut self, oracle: &mut Oracle<'_, T>) -> Result<(), Halt> {
        let count = oracle.outputs().len();
        let direction: Vec<T> = (0..count).map(|_| T::of(self.starts.random.between(-1.0, 1.0))).collect();
        for _ in 0..DIVERSIFICATION_STEPS {
            self.momentum.fill(T::zero());
            let gradient = oracle.gradient(Objective::Direction(&direction), self.surrogate());
            self.momentum.copy_from_slice(gradient);
            self.step(oracle, self.widest / 2.0);
            oracle.evaluate(&self.points)?;
        }
        self.momentum.fill(T::zero());
        Ok(())
    }

    fn climb(&mut self, oracle: &mut Oracle<'_, T>, leaky: bool) -> Result<(), Halt> {
        let lanes = oracle.lanes();
        self.slopes = (0..lanes).map(|_| T::of(self.starts.random.between(0.0, LEAK))).collect();
        let mut length = self.widest / 8.0;
        for step in 0..STEPS {
            let heat = T::of((1.0 - step as f64 / (COOLING * STEPS as f64)).max(0.0));
            self.leak.clear();
            self.leak.extend(self.slopes.iter().map(|&slope| slope * heat));
            let leak = leaky.then_some(self.leak.as_slice());
            let surrogate = Surrogate { leak, ..self.surrogate() };
            let gradient = oracle.gradient(Objective::Hinge(&self.starts.targets), surrogate);
            gather_momentum(&self.starts.free, gradient, &mut self.momentum, &mut self.scale, lanes);
            self.step(oracle, length);
            for lane in (0..lanes).filter(|&lane| self.scale[lane] == T::zero()) {
                self.starts.redraw(oracle, lane, &mut self.points);
                self.momentum.iter_mut().skip(lane).step_by(lanes).for_each(|m| *m = T::zero());
            }
            length *= DECAY;
            oracle.evaluate(&self.points)?;
        }
        Ok(())
    }

    /// Moves every free input by `length` in the momentum's sign, and back into the box.
    fn step(&mut self, oracle: &Oracle<'_, T>, length: f64) {
        let lanes = oracle.lanes();
        let (zero, length) = (T::zero(), T::of(length));
        for &i in &self.starts.free {
            let (lower, upper) = (oracle.lower[i], oracle.upper[i]);
            let row = self.points[i * lanes..(i + 1) * lanes].iter_mut();
            for (x, &m) in row.zip(&self.momentum[i * lanes..]) {
                let move_by = if m > zero { length } else { zero } - if m < zero { length } else { zero };
                *x = (*x + move_by).max(lower).min(upper);
            }
        }
    }
}

/// `momentum = β · momentum + gradient / mean |gradient|` for each lane; `scale` is left zero where there is no
/// gradient.
fn gather_momentum<T: Real>(
    free: &[usize],
    gradient: &[T],
    momentum: &mut [T],
    scale: &mut Vec<T>,
    lanes: usize,
) {
    scale.clear();
    scale.resize(lanes, T::zero());
    for &i in free {
        for (s, &g) in scale.iter_mut().zip(&gradient[i * lanes..(i + 1) * lanes]) {
            *s += g.abs();
        }
    }
    let count = T::of(free.len() as f64);
    for s in scale.iter_mut() {
        *s = if *s > T::zero() && s.is_finite() { count / *s } else { T::zero() };
    }
    let beta = T::of(MOMENTUM);
    for &i in free {
        let rows = momentum[i * lanes..(i + 1) * lanes].iter_mut().zip(&gradient[i * lanes..]);
        for ((m, &g), &s) in rows.zip(scale.iter()) {
            *m = beta * *m + if s > T::zero() { g * s } else { T::zero() };
        }
    }
}
