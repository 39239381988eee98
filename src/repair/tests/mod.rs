//! Searches for repairs against enumeration and against cases that were worked by hand.

mod by_hand;
mod enumeration;
mod shipped;

use super::several::{self, LayerChain};
use super::{Demand, DenseLayer, RepairOutcome, RepairSettings};
use crate::budget::Budget;
use crate::network::NodeId;
use crate::patching::Layer;
use crate::random::Random;

/// A layer of `[outputs][inputs]` weights, with ReLUs or without an activation.
fn dense(weights: &[&[f64]], bias: &[f64], below: Option<f64>) -> DenseLayer {
    let inputs = weights[0].len();
    DenseLayer {
        node: NodeId(0),
        name: String::new(),
        inputs,
        weights: weights.concat(),
        bias: bias.to_vec(),
        shift: vec![0.0; inputs],
        below,
    }
}

/// Looks for the smallest change of the `changed` layers, without a limit of time.
fn search(
    layers: &[DenseLayer],
    changed: &[usize],
    sources: &[Vec<f64>],
    demands: &[Demand],
    settings: &RepairSettings,
) -> RepairOutcome {
    let views: Vec<Layer<'_>> = layers.iter().map(DenseLayer::view).collect();
    let chain = LayerChain { layers: &views, changed, sources, demands, settings };
    several::repair(&chain, &mut Random::new(settings.seed), &Budget::unlimited()).unwrap()
}

/// The least margin with which patched layers satisfy the demands.
fn margin(layers: &[DenseLayer], sources: &[Vec<f64>], demands: &[Demand], outcome: &RepairOutcome) -> f64 {
    let RepairOutcome::Repaired(repair) = outcome else { return f64::NEG_INFINITY };
    let layers = super::patched(layers, &repair.patches);
    let margins =
        sources.iter().zip(demands).map(|(h, demand)| demand.margin(&super::tail::evaluate(&layers, h)));
    margins.fold(f64::INFINITY, f64::min)
}
