//! Plain twins of the solvers, and the random programs that both are given.

use proptest::prelude::*;

use super::TOLERANCE;
use crate::lp::*;

/// The best objective over all points where as many bounds as there are columns are tight, or `None` where no
/// such point is feasible. Complete for programs in a finite box.
pub(super) fn best_vertex(program: &LinearProgram) -> Option<f64> {
    let n = program.columns().len();
    let mut planes: Vec<(Vec<f64>, f64)> = Vec::new();
    let mut push = |normal: Vec<f64>, lower: f64, upper: f64| {
        planes.extend([lower, upper].into_iter().filter(|b| b.is_finite()).map(|b| (normal.clone(), b)));
    };
    for (j, column) in program.columns().iter().enumerate() {
        let mut unit = vec![0.0; n];
        unit[j] = 1.0;
        push(unit, column.lower, column.upper);
    }
    for row in program.rows() {
        let mut dense = vec![0.0; n];
        row.columns.iter().zip(row.coefficients).for_each(|(&j, &a)| dense[j] = a);
        push(dense, row.lower, row.upper);
    }
    let vertices = choose(planes.len(), n)
        .into_iter()
        .filter_map(|set| solve_square(set.iter().map(|&p| (planes[p].0.clone(), planes[p].1)).collect()));
    best(program, vertices.filter(|point| program.violation_at(point) < TOLERANCE))
}

/// The best objective over all whole points of the box, or `None` where none is feasible.
pub(super) fn best_integer_point(program: &LinearProgram) -> Option<f64> {
    let mut points = vec![Vec::new()];
    for column in program.columns() {
        let range = column.lower as i32..=column.upper as i32;
        points = points
            .iter()
            .flat_map(|point: &Vec<f64>| {
                range.clone().map(move |v| point.iter().copied().chain([f64::from(v)]).collect())
            })
            .collect();
    }
    best(program, points.into_iter().filter(|point| program.violation_at(point) < TOLERANCE))
}

fn best(program: &LinearProgram, points: impl Iterator<Item = Vec<f64>>) -> Option<f64> {
    points.map(|point| program.objective_at(&point)).reduce(match program.sense() {
        Sense::Minimise => f64::min,
        Sense::Maximise => f64::max,
    })
}

fn choose(count: usize, size: usize) -> Vec<Vec<usize>> {
    if size == 0 {
        return vec![Vec::new()];
    }
    (0..count)
        .flat_map(|last| {
            choose(last, size - 1).into_iter().map(move |mut set| {
                set.push(last);
                set
            })
        })
        .collect()
}

/// Gauss with pivoting; `None` for a singular system.
fn solve_square(mut system: Vec<(Vec<f64>, f64)>) -> Option<Vec<f64>> {
    let n = system.len();
    for k in 0..n {
        let pivot = (k..n).max_by(|&a, &b| system[a].0[k].abs().total_cmp(&system[b].0[k].abs()))?;
        system.swap(k, pivot);
        let (normal, value) = system[k].clone();
        if normal[k].abs() < 1e-9 {
            return None;
        }
        for (_, row) in system.iter_mut().enumerate().filter(|(i, _)| *i != k) {
            let factor = row.0[k] / normal[k];
            row.0.iter_mut().zip(&normal).for_each(|(a, b)| *a -= factor * b);
            row.1 -= factor * value;
        }
    }
    Some(system.iter().enumerate().map(|(k, row)| row.1 / row.0[k]).collect())
}

prop_compose! {
    /// A program in a finite box with whole coefficients: many are degenerate, some infeasible.
    pub(super) fn boxed_program(integer: bool)(
        columns in prop::collection::vec((-2i32..=1, 0i32..=3, -3i32..=3), 1..=3),
        rows in prop::collection::vec((prop::array::uniform3(-3i32..=3), -4i32..=4, 0i32..=4, 0u8..4), 0..=4),
        maximise in any::<bool>(),
    ) -> LinearProgram {
        let mut program = LinearProgram::new(if maximise { Sense::Maximise } else { Sense::Minimise });
        let ids: Vec<ColumnId> = columns
            .iter()
            .map(|&(lower, width, cost)| {
                let (lower, upper, cost) = (f64::from(lower), f64::from(lower + width), f64::from(cost));
                if integer { program.integer(lower, upper, cost) } else { program.column(lower, upper, cost) }
            })
            .collect();
        for (coefficients, lower, width, kind) in rows {
            let terms = ids.iter().copied().zip(coefficients.map(f64::from));
            let (lower, upper) = (f64::from(lower), f64::from(lower + width));
            match kind {
                0 => program.at_most(terms, upper),
                1 => program.at_least(terms, lower),
                2 => program.equal(terms, lower),
                _ => program.row(lower, terms, upper),
            };
        }
        program
    }
}
