//! A part of a model that only the plain engine computes: point by point, with derivatives by differences where there are few
//! operands, and without bounds.
//!
//! The fast engine knows the operators that networks are made of. What it has no operator for (a sampled grid, a
//! deformable convolution, a slice whose start is computed from the input) is still evaluated, by the engine that
//! replays counterexamples, so that such a network is searched: by samples, corners, coordinates and random search, and by
//! gradients, which differences give (one evaluation a number) or which go round it. What is found there is replayed as
//! everything else.
//!
//! A result has one shape for all inputs, as everything in this engine. Where a point gives another shape, or the
//! plain engine refuses it (an index out of range), the result is no number, and the point is no counterexample.

use std::sync::Arc;

use super::{Gradients, Operands, Operator, Pass, View};
use crate::network::real::Real;
use crate::network::shape::ShapeError;
use crate::reference::{Engine, Precision};

/// A model with one output, as an operator: its inputs are the operands.
#[derive(Debug, Clone)]
pub struct Plain {
    engine: Arc<Engine>,
    /// Shape of the output.
    shape: Vec<usize>,
    /// Multiplications of one evaluation, roughly.
    work: usize,
}

/// What an operation of the plain engine costs, in multiplications of the fast one (measured on small networks: 20 to 100).
const PRICE: usize = 50;

/// Numbers of an operand up to which differences are taken.
const MOST_DIFFERENCES: usize = 256;
/// The step of a difference, as a part of the number: half the digits of a double, with some to spare.
const STEP: f64 = 1e-6;

/// The values of one lane of a block.
fn lane_of<T: Real>(values: &[T], lane: usize, lanes: usize) -> Vec<f64> {
    values.iter().skip(lane).step_by(lanes).map(|x| x.widen()).collect()
}

impl Plain {
    /// An operator that computes the one output of a model, which has this shape.
    pub fn new(engine: Arc<Engine>, shape: Vec<usize>) -> Self {
        let constants: usize = engine.model().graph.initializers.values().map(|tensor| tensor.len()).sum();
        let nodes = engine.model().graph.nodes.len();
        let result: usize = shape.iter().product();
        Self { engine, shape, work: PRICE * (constants + result + 10 * nodes) }
    }

    /// Multiplications of one evaluation, roughly.
    pub fn multiplications(&self) -> usize {
        self.work
    }

    /// The operators that it stands for.
    pub fn operators(&self) -> impl Iterator<Item = &str> {
        self.engine.model().graph.nodes.iter().map(|node| node.operator.as_str())
    }

    /// The result at one point; `None` where the plain engine has none of this shape.
    fn evaluate(&self, operands: &[Vec<f64>], precision: Precision) -> Option<Vec<f64>> {
        let views: Vec<&[f64]> = operands.iter().map(Vec::as_slice).collect();
        let mut outputs = self.engine.run(&views, precision).ok()?;
        outputs.pop().filter(|output| output.shape == self.shape).map(|output| output.values)
    }
}

impl<T: Real> Operator<T> for Plain {
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
        let declared = self.engine.model().graph.inputs.len();
        match inputs.len() == declared {
            true => Ok(self.shape.clone()),
            false => Err(ShapeError(format!("{} operands where there are {declared}", inputs.len()))),
        }
    }

    fn forward(&self, operands: Operands<'_, T>, output: &mut [T], pass: &mut Pass<'_, T>) {
        let lanes = pass.lanes;
        let precision = if T::zero().as_single().is_some() { Precision::Model } else { Precision::Double };
        let (mut last, mut values) = (Vec::new(), None);
        for lane in 0..lanes {
            let point: Vec<Vec<f64>> =
                (0..operands.count()).map(|i| lane_of(operands.get(i).data, lane, lanes)).collect();
            // Lanes that are not used repeat the one before them.
            if lane == 0 || point != last {
                values = self.evaluate(&point, precision);
            }
            for (at, to) in output.iter_mut().skip(lane).step_by(lanes).enumerate() {
                *to = values.as_ref().map_or(T::nan(), |values| T::of(values[at]));
            }
            last = point;
        }
    }

    /// Differences in double precision, one a number of a float operand; nothing where there are too many of them.
    fn vjp(
        &self,
        operands: Operands<'_, T>,
        _result: View<'_, T>,
        cotangent: &[T],
        gradients: &mut Gradients<'_, T>,
        pass: &mut Pass<'_, T>,
    ) {
        let lanes = pass.lanes;
        let floats: Vec<bool> =
            self.engine.model().graph.inputs.iter().map(|info| info.element.is_float()).collect();
        let few = |i: usize| operands.get(i).data.len() <= MOST_DIFFERENCES * lanes;
        for i in (0..operands.count()).filter(|&i| floats[i] && few(i)) {
            let Some(gradient) = gradients.wrt(i) else { continue };
            for lane in 0..lanes {
                let weights = lane_of(cotangent, lane, lanes);
                let mut point: Vec<Vec<f64>> =
                    (0..operands.count()).map(|i| lane_of(operands.get(i).data, lane, lanes)).collect();
                let Some(base) = self.evaluate(&point, Precision::Double) else { continue };
                for at in 0..point[i].len() {
                    let x = point[i][at];
                    let step = STEP * (1.0 + x.abs());
                    point[i][at] = x + step;
                    let moved = self.evaluate(&point, Precision::Double);
                    point[i][at] = x;
                    let Some(moved) = moved else { continue };
                    let slope =
                        moved.iter().zip(&base).zip(&weights).map(|((m, b), w)| w * (m - b)).sum::<f64>();
                    if slope.is_finite() {
                        gradient[at * lanes + lane] += T::of(slope / step);
                    }
                }
            }
        }
    }
}
