//! Keeps large constants out of the protobuf library's hands.
//!
//! The library copies each `raw_data` into a vector of its own. For a file with 270 MB of weights that copy would
//! cost more than everything else, so the weights of the main graph are cut out first and read straight from the
//! file's bytes afterwards, which need not be in memory. Only the path Model.graph → Graph.initializer → TensorProto.raw_data is followed.

use std::borrow::Cow;
use std::ops::Range;

use super::content::ModelBytes;
use super::error::{ModelError, Place};
use super::wire::{self, Field, Wire};

/// Smaller constants stay where they are.
const LARGE: usize = 1 << 16;
/// Fields of a message that is left in its file.
const MOST_IN_FILE: usize = 1 << 17;

const MODEL_GRAPH: u32 = 7;
const GRAPH_INITIALIZER: u32 = 5;
const TENSOR_RAW_DATA: u32 = 9;

/// A model without its large constants, and where those are.
pub(super) struct FileOutline<'a> {
    /// The model's bytes without the large constants.
    pub(super) model: Cow<'a, [u8]>,
    /// For the i-th initialiser of the main graph: the bytes that were cut out. May be shorter than the list.
    pub(super) payloads: Vec<Option<ModelBytes<'a>>>,
}

/// Cuts the large constants out of a model. What is held, [`guard::check`](super::guard::check) has accepted; of what lies in a file it has
/// to see what is left.
pub(super) fn outline<'a>(content: &ModelBytes<'a>) -> Result<FileOutline<'a>, ModelError> {
    let all = 0..content.len();
    if !fields(content, all.clone())?.iter().any(|f| is(f, MODEL_GRAPH) && f.body.len() >= LARGE) {
        return Ok(FileOutline { model: content.bytes().map_err(unreadable)?, payloads: Vec::new() });
    }
    let mut payloads = Vec::new();
    let model = rewrite(content, all, MODEL_GRAPH, &mut |graph| {
        rewrite(content, graph, GRAPH_INITIALIZER, &mut |tensor| {
            payloads.push(None);
            let payload = payloads.last_mut();
            without_payload(content, tensor, payload)
        })
    })?;
    Ok(FileOutline { model: Cow::Owned(model), payloads })
}

/// A copy of the message at `range` in which `inner` has rewritten each sub-message with the given number.
fn rewrite(
    content: &ModelBytes<'_>,
    range: Range<usize>,
    number: u32,
    inner: &mut dyn FnMut(Range<usize>) -> Result<Vec<u8>, ModelError>,
) -> Result<Vec<u8>, ModelError> {
    let mut out = Vec::new();
    for field in fields(content, range)? {
        if is(&field, number) {
            let body = inner(field.body)?;
            push_varint(&mut out, u64::from(number) << 3 | 2);
            push_varint(&mut out, body.len() as u64);
            out.extend_from_slice(&body);
        } else {
            out.extend_from_slice(&content.part(field.whole).bytes().map_err(unreadable)?);
        }
    }
    Ok(out)
}

fn without_payload<'a>(
    content: &ModelBytes<'a>,
    range: Range<usize>,
    payload: Option<&mut Option<ModelBytes<'a>>>,
) -> Result<Vec<u8>, ModelError> {
    let fields = fields(content, range)?;
    let cut = fields.iter().rfind(|f| is(f, TENSOR_RAW_DATA)).filter(|f| f.body.len() >= LARGE);
    if let (Some(slot), Some(cut)) = (payload, cut) {
        *slot = Some(content.part(cut.body.clone()));
    }
    let mut kept = Vec::new();
    for field in fields.iter().filter(|f| cut.is_none() || !is(f, TENSOR_RAW_DATA)) {
        kept.extend_from_slice(&content.part(field.whole.clone()).bytes().map_err(unreadable)?);
    }
    Ok(kept)
}

/// The fields of a message. Of one in a file only their heads are read, each by a call of the system: no more of them than any
/// known network has.
fn fields(content: &ModelBytes<'_>, range: Range<usize>) -> Result<Vec<Field>, ModelError> {
    let mut out = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let field = match content {
            ModelBytes::Held(bytes) => wire::field(bytes, at, range.end)?,
            ModelBytes::InFile(_) if out.len() == MOST_IN_FILE => {
                return Err(ModelError::new(
                    Place::File,
                    format!("a message of more than {MOST_IN_FILE} fields"),
                ));
            }
            ModelBytes::InFile(_) => {
                let head = at..range.end.min(at + wire::HEAD);
                wire::field_of_head(&content.part(head).bytes().map_err(unreadable)?, at, at, range.end)?
            }
        };
        at = field.whole.end;
        out.push(field);
    }
    Ok(out)
}

fn unreadable(error: std::io::Error) -> ModelError {
    ModelError::new(Place::File, format!("the file cannot be read: {error}"))
}

fn is(field: &Field, number: u32) -> bool {
    field.number == number && field.wire == Wire::Bytes
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::super::content::FilePart;
    use super::*;
    use std::io::Write;

    use onnx_protobuf::{Message, ModelProto, TensorProto};

    #[test]
    fn the_outline_and_its_payloads_are_the_model() {
        for sizes in [vec![], vec![3], vec![LARGE, 5, 2 * LARGE], vec![LARGE - 1, LARGE]] {
            let mut model = ModelProto { ir_version: 8, ..Default::default() };
            let graph = model.graph.mut_or_insert_default();
            for (i, &n) in sizes.iter().enumerate() {
                let raw_data = (0..n).map(|k| (k * (i + 3)) as u8).collect();
                graph.initializer.push(TensorProto { name: format!("w{i}"), raw_data, ..Default::default() });
            }
            let bytes = model.write_to_bytes().unwrap();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            let in_file = outline(&ModelBytes::InFile(FilePart::new(file, 0, bytes.len()))).unwrap();
            let cut = outline(&ModelBytes::Held(&bytes)).unwrap();
            assert_eq!(in_file.model, cut.model, "{sizes:?}");
            let all = |cut: &FileOutline<'_>| -> Vec<_> {
                cut.payloads.iter().map(|p| p.as_ref().map(|p| p.bytes().unwrap().into_owned())).collect()
            };
            assert_eq!(all(&in_file), all(&cut), "{sizes:?}");
            let mut back = ModelProto::parse_from_bytes(&cut.model).unwrap();
            for (tensor, payload) in
                back.graph.mut_or_insert_default().initializer.iter_mut().zip(&cut.payloads)
            {
                if let Some(payload) = payload {
                    assert!(tensor.raw_data.is_empty() && payload.len() >= LARGE);
                    tensor.raw_data = payload.bytes().unwrap().into_owned();
                }
            }
            assert_eq!(back, model, "{sizes:?}");
            assert!(cut.model.len() < 3 * LARGE, "{sizes:?}: a large constant was copied");
        }
    }
}
