//! The audit as one page of HTML that needs nothing but itself.

use std::fmt::{self, Display, Write};

use super::record::{Finding, Record, Truth};
use super::summary::{COLUMNS, Case, Summary};
use crate::report::markup::{Cell, FileCell, Text, head};

/// Counterexamples up to this many bytes are shown.
const SHOWN: usize = 20_000;

/// The page.
pub fn page(summary: &Summary<'_>) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut out, summary);
    out
}

fn write_page(out: &mut String, summary: &Summary<'_>) -> fmt::Result {
    out.push_str(&head("Audit by Counterpatch"));
    figures(out, summary)?;
    // What matters first: whom it accuses, and of what.
    false_unsat(out, summary)?;
    witnesses(out, summary, "Wrong counterexamples", |finding| {
        matches!(finding, Finding::WrongWitness { .. })
    })?;
    witnesses(out, summary, "Correct within tolerance only", |finding| {
        matches!(finding, Finding::Tolerance { .. })
    })?;
    claims(out, summary, "False sat: a checked certificate excludes a counterexample", &Finding::FalseSat)?;
    table(out, summary)?;
    claims(
        out,
        summary,
        "Doubtful unsat: a counterexample that not every permitted computation confirms",
        &Finding::Doubtful,
    )?;
    disagreements(out, summary)?;
    unusable(out, summary)
}

fn figures(out: &mut String, summary: &Summary<'_>) -> fmt::Result {
    let total = &summary.total;
    if summary.open > 0 {
        writeln!(
            out,
            "<p class=\"interrupted\">Interrupted: {} instances are not examined.</p>",
            summary.open
        )?;
    }
    let figures = [
        ("instances", summary.records.len()),
        ("claims", total.claims),
        ("false unsat", total.false_unsat),
        ("wrong counterexamples", total.wrong_witness),
        ("within tolerance only", total.tolerance),
        ("disagreements", summary.disagreements.len()),
    ];
    writeln!(out, "<div class=\"figures\">")?;
    for (name, number) in figures {
        writeln!(out, "<div><b>{number}</b>{name}</div>")?;
    }
    writeln!(
        out,
        "</div>\n<p>Every counterexample was replayed; every <code>unsat</code> was attacked. An <code>unsat</code> is \
         called false only where a counterexample holds with zero tolerance, in two precisions, by more than engines \
         differ. What stands was attacked without success: that is no proof.</p>"
    )
}

fn table(out: &mut String, summary: &Summary<'_>) -> fmt::Result {
    writeln!(
        out,
        "<h2>Tools and benchmarks</h2>\n<div class=\"wide\"><table id=\"tools\">\n<tr><th class=\"text\">tool</th><th class=\"text\">benchmark</th>"
    )?;
    // Columns that hold nothing say nothing.
    let totals = summary.total.cells();
    let shown = || (0..COLUMNS.len()).filter(|&at| totals[at] > 0);
    for at in shown() {
        write!(out, "<th>{}</th>", COLUMNS[at])?;
    }
    writeln!(out, "</tr>")?;
    let lines = summary.lines.iter().map(|line| (line.tool.as_str(), line.benchmark.as_str(), &line.counts));
    for (tool, benchmark, counts) in lines.chain([("all", "", &summary.total)]) {
        write!(out, "<tr>{}{}", Cell(tool), Cell(benchmark))?;
        for at in shown() {
            let number = counts.cells()[at];
            let class = match (COLUMNS[at], number) {
                (_, 0) => " class=\"zero\"",
                ("FALSE UNSAT" | "false sat" | "wrong witness", _) => " class=\"bad\"",
                _ => "",
            };
            write!(out, "<td{class}>{number}</td>")?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</table></div>")
}

fn false_unsat(out: &mut String, summary: &Summary<'_>) -> fmt::Result {
    let cases = summary.cases(|finding| *finding == Finding::FalseUnsat);
    section(out, "False unsat", &cases, |out, (record, claim)| {
        write!(out, "<tr>{}{}<td class=\"text why\">", Cell(&claim.tool), Instance(record))?;
        if let Truth::Sat(evidence) = &record.truth {
            let source = Text(&evidence.source);
            if evidence.text.len() <= SHOWN {
                let text = Text(&evidence.text);
                write!(out, "<details><summary>{source}</summary><pre>{text}</pre></details>")?;
            } else {
                write!(out, "{source}")?;
            }
        }
        writeln!(out, "</td></tr>")
    })
}

fn witnesses(
    out: &mut String,
    summary: &Summary<'_>,
    title: &str,
    kind: impl Fn(&Finding) -> bool,
) -> fmt::Result {
    section(out, title, &summary.cases(kind), |out, (record, claim)| {
        write!(out, "<tr>{}{}<td class=\"text why\">", Cell(&claim.tool), Instance(record))?;
        match &claim.finding {
            Finding::WrongWitness { verdict, details } => {
                write!(out, "<details><summary>{}</summary>", Text(verdict))?;
                for detail in details {
                    write!(out, "{}<br>", Text(detail))?;
                }
                out.push_str("</details>");
            }
            Finding::Tolerance { repaired_by: Some(distance) } => {
                write!(out, "strictly correct when moved by {distance:.1e}")?;
            }
            _ => {}
        }
        writeln!(out, "</td></tr>")
    })
}

fn claims(out: &mut String, summary: &Summary<'_>, title: &str, finding: &Finding) -> fmt::Result {
    section(out, title, &summary.cases(|other| other == finding), |out, (record, claim)| {
        let known = record.truth.words();
        writeln!(out, "<tr>{}{}{}</tr>", Cell(&claim.tool), Instance(record), Cell(&known))
    })
}

fn disagreements(out: &mut String, summary: &Summary<'_>) -> fmt::Result {
    if summary.disagreements.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<h2>Disagreements ({})</h2>\n<div class=\"wide\"><table>\n<tr><th class=\"text\">network</th>\
         <th class=\"text\">property</th><th class=\"text\">sat</th><th class=\"text\">unsat</th>\
         <th class=\"text\">known</th></tr>",
        summary.disagreements.len()
    )?;
    for case in &summary.disagreements {
        let (sat, unsat) = (case.sat.join(", "), case.unsat.join(", "));
        let (network, property) = (FileCell(case.network), FileCell(case.property));
        writeln!(out, "<tr>{network}{property}{}{}{}</tr>", Cell(&sat), Cell(&unsat), Cell(&case.known))?;
    }
    writeln!(out, "</table></div>")
}

fn unusable(out: &mut String, summary: &Summary<'_>) -> fmt::Result {
    let lost = summary.records.iter().filter_map(|record| match &record.truth {
        Truth::Unusable(why) => Some((record, why.clone())),
        Truth::Contradiction { .. } => Some((record, record.truth.words())),
        _ => None,
    });
    let lost: Vec<_> = lost.collect();
    if lost.is_empty() {
        return Ok(());
    }
    writeln!(out, "<h2>Instances that could not be used ({})</h2>\n<div class=\"wide\"><table>", lost.len())?;
    for (record, why) in lost {
        writeln!(out, "<tr>{}{}</tr>", Instance(record), Cell(&why))?;
    }
    writeln!(out, "</table></div>")
}

fn section<'a>(
    out: &mut String,
    title: &str,
    cases: &[Case<'a>],
    row: impl Fn(&mut String, Case<'a>) -> fmt::Result,
) -> fmt::Result {
    if cases.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<h2>{} ({})</h2>\n<div class=\"wide\"><table>\n<tr><th class=\"text\">tool</th><th class=\"text\">network</th>\
         <th class=\"text\">property</th><th class=\"text\">why</th></tr>",
        Text(title),
        cases.len()
    )?;
    cases.iter().try_for_each(|&case| row(out, case))?;
    writeln!(out, "</table></div>")
}

struct Instance<'a>(&'a Record);

impl Display for Instance<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { network, property, .. } = self.0;
        write!(f, "{}{}", FileCell(network), FileCell(property))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::claims::ClaimedVerdict;
    use crate::audit::record::{Evidence, Judged};

    #[test]
    fn the_page_shows_accusations_with_their_evidence_and_no_foreign_markup() {
        let claim = |tool: &str, answer, finding| Judged {
            tool: tool.into(),
            answer,
            word: String::new(),
            witness: None,
            finding,
        };
        let wrong =
            Finding::WrongWitness { verdict: "incorrect:wrong_shape".into(), details: vec!["4 < 5".into()] };
        let records = [Record {
            benchmark: "b&b".into(),
            network: "<script>.onnx".into(),
            property: "p.vnnlib".into(),
            truth: Truth::Sat(Evidence { source: "our attack".into(), text: "sat\n((X_0 1))\n".into() }),
            claims: vec![
                claim("x", ClaimedVerdict::Unsat, Finding::FalseUnsat),
                claim("y", ClaimedVerdict::Sat, wrong),
            ],
            seconds: 0.0,
        }];
        let page = page(&Summary::new(&records));
        for part in [
            "False unsat (1)",
            "((X_0 1))",
            "our attack",
            "4 &lt; 5",
            "b&amp;b",
            "&lt;script&gt;.onnx",
            "Disagreements (1)",
        ] {
            assert!(page.contains(part), "no {part} in {page}");
        }
        assert!(!page.contains("<script") && !page.contains("http"), "{page}");
    }
}
