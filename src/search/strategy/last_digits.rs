//! The last digits: points whose margin is zero but for rounding.
//!
//! A property may want an output to be one certain number, or to lie in a band that is a few numbers wide. Gradients come
//! as near as rounding lets them; whether the last digit is right is chance, and another one for the judge, who adds in
//! another order. So from the best point, each lane moves a few inputs, some by a few steps of their type's numbers, some
//! further, and one more by what the gradient says is then missing (a step of Newton's method). All of them lie within
//! rounding of the wanted number, and each is another throw of the last digit. Those that are near enough are shown to the
//! judge, whatever the fast engine makes of them.
//!
//! Where inputs follow from outputs, every point hangs on last digits, however large its margin is: other computations have to end
//! in the same ones.
//!
//! Inputs that are tied together to the last digit (`balance.rs`) are moved onto their equations.

use crate::network::{Real, Surrogate};
use crate::problem::Problem;
use crate::property::{Region, grid};
use crate::random::Random;
use crate::search::kernel::points::{at, repeat};
use crate::search::strategy::balance::Balance;
use crate::search::{Falsifier, Halt, NotApplicable, Objective, Oracle, Progress};

/// Blocks a round.
const BLOCKS: usize = 4;
/// Points that are shown to the judge after a block.
const SHOWN: usize = 4;
/// Blocks in which only points are shown that are right for the fast engine too.
const AGREED: usize = 256;
/// A margin counts as zero within this many roundings of what its row adds up.
const ROUNDINGS: f64 = 8.0;
/// Steps of a type's numbers that an input moves by, at most, as a power of two.
const MOST_STEPS: f64 = 10.0;
/// What the strategy is worth where the best margin is not near zero.
const FAR: f64 = 0.1;
/// And where nothing but last digits is missing: half of the work, about.
const ALONE: f64 = 16.0;
/// How far outputs that inputs follow from may be from a number of their type, in units of the last place: narrowed with each question,
/// widened with each block that has none, so that questions cost no more than blocks.
const MOST_WITHIN: f64 = 0.5;
const LEAST_WITHIN: f64 = 0.02;
const NARROWS: f64 = 0.98;
const WIDENS: f64 = 1.02;

/// Blocks from one base. Around some points several ways to add up never end in the same digits: of eight searches for an equality of
/// outputs from one base each, four were over after 99 to 447 questions, and four had none after 1,100 to 2,200.
const STAY: usize = 16;

struct LastDigits<T> {
    free: Vec<usize>,
    random: Random,
    points: Vec<T>,
    /// Whether the best margin is zero but for rounding, or inputs are tied together.
    is_near: bool,
    /// Whether inputs follow from outputs and the best margin is a violation's: only last digits are missing.
    is_alone: bool,
    /// How far outputs that inputs follow from may be from a number of their type when a point is asked about.
    within: f64,
    /// Blocks since the best margin has been zero.
    tries: usize,
    /// Where the blocks start from, once it is not the best point any more: another one on the property's edge.
    edge: Option<Vec<T>>,
}

/// Where a block starts from.
struct Base {
    point: Vec<f64>,
    margin: f64,
    /// Free inputs along which the margin changes, with its slope.
    slopes: Vec<(usize, f64)>,
    balance: Balance,
}

/// Makes the strategy; it applies where more than one point can be reached.
pub fn make<T: Real>(
    _problem: &Problem<T>,
    region: &Region,
    seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    let free: Vec<usize> = region.free().collect();
    if free.is_empty() {
        return Err(NotApplicable("the region is a single point"));
    }
    Ok(Box::new(LastDigits {
        free,
        random: Random::new(seed),
        points: Vec::new(),
        is_near: false,
        is_alone: false,
        within: MOST_WITHIN,
        tries: 0,
        edge: None,
    }))
}

impl<T: Real> Falsifier<T> for LastDigits<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        (3 * BLOCKS * problem.network.block_lanes() * problem.network.multiplications()) as u64
    }

    fn promise(&self, _searched: f64) -> f64 {
        match (self.is_alone, self.is_near) {
            (true, _) => ALONE,
            (_, true) => 1.0,
            _ => FAR,
        }
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        for _ in 0..BLOCKS {
            let base = self.base(oracle)?;
            self.throw(oracle, &base);
            oracle.evaluate(&self.points)?;
            let lane = oracle.best_lane();
            let rounding = ROUNDINGS * oracle.rounding(lane);
            let best = oracle.best.as_ref().map_or(f64::NEG_INFINITY, |best| best.margin.widen());
            let is_zero = -rounding <= best && best <= rounding;
            self.is_alone = best >= 0.0 && !oracle.problem.property.layout().followed().is_empty();
            self.is_near = is_zero || !base.balance.is_idle();
            if self.is_alone {
                let asked = oracle.ask_centred(self.within)?;
                let change = if asked == 0 { WIDENS } else { NARROWS.powi(asked.min(100) as i32) };
                self.within = (self.within * change).clamp(LEAST_WITHIN, MOST_WITHIN);
            } else if is_zero {
                self.tries += 1;
                // Where both engines agree, a third one is likelier to.
                let least = if self.tries > AGREED && !oracle.has_thin() { -rounding } else { 0.0 };
                oracle.ask_near(T::of(least), SHOWN)?;
                if self.tries.is_multiple_of(STAY) {
                    self.walk_on(oracle, rounding);
                }
            }
            if !is_zero {
                self.edge = None;
            }
        }
        Ok(Progress::More)
    }
}

impl<T: Real> LastDigits<T> {
    /// The best point so far, or any, with its gradient.
    fn base(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Base, Halt> {
        let lanes = oracle.lanes();
        let best = oracle.best.as_ref().map(|best| &best.input);
        let known = self.edge.as_ref().or(best).unwrap_or(&oracle.lower);
        let mut point: Vec<f64> = known.iter().map(|x| x.widen()).collect();
        if oracle.best.is_none() {
            for &i in &self.free {
                point[i] = at(oracle.lower[i], oracle.upper[i], self.random.unit()).widen();
            }
        }
        repeat(point.iter().map(|&x| T::of(x)), lanes, &mut self.points);
        oracle.evaluate(&self.points)?;
        let margin = oracle.margins()[0].widen();
        let layout = oracle.problem.property.layout();
        let target = &oracle.region.conjunctions[oracle.nearest()[0] as usize];
        let balance = Balance::of(target, &oracle.region, |input| layout.element(input));
        oracle.gradient(Objective::Nearest, Surrogate::exact());
        let slope = |&i: &usize| (i, oracle.last_gradient()[i * lanes].widen());
        let changes = |&(_, slope): &(usize, f64)| slope != 0.0 && slope.is_finite();
        let slopes = self.free.iter().map(slope).filter(changes).collect();
        Ok(Base { point, margin, slopes, balance })
    }

    /// Goes on from another point of the last block that is on the property's edge but for rounding, if there is one.
    fn walk_on(&mut self, oracle: &Oracle<'_, T>, rounding: f64) {
        let margins = oracle.margins().iter().map(|margin| margin.widen().abs());
        let near: Vec<usize> =
            margins.enumerate().filter(|(_, off)| *off <= rounding).map(|(lane, _)| lane).collect();
        if !near.is_empty() {
            self.edge = Some(oracle.point(near[self.random.below(near.len())]));
        }
    }

    /// Moves every lane of the block away from the base, in its own way.
    fn throw(&mut self, oracle: &Oracle<'_, T>, base: &Base) {
        let lanes = oracle.lanes();
        let layout = oracle.problem.property.layout();
        let mut point = Vec::with_capacity(base.point.len());
        for lane in 0..lanes {
            point.clone_from(&base.point);
            let mut missing = -base.margin.min(0.0);
            for _ in 0..self.random.below(4) {
                let input = self.free[self.random.below(self.free.len())];
                let moved = self.moved(oracle, input, point[input]);
                let slope = base.slopes.iter().find(|(i, _)| *i == input).map_or(0.0, |(_, slope)| *slope);
                missing -= slope * (moved - point[input]);
                point[input] = moved;
            }
            if !base.slopes.is_empty() && missing != 0.0 {
                let (input, slope) = base.slopes[self.random.below(base.slopes.len())];
                point[input] += missing / slope;
            }
            if !base.balance.is_idle() {
                base.balance.fix(&oracle.region, &mut point, &mut self.random);
            }
            for (i, &x) in point.iter().enumerate() {
                let x = T::of(grid::nearest(layout.element(i), x));
                self.points[i * lanes + lane] = x.max(oracle.lower[i]).min(oracle.upper[i]);
            }
        }
    }

    /// Another value of an input: a few steps of its type's numbers away, or a part of its interval.
    fn moved(&mut self, oracle: &Oracle<'_, T>, input: usize, x: f64) -> f64 {
        let (lower, upper) = (oracle.lower[input].widen(), oracle.upper[input].widen());
        let up = self.random.bits() & 1 == 1;
        let size = self.random.between(0.0, MOST_STEPS).exp2().floor();
        let step = match self.random.bits() & 3 {
            0 => (upper - lower) * self.random.between(-14.0, -1.0).exp2(),
            _ => size * (grid::next(oracle.problem.property.layout().element(input), x, true) - x),
        };
        (if up { x + step } else { x - step }).clamp(lower, upper)
    }
}
