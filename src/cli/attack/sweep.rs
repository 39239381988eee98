//! Several limits: a run for each in a folder of its own, and an overview of all beside them.

use super::limits::Typed;
use super::work::{Work, WorkEnding};
use super::{AttackFailure, AttackSettings, config, interrupted, origin, where_the_rest_is, write};
use crate::attack::csv;
use crate::attack::overview::{self, OverviewRun};
use crate::attack::page::limits;
use crate::attack::record::Record;
use crate::cli::exit::Exit;
use crate::cli::journal::JournalFile;
use crate::cli::terminal;

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
        terminal::tell_note(format_args!("{}, {} of {}\n", typed.text, at + 1, runs.len()));
        let folder = typed.folder();
        let title = format!("{network}, {}", typed.text);
        match work.run(typed, &args.output.join(&folder), &title)? {
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
    let typed: Vec<&str> = runs.iter().map(|typed| typed.text.as_str()).collect();
    let told = config::in_words(args, work.config, &typed.join(" or "));
    let page = limits::page(&network, &parts, &told, work.provenance);
    write::whole(&args.output.join("results.csv"), lines.as_bytes())?;
    write::whole(&args.output.join("results.json"), format!("{json:#}\n").as_bytes())?;
    write::whole(&args.output.join("report.html"), page.as_bytes())?;
    let written = match args.json {
        true => terminal::print_json(&origin(args).line(json)),
        false => terminal::print(&format!("{}{}", overview::text(&parts), where_the_rest_is(&args.output))),
    };
    Ok(terminal::ended(written, Exit::Answered))
}
