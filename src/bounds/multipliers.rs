//! Bounds that are sharpened for one row: the slopes of the lines below open neurons, and multipliers of phases that
//! are decided (α,β-CROWN: Xu et al., Fast and Complete, ICLR 2021, section 3; Wang et al., Beta-CROWN, NeurIPS 2021,
//! section 3.2).
//!
//! A backward sweep leaves two choices free. The line below an open ReLU may have any slope between the function's
//! own two, and where a neuron's phase is decided, as in a branch of a search, any multiple of `z ≥ 0` or `z ≤ 0`
//! may be added to the row. Every choice gives a sound bound; the best one is that of the linear program over the
//! triangle relaxation with the given intervals. The slope of the bound along each of them comes from the values of
//! the relaxed network where the row is least, so that one forward pass through the lines gives the whole gradient.

use std::sync::Arc;

use super::linear::{BoundRow, LinearBound};
use super::relax::{Lines, lines};
use super::{Bounder, Rule};
use crate::network::op::{Op, Operands, Pass, UnaryFunction};
use crate::network::{NodeId, Surrogate};

/// Which side of zero a neuron is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its pre-activation is at least zero.
    Active,
    /// Its pre-activation is at most zero.
    Inactive,
}

/// A neuron of a bending node, by its flat index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neuron {
    /// The bending node.
    pub node: NodeId,
    /// Flat index in it.
    pub index: usize,
}

/// The free choices, one of each a neuron of the bending nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Multipliers {
    /// By node; empty for those that do not bend.
    choices: Vec<Vec<NeuronChoice>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct NeuronChoice {
    /// Slope of the line below while the phase is open; `None` for the sweep's own choice.
    slope: Option<f64>,
    /// Multiplier of the decided phase, not negative.
    weight: f64,
}

/// Intervals of all values, to come back to.
#[derive(Debug, Clone)]
pub struct Snapshot {
    lower: Vec<Vec<f64>>,
    upper: Vec<Vec<f64>>,
    lines: Vec<Vec<Lines>>,
    rounding: Vec<Vec<f64>>,
}

/// How hard a row is tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MultiplierEffort {
    /// Steps of ascent, each a sweep backwards and a pass forwards.
    pub steps: usize,
    /// The first step's length: of slopes in their own unit, of weights in that of the layer's coefficients.
    pub rate: f64,
}

/// Each step is so much shorter than the one before.
const DECAY: f64 = 0.95;
/// Moving averages of Adam (Kingma and Ba, ICLR 2015), shortened because there are few steps.
const MOMENTUM: f64 = 0.8;
const MEMORY: f64 = 0.9;
/// What a gap below a function counts for, against a gap above: the line below has its best slope already.
const LITTLE: f64 = 1e-2;

impl Multipliers {
    /// The choice at a neuron: the slope of the line below, if any was made, and what is added to the coefficient.
    pub(super) fn at(&self, node: NodeId, index: usize, low: f64, high: f64) -> (Option<f64>, f64) {
        let Some(choice) = self.choices.get(node.0).and_then(|choices| choices.get(index)) else {
            return (None, 0.0);
        };
        // z ≥ 0: the row less weight · z is nowhere larger; z ≤ 0: the row and weight · z.
        let push = if low >= 0.0 {
            -choice.weight
        } else if high <= 0.0 {
            choice.weight
        } else {
            0.0
        };
        (choice.slope, push)
    }
}

/// Momentum and memory of one number.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    mean: f64,
    square: f64,
}

impl Moments {
    /// The direction after the `step`-th gradient, of length one or so.
    fn push(&mut self, gradient: f64, step: usize) -> f64 {
        self.mean = MOMENTUM * self.mean + (1.0 - MOMENTUM) * gradient;
        self.square = MEMORY * self.square + (1.0 - MEMORY) * gradient * gradient;
        let exponent = step as i32 + 1;
        let mean = self.mean / (1.0 - MOMENTUM.powi(exponent));
        let square = self.square / (1.0 - MEMORY.powi(exponent));
        if square > 0.0 { mean / square.sqrt() } else { 0.0 }
    }
}

/// The least and largest slope of a function whose phases can be decided: a ReLU, leaky or not.
pub(super) fn leak(function: UnaryFunction) -> Option<f64> {
    match function {
        UnaryFunction::Relu => Some(0.0),
        UnaryFunction::LeakyRelu { alpha } if (0.0..=1.0).contains(&alpha) => Some(alpha),
        _ => None,
    }
}

impl Bounder<'_> {
    /// The choices before anything was tried; `None` if the network has no neurons whose phase can be decided, or
    /// operators through which a forward pass along lines is not defined (products, softmax).
    pub fn multipliers(&self) -> Option<Multipliers> {
        let mut any = false;
        let choices = self.rules.iter().zip(self.network.nodes()).map(|(rule, node)| match rule {
            Rule::Leaf | Rule::Affine(_) | Rule::Extremum => Some(Vec::new()),
            Rule::Unary(function) => {
                let bends = leak(*function).is_some();
                any |= bends;
                let count = if bends { node.len() } else { 0 };
                Some(vec![NeuronChoice { slope: None, weight: 0.0 }; count])
            }
            Rule::Product | Rule::Ends => None,
        });
        let choices: Option<Vec<_>> = choices.collect();
        choices.filter(|_| any).map(|choices| Multipliers { choices })
    }

    /// What multipliers choose where the intervals stand: neuron, the slope below an open one as a share of the way from its leak
    /// to 1, the weight of a decided one.
    pub fn choices(&self, multipliers: &Multipliers) -> Vec<(Neuron, Option<f32>, f32)> {
        let mut all = Vec::new();
        for (index, choices) in multipliers.choices.iter().enumerate() {
            let node = self.network.node(NodeId(index));
            let Rule::Unary(function) = self.rules[index] else { continue };
            let Some(leak) = leak(function) else { continue };
            let from = self.network.node(node.inputs[0]).slot;
            for (i, choice) in choices.iter().enumerate() {
                let open = self.lower[from][i] < 0.0 && self.upper[from][i] > 0.0;
                let share = |slope: f64| ((slope - leak) / (1.0 - leak)) as f32;
                let slope = choice.slope.filter(|_| open && leak < 1.0).map(share);
                let weight = if open { 0.0 } else { choice.weight as f32 };
                if slope.is_some() || weight > 0.0 {
                    all.push((Neuron { node: NodeId(index), index: i }, slope, weight));
                }
            }
        }
        all
    }

    /// All intervals as they are.
    pub fn snapshot(&self) -> Snapshot {
        let (lower, upper) = (self.lower.clone(), self.upper.clone());
        Snapshot { lower, upper, lines: self.lines.clone(), rounding: self.rounding.clone() }
    }

    /// Goes back to intervals of this network, and counts multiplications from here.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        self.lower.clone_from(&snapshot.lower);
        self.upper.clone_from(&snapshot.upper);
        self.lines.clone_from(&snapshot.lines);
        self.rounding.clone_from(&snapshot.rounding);
        self.swept = 0;
    }

    /// Decides a neuron's phase: from now on bounds hold where the neuron is on that side.
    pub fn decide(&mut self, neuron: Neuron, phase: Phase) {
        let Rule::Unary(function) = self.rules[neuron.node.0] else { return };
        let node = self.network.node(neuron.node);
        let (from, i) = (self.network.node(node.inputs[0]).slot, neuron.index);
        match phase {
            Phase::Active => self.lower[from][i] = self.lower[from][i].max(0.0),
            Phase::Inactive => self.upper[from][i] = self.upper[from][i].min(0.0),
        }
        let (from_low, from_high) = (self.lower[from][i], self.upper[from][i]);
        self.lines[neuron.node.0][i] = lines(function, from_low, from_high);
        let (low, high) = super::range::range(function, from_low, from_high);
        self.lower[node.slot][i] = self.lower[node.slot][i].max(low);
        self.upper[node.slot][i] = self.upper[node.slot][i].min(high);
    }

    /// Bounds one row with the given choices.
    pub fn row_with(&mut self, row: BoundRow<'_>, multipliers: &Multipliers) -> LinearBound {
        let mut bounds = Vec::with_capacity(1);
        self.some_rows::<1>(&[row], Some(multipliers), &mut bounds);
        let by_intervals = self.by_intervals(&row);
        let nothing = LinearBound { least: f64::NEG_INFINITY, slopes: Vec::new() };
        let mut bound = bounds.pop().unwrap_or(nothing);
        bound.least = bound.least.max(by_intervals);
        bound
    }

    /// Looks for choices that bound a row better, until `enough` says that its bound will do. The choices found are
    /// left in `multipliers`, the values at the neurons where the row was least last in the bounder.
    pub fn sharpen(
        &mut self,
        row: BoundRow<'_>,
        multipliers: &mut Multipliers,
        effort: MultiplierEffort,
        enough: &dyn Fn(f64) -> bool,
    ) -> LinearBound {
        let mut best = self.row_with(row, multipliers);
        // Most branches that are excluded are so at once.
        if enough(best.least) {
            return best;
        }
        let mut kept = multipliers.clone();
        let mut moments: Vec<Vec<[Moments; 2]>> =
            multipliers.choices.iter().map(|choices| vec![Default::default(); choices.len()]).collect();
        let units = self.units(multipliers);
        let mut rate = effort.rate;
        for step in 0..effort.steps {
            if enough(best.least) {
                break;
            }
            self.relaxed_values(multipliers, &best.slopes);
            self.ascend(multipliers, &mut moments, &units, (step, rate));
            rate *= DECAY;
            let bound = self.row_with(row, multipliers);
            if bound.least > best.least {
                kept.clone_from(multipliers);
                best.least = bound.least;
            }
            best.slopes = bound.slopes;
        }
        *multipliers = kept;
        best
    }

    /// The mean size of the coefficients at the pre-activations of each bending node that are not zero, the unit of its
    /// weights.
    fn units(&self, multipliers: &Multipliers) -> Vec<f64> {
        let unit = |(index, choices): (usize, &Vec<NeuronChoice>)| {
            let node = self.network.node(NodeId(index));
            let Some(&from) = node.inputs.first().filter(|_| !choices.is_empty()) else { return 0.0 };
            let sizes = self.cotangents[self.network.node(from).slot].iter().map(|c| c.abs());
            let (sum, count) =
                sizes.filter(|&size| size > 0.0).fold((0.0, 0), |(sum, n), size| (sum + size, n + 1));
            if count == 0 { 1.0 } else { sum / f64::from(count) }
        };
        multipliers.choices.iter().enumerate().map(unit).collect()
    }

    /// One step upwards in the bound.
    fn ascend(
        &self,
        multipliers: &mut Multipliers,
        moments: &mut [Vec<[Moments; 2]>],
        units: &[f64],
        (step, rate): (usize, f64),
    ) {
        for (index, choices) in multipliers.choices.iter_mut().enumerate() {
            let node = self.network.node(NodeId(index));
            let Rule::Unary(function) = self.rules[index] else { continue };
            let Some(leak) = leak(function) else { continue };
            let from = self.network.node(node.inputs[0]).slot;
            for (i, choice) in choices.iter_mut().enumerate() {
                let (low, high) = (self.lower[from][i], self.upper[from][i]);
                let value = self.temporary[from][i];
                let [of_slope, of_weight] = &mut moments[index][i];
                if low < 0.0 && high > 0.0 {
                    let c = self.cotangents[node.slot][i];
                    let now = choice.slope.unwrap_or(if high >= -low { 1.0 } else { leak });
                    let direction = of_slope.push(c.max(0.0) * value, step);
                    choice.slope = Some((now + rate * direction).clamp(leak, 1.0));
                } else {
                    let gradient = if low >= 0.0 { -value } else { value };
                    let length = rate * units[index];
                    choice.weight = (choice.weight + length * of_weight.push(gradient, step)).max(0.0);
                }
            }
        }
    }

    /// The values of the relaxed network where the linear function with these slopes over the inputs is least: every
    /// bending function is the line that the last sweep put in its place.
    fn relaxed_values(&mut self, multipliers: &Multipliers, slopes: &[f64]) {
        let network = self.network;
        let rules = Arc::clone(&self.rules);
        let mut at = 0;
        for &id in &network.inputs {
            let slot = network.node(id).slot;
            for i in 0..self.lower[slot].len() {
                let low = slopes.get(at).is_none_or(|&c| c >= 0.0);
                self.temporary[slot][i] = if low { self.lower[slot][i] } else { self.upper[slot][i] };
                at += 1;
            }
        }
        for (index, node) in network.nodes().iter().enumerate() {
            if !node.varies || matches!(node.op, Op::Reshape(_) | Op::Input(_)) {
                continue;
            }
            let mut values = std::mem::take(&mut self.temporary[node.slot]);
            match &rules[index] {
                Rule::Unary(_) => {
                    let from = network.node(node.inputs[0]).slot;
                    for (i, value) in values.iter_mut().enumerate() {
                        let bend = self.bend_at(NodeId(index), from, i, Some(multipliers));
                        let line = if self.cotangents[node.slot][i] >= 0.0 { bend.under } else { bend.over };
                        *value = line.slope * self.temporary[from][i] + line.shift;
                    }
                }
                Rule::Affine(_) => {
                    let operands =
                        Operands { nodes: network.nodes(), inputs: &node.inputs, values: &self.temporary };
                    let mut pass = Pass {
                        lanes: 1,
                        scratch: &mut self.scratch,
                        surrogate: Surrogate::exact(),
                        threads: 1,
                    };
                    node.op.forward(operands, &mut values, &mut pass);
                }
                _ => {
                    for (i, value) in values.iter_mut().enumerate() {
                        let low = self.cotangents[node.slot][i] >= 0.0;
                        *value = if low { self.lower[node.slot][i] } else { self.upper[node.slot][i] };
                    }
                }
            }
            self.temporary[node.slot] = values;
        }
    }

    /// Open neurons by how much their relaxation takes from the bound of the last sweep at most, the largest first.
    pub fn loosest(&self, most: usize) -> Vec<Neuron> {
        let mut ranks = Vec::new();
        for (index, node) in self.network.nodes().iter().enumerate() {
            let Rule::Unary(function) = self.rules[index] else { continue };
            let Some(leak) = leak(function) else { continue };
            let from = self.network.node(node.inputs[0]).slot;
            for i in 0..node.len() {
                let (low, high) = (self.lower[from][i], self.upper[from][i]);
                if low < 0.0 && high > 0.0 {
                    let c = self.cotangents[node.slot][i];
                    // The line above is this far from the function at zero. The line below has its best slope already.
                    let gap = (1.0 - leak) * -low * high / (high - low);
                    let share = if c < 0.0 { -c } else { LITTLE * c };
                    ranks.push((share * gap, Neuron { node: NodeId(index), index: i }));
                }
            }
        }
        ranks.sort_by(|a, b| b.0.total_cmp(&a.0));
        ranks.truncate(most);
        ranks.into_iter().map(|(_, neuron)| neuron).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::Tightening;
    use crate::network::Network;
    use crate::network::testing::{Spread, graph, layered};
    use crate::onnx::ElementType::Float64;
    use crate::random::Random;

    /// Two inputs, layers of random neurons, one output.
    fn network(function: UnaryFunction, hidden: &[usize], random: &mut Random) -> Network<f64> {
        let widths: Vec<usize> = [2].iter().chain(hidden).chain(&[1]).copied().collect();
        graph(&layered(&widths, function, Spread::normal(0.5), random), Float64)
    }

    /// The values of all neurons before the function, and the output, on a grid over the unit square around zero.
    fn grid(network: &Network<f64>, steps: usize) -> Vec<(Vec<Vec<f64>>, f64)> {
        let at = |i: usize| 2.0 * i as f64 / steps as f64 - 1.0;
        let points = (0..=steps).flat_map(|i| (0..=steps).map(move |j| [at(i), at(j)]));
        let values = |x: [f64; 2]| {
            let mut workspace = network.workspace(1);
            network.forward(&mut workspace, &x);
            let of = |id: NodeId| workspace.value(network, id).to_vec();
            let before = network.nodes().iter().map(|node| match node.op {
                Op::Unary(_) => of(node.inputs[0]),
                _ => Vec::new(),
            });
            (before.collect(), network.evaluate(&x)[0])
        };
        points.map(values).collect()
    }

    const ROW: BoundRow<'static> = BoundRow { inputs: &[], outputs: &[(0, 1.0)] };

    fn open(bounder: &Bounder<'_>) -> Vec<Neuron> {
        bounder.loosest(usize::MAX)
    }

    /// Any choice whatever, with any phases decided, bounds the row where those phases hold.
    fn check(function: UnaryFunction, seed: u64) {
        let mut random = Random::new(seed);
        let network = network(function, &[6, 5], &mut random);
        let samples = grid(&network, 20);
        let mut bounder = Bounder::new(&network).unwrap();
        assert!(bounder.intervals(&[-1.0; 2], &[1.0; 2], Tightening::OpenPhases, &|| true));
        let root = bounder.snapshot();
        let leak = leak(function).unwrap();
        for round in 0..30 {
            bounder.restore(&root);
            bounder.rows(&[ROW]);
            let mut decided = Vec::new();
            for neuron in open(&bounder).into_iter().take(round % 4) {
                let phase = if random.unit() < 0.5 { Phase::Active } else { Phase::Inactive };
                bounder.decide(neuron, phase);
                decided.push((neuron, phase));
            }
            let mut multipliers = bounder.multipliers().unwrap();
            for choice in multipliers.choices.iter_mut().flatten() {
                *choice =
                    NeuronChoice { slope: Some(random.between(leak, 1.0)), weight: random.between(0.0, 2.0) };
            }
            let plain = bounder.rows(&[ROW])[0].least;
            let free = bounder.row_with(ROW, &multipliers).least;
            let effort = MultiplierEffort { steps: 30, rate: 0.2 };
            let mut sharp = bounder.multipliers().unwrap();
            let best = bounder.sharpen(ROW, &mut sharp, effort, &|_| false).least;
            assert!(best >= plain, "{function:?}: ascent ends below its start: {best} < {plain}");
            let again = bounder.row_with(ROW, &sharp).least;
            assert_eq!(again, best, "the choices that are kept give the bound that is returned");
            let holds = |before: &[Vec<f64>]| {
                decided.iter().all(|&(neuron, phase)| {
                    let z = before[neuron.node.0][neuron.index];
                    if phase == Phase::Active { z >= 0.0 } else { z <= 0.0 }
                })
            };
            for (before, value) in &samples {
                if holds(before) {
                    let most = value + 1e-12;
                    assert!(free <= most && best <= most, "{function:?}: {free}, {best} > {value}");
                }
            }
        }
    }

    #[test]
    fn every_choice_is_sound() {
        for seed in 0..6 {
            check(UnaryFunction::Relu, seed);
            check(UnaryFunction::LeakyRelu { alpha: 0.1 }, seed);
        }
    }

    /// With all phases decided the relaxation is the network itself, and the best multipliers give the least value
    /// where those phases hold: its plain twin is a fine grid.
    #[test]
    fn with_all_phases_decided_the_bound_becomes_exact() {
        let mut compared = 0;
        for seed in 0..20 {
            let mut random = Random::new(seed);
            let network = network(UnaryFunction::Relu, &[4], &mut random);
            let mut bounder = Bounder::new(&network).unwrap();
            assert!(bounder.intervals(&[-1.0; 2], &[1.0; 2], Tightening::OpenPhases, &|| true));
            let samples = grid(&network, 400);
            let (before, _) = &samples[random.below(samples.len())];
            bounder.rows(&[ROW]);
            let neurons = open(&bounder);
            let phase = |z: f64| if z >= 0.0 { Phase::Active } else { Phase::Inactive };
            let of = |before: &[Vec<f64>]| -> Vec<Phase> {
                neurons.iter().map(|n| phase(before[n.node.0][n.index])).collect()
            };
            let phases = of(before);
            neurons.iter().zip(&phases).for_each(|(&neuron, &phase)| bounder.decide(neuron, phase));
            let inside: Vec<f64> =
                samples.iter().filter(|(before, _)| of(before) == phases).map(|(_, value)| *value).collect();
            if inside.len() < 1000 {
                continue;
            }
            let least = inside.into_iter().fold(f64::INFINITY, f64::min);
            let mut multipliers = bounder.multipliers().unwrap();
            let effort = MultiplierEffort { steps: 150, rate: 1.0 };
            let bound = bounder.sharpen(ROW, &mut multipliers, effort, &|_| false).least;
            // The grid misses the least value by its width times the slope at most.
            assert!(bound <= least + 1e-12 && least - bound < 0.1, "seed {seed}: {bound} against {least}");
            compared += 1;
        }
        assert!(compared >= 5, "only {compared} regions were large enough");
    }
}
