//! Operators that choose by a value: `Where`, and gathering by indices that depend on the input.

use super::{Operands, Operator, Pass, View};
use crate::network::backward::Gradients;
use crate::network::real::Real;
use crate::network::shape::{self, ShapeError};

/// `condition ? a : b` for three operands of one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Select;

impl<T: Real> Operator<T> for Select {
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
        if inputs[0] != inputs[1] || inputs[0] != inputs[2] {
            return Err(ShapeError(format!("a selection needs one shape, not {inputs:?}")));
        }
        Ok(inputs[0].to_vec())
    }

    fn forward(&self, operands: Operands<'_, T>, output: &mut [T], _pass: &mut Pass<'_, T>) {
        let (condition, a, b) = (operands.get(0).data, operands.get(1).data, operands.get(2).data);
        for (((y, &c), &a), &b) in output.iter_mut().zip(condition).zip(a).zip(b) {
            *y = if c != T::zero() { a } else { b };
        }
    }

    fn vjp(
        &self,
        operands: Operands<'_, T>,
        _result: View<'_, T>,
        cotangent: &[T],
        gradients: &mut Gradients<'_, T>,
        pass: &mut Pass<'_, T>,
    ) {
        let condition = operands.get(0).data;
        // Where jumps have smooth steps, the condition goes from 0 to 1 and the result from b to a: exporters write signs
        // as `Where(x ≥ 0, 1, −1)`.
        if pass.surrogate.width.is_some()
            && let Some(gradient) = gradients.wrt(0)
        {
            let branches = operands.get(1).data.iter().zip(operands.get(2).data);
            for ((g, &c), (&a, &b)) in gradient.iter_mut().zip(cotangent).zip(branches) {
                *g += c * (a - b);
            }
        }
        for side in [1, 2] {
            let Some(gradient) = gradients.wrt(side) else { continue };
            for ((g, &c), &is) in gradient.iter_mut().zip(cotangent).zip(condition) {
                if (is != T::zero()) == (side == 1) {
                    *g += c;
                }
            }
        }
    }
}

/// The rows of the first operand along `axis` that the second names, as ONNX `Gather` does; an index beyond the
/// axis is taken to its end (the standard calls it an error, but a search may not fail half way).
#[derive(Debug, Clone, PartialEq)]
pub struct Pick {
    /// The axis.
    pub axis: usize,
}

impl Pick {
    /// Calls `visit(place in the result, place in the operand)`, lanes included.
    fn each<T: Real>(
        &self,
        x: View<'_, T>,
        indices: View<'_, T>,
        lanes: usize,
        mut visit: impl FnMut(usize, usize),
    ) {
        let split = shape::split(x.shape, self.axis);
        let count = shape::len(indices.shape);
        if split.axis == 0 {
            return;
        }
        for outer in 0..split.outer {
            for at in 0..count {
                for lane in 0..lanes {
                    let index = indices.data[at * lanes + lane].widen();
                    let from_front = if index < 0.0 { index + split.axis as f64 } else { index };
                    let row = (from_front.max(0.0) as usize).min(split.axis - 1);
                    for i in 0..split.inner {
                        let to = ((outer * count + at) * split.inner + i) * lanes + lane;
                        visit(to, ((outer * split.axis + row) * split.inner + i) * lanes + lane);
                    }
                }
            }
        }
    }
}

impl<T: Real> Operator<T> for Pick {
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
        let (x, indices) = (inputs[0], inputs[1]);
        if x.get(self.axis).is_none_or(|&d| d == 0) {
            return Err(ShapeError(format!("shape {x:?} has nothing to pick along axis {}", self.axis)));
        }
        Ok([&x[..self.axis], indices, &x[self.axis + 1..]].concat())
    }

    fn forward(&self, operands: Operands<'_, T>, output: &mut [T], pass: &mut Pass<'_, T>) {
        let x = operands.get(0);
        self.each(x, operands.get(1), pass.lanes, |to, from| output[to] = x.data[from]);
    }

    fn vjp(
        &self,
        operands: Operands<'_, T>,
        _result: View<'_, T>,
        cotangent: &[T],
        gradients: &mut Gradients<'_, T>,
        pass: &mut Pass<'_, T>,
    ) {
        let Some(gradient) = gradients.wrt(0) else { return };
        self.each(operands.get(0), operands.get(1), pass.lanes, |to, from| gradient[from] += cotangent[to]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::build::Builder;
    use crate::network::op::{Binary, BinaryFunction, Op};
    use crate::network::{Network, Surrogate, Workspace};
    use crate::onnx::ElementType::{Bool, Float64};

    /// A sign as exporters write it: `Where(x ≥ 0, 1, −1)`.
    fn written_sign() -> Network<f64> {
        let mut builder = Builder::default();
        let x = builder.input("x", Float64, vec![2]).unwrap();
        let mut constant = |value| builder.constant("c", Float64, vec![2], vec![value; 2]).unwrap();
        let (zero, one, minus) = (constant(0.0), constant(1.0), constant(-1.0));
        let at_least = Op::Binary(Binary(BinaryFunction::GreaterOrEqual));
        let condition = builder.push("c", at_least, &[x, zero], Bool).unwrap();
        let y = builder.push("y", Op::Select(Select), &[condition, one, minus], Float64).unwrap();
        builder.finish(vec![y])
    }

    #[test]
    fn a_condition_passes_the_slope_of_its_smooth_step_on() {
        let network = written_sign();
        let mut workspace = Workspace::new(&network, 2);
        network.forward(&mut workspace, &[0.5, -0.25, 1.0, 2.0]);
        let mut slopes = |width| {
            let mut gradient = Vec::new();
            let surrogate = Surrogate { leak: None, width };
            network.backward(&mut workspace, &[1.0; 4], surrogate, &mut gradient);
            gradient
        };
        assert_eq!(slopes(None), [0.0; 4]);
        let smooth = slopes(Some(2.0));
        assert!(smooth.iter().all(|&slope| slope > 0.0), "{smooth:?}");
        // From −1 to 1 is twice from 0 to 1: the step of a comparison has height 1.
        let mut single = vec![0.5, -0.25, 1.0, 2.0];
        super::super::smooth_step::slopes(&mut single, 2, 2.0, 2.0);
        assert!(smooth.iter().zip(&single).all(|(a, b)| (a - b).abs() < 1e-12), "{smooth:?}, {single:?}");
    }
}
