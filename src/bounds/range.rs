//! Ranges of functions of one number over an interval.

use std::f64::consts::{FRAC_PI_2, PI};

use crate::network::op::UnaryFunction;

/// No information.
pub(super) const EVERYTHING: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

/// A product in which zero wins over infinity: a row that does not use a value does not care for its bounds.
pub(super) fn times(c: f64, x: f64) -> f64 {
    if c == 0.0 { 0.0 } else { c * x }
}

/// How a function runs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Course {
    /// It never falls.
    Rises,
    /// It never rises.
    Falls,
    /// It never rises up to this place and never falls from there.
    Valley(f64),
    /// It has its greatest value, 1, here and at every multiple of 2π from here, and -1 half way between.
    Wave(f64),
    /// All values lie in this interval.
    Within(f64, f64),
    /// No rule.
    Unknown,
}

fn course(function: UnaryFunction, low: f64, high: f64) -> Course {
    use Course::{Falls, Rises, Unknown, Valley, Wave, Within};
    use UnaryFunction::*;
    match function {
        Relu
        | Clip { .. }
        | Sigmoid
        | Tanh
        | Softplus
        | Exp
        | Erf
        | Atan
        | Softsign
        | Floor
        | Ceil
        | Round
        | Truncate
        | Sign
        | SignOr { .. }
        | Log
        | Sqrt
        | Asin
        | Sinh
        | Asinh
        | Acosh
        | Atanh => Rises,
        Acos | Neg => Falls,
        LeakyRelu { alpha } => {
            if alpha >= 0.0 {
                Rises
            } else {
                Valley(0.0)
            }
        }
        Elu { alpha } if alpha >= 0.0 => Rises,
        Selu { alpha, gamma } if alpha >= 0.0 && gamma >= 0.0 => Rises,
        Celu { alpha } if alpha > 0.0 => Rises,
        HardSigmoid { alpha: slope, .. } | Scale { scale: slope, .. } => {
            if slope >= 0.0 {
                Rises
            } else {
                Falls
            }
        }
        ThresholdedRelu { alpha } if alpha >= 0.0 => Rises,
        Shrink { lambda, bias } if lambda >= 0.0 && bias <= lambda => Rises,
        Abs | Cosh | Nonzero => Valley(0.0),
        HardSwish => Valley(-1.5),
        // Where the derivatives are zero; an error of 1e-9 here changes the value by less than 1e-17.
        Mish => Valley(-1.192_451_2),
        Gelu => Valley(-0.751_791_524_7),
        GeluTanh => Valley(-0.752_461_420_9),
        Swish { alpha } if alpha > 0.0 => Valley(-1.278_464_542_8 / alpha),
        Sin => Wave(FRAC_PI_2),
        Cos => Wave(0.0),
        Tan if -FRAC_PI_2 < low && high < FRAC_PI_2 => Rises,
        Reciprocal => power(-1.0, low, high),
        Power { exponent } => power(exponent, low, high),
        Not | IsNan | IsInf { .. } => Within(0.0, 1.0),
        Tan => Within(EVERYTHING.0, EVERYTHING.1),
        Elu { .. } | Selu { .. } | Celu { .. } | ThresholdedRelu { .. } | Shrink { .. } | Swish { .. } => {
            Unknown
        }
        Wrap(_) | Convert(_) => Unknown,
    }
}

fn power(exponent: f64, low: f64, high: f64) -> Course {
    let whole = exponent.fract() == 0.0;
    let even = whole && exponent.rem_euclid(2.0) == 0.0;
    match exponent {
        p if p >= 0.0 && even => Course::Valley(0.0),
        p if p >= 0.0 && (whole || low >= 0.0) => Course::Rises,
        p if p < 0.0 && low > 0.0 => Course::Falls,
        p if p < 0.0 && whole && high < 0.0 => {
            if even {
                Course::Rises
            } else {
                Course::Falls
            }
        }
        _ => Course::Within(EVERYTHING.0, EVERYTHING.1),
    }
}

/// Whether [`range`] and [`super::relax::lines`] know the function.
pub(super) fn is_bounded(function: UnaryFunction) -> bool {
    course(function, 1.0, 2.0) != Course::Unknown
}

/// The function's range over `[low, high]`, widened by what its evaluation may be off.
pub(super) fn range(function: UnaryFunction, low: f64, high: f64) -> (f64, f64) {
    let (at_low, at_high): (f64, f64) = (function.value(low), function.value(high));
    let (least, most) = match course(function, low, high) {
        Course::Within(least, most) => return (least, most),
        Course::Unknown => return EVERYTHING,
        _ if [low, high, at_low, at_high].iter().any(|x| x.is_nan()) => return EVERYTHING,
        Course::Rises => (at_low, at_high),
        Course::Falls => (at_high, at_low),
        Course::Valley(at) if low <= at && at <= high => (function.value(at), at_low.max(at_high)),
        Course::Valley(_) => (at_low.min(at_high), at_low.max(at_high)),
        Course::Wave(top) => wave(top, low, high, at_low, at_high),
    };
    let widening = |y: f64| times(relative(function), y.abs()) + absolute(function, low, high);
    (least - widening(least), most + widening(most))
}

/// Range of a wave whose tops are at `top` and every 2π from there.
fn wave(top: f64, low: f64, high: f64, at_low: f64, at_high: f64) -> (f64, f64) {
    let size = low.abs().max(high.abs());
    if !size.is_finite() || high - low >= 2.0 * PI {
        return (-1.0, 1.0);
    }
    let slack = 1e-12 * (1.0 + size);
    let reaches = |place: f64| {
        let turn = ((low - slack - place) / (2.0 * PI)).ceil();
        place + turn * 2.0 * PI <= high + slack
    };
    let most = if reaches(top) { 1.0 } else { at_low.max(at_high) };
    let least = if reaches(top + PI) { -1.0 } else { at_low.min(at_high) };
    (least, most)
}

/// Whether the function only selects or negates: no evaluation of it rounds.
fn selects(function: UnaryFunction) -> bool {
    use UnaryFunction::*;
    function.is_piecewise_constant() || matches!(function, Relu | Clip { .. } | Abs | Neg)
}

/// Relative error of the function's evaluation, generously; zero for functions that only select.
fn relative(function: UnaryFunction) -> f64 {
    use UnaryFunction::*;
    match function {
        _ if selects(function) => 0.0,
        Power { exponent } => (8.0 + 2.0 * exponent.abs()) * f64::EPSILON,
        _ => 8.0 * f64::EPSILON,
    }
}

/// Absolute error of the evaluation: of sums that may cancel, and at the bottom of the numbers.
fn absolute(function: UnaryFunction, low: f64, high: f64) -> f64 {
    use UnaryFunction::*;
    let size = low.abs().max(high.abs());
    let sum = match function {
        _ if selects(function) => return 0.0,
        Scale { scale, shift } => scale.abs() * size + shift.abs(),
        HardSigmoid { alpha, beta } => alpha.abs() * size + beta.abs(),
        Shrink { bias, .. } => size + bias.abs(),
        Gelu | GeluTanh | HardSwish | Mish | Swish { .. } | Celu { .. } => size.min(1e300),
        _ => 0.0,
    };
    8.0 * f64::EPSILON * sum + f64::MIN_POSITIVE
}
