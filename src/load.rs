//! From files, or bytes that are no file's, to checked queries and models: one reader for the command line and for the library.

use std::path::{Path, PathBuf};

use vnnlib::Query;

use crate::error::Error;
use crate::onnx::{self, Model, ReadError};
use crate::text::{self, NotText};
use crate::unpack;

/// Reads a property, which may be gzipped.
///
/// # Errors
/// If it cannot be read or is no well-formed VNN-LIB.
pub fn property(path: &Path) -> Result<Query, Error> {
    let (found, bytes) = bytes(path)?;
    let (found, text) = text_of(found, bytes)?;
    Ok(vnnlib::parse_named(unpack::shown(&found), text)?)
}

/// Reads a network, which may be gzipped.
///
/// # Errors
/// If it cannot be read or is no model that can be used.
pub fn network(path: &Path) -> Result<Model, Error> {
    Ok(onnx::read(path)?)
}

/// Reads a network from the bytes of an ONNX file, not gzipped; `name` is what messages call it. It can have no external data,
/// as there is no folder to look in.
///
/// # Errors
/// If they are no model that can be used.
pub fn network_of_bytes(name: &str, bytes: &[u8]) -> Result<Model, Error> {
    let path = PathBuf::from(name);
    match onnx::from_bytes(bytes) {
        Ok(model) => Ok(Model { path, ..model }),
        Err(error) => Err(ReadError::Model { path, error }.into()),
    }
}

/// The unpacked content of a file of text or of points, and the path where it was found.
pub(crate) fn bytes(path: &Path) -> Result<(PathBuf, Vec<u8>), Error> {
    unpack::read(path, unpack::limit::TEXT)
        .map_err(|source| Error::TextFile { path: path.to_path_buf(), source })
}

/// The text that content is.
pub(crate) fn text_of(path: PathBuf, bytes: Vec<u8>) -> Result<(PathBuf, String), Error> {
    if let Some((what, help)) = unpack::foreign(&bytes) {
        return Err(Error::Foreign { path, what, help });
    }
    match text::decoded(bytes) {
        Ok(text) => Ok((path, text)),
        Err(NotText(at)) => Err(Error::NotText { path, at }),
    }
}
