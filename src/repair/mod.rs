//! The smallest change of a network's weights with which it does what it should at given points.
//!
//! - One layer, all points sharing the change: Goldberger, Katz, Adi and Keshet, "Minimal Modifications of Deep
//!   Neural Networks using Verification", LPAR 2020. A change of the last layer is one linear program; a change
//!   further in front is a program with switches, walked over from the phases that the network has and from changes
//!   found by projection, and proved where branch and bound allows: all in [`crate::patching`], which the paper's
//!   method shares.
//! - Several layers at once: Refaeli and Katz, "Minimal Multi-Layer Modifications of Deep Neural Networks" (3M-DNN),
//!   2021: values proposed where the network is cut, and one query of the first kind for each part (`several`).
//!
//! "Small" is the sum of changes, the largest change, or the number of changed weights ([`ChangeNorm`]). What the network
//! should do is what a VNN-LIB property says a counterexample is not ([`demand`]). [`job`] goes from files to all that
//! and back.

pub mod answer;
pub mod compare;
pub mod job;
pub mod points;
mod several;
pub mod tail;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::budget::{Budget, StopReason};
use crate::lp::LpError;
use crate::network::Network;
use crate::patching::Layer;
use crate::random::Random;

pub use crate::patching::{Change, ChangeNorm, Demand, DemandError, Patch, demand, demands};
pub use job::{Job, JobError};
pub use tail::{DenseLayer, NotDense, Tail};

/// How a repair is looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct RepairSettings {
    /// What "small" means. Default: the sum of changes.
    pub norm: ChangeNorm,
    /// By how much each demand must hold, in units of the property's rows; positive. Default 1e-3.
    pub margin: f64,
    /// No weight changes by more; positive. Default: no limit.
    pub limit: f64,
    /// Rounds without a better repair after which a search over phases ends. Default 40.
    pub patience: usize,
    /// Seed of all that is random. Default 0.
    pub seed: u64,
}

impl Default for RepairSettings {
    fn default() -> Self {
        Self { norm: ChangeNorm::Total, margin: 1e-3, limit: f64::INFINITY, patience: 40, seed: 0 }
    }
}

/// Which of the fully connected layers at the network's end may change, counted from 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LayerChoice {
    /// The last one.
    #[default]
    Last,
    /// One of them: each is tried alone, and the smallest repair counts.
    Each,
    /// These together.
    Together(Vec<usize>),
}

/// A layer that the network does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no layer {layer} (help: the network ends in {layers} fully connected layers, counted from 0)"
)]
pub struct NoSuchLayer {
    /// The layer that was asked for.
    pub layer: usize,
    /// How many there are.
    pub layers: usize,
}

impl LayerChoice {
    /// The layers of each attempt (ascending, each once), of a network with this number of layers.
    ///
    /// # Errors
    /// If there is no such layer.
    pub fn attempts(&self, layers: usize) -> Result<Vec<Vec<usize>>, NoSuchLayer> {
        match self {
            Self::Last => Ok(vec![vec![layers.saturating_sub(1)]]),
            Self::Each => Ok((0..layers).map(|layer| vec![layer]).collect()),
            Self::Together(chosen) => match chosen.iter().find(|&&layer| layer >= layers) {
                Some(&layer) => Err(NoSuchLayer { layer, layers }),
                None => Ok(vec![chosen.iter().copied().collect::<BTreeSet<_>>().into_iter().collect()]),
            },
        }
    }
}

/// A repair that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Repair {
    /// Changed layers, in the order of evaluation.
    pub patches: Vec<Patch>,
    /// Whether it is proved that nothing smaller does in these layers (to six digits of the objective).
    pub optimal: bool,
}

/// What a search for a repair came to.
#[derive(Debug, Clone, PartialEq)]
pub enum RepairOutcome {
    /// A repair; an empty one where the network does what it should.
    Repaired(Repair),
    /// It is proved that no change of these layers does (within the limit).
    Impossible,
    /// None was found; a search over phases that ended by itself proves nothing.
    NotFound(StopReason),
}

/// What is to be repaired.
#[derive(Debug, Clone, Copy)]
pub struct RepairTask<'a> {
    /// The network in double precision.
    pub network: &'a Network<f64>,
    /// Its fully connected layers.
    pub tail: &'a Tail,
    /// Flat inputs.
    pub points: &'a [Vec<f64>],
    /// What is demanded at each point.
    pub demands: &'a [Demand],
}

/// Looks for the smallest repair that changes exactly the given layers (positions in [`Tail::layers`], ascending,
/// each once, at least one).
///
/// # Errors
/// If the solver fails.
pub fn repair(
    task: &RepairTask<'_>,
    changed: &[usize],
    settings: &RepairSettings,
    budget: &Budget,
) -> Result<RepairOutcome, LpError> {
    let Some(&first) = changed.first() else { return Ok(RepairOutcome::NotFound(StopReason::Exhausted)) };
    let sources = task.tail.sources(task.network, first, task.points);
    let layers: Vec<Layer<'_>> = task.tail.layers.iter().map(DenseLayer::view).collect();
    let chain =
        several::LayerChain { layers: &layers, changed, sources: &sources, demands: task.demands, settings };
    several::repair(&chain, &mut Random::new(settings.seed), budget)
}

/// The least margin by which the layers with the patches satisfy the demands, in double precision.
pub fn margin(task: &RepairTask<'_>, patches: &[Patch]) -> f64 {
    let Some(first) = patches.iter().map(|patch| patch.layer).min() else { return margin_from(task, 0, &[]) };
    margin_from(task, first, patches)
}

fn margin_from(task: &RepairTask<'_>, first: usize, patches: &[Patch]) -> f64 {
    let layers = patched(&task.tail.layers, patches);
    let sources = task.tail.sources(task.network, first, task.points);
    let margins = sources.iter().zip(task.demands);
    let margins = margins.map(|(sources, demand)| demand.margin(&tail::evaluate(&layers[first..], sources)));
    margins.fold(f64::INFINITY, f64::min)
}

/// The layers with the patches.
pub fn patched(layers: &[DenseLayer], patches: &[Patch]) -> Vec<DenseLayer> {
    let mut layers = layers.to_vec();
    for patch in patches {
        layers[patch.layer].change(&patch.changes);
    }
    layers
}

impl DenseLayer {
    fn change(&mut self, changes: &[Change]) {
        for change in changes {
            self.weights[change.target * self.inputs + change.source] += change.by;
        }
    }
}
