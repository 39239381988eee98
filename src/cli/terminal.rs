//! What is written to standard output and standard error, all of it: here and nowhere else. What comes from files cannot
//! command the terminal ([`escape`](crate::escape)), a reader that has gone away is no panic, and a disk that is full is
//! exit status 4.

use std::fmt;
use std::io::{self, Write};

use super::exit::Exit;
use crate::escape::{escaped_json, escaped_lines};

/// Says something on standard error, as `eprintln!` would.
macro_rules! say {
    ($($message:tt)*) => { $crate::cli::terminal::tell(format_args!("{}\n", format_args!($($message)*))) };
}
pub(crate) use say;

/// Writes a message to standard error as it is, with its line end.
pub(crate) fn tell(message: fmt::Arguments<'_>) {
    // There is nobody left to tell that this one cannot be told.
    let _ = io::stderr().lock().write_all(escaped_lines(&message.to_string()).as_bytes());
}

/// Writes a text to standard output.
///
/// # Errors
/// If it cannot be written.
pub(super) fn print(text: &str) -> io::Result<()> {
    whole(escaped_lines(text).as_bytes())
}

/// Writes lines of JSON to standard output.
///
/// # Errors
/// If they cannot be written.
pub(super) fn print_json(json: &str) -> io::Result<()> {
    whole(escaped_json(json).as_bytes())
}

fn whole(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// The exit status of a command that ends with `exit` once its answer is written.
pub(super) fn ended(written: io::Result<()>, exit: Exit) -> Exit {
    match written {
        Ok(()) => exit,
        Err(error) => lost(&error),
    }
}

/// Standard output could not be written.
pub(super) fn lost(error: &io::Error) -> Exit {
    // A reader that has seen enough, as `head` has, needs no message.
    if error.kind() != io::ErrorKind::BrokenPipe {
        say!(
            "error: standard output: {error} (help: the answer is not written; make room, or write it elsewhere)"
        );
    }
    Exit::CannotWrite
}
