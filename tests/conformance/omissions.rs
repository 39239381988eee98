//! Lists of tests that need not pass, each with its reason: lines `PATTERN: REASON`, `*` for any text, `#` for remarks.

use super::case::Case;

pub(crate) struct Omissions {
    lines: Vec<(String, String)>,
}

impl Omissions {
    /// Reads several files of this folder.
    pub(crate) fn read(files: &[&str]) -> Self {
        Self { lines: files.iter().flat_map(|file| lines(file)).collect() }
    }

    pub(crate) fn reason(&self, name: &str) -> Option<&str> {
        self.lines.iter().find(|(pattern, _)| matches(pattern, name)).map(|(_, reason)| reason.as_str())
    }

    /// Complaints about patterns that match no test.
    pub(crate) fn unused(&self, cases: &[Case]) -> Vec<String> {
        let idle = |(pattern, _): &&(String, String)| !cases.iter().any(|c| matches(pattern, &c.name));
        self.lines.iter().filter(idle).map(|(pattern, _)| format!("{pattern} matches no test")).collect()
    }
}

fn lines(file: &str) -> Vec<(String, String)> {
    let path = format!("{}/tests/conformance/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).map(|line| {
        let (pattern, reason) =
            line.split_once(": ").unwrap_or_else(|| panic!("{path}: no reason in {line:?}"));
        (pattern.to_owned(), reason.to_owned())
    });
    lines.collect()
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => {
            let Some(rest) = name.strip_prefix(before) else { return false };
            (0..=rest.len()).filter(|&i| rest.is_char_boundary(i)).any(|i| matches(after, &rest[i..]))
        }
    }
}

#[test]
fn patterns_match_whole_names() {
    for (pattern, name, expected) in [
        ("test_add", "test_add", true),
        ("test_add", "test_add_bcast", false),
        ("test_add*", "test_add_bcast", true),
        ("test_*_expanded*", "test_relu_expanded_ver18", true),
        ("test_*_expanded", "test_relu_expanded_ver18", false),
    ] {
        assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
    }
}
