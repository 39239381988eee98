//! `counterpatch supports`: what this program can do, from the tables that it does it by.

use std::io::Write;

use super::args;
use super::exit::Exit;
use crate::search::portfolio;
use crate::{onnx, reference};

/// Runs the command.
pub(super) fn run(args: &args::Supports) -> Exit {
    let names = if args.onnx_operators { operators() } else { portfolio::names() };
    let lines: String = names.iter().flat_map(|name| [name, "\n"]).collect();
    // A reader may go away before the end, as `head` does.
    if std::io::stdout().write_all(lines.as_bytes()).is_ok() { Exit::Answered } else { Exit::CannotWrite }
}

/// Operators of both engines: a search without a replay would find nothing that may be written.
fn operators() -> Vec<&'static str> {
    let replayed = reference::operators();
    onnx::supported_operators().into_iter().filter(|name| replayed.binary_search(name).is_ok()).collect()
}
