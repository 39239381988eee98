//! Writing a copy of a model file with some numbers of its constants changed, and nothing else.
//!
//! The copy is made byte by byte: a weight lies at a known place of the file, and its bytes are overwritten. Whatever
//! the file says that this program does not read (metadata, annotations, fields of a later version) stays as it is.
//! Constants are found where ONNX keeps them: initialisers of the main graph, and `Constant` nodes in it.
//! Field numbers are those of `onnx.proto` (IR version 10).

use std::collections::BTreeMap;
use std::ops::Range;

use super::error::{ModelError, Place};
use super::guard;
use super::model::Model;
use super::wire::{self, Field, Wire};
use super::{Attribute, Tensor};

const MODEL_GRAPH: u32 = 7;
const GRAPH_NODE: u32 = 1;
const GRAPH_INITIALIZER: u32 = 5;
const NODE_OUTPUT: u32 = 2;
const NODE_OPERATOR: u32 = 4;
const NODE_ATTRIBUTE: u32 = 5;
const ATTRIBUTE_TENSOR: u32 = 5;
const TENSOR_TYPE: u32 = 2;
const TENSOR_FLOATS: u32 = 4;
const TENSOR_NAME: u32 = 8;
const TENSOR_RAW: u32 = 9;
const TENSOR_DOUBLES: u32 = 10;
const TENSOR_LOCATION: u32 = 14;

/// A number to be written: rounded to the tensor's type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edit {
    /// Flat row-major index in the tensor.
    pub index: usize,
    /// The new value.
    pub value: f64,
}

/// The constant matrix of a `Gemm` or `MatMul` node: where its numbers lie.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// Name of the tensor.
    pub tensor: String,
    /// Whether the tensor is `[inputs, outputs]` rather than `[outputs, inputs]`.
    inputs_first: bool,
    inputs: usize,
    outputs: usize,
    /// What the operator multiplies the tensor by (`alpha` of `Gemm`).
    scale: f64,
}

impl Weights {
    /// Finds the weights of the node called `node`, which multiplies `inputs` values to `outputs` sums. `matrix` is
    /// what the imported network has there, `[outputs][inputs]`: it must agree with the tensor number by number.
    ///
    /// # Errors
    /// If there is no such node or more than one, its matrix is no constant, is used elsewhere too, or differs.
    pub fn find(model: &Model, node: &str, inputs: usize, matrix: &[f64]) -> Result<Self, ModelError> {
        let mut named = model.graph.nodes.iter().filter(|candidate| candidate.name == node);
        let (Some(found), None) = (named.next(), named.next()) else {
            let place = Place::Node { name: node.into(), operator: "Gemm or MatMul".into() };
            return Err(ModelError::new(place, "the name does not belong to exactly one node")
                .help("give each node a name of its own"));
        };
        let refuse = |what: &str, help: &str| Err(found.error(what).help(help));
        let scale = match found.attributes.get("alpha") {
            Some(Attribute::Float(alpha)) if found.operator == "Gemm" => f64::from(*alpha),
            _ => 1.0,
        };
        let outputs = matrix.len().checked_div(inputs).unwrap_or(0);
        for name in &found.inputs {
            let Some(tensor) = constant(model, name) else { continue };
            for inputs_first in [true, false] {
                let weights = Self { tensor: name.clone(), inputs_first, inputs, outputs, scale };
                if !weights.agrees(tensor, matrix) {
                    continue;
                }
                let uses =
                    model.graph.nodes.iter().flat_map(|node| &node.inputs).filter(|used| *used == name);
                if uses.count() > 1 {
                    return refuse("its weights are used elsewhere too", "give each use a tensor of its own");
                }
                return Ok(weights);
            }
        }
        refuse("its weights are not a constant of the main graph", "fold constants when exporting")
    }

    /// The change that gives the weight from `input` to `output` this value.
    pub fn edit(&self, output: usize, input: usize, value: f64) -> Edit {
        let index =
            if self.inputs_first { input * self.outputs + output } else { output * self.inputs + input };
        Edit { index, value: value / self.scale }
    }

    fn agrees(&self, tensor: &Tensor, matrix: &[f64]) -> bool {
        let shape = if self.inputs_first { [self.inputs, self.outputs] } else { [self.outputs, self.inputs] };
        // A vector is a matrix with one column.
        let fits = tensor.shape == shape || (tensor.shape.len() == 1 && self.outputs == 1);
        if !fits || tensor.len() != matrix.len() || self.scale == 0.0 {
            return false;
        }
        let values = tensor.to_f64();
        matrix.iter().enumerate().all(|(at, &weight)| {
            let index = self.edit(at / self.inputs, at % self.inputs, 0.0).index;
            let own = values[index] * self.scale;
            (own - weight).abs() <= 1e-6 * weight.abs()
        })
    }
}

/// The constant of this name: an initialiser, or the value of a `Constant` node.
fn constant<'m>(model: &'m Model, name: &str) -> Option<&'m Tensor> {
    if let Some(tensor) = model.graph.initializers.get(name) {
        return Some(tensor);
    }
    let made_here =
        |node: &&super::Node| node.operator == "Constant" && node.outputs.iter().any(|o| o == name);
    match model.graph.nodes.iter().find(made_here)?.attributes.get("value") {
        Some(Attribute::Tensor(tensor)) => Some(tensor),
        _ => None,
    }
}

/// A copy of the model file's bytes (not gzipped) in which the tensors of these names have new numbers.
///
/// # Errors
/// If a tensor is not in the file, is kept outside of it or is of no type with 32 or 64 bits, or an index is beyond it.
pub fn with_edits(bytes: &[u8], edits: &BTreeMap<String, Vec<Edit>>) -> Result<Vec<u8>, ModelError> {
    guard::check(bytes, guard::Message::Model)?;
    let mut copy = bytes.to_vec();
    for (name, edits) in edits {
        let place = || Place::Value(name.clone());
        let Some(tensor) = find_tensor(bytes, name)? else {
            return Err(ModelError::new(place(), "the file has no such constant")
                .help("the weights must be initialisers or Constant nodes of the main graph"));
        };
        for edit in edits {
            let Some((at, wide)) = tensor.place(edit.index) else {
                return Err(ModelError::new(
                    place(),
                    format!("number {} cannot be changed here", edit.index),
                )
                .help("store the weights in the model file itself, as 32-bit or 64-bit floats"));
            };
            if wide {
                copy[at..at + 8].copy_from_slice(&edit.value.to_le_bytes());
            } else {
                copy[at..at + 4].copy_from_slice(&(edit.value as f32).to_le_bytes());
            }
        }
    }
    Ok(copy)
}

/// Where a tensor's numbers lie in the file.
#[derive(Default)]
struct Stored {
    element: u64,
    is_external: bool,
    /// Runs of numbers, in order; protobuf may split them.
    runs: Vec<Range<usize>>,
}

impl Stored {
    /// The first byte of a number, and whether it has eight.
    fn place(&self, index: usize) -> Option<(usize, bool)> {
        let wide = match self.element {
            1 => false,
            11 => true,
            _ => return None,
        };
        let size = if wide { 8 } else { 4 };
        let mut skip = index.checked_mul(size).filter(|_| !self.is_external)?;
        for run in &self.runs {
            if skip < run.len() {
                return (skip + size <= run.len()).then_some((run.start + skip, wide));
            }
            skip -= run.len();
        }
        None
    }
}

fn find_tensor(bytes: &[u8], name: &str) -> Result<Option<Stored>, ModelError> {
    for graph in messages(bytes, 0..bytes.len(), MODEL_GRAPH)? {
        for tensor in messages(bytes, graph.clone(), GRAPH_INITIALIZER)? {
            if text(bytes, &tensor, TENSOR_NAME)? == Some(name.as_bytes()) {
                return stored(bytes, tensor).map(Some);
            }
        }
        for node in messages(bytes, graph, GRAPH_NODE)? {
            let is_constant = text(bytes, &node, NODE_OPERATOR)? == Some(b"Constant");
            if is_constant && text(bytes, &node, NODE_OUTPUT)? == Some(name.as_bytes()) {
                for attribute in messages(bytes, node, NODE_ATTRIBUTE)? {
                    if let Some(tensor) = messages(bytes, attribute, ATTRIBUTE_TENSOR)?.pop() {
                        return stored(bytes, tensor).map(Some);
                    }
                }
            }
        }
    }
    Ok(None)
}

fn stored(bytes: &[u8], tensor: Range<usize>) -> Result<Stored, ModelError> {
    let mut stored = Stored::default();
    for field in fields(bytes, tensor)? {
        let number = || wire::number(bytes, &field);
        match (field.number, field.wire) {
            (TENSOR_TYPE, Wire::Varint) => stored.element = number()?,
            (TENSOR_LOCATION, Wire::Varint) => stored.is_external = number()? == 1,
            (TENSOR_RAW, Wire::Bytes) => stored.runs = vec![field.body],
            (TENSOR_FLOATS | TENSOR_DOUBLES, Wire::Bytes | Wire::Fixed32 | Wire::Fixed64) => {
                stored.runs.push(field.body);
            }
            _ => {}
        }
    }
    Ok(stored)
}

/// The last text field with this number.
fn text<'b>(bytes: &'b [u8], message: &Range<usize>, number: u32) -> Result<Option<&'b [u8]>, ModelError> {
    let bodies = messages(bytes, message.clone(), number)?;
    Ok(bodies.into_iter().next_back().map(|body| &bytes[body]))
}

fn messages(bytes: &[u8], range: Range<usize>, number: u32) -> Result<Vec<Range<usize>>, ModelError> {
    let fields = fields(bytes, range)?.into_iter();
    Ok(fields.filter(|f| f.number == number && f.wire == Wire::Bytes).map(|f| f.body).collect())
}

fn fields(bytes: &[u8], range: Range<usize>) -> Result<Vec<Field>, ModelError> {
    let mut fields = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let field = wire::field(bytes, at, range.end)?;
        at = field.whole.end;
        fields.push(field);
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::from_bytes;
    use onnx_protobuf::attribute_proto::AttributeType;
    use onnx_protobuf::{
        AttributeProto, Message, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto,
    };

    /// `y = x · w`, with `w` of shape [2, 3] stored in the given way.
    fn file(tensor: TensorProto, as_node: bool) -> Vec<u8> {
        let mut model = ModelProto { ir_version: 8, producer_name: "kept".into(), ..Default::default() };
        model.opset_import.push(OperatorSetIdProto { version: 13, ..Default::default() });
        let graph = model.graph.mut_or_insert_default();
        for (name, dims) in [("x", [1, 2]), ("y", [1, 3])] {
            let mut info = ValueInfoProto { name: name.into(), ..Default::default() };
            let tensor_type = info.type_.mut_or_insert_default().mut_tensor_type();
            tensor_type.elem_type = tensor.data_type;
            for size in dims {
                let mut dim = onnx_protobuf::tensor_shape_proto::Dimension::default();
                dim.set_dim_value(size);
                tensor_type.shape.mut_or_insert_default().dim.push(dim);
            }
            if name == "x" { graph.input.push(info) } else { graph.output.push(info) }
        }
        if as_node {
            let mut value = AttributeProto { name: "value".into(), ..Default::default() };
            value.type_ = AttributeType::TENSOR.into();
            value.t = Some(tensor).into();
            let output = vec!["w".to_owned()];
            let op_type = "Constant".to_owned();
            graph.node.push(NodeProto { op_type, output, attribute: vec![value], ..Default::default() });
        } else {
            graph.initializer.push(tensor);
        }
        graph.node.push(NodeProto {
            name: "product".into(),
            op_type: "MatMul".into(),
            input: vec!["x".into(), "w".into()],
            output: vec!["y".into()],
            ..Default::default()
        });
        model.write_to_bytes().unwrap()
    }

    fn tensor(data_type: i32) -> TensorProto {
        TensorProto { name: "w".into(), dims: vec![2, 3], data_type, ..Default::default() }
    }

    #[test]
    fn only_the_named_numbers_change_however_they_are_stored() {
        let floats = [1f32, 2.0, 3.0, 4.0, 5.0, 6.0];
        let doubles = floats.map(f64::from);
        let raw = |bytes: Vec<u8>, data_type| TensorProto { raw_data: bytes, ..tensor(data_type) };
        let tensors = [
            raw(floats.iter().flat_map(|x| x.to_le_bytes()).collect(), 1),
            raw(doubles.iter().flat_map(|x| x.to_le_bytes()).collect(), 11),
            TensorProto { float_data: floats.to_vec(), ..tensor(1) },
            TensorProto { double_data: doubles.to_vec(), ..tensor(11) },
        ];
        for (stored, as_node) in tensors.iter().flat_map(|t| [(t, false), (t, true)]) {
            let bytes = file(stored.clone(), as_node);
            let model = from_bytes(&bytes).unwrap();
            // [outputs][inputs]
            let matrix = [1.0, 4.0, 2.0, 5.0, 3.0, 6.0];
            let weights = Weights::find(&model, "product", 2, &matrix).unwrap();
            let edits = BTreeMap::from([(weights.tensor.clone(), vec![weights.edit(2, 0, 30.5)])]);
            let written = with_edits(&bytes, &edits).unwrap();
            let read = from_bytes(&written).unwrap();
            let found = constant(&read, "w").unwrap().to_f64();
            assert_eq!(found, [1.0, 2.0, 30.5, 4.0, 5.0, 6.0], "{stored:?}");
            let differing = bytes.iter().zip(&written).filter(|(a, b)| a != b).count();
            assert!(differing <= 8 && bytes.len() == written.len(), "{stored:?}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let bytes = file(TensorProto { float_data: vec![0.0; 6], ..tensor(1) }, false);
        let check = |name: &str, index: usize, expected: &str| {
            let edits = BTreeMap::from([(name.to_owned(), vec![Edit { index, value: 1.0 }])]);
            let message = with_edits(&bytes, &edits).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        check("v", 0, "value v: the file has no such constant");
        check("w", 6, "value w: number 6 cannot be changed here");
        check("w", usize::MAX, "cannot be changed here");
        let half = file(TensorProto { raw_data: vec![0; 12], ..tensor(10) }, false);
        let edits = BTreeMap::from([("w".to_owned(), vec![Edit { index: 0, value: 1.0 }])]);
        assert!(with_edits(&half, &edits).unwrap_err().to_string().contains("32-bit or 64-bit"));
        let model = from_bytes(&bytes).unwrap();
        for (node, matrix, expected) in [
            ("other", [0.0; 6], "does not belong to exactly one node"),
            ("product", [1.0; 6], "not a constant of the main graph"),
        ] {
            let message = Weights::find(&model, node, 2, &matrix).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
