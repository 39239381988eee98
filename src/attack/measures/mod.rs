//! What is measured of an adversarial image and of a method, one measure a file. All distances are between the inputs
//! that the network reads, in single precision, before anything is stored as a picture.

pub mod curve;
pub mod definitions;
pub mod distance;
pub mod features;
pub mod frechet;
pub mod pielou;
pub mod reader;
pub mod resize;
pub mod similarity;
pub mod statistic;
pub mod transfer;
