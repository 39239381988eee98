//! The audit as one page of HTML that needs nothing but itself.

use maud::{Markup, html};

use super::record::{AuditRecord, Finding, InstanceTruth};
use super::summary::{AuditSummary, COLUMNS, Case, Counts};
use crate::report::Provenance;
use crate::report::markup::{self, STYLE, cell, file_cell};

/// Counterexamples up to this many bytes are shown.
const SHOWN: usize = 20_000;

/// The page.
pub fn page(summary: &AuditSummary<'_>, provenance: &Provenance) -> String {
    let title = "Audit by Counterpatch";
    let body = html! {
        (figures(summary))
        // What matters first: whom it accuses, and of what.
        (false_unsat(summary))
        (witnesses(summary, "Wrong counterexamples", |finding| matches!(finding, Finding::WrongWitness { .. })))
        (witnesses(summary, "Correct within tolerance only", |finding| matches!(finding, Finding::Tolerance { .. })))
        (claims(summary, "False sat: a checked certificate excludes a counterexample", &Finding::FalseSat))
        (table(summary))
        (claims(
            summary,
            "Doubtful unsat: a counterexample that not every permitted computation confirms",
            &Finding::Doubtful,
        ))
        (disagreements(summary))
        (unusable(summary))
        (provenance.block(&[]))
    };
    markup::page(title, title, STYLE, &body)
}

fn figures(summary: &AuditSummary<'_>) -> Markup {
    let total = &summary.total;
    let figures = [
        ("instances", summary.records.len()),
        ("claims", total.claims),
        ("false unsat", total.false_unsat),
        ("wrong counterexamples", total.wrong_witness),
        ("within tolerance only", total.tolerance),
        ("disagreements", summary.disagreements.len()),
    ];
    html! {
        @if summary.open > 0 {
            p.interrupted { "Interrupted: " (summary.open) " instances are not examined." }
        }
        (markup::figures(&figures.map(|(name, number)| (name, number.to_string()))))
        p {
            "Every counterexample was replayed; every " code { "unsat" } " was attacked. An " code { "unsat" }
            " is called false only where a counterexample holds with zero tolerance, in two precisions, by more than engines \
             differ. What stands was attacked without success: that is no proof."
        }
    }
}

fn table(summary: &AuditSummary<'_>) -> Markup {
    // Columns that hold nothing say nothing.
    let totals = summary.total.cells();
    let shown: Vec<usize> = (0..COLUMNS.len()).filter(|&at| totals[at] > 0).collect();
    let line = |tool: &str, benchmark: &str, counts: &Counts| {
        html! {
            tr {
                (cell(tool))
                (cell(benchmark))
                @for &at in &shown {
                    @let number = counts.cells()[at];
                    @let accuses = matches!(COLUMNS[at], "FALSE UNSAT" | "false sat" | "wrong witness");
                    td.zero[number == 0].bad[number > 0 && accuses] { (number) }
                }
            }
        }
    };
    html! {
        h2 { "Tools and benchmarks" }
        div.wide {
            table #tools {
                tr {
                    th.text { "tool" }
                    th.text { "benchmark" }
                    @for &at in &shown { th { (COLUMNS[at]) } }
                }
                @for found in &summary.lines { (line(&found.tool, &found.benchmark, &found.counts)) }
                (line("all", "", &summary.total))
            }
        }
    }
}

fn false_unsat(summary: &AuditSummary<'_>) -> Markup {
    let cases = summary.cases(|finding| *finding == Finding::FalseUnsat);
    section("False unsat", &cases, |(record, _)| {
        let InstanceTruth::Sat(evidence) = &record.truth else { return html! { td.text.why {} } };
        html! {
            td.text.why {
                @if evidence.text.len() <= SHOWN {
                    details { summary { (evidence.source) } pre { (evidence.text) } }
                } @else {
                    (evidence.source)
                }
            }
        }
    })
}

fn witnesses(summary: &AuditSummary<'_>, title: &str, kind: impl Fn(&Finding) -> bool) -> Markup {
    section(title, &summary.cases(kind), |(_, claim)| {
        html! {
            td.text.why {
                @match &claim.finding {
                    Finding::WrongWitness { verdict, details } => details {
                        summary { (verdict) }
                        @for detail in details { (detail) br; }
                    },
                    Finding::Tolerance { repaired_by: Some(distance) } => {
                        "strictly correct when moved by " (format!("{distance:.1e}"))
                    },
                    _ => {},
                }
            }
        }
    })
}

fn claims(summary: &AuditSummary<'_>, title: &str, finding: &Finding) -> Markup {
    section(title, &summary.cases(|other| other == finding), |(record, _)| cell(&record.truth.words()))
}

fn disagreements(summary: &AuditSummary<'_>) -> Markup {
    let cases = &summary.disagreements;
    html! {
        @if !cases.is_empty() {
            h2 { "Disagreements (" (cases.len()) ")" }
            div.wide {
                table {
                    tr {
                        @for name in ["network", "property", "sat", "unsat", "known"] { th.text { (name) } }
                    }
                    @for case in cases {
                        tr {
                            (file_cell(case.network))
                            (file_cell(case.property))
                            (cell(&case.sat.join(", ")))
                            (cell(&case.unsat.join(", ")))
                            (cell(&case.known))
                        }
                    }
                }
            }
        }
    }
}

fn unusable(summary: &AuditSummary<'_>) -> Markup {
    let lost = summary.records.iter().filter_map(|record| match &record.truth {
        InstanceTruth::Unusable(why) => Some((record, why.clone())),
        InstanceTruth::Contradiction { .. } => Some((record, record.truth.words())),
        _ => None,
    });
    let lost: Vec<_> = lost.collect();
    html! {
        @if !lost.is_empty() {
            h2 { "Instances that could not be used (" (lost.len()) ")" }
            div.wide {
                table {
                    @for (record, why) in lost {
                        tr { (instance(record)) (cell(&why)) }
                    }
                }
            }
        }
    }
}

/// Claims of one kind, each with a last cell that says why; nothing where there are none.
fn section<'a>(title: &str, cases: &[Case<'a>], why: impl Fn(Case<'a>) -> Markup) -> Markup {
    html! {
        @if !cases.is_empty() {
            h2 { (title) " (" (cases.len()) ")" }
            div.wide {
                table {
                    tr {
                        @for name in ["tool", "network", "property", "why"] { th.text { (name) } }
                    }
                    @for &(record, claim) in cases {
                        tr { (cell(&claim.tool)) (instance(record)) (why((record, claim))) }
                    }
                }
            }
        }
    }
}

fn instance(record: &AuditRecord) -> Markup {
    html! { (file_cell(&record.network)) (file_cell(&record.property)) }
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
        let records = [AuditRecord {
            benchmark: "b&b".into(),
            network: "<script>.onnx".into(),
            property: "p.vnnlib".into(),
            truth: InstanceTruth::Sat(Evidence {
                source: "our attack".into(),
                text: "sat\n((X_0 1))\n".into(),
            }),
            claims: vec![
                claim("x", ClaimedVerdict::Unsat, Finding::FalseUnsat),
                claim("y", ClaimedVerdict::Sat, wrong),
            ],
            seconds: 0.0,
        }];
        let page = page(&AuditSummary::new(&records), &Provenance::now(["counterpatch".into()], None));
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
