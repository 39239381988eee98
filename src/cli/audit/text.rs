//! An audit as text: a table, then what is wrong, one claim a line.

use std::fmt::Write;

use crate::audit::summary::{COLUMNS, Case, Counts};
use crate::audit::{AuditSummary, Finding, InstanceTruth};
use crate::report::table::markdown;

pub(super) fn of(summary: &AuditSummary<'_>) -> String {
    let mut out = String::new();
    if summary.open > 0 {
        let _ = writeln!(out, "Interrupted: {} instances are not examined.\n", summary.open);
    }
    out += &table(summary);
    type Kind = fn(&Finding) -> bool;
    let kinds: [(&str, Kind); 5] = [
        ("False unsat", |finding| *finding == Finding::FalseUnsat),
        ("False sat", |finding| *finding == Finding::FalseSat),
        ("Doubtful unsat", |finding| *finding == Finding::Doubtful),
        ("Wrong counterexamples", |finding| matches!(finding, Finding::WrongWitness { .. })),
        ("Correct within tolerance only", |finding| matches!(finding, Finding::Tolerance { .. })),
    ];
    for (title, kind) in kinds {
        list(&mut out, title, &summary.cases(kind));
    }
    if !summary.disagreements.is_empty() {
        let _ = writeln!(out, "\n{} disagreements between tools:", summary.disagreements.len());
        for case in &summary.disagreements {
            let (sat, unsat) = (case.sat.join(", "), case.unsat.join(", "));
            let (network, property, known) = (case.network, case.property, &case.known);
            let _ =
                writeln!(out, "  {network} {property}: sat says {sat}; unsat says {unsat}; known: {known}");
        }
    }
    let unusable = summary.records.iter().filter(|record| {
        matches!(record.truth, InstanceTruth::Unusable(_) | InstanceTruth::Contradiction { .. })
    });
    for record in unusable {
        let _ = writeln!(out, "\nnot used: {} {}: {}", record.network, record.property, record.truth.words());
    }
    out
}

/// The table, with the columns that hold anything.
fn table(summary: &AuditSummary<'_>) -> String {
    let totals = summary.total.cells();
    let shown: Vec<usize> = (0..COLUMNS.len()).filter(|&at| totals[at] > 0).collect();
    let head: Vec<&str> =
        ["tool", "benchmark"].into_iter().chain(shown.iter().map(|&at| COLUMNS[at])).collect();
    let lines = summary.lines.iter().map(|line| (line.tool.as_str(), line.benchmark.as_str(), line.counts));
    let row = |(tool, benchmark, counts): (&str, &str, Counts)| {
        let cells = counts.cells();
        let mut row = vec![tool.to_owned(), benchmark.to_owned()];
        row.extend(shown.iter().map(|&at| cells[at].to_string()));
        row
    };
    markdown(&head, lines.chain([("all", "", summary.total)]).map(row), |column| column < 2)
}

fn list(out: &mut String, title: &str, cases: &[Case<'_>]) {
    if cases.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{title} ({}):", cases.len());
    for (record, claim) in cases {
        let why = match &claim.finding {
            Finding::WrongWitness { verdict, details } => {
                format!("{verdict}{}", details.first().map_or(String::new(), |detail| format!(", {detail}")))
            }
            Finding::Tolerance { repaired_by: Some(distance) } => {
                format!("strictly correct when moved by {distance:.1e}")
            }
            Finding::Tolerance { repaired_by: None } => "no strict one is near".to_owned(),
            _ => record.truth.words(),
        };
        let _ = writeln!(out, "  {}: {} {}: {why}", claim.tool, record.network, record.property);
    }
}
