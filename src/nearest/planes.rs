//! Which sum of a few planes says most: the least distance at which all of them can hold together.
//!
//! Where inputs are few, boxes are cut until the network is nearly affine in each, and the planes of the property's rows are
//! all that there is to know. Their best sum comes from a program with a row a plane, over mixtures of corners as in
//! [`program`](super::program); of its duals [`bound`](super::bound) makes a plane, and its optimum is a point to look at.

use super::reach::Reach;
use super::sweep::Plane;
use crate::budget::Budget;
use crate::lp::{ColumnId, LinearProgram, LpError, LpOptions, LpOutcome, RowId, Solver};

/// Solves, at most; each asks for two corners.
const MOST_SOLVES: usize = 16;

/// The best sum of some planes.
#[derive(Debug, Clone)]
pub(super) struct PlaneSum {
    /// The weight of each plane, not negative.
    pub(super) weights: Vec<f64>,
    /// The nearest point known that satisfies them all, or nearly.
    pub(super) point: Vec<f64>,
    /// Programs solved.
    pub(super) programs: u64,
}

/// The program of some planes.
struct Mixtures<'p> {
    planes: &'p [Plane],
    reach: &'p Reach<'p>,
    solver: Solver,
    rows: Vec<RowId>,
    whole: RowId,
    /// Columns of the corners, and empty ones for those to come.
    columns: Vec<ColumnId>,
    corners: Vec<Vec<f64>>,
}

/// The best sum of planes. `price` is that of a unit by which they may be missed, in units of distance.
///
/// # Errors
/// If the solver fails.
pub(super) fn best_sum(
    planes: &[Plane],
    reach: &Reach<'_>,
    price: f64,
    budget: &Budget,
) -> Result<PlaneSum, LpError> {
    let mut mixtures = Mixtures::new(planes, reach, price, budget)?;
    mixtures.add((0..reach.nominal.len()).map(|i| reach.base(i)).collect())?;
    for plane in planes {
        mixtures.add(reach.point(&plane.slopes, reach.radius(&plane.slopes, plane.constant)))?;
    }
    let mut sum =
        PlaneSum { weights: vec![0.0; planes.len()], point: mixtures.corners[0].clone(), programs: 0 };
    for _ in 0..MOST_SOLVES {
        sum.programs += 1;
        let LpOutcome::Optimal(solution) = mixtures.solver.solve()? else { break };
        let weight = |row: &RowId| (-solution.row_duals[row.index()]).max(0.0);
        sum.weights = mixtures.rows.iter().map(weight).collect();
        sum.point = mixtures.mixture(&solution.values);
        let (slopes, constant) = combined(planes, &sum.weights);
        let radius = reach.radius(&slopes, constant);
        if radius >= solution.objective * (1.0 - 1e-7) - 1e-12 {
            break;
        }
        mixtures.add(reach.priced(&slopes))?;
        mixtures.add(reach.point(&slopes, radius))?;
    }
    Ok(sum)
}

impl<'p> Mixtures<'p> {
    fn new(planes: &'p [Plane], reach: &'p Reach<'p>, price: f64, budget: &Budget) -> Result<Self, LpError> {
        let mut program = LinearProgram::minimise();
        let missing = program.column(0.0, f64::INFINITY, price);
        let room = 1 + planes.len() + 2 * MOST_SOLVES;
        let columns = (0..room).map(|_| program.column(0.0, 0.0, 0.0)).collect();
        let row = |plane: &Plane| program.at_most([(missing, -1.0)], -plane.constant);
        let rows = planes.iter().map(row).collect();
        let whole = program.equal([], 1.0);
        let mut solver = Solver::new(&program, &LpOptions::default())?;
        solver.obey(budget)?;
        Ok(Self { planes, reach, solver, rows, whole, columns, corners: Vec::new() })
    }

    fn add(&mut self, x: Vec<f64>) -> Result<(), LpError> {
        let Some(&column) = self.columns.get(self.corners.len()) else { return Ok(()) };
        for (plane, &row) in self.planes.iter().zip(&self.rows) {
            let value = plane.slopes.iter().zip(&x).map(|(slope, x)| slope * x).sum();
            self.solver.set_coefficient(row, column, value)?;
        }
        self.solver.set_coefficient(self.whole, column, 1.0)?;
        self.solver.set_cost(column, self.reach.cost(&x))?;
        self.solver.set_bounds(column, 0.0, f64::INFINITY)?;
        self.corners.push(x);
        Ok(())
    }

    fn mixture(&self, values: &[f64]) -> Vec<f64> {
        let mut point = vec![0.0; self.reach.nominal.len()];
        for (corner, column) in self.corners.iter().zip(&self.columns) {
            let share = values[column.index()];
            point.iter_mut().zip(corner).for_each(|(sum, x)| *sum += share * x);
        }
        point
    }
}

/// The weighted sum: slopes and constant, computed plainly.
fn combined(planes: &[Plane], weights: &[f64]) -> (Vec<f64>, f64) {
    let mut slopes = vec![0.0; planes.first().map_or(0, |plane| plane.slopes.len())];
    let mut constant = 0.0;
    for (plane, weight) in planes.iter().zip(weights) {
        slopes.iter_mut().zip(&plane.slopes).for_each(|(sum, s)| *sum += weight * s);
        constant += weight * plane.constant;
    }
    (slopes, constant)
}
