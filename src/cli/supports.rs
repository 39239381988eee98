//! `counterpatch supports`: what this program can do, from the tables that it does it by.

use super::args;
use super::exit::Exit;
use crate::search::portfolio;
use crate::{onnx, reference};

/// Runs the command.
pub(super) fn run(args: &args::Supports) -> Exit {
    let names = if args.onnx_operators { operators() } else { portfolio::names() };
    for name in names {
        println!("{name}");
    }
    Exit::Answered
}

/// Operators of both engines: a search without a replay would find nothing that may be written.
fn operators() -> Vec<&'static str> {
    let replayed = reference::operators();
    onnx::supported_operators().into_iter().filter(|name| replayed.binary_search(name).is_ok()).collect()
}
