//! Points of the box, a block at a time: a low-discrepancy sequence (Owen-scrambled Sobol, Burley 2020) first, uniform ones
//! after; and how a point that was found in double precision becomes one of the search's type within the box.

use crate::network::Real;
use crate::property::Region;
use crate::random::Random;
use crate::search::kernel::oracle::Oracle;
use crate::search::{Halt, NotApplicable};

/// Boxes with at most this many free inputs have all their corners tried; of larger ones, a block of random corners.
pub(crate) const ALL_CORNERS: usize = 8;
/// The sequence is good, and cheap, for so many inputs; further ones get uniform numbers.
const SOBOL_DIMENSIONS: usize = 16;
/// Points of the sequence before uniform ones: its index is 16 bits wide.
const SOBOL_POINTS: u32 = 1 << 16;

/// Draws blocks of points.
#[derive(Debug, Clone)]
pub struct Sampler {
    /// The inputs that vary.
    pub(in crate::search) free: Vec<usize>,
    random: Random,
    scramble: u32,
    next: u32,
}

impl Sampler {
    /// A sampler of a region with more than one point.
    ///
    /// # Errors
    /// [`NotApplicable`] if there is only one.
    pub fn new(region: &Region, seed: u64) -> Result<Self, NotApplicable> {
        let free: Vec<usize> = region.free().collect();
        if free.is_empty() {
            return Err(NotApplicable("the region is a single point"));
        }
        let mut random = Random::new(seed);
        let scramble = random.bits() as u32;
        Ok(Self { free, random, scramble, next: 0 })
    }

    /// Fills a block with the next points.
    pub fn draw<T: Real>(&mut self, oracle: &Oracle<'_, T>, points: &mut Vec<T>) {
        let lanes = oracle.lanes();
        fix(oracle, points);
        for (dimension, &i) in self.free.iter().enumerate() {
            for lane in 0..lanes {
                let index = self.next.saturating_add(lane as u32);
                let unit = if dimension < SOBOL_DIMENSIONS && index < SOBOL_POINTS {
                    f64::from(sobol_burley::sample(index, dimension as u32, self.scramble))
                } else {
                    self.random.unit()
                };
                points[i * lanes + lane] = at(oracle.lower[i], oracle.upper[i], unit);
            }
        }
        self.next = self.next.saturating_add(lanes as u32).min(SOBOL_POINTS);
    }
}

/// Makes `points` a block with all inputs at their lower ends: strategies then write the free inputs.
pub fn fix<T: Real>(oracle: &Oracle<'_, T>, points: &mut Vec<T>) {
    repeat(oracle.lower.iter().copied(), oracle.lanes(), points);
}

/// Makes `points` a block with one point in all lanes.
pub fn repeat<T: Real>(point: impl Iterator<Item = T>, lanes: usize, points: &mut Vec<T>) {
    points.clear();
    points.extend(point.flat_map(|x| std::iter::repeat_n(x, lanes)));
}

/// Evaluates a point that was found in double precision as every other one is: in the search's type and within the box,
/// remembered and judged.
///
/// # Errors
/// [`Halt`] when it is confirmed as a witness or the budget is used up.
pub fn show<T: Real>(oracle: &mut Oracle<'_, T>, points: &mut Vec<T>, point: &[f64]) -> Result<(), Halt> {
    let ends = oracle.lower.iter().zip(&oracle.upper);
    let inside = point.iter().zip(ends).map(|(&x, (&low, &high))| T::of(x).max(low).min(high));
    repeat(inside, oracle.lanes(), points);
    oracle.evaluate(points)
}

/// The point of an interval at `unit` of its length, never outside.
pub fn at<T: Real>(lower: T, upper: T, unit: f64) -> T {
    let (low, high) = (lower.widen(), upper.widen());
    T::of(low + (high - low) * unit).max(lower).min(upper)
}

/// Half way between two numbers, and never outside of them.
pub fn middle<T: Real>(lower: T, upper: T) -> T {
    let half = T::of(0.5);
    (lower * half + upper * half).max(lower).min(upper)
}

/// How far a number is from the nearest one of a type, in units of that one's last place: up to one half.
pub fn off_centre<T: Real>(y: f64) -> f64 {
    let nearest = T::of(y).widen();
    let unit = T::epsilon().widen() * nearest.abs().max(f64::MIN_POSITIVE).log2().floor().exp2();
    (y - nearest).abs() / unit
}
