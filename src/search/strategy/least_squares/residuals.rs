//! A conjunction as a system of equations: one residual a row, or a pair of rows.
//!
//! A row `Σ ≤ bound` has the residual `max(0, Σ − bound + aim)`. Two rows that hold one sum from both sides are a band,
//! or an equality where it has no width: the residual is the distance from its middle, two-sided, so that a point that
//! solves the system lies as deep inside of the band as one can. Rows `Σ ≠ bound` say too little to be equations.

use crate::network::Real;
use crate::property::margin::{Block, MarginGradient, add_row_gradient, lane_margin};
use crate::property::{Conjunction, Row, RowKind};

/// How far inside of a row without an opposite a solution shall lie, as a share of what the row adds up: more than the
/// rounding of any engine.
const AIM: f64 = 1e-5;

/// One equation.
#[derive(Debug, Clone, PartialEq)]
enum Equation {
    /// The row's margin shall not be less than the aim.
    Inside(Row),
    /// The row's margin shall be this: half of the width of the band that it and its opposite make.
    Middle(Row, f64),
}

/// The equations of a conjunction.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Residuals(Vec<Equation>);

impl Residuals {
    pub(super) fn of(conjunction: &Conjunction) -> Self {
        let rows: Vec<&Row> = conjunction.rows.iter().filter(|row| row.kind != RowKind::Differs).collect();
        let mut paired = vec![false; rows.len()];
        let mut equations = Vec::with_capacity(rows.len());
        for (at, row) in rows.iter().enumerate() {
            if paired[at] {
                continue;
            }
            let opposite =
                (at + 1..rows.len()).find(|&other| !paired[other] && are_opposite(row, rows[other]));
            equations.push(match opposite {
                Some(other) => {
                    paired[other] = true;
                    Equation::Middle((*row).clone(), 0.5 * (row.bound + rows[other].bound))
                }
                None => Equation::Inside((*row).clone()),
            });
        }
        Self(equations)
    }

    /// The residuals of one lane; zero where an equation is met.
    pub(super) fn values<T: Real>(&self, block: Block<'_, T>, lane: usize) -> Vec<f64> {
        let value = |equation: &Equation| match equation {
            Equation::Inside(row) => (aim(row, block, lane) - lane_margin(row, block, lane)).max(0.0),
            Equation::Middle(row, middle) => middle - lane_margin(row, block, lane),
        };
        self.0.iter().map(value).collect()
    }

    /// Whether every row of the conjunction holds in one lane.
    pub(super) fn hold<T: Real>(&self, block: Block<'_, T>, lane: usize) -> bool {
        self.0.iter().all(|equation| match equation {
            Equation::Inside(row) => 2.0 * lane_margin(row, block, lane) >= aim(row, block, lane),
            // Half of the band to either side of the middle, less a quarter for the rounding.
            Equation::Middle(row, middle) => {
                (middle - lane_margin(row, block, lane)).abs() <= 0.75 * middle.abs()
            }
        })
    }

    /// Adds the gradient of one equation's residual in one lane.
    pub(super) fn add_gradient<T: Real>(
        &self,
        equation: usize,
        block: Block<'_, T>,
        lane: usize,
        gradient: &mut MarginGradient<'_, T>,
    ) {
        let (Equation::Inside(row) | Equation::Middle(row, _)) = &self.0[equation];
        add_row_gradient(row, -T::one(), block, lane, gradient);
    }
}

fn aim<T: Real>(row: &Row, block: Block<'_, T>, lane: usize) -> f64 {
    let size = |terms: &[(usize, f64)], values: &[T]| {
        terms.iter().map(|&(i, c)| (c * values[i * block.lanes + lane].widen()).abs()).sum::<f64>()
    };
    AIM * (row.bound.abs() + size(&row.inputs, block.inputs) + size(&row.outputs, block.outputs))
}

/// Whether two rows hold the same sum from both sides, with room between them.
fn are_opposite(a: &Row, b: &Row) -> bool {
    let negated = |a: &[(usize, f64)], b: &[(usize, f64)]| {
        a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.0 == y.0 && x.1 == -y.1)
    };
    a.bound + b.bound >= 0.0 && negated(&a.inputs, &b.inputs) && negated(&a.outputs, &b.outputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(output: usize, coefficient: f64, bound: f64) -> Row {
        Row { inputs: vec![], outputs: vec![(output, coefficient)], bound, kind: RowKind::AtMost }
    }

    #[test]
    fn opposite_rows_are_one_equation_whose_solution_is_the_middle() {
        // 1 ≤ y₀ ≤ 3, y₁ ≤ 5.
        let conjunction = Conjunction { rows: vec![row(0, 1.0, 3.0), row(1, 1.0, 5.0), row(0, -1.0, -1.0)] };
        let residuals = Residuals::of(&conjunction);
        let at = |outputs: [f64; 2]| {
            let block = Block { inputs: &[], outputs: &outputs, lanes: 1 };
            (residuals.values(block, 0), residuals.hold(block, 0))
        };
        assert_eq!(at([2.0, 4.0]), (vec![0.0, 0.0], true));
        assert_eq!(at([2.5, 4.0]), (vec![0.5, 0.0], true));
        assert_eq!(at([0.0, 4.0]), (vec![-2.0, 0.0], false));
        let (values, holds) = at([2.0, 7.0]);
        assert!(!holds && (values[1] - 2.0 - 12.0 * AIM).abs() < 1e-12, "{values:?}");
        // On the row itself it holds for the fast engine only.
        assert!(!at([2.0, 5.0]).1);
    }

    #[test]
    fn gradients_are_those_of_the_residuals() {
        let conjunction = Conjunction { rows: vec![row(0, 2.0, 1.0), row(0, -2.0, 1.0), row(1, -3.0, -4.0)] };
        let residuals = Residuals::of(&conjunction);
        let outputs = [0.3, 0.1];
        let block = Block { inputs: &[], outputs: &outputs, lanes: 1 };
        let gradient = |equation| {
            let mut outputs = [0.0; 2];
            let mut gradient = MarginGradient { inputs: &mut [], outputs: &mut outputs };
            residuals.add_gradient(equation, block, 0, &mut gradient);
            outputs
        };
        assert_eq!((gradient(0), gradient(1)), ([2.0, 0.0], [0.0, -3.0]));
        assert!((residuals.values(block, 0)[0] - 0.6).abs() < 1e-12);
    }
}
