//! A part of a model that only the plain engine computes: point by point, without derivatives and without bounds.
//!
//! The fast engine knows the operators that networks are made of. What it has no operator for (a sampled grid, a
//! deformable convolution, a slice whose start is computed from the input) is still evaluated, by the engine that
//! replays counterexamples, so that such a network is searched: by samples, corners, coordinates and random search, and by
//! gradients along the paths that go round it. What is found there is replayed as everything else.
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
        let lane_of = |values: &[T], lane: usize| -> Vec<f64> {
            values.iter().skip(lane).step_by(lanes).map(|x| x.widen()).collect()
        };
        let mut last: Option<(Vec<Vec<f64>>, Option<Vec<f64>>)> = None;
        for lane in 0..lanes {
            let point: Vec<Vec<f64>> =
                (0..operands.count()).map(|i| lane_of(operands.get(i).data, lane)).collect();
            // Lanes that are not used repeat the one before them.
            let values = match last.take() {
                Some((same, values)) if same == point => values,
                _ => self.evaluate(&point, precision),
            };
            for (at, to) in output.iter_mut().skip(lane).step_by(lanes).enumerate() {
                *to = values.as_ref().map_or(T::nan(), |values| T::of(values[at]));
            }
            last = Some((point, values));
        }
    }

    /// Nothing is known of its derivatives.
    fn vjp(
        &self,
        _operands: Operands<'_, T>,
        _result: View<'_, T>,
        _cotangent: &[T],
        _gradients: &mut Gradients<'_, T>,
        _pass: &mut Pass<'_, T>,
    ) {
    }
}
