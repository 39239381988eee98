//! Everything that can end a run without a verdict. Each message names the place and, where there is one, the remedy.

use std::io;
use std::path::PathBuf;

use crate::onnx::{self, ElementType, ImportError};
use crate::problem::ProblemError;
use crate::property::PropertyError;
use crate::witness::{ReplayError, read, write};

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The property's file could not be read.
    #[error("{}: {source} (help: check the path and its permissions)", .path.display())]
    PropertyFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The property's file is no text.
    #[error("{}: byte {at} is not UTF-8 text (help: check the order of the arguments: the network comes before the property)", .path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The first byte that is none.
        at: usize,
    },
    /// The property is not well formed.
    #[error(transparent)]
    Property(#[from] vnnlib::Errors),
    /// The network's file cannot be used.
    #[error(transparent)]
    Model(#[from] onnx::ReadError),
    /// The network cannot be used.
    #[error("{}: {source}", .path.display())]
    Import {
        /// The network's file.
        path: PathBuf,
        /// Why.
        source: ImportError,
    },
    /// The network computes in a type that is not supported.
    #[error("{}: input {input} is of type {element} (help: networks of float32 and float64 are supported)", .path.display())]
    Element {
        /// The network's file.
        path: PathBuf,
        /// The input's name.
        input: String,
        /// Its type.
        element: ElementType,
    },
    /// The network has no input.
    #[error("{}: the network has no input", .0.display())]
    NoInput(PathBuf),
    /// The property does not fit the network or cannot be searched.
    #[error(transparent)]
    Problem(#[from] ProblemError),
    /// The network cannot be replayed.
    #[error("{}: {source}", .path.display())]
    Replay {
        /// The network's file.
        path: PathBuf,
        /// Why.
        source: ReplayError,
    },
    /// The results file cannot be written.
    #[error(transparent)]
    Write(#[from] write::WriteError),
    /// A counterexample file cannot be used.
    #[error(transparent)]
    Witness(#[from] read::ReadError),
}

impl From<PropertyError> for Error {
    fn from(error: PropertyError) -> Self {
        Self::Problem(error.into())
    }
}
