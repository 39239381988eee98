//! Counted evaluations and gradients of one victim within a budget.

use serde::{Deserialize, Serialize};

use super::Task;
use super::record::Proved;
use crate::budget::{Budget, StopReason};
use crate::network::{Network, Surrogate, Workspace};
use crate::random::Random;

/// What an attack on one image has spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spent {
    /// Points evaluated.
    pub evaluations: u64,
    /// Points differentiated.
    pub gradients: u64,
    /// Linear and mixed-integer programs solved.
    pub programs: u64,
}

/// The means of an attack on one image: the network's fast engine, randomness of its own, and a budget.
#[derive(Debug)]
pub struct Session<'a> {
    /// Seeded by the run's seed, the image's number and the method's name: no image depends on another.
    pub random: Random,
    /// What has been spent.
    pub spent: Spent,
    /// What is proved of how near a result can be, by a method that proves something.
    pub proved: Option<Proved>,
    /// The time that may be spent on this image.
    pub budget: &'a Budget,
    network: &'a Network<f32>,
    single: Workspace<f32>,
    outputs: Vec<f32>,
    gradient: Vec<f32>,
}

impl<'a> Session<'a> {
    /// A session of one network.
    pub fn new(network: &'a Network<f32>, budget: &'a Budget, random: Random) -> Self {
        let (single, spent) = (network.workspace(1), Spent::default());
        Self {
            random,
            spent,
            proved: None,
            budget,
            network,
            single,
            outputs: Vec::new(),
            gradient: Vec::new(),
        }
    }

    /// The outputs at one point.
    ///
    /// # Errors
    /// [`StopReason`] when the budget is used up.
    pub fn outputs(&mut self, input: &[f32]) -> Result<&[f32], StopReason> {
        self.budget.check()?;
        self.network.forward(&mut self.single, input);
        self.network.outputs_into(&self.single, &mut self.outputs);
        self.spent.evaluations += 1;
        Ok(&self.outputs)
    }

    /// Whether one point is a success of the task.
    ///
    /// # Errors
    /// [`StopReason`] when the budget is used up.
    pub fn fools(&mut self, task: &Task<'_>, input: &[f32]) -> Result<bool, StopReason> {
        Ok(task.success(self.outputs(input)?).is_some())
    }

    /// The gradient of `Σ weights · outputs` at the point of the last [`outputs`](Self::outputs): one number an input.
    pub fn gradient(&mut self, weights: &[f32]) -> &[f32] {
        self.network.backward(&mut self.single, weights, Surrogate::exact(), &mut self.gradient);
        self.spent.gradients += 1;
        &self.gradient
    }

    /// Evaluates a block of points with a workspace of the method's own: `input_len × lanes` numbers, lanes innermost;
    /// `outputs` receives `output_len × lanes`.
    ///
    /// # Errors
    /// [`StopReason`] when the budget is used up.
    pub fn block(
        &mut self,
        workspace: &mut Workspace<f32>,
        points: &[f32],
        outputs: &mut Vec<f32>,
    ) -> Result<(), StopReason> {
        self.budget.check()?;
        self.network.forward(workspace, points);
        self.network.outputs_into(workspace, outputs);
        self.spent.evaluations += workspace.lanes() as u64;
        Ok(())
    }

    /// The gradients of `Σ weights · outputs` (`output_len × lanes`) at the last block's points, into `gradient`.
    pub fn block_gradient(
        &mut self,
        workspace: &mut Workspace<f32>,
        weights: &[f32],
        gradient: &mut Vec<f32>,
    ) {
        self.network.backward(workspace, weights, Surrogate::exact(), gradient);
        self.spent.gradients += workspace.lanes() as u64;
    }
}
