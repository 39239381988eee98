//! Reading ONNX files: bytes → checked [`Model`]. Knows no network: [`mod@crate::network::import`] makes one of a model.
//!
//! [`read`] finds and unpacks the file; `guard` decides whether the protobuf library may see it; `outline` keeps its
//! large constants out of that library's hands, and `content` in their file until they become numbers; `decode`, `values`, `external` and `functions` turn messages into
//! plain data; `order` checks names and sorts the nodes. [`mod@write`] changes numbers in a copy of a file.

mod attribute;
mod content;
mod decode;
pub mod error;
pub(crate) mod expand;
mod external;
mod functions;
mod guard;
pub mod live;
pub mod model;
mod older;
mod order;
mod outline;
mod read;
mod serialise;
pub mod tensor;
mod values;
mod wire;
pub mod write;

pub use decode::OPSETS;
pub use error::{ModelError, Place};
pub use expand::operators as expanded_operators;
pub use model::{Attribute, Dim, Graph, Model, Node, ValueInfo};
pub use read::{ReadError, from_bytes, read, read_tensor, read_with_bytes, unpacked};
pub use serialise::tensor_bytes;
pub use tensor::{Data, ElementType, MAX_LEN, SparseValues, Tensor};
