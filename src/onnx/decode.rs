//! Protobuf messages → [`Model`]: the checks that need no operator's meaning.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use onnx_protobuf::attribute_proto::AttributeType;
use onnx_protobuf::tensor_shape_proto::dimension;
use onnx_protobuf::{
    AttributeProto, GraphProto, Message as _, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    ValueInfoProto, type_proto,
};

use super::content::ModelBytes;
use super::error::{ModelError, Place};
use super::expand;
use super::external::Folder;
use super::functions::{Functions, is_default};
use super::guard;
use super::model::{Attribute, Dim, Graph, Model, Node, ValueInfo};
use super::older;
use super::order;
use super::outline::outline;
use super::tensor::{ElementType, Tensor};
use super::values;

/// Versions of the default operator set that are read. The operators' meaning is checked against the ONNX project's
/// tests up to 21; of older sets what means the same in set 7 is read as set 7 (`older.rs`); 22 to 25 add element types and operators, and change none of the old ones on floats.
pub const OPSETS: std::ops::RangeInclusive<i64> = 7..=25;

/// Reads a model from the bytes of a file (already unpacked).
pub(super) fn model(content: &ModelBytes<'_>, path: &Path, folder: &Folder) -> Result<Model, ModelError> {
    if let ModelBytes::Held(bytes) = content {
        guard::check(bytes, guard::Message::Model)?;
    }
    let outline = outline(content)?;
    if let ModelBytes::InFile(_) = content {
        guard::check(&outline.model, guard::Message::Model)?;
    }
    let mut proto = ModelProto::parse_from_bytes(&outline.model).map_err(unreadable)?;
    let graph_proto = proto.graph.take().ok_or_else(|| {
        ModelError::new(Place::File, "there is no graph in it").help("this is no ONNX model: check the path")
    })?;
    let declared = opset(&proto.opset_import)?;
    let opset = declared.max(older::READ_AS);
    let reader = Reader { functions: Functions::new(&proto.functions, opset)?, folder };
    let mut graph = reader.graph(graph_proto, &outline.payloads, Level::Main)?;
    if declared < opset {
        older::check(&graph, declared)?;
    }
    order::sort(&mut graph)?;
    expand::expand(&mut graph, opset)?;
    Ok(Model { path: path.to_path_buf(), ir_version: proto.ir_version, opset, graph })
}

/// Reads a single tensor with its name, as the ONNX project's test data has them.
pub(super) fn named_tensor(bytes: &[u8], folder: &Folder) -> Result<(String, Tensor), ModelError> {
    guard::check(bytes, guard::Message::Tensor)?;
    let proto = TensorProto::parse_from_bytes(bytes).map_err(unreadable)?;
    let name = proto.name.clone();
    Ok((name, values::tensor(proto, None, folder)?))
}

fn unreadable(error: protobuf::Error) -> ModelError {
    ModelError::new(Place::File, format!("protobuf cannot read it: {error}"))
        .help("the file is damaged or no ONNX model: fetch or export it again")
}

fn opset(imports: &[OperatorSetIdProto]) -> Result<i64, ModelError> {
    let version = imports.iter().filter(|o| is_default(&o.domain)).map(|o| o.version).max();
    let fail = |what: String, help: &str| Err(ModelError::new(Place::File, what).help(help));
    match version {
        Some(version) if OPSETS.contains(&version) || (1..older::READ_AS).contains(&version) => Ok(version),
        Some(version) if version < 1 => {
            fail(format!("operator set {version} does not exist"), "export the model again")
        }
        Some(version) => fail(
            format!("operator set {version} is newer than {}", OPSETS.end()),
            "convert the model with onnx.version_converter.convert_version(model, 21)",
        ),
        None => fail("it does not say which operator set it uses".into(), "export the model again"),
    }
}

/// Whether a graph is the model's own or an attribute of a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Main,
    Sub,
}

struct Reader<'a> {
    functions: Functions<'a>,
    folder: &'a Folder,
}

impl Reader<'_> {
    fn graph(
        &self,
        proto: GraphProto,
        payloads: &[Option<ModelBytes<'_>>],
        level: Level,
    ) -> Result<Graph, ModelError> {
        let mut constants = Constants::default();
        for (i, tensor) in proto.initializer.into_iter().enumerate() {
            let name = tensor.name.clone();
            let payload = payloads.get(i).and_then(Option::as_ref);
            constants.define(name, values::tensor(tensor, payload, self.folder))?;
        }
        for tensor in proto.sparse_initializer {
            let name = tensor.values.name.clone();
            constants.define(name, values::sparse_tensor(tensor, self.folder))?;
        }
        let nodes = self.functions.inline(proto.node)?;
        let nodes: Vec<Node> =
            nodes.into_iter().enumerate().map(|(i, n)| self.node(n, i)).collect::<Result<_, _>>()?;
        constants.refuse_what_is_no_number(&nodes);
        let Constants { initializers, refused, .. } = constants;
        let asked = proto
            .input
            .iter()
            .filter(|i| !initializers.contains_key(&i.name) && !refused.contains_key(&i.name));
        let inputs = asked.map(|i| value_info(i, level)).collect::<Result<_, _>>()?;
        // Labels as texts stand beside the numbers that they are made from; nobody can ask for them here.
        let texts = proto.output.iter().filter(|output| holds_texts(output)).count();
        let numeric = |output: &&ValueInfoProto| texts == proto.output.len() || !holds_texts(output);
        let output = |o: &ValueInfoProto| match zipped(&o.name, &nodes) {
            Some(shape) => {
                Ok(ValueInfo { name: o.name.clone(), element: ElementType::Float32, shape: Some(shape) })
            }
            None => value_info(o, level),
        };
        let outputs = proto.output.iter().filter(numeric).map(output).collect::<Result<_, _>>()?;
        Ok(Graph { name: proto.name, nodes, inputs, outputs, initializers, refused })
    }

    fn node(&self, proto: NodeProto, index: usize) -> Result<Node, ModelError> {
        let name = if proto.name.is_empty() { format!("#{index}") } else { proto.name };
        let place = Place::Node { name: name.clone(), operator: proto.op_type.clone() };
        let mut attributes = BTreeMap::new();
        for attribute in proto.attribute {
            let key = attribute.name.clone();
            let value = self.attribute(attribute).map_err(|e| match e.place {
                Place::File => {
                    ModelError { place: place.clone(), what: format!("its attribute {key} {}", e.what), ..e }
                }
                _ => e,
            })?;
            if attributes.insert(key.clone(), value).is_some() {
                return Err(ModelError::new(place, format!("it has two attributes {key}")));
            }
        }
        Ok(Node {
            name,
            operator: proto.op_type,
            domain: if is_default(&proto.domain) { String::new() } else { proto.domain },
            inputs: proto.input,
            outputs: proto.output,
            attributes,
        })
    }

    /// An error at [`Place::File`] continues the sentence "its attribute NAME ...".
    fn attribute(&self, mut proto: AttributeProto) -> Result<Attribute, ModelError> {
        let fail = |what: &str| Err(ModelError::new(Place::File, what));
        if !proto.ref_attr_name.is_empty() {
            return fail("refers to an attribute of a function, but stands in none");
        }
        Ok(match proto.type_.enum_value() {
            Ok(AttributeType::FLOAT) => Attribute::Float(proto.f),
            Ok(AttributeType::INT) => Attribute::Int(proto.i),
            Ok(AttributeType::STRING) => Attribute::String(proto.s),
            Ok(AttributeType::FLOATS) => Attribute::Floats(proto.floats),
            Ok(AttributeType::INTS) => Attribute::Ints(proto.ints),
            Ok(AttributeType::STRINGS) => Attribute::Strings(proto.strings),
            Ok(AttributeType::TENSOR) => match proto.t.take() {
                Some(tensor) => held(&proto.name, values::tensor(tensor, None, self.folder)),
                None => return fail("is a tensor without a value"),
            },
            Ok(AttributeType::SPARSE_TENSOR) => match proto.sparse_tensor.take() {
                Some(tensor) => held(&proto.name, values::sparse_tensor(tensor, self.folder)),
                None => return fail("is a tensor without a value"),
            },
            Ok(AttributeType::GRAPH) => match proto.g.take() {
                Some(graph) => Attribute::Graph(Arc::new(self.graph(graph, &[], Level::Sub)?)),
                None => return fail("is a graph without a value"),
            },
            Ok(other) => Attribute::Refused(format!("has the type {other:?}, which is not supported")),
            Err(number) => return fail(&format!("has the type {number}, which ONNX does not have")),
        })
    }
}

/// An attribute's tensor, or why it cannot be read.
fn held(name: &str, tensor: Result<Tensor, ModelError>) -> Attribute {
    // The sets of a tree ensemble stand in one list, with NaN between them.
    let divided = name == "membership_values";
    match tensor.and_then(|tensor| if divided { Ok(tensor) } else { values::without_nan(name, tensor) }) {
        Ok(tensor) => Attribute::Tensor(Arc::new(tensor)),
        Err(error) => Attribute::Refused(error.what),
    }
}

/// The constants of a graph.
#[derive(Default)]
struct Constants {
    initializers: BTreeMap<String, Arc<Tensor>>,
    refused: BTreeMap<String, ModelError>,
    /// Those that hold NaN, and what is to be said of it.
    doubtful: BTreeMap<String, ModelError>,
}

impl Constants {
    fn define(&mut self, name: String, tensor: Result<Tensor, ModelError>) -> Result<(), ModelError> {
        if name.is_empty() {
            return Err(ModelError::new(Place::File, "a constant without a name"));
        }
        if self.initializers.contains_key(&name) || self.refused.contains_key(&name) {
            return Err(ModelError::new(Place::Value(name), "two constants have this name"));
        }
        match tensor {
            Ok(tensor) => {
                let doubt = values::nan_in(&name, &tensor).map(|error| (name.clone(), error));
                self.doubtful.extend(doubt);
                self.initializers.insert(name, Arc::new(tensor));
            }
            Err(error) => {
                self.refused.insert(name, error);
            }
        }
        Ok(())
    }

    /// A constant that is no number is refused, unless it is only ever one of two to choose from: JAX writes so of a variance that
    /// would have no degree of freedom.
    fn refuse_what_is_no_number(&mut self, nodes: &[Node]) {
        for (name, error) in std::mem::take(&mut self.doubtful) {
            let chooses = |node: &Node| {
                node.domain.is_empty() && node.operator == "Where" && node.inputs.first() != Some(&name)
            };
            let mut users = nodes.iter().filter(|node| order::needs(node).contains(name.as_str())).peekable();
            if users.peek().is_none() || !users.all(chooses) {
                self.initializers.remove(&name);
                self.refused.insert(name, error);
            }
        }
    }
}

/// What `ZipMap` gives is maps from labels to numbers; here it stands for the numbers alone, a row for each point in the order of
/// the labels. Their shape, if a node of that kind makes the value.
fn zipped(name: &str, nodes: &[Node]) -> Option<Vec<Dim>> {
    let is_maker = |node: &&Node| {
        node.operator == "ZipMap" && node.domain == "ai.onnx.ml" && node.outputs.iter().any(|own| own == name)
    };
    let maker = nodes.iter().find(is_maker)?;
    let labels = maker.attributes.values().find_map(|list| match list {
        Attribute::Ints(list) => Some(list.len()),
        Attribute::Strings(list) => Some(list.len()),
        _ => None,
    });
    Some(vec![Dim::Symbolic(String::new()), labels.map_or(Dim::Symbolic(String::new()), Dim::Fixed)])
}

fn holds_texts(proto: &ValueInfoProto) -> bool {
    const STRING: i32 = 8;
    matches!(proto.type_.value.as_ref(), Some(type_proto::Value::TensorType(tensor)) if tensor.elem_type == STRING)
}

fn value_info(proto: &ValueInfoProto, level: Level) -> Result<ValueInfo, ModelError> {
    let name = proto.name.clone();
    let fail = |what: String| Err(ModelError::new(Place::Value(name.clone()), what));
    let tensor = match proto.type_.value.as_ref() {
        Some(type_proto::Value::TensorType(tensor)) => tensor,
        // A branch of an `If` need not say what its results are.
        None if level == Level::Sub => {
            return Ok(ValueInfo { name, element: ElementType::Float32, shape: None });
        }
        None => return fail("it has no type".into()),
        Some(type_proto::Value::SequenceType(_) | type_proto::Value::MapType(_)) if level == Level::Main => {
            let what = "it is a list or a map, and nothing but dense tensors is supported";
            return Err(ModelError::new(Place::Value(name), what).help(
                "convert a classifier of scikit-learn with options={'zipmap': False}, or cut the graph before this value \
                 with onnx.utils.extract_model",
            ));
        }
        Some(_) if level == Level::Sub => {
            return Ok(ValueInfo { name, element: ElementType::Float32, shape: None });
        }
        Some(_) => return fail("it is no dense tensor, and nothing else is supported".into()),
    };
    let element = match ElementType::from_number(tensor.elem_type) {
        Ok(element) => element,
        Err(_) if level == Level::Sub && tensor.elem_type == 0 => ElementType::Float32,
        Err(what) => return fail(format!("holds {what}")),
    };
    let Some(shape) = tensor.shape.as_ref() else { return Ok(ValueInfo { name, element, shape: None }) };
    let mut dims = Vec::with_capacity(shape.dim.len());
    for dim in &shape.dim {
        dims.push(match &dim.value {
            // Some exporters write an unknown dimension so.
            Some(dimension::Value::DimValue(-1)) => Dim::Symbolic(String::new()),
            Some(dimension::Value::DimValue(size)) => match usize::try_from(*size) {
                Ok(size) => Dim::Fixed(size),
                Err(_) => return fail(format!("a negative dimension {size}")),
            },
            Some(dimension::Value::DimParam(symbol)) => Dim::Symbolic(symbol.clone()),
            _ => Dim::Symbolic(String::new()),
        });
    }
    let fixed: Vec<i64> = dims.iter().map(|d| if let Dim::Fixed(n) = d { *n as i64 } else { 1 }).collect();
    if let Err(what) = values::shape(&fixed) {
        return fail(what);
    }
    Ok(ValueInfo { name, element, shape: Some(dims) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str) -> ValueInfoProto {
        let mut value = ValueInfoProto { name: name.into(), ..Default::default() };
        let mut tensor = type_proto::Tensor { elem_type: 1, ..Default::default() };
        let dim =
            |value| onnx_protobuf::tensor_shape_proto::Dimension { value: Some(value), ..Default::default() };
        tensor.shape.mut_or_insert_default().dim =
            vec![dim(dimension::Value::DimParam("N".into())), dim(dimension::Value::DimValue(2))];
        value.type_.mut_or_insert_default().value = Some(type_proto::Value::TensorType(tensor));
        value
    }

    /// y = x + w, with w listed as an input too.
    fn sample() -> ModelProto {
        let mut model = ModelProto { ir_version: 8, ..Default::default() };
        model.opset_import.push(OperatorSetIdProto { version: 13, ..Default::default() });
        let graph = model.graph.mut_or_insert_default();
        graph.input = vec![value("x"), value("w")];
        graph.output = vec![value("y")];
        graph.initializer.push(TensorProto {
            name: "w".into(),
            data_type: 1,
            dims: vec![2],
            float_data: vec![1.0, 2.0],
            ..Default::default()
        });
        graph.node.push(NodeProto {
            op_type: "Add".into(),
            input: vec!["x".into(), "w".into()],
            output: vec!["y".into()],
            ..Default::default()
        });
        model
    }

    fn read(model: &ModelProto) -> Result<Model, String> {
        let bytes = model.write_to_bytes().unwrap();
        super::model(&ModelBytes::Held(&bytes), Path::new("net.onnx"), &Folder::none())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn a_model_becomes_plain_data() {
        let model = read(&sample()).unwrap();
        let shape = Some(vec![Dim::Symbolic("N".into()), Dim::Fixed(2)]);
        assert_eq!(model.opset, 13);
        assert_eq!(
            model.graph.inputs,
            [ValueInfo { name: "x".into(), element: ElementType::Float32, shape }]
        );
        assert_eq!(model.graph.initializers["w"].to_f64(), [1.0, 2.0]);
        assert_eq!(model.graph.nodes[0].name, "#0");
    }

    #[test]
    fn outputs_of_texts_are_left_out_beside_numbers() {
        let mut model = sample();
        let mut texts = value("labels");
        if let Some(type_proto::Value::TensorType(tensor)) =
            texts.type_.as_mut().and_then(|type_| type_.value.as_mut())
        {
            tensor.elem_type = 8;
        }
        let graph = model.graph.mut_or_insert_default();
        graph.output.insert(0, texts);
        let names = |model: &ModelProto| -> Result<Vec<String>, String> {
            Ok(read(model)?.graph.outputs.into_iter().map(|output| output.name).collect())
        };
        assert_eq!(names(&model), Ok(vec!["y".to_owned()]));
        model.graph.mut_or_insert_default().output.truncate(1);
        assert!(names(&model).unwrap_err().contains("holds strings"));
    }

    #[test]
    fn a_constant_that_cannot_be_read_counts_where_it_is_needed() {
        let mut model = sample();
        model.graph.mut_or_insert_default().initializer[0].dims = vec![3];
        let graph = read(&model).unwrap().graph;
        let refused = crate::onnx::live::Live::of_outputs(&graph).refusal(&graph).unwrap().to_string();
        assert_eq!(refused, "value w: its shape claims 3 values, the file holds 2");
        model.graph.mut_or_insert_default().node[0].input[1] = "x".into();
        let graph = read(&model).unwrap().graph;
        assert!(crate::onnx::live::Live::of_outputs(&graph).refusal(&graph).is_none());
    }

    #[test]
    fn wrong_models_are_refused_with_their_place() {
        type Break = fn(&mut ModelProto);
        fn graph(model: &mut ModelProto) -> &mut GraphProto {
            model.graph.mut_or_insert_default()
        }
        let cases: [(Break, &str); 8] = [
            (|m| m.graph = None.into(), "the model: there is no graph in it"),
            (|m| m.opset_import.clear(), "the model: it does not say which operator set"),
            (|m| m.opset_import[0].version = 0, "the model: operator set 0 does not exist"),
            (|m| m.opset_import[0].version = 99, "the model: operator set 99 is newer than 25"),
            (|m| graph(m).initializer[0].name.clear(), "the model: a constant without a name"),
            (|m| graph(m).input[0].type_ = None.into(), "value x: it has no type"),
            (|m| graph(m).node[0].input[1] = "v".into(), "node #0 (Add): its operand v is nowhere defined"),
            (
                |m| {
                    let type_ = AttributeType::TENSOR.into();
                    let attribute = AttributeProto { name: "value".into(), type_, ..Default::default() };
                    graph(m).node[0].attribute.push(attribute);
                },
                "node #0 (Add): its attribute value is a tensor without a value",
            ),
        ];
        for (break_it, expected) in cases {
            let mut model = sample();
            break_it(&mut model);
            let message = read(&model).unwrap_err();
            assert!(message.starts_with(expected), "{message}");
        }
    }
}
