//! Every attack as a line of `results.csv`; of several runs with the limit in front.

use super::record::{Picture, Record};
use super::run::Subject;
use crate::csv;

const NAMES: [&str; 22] = [
    "method",
    "image",
    "file",
    "label",
    "target",
    "ending",
    "class",
    "picture",
    "picture_class",
    "values",
    "pixels",
    "l1",
    "l2",
    "linf",
    "seconds",
    "evaluations",
    "gradients",
    "programs",
    "norm",
    "bound",
    "gap",
    "proved",
];

/// The table; `names` are those of the images, by number.
pub fn text(records: &[Record], subjects: &[Subject], names: &[String]) -> String {
    csv::text([NAMES]) + &lines(None, records, subjects, names)
}

/// The heads of the columns where a line begins with its limit.
pub fn names_with_limit() -> String {
    csv::text([["limit"].iter().chain(&NAMES)])
}

/// The lines alone, with a limit in front or without.
pub fn lines(limit: Option<&str>, records: &[Record], subjects: &[Subject], names: &[String]) -> String {
    let front = limit.map(str::to_owned);
    csv::text(records.iter().map(|record| front.iter().cloned().chain(cells(record, subjects, names))))
}

/// As [`NAMES`].
fn cells(record: &Record, subjects: &[Subject], names: &[String]) -> [String; NAMES.len()] {
    let subject = subjects.iter().find(|subject| subject.number == record.image);
    let picture = record.found.as_ref().map(|found| found.picture);
    let distance = record.found.as_ref().map(|found| found.distance);
    let number = |number: Option<String>| number.unwrap_or_default();
    [
        record.method.clone(),
        record.image.to_string(),
        names.get(record.image).cloned().unwrap_or_default(),
        number(subject.map(|subject| subject.label.to_string())),
        number(subject.and_then(|subject| subject.target).map(|target| target.to_string())),
        record.ending.words().to_owned(),
        number(record.found.as_ref().map(|found| found.class.to_string())),
        picture
            .map_or("", |picture| if picture.is_adversarial() { "adversarial" } else { "lost" })
            .to_owned(),
        number(picture.and_then(Picture::class).map(|class| class.to_string())),
        number(distance.map(|distance| distance.values.to_string())),
        number(distance.map(|distance| distance.pixels.to_string())),
        number(distance.map(|distance| distance.l1.to_string())),
        number(distance.map(|distance| distance.l2.to_string())),
        number(distance.map(|distance| distance.linf.to_string())),
        format!("{:.6}", record.seconds),
        record.spent.evaluations.to_string(),
        record.spent.gradients.to_string(),
        record.spent.programs.to_string(),
        number(record.proved.map(|proved| proved.norm.to_string())),
        number(record.proved.and_then(|proved| proved.bound).map(|bound| bound.to_string())),
        number(record.proved.map(|proved| proved.gap.to_string())),
        number(record.proved.map(|proved| proved.optimal.to_string())),
    ]
}
