//! Counterpatch, a falsifier for neural networks.

pub mod attack;
pub mod audit;
pub mod budget;
pub mod campaign;
pub mod certificate;
pub mod cli;
pub mod error;
pub mod escape;
pub mod lp;
pub mod nearest;
pub mod network;
pub mod onnx;
mod pack;
pub mod patching;
pub mod pipeline;
pub mod problem;
pub mod property;
pub mod random;
pub mod reference;
pub mod repair;
pub mod report;
pub mod search;
mod text;
pub mod unpack;
pub mod witness;
