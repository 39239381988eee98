//! Several points of one attack at once: evaluated, judged, and differentiated lane by lane.

use super::attempt::{Attempt, confirm};
use crate::attack::{Session, Task};
use crate::budget::StopReason;
use crate::network::Workspace;

/// A block of points with a loss for each lane. Lists hold `lanes` numbers for each value, lanes innermost.
pub struct LossBlock {
    workspace: Workspace<f32>,
    outputs: Vec<f32>,
    weights: Vec<f32>,
    row: Vec<f32>,
    slope: Vec<f32>,
    /// The losses of the last [`differentiate`](Self::differentiate), one a lane.
    pub losses: Vec<f32>,
    /// Their gradients.
    pub gradients: Vec<f32>,
}

impl LossBlock {
    /// Memory for blocks of `lanes` points.
    pub fn new(task: &Task<'_>, lanes: usize) -> Self {
        let classes = task.victim.classes();
        Self {
            workspace: task.victim.network.workspace(lanes),
            outputs: Vec::new(),
            weights: vec![0.0; classes * lanes],
            row: vec![0.0; classes],
            slope: vec![0.0; classes],
            losses: vec![0.0; lanes],
            gradients: Vec::new(),
        }
    }

    /// Evaluates a block of points.
    ///
    /// # Errors
    /// [`StopReason`] when the budget is used up.
    pub fn evaluate(&mut self, session: &mut Session<'_>, points: &[f32]) -> Result<(), StopReason> {
        session.block(&mut self.workspace, points, &mut self.outputs)
    }

    /// The outputs of one lane.
    pub fn lane(&mut self, lane: usize) -> &[f32] {
        let lanes = self.losses.len();
        for (class, value) in self.row.iter_mut().enumerate() {
            *value = self.outputs[class * lanes + lane];
        }
        &self.row
    }

    /// Whether a lane is a success.
    pub fn crossed(&mut self, lane: usize, task: &Task<'_>) -> bool {
        task.success(self.lane(lane)).is_some()
    }

    /// The first of the points just evaluated that is adversarial within all limits.
    ///
    /// # Errors
    /// [`StopReason`] when the budget is used up.
    pub fn adversarial(&mut self, task: &Task<'_>, session: &mut Session<'_>, points: &[f32]) -> Attempt {
        for lane in 0..self.losses.len() {
            if self.crossed(lane, task)
                && let Some(found) = confirm(task, session, self.point(points, lane))?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The point of one lane.
    pub fn point(&self, points: &[f32], lane: usize) -> Vec<f32> {
        points.iter().skip(lane).step_by(self.losses.len()).copied().collect()
    }

    /// Sets losses and gradients at the points just evaluated: `loss` gets the lane, its outputs and a list for the
    /// derivatives by them, and returns the value.
    pub fn differentiate(
        &mut self,
        session: &mut Session<'_>,
        loss: impl Fn(usize, &[f32], &mut [f32]) -> f32,
    ) {
        let lanes = self.losses.len();
        for lane in 0..lanes {
            self.lane(lane);
            self.losses[lane] = loss(lane, &self.row, &mut self.slope);
            for (class, &weight) in self.slope.iter().enumerate() {
                self.weights[class * lanes + lane] = weight;
            }
        }
        session.block_gradient(&mut self.workspace, &self.weights, &mut self.gradients);
    }
}
