//! The overview of runs with several limits, as a page: methods by limits, and the way to each run's own page.

use maud::{Markup, html};

use super::{definitions_list, heads, whole};
use crate::attack::overview::{self, DEFINITIONS, OverviewLine, OverviewRun};
use crate::report::Provenance;

/// The page; `title` is what was attacked, `settings` what all runs were told.
pub fn page(
    title: &str,
    parts: &[OverviewRun],
    settings: &[(&'static str, String)],
    provenance: &Provenance,
) -> String {
    let names = ["method"].into_iter().chain(parts.iter().map(|part| part.text.as_str()));
    whole(
        title,
        &html! {
            p { (overview::images(parts)) " A press on a heading sorts." }
            (provenance.block(settings))
            h2 { "Methods and limits" }
            div.wide.whole {
                table #limits {
                    (heads(names))
                    tbody { @for line in overview::methods(parts) { (row(&line)) } }
                    tfoot { @for line in overview::totals(parts) { (row(&line)) } }
                }
            }
            ul {
                @for OverviewRun { text, folder, .. } in parts {
                    li { a href={ (folder) "/report.html" } { "Report of " (text) } }
                }
            }
            (definitions_list(DEFINITIONS))
        },
    )
}

fn row(line: &OverviewLine) -> Markup {
    html! {
        tr title=(line.about) {
            td data-value=(line.name) { (line.name) }
            @for cell in &line.cells {
                td data-value=(cell.key.map_or(String::new(), |key| key.to_string())) { (cell.text) }
            }
        }
    }
}
