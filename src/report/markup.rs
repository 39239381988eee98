//! What the pages that commands write have in common. Markup is the crate `maud`'s, which escapes every text and is checked when
//! this program is compiled.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// A page of figures and wide tables, light or dark as its reader wants it.
pub(crate) const STYLE: &str = include_str!("style.css");

/// A page that needs nothing but itself.
pub(crate) fn page(title: &str, heading: &str, style: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (title) }
                style { (PreEscaped(style)) }
            }
            body {
                h1 { (heading) }
                (body)
            }
        }
    };
    page.into_string()
}

/// A cell of text on one line; what does not fit is said when pointed at.
pub(crate) fn cell(text: &str) -> Markup {
    html! { td.text title=(text) { (text) } }
}

/// A cell with a file's name; its folder, too, when pointed at.
pub(crate) fn file_cell(path: &str) -> Markup {
    // A list of networks is no path.
    let name = match path.starts_with('[') {
        true => path,
        false => path.rsplit('/').next().unwrap_or(path),
    };
    html! { td.text title=(path) { (name) } }
}

/// Numbers that matter most, each above its name.
pub(crate) fn figures(figures: &[(&str, String)]) -> Markup {
    html! {
        div.figures {
            @for (name, number) in figures {
                div { b { (number) } (name) }
            }
        }
    }
}

/// A PNG file as an address that stands in the page itself.
pub(crate) fn png_source(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_markup() {
        let text = "a < b & \"c\" > d";
        let escaped = "a &lt; b &amp; &quot;c&quot; &gt; d";
        assert_eq!(
            cell(text).into_string(),
            format!("<td class=\"text\" title=\"{escaped}\">{escaped}</td>")
        );
        assert!(page(text, text, "", &html! { (text) }).matches(escaped).count() == 3);
    }

    #[test]
    fn files_are_shown_without_their_folder() {
        for (path, name) in
            [("a/b.onnx", "b.onnx"), ("b.onnx", "b.onnx"), ("[('f', 'a/b')]", "[('f', 'a/b')]")]
        {
            let want = html! { td.text title=(path) { (name) } };
            assert_eq!(file_cell(path).into_string(), want.into_string());
        }
    }
}
