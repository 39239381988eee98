//! The plain reference engine: an interpreter over the file's own graph, node by node.
//!
//! It decides whether a candidate is a counterexample, so it shares no kernel and no graph rewrite with the fast
//! engine in [`network`](crate::network), and each operator is written the way the ONNX specification reads.
//!
//! Numbers: with [`Precision::Model`] every operator's result is rounded to the element type that the file gives it.
//! Matrix products and convolutions, where nearly all rounding error of a network arises, also add up in that type;
//! element-wise functions and the other sums are computed in double and rounded once. With
//! [`Precision::Fused`] they add up in another permitted way, with [`Precision::Bytes`] 8-bit numbers in one that is not. With [`Precision::Double`]
//! all floats are doubles from the inputs to the outputs.

mod array;
mod byte_kernels;
mod call;
mod control;
mod engine;
mod lists;
#[cfg(feature = "ort")]
pub mod onnxruntime;
mod ops;
mod scope;
#[cfg(test)]
mod tests;

pub use call::{ByteKernels, Precision};
pub(crate) use engine::run_node;
pub use engine::{Engine, Output, Unsupported};

/// Names of the operators that this engine computes, sorted.
pub fn operators() -> Vec<&'static str> {
    let mut names: Vec<_> = ops::TABLES.iter().flat_map(|t| t.iter().map(|(name, _)| *name)).collect();
    names.extend(control::OPERATORS);
    names.extend(lists::OPERATORS);
    names.sort_unstable();
    names
}
