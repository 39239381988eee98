//! The overview of runs with several limits, as a page: methods by limits, and the way to each run's own page.

use std::fmt::{self, Write};

use super::{foot, head};
use crate::attack::overview::{self, DEFINITIONS, OverviewLine, OverviewRun};
use crate::report::markup::Text;

/// The page; `title` is what was attacked.
pub fn page(title: &str, parts: &[OverviewRun]) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut out, title, parts);
    out
}

fn write_page(out: &mut String, title: &str, parts: &[OverviewRun]) -> fmt::Result {
    head(out, title)?;
    writeln!(out, "<p>{} A press on a heading sorts.</p>\n<ul>", overview::images(parts))?;
    for OverviewRun { text, folder, .. } in parts {
        writeln!(out, "<li><a href=\"{0}/report.html\">Report of {1}</a></li>", Text(folder), Text(text))?;
    }
    writeln!(out, "</ul>\n<div class=\"wide\"><table id=\"limits\">\n<thead><tr>")?;
    for name in ["method"].into_iter().chain(parts.iter().map(|part| part.text.as_str())) {
        writeln!(out, "<th><button>{}</button></th>", Text(name))?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    overview::methods(parts).iter().try_for_each(|line| row(out, line))?;
    writeln!(out, "</tbody>\n<tfoot>")?;
    overview::totals(parts).iter().try_for_each(|line| row(out, line))?;
    writeln!(out, "</tfoot></table></div>\n<h2>What the figures mean</h2>\n<dl>")?;
    for (name, definition) in DEFINITIONS {
        writeln!(out, "<dt>{}</dt><dd>{}</dd>", Text(name), Text(definition))?;
    }
    writeln!(out, "</dl>")?;
    foot(out)
}

fn row(out: &mut String, line: &OverviewLine) -> fmt::Result {
    let name = Text(&line.name);
    write!(out, "<tr title=\"{}\"><td data-value=\"{name}\">{name}</td>", Text(&line.about))?;
    for cell in &line.cells {
        let key = cell.key.map_or(String::new(), |key| key.to_string());
        write!(out, "<td data-value=\"{key}\">{}</td>", Text(&cell.text))?;
    }
    writeln!(out, "</tr>")
}
