//! Functions of one number, applied to every value.

use super::{Integer, Operands, Operator, Pass, View, smooth_step};
use crate::dispatch::vectorized;
use crate::network::backward::Gradients;
use crate::network::kernel::functions::{erf, exp, sigmoid, tanh};
use crate::network::real::Real;
use crate::network::shape::ShapeError;

/// Applies a function to every value.
#[derive(Debug, Clone, PartialEq)]
pub struct Unary(pub UnaryFunction);

/// The functions, with their ONNX parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub enum UnaryFunction {
    // Piecewise linear.
    Relu,
    LeakyRelu {
        alpha: f64,
    },
    Abs,
    Neg,
    /// `min(max(x, low), high)`; infinities where a side is open.
    Clip {
        low: f64,
        high: f64,
    },
    HardSigmoid {
        alpha: f64,
        beta: f64,
    },
    ThresholdedRelu {
        alpha: f64,
    },
    Shrink {
        lambda: f64,
        bias: f64,
    },
    /// `scale * x + shift`
    Scale {
        scale: f64,
        shift: f64,
    },
    // Smooth.
    Sigmoid,
    Tanh,
    Elu {
        alpha: f64,
    },
    Selu {
        alpha: f64,
        gamma: f64,
    },
    Celu {
        alpha: f64,
    },
    Softplus,
    Softsign,
    HardSwish,
    Mish,
    Gelu,
    GeluTanh,
    /// `x * sigmoid(alpha * x)`
    Swish {
        alpha: f64,
    },
    Erf,
    Exp,
    Log,
    Sqrt,
    Reciprocal,
    /// `x^exponent` for a constant exponent.
    Power {
        exponent: f64,
    },
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Sinh,
    Cosh,
    Asinh,
    Acosh,
    Atanh,
    // Piecewise constant.
    Sign,
    /// The sign, with this value at zero: what binarised networks write as a sign, an addition and another sign.
    SignOr {
        zero: f64,
    },
    Floor,
    Ceil,
    /// Half to even.
    Round,
    /// Towards zero: casts to integers that hold the result.
    Truncate,
    /// Casts to integers that may not hold the result.
    Convert(Integer),
    /// A whole number modulo the range of its type.
    Wrap(Integer),
    /// Whether the value is not zero: casts to booleans.
    Nonzero,
    Not,
    IsNan,
    IsInf {
        negative: bool,
        positive: bool,
    },
}

impl UnaryFunction {
    /// The function's value.
    #[inline(always)]
    pub fn value<T: Real>(self, x: T) -> T {
        use UnaryFunction::*;
        let (zero, one, of) = (T::zero(), T::one(), T::of);
        match self {
            Relu => x.max(zero),
            LeakyRelu { alpha } => {
                if x < zero {
                    of(alpha) * x
                } else {
                    x
                }
            }
            Abs => x.abs(),
            Neg => -x,
            Clip { low, high } => x.max(of(low)).min(of(high)),
            HardSigmoid { alpha, beta } => (of(alpha) * x + of(beta)).max(zero).min(one),
            ThresholdedRelu { alpha } => {
                if x > of(alpha) {
                    x
                } else {
                    zero
                }
            }
            Shrink { lambda, bias } => {
                if x < -of(lambda) {
                    x + of(bias)
                } else if x > of(lambda) {
                    x - of(bias)
                } else {
                    zero
                }
            }
            Scale { scale, shift } => of(scale) * x + of(shift),
            Sigmoid => sigmoid(x),
            Tanh => tanh(x),
            Elu { alpha } => {
                if x < zero {
                    of(alpha) * x.exp_m1()
                } else {
                    x
                }
            }
            Selu { alpha, gamma } => of(gamma) * if x <= zero { of(alpha) * x.exp_m1() } else { x },
            Celu { alpha } => x.max(zero) + (of(alpha) * (x / of(alpha)).exp_m1()).min(zero),
            Softplus => softplus(x),
            Softsign => x / (one + x.abs()),
            HardSwish => x * (x / of(6.0) + of(0.5)).max(zero).min(one),
            // Not by this function again: what calls itself is never made part of a loop, and none of its loops has vectors then.
            Mish => x * softplus(x).tanh(),
            Gelu => of(0.5) * x * (one + erf(x * of(std::f64::consts::FRAC_1_SQRT_2))),
            GeluTanh => of(0.5) * x * (one + tanh(gelu_inner(x))),
            Swish { alpha } => x * sigmoid(of(alpha) * x),
            Erf => erf(x),
            Exp => exp(x),
            Log => x.ln(),
            Sqrt => x.sqrt(),
            Reciprocal => one / x,
            Power { exponent } => power(x, exponent),
            Sin => x.sin(),
            Cos => x.cos(),
            Tan => x.tan(),
            Asin => x.asin(),
            Acos => x.acos(),
            Atan => x.atan(),
            Sinh => x.sinh(),
            Cosh => x.cosh(),
            Asinh => x.asinh(),
            Acosh => x.acosh(),
            Atanh => x.atanh(),
            Sign => {
                if x > zero {
                    one
                } else if x < zero {
                    -one
                } else {
                    x
                }
            }
            SignOr { zero: at_zero } => {
                if x > zero {
                    one
                } else if x < zero {
                    -one
                } else if x == zero {
                    of(at_zero)
                } else {
                    x
                }
            }
            Floor => x.floor(),
            Ceil => x.ceil(),
            Round => round_half_even(x),
            Truncate => x.trunc(),
            Convert(to) => of(to.convert(x.widen())),
            Wrap(to) => of(to.wrap(x.widen())),
            Nonzero => truth(x != zero),
            Not => truth(x == zero),
            IsNan => truth(x.is_nan()),
            IsInf { negative, positive } => {
                truth(x.is_infinite() && if x > zero { positive } else { negative })
            }
        }
    }

    /// The derivative at `x` where the value is `y`; zero for piecewise constant functions.
    #[inline(always)]
    pub fn derivative<T: Real>(self, x: T, y: T) -> T {
        use UnaryFunction::*;
        let (zero, one, of) = (T::zero(), T::one(), T::of);
        let step = |is: bool| if is { one } else { zero };
        match self {
            Relu => step(x > zero),
            LeakyRelu { alpha } => {
                if x < zero {
                    of(alpha)
                } else {
                    one
                }
            }
            Abs => {
                if x < zero {
                    -one
                } else {
                    step(x > zero)
                }
            }
            Neg => -one,
            Clip { low, high } => step(x >= of(low) && x <= of(high)),
            HardSigmoid { alpha, .. } => of(alpha) * step(y > zero && y < one),
            ThresholdedRelu { alpha } => step(x > of(alpha)),
            Shrink { lambda, .. } => step(x.abs() > of(lambda)),
            Scale { scale, .. } => of(scale),
            Sigmoid => y * (one - y),
            Tanh => one - y * y,
            Elu { alpha } => {
                if x < zero {
                    y + of(alpha)
                } else {
                    one
                }
            }
            Selu { alpha, gamma } => {
                if x <= zero {
                    y + of(alpha * gamma)
                } else {
                    of(gamma)
                }
            }
            Celu { alpha } => {
                if x < zero {
                    (x / of(alpha)).exp()
                } else {
                    one
                }
            }
            Softplus => sigmoid(x),
            Softsign => (one + x.abs()).powi(-2),
            HardSwish => {
                if x <= of(-3.0) {
                    zero
                } else if x >= of(3.0) {
                    one
                } else {
                    x / of(3.0) + of(0.5)
                }
            }
            Mish => {
                let t = softplus(x).tanh();
                t + x * (one - t * t) * sigmoid(x)
            }
            Gelu => {
                let density = exp(-x * x * of(0.5)) * of(0.398_942_280_401_432_7);
                of(0.5) * (one + erf(x * of(std::f64::consts::FRAC_1_SQRT_2))) + x * density
            }
            GeluTanh => {
                let t = tanh(gelu_inner(x));
                let inner = of(0.797_884_560_802_865_4) * (one + of(3.0 * 0.044715) * x * x);
                of(0.5) * (one + t) + of(0.5) * x * (one - t * t) * inner
            }
            Swish { alpha } => {
                let s = sigmoid(of(alpha) * x);
                s + of(alpha) * x * s * (one - s)
            }
            Erf => of(std::f64::consts::FRAC_2_SQRT_PI) * (-x * x).exp(),
            Exp => y,
            Log => one / x,
            Sqrt => of(0.5) / y,
            Reciprocal => -y * y,
            Power { exponent } => of(exponent) * power(x, exponent - 1.0),
            Sin => x.cos(),
            Cos => -x.sin(),
            Tan => one + y * y,
            Asin => one / (one - x * x).sqrt(),
            Acos => -one / (one - x * x).sqrt(),
            Atan => one / (one + x * x),
            Sinh => x.cosh(),
            Cosh => x.sinh(),
            Asinh => one / (x * x + one).sqrt(),
            Acosh => one / (x * x - one).sqrt(),
            Atanh => one / (one - x * x),
            // Its jumps aside.
            Wrap(_) => one,
            Sign | SignOr { .. } | Floor | Ceil | Round | Truncate | Convert(_) => zero,
            Nonzero | Not | IsNan | IsInf { .. } => zero,
        }
    }

    /// Whether the derivative is zero almost everywhere.
    pub fn is_piecewise_constant(self) -> bool {
        use UnaryFunction::*;
        matches!(
            self,
            Sign | SignOr { .. }
                | Floor
                | Ceil
                | Round
                | Truncate
                | Convert(_)
                | Nonzero
                | Not
                | IsNan
                | IsInf { .. }
        )
    }
}

fn truth<T: Real>(is: bool) -> T {
    if is { T::one() } else { T::zero() }
}

#[inline(always)]
fn gelu_inner<T: Real>(x: T) -> T {
    T::of(0.797_884_560_802_865_4) * (x + T::of(0.044715) * x * x * x)
}

fn power<T: Real>(x: T, exponent: f64) -> T {
    if exponent == 2.0 {
        x * x
    } else if exponent == 0.5 {
        x.sqrt()
    } else if exponent.fract() == 0.0 && exponent.abs() <= 64.0 {
        x.powi(exponent as i32)
    } else {
        x.powf(T::of(exponent))
    }
}

fn round_half_even<T: Real>(x: T) -> T {
    T::of(x.widen().round_ties_even())
}

/// `ln(1 + e^x)`
#[inline(always)]
fn softplus<T: Real>(x: T) -> T {
    x.max(T::zero()) + (-x.abs()).exp().ln_1p()
}

/// `y = f(x)` for every number, compiled for the machine's vectors.
#[inline(always)]
fn map<T: Real>(x: &[T], y: &mut [T], f: impl Fn(T) -> T) {
    vectorized(|| {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = f(x);
        }
    });
}

impl<T: Real> Operator<T> for Unary {
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
        Ok(inputs[0].to_vec())
    }

    fn forward(&self, operands: Operands<'_, T>, output: &mut [T], _pass: &mut Pass<'_, T>) {
        use UnaryFunction::*;
        let x = operands.get(0).data;
        // One loop a function where the loop is fast enough for a choice inside it to show.
        match self.0 {
            Relu => map(x, output, |x| if x > T::zero() { x } else { T::zero() }),
            LeakyRelu { alpha } => map(x, output, |x| LeakyRelu { alpha }.value(x)),
            Abs => map(x, output, |x| Abs.value(x)),
            Neg => map(x, output, |x| Neg.value(x)),
            Clip { low, high } => map(x, output, |x| Clip { low, high }.value(x)),
            HardSigmoid { alpha, beta } => map(x, output, |x| HardSigmoid { alpha, beta }.value(x)),
            Scale { scale, shift } => map(x, output, |x| Scale { scale, shift }.value(x)),
            Sign => map(x, output, |x| Sign.value(x)),
            SignOr { zero } => map(x, output, |x| SignOr { zero }.value(x)),
            Sigmoid => map(x, output, |x| Sigmoid.value(x)),
            Tanh => map(x, output, |x| Tanh.value(x)),
            Exp => map(x, output, |x| Exp.value(x)),
            Erf => map(x, output, |x| Erf.value(x)),
            Gelu => map(x, output, |x| Gelu.value(x)),
            GeluTanh => map(x, output, |x| GeluTanh.value(x)),
            Swish { alpha } => map(x, output, |x| Swish { alpha }.value(x)),
            Sqrt => map(x, output, |x| Sqrt.value(x)),
            Reciprocal => map(x, output, |x| Reciprocal.value(x)),
            f => output.iter_mut().zip(x).for_each(|(y, &x)| *y = f.value(x)),
        }
    }

    fn vjp(
        &self,
        operands: Operands<'_, T>,
        result: View<'_, T>,
        cotangent: &[T],
        gradients: &mut Gradients<'_, T>,
        pass: &mut Pass<'_, T>,
    ) {
        let Some(gradient) = gradients.wrt(0) else { return };
        let x = operands.get(0).data;
        match (self.0, pass.surrogate.leak) {
            (UnaryFunction::Relu, Some(slopes)) => {
                let rows = gradient.chunks_exact_mut(pass.lanes).zip(cotangent.chunks_exact(pass.lanes));
                for ((g, c), x) in rows.zip(x.chunks_exact(pass.lanes)) {
                    leaky_row(x, c, slopes, g);
                }
            }
            (UnaryFunction::Relu, None) => vectorized(|| {
                for ((g, &c), &y) in gradient.iter_mut().zip(cotangent).zip(result.data) {
                    *g += if y > T::zero() { c } else { T::zero() };
                }
            }),
            (f, _) => slopes(f, x, result.data, cotangent, gradient, pass),
        }
    }
}

/// `gradient += cotangent · f'(x)`: again one loop for each of the frequent functions.
fn slopes<T: Real>(
    f: UnaryFunction,
    x: &[T],
    y: &[T],
    cotangent: &[T],
    gradient: &mut [T],
    pass: &mut Pass<'_, T>,
) {
    use UnaryFunction::*;
    match f {
        Sign | SignOr { .. } => {
            let Some(width) = pass.surrogate.width else { return };
            pass.scratch.clear();
            pass.scratch.extend_from_slice(x);
            smooth_step::slopes(pass.scratch, pass.lanes, T::of(2.0), width);
            chain(pass.scratch, y, cotangent, gradient, |slope, _| slope);
        }
        // A staircase climbs one unit a unit.
        Floor | Ceil | Round | Truncate | Convert(_) if pass.surrogate.width.is_some() => {
            chain(x, y, cotangent, gradient, |_, _| T::one());
        }
        LeakyRelu { alpha } => chain(x, y, cotangent, gradient, |x, y| LeakyRelu { alpha }.derivative(x, y)),
        Scale { scale, .. } => chain(x, y, cotangent, gradient, |_, _| T::of(scale)),
        Sigmoid => chain(x, y, cotangent, gradient, |x, y| Sigmoid.derivative(x, y)),
        Tanh => chain(x, y, cotangent, gradient, |x, y| Tanh.derivative(x, y)),
        Exp => chain(x, y, cotangent, gradient, |_, y| y),
        Gelu => chain(x, y, cotangent, gradient, |x, y| Gelu.derivative(x, y)),
        GeluTanh => chain(x, y, cotangent, gradient, |x, y| GeluTanh.derivative(x, y)),
        f => {
            for (((g, &c), &x), &y) in gradient.iter_mut().zip(cotangent).zip(x).zip(y) {
                // A derivative may be infinite where nothing asks for it.
                if c != T::zero() {
                    *g += c * f.derivative(x, y);
                }
            }
        }
    }
}

#[inline(always)]
fn chain<T: Real>(x: &[T], y: &[T], cotangent: &[T], gradient: &mut [T], f: impl Fn(T, T) -> T) {
    vectorized(|| {
        for (((g, &c), &x), &y) in gradient.iter_mut().zip(cotangent).zip(x).zip(y) {
            *g += c * f(x, y);
        }
    });
}

/// One row of a leaky backward pass: an inactive neuron passes on `slopes[lane]` of its cotangent.
fn leaky_row<T: Real>(x: &[T], cotangent: &[T], slopes: &[T], gradient: &mut [T]) {
    for (((g, &c), &x), &slope) in gradient.iter_mut().zip(cotangent).zip(x).zip(slopes) {
        *g += if x > T::zero() { c } else { slope * c };
    }
}

#[cfg(test)]
mod tests {
    use super::UnaryFunction::*;
    use super::*;

    #[test]
    fn derivatives_agree_with_finite_differences() {
        let functions = [
            Relu,
            LeakyRelu { alpha: 0.1 },
            Abs,
            Neg,
            Clip { low: -0.5, high: 0.8 },
            HardSigmoid { alpha: 0.2, beta: 0.5 },
            ThresholdedRelu { alpha: 0.25 },
            Shrink { lambda: 0.3, bias: 0.1 },
            Scale { scale: 3.0, shift: 1.0 },
            Sigmoid,
            Tanh,
            Elu { alpha: 1.5 },
            Selu { alpha: 1.67, gamma: 1.05 },
            Celu { alpha: 0.7 },
            Softplus,
            Softsign,
            HardSwish,
            Mish,
            Gelu,
            GeluTanh,
            Swish { alpha: 1.3 },
            Erf,
            Exp,
            Power { exponent: 3.0 },
            Sin,
            Cos,
            Tan,
            Asin,
            Acos,
            Atan,
            Sinh,
            Cosh,
            Asinh,
            Atanh,
        ];
        for f in functions {
            for x in [-0.91f64, -0.37, -0.12, 0.19, 0.43, 0.77] {
                check(f, x);
            }
        }
        for f in [Log, Sqrt, Reciprocal, Power { exponent: -1.5 }, Acosh] {
            for x in [1.1f64, 2.3, 7.0] {
                check(f, x);
            }
        }
    }

    fn check(f: UnaryFunction, x: f64) {
        let h = 1e-6;
        let want = (f.value(x + h) - f.value(x - h)) / (2.0 * h);
        let got = f.derivative(x, f.value(x));
        assert!(
            (want - got).abs() < 1e-6 * (1.0 + want.abs()),
            "{f:?} at {x}: {got}, differences say {want}"
        );
    }

    #[test]
    fn values_at_the_corners() {
        let check = |f: UnaryFunction, x: f64, want: f64| assert_eq!(f.value(x), want, "{f:?}({x})");
        check(Round, 0.5, 0.0);
        check(Round, 1.5, 2.0);
        check(Round, -2.5, -2.0);
        check(Sign, 0.0, 0.0);
        check(Sign, -3.0, -1.0);
        check(SignOr { zero: 1.0 }, 0.0, 1.0);
        check(SignOr { zero: -1.0 }, 0.0, -1.0);
        check(SignOr { zero: 1.0 }, -0.5, -1.0);
        check(Truncate, -1.7, -1.0);
        check(Not, 0.0, 1.0);
        check(Nonzero, -2.0, 1.0);
        check(IsInf { negative: false, positive: true }, f64::NEG_INFINITY, 0.0);
        check(HardSwish, 4.0, 4.0);
        check(Softplus, 1000.0, 1000.0);
        check(Elu { alpha: 1.0 }, -1000.0, -1.0);
    }
}
