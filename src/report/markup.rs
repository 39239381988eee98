//! Text in HTML, for the pages that commands write.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_markup() {
        assert_eq!(Text("a < b & \"c\" > d").to_string(), "a &lt; b &amp; &quot;c&quot; &gt; d");
    }
}
