//! Counterpatch, a falsifier for neural networks.

pub mod budget;
pub mod lp;
pub mod network;
pub mod onnx;
pub mod problem;
pub mod property;
pub mod random;
pub mod reference;
pub mod report;
pub mod search;
