//! `counterpatch campaign collect`: results of many folders as tables, JSON and a page.

use std::path::{Path, PathBuf};

use super::CampaignFailure;
use crate::campaign::{self, AskedWords, CampaignFolder, Collected, Compared, Shift, UnitVerdict, page};
use crate::cli::args;
use crate::cli::exit::Exit;
use crate::cli::object::Origin;
use crate::cli::terminal::{self, say};
use crate::pack;
use crate::report::Provenance;
use crate::report::table::markdown;

/// Lines of a list on the terminal; the files have all.
const MOST: usize = 1000;

/// Runs the command.
pub(super) fn run(args: &args::CampaignCollect, provenance: &Provenance) -> Result<Exit, CampaignFailure> {
    let collected = collected(&args.folders)?;
    warn(&collected);
    let before = if args.against.is_empty() { None } else { Some(self::collected(&args.against)?) };
    let compared = before.as_ref().map(|before| Compared::new(before, &collected));
    if let Some(path) = &args.csv {
        write(path, &|out| campaign::csv(&collected, &folder_of(path), out))?;
    }
    if let Some(path) = &args.parquet {
        write(path, &|out| campaign::parquet(&collected, &folder_of(path), out))?;
    }
    if let Some(path) = &args.json {
        let object = Origin::of("campaign").object(campaign::summary(&collected, compared.as_ref()));
        write(path, &|out| campaign::json(&object, &collected, out))?;
    }
    if let Some(path) = &args.html {
        let page = page::page(&collected, compared.as_ref(), provenance)?;
        write(path, &|out| out.write_all(page.as_bytes()))?;
    }
    let written = terminal::print(&in_words(&collected, compared.as_ref()));
    Ok(terminal::ended(written, Exit::Answered))
}

fn collected(folders: &[PathBuf]) -> Result<Collected, CampaignFailure> {
    let mut collected = Collected::default();
    for path in folders {
        let path = path.canonicalize().unwrap_or_else(|_| path.clone());
        let folder = CampaignFolder::at(&path);
        let plan = folder.plan()?;
        collected.add(&folder, &plan)?;
    }
    Ok(collected)
}

/// The folder of a table: files beside results are named from there on.
fn folder_of(table: &Path) -> PathBuf {
    let folder = table.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf())
}

fn write(path: &Path, content: pack::Content<'_>) -> Result<(), CampaignFailure> {
    pack::write(path, content).map_err(|source| CampaignFailure::Write { path: path.to_path_buf(), source })
}

/// What a reader of the tables should know.
fn warn(collected: &Collected) {
    for path in &collected.broken {
        say!("warning: {}: cannot be read; its unit counts as not run", path.display());
    }
    let warnings = [
        (
            collected.foreign,
            "results are of other versions of files or programs than the plan's; they do not count",
        ),
        (
            collected.repeated,
            "units have results in several folders; those of the folder that is named last count",
        ),
        (collected.open.len(), "units have no result yet"),
    ];
    for (number, what) in warnings.into_iter().filter(|(number, _)| *number > 0) {
        say!("warning: {number} {what}");
    }
}

fn in_words(collected: &Collected, compared: Option<&Compared<'_>>) -> String {
    let verdicts = UnitVerdict::ALL.iter().map(|verdict| verdict.word());
    let head = ["tool", "benchmark", "units"].into_iter().chain(verdicts).chain(["processor s"]);
    let head: Vec<&str> = head.collect();
    let rows = collected.scores().into_iter().map(|((tool, benchmark), scores)| {
        let mut row = vec![tool.to_owned(), benchmark.to_owned(), scores.units().to_string()];
        row.extend(scores.verdicts.iter().map(usize::to_string));
        row.push(format!("{:.1}", scores.cpu_seconds));
        row
    });
    let mut lines = vec![markdown(&head, rows, |column| column < 2).trim_end().to_owned()];
    let opposed = collected.opposed();
    if !opposed.is_empty() {
        lines.push(format!("\n{} disagreements:", opposed.len()));
    }
    for case in opposed.iter().take(MOST) {
        let (sat, unsat) = (case.sat.join(", "), case.unsat.join(", "));
        let (benchmark, network, property) = (case.benchmark, case.network, case.property);
        lines.push(format!("  {benchmark} {network} {property}: sat says {sat}; unsat says {unsat}"));
    }
    if let Some(compared) = compared {
        let count = |shift| compared.count(shift);
        lines.push(format!(
            "\nof {} units in both: {} won, {} lost, {} flipped; {:.1} s then, {:.1} s now for what both have decided",
            compared.times.len(),
            count(Shift::Won),
            count(Shift::Lost),
            count(Shift::Flipped),
            compared.seconds.0,
            compared.seconds.1
        ));
        for unit in compared.moved.iter().take(MOST) {
            let AskedWords { benchmark, network, property, tool, seed } = unit.asked;
            let word = match unit.shift {
                Shift::Flipped => "flipped",
                Shift::Lost => "lost",
                Shift::Won => "won",
            };
            let (before, after) = (unit.before.0.word(), unit.after.0.word());
            lines.push(format!(
                "  {word}: {tool}, seed {seed}: {benchmark} {network} {property}: {before}, now {after}"
            ));
        }
    }
    lines.join("\n") + "\n"
}
