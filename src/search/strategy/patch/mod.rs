//! The paper: adversarial inputs from patches of a network.
//!
//! T. Khan, K. Madhukar, S. V. Sharma, "Efficient Adversarial Input Generation via Neural Net Patching" (arXiv
//! 2211.16808). A small change of the weights of one edge layer can make the network violate the property at an
//! input `x`. Algorithm 1 finds one in the middle of the network, asks which change of an earlier layer would have
//! the same effect, and so on until the first edge layer; what the first layer's neurons then compute can also be
//! had by changing the input instead of the weights (`mod2adv`).
//!
//! - [`reading`]: the choices that the paper leaves, each by name.
//! - [`marking`]: which way each neuron should move; fixes the signs of the changes.
//! - [`modify`]: `modifyEdgeLayer`, the smallest change of one layer. The programs are those of repairs.
//! - [`targets`]: φ′, what an earlier change has to bring about.
//! - [`aims`]: what it is worth to meet it, where not all of it can be met.
//! - [`pullback`]: `mod2adv`, from the first layer's new sums to an input.
//! - [`journey`]: from a start to an input, once or until the property is violated.
//! - [`views`]: the layers that it works on, seen from where it is.
//! - [`strategy`]: the method as a strategy of the portfolio.
//!
//! What each reading finds is in `benchmarks/patching.md`. A patch has as many unknowns as edges, but all that it
//! changes are the sums of its layer; the inputs that can produce them are few.
//!
//! [`modify`]: mod@crate::patching::modify

pub mod aims;
pub mod journey;
pub mod marking;
pub mod pullback;
pub mod reading;
pub mod strategy;
pub mod targets;
#[cfg(test)]
mod tests;
pub mod views;

use crate::network::layered::bounds::Ranges;
use crate::network::layered::{Layered, Trace};
use crate::patching::encode::Strictness;
use crate::patching::{self, Demand, Effort, Goal, Layer, Patch, PatchQuery, SumDirection};
use crate::property::Conjunction;
use crate::search::kernel::programs::{Obstacle, Programs};
use aims::Aims;
use marking::{Mark, Marking};
use reading::{LayerOrder, PaperReading, PhaseTreatment, Shots};
use targets::Targets;

/// What a miss of one unit costs where targets are elastic, in units of what is to be small. As in the prototypes.
pub const PRICE: f64 = 100.0;

/// A change of the first edge layer that makes the network violate the property, as the programs see it.
#[derive(Debug, Clone)]
pub struct FirstLayerModification {
    /// The last patch, of the first edge layer.
    pub patch: Patch,
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

/// An input at which a network is to be patched.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// The network.
    pub network: &'a Layered,
    /// The input.
    pub input: &'a [f64],
    /// What the network does there.
    pub trace: &'a Trace,
    /// What a patched network should satisfy there.
    pub property: &'a Conjunction,
    /// Ranges of the network's sums, where phases are approximated.
    pub ranges: Option<&'a Ranges>,
}

/// Algorithm 1, or its last stage at once.
///
/// As printed, the algorithm takes `p = ⌈l/2⌉` for `l` layers and chops the network there. With `l` counted in
/// layers of neurons that never reaches the first layer (`⌈3/2⌉ = 2` again and again); the paper's worked example
/// takes the second of three edge layers and then the first of two, so `l` counts edge layers here.
///
/// # Errors
/// [`Stuck`] with the layer whose program has no answer.
pub fn find_first_layer_modification(
    site: Site<'_>,
    reading: &PaperReading,
    programs: &mut Programs<'_>,
) -> Result<FirstLayerModification, Stuck> {
    let marks = reading.marks.mark(site.network, site.trace, site.property);
    let layers: Vec<Layer<'_>> = site.network.layers.iter().map(Layer::from).collect();
    let demands = [Demand::of(site.property, site.input)];
    let mut ranges: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut aims: Option<Aims> = None;
    let mut end = layers.len();
    loop {
        let p = match reading.order {
            LayerOrder::MiddleFirst => middle(end),
            LayerOrder::Direct | LayerOrder::Last => 0,
        };
        let wish = match reading.targets {
            Targets::Elastic => Strictness::Elastic(PRICE),
            Targets::Exact | Targets::Rectified | Targets::Marked => Strictness::Strict,
        };
        let goal = match ranges.is_empty() {
            true => Goal::Demands(&demands, reading.margin),
            false => Goal::Sums(&ranges, wish),
        };
        let stage = Stage { site, layers: &layers[p..end], p, goal, marks: &marks[p] };
        let patch = match (modify_edge_layer(&stage, reading, programs), &aims) {
            // What has to be met will be asked for again from where this leads.
            (Err(Obstacle::Infeasible), Some(Aims { ranges, prices }))
                if reading.shots == Shots::Iterated =>
            {
                let ranges = [ranges.clone()];
                let stage = Stage { goal: Goal::Near(&ranges, prices), ..stage };
                modify_edge_layer(&stage, reading, programs)
            }
            (found, _) => found,
        };
        let patch = patch.map_err(|obstacle| Stuck { layer: p, obstacle })?;
        let sums = layers[p].changed_sums(&patch.changes, site.trace.into_layer(p));
        let targets = reading.targets.around(&sums, &marks[p], layers[p].activation);
        if p == 0 {
            return Ok(FirstLayerModification { patch, sums, targets });
        }
        aims = Some(Aims::of(&site.network.layers[p..], &sums, &targets, site.property));
        (ranges, end) = (vec![targets], p + 1);
    }
}

/// One stage of Algorithm 1: layer `p` is to change, those behind it are left.
#[derive(Debug, Clone, Copy)]
pub struct Stage<'a> {
    /// Where the whole network is patched.
    pub site: Site<'a>,
    /// The layer to change and those behind it that are left.
    pub layers: &'a [Layer<'a>],
    /// Its number.
    pub p: usize,
    /// What the last of them has to do.
    pub goal: Goal<'a>,
    /// Marks of the layer's neurons.
    pub marks: &'a [Mark],
}

/// `modifyEdgeLayer`: a small change of one edge layer with which the chopped network reaches its goal.
///
/// # Errors
/// [`Obstacle`] if none was found under the rules.
pub fn modify_edge_layer(
    stage: &Stage<'_>,
    reading: &PaperReading,
    programs: &mut Programs<'_>,
) -> Result<Patch, Obstacle> {
    let ranges;
    let phases = match reading.phases {
        PhaseTreatment::Free => patching::PhaseFreedom::Free,
        PhaseTreatment::Held => patching::PhaseFreedom::Held,
        PhaseTreatment::Monotone => patching::PhaseFreedom::Monotone,
        PhaseTreatment::Tangent => patching::PhaseFreedom::Tangent(None),
        PhaseTreatment::Approximated | PhaseTreatment::ApproximatedBox => {
            let sums = &stage.site.ranges.ok_or(Obstacle::Activation)?.sums[stage.p..];
            ranges = Ranges { sums: sums.to_vec() };
            patching::PhaseFreedom::Approximated(&ranges)
        }
    };
    let ways: Vec<SumDirection> = stage
        .marks
        .iter()
        .map(|mark| SumDirection { rise: mark.may_rise(), fall: mark.may_fall() })
        .collect();
    let ways = (reading.marks != Marking::Off).then_some(ways.as_slice());
    let sources = [stage.site.trace.into_layer(stage.p).to_vec()];
    // Weights from sources that are all zero change nothing; there the biases stand for them.
    let biases = sources[0].iter().all(|&h| h == 0.0);
    let query = PatchQuery {
        layers: stage.layers,
        sources: &sources,
        goal: stage.goal,
        norm: reading.objective,
        limit: reading.alpha,
        rules: patching::ChangeRules { phases, ways, biases },
    };
    let effort = Effort { proof: reading.proof, ..Effort::default() };
    Ok(Patch { layer: stage.p, ..programs.modify(&query, effort)?.patch })
}

/// `⌈l/2⌉`, counted from 0.
fn middle(edge_layers: usize) -> usize {
    edge_layers.div_ceil(2).saturating_sub(1)
}
