//! The smallest change of one edge layer with which a network does what it should: one encoder, for the paper's
//! `modifyEdgeLayer` (`search::strategy::patch`), for repairs (`repair`), and for whatever else asks for it.
//!
//! In front of the changed layer everything is evaluated, so its sums are affine in the unknown changes; what stands
//! behind is written out as rows ([`encode`]). ReLU, leaky ReLU and the other piecewise-linear functions are exact
//! there, a [switch](switched) for each place where one bends ([`PhaseFreedom::Free`]); or they stay on the piece that they
//! are on, or lie between linear bounds. What the layers should do is a property ([`demand`]) or sums in ranges
//! ([`Goal`]). "Small" is the sum of changes, the largest change, or the number of changed weights ([`ChangeNorm`]).
//!
//! Smooth activations are their tangents, read again until the changed network reaches the goal (`tangent`).
//!
//! Two searches over phases. [`mod@modify`] is quick: a few dozen linear programs, counted, never timed. `search` takes
//! the time that it is given and proves its answer where it can: it descends over phases (`walk`), starts at
//! projections (`tune`), and closes with branch and bound (`exact`).

mod bounds;
pub mod demand;
pub mod encode;
mod exact;
pub(crate) mod fewest;
pub mod layer;
pub mod modify;
pub mod phases;
pub(crate) mod search;
pub mod switched;
mod tangent;
mod tune;
pub(crate) mod walk;

use crate::budget::Budget;
use crate::lp::{LinearProgram, LpError, LpOptions, LpOutcome, Solution, Solver};

pub use demand::{Demand, DemandError, demands};
pub use encode::{Goal, PatchQuery};
pub use layer::Layer;
pub use modify::{Effort, Modified, modify};
pub use phases::{ChangeRules, PhaseFreedom, SumDirection};

/// What "small" means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeNorm {
    /// Σ |ε|
    Total,
    /// max |ε|
    Largest,
    /// The number of weights with ε ≠ 0; among equals the least Σ |ε| that was found.
    Fewest,
}

/// The change of one weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// The neuron that the edge leads to.
    pub target: usize,
    /// The value that it comes from; the one behind the last is the bias.
    pub source: usize,
    /// What is added to the weight.
    pub by: f64,
}

/// The changes of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    /// Its position among the layers.
    pub layer: usize,
    /// Changed weights, each once.
    pub changes: Vec<Change>,
}

/// Why a program has no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Obstacle {
    /// No point satisfies it.
    #[error("infeasible")]
    Infeasible,
    /// Time, iterations or precision ran out, or the objective has no end.
    #[error("not solved")]
    Unsolved,
    /// The formulation does not know one of the network's activations.
    #[error("an activation that the program cannot express")]
    Activation,
    /// The solver refused the program.
    #[error(transparent)]
    Solver(#[from] LpError),
}

/// Columns from which simplifying a program first pays: region programs have a few, minorants hundreds.
const PRESOLVE_FROM: usize = 200;

/// The optimum of a continuous program.
///
/// # Errors
/// [`Obstacle`] if there is none.
pub(crate) fn optimum(program: &LinearProgram, budget: &Budget) -> Result<Solution, Obstacle> {
    let presolve = program.columns().len() >= PRESOLVE_FROM;
    let options = LpOptions { presolve, time_limit: budget.remaining(), ..LpOptions::default() };
    let mut solver = Solver::new(program, &options)?;
    solver.obey(budget)?;
    match solver.solve()? {
        LpOutcome::Optimal(solution) => Ok(solution),
        LpOutcome::Infeasible => Err(Obstacle::Infeasible),
        LpOutcome::Unbounded | LpOutcome::Limit(_) => Err(Obstacle::Unsolved),
    }
}

impl Patch {
    /// Σ |ε|
    pub fn total(&self) -> f64 {
        // A sum of nothing would be −0.
        self.changes.iter().map(|change| change.by.abs()).fold(0.0, |sum, by| sum + by)
    }

    /// max |ε|
    pub fn largest(&self) -> f64 {
        self.changes.iter().map(|change| change.by.abs()).fold(0.0, f64::max)
    }
}

impl ChangeNorm {
    /// The size of patches of different layers together.
    pub fn of(self, patches: &[Patch]) -> f64 {
        match self {
            Self::Total => patches.iter().map(Patch::total).fold(0.0, |sum, total| sum + total),
            Self::Largest => patches.iter().map(Patch::largest).fold(0.0, f64::max),
            Self::Fewest => patches.iter().map(|patch| patch.changes.len() as f64).sum(),
        }
    }
}
