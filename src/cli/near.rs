//! A point from a file, what the network does there, and what must not happen near it: shared by the commands that begin with a
//! point.

use std::sync::Arc;

use vnnlib::Query;

use super::config;
use super::failure::Failure;
use super::terminal::note;
use super::{args, input};
use crate::error::Error;
use crate::onnx::{self, Model};
use crate::pipeline::point::{outputs, sizes};
use crate::problem::fit;
use crate::property::around::{Around, Violation};
use crate::repair::points::PointsError;

/// The network, made to fit, and the property of inputs so near to the point; notes go to standard error.
pub(super) fn around(args: &args::NearArgs, reach: Vec<f64>) -> Result<(Arc<Model>, Around), Failure> {
    let config = config::NearConfig::try_from(args)?;
    let model = Arc::new(onnx::read(&args.network).map_err(Error::from)?);
    let model = fit::alone(&model, &args.dims.iter().cloned().collect()).map_err(Error::from)?.model;
    let point = point(args, &model)?;
    let outputs = outputs(&model, &point)?;
    let decided = config.decision.of(outputs.iter().copied());
    let leaves = Violation::Leaves { output: decided, decision: config.decision };
    let violation = config.violation.unwrap_or(leaves);
    note!("at the point the network decides for output {decided} of {}", outputs.len());
    if holds_at(&violation, decided, &outputs) {
        note!("the point itself is a counterexample");
    }
    Ok((model, Around { point, reach, valid: config.valid, outputs: outputs.len(), violation }))
}

/// The point of the file that is meant.
fn point(args: &args::NearArgs, model: &Model) -> Result<Vec<f64>, Error> {
    let mut points = input::points(&args.around, &declarations(model)?)?;
    let unfit = |what: String| Error::Points { path: args.around.clone(), source: PointsError::Unfit(what) };
    match (args.index, points.len()) {
        (None, 1) => Ok(points.swap_remove(0)),
        (None, several) => Err(unfit(format!("{several} points (help: say which with --index, from 0)"))),
        (Some(index), count) if index < count => Ok(points.swap_remove(index)),
        (Some(index), count) => Err(unfit(format!("no point {index} (help: there are {count}, from 0)"))),
    }
}

/// A query with the model's inputs, for the reader of points.
fn declarations(model: &Model) -> Result<Query, Error> {
    let count: usize = sizes(model)?.iter().sum();
    let inputs: String = (0..count).map(|i| format!("(declare-const X_{i} Real)")).collect();
    Ok(vnnlib::parse(format!("{inputs}(declare-const Y_0 Real)(assert (<= Y_0 0))"))?)
}

/// Whether a point with this decision and these outputs is a counterexample, ties left out.
fn holds_at(violation: &Violation, decided: usize, outputs: &[f64]) -> bool {
    match violation {
        Violation::Leaves { output, .. } => *output != decided,
        Violation::Reaches { output, .. } => *output == decided,
        Violation::OutOf(ranges) => ranges.iter().any(|range| {
            outputs.get(range.output).is_some_and(|&value| value <= range.low || value >= range.high)
        }),
    }
}
