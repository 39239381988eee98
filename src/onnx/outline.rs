//! Keeps large constants out of the protobuf library's hands.
//!
//! The library copies each `raw_data` into a vector of its own. For a file with 270 MB of weights that copy would
//! cost more than everything else, so the weights of the main graph are cut out first and read straight from the
//! file's bytes afterwards. Only the path Model.graph → Graph.initializer → TensorProto.raw_data is followed.

use std::borrow::Cow;
use std::ops::Range;

use super::error::ModelError;
use super::wire::{self, Field, Wire};

/// Smaller constants stay where they are.
const LARGE: usize = 1 << 16;

const MODEL_GRAPH: u32 = 7;
const GRAPH_INITIALIZER: u32 = 5;
const TENSOR_RAW_DATA: u32 = 9;

/// A model without its large constants, and where those are.
pub(super) struct FileOutline<'a> {
    /// The model's bytes without the large constants.
    pub(super) model: Cow<'a, [u8]>,
    /// For the i-th initialiser of the main graph: the bytes that were cut out. May be shorter than the list.
    pub(super) payloads: Vec<Option<&'a [u8]>>,
}

/// Cuts the large constants out of `bytes`, which [`guard::check`](super::guard::check) has accepted.
pub(super) fn outline(bytes: &[u8]) -> Result<FileOutline<'_>, ModelError> {
    if !fields(bytes, 0..bytes.len())?.iter().any(|f| is(f, MODEL_GRAPH) && f.body.len() >= LARGE) {
        return Ok(FileOutline { model: Cow::Borrowed(bytes), payloads: Vec::new() });
    }
    let mut payloads = Vec::new();
    let model = rewrite(bytes, 0..bytes.len(), MODEL_GRAPH, &mut |graph| {
        rewrite(bytes, graph, GRAPH_INITIALIZER, &mut |tensor| {
            payloads.push(None);
            let payload = payloads.last_mut();
            without_payload(bytes, tensor, payload)
        })
    })?;
    Ok(FileOutline { model: Cow::Owned(model), payloads })
}

/// A copy of the message at `range` in which `inner` has rewritten each sub-message with the given number.
fn rewrite(
    bytes: &[u8],
    range: Range<usize>,
    number: u32,
    inner: &mut dyn FnMut(Range<usize>) -> Result<Vec<u8>, ModelError>,
) -> Result<Vec<u8>, ModelError> {
    let mut out = Vec::new();
    for field in fields(bytes, range)? {
        if is(&field, number) {
            let body = inner(field.body)?;
            push_varint(&mut out, u64::from(number) << 3 | 2);
            push_varint(&mut out, body.len() as u64);
            out.extend_from_slice(&body);
        } else {
            out.extend_from_slice(&bytes[field.whole]);
        }
    }
    Ok(out)
}

fn without_payload<'a>(
    bytes: &'a [u8],
    range: Range<usize>,
    payload: Option<&mut Option<&'a [u8]>>,
) -> Result<Vec<u8>, ModelError> {
    let fields = fields(bytes, range)?;
    let cut = fields.iter().rfind(|f| is(f, TENSOR_RAW_DATA)).filter(|f| f.body.len() >= LARGE);
    if let (Some(slot), Some(cut)) = (payload, cut) {
        *slot = Some(&bytes[cut.body.clone()]);
    }
    let kept = fields.iter().filter(|f| cut.is_none() || !is(f, TENSOR_RAW_DATA));
    Ok(kept.flat_map(|f| &bytes[f.whole.clone()]).copied().collect())
}

fn fields(bytes: &[u8], range: Range<usize>) -> Result<Vec<Field>, ModelError> {
    let mut out = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let field = wire::field(bytes, at, range.end)?;
        at = field.whole.end;
        out.push(field);
    }
    Ok(out)
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
    use super::*;
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
            let cut = outline(&bytes).unwrap();
            let mut back = ModelProto::parse_from_bytes(&cut.model).unwrap();
            for (tensor, payload) in
                back.graph.mut_or_insert_default().initializer.iter_mut().zip(&cut.payloads)
            {
                if let Some(payload) = payload {
                    assert!(tensor.raw_data.is_empty() && payload.len() >= LARGE);
                    tensor.raw_data = payload.to_vec();
                }
            }
            assert_eq!(back, model, "{sizes:?}");
            assert!(cut.model.len() < 3 * LARGE, "{sizes:?}: a large constant was copied");
        }
    }
}
