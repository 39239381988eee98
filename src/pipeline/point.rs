//! What a network computes at a point, for properties that begin with one.

use std::sync::Arc;

use crate::error::Error;
use crate::onnx::{Model, ValueInfo};
use crate::reference::{Engine, Precision};
use crate::repair::points::PointsError;
use crate::witness::ReplayError;

/// How many numbers each input has; open dimensions are 1.
///
/// # Errors
/// If the file declares no shape of an input.
pub fn sizes(model: &Model) -> Result<Vec<usize>, Error> {
    let size = |info: &ValueInfo| {
        let shape = info.closed_shape().ok_or_else(|| ReplayError::Shapeless { name: info.name.clone() });
        shape.map(|shape| shape.iter().product())
    };
    let sizes = model.graph.inputs.iter().map(size).collect::<Result<_, _>>();
    sizes.map_err(|source| Error::replay(&model.path, source))
}

/// What the network computes at the point, in its own type: all outputs, one after the other. The point has the numbers of all
/// inputs, likewise.
///
/// # Errors
/// If the network cannot be run, or has another number of inputs.
pub fn outputs(model: &Arc<Model>, point: &[f64]) -> Result<Vec<f64>, Error> {
    let sizes = sizes(model)?;
    let (has, wanted) = (point.len(), sizes.iter().sum::<usize>());
    if has != wanted {
        let what =
            format!("the point has {has} numbers, the network {wanted} inputs (help: give one for each)");
        return Err(Error::Points { path: model.path.clone(), source: PointsError::Unfit(what) });
    }
    let mut rest = point;
    let mut inputs = Vec::new();
    for size in sizes {
        let (own, others) = rest.split_at(size);
        inputs.push(own);
        rest = others;
    }
    let failed = |source| Error::replay(&model.path, source);
    let engine = Engine::new(Arc::clone(model)).map_err(|error| failed(ReplayError::Unsupported(error)))?;
    let outputs = engine.run(&inputs, Precision::Model).map_err(|error| failed(error.into()))?;
    Ok(outputs.into_iter().flat_map(|output| output.values).collect())
}
