//! Results as one page of HTML that needs nothing but itself: tables, what was solved over time, what is hard and what is
//! disputed, and what has changed since another campaign.

use std::fmt::{self, Write};

use super::collected::{Collected, Opposed};
use super::compared::{Compared, Shift};
use super::result::{UnitResult, UnitVerdict};
use crate::report::markup::{Cell, FileCell, Text, head};

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
pub fn page(collected: &Collected, compared: Option<&Compared<'_>>) -> String {
    let mut out = head("Campaign by Counterpatch");
    // Writing to a String cannot fail.
    let _ = write_page(&mut out, collected, compared);
    out
}

fn write_page(out: &mut String, collected: &Collected, compared: Option<&Compared<'_>>) -> fmt::Result {
    let opposed = collected.opposed();
    figures(out, collected, opposed.len())?;
    disagreements(out, &opposed)?;
    if let Some(compared) = compared {
        changes(out, compared)?;
    }
    cactus(out, collected)?;
    scores(out, collected)?;
    hardest(out, collected)?;
    slowest(out, collected)?;
    failures(out, collected)
}

fn figures(out: &mut String, collected: &Collected, opposed: usize) -> fmt::Result {
    let of = |verdict| collected.results().filter(|result| result.verdict == verdict).count();
    let hours = |seconds: f64| format!("{:.2}", seconds / 3600.0);
    let cpu = collected.results().map(|result| result.resources.cpu_seconds).sum();
    let missing = [
        ("not run yet", collected.open.len()),
        ("results cannot be read", collected.broken.len()),
        ("results of other versions of files or programs, not counted", collected.foreign),
    ];
    for (what, number) in missing.into_iter().filter(|(_, number)| *number > 0) {
        writeln!(out, "<p class=\"interrupted\">{number} units: {what}.</p>")?;
    }
    let figures = [
        ("units", collected.found.len().to_string()),
        ("sat", of(UnitVerdict::Sat).to_string()),
        ("unsat", of(UnitVerdict::Unsat).to_string()),
        ("errors", of(UnitVerdict::Error).to_string()),
        ("disagreements", opposed.to_string()),
        ("processor hours", hours(cpu)),
    ];
    writeln!(out, "<div class=\"figures\">")?;
    for (name, number) in figures {
        writeln!(out, "<div><b>{number}</b>{name}</div>")?;
    }
    writeln!(
        out,
        "</div>\n<p>Claims as the tools make them: <code>counterpatch audit</code> says which to believe.</p>"
    )
}

fn disagreements(out: &mut String, opposed: &[Opposed<'_>]) -> fmt::Result {
    let names = ["benchmark", "network", "property", "sat", "unsat"];
    table(out, "Disagreements", &names, 5, opposed, |out, case| {
        let (network, property) = (FileCell(case.network), FileCell(case.property));
        let (sat, unsat) = (case.sat.join(", "), case.unsat.join(", "));
        write!(out, "{}{network}{property}{}{}", Cell(case.benchmark), Cell(&sat), Cell(&unsat))
    })
}

fn changes(out: &mut String, compared: &Compared<'_>) -> fmt::Result {
    let count = |change| compared.count(change);
    let (before, after) = compared.seconds;
    writeln!(
        out,
        "<h2>Against the other campaign</h2>\n<p>{} units are in both, {} in one of them only. Won {}, lost {}, flipped {}. \
         What both have decided took {before:.1} s then and {after:.1} s now.</p>",
        compared.units,
        compared.alone,
        count(Shift::Won),
        count(Shift::Lost),
        count(Shift::Flipped)
    )?;
    for (change, title) in [(Shift::Flipped, "Flipped"), (Shift::Lost, "Lost"), (Shift::Won, "Won")] {
        let moved: Vec<_> = compared.moved.iter().filter(|moved| moved.shift == change).collect();
        let names = ["benchmark", "network", "property", "tool", "seed", "before", "s", "now", "s"];
        table(out, title, &names, 4, &moved, |out, moved| {
            let (network, property) = (FileCell(moved.network), FileCell(moved.property));
            let (before, after) = (moved.before, moved.after);
            write!(
                out,
                "{}{network}{property}{}<td>{}</td><td>{}</td><td>{:.2}</td><td>{}</td><td>{:.2}</td>",
                Cell(moved.benchmark),
                Cell(moved.tool),
                moved.seed,
                before.0.word(),
                before.1,
                after.0.word(),
                after.1
            )
        })?;
    }
    Ok(())
}

/// A table with a heading that counts its rows; nothing where there are none. The first `texts` columns are texts.
fn table<T>(
    out: &mut String,
    title: &str,
    names: &[&str],
    texts: usize,
    rows: &[T],
    row: impl Fn(&mut String, &T) -> fmt::Result,
) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    write!(out, "<h2>{title} ({})</h2>\n<div class=\"wide\"><table>\n<tr>", rows.len())?;
    for (at, name) in names.iter().enumerate() {
        let class = if at < texts { " class=\"text\"" } else { "" };
        write!(out, "<th{class}>{name}</th>")?;
    }
    writeln!(out, "</tr>")?;
    for case in rows {
        out.push_str("<tr>");
        row(out, case)?;
        out.push_str("</tr>\n");
    }
    writeln!(out, "</table></div>")
}

fn scores(out: &mut String, collected: &Collected) -> fmt::Result {
    let mut names = vec!["tool", "benchmark", "units"];
    names.extend(UnitVerdict::ALL.iter().map(|verdict| verdict.word()));
    names.extend(["wall s", "processor s", "peak MiB"]);
    let rows: Vec<_> = collected.scores().into_iter().collect();
    table(out, "Tools and benchmarks", &names, 2, &rows, |out, ((tool, benchmark), scores)| {
        write!(out, "{}{}<td>{}</td>", Cell(tool), Cell(benchmark), scores.units())?;
        for (verdict, number) in UnitVerdict::ALL.iter().zip(scores.verdicts) {
            let class = match (verdict, number) {
                (_, 0) => " class=\"zero\"",
                (UnitVerdict::Error, _) => " class=\"bad\"",
                _ => "",
            };
            write!(out, "<td{class}>{number}</td>")?;
        }
        let mebibytes = scores.peak_bytes >> 20;
        write!(
            out,
            "<td>{:.1}</td><td>{:.1}</td><td>{mebibytes}</td>",
            scores.wall_seconds, scores.cpu_seconds
        )
    })
}

/// Instances that nobody has decided, the most expensive first.
fn hardest(out: &mut String, collected: &Collected) -> fmt::Result {
    let mut spent: std::collections::BTreeMap<_, (bool, usize, f64)> = std::collections::BTreeMap::new();
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
    table(out, &title, &names, 3, &open, |out, ((benchmark, network, property), (_, units, seconds))| {
        let (network, property) = (FileCell(network), FileCell(property));
        write!(out, "{}{network}{property}<td>{units}</td><td>{seconds:.1}</td>", Cell(benchmark))
    })
}

fn slowest(out: &mut String, collected: &Collected) -> fmt::Result {
    let mut solved: Vec<_> =
        collected.labelled().filter(|(_, found)| found.result.verdict.is_solved()).collect();
    let seconds = |result: &UnitResult| result.resources.wall_seconds;
    solved.sort_by(|a, b| seconds(&b.1.result).total_cmp(&seconds(&a.1.result)));
    solved.truncate(MOST);
    let names = ["tool", "benchmark", "network", "property", "verdict", "s", "processor s", "peak MiB"];
    table(out, "Slowest of what was decided", &names, 4, &solved, |out, (tool, found)| {
        let result = &found.result;
        let (network, property) = (FileCell(&result.network), FileCell(&result.property));
        let used = result.resources;
        write!(
            out,
            "{}{}{network}{property}<td>{}</td><td>{:.2}</td><td>{:.2}</td><td>{}</td>",
            Cell(tool),
            Cell(&result.benchmark),
            result.verdict.word(),
            used.wall_seconds,
            used.cpu_seconds,
            used.peak_bytes >> 20
        )
    })
}

fn failures(out: &mut String, collected: &Collected) -> fmt::Result {
    let is_failure = |verdict| matches!(verdict, UnitVerdict::Error | UnitVerdict::Memory);
    let failed: Vec<_> = collected.labelled().filter(|(_, found)| is_failure(found.result.verdict)).collect();
    let names = ["tool", "benchmark", "network", "property", "verdict", "why", "standard error"];
    table(out, "Failures", &names, 7, &failed, |out, (tool, found)| {
        let result = &found.result;
        let (network, property) = (FileCell(&result.network), FileCell(&result.property));
        let (word, log) = (result.verdict.word(), Text(&result.log));
        write!(
            out,
            "{}{}{network}{property}{}{}<td class=\"text why\"><details><summary>log</summary><pre>{log}</pre></details></td>",
            Cell(tool),
            Cell(&result.benchmark),
            Cell(word),
            Cell(&result.why)
        )
    })
}

/// How many units each tool has decided within a time: a cactus plot, with time on a logarithmic axis.
fn cactus(out: &mut String, collected: &Collected) -> fmt::Result {
    let times = collected.solved_over_time();
    let most = times.values().map(Vec::len).max().unwrap_or(0);
    if most == 0 {
        return Ok(());
    }
    let longest = times.values().flatten().fold(10.0 * SHORTEST, |longest: f64, &time| longest.max(time));
    let x = |solved: usize| LEFT + solved as f64 / most as f64 * (WIDTH - LEFT);
    let y = |seconds: f64| {
        let part = (seconds.max(SHORTEST) / SHORTEST).ln() / (longest / SHORTEST).ln();
        HEIGHT - BOTTOM - part * (HEIGHT - BOTTOM - TOP)
    };
    writeln!(out, "<h2>Decided over time</h2>\n<p>")?;
    for (at, (tool, solved)) in times.iter().enumerate() {
        let colour = colour(at);
        write!(
            out,
            "<span style=\"color:{colour}\">&#9632;</span> {} ({}) &nbsp; ",
            Text(tool),
            solved.len()
        )?;
    }
    writeln!(
        out,
        "</p>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" style=\"width:100%;max-width:{WIDTH}px\" role=\"img\" \
         aria-label=\"units decided within a time\" fill=\"none\" font-size=\"11\">\n\
         <path stroke=\"currentColor\" d=\"M{LEFT} {TOP}V{:.1}H{WIDTH}\"/>",
        HEIGHT - BOTTOM
    )?;
    ticks(out, longest, most, &x, &y)?;
    for (at, (tool, solved)) in times.iter().enumerate() {
        let mut path = format!("M{:.1} {:.1}", x(0), y(solved.first().copied().unwrap_or(SHORTEST)));
        for (number, &seconds) in solved.iter().enumerate() {
            write!(path, "V{:.1}H{:.1}", y(seconds), x(number + 1))?;
        }
        let (colour, tool) = (colour(at), Text(tool));
        writeln!(
            out,
            "<path stroke-width=\"2\" stroke=\"{colour}\" d=\"{path}\"><title>{tool}</title></path>"
        )?;
    }
    writeln!(out, "</svg>")
}

fn ticks(
    out: &mut String,
    longest: f64,
    most: usize,
    x: &dyn Fn(usize) -> f64,
    y: &dyn Fn(f64) -> f64,
) -> fmt::Result {
    let mut seconds = SHORTEST;
    while seconds <= longest {
        writeln!(
            out,
            "<text fill=\"currentColor\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{seconds} s</text>",
            LEFT - 5.0,
            y(seconds) + 4.0
        )?;
        seconds *= 10.0;
    }
    for solved in [0, most / 2, most] {
        let anchor = if solved == most { "end" } else { "middle" };
        writeln!(
            out,
            "<text fill=\"currentColor\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{solved}</text>",
            x(solved),
            HEIGHT - BOTTOM + 15.0
        )?;
    }
    Ok(())
}

/// Colours that are told apart, around the circle in steps of the golden angle.
fn colour(at: usize) -> String {
    format!("hsl({:.0} 65% 50%)", at as f64 * 137.508 % 360.0)
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
        let page = page(&collected, Some(&compared));
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
