//! Counterpatch, a falsifier for neural networks: it looks for an input that violates a property, and proves that there is none
//! where it can.
//!
//! ```
//! use std::time::Duration;
//!
//! use counterpatch::{Conclusion, Falsification};
//!
//! let falsification = Falsification::read(["tests/data/digits_mlp.onnx"], "tests/data/digits_mlp_easy.vnnlib")?
//!     .budget(Duration::from_secs(60));
//! match falsification.run()? {
//!     Conclusion::Counterexample(found) => {
//!         let image = &found.inputs()[0]; // the network's name, and an `ndarray` array of its shape
//!         println!("{} of shape {:?} leads to {}", image.name, image.values.shape(), found.outputs()[0].values);
//! #       assert_eq!(image.values.len(), 64);
//!     }
//!     Conclusion::Proved(proof) => println!("safe: {}", proof.ground()),
//!     unknown => println!("unknown: {unknown}"),
//! }
//! # Ok::<(), counterpatch::Error>(())
//! ```
//!
//! # What to ask
//! - Files of ONNX and VNN-LIB: [`Falsification::read`]; what is in memory: [`from_bytes`](Falsification::from_bytes),
//!   [`new`](Falsification::new), and [`named`](Falsification::named) for several networks.
//! - A box of inputs and unsafe sets of outputs, without a file: [`Falsification::within`] a [`Within`](property::within::Within).
//! - A point and how far inputs may be from it: [`Falsification::around`]; how far they may be at most:
//!   [`pipeline::radius`]; the nearest counterexample: [`Falsification::nearest`].
//! - The smallest change of weights with which a network does what it should at given points: [`pipeline::repair`].
//! - Whether a counterexample of any tool holds: [`witness::read`] and [`witness::check`](mod@witness::check).
//!
//! A run counts its [`budget`](Falsification::budget) from its call, ends early when an [`Interrupt`] is raised from another thread,
//! and gives the same answer every time with one seed and one thread. It prints nothing, writes no file and catches no signal;
//! [`run_observed`](Falsification::run_observed) tells an [`Observer`](search::observer::Observer) how it goes.
//!
//! # What an answer means
//! The network is what its file says, computed in the number types that the file declares. A [`Counterexample`] was replayed by a
//! second engine that shares nothing with the search, exactly as its decimals are written, and a proof was checked by a judge that
//! shares nothing with the search either. `ARCHITECTURE.md` says which orders of sums and which roundings both admit.
//!
//! # Features
//! - `cli`, on by default: the program `counterpatch`, with its attacks on images, audits and campaigns. A program that only asks
//!   questions turns it off (`default-features = false`), and compiles half as many crates.
//! - `ort`: replays counterexamples in ONNX Runtime too, whose shared library is loaded at run time. Off by default.
//!
//! `examples/` has three whole programs. Modules that are not listed below are the inside of the engine: they are public for the
//! project's own tests and measurements, and change without notice.

#![deny(unsafe_code)]

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod answer_page;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod attack;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod audit;
#[doc(hidden)]
pub mod bounds;
pub mod budget;
#[cfg(feature = "cli")]
pub mod campaign;
pub mod certificate;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod counterexample;
#[doc(hidden)]
pub mod csv;
mod dispatch;
pub mod error;
#[doc(hidden)]
pub mod escape;
pub mod falsification;
pub mod load;
#[doc(hidden)]
pub mod lp;
pub mod nearest;
#[doc(hidden)]
pub mod network;
pub mod onnx;
mod pack;
#[doc(hidden)]
pub mod patching;
pub mod pipeline;
#[doc(hidden)]
pub mod problem;
pub mod property;
#[doc(hidden)]
pub mod random;
#[doc(hidden)]
pub mod reference;
#[doc(hidden)]
pub mod region;
#[doc(hidden)]
pub mod repair;
#[doc(hidden)]
pub mod report;
pub mod search;
mod text;
#[doc(hidden)]
pub mod unpack;
pub mod witness;

pub use budget::{Interrupt, StopReason};
pub use counterexample::{Counterexample, NamedArray};
pub use error::Error;
pub use falsification::{Conclusion, Falsification, Gathered};
pub use {ndarray, vnnlib};

/// The book's page for those who write Rust: its examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/src/rust.md")]
struct PageOfRust;
