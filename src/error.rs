//! Everything that can end a run without a verdict. Each message names the place and, where there is one, the remedy.

use std::path::PathBuf;

use crate::lp::LpError;
use crate::onnx::{self, ImportError};
use crate::problem::ProblemError;
use crate::problem::isomorphism::Difference;
use crate::property::PropertyError;
use crate::repair::JobError;
use crate::repair::points::PointsError;
use crate::unpack::{FileError, shown};
use crate::witness::{ReplayError, read, write};

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
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
    Model(#[from] onnx::ReadError),
    /// The network cannot be used.
    #[error("{}: {source}", shown(.path))]
    Import {
        /// The network's file.
        path: PathBuf,
        /// Why.
        source: ImportError,
    },
    /// A declared network without a model.
    #[error("network {network} has no model (help: name its file with --network {network}=FILE)")]
    Unassigned {
        /// The declared name.
        network: String,
    },
    /// More models than networks that need one.
    #[error("{more} more model(s) than the property declares networks (help: check the --network options)")]
    TooManyModels {
        /// How many too many.
        more: usize,
    },
    /// A network declared isomorphic to another one is not.
    #[error(
        "network {network} is declared isomorphic to {other}, but {difference} \
         (help: check the files, or leave `isomorphic-to` out)"
    )]
    NotIsomorphic {
        /// The declared name.
        network: String,
        /// The other one's.
        other: String,
        /// Where their models differ.
        difference: Difference,
    },
    /// The property does not fit the network or cannot be searched.
    #[error(transparent)]
    Problem(#[from] ProblemError),
    /// The network cannot be replayed.
    #[error("{}: {source}", shown(.path))]
    Replay {
        /// The network's file.
        path: PathBuf,
        /// Why.
        source: ReplayError,
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
    /// A linear program could not be solved.
    #[error(transparent)]
    Solver(#[from] LpError),
    /// A counterexample file cannot be used.
    #[error(transparent)]
    Witness(#[from] read::ReadError),
}

impl From<PropertyError> for Error {
    fn from(error: PropertyError) -> Self {
        Self::Problem(error.into())
    }
}
