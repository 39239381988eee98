//! The input files of a command, read and checked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vnnlib::Query;

use crate::error::Error;
use crate::onnx::{self, Model};
use crate::repair::points;
use crate::text::{self, NotText};
use crate::unpack;

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

/// Reads points of `inputs` numbers each, possibly gzipped.
///
/// # Errors
/// If the file cannot be read or is no list of such points.
pub(super) fn points(path: &Path, inputs: usize) -> Result<Vec<Vec<f64>>, Error> {
    let (path, text) = text(path)?;
    points::parse(&text, inputs).map_err(|source| Error::Points { path, source })
}

fn text(path: &Path) -> Result<(PathBuf, String), Error> {
    let read = unpack::read(path, MAX_BYTES);
    let (path, bytes) = read.map_err(|source| Error::TextFile { path: path.to_path_buf(), source })?;
    if let Some((what, help)) = unpack::foreign(&bytes) {
        return Err(Error::Foreign { path, what, help });
    }
    match text::decoded(bytes) {
        Ok(text) => Ok((path, text)),
        Err(NotText(at)) => Err(Error::NotText { path, at }),
    }
}

/// Reads the models of a query's networks, in declaration order.
///
/// # Errors
/// If one cannot be read.
pub(super) fn models(paths: &[PathBuf]) -> Result<Vec<Arc<Model>>, Error> {
    paths.iter().map(|path| Ok(Arc::new(onnx::read(path)?))).collect()
}
