//! The `counterpatch` program.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use counterpatch::cli::{self, Invocation};

fn main() -> ExitCode {
    // Only this file is compiled anew for another commit.
    cli::run(&Invocation { commit: option_env!("COUNTERPATCH_COMMIT"), ..Invocation::of_process() }).into()
}
