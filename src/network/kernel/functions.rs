//! Exponentials and what is made of them, written so that the compiler turns loops of them into vectors.
//!
//! In single precision each is a polynomial on a reduced argument, without branches and table look-ups (the
//! reductions and coefficients follow Cephes, S. L. Moshier, `expf`, `tanhf`, `erff`); errors stay below 3 units
//! in the last place, see the tests. In double precision the standard library's functions are used: double
//! precision reasons, single precision hurries.

// Coefficients are quoted as published.
#![allow(clippy::excessive_precision, clippy::approx_constant)]

use crate::network::real::Real;

/// `e^x`
#[inline(always)]
pub(crate) fn exp<T: Real>(x: T) -> T {
    match T::as_single(x) {
        Some(x) => T::from_single(exp_single(x)),
        None => x.exp(),
    }
}

/// `1 / (1 + e^-x)`
#[inline(always)]
pub(crate) fn sigmoid<T: Real>(x: T) -> T {
    T::one() / (T::one() + exp(-x))
}

/// Hyperbolic tangent.
#[inline(always)]
pub(crate) fn tanh<T: Real>(x: T) -> T {
    match T::as_single(x) {
        Some(x) => T::from_single(tanh_single(x)),
        None => x.tanh(),
    }
}

/// The error function.
#[inline(always)]
pub(crate) fn erf<T: Real>(x: T) -> T {
    match T::as_single(x) {
        Some(x) => T::from_single(erf_single(x)),
        None => T::of(libm::erf(x.widen())),
    }
}

/// `2^(x log2 e)`: the integer part goes to the exponent in two steps, so that results below the smallest normal
/// number are rounded and not lost; the rest, at most ln 2 / 2 away from zero, into a polynomial.
#[inline(always)]
fn exp_single(x: f32) -> f32 {
    const HIGH: f32 = 0.693_359_4;
    const LOW: f32 = -2.121_944_4e-4;
    let clamped = x.clamp(-104.0, 89.0);
    // Adding 1.5·2^23 rounds to an integer without a call.
    let shifted = clamped * std::f32::consts::LOG2_E + 12_582_912.0;
    let n = shifted - 12_582_912.0;
    let r = clamped - n * HIGH - n * LOW;
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p * r + c;
    }
    let p = p * r * r + r + 1.0;
    let n = n as i32;
    let half = n / 2;
    let power = |n: i32| f32::from_bits(((n + 127) << 23) as u32);
    let y = p * power(half) * power(n - half);
    if x.is_nan() { x } else { y }
}

/// Small arguments by an odd polynomial, large ones through the exponential.
#[inline(always)]
fn tanh_single(x: f32) -> f32 {
    let a = x.abs();
    let square = x * x;
    let mut p = -5.704_988_7e-3;
    for c in [2.063_908_9e-2, -5.373_971_2e-2, 1.333_144_2e-1, -3.333_328_2e-1] {
        p = p * square + c;
    }
    let small = p * square * x + x;
    let large = (1.0 - 2.0 / (exp_single(2.0 * a) + 1.0)).copysign(x);
    if a < 0.625 { small } else { large }
}

/// Small arguments by the Taylor series' first terms as Cephes fits them, large ones by Abramowitz and Stegun's
/// 7.1.26 in the longer form of Numerical Recipes (`erfc`), whose error is below 1.2e-7 everywhere.
#[inline(always)]
fn erf_single(x: f32) -> f32 {
    let a = x.abs();
    let square = x * x;
    let mut p = 7.853_861e-5;
    for c in [-8.010_194e-4, 5.188_327e-3, -2.685_381_2e-2, 1.128_358_5e-1, -3.761_262_6e-1, 1.128_379_2] {
        p = p * square + c;
    }
    let small = x * p;
    let t = 1.0 / (1.0 + 0.5 * a);
    let mut q = 0.170_872_77;
    for c in [
        -0.822_152_2,
        1.488_515_9,
        -1.135_203_98,
        0.278_868_07,
        -0.186_288_06,
        0.096_784_18,
        0.374_091_96,
        1.000_023_68,
        -1.265_512_2,
    ] {
        q = q * t + c;
    }
    let large = (1.0 - t * exp_single(q - square)).copysign(x);
    if a < 1.0 { small } else { large }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, f: fn(f32) -> f32, exact: fn(f64) -> f64, from: f32, to: f32, relative: f64) {
        let steps = 200_000;
        for i in 0..=steps {
            let x = from + (to - from) * (i as f32 / steps as f32);
            let (got, want) = (f64::from(f(x)), exact(f64::from(x)));
            let error = (got - want).abs() / want.abs().max(f64::from(f32::MIN_POSITIVE));
            assert!(error <= relative, "{name}({x}) is {got}, should be {want}: {error:.2e}");
        }
    }

    #[test]
    fn single_precision_functions_are_accurate() {
        check("exp", exp::<f32>, f64::exp, -87.0, 88.7, 2e-7);
        check("tanh", tanh::<f32>, f64::tanh, -10.0, 10.0, 3e-7);
        check("sigmoid", sigmoid::<f32>, |x| 1.0 / (1.0 + (-x).exp()), -80.0, 30.0, 3e-7);
        check("erf", erf::<f32>, libm::erf, -5.0, 5.0, 3e-7);
    }

    #[test]
    fn ends_of_the_range() {
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
        assert_eq!(exp(0.0f32), 1.0);
        assert!(exp(f32::NAN).is_nan() && tanh(f32::NAN).is_nan() && erf(f32::NAN).is_nan());
        assert_eq!(tanh(f32::INFINITY), 1.0);
        assert_eq!(tanh(-200.0f32), -1.0);
        assert_eq!(tanh(0.0f32), 0.0);
        assert_eq!(erf(-20.0f32), -1.0);
        assert_eq!(sigmoid(-200.0f32), 0.0);
        assert_eq!(sigmoid(200.0f32), 1.0);
    }
}
