//! Operators that order the numbers along an axis: ArgMax, ArgMin, TopK.

use super::{Operands, Operator, Pass, View};
use crate::network::backward::Gradients;
use crate::network::real::Real;
use crate::network::shape::{self, ShapeError};

/// Where the extreme number along an axis is; the axis is kept with length 1.
#[derive(Debug, Clone, PartialEq)]
pub struct ArgExtreme {
    /// The axis.
    pub axis: usize,
    /// The largest number, or the smallest.
    pub largest: bool,
    /// Of several equal ones the last, or the first.
    pub last: bool,
}

/// The `count` largest (or smallest) numbers along an axis, best first, earlier ones first among equals.
#[derive(Debug, Clone, PartialEq)]
pub struct TopK {
    /// The axis.
    pub axis: usize,
    /// How many.
    pub count: usize,
    /// The largest numbers, or the smallest.
    pub largest: bool,
    /// Their places along the axis instead of the numbers themselves.
    pub places: bool,
}

fn with_axis(shape: &[usize], axis: usize, len: usize) -> Result<Vec<usize>, ShapeError> {
    let mut result = shape.to_vec();
    match result.get_mut(axis) {
        Some(d) if *d >= len => *d = len,
        _ => return Err(ShapeError(format!("axis {axis} of shape {shape:?} does not hold {len} numbers"))),
    }
    Ok(result)
}

impl<T: Real> Operator<T> for ArgExtreme {
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
        with_axis(inputs[0], self.axis, 1)
    }

    fn forward(&self, operands: Operands<'_, T>, output: &mut [T], pass: &mut Pass<'_, T>) {
        let x = operands.get(0);
        let split = shape::split(x.shape, self.axis);
        let inner = split.inner * pass.lanes;
        for (at, y) in output.iter_mut().enumerate() {
            let (outer, i) = (at / inner, at % inner);
            let number = |k: usize| x.data[(outer * split.axis + k) * inner + i];
            let mut best = 0;
            for k in 1..split.axis {
                let (a, b) = (number(k), number(best));
                let better = if self.largest { a > b } else { a < b };
                if better || (self.last && a == b) {
                    best = k;
                }
            }
            *y = T::of(best as f64);
        }
    }

    fn vjp(
        &self,
        _operands: Operands<'_, T>,
        _result: View<'_, T>,
        _cotangent: &[T],
        _gradients: &mut Gradients<'_, T>,
        _pass: &mut Pass<'_, T>,
    ) {
        // Piecewise constant.
    }
}

impl TopK {
    /// Calls `visit(place in the result, place in the operand, place along the axis)` for each number that is
    /// among the best; `order` is memory for sorting.
    fn each<T: Real>(&self, x: View<'_, T>, lanes: usize, mut visit: impl FnMut(usize, usize, usize)) {
        let split = shape::split(x.shape, self.axis);
        let inner = split.inner * lanes;
        let mut order = Vec::with_capacity(split.axis);
        for outer in 0..split.outer {
            for i in 0..inner {
                let at = |k: usize| (outer * split.axis + k) * inner + i;
                order.clear();
                order.extend(0..split.axis);
                order.sort_by(|&a, &b| {
                    let (a, b) = (x.data[at(a)], x.data[at(b)]);
                    let (a, b) = if self.largest { (b, a) } else { (a, b) };
                    a.partial_cmp(&b).unwrap_or(std::cmp::Ordering::Equal)
                });
                for (rank, &k) in order.iter().take(self.count).enumerate() {
                    visit((outer * self.count + rank) * inner + i, at(k), k);
                }
            }
        }
    }
}

impl<T: Real> Operator<T> for TopK {
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
        with_axis(inputs[0], self.axis, self.count)
    }

    fn forward(&self, operands: Operands<'_, T>, output: &mut [T], pass: &mut Pass<'_, T>) {
        let x = operands.get(0);
        self.each(x, pass.lanes, |to, from, k| {
            output[to] = if self.places { T::of(k as f64) } else { x.data[from] };
        });
    }

    fn vjp(
        &self,
        operands: Operands<'_, T>,
        _result: View<'_, T>,
        cotangent: &[T],
        gradients: &mut Gradients<'_, T>,
        pass: &mut Pass<'_, T>,
    ) {
        let Some(gradient) = gradients.wrt(0).filter(|_| !self.places) else { return };
        self.each(operands.get(0), pass.lanes, |to, from, _| gradient[from] += cotangent[to]);
    }
}
