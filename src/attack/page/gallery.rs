//! Original, result and amplified difference side by side, as pictures within the page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};

use super::Content;
use crate::attack::images::picture;
use crate::attack::record::{ConfirmedResult, Record};
use crate::attack::run::Subject;
use crate::attack::summary::MethodRow;

/// The gallery of each method with a success.
pub(super) fn gallery(content: &Content<'_>) -> Markup {
    html! {
        h2 { "Gallery" }
        p {
            "Original, adversarial, and the change: grey is none, white or black the largest of the image. Methods marked * leave \
             the valid range: what is outside is cut off here."
        }
        @for row in &content.summary.rows {
            @let shown = shown(content, row);
            @if !shown.is_empty() {
                h3 { (row.method) (if row.leaves_range { "*" } else { "" }) }
                p { (row.about) }
                div.gallery {
                    @for (subject, found) in shown { (figure(content, subject, found)) }
                }
            }
        }
    }
}

/// Successes of a method from all over the set, evenly spaced, as many as asked for.
fn shown<'a>(content: &Content<'a>, row: &MethodRow) -> Vec<(&'a Subject, &'a ConfirmedResult)> {
    let found: Vec<(&Record, &ConfirmedResult)> = content
        .records
        .iter()
        .filter(|record| record.method == row.method)
        .filter_map(|record| Some((record, record.found.as_ref()?)))
        .collect();
    let shown = content.gallery.min(found.len());
    let chosen = (0..shown).map(|at| found[at * found.len() / shown]);
    let subject = |number| content.subjects.iter().find(|subject| subject.number == number);
    chosen.filter_map(|(record, found)| Some((subject(record.image)?, found))).collect()
}

fn figure(content: &Content<'_>, subject: &Subject, found: &ConfirmedResult) -> Markup {
    let (original, result) = (content.victim.shows(&subject.input), content.victim.shows(&found.input));
    let difference = picture::difference(&original, &result);
    let source = |values: &[f32]| {
        // A picture of the victim's own shape always fits it.
        let bytes = picture::write(content.victim.shape(), values).unwrap_or_default();
        format!("data:image/png;base64,{}", STANDARD.encode(bytes))
    };
    let distance = &found.distance;
    html! {
        figure {
            @for (name, values) in [("original", original), ("adversarial", result), ("difference", difference)] {
                img alt=(name) src=(source(&values));
                " "
            }
            figcaption {
                "image " (subject.number) ": " (subject.label) " taken for " (found.class) "; "
                (format!("{} values, L2 {:.3}, Linf {:.3}", distance.values, distance.l2, distance.linf))
                @if !found.picture.is_adversarial() { "; as a picture of 8 bits it is not adversarial" }
            }
        }
    }
}
