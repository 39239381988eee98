//! What the grammar does not say: names, indices and types.
//!
//! Declarations stand before their use in both versions, so names are looked up as they are read, and no second walk
//! over millions of nodes is needed.

pub(crate) mod v1;
pub(crate) mod v2;
