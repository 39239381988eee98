//! Checks VNN-LIB files and prints them in one style: `cargo run --example vnnlib -- FILE...`
//!
//! With `--quiet` before the files it only checks. Exit status 1 if a file is wrong, 2 if one cannot be read.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut paths: Vec<String> = std::env::args().skip(1).collect();
    let quiet = paths.first().is_some_and(|first| first == "--quiet");
    if quiet {
        paths.remove(0);
    }
    if paths.is_empty() {
        eprintln!("usage: vnnlib [--quiet] FILE...");
        return ExitCode::from(2);
    }
    paths.iter().map(|path| check(path, quiet)).max().map_or(ExitCode::SUCCESS, ExitCode::from)
}

/// The exit status for one file.
fn check(path: &str, quiet: bool) -> u8 {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{path}: {error}");
            return 2;
        }
    };
    match vnnlib::parse_named(path, text) {
        Ok(_) if quiet => 0,
        // A closed pipe is no fault of the file's.
        Ok(query) => u8::from(write!(std::io::stdout(), "{query}").is_err()),
        Err(errors) => {
            eprintln!("{errors}");
            1
        }
    }
}
