//! Branch and bound: the part with the least bound first.
//!
//! A part is bounded within a radius, at most the distance of the best point: beyond that nothing matters, and neurons that
//! are open in a large ball are decided in a small one. Where its bound is far below the best, the radius is half way
//! between them, so that the tree grows with the ball: a part in which nothing is left within its radius comes back with the
//! radius as its bound, whole. The bound of the search is the least over all parts that are left.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::rc::Rc;

use super::best::Incumbent;
use super::bound::{Bounded, Next, OpenPart, PartBounder, reach};
use super::intervals::DecidedNeuron;
use super::program::Interface;
use super::{Nearest, NearestEnding, Norm, Question, start};
use crate::bounds::Phase;
use crate::budget::Budget;

/// Inputs up to which boxes are cut instead of deciding phases. Measured on ACAS Xu (5 inputs, 300 neurons): forty times as many
/// parts a second, and bounds where phases have none after ten seconds.
const FEW_INPUTS: usize = 8;
/// A part in which nothing is left is looked at again within so many times its radius.
const GROWTH: f64 = 1.5;
/// A part is cut where its bound is at least this part of its radius; else the radius shrinks first.
const NEAR: f64 = 0.6;
/// Regions that are looked into after each find.
const MOST_REGIONS: usize = 4;

/// A part in the queue: the least bound first, then the one that was cut more often.
struct Waiting(OpenPart);

impl Waiting {
    fn depth(&self) -> usize {
        self.0.decisions.len() + self.0.on.len()
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.bound.total_cmp(&self.0.bound).then(self.depth().cmp(&other.depth()))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

/// The search's state.
struct BoundTree<'q, 'j> {
    question: &'q Question<'q>,
    bounder: PartBounder<'q>,
    best: Incumbent<'q, 'j>,
    waiting: BinaryHeap<Waiting>,
    /// The least bound of the parts that are done with.
    done: f64,
    /// Whether a part is done with although its bound is too small.
    undecided: bool,
    parts: u64,
    budget: &'q Budget,
}

/// Looks for the nearest input.
pub(super) fn search(
    question: &Question<'_>,
    judge: &mut dyn FnMut(usize, &[f64]) -> bool,
    budget: &Budget,
) -> Nearest {
    let mut best = Incumbent::new(question, judge);
    start::walks(question, &mut best, &|| budget.check().is_ok());
    let interface = match question.network {
        network if network.bent() == 0 => Interface::Inputs,
        network if has_input_rows(question) || is_narrow(network) => Interface::Inputs,
        _ => Interface::Sums,
    };
    let free =
        |way: &super::Disjunct| way.lower.iter().zip(&way.upper).filter(|(low, high)| low < high).count();
    let cuts_inputs = interface == Interface::Inputs
        && question.norm != Norm::L0
        && question.ways.iter().all(|way| free(way) <= FEW_INPUTS);
    let mut tree = BoundTree {
        question,
        bounder: PartBounder { question, budget, interface, cuts_inputs, programs: 0 },
        best,
        waiting: BinaryHeap::new(),
        done: f64::INFINITY,
        undecided: false,
        parts: 0,
        budget,
    };
    tree.polish();
    tree.plant();
    let ending = tree.run();
    tree.answer(ending)
}

/// Whether there are no more inputs than neurons of the first layer.
fn is_narrow(network: &super::Hinges) -> bool {
    network.inputs() <= network.layers[0].edges.outputs()
}

/// Whether some row has inputs in it.
fn has_input_rows(question: &Question<'_>) -> bool {
    question.ways.iter().any(|way| way.conjunction.rows.iter().any(|row| !row.inputs.is_empty()))
}

impl BoundTree<'_, '_> {
    /// A part for each way.
    fn plant(&mut self) {
        for (index, way) in self.question.ways.iter().enumerate() {
            let (lower, upper) = (Rc::new(way.hull_lower.clone()), Rc::new(way.hull_upper.clone()));
            let bound = reach(self.question, (&lower, &upper), &[]).floor();
            let (decisions, on) = Default::default();
            self.waiting.push(Waiting(OpenPart {
                way: index,
                lower,
                upper,
                decisions,
                on,
                bound,
                within: None,
                known: None,
                corners: Vec::new(),
            }));
        }
    }

    /// Looks for a nearer point in the activation region of the best one, and in the region of what is found there.
    fn polish(&mut self) {
        for _ in 0..MOST_REGIONS {
            let Some(point) = &self.best.point else { return };
            let (way, before) = (self.best.way, self.best.distance);
            let (lower, upper) = (&self.question.ways[way].hull_lower, &self.question.ways[way].hull_upper);
            let part = OpenPart {
                way,
                lower: Rc::new(lower.clone()),
                upper: Rc::new(upper.clone()),
                decisions: Rc::new(pattern(self.question.network, point)),
                on: Rc::default(),
                bound: 0.0,
                within: None,
                known: None,
                corners: Vec::new(),
            };
            let best = &mut self.best;
            self.bounder.in_region(&part, before, &mut |point| {
                best.offer(way, point);
            });
            if self.best.distance >= before * (1.0 - 1e-6) {
                return;
            }
        }
    }

    /// A bound with which a part is done with.
    fn enough(&self) -> f64 {
        match self.question.norm {
            Norm::L0 => self.best.distance,
            _ => self.best.distance * (1.0 - self.question.gap),
        }
    }

    fn run(&mut self) -> NearestEnding {
        while let Some(Waiting(part)) = self.waiting.pop() {
            if part.bound >= self.enough() {
                // All others are no nearer.
                self.done = self.done.min(part.bound);
                self.waiting.clear();
                break;
            }
            if let Err(reason) = self.budget.check() {
                self.waiting.push(Waiting(part));
                return NearestEnding::Stopped(reason);
            }
            self.look_at(part);
        }
        if self.undecided && self.done < self.enough() {
            NearestEnding::Undecided
        } else {
            NearestEnding::Proved
        }
    }

    /// The radius within which a part is bounded next.
    fn radius(&self, part: &OpenPart) -> f64 {
        let most = self.most(part);
        match self.question.norm {
            Norm::L0 => most,
            // Boxes are small soon, whatever the ball.
            _ if self.bounder.cuts_inputs && part.bound >= 0.5 * most => most,
            _ if self.bounder.cuts_inputs => 0.5 * (part.bound + most),
            _ => part.within.map_or(most, |within| within.min(most)),
        }
    }

    /// How far a part matters.
    fn most(&self, part: &OpenPart) -> f64 {
        match self.question.norm {
            Norm::L0 if self.best.distance.is_finite() => self.best.distance - 1.0,
            _ if self.best.distance.is_finite() => self.best.distance,
            _ => self.farthest((&part.lower, &part.upper)),
        }
    }

    /// No point of a box is farther.
    fn farthest(&self, (lower, upper): (&[f64], &[f64])) -> f64 {
        let nominal = self.question.nominal;
        let ends = lower.iter().zip(upper).zip(nominal);
        let end = |((&low, &high), &x): ((&f64, &f64), &f64)| {
            if (x - low).abs() > (high - x).abs() { low } else { high }
        };
        let far: Vec<f64> = ends.map(end).collect();
        match self.question.norm {
            Norm::L0 => self.question.pixels.count() as f64,
            norm => 1.0001 * norm.distance(&far, nominal, self.question.pixels),
        }
    }

    fn look_at(&mut self, mut part: OpenPart) {
        self.parts += 1;
        let radius = self.radius(&part);
        let enough = self.enough();
        let (way, before, best) = (part.way, self.best.distance, &mut self.best);
        let Bounded { bound, next, known, corners } =
            self.bounder.bound(&part, radius, enough, &mut |point| {
                best.offer(way, point);
            });
        if self.best.distance < before {
            self.polish();
        }
        part.bound = part.bound.max(bound);
        if bound >= radius && self.question.norm == Norm::L0 {
            part.bound = part.bound.max(radius.floor() + 1.0);
        }
        if part.bound >= radius
            && self.best.distance.is_infinite()
            && radius >= self.farthest((&part.lower, &part.upper))
        {
            // Nothing in the whole box.
            part.bound = f64::INFINITY;
        }
        if part.bound >= self.enough() {
            self.done = self.done.min(part.bound);
            return;
        }
        if let Some(known) = known {
            part.known = Some((radius, known));
        }
        part.corners = corners;
        if self.question.norm == Norm::L0 || self.bounder.cuts_inputs {
            return match part.bound >= radius {
                true => self.waiting.push(Waiting(part)),
                false => self.branch(part, next, radius),
            };
        }
        if part.bound >= radius {
            part.within = Some(GROWTH * radius);
            self.waiting.push(Waiting(part));
        } else if part.bound >= NEAR * radius || next == Next::Nothing {
            part.within = Some(radius);
            self.branch(part, next, radius);
        } else {
            part.within = Some((1.2 * part.bound).max(0.5 * radius));
            self.waiting.push(Waiting(part));
        }
    }

    fn branch(&mut self, part: OpenPart, next: Next, radius: f64) {
        match next {
            Next::Phase { layer, neuron } => {
                for phase in [Phase::Active, Phase::Inactive] {
                    let mut decisions = part.decisions.to_vec();
                    decisions.push(DecidedNeuron { layer, neuron, phase });
                    self.waiting.push(Waiting(OpenPart { decisions: decisions.into(), ..part.clone() }));
                }
            }
            Next::Input(input) => self.cut(&part, input, radius),
            Next::Pixel(pixel) => {
                let mut on = part.on.to_vec();
                on.push(pixel);
                self.push(OpenPart { on: on.into(), ..part.clone() });
                let (mut lower, mut upper) = (part.lower.to_vec(), part.upper.to_vec());
                for &i in self.question.pixels.all().nth(pixel).unwrap_or_default() {
                    (lower[i], upper[i]) = (self.question.nominal[i], self.question.nominal[i]);
                }
                self.push(OpenPart { lower: lower.into(), upper: upper.into(), ..part });
            }
            Next::Nothing => {
                self.undecided = true;
                self.done = self.done.min(part.bound);
            }
        }
    }

    /// Cuts a part in two in the middle of what a radius leaves of an input's interval.
    fn cut(&mut self, part: &OpenPart, input: usize, radius: f64) {
        let nominal = self.question.nominal[input];
        let low = part.lower[input].max(nominal - radius);
        let high = part.upper[input].min(nominal + radius);
        let middle = 0.5 * (low + high);
        if !(part.lower[input] < middle && middle < part.upper[input]) {
            self.undecided = true;
            self.done = self.done.min(part.bound);
            return;
        }
        let (mut lower, mut upper) = (part.lower.to_vec(), part.upper.to_vec());
        (lower[input], upper[input]) = (middle, middle);
        self.push(OpenPart { upper: upper.into(), ..part.clone() });
        self.push(OpenPart { lower: lower.into(), ..part.clone() });
    }

    /// Puts a part into the queue whose box is new.
    fn push(&mut self, mut part: OpenPart) {
        let floor = reach(self.question, (&part.lower, &part.upper), &part.on).floor();
        part.bound = part.bound.max(floor);
        self.waiting.push(Waiting(part));
    }

    fn answer(self, ending: NearestEnding) -> Nearest {
        let left = self.waiting.iter().map(|Waiting(part)| part.bound).fold(self.done, f64::min);
        // A point that was found is no nearer than the nearest.
        let bound = left.min(self.best.distance);
        Nearest {
            input: self.best.point,
            distance: self.best.distance,
            bound,
            ending,
            parts: self.parts,
            programs: self.bounder.programs,
        }
    }
}

/// The phase of every neuron at a point.
fn pattern(network: &super::Hinges, point: &[f64]) -> Vec<DecidedNeuron> {
    let sums = network.sums(point);
    let of_layer = |(layer, sums): (usize, &Vec<f64>)| -> Vec<DecidedNeuron> {
        let decision = |(neuron, &z): (usize, &f64)| DecidedNeuron {
            layer,
            neuron,
            phase: if z > 0.0 { Phase::Active } else { Phase::Inactive },
        };
        sums.iter().enumerate().map(decision).collect()
    };
    sums.iter().enumerate().take(network.bent()).flat_map(of_layer).collect()
}
