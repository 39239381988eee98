//! Lines below and above functions of one number on an interval.

use std::f64::consts::{FRAC_PI_2, PI};

use super::above;
use super::range::range;
use crate::network::op::UnaryFunction;

/// `slope · x + shift`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RelaxationLine {
    pub(super) slope: f64,
    pub(super) shift: f64,
}

/// A line below and a line above.
pub(super) type Lines = (RelaxationLine, RelaxationLine);

/// A line below and a line above the function on `[low, high]`, valid there whatever the rounding.
pub(super) fn lines(function: UnaryFunction, low: f64, high: f64) -> Lines {
    use UnaryFunction::*;
    match function {
        Relu => relu(low, high, 0.0),
        LeakyRelu { alpha } if (0.0..=1.0).contains(&alpha) => relu(low, high, alpha),
        Neg => (RelaxationLine { slope: -1.0, shift: 0.0 }, RelaxationLine { slope: -1.0, shift: 0.0 }),
        Scale { scale, shift } => {
            (RelaxationLine { slope: scale, shift }, RelaxationLine { slope: scale, shift })
        }
        _ => match curvature(function, low, high) {
            Some(bend) if low < high => curved(function, low, high, bend),
            None if is_s_shaped(function) && low < high => s_shaped(function, low, high),
            _ => flat(function, low, high),
        },
    }
}

fn is_s_shaped(function: UnaryFunction) -> bool {
    use UnaryFunction::*;
    matches!(function, Sigmoid | Tanh | Atan | Softsign | Erf)
}

/// Which way a function bends all over an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Curvature {
    Convex,
    Concave,
}

fn curvature(function: UnaryFunction, low: f64, high: f64) -> Option<Curvature> {
    use Curvature::{Concave, Convex};
    use UnaryFunction::*;
    // Convex on one side of zero and concave on the other.
    let by_side = |right: Curvature, left: Curvature| match (low >= 0.0, high <= 0.0) {
        (true, _) => Some(right),
        (_, true) => Some(left),
        _ => None,
    };
    match function {
        Exp | Softplus | Abs | Cosh => Some(Convex),
        Elu { alpha } if (0.0..=1.0).contains(&alpha) => Some(Convex),
        Sqrt | Log if low > 0.0 => Some(Concave),
        Sigmoid | Tanh | Atan | Softsign | Erf => by_side(Concave, Convex),
        Sinh => by_side(Convex, Concave),
        Reciprocal => power(-1.0, low, high),
        Power { exponent } => power(exponent, low, high),
        Sin => half_wave(low, high),
        Cos => half_wave(low + FRAC_PI_2, high + FRAC_PI_2),
        _ => None,
    }
}

fn power(exponent: f64, low: f64, high: f64) -> Option<Curvature> {
    let even = exponent.rem_euclid(2.0) == 0.0;
    let whole = exponent.fract() == 0.0;
    let outside = !(0.0..=1.0).contains(&exponent);
    if low > 0.0 {
        Some(if outside { Curvature::Convex } else { Curvature::Concave })
    } else if !whole || (exponent < 0.0 && high >= 0.0) {
        None
    } else if even {
        Some(Curvature::Convex)
    } else {
        (high < 0.0 && outside).then_some(Curvature::Concave)
    }
}

/// The sine between two of its zeros.
fn half_wave(low: f64, high: f64) -> Option<Curvature> {
    let half = (low / PI).floor();
    if !half.is_finite() || high > (half + 1.0) * PI {
        return None;
    }
    Some(if half.rem_euclid(2.0) == 0.0 { Curvature::Concave } else { Curvature::Convex })
}

/// The tangent at the middle on the inner side of the bend, the chord on the other. The slack covers the rounding of
/// the values and slopes, 1e-15 of them, a thousand times.
fn curved(function: UnaryFunction, low: f64, high: f64, bend: Curvature) -> (RelaxationLine, RelaxationLine) {
    const SLACK: f64 = 1e-12;
    let middle = low * 0.5 + high * 0.5;
    let [at_low, at_middle, at_high] = [low, middle, high].map(|x| function.value(x));
    let slope: f64 = function.derivative(middle, at_middle);
    let size = low.abs().max(high.abs());
    let off = |slope: f64, value: f64| SLACK * (slope.abs() * size + value.abs()) + f64::MIN_POSITIVE;
    let most = at_low.abs().max(at_high.abs()).max(at_middle.abs());
    let tangent =
        |sign: f64| RelaxationLine { slope, shift: at_middle - slope * middle + sign * off(slope, most) };
    let chord = (at_high - at_low) / (high - low);
    let ends = [at_low - chord * low, at_high - chord * high];
    let (under, over) = match bend {
        Curvature::Convex => {
            let shift = ends[0].max(ends[1]) + off(chord, most);
            (tangent(-1.0), RelaxationLine { slope: chord, shift })
        }
        Curvature::Concave => {
            let shift = ends[0].min(ends[1]) - off(chord, most);
            (RelaxationLine { slope: chord, shift }, tangent(1.0))
        }
    };
    if [under.slope, under.shift, over.slope, over.shift].iter().all(|x| x.is_finite()) {
        (under, over)
    } else {
        flat(function, low, high)
    }
}

fn flat(function: UnaryFunction, low: f64, high: f64) -> (RelaxationLine, RelaxationLine) {
    let (least, most) = range(function, low, high);
    (RelaxationLine { slope: 0.0, shift: least }, RelaxationLine { slope: 0.0, shift: most })
}

/// ReLU with slope `leak` below zero: the chord above; below, the line through the origin with the slope of the
/// side on which more of the interval lies (CROWN's adaptive choice).
fn relu(low: f64, high: f64, leak: f64) -> (RelaxationLine, RelaxationLine) {
    let through_origin = |slope| RelaxationLine { slope, shift: 0.0 };
    if low >= 0.0 {
        return (through_origin(1.0), through_origin(1.0));
    }
    if high <= 0.0 {
        return (through_origin(leak), through_origin(leak));
    }
    if !low.is_finite() || !high.is_finite() {
        let slopes = |slope, shift| RelaxationLine { slope, shift };
        return (slopes(leak, 0.0), slopes(0.0, high.max(leak * low)));
    }
    let under = through_origin(if high >= -low { 1.0 } else { leak });
    let slope = (high - leak * low) / (high - low);
    // The shift makes the line reach both ends whatever the rounding of the slope.
    let shift = above(leak * low - slope * low).max(above(high - slope * high));
    (under, RelaxationLine { slope, shift: above(shift) })
}

/// Rising functions that are steepest in the middle: a line with the smaller of the slopes at the ends lies below
/// through the lower end and above through the upper end (Singh et al. 2019).
fn s_shaped(function: UnaryFunction, low: f64, high: f64) -> (RelaxationLine, RelaxationLine) {
    let (at_low, at_high) = range(function, low, high);
    let derivative = |x: f64| function.derivative(x, function.value(x));
    let slope = derivative(low).min(derivative(high)) * (1.0 - 1e-9);
    if slope.is_nan() || slope <= 0.0 {
        return flat(function, low, high);
    }
    let slack = 1e-12 * (1.0 + low.abs().max(high.abs()));
    let through = |x: f64, y: f64| y - slope * x;
    (
        RelaxationLine { slope, shift: through(low, at_low) - slack },
        RelaxationLine { slope, shift: through(high, at_high) + slack },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_ranges_enclose_the_function() {
        use UnaryFunction::*;
        let functions = [
            Relu,
            LeakyRelu { alpha: 0.1 },
            Abs,
            Neg,
            Clip { low: -0.5, high: 0.8 },
            Sigmoid,
            Tanh,
            Softplus,
            Exp,
            Erf,
            Sign,
            SignOr { zero: 1.0 },
            Floor,
            Scale { scale: -3.0, shift: 0.7 },
            HardSigmoid { alpha: 0.2, beta: 0.5 },
            LeakyRelu { alpha: 3.0 },
            LeakyRelu { alpha: -0.5 },
            Elu { alpha: 1.0 },
            Elu { alpha: 2.0 },
            Selu { alpha: 1.67, gamma: 1.05 },
            Celu { alpha: 0.7 },
            ThresholdedRelu { alpha: 0.5 },
            Shrink { lambda: 0.5, bias: 0.2 },
            HardSwish,
            Mish,
            Gelu,
            GeluTanh,
            Swish { alpha: 1.3 },
            Softsign,
            Atan,
            Sin,
            Cos,
            Sinh,
            Cosh,
            Asinh,
            Power { exponent: 2.0 },
            Power { exponent: 3.0 },
            Power { exponent: 4.0 },
            Power { exponent: 0.0 },
            Round,
            Truncate,
            Nonzero,
            Not,
        ];
        functions.iter().for_each(|&function| check(function, &[-7.3, -1.1, -0.3, 0.0, 0.2, 0.9, 4.7]));
    }

    #[test]
    fn functions_with_a_smaller_domain() {
        use UnaryFunction::*;
        let positive = [
            Log,
            Sqrt,
            Reciprocal,
            Power { exponent: 0.5 },
            Power { exponent: -1.0 },
            Power { exponent: -2.0 },
            Power { exponent: 1.5 },
            Power { exponent: -0.3 },
        ];
        positive.iter().for_each(|&function| check(function, &[1e-3, 0.2, 0.9, 1.0, 4.7, 300.0]));
        let negative =
            [Reciprocal, Power { exponent: -1.0 }, Power { exponent: -2.0 }, Power { exponent: -3.0 }];
        negative.iter().for_each(|&function| check(function, &[-300.0, -4.7, -1.0, -0.9, -0.2, -1e-3]));
        [Asin, Acos, Atanh, Tan].iter().for_each(|&function| check(function, &[-0.99, -0.4, 0.0, 0.3, 0.99]));
        check(Acosh, &[1.0, 1.5, 7.0]);
    }

    #[test]
    fn outside_of_the_domain_nothing_is_known() {
        use UnaryFunction::*;
        for (function, low, high) in
            [(Log, -1.0, 2.0), (Reciprocal, -1.0, 2.0), (Tan, 1.0, 2.0), (Acos, 0.0, 3.0)]
        {
            assert_eq!(range(function, low, high), (f64::NEG_INFINITY, f64::INFINITY), "{function:?}");
        }
        assert_eq!(range(Relu, f64::NEG_INFINITY, f64::INFINITY), (0.0, f64::INFINITY));
    }

    fn check(function: UnaryFunction, ends: &[f64]) {
        for (i, &low) in ends.iter().enumerate() {
            for &high in &ends[i..] {
                let (least, most) = range(function, low, high);
                let (under, over) = lines(function, low, high);
                for step in 0..=200 {
                    let x = (low + (high - low) * f64::from(step) / 200.0).clamp(low, high);
                    let y: f64 = function.value(x);
                    let slack = 1e-13 * (1.0 + y.abs());
                    assert!(least <= y && y <= most, "{function:?} on [{low}, {high}]: {y} at {x}");
                    assert!(under.slope * x + under.shift <= y + slack, "{function:?} under at {x}");
                    assert!(over.slope * x + over.shift >= y - slack, "{function:?} over at {x}");
                }
            }
        }
    }
}
