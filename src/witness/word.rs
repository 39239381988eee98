//! The words that tools have for a verdict, in results files and in tables of claims: one list for both.

use serde::{Deserialize, Serialize};

/// What is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimedVerdict {
    /// There is a counterexample.
    Sat,
    /// There is none.
    Unsat,
    /// Nothing.
    Nothing,
}

impl ClaimedVerdict {
    /// What a word says: as the competition's scorer reads it, by prefix and in any case, and with the words of tools
    /// that speak of properties rather than of formulas.
    pub fn of(word: &str) -> Self {
        let word = plain(word);
        if word.starts_with("unsat")
            || matches!(word.as_str(), "holds" | "verified" | "proved" | "proven" | "safe")
        {
            Self::Unsat
        } else if word.starts_with("sat") || matches!(word.as_str(), "violated" | "falsified" | "unsafe") {
            Self::Sat
        } else {
            Self::Nothing
        }
    }
}

/// Whether a line is one word that stands for a verdict, rather than the beginning of a counterexample.
pub(crate) fn is_verdict(line: &str) -> bool {
    let word = plain(line);
    let open =
        ["unknown", "timeout", "timed", "time-out", "time_out", "error", "run_instance", "prepare_instance"];
    let one = !word.contains(char::is_whitespace) || word == "timed out";
    one && (ClaimedVerdict::of(&word) != ClaimedVerdict::Nothing
        || open.iter().any(|known| word.starts_with(known)))
}

fn plain(word: &str) -> String {
    let marks = |c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '"' | '\'' | '.' | ':' | ',' | ';');
    word.trim_matches(marks).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_alike_everywhere() {
        let cases = [
            ("sat", ClaimedVerdict::Sat, true),
            (" SAT\r", ClaimedVerdict::Sat, true),
            ("\u{feff}sat", ClaimedVerdict::Sat, true),
            ("Violated", ClaimedVerdict::Sat, true),
            ("falsified", ClaimedVerdict::Sat, true),
            ("unsat", ClaimedVerdict::Unsat, true),
            ("UNSAT.", ClaimedVerdict::Unsat, true),
            ("holds", ClaimedVerdict::Unsat, true),
            ("verified", ClaimedVerdict::Unsat, true),
            ("timed out", ClaimedVerdict::Nothing, true),
            ("run_instance_timeout", ClaimedVerdict::Nothing, true),
            ("", ClaimedVerdict::Nothing, false),
            ("saturation float32 [1]", ClaimedVerdict::Sat, false),
            ("((X_0 0.5)", ClaimedVerdict::Nothing, false),
        ];
        for (word, said, verdict) in cases {
            assert_eq!((ClaimedVerdict::of(word), is_verdict(word)), (said, verdict), "{word:?}");
        }
    }
}
