//! Adversarial images: the paper's evaluation (Section VI, Tables I and II, Figs. 6 and 7) as a tool.
//!
//! A [`Victim`] is a classifier and the shape of its images; a [`Task`] one image, its label and the [`Limits`] that
//! every method keeps. A [`Method`] is one attack in one file of [`methods`]; it evaluates through a [`Session`],
//! which counts. What a method returns is never believed: the driver puts it back into the valid range,
//! rounds it if asked, and classifies it once more with the reference engine.

pub mod csv;
pub mod fit;
pub mod grid;
pub mod images;
pub mod measures;
pub mod methods;
pub mod overview;
pub mod page;
#[cfg(test)]
mod pixel_tests;
pub mod record;
#[cfg(test)]
mod report_tests;
pub mod run;
pub mod session;
pub mod summary;
pub mod table;
pub mod task;
#[cfg(test)]
pub(crate) mod testing;
pub mod tidy;
pub mod victim;

pub use methods::{Method, Preparation};
pub use session::Session;
pub use task::{Confidence, Limits, TargetClasses, Task};
pub use victim::{ChannelOrder, ImageLayout, Victim, VictimError};
