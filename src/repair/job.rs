//! A model file, a property and points that belong together; and the copy of the file with a repair in it.
//!
//! The repair is found in double precision, and the file holds what its own type can hold. So the copy is judged anew:
//! read as any other model and replayed by the reference engine.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use vnnlib::{Query, Role, Tensor};

use super::compare;
use super::demand::{self, Demand, DemandError};
use super::tail::{NotDense, Tail};
use super::{NoSuchLayer, Patch, RepairTask};
use crate::network::{self, ImportError, Network, Real};
use crate::onnx::write::{self, Edit, Weights};
use crate::onnx::{ElementType, Model, ModelError, ValueInfo};
use crate::problem::{Problem, ProblemError};
use crate::property::decision::Decision;
use crate::property::grid;
use crate::reference::Precision;
use crate::witness::replay::{Replay, ReplayError};

/// What is to be repaired, as it stands in files.
#[derive(Debug)]
pub struct Job {
    model: Model,
    /// The model file, unpacked.
    bytes: Vec<u8>,
    query: Query,
    network: Network<f64>,
    tail: Tail,
    /// As the model's inputs can hold them.
    points: Vec<Vec<f64>>,
    demands: Vec<Demand>,
}

/// Files that do not make a job, or a repair that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The model cannot be used.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// An input is of a type that is not supported.
    #[error("an input is of type {0} (help: networks with inputs of float32 and float64 can be repaired)")]
    Element(ElementType),
    /// The property speaks of more than one network's inputs and outputs.
    #[error("the property has {0} (help: a repair needs a property of one network's inputs and outputs)")]
    Beyond(&'static str),
    /// The property does not fit.
    #[error(transparent)]
    Problem(#[from] ProblemError),
    /// There are no layers to repair.
    #[error(transparent)]
    NotDense(#[from] NotDense),
    /// The property says nothing of the points that weights could achieve.
    #[error(transparent)]
    Demand(#[from] DemandError),
    /// The weights cannot be written back.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The copy cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The network has no such layer.
    #[error(transparent)]
    NoSuchLayer(#[from] NoSuchLayer),
}

/// By how much a written copy satisfies the demands: the least over all points, in units of the property's rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margins {
    /// In the model's own precision.
    pub model: f64,
    /// In double precision.
    pub double: f64,
}

impl Job {
    /// The network's file.
    pub fn path(&self) -> &Path {
        &self.model.path
    }

    /// The property.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// Puts the parts together. `bytes` is the unpacked file that `model` was read from, each point has one number
    /// for each input of the network.
    ///
    /// # Errors
    /// If the network is not supported, has no fully connected end, or property and points do not fit it.
    pub fn new(model: Model, bytes: Vec<u8>, query: Query, points: &[Vec<f64>]) -> Result<Self, JobError> {
        if let Some(what) = beyond(&query) {
            return Err(JobError::Beyond(what));
        }
        let known = |element: ElementType| matches!(element, ElementType::Float32 | ElementType::Float64);
        if let Some(input) = model.graph.inputs.iter().find(|input| !known(input.element)) {
            return Err(JobError::Element(input.element));
        }
        let Problem { network, property, query, .. } = Problem::new(query, network::import::<f64>(&model)?)?;
        let layout = property.layout();
        if layout.inputs() != layout.declared_inputs() {
            return Err(JobError::Beyond("inputs that are always equal"));
        }
        if !layout.products().is_empty() {
            return Err(JobError::Beyond("products of variables"));
        }
        let tail = Tail::of(&network)?;
        let demands = demand::demands(&property, points)?;
        let held = |(input, &x): (usize, &f64)| grid::nearest(layout.element(input), x);
        let points = points.iter().map(|point| point.iter().enumerate().map(held).collect()).collect();
        Ok(Self { model, bytes, query, network, tail, points, demands })
    }

    /// The layers that can be repaired.
    pub fn tail(&self) -> &Tail {
        &self.tail
    }

    /// What the search for a repair needs.
    pub fn task(&self) -> RepairTask<'_> {
        RepairTask { network: &self.network, tail: &self.tail, points: &self.points, demands: &self.demands }
    }

    /// The model file's bytes with the patches in them, each new weight rounded to its tensor's type.
    ///
    /// # Errors
    /// If a layer's weights are no constant of the file's main graph, or are used elsewhere too.
    pub fn rewritten(&self, patches: &[Patch]) -> Result<Vec<u8>, JobError> {
        let mut edits: BTreeMap<String, Vec<Edit>> = BTreeMap::new();
        for patch in patches.iter().filter(|patch| !patch.changes.is_empty()) {
            let layer = &self.tail.layers[patch.layer];
            let weights = Weights::find(&self.model, &layer.name, layer.inputs, &layer.weights)?;
            let edit = |change: &super::Change| {
                let value = layer.row(change.target)[change.source] + change.by;
                weights.edit(change.target, change.source, value)
            };
            let own = patch.changes.iter().map(edit);
            edits.entry(weights.tensor.clone()).or_default().extend(own);
        }
        Ok(write::with_edits(&self.bytes, &edits)?)
    }

    /// By how much a copy, read back, does what it should.
    ///
    /// # Errors
    /// If the reference engine cannot run it.
    pub fn replayed(&self, copy: Arc<Model>) -> Result<Margins, JobError> {
        let replay = Replay::new(self.query.clone(), [copy])?;
        let least = |precision| -> Result<f64, JobError> {
            let mut least = f64::INFINITY;
            for (point, demand) in self.points.iter().zip(&self.demands) {
                let values = replay.run(self.shared_out(point), precision)?;
                least = least.min(demand.margin(&self.outputs(&values)));
            }
            Ok(least)
        };
        Ok(Margins { model: least(Precision::Model)?, double: least(Precision::Double)? })
    }

    /// A point, as one list for each of the property's tensors.
    fn shared_out(&self, point: &[f64]) -> Vec<Vec<f64>> {
        let mut rest = point.iter().copied();
        let share = |tensor: &Tensor| match tensor.role() {
            Role::Input => rest.by_ref().take(tensor.len()).collect(),
            Role::Output | Role::Hidden => Vec::new(),
        };
        self.query.tensors().iter().map(share).collect()
    }

    fn outputs(&self, values: &[Vec<f64>]) -> Vec<f64> {
        let tensors = self.query.tensors().iter().zip(values);
        tensors
            .filter(|(tensor, _)| tensor.role() == Role::Output)
            .flat_map(|(_, values)| values.clone())
            .collect()
    }

    /// For how many of these inputs the copy decides differently, in the model's precision.
    ///
    /// # Errors
    /// If the copy cannot be used.
    pub fn differences(
        &self,
        copy: &Model,
        decision: Decision,
        sample: &[Vec<f64>],
    ) -> Result<usize, JobError> {
        let is_double = |input: &ValueInfo| input.element == ElementType::Float64;
        if self.model.graph.inputs.iter().any(is_double) {
            self.differences_in::<f64>(copy, decision, sample)
        } else {
            self.differences_in::<f32>(copy, decision, sample)
        }
    }

    fn differences_in<T: Real>(
        &self,
        copy: &Model,
        decision: Decision,
        sample: &[Vec<f64>],
    ) -> Result<usize, JobError> {
        let (before, after) = (network::import::<T>(&self.model)?, network::import::<T>(copy)?);
        let points = sample.iter().map(|point| point.iter().map(|&x| T::of(x)).collect());
        Ok(compare::differences(&before, &after, decision, points))
    }
}

/// What a query has that a repair cannot use.
fn beyond(query: &Query) -> Option<&'static str> {
    if query.networks().len() != 1 {
        return Some("several networks");
    }
    let is_hidden = query.tensors().iter().any(|tensor| tensor.role() == Role::Hidden);
    is_hidden.then_some("hidden values")
}
