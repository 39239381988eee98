//! A run as one page of HTML that needs nothing but itself: the table, which sorts by each column, plots, and a gallery
//! as in the paper's Figs. 6 and 7.

mod gallery;
pub mod limits;
mod plots;

use std::fmt::Display;

use maud::{Markup, PreEscaped, html};

use super::measures::definitions;
use super::measures::statistic::Statistic;
use super::record::Record;
use super::run::Subject;
use super::summary::{MethodRow, Summary};
use super::{Victim, table};
use crate::report::markup;

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
    let Summary { images, correct, attacked, .. } = content.summary;
    whole(
        &content.title,
        &html! {
            p {
                (images) " images, " (correct) " classified correctly, " (attacked) " attacked. Distances, seconds and evaluations: \
                 mean / median / max. A press on a heading sorts."
            }
            (figures(content.summary))
            (definitions_list(definitions::all(content.summary)))
            (plots::plots(content.summary))
            (gallery::gallery(content))
        },
    )
}

/// A page on the attack of `title`, with the script that sorts at its end.
fn whole(title: &str, body: &Markup) -> String {
    let body = html! { (body) script { (PreEscaped(SCRIPT)) } };
    markup::page(&format!("Attack on {title} by Counterpatch"), &format!("Attack on {title}"), STYLE, &body)
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

fn figures(summary: &Summary) -> Markup {
    html! {
        div.wide {
            table #methods {
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

/// Names and what they mean.
fn definitions_list(definitions: impl IntoIterator<Item = (&'static str, impl Display)>) -> Markup {
    html! {
        h2 { "What the figures mean" }
        dl {
            @for (name, definition) in definitions {
                dt { (name) }
                dd { (definition.to_string()) }
            }
        }
    }
}
