//! What a linear function of the inputs can do within a distance: its least value, and how far one has to go until it falls
//! to zero.
//!
//! The inputs lie in a box, and no farther than `t` from the nominal input. [`Reach::least`] is the support function of that
//! set, bounded from below by weak duality: with any multiplier `λ ≥ 0` of the distance the inputs come apart, and each takes
//! its best value by itself. [`Reach::radius`] is its inverse, the length of the projection on a plane (as in FAB, Croce and
//! Hein, ICML 2020, section 3.1, here with a box, for four norms, and with rounding on the safe side).
//!
//! Under L0 a change is a whole pixel. Between two whole numbers of pixels the support function is continued by its chords:
//! that is the linear program in which a switch may be on by half.

use super::norm::{Norm, Pixels};
use super::rounding::{RoundedSum, above, below};

/// Steps of a bisection: more halve nothing in double precision.
const HALVINGS: usize = 60;
/// By what part of itself a radius is shortened until it is verified.
const SHORTENINGS: [f64; 6] = [1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4];

/// A box, and the distance that is meant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach<'a> {
    pub(super) norm: Norm,
    pub(super) nominal: &'a [f64],
    pub(super) lower: &'a [f64],
    pub(super) upper: &'a [f64],
    pub(super) pixels: &'a Pixels,
    /// Under L0: pixels that count whether they change or not.
    pub(super) on: &'a [usize],
}

/// What can be bought with distance: so much gain for each unit, so many units.
#[derive(Debug, Clone, Copy)]
struct Item {
    rate: f64,
    room: f64,
    /// The input; under L0 the pixel.
    which: usize,
}

impl Reach<'_> {
    /// The value of an input that is nearest to the nominal one.
    pub(super) fn base(&self, i: usize) -> f64 {
        self.nominal[i].max(self.lower[i]).min(self.upper[i])
    }

    /// How far an input can go from its base in the direction in which the function falls.
    fn room(&self, i: usize, slope: f64) -> f64 {
        match slope {
            slope if slope > 0.0 => above(self.base(i) - self.lower[i]),
            slope if slope < 0.0 => above(self.upper[i] - self.base(i)),
            _ => 0.0,
        }
    }

    /// The end of an input's range at which the function is least.
    fn end(&self, i: usize, slope: f64) -> f64 {
        match slope {
            slope if slope > 0.0 => self.lower[i],
            slope if slope < 0.0 => self.upper[i],
            _ => self.base(i),
        }
    }

    /// Whether a pixel counts in any case: it was decided, or the nominal input is outside of the box there.
    fn is_on(&self, pixel: usize, members: &[usize]) -> bool {
        self.on.contains(&pixel) || members.iter().any(|&i| self.base(i) != self.nominal[i])
    }

    /// No point of the box is nearer than this.
    pub(super) fn floor(&self) -> f64 {
        let gaps = (0..self.nominal.len()).map(|i| (self.nominal[i] - self.base(i)).abs());
        let least = match self.norm {
            Norm::L0 => {
                return self.pixels.all().enumerate().filter(|(p, m)| self.is_on(*p, m)).count() as f64;
            }
            Norm::Linf => below(gaps.fold(0.0, f64::max)),
            Norm::L1 => {
                let mut account = RoundedSum::default();
                gaps.for_each(|gap| account.add(below(gap).max(0.0)));
                account.least()
            }
            Norm::L2 => {
                let mut account = RoundedSum::default();
                gaps.for_each(|gap| account.add(gap * gap));
                below(account.least().max(0.0).sqrt())
            }
        };
        least.max(0.0)
    }

    /// What distance buys under L0 and L1, the best first, and what is had for nothing.
    fn items(&self, slopes: &[f64]) -> (Vec<Item>, f64) {
        let mut free = 0.0;
        let mut items: Vec<Item> = match self.norm {
            Norm::L0 => {
                let gain = |members: &[usize]| -> f64 {
                    above(members.iter().map(|&i| above(slopes[i].abs() * self.room(i, slopes[i]))).sum())
                };
                let (mut items, mut of_decided) = (Vec::new(), RoundedSum::default());
                for (which, members) in self.pixels.all().enumerate() {
                    let rate = gain(members) * (1.0 + 1e-14);
                    match self.is_on(which, members) {
                        true => of_decided.add(-rate),
                        false => items.push(Item { rate, room: 1.0, which }),
                    }
                }
                free = -of_decided.least();
                items
            }
            _ => {
                let item = |(which, slope): (usize, &f64)| Item {
                    rate: slope.abs(),
                    room: self.room(which, *slope),
                    which,
                };
                slopes.iter().enumerate().map(item).collect()
            }
        };
        items.retain(|item| item.rate > 0.0 && item.room > 0.0);
        items.sort_unstable_by(|a, b| b.rate.total_cmp(&a.rate));
        (items, free)
    }

    /// At most the least value of `slopes · x` over the points of the box within distance `t`.
    pub(super) fn least(&self, slopes: &[f64], t: f64) -> f64 {
        match self.norm {
            Norm::L0 | Norm::L1 => {
                let (items, free) = self.items(slopes);
                let multiplier = marginal(&items, t - self.floor()).map_or(0.0, |item| item.rate);
                self.least_of_items(slopes, (&items, free), t, multiplier)
            }
            Norm::L2 => self.least_l2(slopes, t, self.multiplier_l2(slopes, t)),
            Norm::Linf => self.least_linf(slopes, t),
        }
    }

    fn least_of_items(&self, slopes: &[f64], (items, free): (&[Item], f64), t: f64, multiplier: f64) -> f64 {
        let mut account = RoundedSum::default();
        slopes.iter().enumerate().for_each(|(i, slope)| account.add(slope * self.base(i)));
        account.add(-free);
        if multiplier > 0.0 {
            account.add(-multiplier * above(t - self.floor()).max(0.0));
        }
        for item in items.iter().take_while(|item| item.rate > multiplier) {
            account.add(-(item.rate - multiplier) * item.room);
        }
        account.least()
    }

    fn least_linf(&self, slopes: &[f64], t: f64) -> f64 {
        let mut account = RoundedSum::default();
        for (i, &slope) in slopes.iter().enumerate().filter(|(_, slope)| **slope != 0.0) {
            let x = match slope > 0.0 {
                true => below(self.nominal[i] - t).min(self.upper[i]).max(self.lower[i]),
                false => above(self.nominal[i] + t).max(self.lower[i]).min(self.upper[i]),
            };
            account.add(slope * x);
        }
        account.least()
    }

    /// `min g·x + (|x − nominal|² − t²) / 2λ`, input by input. The value at a point that misses an input's best by `δ` is
    /// larger by at most `δ² / 2λ`; without a multiplier the distance does not count.
    fn least_l2(&self, slopes: &[f64], t: f64, multiplier: f64) -> f64 {
        let mut account = RoundedSum::default();
        if !(multiplier.is_finite() && multiplier > 0.0) {
            slopes.iter().enumerate().for_each(|(i, slope)| account.add(slope * self.end(i, *slope)));
            return account.least();
        }
        let weight = 0.5 / multiplier;
        for (i, &slope) in slopes.iter().enumerate() {
            let x = self.at_l2(i, slope, multiplier);
            let missed = 4.0 * f64::EPSILON * (x.abs() + self.nominal[i].abs() + (multiplier * slope).abs());
            account.add(slope * x);
            account.add((x - self.nominal[i]).powi(2) * weight);
            account.charge(missed * missed * weight);
        }
        account.add(-(t * t) * weight);
        account.least()
    }

    fn at_l2(&self, i: usize, slope: f64, multiplier: f64) -> f64 {
        (self.nominal[i] - multiplier * slope).max(self.lower[i]).min(self.upper[i])
    }

    /// The value, and the distance, of the point with a multiplier.
    fn trial_l2(&self, slopes: &[f64], multiplier: f64) -> (f64, f64) {
        let (mut value, mut square) = (0.0, 0.0);
        for (i, &slope) in slopes.iter().enumerate() {
            let x = self.at_l2(i, slope, multiplier);
            value += slope * x;
            square += (x - self.nominal[i]).powi(2);
        }
        (value, square.sqrt())
    }

    /// The largest multiplier at which `goes_on` still holds; infinite where it always does.
    fn bisect_l2(&self, slopes: &[f64], goes_on: impl Fn(f64, (f64, f64)) -> bool) -> f64 {
        let steepest = slopes.iter().fold(0.0_f64, |most, slope| most.max(slope.abs()));
        let widest = (0..slopes.len()).map(|i| self.room(i, slopes[i])).fold(0.0, f64::max);
        if steepest == 0.0 || widest == 0.0 {
            return f64::INFINITY;
        }
        let (mut low, mut high) = (0.0, widest / steepest);
        for _ in 0..HALVINGS {
            if !goes_on(high, self.trial_l2(slopes, high)) {
                break;
            }
            (low, high) = (high, 2.0 * high);
        }
        if goes_on(high, self.trial_l2(slopes, high)) {
            return f64::INFINITY;
        }
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            match goes_on(middle, self.trial_l2(slopes, middle)) {
                true => low = middle,
                false => high = middle,
            }
        }
        if low > 0.0 { low } else { high }
    }

    fn multiplier_l2(&self, slopes: &[f64], t: f64) -> f64 {
        self.bisect_l2(slopes, |_, (_, distance)| distance <= t)
    }

    /// No point of the box with `slopes · x + constant ≤ 0` is nearer; infinite where there is none. `constant` is what
    /// rounding leaves on the safe side.
    pub(super) fn radius(&self, slopes: &[f64], constant: f64) -> f64 {
        let floor = self.floor();
        match self.norm {
            Norm::L0 | Norm::L1 => {
                let (items, free) = self.items(slopes);
                let least = |t, multiplier| self.least_of_items(slopes, (&items, free), t, multiplier);
                let steepest = items.first().map_or(0.0, |item| item.rate);
                if constant + least(f64::INFINITY, 0.0) > 0.0 {
                    return f64::INFINITY;
                }
                let (root, multiplier) = root(&items, constant + least(floor, steepest));
                shortened(floor, floor + root, |t| constant + least(t, multiplier) > 0.0)
            }
            Norm::L2 => {
                if constant + self.least_l2(slopes, f64::INFINITY, f64::INFINITY) > 0.0 {
                    return f64::INFINITY;
                }
                let multiplier = self.bisect_l2(slopes, |_, (value, _)| constant + value > 0.0);
                let (_, root) = self.trial_l2(slopes, multiplier);
                shortened(floor, root, |t| constant + self.least_l2(slopes, t, multiplier) > 0.0)
            }
            Norm::Linf => {
                if constant + self.least_linf(slopes, f64::INFINITY) > 0.0 {
                    return f64::INFINITY;
                }
                let (mut low, mut high) = (floor, self.farthest(slopes));
                for _ in 0..HALVINGS {
                    let middle = 0.5 * (low + high);
                    match constant + self.least_linf(slopes, middle) > 0.0 {
                        true => low = middle,
                        false => high = middle,
                    }
                }
                shortened(floor, low, |t| constant + self.least_linf(slopes, t) > 0.0)
            }
        }
    }

    /// The support function near `t`, for programs: its value and its slope there. Rounding is not accounted for.
    pub(super) fn tangent(&self, slopes: &[f64], t: f64) -> (f64, f64) {
        match self.norm {
            Norm::L0 | Norm::L1 => {
                let (items, free) = self.items(slopes);
                let rate = marginal(&items, t - self.floor()).map_or(0.0, |item| item.rate);
                (self.least_of_items(slopes, (&items, free), t, rate), -rate)
            }
            Norm::L2 => {
                let multiplier = self.multiplier_l2(slopes, t);
                let slope = if multiplier.is_finite() && multiplier > 0.0 { -t / multiplier } else { 0.0 };
                (self.least_l2(slopes, t, multiplier), slope)
            }
            Norm::Linf => {
                let moves = |(i, slope): (usize, &f64)| {
                    let gap = (self.nominal[i] - self.base(i)).abs();
                    if (gap..gap + self.room(i, *slope)).contains(&t) { slope.abs() } else { 0.0 }
                };
                (self.least_linf(slopes, t), -slopes.iter().enumerate().map(moves).sum::<f64>())
            }
        }
    }

    /// The point within `t` at which the function is least; under L0 with whole pixels, one more where `t` is no whole
    /// number.
    pub(super) fn point(&self, slopes: &[f64], t: f64) -> Vec<f64> {
        let all = 0..slopes.len();
        match self.norm {
            Norm::Linf => {
                let value = |i: usize| match slopes[i] {
                    slope if slope > 0.0 => (self.nominal[i] - t).min(self.upper[i]).max(self.lower[i]),
                    slope if slope < 0.0 => (self.nominal[i] + t).max(self.lower[i]).min(self.upper[i]),
                    _ => self.base(i),
                };
                all.map(value).collect()
            }
            Norm::L2 => {
                let multiplier = self.multiplier_l2(slopes, t);
                let value = |i: usize| match multiplier.is_finite() {
                    true => self.at_l2(i, slopes[i], multiplier),
                    false => self.end(i, slopes[i]),
                };
                all.map(value).collect()
            }
            Norm::L0 | Norm::L1 => self.bought(slopes, t),
        }
    }

    fn bought(&self, slopes: &[f64], t: f64) -> Vec<f64> {
        let mut point: Vec<f64> = (0..slopes.len()).map(|i| self.base(i)).collect();
        let mut left = t - self.floor();
        if self.norm == Norm::L0 {
            left = (left - 1e-9).ceil();
            for (_, members) in self.pixels.all().enumerate().filter(|(p, m)| self.is_on(*p, m)) {
                members.iter().for_each(|&i| point[i] = self.end(i, slopes[i]));
            }
        }
        for item in self.items(slopes).0 {
            if left <= 0.0 {
                break;
            }
            match self.norm {
                Norm::L0 => {
                    for &i in self.pixels.all().nth(item.which).unwrap_or_default() {
                        point[i] = self.end(i, slopes[i]);
                    }
                }
                _ => point[item.which] -= slopes[item.which].signum() * item.room.min(left),
            }
            left -= item.room;
        }
        point
    }

    /// What a point costs: its distance, and under L0 the pixels that count in any case.
    pub(super) fn cost(&self, x: &[f64]) -> f64 {
        if self.norm != Norm::L0 {
            return self.norm.distance(x, self.nominal, self.pixels);
        }
        let changes = |members: &[usize]| members.iter().any(|&i| x[i] != self.nominal[i]);
        self.pixels.all().enumerate().filter(|(p, m)| changes(m) || self.is_on(*p, m)).count() as f64
    }

    /// The point of the box where `distance + slopes · x` is least.
    pub(super) fn priced(&self, slopes: &[f64]) -> Vec<f64> {
        let t = match self.norm {
            Norm::L0 | Norm::L1 => {
                let worth = self.items(slopes).0.into_iter().take_while(|item| item.rate > 1.0);
                self.floor() + worth.map(|item| item.room).sum::<f64>()
            }
            // The distance of the point with multiplier λ is λ itself.
            Norm::L2 => {
                let multiplier = self.bisect_l2(slopes, |multiplier, (_, distance)| distance > multiplier);
                self.trial_l2(slopes, multiplier).1
            }
            Norm::Linf => {
                let (mut low, mut high) = (self.floor(), self.farthest(slopes));
                for _ in 0..HALVINGS {
                    let middle = 0.5 * (low + high);
                    match self.tangent(slopes, middle).1 < -1.0 {
                        true => low = middle,
                        false => high = middle,
                    }
                }
                high
            }
        };
        self.point(slopes, t)
    }

    /// How far the largest change can be of use.
    fn farthest(&self, slopes: &[f64]) -> f64 {
        let widest = |i: usize| self.room(i, slopes[i]) + (self.nominal[i] - self.base(i)).abs();
        (0..slopes.len()).map(widest).fold(self.floor(), f64::max)
    }
}

/// The item that the last part of so much distance is spent on; `None` if all can be bought.
fn marginal(items: &[Item], distance: f64) -> Option<Item> {
    let mut left = distance;
    items.iter().copied().find(|item| {
        left -= item.room;
        left < 0.0
    })
}

/// How much distance buys a gain, and the rate of the last item.
fn root(items: &[Item], gain: f64) -> (f64, f64) {
    let (mut spent, mut missing) = (0.0, gain);
    for item in items {
        if missing <= item.rate * item.room {
            return (spent + missing.max(0.0) / item.rate, item.rate);
        }
        spent += item.room;
        missing -= item.rate * item.room;
    }
    (spent, 0.0)
}

/// The largest radius a little below the root that is verified; the floor if none is.
fn shortened(floor: f64, root: f64, is_verified: impl Fn(f64) -> bool) -> f64 {
    let mut radii = SHORTENINGS.iter().map(|part| root * (1.0 - part)).filter(|&t| t > floor);
    radii.find(|&t| is_verified(t)).unwrap_or(floor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    struct Case {
        nominal: Vec<f64>,
        lower: Vec<f64>,
        upper: Vec<f64>,
        slopes: Vec<f64>,
    }

    fn case(random: &mut Random, outside: bool) -> Case {
        let inputs = 4;
        let lower: Vec<f64> = (0..inputs).map(|_| random.between(-1.0, 0.0)).collect();
        let upper: Vec<f64> = lower.iter().map(|low| low + random.between(0.0, 1.5)).collect();
        let nominal = lower.iter().zip(&upper).map(|(&low, &high)| match outside {
            true => random.between(low - 0.3, high + 0.3),
            false => random.between(low, high),
        });
        let nominal = nominal.collect();
        let slopes = (0..inputs).map(|i| if i == 2 && random.unit() < 0.3 { 0.0 } else { random.normal() });
        Case { nominal, lower, upper, slopes: slopes.collect() }
    }

    /// Points of the box, many of them at ends of inputs, at the nominal value, or both.
    fn points(case: &Case, random: &mut Random) -> Vec<Vec<f64>> {
        let value = |i: usize, random: &mut Random| match random.below(4) {
            0 => case.lower[i],
            1 => case.upper[i],
            2 => case.nominal[i].clamp(case.lower[i], case.upper[i]),
            _ => random.between(case.lower[i], case.upper[i]),
        };
        (0..4000).map(|_| (0..case.nominal.len()).map(|i| value(i, random)).collect()).collect()
    }

    fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    /// No sampled point within a distance is below the bound, the point that is said to be least is there, and a plane's
    /// radius is the distance of its nearest point.
    fn check(norm: Norm, seed: u64, outside: bool) {
        let mut random = Random::new(seed);
        let case = case(&mut random, outside);
        let pixels = Pixels::of(vec![vec![0, 1], vec![2], vec![3]]);
        let Case { nominal, lower, upper, slopes } = &case;
        let reach = Reach { norm, nominal, lower, upper, pixels: &pixels, on: &[] };
        let points = points(&case, &mut random);
        let distance = |x: &[f64]| norm.distance(x, nominal, &pixels);
        let floor = reach.floor();
        for share in [0.1_f64, 0.4, 0.7, 1.0, 1.5] {
            let t = match norm {
                Norm::L0 => floor + (3.0 * share).round(),
                _ => floor + share,
            };
            let least = reach.least(slopes, t);
            for x in points.iter().filter(|x| distance(x) <= t) {
                assert!(least <= dot(slopes, x) + 1e-12, "{norm} seed {seed}: {least} at {t}");
            }
            let point = reach.point(slopes, t);
            assert!(distance(&point) <= t + 1e-9, "{norm} seed {seed}: {} > {t}", distance(&point));
            assert!((dot(slopes, &point) - least).abs() < 1e-9, "{norm} seed {seed} at {t}");
            let (value, slope) = reach.tangent(slopes, t);
            for other in [floor + 1e-3, 0.5 * (floor + t), 2.0 * t] {
                let above = value + slope * (other - t);
                assert!(above <= reach.least(slopes, other) + 1e-9, "{norm} seed {seed}: a tangent crosses");
            }
            let constant = -least - 1e-3;
            let radius = reach.radius(slopes, constant);
            for x in points.iter().filter(|x| dot(slopes, x) + constant <= 0.0) {
                assert!(distance(x) + 1e-12 >= radius.min(1e9), "{norm} seed {seed}: {radius}");
            }
            if norm != Norm::L0 && radius.is_finite() && radius > floor {
                let value = dot(slopes, &reach.point(slopes, radius)) + constant;
                assert!((0.0..1e-6).contains(&(value + 1e-9)), "{norm} seed {seed}: {value} at {radius}");
            }
        }
        let most: f64 = dot(slopes, &reach.point(slopes, 100.0));
        assert_eq!(reach.radius(slopes, -most + 1e-6), f64::INFINITY, "{norm} seed {seed}: out of the box");
    }

    #[test]
    fn bounds_hold_and_are_met() {
        for norm in Norm::ALL {
            (0..40).for_each(|seed| check(norm, seed, seed % 2 == 1));
        }
    }
}
