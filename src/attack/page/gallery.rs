//! One image under all methods: the original, and of each method the result and the amplified change, as pictures within the
//! page.

use std::collections::HashMap;

use maud::{Markup, html};

use super::{Content, name};
use crate::attack::images::picture;
use crate::attack::record::{AttackEnding, ConfirmedResult, Record};
use crate::attack::run::Subject;
use crate::attack::summary::MethodRow;
use crate::report::chart::short;
use crate::report::markup::png_source;

/// The images that are shown.
pub(super) fn gallery(content: &Content<'_>) -> Markup {
    let shown = shown(content);
    let ranked = content.ranked();
    let records: HashMap<(&str, usize), &Record> =
        content.records.iter().map(|record| ((record.method.as_str(), record.image), record)).collect();
    html! {
        @if !shown.is_empty() {
            h2 { "One image under all methods" }
            p {
                "Of each method the result, and the change: grey is none, white or black the largest of the image. The pictures of all "
                "successes are beside this page, in the folder " code { "images" } "."
            }
            @for subject in shown {
                section.image {
                    h3 { "Image " (subject.number) (called(content, subject)) ": class " (subject.label) }
                    div.tiles {
                        (original(content, subject))
                        @for row in &ranked {
                            (tile(content, subject, row, records.get(&(row.method.as_str(), subject.number)).copied()))
                        }
                    }
                }
            }
        }
    }
}

/// Its name, where that is more than its number.
fn called(content: &Content<'_>, subject: &Subject) -> String {
    match content.names.get(subject.number) {
        Some(name) if *name != subject.number.to_string() => format!(", {name}"),
        _ => String::new(),
    }
}

/// Images that some method has changed, from all over the set, evenly spaced, as many as asked for.
fn shown<'a>(content: &Content<'a>) -> Vec<&'a Subject> {
    let is_changed = |subject: &&Subject| {
        content.records.iter().any(|record| record.image == subject.number && record.found.is_some())
    };
    let changed: Vec<&Subject> = content.subjects.iter().filter(is_changed).collect();
    let shown = content.gallery.min(changed.len());
    (0..shown).map(|at| changed[at * changed.len() / shown]).collect()
}

fn source(content: &Content<'_>, values: &[f32]) -> String {
    // A picture of the victim's own shape always fits it.
    png_source(&picture::write(content.victim.shape(), values).unwrap_or_default())
}

fn original(content: &Content<'_>, subject: &Subject) -> Markup {
    html! {
        figure {
            div.pair { img alt="original" src=(source(content, &content.victim.shows(&subject.input))); }
            figcaption { b { "original" } span { "class " (subject.label) } }
        }
    }
}

fn tile(content: &Content<'_>, subject: &Subject, row: &MethodRow, record: Option<&Record>) -> Markup {
    let found = record.and_then(|record| record.found.as_ref());
    html! {
        figure title=(row.about) {
            div.pair {
                @match found {
                    Some(found) => (pictures(content, subject, found)),
                    None => div.none {},
                }
            }
            figcaption {
                b { (name(row)) }
                span {
                    @match (found, record) {
                        (Some(found), _) => (said(found)),
                        (None, Some(record)) => (record.ending.words()),
                        (None, None) => "not attacked",
                    }
                    @if record.is_some_and(|record| record.ending == AttackEnding::OwnDefinition) { " (out of range)" }
                }
            }
        }
    }
}

fn pictures(content: &Content<'_>, subject: &Subject, found: &ConfirmedResult) -> Markup {
    let (original, result) = (content.victim.shows(&subject.input), content.victim.shows(&found.input));
    let difference = picture::difference(&original, &result);
    html! {
        img alt="adversarial" src=(source(content, &result));
        img alt="difference" src=(source(content, &difference));
    }
}

fn said(found: &ConfirmedResult) -> Markup {
    let distance = &found.distance;
    html! {
        "class " (found.class) ", " (distance.pixels) " pixels" br;
        "L2 " (short(distance.l2)) ", Linf " (short(distance.linf))
        @if !found.picture.is_adversarial() { br; "not adversarial in 8 bits" }
    }
}
