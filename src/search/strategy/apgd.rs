//! Auto-PGD (Croce and Hein 2020) on the margin, on the margin over the outputs' spread, and, where a conjunction has several
//! rows, on what they lack together ([`Score`]), in turn.
//!
//! Every lane is a restart with a target conjunction of its own. The first step of an input is its interval's width, so
//! that narrow and wide inputs move alike, unlike in [`crate::search::strategy::pgd`].

use crate::network::{Real, Surrogate};
use crate::problem::Problem;
use crate::property::Region;
use crate::search::kernel::apgd::Apgd;
use crate::search::kernel::losses::{RowLoss, Score, has_several_rows};
use crate::search::kernel::spread;
use crate::search::kernel::starts::{Starts, price};
use crate::search::{Falsifier, Halt, NotApplicable, Objective, Oracle, Progress};

const STEPS: usize = 100;

struct ApgdStrategy<T> {
    starts: Starts,
    /// Made in the first round, when the box is known.
    kernel: Option<Apgd<T>>,
    /// The block of starts.
    points: Vec<T>,
    /// What the block's points are worth, one a lane.
    losses: Vec<T>,
}

/// What a batch climbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BatchAim {
    Margin,
    Scaled,
    Lack,
}

impl BatchAim {
    /// The number of a batch, from 1, decides among those that make a difference.
    fn of<T: Real>(batch: usize, oracle: &Oracle<'_, T>) -> Self {
        let has_spread = oracle.problem.network.output_len() >= spread::LEAST_OUTPUTS;
        let has_rows = has_several_rows(&oracle.region);
        let aims: &[Self] = match (has_spread, has_rows) {
            (true, true) => &[Self::Scaled, Self::Lack, Self::Margin],
            (true, false) => &[Self::Scaled, Self::Margin],
            (false, true) => &[Self::Lack, Self::Margin],
            (false, false) => &[Self::Margin],
        };
        aims[batch % aims.len()]
    }

    /// What the last block's points are worth for their targets.
    fn losses<T: Real>(self, oracle: &Oracle<'_, T>, targets: &[u32], losses: &mut Vec<T>) {
        let score = if self == Self::Lack { Score::Lack } else { Score::Margin };
        score.of_targets(oracle, targets, losses);
        if self == Self::Scaled {
            let lanes = oracle.lanes();
            for (lane, loss) in losses.iter_mut().enumerate() {
                *loss = spread::scaled(*loss, spread::moments(oracle.outputs(), lanes, lane).1);
            }
        }
    }
}

/// Makes the strategy; it applies where more than one point can be reached, and gradients are not zero everywhere.
pub fn make<T: Real>(
    problem: &Problem<T>,
    region: &Region,
    seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    if problem.network.jumps() {
        return Err(NotApplicable("the network jumps: its gradient says nothing"));
    }
    let starts = Starts::new(region, seed)?;
    Ok(Box::new(ApgdStrategy { starts, kernel: None, points: Vec::new(), losses: Vec::new() }))
}

impl<T: Real> Falsifier<T> for ApgdStrategy<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        price(problem, STEPS)
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        let lanes = oracle.lanes();
        let kernel = self.kernel.get_or_insert_with(|| {
            let widths: Vec<T> = oracle.upper.iter().zip(&oracle.lower).map(|(&u, &l)| u - l).collect();
            Apgd::new(&oracle.lower, &oracle.upper, &widths, lanes, STEPS)
        });
        self.starts.draw(oracle, &mut self.points)?;
        let aim = BatchAim::of(self.starts.batch, oracle);
        let sums = vec![RowLoss::Sum; lanes];
        kernel.start(&self.points);
        loop {
            let targets = &self.starts.targets;
            aim.losses(oracle, targets, &mut self.losses);
            let objective = match aim {
                BatchAim::Margin => Objective::Target(targets),
                BatchAim::Scaled => Objective::Scaled(targets),
                BatchAim::Lack => Objective::Rows(targets, &sums),
            };
            let gradient = oracle.gradient(objective, Surrogate::exact());
            if !kernel.tell(&self.losses, gradient) {
                return Ok(Progress::More);
            }
            oracle.evaluate(kernel.points())?;
        }
    }
}
