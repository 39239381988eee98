//! Protobuf's wire format: tags, varints and lengths, one field at a time.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>. Just enough for [`guard`](super::guard),
//! [`outline`](super::outline) and [`write`](super::write), which look at a file without the protobuf library.

use std::ops::Range;

use super::error::{ModelError, Place};

/// How a field's value is stored. Groups (3 and 4) are not here: [`field`] refuses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Varint,
    Fixed64,
    Bytes,
    Fixed32,
}

/// One field of a message.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// Field number in the message's definition.
    pub(super) number: u32,
    /// How the value is stored.
    pub(super) wire: Wire,
    /// Tag and value together.
    pub(super) whole: Range<usize>,
    /// The value without tag and length.
    pub(super) body: Range<usize>,
}

/// Bytes of a field that say where it ends: two numbers.
pub(super) const HEAD: usize = 20;

/// The field that starts at `at` in a message that ends at `end`.
pub(super) fn field(bytes: &[u8], at: usize, end: usize) -> Result<Field, ModelError> {
    field_of_head(bytes, 0, at, end)
}

/// The same, of bytes that begin at `from`, not behind `at`, and need to hold no more of the field than its [`HEAD`].
pub(super) fn field_of_head(bytes: &[u8], from: usize, at: usize, end: usize) -> Result<Field, ModelError> {
    let varint = |at: usize| varint(bytes, from, at, end);
    let (tag, after_tag) = varint(at)?;
    let number = u32::try_from(tag >> 3).ok().filter(|n| *n > 0 && *n < 1 << 29);
    let number = number.ok_or_else(|| broken(at, "a field number out of range"))?;
    let (wire, start, length) = match tag & 7 {
        0 => (Wire::Varint, after_tag, varint(after_tag)?.1 - after_tag),
        1 => (Wire::Fixed64, after_tag, 8),
        2 => {
            let (length, start) = varint(after_tag)?;
            let length = usize::try_from(length).map_err(|_| beyond(after_tag, length, end - start))?;
            (Wire::Bytes, start, length)
        }
        5 => (Wire::Fixed32, after_tag, 4),
        3 | 4 => return Err(broken(at, "a protobuf group, which ONNX does not have")),
        other => return Err(broken(at, &format!("wire type {other}, which protobuf does not have"))),
    };
    if length > end - start {
        return Err(beyond(after_tag, length as u64, end - start));
    }
    Ok(Field { number, wire, whole: at..start + length, body: start..start + length })
}

/// The value of a varint field.
pub(super) fn number(bytes: &[u8], field: &Field) -> Result<u64, ModelError> {
    Ok(varint(bytes, 0, field.body.start, field.body.end)?.0)
}

/// A number, and where it ends.
fn varint(bytes: &[u8], from: usize, at: usize, end: usize) -> Result<(u64, usize), ModelError> {
    let mut value = 0u64;
    let held = at - from..(end - from).min(bytes.len());
    for (i, &byte) in bytes.get(held).unwrap_or_default().iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Ok((value, at + i + 1));
        }
    }
    Err(broken(at, "a number that does not end"))
}

fn beyond(at: usize, length: u64, left: usize) -> ModelError {
    broken(at, &format!("a length of {length} bytes where {left} are left"))
}

pub(super) fn broken(at: usize, what: &str) -> ModelError {
    ModelError::new(Place::Byte(at as u64), what)
        .help("the file is truncated, damaged, or no ONNX model: fetch or export it again")
}
