//! The `counterpatch` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    counterpatch::cli::run().into()
}
