//! The table of a run: all figures, for the page, and the few that a terminal has room for.

use super::measures::statistic::Statistic;
use super::summary::{MethodRow, Summary};
use crate::nearest::Norm;
use crate::report::chart::short;
use crate::report::table::aligned;

/// Column names and how a row fills them.
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

/// What the columns of [`text`] mean.
const SHORT: &str = "\
success: valid and confirmed by the reference engine, of the attacked images. Distances in pixels
(values 0 to 1), of successes; evaluations and seconds an image, mean of all attacked ones.
";

/// The table for a terminal, narrow enough for 100 columns: success, the distance in one norm and the effort. All other figures
/// are in the files of the report.
pub fn text(summary: &Summary, norm: Norm) -> String {
    let of = |number: Option<f64>| number.map_or("-".to_owned(), short);
    let head = ["method", "success", "", &format!("{norm} median"), "mean", "evaluations", "seconds"]
        .map(str::to_owned);
    let mut lines = vec![head.to_vec()];
    for row in &summary.rows {
        let (star, distance) = (if row.leaves_range { "*" } else { "" }, row.distance(norm));
        let share = 100.0 * row.successes as f64 / row.attacked as f64;
        lines.push(vec![
            format!("{}{star}", row.method),
            if row.attacked > 0 { format!("{share:.1}%") } else { "-".to_owned() },
            format!("{}/{}", row.successes, row.attacked),
            of(distance.map(|found| found.median)),
            of(distance.map(|found| found.mean)),
            of(row.evaluations.map(|found| found.mean.round())),
            of(row.seconds.map(|found| found.mean)),
        ]);
    }
    let Summary { images, correct, attacked, .. } = summary;
    let mut out = format!("{images} images, {correct} classified correctly, {attacked} attacked.\n\n");
    out += &aligned(&lines, |column| column == 0);
    out = out + "\n" + SHORT;
    if summary.rows.iter().any(|row| row.leaves_range) {
        out += "Methods marked * leave the valid range: what they find is never valid.\n";
    }
    out
}
