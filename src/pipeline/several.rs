//! Several counterexamples instead of one, and which of them count as different.
//!
//! A search that goes on after its first counterexample finds the same one again, a little moved. So what counts is that two lie on
//! different affine pieces of the network (another activation pattern), or so far apart. A candidate that differs from none that
//! is kept costs an evaluation and no replay.

use std::cmp::Reverse;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::network::frozen::{bends, piece};
use crate::network::op::Op;
use crate::network::{Network, Node, NodeId, Real};
use crate::problem::Problem;
use crate::witness::{Certainty, Lost, Witness};

/// How far apart two counterexamples of a smooth network are at least, where nothing else is said.
const SMOOTH: f64 = 0.01;
/// Regions whose boxes the width of an input is taken from.
const MOST_REGIONS: usize = 64;

/// When two counterexamples count as different.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distinction {
    /// Some neuron with a piecewise-linear activation, or some maximum, is on another piece. Of networks without any: as `Apart(0.01)`.
    Pattern,
    /// Some input differs by this part of its box's width, above 0.
    Apart(f64),
}

/// How many counterexamples are wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Several {
    /// So many at most, at least 1. Default 1.
    pub count: usize,
    /// When two count as different. Default: by pattern.
    pub distinction: Distinction,
}

impl Default for Several {
    fn default() -> Self {
        Self { count: 1, distinction: Distinction::Pattern }
    }
}

/// Where a counterexample lies, as far as it matters.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum WitnessPlace {
    /// One is enough: all are alike.
    Anywhere,
    /// The digest of its activation pattern.
    Pattern(u64),
    /// Its inputs.
    Point(Vec<f64>),
}

/// Says of points whether they differ.
pub(super) struct WitnessPlaces<'p, T> {
    problem: &'p Problem<T>,
    several: Several,
    /// Nodes with several pieces; those of `Problem::without_maxima`.
    bends: Vec<NodeId>,
    /// Of each input the width of all boxes together; where points are compared.
    widths: Vec<f64>,
}

impl<'p, T: Real> WitnessPlaces<'p, T> {
    /// Looks at the network where more than one counterexample is wanted.
    pub(super) fn new(problem: &'p Problem<T>, several: Several) -> Self {
        let mut places = Self { problem, several, bends: Vec::new(), widths: Vec::new() };
        if several.count > 1 {
            if several.distinction == Distinction::Pattern {
                places.bends = bending(problem.without_maxima());
            }
            if places.bends.is_empty() {
                places.widths = widths(problem);
            }
        }
        places
    }

    /// How many are wanted.
    pub(super) fn count(&self) -> usize {
        self.several.count.max(1)
    }

    /// Where an input of the search lies.
    pub(super) fn of(&self, input: &[T]) -> WitnessPlace {
        if self.count() == 1 {
            return WitnessPlace::Anywhere;
        }
        let input: Vec<f64> = input.iter().map(|x| x.widen()).collect();
        if self.bends.is_empty() {
            WitnessPlace::Point(input)
        } else {
            WitnessPlace::Pattern(self.pattern(&input))
        }
    }

    fn pattern(&self, input: &[f64]) -> u64 {
        let network = self.problem.without_maxima();
        let mut workspace = network.workspace(1);
        network.forward(&mut workspace, input);
        let mut digest = DefaultHasher::new();
        for &id in &self.bends {
            let node = network.node(id);
            let (Op::Unary(unary), [operand]) = (&node.op, &node.inputs[..]) else { continue };
            for &x in workspace.value(network, *operand) {
                piece(unary.0, x).map(|piece| piece.from.to_bits()).hash(&mut digest);
            }
        }
        digest.finish()
    }

    /// Whether the two count as different.
    pub(super) fn differ(&self, a: &WitnessPlace, b: &WitnessPlace) -> bool {
        let apart = match self.several.distinction {
            Distinction::Apart(share) => share,
            Distinction::Pattern => SMOOTH,
        };
        match (a, b) {
            (WitnessPlace::Pattern(a), WitnessPlace::Pattern(b)) => a != b,
            (WitnessPlace::Point(a), WitnessPlace::Point(b)) => {
                let moved = a.iter().zip(b).zip(&self.widths);
                moved.into_iter().any(|((a, b), width)| *width > 0.0 && (a - b).abs() >= apart * width)
            }
            _ => false,
        }
    }
}

fn bending(network: &Network<f64>) -> Vec<NodeId> {
    let is_bending = |node: &Node<f64>| match &node.op {
        Op::Unary(unary) => node.varies && bends(unary.0) && piece(unary.0, 1.0).is_some(),
        _ => false,
    };
    let nodes = network.nodes().iter().enumerate();
    nodes.filter(|(_, node)| is_bending(node)).map(|(at, _)| NodeId(at)).collect()
}

fn widths<T: Real>(problem: &Problem<T>) -> Vec<f64> {
    let property = &problem.property;
    let inputs = property.layout().inputs();
    let (mut lower, mut upper) = (vec![f64::INFINITY; inputs], vec![f64::NEG_INFINITY; inputs]);
    let regions = (0..property.region_count().min(MOST_REGIONS)).filter_map(|at| property.region(at).ok());
    for region in regions {
        lower.iter_mut().zip(&region.lower).for_each(|(low, &other)| *low = low.min(other));
        upper.iter_mut().zip(&region.upper).for_each(|(high, &other)| *high = high.max(other));
    }
    lower.iter().zip(&upper).map(|(low, high)| high - low).collect()
}

/// The counterexamples that are kept: each differs from all others.
#[derive(Default)]
pub(super) struct KeptWitnesses {
    kept: Vec<(WitnessPlace, Witness)>,
    /// Whether as many as are wanted were confirmed.
    pub(super) confirmed: bool,
}

/// What a witness is worth: a thin one is no answer, so one that a runtime's kernels for bytes lose is better than that.
fn rank(witness: &Witness) -> (bool, Reverse<Lost>, bool) {
    let certainty = witness.certainty();
    (certainty != Certainty::Thin, Reverse(witness.lost()), certainty == Certainty::Certified)
}

impl KeptWitnesses {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many of them are answers.
    pub(super) fn answers(&self) -> usize {
        self.kept.iter().filter(|(_, witness)| witness.certainty() != Certainty::Thin).count()
    }

    /// Whether one that is an answer lies where this one does.
    pub(super) fn has<T: Real>(&self, places: &WitnessPlaces<'_, T>, place: &WitnessPlace) -> bool {
        let is_answer = |witness: &Witness| witness.certainty() != Certainty::Thin;
        self.kept.iter().any(|(other, witness)| is_answer(witness) && !places.differ(place, other))
    }

    /// Keeps a witness if it differs from all others, or in the place of those from which it does not if it is better than each.
    pub(super) fn offer<T: Real>(
        &mut self,
        places: &WitnessPlaces<'_, T>,
        place: WitnessPlace,
        witness: Witness,
    ) {
        let worth = |witness: &Witness| (rank(witness), witness.excess());
        let beaten = |(other, old): &(WitnessPlace, Witness)| {
            places.differ(&place, other) || worth(&witness) > worth(old)
        };
        if self.kept.iter().all(beaten) {
            let first = self.kept.iter().position(|(other, _)| !places.differ(&place, other));
            self.kept.retain(|(other, _)| places.differ(&place, other));
            let at = first.unwrap_or(self.kept.len()).min(self.kept.len());
            self.kept.insert(at, (place, witness));
        }
    }

    /// The witnesses, the most certain first, among equals as they were found. Thin ones only where there are no others.
    pub(super) fn into_witnesses(self, count: usize) -> Vec<Witness> {
        let has_answers = self.answers() > 0;
        let is_wanted = |witness: &Witness| !has_answers || witness.certainty() != Certainty::Thin;
        let kept = self.kept.into_iter().map(|(_, witness)| witness);
        let mut witnesses: Vec<Witness> = kept.filter(is_wanted).collect();
        witnesses.sort_by_key(|witness| Reverse(rank(witness)));
        witnesses.truncate(count);
        witnesses
    }
}
