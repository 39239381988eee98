//! The command line: the only part that prints.

mod args;
mod attack;
mod audit;
mod campaign;
mod certificate;
mod check;
mod config;
mod convert;
mod delivery;
pub mod exit;
mod failure;
mod guide;
mod input;
mod inspect;
mod journal;
mod manual;
mod memory;
mod near;
mod networks;
mod object;
mod output;
mod pair;
mod panics;
mod profile;
mod property;
mod radius;
mod repair;
mod save;
mod second;
mod session;
mod supports;
mod terminal;
mod verify;
mod verify_page;
mod watchdog;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgMatches, ColorChoice, CommandFactory, FromArgMatches, ValueEnum};

use args::{Arguments, Command, MessageArgs};
use exit::Exit;
use failure::{Failing, Failure};
use object::Origin;
use terminal::say;

use crate::report::Provenance;
use crate::witness::{Answer, ResultsFile};

/// How the program was started: by itself, or from within another one, such as Python's interpreter.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// What starts it once more, without the arguments of a command: a program, and perhaps arguments of that program.
    pub itself: Vec<OsString>,
    /// The arguments, without the program's name.
    pub arguments: Vec<OsString>,
    /// The commit that the program was built from, where whoever built it has said so.
    pub commit: Option<&'static str>,
}

impl Invocation {
    /// That of this process, whose program this is.
    pub fn of_process() -> Self {
        let program = std::env::current_exe().map_or_else(|_| NAME.into(), PathBuf::into_os_string);
        Self { itself: vec![program], arguments: std::env::args_os().skip(1).collect(), commit: None }
    }

    /// What a page says that it was made by.
    fn provenance(&self) -> Provenance {
        Provenance::now(self.line().map(|word| word.to_string_lossy().into_owned()), self.commit)
    }

    /// The arguments as their reader wants them, behind a name.
    fn line(&self) -> impl Iterator<Item = OsString> {
        let mut words = self.arguments.clone();
        if args::is_run(&words) {
            words.insert(1, "run".into());
        }
        std::iter::once(NAME.into()).chain(words)
    }
}

/// The program's name.
const NAME: &str = env!("CARGO_PKG_NAME");

/// Runs the program. A panic, on whatever thread, is a bug and is said to be one.
pub fn run(invocation: &Invocation) -> Exit {
    panics::watch();
    match catch_unwind(AssertUnwindSafe(|| dispatch(invocation))) {
        Ok(exit) if !panics::seen() || exit == Exit::Bug => exit,
        _ => Failure::Bug.say(),
    }
}

fn dispatch(invocation: &Invocation) -> Exit {
    let command = || Arguments::command().color(color(&invocation.arguments));
    let line = command().try_get_matches_from(invocation.line());
    let arguments = match line.and_then(|mut matches| Arguments::from_arg_matches_mut(&mut matches)) {
        Ok(arguments) => arguments,
        Err(error) => {
            let error = match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                    let line = guide::shown_by(command()).try_get_matches_from(invocation.line());
                    line.err().unwrap_or(error)
                }
                _ => error,
            };
            if error.use_stderr() {
                // Nothing can be done about a closed terminal.
                let _ = error.print();
                return misunderstood(invocation, &error);
            }
            return terminal::ended(error.print(), Exit::Answered);
        }
    };
    let MessageArgs { color, log } = &arguments.messages;
    let quiet = arguments.command.as_ref().is_some_and(Command::is_quiet);
    if let Err(error) = terminal::set_voice(quiet, *color, log.as_deref()) {
        let path = log.clone().unwrap_or_default();
        say!("error: --log {}: {error} (help: name a file that can be written)", path.display());
        owe_error(invocation);
        return Exit::CannotWrite;
    }
    match arguments.command {
        Some(Command::Verify(args)) => {
            // Only a page and a profile tell it.
            let is_told = args.html.is_some() || args.profile.is_some();
            let provenance = is_told.then(|| invocation.provenance());
            verify::run(&args, provenance.as_ref())
        }
        Some(Command::Pair(args)) => pair::run(&args, &invocation.itself),
        Some(Command::Guard(args)) => second::guard::run(&args),
        Some(Command::Attack(args)) => attack::run(&args, &invocation.provenance()),
        Some(Command::Audit(args)) => audit::run(&args, &invocation.provenance()),
        Some(Command::Campaign(args)) => campaign::run(&args, invocation),
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Convert(args)) => convert::run(&args),
        Some(Command::Inspect(args)) => inspect::run(&args),
        Some(Command::Property(args)) => property::run(&args),
        Some(Command::Radius(args)) => radius::run(&args),
        Some(Command::Repair(args)) => repair::run(&args),
        Some(Command::Supports(args)) => supports::run(&args),
        Some(Command::Completions(args)) => manual::completions(&args),
        Some(Command::Man(args)) => manual::pages(&args),
        None => terminal::ended(terminal::print(concat!(env!("CARGO_PKG_NAME"), "\n")), Exit::Answered),
    }
}

/// A results file that was asked for says `error`, and so does an object of JSON, whatever else was wrong with the command
/// line.
fn misunderstood(invocation: &Invocation, why: &clap::Error) -> Exit {
    if invocation.arguments.iter().any(|argument| argument == "--json") {
        let command = guessed(invocation).and_then(|matches| Origin::named(matches.subcommand_name()?));
        // What follows after a blank line is the command's usage.
        let said = why.to_string();
        let said: Vec<&str> = said.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
        let said = said.join(" ");
        let said = said.strip_prefix("error: ").unwrap_or(&said);
        // The exit status says what is wrong, whether or not anybody reads this.
        let _ = command.map(|origin| terminal::print_json(&origin.error(said, Exit::Usage)));
    }
    owe_error(invocation);
    Exit::Usage
}

/// What can be made of a command line that is wrong somewhere.
fn guessed(invocation: &Invocation) -> Option<ArgMatches> {
    Arguments::command().ignore_errors(true).try_get_matches_from(invocation.line()).ok()
}

/// Writes `error` to the results file, if there is to be one.
fn owe_error(invocation: &Invocation) {
    let file = guessed(invocation).and_then(|matches| {
        let (_, owing) = matches.subcommand().filter(|(name, _)| matches!(*name, "verify" | "pair"))?;
        owing.get_one::<PathBuf>("results_file").cloned()
    });
    let written = file.map(|path| ResultsFile::open(&path).and_then(|file| file.write(Answer::Error)));
    if let Some(Err(error)) = written {
        say!("error: {error}");
    }
}

/// What --color says, before anything else of the line is read: it may be wrong, and is told in colours then.
fn color(arguments: &[OsString]) -> ColorChoice {
    let values = arguments.iter().enumerate().filter_map(|(at, argument)| match argument.to_str()? {
        "--color" => arguments.get(at + 1)?.to_str(),
        other => other.strip_prefix("--color="),
    });
    values.filter_map(|value| ColorChoice::from_str(value, false).ok()).next_back().unwrap_or_default()
}
