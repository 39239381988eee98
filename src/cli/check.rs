//! `counterpatch check`: judges a counterexample of any tool, and repairs it if asked to. The first line of standard
//! output is the competition's word for the verdict, the lines behind it say what led to it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use vnnlib::Query;

use super::args::{self, RulesArg};
use super::certificate;
use super::config;
use super::exit::Exit;
use super::failure::{Failing, Failure};
use super::input;
use super::object::Origin;
use super::terminal;
use crate::error::Error;
use crate::escape::escaped;
use crate::onnx::Model;
use crate::witness::check::{self, Class, Report, Year, listed_inputs};
use crate::witness::read::{self, Malformed, WitnessReadError};
use crate::witness::{Certainty, Mended, PointChange, Reading, Replay, mend, write};

/// What is known of a file.
enum JudgedFile {
    Report { report: Report, repair: MendingOutcome, certainty: Option<Certainty> },
    Malformed(Malformed),
}

/// What came of `--repair`.
enum MendingOutcome {
    NotAsked,
    /// Written to this file.
    Written(Box<Mended>, PathBuf),
    /// Why there is none.
    None(&'static str),
}

/// Runs the command.
pub(super) fn run(args: &args::CheckArgs) -> Exit {
    let json = args.json.then_some(Origin::of("check"));
    let config = match config::CheckConfig::try_from(args) {
        Ok(config) => config,
        Err(error) => return Failure::Usage(error).tell(json),
    };
    if let Some(text) = certificate::text_of(&config.results) {
        return proof(&config, &text, json).unwrap_or_else(|failure| failure.tell(json));
    }
    match judge(&config, args.rules, args.repair.as_deref()) {
        Ok(judged) => terminal::ended(print(&judged, json), exit(&judged)),
        Err(failure) => failure.tell(json),
    }
}

/// Checks a certificate of `unsat`.
fn proof(config: &config::CheckConfig, text: &[u8], json: Option<Origin>) -> Result<Exit, Failure> {
    let query = input::property(&config.property)?;
    let files = config.networks.files_for(&query).map_err(Failure::Usage)?;
    let (models, _) = input::models(&files, &query, &config.dims)?;
    Ok(certificate::check(text, &query, &models, json))
}

fn judge(
    config: &config::CheckConfig,
    rules: RulesArg,
    repaired: Option<&Path>,
) -> Result<JudgedFile, Failure> {
    let reading: Reading = match read::read(&config.results) {
        Ok(reading) => reading,
        Err(WitnessReadError::Malformed(malformed)) => return Ok(JudgedFile::Malformed(malformed)),
        Err(error) => return Err(Error::from(error).into()),
    };
    let query = input::property(&config.property)?;
    let files = config.networks.files_for(&query).map_err(Failure::Usage)?;
    let path = files.first().cloned().unwrap_or_default();
    let (models, _) = input::models(&files, &query, &config.dims)?;
    let year = match rules {
        RulesArg::Of2026 => Year::Of2026,
        RulesArg::Of2025Small => Year::Of2025Small,
        RulesArg::Of2025Zero => Year::Of2025Zero,
    };
    let report = Replay::new(query.clone(), models.iter().cloned())
        .and_then(|replay| check::check(&replay, &reading, year))
        .map_err(|source| Error::replay(path, source))?;
    let certainty = match report.class {
        Class::Correct => check::certainty(&query, &models, &reading),
        _ => None,
    };
    let repair = match repaired {
        None => MendingOutcome::NotAsked,
        Some(out) => repair(query, &models, &reading, out)?,
    };
    Ok(JudgedFile::Report { report, repair, certainty })
}

fn in_words(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Certified => "certified: every permitted computation violates the property",
        Certainty::Replayed => "replayed: it holds with more room than rounding should need",
        Certainty::Thin => "thin: another engine's rounding may hide it",
    }
}

/// Writes the nearest strict witness to `out`.
fn repair(
    query: Query,
    models: &[Arc<Model>],
    reading: &Reading,
    out: &Path,
) -> Result<MendingOutcome, Error> {
    let Some(listed) = reading.assignment.as_ref().and_then(|listed| listed_inputs(&query, listed)) else {
        return Ok(MendingOutcome::None("no inputs are listed that fit the property"));
    };
    match mend::mend(query, models, &listed)? {
        Some(mended) => {
            write::save(out, &mended.witness)?;
            Ok(MendingOutcome::Written(Box::new(mended), out.to_path_buf()))
        }
        None => Ok(MendingOutcome::None("no counterexample is near")),
    }
}

fn exit(judged: &JudgedFile) -> Exit {
    match judged {
        JudgedFile::Malformed(_) => Exit::Incorrect,
        JudgedFile::Report { report, .. } => match report.class {
            Class::Correct => Exit::Answered,
            Class::WithinTolerance => Exit::WithinTolerance,
            Class::NoClaim(_) => Exit::NoClaim,
            _ => Exit::Incorrect,
        },
    }
}

fn print(judged: &JudgedFile, origin: Option<Origin>) -> io::Result<()> {
    let (word, details) = match judged {
        JudgedFile::Malformed(malformed) => {
            ("incorrect:malformed_ce".to_owned(), vec![malformed.to_string()])
        }
        JudgedFile::Report { report, repair, certainty } => {
            let certainty = certainty.map(|certainty| in_words(certainty).to_owned());
            (
                report.class.word(),
                report.details().into_iter().chain(certainty).chain(repaired(repair)).collect(),
            )
        }
    };
    if let Some(origin) = origin {
        return terminal::print_json(&origin.line(json(judged, &word, &details)));
    }
    let lines = details.iter().map(|detail| format!("  {}\n", escaped(detail)));
    terminal::print(&format!("{word}\n{}", lines.collect::<String>()))
}

/// What came of a repair, in words.
fn repaired(repair: &MendingOutcome) -> Option<String> {
    let (mended, out) = match repair {
        MendingOutcome::NotAsked => return None,
        MendingOutcome::None(reason) => return Some(format!("no repair: {reason}")),
        MendingOutcome::Written(mended, out) => (mended, out.display()),
    };
    let thin = match mended.witness.certainty() == Certainty::Thin {
        true => ", by so little that another engine's rounding may hide it",
        false => "",
    };
    Some(match mended.change {
        PointChange::None => format!("repair: nothing to change{thin}; {out} holds the same inputs"),
        change => format!(
            "repair: {} moves {} inputs {}, the most by {:.1e} ({:.1e} of its interval); strictly correct{thin}",
            out,
            mended.changed,
            if change == PointChange::Snapped { "into the input set" } else { "along the margin's gradient" },
            mended.distance,
            mended.relative,
        ),
    })
}

fn json(judged: &JudgedFile, word: &str, details: &[String]) -> serde_json::Value {
    match judged {
        JudgedFile::Malformed(malformed) => json!({
            "verdict": word, "line": malformed.line, "column": malformed.column, "details": details,
        }),
        JudgedFile::Report { report, repair, certainty } => {
            let unmet = report
                .unmet
                .iter()
                .map(|unmet| json!({ "place": unmet.place, "text": unmet.text, "amount": unmet.amount }));
            let mut object = json!({
                "verdict": word,
                "holds_exactly": report.unmet.is_empty() && report.finite,
                "fragile": report.fragile,
                "unmet": unmet.collect::<Vec<_>>(),
                "output_error": report.output_error,
                "certainty": certainty.map(|certainty| certainty.to_string()),
                "details": details,
            });
            match repair {
                MendingOutcome::NotAsked => {}
                MendingOutcome::None(reason) => object["repair"] = json!({ "failed": reason }),
                MendingOutcome::Written(mended, out) => object["repair"] = of_mended(mended, out),
            }
            object
        }
    }
}

fn of_mended(mended: &Mended, out: &Path) -> serde_json::Value {
    json!({
        "file": out.display().to_string(),
        "change": match mended.change {
            PointChange::None => "none",
            PointChange::Snapped => "snapped",
            PointChange::Stepped => "stepped",
        },
        "distance": mended.distance,
        "relative_distance": mended.relative,
        "changed_inputs": mended.changed,
        "excess": mended.witness.excess(),
    })
}
