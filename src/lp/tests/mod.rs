//! Both solvers against plain twins: vertex enumeration for linear programs, integer enumeration for mixed ones.

mod twins;

use proptest::prelude::*;

use super::*;
use twins::{best_integer_point, best_vertex, boxed_program};

const TOLERANCE: f64 = 1e-6;

fn solve(program: &LinearProgram) -> LpOutcome {
    Solver::new(program, &LpOptions::default()).unwrap().solve().unwrap()
}

fn agrees(found: Option<f64>, expected: Option<f64>) -> bool {
    match (found, expected) {
        (Some(a), Some(b)) => (a - b).abs() < TOLERANCE,
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Strong duality: the duals of tight bounds add up to the objective, and each has the sign of a sensitivity.
fn check_duals(program: &LinearProgram, solution: &Solution) {
    let rows = program.rows().zip(&solution.row_values).zip(&solution.row_duals);
    let columns = program.columns().iter().zip(&solution.values).zip(&solution.reduced_costs);
    let all = rows
        .map(|((row, &value), &dual)| (row.lower, value, row.upper, dual))
        .chain(columns.map(|((column, &value), &dual)| (column.lower, value, column.upper, dual)));
    let mut total = 0.0;
    for (lower, value, upper, dual) in all {
        total += value * dual;
        let gain = if program.sense() == Sense::Maximise { dual } else { -dual };
        if gain > TOLERANCE {
            assert!((upper - value).abs() < TOLERANCE, "a gain from a higher bound, but it is not tight");
        }
        if gain < -TOLERANCE {
            assert!((lower - value).abs() < TOLERANCE, "a gain from a lower bound, but it is not tight");
        }
    }
    assert!(
        (total - solution.objective).abs() < TOLERANCE,
        "duality: {total} against {}",
        solution.objective
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn linear_programs_agree_with_vertex_enumeration(program in boxed_program(false)) {
        let outcome = solve(&program);
        if let LpOutcome::Optimal(solution) = &outcome {
            prop_assert!(program.violation_at(&solution.values) < TOLERANCE);
            prop_assert!((program.objective_at(&solution.values) - solution.objective).abs() < TOLERANCE);
            check_duals(&program, solution);
        } else {
            prop_assert_eq!(&outcome, &LpOutcome::Infeasible);
        }
        let expected = best_vertex(&program);
        let found = outcome.optimal().map(|solution| solution.objective);
        prop_assert!(agrees(found, expected), "{program}: {found:?} against {expected:?}");
    }

    #[test]
    fn every_method_agrees(program in boxed_program(false)) {
        let expected = solve(&program).optimal().map(|solution| solution.objective);
        for options in [
            LpOptions { presolve: true, ..LpOptions::default() },
            LpOptions { method: SolverAlgorithm::InteriorPoint, presolve: true, ..LpOptions::default() },
        ] {
            let outcome = Solver::new(&program, &options).unwrap().solve().unwrap();
            let found = outcome.clone().optimal().map(|solution| solution.objective);
            prop_assert!(agrees(found, expected), "{program}: {outcome:?}");
        }
        let found = mip::solve(&program, &MipOptions::default()).unwrap().solution();
        prop_assert!(agrees(found.map(|s| s.objective), expected), "{program}");
    }

    #[test]
    fn mixed_integer_programs_agree_with_enumeration(program in boxed_program(true)) {
        let outcome = mip::solve(&program, &MipOptions::default()).unwrap();
        prop_assert!(matches!(outcome, MipOutcome::Optimal(_) | MipOutcome::Infeasible), "{outcome:?}");
        let found = outcome.solution();
        if let Some(solution) = &found {
            prop_assert!(program.violation_at(&solution.values) < TOLERANCE);
            prop_assert!(solution.values.iter().all(|value| value.fract() == 0.0));
        }
        let expected = best_integer_point(&program);
        prop_assert!(agrees(found.map(|s| s.objective), expected), "{program}: against {expected:?}");
    }

    #[test]
    fn warm_is_cold(program in boxed_program(false), other in boxed_program(false)) {
        let mut solver = Solver::new(&program, &LpOptions::default()).unwrap();
        solver.solve().unwrap();
        let mut changed = program.clone();
        for (j, column) in other.columns().iter().enumerate().take(program.columns().len()) {
            changed.set_bounds(ColumnId(j), column.lower, column.upper).unwrap();
            changed.set_cost(ColumnId(j), column.cost).unwrap();
            solver.set_bounds(ColumnId(j), column.lower, column.upper).unwrap();
            solver.set_cost(ColumnId(j), column.cost).unwrap();
        }
        for row in other.rows().filter(|row| row.columns.iter().all(|&j| j < program.columns().len())) {
            let terms = || row.columns.iter().map(|&j| ColumnId(j)).zip(row.coefficients.iter().copied());
            changed.row(row.lower, terms(), row.upper);
            solver.add_row(row.lower, terms(), row.upper).unwrap();
        }
        let (warm, cold) = (solver.solve().unwrap(), solve(&changed));
        let objective = |outcome: LpOutcome| outcome.optimal().map(|solution| solution.objective);
        prop_assert!(agrees(objective(warm), objective(cold)), "{changed}");

        solver.truncate_rows(program.row_count()).unwrap();
        for (j, column) in program.columns().iter().enumerate() {
            solver.set_bounds(ColumnId(j), column.lower, column.upper).unwrap();
            solver.set_cost(ColumnId(j), column.cost).unwrap();
        }
        let (back, cold) = (solver.solve().unwrap(), solve(&program));
        prop_assert!(agrees(objective(back), objective(cold)), "{program}");

        solver.replace(&other).unwrap();
        let (replaced, cold) = (solver.solve().unwrap(), solve(&other));
        prop_assert_eq!(replaced, cold, "{}", other);
    }
}

/// max x + y with x + 2y ≤ 4, 3x + y ≤ 6: the optimum is (8/5, 6/5).
fn textbook() -> (LinearProgram, [ColumnId; 2], [RowId; 2]) {
    let mut program = LinearProgram::maximise();
    let x = program.column(0.0, f64::INFINITY, 1.0);
    let y = program.column(0.0, f64::INFINITY, 1.0);
    let first = program.at_most([(x, 1.0), (y, 2.0)], 4.0);
    let second = program.at_most([(x, 3.0), (y, 1.0)], 6.0);
    (program, [x, y], [first, second])
}

#[test]
fn a_textbook_program_with_its_duals() {
    let (program, [x, y], _) = textbook();
    let solution = solve(&program).optimal().unwrap();
    assert!((solution.values[x.index()] - 1.6).abs() < 1e-9);
    assert!((solution.values[y.index()] - 1.2).abs() < 1e-9);
    assert!((solution.row_duals[0] - 0.4).abs() < 1e-9, "{:?}", solution.row_duals);
    assert!((solution.row_duals[1] - 0.2).abs() < 1e-9, "{:?}", solution.row_duals);
    check_duals(&program, &solution);
}

/// HiGHS 1.15's interior point method ends on this program with an error (found by `every_method_agrees`).
#[test]
fn where_interior_points_fail_the_simplex_method_answers() {
    let mut program = LinearProgram::new(Sense::Maximise);
    let ids =
        [(0.0, 3.0, 3.0), (-2.0, 1.0, -1.0), (1.0, 4.0, 2.0)].map(|(l, u, cost)| program.column(l, u, cost));
    let terms = |row: [f64; 3]| ids.into_iter().zip(row);
    program.equal(terms([-2.0, 2.0, 2.0]), -1.0);
    program.equal(terms([3.0, -2.0, -3.0]), -4.0);
    program.at_most(terms([-2.0, 1.0, -3.0]), 5.0);
    program.at_least(terms([-3.0, -2.0, 1.0]), 2.0);
    let options =
        LpOptions { method: SolverAlgorithm::InteriorPoint, presolve: true, ..LpOptions::default() };
    let found = Solver::new(&program, &options).unwrap().solve().unwrap();
    assert!(!matches!(found, LpOutcome::Limit(_)), "{found:?}");
    assert_eq!(found.optimal().map(|s| s.objective), best_vertex(&program));
}

#[test]
fn outcomes_without_a_point() {
    let free = (f64::NEG_INFINITY, f64::INFINITY);
    let check = |build: &dyn Fn(&mut LinearProgram), lp: LpOutcome, mip: MipOutcome| {
        let mut program = LinearProgram::minimise();
        build(&mut program);
        assert_eq!(solve(&program), lp, "{program}");
        assert_eq!(mip::solve(&program, &MipOptions::default()).unwrap(), mip, "{program}");
    };
    let contradiction = |program: &mut LinearProgram| {
        let x = program.column(free.0, free.1, 1.0);
        program.at_most([(x, 1.0)], 0.0);
        program.at_least([(x, 1.0)], 1.0);
    };
    check(&contradiction, LpOutcome::Infeasible, MipOutcome::Infeasible);
    let crossed = |program: &mut LinearProgram| {
        program.column(1.0, 0.0, 1.0);
    };
    check(&crossed, LpOutcome::Infeasible, MipOutcome::Infeasible);
    let endless = |program: &mut LinearProgram| {
        let x = program.column(free.0, 0.0, 1.0);
        let y = program.column(free.0, free.1, 0.0);
        program.at_most([(x, 1.0), (y, -1.0)], 3.0);
    };
    check(&endless, LpOutcome::Unbounded, MipOutcome::Unbounded);
    let impossible_row_without_terms = |program: &mut LinearProgram| {
        program.column(0.0, 1.0, 1.0);
        program.at_least([], 1.0);
    };
    check(&impossible_row_without_terms, LpOutcome::Infeasible, MipOutcome::Infeasible);
}

#[test]
fn endless_integers_are_unbounded_not_infeasible() {
    let mut program = LinearProgram::maximise();
    let x = program.integer(0.0, f64::INFINITY, 1.0);
    let y = program.integer(0.0, f64::INFINITY, 0.0);
    program.at_most([(x, 2.0), (y, -3.0)], 1.0);
    assert_eq!(mip::solve(&program, &MipOptions::default()).unwrap(), MipOutcome::Unbounded);
}

#[test]
fn what_no_solver_should_see_is_refused() {
    let check = |build: &dyn Fn(&mut LinearProgram), message: &str| {
        let mut program = LinearProgram::minimise();
        build(&mut program);
        let options = LpOptions::default();
        assert_eq!(Solver::new(&program, &options).map(|_| ()).unwrap_err().to_string(), message);
    };
    check(
        &|p| {
            p.at_least([], 1.0);
        },
        "the program has no columns: there is nothing to solve",
    );
    check(
        &|p| {
            p.column(f64::NAN, 1.0, 0.0);
        },
        "column 0 has the bounds [NaN, 1], which hold no number",
    );
    check(
        &|p| {
            p.column(0.0, 1.0, f64::INFINITY);
        },
        "the cost of column 0 is inf; a linear program needs finite numbers",
    );
    check(
        &|p| {
            let x = p.column(0.0, 1.0, 0.0);
            p.at_most([(x, f64::NAN)], 1.0);
        },
        "a coefficient of row 0 is NaN; a linear program needs finite numbers",
    );
    check(
        &|p| {
            p.column(0.0, 1.0, 0.0);
            p.at_most([(ColumnId(3), 1.0)], 1.0);
        },
        "column 3 does not exist, the program has 1; use the ids this program gave out",
    );
    check(
        &|p| {
            p.binary(1.0);
        },
        "column 0 is integer; use lp::mip::solve, or LinearProgram::relaxed for the bound",
    );
}

#[test]
fn a_live_solver_refuses_what_it_does_not_have() {
    let (program, [x, _], [first, _]) = textbook();
    let mut solver = Solver::new(&program, &LpOptions::default()).unwrap();
    let (column, row) = (ColumnId(2), RowId(2));
    assert_eq!(solver.set_cost(column, 0.0), Err(LpError::NoSuchColumn { column: 2, count: 2 }));
    assert_eq!(solver.set_bounds(column, 0.0, 0.0), Err(LpError::NoSuchColumn { column: 2, count: 2 }));
    assert_eq!(solver.set_row_bounds(row, 0.0, 0.0), Err(LpError::NoSuchRow { row: 2, count: 2 }));
    assert_eq!(solver.set_coefficient(row, x, 0.0), Err(LpError::NoSuchRow { row: 2, count: 2 }));
    assert_eq!(solver.add_row(0.0, [(column, 1.0)], 1.0), Err(LpError::NoSuchColumn { column: 2, count: 2 }));
    assert!(matches!(solver.set_row_bounds(first, f64::NAN, 0.0), Err(LpError::Bounds { .. })));
    let basis = solver.solve().unwrap().optimal().unwrap().basis.unwrap();
    solver.truncate_rows(1).unwrap();
    assert_eq!(solver.set_basis(&basis), Err(LpError::BasisShape { columns: 2, rows: 2 }));
}

#[test]
fn changes_are_seen_and_a_basis_carries_over() {
    let (program, [x, y], [first, second]) = textbook();
    let mut solver = Solver::new(&program, &LpOptions::default()).unwrap();
    let start = solver.solve().unwrap().optimal().unwrap();
    let check = |solver: &mut Solver, objective: f64| {
        let found = solver.solve().unwrap().optimal().unwrap().objective;
        assert!((found - objective).abs() < 1e-9, "{found} against {objective}");
    };
    check(&mut solver, 2.8);
    solver.set_row_bounds(first, f64::NEG_INFINITY, 5.0).unwrap();
    check(&mut solver, 3.2);
    solver.set_coefficient(second, x, 1.0).unwrap();
    check(&mut solver, 5.0);
    solver.set_bounds(y, 0.5, 0.5).unwrap();
    check(&mut solver, 4.5);
    solver.add_row(f64::NEG_INFINITY, [(x, 2.0), (x, -1.0)], 1.0).unwrap();
    check(&mut solver, 1.5);
    solver.truncate_rows(2).unwrap();
    solver.forget_basis().unwrap();
    check(&mut solver, 4.5);

    let mut twin = Solver::new(&program, &LpOptions::default()).unwrap();
    twin.set_basis(&start.basis.unwrap()).unwrap();
    check(&mut twin, 2.8);
}

#[test]
fn solvers_in_several_threads_agree_bit_for_bit() {
    let (program, ..) = textbook();
    let expected = solve(&program);
    let mut solver = Solver::new(&program, &LpOptions::default()).unwrap();
    std::thread::scope(|scope| {
        let moved = scope.spawn(move || solver.solve().unwrap());
        let own = scope.spawn(|| solve(&program));
        assert_eq!(moved.join().unwrap(), expected);
        assert_eq!(own.join().unwrap(), expected);
    });
}

/// A market-split program (Cornuéjols and Dawande): hopeless for branch and bound in no time at all.
fn market_split() -> LinearProgram {
    let mut program = LinearProgram::minimise();
    let columns: Vec<ColumnId> = (0..50).map(|_| program.binary(0.0)).collect();
    for row in 0..6usize {
        let weights: Vec<f64> =
            (0..50usize).map(|j| ((j * 7919 + row * 104_729 + j * j * 31) % 100) as f64).collect();
        let half = (weights.iter().sum::<f64>() / 2.0).floor();
        let (over, under) = (program.column(0.0, 1e6, 1.0), program.column(0.0, 1e6, 1.0));
        let terms = columns.iter().copied().zip(weights);
        program.equal(terms.chain([(over, -1.0), (under, 1.0)]), half);
    }
    program
}

#[test]
fn a_time_limit_is_an_outcome() {
    let program = market_split();
    let limit = std::time::Duration::from_millis(50);
    let options = MipOptions { time_limit: Some(limit), ..MipOptions::default() };
    let outcome = mip::solve(&program, &options).unwrap();
    assert!(
        matches!(outcome, MipOutcome::Feasible(_, Limit::Time) | MipOutcome::Limit(Limit::Time)),
        "{outcome:?}"
    );
    let relaxed = program.relaxed();
    let options = LpOptions { time_limit: Some(std::time::Duration::ZERO), ..LpOptions::default() };
    let mut solver = Solver::new(&relaxed, &options).unwrap();
    assert_eq!(solver.solve().unwrap(), LpOutcome::Limit(Limit::Time));
    solver.set_time_limit(None).unwrap();
    assert!(solver.solve().unwrap().optimal().is_some());
}

#[test]
fn programs_print_as_written() {
    let (mut program, [x, y], _) = textbook();
    let z = program.binary(-2.5);
    program.equal([(z, 1.0), (x, -1.0), (y, 0.5), (x, 3.0)], 7.0);
    program.row(-1.0, [(x, -1.0), (y, 1.0)], 1.0);
    program.column(f64::NEG_INFINITY, f64::INFINITY, 0.0);
    insta::assert_snapshot!(program, @"
    maximise x0 + x1 - 2.5 x2
      x0 + 2 x1 <= 4
      3 x0 + x1 <= 6
      2 x0 + 0.5 x1 + x2 = 7
      -1 <= -x0 + x1 <= 1
      x0 >= 0
      x1 >= 0
      0 <= integer x2 <= 1
      x3 free
    ");
}

#[test]
fn a_point_is_measured_against_bounds_and_rows() {
    let (program, ..) = textbook();
    let check =
        |point: &[f64], violation: f64| assert_eq!(program.violation_at(point), violation, "{point:?}");
    check(&[1.0, 1.0], 0.0);
    check(&[-0.5, 1.0], 0.5);
    check(&[3.0, 1.0], 4.0);
    check(&[f64::NAN, 1.0], f64::INFINITY);
    check(&[1.0], f64::INFINITY);
    assert_eq!(program.objective_at(&[3.0, 1.5]), 4.5);
}

#[test]
fn a_relaxed_program_bounds_the_integer_one() {
    let mut program = LinearProgram::maximise();
    let x = program.integer(0.0, 10.0, 1.0);
    program.at_most([(x, 2.0)], 7.0);
    let whole = mip::solve(&program, &MipOptions::default()).unwrap().solution().unwrap();
    assert_eq!((whole.objective, whole.values), (3.0, vec![3.0]));
    assert!((solve(&program.relaxed()).optimal().unwrap().objective - 3.5).abs() < 1e-9);
}

/// HiGHS refuses coefficients of 1e15 and more, which no check of ours does.
#[test]
fn a_program_that_highs_refuses_leaves_an_empty_solver() {
    let (program, [x, _], _) = textbook();
    let mut solver = Solver::new(&program, &LpOptions::default()).unwrap();
    let mut huge = LinearProgram::minimise();
    let column = huge.column(0.0, 1.0, 1.0);
    huge.at_most([(column, 1e16)], 1.0);
    assert!(matches!(solver.replace(&huge), Err(LpError::Solver { call: "Highs_passLp", .. })));
    assert_eq!(solver.row_count(), 0);
    assert_eq!(solver.set_cost(x, 1.0), Err(LpError::NoSuchColumn { column: 0, count: 0 }));
    solver.replace(&program).unwrap();
    assert!(solver.solve().unwrap().optimal().is_some());
}

#[test]
fn a_solve_ends_with_its_budget() {
    let interrupt = crate::budget::Interrupt::default();
    let budget = crate::budget::Budget::unlimited().with_interrupt(interrupt.clone());
    // A knapsack of equal ratios, hard enough that it does not end in presolve or at the root.
    let mut mixed = LinearProgram::maximise();
    let weights: Vec<f64> = (0..40).map(|i| f64::from(1_000 + i * 37 % 101)).collect();
    let items: Vec<ColumnId> = weights.iter().map(|&w| mixed.binary(w)).collect();
    for rest in 0..5 {
        let terms = items.iter().zip(&weights).map(|(&item, w)| (item, w + f64::from((rest * 13) % 7)));
        mixed.at_most(terms, 20_000.5 + f64::from(rest));
    }
    let options = MipOptions { node_limit: Some(5), ..MipOptions::default() };
    let run = mip::solve_under(&budget, &mixed, &options, None).unwrap();
    assert!(run.nodes <= 5 + 100, "{run:?}");
    let options = MipOptions { iteration_limit: Some(20), ..MipOptions::default() };
    let few = mip::solve_under(&budget, &mixed, &options, None).unwrap();
    assert!((20..run.iterations.max(2_000)).contains(&few.iterations), "{few:?} {run:?}");
    let by_iterations = matches!(few.outcome, MipOutcome::Feasible(_, Limit::Iterations))
        || few.outcome == MipOutcome::Limit(Limit::Iterations);
    assert!(by_iterations, "{few:?}");
    let mut solver = Solver::new(&mixed.clone().relaxed(), &LpOptions::default()).unwrap();
    solver.obey(&budget).unwrap();
    assert!(matches!(solver.solve().unwrap(), LpOutcome::Optimal(_)));
    solver.forget_basis().unwrap();
    interrupt.raise();
    assert_eq!(solver.solve().unwrap(), LpOutcome::Limit(Limit::Time));
    let run = mip::solve_under(&budget, &mixed, &MipOptions::default(), None).unwrap();
    assert!(!matches!(run.outcome, MipOutcome::Optimal(_)), "{run:?}");
}

#[test]
fn a_start_is_the_answer_where_there_is_no_time_to_find_another() {
    let mut program = LinearProgram::maximise();
    let items: Vec<ColumnId> = (0..30).map(|i| program.binary(f64::from(3 + i % 7))).collect();
    program.at_most(items.iter().enumerate().map(|(i, &item)| (item, 4.0 + (i % 5) as f64)), 60.0);
    let start: Vec<f64> = (0..30).map(|i| if i < 8 { 1.0 } else { 0.0 }).collect();
    assert!(program.violation_at(&start) < 1e-9);
    let from = |start| {
        let options = MipOptions { node_limit: Some(1), ..MipOptions::default() };
        let budget = crate::budget::Budget::unlimited();
        mip::solve_under(&budget, &program, &options, start).unwrap().outcome.solution().unwrap()
    };
    assert!(from(Some(&start)).objective >= program.objective_at(&start));
    let short = mip::solve_under(
        &crate::budget::Budget::unlimited(),
        &program,
        &MipOptions::default(),
        Some(&start[1..]),
    );
    assert!(short.is_err(), "a start needs one value a column");
}
