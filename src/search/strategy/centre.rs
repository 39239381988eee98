//! The centre of the box and its corners: 6 of the 47 known ACAS Xu counterexamples of VNN-COMP, and 20 of 25 of a
//! sample of its reinforcement-learning controllers, violate at the centre.

use crate::network::Real;
use crate::problem::Problem;
use crate::property::Region;
use crate::random::Random;
use crate::search::kernel::points::{ALL_CORNERS, middle};
use crate::search::{Falsifier, Halt, NotApplicable, Oracle, Progress};

/// Centre first, then corners.
struct Centre {
    free: Vec<usize>,
    random: Random,
    next: u64,
}

/// Makes the strategy; it always applies.
pub fn make<T: Real>(
    _problem: &Problem<T>,
    region: &Region,
    seed: u64,
) -> Result<Box<dyn Falsifier<T>>, NotApplicable> {
    Ok(Box::new(Centre { free: region.free().collect(), random: Random::new(seed), next: 0 }))
}

impl<T: Real> Falsifier<T> for Centre {
    fn price(&self, _problem: &Problem<T>) -> u64 {
        0
    }

    fn depends_on_seed(&self) -> bool {
        self.free.len() > ALL_CORNERS
    }

    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt> {
        let lanes = oracle.lanes();
        let mut points = Vec::with_capacity(oracle.dimensions() * lanes);
        for (&lower, &upper) in oracle.lower.iter().zip(&oracle.upper) {
            points.extend(std::iter::repeat_n(middle(lower, upper), lanes));
        }
        let all = self.free.len() <= ALL_CORNERS;
        let corners = if all { 1 << self.free.len() } else { lanes as u64 };
        // Point 0 is the centre, point c + 1 is corner c; lanes that are left over stay at the centre.
        for lane in 0..lanes {
            let corner = self.next.checked_sub(1);
            self.next += 1;
            let Some(corner) = corner.filter(|&corner| corner < corners) else { continue };
            for (bit, &i) in self.free.iter().enumerate() {
                let up = if all { corner >> bit & 1 == 1 } else { self.random.bits() & 1 == 1 };
                points[i * lanes + lane] = if up { oracle.upper[i] } else { oracle.lower[i] };
            }
        }
        oracle.evaluate(&points)?;
        Ok(if self.next > corners { Progress::Exhausted } else { Progress::More })
    }
}
