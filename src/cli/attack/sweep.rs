//! Several limits: a run for each in a folder of its own, and an overview of all beside them.

use super::limits::Typed;
use super::work::{Work, WorkEnding};
use super::{AttackFailure, AttackSettings, interrupted, origin, write};
use crate::attack::csv;
use crate::attack::overview::{self, OverviewRun};
use crate::attack::page::limits;
use crate::attack::record::Record;
use crate::cli::exit::Exit;
use crate::cli::journal::JournalFile;
use crate::cli::terminal::{self, say};

/// What stands in the settings of the overview's folder in place of limits: others may be added.
const EACH: &str = "a folder each";

/// Does the runs one after the other.
pub(super) fn run(work: &Work<'_>, runs: &[Typed]) -> Result<Exit, AttackFailure> {
    let args = work.args;
    let settings = AttackSettings { limits: EACH.to_owned(), ..work.ready.settings.clone() };
    write::folder(&args.output)?;
    // It has no records. It keeps this folder's overview and the report of a single run from taking each other's place.
    JournalFile::open::<AttackSettings, Record>(&args.output.join("journal.jsonl"), &settings)?;
    let network = args.network.file_name().unwrap_or_default().to_string_lossy();
    let (mut parts, mut lines) = (Vec::new(), csv::names_with_limit());
    for (at, typed) in runs.iter().enumerate() {
        if !args.quiet {
            say!("{}, {} of {}", typed.text, at + 1, runs.len());
        }
        let folder = typed.folder();
        let title = format!("{network}, {}", typed.text);
        match work.run(&typed.limits, &args.output.join(&folder), &title)? {
            WorkEnding::Interrupted { done } => {
                return Ok(interrupted(at * work.pairs() + done, runs.len() * work.pairs()));
            }
            WorkEnding::Done { summary, records, json: _ } => {
                lines += &csv::lines(Some(&typed.text), &records, &work.ready.subjects, &work.names());
                let fooled = overview::fooled(&records);
                let (text, limits) = (typed.text.clone(), typed.limits.clone());
                parts.push(OverviewRun { text, folder, limits, summary: *summary, fooled });
            }
        }
    }
    let json = overview::to_json(&parts, serde_json::json!(settings));
    write::whole(&args.output.join("results.csv"), lines.as_bytes())?;
    write::whole(&args.output.join("results.json"), format!("{json:#}\n").as_bytes())?;
    write::whole(&args.output.join("report.html"), limits::page(&network, &parts).as_bytes())?;
    let written = match args.json {
        true => terminal::print_json(&origin(args).line(json)),
        false => terminal::print(&overview::text(&parts)),
    };
    Ok(terminal::ended(written, Exit::Answered))
}
