//! Mixed-integer programs, through good_lp on HiGHS.
//!
//! Phase choices (patching with free phases, pixel switches, the phase-neighbourhood search) become programs whose
//! building cost does not matter beside their solving. good_lp writes the model; it is run through HiGHS's own
//! interface, because only that says when to stop.

#![allow(unsafe_code)]

use std::time::Duration;

use good_lp::solvers::highs::{HighsProblem, highs};
use good_lp::{Expression, ProblemVariables, SolverModel as _, Variable, constraint, variable};

use super::outcome::{Limit, LpError};
use super::program::{Column, LinearProgram, Sense};
use super::watch::Watch;
use crate::budget::Budget;

/// How a mixed-integer program is solved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MipOptions {
    /// Time for the solve. Default: no limit.
    pub time_limit: Option<Duration>,
    /// Stop when the objective is proven to be within this fraction of the best possible. Default 1e-6.
    pub relative_gap: f64,
    /// By how much a point may miss a bound or an integer. Default 1e-9.
    pub tolerance: f64,
    /// Nodes of the search tree: unlike time, the same on every machine. Default: no limit.
    pub node_limit: Option<i32>,
    /// Simplex iterations of all nodes, about: the same on every machine too, and much nearer to time than nodes,
    /// because cuts and heuristics may take thousands at the root. Default: no limit.
    pub iteration_limit: Option<u64>,
}

impl Default for MipOptions {
    fn default() -> Self {
        MipOptions {
            time_limit: None,
            relative_gap: 1e-6,
            tolerance: 1e-9,
            node_limit: None,
            iteration_limit: None,
        }
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

/// What one run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct MipRun {
    /// Its answer.
    pub outcome: MipOutcome,
    /// Nodes of the search tree.
    pub nodes: u64,
    /// Simplex iterations of all nodes.
    pub iterations: u64,
}

/// Solves a program whose columns may be integer.
pub fn solve(program: &LinearProgram, options: &MipOptions) -> Result<MipOutcome, LpError> {
    Ok(solve_under(&Budget::unlimited(), program, options, None)?.outcome)
}

/// Solves a program until the budget is over, from a point that may satisfy it: one value a column.
pub fn solve_under(
    budget: &Budget,
    program: &LinearProgram,
    options: &MipOptions,
    start: Option<&[f64]>,
) -> Result<MipRun, LpError> {
    program.validate()?;
    let run = run(budget, program, options, start, true)?;
    if run.outcome != MipOutcome::Infeasible || !program.columns.iter().any(endless) {
        return Ok(run);
    }
    // HiGHS may only know "infeasible or unbounded". The same program without an objective tells the two apart.
    let feasible = self::run(budget, program, options, None, false)?;
    let outcome = match feasible.outcome {
        MipOutcome::Optimal(_) | MipOutcome::Feasible(..) | MipOutcome::Unbounded => MipOutcome::Unbounded,
        other => other,
    };
    let (nodes, iterations) = (run.nodes + feasible.nodes, run.iterations + feasible.iterations);
    Ok(MipRun { outcome, nodes, iterations })
}

/// Whether a column alone could give the objective no end.
fn endless(column: &Column) -> bool {
    column.cost != 0.0 && (column.lower.is_infinite() || column.upper.is_infinite())
}

fn run(
    budget: &Budget,
    program: &LinearProgram,
    options: &MipOptions,
    start: Option<&[f64]>,
    objective: bool,
) -> Result<MipRun, LpError> {
    let error = |call: &'static str| move |reason: String| LpError::Solver { call, reason };
    let problem = build(program, objective);
    let mut model = problem.try_into_inner().map_err(|e| error("good_lp")(e.to_string()))?;
    model.make_quiet();
    let numbers = [
        ("mip_rel_gap", options.relative_gap),
        ("mip_abs_gap", 1e-9),
        ("mip_feasibility_tolerance", options.tolerance),
        ("primal_feasibility_tolerance", options.tolerance),
        ("dual_feasibility_tolerance", options.tolerance),
        ("time_limit", options.time_limit.map_or(f64::INFINITY, |limit| limit.as_secs_f64())),
    ];
    let wholes = [("threads", 1), ("mip_max_nodes", options.node_limit.unwrap_or(i32::MAX))];
    let set = |name: &'static str| move |status| error(name)(format!("{status:?}"));
    numbers.into_iter().try_for_each(|(name, value)| model.try_set_option(name, value).map_err(set(name)))?;
    wholes.into_iter().try_for_each(|(name, value)| model.try_set_option(name, value).map_err(set(name)))?;
    // Feasibility jump costs a fixed effort whatever the program's size: 40% of the time where programs are small.
    let jump = "mip_heuristic_run_feasibility_jump";
    model.try_set_option(jump, false).map_err(set(jump))?;
    if let Some(start) = start {
        let call = "Highs_setSolution";
        model.try_set_solution(Some(start), None, None, None).map_err(|e| error(call)(format!("{e:?}")))?;
    }
    // SAFETY: the model is alive, and the watch lives to the end of this function, after the last run.
    let _watch = unsafe { Watch::install(model.as_mut_ptr(), budget, options.iteration_limit) }?;
    let mut solved = model.try_solve().map_err(|e| error("Highs_run")(format!("{e:?}")))?;
    let nodes = solved_nodes(solved.as_mut_ptr());
    let iterations = solved.int_info_value(c"simplex_iteration_count").unwrap_or(0);
    let iterations = u64::try_from(iterations).unwrap_or(0);
    let is_out = options.iteration_limit.is_some_and(|limit| iterations >= limit);
    // SAFETY: the model is alive.
    let status = unsafe { highs_sys::Highs_getModelStatus(solved.as_mut_ptr()) };
    let feasible = solved.int_info_value(c"primal_solution_status").is_ok_and(|status| status == FEASIBLE);
    let solution = feasible.then(|| point(program, solved.get_solution().columns()));
    let interrupted_by = if is_out { Limit::Iterations } else { Limit::Time };
    Ok(MipRun { outcome: outcome(status, solution, interrupted_by)?, nodes, iterations })
}

/// HiGHS's word for a point that satisfies everything.
const FEASIBLE: i64 = highs_sys::kHighsSolutionStatusFeasible as i64;

/// Nodes of the last run; none where HiGHS does not say.
fn solved_nodes(highs: *mut std::ffi::c_void) -> u64 {
    let mut nodes = 0;
    // SAFETY: the only caller passes a live model, the name ends in NUL, and one number is written.
    unsafe { highs_sys::Highs_getInt64InfoValue(highs, c"mip_node_count".as_ptr(), &mut nodes) };
    u64::try_from(nodes).unwrap_or(0)
}

fn point(program: &LinearProgram, values: &[f64]) -> MipSolution {
    let whole = |(column, &value): (&Column, &f64)| if column.integer { value.round() } else { value };
    let values: Vec<f64> = program.columns.iter().zip(values).map(whole).collect();
    MipSolution { objective: program.objective_at(&values), values }
}

fn outcome(
    status: highs_sys::HighsInt,
    solution: Option<MipSolution>,
    interrupted_by: Limit,
) -> Result<MipOutcome, LpError> {
    let limited = |limit| match solution.clone() {
        Some(solution) => MipOutcome::Feasible(solution, limit),
        None => MipOutcome::Limit(limit),
    };
    Ok(match status {
        highs_sys::MODEL_STATUS_OPTIMAL => match solution {
            Some(solution) => MipOutcome::Optimal(solution),
            None => MipOutcome::Limit(Limit::Precision),
        },
        highs_sys::MODEL_STATUS_INFEASIBLE | highs_sys::MODEL_STATUS_UNBOUNDED_OR_INFEASIBLE => {
            MipOutcome::Infeasible
        }
        highs_sys::MODEL_STATUS_UNBOUNDED => MipOutcome::Unbounded,
        highs_sys::MODEL_STATUS_REACHED_TIME_LIMIT => limited(Limit::Time),
        highs_sys::MODEL_STATUS_REACHED_INTERRUPT => limited(interrupted_by),
        highs_sys::MODEL_STATUS_REACHED_ITERATION_LIMIT | highs_sys::MODEL_STATUS_REACHED_SOLUTION_LIMIT => {
            limited(Limit::Iterations)
        }
        other => {
            let reason = format!("it ended with model status {other}");
            return Err(LpError::Solver { call: "Highs_run", reason });
        }
    })
}

/// The program in good_lp's terms, with or without its objective; columns keep their order.
fn build(program: &LinearProgram, objective: bool) -> HighsProblem {
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
    let mut problem = problem.using(highs);
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
    problem
}
