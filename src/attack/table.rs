//! The table of a run as text for a terminal, with the definition of every figure below it.

use std::fmt::Write;

use super::measures::definitions;
use super::measures::statistic::Statistic;
use super::summary::{MethodRow, Summary};
use crate::report::table::aligned;

/// Column names and how a row fills them; the page shows the same.
pub const COLUMNS: [&str; 16] = [
    "method",
    "defects",
    "of all",
    "own def.",
    "pictures",
    "values",
    "pixels",
    "pixels %",
    "L1",
    "L2",
    "Linf",
    "SSIM",
    "Pielou",
    "Frechet",
    "seconds",
    "evaluations",
];

/// The cells of a row, as texts; `-` where there is no figure. Distances are `mean / median / max`.
pub fn cells(summary: &Summary, row: &MethodRow) -> Vec<String> {
    let all = |statistic: Option<Statistic>, digits: usize| {
        statistic.map_or("-".to_owned(), |Statistic { mean, median, max }| {
            format!("{mean:.digits$} / {median:.digits$} / {max:.digits$}")
        })
    };
    let wrong = summary.images - summary.correct;
    let part = |count: usize, of: usize| match of {
        0 => "-".to_owned(),
        _ => format!("{:.1}% ({count}/{of})", 100.0 * count as f64 / of as f64),
    };
    let one = |number: Option<f64>| number.map_or("-".to_owned(), |number| format!("{number:.4}"));
    let star = if row.leaves_range { "*" } else { "" };
    let mut cells = vec![
        format!("{}{star}", row.method),
        part(row.successes, row.attacked),
        // With a protocol that leaves correct images out there is no such figure.
        if summary.attacked == summary.correct {
            part(row.successes + wrong, row.images)
        } else {
            "-".into()
        },
        if row.leaves_range { part(row.own_successes, row.attacked) } else { "-".into() },
        part(row.pictures, row.successes + row.own_successes),
        all(row.values, 1),
        all(row.pixels, 1),
        row.pixel_share.map_or("-".to_owned(), |share| format!("{share:.2}")),
        all(row.l1, 3),
        all(row.l2, 3),
        all(row.linf, 3),
        one(row.similarity.map(|similarity| similarity.mean)),
        one(row.pielou),
        row.frechet.map_or("-".to_owned(), |distance| format!("{distance:.4e}")),
        all(row.seconds, 4),
        all(row.evaluations, 0),
    ];
    cells.extend(row.transfers.iter().map(|transfer| part(transfer.fooled, transfer.asked)));
    cells
}

/// The names of all columns: one more a network of the transfers.
pub fn columns(summary: &Summary) -> Vec<String> {
    let transfers = summary.rows.first().map_or(&[][..], |row| &row.transfers);
    let others = transfers.iter().map(|transfer| format!("transfer to {}", transfer.network));
    COLUMNS.iter().map(|&name| name.to_owned()).chain(others).collect()
}

/// The table.
pub fn text(summary: &Summary) -> String {
    let mut lines = vec![columns(summary)];
    lines.extend(summary.rows.iter().map(|row| cells(summary, row)));
    let mut out = format!(
        "{} images, {} classified correctly, {} attacked. Distances, seconds and evaluations: mean / median / max.\n\n",
        summary.images, summary.correct, summary.attacked
    );
    out += &aligned(&lines, |column| column == 0);
    out.push('\n');
    for (name, definition) in definitions::all(summary) {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{name}: {definition}");
    }
    out
}
