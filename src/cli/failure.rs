//! How a run that owes a results file ends without a verdict.

use std::io;

use super::config::UsageError;
use super::delivery::Delivery;
use super::exit::Exit;
use crate::error::Error;
use crate::witness::Answer;

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
    pub(super) fn deliver(&self, delivery: &Delivery) -> Exit {
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
