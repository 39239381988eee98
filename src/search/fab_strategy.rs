//! FAB (Croce and Hein 2020): steps to the boundary of each lane's target conjunction, linearised, from random origins.
//!
//! Distances are measured in widths of the box. Where gradients are honest and large, as on images, a few steps
//! suffice; lanes without a gradient are drawn anew.

use super::fab::Fab;
use super::starts::Starts;
use super::{Falsifier, Halt, NotApplicable, Objective, Oracle, Progress};
use crate::network::{Real, Surrogate};
use crate::problem::Problem;
use crate::property::Region;

const STEPS: usize = 50;

struct Strategy<T> {
    starts: Starts,
    kernel: Option<Fab<T>>,
    points: Vec<T>,
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
    Ok(Box::new(Strategy { starts, kernel: None, points: Vec::new(), losses: Vec::new() }))
}

impl<T: Real> Falsifier<T> for Strategy<T> {
    fn price(&self, problem: &Problem<T>) -> u64 {
        (3 * STEPS * problem.network.block_lanes() * problem.network.multiplications()) as u64
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        let lanes = oracle.lanes();
        let kernel = self.kernel.get_or_insert_with(|| {
            let widths: Vec<T> = oracle.upper.iter().zip(&oracle.lower).map(|(&u, &l)| u - l).collect();
            Fab::new(&oracle.lower, &oracle.upper, &widths, lanes)
        });
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
