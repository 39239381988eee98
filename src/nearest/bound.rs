//! The bound of one part: a box of inputs, some phases decided, one way to violate.
//!
//! Intervals within a radius say which neurons are open there. Then the program advises, the duals become a plane, the plane
//! gives a radius, and the direction it points to becomes the next cut, until the program knows no better. A part is bounded
//! within a radius only: what comes out is the smaller of the two.

use std::rc::Rc;

use super::intervals::{DecidedNeuron, intervals};
use super::program::{Advice, Corner, Interface, NearestProgram, ProgramParts, ease, usable};
use super::reach::Reach;
use super::rounding::{RoundedSum, above, below};
use super::sweep::{Choices, Intervals, MagnitudeBounds, Plane, chord, plane};
use super::{Disjunct, Hinges, Norm, Question, planes};
use crate::budget::Budget;
use crate::property::Row;

/// What is left to be looked at.
#[derive(Debug, Clone)]
pub(super) struct OpenPart {
    /// The way to violate, by its number.
    pub(super) way: usize,
    /// The inputs: the way's hull, cut along inputs.
    pub(super) lower: Rc<Vec<f64>>,
    pub(super) upper: Rc<Vec<f64>>,
    pub(super) decisions: Rc<Vec<DecidedNeuron>>,
    /// Under L0: pixels that count as changed.
    pub(super) on: Rc<Vec<usize>>,
    /// Nothing in it that violates is nearer.
    pub(super) bound: f64,
    /// Within which radius it is looked at next; as far as the best point if that is not known.
    pub(super) within: Option<f64>,
    /// Intervals that hold within a radius.
    pub(super) known: Option<(f64, Rc<Intervals>)>,
    /// Corners of the last program of the part that it was cut from.
    pub(super) corners: Vec<Rc<Corner>>,
}

/// What is next, if the bound is not enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Decide this neuron.
    Phase { layer: usize, neuron: usize },
    /// Cut this input's interval.
    Input(usize),
    /// Decide whether this pixel changes.
    Pixel(usize),
    /// Nothing is left to be decided.
    Nothing,
}

/// What is known of a part.
#[derive(Debug)]
pub(super) struct Bounded {
    /// Nothing in the part that violates is nearer, or the radius that was asked for.
    pub(super) bound: f64,
    pub(super) next: Next,
    pub(super) known: Option<Rc<Intervals>>,
    pub(super) corners: Vec<Rc<Corner>>,
}

/// A box as the support functions see it.
pub(super) fn reach<'q>(
    question: &'q Question<'_>,
    (lower, upper): (&'q [f64], &'q [f64]),
    on: &'q [usize],
) -> Reach<'q> {
    let Question { norm, nominal, pixels, .. } = *question;
    Reach { norm, nominal, lower, upper, pixels, on }
}

/// Bounds parts of one question.
pub(super) struct PartBounder<'q> {
    pub(super) question: &'q Question<'q>,
    pub(super) budget: &'q Budget,
    pub(super) interface: Interface,
    /// Whether boxes are cut along inputs, instead of deciding phases.
    pub(super) cuts_inputs: bool,
    /// Linear programs solved.
    pub(super) programs: u64,
}

/// Rounds of a program, at most, and where nothing is left to be decided.
const MOST_CORNERS: usize = 60;
const MOST_CORNERS_OF_LEAVES: usize = 400;
/// Rounds that gain little together before the part is cut instead.
const PATIENCE: usize = 4;
/// Corners that are kept although they have no share.
const LATEST: usize = 10;
/// The factor by which a price is raised that the optimum prefers to pay, and how often.
const DEARER: f64 = 1e2;
const MOST_PRICES: usize = 4;
/// What is missed by less is rounding.
const MISSED: f64 = 1e-9;
/// A gain, as a part of the radius, that is little.
const LITTLE: f64 = 2e-3;

impl PartBounder<'_> {
    /// Bounds a part within a radius. `enough` is a bound with which nothing is left to be done; `look` is shown points that may
    /// violate.
    pub(super) fn bound(
        &mut self,
        part: &OpenPart,
        radius: f64,
        enough: f64,
        look: &mut dyn FnMut(&[f64]),
    ) -> Bounded {
        let (network, way) = (self.question.network, &self.question.ways[part.way]);
        let reach = reach(self.question, (&part.lower, &part.upper), &part.on);
        let floor = self.proven(reach.floor(), reach.floor()).max(part.bound);
        let known = part.known.as_ref().filter(|(within, _)| *within >= radius).map(|(_, known)| &**known);
        let excluded = |known| Bounded { bound: radius, next: Next::Nothing, known, corners: Vec::new() };
        let Some((intervals, sizes)) =
            intervals(network, &reach, radius, &part.decisions, known, self.budget)
        else {
            return excluded(None);
        };
        let mut state = PartState {
            way,
            reach,
            intervals: &intervals,
            sizes: &sizes,
            radius,
            bound: floor.min(radius),
            corners: Vec::new(),
            last: None,
        };
        let plain = self.by_rows(&mut state);
        if state.bound < enough.min(radius) && usable(&way.conjunction).next().is_some() {
            match self.cuts_inputs {
                true => self.by_planes(&mut state, &plain, look),
                false => self.by_programs(&mut state, part, &plain, enough, look),
            }
        }
        let next = if self.cuts_inputs { state.loosest_input(network, &plain) } else { state.next(network) };
        let PartState { bound, corners, .. } = state;
        Bounded { bound, next, known: Some(Rc::new(intervals)), corners }
    }

    /// Shows the points that the program proposes in one activation region.
    pub(super) fn in_region(&mut self, part: &OpenPart, radius: f64, look: &mut dyn FnMut(&[f64])) {
        let cuts_inputs = std::mem::replace(&mut self.cuts_inputs, false);
        self.bound(part, radius, f64::INFINITY, look);
        self.cuts_inputs = cuts_inputs;
    }

    /// What a radius proves: under L0 a whole number.
    fn proven(&self, radius: f64, floor: f64) -> f64 {
        match self.question.norm {
            Norm::L0 if radius > floor => radius.floor() + 1.0,
            _ => radius,
        }
    }

    /// Each row by itself, with the plain choices.
    fn by_rows(&self, state: &mut PartState<'_>) -> Vec<Plane> {
        let mut planes = Vec::new();
        for row in usable(&state.way.conjunction) {
            let plane = self.plane_of(state, &[(row, 1.0)], &[]);
            state.raise(self, &plane);
            planes.push(plane);
        }
        planes
    }

    /// The plane of a sum of rows: whatever meets them all in the part has `slopes · x + constant ≤ 0`.
    fn plane_of(&self, state: &PartState<'_>, rows: &[(&Row, f64)], choices: &[Choices]) -> Plane {
        let network = self.question.network;
        let mut coefficients = vec![0.0; network.layers[network.bent()].edges.outputs()];
        let mut account = RoundedSum::default();
        for (row, weight) in rows {
            account.add(-weight * row.bound);
            for &(o, c) in &row.outputs {
                coefficients[o] += weight * c;
                account.charge(
                    4.0 * f64::EPSILON * (rows.len() + 2) as f64 * (weight * c).abs() * self.output(state, o),
                );
            }
            for &(i, c) in &row.inputs {
                let size = state.reach.lower[i].abs().max(state.reach.upper[i].abs());
                account.charge(4.0 * f64::EPSILON * (rows.len() + 2) as f64 * (weight * c).abs() * size);
            }
        }
        let top = (network.bent(), coefficients);
        let mut plane = plane(network, top, account.least(), (state.intervals, state.sizes), choices);
        for (row, weight) in rows {
            row.inputs.iter().for_each(|&(i, c)| plane.slopes[i] += weight * c);
        }
        plane
    }

    /// How large an output may be.
    fn output(&self, state: &PartState<'_>, output: usize) -> f64 {
        state.sizes.of(self.question.network.bent(), output)
    }

    /// The best sum of the rows' planes, and the points that they propose.
    fn by_planes(&mut self, state: &mut PartState<'_>, plain: &[Plane], look: &mut dyn FnMut(&[f64])) {
        let rows: Vec<&Row> = usable(&state.way.conjunction).collect();
        let price = self.price(state, plain);
        let weighted = match plain {
            [_] => None,
            _ => planes::best_sum(plain, &state.reach, price, self.budget).ok(),
        };
        let mut proposals: Vec<Plane> = plain.to_vec();
        if let Some(planes::PlaneSum { weights, point, programs }) = weighted {
            self.programs += programs;
            look(&point);
            let rows: Vec<(&Row, f64)> = rows.into_iter().zip(weights).collect();
            proposals.push(self.plane_of(state, &rows, &[]));
        }
        for plane in &proposals {
            let radius = state.raise(self, plane);
            look(&state.reach.point(&plane.slopes, radius.min(state.radius)));
        }
    }

    /// The program, again and again.
    fn by_programs(
        &mut self,
        state: &mut PartState<'_>,
        part: &OpenPart,
        plain: &[Plane],
        enough: f64,
        look: &mut dyn FnMut(&[f64]),
    ) {
        state.take_corners(self, &part.corners);
        for plane in plain {
            let radius = state.reach.radius(&plane.slopes, plane.constant);
            state.corner(self, state.reach.point(&plane.slopes, radius.min(state.radius)));
        }
        let mut price = self.price(state, plain);
        let mut prices = 0;
        let is_leaf = state.intervals.iter().flatten().all(|&(low, high)| low >= 0.0 || high <= 0.0);
        let parts = ProgramParts {
            network: self.question.network,
            intervals: state.intervals,
            decisions: &part.decisions,
            conjunction: &state.way.conjunction,
            lower: &part.lower,
            upper: &part.upper,
            interface: self.interface,
            price,
        };
        let most = if is_leaf { MOST_CORNERS_OF_LEAVES } else { MOST_CORNERS };
        let Ok(mut program) = NearestProgram::new(parts, (&state.corners, 2 * most), self.budget) else {
            return;
        };
        let mut gains = Vec::new();
        while program.has_room() {
            self.programs += 1;
            let Ok(Some(advice)) = program.solve() else { return };
            let rows: Vec<(&Row, f64)> =
                usable(&state.way.conjunction).zip(advice.weights.iter().copied()).collect();
            let plane = self.plane_of(state, &rows, &advice.choices);
            let before = state.bound;
            let radius = state.raise(self, &plane);
            let mixture = state.mixture(&advice.shares);
            look(&mixture);
            let eased = plane.constant + rows.iter().map(|(row, weight)| weight * ease(row)).sum::<f64>();
            let best = state.reach.radius(&plane.slopes, eased);
            let is_settled = best >= advice.value - 1e-7 * advice.value.abs() - 1e-12;
            let is_paid = advice.missing > MISSED;
            let slopes = plane.slopes.clone();
            state.last = Some((advice, plane, mixture));
            if state.bound >= enough.min(state.radius) || self.budget.check().is_err() {
                break;
            }
            if is_settled && is_paid && prices < MOST_PRICES {
                (price, prices) = (DEARER * price, prices + 1);
                if program.set_price(price).is_err() {
                    break;
                }
                continue;
            }
            gains.push(state.bound - before);
            let recent: f64 = gains.iter().rev().take(PATIENCE).sum();
            if is_settled || (!is_leaf && gains.len() > PATIENCE && recent < LITTLE * state.bound.max(1e-12))
            {
                break;
            }
            let known = state.corners.len();
            state.corner(self, state.reach.priced(&slopes));
            state.corner(self, state.reach.point(&slopes, radius.min(state.radius)));
            if state.corners[known..].iter().any(|corner| program.add(corner).is_err()) {
                break;
            }
        }
        state.forget_idle_corners();
    }

    /// The price of a unit of a row: a thousand times what the plain planes say that it is worth.
    fn price(&self, state: &PartState<'_>, planes: &[Plane]) -> f64 {
        let worth = |plane: &Plane| {
            let (_, slope) = state.reach.tangent(&plane.slopes, state.bound);
            if slope < 0.0 { -1.0 / slope } else { 0.0 }
        };
        let most = planes.iter().map(worth).fold(0.0, f64::max);
        if most > 0.0 { 1e3 * most } else { 1e3 }
    }
}

/// What is known while a part is bounded.
struct PartState<'s> {
    way: &'s Disjunct,
    reach: Reach<'s>,
    intervals: &'s Intervals,
    sizes: &'s MagnitudeBounds,
    radius: f64,
    bound: f64,
    corners: Vec<Rc<Corner>>,
    /// What the last program said, the plane that came of it, and the input of its optimum.
    last: Option<(Advice, Plane, Vec<f64>)>,
}

impl PartState<'_> {
    /// Raises the bound by a plane; the plane's own radius.
    fn raise(&mut self, bounder: &PartBounder<'_>, plane: &Plane) -> f64 {
        let radius = self.reach.radius(&plane.slopes, below(plane.constant));
        let proven = bounder.proven(radius, self.reach.floor());
        self.bound = self.bound.max(proven.min(self.radius));
        radius
    }

    /// The corners of another part that lie in this one, and the point of the box that is nearest.
    fn take_corners(&mut self, bounder: &PartBounder<'_>, corners: &[Rc<Corner>]) {
        let inside = |corner: &&Rc<Corner>| {
            let ends = self.reach.lower.iter().zip(self.reach.upper);
            corner.x.iter().zip(ends).all(|(x, (low, high))| (low..=high).contains(&x))
        };
        let mut taken: Vec<Rc<Corner>> = corners.iter().filter(inside).cloned().collect();
        if self.reach.norm == Norm::L0 {
            let counted = |corner: Rc<Corner>| {
                Rc::new(Corner { distance: self.reach.cost(&corner.x), ..(*corner).clone() })
            };
            taken = taken.into_iter().map(counted).collect();
        }
        self.corners = taken;
        self.corner(bounder, (0..self.reach.nominal.len()).map(|i| self.reach.base(i)).collect());
    }

    /// Adds a point of the box to the corners.
    fn corner(&mut self, bounder: &PartBounder<'_>, x: Vec<f64>) {
        let interface = match bounder.interface {
            Interface::Inputs => x.clone(),
            Interface::Sums => bounder.question.network.layers[0].edges.apply(&x),
        };
        let distance = self.reach.cost(&x);
        self.corners.push(Rc::new(Corner { x, interface, distance }));
    }

    /// The mixture of corners that a program has chosen.
    fn mixture(&self, shares: &[f64]) -> Vec<f64> {
        let mut point = vec![0.0; self.reach.nominal.len()];
        for (corner, share) in self.corners.iter().zip(shares).filter(|(_, share)| **share > 0.0) {
            point.iter_mut().zip(&corner.x).for_each(|(sum, x)| *sum += share * x);
        }
        point
    }

    /// Keeps the corners of the last optimum, and the latest.
    fn forget_idle_corners(&mut self) {
        let Some((advice, ..)) = &self.last else { return };
        let latest = self.corners.len().saturating_sub(LATEST);
        let mut index = 0;
        self.corners.retain(|_| {
            index += 1;
            index > latest || advice.shares.get(index - 1).is_some_and(|share| *share > 0.0)
        });
    }

    /// What to decide: the neuron whose relaxation costs the bound most at the program's optimum.
    fn next(&self, network: &Hinges) -> Next {
        let Some((advice, plane, mixture)) = &self.last else { return self.widest(network) };
        if advice.weights.iter().all(|weight| *weight == 0.0) {
            return self.widest(network);
        }
        let mut most: Option<(f64, Next)> = None;
        for (layer, intervals) in self.intervals.iter().enumerate() {
            let slopes = (network.layers[layer].low, network.layers[layer].high);
            for (neuron, &interval) in intervals.iter().enumerate() {
                if !(interval.0 < 0.0 && interval.1 > 0.0) {
                    continue;
                }
                let (c, z) = (plane.values[layer][neuron], advice.sums[layer][neuron]);
                let value = (slopes.0 * z).max(slopes.1 * z);
                let loss = if c < 0.0 {
                    let (slope, shift) = chord(interval, slopes);
                    -c * (slope * z + shift - value)
                } else {
                    c * (value - advice.choices[layer].slopes[neuron] * z)
                };
                if most.is_none_or(|(other, _)| loss > other) {
                    most = Some((loss, Next::Phase { layer, neuron }));
                }
            }
        }
        let slack = 1e-7 * advice.weights.iter().sum::<f64>() * above(1.0);
        match most {
            Some((loss, next)) if loss > slack => next,
            other => match self.pixel(mixture) {
                Some(pixel) => Next::Pixel(pixel),
                None => other.map_or(Next::Nothing, |(_, next)| next),
            },
        }
    }

    /// How wide an input's interval is within the radius.
    fn width(&self, i: usize) -> f64 {
        let Reach { nominal, lower, upper, .. } = self.reach;
        (upper[i].min(nominal[i] + self.radius) - lower[i].max(nominal[i] - self.radius)).max(0.0)
    }

    /// The input to which the loss of the open neurons is due, in the plane that is nearest to excluding the part: each
    /// neuron's loss is shared out among the inputs by how much they move its sum.
    fn loosest_input(&self, network: &Hinges, planes: &[Plane]) -> Next {
        let reach = |plane: &Plane| plane.constant + self.reach.least(&plane.slopes, self.radius);
        let Some(plane) = planes.iter().max_by(|a, b| reach(a).total_cmp(&reach(b))) else {
            return Next::Nothing;
        };
        let widths: Vec<f64> = (0..self.reach.nominal.len()).map(|i| self.width(i)).collect();
        let mut shares = vec![0.0; widths.len()];
        let mut map = network.layers[0].edges.clone();
        for (layer, intervals) in self.intervals.iter().enumerate() {
            let own = &network.layers[layer];
            for (neuron, &interval) in intervals.iter().enumerate() {
                let is_open = interval.0 < 0.0 && interval.1 > 0.0;
                let c = plane.values[layer][neuron];
                let row = map.row(neuron);
                if is_open && c != 0.0 {
                    let loss = c.abs() * chord(interval, (own.low, own.high)).1;
                    let moves: f64 = row.iter().zip(&widths).map(|(w, width)| w.abs() * width).sum();
                    if moves > 0.0 {
                        let each = row.iter().zip(&widths).map(|(w, width)| loss * w.abs() * width / moves);
                        shares.iter_mut().zip(each).for_each(|(share, own)| *share += own);
                    }
                }
                let slope = match interval {
                    (low, _) if low >= 0.0 => own.high,
                    (_, high) if high <= 0.0 => own.low,
                    _ => 0.5 * (own.low + own.high),
                };
                let inputs = map.inputs;
                map.weights[neuron * inputs..(neuron + 1) * inputs].iter_mut().for_each(|w| *w *= slope);
            }
            map = network.layers[layer + 1].edges.after(&map);
        }
        let by = |score: &dyn Fn(usize) -> f64| {
            let all = (0..widths.len()).map(|i| (score(i), i)).filter(|(score, _)| *score > 0.0);
            all.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, i)| Next::Input(i))
        };
        by(&|i| shares[i]).or_else(|| by(&|i| plane.slopes[i].abs() * widths[i])).unwrap_or(Next::Nothing)
    }

    /// Under L0, the pixel that an optimum changes most, of those that may still be left alone.
    fn pixel(&self, mixture: &[f64]) -> Option<usize> {
        if self.reach.norm != Norm::L0 {
            return None;
        }
        let change = |&i: &usize| {
            (mixture[i] - self.reach.nominal[i]).abs() / (self.reach.upper[i] - self.reach.lower[i])
        };
        let pixels = self.reach.pixels.all().enumerate().filter(|(pixel, _)| !self.reach.on.contains(pixel));
        let changes = pixels.map(|(pixel, members)| {
            let open = members.iter().filter(|&&i| self.reach.lower[i] < self.reach.upper[i]);
            (open.map(change).fold(0.0, f64::max), pixel)
        });
        let most = changes.max_by(|a, b| a.0.total_cmp(&b.0))?;
        (most.0 > 0.0).then_some(most.1)
    }

    /// Without a program's advice: the open neuron with the widest interval.
    fn widest(&self, network: &Hinges) -> Next {
        let mut most: Option<(f64, Next)> = None;
        for (layer, intervals) in self.intervals.iter().enumerate().take(network.bent()) {
            for (neuron, &(low, high)) in
                intervals.iter().enumerate().filter(|(_, (l, h))| *l < 0.0 && *h > 0.0)
            {
                let width = (-low).min(high);
                if most.is_none_or(|(other, _)| width > other) {
                    most = Some((width, Next::Phase { layer, neuron }));
                }
            }
        }
        most.map_or(Next::Nothing, |(_, next)| next)
    }
}
