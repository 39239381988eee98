//! Linear and mixed-integer programs, and the only place that names a solver.
//!
//! A caller writes one [`LinearProgram`] and chooses how it is solved:
//! - [`Solver`] is a thin safe wrapper over HiGHS's C interface. It keeps the program inside the solver, so that a
//!   changed bound or a new row is answered from the last basis. The search solves thousands of small programs
//!   that way: an ACAS Xu region (5 variables, 300 rows) takes about half a millisecond cold and a fifth warm.
//! - [`mip::solve`] hands the program to good_lp on HiGHS. It knows integer columns.
//!
//! Infeasible, unbounded and out of time are outcomes ([`LpOutcome`], [`MipOutcome`]), not errors.

pub mod mip;
mod outcome;
mod program;
mod solver;
mod watch;

#[cfg(test)]
mod tests;

pub use mip::{MipOptions, MipOutcome};
pub use outcome::{Basis, Limit, LpError, LpOutcome, Solution};
pub(crate) use program::merged;
pub use program::{Column, ColumnId, LinearProgram, RowId, RowView, Sense};
pub use solver::{LpOptions, Solver, SolverAlgorithm};
