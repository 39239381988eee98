//! One look at the whole region with the cheapest sound bounds: intervals forwards, the property's rows backwards, no neuron's interval
//! tightened on the way.
//!
//! Many properties of convolutional networks are proved by no more (all 27 of collins_rul that are proved at all), while tightening, which
//! sweeps a row for each neuron, costs more than a thousand evaluations: `split` has its first turn late, and rightly so, for it promises
//! little then. This costs as much as a few evaluations and a row's gradient.

use crate::bounds::Tightening;
use crate::network::Real;
use crate::problem::Problem;
use crate::property::Region;
use crate::search::kernel::exclusion::bounder;
use crate::search::kernel::tally::PRICE_OF_BOUNDS;
use crate::search::kernel::whole;
use crate::search::strategy::split::hope_of;
use crate::search::{Falsifier, Halt, NotApplicable, Oracle, Progress};

/// With its rows counted.
struct Glance {
    rows: usize,
}

/// Makes the strategy; it applies where every operator has sound bounds.
pub fn make<T: Real>(
    problem: &Problem<T>,
    region: &Region,
    _seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    bounder(problem)?;
    let rows = match &region.condition {
        Some(condition) => condition.rows.len(),
        None => region.conjunctions.iter().map(|conjunction| conjunction.rows.len()).sum(),
    };
    Ok(Box::new(Glance { rows }))
}

impl Glance {
    /// Multiplications: two ends forwards, each row backwards.
    fn work<T: Real>(&self, problem: &Problem<T>) -> usize {
        problem.network.multiplications().saturating_mul(2 + self.rows)
    }
}

impl<T: Real> Falsifier<T> for Glance {
    fn price(&self, problem: &Problem<T>) -> u64 {
        PRICE_OF_BOUNDS.saturating_mul(self.work(problem) as u64)
    }

    fn depends_on_seed(&self) -> bool {
        false
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        let Ok(mut bounder) = oracle.problem.bounder() else { return Ok(Progress::Exhausted) };
        oracle.tally.count_bounds(self.work(oracle.problem));
        let region = &oracle.region;
        let keep_going = || oracle.check().is_ok();
        if !bounder.intervals(&region.hull_lower, &region.hull_upper, Tightening::None, &keep_going) {
            oracle.check()?;
            return Ok(Progress::Exhausted);
        }
        let is_out = match &region.condition {
            Some(condition) => whole::hope_of(&mut bounder, condition).is_none(),
            None => region.conjunctions.iter().all(|way| hope_of(&mut bounder, way).is_none()),
        };
        Ok(if is_out { Progress::Proved } else { Progress::Exhausted })
    }
}
