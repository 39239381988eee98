//! What solving a program can come to: an optimum, one of three other outcomes, or an error that says why the
//! solver could not be used at all.

/// The answer to a linear program.
#[derive(Debug, Clone, PartialEq)]
pub enum LpOutcome {
    /// An optimal point with its duals and its basis.
    Optimal(Solution),
    /// No point satisfies all rows and bounds.
    Infeasible,
    /// The objective has no end.
    Unbounded,
    /// The solver stopped before it knew.
    Limit(Limit),
}

impl LpOutcome {
    /// The optimal point, if there is one.
    pub fn optimal(self) -> Option<Solution> {
        match self {
            LpOutcome::Optimal(solution) => Some(solution),
            LpOutcome::Infeasible | LpOutcome::Unbounded | LpOutcome::Limit(_) => None,
        }
    }
}

/// Why the solver stopped early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The time limit, or the end of the budget.
    Time,
    /// A limit of iterations or nodes.
    Iterations,
    /// Rounding: no point meets the tolerance asked for, warm or cold, or the solver gave up.
    Precision,
}

/// An optimal point of a linear program.
///
/// Duals are sensitivities of the objective, whatever the sense: a row's dual is the gain in the objective for each
/// unit by which its binding bound grows, and a reduced cost the same for a column's bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// The objective there.
    pub objective: f64,
    /// The point: one value a column.
    pub values: Vec<f64>,
    /// Each row's activity `a·x`.
    pub row_values: Vec<f64>,
    /// Each row's dual; not zero only where the row is tight.
    pub row_duals: Vec<f64>,
    /// Each column's reduced cost; not zero only where the column is at a bound.
    pub reduced_costs: Vec<f64>,
    /// The basis, to start a similar program from; absent where an interior point was precise enough by itself.
    pub basis: Option<Basis>,
}

/// Which columns and rows are basic: where the simplex method stands. Opaque; made by a solver, taken by a solver
/// of the same shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    pub(super) columns: Vec<i32>,
    pub(super) rows: Vec<i32>,
}

/// The program or the solver cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LpError {
    /// A program without variables.
    #[error("the program has no columns: there is nothing to solve")]
    NoColumns,
    /// A term names a column that the program does not have.
    #[error("column {column} does not exist, the program has {count}; use the ids this program gave out")]
    NoSuchColumn {
        /// The position asked for.
        column: usize,
        /// How many there are.
        count: usize,
    },
    /// A row that the program does not have.
    #[error("row {row} does not exist, the program has {count}; use the ids this program gave out")]
    NoSuchRow {
        /// The position asked for.
        row: usize,
        /// How many there are.
        count: usize,
    },
    /// Bounds that are NaN, or infinite on the wrong side.
    #[error("{what} {index} has the bounds [{lower}, {upper}], which hold no number")]
    Bounds {
        /// `column` or `row`.
        what: &'static str,
        /// Its position.
        index: usize,
        /// Its lower bound.
        lower: f64,
        /// Its upper bound.
        upper: f64,
    },
    /// A cost or a coefficient that is NaN or infinite.
    #[error("{what} {index} is {value}; a linear program needs finite numbers")]
    NotFinite {
        /// What it belongs to.
        what: &'static str,
        /// Position of that column or row.
        index: usize,
        /// The number.
        value: f64,
    },
    /// [`Solver`](super::Solver) solves continuous programs only.
    #[error("column {column} is integer; use lp::mip::solve, or LinearProgram::relaxed for the bound")]
    IntegerColumn {
        /// Its position.
        column: usize,
    },
    /// A basis of another shape.
    #[error("the basis is of {columns} columns and {rows} rows, the program has other sizes")]
    BasisShape {
        /// The basis's columns.
        columns: usize,
        /// The basis's rows.
        rows: usize,
    },
    /// More columns, rows or terms than the solver's 32-bit sizes can say.
    #[error("the program is too large for the solver: {size} entries")]
    TooLarge {
        /// The size that does not fit.
        size: usize,
    },
    /// The solver could not be created.
    #[error("HiGHS could not be started (out of memory?)")]
    NotStarted,
    /// A call into the solver failed.
    #[error("HiGHS failed in {call}: {reason}")]
    Solver {
        /// The function of its interface.
        call: &'static str,
        /// What it said.
        reason: String,
    },
}
