//! Why a command has no answer, what is said of that, and its exit status: the same way for all commands.

use std::fmt::Display;
use std::io;

use super::config::UsageError;
use super::exit::Exit;
use super::object::Origin;
use super::terminal::{self, say};
use crate::error::Error;

/// Why there is no answer: what is said is how it is shown. Three commands have reasons of their own.
pub(super) trait Failing: Display {
    /// How the program ends.
    fn exit(&self) -> Exit;

    /// Says what is wrong on standard error.
    fn say(&self) -> Exit {
        say!("error: {self}");
        self.exit()
    }

    /// The same, and on standard output as an object, if the command was asked for one.
    fn tell(&self, json: Option<Origin>) -> Exit {
        let exit = self.say();
        match json {
            Some(origin) => {
                terminal::ended(terminal::print_json(&origin.error(&self.to_string(), exit)), exit)
            }
            None => exit,
        }
    }
}

/// What can go wrong with any command.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The command line means nothing.
    #[error("{0}")]
    Usage(UsageError),
    /// A file cannot be used, or not be written.
    #[error("{0}")]
    Input(Box<Error>),
    /// A panic, which has printed its message.
    #[error("this is a bug in counterpatch; please report it with the two files")]
    Bug,
    /// Threads, processes or signal handlers are refused.
    #[error("the system refuses a thread, a process or a signal handler: {0}")]
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

impl Failing for Failure {
    fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Input(error) if matches!(**error, Error::Write(_)) => Exit::CannotWrite,
            Self::Input(_) => Exit::BadInput,
            Self::Bug | Self::System(_) => Exit::Bug,
        }
    }
}
