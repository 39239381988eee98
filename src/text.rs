//! Bytes of a file to text, as editors and spreadsheets of all systems save it: UTF-8 or UTF-16, with or without a byte
//! order mark, or one of the 8-bit Latin sets, whose letters outside of ASCII can only stand in comments here.

/// Bytes that are no text; the first one that shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotText(pub(crate) usize);

/// The text. No-break spaces, which word processors and web pages put in place of blanks, become blanks; a lone carriage
/// return ends a line.
///
/// # Errors
/// If the bytes are no text in any of these encodings.
pub(crate) fn decoded(bytes: Vec<u8>) -> Result<String, NotText> {
    let text = match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes)?,
        [1..=0x7f, 0, ..] => wide(&bytes, u16::from_le_bytes)?,
        [0, 1..=0x7f, ..] => wide(&bytes, u16::from_be_bytes)?,
        _ => narrow(bytes)?,
    };
    let odd = |c: char| matches!(c, '\u{feff}' | '\u{a0}' | '\u{2007}' | '\u{202f}');
    let text = if text.is_ascii() || !text.contains(odd) {
        text
    } else {
        text.strip_prefix('\u{feff}').unwrap_or(&text).replace(odd, " ")
    };
    let lone = text.contains('\r') && !text.contains('\n');
    Ok(if lone { text.replace('\r', "\n") } else { text })
}

fn wide(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, NotText> {
    let (units, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(units.len());
    for decoded in char::decode_utf16(units.iter().map(|&bytes| unit(bytes))) {
        // The text so far is at least as long as what was read, in units.
        text.push(decoded.map_err(|_| NotText(2 * text.chars().count()))?);
    }
    if rest.is_empty() { Ok(text) } else { Err(NotText(bytes.len() - 1)) }
}

fn narrow(bytes: Vec<u8>) -> Result<String, NotText> {
    let error = match String::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    let at = error.utf8_error().valid_up_to();
    let bytes = error.into_bytes();
    let is_control = |byte: &u8| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c);
    // In a text of these sets letters outside of ASCII are the exception.
    let foreign = bytes.iter().filter(|byte| !byte.is_ascii()).count();
    if bytes.iter().any(is_control) || 2 * foreign > bytes.len() {
        return Err(NotText(at));
    }
    // ISO 8859-1. In Windows' set 0x80 to 0x9f are letters and quotes; which ones does not matter in a comment.
    let letter = |&byte: &u8| if matches!(byte, 0x80..=0x9f) { '\u{fffd}' } else { char::from(byte) };
    Ok(bytes.iter().map(letter).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_all_systems_are_read() {
        let wide = |text: &str, unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(unit).collect()
        };
        let marked = |text: &str| format!("\u{feff}{text}");
        let cases: [(Vec<u8>, Result<&str, usize>); 12] = [
            (b"(a) ; \xc3\xa9\n".to_vec(), Ok("(a) ; é\n")),
            (marked("(a)").into_bytes(), Ok("(a)")),
            (wide(&marked("(é)"), u16::to_le_bytes), Ok("(é)")),
            (wide(&marked("(é)"), u16::to_be_bytes), Ok("(é)")),
            (wide("(a)", u16::to_le_bytes), Ok("(a)")),
            (wide("(a)", u16::to_be_bytes), Ok("(a)")),
            (b"(a) ; \xe9 \x93\n".to_vec(), Ok("(a) ; é \u{fffd}\n")),
            ("(a\u{a0}b)".into(), Ok("(a b)")),
            (b"(a)\r(b)\r".to_vec(), Ok("(a)\n(b)\n")),
            (b"\x08\x07\x12\xff".to_vec(), Err(3)),
            (b"(\xff\xfe".to_vec(), Err(1)),
            (wide("(a)", u16::to_le_bytes)[..5].to_vec(), Err(4)),
        ];
        for (bytes, want) in cases {
            assert_eq!(decoded(bytes.clone()).as_deref().map_err(|error| error.0), want, "{bytes:x?}");
        }
    }
}
