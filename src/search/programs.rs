//! Solving programs under a budget, counted.

use std::time::Duration;

use crate::budget::Budget;
use crate::lp::mip::{self, MipSolution};
use crate::lp::{LinearProgram, LpError, LpOptions, LpOutcome, MipOptions, MipOutcome, Solution, Solver};

/// Columns from which simplifying the program first pays: region programs have a few, minorants hundreds.
const PRESOLVE_FROM: usize = 200;

/// Why a program has no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Obstacle {
    /// No point satisfies it.
    #[error("infeasible")]
    Infeasible,
    /// Time, iterations or precision ran out, or the objective has no end.
    #[error("not solved")]
    Unsolved,
    /// The formulation does not know one of the network's activations.
    #[error("an activation that the program cannot express")]
    Activation,
    /// The solver refused the program.
    #[error(transparent)]
    Solver(#[from] LpError),
}

/// Solves programs and counts them.
#[derive(Debug)]
pub struct Programs<'b> {
    budget: &'b Budget,
    /// Programs solved.
    pub solved: u64,
    /// Their entries, what `Oracle::count_program` goes by.
    pub entries: usize,
}

impl<'b> Programs<'b> {
    /// Nothing solved yet.
    pub fn new(budget: &'b Budget) -> Self {
        Self { budget, solved: 0, entries: 0 }
    }

    fn count(&mut self, program: &LinearProgram) {
        self.solved += 1;
        self.entries += program.rows().map(|row| row.columns.len()).sum::<usize>();
    }

    /// The optimum of a continuous program.
    ///
    /// # Errors
    /// [`Obstacle`] if there is none.
    pub fn solve(&mut self, program: &LinearProgram) -> Result<Solution, Obstacle> {
        self.count(program);
        let presolve = program.columns().len() >= PRESOLVE_FROM;
        let options = LpOptions { presolve, time_limit: self.budget.remaining(), ..LpOptions::default() };
        match Solver::new(program, &options)?.solve()? {
            LpOutcome::Optimal(solution) => Ok(solution),
            LpOutcome::Infeasible => Err(Obstacle::Infeasible),
            LpOutcome::Unbounded | LpOutcome::Limit(_) => Err(Obstacle::Unsolved),
        }
    }

    /// The optimum of a mixed-integer program, or the best point after `limit`.
    ///
    /// # Errors
    /// [`Obstacle`] if no point is known.
    pub fn solve_mixed(&mut self, program: &LinearProgram, limit: Duration) -> Result<MipSolution, Obstacle> {
        self.count(program);
        let limit = self.budget.remaining().map_or(limit, |left| left.min(limit));
        let options = MipOptions { time_limit: Some(limit), ..MipOptions::default() };
        match mip::solve(program, &options)? {
            MipOutcome::Optimal(solution) | MipOutcome::Feasible(solution, _) => Ok(solution),
            MipOutcome::Infeasible => Err(Obstacle::Infeasible),
            MipOutcome::Unbounded | MipOutcome::Limit(_) => Err(Obstacle::Unsolved),
        }
    }
}
