//! A network around a point, or over a box, as rows and columns of a linear program.
//!
//! In an activation region a piecewise-linear network is affine, so "the best margin here" is a linear program (Khan,
//! Madhukar and Sharma, Sections III and IV; Tjeng, Xiao and Tedrake, ICLR 2019). What the programs of the
//! [search](crate::search), of [patches](crate::patching) and of the attacks on images are made of is written here once:
//!
//! - [`rows`]: inputs, sums, values between linear bounds, a property's margins,
//! - [`layers`]: the pieces of a chain of layers and its affine maps,
//! - [`graph`]: the same for any graph, by evaluating it with its pieces frozen,
//! - [`program`]: the program of one region, with a row for each neuron that can be turned.

pub mod graph;
pub mod layers;
pub mod program;
pub mod rows;
