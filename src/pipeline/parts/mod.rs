//! One question as several that can be asked apart: by operands of its `or`s, by cuts of its input box, or both.
//!
//! Together the parts cover the whole: every operand is in one part, and both sides of a cut hold the number where it is cut, which is a number
//! of the input's own type. So `sat` of one is `sat` of the whole, and `unsat` of all is `unsat` of the whole, with one certificate
//! that is joined of theirs and checked as any other ([`prove`]).
//!
//! The box is cut where bounds say that it helps: always the part with the largest margin left, along the input whose halves have the least
//! of it (the measure of the strategy `split`). Where bounds cost too much the widest input is cut, in relation to the whole.

mod influence;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vnnlib::{Query, Relation, Role, Variable};

use crate::budget::Budget;
use crate::certificate::{self, Certificate, Enclosure, JoinError, Mending, PartitionStep, Proof, Refusal};
use crate::onnx::Model;
use crate::search::kernel::pseudo_costs::gain;
use influence::{Influence, InfluenceMeasure};

/// Most parts of a question.
pub const MOST_PARTS: usize = 4096;
/// With more free inputs than this a half is hardly easier than the whole (the limit of the strategy `split`).
const MANY_INPUTS: usize = 40;
/// Inputs that are tried out for a cut, the widest first.
const CANDIDATES: usize = 16;

/// By what a question is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DividedBy {
    /// The whole question with several seeds.
    Seeds,
    /// Operands of its `or`s.
    Disjuncts,
    /// Cuts of its input box.
    Box,
}

/// What it is to be divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DivisionWish {
    /// This.
    Only(DividedBy),
    /// Operands, then cuts if there are few inputs; seeds if neither gives two parts.
    Auto,
}

/// A divided question.
#[derive(Debug, Clone, PartialEq)]
pub struct DividedQuestion {
    /// By what: what is said of it.
    pub by: Vec<DividedBy>,
    /// The division; of seeds one part.
    pub steps: Vec<PartitionStep>,
    /// The parts as VNN-LIB text.
    pub texts: Vec<String>,
}

/// Why a question cannot be divided so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DivideError {
    /// It has no `or` that can be taken apart.
    #[error("the property has no `or` whose operands could be parts (help: --by box or --by seeds)")]
    NoDisjuncts,
    /// Its inputs cannot be cut.
    #[error(
        "no input can be cut: each is one number, or has no finite bounds (help: --by disjuncts or --by seeds)"
    )]
    NoBox,
    /// The judge has no enclosure of its inputs, so that certificates of parts could not be joined.
    #[error("the property's inputs have no enclosure: {0} (help: --by seeds)")]
    NoEnclosure(String),
}

/// A part that may be divided further.
struct UndividedPart {
    /// Its place among the branches.
    place: usize,
    /// Kept operands by `or`, from the whole on.
    kept: BTreeMap<u32, Vec<u32>>,
    /// Of those, where only one is kept.
    choices: BTreeMap<u32, u32>,
    /// The ends of inputs that cuts have moved: lower, upper.
    cuts: BTreeMap<u32, (Option<f64>, Option<f64>)>,
    /// Its box; `None` if there is no point in it.
    ranges: Option<Vec<(f64, f64)>>,
    /// The largest margin that its bounds leave.
    hope: Option<f64>,
}

/// What became of a part.
enum PartBranch {
    Part,
    Cut { input: u32, at: f64, first: usize },
    Cases { or: u32, groups: Vec<Vec<u32>>, first: usize },
}

/// A division that is being made.
struct Divider<'q> {
    query: &'q Query,
    enclosure: Enclosure,
    branches: Vec<PartBranch>,
    open: Vec<UndividedPart>,
}

/// Divides a question into about `count` parts, from 2 to [`MOST_PARTS`]: fewer where there is nothing left to divide. `models` as for
/// [`falsify`](super::falsify).
///
/// # Errors
/// If it cannot be divided so.
pub fn divide(
    query: &Query,
    models: &[Arc<Model>],
    wish: DivisionWish,
    count: usize,
) -> Result<DividedQuestion, DivideError> {
    let seeds = DividedQuestion {
        by: vec![DividedBy::Seeds],
        steps: vec![PartitionStep::Part(0)],
        texts: vec![query.text().to_owned()],
    };
    let divided = match wish {
        DivisionWish::Only(DividedBy::Seeds) => return Ok(seeds),
        DivisionWish::Only(by) => Divider::new(query, models)?.divided(models, &[by], count),
        DivisionWish::Auto => match Divider::new(query, models) {
            Ok(divider) => divider.divided(models, &[DividedBy::Disjuncts, DividedBy::Box], count),
            Err(_) => return Ok(seeds),
        },
    };
    match (wish, divided) {
        (_, Some(divided)) => Ok(divided),
        (DivisionWish::Only(DividedBy::Box), None) => Err(DivideError::NoBox),
        (DivisionWish::Only(_), None) => Err(DivideError::NoDisjuncts),
        (DivisionWish::Auto, None) => Ok(seeds),
    }
}

impl<'q> Divider<'q> {
    fn new(query: &'q Query, models: &[Arc<Model>]) -> Result<Self, DivideError> {
        let enclosure =
            Enclosure::root(query, models).map_err(|error| DivideError::NoEnclosure(error.to_string()))?;
        let ranges = enclosure.ranges(&BTreeMap::new());
        let (kept, choices, cuts) = Default::default();
        let whole = UndividedPart { place: 0, kept, choices, cuts, ranges, hope: None };
        Ok(Self { query, enclosure, branches: vec![PartBranch::Part], open: vec![whole] })
    }

    /// Divides by these, one after the other; `None` if nothing comes of it.
    fn divided(mut self, models: &[Arc<Model>], all: &[DividedBy], count: usize) -> Option<DividedQuestion> {
        let mut by = Vec::new();
        for &one in all {
            let before = self.open.len();
            match one {
                DividedBy::Seeds => {}
                DividedBy::Disjuncts => self.by_disjuncts(count),
                // Asked for alone, it is done however little it may help.
                DividedBy::Box if all.len() > 1 && self.free_inputs() > MANY_INPUTS => {}
                DividedBy::Box => self.by_box(models, count),
            }
            by.extend((self.open.len() > before).then_some(one));
        }
        (self.open.len() > 1).then(|| self.finish(by))
    }

    fn by_disjuncts(&mut self, count: usize) {
        let mut at = 0;
        while at < self.open.len() && self.open.len() < count {
            let room = count - self.open.len() + 1;
            match self.or_of(&self.open[at]) {
                Some((or, operands)) => self.choose(at, or, operands, room),
                None => at += 1,
            }
        }
    }

    /// An `or` of a part whose operands can be parts: one with several of them. An operand that sets inputs equal would make
    /// other networks of the query.
    fn or_of(&self, part: &UndividedPart) -> Option<(u32, u32)> {
        let couples = |or: u32| text::comparisons_in(self.query, or).iter().any(|c| self.couples(*c));
        let undecided = self.enclosure.undecided(&part.choices).into_iter();
        let mut usable =
            undecided.filter(|&(or, operands)| operands > 1 && !part.kept.contains_key(&or) && !couples(or));
        usable.next()
    }

    fn couples(&self, comparison: vnnlib::Comparison<'_>) -> bool {
        let is_input =
            |variable: &Variable| self.query.tensors()[variable.tensor().index()].role() == Role::Input;
        comparison.relation() == Relation::Equal
            && comparison.linear().is_ok_and(|row| {
                row.terms.len() > 1 && row.terms.iter().all(|(variable, _)| is_input(variable))
            })
    }

    /// Replaces an open part by up to `room` groups of operands of an `or`.
    fn choose(&mut self, at: usize, or: u32, operands: u32, room: usize) {
        let part = self.open.remove(at);
        let (operands, first) = (operands as usize, self.branches.len());
        let groups = operands.min(room);
        let bounds = |group: usize| (group * operands / groups) as u32;
        let groups: Vec<Vec<u32>> =
            (0..groups).map(|group| (bounds(group)..bounds(group + 1)).collect()).collect();
        for group in &groups {
            let (mut kept, mut choices) = (part.kept.clone(), part.choices.clone());
            kept.insert(or, group.clone());
            if let [only] = group[..] {
                choices.insert(or, only);
            }
            let (ranges, place) = (self.enclosure.ranges(&choices), self.branches.len());
            self.branches.push(PartBranch::Part);
            self.open.push(UndividedPart { place, kept, choices, cuts: BTreeMap::new(), ranges, hope: None });
        }
        self.branches[part.place] = PartBranch::Cases { or, groups, first };
    }

    /// Inputs of any part that can be cut.
    fn free_inputs(&self) -> usize {
        self.open.iter().map(|part| self.candidates(part, usize::MAX).len()).max().unwrap_or(0)
    }

    fn by_box(&mut self, models: &[Arc<Model>], count: usize) {
        let calls = (2 * CANDIDATES).saturating_mul(count);
        let measure = InfluenceMeasure::new(self.query, models, &self.enclosure, calls);
        let mut influence = measure.as_ref().and_then(InfluenceMeasure::start);
        for part in &mut self.open {
            part.hope = hope(influence.as_mut(), part);
        }
        while self.open.len() < count {
            let open = self.open.iter().enumerate();
            let can_be_cut = open.filter(|(_, part)| !self.candidates(part, 1).is_empty());
            // Of equal ones the largest; what bounds exclude is cut last.
            let order = |part: &UndividedPart| (part.hope.unwrap_or(f64::NEG_INFINITY), part.volume());
            let next = can_be_cut.max_by(|(_, a), (_, b)| {
                let (a, b) = (order(a), order(b));
                a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
            });
            let Some(at) = next.map(|(at, _)| at) else { return };
            self.cut(at, influence.as_mut());
        }
    }

    /// Inputs along which a part can be cut, the widest in relation to the whole first, at most so many; and where.
    fn candidates(&self, part: &UndividedPart, most: usize) -> Vec<(u32, f64)> {
        let Some(ranges) = &part.ranges else { return Vec::new() };
        let whole = self.enclosure.ranges(&part.choices).unwrap_or_default();
        let width = |(low, high): (f64, f64)| high - low;
        let mut found: Vec<(f64, u32, f64)> = (0..)
            .zip(ranges.iter().zip(&whole))
            .filter(|(_, (range, _))| range.0.is_finite() && range.1.is_finite() && range.0 < range.1)
            .filter_map(|(input, (&range, &all))| {
                let at = self.enclosure.middle(input, range.0, range.1)?;
                Some((width(range) / width(all), input, at))
            })
            .collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        found.into_iter().take(most).map(|(_, input, at)| (input, at)).collect()
    }

    /// Replaces an open part by the halves of the best cut.
    fn cut(&mut self, at: usize, mut influence: Option<&mut Influence<'_>>) {
        let most = if influence.is_some() { CANDIDATES } else { 1 };
        let candidates = self.candidates(&self.open[at], most);
        let part = self.open.remove(at);
        let mut best: Option<(f64, u32, f64, [UndividedPart; 2])> = None;
        for (input, value) in candidates {
            let halves = [false, true].map(|is_high| {
                let mut half = part.half(input, value, is_high);
                half.hope = hope(influence.as_deref_mut(), &half);
                half
            });
            let score = gain(part.hope.unwrap_or(f64::INFINITY), halves.each_ref().map(|half| half.hope));
            if best.as_ref().is_none_or(|(most, ..)| score > *most) {
                best = Some((score, input, value, halves));
            }
        }
        let Some((_, input, value, mut halves)) = best else { return };
        let first = self.branches.len();
        for half in &mut halves {
            half.place = self.branches.len();
            self.branches.push(PartBranch::Part);
        }
        self.branches[part.place] = PartBranch::Cut { input, at: value, first };
        self.open.extend(halves);
    }

    /// The division and its texts.
    fn finish(self, by: Vec<DividedBy>) -> DividedQuestion {
        let names = text::names_of_inputs(self.query, &self.enclosure);
        let total = self.open.len();
        let (mut steps, mut texts, mut left) = (Vec::new(), Vec::new(), vec![0]);
        while let Some(place) = left.pop() {
            match &self.branches[place] {
                PartBranch::Part => {
                    steps.push(PartitionStep::Part(texts.len() as u32));
                    let part = self.open.iter().find(|part| part.place == place);
                    texts.extend(part.map(|part| {
                        text::of_part(self.query, &names, &part.kept, &part.cuts, (texts.len() + 1, total))
                    }));
                }
                PartBranch::Cut { input, at, first } => {
                    steps.push(PartitionStep::Cut { input: *input, at: *at });
                    left.extend([first + 1, *first]);
                }
                PartBranch::Cases { or, groups, first } => {
                    steps.push(PartitionStep::Cases { or: *or, groups: groups.clone() });
                    left.extend((0..groups.len()).rev().map(|group| first + group));
                }
            }
        }
        DividedQuestion { by, steps, texts }
    }
}

/// The largest margin in a part: `None` if there can be no violation, infinite where that is not known.
fn hope(influence: Option<&mut Influence<'_>>, part: &UndividedPart) -> Option<f64> {
    let ranges = part.ranges.as_ref()?;
    influence.map_or(Some(f64::INFINITY), |influence| influence.hope(&part.choices, ranges))
}

impl UndividedPart {
    /// The part below or above a number, which belongs to both.
    fn half(&self, input: u32, at: f64, is_high: bool) -> Self {
        let (mut cuts, mut ranges) = (self.cuts.clone(), self.ranges.clone());
        let cut = cuts.entry(input).or_default();
        let range = ranges.as_mut().and_then(|ranges| ranges.get_mut(input as usize));
        if is_high {
            cut.0 = Some(at);
            range.into_iter().for_each(|range| range.0 = at);
        } else {
            cut.1 = Some(at);
            range.into_iter().for_each(|range| range.1 = at);
        }
        let (kept, choices) = (self.kept.clone(), self.choices.clone());
        Self { place: self.place, kept, choices, cuts, ranges, hope: None }
    }

    /// The logarithm of its volume, without inputs that are one number.
    fn volume(&self) -> f64 {
        let ranges = self.ranges.as_deref().unwrap_or_default();
        ranges.iter().map(|(low, high)| high - low).filter(|width| *width > 0.0).map(f64::ln).sum()
    }
}

/// Why the certificates of parts are none of the whole.
#[derive(Debug, thiserror::Error)]
pub enum WholeRefusal {
    /// They cannot be joined.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The judge has no enclosure of the networks.
    #[error("the networks have no enclosure: {0}")]
    NoEnclosure(String),
    /// The judge refuses what was joined.
    #[error("the joined certificate is refused: {0}")]
    Refused(Refusal),
}

/// Joins the certificates of all parts of a division, each with the part's query, and has the whole checked.
///
/// # Errors
/// If they cannot be joined, or the judge refuses what comes of it.
pub fn prove(
    query: &Query,
    models: &[Arc<Model>],
    steps: &[PartitionStep],
    parts: &[(Query, Certificate)],
    threads: usize,
    budget: &Budget,
) -> Result<Proof, WholeRefusal> {
    let certificate = match (steps, parts) {
        // The whole question, with some seed.
        ([PartitionStep::Part(0)], [(_, whole)]) => whole.clone(),
        _ => certificate::joined(query, steps, parts)?,
    };
    let root =
        Enclosure::root(query, models).map_err(|error| WholeRefusal::NoEnclosure(error.to_string()))?;
    let keep_going = || budget.check().is_ok();
    certificate::check(&root, &certificate, Mending::Cut, threads, &keep_going).map_err(WholeRefusal::Refused)
}

#[cfg(test)]
mod tests;
