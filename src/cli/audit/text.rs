//! An audit as text: a table, then what is wrong, one claim a line.

use std::fmt::Write;

use crate::audit::summary::{COLUMNS, Case};
use crate::audit::{Finding, Summary, Truth};

pub(super) fn of(summary: &Summary<'_>) -> String {
    let mut out = String::new();
    if summary.open > 0 {
        let _ = writeln!(out, "Interrupted: {} instances are not examined.\n", summary.open);
    }
    table(&mut out, summary);
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
    let unusable = summary
        .records
        .iter()
        .filter(|record| matches!(record.truth, Truth::Unusable(_) | Truth::Contradiction { .. }));
    for record in unusable {
        let _ = writeln!(out, "\nnot used: {} {}: {}", record.network, record.property, record.truth.words());
    }
    out
}

/// Lines of Markdown, with the columns that hold anything. Writing to a String cannot fail.
fn table(out: &mut String, summary: &Summary<'_>) {
    let totals = summary.total.cells();
    let shown: Vec<usize> = (0..COLUMNS.len()).filter(|&at| totals[at] > 0).collect();
    let names: Vec<&str> = shown.iter().map(|&at| COLUMNS[at]).collect();
    let _ = writeln!(out, "| tool | benchmark | {} |", names.join(" | "));
    let _ = writeln!(out, "|---|---|{}", "---|".repeat(names.len()));
    let lines = summary.lines.iter().map(|line| (line.tool.as_str(), line.benchmark.as_str(), line.counts));
    for (tool, benchmark, counts) in lines.chain([("all", "", summary.total)]) {
        let cells = counts.cells();
        let cells: Vec<String> = shown.iter().map(|&at| cells[at].to_string()).collect();
        let _ = writeln!(out, "| {tool} | {benchmark} | {} |", cells.join(" | "));
    }
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
