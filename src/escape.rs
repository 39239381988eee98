//! Text that comes from files, as messages show it: a name may hold characters that command a terminal, or that make two
//! lines of one; and as one word of a shell.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with every character that is not to be seen as its escape: control characters (`\n`, `\u{1b}`), marks that
/// turn the direction of writing around, invisible ones.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_unsafe(character) {
            // Writing to a string cannot fail.
            let _ = write!(shown, "{}", character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// The same for text of several lines: ends of lines and tabs stay.
pub fn escaped_lines(text: &str) -> Cow<'_, str> {
    let is_layout = |character| matches!(character, '\n' | '\t');
    if !text.chars().any(|character| is_unsafe(character) && !is_layout(character)) {
        return Cow::Borrowed(text);
    }
    let parts = text.split_inclusive(is_layout).map(|part| match part.strip_suffix(is_layout) {
        Some(line) => format!("{}{}", escaped(line), &part[line.len()..]),
        None => escaped(part).into_owned(),
    });
    Cow::Owned(parts.collect())
}

/// JSON with every such character as JSON's own escape. Structure holds none of them, so all stand in strings.
pub fn escaped_json(json: &str) -> Cow<'_, str> {
    let hidden = |character| is_unsafe(character) && character != '\n';
    if !json.chars().any(hidden) {
        return Cow::Borrowed(json);
    }
    let mut shown = String::with_capacity(json.len() + 8);
    for character in json.chars() {
        if hidden(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A text as one word of a shell, which reads it back as it is.
#[cfg(feature = "cli")]
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_to_be_seen_is_escaped() {
        let cases = [
            ("conv1/weight é 漢", "conv1/weight é 漢", "conv1/weight é 漢", "conv1/weight é 漢"),
            ("a\x1b[2Jb", r"a\u{1b}[2Jb", r"a\u{1b}[2Jb", r"a\u001b[2Jb"),
            ("a\nb\tc", r"a\nb\tc", "a\nb\tc", "a\nb\\u0009c"),
            ("\u{9b}31m\u{7f}", r"\u{9b}31m\u{7f}", r"\u{9b}31m\u{7f}", r"\u009b31m\u007f"),
            ("x\u{202e}y\r", r"x\u{202e}y\r", r"x\u{202e}y\r", r"x\u202ey\u000d"),
            ("\u{e0041}", r"\u{e0041}", r"\u{e0041}", r"\udb40\udc41"),
        ];
        for (text, one_line, lines, json) in cases {
            assert_eq!(escaped(text), one_line);
            assert_eq!(escaped_lines(text), lines);
            assert_eq!(escaped_json(text), json);
        }
    }

    #[cfg(feature = "cli")]
    #[test]
    fn a_shell_reads_a_word_back() {
        for (word, want) in [
            ("a.onnx", "a.onnx"),
            ("linf=8/255,l2=1", "linf=8/255,l2=1"),
            ("my net.onnx", "'my net.onnx'"),
            ("it's", r"'it'\''s'"),
            ("$(x)", "'$(x)'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(word), want);
        }
    }
}
