//! From a candidate to a results file, and back.
//!
//! [`validate`] is the only place that makes a [`Witness`], and [`mod@write`] writes nothing else after `sat`: a wrong
//! `sat` cannot be written. What it guarantees, on exactly the numbers that the printed text parses back to:
//! - the inputs lie in the input set as the decimals of the property say, not as rounded ones do;
//! - the outputs of the reference engine violate the property with zero tolerance, in the model's type and in double;
//! - so do those of ONNX Runtime, where it is at hand (feature `ort`);
//! - the competition's judges of 2025 and 2026, which round here and there, come to the same verdict ([`judge`]).
//!
//! [`read`] reads what any tool has written, [`check`] judges it, and [`mend`] looks for a strict witness near it.

pub mod check;
pub mod decimals;
mod follow;
pub mod judge;
pub mod mend;
pub mod read;
pub mod replay;
mod robustness;
#[cfg(feature = "ort")]
mod runtime;
#[cfg(test)]
mod tests;
pub mod validate;
pub mod word;
pub mod write;

pub use check::{Class, Report};
pub use decimals::Decimals;
pub use judge::Rules;
pub use mend::{Mended, PointChange};
pub use read::{Claim, Malformed, Reading};
pub use replay::{Replay, ReplayError};
pub use validate::{Certainty, Lost, Rejection, Validation, Validator, Witness, WitnessTensor};
pub use write::{Answer, ResultsFile};
