//! Projected gradient ascent with signed momentum, many restarts at once.
//!
//! Madry et al. 2018, with what works on controllers as well as on images: momentum β = 0.9 on the normalised
//! gradient, its sign as direction, one step length for all inputs (an eighth of the widest interval, × 0.99 a
//! step), so that narrow inputs jump between their ends. Every lane is a restart with a target conjunction of its
//! own, and a loss of its own where that has several rows ([`RowLoss`]); a restart without a gradient is drawn anew. Odd
//! batches start from output diversification (Tashiro et al. 2020: two steps along a random direction of the outputs), and
//! every third batch lets inactive ReLUs leak in the backward pass, by a slope drawn for each restart that falls to zero over
//! the first 70% of the steps: the mode for plateaus, where the true gradient is zero.
//!
//! A round is a fifth of a batch. Most of what falls to gradients falls in the first steps, and the price of a first round is what a
//! strategy waits for. With rounds of whole batches the median instance took a quarter more CPU time (0.051 for 0.041 s).

use crate::network::{Real, Surrogate};
use crate::problem::Problem;
use crate::property::Region;
use crate::search::kernel::losses::RowLoss;
use crate::search::kernel::starts::{Starts, price};
use crate::search::{Falsifier, Halt, NotApplicable, Objective, Oracle, Progress};

/// Steps of a batch, and of a round.
const STEPS: usize = 100;
const A_ROUND: usize = 20;
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
    /// The batch's steps that have been made; what it goes on with in the next round.
    step: usize,
    length: f64,
    widest: f64,
    /// Whether the network jumps somewhere, so that true gradients say nothing.
    jumps: bool,
    points: Vec<T>,
    momentum: Vec<T>,
    slopes: Vec<T>,
    leak: Vec<T>,
    scale: Vec<T>,
    /// What each restart makes of several rows.
    losses: Vec<RowLoss>,
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
        step: STEPS,
        length: 0.0,
        widest,
        jumps: problem.network.jumps(),
        points: Vec::new(),
        momentum: Vec::new(),
        slopes: Vec::new(),
        leak: Vec::new(),
        scale: Vec::new(),
        losses: Vec::new(),
    }))
}

impl<T: Real> Falsifier<T> for Pgd<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        price(problem, A_ROUND)
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        if self.step >= STEPS {
            self.begin(oracle)?;
        } else {
            // Others have used the workspace since.
            oracle.evaluate(&self.points)?;
        }
        self.climb(oracle)?;
        Ok(Progress::More)
    }
}

impl<T: Real> Pgd<T> {
    fn surrogate(&self) -> Surrogate<'static, T> {
        let width = T::of(WIDTHS[self.batch() % WIDTHS.len()]);
        Surrogate { leak: None, width: self.jumps.then_some(width) }
    }

    /// The number of the batch, from 0.
    fn batch(&self) -> usize {
        self.starts.batch - 1
    }

    /// A batch of starts.
    fn begin(&mut self, oracle: &mut Oracle<'_, T>) -> Result<(), Halt> {
        self.starts.draw(oracle, &mut self.points)?;
        self.momentum.clear();
        self.momentum.resize(self.points.len(), T::zero());
        if self.batch() % 2 == 1 {
            self.diversify(oracle)?;
        }
        self.slopes = (0..oracle.lanes()).map(|_| T::of(self.starts.random.between(0.0, LEAK))).collect();
        let first = self.batch() * oracle.lanes();
        self.losses = (first..first + oracle.lanes()).map(RowLoss::of).collect();
        (self.step, self.length) = (0, self.widest / 8.0);
        Ok(())
    }

    fn diversify(&mut self, oracle: &mut Oracle<'_, T>) -> Result<(), Halt> {
        let count = oracle.outputs().len();
        let direction: Vec<T> = (0..count).map(|_| T::of(self.starts.random.between(-1.0, 1.0))).collect();
        for _ in 0..DIVERSIFICATION_STEPS {
            self.momentum.fill(T::zero());
            let gradient = oracle.gradient(Objective::Direction(&direction), self.surrogate());
            self.momentum.copy_from_slice(gradient);
            self.move_by(oracle, self.widest / 2.0);
            oracle.evaluate(&self.points)?;
        }
        self.momentum.fill(T::zero());
        Ok(())
    }

    /// A round's steps.
    fn climb(&mut self, oracle: &mut Oracle<'_, T>) -> Result<(), Halt> {
        let lanes = oracle.lanes();
        let leaky = self.batch() % 3 == 2;
        for _ in 0..A_ROUND {
            let heat = T::of((1.0 - self.step as f64 / (COOLING * STEPS as f64)).max(0.0));
            self.leak.clear();
            self.leak.extend(self.slopes.iter().map(|&slope| slope * heat));
            let leak = leaky.then_some(self.leak.as_slice());
            let surrogate = Surrogate { leak, ..self.surrogate() };
            let gradient = oracle.gradient(Objective::Rows(&self.starts.targets, &self.losses), surrogate);
            gather_momentum(&self.starts.free, gradient, &mut self.momentum, &mut self.scale, lanes);
            self.move_by(oracle, self.length);
            for lane in (0..lanes).filter(|&lane| self.scale[lane] == T::zero()) {
                self.starts.redraw(oracle, lane, &mut self.points);
                self.momentum.iter_mut().skip(lane).step_by(lanes).for_each(|m| *m = T::zero());
            }
            (self.step, self.length) = (self.step + 1, self.length * DECAY);
            oracle.evaluate(&self.points)?;
        }
        Ok(())
    }

    /// Moves every free input by `length` in the momentum's sign, and back into the box and onto its ties.
    fn move_by(&mut self, oracle: &Oracle<'_, T>, length: f64) {
        let lanes = oracle.lanes();
        let (zero, length) = (T::zero(), T::of(length));
        for &i in &self.starts.free {
            let (lower, upper) = (oracle.lower[i], oracle.upper[i]);
            let row = self.points[i * lanes..(i + 1) * lanes].iter_mut();
            for (x, &m) in row.zip(&self.momentum[i * lanes..]) {
                let by = if m > zero { length } else { zero } - if m < zero { length } else { zero };
                *x = (*x + by).max(lower).min(upper);
            }
        }
        oracle.tie(&mut self.points);
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
