//! The input files of a command, read and checked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vnnlib::{Query, Role};

use crate::attack::images::npy;
use crate::error::Error;
use crate::load;
pub(super) use crate::load::property;
use crate::onnx::{self, Model};
use crate::problem::fit;
use crate::repair::points::{self, PointsError};
use crate::unpack;
use crate::witness::check::listed_inputs;
use crate::witness::read;
use crate::witness::word::ClaimedVerdict;

/// Reads points of the query's inputs, possibly gzipped: a list of numbers, an array of numpy, or what `verify` writes.
///
/// # Errors
/// If the file cannot be read or holds no such points.
pub(super) fn points(path: &Path, query: &Query) -> Result<Vec<Vec<f64>>, Error> {
    let inputs = query.tensors().iter().filter(|tensor| tensor.role() == Role::Input);
    let inputs = inputs.map(vnnlib::Tensor::len).sum();
    let (path, bytes) = load::bytes(path)?;
    let unfit = |what: String| PointsError::Unfit(what);
    let points = if bytes.starts_with(npy::MAGIC) {
        let array = npy::read(&bytes).map_err(|error| unfit(error.to_string()));
        array.and_then(|array| points::of_array(&array.sizes, &array.values, inputs))
    } else {
        let (found, text) = load::text_of(path.clone(), bytes)?;
        match text.split_whitespace().next() {
            Some(word) if word.starts_with('(') || ClaimedVerdict::of(word) != ClaimedVerdict::Nothing => {
                of_results(&unpack::shown(&found), &text, query)
            }
            _ => points::parse(&text, inputs),
        }
    };
    points.map_err(|source| Error::Points { path, source })
}

/// The one point of a results file.
fn of_results(name: &str, text: &str, query: &Query) -> Result<Vec<Vec<f64>>, PointsError> {
    let reading = read::parse(name, text).map_err(|error| PointsError::Unfit(error.to_string()))?;
    let listed = reading.assignment.as_ref().and_then(|listed| listed_inputs(query, listed));
    match listed {
        Some(point) if point.iter().all(|value| value.is_finite()) => Ok(vec![point]),
        _ => Err(PointsError::Unfit(
            "a results file without a counterexample that fits the property's inputs (help: name one that says \
             `sat` for this property)"
                .to_owned(),
        )),
    }
}

/// Reads the models of a query's networks, in declaration order, and makes them fit it; and what was decided for that.
///
/// # Errors
/// If one cannot be read, or there is no one way to fit.
pub(super) fn models(
    paths: &[PathBuf],
    query: &Query,
    dims: &[(String, usize)],
) -> Result<(Vec<Arc<Model>>, Vec<String>), Error> {
    let read = |path: &PathBuf| Ok::<_, Error>(Arc::new(onnx::read(path)?));
    let models = paths.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let fitted = fit::models(query, &models, &dims.iter().cloned().collect())?;
    let (models, notes): (Vec<_>, Vec<_>) =
        fitted.into_iter().map(|fitted| (fitted.model, fitted.notes)).unzip();
    Ok((models, notes.into_iter().flatten().collect()))
}
