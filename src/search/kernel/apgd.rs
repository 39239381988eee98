//! The steps of Auto-PGD, for many restarts at once: asked for points, told losses and gradients.
//!
//! Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free
//! attacks", 2020, Algorithm 1, for the L∞ norm. With `P` the projection on the box, `η` the step size of a lane,
//! and `α` = 0.75 (1 at the first step):
//!
//! ```text
//! z(k+1) = P(x(k) + η · sign ∇f(x(k)))
//! x(k+1) = P(x(k) + α (z(k+1) − x(k)) + (1 − α) (x(k) − x(k−1)))
//! ```
//!
//! At the checkpoints (after 22% of the steps, then in gaps that shrink by 3% down to 6%) a lane halves its step and
//! goes back to its best point, if fewer than 75% of the steps since the last checkpoint rose, or if neither its
//! best loss nor its step changed there.
//!
//! The kernel knows boxes only, neither networks nor properties. Blocks hold `dimensions × lanes` numbers, lanes
//! innermost; the loss is to be made large.

use crate::network::Real;

const MOMENTUM: f64 = 0.75;
const RISING: f64 = 0.75;
/// Shares of the steps: the first gap between checkpoints, what each next one is shorter by, and the shortest.
const FIRST_GAP: f64 = 0.22;
const SHRINKING: f64 = 0.03;
const LEAST_GAP: f64 = 0.06;

/// A block of restarts.
#[derive(Debug, Clone)]
pub struct Apgd<T> {
    lower: Vec<T>,
    upper: Vec<T>,
    reach: Vec<T>,
    lanes: usize,
    steps: usize,
    told: usize,
    /// Steps between the last checkpoint and the next, and those of them that are done.
    gap: usize,
    since: usize,
    points: Vec<T>,
    previous: Vec<T>,
    best: Vec<T>,
    best_gradients: Vec<T>,
    best_losses: Vec<T>,
    last_losses: Vec<T>,
    /// `η` of each lane, as a share of `reach`.
    sizes: Vec<T>,
    rises: Vec<usize>,
    /// The best losses at the last checkpoint, and whether the lane's step was halved there.
    checkpoint_losses: Vec<T>,
    halved: Vec<bool>,
    /// Lanes that go on from their best point now.
    returns: Vec<bool>,
}

impl<T: Real> Apgd<T> {
    /// Restarts in the box `[lower, upper]`; `reach` is the first step in each dimension (the paper: 2ε, which is the
    /// box's width), `steps` how many points a lane is told about. All three slices hold one number a dimension.
    pub fn new(lower: &[T], upper: &[T], reach: &[T], lanes: usize, steps: usize) -> Self {
        let block = vec![T::zero(); lower.len() * lanes];
        Self {
            lower: lower.to_vec(),
            upper: upper.to_vec(),
            reach: reach.to_vec(),
            lanes,
            steps,
            told: 0,
            gap: 0,
            since: 0,
            points: block.clone(),
            previous: block.clone(),
            best: block.clone(),
            best_gradients: block,
            best_losses: vec![T::neg_infinity(); lanes],
            last_losses: vec![T::neg_infinity(); lanes],
            sizes: vec![T::one(); lanes],
            rises: vec![0; lanes],
            checkpoint_losses: vec![T::neg_infinity(); lanes],
            halved: vec![false; lanes],
            returns: vec![false; lanes],
        }
    }

    /// Begins anew from a block of points, moved into the box.
    pub fn start(&mut self, points: &[T]) {
        self.points.copy_from_slice(points);
        let rows = self.points.chunks_exact_mut(self.lanes).zip(self.lower.iter().zip(&self.upper));
        for (row, (&lower, &upper)) in rows {
            row.iter_mut().for_each(|x| *x = x.max(lower).min(upper));
        }
        self.previous.copy_from_slice(&self.points);
        self.best.copy_from_slice(&self.points);
        self.best_losses.fill(T::neg_infinity());
        self.sizes.fill(T::one());
        self.rises.fill(0);
        self.halved.fill(false);
        self.told = 0;
        self.since = 0;
        self.gap = ((FIRST_GAP * self.steps as f64) as usize).max(1);
    }

    /// The points whose losses and gradients are asked for.
    pub fn points(&self) -> &[T] {
        &self.points
    }

    /// The best points so far, and their losses.
    pub fn best(&self) -> (&[T], &[T]) {
        (&self.best, &self.best_losses)
    }

    /// Takes the losses (one a lane) and gradients (a block) of the points, and moves on to the next. Returns
    /// whether there are steps left.
    pub fn tell(&mut self, losses: &[T], gradients: &[T]) -> bool {
        self.keep_best(losses, gradients);
        self.returns.fill(false);
        if self.told == 0 {
            self.checkpoint_losses.copy_from_slice(losses);
        } else {
            let rises = self.rises.iter_mut().zip(losses.iter().zip(&self.last_losses));
            rises.for_each(|(count, (now, before))| *count += usize::from(now > before));
            self.since += 1;
            if self.since == self.gap {
                self.checkpoint();
            }
        }
        self.last_losses.copy_from_slice(losses);
        for (last, (&best, &returns)) in
            self.last_losses.iter_mut().zip(self.best_losses.iter().zip(&self.returns))
        {
            *last = if returns { best } else { *last };
        }
        self.advance(gradients);
        self.told += 1;
        self.told < self.steps
    }

    fn keep_best(&mut self, losses: &[T], gradients: &[T]) {
        for lane in 0..self.lanes {
            if losses[lane] > self.best_losses[lane] || self.told == 0 {
                self.best_losses[lane] = losses[lane];
                for at in (lane..self.points.len()).step_by(self.lanes) {
                    self.best[at] = self.points[at];
                    self.best_gradients[at] = gradients[at];
                }
            }
        }
    }

    fn checkpoint(&mut self) {
        for lane in 0..self.lanes {
            let oscillates = (self.rises[lane] as f64) < RISING * self.gap as f64;
            let stands = !self.halved[lane] && self.checkpoint_losses[lane] >= self.best_losses[lane];
            self.halved[lane] = oscillates || stands;
            if self.halved[lane] {
                self.sizes[lane] = self.sizes[lane] * T::of(0.5);
                self.returns[lane] = true;
            }
            self.rises[lane] = 0;
        }
        self.checkpoint_losses.copy_from_slice(&self.best_losses);
        let (shrinking, least) = (SHRINKING * self.steps as f64, LEAST_GAP * self.steps as f64);
        self.gap = self.gap.saturating_sub(shrinking as usize).max(least as usize).max(1);
        self.since = 0;
    }

    fn advance(&mut self, gradients: &[T]) {
        let (zero, lanes) = (T::zero(), self.lanes);
        let alpha = if self.told == 0 { T::one() } else { T::of(MOMENTUM) };
        for i in 0..self.lower.len() {
            let (lower, upper, reach) = (self.lower[i], self.upper[i], self.reach[i]);
            for lane in 0..lanes {
                let at = i * lanes + lane;
                let returns = self.returns[lane];
                let x = if returns { self.best[at] } else { self.points[at] };
                let g = if returns { self.best_gradients[at] } else { gradients[at] };
                let length = self.sizes[lane] * reach;
                let step = if g > zero { length } else { zero } - if g < zero { length } else { zero };
                let z = (x + step).max(lower).min(upper);
                let moved = x + alpha * (z - x) + (T::one() - alpha) * (x - self.previous[at]);
                self.previous[at] = x;
                self.points[at] = moved.max(lower).min(upper);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// A wavy function of two inputs with several maxima, and its gradient.
    fn wavy(x: f64, y: f64, tilt: f64) -> (f64, [f64; 2]) {
        let loss = (3.0 * x).sin() + (5.0 * y + tilt).cos() - 0.3 * (x - y).powi(2);
        (loss, [3.0 * (3.0 * x).cos() - 0.6 * (x - y), -5.0 * (5.0 * y + tilt).sin() + 0.6 * (x - y)])
    }

    /// Algorithm 1 for one point, as printed: all iterates are kept. Returns what is evaluated, in order.
    fn twin(start: [f64; 2], ends: [[f64; 2]; 2], steps: usize, tilt: f64) -> Vec<[f64; 2]> {
        let project = |x: [f64; 2]| [0, 1].map(|i| x[i].max(ends[i][0]).min(ends[i][1]));
        let value = |x: [f64; 2]| wavy(x[0], x[1], tilt);
        let (mut share, mut checkpoints, mut last) = (1.0, vec![0], 0);
        let mut gap = ((0.22 * steps as f64) as usize).max(1);
        while last < steps {
            last += gap;
            checkpoints.push(last);
            gap =
                gap.saturating_sub((0.03 * steps as f64) as usize).max((0.06 * steps as f64) as usize).max(1);
        }
        let step = |x: [f64; 2], old: [f64; 2], share: f64, alpha: f64| {
            let (_, g) = value(x);
            let z = project([0, 1].map(|i| x[i] + share * (ends[i][1] - ends[i][0]) * g[i].signum()));
            project([0, 1].map(|i| x[i] + alpha * (z[i] - x[i]) + (1.0 - alpha) * (x[i] - old[i])))
        };
        let (mut asked, mut best, mut rises, mut at_checkpoint) =
            (vec![start], start, 0, (value(start).0, 1.0, 1.0));
        let (mut x, mut old) = (start, start);
        for k in 0..steps {
            let next = step(x, old, share, if k == 0 { 1.0 } else { 0.75 });
            (old, x) = (x, next);
            asked.push(x);
            rises += usize::from(value(x).0 > value(old).0);
            if value(x).0 > value(best).0 {
                best = x;
            }
            if let Some(j) = checkpoints.iter().skip(1).position(|&w| w == k + 1) {
                let gap = (checkpoints[j + 1] - checkpoints[j]) as f64;
                let (loss, before, now) = at_checkpoint;
                if (rises as f64) < 0.75 * gap || (before == now && loss == value(best).0) {
                    share /= 2.0;
                    x = best;
                }
                at_checkpoint = (value(best).0, now, share);
                rises = 0;
            }
        }
        asked
    }

    #[test]
    fn each_lane_does_what_the_algorithm_does_with_one_point() {
        let mut random = Random::new(4);
        let ends = [[-1.0, 1.5], [0.0, 2.0]];
        let (lanes, reach) = (7, [2.5, 2.0]);
        for steps in [1, 5, 20, 50, 100] {
            let mut kernel = Apgd::new(&[-1.0, 0.0], &[1.5, 2.0], &reach, lanes, steps);
            let starts: Vec<[f64; 2]> =
                (0..lanes).map(|_| ends.map(|[low, high]| random.between(low, high))).collect();
            let block: Vec<f64> = (0..2).flat_map(|i| starts.iter().map(move |s| s[i])).collect();
            kernel.start(&block);
            let wanted: Vec<_> = (0..lanes).map(|l| twin(starts[l], ends, steps, l as f64)).collect();
            for k in 0..steps {
                let points = kernel.points().to_vec();
                let values: Vec<_> =
                    (0..lanes).map(|l| wavy(points[l], points[lanes + l], l as f64)).collect();
                for l in 0..lanes {
                    assert_eq!([points[l], points[lanes + l]], wanted[l][k], "lane {l}, step {k} of {steps}");
                }
                let losses: Vec<f64> = values.iter().map(|v| v.0).collect();
                let gradients: Vec<f64> = (0..2).flat_map(|i| values.iter().map(move |v| v.1[i])).collect();
                assert_eq!(kernel.tell(&losses, &gradients), k + 1 < steps);
            }
            for l in 0..lanes {
                let seen = wanted[l][..steps].iter().map(|x| wavy(x[0], x[1], l as f64).0);
                assert_eq!(kernel.best().1[l], seen.fold(f64::NEG_INFINITY, f64::max));
            }
        }
    }

    #[test]
    fn steps_shrink_until_a_maximum_inside_is_met() {
        let mut kernel = Apgd::new(&[0.0f32], &[1.0], &[1.0], 1, 100);
        kernel.start(&[0.9]);
        loop {
            let x = kernel.points()[0];
            if !kernel.tell(&[-(x - 0.3).abs()], &[if x < 0.3 { 1.0 } else { -1.0 }]) {
                break;
            }
        }
        assert!((kernel.best().0[0] - 0.3).abs() < 0.01, "{:?}", kernel.best());
    }
}
