//! The input files of a command, read and checked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vnnlib::Query;

use crate::error::Error;
use crate::onnx::{self, Model};
use crate::unpack;

/// Largest property, unpacked: ten times the competition's largest.
const MAX_BYTES: u64 = 1 << 30;

/// Reads a property, which may be gzipped.
///
/// # Errors
/// If it cannot be read or is no well-formed VNN-LIB.
pub(super) fn property(path: &Path) -> Result<Query, Error> {
    let read = unpack::read(path, MAX_BYTES);
    let (found, bytes) = read.map_err(|source| Error::PropertyFile { path: path.to_path_buf(), source })?;
    let text = String::from_utf8(bytes)
        .map_err(|error| Error::NotText { path: found.clone(), at: error.utf8_error().valid_up_to() })?;
    Ok(vnnlib::parse_named(found.display().to_string(), text)?)
}

/// Reads the models of a query's networks, in declaration order.
///
/// # Errors
/// If one cannot be read.
pub(super) fn models(paths: &[PathBuf]) -> Result<Vec<Arc<Model>>, Error> {
    paths.iter().map(|path| Ok(Arc::new(onnx::read(path)?))).collect()
}
