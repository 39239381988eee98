//! What verdicts rest on: enclosures of every permitted computation of a network, and the judge of `unsat`.
//!
//! The network is what its file says, computed in the number types that the file declares, each operator as ONNX defines it. What
//! ONNX leaves open is open: sums may be formed in any order and with fused multiply-adds, functions may be off by a measured
//! number of units in the last place (`functions_table.rs`). A statement about the network here holds for *all* of these
//! computations at once.
//!
//! ```text
//! Model ─ compile ─▶ Tape ─┐
//!                          ├─ bounds (forwards), sweep (backwards) ─▶ enclosure ─ formula ─▶ truth
//! Query ─ domain ─▶ box ───┘                                           check: tokens ─▶ Proof · certify: a point ─▶ Certainty
//! ```
//!
//! It shares nothing with the bounds that the search proves with (`bounds`), not even the network: it starts from the
//! file's own nodes, as the plain engine does.

mod allowances;
mod bounds;
mod cells;
mod certify;
mod check;
mod compile;
mod directed;
#[doc(hidden)]
pub mod door;
mod enclosure;
mod format;
mod formula;
mod functions;
mod functions_table;
mod input;
mod parts;
mod sweep;
mod tape;
#[cfg(test)]
mod tests;
mod tokens;
mod worker;

pub(crate) use cells::{Cell, Cells, NoCells};
pub(crate) use certify::{MOST_CERTIFIED, certify};
pub use check::{Ground, Mending, Proof, Refusal};
pub(crate) use check::{check, check_cell};
pub use compile::NoEnclosure;
pub(crate) use enclosure::Enclosure;
pub(crate) use parts::joined;
pub use parts::{JoinError, PartitionStep};
pub use tokens::{Certificate, CertificateError, Token, VERSION};
