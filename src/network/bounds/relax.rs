//! Ranges of functions of one number over an interval, and lines below and above them.

use super::{above, below};
use crate::network::op::UnaryFunction;

/// `slope · x + shift`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    pub(super) slope: f64,
    pub(super) shift: f64,
}

/// How a function runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    /// It never falls.
    Rises,
    /// It never rises.
    Falls,
    /// No rule.
    Unknown,
}

fn course(function: UnaryFunction) -> Course {
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
        | Sign => Course::Rises,
        LeakyRelu { alpha } | Elu { alpha } if (0.0..=1.0).contains(&alpha) => Course::Rises,
        HardSigmoid { alpha, .. } if alpha >= 0.0 => Course::Rises,
        Scale { scale, .. } if scale >= 0.0 => Course::Rises,
        Scale { .. } | Neg => Course::Falls,
        _ => Course::Unknown,
    }
}

/// Whether [`range`] and [`lines`] know the function.
pub(super) fn is_bounded(function: UnaryFunction) -> bool {
    course(function) != Course::Unknown || function == UnaryFunction::Abs
}

/// Whether its values are exact: only selections, no arithmetic.
fn is_exact(function: UnaryFunction) -> bool {
    use UnaryFunction::*;
    matches!(function, Relu | Clip { .. } | Abs | Neg | Floor | Ceil | Round | Truncate | Sign)
}

/// The function's range over `[low, high]`, widened by what its evaluation may be off.
pub(super) fn range(function: UnaryFunction, low: f64, high: f64) -> (f64, f64) {
    let (at_low, at_high) = (function.value(low), function.value(high));
    let (least, most) = match course(function) {
        Course::Rises => (at_low, at_high),
        Course::Falls => (at_high, at_low),
        Course::Unknown if low <= 0.0 && high >= 0.0 => (0.0, at_low.max(at_high)),
        Course::Unknown => (at_low.min(at_high), at_low.max(at_high)),
    };
    if is_exact(function) { (least, most) } else { (below(least), above(most)) }
}

/// A line below and a line above the function on `[low, high]`, valid there whatever the rounding.
pub(super) fn lines(function: UnaryFunction, low: f64, high: f64) -> (Line, Line) {
    use UnaryFunction::*;
    match function {
        Relu => relu(low, high, 0.0),
        LeakyRelu { alpha } => relu(low, high, alpha),
        Neg => (Line { slope: -1.0, shift: 0.0 }, Line { slope: -1.0, shift: 0.0 }),
        Scale { scale, shift } => (Line { slope: scale, shift }, Line { slope: scale, shift }),
        Sigmoid | Tanh if low < high => s_shaped(function, low, high),
        _ => flat(function, low, high),
    }
}

fn flat(function: UnaryFunction, low: f64, high: f64) -> (Line, Line) {
    let (least, most) = range(function, low, high);
    (Line { slope: 0.0, shift: least }, Line { slope: 0.0, shift: most })
}

/// ReLU with slope `leak` below zero: the chord above; below, the line through the origin with the slope of the
/// side on which more of the interval lies (CROWN's adaptive choice).
fn relu(low: f64, high: f64, leak: f64) -> (Line, Line) {
    let through_origin = |slope| Line { slope, shift: 0.0 };
    if low >= 0.0 {
        return (through_origin(1.0), through_origin(1.0));
    }
    if high <= 0.0 {
        return (through_origin(leak), through_origin(leak));
    }
    let under = through_origin(if high >= -low { 1.0 } else { leak });
    let slope = (high - leak * low) / (high - low);
    // The shift makes the line reach both ends whatever the rounding of the slope.
    let shift = above(leak * low - slope * low).max(above(high - slope * high));
    (under, Line { slope, shift: above(shift) })
}

/// Rising functions that are steepest in the middle: a line with the smaller of the slopes at the ends lies below
/// through the lower end and above through the upper end (Singh et al. 2019).
fn s_shaped(function: UnaryFunction, low: f64, high: f64) -> (Line, Line) {
    let (at_low, at_high) = range(function, low, high);
    let derivative = |x: f64| function.derivative(x, function.value(x), None);
    let slope = derivative(low).min(derivative(high)) * (1.0 - 1e-9);
    if slope.is_nan() || slope <= 0.0 {
        return flat(function, low, high);
    }
    let slack = 1e-12 * (1.0 + low.abs().max(high.abs()));
    let through = |x: f64, y: f64| y - slope * x;
    (
        Line { slope, shift: through(low, at_low) - slack },
        Line { slope, shift: through(high, at_high) + slack },
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
            Floor,
            Scale { scale: -3.0, shift: 0.7 },
            HardSigmoid { alpha: 0.2, beta: 0.5 },
        ];
        let ends = [-7.3, -1.1, -0.3, 0.0, 0.2, 0.9, 4.7];
        for function in functions {
            for (i, &low) in ends.iter().enumerate() {
                for &high in &ends[i..] {
                    let (least, most) = range(function, low, high);
                    let (under, over) = lines(function, low, high);
                    for step in 0..=200 {
                        let x = (low + (high - low) * f64::from(step) / 200.0).clamp(low, high);
                        let y: f64 = function.value(x);
                        assert!(least <= y && y <= most, "{function:?} on [{low}, {high}]");
                        assert!(under.slope * x + under.shift <= y + 1e-13, "{function:?} under at {x}");
                        assert!(over.slope * x + over.shift >= y - 1e-13, "{function:?} over at {x}");
                    }
                }
            }
        }
    }
}
