//! Runs with several limits beside each other: how often each method succeeds within each of them, as a table for a terminal and
//! as JSON. The page is [`page::limits`](super::page::limits).

use serde_json::{Value, json};

use super::Limits;
use super::record::{AttackEnding, Record};
use super::summary::{MethodRow, Summary};
use crate::report::table::aligned;

/// What the figures mean.
pub const DEFINITIONS: [(&str, &str); 3] = [
    (
        "methods",
        "images with a valid success within the limits, of those attacked, and the median of the L2 distances of successes, \
         in pixels (values 0 to 1). Methods marked * leave the limits: what they find is in the reports, and never valid",
    ),
    ("any method", "images with a valid success of at least one of the methods, of those attacked"),
    (
        "robust accuracy",
        "images that the network classifies correctly and no method changes within the limits, of all images; - where \
         some of them are left alone (--protocol, a chosen class)",
    ),
];

/// One run.
#[derive(Debug, Clone)]
pub struct OverviewRun {
    /// Its limits as they were typed.
    pub text: String,
    /// Its folder, beside the overview.
    pub folder: String,
    /// The limits.
    pub limits: Limits,
    /// Its figures: every run has the same methods and images.
    pub summary: Summary,
    /// Images with a valid success of any method.
    pub fooled: usize,
}

/// How many images have a valid success.
pub fn fooled(records: &[Record]) -> usize {
    let valid = records.iter().filter(|record| record.ending == AttackEnding::Adversarial);
    valid.map(|record| record.image).collect::<std::collections::BTreeSet<_>>().len()
}

/// A figure: what is shown, and what it is sorted by.
#[derive(Debug, Clone, PartialEq)]
pub struct OverviewCell {
    /// As shown.
    pub text: String,
    /// As a number, 0 to 1; `None` where there is none.
    pub key: Option<f64>,
}

/// A row of figures, one a limit.
#[derive(Debug, Clone, PartialEq)]
pub struct OverviewLine {
    /// The method, or what is counted over all of them.
    pub name: String,
    /// What it is.
    pub about: String,
    /// One a limit.
    pub cells: Vec<OverviewCell>,
}

/// A row for each method.
pub fn methods(parts: &[OverviewRun]) -> Vec<OverviewLine> {
    let of = |at: usize, row: &MethodRow| OverviewLine {
        name: format!("{}{}", row.method, if row.leaves_range { "*" } else { "" }),
        about: row.about.clone(),
        cells: parts.iter().filter_map(|part| part.summary.rows.get(at)).map(cell).collect(),
    };
    let rows = parts.first().map_or(&[][..], |part| &part.summary.rows);
    rows.iter().enumerate().map(|(at, row)| of(at, row)).collect()
}

fn cell(row: &MethodRow) -> OverviewCell {
    let OverviewCell { text, key } = share(row.successes, row.attacked);
    let median = row.l2.filter(|_| !row.leaves_range).map(|l2| format!(", L2 {:.3}", l2.median));
    OverviewCell { text: text + &median.unwrap_or_default(), key }
}

fn share(count: usize, of: usize) -> OverviewCell {
    let key = (of > 0).then(|| count as f64 / of as f64);
    let text = key.map_or("-".to_owned(), |key| format!("{:.1}% ({count}/{of})", 100.0 * key));
    OverviewCell { text, key }
}

/// What is counted over all methods.
pub fn totals(parts: &[OverviewRun]) -> Vec<OverviewLine> {
    let [_, any, robust] = DEFINITIONS;
    let line = |(name, about): (&str, &str), cell: &dyn Fn(&OverviewRun) -> OverviewCell| OverviewLine {
        name: name.to_owned(),
        about: about.to_owned(),
        cells: parts.iter().map(cell).collect(),
    };
    let remain = |part: &OverviewRun| {
        let Summary { images, correct, attacked, .. } = part.summary;
        let all = if attacked == correct { images } else { 0 };
        share(correct.saturating_sub(part.fooled), all)
    };
    vec![line(any, &|part| share(part.fooled, part.summary.attacked)), line(robust, &remain)]
}

/// How many images there are.
pub fn images(parts: &[OverviewRun]) -> String {
    parts.first().map_or(String::new(), |OverviewRun { summary, .. }| {
        let Summary { images, correct, attacked, .. } = summary;
        format!("{images} images, {correct} classified correctly, {attacked} attacked.")
    })
}

/// Limits beside each other in a terminal of 100 columns.
const BESIDE: usize = 5;

/// The table for a terminal: success by limit, five limits beside each other, further ones in a table below.
pub fn text(parts: &[OverviewRun]) -> String {
    let mut out = format!("{}\n", images(parts));
    for parts in parts.chunks(BESIDE) {
        let head = ["method"].into_iter().chain(parts.iter().map(|part| part.text.as_str()));
        let mut lines = vec![head.map(str::to_owned).collect::<Vec<String>>()];
        for line in methods(parts).into_iter().chain(totals(parts)) {
            // The distances behind the comma are for the page.
            let shares =
                line.cells.into_iter().map(|cell| cell.text.split(',').next().unwrap_or_default().to_owned());
            lines.push([line.name].into_iter().chain(shares).collect());
        }
        out = out + "\n" + &aligned(&lines, |column| column == 0);
    }
    out += "\nValid successes within the limits, of the attacked images. Robust accuracy: images that are\n\
            classified correctly and changed by no method, of all images.\n";
    out
}

/// Every figure of every run, with its limits; `null` where there is none.
pub fn to_json(parts: &[OverviewRun], settings: Value) -> Value {
    let one = |part: &OverviewRun| {
        let finite = |limit: f32| limit.is_finite().then_some(limit);
        let Limits { linf, l2, pixels } = part.limits;
        let mut run = part.summary.figures();
        run["limit"] = json!(part.text);
        run["folder"] = json!(part.folder);
        run["limits"] = json!({
            "linf": finite(linf),
            "l2": finite(l2),
            "pixels": (pixels < usize::MAX).then_some(pixels),
        });
        run["fooled"] = json!(part.fooled);
        run
    };
    json!({ "settings": settings, "runs": parts.iter().map(one).collect::<Vec<_>>() })
}
