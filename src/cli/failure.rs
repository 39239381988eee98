//! Why a command has no answer, what it says of that, and its exit status: the same words for all commands.

use std::io;

use super::config::UsageError;
use super::exit::Exit;
use super::terminal::say;
use crate::error::Error;

/// Why there is no answer.
pub(super) enum Failure {
    /// The command line means nothing.
    Usage(UsageError),
    /// A file cannot be used, or not be written.
    Input(Box<Error>),
    /// A panic, which has printed its message.
    Bug,
    /// Threads, processes or signal handlers are refused.
    System(io::Error),
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Input(Box::new(error.into()))
    }
}

impl From<UsageError> for Failure {
    fn from(error: UsageError) -> Self {
        Self::Usage(error)
    }
}

impl Failure {
    /// Says what is wrong on standard error.
    pub(super) fn say(&self) -> Exit {
        match self {
            Self::Usage(error) => {
                say!("error: {error}");
                Exit::Usage
            }
            Self::Input(error) => {
                say!("error: {error}");
                if let Error::Write(_) = **error { Exit::CannotWrite } else { Exit::BadInput }
            }
            Self::Bug => {
                say!("error: this is a bug in counterpatch; please report it with the two files");
                Exit::Bug
            }
            Self::System(error) => {
                say!("error: the system refuses a thread, a process or a signal handler: {error}");
                Exit::Bug
            }
        }
    }
}
