//! Which sum of a few planes says most: the least distance at which all of them can hold together.
//!
//! Where inputs are few, boxes are cut until the network is nearly affine in each, and the planes of the property's rows are
//! all that there is to know. Their best sum comes from a program with a column an input, solved with cuts for the distance as
//! in [`program`](super::program), and again only its duals are used.

use super::reach::Reach;
use super::sweep::Plane;
use crate::budget::Budget;
use crate::lp::{ColumnId, LinearProgram, LpError, LpOptions, LpOutcome, RowId, Solver};

/// Solves, at most.
const MOST_SOLVES: u64 = 12;

/// The program of some planes.
struct Planes<'p> {
    planes: &'p [Plane],
    reach: &'p Reach<'p>,
    solver: Solver,
    distance: ColumnId,
    inputs: Vec<ColumnId>,
    rows: Vec<RowId>,
}

/// The weights of the planes in the best sum, none negative, and how many programs it took. `price` is that of a unit by
/// which they may be missed, in units of distance.
///
/// # Errors
/// If the solver fails.
pub(super) fn weights(
    planes: &[Plane],
    reach: &Reach<'_>,
    price: f64,
    budget: &Budget,
) -> Result<(Vec<f64>, u64), LpError> {
    let mut program = Planes::new(planes, reach, price, budget)?;
    let mut best = vec![0.0; planes.len()];
    for solved in 1..=MOST_SOLVES {
        let LpOutcome::Optimal(solution) = program.solver.solve()? else { return Ok((best, solved)) };
        best = program.rows.iter().map(|row| (-solution.row_duals[row.index()]).max(0.0)).collect();
        let (slopes, constant) = sum(planes, &best);
        let (at, radius) = (solution.values[program.distance.index()], reach.radius(&slopes, constant));
        if radius - at <= 1e-9 * radius || !radius.is_finite() {
            return Ok((best, solved));
        }
        program.cut(&slopes, at)?;
        program.cut(&slopes, radius)?;
    }
    Ok((best, MOST_SOLVES))
}

impl<'p> Planes<'p> {
    fn new(
        planes: &'p [Plane],
        reach: &'p Reach<'p>,
        price: f64,
        budget: &Budget,
    ) -> Result<Self, LpError> {
        let mut program = LinearProgram::minimise();
        let distance = program.column(0.0, f64::INFINITY, 1.0);
        let missing = program.column(0.0, f64::INFINITY, price);
        let ends = reach.lower.iter().zip(reach.upper);
        let inputs: Vec<ColumnId> = ends.map(|(&low, &high)| program.column(low, high, 0.0)).collect();
        let rows = planes.iter().map(|plane| {
            let terms = inputs.iter().copied().zip(plane.slopes.iter().copied());
            program.at_most(terms.chain([(missing, -1.0)]), -plane.constant)
        });
        let rows = rows.collect();
        let mut solver = Solver::new(&program, &LpOptions::default())?;
        solver.obey(budget)?;
        let mut made = Self { planes, reach, solver, distance, inputs, rows };
        made.begin()?;
        Ok(made)
    }

    /// Cuts along every input and every plane, at the distance of the farthest plane.
    fn begin(&mut self) -> Result<(), LpError> {
        let radii = self.planes.iter().map(|plane| self.reach.radius(&plane.slopes, plane.constant));
        let t = radii.filter(|radius| radius.is_finite()).fold(self.reach.floor(), f64::max);
        for input in 0..self.inputs.len() {
            for sign in [1.0, -1.0] {
                let mut slopes = vec![0.0; self.inputs.len()];
                slopes[input] = sign;
                self.cut(&slopes, t)?;
            }
        }
        let planes = self.planes;
        planes.iter().try_for_each(|plane| self.cut(&plane.slopes, t))
    }

    /// Adds the tangent of a direction's support function.
    fn cut(&mut self, slopes: &[f64], t: f64) -> Result<(), LpError> {
        let (value, slope) = self.reach.tangent(slopes, t);
        let terms = self.inputs.iter().copied().zip(slopes.iter().copied());
        let from = value - slope * t;
        if from.is_finite() {
            self.solver.add_row(from, terms.chain([(self.distance, -slope)]), f64::INFINITY)?;
        }
        Ok(())
    }
}

/// The weighted sum: slopes and constant, computed plainly.
fn sum(planes: &[Plane], weights: &[f64]) -> (Vec<f64>, f64) {
    let mut slopes = vec![0.0; planes.first().map_or(0, |plane| plane.slopes.len())];
    let mut constant = 0.0;
    for (plane, weight) in planes.iter().zip(weights) {
        slopes.iter_mut().zip(&plane.slopes).for_each(|(sum, s)| *sum += weight * s);
        constant += weight * plane.constant;
    }
    (slopes, constant)
}
