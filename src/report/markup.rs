//! Text in HTML, and how a page of tables looks, for the pages that commands write.

use std::fmt::{self, Display, Write};

/// Text that stands for itself: what HTML would read as markup is written as entities.
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            c => f.write_char(c),
        })
    }
}

/// A page of figures and wide tables, light or dark as its reader wants it.
const STYLE: &str = "\
:root { color-scheme: light dark; --line: #8884; --bad: #c22; --soft: #8882; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
.interrupted { border-left: .3rem solid var(--bad); padding-left: .7rem; }
table { border-collapse: separate; border-spacing: 0; font-variant-numeric: tabular-nums; }
.wide { overflow: auto; max-height: 50vh; border: 1px solid var(--line); }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; \
white-space: nowrap; }
th { font-weight: 600; position: sticky; top: 0; background: Canvas; z-index: 1; }
th.text, td.text { text-align: left; max-width: 24rem; overflow: hidden; text-overflow: ellipsis; }
th:first-child, td:first-child { position: sticky; left: 0; background: Canvas; max-width: 9rem; overflow: hidden; \
text-overflow: ellipsis; } th:first-child { z-index: 2; }
td.why { max-width: none; } details[open] { white-space: normal; min-width: 20rem; max-width: 40rem; }
tr:hover td { background: var(--soft); } td.zero { opacity: .3; } td.bad { color: var(--bad); font-weight: 700; }
pre { overflow: auto; max-height: 20rem; background: var(--soft); padding: .5rem; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem; } .figures div { background: var(--soft); padding: .6rem 1rem; }
.figures b { display: block; font-size: 1.5rem; }";

/// The beginning of a page, with its heading.
pub(crate) fn head(title: &str) -> String {
    let title = Text(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>\n{STYLE}\n</style>\n<h1>{title}</h1>\n"
    )
}

/// A cell of text on one line; what does not fit is said when pointed at.
pub(crate) struct Cell<'a>(pub(crate) &'a str);

impl Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<td class=\"text\" title=\"{0}\">{0}</td>", Text(self.0))
    }
}

/// A cell with a file's name; its folder, too, when pointed at.
pub(crate) struct FileCell<'a>(pub(crate) &'a str);

impl Display for FileCell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A list of networks is no path.
        let name = match self.0.starts_with('[') {
            true => self.0,
            false => self.0.rsplit('/').next().unwrap_or(self.0),
        };
        write!(f, "<td class=\"text\" title=\"{}\">{}</td>", Text(self.0), Text(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_markup() {
        assert_eq!(Text("a < b & \"c\" > d").to_string(), "a &lt; b &amp; &quot;c&quot; &gt; d");
    }
}
