//! The steps of FAB, for many points at once: asked for points, told losses and gradients.
//!
//! Croce and Hein, "Minimally distorted adversarial examples with a fast adaptive boundary attack", 2020, section
//! 3, for the L∞ norm. The loss is linearised at `x(k)`; the point and the lane's origin `x` are both projected on the
//! hyperplane where the linear loss is zero, within the box, which gives the steps `d1` and `d2`. Then
//!
//! ```text
//! a      = min(|d1| / (|d1| + |d2|), 0.1)
//! x(k+1) = P((1 − a) (x(k) + 1.05 d1) + a (x + 1.05 d2))
//! ```
//!
//! A point on the other side (loss ≥ 0) is kept if it is the nearest to the origin so far, and the next point is
//! `x + 0.9 (x(k) − x)`, where the loss is linearised whichever side it is on.
//!
//! The projection is exact: the least `t` with `Σ |w_i| min(t s_i, room_i) = |gap|`, found in one pass over the sorted
//! quotients `room_i / s_i`, where `s_i` is the unit of distance in dimension `i`.
//!
//! The kernel knows boxes only, neither networks nor properties. Blocks hold `dimensions × lanes` numbers, lanes
//! innermost; the loss is to be made at least zero.

use crate::network::Real;

const OVERSHOOT: f64 = 1.05;
const MOST_PULL: f64 = 0.1;
const BACKWARD: f64 = 0.9;

/// Projections on hyperplanes within a box, in the L∞ norm; the memory is kept.
#[derive(Debug, Clone, Default)]
pub struct Projector {
    /// For each dimension that matters, the distance at which the box ends and the slope up to there.
    ends: Vec<(f64, f64)>,
}

/// A box with the unit of distance of each dimension.
#[derive(Debug, Clone, Copy)]
pub struct ScaledBox<'b> {
    /// Lower ends.
    pub lower: &'b [f64],
    /// Upper ends.
    pub upper: &'b [f64],
    /// Units, above zero: a step `d` has the length `max |d_i| / scale_i`.
    pub scale: &'b [f64],
}

impl Projector {
    /// Writes to `step` the shortest step from `point`, a point of the box, with `normal · step = gap`, or the one
    /// that comes nearest to it, where the box ends before. Returns the step's length; all slices hold one number a
    /// dimension.
    pub fn project(
        &mut self,
        point: &[f64],
        normal: &[f64],
        gap: f64,
        within: ScaledBox<'_>,
        step: &mut [f64],
    ) -> f64 {
        let room = |i: usize| match normal[i] * gap {
            up if up > 0.0 => within.upper[i] - point[i],
            down if down < 0.0 => point[i] - within.lower[i],
            _ => 0.0,
        };
        self.ends.clear();
        for i in 0..point.len() {
            let (room, scale) = (room(i), within.scale[i]);
            if room > 0.0 {
                self.ends.push((room / scale, normal[i].abs() * scale));
            }
        }
        self.ends.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let length = least_length(&self.ends, gap.abs());
        for i in 0..point.len() {
            let size = room(i).min(length * within.scale[i]).max(0.0);
            step[i] = if normal[i] * gap < 0.0 { -size } else { size };
        }
        length
    }
}

/// The least `t` with `Σ slope · min(t, end) = gap`, or the last end; `ends` are sorted.
fn least_length(ends: &[(f64, f64)], gap: f64) -> f64 {
    let mut slope: f64 = ends.iter().map(|end| end.1).sum();
    let (mut done, mut at) = (0.0, 0.0);
    for &(end, own) in ends {
        if done + slope * (end - at) >= gap {
            return (at + (gap - done) / slope).min(end);
        }
        done += slope * (end - at);
        slope -= own;
        at = end;
    }
    at
}

/// A block of points on their way to the boundary.
#[derive(Debug, Clone)]
pub struct Fab<T> {
    lower: Vec<f64>,
    upper: Vec<f64>,
    scale: Vec<f64>,
    lanes: usize,
    origins: Vec<T>,
    points: Vec<T>,
    nearest: Vec<T>,
    distances: Vec<f64>,
    stuck: Vec<bool>,
    /// Lanes whose point is a step back from the other side.
    returned: Vec<bool>,
    projector: Projector,
    point: Vec<f64>,
    origin: Vec<f64>,
    normal: Vec<f64>,
    forward: Vec<f64>,
    inward: Vec<f64>,
}

impl<T: Real> Fab<T> {
    /// Points in the box `[lower, upper]`; `scale` is the unit of distance in each dimension (the paper: 1). All three
    /// slices hold one number a dimension.
    pub fn new(lower: &[T], upper: &[T], scale: &[T], lanes: usize) -> Self {
        let wide = |values: &[T]| values.iter().map(|x| x.widen()).collect::<Vec<f64>>();
        let (block, lane) = (vec![T::zero(); lower.len() * lanes], vec![0.0; lower.len()]);
        Self {
            lower: wide(lower),
            upper: wide(upper),
            scale: wide(scale).into_iter().map(|s| s.max(f64::MIN_POSITIVE)).collect(),
            lanes,
            origins: block.clone(),
            points: block.clone(),
            nearest: block,
            distances: vec![f64::INFINITY; lanes],
            stuck: vec![false; lanes],
            returned: vec![false; lanes],
            projector: Projector::default(),
            point: lane.clone(),
            origin: lane.clone(),
            normal: lane.clone(),
            forward: lane.clone(),
            inward: lane,
        }
    }

    /// Begins anew: blocks of origins, to which distances are measured, and of the points to start from, both in the
    /// box. What was found before is forgotten.
    pub fn start(&mut self, origins: &[T], points: &[T]) {
        self.origins.copy_from_slice(origins);
        self.distances.fill(f64::INFINITY);
        self.restart(points);
    }

    /// Starts from other points towards the same origins; what was found before is kept.
    pub fn restart(&mut self, points: &[T]) {
        self.points.copy_from_slice(points);
        self.stuck.fill(false);
        self.returned.fill(false);
    }

    /// The points whose losses and gradients are asked for.
    pub fn points(&self) -> &[T] {
        &self.points
    }

    /// For each lane the nearest point with a loss of at least zero, and its distance from the origin in units of
    /// the scale; the distance is infinite where none was found.
    pub fn nearest(&self) -> (&[T], &[f64]) {
        (&self.nearest, &self.distances)
    }

    /// Lanes that were told a loss below zero without a gradient: they stay where they are.
    pub fn stuck(&self) -> &[bool] {
        &self.stuck
    }

    /// Lanes whose point is a step back from the other side: the only ones whose next step linearises nevertheless.
    pub fn returned(&self) -> &[bool] {
        &self.returned
    }

    /// Takes the losses (one a lane) and gradients (a block) of the points, and moves on to the next.
    pub fn tell(&mut self, losses: &[T], gradients: &[T]) {
        for lane in 0..self.lanes {
            let loss = losses[lane].widen();
            self.load(lane, gradients);
            if loss >= 0.0 {
                self.keep(lane);
            }
            self.returned[lane] = loss >= 0.0 && !self.returned[lane];
            if self.returned[lane] {
                let lines = self.point.iter_mut().zip(&self.origin);
                lines.for_each(|(x, &origin)| *x = origin + BACKWARD * (*x - origin));
            } else {
                self.step(lane, loss);
            }
            self.store(lane);
        }
    }

    fn load(&mut self, lane: usize, gradients: &[T]) {
        for i in 0..self.point.len() {
            let at = i * self.lanes + lane;
            self.point[i] = self.points[at].widen();
            self.origin[i] = self.origins[at].widen();
            self.normal[i] = gradients[at].widen();
        }
    }

    fn keep(&mut self, lane: usize) {
        let lines = self.point.iter().zip(&self.origin).zip(&self.scale);
        let distance = lines.map(|((x, origin), scale)| (x - origin).abs() / scale).fold(0.0, f64::max);
        if distance < self.distances[lane] {
            self.distances[lane] = distance;
            for at in (lane..self.points.len()).step_by(self.lanes) {
                self.nearest[at] = self.points[at];
            }
        }
    }

    /// One step of the module's equations for the loaded lane.
    fn step(&mut self, lane: usize, loss: f64) {
        self.stuck[lane] = !loss.is_finite() || self.normal.iter().all(|&w| w == 0.0 || !w.is_finite());
        if self.stuck[lane] {
            return;
        }
        let within = ScaledBox { lower: &self.lower, upper: &self.upper, scale: &self.scale };
        let moved = self.normal.iter().zip(self.origin.iter().zip(&self.point));
        let at_origin = loss + moved.map(|(w, (origin, x))| w * (origin - x)).sum::<f64>();
        let d1 = self.projector.project(&self.point, &self.normal, -loss, within, &mut self.forward);
        let d2 = self.projector.project(&self.origin, &self.normal, -at_origin, within, &mut self.inward);
        let pull = if d1 + d2 > 0.0 { (d1 / (d1 + d2)).min(MOST_PULL) } else { 0.0 };
        for i in 0..self.point.len() {
            let forward = self.point[i] + OVERSHOOT * self.forward[i];
            let inward = self.origin[i] + OVERSHOOT * self.inward[i];
            self.point[i] = (1.0 - pull) * forward + pull * inward;
        }
    }

    fn store(&mut self, lane: usize) {
        for i in 0..self.point.len() {
            let (lower, upper) = (T::of(self.lower[i]), T::of(self.upper[i]));
            self.points[i * self.lanes + lane] = T::of(self.point[i]).max(lower).min(upper);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    struct Case {
        point: Vec<f64>,
        normal: Vec<f64>,
        lower: Vec<f64>,
        upper: Vec<f64>,
        scale: Vec<f64>,
    }

    fn case(random: &mut Random, dimensions: usize) -> Case {
        let mut draw =
            |low: f64, high: f64| (0..dimensions).map(|_| random.between(low, high)).collect::<Vec<f64>>();
        let (lower, upper, share) = (draw(-2.0, 0.0), draw(0.0, 2.0), draw(-0.2, 1.2));
        let inside = |i: usize| (lower[i] + share[i] * (upper[i] - lower[i])).max(lower[i]).min(upper[i]);
        let point = (0..dimensions).map(inside).collect();
        let normal = draw(-1.0, 1.0).iter().map(|&w| if w.abs() < 0.1 { 0.0 } else { w }).collect();
        Case { point, normal, scale: draw(0.2, 3.0), lower, upper }
    }

    /// The reach of a step of length `t`, by its definition.
    fn reach(case: &Case, gap: f64, t: f64) -> f64 {
        let along = |i: usize| {
            let up = case.normal[i] * gap > 0.0;
            let room = if up { case.upper[i] - case.point[i] } else { case.point[i] - case.lower[i] };
            case.normal[i].abs() * room.min(t * case.scale[i])
        };
        (0..case.point.len()).map(along).sum()
    }

    #[test]
    fn projections_are_the_shortest_steps_within_the_box() {
        let mut random = Random::new(1);
        let mut projector = Projector::default();
        for dimensions in [1, 2, 3, 7, 40] {
            for _ in 0..200 {
                let case = case(&mut random, dimensions);
                let gap = random.between(-1.0, 1.0) * dimensions as f64;
                let mut step = vec![0.0; dimensions];
                let within = ScaledBox { lower: &case.lower, upper: &case.upper, scale: &case.scale };
                let length = projector.project(&case.point, &case.normal, gap, within, &mut step);
                for i in 0..dimensions {
                    let x = case.point[i] + step[i];
                    assert!((case.lower[i] - 1e-12..=case.upper[i] + 1e-12).contains(&x));
                    assert!(step[i].abs() <= length * case.scale[i] + 1e-12);
                }
                let rise: f64 = step.iter().zip(&case.normal).map(|(d, w)| d * w).sum();
                let most = reach(&case, gap, f64::INFINITY);
                if most < gap.abs() {
                    assert!((rise.abs() - most).abs() < 1e-9, "the box ends before, and the step with it");
                    continue;
                }
                assert!((rise - gap).abs() < 1e-9);
                // The twin: halve an interval of lengths.
                let (mut short, mut long) = (0.0, 100.0);
                for _ in 0..100 {
                    let middle = 0.5 * (short + long);
                    if reach(&case, gap, middle) < gap.abs() { short = middle } else { long = middle }
                }
                assert!((length - long).abs() < 1e-9, "{length} against {long}");
            }
        }
    }

    #[test]
    fn no_point_of_the_plane_is_nearer() {
        let mut random = Random::new(2);
        let mut projector = Projector::default();
        let mut compared = 0;
        for _ in 0..300 {
            let case = case(&mut random, 3);
            let gap = random.between(-1.0, 1.0);
            let mut step = vec![0.0; 3];
            let within = ScaledBox { lower: &case.lower, upper: &case.upper, scale: &case.scale };
            let length = projector.project(&case.point, &case.normal, gap, within, &mut step);
            // Points of a grid over two inputs; the plane says what the third has to be.
            if let Some(third) = (0..3).rfind(|&i| case.normal[i] != 0.0) {
                let others: Vec<usize> = (0..3).filter(|&i| i != third).collect();
                for a in 0..=30 {
                    for b in 0..=30 {
                        let mut other = [0.0; 3];
                        for (&i, share) in others.iter().zip([a, b]) {
                            let x = case.lower[i] + (case.upper[i] - case.lower[i]) * f64::from(share) / 30.0;
                            other[i] = x - case.point[i];
                        }
                        let along: f64 = others.iter().map(|&i| other[i] * case.normal[i]).sum();
                        other[third] = (gap - along) / case.normal[third];
                        let x = case.point[third] + other[third];
                        if (case.lower[third]..=case.upper[third]).contains(&x) {
                            let far = (0..3).map(|i| other[i].abs() / case.scale[i]).fold(0.0, f64::max);
                            assert!(far >= length - 1e-9);
                            compared += 1;
                        }
                    }
                }
            }
        }
        assert!(compared > 10_000);
    }

    #[test]
    fn a_linear_boundary_is_crossed_in_one_step_and_then_approached() {
        // Loss x + 2y − 1 on the unit square, from the origin: the nearest point is (1/3, 1/3).
        let mut kernel = Fab::new(&[0.0f64, 0.0], &[1.0, 1.0], &[1.0, 1.0], 2);
        let origins = [0.0, 0.0, 0.0, 0.0];
        kernel.start(&origins, &[0.0, 0.8, 0.0, 0.1]);
        for step in 0..60 {
            let points = kernel.points().to_vec();
            let losses: Vec<f64> = (0..2).map(|l| points[l] + 2.0 * points[2 + l] - 1.0).collect();
            kernel.tell(&losses, &[1.0, 1.0, 2.0, 2.0]);
            assert!(step != 1 || kernel.nearest().1[0] < f64::INFINITY, "the first step does not cross");
        }
        for &distance in kernel.nearest().1 {
            assert!((distance - 1.0 / 3.0).abs() < 0.02, "{distance}");
        }
        kernel.tell(&[-1.0, -1.0], &[0.0; 4]);
        assert_eq!(kernel.stuck(), [true, true]);
    }
}
