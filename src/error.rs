//! Everything that can end a run without a verdict. Each message names the place and, where there is one, the remedy.

use std::path::PathBuf;

use crate::lp::LpError;
use crate::nearest::NearestRefusal;
use crate::onnx;
use crate::problem::names::Misnamed;
use crate::problem::{ModelsError, ProblemError};
use crate::property::PropertyError;
use crate::property::around::AroundError;
use crate::property::within::WithinError;
use crate::repair::JobError;
use crate::repair::points::PointsError;
use crate::unpack::{FileError, shown};
use crate::witness::mend::MendError;
use crate::witness::{ReplayError, read, write};

/// Why there is no verdict. Large reasons are boxed, so that a result which holds no error stays small.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file of a property or of points could not be read.
    #[error("{}: {source}", shown(.path))]
    TextFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: FileError,
    },
    /// The file of a property or of points is no text.
    #[error("{}: byte {at} is not UTF-8 text (help: check the order of the arguments: the network comes before the property)", shown(.path))]
    NotText {
        /// The file.
        path: PathBuf,
        /// The first byte that is none.
        at: usize,
    },
    /// The file of a property or of points is plainly something else.
    #[error("{}: {what} (help: {help})", shown(.path))]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// What to do.
        help: &'static str,
    },
    /// What two tools are to read can be read once only.
    #[error("{}: a pipe can be read once, and the second tool needs it too (help: write it to a file)", shown(.path))]
    Stream {
        /// The pipe.
        path: PathBuf,
    },
    /// The property is not well formed.
    #[error(transparent)]
    Property(#[from] vnnlib::Errors),
    /// The network's file cannot be used.
    #[error(transparent)]
    Model(Box<onnx::ReadError>),
    /// The models are not what the property's networks need.
    #[error(transparent)]
    Models(Box<ModelsError>),
    /// The networks are given by other names than the property's.
    #[error(transparent)]
    Names(#[from] Misnamed),
    /// The property does not fit the network or cannot be searched.
    #[error(transparent)]
    Problem(#[from] ProblemError),
    /// The network cannot be replayed.
    #[error("{}: {source}", shown(.path))]
    Replay {
        /// The network's file.
        path: PathBuf,
        /// Why.
        source: Box<ReplayError>,
    },
    /// The property cannot be converted.
    #[error("{}: {source} (help: convert a property of VNN-LIB 1.0 that belongs to the network)", shown(.path))]
    Convert {
        /// The property's file.
        path: PathBuf,
        /// Why.
        source: vnnlib::ConvertError,
    },
    /// The results file cannot be written.
    #[error(transparent)]
    Write(#[from] write::WriteError),
    /// A point and what was said of it make no property.
    #[error("{source}")]
    Around {
        /// Why.
        source: AroundError,
    },
    /// A box and unsafe sets make no property.
    #[error("{source}")]
    Within {
        /// Why.
        source: WithinError,
    },
    /// A list of points cannot be used.
    #[error("{}: {source}", shown(.path))]
    Points {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PointsError,
    },
    /// The network cannot be repaired, whatever the search would find.
    #[error("{}: {source}", shown(.path))]
    Repair {
        /// The network's file.
        path: PathBuf,
        /// Why.
        source: Box<JobError>,
    },
    /// The nearest counterexample cannot be found.
    #[error("{}: {source}", shown(.path))]
    Nearest {
        /// The network's file.
        path: PathBuf,
        /// Why.
        source: NearestRefusal,
    },
    /// A linear program could not be solved.
    #[error(transparent)]
    Solver(#[from] LpError),
    /// A counterexample file cannot be used.
    #[error(transparent)]
    Witness(#[from] read::WitnessReadError),
}

impl Error {
    /// That a network cannot be replayed.
    pub fn replay(path: impl Into<PathBuf>, source: ReplayError) -> Self {
        Self::Replay { path: path.into(), source: Box::new(source) }
    }
}

impl From<onnx::ReadError> for Error {
    fn from(error: onnx::ReadError) -> Self {
        Self::Model(Box::new(error))
    }
}

impl From<ModelsError> for Error {
    fn from(error: ModelsError) -> Self {
        Self::Models(Box::new(error))
    }
}

impl From<MendError> for Error {
    fn from(error: MendError) -> Self {
        match error {
            MendError::Models(error) => error.into(),
            MendError::Replay { path, source } => Self::replay(path, source),
            MendError::Property(error) => error.into(),
        }
    }
}

impl From<PropertyError> for Error {
    fn from(error: PropertyError) -> Self {
        Self::Problem(error.into())
    }
}
