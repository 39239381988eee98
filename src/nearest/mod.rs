//! The nearest input that violates a property, with a proved lower bound of its distance.
//!
//! The patching paper (Khan, Madhukar, Sharma, arXiv 2211.16808) names the closest adversarial example as future work. Here
//! it is found by branch and bound over activation phases around the nominal input, for networks whose activations are
//! piecewise linear:
//!
//! ```text
//! start (projections on planes, from the nominal input and from given points) ─▶ best, judged by the caller
//!    │
//!    ▼
//! tree: the part with the least bound ─▶ intervals within a radius ─▶ program, its duals ─▶ plane ─▶ radius
//!    ▲                                                                                          │
//!    └──────────── two halves, by a neuron's phase, an input or a pixel ◀── below the best ─────┘
//! ```
//!
//! **What the bound is of.** The function over the real numbers that the layers' weights define, read in double precision, over
//! the box of the property as its decimals say: no input of the box that is nearer than the bound violates the property. Every
//! step that the bound rests on is computed with directed rounding (`sweep.rs`, `reach.rs`, `intervals.rs`); linear programs only
//! propose multipliers. The network as computed in its own type differs from that function by its rounding, so that it may be
//! violated nearer by as much as rounding moves the border (a millionth of the distance, in practice). What is reported as
//! found was judged as computed.
//!
//! Anytime: the bound is the least over all parts that are left, whenever the budget ends.

mod best;
mod bound;
mod hinges;
mod intervals;
mod norm;
mod planes;
mod program;
mod reach;
mod rounding;
mod start;
mod sweep;
#[cfg(test)]
mod tests;
mod tree;

pub use hinges::{Hinges, NotExact};
pub use norm::{Norm, Pixels};

use crate::budget::{Budget, StopReason};
use crate::network::layered::NotLayered;
use crate::property::Conjunction;

/// A part of the question: one way to violate, in one box.
#[derive(Debug, Clone, PartialEq)]
pub struct Disjunct {
    /// Smallest values of the inputs that a result may have, in the network's own type.
    pub lower: Vec<f64>,
    /// Largest.
    pub upper: Vec<f64>,
    /// The box of real numbers that the bound covers: it contains the other.
    pub hull_lower: Vec<f64>,
    /// Its upper ends.
    pub hull_upper: Vec<f64>,
    /// What has to hold.
    pub conjunction: Conjunction,
}

/// What is asked.
pub struct Question<'q> {
    /// The network.
    pub network: &'q Hinges,
    /// The input from which distance counts.
    pub nominal: &'q [f64],
    /// How it counts.
    pub norm: Norm,
    /// Inputs that count as one under [`Norm::L0`].
    pub pixels: &'q Pixels,
    /// The ways to violate.
    pub ways: &'q [Disjunct],
    /// Points to start from, besides the nominal one.
    pub seeds: &'q [Vec<f64>],
    /// The number of an input's own type that is nearest.
    pub snap: &'q dyn Fn(usize, f64) -> f64,
    /// The part of the distance by which the bound may be below it: then the search is over.
    pub gap: f64,
}

/// The part of the distance by which the bound may be below it, unless another is asked for: twenty times what single
/// precision moves the border of an image network.
pub const GAP: f64 = 1e-4;

/// Why there is no nearest input to be found for a network and a property.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NearestRefusal {
    /// An activation has curved parts.
    #[error(transparent)]
    NotExact(#[from] NotExact),
    /// The network is no chain of layers.
    #[error("{0}, which --nearest needs (help: verify without --nearest)")]
    NotLayered(NotLayered),
    /// An input has no bounds.
    #[error(
        "an input of the property has no bounds, or no number of its type (help: bound every input from both sides)"
    )]
    Unbounded,
    /// The property is a long formula.
    #[error("the property has more than {0} ways to be violated (help: verify its operands one by one)")]
    Ways(usize),
    /// The nominal point does not fit.
    #[error("the point of --nearest has another number of values than the property has inputs")]
    Point,
}

/// How the search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NearestEnding {
    /// The bound meets the distance, within the gap asked for; or there is no violating input, and the bound is infinite.
    Proved,
    /// The budget was over.
    Stopped(StopReason),
    /// Parts are left that rounding keeps open.
    Undecided,
}

impl std::fmt::Display for NearestEnding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Proved => f.write_str("proved"),
            Self::Stopped(reason) => reason.fmt(f),
            Self::Undecided => f.write_str("rounding leaves parts open"),
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Nearest {
    /// The nearest input known, as the judge has accepted it.
    pub input: Option<Vec<f64>>,
    /// Its distance; infinite if there is none.
    pub distance: f64,
    /// No violating input is nearer; infinite if there is none.
    pub bound: f64,
    /// How the search ended.
    pub ending: NearestEnding,
    /// Parts looked at.
    pub parts: u64,
    /// Linear programs solved.
    pub programs: u64,
}

impl Nearest {
    /// Whether the search has ended with an input.
    pub fn is_optimal(&self) -> bool {
        self.ending == NearestEnding::Proved && self.input.is_some()
    }

    /// By what part of the distance the bound is below it: 0 where they meet, 1 where nothing is known.
    pub fn gap(&self) -> f64 {
        match (self.distance, self.bound) {
            (0.0, _) => 0.0,
            (distance, bound) if distance.is_finite() => ((distance - bound) / distance).clamp(0.0, 1.0),
            (_, bound) if bound.is_infinite() => 0.0,
            _ => 1.0,
        }
    }
}

/// Looks for the nearest violating input. `judge` is given the number of a way and a point in the
/// network's own type, and says whether it violates the property as computed; no other point is reported.
pub fn nearest(
    question: &Question<'_>,
    judge: &mut dyn FnMut(usize, &[f64]) -> bool,
    budget: &Budget,
) -> Nearest {
    tree::search(question, judge, budget)
}
