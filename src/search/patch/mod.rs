//! The paper: adversarial inputs from patches of a network.
//!
//! T. Khan, K. Madhukar, S. V. Sharma, "Efficient Adversarial Input Generation via Neural Net Patching" (arXiv
//! 2211.16808). A small change of the weights of one edge layer can make the network violate the property at an
//! input `x`. Algorithm 1 finds one in the middle of the network, asks which change of an earlier layer would have
//! the same effect, and so on until the first edge layer; what the first layer's neurons then compute can also be
//! had by changing the input instead of the weights (`mod2adv`).
//!
//! - [`marking`]: which way each neuron should move; fixes the signs of the changes.
//! - [`edge_layer`]: `modifyEdgeLayer`, the linear program of one layer's change.
//! - [`targets`]: φ′, what an earlier change has to bring about.
//! - [`pullback`]: `mod2adv`, from the first layer's new sums to an input.
//! - [`encode`]: the layers behind a change as rows of a program, with phases held or approximated.
//! - [`strategy`]: the method as a strategy of the portfolio.
//!
//! What it finds when taken literally is in `benchmarks/patching.md`: little, and the table says at which stage it
//! fails. A patch has as many unknowns as edges, but all that it changes are the sums of its layer; the inputs that
//! can produce them are few.

pub mod edge_layer;
pub mod encode;
pub mod marking;
pub mod pullback;
pub mod strategy;
pub mod targets;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::programs::{Obstacle, Programs};
use crate::network::layered::bounds::Ranges;
use crate::network::layered::{EdgeLayer, Layered, Trace};
use crate::property::Conjunction;
use edge_layer::{EdgePatch, modify_edge_layer};
use marking::{Mark, Marking};
use targets::{Goal, Targets};

/// How the method is to be understood, where the paper offers or leaves a choice.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The largest change of a weight, over 0. Default: no limit.
    pub alpha: f64,
    /// By how much each row of the property is to hold, in units of the outputs. Default 1e-4.
    pub margin: f64,
    /// What is to be small. Default: the sum of all changes.
    pub objective: Change,
    /// Where marks come from; they fix the signs of the changes. Default: from paths, as in the paper.
    pub marking: Marking,
    /// How the phases of neurons are treated. Default: held.
    pub phases: Phases,
    /// What an earlier layer has to bring about. Default: the same sums.
    pub targets: Targets,
    /// Whether biases may change too. Default: no.
    pub biases: bool,
}

/// What a patch minimises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Σ |ε|
    Total,
    /// max |ε|
    Largest,
}

/// How a program treats activations.
#[derive(Debug, Clone)]
pub enum Phases {
    /// Every neuron stays on the piece of its activation that it is on at the input.
    Held,
    /// And behind the changed layer, active neurons may only increase and inactive ones only decrease.
    Monotone,
    /// Linear bounds over these ranges in place of phases ("Overcoming a Methodological Limitation"): the ranges of
    /// a class of inputs, or bounds over the property's own box. A patch may then miss the property when simulated.
    Approximated(Arc<Ranges>),
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            alpha: f64::INFINITY,
            margin: 1e-4,
            objective: Change::Total,
            marking: Marking::Paths,
            phases: Phases::Held,
            targets: Targets::Exact,
            biases: false,
        }
    }
}

/// A network up to some edge layer, and what that layer has to do.
#[derive(Debug, Clone, Copy)]
pub struct Chopped<'a> {
    /// The edge layers that are left.
    pub layers: &'a [EdgeLayer],
    /// What the whole network does at the input.
    pub trace: &'a Trace,
    /// The input itself, for properties that speak of inputs.
    pub input: &'a [f64],
    /// Marks of the neurons, by layer.
    pub marks: &'a [Vec<Mark>],
    /// What the last of the layers has to do.
    pub goal: &'a Goal<'a>,
}

/// A change of the first edge layer that makes the network violate the property, phases permitting.
#[derive(Debug, Clone)]
pub struct FirstLayerModification {
    /// The last patch, of the first edge layer.
    pub patch: EdgePatch,
    /// The first layer's sums with it.
    pub sums: Vec<f64>,
    /// The ranges of these sums that will do just as well.
    pub targets: Vec<(f64, f64)>,
}

/// Where Algorithm 1 ended without a result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("edge layer {layer}: {obstacle}")]
pub struct Stuck {
    /// The edge layer that could not be changed, counted from 0.
    pub layer: usize,
    /// Why.
    pub obstacle: Obstacle,
}

/// Algorithm 1. `rules.phases` are ranges of `network`'s sums where they are approximated.
///
/// As printed, the algorithm takes `p = ⌈l/2⌉` for `l` layers and chops the network there. With `l` counted in
/// layers of neurons that never reaches the first layer (`⌈3/2⌉ = 2` again and again); the paper's worked example
/// takes the second of three edge layers and then the first of two, so `l` counts edge layers here.
///
/// # Errors
/// [`Stuck`] with the layer whose program has no answer.
pub fn find_first_layer_modification(
    network: &Layered,
    input: &[f64],
    property: &Conjunction,
    rules: &Rules,
    programs: &mut Programs<'_>,
) -> Result<FirstLayerModification, Stuck> {
    let trace = network.simulate(input);
    let marks = rules.marking.mark(network, &trace, property);
    let mut layers = network.layers.as_slice();
    let mut goal = Goal::Property(property);
    loop {
        let p = middle(layers.len());
        let chopped = Chopped { layers, trace: &trace, input, marks: &marks, goal: &goal };
        let patch = modify_edge_layer(&chopped, p, rules, programs)
            .map_err(|obstacle| Stuck { layer: p, obstacle })?;
        let sums = patch.simulate(&layers[p], trace.into_layer(p));
        let targets = rules.targets.around(&sums, &marks[p], layers[p].activation);
        if p == 0 {
            return Ok(FirstLayerModification { patch, sums, targets });
        }
        goal = Goal::Sums(targets);
        layers = &layers[..=p];
    }
}

/// `⌈l/2⌉`, counted from 0.
fn middle(edge_layers: usize) -> usize {
    edge_layers.div_ceil(2).saturating_sub(1)
}
