//! Input splitting with sound bounds: boxes that cannot hold a counterexample are discarded, the rest is searched.
//!
//! Each box gets linear bounds of the property's rows (CROWN with tightened intervals, see [`bounds`]). A
//! conjunction is out if one of its rows cannot hold anywhere in the box. Of a box that stays, the corner where the
//! least hopeful row would be best is evaluated (CORA does the same in its sub-boxes), and the box is cut in half
//! along the input whose cuts have brought most so far (`pseudo_costs.rs`). Boxes with the most hope come first. If no
//! box is left, the region is proved to hold no counterexample: the bounds are sound, and the root box, the region's
//! hull, contains every real input that the decimals admit.
//!
//! [`bounds`]: crate::bounds

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::bounds::{BoundRow, Bounder, LinearBound, Phases, Tightening};
use crate::network::Real;
use crate::problem::Problem;
use crate::property::{Conjunction, Region, Row, RowKind};
use crate::search::kernel::corners::CornerQueue;
use crate::search::kernel::exclusion::{bounder, price_of_bounds, promise_of_proof, reach, view};
use crate::search::kernel::pseudo_costs::{PseudoCosts, gain};
use crate::search::kernel::whole;
use crate::search::proof::{self, Parts};
use crate::search::{Falsifier, Halt, NotApplicable, Oracle, Progress};

/// Boxes a round, about.
const BOXES: usize = 8;
/// Inputs that may be tried out for a cut: those to which the deciding row is most sensitive.
const CANDIDATES: usize = 8;
/// Boxes before any input is tried out: most counterexamples are found by then, and a proof that is done by then needs
/// no better cuts. Without it the median CPU time of the known-sat instances is twice as long.
const EARLY: usize = 64;
/// Boxes that may wait; beyond, memory would grow without a proof in sight.
const MOST_BOXES: usize = 200_000;
/// With more free inputs than this only the root box and a few halves are looked at: cutting one input of
/// hundreds in half hardly tightens anything.
const MANY_INPUTS: usize = 40;
const FEW_BOXES: usize = 16;

/// Branch and bound over the input box.
struct InputSplit<T> {
    free: Vec<usize>,
    costs: PseudoCosts,
    /// `None` until the region's box has been looked at.
    waiting: Option<BinaryHeap<BoxPart>>,
    looked_at: usize,
    /// The share of the region's box, by volume, that is excluded.
    excluded: f64,
    /// Whether a point is known whose margin is not below zero.
    is_touched: bool,
    /// Whether a box could neither be excluded nor cut: then nothing is proved.
    undecided: bool,
    corners: CornerQueue<T>,
    /// The tree of boxes, for the judge.
    tree: Vec<Fate>,
}

/// What became of a box.
#[derive(Clone, Copy)]
enum Fate {
    /// Excluded, or not looked at yet.
    Whole,
    /// Cut along an input: where the halves are in the tree, the lower one first.
    Cut { input: usize, at: f64, first: usize },
}

/// A box that cannot be excluded as a whole.
struct BoxPart {
    lower: Vec<f64>,
    upper: Vec<f64>,
    /// How often the region's box was halved to get it.
    depth: i32,
    /// Its place in the tree.
    place: usize,
    rest: Rest,
}

/// What is left of a box.
struct Rest {
    /// Conjunctions that no bound has excluded.
    open: Vec<u32>,
    /// An upper bound of their margin.
    hope: f64,
    /// The bound of the row that decides.
    guide: LinearBound,
    /// Phases that are decided in the box, and so in its halves: of most neurons a half need not be asked again.
    phases: Phases,
}

/// A box and what is left of it, if anything.
struct Half {
    lower: Vec<f64>,
    upper: Vec<f64>,
    rest: Option<Rest>,
}

/// Why there are no bounds.
enum BoundObstacle {
    /// Time is up, or a witness was found.
    Halt(Halt),
    /// They cannot be computed.
    Unbounded,
}

impl From<Halt> for BoundObstacle {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

/// Makes the strategy; it applies where every operator has sound bounds.
pub fn make<T: Real>(
    problem: &Problem<T>,
    region: &Region,
    _seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    bounder(problem)?;
    Ok(Box::new(InputSplit {
        free: region.free().collect(),
        costs: PseudoCosts::new(region.lower.len()),
        waiting: None,
        looked_at: 0,
        excluded: 0.0,
        is_touched: false,
        undecided: false,
        corners: CornerQueue::default(),
        tree: vec![Fate::Whole],
    }))
}

impl<T: Real> Falsifier<T> for InputSplit<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        price_of_bounds(&problem.network)
    }

    /// The more of the box is excluded, the likelier it is that the rest can be.
    fn promise(&self, searched: f64) -> f64 {
        promise_of_proof(self.excluded, searched, self.is_touched)
    }

    fn proof(&mut self) -> Parts {
        let (mut parts, mut left) = (Vec::with_capacity(self.tree.len()), vec![0]);
        while let Some(place) = left.pop() {
            parts.push(match self.tree[place] {
                Fate::Whole => proof::Part::Excluded(Vec::new()),
                Fate::Cut { input, at, first } => {
                    left.extend([first + 1, first]);
                    proof::Part::Cut { input, at }
                }
            });
        }
        Parts::Together(parts)
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        self.is_touched = oracle.best.as_ref().is_some_and(|best| best.margin >= T::zero());
        let problem = oracle.problem;
        let Ok(mut bounder) = problem.bounder() else { return Ok(Progress::Exhausted) };
        let progress = match self.cut_some(&mut bounder, oracle) {
            Ok(progress) => progress,
            Err(BoundObstacle::Unbounded) => Progress::Exhausted,
            Err(BoundObstacle::Halt(halt)) => return Err(halt),
        };
        self.corners.flush(oracle)?;
        Ok(progress)
    }
}

/// Bounds a box: `None` if nothing in it violates.
fn bound<T: Real>(
    bounder: &mut Bounder<'_>,
    (lower, upper): (&[f64], &[f64]),
    (open, known): (impl Iterator<Item = u32>, &Phases),
    oracle: &mut Oracle<'_, T>,
) -> Result<Option<Rest>, BoundObstacle> {
    let keep_going = || oracle.check().is_ok();
    if !bounder.intervals_within(known, lower, upper, Tightening::OpenPhases, &keep_going) {
        oracle.check()?;
        return Err(BoundObstacle::Unbounded);
    }
    oracle.tally.count_bounds(bounder.swept());
    if let Some(condition) = &oracle.region.condition {
        let rest = whole::hope_of(bounder, condition);
        let phases = bounder.phases();
        return Ok(rest.map(|(hope, guide)| Rest { open: Vec::new(), hope, guide, phases }));
    }
    let mut rest: Option<Rest> = None;
    for number in open {
        let conjunction = &oracle.region.conjunctions[number as usize];
        let Some((hope, guide)) = hope_of(bounder, conjunction) else { continue };
        match &mut rest {
            None => rest = Some(Rest { open: vec![number], hope, guide, phases: bounder.phases() }),
            Some(rest) => {
                rest.open.push(number);
                if hope > rest.hope {
                    (rest.hope, rest.guide) = (hope, guide);
                }
            }
        }
    }
    Ok(rest)
}

/// The largest margin that a conjunction could reach in the box, with the bound of its least hopeful row; `None`
/// if a row cannot hold.
pub(in crate::search) fn hope_of(
    bounder: &mut Bounder<'_>,
    conjunction: &Conjunction,
) -> Option<(f64, LinearBound)> {
    let rows: Vec<&Row> = conjunction.rows.iter().filter(|row| row.kind != RowKind::Differs).collect();
    let views: Vec<BoundRow<'_>> = rows.iter().map(|row| view(row)).collect();
    let mut worst: Option<(f64, LinearBound)> = None;
    for (row, bound) in rows.iter().zip(bounder.rows(&views)) {
        let most = reach(bounder, row, bound.least)?;
        if worst.as_ref().is_none_or(|(least, _)| most < *least) {
            worst = Some((most, bound));
        }
    }
    Some(worst.unwrap_or((f64::INFINITY, LinearBound { least: f64::NEG_INFINITY, slopes: Vec::new() })))
}

/// The largest margin that bounds leave in a box of a region, of the conjunctions that are meant; `None` if they exclude a violation,
/// infinite where there are no bounds. For whoever divides a question before it is searched.
pub(crate) fn margin_in_box(
    bounder: &mut Bounder<'_>,
    region: &Region,
    (lower, upper): (&[f64], &[f64]),
    is_meant: impl Fn(usize) -> bool,
) -> Option<f64> {
    if !bounder.intervals_within(&Phases::default(), lower, upper, Tightening::OpenPhases, &|| true) {
        return Some(f64::INFINITY);
    }
    if let Some(condition) = &region.condition {
        return whole::hope_of(bounder, condition).map(|(hope, _)| hope);
    }
    let meant = region.conjunctions.iter().enumerate().filter(|(number, _)| is_meant(*number));
    let hopes = meant.filter_map(|(_, conjunction)| Some(hope_of(bounder, conjunction)?.0));
    hopes.max_by(f64::total_cmp)
}

impl<T: Real> InputSplit<T> {
    /// Cuts a few boxes, those with the most hope first.
    fn cut_some(
        &mut self,
        bounder: &mut Bounder<'_>,
        oracle: &mut Oracle<'_, T>,
    ) -> Result<Progress, BoundObstacle> {
        let end = self.looked_at + BOXES;
        while self.looked_at < end {
            let Some(waiting) = &mut self.waiting else {
                self.begin(bounder, oracle)?;
                continue;
            };
            let endless = self.free.len() > MANY_INPUTS && self.looked_at >= FEW_BOXES;
            if endless || waiting.len() >= MOST_BOXES {
                return Ok(Progress::Exhausted);
            }
            let Some(part) = waiting.pop() else {
                return Ok(if self.undecided { Progress::Exhausted } else { Progress::Proved });
            };
            oracle.check()?;
            self.cut(&part, bounder, oracle)?;
        }
        Ok(Progress::More)
    }

    /// Looks at the region's box.
    fn begin(&mut self, bounder: &mut Bounder<'_>, oracle: &mut Oracle<'_, T>) -> Result<(), BoundObstacle> {
        let (lower, upper) = (oracle.region.hull_lower.clone(), oracle.region.hull_upper.clone());
        let all = 0..oracle.region.conjunctions.len() as u32;
        let rest = bound(bounder, (&lower, &upper), (all, &Phases::default()), oracle)?;
        self.looked_at += 1;
        self.keep(Half { lower, upper, rest }, 0, 0);
        Ok(())
    }

    /// Notes the corner where the deciding row is best, and replaces the box by the halves that stay.
    fn cut(
        &mut self,
        part: &BoxPart,
        bounder: &mut Bounder<'_>,
        oracle: &mut Oracle<'_, T>,
    ) -> Result<(), BoundObstacle> {
        let ends = part.lower.iter().zip(&part.upper).enumerate();
        let corner = ends.map(|(i, (&low, &high))| if part.slope(i) >= 0.0 { low } else { high });
        self.corners.add(oracle, corner)?;
        let mut best: Option<(f64, usize, Option<[Half; 2]>)> = None;
        for input in self.candidates(part) {
            let is_open = self.tries_out() && !self.costs.knows(input);
            let halves = is_open.then(|| self.try_out(part, input, bounder, oracle)).transpose()?;
            let score = match &halves {
                Some(halves) => gain(part.rest.hope, hopes(halves)),
                None => self.costs.expected(input, part.share(input, oracle)),
            };
            if best.as_ref().is_none_or(|&(most, ..)| score > most) {
                best = Some((score, input, halves));
            }
        }
        let Some((_, input, halves)) = best else {
            self.undecided = true;
            return Ok(());
        };
        let halves = match halves {
            Some(halves) => halves,
            None => self.try_out(part, input, bounder, oracle)?,
        };
        let first = self.tree.len();
        self.tree[part.place] = Fate::Cut { input, at: part.middle(input), first };
        self.tree.extend([Fate::Whole; 2]);
        for (place, half) in (first..).zip(halves) {
            self.keep(half, part.depth + 1, place);
        }
        Ok(())
    }

    /// Inputs along which a box may be cut, the most sensitive first (the smear rule of nnenum and ReluVal).
    fn candidates(&self, part: &BoxPart) -> Vec<usize> {
        let smear = |i: usize| (part.slope(i).abs() + 1e-9) * (part.upper[i] - part.lower[i]);
        let can_be_cut = |&i: &usize| part.lower[i] < part.middle(i) && part.middle(i) < part.upper[i];
        let mut inputs: Vec<usize> = self.free.iter().copied().filter(can_be_cut).collect();
        inputs.sort_by(|&a, &b| smear(b).total_cmp(&smear(a)));
        inputs.truncate(if self.tries_out() { CANDIDATES } else { 1 });
        inputs
    }

    /// Whether more than the most sensitive input is considered.
    fn tries_out(&self) -> bool {
        self.free.len() <= MANY_INPUTS && self.looked_at >= EARLY
    }

    /// Both halves of a box cut along an input.
    fn try_out(
        &mut self,
        part: &BoxPart,
        input: usize,
        bounder: &mut Bounder<'_>,
        oracle: &mut Oracle<'_, T>,
    ) -> Result<[Half; 2], BoundObstacle> {
        let cut = part.middle(input);
        let mut half = |is_high: bool| -> Result<Half, BoundObstacle> {
            let (mut lower, mut upper) = (part.lower.clone(), part.upper.clone());
            *(if is_high { &mut lower[input] } else { &mut upper[input] }) = cut;
            let open = part.rest.open.iter().copied();
            let rest = bound(bounder, (&lower, &upper), (open, &part.rest.phases), oracle)?;
            Ok(Half { lower, upper, rest })
        };
        let halves = [half(false)?, half(true)?];
        self.looked_at += 2;
        self.costs.learn(input, part.share(input, oracle), gain(part.rest.hope, hopes(&halves)));
        Ok(halves)
    }

    fn keep(&mut self, half: Half, depth: i32, place: usize) {
        let waiting = self.waiting.get_or_insert_default();
        let Half { lower, upper, rest } = half;
        match rest {
            None => self.excluded += 0.5_f64.powi(depth),
            Some(rest) => waiting.push(BoxPart { lower, upper, depth, place, rest }),
        }
    }
}

fn hopes(halves: &[Half; 2]) -> [Option<f64>; 2] {
    halves.each_ref().map(|half| half.rest.as_ref().map(|rest| rest.hope))
}

impl BoxPart {
    fn middle(&self, input: usize) -> f64 {
        self.lower[input] * 0.5 + self.upper[input] * 0.5
    }

    /// The slope of the row that decides.
    fn slope(&self, input: usize) -> f64 {
        self.rest.guide.slopes.get(input).copied().unwrap_or(0.0)
    }

    /// The box's share of the region's width.
    fn share<T: Real>(&self, input: usize, oracle: &Oracle<'_, T>) -> f64 {
        let whole = oracle.region.hull_upper[input] - oracle.region.hull_lower[input];
        (self.upper[input] - self.lower[input]) / whole
    }
}

impl PartialEq for BoxPart {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for BoxPart {}

impl PartialOrd for BoxPart {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for BoxPart {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rest.hope.total_cmp(&other.rest.hope)
    }
}
