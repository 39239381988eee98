//! Results as one page of HTML that needs nothing but itself: tables, what was solved over time, what is hard and what is
//! disputed, and what has changed since another campaign.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::collected::{Collected, Opposed};
use super::compared::{Compared, Shift};
use super::result::{UnitResult, UnitVerdict};
use crate::report::Provenance;
use crate::report::markup::{self, STYLE, cell, colour, file_cell};

/// Rows of the tables of slow and hard instances.
const MOST: usize = 50;
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 56.0;
const BOTTOM: f64 = 36.0;
const TOP: f64 = 10.0;
/// The shortest time that a plot tells from others, in seconds.
const SHORTEST: f64 = 0.01;

/// The page.
pub fn page(collected: &Collected, compared: Option<&Compared<'_>>, provenance: &Provenance) -> String {
    let title = "Campaign by Counterpatch";
    let opposed = collected.opposed();
    let body = html! {
        (figures(collected, opposed.len()))
        (disagreements(&opposed))
        @if let Some(compared) = compared { (changes(compared)) }
        (cactus(collected))
        (scores(collected))
        (hardest(collected))
        (slowest(collected))
        (failures(collected))
        (provenance.block(&[]))
    };
    markup::page(title, title, STYLE, &body)
}

fn figures(collected: &Collected, opposed: usize) -> Markup {
    let of = |verdict| collected.results().filter(|result| result.verdict == verdict).count();
    let cpu: f64 = collected.results().map(|result| result.resources.cpu_seconds).sum();
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

fn disagreements(opposed: &[Opposed<'_>]) -> Markup {
    let names = ["benchmark", "network", "property", "sat", "unsat"];
    table("Disagreements", &names, 5, opposed, |case| {
        html! {
            (cell(case.benchmark))
            (file_cell(case.network))
            (file_cell(case.property))
            (cell(&case.sat.join(", ")))
            (cell(&case.unsat.join(", ")))
        }
    })
}

fn changes(compared: &Compared<'_>) -> Markup {
    let count = |shift| compared.count(shift);
    let (before, after) = compared.seconds;
    let names = ["benchmark", "network", "property", "tool", "seed", "before", "s", "now", "s"];
    let moved = |shift: Shift, title: &str| {
        let moved: Vec<_> = compared.moved.iter().filter(|moved| moved.shift == shift).collect();
        table(title, &names, 4, &moved, |moved| {
            html! {
                (cell(moved.benchmark))
                (file_cell(moved.network))
                (file_cell(moved.property))
                (cell(moved.tool))
                td { (moved.seed) }
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
            (compared.units) " units are in both, " (compared.alone) " in one of them only. Won " (count(Shift::Won)) ", lost "
            (count(Shift::Lost)) ", flipped " (count(Shift::Flipped)) ". What both have decided took "
            (format!("{before:.1} s then and {after:.1} s now."))
        }
        (moved(Shift::Flipped, "Flipped"))
        (moved(Shift::Lost, "Lost"))
        (moved(Shift::Won, "Won"))
    }
}

/// A table with a heading that counts its rows; nothing where there are none. The first `texts` columns are texts.
fn table<T>(title: &str, names: &[&str], texts: usize, rows: &[T], row: impl Fn(&T) -> Markup) -> Markup {
    html! {
        @if !rows.is_empty() {
            h2 { (title) " (" (rows.len()) ")" }
            div.wide {
                table {
                    tr {
                        @for (at, name) in names.iter().enumerate() { th.text[at < texts] { (name) } }
                    }
                    @for case in rows { tr { (row(case)) } }
                }
            }
        }
    }
}

fn scores(collected: &Collected) -> Markup {
    let mut names = vec!["tool", "benchmark", "units"];
    names.extend(UnitVerdict::ALL.iter().map(|verdict| verdict.word()));
    names.extend(["wall s", "processor s", "peak MiB"]);
    let rows: Vec<_> = collected.scores().into_iter().collect();
    table("Tools and benchmarks", &names, 2, &rows, |((tool, benchmark), scores)| {
        html! {
            (cell(tool))
            (cell(benchmark))
            td { (scores.units()) }
            @for (verdict, number) in UnitVerdict::ALL.iter().zip(scores.verdicts) {
                td.zero[number == 0].bad[number > 0 && *verdict == UnitVerdict::Error] { (number) }
            }
            td { (format!("{:.1}", scores.wall_seconds)) }
            td { (format!("{:.1}", scores.cpu_seconds)) }
            td { (scores.peak_bytes >> 20) }
        }
    })
}

/// Instances that nobody has decided, the most expensive first.
fn hardest(collected: &Collected) -> Markup {
    let mut spent: BTreeMap<_, (bool, usize, f64)> = BTreeMap::new();
    for result in collected.results() {
        let entry = spent.entry((&result.benchmark, &result.network, &result.property)).or_default();
        entry.0 |= result.verdict.is_solved();
        entry.1 += 1;
        entry.2 += result.resources.cpu_seconds;
    }
    let mut open: Vec<_> = spent.into_iter().filter(|(_, (solved, _, _))| !solved).collect();
    open.sort_by(|a, b| b.1.2.total_cmp(&a.1.2));
    let title = format!("Hardest: decided by nobody, {} in all, of them", open.len());
    open.truncate(MOST);
    let names = ["benchmark", "network", "property", "units", "processor s"];
    table(&title, &names, 3, &open, |((benchmark, network, property), (_, units, seconds))| {
        html! {
            (cell(benchmark))
            (file_cell(network))
            (file_cell(property))
            td { (units) }
            td { (format!("{seconds:.1}")) }
        }
    })
}

fn slowest(collected: &Collected) -> Markup {
    let mut solved: Vec<_> =
        collected.labelled().filter(|(_, found)| found.result.verdict.is_solved()).collect();
    let seconds = |result: &UnitResult| result.resources.wall_seconds;
    solved.sort_by(|a, b| seconds(&b.1.result).total_cmp(&seconds(&a.1.result)));
    solved.truncate(MOST);
    let names = ["tool", "benchmark", "network", "property", "verdict", "s", "processor s", "peak MiB"];
    table("Slowest of what was decided", &names, 4, &solved, |(tool, found)| {
        let UnitResult { resources, verdict, .. } = &found.result;
        html! {
            (asked(tool, &found.result))
            td { (verdict.word()) }
            td { (format!("{:.2}", resources.wall_seconds)) }
            td { (format!("{:.2}", resources.cpu_seconds)) }
            td { (resources.peak_bytes >> 20) }
        }
    })
}

fn failures(collected: &Collected) -> Markup {
    let is_failure = |verdict| matches!(verdict, UnitVerdict::Error | UnitVerdict::Memory);
    let failed: Vec<_> = collected.labelled().filter(|(_, found)| is_failure(found.result.verdict)).collect();
    let names = ["tool", "benchmark", "network", "property", "verdict", "why", "standard error"];
    table("Failures", &names, 7, &failed, |(tool, found)| {
        let UnitResult { verdict, why, log, .. } = &found.result;
        html! {
            (asked(tool, &found.result))
            (cell(verdict.word()))
            (cell(why))
            td.text.why { details { summary { "log" } pre { (log) } } }
        }
    })
}

/// Who was asked what.
fn asked(tool: &str, result: &UnitResult) -> Markup {
    html! { (cell(tool)) (cell(&result.benchmark)) (file_cell(&result.network)) (file_cell(&result.property)) }
}

/// Where units and seconds are in the plot of what was decided over time.
struct Axes {
    most: usize,
    longest: f64,
}

impl Axes {
    fn x(&self, solved: usize) -> String {
        format!("{:.1}", LEFT + solved as f64 / self.most as f64 * (WIDTH - LEFT))
    }

    /// On a logarithmic axis, `below` pixels further down.
    fn y(&self, seconds: f64, below: f64) -> String {
        let part = (seconds.max(SHORTEST) / SHORTEST).ln() / (self.longest / SHORTEST).ln();
        format!("{:.1}", HEIGHT - BOTTOM - part * (HEIGHT - BOTTOM - TOP) + below)
    }

    /// The steps of the units that were decided within these seconds.
    fn path(&self, solved: &[f64]) -> String {
        let first = solved.first().copied().unwrap_or(SHORTEST);
        let steps = solved.iter().enumerate();
        let steps = steps.map(|(at, &seconds)| format!("V{}H{}", self.y(seconds, 0.0), self.x(at + 1)));
        format!("M{} {}", self.x(0), self.y(first, 0.0)) + &steps.collect::<String>()
    }
}

/// How many units each tool has decided within a time: a cactus plot, with time on a logarithmic axis.
fn cactus(collected: &Collected) -> Markup {
    let times = collected.solved_over_time();
    let most = times.values().map(Vec::len).max().unwrap_or(0);
    if most == 0 {
        return html! {};
    }
    let longest = times.values().flatten().fold(10.0 * SHORTEST, |longest: f64, &time| longest.max(time));
    let axes = Axes { most, longest };
    html! {
        h2 { "Decided over time" }
        (markup::legend(times.iter().map(|(tool, solved)| format!("{tool} ({})", solved.len()))))
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) style=(format!("width:100%;max-width:{WIDTH}px")) role="img"
            aria-label="units decided within a time" fill="none" font-size="11" {
            path stroke="currentColor" d=(format!("M{LEFT} {TOP}V{:.1}H{WIDTH}", HEIGHT - BOTTOM)) {}
            (ticks(&axes))
            @for (at, (tool, solved)) in times.iter().enumerate() {
                path stroke-width="2" stroke=(colour(at)) d=(axes.path(solved)) { title { (tool) } }
            }
        }
    }
}

fn ticks(axes: &Axes) -> Markup {
    let seconds = std::iter::successors(Some(SHORTEST), |seconds| Some(seconds * 10.0));
    html! {
        @for seconds in seconds.take_while(|&seconds| seconds <= axes.longest) {
            text fill="currentColor" x=(format!("{:.1}", LEFT - 5.0)) y=(axes.y(seconds, 4.0)) text-anchor="end" {
                (format!("{seconds} s"))
            }
        }
        @for solved in [0, axes.most / 2, axes.most] {
            @let anchor = if solved == axes.most { "end" } else { "middle" };
            text fill="currentColor" x=(axes.x(solved)) y=(format!("{:.1}", HEIGHT - BOTTOM + 15.0)) text-anchor=(anchor) {
                (solved)
            }
        }
    }
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
        let page = page(&collected, Some(&compared), &Provenance::now(["counterpatch".into()], None));
        for part in [
            "Disagreements (1)",
            "Decided over time",
            "<svg",
            "Tools and benchmarks (2)",
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
}
