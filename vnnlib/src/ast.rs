//! A checked query: what is declared and what is asserted.
//!
//! Files reach 100 MB and millions of comparisons, so the expressions are one flat array of 20-byte nodes in the
//! order of the text ([`Node`]), the numbers stay in the text, and a plain bound `(<= X_3 0.5)` is a single node.
//! [`crate::view`] gives that array the shape of a tree. A query is only made by [`crate::parse`], so it is always
//! well scoped and well typed; copies share the same data.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::element_type::ElementType;
use crate::node::{AssertionAt, Node};

/// A range of bytes of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    start: u32,
    length: u32,
}

impl Span {
    pub(crate) fn new(start: u32, length: u32) -> Self {
        Self { start, length }
    }

    /// The first byte.
    pub fn start(self) -> usize {
        self.start as usize
    }

    /// The byte behind the last one.
    pub fn end(self) -> usize {
        self.start as usize + self.length as usize
    }
}

/// The version of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Version {
    /// VNN-LIB 1.0: `declare-const`, variables `X_i` and `Y_j`.
    V1,
    /// VNN-LIB 2.0 and its later minor versions: networks with named tensors.
    V2 {
        /// The number behind the point.
        minor: u32,
    },
}

/// What a tensor is to its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Role {
    /// An input.
    Input,
    /// A value inside of the network.
    Hidden,
    /// An output.
    Output,
}

/// The number of a tensor, in declaration order over all networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(pub(crate) u16);

impl TensorId {
    /// The position in [`Query::tensors`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// One number of a declared tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Variable {
    pub(crate) tensor: TensorId,
    pub(crate) element: u32,
}

impl Variable {
    /// The tensor that it belongs to.
    pub fn tensor(self) -> TensorId {
        self.tensor
    }

    /// Its position in the tensor, row-major, from 0.
    pub fn element(self) -> usize {
        self.element as usize
    }
}

/// A declared tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    pub(crate) name: String,
    pub(crate) network: usize,
    pub(crate) role: Role,
    pub(crate) element_type: ElementType,
    pub(crate) shape: Vec<u32>,
    pub(crate) count: u32,
    pub(crate) onnx_name: Option<String>,
    pub(crate) initialized: bool,
}

impl Tensor {
    /// The declared name; in VNN-LIB 1.0 `X` or `Y`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The position of its network in [`Query::networks`].
    pub fn network(&self) -> usize {
        self.network
    }

    /// What it is to its network.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The declared element type; in VNN-LIB 1.0 [`ElementType::Real`].
    pub fn element_type(&self) -> ElementType {
        self.element_type
    }

    /// The declared shape, empty for a scalar; in VNN-LIB 1.0 the number of variables.
    pub fn shape(&self) -> &[u32] {
        &self.shape
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether it has no elements. A checked tensor always has some.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The name of the ONNX tensor that a hidden tensor stands for.
    pub fn onnx_name(&self) -> Option<&str> {
        self.onnx_name.as_deref()
    }

    /// Whether the input is declared as one with an initialiser.
    pub fn is_initialized(&self) -> bool {
        self.initialized
    }
}

/// How a network relates to an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Equivalence {
    /// It is the same network as the one at this position.
    EqualTo(usize),
    /// It has the same graph as the one at this position, with other weights.
    IsomorphicTo(usize),
}

/// A declared network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    pub(crate) name: String,
    pub(crate) equivalence: Option<Equivalence>,
    pub(crate) tensors: Range<u16>,
}

impl Network {
    /// The declared name; in VNN-LIB 1.0 `N`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its relation to an earlier network, if one is declared.
    pub fn equivalence(&self) -> Option<Equivalence> {
        self.equivalence
    }

    /// Its tensors, in declaration order: inputs, hidden, outputs.
    pub fn tensors(&self) -> impl Iterator<Item = TensorId> + use<> {
        self.tensors.clone().map(TensorId)
    }
}

/// A checked query. Equality ignores where things stand in the text, but not how numbers are written.
#[derive(Clone)]
pub struct Query {
    pub(crate) data: Arc<Data>,
}

/// What all copies of a query share.
pub(crate) struct Data {
    pub(crate) name: Arc<str>,
    pub(crate) text: Box<str>,
    pub(crate) version: Version,
    pub(crate) networks: Vec<Network>,
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) assertions: Vec<AssertionAt>,
}

impl Query {
    /// The name that was given to the text, as in messages.
    pub fn name(&self) -> &str {
        &self.data.name
    }

    /// The text that was read.
    pub fn text(&self) -> &str {
        &self.data.text
    }

    /// The version of the language that the text is written in.
    pub fn version(&self) -> Version {
        self.data.version
    }

    /// The networks, in declaration order; one in VNN-LIB 1.0.
    pub fn networks(&self) -> &[Network] {
        &self.data.networks
    }

    /// All tensors of all networks, in declaration order: [`TensorId::index`] counts here.
    /// A witness lists its values in this order.
    pub fn tensors(&self) -> &[Tensor] {
        &self.data.tensors
    }

    /// The tensors with their numbers, in declaration order.
    pub fn tensor_ids(&self) -> impl Iterator<Item = (TensorId, &Tensor)> {
        // The checker admits at most u16::MAX tensors.
        (0..=u16::MAX).map(TensorId).zip(&self.data.tensors)
    }

    /// The variable at a row-major position of a tensor, if both exist.
    pub fn variable(&self, tensor: TensorId, element: usize) -> Option<Variable> {
        let count = self.data.tensors.get(tensor.index())?.count;
        let element = u32::try_from(element).ok().filter(|&element| element < count)?;
        Some(Variable { tensor, element })
    }

    /// The line and the column, both from 1, where a span begins. Linear in the text before it.
    pub fn line_and_column(&self, span: Span) -> (usize, usize) {
        crate::error::line_and_column(&self.data.text, span.start())
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query")
            .field("name", &self.data.name)
            .field("version", &self.data.version)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Query {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&*self.data, &*other.data);
        a.version == b.version
            && a.networks == b.networks
            && a.tensors == b.tensors
            && a.assertions.len() == b.assertions.len()
            && self
                .assertions()
                .zip(other.assertions())
                .all(|(a, b)| a.formula().events().eq(b.formula().events()))
    }
}

impl Eq for Query {}
