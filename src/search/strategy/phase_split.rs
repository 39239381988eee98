//! Branching on activation phases with sharpened bounds: what input splitting cannot do beyond a few dozen inputs.
//!
//! Beta-CROWN's branch and bound (Wang et al., NeurIPS 2021, section 3; Bunel et al., Branch and Bound for Piecewise
//! Linear Neural Network Verification, JMLR 2020). The intervals of all pre-activations are computed once for the
//! region's box. A branch is a list of neurons with decided phases; the least hopeful row of its conjunction is
//! bounded with multipliers that start from the parent's and are sharpened by gradient ascent. If the row cannot
//! hold, the branch is excluded. Otherwise the neuron whose relaxation may cost the bound most is branched on. If
//! nothing is left, no counterexample exists. Where the bound is least in a branch, the network itself is evaluated.
//!
//! Measured on safenlp: a few long steps in each branch beat many short ones (4 steps of length 1.2 need 1.3 times the
//! branches of 16 steps of 0.4, and 0.4 of the time), and trying the halves of several neurons before branching
//! (filtered smart branching, De Palma et al. 2021) needed more branches, not fewer.
//!
//! Branches are searched depth first: the order does not matter for a proof, and the memory stays small.
//!
//! Deviation: the row is chosen anew in each branch by its plain bound instead of bounding all rows together.

use crate::bounds::{
    Bounder, LinearBound, MultiplierEffort, Multipliers, Neuron, Phase, Snapshot, Tightening,
};
use crate::network::Real;
use crate::problem::Problem;
use crate::property::{Conjunction, Region, Row, RowKind};
use crate::search::kernel::corners::CornerQueue;
use crate::search::kernel::exclusion::{bounder, price_of_bounds, promise_of_proof, reach, view};
use crate::search::proof::{Choice, Part, Parts};
use crate::search::{Falsifier, Halt, NotApplicable, Oracle, Progress};

/// Branches a round.
const BRANCHES: usize = 16;
/// Ascent before the first branching, and in a branch, which starts from its parent's multipliers.
const AT_ROOT: MultiplierEffort = MultiplierEffort { steps: 80, rate: 0.2 };
const IN_BRANCH: MultiplierEffort = MultiplierEffort { steps: 4, rate: 1.2 };

/// Branch and bound over phases.
struct PhaseSplit<T> {
    root: Option<Root>,
    /// Branches to look at, the last first.
    waiting: Vec<Branch>,
    /// The share of all branches, halved at each branching, that is excluded.
    excluded: f64,
    /// Whether a point is known whose margin is not below zero.
    is_touched: bool,
    /// Whether a branch could neither be excluded nor branched on: then nothing is proved.
    undecided: bool,
    corners: CornerQueue<T>,
    /// What became of the branches of each conjunction, in the order in which they were looked at.
    parts: Vec<Vec<Part>>,
}

/// What is computed once.
struct Root {
    snapshot: Snapshot,
    multipliers: Multipliers,
}

/// Some phases decided.
struct Branch {
    conjunction: usize,
    phases: Vec<(Neuron, Phase)>,
    /// Where the ascent starts.
    multipliers: Multipliers,
}

/// What became of a branch.
enum BranchFate {
    Excluded,
    Open(LinearBound),
}

/// Makes the strategy; it applies to networks with rectifiers and without products.
pub fn make<T: Real>(
    problem: &Problem<T>,
    region: &Region,
    _seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    let bounder = bounder(problem)?;
    bounder.multipliers().ok_or(NotApplicable("no phases to branch on, or products of values"))?;
    if region.conjunctions.iter().any(|conjunction| rows(conjunction).next().is_none()) {
        return Err(NotApplicable("a part of the property has no row that bounds could exclude"));
    }
    let corners = CornerQueue::default();
    let parts = vec![Vec::new(); region.conjunctions.len()];
    Ok(Box::new(PhaseSplit {
        root: None,
        waiting: Vec::new(),
        excluded: 0.0,
        is_touched: false,
        undecided: false,
        corners,
        parts,
    }))
}

/// The rows that bounds can exclude.
fn rows(conjunction: &Conjunction) -> impl Iterator<Item = &Row> {
    conjunction.rows.iter().filter(|row| row.kind != RowKind::Differs)
}

impl<T: Real> Falsifier<T> for PhaseSplit<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        price_of_bounds(&problem.network)
    }

    fn promise(&self, searched: f64) -> f64 {
        promise_of_proof(self.excluded, searched, self.is_touched)
    }

    fn proof(&mut self) -> Parts {
        Parts::Apart(std::mem::take(&mut self.parts))
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        self.is_touched = oracle.best.as_ref().is_some_and(|best| best.margin >= T::zero());
        let problem = oracle.problem;
        let Ok(mut bounder) = problem.bounder() else { return Ok(Progress::Exhausted) };
        if self.root.is_none() {
            self.root = Self::root(&mut bounder, oracle)?;
            let Some(root) = &self.root else { return Ok(Progress::Exhausted) };
            let branch = |conjunction| Branch {
                conjunction,
                phases: Vec::new(),
                multipliers: root.multipliers.clone(),
            };
            self.waiting.extend((0..oracle.region.conjunctions.len()).rev().map(branch));
        }
        for _ in 0..BRANCHES {
            let Some(branch) = self.waiting.pop() else {
                self.corners.flush(oracle)?;
                return Ok(if self.undecided { Progress::Exhausted } else { Progress::Proved });
            };
            oracle.check()?;
            self.look_at(branch, &mut bounder, oracle)?;
        }
        self.corners.flush(oracle)?;
        Ok(Progress::More)
    }
}

impl<T: Real> PhaseSplit<T> {
    /// Intervals of the region's box; `None` if there is nothing to multiply.
    fn root(bounder: &mut Bounder<'_>, oracle: &mut Oracle<'_, T>) -> Result<Option<Root>, Halt> {
        let (lower, upper) = (oracle.region.hull_lower.clone(), oracle.region.hull_upper.clone());
        let keep_going = || oracle.check().is_ok();
        if !bounder.intervals(&lower, &upper, Tightening::OpenPhases, &keep_going) {
            oracle.check()?;
            return Ok(None);
        }
        oracle.tally.count_bounds(bounder.swept());
        let snapshot = bounder.snapshot();
        Ok(bounder.multipliers().map(|multipliers| Root { snapshot, multipliers }))
    }

    /// Excludes a branch or replaces it by two.
    fn look_at(
        &mut self,
        mut branch: Branch,
        bounder: &mut Bounder<'_>,
        oracle: &mut Oracle<'_, T>,
    ) -> Result<(), Halt> {
        let Some(root) = &self.root else { return Ok(()) };
        let region = oracle.region.clone();
        let conjunction = &region.conjunctions[branch.conjunction];
        let share = 0.5_f64.powi(branch.phases.len() as i32) / region.conjunctions.len() as f64;
        bounder.restore(&root.snapshot);
        branch.phases.iter().for_each(|&(neuron, phase)| bounder.decide(neuron, phase));
        let parts = &mut self.parts[branch.conjunction];
        let Some(row) = least_hopeful(bounder, conjunction) else {
            self.excluded += share;
            parts.push(Part::Excluded(Vec::new()));
            return Ok(());
        };
        let effort = if branch.phases.is_empty() { AT_ROOT } else { IN_BRANCH };
        let fate = bound(bounder, row, &mut branch.multipliers, effort);
        let neuron = match &fate {
            BranchFate::Excluded => None,
            BranchFate::Open(_) => bounder.loosest(1).first().copied(),
        };
        oracle.tally.count_bounds(bounder.swept());
        let BranchFate::Open(guide) = fate else {
            self.excluded += share;
            let choices = bounder.choices(&branch.multipliers).into_iter();
            let choice = |(neuron, slope, weight)| Choice { neuron, slope, weight };
            parts.push(Part::Excluded(choices.map(choice).collect()));
            return Ok(());
        };
        let (lower, upper) = (&region.hull_lower, &region.hull_upper);
        let rises = |i: usize| guide.slopes.get(i).is_none_or(|&slope| slope >= 0.0);
        self.corners.add(oracle, (0..lower.len()).map(|i| if rises(i) { lower[i] } else { upper[i] }))?;
        let Some(neuron) = neuron else {
            self.undecided = true;
            return Ok(());
        };
        self.parts[branch.conjunction].push(Part::Phase(neuron));
        // The active one, pushed last, is looked at first, as the parts are written.
        for phase in [Phase::Inactive, Phase::Active] {
            let mut phases = branch.phases.clone();
            phases.push((neuron, phase));
            let multipliers = branch.multipliers.clone();
            self.waiting.push(Branch { conjunction: branch.conjunction, phases, multipliers });
        }
        Ok(())
    }
}

/// The row of a conjunction that could be met least, by its plain bound; `None` if one cannot hold.
fn least_hopeful<'c>(bounder: &mut Bounder<'_>, conjunction: &'c Conjunction) -> Option<&'c Row> {
    let rows: Vec<&Row> = rows(conjunction).collect();
    if let [row] = rows.as_slice() {
        return Some(row);
    }
    let views: Vec<_> = rows.iter().map(|row| view(row)).collect();
    let bounds = bounder.rows(&views);
    let mut least: Option<(f64, &Row)> = None;
    for (row, bound) in rows.iter().zip(bounds) {
        let most = reach(bounder, row, bound.least)?;
        if least.is_none_or(|(other, _)| most < other) {
            least = Some((most, row));
        }
    }
    least.map(|(_, row)| row)
}

/// Bounds a row as well as the effort allows.
fn bound(
    bounder: &mut Bounder<'_>,
    row: &Row,
    multipliers: &mut Multipliers,
    effort: MultiplierEffort,
) -> BranchFate {
    // Whether the row is excluded, with room for the rounding that `reach` adds.
    let enough = |least: f64| least > row.bound + 1e-9 * row.bound.abs();
    let best = bounder.sharpen(view(row), multipliers, effort, &enough);
    match reach(bounder, row, best.least) {
        None => BranchFate::Excluded,
        Some(_) => BranchFate::Open(best),
    }
}
