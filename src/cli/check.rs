//! `counterpatch check`: judges a counterexample of any tool. The first line of standard output is the competition's
//! word for the verdict, the lines behind it say what led to it.

use serde_json::json;

use super::args::{self, Rules};
use super::config::{self, UsageError};
use super::exit::Exit;
use super::input;
use crate::error::Error;
use crate::witness::check::{self, Class, Report, Year};
use crate::witness::read::{self, Malformed, ReadError};
use crate::witness::{Reading, Replay};

/// What is known of a file.
enum Judged {
    Report(Report),
    Malformed(Malformed),
}

/// Runs the command.
pub(super) fn run(args: &args::Check) -> Exit {
    let config = match config::Check::try_from(args) {
        Ok(config) => config,
        Err(error) => return usage(&error),
    };
    match judge(&config, args.rules) {
        Ok(Ok(judged)) => {
            print(&judged, args.json);
            exit(&judged)
        }
        Ok(Err(error)) => usage(&error),
        Err(error) => {
            eprintln!("error: {error}");
            Exit::BadInput
        }
    }
}

fn usage(error: &UsageError) -> Exit {
    eprintln!("error: {error}");
    Exit::Usage
}

fn judge(config: &config::Check, rules: Rules) -> Result<Result<Judged, UsageError>, Error> {
    let reading: Reading = match read::read(&config.results) {
        Ok(reading) => reading,
        Err(ReadError::Malformed(malformed)) => return Ok(Ok(Judged::Malformed(malformed))),
        Err(error) => return Err(error.into()),
    };
    let query = input::property(&config.property)?;
    let files = match config.networks.files_for(&query) {
        Ok(files) => files,
        Err(error) => return Ok(Err(error)),
    };
    let path = files.first().cloned().unwrap_or_default();
    let models = input::models(&files)?;
    let year = match rules {
        Rules::Of2026 => Year::Of2026,
        Rules::Of2025Small => Year::Of2025Small,
        Rules::Of2025Zero => Year::Of2025Zero,
    };
    let report = Replay::new(query, models).and_then(|replay| check::check(&replay, &reading, year));
    report.map(|report| Ok(Judged::Report(report))).map_err(|source| Error::Replay { path, source })
}

fn exit(judged: &Judged) -> Exit {
    match judged {
        Judged::Malformed(_) => Exit::Incorrect,
        Judged::Report(report) => match report.class {
            Class::Correct => Exit::Answered,
            Class::WithinTolerance => Exit::WithinTolerance,
            Class::NoClaim(_) => Exit::NoClaim,
            _ => Exit::Incorrect,
        },
    }
}

fn print(judged: &Judged, as_json: bool) {
    let (word, details) = match judged {
        Judged::Malformed(malformed) => ("incorrect:malformed_ce".to_owned(), vec![malformed.to_string()]),
        Judged::Report(report) => (report.class.word(), details(report)),
    };
    if as_json {
        println!("{}", json(judged, &word, &details));
        return;
    }
    println!("{word}");
    for detail in details {
        println!("  {detail}");
    }
}

fn details(report: &Report) -> Vec<String> {
    let mut details = match &report.class {
        Class::WrongShape { listed, wanted } => {
            vec![format!("{listed} inputs are listed, the network has {wanted}")]
        }
        Class::Mismatch(what) => vec![what.clone()],
        Class::OutputsDiffer { relative } if relative.is_infinite() => {
            vec!["the outputs are not listed".to_owned()]
        }
        Class::OutputsDiffer { relative } => {
            vec![format!("the listed outputs are off by {relative:.1e} of the largest one")]
        }
        Class::NoCounterexample => vec!["the file claims sat and lists no counterexample".to_owned()],
        _ => Vec::new(),
    };
    if report.fragile {
        details.push("fragile: another engine's rounding may change the verdict".to_owned());
    }
    if let Some(error) = report.output_error {
        details.push(format!("listed and replayed outputs differ by at most {error:.1e}"));
    }
    const SHOWN: usize = 5;
    details.extend(report.unmet.iter().take(SHOWN).map(|unmet| format!("exactly: {unmet}")));
    if report.unmet.len() > SHOWN {
        details.push(format!("exactly: {} more assertions do not hold", report.unmet.len() - SHOWN));
    }
    details
}

fn json(judged: &Judged, word: &str, details: &[String]) -> serde_json::Value {
    match judged {
        Judged::Malformed(malformed) => json!({
            "verdict": word, "line": malformed.line, "column": malformed.column, "details": details,
        }),
        Judged::Report(report) => {
            let unmet = report
                .unmet
                .iter()
                .map(|unmet| json!({ "place": unmet.place, "text": unmet.text, "amount": unmet.amount }));
            json!({
                "verdict": word,
                "holds_exactly": report.unmet.is_empty(),
                "fragile": report.fragile,
                "unmet": unmet.collect::<Vec<_>>(),
                "output_error": report.output_error,
                "details": details,
            })
        }
    }
}
