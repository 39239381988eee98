//! Solving programs under a budget, counted.

use crate::budget::Budget;
use crate::lp::mip::{self, MipRun, MipSolution};
use crate::lp::{LinearProgram, MipOptions, MipOutcome, Solution};
use crate::patching::{self, Effort, Modified, PatchQuery};

/// What a mixed-integer program costs before its first iteration, and what an iteration costs, both in continuous
/// programs of the same size. Measured on neighbourhoods of ACAS Xu and safenlp: reading, probing and presolve take
/// ten times a cold run; then 3 to 18 iterations take as long as one, because most of the time goes into cuts.
const MIXED: u64 = 10;
const ITERATIONS: u64 = 3;

pub use crate::patching::Obstacle;

/// Solves programs and counts them.
#[derive(Debug)]
pub struct Programs<'b> {
    budget: &'b Budget,
    /// Programs solved.
    pub solved: u64,
    /// Their entries, what `Tally::count_program` goes by.
    pub entries: usize,
}

impl<'b> Programs<'b> {
    /// Nothing solved yet.
    pub fn new(budget: &'b Budget) -> Self {
        Self { budget, solved: 0, entries: 0 }
    }

    /// Counts a program whose entries were gone through so many times.
    fn count(&mut self, program: &LinearProgram, times: usize) {
        self.solved += 1;
        let entries: usize = program.rows().map(|row| row.columns.len()).sum();
        self.entries = self.entries.saturating_add(entries.saturating_mul(times));
    }

    /// The optimum of a continuous program.
    ///
    /// # Errors
    /// [`Obstacle`] if there is none.
    pub fn solve(&mut self, program: &LinearProgram) -> Result<Solution, Obstacle> {
        self.count(program, 1);
        patching::optimum(program, self.budget)
    }

    /// A small change of the query's first layer.
    ///
    /// # Errors
    /// [`Obstacle`] if none was found.
    pub fn modify(&mut self, query: &PatchQuery<'_>, effort: Effort) -> Result<Modified, Obstacle> {
        let mut spent = patching::modify::PatchSpending::default();
        let found = patching::modify(query, effort, self.budget, &mut spent);
        self.solved += spent.programs;
        self.entries = self.entries.saturating_add(spent.entries);
        found
    }

    /// The optimum of a mixed-integer program, to 1e-7, and whether it is proven, from a point that may satisfy the
    /// program, within about so many simplex iterations: unlike a time, they are the same in every run.
    ///
    /// # Errors
    /// [`Obstacle`] if no point is known.
    pub fn solve_within(
        &mut self,
        iterations: u64,
        program: &LinearProgram,
        start: Option<&[f64]>,
    ) -> Result<(MipSolution, bool), Obstacle> {
        let time_limit = self.budget.remaining();
        let tolerance = 1e-7;
        let iteration_limit = Some(iterations);
        let options = MipOptions { time_limit, iteration_limit, tolerance, ..MipOptions::default() };
        let run = mip::solve_under(self.budget, program, &options, start)?;
        self.count(program, times(&run));
        match run.outcome {
            MipOutcome::Optimal(solution) => Ok((solution, true)),
            MipOutcome::Feasible(solution, _) => Ok((solution, false)),
            MipOutcome::Infeasible => Err(Obstacle::Infeasible),
            MipOutcome::Unbounded | MipOutcome::Limit(_) => Err(Obstacle::Unsolved),
        }
    }
}

/// What a mixed-integer run cost, in continuous programs of the same size.
fn times(run: &MipRun) -> usize {
    usize::try_from(MIXED + run.iterations / ITERATIONS).unwrap_or(usize::MAX)
}
