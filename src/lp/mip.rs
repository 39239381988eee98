//! Mixed-integer programs, through good_lp on HiGHS.
//!
//! Phase choices (patching with free phases, pixel switches, the phase-neighbourhood search) become programs whose
//! building cost does not matter beside their solving.

use std::time::Duration;

use good_lp::solvers::highs::{HighsProblem, highs};
use good_lp::{
    Expression, ProblemVariables, ResolutionError, Solution as _, SolutionStatus, SolverModel as _, Variable,
    constraint, variable,
};

use super::outcome::{Limit, LpError};
use super::program::{LinearProgram, Sense};

/// How a mixed-integer program is solved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MipOptions {
    /// Time for the solve. Default: no limit.
    pub time_limit: Option<Duration>,
    /// Stop when the objective is proven to be within this fraction of the best possible. Default 1e-6.
    pub relative_gap: f64,
    /// By how much a point may miss a bound or an integer. Default 1e-9.
    pub tolerance: f64,
}

impl Default for MipOptions {
    fn default() -> Self {
        MipOptions { time_limit: None, relative_gap: 1e-6, tolerance: 1e-9 }
    }
}

/// The answer to a mixed-integer program.
#[derive(Debug, Clone, PartialEq)]
pub enum MipOutcome {
    /// The best point, proven to be within the gap asked for.
    Optimal(MipSolution),
    /// A feasible point; the limit came before it was proven best.
    Feasible(MipSolution, Limit),
    /// No point satisfies all rows, bounds and integers.
    Infeasible,
    /// The objective has no end.
    Unbounded,
    /// The limit came before any point was known.
    Limit(Limit),
}

impl MipOutcome {
    /// The point, best or not, if there is one.
    pub fn solution(self) -> Option<MipSolution> {
        match self {
            MipOutcome::Optimal(solution) | MipOutcome::Feasible(solution, _) => Some(solution),
            MipOutcome::Infeasible | MipOutcome::Unbounded | MipOutcome::Limit(_) => None,
        }
    }
}

/// A feasible point of a mixed-integer program.
#[derive(Debug, Clone, PartialEq)]
pub struct MipSolution {
    /// The objective there.
    pub objective: f64,
    /// One value a column; integer columns hold whole numbers.
    pub values: Vec<f64>,
}

/// Solves a program whose columns may be integer.
pub fn solve(program: &LinearProgram, options: &MipOptions) -> Result<MipOutcome, LpError> {
    program.validate()?;
    let (problem, variables) = build(program, options, true);
    let solved = match problem.solve() {
        Ok(solved) => solved,
        Err(ResolutionError::Unbounded) => return Ok(MipOutcome::Unbounded),
        Err(ResolutionError::Infeasible) => return infeasible_or_unbounded(program, options),
        Err(ResolutionError::Other("NoSolutionFound")) if options.time_limit.is_some() => {
            return Ok(MipOutcome::Limit(Limit::Time));
        }
        Err(error) => return Err(LpError::Solver { call: "good_lp", reason: error.to_string() }),
    };
    let values: Vec<f64> = (program.columns.iter().zip(&variables))
        .map(|(column, &variable)| {
            let value = solved.value(variable);
            if column.integer { value.round() } else { value }
        })
        .collect();
    let solution = MipSolution { objective: program.objective_at(&values), values };
    Ok(match solved.status() {
        SolutionStatus::TimeLimit => MipOutcome::Feasible(solution, Limit::Time),
        SolutionStatus::Optimal | SolutionStatus::GapLimit => MipOutcome::Optimal(solution),
    })
}

/// good_lp says "infeasible" also where HiGHS only knows "infeasible or unbounded". The same program without an
/// objective tells the two apart.
fn infeasible_or_unbounded(program: &LinearProgram, options: &MipOptions) -> Result<MipOutcome, LpError> {
    let endless = |c: &super::Column| c.cost != 0.0 && (c.lower.is_infinite() || c.upper.is_infinite());
    if !program.columns.iter().any(endless) {
        return Ok(MipOutcome::Infeasible);
    }
    match build(program, options, false).0.solve() {
        Ok(_) => Ok(MipOutcome::Unbounded),
        Err(ResolutionError::Infeasible) => Ok(MipOutcome::Infeasible),
        Err(ResolutionError::Other("NoSolutionFound")) => Ok(MipOutcome::Limit(Limit::Time)),
        Err(error) => Err(LpError::Solver { call: "good_lp", reason: error.to_string() }),
    }
}

/// The program in good_lp's terms, with or without its objective, and its variables in column order.
fn build(program: &LinearProgram, options: &MipOptions, objective: bool) -> (HighsProblem, Vec<Variable>) {
    let mut variables = ProblemVariables::new();
    let ids: Vec<Variable> = program
        .columns
        .iter()
        .map(|column| {
            let definition = variable().min(column.lower).max(column.upper);
            variables.add(if column.integer { definition.integer() } else { definition })
        })
        .collect();
    let costs = ids.iter().zip(&program.columns).filter(|(_, column)| objective && column.cost != 0.0);
    let cost: Expression = costs.map(|(&id, column)| column.cost * id).sum();
    let problem = match program.sense {
        Sense::Minimise => variables.minimise(cost),
        Sense::Maximise => variables.maximise(cost),
    };
    let mut problem = problem
        .using(highs)
        .set_threads(1)
        .set_option("mip_rel_gap", options.relative_gap)
        .set_option("mip_abs_gap", 1e-9)
        .set_option("mip_feasibility_tolerance", options.tolerance)
        .set_option("primal_feasibility_tolerance", options.tolerance)
        .set_option("dual_feasibility_tolerance", options.tolerance);
    if let Some(limit) = options.time_limit {
        problem = problem.set_time_limit(limit.as_secs_f64());
    }
    for row in program.rows() {
        let sum: Expression = row.columns.iter().zip(row.coefficients).map(|(&j, &a)| a * ids[j]).sum();
        if row.lower == row.upper {
            problem.add_constraint(constraint::eq(sum, row.lower));
            continue;
        }
        if row.lower > f64::NEG_INFINITY {
            problem.add_constraint(constraint::geq(sum.clone(), row.lower));
        }
        if row.upper < f64::INFINITY {
            problem.add_constraint(constraint::leq(sum, row.upper));
        }
    }
    (problem, ids)
}
