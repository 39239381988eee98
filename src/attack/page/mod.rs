//! A run as one page of HTML that needs nothing but itself. What matters first: how it was made, a table with few columns
//! that sorts, success within a distance as curves, one image under all methods as in the paper's Figs. 6 and 7. All other
//! figures and their meaning are folded.

mod gallery;
pub mod limits;
mod plots;

use std::cmp::Reverse;
use std::fmt::Display;

use maud::{Markup, PreEscaped, html};

use super::measures::definitions;
use super::measures::statistic::Statistic;
use super::record::Record;
use super::run::Subject;
use super::summary::{MethodRow, Summary};
use super::{Victim, overview, table};
use crate::nearest::Norm;
use crate::report::{Provenance, chart, markup};

const STYLE: &str = concat!(include_str!("../../report/style.css"), include_str!("style.css"));
const SCRIPT: &str = include_str!("page.js");

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
    /// Their names, by number.
    pub names: &'a [String],
    /// The attacks.
    pub records: &'a [Record],
    /// Most images that are shown under all methods.
    pub gallery: usize,
    /// The norm that the run is about.
    pub norm: Norm,
    /// What the run was told, by name.
    pub settings: &'a [(&'static str, String)],
    /// Who made it.
    pub provenance: &'a Provenance,
}

impl<'a> Content<'a> {
    /// The methods, those first that reach most, and among equals those with the smallest changes.
    fn ranked(&self) -> Vec<&'a MethodRow> {
        let mut rows: Vec<&MethodRow> = self.summary.rows.iter().collect();
        let far = |row: &MethodRow| row.distance(self.norm).map_or(f64::INFINITY, |found| found.median);
        rows.sort_by(|a, b| far(a).total_cmp(&far(b)));
        rows.sort_by_key(|row| Reverse((row.successes, row.own_successes)));
        rows
    }

    /// The place of a method in the run, which scripts know it by.
    fn key(&self, row: &MethodRow) -> usize {
        self.summary.rows.iter().position(|other| other.method == row.method).unwrap_or_default()
    }
}

/// The page.
pub fn page(content: &Content<'_>) -> String {
    whole(
        &content.title,
        &html! {
            (figures(content))
            (content.provenance.block(content.settings))
            (summary(content))
            (plots::plots(content))
            (gallery::gallery(content))
            (everything(content.summary))
        },
    )
}

/// A page on the attack of `title`, with its script at the end.
fn whole(title: &str, body: &Markup) -> String {
    let body = html! { (body) script { (PreEscaped(SCRIPT)) } };
    markup::page(&format!("Attack on {title} by Counterpatch"), &format!("Attack on {title}"), STYLE, &body)
}

/// The name of a distance.
fn norm_name(norm: Norm) -> &'static str {
    match norm {
        Norm::L0 => "pixels",
        Norm::L1 => "L1",
        Norm::L2 => "L2",
        Norm::Linf => "Linf",
    }
}

fn name(row: &MethodRow) -> String {
    format!("{}{}", row.method, if row.leaves_range { "*" } else { "" })
}

fn share(count: usize, of: usize) -> String {
    if of == 0 { "-".to_owned() } else { format!("{:.1}%", 100.0 * count as f64 / of as f64) }
}

/// What came of it in five numbers.
fn figures(content: &Content<'_>) -> Markup {
    let Summary { images, correct, attacked, .. } = *content.summary;
    let fooled = overview::fooled(content.records);
    let mut figures = vec![
        ("images", images.to_string()),
        ("classified correctly", share(correct, images)),
        ("attacked", attacked.to_string()),
        ("fooled by some method", share(fooled, attacked)),
    ];
    if attacked == correct {
        figures.push(("robust accuracy", share(correct.saturating_sub(fooled), images)));
    }
    markup::figures(&figures)
}

/// The heads of a table, to be pressed.
fn heads(names: impl IntoIterator<Item = impl Display>) -> Markup {
    html! {
        thead {
            tr {
                @for name in names { th { button { (name.to_string()) } } }
            }
        }
    }
}

/// The table that comes first.
fn summary(content: &Content<'_>) -> Markup {
    let norm = norm_name(content.norm);
    let heads_of =
        ["method".to_owned(), "success".to_owned(), format!("{norm}, median"), format!("{norm}, mean")];
    let efforts = ["evaluations", "seconds"].map(str::to_owned);
    let ranked = content.ranked();
    html! {
        h2 { "Methods" }
        div.wide.whole {
            table #methods {
                (heads(heads_of.iter().chain(&efforts)))
                tbody { @for row in &ranked { (summary_row(content, row)) } }
            }
        }
        p {
            "Success: of the attacked images, those that the reference engine confirms within the valid range and the limits. \
             Distances in pixels (values 0 to 1), of successes; evaluations and seconds an image, mean of all. A press on a heading \
             sorts."
            @if ranked.iter().any(|row| row.leaves_range) {
                " Methods marked * leave the valid range as published: what they find is never valid, and their distances are \
                 those of what they call a success."
            }
        }
    }
}

fn summary_row(content: &Content<'_>, row: &MethodRow) -> Markup {
    let number = |number: Option<f64>| {
        html! {
            td data-value=(number.map_or(String::new(), |number| number.to_string())) {
                (number.map_or("-".to_owned(), chart::short))
            }
        }
    };
    let distance = row.distance(content.norm);
    let part = if row.attacked > 0 { row.successes as f64 / row.attacked as f64 } else { 0.0 };
    html! {
        tr title=(row.about) {
            td data-value=(row.method) title={ (row.method) ": " (row.about) } { (name(row)) }
            td data-value=(part) {
                span.share style=(format!("--part:{:.1}%", 100.0 * part)) {}
                span.part {
                    (share(row.successes, row.attacked)) " "
                    small { "(" (row.successes) "/" (row.attacked) ")" }
                }
            }
            (number(distance.map(|found| found.median)))
            (number(distance.map(|found| found.mean)))
            (number(row.evaluations.map(|found| found.mean.round())))
            (number(row.seconds.map(|found| found.mean)))
        }
    }
}

/// Every figure of every method, and what it means.
fn everything(summary: &Summary) -> Markup {
    html! {
        h2 { "All figures" }
        details #figures {
            summary { "Every distance, similarity, transfer and effort of each method (mean / median / max)" }
            div.wide {
                table {
                    (heads(table::columns(summary)))
                    tbody {
                        @for row in &summary.rows {
                            tr title=(row.about) {
                                @for (cell, key) in table::cells(summary, row).iter().zip(keys(row)) {
                                    td data-value=(key) { (cell) }
                                }
                            }
                        }
                    }
                }
            }
        }
        (definitions_list(definitions::all(summary)))
    }
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

/// Names and what they mean, folded.
fn definitions_list(definitions: impl IntoIterator<Item = (&'static str, impl Display)>) -> Markup {
    html! {
        details {
            summary { "What the figures mean" }
            dl {
                @for (name, definition) in definitions {
                    dt { (name) }
                    dd { (definition.to_string()) }
                }
            }
        }
    }
}
