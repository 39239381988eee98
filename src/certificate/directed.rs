//! Arithmetic whose results lie on a known side of the exact ones.
//!
//! [`up`] and [`down`] are the sums and products of doubles rounded towards one side; where a result is exact
//! it is kept as it is, so that what is computed with whole numbers stays whole. [`Interval`] rounds both of its ends
//! outwards. [`Account`] adds up a long sum plainly and knows itself how many numbers went into it and how large
//! they were: nobody has to remember a bound of its rounding.
//!
//! Source: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., sections 3.1 and 4.2 (`|fl(Σ t) − Σ t| ≤ γ_n Σ |t|`
//! for any order, partial sums included, as the terms are what is added, not what is left of them); Knuth's two-sum.

/// Unit roundoff of doubles.
const UNIT: f64 = f64::EPSILON / 2.0;

/// `γ_n = n·u / (1 − n·u)` with room for the operations that compute it and the product it is used in.
pub(super) fn gamma(terms: usize) -> f64 {
    let nu = (terms as f64 + 2.0) * UNIT;
    if nu >= 0.5 { f64::INFINITY } else { nu / (1.0 - nu) * (1.0 + 8.0 * f64::EPSILON) }
}

/// What `a + b` as computed is short of the exact sum (two-sum). NaN where something overflows.
fn rest_of_sum(a: f64, b: f64, sum: f64) -> f64 {
    let virtual_b = sum - a;
    (a - (sum - virtual_b)) + (b - virtual_b)
}

/// Whether a product of doubles is exact: both have at most 24 digits, and it is far from underflow.
fn is_short(x: f64) -> bool {
    f64::from(x as f32) == x && x.abs() < 1e37 && (x == 0.0 || x.abs() > 1e-37)
}

/// A computed number that rounding may have put on either side of the exact one.
#[derive(Clone, Copy)]
struct Computed {
    value: f64,
    /// Of the exact number less the computed one, where it is known.
    rest: f64,
}

impl Computed {
    fn sum(a: f64, b: f64) -> Self {
        let value = a + b;
        Self { value, rest: rest_of_sum(a, b, value) }
    }

    fn product(a: f64, b: f64) -> Self {
        // Nothing times anything is nothing: an end that is infinite stands for numbers that are not.
        if a == 0.0 || b == 0.0 {
            return Self { value: 0.0, rest: 0.0 };
        }
        Self { value: a * b, rest: if is_short(a) && is_short(b) { 0.0 } else { f64::NAN } }
    }

    fn down(self) -> f64 {
        match self.value.is_nan() {
            true => f64::NEG_INFINITY,
            // An unknown rest is taken for a loss.
            false if self.rest >= 0.0 => self.value,
            false => self.value.next_down(),
        }
    }

    fn up(self) -> f64 {
        match self.value.is_nan() {
            true => f64::INFINITY,
            false if self.rest <= 0.0 => self.value,
            false => self.value.next_up(),
        }
    }
}

/// Results that are at most the exact ones; −∞ where nothing is known.
pub(super) mod down {
    use super::Computed;

    pub(in super::super) fn add(a: f64, b: f64) -> f64 {
        Computed::sum(a, b).down()
    }

    pub(in super::super) fn mul(a: f64, b: f64) -> f64 {
        Computed::product(a, b).down()
    }
}

/// Results that are at least the exact ones; ∞ where nothing is known.
pub(super) mod up {
    use super::Computed;

    pub(in super::super) fn add(a: f64, b: f64) -> f64 {
        Computed::sum(a, b).up()
    }

    pub(in super::super) fn mul(a: f64, b: f64) -> f64 {
        Computed::product(a, b).up()
    }
}

/// All numbers from `low` to `high`. Ends may be infinite, then the number may be infinite or not a number, too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Interval {
    /// Nothing is known, not even that it is a number.
    pub(super) const EVERYTHING: Self = Self { low: f64::NEG_INFINITY, high: f64::INFINITY };

    /// From `low` to `high`; everything, if one of them is no number or they have passed each other: ends that cross are
    /// a mistake of whoever computed them, and nothing may rest on it.
    pub(super) fn new(low: f64, high: f64) -> Self {
        if low <= high { Self { low, high } } else { Self::EVERYTHING }
    }

    /// One number.
    pub(super) fn point(x: f64) -> Self {
        Self::new(x, x)
    }

    /// Whether both ends are finite.
    pub(super) fn is_finite(self) -> bool {
        self.low.is_finite() && self.high.is_finite()
    }

    /// The largest absolute value.
    pub(super) fn magnitude(self) -> f64 {
        self.low.abs().max(self.high.abs())
    }

    /// The smallest absolute value.
    pub(super) fn mignitude(self) -> f64 {
        if self.low > 0.0 {
            self.low
        } else if self.high < 0.0 {
            -self.high
        } else {
            0.0
        }
    }

    pub(super) fn mul(self, other: Self) -> Self {
        let ends =
            [(self.low, other.low), (self.low, other.high), (self.high, other.low), (self.high, other.high)];
        let low = ends.iter().map(|&(a, b)| down::mul(a, b)).fold(f64::INFINITY, f64::min);
        let high = ends.iter().map(|&(a, b)| up::mul(a, b)).fold(f64::NEG_INFINITY, f64::max);
        Self::new(low, high)
    }

    /// The smallest interval that holds both.
    pub(super) fn hull(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// What lies in both; `None` if nothing does.
    pub(super) fn meet(self, other: Self) -> Option<Self> {
        let (low, high) = (self.low.max(other.low), self.high.min(other.high));
        (low <= high).then_some(Self { low, high })
    }

    /// Wider by `off` on either side.
    pub(super) fn widened(self, off: f64) -> Self {
        Self::new(down::add(self.low, -off), up::add(self.high, off))
    }
}

/// Sums of one sweep, in `L` lanes, computed plainly: each with the sum of its terms' absolute values.
#[derive(Debug, Clone)]
pub(super) struct Account<const L: usize> {
    value: [f64; L],
    absolute: [f64; L],
    /// What is to be taken off, never negative.
    loss: [f64; L],
    /// Operations that went into each lane, at most.
    operations: usize,
}

impl<const L: usize> Account<L> {
    pub(super) fn new() -> Self {
        Self { value: [0.0; L], absolute: [0.0; L], loss: [0.0; L], operations: 0 }
    }

    /// Adds `c · x` in each lane, where `x` itself may be the result of two operations.
    #[inline(always)]
    pub(super) fn add(&mut self, c: &[f64; L], x: f64) {
        self.operations += 4;
        for l in 0..L {
            let term = if c[l] == 0.0 { 0.0 } else { c[l] * x };
            self.value[l] += term;
            self.absolute[l] += term.abs();
        }
    }

    /// Adds `c · x`, lane by lane.
    #[inline(always)]
    pub(super) fn add_each(&mut self, c: &[f64; L], x: &[f64; L]) {
        self.operations += 4;
        for l in 0..L {
            let term = if c[l] == 0.0 { 0.0 } else { c[l] * x[l] };
            self.value[l] += term;
            self.absolute[l] += term.abs();
        }
    }

    /// Adds a number in one lane.
    pub(super) fn add_in(&mut self, lane: usize, c: f64, x: f64) {
        self.operations += 4;
        let term = if c == 0.0 { 0.0 } else { c * x };
        self.value[lane] += term;
        self.absolute[lane] += term.abs();
    }

    /// Takes `|c| · price` off in each lane.
    #[inline(always)]
    pub(super) fn charge(&mut self, c: &[f64; L], price: f64) {
        self.operations += 4;
        for l in 0..L {
            self.loss[l] += if c[l] == 0.0 { 0.0 } else { c[l].abs() * price };
        }
    }

    /// At most the exact sum less all charges.
    pub(super) fn least(&self, lane: usize) -> f64 {
        let gamma = gamma(self.operations);
        let rounding = up::mul(gamma, up::mul(self.absolute[lane], 1.0 + gamma));
        let loss = up::mul(self.loss[lane], 1.0 + gamma);
        // Each underflow loses less than the smallest normal number.
        let lost = up::mul(self.operations as f64, f64::MIN_POSITIVE);
        let least = down::add(down::add(self.value[lane], -up::add(rounding, lost)), -loss);
        if least.is_nan() { f64::NEG_INFINITY } else { least }
    }
}
