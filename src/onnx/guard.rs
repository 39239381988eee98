//! A scan of the wire format that decides whether the protobuf library may see the bytes at all.
//!
//! protobuf 3.4.0, which onnx-protobuf 0.2.3 is tied to, follows nested unknown groups by recursion until the stack
//! overflows (CVE-2025-53605): a file of 800 KB aborts the process, and nothing can catch that. The scan walks the
//! file along ONNX's message structure (`onnx/onnx.proto`), without recursion, and refuses groups, nesting deeper
//! than [`MAX_DEPTH`], lengths beyond their message, and more than [`MAX_MESSAGES`] messages: an empty message
//! costs 2 bytes in the file and up to 600 in memory.

use super::error::{ModelError, Place};
use super::wire::{self, Wire, broken};

/// Deepest nesting of messages. Networks without subgraphs have 5; each level of subgraphs adds 3.
const MAX_DEPTH: usize = 64;
/// Most messages in a file. A network of 100,000 nodes has about this many.
const MAX_MESSAGES: usize = 1 << 20;

/// The message types of ONNX that hold other messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    SparseTensor,
    ValueInfo,
    Type,
    TypeTensor,
    TypeElement,
    TypeMap,
    Shape,
    Function,
    Training,
    Annotation,
    /// A message that holds no other.
    Leaf,
}

impl Message {
    /// The message that field `number` holds, if it holds one.
    fn child(self, number: u32) -> Option<Self> {
        Some(match (self, number) {
            (Self::Model, 7) | (Self::Training, 1 | 2) | (Self::Attribute, 6 | 11) => Self::Graph,
            (Self::Model, 20) => Self::Training,
            (Self::Model, 25) => Self::Function,
            (Self::Graph, 1) | (Self::Function, 7) => Self::Node,
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::SparseTensor, 1 | 2) => Self::Tensor,
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Self::SparseTensor,
            (Self::Graph, 11..=13) | (Self::Function, 12) => Self::ValueInfo,
            (Self::Graph, 14) => Self::Annotation,
            (Self::Node, 5) | (Self::Function, 11) => Self::Attribute,
            (Self::Attribute, 14 | 15) | (Self::ValueInfo, 2) => Self::Type,
            (Self::TypeElement, 1) | (Self::TypeMap, 2) => Self::Type,
            (Self::Type, 1 | 8) => Self::TypeTensor,
            (Self::Type, 4 | 9) => Self::TypeElement,
            (Self::Type, 5) => Self::TypeMap,
            (Self::TypeTensor, 2) => Self::Shape,
            (Self::Model, 8 | 14)
            | (Self::Graph, 16)
            | (Self::Node, 9)
            | (Self::Tensor, 3 | 13 | 16)
            | (Self::ValueInfo, 4)
            | (Self::Shape, 1)
            | (Self::Function, 9 | 14)
            | (Self::Training, 3 | 4)
            | (Self::Annotation, 2) => Self::Leaf,
            _ => return None,
        })
    }
}

/// Checks `bytes` as a message of type `root`. `Ok` means that the protobuf library parses them, or refuses them,
/// in stack and memory proportional to what the file really holds.
pub(super) fn check(bytes: &[u8], root: Message) -> Result<(), ModelError> {
    let mut open = vec![(root, bytes.len())];
    let mut at = 0;
    let mut messages = 0;
    while let Some(&(message, end)) = open.last() {
        if at == end {
            open.pop();
            continue;
        }
        let field = wire::field(bytes, at, end)?;
        at = field.whole.end;
        let Some(child) = message.child(field.number).filter(|_| field.wire == Wire::Bytes) else { continue };
        messages += 1;
        if messages > MAX_MESSAGES {
            let what = format!("more than {MAX_MESSAGES} nodes, attributes, values and other parts");
            return Err(ModelError::new(Place::Byte(field.whole.start as u64), what)
                .help("this is more than any known network has; split the model"));
        }
        if open.len() == MAX_DEPTH {
            return Err(broken(field.whole.start, &format!("nesting deeper than {MAX_DEPTH}")));
        }
        at = field.body.start;
        open.push((child, field.body.end));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> String {
        check(bytes, Message::Model)
            .map_or_else(|e| format!("{}: {}", e.place, e.what), |()| "accepted".into())
    }

    /// `payload` as a length-delimited field.
    fn message(number: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2];
        let mut length = payload.len();
        while length >= 0x80 {
            out.push(length as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend_from_slice(payload);
        out
    }

    #[test]
    fn broken_files_are_refused_with_their_place() {
        let cases: [(&[u8], &str); 9] = [
            (&[], "accepted"),
            (&[0x08, 0x07], "accepted"),
            (&[0x08], "byte 1: a number that does not end"),
            (&[0x08, 0x07, 0x3a, 0x05, 0x0a], "byte 3: a length of 5 bytes where 1 are left"),
            (&[0x3a, 0x02, 0x0a, 0x01], "byte 3: a length of 1 bytes where 0 are left"),
            (&[0x0b], "byte 0: a protobuf group, which ONNX does not have"),
            (&[0x3a, 0x01, 0x0c], "byte 2: a protobuf group, which ONNX does not have"),
            (&[0x0f], "byte 0: wire type 7, which protobuf does not have"),
            (&[0x00, 0x00], "byte 0: a field number out of range"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(refusal(bytes), expected, "{bytes:02x?}");
        }
    }

    #[test]
    fn nested_groups_of_the_advisory_are_refused() {
        assert_eq!(refusal(&vec![0x0b; 800_000]), "byte 0: a protobuf group, which ONNX does not have");
    }

    #[test]
    fn deep_nesting_is_refused() {
        let nested = |levels: usize| {
            let mut graph = Vec::new();
            for _ in 0..levels {
                graph = message(1, &message(5, &message(6, &graph)));
            }
            message(7, &graph)
        };
        assert_eq!(refusal(&nested(20)), "accepted");
        assert!(refusal(&nested(21)).ends_with("nesting deeper than 64"), "{}", refusal(&nested(21)));
    }

    #[test]
    fn a_flood_of_empty_messages_is_refused() {
        let nodes = [0x0a, 0x00].repeat(MAX_MESSAGES);
        assert!(refusal(&message(7, &nodes)).contains("more than 1048576 nodes"));
    }
}
