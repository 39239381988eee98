//! Element-wise functions of one operand without attributes.

use super::super::array::{dense, floats, integers};
use super::super::call::{Call, Results};
use super::Entry;
use crate::onnx::{ElementType, Tensor};

pub(super) const OPERATORS: &[Entry] = &[
    ("Abs", |c| either(c, f64::abs, i64::wrapping_abs)),
    ("Acos", |c| float(c, f64::acos)),
    ("Acosh", |c| float(c, f64::acosh)),
    ("Asin", |c| float(c, f64::asin)),
    ("Asinh", |c| float(c, f64::asinh)),
    ("Atan", |c| float(c, f64::atan)),
    ("Atanh", |c| float(c, f64::atanh)),
    ("BitwiseNot", |c| integer(c, |x| !x)),
    ("Ceil", |c| float(c, f64::ceil)),
    ("Cos", |c| float(c, f64::cos)),
    ("Cosh", |c| float(c, f64::cosh)),
    ("Erf", |c| float(c, erf)),
    ("Exp", |c| float(c, f64::exp)),
    ("Floor", |c| float(c, f64::floor)),
    ("HardSwish", |c| float(c, |x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0))),
    ("Identity", |c| Ok(vec![c.input(0)?.clone()])),
    ("IsNaN", |c| test(c, f64::is_nan)),
    ("Log", |c| float(c, f64::ln)),
    ("Mish", |c| float(c, |x| x * softplus(x).tanh())),
    ("Neg", |c| either(c, |x| -x, i64::wrapping_neg)),
    ("Not", |c| test(c, |x| x == 0.0)),
    ("Reciprocal", |c| float(c, f64::recip)),
    ("Relu", |c| either(c, |x| if x > 0.0 || x.is_nan() { x } else { 0.0 }, |x| x.max(0))),
    ("Round", |c| float(c, f64::round_ties_even)),
    ("Sigmoid", |c| float(c, sigmoid)),
    ("Sign", |c| either(c, sign, i64::signum)),
    ("Sin", |c| float(c, f64::sin)),
    ("Sinh", |c| float(c, f64::sinh)),
    ("Softplus", |c| float(c, softplus)),
    ("Softsign", |c| float(c, |x| x / (1.0 + x.abs()))),
    ("Sqrt", |c| float(c, f64::sqrt)),
    ("Tan", |c| float(c, f64::tan)),
    ("Tanh", |c| float(c, f64::tanh)),
];

/// Applies `f` to every value of a float operand.
pub(super) fn float(call: &Call<'_>, f: impl Fn(f64) -> f64) -> Results {
    let x = call.input(0)?;
    if !x.element.is_float() {
        return Err(format!("floats are needed where {} is given", x.element));
    }
    Ok(vec![mapped(call, x, f)])
}

pub(super) fn mapped(call: &Call<'_>, x: &Tensor, f: impl Fn(f64) -> f64) -> Tensor {
    call.store(x.element, x.shape.clone(), floats(x).iter().map(|&v| f(v)).collect())
}

fn integer(call: &Call<'_>, f: fn(i64) -> i64) -> Results {
    let x = call.input(0)?;
    let values = integers(x)?.iter().map(|&v| f(v)).collect();
    Ok(vec![call.store_integers(x.element, x.shape.clone(), values)])
}

pub(super) fn either(call: &Call<'_>, f: fn(f64) -> f64, g: fn(i64) -> i64) -> Results {
    if call.input(0)?.element.is_float() { float(call, f) } else { integer(call, g) }
}

fn test(call: &Call<'_>, f: fn(f64) -> bool) -> Results {
    let x = dense(call.input(0)?);
    if call.node.operator == "Not" && x.element != ElementType::Bool {
        return Err(format!("truth values are needed where {} is given", x.element));
    }
    Ok(vec![call.store_bools(x.shape.clone(), floats(&x).iter().map(|&v| f(v)))])
}

fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        x
    }
}

/// `1 / (1 + exp(-x))`.
pub(super) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `ln(1 + exp(x))` without overflow.
pub(super) fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The error function, to less than a unit in the last place. (The series of Abramowitz and Stegun 7.1.6 in doubles is off by
/// fourteen where it comes near 1.)
pub(super) fn erf(x: f64) -> f64 {
    libm::erf(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_agrees_with_tables() {
        let cases = [
            (0.0, 0.0),
            (0.1, 0.112_462_916_018_284_9),
            (0.5, 0.520_499_877_813_046_5),
            (-1.0, -0.842_700_792_949_714_9),
            (2.0, 0.995_322_265_018_952_7),
            (3.5, 0.999_999_256_901_627_6),
            (5.5, 0.999_999_999_999_992_7),
            (9.0, 1.0),
            (f64::INFINITY, 1.0),
            (f64::NEG_INFINITY, -1.0),
            (4.25, 0.999_999_998_149_425_9),
            (5.891_287_824_129_689, 0.999_999_999_999_999_9),
        ];
        for (x, expected) in cases {
            assert!((erf(x) - expected).abs() <= 2.3e-16, "erf({x}) = {}, not {expected}", erf(x));
        }
    }
}
