//! What a page was made by: it travels without the shell that it was made in.

use maud::{Markup, html};

use crate::{budget, escape};

/// A run of this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The command, as a shell takes it.
    pub command: String,
    /// The program's version.
    pub version: String,
    /// The commit that it was built from, where the build knew it.
    pub commit: Option<String>,
    /// When: date and time of day, UTC.
    pub date: String,
}

impl Provenance {
    /// Of this run, which begins now. `words` are the program's name and its arguments.
    pub fn now(words: impl IntoIterator<Item = String>, commit: Option<&str>) -> Self {
        let words: Vec<String> = words.into_iter().map(|word| escape::shell_word(&word)).collect();
        Self {
            command: words.join(" "),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: commit.filter(|commit| !commit.is_empty()).map(str::to_owned),
            date: budget::date(),
        }
    }

    /// A block of a page: program, date, command, and the settings, folded.
    pub(crate) fn block(&self, settings: &[(&'static str, String)]) -> Markup {
        html! {
            div.made {
                p {
                    "Counterpatch " (self.version)
                    @if let Some(commit) = &self.commit { ", commit " code { (commit) } }
                    " \u{b7} " (self.date)
                }
                pre { (self.command) }
                @if !settings.is_empty() {
                    details {
                        summary { "Settings" }
                        dl.settings {
                            @for (name, value) in settings { div { dt { (name) } dd { (value) } } }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_says_what_there_is_to_say() {
        let mut provenance = Provenance::now(["counterpatch", "a & b"].map(str::to_owned), Some(""));
        assert_eq!((provenance.command.as_str(), &provenance.commit), ("counterpatch 'a & b'", &None));
        assert!(!provenance.block(&[]).into_string().contains("commit"));
        provenance.commit = Some("abc".into());
        let block = provenance.block(&[("seed", "<0>".into())]).into_string();
        for part in ["<code>abc</code>", "counterpatch 'a &amp; b'", "&lt;0&gt;", env!("CARGO_PKG_VERSION")] {
            assert!(block.contains(part), "no {part} in {block}");
        }
    }
}
