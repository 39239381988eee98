//! The smallest repair over all settings, or over those that differ from a known one in a few switches: branch and
//! bound.
//!
//! A node sets some switches; the others are relaxed. With bounds `u` of its columns a relaxed switch still obeys
//! `Σ column / u ≤ count − 1`: for a ReLU the triangle over its range. A node is dropped when its linear program is
//! no better than what is known; else the switch that it breaks most is set, first the way it leans. Depth first, so
//! that every program differs from the last one by few bounds and is solved warm, and the time can end at any node.
//! (HiGHS's own search for integers sometimes went on for minutes beyond its time limit on these programs.)

use super::encode::Encoded;
use super::switched::Setting;
use crate::budget::Budget;
use crate::lp::{Limit, LinearProgram, LpError, LpOptions, LpOutcome, Solution, Solver};

/// A column of this part of its bound or less is zero.
const ZERO: f64 = 1e-9;

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Exact {
    /// The best setting of all that were allowed; `None` if none is better than the cutoff. Proved.
    Proved(Option<Setting>),
    /// The time was up, or a bound is missing; perhaps a better setting.
    Open(Option<Setting>),
}

/// Which settings to look at, and how good a point must be.
pub(crate) struct SettingScope<'a> {
    /// Upper bounds of all switch columns.
    pub(crate) bounds: &'a [Vec<f64>],
    /// Switches that may differ from `setting`; `None` is all.
    pub(crate) free: Option<&'a [usize]>,
    /// The setting of the others.
    pub(crate) setting: &'a [usize],
    /// Only points with a smaller objective are of interest.
    pub(crate) cutoff: f64,
    /// By which part a point must be better than the last one.
    pub(crate) gain: f64,
    /// Programs after which the search is left open.
    pub(crate) most: usize,
}

struct PhaseTree<'a> {
    encoded: &'a Encoded,
    scope: &'a SettingScope<'a>,
    solver: Solver,
    /// Switches that are neither fixed nor settled by their bounds.
    open: Vec<usize>,
    /// The choice of each open switch that the node has set.
    chosen: Vec<Option<usize>>,
    cutoff: f64,
    best: Option<Setting>,
    /// Programs solved.
    solved: usize,
}

/// One branch that is still to be looked at.
struct SwitchBranch {
    /// Decisions above it.
    depth: usize,
    switch: usize,
    choice: usize,
}

/// Searches the scope, for the budget's time. Also the number of programs that this took.
pub(crate) fn search(
    encoded: &Encoded,
    scope: &SettingScope<'_>,
    budget: &Budget,
) -> Result<(Exact, usize), LpError> {
    let switches = &encoded.switched.switches;
    let mut program = encoded.switched.program.clone();
    let mut is_free = vec![scope.free.is_none(); switches.len()];
    scope.free.unwrap_or_default().iter().for_each(|&index| is_free[index] = true);
    let mut open = Vec::new();
    for (index, (switch, bounds)) in switches.iter().zip(scope.bounds).enumerate() {
        let settled = bounds.iter().position(|&bound| bound <= 0.0);
        match if is_free[index] { settled } else { Some(scope.setting[index]) } {
            Some(zero) => program.set_bounds(switch.columns[zero], 0.0, 0.0)?,
            None if bounds.iter().all(|bound| bound.is_finite()) => {
                add_relaxation(&mut program, encoded, index, bounds)?;
                open.push(index);
            }
            None => return Ok((Exact::Open(None), 0)),
        }
    }
    let solver = Solver::new(&program, &LpOptions::default())?;
    let chosen = vec![None; switches.len()];
    let mut tree =
        PhaseTree { encoded, scope, solver, open, chosen, cutoff: scope.cutoff, best: None, solved: 0 };
    let found = tree.search(budget)?;
    Ok((found, tree.solved))
}

fn add_relaxation(
    program: &mut LinearProgram,
    encoded: &Encoded,
    index: usize,
    bounds: &[f64],
) -> Result<(), LpError> {
    let columns = &encoded.switched.switches[index].columns;
    for (&column, &bound) in columns.iter().zip(bounds) {
        program.set_bounds(column, 0.0, bound)?;
    }
    // Scaled so that the largest coefficient is one.
    let least = bounds.iter().copied().fold(f64::INFINITY, f64::min);
    let terms = columns.iter().zip(bounds).map(|(&column, bound)| (column, least / bound));
    program.at_most(terms, least * (columns.len() - 1) as f64);
    Ok(())
}

impl PhaseTree<'_> {
    fn search(&mut self, budget: &Budget) -> Result<Exact, LpError> {
        let (mut branches, mut path): (Vec<SwitchBranch>, Vec<usize>) = (Vec::new(), Vec::new());
        while self.solved < self.scope.most && budget.check().is_ok() {
            self.solved += 1;
            self.solver.set_time_limit(budget.remaining())?;
            match self.solver.solve()? {
                LpOutcome::Optimal(solution) if solution.objective < self.cutoff => {
                    match self.broken(&solution) {
                        Some((switch, first)) => {
                            let depth = path.len();
                            let others = 0..self.scope.bounds[switch].len();
                            let others = others.filter(|&choice| choice != first);
                            branches.extend(others.map(|choice| SwitchBranch { depth, switch, choice }));
                            branches.push(SwitchBranch { depth, switch, choice: first });
                        }
                        None => self.keep(&solution),
                    }
                }
                LpOutcome::Optimal(_) | LpOutcome::Infeasible => {}
                LpOutcome::Limit(Limit::Time | Limit::Iterations | Limit::Precision)
                | LpOutcome::Unbounded => {
                    return Ok(Exact::Open(self.best.take()));
                }
            }
            let Some(branch) = branches.pop() else { return Ok(Exact::Proved(self.best.take())) };
            while path.len() > branch.depth {
                if let Some(switch) = path.pop() {
                    self.release(switch)?;
                }
            }
            self.choose(branch.switch, branch.choice)?;
            path.push(branch.switch);
        }
        Ok(Exact::Open(self.best.take()))
    }

    /// The switch whose smallest column is the largest part of its bound, and that column.
    fn broken(&self, at: &Solution) -> Option<(usize, usize)> {
        let mut worst = None;
        let mut most = ZERO;
        for &index in self.open.iter().filter(|&&index| self.chosen[index].is_none()) {
            let columns = &self.encoded.switched.switches[index].columns;
            let parts = columns.iter().zip(&self.scope.bounds[index]);
            let parts = parts.map(|(column, bound)| at.values[column.index()] / bound).enumerate();
            let Some((place, part)) = parts.min_by(|a, b| a.1.total_cmp(&b.1)) else { continue };
            if part > most {
                (worst, most) = (Some((index, place)), part);
            }
        }
        worst
    }

    fn keep(&mut self, solution: &Solution) {
        self.cutoff = solution.objective - self.scope.gain * solution.objective.abs().max(1e-6);
        let mut setting = self.encoded.switched.setting_at(&solution.values);
        let chosen = setting.iter_mut().zip(&self.chosen);
        chosen.for_each(|(choice, chosen)| *choice = chosen.unwrap_or(*choice));
        self.best = Some(setting);
    }

    fn choose(&mut self, switch: usize, choice: usize) -> Result<(), LpError> {
        self.chosen[switch] = Some(choice);
        self.solver.set_bounds(self.encoded.switched.switches[switch].columns[choice], 0.0, 0.0)
    }

    fn release(&mut self, switch: usize) -> Result<(), LpError> {
        let Some(choice) = self.chosen[switch].take() else { return Ok(()) };
        let bound = self.scope.bounds[switch][choice];
        self.solver.set_bounds(self.encoded.switched.switches[switch].columns[choice], 0.0, bound)
    }
}
