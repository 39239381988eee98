//! Results as one page of HTML that needs nothing but itself: what is disputed, what has changed since another campaign, what
//! was solved over time and by whom, what it took, what is hard. Tables have so many rows as a reader looks at; how many
//! there are in all stands above each, and the files of `collect` hold them.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::collected::{AskedWords, Collected, CollectedUnit, Opposed};
use super::compared::{Compared, Shift};
use super::folder::FolderError;
use super::plots;
use super::result::{Resources, UnitVerdict};
use crate::report::Provenance;
use crate::report::markup::{self, STYLE, cell, file_cell};

/// Rows of the tables of slow, hard and failed units, of which each tells little.
const FEW: usize = 50;
/// Names of tools in a cell.
const NAMED: usize = 8;
/// Rows of all others.
const MANY: usize = 300;

/// The page.
///
/// # Errors
/// If the log of a unit that has failed cannot be read.
pub fn page(
    collected: &Collected,
    compared: Option<&Compared<'_>>,
    provenance: &Provenance,
) -> Result<String, FolderError> {
    let title = "Campaign by Counterpatch";
    let opposed = collected.opposed();
    let failures = failures(collected)?;
    let body = html! {
        (figures(collected, opposed.len()))
        (disagreements(&opposed))
        @if let Some(compared) = compared { (changes(compared)) }
        (plots::over_time(collected))
        (plots::pairs(collected))
        (scores(collected))
        (resources(collected))
        (hardest(collected))
        (slowest(collected))
        (failures)
        (provenance.block(&[]))
    };
    Ok(markup::page(title, title, STYLE, &body))
}

fn figures(collected: &Collected, opposed: usize) -> Markup {
    let of = |verdict| collected.found.iter().filter(|unit| unit.verdict == verdict).count();
    let cpu: f64 = collected.found.iter().map(|unit| unit.resources.cpu_seconds).sum();
    let missing = [
        ("not run yet", collected.open.len()),
        ("results cannot be read", collected.broken.len()),
        ("results of other versions of files or programs, not counted", collected.foreign),
    ];
    let figures = [
        ("units", collected.found.len().to_string()),
        ("sat", of(UnitVerdict::Sat).to_string()),
        ("unsat", of(UnitVerdict::Unsat).to_string()),
        ("errors", of(UnitVerdict::Error).to_string()),
        ("disagreements", opposed.to_string()),
        ("processor hours", format!("{:.2}", cpu / 3600.0)),
    ];
    html! {
        @for (what, number) in missing.into_iter().filter(|(_, number)| *number > 0) {
            p.interrupted { (number) " units: " (what) "." }
        }
        (markup::figures(&figures))
        p { "Claims as the tools make them: " code { "counterpatch audit" } " says which to believe." }
    }
}

/// A table of the first rows of all, with a heading that counts them; nothing where there are none.
struct PageTable<'a> {
    id: &'a str,
    title: &'a str,
    names: &'a [&'a str],
    /// The first columns are texts.
    texts: usize,
    /// Rows at most.
    most: usize,
}

impl PageTable<'_> {
    fn of<T>(&self, rows: &[T], row: impl Fn(&T) -> Markup) -> Markup {
        self.first_of(rows.len(), rows, row)
    }

    /// Of `all` rows these.
    fn first_of<T>(&self, all: usize, rows: &[T], row: impl Fn(&T) -> Markup) -> Markup {
        let shown = rows.len().min(self.most);
        html! {
            @if !rows.is_empty() {
                h2 { (self.title) " (" @if shown < all { (shown) " of " } (all) ")" }
                div.wide {
                    table id=(self.id) {
                        tr {
                            @for (at, name) in self.names.iter().enumerate() { th.text[at < self.texts] { (name) } }
                        }
                        @for case in &rows[..shown] { tr { (row(case)) } }
                    }
                }
            }
        }
    }
}

fn disagreements(opposed: &[Opposed<'_>]) -> Markup {
    let names = ["benchmark", "network", "property", "sat", "unsat"];
    let table = PageTable { id: "opposed", title: "Disagreements", names: &names, texts: 5, most: MANY };
    table.of(opposed, |case| {
        html! {
            (cell(case.benchmark))
            (file_cell(case.network))
            (file_cell(case.property))
            (cell(&listed(&case.sat)))
            (cell(&listed(&case.unsat)))
        }
    })
}

/// The first of many names, and how many more there are.
fn listed(names: &[String]) -> String {
    let some = names[..names.len().min(NAMED)].join(", ");
    if names.len() > NAMED { format!("{some}, and {} more", names.len() - NAMED) } else { some }
}

fn changes(compared: &Compared<'_>) -> Markup {
    let count = |shift| compared.count(shift);
    let (before, after) = compared.seconds;
    let names = ["benchmark", "network", "property", "tool", "seed", "before", "s", "now", "s"];
    let moved = |shift: Shift, id: &str, title: &str| {
        let moved: Vec<_> = compared.moved.iter().filter(|moved| moved.shift == shift).collect();
        let table = PageTable { id, title, names: &names, texts: 4, most: MANY };
        table.of(&moved, |moved| {
            html! {
                (place(moved.asked))
                (cell(moved.asked.tool))
                td { (moved.asked.seed) }
                @for (verdict, seconds) in [moved.before, moved.after] {
                    td { (verdict.word()) }
                    td { (format!("{seconds:.2}")) }
                }
            }
        })
    };
    html! {
        h2 { "Against the other campaign" }
        p {
            (compared.times.len()) " units are in both, " (compared.alone) " in one of them only. Won " (count(Shift::Won)) ", lost "
            (count(Shift::Lost)) ", flipped " (count(Shift::Flipped)) ". What both have decided took "
            (format!("{before:.1} s then and {after:.1} s now."))
        }
        @if !compared.times.is_empty() { (plots::since(compared)) }
        (moved(Shift::Flipped, "flipped", "Flipped"))
        (moved(Shift::Lost, "lost", "Lost"))
        (moved(Shift::Won, "won", "Won"))
    }
}

/// An instance: three cells.
fn place(asked: AskedWords<'_>) -> Markup {
    html! { (cell(asked.benchmark)) (file_cell(asked.network)) (file_cell(asked.property)) }
}

fn scores(collected: &Collected) -> Markup {
    let mut names = vec!["tool", "benchmark", "units"];
    names.extend(UnitVerdict::ALL.iter().map(|verdict| verdict.word()));
    names.extend(["wall s", "processor s", "peak MiB"]);
    let rows: Vec<_> = collected.scores().into_iter().collect();
    let table =
        PageTable { id: "scores", title: "Tools and benchmarks", names: &names, texts: 2, most: MANY };
    table.of(&rows, |((tool, benchmark), scores)| {
        html! {
            (cell(tool))
            (cell(benchmark))
            td { (scores.units()) }
            @for (verdict, number) in UnitVerdict::ALL.iter().zip(scores.verdicts) {
                td.zero[number == 0].bad[number > 0 && *verdict == UnitVerdict::Error] { (number) }
            }
            td { (format!("{:.1}", scores.wall_seconds)) }
            td { (format!("{:.1}", scores.cpu_seconds)) }
            td { (mebibytes(scores.peak_bytes)) }
        }
    })
}

/// What the units of each tool took on each machine.
fn resources(collected: &Collected) -> Markup {
    let mut used: BTreeMap<(&str, &str), Vec<Resources>> = BTreeMap::new();
    for unit in &collected.found {
        let who = (collected.text(unit.asked.tool), collected.text(unit.host));
        used.entry(who).or_default().push(unit.resources);
    }
    let rows: Vec<_> = used.into_iter().collect();
    let names = [
        "tool",
        "machine",
        "units",
        "processor h",
        "half within s",
        "nine in ten s",
        "longest s",
        "half within MiB",
        "most MiB",
    ];
    let table = PageTable {
        id: "resources",
        title: "Resources of tools on machines",
        names: &names,
        texts: 2,
        most: MANY,
    };
    table.of(&rows, |((tool, host), used)| {
        let mut seconds: Vec<f64> = used.iter().map(|used| used.wall_seconds).collect();
        let mut bytes: Vec<u64> = used.iter().map(|used| used.peak_bytes).collect();
        seconds.sort_by(f64::total_cmp);
        bytes.sort_unstable();
        // There is at least one.
        let at = |part: usize| (used.len() * part / 10).min(used.len() - 1);
        html! {
            (cell(tool))
            (cell(host))
            td { (used.len()) }
            td { (format!("{:.2}", used.iter().map(|used| used.cpu_seconds).sum::<f64>() / 3600.0)) }
            @for part in [5, 9, 10] { td { (format!("{:.2}", seconds[at(part)])) } }
            @for part in [5, 10] { td { (mebibytes(bytes[at(part)])) } }
        }
    })
}

fn mebibytes(bytes: u64) -> u64 {
    bytes >> 20
}

/// Instances that nobody has decided, the most expensive first.
fn hardest(collected: &Collected) -> Markup {
    let instance = |unit: &CollectedUnit| (unit.asked.benchmark, unit.asked.network, unit.asked.property);
    let cpu = |units: &[CollectedUnit]| units.iter().map(|unit| unit.resources.cpu_seconds).sum::<f64>();
    let mut open: Vec<(&[CollectedUnit], f64)> = collected
        .found
        .chunk_by(|a, b| instance(a) == instance(b))
        .filter(|units| !units.iter().any(|unit| unit.verdict.is_solved()))
        .map(|units| (units, cpu(units)))
        .collect();
    open.sort_by(|a, b| b.1.total_cmp(&a.1));
    let names = ["benchmark", "network", "property", "units", "processor s"];
    let title = "Hardest: decided by nobody";
    let table = PageTable { id: "hardest", title, names: &names, texts: 3, most: FEW };
    table.of(&open, |(units, seconds)| {
        html! {
            (place(collected.words(units[0].asked)))
            td { (units.len()) }
            td { (format!("{seconds:.1}")) }
        }
    })
}

fn slowest(collected: &Collected) -> Markup {
    let mut solved: Vec<_> = collected.found.iter().filter(|unit| unit.verdict.is_solved()).collect();
    solved.sort_by(|a, b| b.resources.wall_seconds.total_cmp(&a.resources.wall_seconds));
    let names = ["tool", "benchmark", "network", "property", "verdict", "s", "processor s", "peak MiB"];
    let title = "Slowest of what was decided";
    let table = PageTable { id: "slowest", title, names: &names, texts: 4, most: FEW };
    table.of(&solved, |unit| {
        html! {
            (cell(&collected.label(unit.asked)))
            (place(collected.words(unit.asked)))
            td { (unit.verdict.word()) }
            td { (format!("{:.2}", unit.resources.wall_seconds)) }
            td { (format!("{:.2}", unit.resources.cpu_seconds)) }
            td { (mebibytes(unit.resources.peak_bytes)) }
        }
    })
}

fn failures(collected: &Collected) -> Result<Markup, FolderError> {
    let is_failure = |verdict| matches!(verdict, UnitVerdict::Error | UnitVerdict::Memory);
    let failed = || collected.found.iter().filter(|unit| is_failure(unit.verdict));
    let mut logs = collected.logs();
    let first = failed().take(FEW).map(|unit| Ok((unit, logs.log(unit)?)));
    let first = first.collect::<Result<Vec<_>, FolderError>>()?;
    let names = ["tool", "benchmark", "network", "property", "verdict", "why", "standard error"];
    let table = PageTable { id: "failures", title: "Failures", names: &names, texts: 7, most: FEW };
    Ok(table.first_of(failed().count(), &first, |(unit, log)| {
        html! {
            (cell(&collected.label(unit.asked)))
            (place(collected.words(unit.asked)))
            (cell(unit.verdict.word()))
            (cell(collected.text(unit.why)))
            td.text.why { details { summary { "log" } pre { (log) } } }
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::collected::tests::with;

    #[test]
    fn the_page_shows_what_matters_and_no_foreign_markup() {
        use UnitVerdict::{Error, Sat, Timeout, Unsat};
        let (_temporary, folder, mut plan) =
            with(&[(Sat, 1.0), (Timeout, 3.0), (Unsat, 0.002), (Error, 0.1), (Timeout, 2.0), (Sat, 1.5)]);
        let mut before = Collected::default();
        before.add(&folder, &plan).unwrap();
        plan.instances[0].network = "<script>.onnx".into();
        let mut collected = Collected::default();
        collected.add(&folder, &plan).unwrap();
        let compared = Compared::new(&before, &collected);
        let page =
            page(&collected, Some(&compared), &Provenance::now(["counterpatch".into()], None)).unwrap();
        for part in [
            "Disagreements (1)",
            "Decided over time",
            "<svg",
            "Tool against tool",
            "Tools and benchmarks (2)",
            "Resources of tools on machines (2)",
            "Slowest of what was decided (3)",
            "Failures (1)",
            "2 units: not run yet",
            "2 units are in both, 8 in one of them only",
            "&lt;script&gt;.onnx",
        ] {
            assert!(page.contains(part), "no {part} in {page}");
        }
        assert!(!page.contains("<script") && !page.contains("http"), "{page}");
    }

    #[test]
    fn a_page_of_many_units_says_what_it_leaves_out_and_stays_small() {
        let (_temporary, folder, plan) = with(&[(UnitVerdict::Sat, 1.0), (UnitVerdict::Error, 1.0)]);
        let mut collected = Collected::default();
        collected.add(&folder, &plan).unwrap();
        let (solved, failed) = (collected.found[0], collected.found[1]);
        let many = |unit: CollectedUnit, number: u64| {
            (0..number).map(move |seed| {
                let mut unit = unit;
                unit.asked.seed = seed;
                unit.resources.wall_seconds = 0.001 * seed as f64;
                unit
            })
        };
        collected.found = many(solved, 100_000).chain(many(failed, 1_000)).collect();
        let page = page(&collected, None, &Provenance::now(["counterpatch".into()], None)).unwrap();
        for part in ["Slowest of what was decided (50 of 100000)", "Failures (50 of 1000)"] {
            assert!(page.contains(part), "no {part} in {page}");
        }
        assert!(page.len() < 300_000, "{}", page.len());
    }
}
