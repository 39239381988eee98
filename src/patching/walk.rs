//! Descent over settings of the switches.
//!
//! With all switches set, the program is linear. At its optimum some switches are *tight*: another of their columns
//! is zero as well, so they can be set the other way and the optimum found stays feasible. Such a flip can therefore
//! never make things worse, and the reduced cost of the column that it frees says whether it may make them better.
//! All promising switches are flipped at once; only if that gains nothing, one at a time. Each step is one warm
//! linear program. It ends where no single flip of a tight switch gains: a local optimum, and the global one where
//! there are no switches.

use super::encode::Encoded;
use super::switched::{Setting, Switched};
use crate::budget::{Budget, StopReason};
use crate::lp::{ColumnId, LpError, LpOptions, LpOutcome, Solution, Solver};

/// A column of this size or less is zero.
const ZERO: f64 = 1e-9;
/// Prices of the reliefs, tried in turn. ACAS Xu repairs have prices of up to some 10⁴ for a unit of margin.
const PRICES: [f64; 3] = [1e4, 1e6, 1e8];
/// Objectives that differ by less, relatively, are the same.
const SAME: f64 = 1e-7;

/// A program inside a solver, with its switches set.
pub(crate) struct SettingWalker<'a> {
    switched: &'a Switched,
    relief: &'a [ColumnId],
    solver: Solver,
    setting: Setting,
    /// Linear programs solved.
    pub(crate) solved: usize,
    /// Linear programs of a descent after its first.
    pub(crate) most: usize,
    /// The number of programs at which this descent ends where it is.
    end: usize,
}

/// Where a walk ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Landing {
    pub(crate) setting: Setting,
    pub(crate) solution: Solution,
}

impl<'a> SettingWalker<'a> {
    pub(crate) fn new(encoded: &'a Encoded) -> Result<Self, LpError> {
        let switched = &encoded.switched;
        let setting = vec![0; switched.switches.len()];
        let options = LpOptions { tolerance: 1e-9, ..LpOptions::default() };
        let solver = Solver::new(&switched.fixed(&setting), &options)?;
        Ok(Self {
            switched,
            relief: &encoded.relief,
            solver,
            setting,
            solved: 0,
            most: usize::MAX,
            end: usize::MAX,
        })
    }

    /// Makes every program end when the budget does, by an interrupt too.
    pub(crate) fn obey(&mut self, budget: &Budget) -> Result<(), LpError> {
        self.solver.obey(budget)
    }

    /// Makes every program end after so many simplex iterations.
    pub(crate) fn limit_iterations(&mut self, most: u32) -> Result<(), LpError> {
        self.solver.set_iteration_limit(most)
    }

    /// Replaces the cost of a column.
    pub(crate) fn set_cost(&mut self, column: ColumnId, cost: f64) -> Result<(), LpError> {
        self.solver.set_cost(column, cost)
    }

    /// Walks from a setting to a local optimum; `None` if the walk found no point that satisfies the goal, which
    /// proves that there is none only where there are no switches.
    ///
    /// `slack` says that the setting may satisfy the goal nowhere: the walk then first descends on how much the goal
    /// is missed.
    pub(crate) fn walk(
        &mut self,
        setting: &[usize],
        slack: bool,
        budget: &Budget,
    ) -> Result<Result<Option<Landing>, StopReason>, LpError> {
        for (switch, &choice) in setting.iter().enumerate() {
            self.set(switch, choice)?;
        }
        if !slack {
            return Ok(self.descend(budget)?.map(|found| found.map(|solution| self.landing(solution))));
        }
        for price in PRICES {
            self.price_relief(f64::INFINITY, price)?;
            let found = self.descend(budget)?;
            let met = matches!(&found, Ok(Some(at)) if self.missed(at) <= ZERO);
            if let (Err(stop), false) = (&found, met) {
                self.price_relief(0.0, 0.0)?;
                return Ok(Err(*stop));
            }
            if met {
                break;
            }
        }
        self.price_relief(0.0, 0.0)?;
        Ok(self.descend(budget)?.map(|found| found.map(|solution| self.landing(solution))))
    }

    fn landing(&self, solution: Solution) -> Landing {
        Landing { setting: self.setting.clone(), solution }
    }

    fn price_relief(&mut self, upper: f64, price: f64) -> Result<(), LpError> {
        self.relief.iter().try_for_each(|&relief| {
            self.solver.set_bounds(relief, 0.0, upper)?;
            self.solver.set_cost(relief, price)
        })
    }

    fn missed(&self, solution: &Solution) -> f64 {
        self.relief.iter().map(|relief| solution.values[relief.index()]).sum()
    }

    fn set(&mut self, switch: usize, choice: usize) -> Result<(), LpError> {
        if self.setting[switch] != choice {
            let columns = &self.switched.switches[switch].columns;
            self.solver.set_bounds(columns[self.setting[switch]], 0.0, f64::INFINITY)?;
            self.solver.set_bounds(columns[choice], 0.0, 0.0)?;
            self.setting[switch] = choice;
        }
        Ok(())
    }

    fn solve(&mut self, budget: &Budget) -> Result<Result<Option<Solution>, StopReason>, LpError> {
        if let Err(stop) = budget.check() {
            return Ok(Err(stop));
        }
        if self.solved >= self.end {
            return Ok(Err(StopReason::Exhausted));
        }
        self.solver.set_time_limit(budget.remaining())?;
        self.solved += 1;
        Ok(match self.solver.solve()? {
            LpOutcome::Optimal(solution) => Ok(Some(solution)),
            LpOutcome::Limit(crate::lp::Limit::Time) => Err(StopReason::TimeUp),
            // Rounding has defeated this cell; another may be kinder.
            LpOutcome::Limit(_) | LpOutcome::Infeasible | LpOutcome::Unbounded => Ok(None),
        })
    }

    fn descend(&mut self, budget: &Budget) -> Result<Result<Option<Solution>, StopReason>, LpError> {
        self.end = usize::MAX;
        let mut best = match self.solve(budget)? {
            Ok(Some(solution)) => solution,
            end => return Ok(end),
        };
        self.end = self.solved.saturating_add(self.most);
        loop {
            let flips = self.promising(&best);
            match self.step(&flips, &best, budget)? {
                Ok(Some(better)) => best = better,
                Ok(None) | Err(_) => return Ok(Ok(Some(best))),
            }
        }
    }

    /// Flips that keep the point feasible and may improve it, the most promising first.
    fn promising(&self, at: &Solution) -> Vec<(usize, usize)> {
        let mut flips = Vec::new();
        for (index, (switch, &choice)) in self.switched.switches.iter().zip(&self.setting).enumerate() {
            let gain = -at.reduced_costs[switch.columns[choice].index()];
            if gain <= ZERO {
                continue;
            }
            let others = switch.columns.iter().enumerate().filter(|&(k, _)| k != choice);
            let mut zero = others.filter(|(_, column)| at.values[column.index()] <= ZERO);
            flips.extend(zero.next().map(|(other, _)| (gain, index, other)));
        }
        flips.sort_by(|a, b| b.0.total_cmp(&a.0));
        flips.into_iter().map(|(_, index, other)| (index, other)).collect()
    }

    /// A better point behind some of the flips, and its setting; else the setting stays as it is.
    fn step(
        &mut self,
        flips: &[(usize, usize)],
        best: &Solution,
        budget: &Budget,
    ) -> Result<Result<Option<Solution>, StopReason>, LpError> {
        if flips.len() > 1
            && let found @ (Ok(Some(_)) | Err(_)) = self.attempt(flips, best, budget)?
        {
            return Ok(found);
        }
        for flip in flips {
            if let found @ (Ok(Some(_)) | Err(_)) = self.attempt(&[*flip], best, budget)? {
                return Ok(found);
            }
        }
        Ok(Ok(None))
    }

    fn attempt(
        &mut self,
        flips: &[(usize, usize)],
        best: &Solution,
        budget: &Budget,
    ) -> Result<Result<Option<Solution>, StopReason>, LpError> {
        let before = self.setting.clone();
        for &(switch, choice) in flips {
            self.set(switch, choice)?;
        }
        let found = self.solve(budget)?;
        if let Ok(Some(solution)) = &found
            && solution.objective < best.objective - SAME * best.objective.abs().max(1e-6)
        {
            return Ok(found);
        }
        for &(switch, _) in flips {
            self.set(switch, before[switch])?;
        }
        if let Some(basis) = &best.basis {
            self.solver.set_basis(basis)?;
        }
        Ok(found.map(|_| None))
    }
}
