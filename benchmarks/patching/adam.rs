//! Adam (Kingma and Ba 2015) on the hinge of the margins, a comparator only: restarts in blocks, 300 steps each, a
//! tenth of each interval as the first step, 1% less from step to step, moved back into the box.

use counterpatch::budget::Budget;
use counterpatch::network::{Real, Surrogate};
use counterpatch::problem::Problem;
use counterpatch::search::kernel::losses::RowLoss;
use counterpatch::search::kernel::oracle::Oracle;
use counterpatch::search::kernel::shared::Shared;
use counterpatch::search::kernel::starts::Starts;
use counterpatch::search::{Halt, Judge, NotApplicable, Objective, Tally};

const STEPS: i32 = 300;
const FIRST_STEP: f64 = 0.1;
const DECAY: f64 = 0.99;
const FIRST_MOMENT: f64 = 0.9;
const SECOND_MOMENT: f64 = 0.999;
const TINY: f64 = 1e-8;

/// Searches the regions in turn, a block of restarts each, until the judge confirms a witness or the budget is used
/// up. Says whether it found one, and what it spent.
pub(crate) fn search(
    problem: &Problem<f32>,
    seed: u64,
    budget: &Budget,
    judge: &dyn Judge<f32>,
) -> Result<(bool, Tally), NotApplicable> {
    let shared = Shared::default();
    let mut oracle = Oracle::new(problem, judge, &shared, budget);
    let regions: Vec<_> =
        (0..problem.property.region_count()).filter_map(|i| problem.property.region(i).ok()).collect();
    let mut starts = regions.iter().map(|r| Starts::new(r, seed)).collect::<Result<Vec<_>, _>>()?;
    while !regions.is_empty() {
        for (region, starts) in regions.iter().zip(&mut starts) {
            oracle.enter(region, None);
            if climb(&mut oracle, starts).is_err() {
                return Ok((oracle.has_found(), oracle.tally));
            }
        }
    }
    Ok((false, oracle.tally))
}

fn climb(oracle: &mut Oracle<'_, f32>, starts: &mut Starts) -> Result<(), Halt> {
    let mut points = Vec::new();
    starts.draw(oracle, &mut points)?;
    let lanes = oracle.lanes();
    let (mut first, mut second) = (vec![0.0; points.len()], vec![0.0; points.len()]);
    let sums = vec![RowLoss::Sum; lanes];
    let mut size = FIRST_STEP;
    for step in 1..=STEPS {
        let gradient = oracle.gradient(Objective::Rows(&starts.targets, &sums), Surrogate::exact());
        for ((m, v), g) in first.iter_mut().zip(&mut second).zip(gradient) {
            let g = g.widen();
            *m = FIRST_MOMENT * *m + (1.0 - FIRST_MOMENT) * g;
            *v = SECOND_MOMENT * *v + (1.0 - SECOND_MOMENT) * g * g;
        }
        let scales = (1.0 - FIRST_MOMENT.powi(step), 1.0 - SECOND_MOMENT.powi(step));
        for &i in &starts.free {
            let (lower, upper) = (oracle.lower[i], oracle.upper[i]);
            let width = f64::from(upper) - f64::from(lower);
            for at in i * lanes..(i + 1) * lanes {
                let moved = size * width * (first[at] / scales.0) / ((second[at] / scales.1).sqrt() + TINY);
                points[at] = (f64::from(points[at]) + moved).clamp(lower.into(), upper.into()) as f32;
            }
        }
        size *= DECAY;
        oracle.evaluate(&points)?;
    }
    Ok(())
}
