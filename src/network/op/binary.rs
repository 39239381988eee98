//! Functions of two numbers under ONNX's broadcasting.

use super::{Integer, Operands, Operator, Pass, View, smooth_step};
use crate::dispatch::vectorized;
use crate::network::backward::Gradients;
use crate::network::real::Real;
use crate::network::shape::{self, MAX_RANK, ShapeError};

/// Applies a function to two operands, broadcast against each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Binary(pub BinaryFunction);

/// The functions. Truth is 1, falsehood 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BinaryFunction {
    Add,
    Sub,
    Mul,
    /// The product of integers modulo the range of their type.
    WrappingMul(Integer),
    Div,
    /// Integer division, towards zero.
    IntegerDiv,
    Pow,
    Max,
    Min,
    /// Remainder with the sign of the divisor (integers).
    Modulo,
    /// Remainder with the sign of the dividend (C's `fmod`).
    Remainder,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    And,
    Or,
    Xor,
    /// `x` where `x ≥ 0`, else `slope · x` with the slope as second operand.
    PRelu,
}

impl BinaryFunction {
    /// The function's value.
    #[inline(always)]
    pub fn value<T: Real>(self, a: T, b: T) -> T {
        use BinaryFunction::*;
        let zero = T::zero();
        let truth = |is: bool| if is { T::one() } else { zero };
        match self {
            Add => a + b,
            Sub => a - b,
            Mul => a * b,
            WrappingMul(of) => T::of(of.multiply(a.widen(), b.widen())),
            Div => a / b,
            IntegerDiv => (a / b).trunc(),
            Pow => a.powf(b),
            Max => {
                if a > b || a.is_nan() {
                    a
                } else {
                    b
                }
            }
            Min => {
                if a < b || a.is_nan() {
                    a
                } else {
                    b
                }
            }
            Modulo => a - b * (a / b).floor(),
            Remainder => a % b,
            Less => truth(a < b),
            LessOrEqual => truth(a <= b),
            Greater => truth(a > b),
            GreaterOrEqual => truth(a >= b),
            Equal => truth(a == b),
            And => truth(a != zero && b != zero),
            Or => truth(a != zero || b != zero),
            Xor => truth((a != zero) != (b != zero)),
            PRelu => {
                if a < zero {
                    a * b
                } else {
                    a
                }
            }
        }
    }

    /// Both partial derivatives at `(a, b)` where the value is `y`.
    #[inline(always)]
    pub fn derivatives<T: Real>(self, a: T, b: T, y: T) -> (T, T) {
        use BinaryFunction::*;
        let (zero, one) = (T::zero(), T::one());
        match self {
            Add => (one, one),
            Sub => (one, -one),
            Mul | WrappingMul(_) => (b, a),
            Div => (one / b, -y / b),
            Pow => {
                let by_exponent = if a > zero { y * a.ln() } else { zero };
                (if b == zero { zero } else { b * a.powf(b - one) }, by_exponent)
            }
            Max => {
                if a > b {
                    (one, zero)
                } else {
                    (zero, one)
                }
            }
            Min => {
                if a < b {
                    (one, zero)
                } else {
                    (zero, one)
                }
            }
            Modulo | Remainder => (one, -((a - y) / b)),
            PRelu => {
                if a < zero {
                    (b, a)
                } else {
                    (one, zero)
                }
            }
            IntegerDiv | Less | LessOrEqual | Greater | GreaterOrEqual | Equal | And | Or | Xor => {
                (zero, zero)
            }
        }
    }

    /// Whether an order of the operands becomes true where the first rises (1) or falls (-1).
    fn direction(self) -> Option<f64> {
        use BinaryFunction::*;
        match self {
            Greater | GreaterOrEqual => Some(1.0),
            Less | LessOrEqual => Some(-1.0),
            _ => None,
        }
    }

    /// Whether the derivatives are zero almost everywhere.
    pub fn is_piecewise_constant(self) -> bool {
        use BinaryFunction::*;
        matches!(self, IntegerDiv | Less | LessOrEqual | Greater | GreaterOrEqual | Equal | And | Or | Xor)
    }
}

/// How two operands are walked beside the result: an odometer over the outer axes, contiguous runs inside.
struct BroadcastWalk {
    rank: usize,
    dims: [usize; MAX_RANK],
    /// Steps of each operand along each axis, in runs' units of numbers; zero where it is repeated.
    steps: [[usize; MAX_RANK]; 2],
    /// Numbers in a run: lanes times the trailing axes that neither operand repeats.
    run: usize,
}

impl BroadcastWalk {
    fn new(a: &[usize], b: &[usize], out: &[usize], lanes: usize) -> Self {
        let padded = |shape: &[usize], axis: usize| {
            let missing = out.len() - shape.len();
            if axis < missing { 1 } else { shape[axis - missing] }
        };
        let mut outer = out.len();
        let mut run = lanes;
        while outer > 0 && padded(a, outer - 1) == out[outer - 1] && padded(b, outer - 1) == out[outer - 1] {
            outer -= 1;
            run *= out[outer];
        }
        let mut walk = Self { rank: outer, dims: [1; MAX_RANK], steps: [[0; MAX_RANK]; 2], run };
        for (side, shape) in [a, b].into_iter().enumerate() {
            let mut step = run;
            for axis in (0..outer).rev() {
                let d = padded(shape, axis);
                walk.steps[side][axis] = if d == 1 { 0 } else { step };
                step *= d;
            }
        }
        walk.dims[..outer].copy_from_slice(&out[..outer]);
        walk
    }

    /// Calls `visit(at_out, at_a, at_b)` for the start of every run.
    #[inline(always)]
    fn for_runs(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let total: usize = self.dims[..self.rank].iter().product();
        let (mut index, mut a, mut b) = ([0; MAX_RANK], 0, 0);
        for run in 0..total {
            visit(run * self.run, a, b);
            for axis in (0..self.rank).rev() {
                index[axis] += 1;
                a += self.steps[0][axis];
                b += self.steps[1][axis];
                if index[axis] < self.dims[axis] {
                    break;
                }
                a -= self.steps[0][axis] * self.dims[axis];
                b -= self.steps[1][axis] * self.dims[axis];
                index[axis] = 0;
            }
        }
    }
}

impl<T: Real> Operator<T> for Binary {
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
        shape::broadcast(inputs)
    }

    fn forward(&self, operands: Operands<'_, T>, output: &mut [T], pass: &mut Pass<'_, T>) {
        use BinaryFunction::*;
        let (a, b) = (operands.get(0), operands.get(1));
        // One loop for each of the frequent functions; the choice inside the loop for the rest.
        match self.0 {
            Add => zip(a, b, output, pass.lanes, |a, b| a + b),
            Sub => zip(a, b, output, pass.lanes, |a, b| a - b),
            Mul => zip(a, b, output, pass.lanes, |a, b| a * b),
            Div => zip(a, b, output, pass.lanes, |a, b| a / b),
            Max => zip(a, b, output, pass.lanes, |a, b| Max.value(a, b)),
            Min => zip(a, b, output, pass.lanes, |a, b| Min.value(a, b)),
            f => zip(a, b, output, pass.lanes, |a, b| f.value(a, b)),
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
        let (a, b) = (operands.get(0), operands.get(1));
        let walk = BroadcastWalk::new(a.shape, b.shape, result.shape, pass.lanes);
        let f = self.0;
        if let (Some(sign), Some(width)) = (f.direction(), pass.surrogate.width) {
            return compare(walk, (a.data, b.data), (sign, width), cotangent, gradients, pass);
        }
        for side in 0..2 {
            let Some(gradient) = gradients.wrt(side) else { continue };
            walk.for_runs(|at, at_a, at_b| {
                let own = if side == 0 { at_a } else { at_b };
                let g = &mut gradient[own..own + walk.run];
                let c = &cotangent[at..at + walk.run];
                match (f, side) {
                    (BinaryFunction::Add, _) | (BinaryFunction::Sub, 0) => {
                        g.iter_mut().zip(c).for_each(|(g, &c)| *g += c);
                    }
                    (BinaryFunction::Sub, _) => g.iter_mut().zip(c).for_each(|(g, &c)| *g += -c),
                    _ => {
                        for i in 0..walk.run {
                            let y = result.data[at + i];
                            let d = f.derivatives(a.data[at_a + i], b.data[at_b + i], y);
                            g[i] += c[i] * if side == 0 { d.0 } else { d.1 };
                        }
                    }
                }
            });
        }
    }
}

/// The backward pass of an order of two operands, which is a step in their difference: `sign` is 1 where it is a step
/// up, `width` that of the smooth step.
fn compare<T: Real>(
    walk: BroadcastWalk,
    (a, b): (&[T], &[T]),
    (sign, width): (f64, T),
    cotangent: &[T],
    gradients: &mut Gradients<'_, T>,
    pass: &mut Pass<'_, T>,
) {
    let slopes = &mut *pass.scratch;
    slopes.clear();
    slopes.resize(cotangent.len(), T::zero());
    walk.for_runs(|at, at_a, at_b| {
        for (i, difference) in slopes[at..at + walk.run].iter_mut().enumerate() {
            *difference = a[at_a + i] - b[at_b + i];
        }
    });
    smooth_step::slopes(slopes, pass.lanes, T::one(), width);
    for (side, sign) in [T::of(sign), T::of(-sign)].into_iter().enumerate() {
        let Some(gradient) = gradients.wrt(side) else { continue };
        walk.for_runs(|at, at_a, at_b| {
            let own = if side == 0 { at_a } else { at_b };
            let terms = cotangent[at..at + walk.run].iter().zip(&slopes[at..]);
            gradient[own..own + walk.run].iter_mut().zip(terms).for_each(|(g, (&c, &s))| *g += sign * c * s);
        });
    }
}

/// `out = f(a, b)`, compiled for the machine's vectors.
#[inline(always)]
fn zip<T: Real>(a: View<'_, T>, b: View<'_, T>, out: &mut [T], lanes: usize, f: impl Fn(T, T) -> T) {
    let mut shape = [1; MAX_RANK];
    let rank = a.shape.len().max(b.shape.len());
    for (axis, d) in shape[..rank].iter_mut().enumerate() {
        let of = |s: &[usize]| if axis + s.len() < rank { 1 } else { s[axis + s.len() - rank] };
        *d = if of(a.shape) == 1 { of(b.shape) } else { of(a.shape) };
    }
    let walk = BroadcastWalk::new(a.shape, b.shape, &shape[..rank], lanes);
    vectorized(|| {
        walk.for_runs(|at, at_a, at_b| {
            let (a, b) = (&a.data[at_a..at_a + walk.run], &b.data[at_b..at_b + walk.run]);
            for ((y, &a), &b) in out[at..at + walk.run].iter_mut().zip(a).zip(b) {
                *y = f(a, b);
            }
        });
    });
}
