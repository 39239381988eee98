//! A run that owes a verdict: whatever happens in it, there is one, in the results file and as exit status.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use super::config::UsageError;
use super::delivery::{Delivery, Style};
use super::exit::Exit;
use super::watchdog::Signals;
use crate::error::Error;
use crate::witness::{Answer, ResultsFile};

/// Where the verdict of a run goes.
pub(super) struct Outlets<'a> {
    /// The results file.
    pub(super) results_file: Option<&'a Path>,
    /// The folder for a counterexample as files of tensors.
    pub(super) folder: Option<&'a Path>,
    /// Standard output.
    pub(super) style: Style,
}

/// Does the work, which delivers the verdict; delivers `error` where it fails or panics.
pub(super) fn run(
    outlets: Outlets<'_>,
    work: impl FnOnce(Signals, &Arc<Delivery>) -> Result<Exit, Failure>,
) -> Exit {
    let signals = Signals::install();
    let file = match outlets.results_file.map(ResultsFile::open).transpose() {
        Ok(file) => file,
        Err(error) => {
            eprintln!("error: {error}");
            return Exit::CannotWrite;
        }
    };
    let delivery = Arc::new(Delivery::new(file, outlets.folder.map(Path::to_path_buf), outlets.style));
    let work = || signals.map_err(Failure::System).and_then(|signals| work(signals, &delivery));
    let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Failure::Bug));
    result.unwrap_or_else(|failure| failure.deliver(&delivery))
}

/// Why there is no verdict.
pub(super) enum Failure {
    /// The command line means nothing.
    Usage(UsageError),
    /// A file cannot be used.
    Input(Box<Error>),
    /// A panic, which has printed its message.
    Bug,
    /// Threads, processes or signal handlers are refused.
    System(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Input(Box::new(error))
    }
}

impl From<UsageError> for Failure {
    fn from(error: UsageError) -> Self {
        Self::Usage(error)
    }
}

impl Failure {
    /// Says what is wrong on standard error, and `error` in the results file.
    fn deliver(&self, delivery: &Delivery) -> Exit {
        let exit = match self {
            Self::Usage(error) => {
                eprintln!("error: {error}");
                Exit::Usage
            }
            Self::Input(error) => {
                eprintln!("error: {error}");
                Exit::BadInput
            }
            Self::Bug => {
                eprintln!("error: this is a bug in counterpatch; please report it with the two files");
                Exit::Bug
            }
            Self::System(error) => {
                eprintln!("error: the system refuses a thread, a process or a signal handler: {error}");
                Exit::Bug
            }
        };
        match delivery.deliver(Answer::Error) {
            Some(Exit::Answered) => exit,
            Some(other) => other,
            // The watchdog was faster, and its answer stands.
            None => Exit::Answered,
        }
    }
}
