//! What a search knows of a proof: how a region was taken apart until bounds excluded every part.
//!
//! It is a hint, not a proof: the judge of `unsat` ([`certificate`](crate::certificate)) computes the bounds of each part anew.

use crate::bounds::Neuron;

/// What became of a part, written before the parts that it was cut into.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// It was excluded, with these choices of multipliers.
    Excluded(Vec<Choice>),
    /// It was cut along an input of the search; first the part below.
    Cut {
        /// Flat index.
        input: usize,
        /// The number that both parts have.
        at: f64,
    },
    /// A phase was decided; first the active one.
    Phase(Neuron),
}

/// What a bound chose at a neuron.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// The neuron.
    pub neuron: Neuron,
    /// Of an open one: the slope of the line below, as a share of the way from the leak to 1.
    pub slope: Option<f32>,
    /// Of a decided one: its multiplier.
    pub weight: f32,
}

/// The parts of a region.
#[derive(Debug, Clone, PartialEq)]
pub enum Parts {
    /// One tree in which all conjunctions are excluded.
    Together(Vec<Part>),
    /// A tree for each conjunction.
    Apart(Vec<Vec<Part>>),
}

/// How a region was proved.
#[derive(Debug, Clone, PartialEq)]
pub struct RegionProof {
    /// Which region of the property.
    pub region: usize,
    /// Its parts.
    pub parts: Parts,
}
