//! Input splitting with sound bounds: boxes that cannot hold a counterexample are discarded, the rest is searched.
//!
//! Each box gets linear bounds of the property's rows (CROWN with tightened intervals, see [`bounds`]). A
//! conjunction is out if one of its rows cannot hold anywhere in the box. Of a box that stays, the corner where the
//! least hopeful row would be best is evaluated (CORA does the same in its sub-boxes), and the box is cut in half
//! along the input to which that row is most sensitive, weighed by the box's width (the smear rule of nnenum and
//! ReluVal). Boxes with the most hope come first. If no box is left, the region is proved to hold no counterexample:
//! the bounds are sound, and the root box, the region's hull, contains every real input that the decimals admit.
//!
//! [`bounds`]: crate::network::bounds

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::corners::Corners;
use super::exclusion::{price_of_bounds, promise_of_proof, reach, view};
use super::{Falsifier, Halt, NotApplicable, Oracle, Progress};
use crate::network::Real;
use crate::network::bounds::{Bounder, LinearBound, Row as BoundRow, Tightening};
use crate::problem::Problem;
use crate::property::{Conjunction, Region, Row, RowKind};

/// Boxes a round.
const BOXES: usize = 8;
/// Boxes that may wait; beyond, memory would grow without a proof in sight.
const MOST_BOXES: usize = 200_000;
/// With more free inputs than this only the root box and a few halves are looked at: cutting one input of
/// hundreds in half hardly tightens anything.
const MANY_INPUTS: usize = 40;
const FEW_BOXES: usize = 16;

/// Branch and bound over the input box.
struct Split<T> {
    free: Vec<usize>,
    waiting: BinaryHeap<Part>,
    looked_at: usize,
    /// The share of the region's box, by volume, that is excluded.
    excluded: f64,
    /// Whether a box could neither be excluded nor cut: then nothing is proved.
    undecided: bool,
    corners: Corners<T>,
}

/// A box and how much hope there is in it.
struct Part {
    /// An upper bound of the margin in the parent box.
    hope: f64,
    lower: Vec<f64>,
    upper: Vec<f64>,
    /// Conjunctions that no bound has excluded.
    open: Vec<u32>,
    /// How often the region's box was halved to get it.
    depth: i32,
}

/// Makes the strategy; it applies where every operator has sound bounds.
pub fn make<T: Real>(
    problem: &Problem<T>,
    region: &Region,
    _seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    problem.bounder().map_err(|_| NotApplicable("an operator has no sound bounds"))?;
    let root = Part {
        hope: f64::INFINITY,
        lower: region.hull_lower.clone(),
        upper: region.hull_upper.clone(),
        open: (0..region.conjunctions.len() as u32).collect(),
        depth: 0,
    };
    let waiting = BinaryHeap::from([root]);
    let free = region.free().collect();
    Ok(Box::new(Split {
        free,
        waiting,
        looked_at: 0,
        excluded: 0.0,
        undecided: false,
        corners: Corners::default(),
    }))
}

impl<T: Real> Falsifier<T> for Split<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        price_of_bounds(problem)
    }

    /// The more of the box is excluded, the likelier it is that the rest can be.
    fn promise(&self, searched: f64) -> f64 {
        promise_of_proof(self.excluded, searched)
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        let problem = oracle.problem;
        let Ok(mut bounder) = problem.bounder() else { return Ok(Progress::Exhausted) };
        for _ in 0..BOXES {
            let Some(part) = self.waiting.pop() else {
                self.corners.flush(oracle)?;
                return Ok(if self.undecided { Progress::Exhausted } else { Progress::Proved });
            };
            let endless = self.free.len() > MANY_INPUTS && self.looked_at >= FEW_BOXES;
            if endless || self.waiting.len() >= MOST_BOXES {
                self.corners.flush(oracle)?;
                return Ok(Progress::Exhausted);
            }
            self.looked_at += 1;
            oracle.check()?;
            let region = oracle.region.clone();
            let Some(verdict) = bound(&mut bounder, &part, &region, oracle) else {
                oracle.check()?;
                return Ok(Progress::Exhausted);
            };
            match verdict {
                Some((open, hope, guide)) => self.branch(part, open, hope, &guide, oracle)?,
                None => self.excluded += 0.5_f64.powi(part.depth),
            }
        }
        self.corners.flush(oracle)?;
        Ok(Progress::More)
    }
}

/// What is left of a box: open conjunctions, the largest margin that they could reach, and the row that decides.
type Rest = (Vec<u32>, f64, LinearBound);

/// Bounds a box: `Some(None)` if nothing in it violates, `None` if the time is up.
#[expect(clippy::option_option, reason = "no answer and nothing left are different things")]
fn bound<T: Real>(
    bounder: &mut Bounder<'_>,
    part: &Part,
    region: &Region,
    oracle: &mut Oracle<'_, T>,
) -> Option<Option<Rest>> {
    let keep_going = || oracle.check().is_ok();
    if !bounder.intervals(&part.lower, &part.upper, Tightening::OpenPhases, &keep_going) {
        return None;
    }
    oracle.count_bounds(bounder.swept());
    let mut rest: Option<Rest> = None;
    for &number in &part.open {
        let conjunction = &region.conjunctions[number as usize];
        if let Some((hope, guide)) = hope_of(bounder, conjunction) {
            match &mut rest {
                None => rest = Some((vec![number], hope, guide)),
                Some((open, best, best_guide)) => {
                    open.push(number);
                    if hope > *best {
                        (*best, *best_guide) = (hope, guide);
                    }
                }
            }
        }
    }
    Some(rest)
}

/// The largest margin that a conjunction could reach in the box, with the bound of its least hopeful row; `None`
/// if a row cannot hold.
fn hope_of(bounder: &mut Bounder<'_>, conjunction: &Conjunction) -> Option<(f64, LinearBound)> {
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

impl<T: Real> Split<T> {
    /// Notes the corner where the deciding row is best, and cuts the box where that row is most sensitive.
    fn branch(
        &mut self,
        part: Part,
        open: Vec<u32>,
        hope: f64,
        guide: &LinearBound,
        oracle: &mut Oracle<'_, T>,
    ) -> Result<(), Halt> {
        let slope = |i: usize| guide.slopes.get(i).copied().unwrap_or(0.0);
        self.corners.add(
            oracle,
            (0..part.lower.len()).map(|i| if slope(i) >= 0.0 { part.lower[i] } else { part.upper[i] }),
        )?;
        let width = |i: usize| part.upper[i] - part.lower[i];
        let smear = |&i: &usize| slope(i).abs() * width(i) + 1e-9 * width(i);
        let Some(&axis) = self.free.iter().max_by(|a, b| smear(a).total_cmp(&smear(b))) else {
            self.undecided = true;
            return Ok(());
        };
        let cut = part.lower[axis] * 0.5 + part.upper[axis] * 0.5;
        let depth = part.depth + 1;
        let mut low =
            Part { hope, lower: part.lower.clone(), upper: part.upper.clone(), open: open.clone(), depth };
        low.upper[axis] = cut;
        let mut high = Part { hope, lower: part.lower, upper: part.upper, open, depth };
        high.lower[axis] = cut;
        self.waiting.extend([low, high]);
        Ok(())
    }
}

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Part {}

impl PartialOrd for Part {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Part {
    fn cmp(&self, other: &Self) -> Ordering {
        self.hope.total_cmp(&other.hope)
    }
}
