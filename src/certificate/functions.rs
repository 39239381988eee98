//! Functions of one number: their range on an interval, and lines below and above them there.
//!
//! All rests on one thing: where `f(x) − slope · x` can be least or largest on an interval. That is at its ends, at kinks, and
//! where the derivative equals the slope, which for most functions has a closed form ([`Function::turns`]). So any slope
//! gets the best line that it can have. Functions without a closed form are sampled; between samples their second
//! derivative, which is bounded on the whole line, limits how far they can stray.
//!
//! Values and turning points are computed by the standard library to a few units in the last place; [`SLACK`] of the size of what
//! is compared covers that a thousand times. A turning point that is off by `δ` costs `f'' δ² / 2`, which is less.

use std::f64::consts::{FRAC_2_SQRT_PI, PI, SQRT_2};

use super::directed::Interval;

/// What values and lines are widened by, relative to the numbers that were compared.
const SLACK: f64 = 1e-12;
/// Samples of a function without a closed form.
const SAMPLES: usize = 128;
/// With more periods than this in an interval, a wave is bounded by its range alone.
const PERIODS: f64 = 8.0;

/// A function of one number, over the reals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Function {
    /// The number itself: only its rounding counts.
    Identity,
    /// `max(x, 0)`, with slope `leak` below zero.
    Rectifier {
        leak: f64,
    },
    Clip {
        low: f64,
        high: f64,
    },
    Abs,
    Sign,
    Floor,
    Ceil,
    /// To the nearest whole number, ties to even.
    Round,
    /// Towards zero.
    Truncate,
    Sigmoid,
    Tanh,
    Exp,
    Log,
    Sqrt,
    Reciprocal,
    Square,
    Cube,
    Sin,
    Cos,
    Atan,
    Erf,
    Softplus,
    Softsign,
    Elu {
        alpha: f64,
    },
    HardSwish,
    Gelu,
    GeluTanh,
    Mish,
    /// `x · sigmoid(alpha · x)`
    Swish {
        alpha: f64,
    },
}

/// `slope · x + shift`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    pub(super) slope: f64,
    pub(super) shift: f64,
}

/// A line that is nowhere above a function on an interval, and one that is nowhere below it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lines {
    pub(super) under: Line,
    pub(super) over: Line,
}

impl Lines {
    /// Two constants.
    pub(super) fn flat(range: Interval) -> Self {
        Self { under: Line { slope: 0.0, shift: range.low }, over: Line { slope: 0.0, shift: range.high } }
    }
}

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The argument at which the sigmoid has this value.
fn logit(y: f64) -> f64 {
    (y / (1.0 - y)).ln()
}

impl Function {
    /// The function's value, a few units in the last place off.
    pub(super) fn value(self, x: f64) -> f64 {
        match self {
            Self::Identity => x,
            Self::Rectifier { leak } => {
                if x > 0.0 {
                    x
                } else {
                    leak * x
                }
            }
            Self::Clip { low, high } => x.max(low).min(high),
            Self::Abs => x.abs(),
            Self::Sign => {
                if x > 0.0 {
                    1.0
                } else if x < 0.0 {
                    -1.0
                } else {
                    0.0
                }
            }
            Self::Floor => x.floor(),
            Self::Ceil => x.ceil(),
            Self::Round => x.round_ties_even(),
            Self::Truncate => x.trunc(),
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => x.tanh(),
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Sqrt => x.sqrt(),
            Self::Reciprocal => 1.0 / x,
            Self::Square => x * x,
            Self::Cube => x * x * x,
            Self::Sin => x.sin(),
            Self::Cos => x.cos(),
            Self::Atan => x.atan(),
            Self::Erf => libm::erf(x),
            Self::Softplus => softplus(x),
            Self::Softsign => x / (1.0 + x.abs()),
            Self::Elu { alpha } => {
                if x > 0.0 {
                    x
                } else {
                    alpha * x.exp_m1()
                }
            }
            Self::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Self::Gelu => 0.5 * x * libm::erfc(-x / SQRT_2),
            Self::GeluTanh => 0.5 * x * (1.0 + ((2.0 / PI).sqrt() * (x + 0.044_715 * x * x * x)).tanh()),
            Self::Mish => x * softplus(x).tanh(),
            Self::Swish { alpha } => x * sigmoid(alpha * x),
        }
    }

    /// Whether its values are exact copies, or whole numbers, of what it is given: nothing is rounded, in no runtime.
    pub(super) fn selects(self) -> bool {
        matches!(
            self,
            Self::Clip { .. }
                | Self::Abs
                | Self::Sign
                | Self::Floor
                | Self::Ceil
                | Self::Round
                | Self::Truncate
        ) || self == Self::Rectifier { leak: 0.0 }
    }

    pub(super) fn is_rectifier(self) -> bool {
        matches!(self, Self::Rectifier { .. })
    }

    /// Whether it goes in steps, between which no line is worth anything.
    fn steps(self) -> bool {
        matches!(self, Self::Sign | Self::Floor | Self::Ceil | Self::Round | Self::Truncate)
    }

    /// Whether tighter ends would make better lines: it is not straight in the interval.
    pub(super) fn bends_in(self, x: Interval) -> bool {
        match self {
            Self::Identity => false,
            Self::Rectifier { .. } | Self::Abs => x.low < 0.0 && x.high > 0.0,
            Self::Clip { low, high } => (x.low < low && x.high > low) || (x.low < high && x.high > high),
            _ => true,
        }
    }

    /// Whether the function is defined, and continuous, all over the interval.
    fn is_defined(self, x: Interval) -> bool {
        match self {
            Self::Log => x.low > 0.0,
            Self::Sqrt => x.low >= 0.0,
            Self::Reciprocal => x.low > 0.0 || x.high < 0.0,
            _ => true,
        }
    }

    /// A bound of the absolute second derivative, for functions whose turning points have no closed form.
    fn curvature(self) -> Option<f64> {
        match self {
            Self::Gelu | Self::GeluTanh => Some(1.2),
            Self::Mish => Some(1.1),
            // x σ(αx) = (αx) σ(αx) / α, and |(t σ(t))''| ≤ 1/2.
            Self::Swish { alpha } => Some(0.51 * alpha.abs()),
            _ => None,
        }
    }

    /// Where `f(x) − slope · x` may turn in the interval: kinks, and where the derivative is `slope`. `None` if there are too
    /// many places.
    fn turns(self, slope: f64, x: Interval) -> Option<Vec<f64>> {
        let both = |r: f64| if r.is_nan() { vec![] } else { vec![-r, r] };
        Some(match self {
            Self::Identity | Self::Exp if slope <= 0.0 => vec![],
            Self::Identity => vec![],
            Self::Rectifier { .. } | Self::Abs => vec![0.0],
            Self::Clip { low, high } => vec![low, high],
            Self::Sign | Self::Floor | Self::Ceil | Self::Round | Self::Truncate => vec![],
            Self::Sigmoid => {
                // σ (1 − σ) = slope; the smaller root without cancellation.
                let root = (1.0 - 4.0 * slope).sqrt();
                if slope > 0.0 { both(logit(2.0 * slope / (1.0 + root))) } else { vec![] }
            }
            Self::Tanh => {
                let t = (1.0 - slope).sqrt();
                if slope > 0.0 { both(0.5 * ((1.0 + t) * (1.0 + t) / slope).ln()) } else { vec![] }
            }
            Self::Exp => vec![slope.ln()],
            Self::Log => vec![1.0 / slope],
            Self::Sqrt => vec![0.25 / (slope * slope)],
            Self::Reciprocal => both(1.0 / (-slope).sqrt()),
            Self::Square => vec![slope / 2.0],
            Self::Cube => both((slope / 3.0).sqrt()),
            Self::Sin => waves(slope.acos(), x)?,
            Self::Cos => {
                waves((-slope).asin(), x)?.into_iter().chain(waves(PI - (-slope).asin(), x)?).collect()
            }
            Self::Atan => both((1.0 / slope - 1.0).sqrt()),
            Self::Erf => {
                if slope > 0.0 {
                    both((FRAC_2_SQRT_PI / slope).ln().sqrt())
                } else {
                    vec![]
                }
            }
            Self::Softplus => {
                if slope > 0.0 && slope < 1.0 {
                    vec![logit(slope)]
                } else {
                    vec![]
                }
            }
            Self::Softsign => [vec![0.0], both(1.0 / slope.sqrt() - 1.0)].concat(),
            Self::Elu { alpha } => vec![0.0, (slope / alpha).ln()],
            Self::HardSwish => vec![-3.0, 3.0, 3.0 * slope - 1.5],
            Self::Gelu | Self::GeluTanh | Self::Mish | Self::Swish { .. } => samples(x),
        })
    }

    /// The least and the largest value of `f(x) − slope · x` on the interval, which is finite.
    fn extremes(self, slope: f64, x: Interval) -> Option<Interval> {
        let mut places = self.turns(slope, x)?;
        places.retain(|p| x.low < *p && *p < x.high);
        places.extend([x.low, x.high]);
        let (mut least, mut most, mut size) = (f64::INFINITY, f64::NEG_INFINITY, 0.0f64);
        for place in places {
            let value = self.value(place);
            let difference = value - slope * place;
            if difference.is_nan() {
                return None;
            }
            (least, most) = (least.min(difference), most.max(difference));
            size = size.max(value.abs()).max((slope * place).abs());
        }
        let step = (x.high - x.low) / SAMPLES as f64;
        let between = self.curvature().map_or(0.0, |c| c * step * step / 8.0);
        let off = SLACK * size + between + f64::MIN_POSITIVE;
        Some(Interval::new(least, most).widened(off)).filter(|extremes| extremes.is_finite())
    }

    /// Encloses the function's values on an interval.
    pub(super) fn range(self, x: Interval) -> Interval {
        if self.is_monotone() && (self.selects() || self == Self::Identity) {
            return Interval::new(self.value(x.low), self.value(x.high));
        }
        match self {
            Self::Abs => return Interval::new(x.mignitude(), x.magnitude()),
            // One end may be infinite: the other is all that is known.
            Self::Rectifier { leak } if !x.is_finite() && leak >= 0.0 => {
                let low = if x.low > 0.0 {
                    x.low
                } else if leak == 0.0 {
                    0.0
                } else {
                    f64::NEG_INFINITY
                };
                return Interval::new(low, f64::INFINITY);
            }
            _ if !self.is_defined(x) => return Interval::EVERYTHING,
            _ if !x.is_finite() => return self.everywhere(),
            _ => {}
        }
        let found = self.extremes(0.0, x).unwrap_or_else(|| self.everywhere());
        found.meet(self.everywhere()).unwrap_or(Interval::EVERYTHING)
    }

    fn is_monotone(self) -> bool {
        !matches!(self, Self::Abs)
    }

    /// What is known of all values.
    fn everywhere(self) -> Interval {
        let (low, high) = match self {
            Self::Sigmoid => (0.0, 1.0),
            Self::Tanh | Self::Erf | Self::Softsign | Self::Sin | Self::Cos | Self::Sign => (-1.0, 1.0),
            Self::Atan => (-1.571, 1.571),
            Self::Exp | Self::Softplus | Self::Square | Self::Sqrt => (0.0, f64::INFINITY),
            _ => (f64::NEG_INFINITY, f64::INFINITY),
        };
        Interval { low, high }
    }

    /// Lines below and above the function on an interval. `below` asks for a slope of the line below.
    pub(super) fn lines(self, x: Interval, below: Option<f64>) -> Lines {
        let flat = || Lines::flat(self.range(x));
        if !x.is_finite() || self.steps() || !self.is_defined(x) || x.low == x.high {
            return flat();
        }
        let chord = (self.value(x.high) - self.value(x.low)) / (x.high - x.low);
        let over = match self {
            Self::Rectifier { .. } if x.low >= 0.0 => 1.0,
            Self::Rectifier { leak } if x.high <= 0.0 => leak,
            Self::Identity => 1.0,
            _ => chord,
        };
        let under = match self {
            Self::Rectifier { leak } if x.low < 0.0 && x.high > 0.0 => {
                below.unwrap_or(if x.high >= -x.low { 1.0 } else { leak })
            }
            _ => over,
        };
        let (Some(lower), Some(upper)) = (self.shift(under, x), self.shift(over, x)) else { return flat() };
        Lines {
            under: Line { slope: under, shift: lower.low },
            over: Line { slope: over, shift: upper.high },
        }
    }

    /// What lies between the function and a line of this slope through zero; exact where a rectifier has one.
    fn shift(self, slope: f64, x: Interval) -> Option<Interval> {
        match self {
            Self::Identity if slope == 1.0 => Some(Interval::point(0.0)),
            Self::Rectifier { .. } if x.low >= 0.0 && slope == 1.0 => Some(Interval::point(0.0)),
            Self::Rectifier { leak } if x.high <= 0.0 && slope == leak => Some(Interval::point(0.0)),
            Self::Rectifier { leak } if (leak.min(1.0)..=leak.max(1.0)).contains(&slope) && leak <= 1.0 => {
                // Through the origin it is below; what it needs to be above is at one of the ends.
                let above = self.extremes(slope, x)?;
                Some(Interval { low: 0.0, high: above.high.max(0.0) })
            }
            _ => self.extremes(slope, x),
        }
    }
}

/// All `±angle + 2πk` in an interval.
fn waves(angle: f64, x: Interval) -> Option<Vec<f64>> {
    if angle.is_nan() {
        return Some(Vec::new());
    }
    if x.high - x.low > PERIODS * 2.0 * PI || x.magnitude() > 1e6 {
        return None;
    }
    let (first, last) = ((x.low / (2.0 * PI)).floor() as i64 - 1, (x.high / (2.0 * PI)).ceil() as i64 + 1);
    Some((first..=last).flat_map(|k| [angle, -angle].map(|a| a + 2.0 * PI * k as f64)).collect())
}

fn samples(x: Interval) -> Vec<f64> {
    let step = (x.high - x.low) / SAMPLES as f64;
    (1..SAMPLES).map(|i| x.low + step * i as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(function: Function, ends: &[f64]) {
        for (i, &low) in ends.iter().enumerate() {
            for &high in &ends[i..] {
                let x = Interval::new(low, high);
                let range = function.range(x);
                for below in [None, Some(0.3)] {
                    let Lines { under, over } = function.lines(x, below);
                    for step in 0..=500 {
                        let at = (low + (high - low) * f64::from(step) / 500.0).clamp(low, high);
                        let y = function.value(at);
                        let off =
                            1e-13 * (1.0 + y.abs() + (under.slope * at).abs() + (over.slope * at).abs());
                        assert!(
                            range.low <= y && y <= range.high,
                            "{function:?} on {x:?}: {y} at {at}, {range:?}"
                        );
                        assert!(
                            under.slope * at + under.shift <= y + off,
                            "{function:?} on {x:?} under at {at}"
                        );
                        assert!(
                            over.slope * at + over.shift >= y - off,
                            "{function:?} on {x:?} over at {at}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn ranges_and_lines_enclose_the_function() {
        use Function::*;
        let functions = [
            Identity,
            Rectifier { leak: 0.0 },
            Rectifier { leak: 0.1 },
            Clip { low: -0.5, high: 0.8 },
            Abs,
            Sign,
            Floor,
            Ceil,
            Round,
            Truncate,
            Sigmoid,
            Tanh,
            Exp,
            Square,
            Cube,
            Sin,
            Cos,
            Atan,
            Erf,
            Softplus,
            Softsign,
            Elu { alpha: 1.0 },
            Elu { alpha: 0.4 },
            HardSwish,
            Gelu,
            GeluTanh,
            Mish,
            Swish { alpha: 1.0 },
            Swish { alpha: 2.5 },
        ];
        let ends = [-30.0, -7.3, -3.0, -1.1, -0.3, -1e-4, 0.0, 0.2, 0.9, 3.0, 4.7, 25.0];
        functions.iter().for_each(|&function| check(function, &ends));
        [Log, Sqrt, Reciprocal]
            .iter()
            .for_each(|&function| check(function, &[1e-3, 0.2, 0.9, 1.0, 4.7, 300.0]));
        check(Reciprocal, &[-300.0, -4.7, -1.0, -1e-3]);
    }

    #[test]
    fn outside_of_the_domain_nothing_is_known() {
        for (function, low) in [(Function::Log, 0.0), (Function::Sqrt, -1.0), (Function::Reciprocal, -1.0)] {
            assert_eq!(function.range(Interval::new(low, 2.0)), Interval::EVERYTHING, "{function:?}");
        }
    }
}
