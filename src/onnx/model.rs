//! An ONNX model as plain Rust data: what is left when the protobuf has been read and checked.
//!
//! Two engines start from here and share nothing further down: the importer, which makes the fast
//! [`Network`](crate::network::Network), and the plain reference engine, which walks these nodes as the file
//! lists them. Source of the meaning: the ONNX IR specification (`onnx/docs/IR.md`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::error::{ModelError, Place};
use super::tensor::{ElementType, Tensor};

/// A model file: one main graph and the operator-set version of the default domain.
#[derive(Debug, Clone)]
pub struct Model {
    /// The file it was read from, for messages.
    pub path: PathBuf,
    /// `ir_version` of the file.
    pub ir_version: i64,
    /// Version of the default operator set (domain `""` or `ai.onnx`).
    pub opset: i64,
    /// The main graph.
    pub graph: Graph,
}

/// A graph: nodes in a topological order, with named values between them.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// The graph's own name, possibly empty.
    pub name: String,
    /// Nodes in topological order: the reader sorts them and refuses cycles.
    pub nodes: Vec<Node>,
    /// Inputs that the user provides: graph inputs that are not also initialisers.
    pub inputs: Vec<ValueInfo>,
    /// Outputs in the model's order.
    pub outputs: Vec<ValueInfo>,
    /// Constants by name.
    pub initializers: BTreeMap<String, Arc<Tensor>>,
    /// Constants that could not be read, and why: an error where one is needed ([`Live`](super::live::Live)).
    pub refused: BTreeMap<String, ModelError>,
}

/// A named input or output with what the file declares of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueInfo {
    /// Name of the value in the graph.
    pub name: String,
    /// Declared element type. Where a subgraph leaves it out, `Float32` stands in; nothing relies on it there.
    pub element: ElementType,
    /// Declared shape; `None` where the file gives none.
    pub shape: Option<Vec<Dim>>,
}

impl ValueInfo {
    /// The declared shape with open dimensions as 1, as this program sets them; `None` where the file gives none.
    pub fn closed_shape(&self) -> Option<Vec<usize>> {
        let size = |dim: &Dim| if let Dim::Fixed(n) = dim { *n } else { 1 };
        self.shape.as_ref().map(|dims| dims.iter().map(size).collect())
    }
}

/// One declared dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dim {
    /// A number.
    Fixed(usize),
    /// A name, or nothing at all (then the name is empty). Competition networks have these as batch axes.
    Symbolic(String),
}

/// One operator application.
#[derive(Debug, Clone)]
pub struct Node {
    /// The node's name, or `#index` where the file gives none: messages always have something to point at.
    pub name: String,
    /// Operator, e.g. `Gemm`.
    pub operator: String,
    /// Domain, `""` for the standard one.
    pub domain: String,
    /// Names of the operands; `""` stands for an optional operand that is left out.
    pub inputs: Vec<String>,
    /// Names of the results; `""` stands for one that nobody wants.
    pub outputs: Vec<String>,
    /// Attributes by name.
    pub attributes: BTreeMap<String, Attribute>,
}

/// An attribute's value, one variant a protobuf type.
#[derive(Debug, Clone)]
pub enum Attribute {
    /// `FLOAT`
    Float(f32),
    /// `INT`
    Int(i64),
    /// `STRING`, as bytes: ONNX does not promise UTF-8.
    String(Vec<u8>),
    /// `TENSOR` (a sparse one is held here too)
    Tensor(Arc<Tensor>),
    /// `GRAPH`
    Graph(Arc<Graph>),
    /// `FLOATS`
    Floats(Vec<f32>),
    /// `INTS`
    Ints(Vec<i64>),
    /// `STRINGS`
    Strings(Vec<Vec<u8>>),
    /// What could not be read, continuing "its attribute NAME ...": an error where it is asked for.
    Refused(String),
}

impl Node {
    /// An error at this node.
    pub fn error(&self, what: impl Into<String>) -> ModelError {
        ModelError::new(Place::Node { name: self.name.clone(), operator: self.operator.clone() }, what)
    }
}
