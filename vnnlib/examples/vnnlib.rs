//! Checks VNN-LIB files and prints them in one style: `cargo run --example vnnlib -- [OPTION] FILE...`
//!
//! `--quiet` only checks; `--convert` prints VNN-LIB 1.0 as 2.0; `--verdicts` prints one line a file, `accepted FILE`
//! or `rejected FILE`, which `grammar/agreement.py` reads. Exit status 1 if a file is wrong, 2 if one cannot be read.

use std::io::Write;
use std::process::ExitCode;

#[derive(Clone, Copy, PartialEq)]
enum Output {
    Text,
    Converted,
    Nothing,
    Verdicts,
}

fn main() -> ExitCode {
    let mut paths: Vec<String> = std::env::args().skip(1).collect();
    let output = match paths.first().map(String::as_str) {
        Some("--quiet") => Output::Nothing,
        Some("--convert") => Output::Converted,
        Some("--verdicts") => Output::Verdicts,
        _ => Output::Text,
    };
    if output != Output::Text {
        paths.remove(0);
    }
    if paths.is_empty() {
        eprintln!("usage: vnnlib [--quiet | --convert | --verdicts] FILE...");
        return ExitCode::from(2);
    }
    paths.iter().map(|path| check(path, output)).max().map_or(ExitCode::SUCCESS, ExitCode::from)
}

/// The exit status for one file.
fn check(path: &str, output: Output) -> u8 {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{path}: {error}");
            return 2;
        }
    };
    let parsed = vnnlib::parse_named(path, text);
    if output == Output::Verdicts {
        return print(format_args!("{} {path}\n", if parsed.is_ok() { "accepted" } else { "rejected" }));
    }
    let query = match parsed {
        Ok(query) => query,
        Err(errors) => {
            eprintln!("{errors}");
            return 1;
        }
    };
    match output {
        Output::Converted => match query.to_version_2(None) {
            Ok(converted) => print(format_args!("{converted}")),
            Err(error) => {
                eprintln!("{path}: {error}");
                1
            }
        },
        Output::Text => print(format_args!("{query}")),
        _ => 0,
    }
}

/// A closed pipe is a failure, but no reason to panic.
fn print(text: std::fmt::Arguments<'_>) -> u8 {
    u8::from(std::io::stdout().write_fmt(text).is_err())
}
