//! Original, result and amplified difference side by side, as pictures within the page.

use std::fmt::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Content;
use crate::attack::images::picture;
use crate::attack::record::{ConfirmedResult, Record};
use crate::attack::run::Subject;
use crate::report::markup::Text;

/// The gallery of each method with a success: pictures from all over the set, evenly spaced, as many as asked for.
pub(super) fn write(out: &mut String, content: &Content<'_>) -> fmt::Result {
    writeln!(
        out,
        "<h2>Gallery</h2>\n<p>Original, adversarial, and the change: grey is none, white or black the largest of the image. \
         Methods marked * leave the valid range: what is outside is cut off here.</p>"
    )?;
    for row in &content.summary.rows {
        let found: Vec<(&Record, &ConfirmedResult)> = content
            .records
            .iter()
            .filter(|record| record.method == row.method)
            .filter_map(|record| Some((record, record.found.as_ref()?)))
            .collect();
        let shown = content.gallery.min(found.len());
        if shown == 0 {
            continue;
        }
        let star = if row.leaves_range { "*" } else { "" };
        writeln!(
            out,
            "<h3>{}{star}</h3>\n<p>{}</p>\n<div class=\"gallery\">",
            Text(&row.method),
            Text(&row.about)
        )?;
        for at in 0..shown {
            let (record, found) = found[at * found.len() / shown];
            let subject = content.subjects.iter().find(|subject| subject.number == record.image);
            if let Some(subject) = subject {
                figure(out, content, subject, found)?;
            }
        }
        writeln!(out, "</div>")?;
    }
    Ok(())
}

fn figure(
    out: &mut String,
    content: &Content<'_>,
    subject: &Subject,
    found: &ConfirmedResult,
) -> fmt::Result {
    let (original, result) = (content.victim.shows(&subject.input), content.victim.shows(&found.input));
    let difference = picture::difference(&original, &result);
    write!(out, "<figure>")?;
    for (name, values) in [("original", original), ("adversarial", result), ("difference", difference)] {
        // A picture of the victim's own shape always fits it.
        let bytes = picture::write(content.victim.shape(), &values).unwrap_or_default();
        write!(out, "<img alt=\"{name}\" src=\"data:image/png;base64,{}\"> ", STANDARD.encode(bytes))?;
    }
    writeln!(
        out,
        "<figcaption>image {}: {} taken for {}; {} values, L2 {:.3}, Linf {:.3}{}</figcaption></figure>",
        subject.number,
        subject.label,
        found.class,
        found.distance.values,
        found.distance.l2,
        found.distance.linf,
        if found.picture.is_adversarial() { "" } else { "; as a picture of 8 bits it is not adversarial" }
    )
}
