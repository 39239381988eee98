//! Reading ONNX files: bytes → checked [`Model`] → (importer) [`Network`](crate::network::Network).

pub mod error;
pub mod model;
pub mod tensor;

pub use error::{ModelError, Place};
pub use model::{Attribute, Dim, Graph, Model, Node, ValueInfo};
pub use tensor::{Data, ElementType, Sparse, Tensor};
