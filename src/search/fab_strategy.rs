//! FAB (Croce and Hein 2020): steps to the boundary of each lane's target conjunction, linearised, from random origins.
//!
//! Distances are measured in widths of the box. Where gradients are honest and large, as on images, a few steps
//! suffice; lanes without a gradient are drawn anew.

use super::fab::Fab;
use super::starts::{Restarts, price, widths};
use super::{Falsifier, Halt, NotApplicable, Objective, Oracle, Progress};
use crate::network::{Real, Surrogate};
use crate::problem::Problem;
use crate::property::Region;

const STEPS: usize = 50;

type Strategy<T> = Restarts<T, Fab<T>>;

/// Makes the strategy; it applies where more than one point can be reached, and gradients are not zero everywhere.
pub fn make<T: Real>(
    problem: &Problem<T>,
    region: &Region,
    seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    Ok(Box::new(Strategy::new(problem, region, seed)?))
}

impl<T: Real> Falsifier<T> for Strategy<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        price(problem, STEPS)
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        let lanes = oracle.lanes();
        let kernel =
            self.kernel.get_or_insert_with(|| Fab::new(&oracle.lower, &oracle.upper, &widths(oracle), lanes));
        self.starts.draw(oracle, &mut self.points)?;
        kernel.start(&self.points, &self.points);
        for _ in 0..STEPS {
            self.starts.margins(oracle, &mut self.losses);
            let gradient = oracle.gradient(Objective::Target(&self.starts.targets), Surrogate::exact());
            kernel.tell(&self.losses, gradient);
            if kernel.stuck().contains(&true) {
                self.points.copy_from_slice(kernel.points());
                for lane in (0..lanes).filter(|&lane| kernel.stuck()[lane]) {
                    self.starts.redraw(oracle, lane, &mut self.points);
                }
                kernel.restart(&self.points);
            }
            oracle.evaluate(kernel.points())?;
        }
        Ok(Progress::More)
    }
}
