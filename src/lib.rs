//! Counterpatch, a falsifier for neural networks.

pub mod onnx;
