//! The input files of a command, read and checked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vnnlib::{Query, Role};

use crate::attack::images::npy;
use crate::error::Error;
use crate::onnx::{self, Model};
use crate::problem::fit;
use crate::repair::points::{self, PointsError};
use crate::text::{self, NotText};
use crate::unpack;
use crate::witness::check::listed_inputs;
use crate::witness::read;
use crate::witness::word::Said;

/// Largest property or list of points, unpacked: ten times the competition's largest.
const MAX_BYTES: u64 = 1 << 30;

/// Reads a property, which may be gzipped.
///
/// # Errors
/// If it cannot be read or is no well-formed VNN-LIB.
pub(super) fn property(path: &Path) -> Result<Query, Error> {
    let (found, text) = text(path)?;
    Ok(vnnlib::parse_named(unpack::shown(&found), text)?)
}

/// Reads points of the query's inputs, possibly gzipped: a list of numbers, an array of numpy, or what `verify` writes.
///
/// # Errors
/// If the file cannot be read or holds no such points.
pub(super) fn points(path: &Path, query: &Query) -> Result<Vec<Vec<f64>>, Error> {
    let inputs = query.tensors().iter().filter(|tensor| tensor.role() == Role::Input);
    let inputs = inputs.map(vnnlib::Tensor::len).sum();
    let (path, bytes) = bytes(path)?;
    let unfit = |what: String| PointsError::Unfit(what);
    let points = if bytes.starts_with(npy::MAGIC) {
        let array = npy::read(&bytes).map_err(|error| unfit(error.to_string()));
        array.and_then(|array| points::of_array(&array.sizes, &array.values, inputs))
    } else {
        let (found, text) = text_of(path.clone(), bytes)?;
        match text.split_whitespace().next() {
            Some(word) if word.starts_with('(') || Said::of(word) != Said::Nothing => {
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

fn text(path: &Path) -> Result<(PathBuf, String), Error> {
    let (path, bytes) = bytes(path)?;
    text_of(path, bytes)
}

fn bytes(path: &Path) -> Result<(PathBuf, Vec<u8>), Error> {
    unpack::read(path, MAX_BYTES).map_err(|source| Error::TextFile { path: path.to_path_buf(), source })
}

fn text_of(path: PathBuf, bytes: Vec<u8>) -> Result<(PathBuf, String), Error> {
    if let Some((what, help)) = unpack::foreign(&bytes) {
        return Err(Error::Foreign { path, what, help });
    }
    match text::decoded(bytes) {
        Ok(text) => Ok((path, text)),
        Err(NotText(at)) => Err(Error::NotText { path, at }),
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
