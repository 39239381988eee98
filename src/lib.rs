//! Counterpatch, a falsifier for neural networks.

pub mod lp;
pub mod network;
pub mod onnx;
