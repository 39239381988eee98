//! Corners of boxes where a bound says that a row could be best: gathered, and evaluated a block at a time.

use crate::network::Real;
use crate::search::kernel::points::fix;
use crate::search::{Halt, Oracle};

/// Corners that wait for a full block.
#[derive(Debug, Default)]
pub(in crate::search) struct CornerQueue<T> {
    waiting: Vec<Vec<T>>,
    points: Vec<T>,
}

impl<T: Real> CornerQueue<T> {
    /// Adds a corner, one number an input, moved into the oracle's box; evaluates the block that it fills.
    ///
    /// # Errors
    /// As [`Oracle::evaluate`].
    pub(in crate::search) fn add(
        &mut self,
        oracle: &mut Oracle<'_, T>,
        corner: impl Iterator<Item = f64>,
    ) -> Result<(), Halt> {
        let inside = |(i, x): (usize, f64)| T::of(x).max(oracle.lower[i]).min(oracle.upper[i]);
        self.waiting.push(corner.enumerate().map(inside).collect());
        if self.waiting.len() == oracle.lanes() { self.flush(oracle) } else { Ok(()) }
    }

    /// Evaluates those that wait.
    ///
    /// # Errors
    /// As [`Oracle::evaluate`].
    pub(in crate::search) fn flush(&mut self, oracle: &mut Oracle<'_, T>) -> Result<(), Halt> {
        let Some(last) = self.waiting.last().cloned() else { return Ok(()) };
        let lanes = oracle.lanes();
        fix(oracle, &mut self.points);
        for lane in 0..lanes {
            let corner = self.waiting.get(lane).unwrap_or(&last);
            for (i, &x) in corner.iter().enumerate() {
                self.points[i * lanes + lane] = x;
            }
        }
        self.waiting.clear();
        oracle.evaluate(&self.points)
    }
}
