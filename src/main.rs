//! The `counterpatch` program.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use counterpatch::cli::{self, Invocation};

fn main() -> ExitCode {
    cli::run(&Invocation::of_process()).into()
}
