//! Auto-PGD (Croce and Hein 2020) on the margin, and on the margin over the outputs' spread, in turn.
//!
//! Every lane is a restart with a target conjunction of its own. The first step of an input is its interval's width, so
//! that narrow and wide inputs move alike, unlike in [`crate::search::strategy::pgd`].

use crate::network::{Real, Surrogate};
use crate::problem::Problem;
use crate::property::Region;
use crate::search::kernel::apgd::Apgd;
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
    /// The margins of the targets, one a lane.
    losses: Vec<T>,
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
        let enough = oracle.problem.network.output_len() >= spread::LEAST_OUTPUTS;
        let scaled = enough && self.starts.batch.is_multiple_of(2);
        kernel.start(&self.points);
        loop {
            self.starts.margins(oracle, &mut self.losses);
            if scaled {
                for (lane, loss) in self.losses.iter_mut().enumerate() {
                    *loss = spread::scaled(*loss, spread::moments(oracle.outputs(), lanes, lane).1);
                }
            }
            let targets = &self.starts.targets;
            let objective = if scaled { Objective::Scaled(targets) } else { Objective::Target(targets) };
            let gradient = oracle.gradient(objective, Surrogate::exact());
            if !kernel.tell(&self.losses, gradient) {
                return Ok(Progress::More);
            }
            oracle.evaluate(kernel.points())?;
        }
    }
}
