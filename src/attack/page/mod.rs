//! A run as one page of HTML that needs nothing but itself: the table, which sorts by each column, plots, and a gallery
//! as in the paper's Figs. 6 and 7.

mod gallery;
pub mod limits;
mod plots;

use std::fmt::{self, Write};

use super::measures::definitions;
use super::measures::statistic::Statistic;
use super::record::Record;
use super::run::Subject;
use super::summary::{MethodRow, Summary};
use super::{Victim, table};
use crate::report::markup::Text;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("sort.js");

/// What the page shows.
#[derive(Debug)]
pub struct Content<'a> {
    /// What was attacked, for the heading.
    pub title: String,
    /// The figures.
    pub summary: &'a Summary,
    /// The classifier.
    pub victim: &'a Victim,
    /// The images.
    pub subjects: &'a [Subject],
    /// The attacks.
    pub records: &'a [Record],
    /// Most pictures a method.
    pub gallery: usize,
}

/// The page.
pub fn page(content: &Content<'_>) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut out, content);
    out
}

fn write_page(out: &mut String, content: &Content<'_>) -> fmt::Result {
    let Summary { images, correct, attacked, .. } = content.summary;
    head(out, &content.title)?;
    writeln!(
        out,
        "<p>{images} images, {correct} classified correctly, {attacked} attacked. Distances, seconds and evaluations: \
         mean / median / max. A press on a heading sorts.</p>"
    )?;
    figures(out, content.summary)?;
    definitions_list(out, content.summary)?;
    plots::write(out, content.summary)?;
    gallery::write(out, content)?;
    foot(out)
}

/// The page's beginning, with its style and heading.
fn head(out: &mut String, title: &str) -> fmt::Result {
    let title = Text(title);
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Attack on {title} by Counterpatch</title>\n\
         <style>\n{STYLE}</style>\n<h1>Attack on {title}</h1>"
    )
}

/// Its end, with the script that sorts.
fn foot(out: &mut String) -> fmt::Result {
    writeln!(out, "<script>\n{SCRIPT}</script>\n</html>")
}

fn figures(out: &mut String, summary: &Summary) -> fmt::Result {
    writeln!(out, "<div class=\"wide\"><table id=\"methods\">\n<thead><tr>")?;
    for name in table::columns(summary) {
        writeln!(out, "<th><button>{}</button></th>", Text(&name))?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    for row in &summary.rows {
        write!(out, "<tr title=\"{}\">", Text(&row.about))?;
        for (cell, key) in table::cells(summary, row).iter().zip(keys(row)) {
            write!(out, "<td data-value=\"{}\">{}</td>", Text(&key), Text(cell))?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody></table></div>")
}

/// What each cell of a row is sorted by; empty where there is no figure.
fn keys(row: &MethodRow) -> Vec<String> {
    let number = |number: Option<f64>| number.map_or(String::new(), |number| number.to_string());
    let mean = |statistic: Option<Statistic>| number(statistic.map(|statistic| statistic.mean));
    let part = |count: usize, of: usize| number((of > 0).then(|| count as f64 / of as f64));
    let mut keys = vec![
        row.method.clone(),
        part(row.successes, row.attacked),
        part(row.successes, row.images),
        number(row.leaves_range.then_some(row.own_successes as f64)),
        part(row.pictures, row.successes + row.own_successes),
    ];
    keys.extend([row.values, row.pixels].map(mean));
    keys.push(number(row.pixel_share));
    keys.extend([row.l1, row.l2, row.linf, row.similarity].map(mean));
    keys.extend([row.pielou, row.frechet].map(number));
    keys.extend([row.seconds, row.evaluations].map(mean));
    keys.extend(row.transfers.iter().map(|transfer| part(transfer.fooled, transfer.asked)));
    keys
}

fn definitions_list(out: &mut String, summary: &Summary) -> fmt::Result {
    writeln!(out, "<h2>What the figures mean</h2>\n<dl>")?;
    for (name, definition) in definitions::all(summary) {
        writeln!(out, "<dt>{}</dt><dd>{}</dd>", Text(name), Text(&definition))?;
    }
    writeln!(out, "</dl>")
}
