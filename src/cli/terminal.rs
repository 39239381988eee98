//! What is written to standard output and standard error, all of it: here and nowhere else. What comes from files cannot
//! command the terminal ([`escape`](crate::escape)), a reader that has gone away is no panic, and a disk that is full is
//! exit status 4.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::OnceLock;

use clap::ColorChoice;
use clap::builder::styling::{AnsiColor, Style};

use super::exit::Exit;
use crate::budget;
use crate::escape::{escaped_json, escaped_lines};

/// How messages are said.
#[derive(Debug, Default)]
struct Voice {
    quiet: bool,
    colored: bool,
    log: Option<File>,
}

/// Set once, before anything is said; before that there is no log and no colour.
static VOICE: OnceLock<Voice> = OnceLock::new();

fn voice() -> &'static Voice {
    static PLAIN: Voice = Voice { quiet: false, colored: false, log: None };
    VOICE.get().unwrap_or(&PLAIN)
}

/// Says how messages are said from now on.
///
/// # Errors
/// If the log cannot be opened.
pub(super) fn set_voice(quiet: bool, color: ColorChoice, log: Option<&Path>) -> io::Result<()> {
    let open = |path| OpenOptions::new().create(true).append(true).open(path);
    let colored = is_colored(color, io::stderr().is_terminal(), |name| env::var_os(name));
    // A second call, as of a test, changes nothing.
    let _ = VOICE.set(Voice { quiet, colored, log: log.map(open).transpose()? });
    Ok(())
}

/// Whether messages are coloured. <https://no-color.org>: not where `NO_COLOR` holds anything.
fn is_colored<S: AsRef<OsStr>>(
    color: ColorChoice,
    terminal: bool,
    variable: impl Fn(&str) -> Option<S>,
) -> bool {
    let is = |name: &str, test: fn(&OsStr) -> bool| variable(name).is_some_and(|value| test(value.as_ref()));
    match color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            terminal && !is("NO_COLOR", |value| !value.is_empty()) && !is("TERM", |value| value == "dumb")
        }
    }
}

/// Says something on standard error, as `eprintln!` would.
macro_rules! say {
    ($($message:tt)*) => { $crate::cli::terminal::tell(format_args!("{}\n", format_args!($($message)*))) };
}
pub(crate) use say;

/// Says a note on standard error, `note: …`, unless the command is quiet. A log gets it in any case.
macro_rules! note {
    ($($message:tt)*) => { $crate::cli::terminal::tell_note(format_args!("note: {}\n", format_args!($($message)*))) };
}
pub(crate) use note;

/// Writes a message to standard error as it is, with its line end.
pub(crate) fn tell(message: fmt::Arguments<'_>) {
    told(&message.to_string(), true);
}

/// The same of what a quiet command does not say.
pub(crate) fn tell_note(message: fmt::Arguments<'_>) {
    told(&message.to_string(), !voice().quiet);
}

fn told(message: &str, aloud: bool) {
    let Voice { colored, .. } = voice();
    let message = escaped_lines(message);
    if aloud {
        let shown = if *colored { with_colored_label(&message) } else { None };
        // There is nobody left to tell that this one cannot be told.
        let _ = io::stderr().lock().write_all(shown.as_deref().unwrap_or(&message).as_bytes());
    }
    log(&message);
}

/// Writes a message to the log, if there is one, and only there.
pub(super) fn log(message: &str) {
    if let Some(mut log) = voice().log.as_ref() {
        let now = budget::timestamp();
        let lines: String = message.lines().map(|line| format!("{now} {line}\n")).collect();
        // In one piece, so that processes with one log do not write into each other's lines. A log that is full ends nothing.
        let _ = log.write_all(lines.as_bytes());
    }
}

/// The first word of an error, a warning or a note in its colour; `None` of anything else.
fn with_colored_label(message: &str) -> Option<String> {
    let (label, rest) = message.split_once(':')?;
    let style: Style = match label {
        "error" => AnsiColor::Red.on_default().bold(),
        "warning" => AnsiColor::Yellow.on_default().bold(),
        "note" => AnsiColor::Cyan.on_default(),
        _ => return None,
    };
    Some(format!("{style}{label}{style:#}:{rest}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_coloured_where_somebody_sees_it() {
        let check = |color, terminal, set: &[(&str, &str)], want| {
            let variable = |name: &str| {
                set.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(is_colored(color, terminal, variable), want, "{color} {terminal} {set:?}");
        };
        check(ColorChoice::Auto, true, &[("TERM", "xterm")], true);
        check(ColorChoice::Auto, false, &[], false);
        check(ColorChoice::Auto, true, &[("NO_COLOR", "1")], false);
        check(ColorChoice::Auto, true, &[("NO_COLOR", "")], true);
        check(ColorChoice::Auto, true, &[("TERM", "dumb")], false);
        check(ColorChoice::Always, false, &[("NO_COLOR", "1")], true);
        check(ColorChoice::Never, true, &[], false);
        let colored = [
            ("error: no: file\n", Some("\u{1b}[1m\u{1b}[31merror\u{1b}[0m: no: file\n")),
            ("note: so\n", Some("\u{1b}[36mnote\u{1b}[0m: so\n")),
            ("strategy: x\n", None),
            ("no label\n", None),
        ];
        for (message, want) in colored {
            assert_eq!(with_colored_label(message).as_deref(), want, "{message}");
        }
    }
}
