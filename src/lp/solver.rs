//! A safe, warm-startable wrapper over HiGHS's C interface, for the programs that the search solves by the thousand.
//!
//! good_lp builds the whole model anew at every solve, which costs more than solving a small region program. Here
//! the model stays in HiGHS: change a bound, a cost or a row, call [`Solver::solve`] again, and the dual simplex
//! method goes on from the last basis. Presolve is off (on small programs it costs more than it saves) and each
//! solver is one thread: run several solvers in parallel instead.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;
use std::time::Duration;

use highs_sys::HighsInt;

use super::outcome::{Basis, Limit, LpError, LpOutcome, Solution};
use super::program::{ColumnId, LinearProgram, RowId, Sense, check_bounds, check_finite, merge};
use super::watch::Watch;
use crate::budget::Budget;

/// How a [`Solver`] works.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LpOptions {
    /// The algorithm. Default: simplex.
    pub method: SolverAlgorithm,
    /// Simplify the program first. Pays for large programs solved once. Default: off.
    pub presolve: bool,
    /// By how much a point may miss a bound or a reduced cost its sign, in 1e-10..=1. Default 1e-9.
    pub tolerance: f64,
    /// Time for each solve. Default: no limit.
    pub time_limit: Option<Duration>,
}

impl Default for LpOptions {
    fn default() -> Self {
        LpOptions { method: SolverAlgorithm::Simplex, presolve: false, tolerance: 1e-9, time_limit: None }
    }
}

/// The algorithm of a [`Solver`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SolverAlgorithm {
    /// Dual simplex: small programs, and all that are solved again after a change.
    Simplex,
    /// Interior points, with a crossover to a vertex only where the point is not precise enough: large programs
    /// whose optimum touches many rows at once, such as "the largest change is smallest". May leave no basis.
    InteriorPoint,
}

/// A linear program inside HiGHS.
#[derive(Debug)]
pub struct Solver {
    highs: NonNull<c_void>,
    method: SolverAlgorithm,
    columns: usize,
    rows: usize,
    /// What ends a solve early; dropped after the HiGHS object.
    watch: Option<Watch>,
}

// SAFETY: a HiGHS object keeps all of its state behind its own pointer and has no owner thread; `Solver` is not
// `Sync`, so only one thread at a time can call into it.
unsafe impl Send for Solver {}

impl Drop for Solver {
    fn drop(&mut self) {
        // SAFETY: the pointer came from Highs_create, and nothing uses it after this.
        unsafe { highs_sys::Highs_destroy(self.highs.as_ptr()) }
    }
}

impl Solver {
    /// Hands a continuous program to HiGHS. Errors: an integer column, a number that is none, or sizes over 2³¹.
    pub fn new(program: &LinearProgram, options: &LpOptions) -> Result<Self, LpError> {
        // SAFETY: no arguments; a null result is caught.
        let highs = NonNull::new(unsafe { highs_sys::Highs_create() }).ok_or(LpError::NotStarted)?;
        let mut solver = Solver { highs, method: options.method, columns: 0, rows: 0, watch: None };
        solver.set_options(options)?;
        solver.replace(program)?;
        Ok(solver)
    }

    /// Takes another program in place of this one, cold; the options stay. Cheaper than a new solver.
    /// Errors as in [`Solver::new`]; after a [`LpError::Solver`] the solver is empty, after the others unchanged.
    pub fn replace(&mut self, program: &LinearProgram) -> Result<(), LpError> {
        program.validate()?;
        if let Some(column) = program.columns.iter().position(|column| column.integer) {
            return Err(LpError::IntegerColumn { column });
        }
        self.pass(program)
    }

    fn set_options(&mut self, options: &LpOptions) -> Result<(), LpError> {
        // Silence comes first: the other options are logged.
        self.set_flag(c"output_flag", false)?;
        self.set_integer(c"threads", 1)?;
        self.set_text(c"presolve", if options.presolve { c"on" } else { c"off" })?;
        self.set_text(c"run_crossover", c"choose")?;
        self.set_method(options.method)?;
        self.set_number(c"primal_feasibility_tolerance", options.tolerance)?;
        self.set_number(c"dual_feasibility_tolerance", options.tolerance)?;
        self.set_time_limit(options.time_limit)
    }

    fn set_method(&mut self, method: SolverAlgorithm) -> Result<(), LpError> {
        self.set_text(
            c"solver",
            match method {
                SolverAlgorithm::Simplex => c"simplex",
                SolverAlgorithm::InteriorPoint => c"ipx",
            },
        )
    }

    fn pass(&mut self, program: &LinearProgram) -> Result<(), LpError> {
        let starts = narrow_all(&program.starts)?;
        let indices = narrow_all(&program.indices)?;
        let column =
            |field: fn(&super::Column) -> f64| program.columns.iter().map(field).collect::<Vec<f64>>();
        let (costs, lowers, uppers) = (column(|c| c.cost), column(|c| c.lower), column(|c| c.upper));
        let sense = match program.sense {
            Sense::Minimise => highs_sys::OBJECTIVE_SENSE_MINIMIZE,
            Sense::Maximise => highs_sys::OBJECTIVE_SENSE_MAXIMIZE,
        };
        let (columns, rows) = (narrow(program.columns.len())?, narrow(program.row_count())?);
        let terms = narrow(indices.len())?;
        // SAFETY: every array is as long as the counts passed with it say (`LinearProgram` keeps its vectors in
        // step), `validate` has checked the column indices, and HiGHS copies all of it.
        let status = unsafe {
            highs_sys::Highs_passLp(
                self.highs.as_ptr(),
                columns,
                rows,
                terms,
                highs_sys::MATRIX_FORMAT_ROW_WISE,
                sense,
                0.0,
                costs.as_ptr(),
                lowers.as_ptr(),
                uppers.as_ptr(),
                program.row_lower.as_ptr(),
                program.row_upper.as_ptr(),
                starts.as_ptr(),
                indices.as_ptr(),
                program.coefficients.as_ptr(),
            )
        };
        (self.columns, self.rows) = (program.columns.len(), program.row_count());
        check("Highs_passLp", status).inspect_err(|_| self.clear())
    }

    /// An empty model on both sides, so that no array is ever shorter than what HiGHS writes into it.
    fn clear(&mut self) {
        // SAFETY: the pointer is alive. The call cannot fail: it frees and resets.
        unsafe { highs_sys::Highs_clearModel(self.highs.as_ptr()) };
        (self.columns, self.rows) = (0, 0);
    }

    /// How many rows the program has now.
    pub fn row_count(&self) -> usize {
        self.rows
    }

    /// Time for each of the next solves.
    pub fn set_time_limit(&mut self, limit: Option<Duration>) -> Result<(), LpError> {
        self.set_number(c"time_limit", limit.map_or(f64::INFINITY, |limit| limit.as_secs_f64()))
    }

    /// Simplex iterations of each of the next solves, after which it ends with [`Limit::Iterations`].
    pub fn set_iteration_limit(&mut self, most: u32) -> Result<(), LpError> {
        self.set_integer(c"simplex_iteration_limit", HighsInt::try_from(most).unwrap_or(HighsInt::MAX))
    }

    /// Makes every solve from now on end when the budget does, by its time or by an interrupt, with
    /// [`Limit::Time`].
    pub fn obey(&mut self, budget: &Budget) -> Result<(), LpError> {
        // SAFETY: the pointer is alive, and the watch is kept until it is destroyed or another takes its place.
        self.watch = Some(unsafe { Watch::install(self.highs.as_ptr(), budget, None) }?);
        Ok(())
    }

    /// Replaces a column's bounds.
    pub fn set_bounds(&mut self, column: ColumnId, lower: f64, upper: f64) -> Result<(), LpError> {
        let index = self.column(column)?;
        check_bounds("column", column.0, lower, upper)?;
        // SAFETY: the index is in range, the numbers are bounds.
        check("Highs_changeColBounds", unsafe {
            highs_sys::Highs_changeColBounds(self.highs.as_ptr(), index, lower, upper)
        })
    }

    /// Replaces a column's cost.
    pub fn set_cost(&mut self, column: ColumnId, cost: f64) -> Result<(), LpError> {
        let index = self.column(column)?;
        check_finite("the cost of column", column.0, cost)?;
        // SAFETY: the index is in range, the number is finite.
        check("Highs_changeColCost", unsafe {
            highs_sys::Highs_changeColCost(self.highs.as_ptr(), index, cost)
        })
    }

    /// Replaces a row's bounds.
    pub fn set_row_bounds(&mut self, row: RowId, lower: f64, upper: f64) -> Result<(), LpError> {
        let index = self.row(row)?;
        check_bounds("row", row.0, lower, upper)?;
        // SAFETY: the index is in range, the numbers are bounds.
        check("Highs_changeRowBounds", unsafe {
            highs_sys::Highs_changeRowBounds(self.highs.as_ptr(), index, lower, upper)
        })
    }

    /// Replaces one coefficient; 0 removes it.
    pub fn set_coefficient(&mut self, row: RowId, column: ColumnId, value: f64) -> Result<(), LpError> {
        let (row_index, column_index) = (self.row(row)?, self.column(column)?);
        check_finite("a coefficient of row", row.0, value)?;
        // SAFETY: both indices are in range, the number is finite.
        check("Highs_changeCoeff", unsafe {
            highs_sys::Highs_changeCoeff(self.highs.as_ptr(), row_index, column_index, value)
        })
    }

    /// Adds `lower ≤ Σ coefficient·column ≤ upper` below the other rows; the basis stays usable.
    pub fn add_row(
        &mut self,
        lower: f64,
        terms: impl IntoIterator<Item = (ColumnId, f64)>,
        upper: f64,
    ) -> Result<RowId, LpError> {
        let (indices, values) = merge(terms);
        check_bounds("row", self.rows, lower, upper)?;
        values.iter().try_for_each(|&a| check_finite("a coefficient of row", self.rows, a))?;
        if let Some(&column) = indices.last().filter(|&&column| column >= self.columns) {
            return Err(LpError::NoSuchColumn { column, count: self.columns });
        }
        let indices = narrow_all(&indices)?;
        // SAFETY: both arrays have the length passed, the indices are in range, and HiGHS copies them.
        check("Highs_addRow", unsafe {
            let (highs, count) = (self.highs.as_ptr(), narrow(indices.len())?);
            highs_sys::Highs_addRow(highs, lower, upper, count, indices.as_ptr(), values.as_ptr())
        })?;
        self.rows += 1;
        Ok(RowId(self.rows - 1))
    }

    /// Removes all rows from position `first` on, for instance those that [`Solver::add_row`] added.
    pub fn truncate_rows(&mut self, first: usize) -> Result<(), LpError> {
        if first >= self.rows {
            return Ok(());
        }
        let (from, to) = (narrow(first)?, narrow(self.rows - 1)?);
        // SAFETY: 0 ≤ from ≤ to < rows.
        check("Highs_deleteRowsByRange", unsafe {
            highs_sys::Highs_deleteRowsByRange(self.highs.as_ptr(), from, to)
        })?;
        self.rows = first;
        Ok(())
    }

    /// Starts the next solve from a basis of a program of the same shape.
    pub fn set_basis(&mut self, basis: &Basis) -> Result<(), LpError> {
        if basis.columns.len() != self.columns || basis.rows.len() != self.rows {
            return Err(LpError::BasisShape { columns: basis.columns.len(), rows: basis.rows.len() });
        }
        // SAFETY: both arrays have the lengths that HiGHS reads, just checked.
        check("Highs_setBasis", unsafe {
            highs_sys::Highs_setBasis(self.highs.as_ptr(), basis.columns.as_ptr(), basis.rows.as_ptr())
        })
    }

    /// Forgets the basis: the next solve starts cold.
    pub fn forget_basis(&mut self) -> Result<(), LpError> {
        // SAFETY: the pointer is alive.
        check("Highs_clearSolver", unsafe { highs_sys::Highs_clearSolver(self.highs.as_ptr()) })
    }

    /// Solves the program as it stands, from the last basis if there is one. If rounding defeats that, or HiGHS
    /// gives up with an error of its own, once more from scratch by the simplex method.
    pub fn solve(&mut self) -> Result<LpOutcome, LpError> {
        match self.run()? {
            LpOutcome::Limit(Limit::Precision) => {
                self.forget_basis()?;
                self.set_method(SolverAlgorithm::Simplex)?;
                let outcome = self.run();
                self.set_method(self.method)?;
                outcome
            }
            outcome => Ok(outcome),
        }
    }

    fn run(&mut self) -> Result<LpOutcome, LpError> {
        // HiGHS measures its time limit on a clock that runs on from solve to solve.
        // SAFETY: the pointer is alive, here and in the calls below.
        check("Highs_zeroAllClocks", unsafe { highs_sys::Highs_zeroAllClocks(self.highs.as_ptr()) })?;
        // SAFETY: as above.
        if unsafe { highs_sys::Highs_run(self.highs.as_ptr()) } == highs_sys::STATUS_ERROR {
            return Ok(LpOutcome::Limit(Limit::Precision));
        }
        // SAFETY: as above.
        let status = unsafe { highs_sys::Highs_getModelStatus(self.highs.as_ptr()) };
        match status {
            highs_sys::MODEL_STATUS_OPTIMAL => Ok(LpOutcome::Optimal(self.solution()?)),
            highs_sys::MODEL_STATUS_INFEASIBLE => Ok(LpOutcome::Infeasible),
            highs_sys::MODEL_STATUS_UNBOUNDED => Ok(LpOutcome::Unbounded),
            highs_sys::MODEL_STATUS_REACHED_TIME_LIMIT | highs_sys::MODEL_STATUS_REACHED_INTERRUPT => {
                Ok(LpOutcome::Limit(Limit::Time))
            }
            highs_sys::MODEL_STATUS_REACHED_ITERATION_LIMIT => Ok(LpOutcome::Limit(Limit::Iterations)),
            highs_sys::MODEL_STATUS_UNKNOWN => Ok(LpOutcome::Limit(Limit::Precision)),
            other => Err(LpError::Solver {
                call: "Highs_run",
                reason: format!("it ended with model status {other}"),
            }),
        }
    }

    fn solution(&self) -> Result<Solution, LpError> {
        let mut values = vec![0.0; self.columns];
        let mut reduced_costs = vec![0.0; self.columns];
        let mut row_values = vec![0.0; self.rows];
        let mut row_duals = vec![0.0; self.rows];
        // SAFETY: HiGHS writes one number a column or row, which is how long the four arrays are.
        check("Highs_getSolution", unsafe {
            highs_sys::Highs_getSolution(
                self.highs.as_ptr(),
                values.as_mut_ptr(),
                reduced_costs.as_mut_ptr(),
                row_values.as_mut_ptr(),
                row_duals.as_mut_ptr(),
            )
        })?;
        // SAFETY: the pointer is alive.
        let objective = unsafe { highs_sys::Highs_getObjectiveValue(self.highs.as_ptr()) };
        Ok(Solution { objective, values, row_values, row_duals, reduced_costs, basis: self.basis()? })
    }

    fn basis(&self) -> Result<Option<Basis>, LpError> {
        let mut validity: HighsInt = 0;
        // SAFETY: the name ends in NUL, and one integer is written.
        check("Highs_getIntInfoValue", unsafe {
            highs_sys::Highs_getIntInfoValue(self.highs.as_ptr(), c"basis_validity".as_ptr(), &mut validity)
        })?;
        if validity == 0 {
            return Ok(None);
        }
        let mut basis = Basis { columns: vec![0; self.columns], rows: vec![0; self.rows] };
        // SAFETY: HiGHS writes one status a column or row, which is how long the two arrays are.
        check("Highs_getBasis", unsafe {
            let (columns, rows) = (basis.columns.as_mut_ptr(), basis.rows.as_mut_ptr());
            highs_sys::Highs_getBasis(self.highs.as_ptr(), columns, rows)
        })?;
        Ok(Some(basis))
    }

    fn column(&self, column: ColumnId) -> Result<HighsInt, LpError> {
        let count = self.columns;
        if column.0 < count {
            narrow(column.0)
        } else {
            Err(LpError::NoSuchColumn { column: column.0, count })
        }
    }

    fn row(&self, row: RowId) -> Result<HighsInt, LpError> {
        let count = self.rows;
        if row.0 < count { narrow(row.0) } else { Err(LpError::NoSuchRow { row: row.0, count }) }
    }

    fn set_flag(&mut self, name: &CStr, value: bool) -> Result<(), LpError> {
        // SAFETY: the name ends in NUL.
        check("Highs_setBoolOptionValue", unsafe {
            highs_sys::Highs_setBoolOptionValue(self.highs.as_ptr(), name.as_ptr(), value.into())
        })
    }

    fn set_integer(&mut self, name: &CStr, value: HighsInt) -> Result<(), LpError> {
        // SAFETY: the name ends in NUL.
        check("Highs_setIntOptionValue", unsafe {
            highs_sys::Highs_setIntOptionValue(self.highs.as_ptr(), name.as_ptr(), value)
        })
    }

    fn set_number(&mut self, name: &CStr, value: f64) -> Result<(), LpError> {
        // SAFETY: the name ends in NUL.
        check("Highs_setDoubleOptionValue", unsafe {
            highs_sys::Highs_setDoubleOptionValue(self.highs.as_ptr(), name.as_ptr(), value)
        })
    }

    fn set_text(&mut self, name: &CStr, value: &CStr) -> Result<(), LpError> {
        // SAFETY: both texts end in NUL, and HiGHS copies the value.
        check("Highs_setStringOptionValue", unsafe {
            highs_sys::Highs_setStringOptionValue(self.highs.as_ptr(), name.as_ptr(), value.as_ptr())
        })
    }
}

/// A call's status as a result. Warnings pass: HiGHS warns of coefficients under 1e-9, which it drops, and of
/// bounds that cross, which it then calls infeasible.
pub(super) fn check(call: &'static str, status: HighsInt) -> Result<(), LpError> {
    match status {
        highs_sys::STATUS_OK | highs_sys::STATUS_WARNING => Ok(()),
        other => Err(LpError::Solver { call, reason: format!("status {other}") }),
    }
}

fn narrow(size: usize) -> Result<HighsInt, LpError> {
    HighsInt::try_from(size).map_err(|_| LpError::TooLarge { size })
}

fn narrow_all(sizes: &[usize]) -> Result<Vec<HighsInt>, LpError> {
    sizes.iter().map(|&size| narrow(size)).collect()
}
