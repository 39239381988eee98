//! Replay: the declared tensors of a query, computed by the reference engine from the inputs' values.
//!
//! VNN-LIB 1.0 declares one tensor `X` and one `Y`; 2.0 declares tensors of several networks. Either way the flat
//! values of a network's declared inputs, one after the other, are those of its model's inputs, one after the other;
//! and so for the outputs. Hidden tensors are asked for by name.

use std::sync::Arc;

use vnnlib::{Equivalence, Query, Role};

use crate::onnx::{Dim, ElementType, Model, ModelError, ValueInfo};
use crate::reference::{Engine, Precision, Unsupported};

/// Why a query cannot be replayed on the given models.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// A declared network has no model.
    #[error("network {0} has no model (help: name its file with --network {0}=FILE)")]
    NoModel(String),
    /// The reference engine lacks operators.
    #[error("{0}")]
    Unsupported(Unsupported),
    /// The numbers of values differ.
    #[error(
        "network {network} has {has} {what} values, the property declares {declared} \
         (help: check that the network and the property belong together)"
    )]
    Dimensions {
        /// The declared network.
        network: String,
        /// `input` or `output`.
        what: &'static str,
        /// How many values the model has.
        has: usize,
        /// How many the query declares.
        declared: usize,
    },
    /// An input's values are of a type that no number can be read into.
    #[error(
        "input {name} has no fixed number of values (help: declare its shape when the model is exported)"
    )]
    Shapeless {
        /// The model's input.
        name: String,
    },
    /// The run itself failed.
    #[error("{0}")]
    Run(#[from] ModelError),
}

/// A value as a model's input of this type holds it; integers are cut off towards zero, as a cast does.
pub fn cast(element: ElementType, x: f64) -> f64 {
    match element {
        ElementType::Float64 => x,
        ElementType::Float32 => f64::from(x as f32),
        ElementType::Float16 => half::f16::from_f64(x).to_f64(),
        ElementType::BFloat16 => half::bf16::from_f64(x).to_f64(),
        ElementType::Bool => f64::from(u8::from(x != 0.0)),
        _ => x.trunc(),
    }
}

/// One declared network with its engine.
struct Unit {
    engine: Engine,
    /// Positions of its declared tensors in the query, by role.
    inputs: Vec<usize>,
    hidden: Vec<(usize, String)>,
    outputs: Vec<usize>,
    /// Type and number of values of each model input.
    feeds: Vec<(ElementType, usize)>,
}

/// The engines of a query's networks.
pub struct Replay {
    query: Query,
    units: Vec<Unit>,
    #[cfg(feature = "ort")]
    runtime: super::runtime::Runtime,
}

impl Replay {
    /// Matches the declared networks with models, in declaration order; a network declared equal to an earlier one
    /// takes that one's model and none of its own.
    ///
    /// # Errors
    /// If a network has no model, an operator is unknown to the reference engine, or the sizes of inputs differ.
    pub fn new(query: Query, models: impl IntoIterator<Item = Arc<Model>>) -> Result<Self, ReplayError> {
        let mut models = models.into_iter();
        let mut units: Vec<Unit> = Vec::new();
        for network in query.networks() {
            let engine = match network.equivalence() {
                Some(Equivalence::EqualTo(other)) => units.get(other).map(|unit| unit.engine.clone()),
                _ => models.next().map(Engine::new).transpose().map_err(ReplayError::Unsupported)?,
            };
            let engine = engine.ok_or_else(|| ReplayError::NoModel(network.name().to_owned()))?;
            units.push(Unit::new(&query, network, engine)?);
        }
        Ok(Self {
            query,
            units,
            #[cfg(feature = "ort")]
            runtime: super::runtime::Runtime::new(),
        })
    }

    /// Large products may be dealt out to so many threads; no result depends on it.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        for unit in &mut self.units {
            unit.engine = unit.engine.clone().with_threads(threads);
        }
        self
    }

    /// The query.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// Whether kernels for bytes may compute something else.
    pub fn may_differ_in_bytes(&self) -> bool {
        self.units.iter().any(|unit| unit.engine.may_differ_in_bytes())
    }

    /// The type of the first network's first input: what a judge compares in.
    pub fn element(&self) -> ElementType {
        let first = self.units.first().and_then(|unit| unit.feeds.first());
        first.map_or(ElementType::Float32, |&(element, _)| element)
    }

    /// The values that the models hold when they are given these: each rounded to its model input's type. `point`
    /// and the result have one list a tensor; lists that are no input's are left as they are.
    pub fn rounded(&self, mut point: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        for unit in &self.units {
            let mut elements =
                unit.feeds.iter().flat_map(|&(element, len)| std::iter::repeat_n(element, len));
            for &tensor in &unit.inputs {
                for value in point.get_mut(tensor).into_iter().flatten() {
                    *value = cast(elements.next().unwrap_or(ElementType::Float32), *value);
                }
            }
        }
        point
    }

    /// Runs one network, in declaration order, on its inputs in `point`, and stores its outputs there, rounded to their type.
    pub(super) fn run_network(
        &self,
        network: usize,
        point: &mut [Vec<f64>],
        precision: Precision,
    ) -> Result<(), ReplayError> {
        let Some(unit) = self.units.get(network) else { return Ok(()) };
        let results = unit.run(point, precision)?;
        unit.store_all(&self.query, results, point)?;
        unit.round_outputs(point);
        Ok(())
    }

    /// The same in ONNX Runtime.
    #[cfg(feature = "ort")]
    pub(super) fn run_network_in_runtime(
        &self,
        network: usize,
        point: &mut [Vec<f64>],
    ) -> Result<(), ReplayError> {
        let Some(unit) = self.units.get(network) else { return Ok(()) };
        let models: Vec<&Model> = self.units.iter().map(|unit| unit.engine.model()).collect();
        let flat = unit.flat_inputs(point);
        match self.runtime.run(&models, network, &unit.split(&flat)) {
            Some(results) => unit.store_all(&self.query, results?, point),
            None => Ok(()),
        }
    }

    /// The same in ONNX Runtime, which is not at hand without the feature `ort`.
    #[cfg(not(feature = "ort"))]
    pub(super) fn run_network_in_runtime(
        &self,
        network: usize,
        point: &mut [Vec<f64>],
    ) -> Result<(), ReplayError> {
        self.run_network(network, point, Precision::Model)
    }

    /// Whether ONNX Runtime is at hand for all networks.
    #[cfg(feature = "ort")]
    pub(super) fn has_runtime(&self) -> bool {
        let models: Vec<&Model> = self.units.iter().map(|unit| unit.engine.model()).collect();
        self.units.iter().all(|unit| unit.hidden.is_empty()) && self.runtime.is_at_hand(&models)
    }

    /// Whether ONNX Runtime is at hand for all networks.
    #[cfg(not(feature = "ort"))]
    pub(super) fn has_runtime(&self) -> bool {
        false
    }

    /// The outputs of a run rounded to the type of the model's outputs, where a network has one for all.
    pub fn rounded_outputs(&self, mut point: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        self.units.iter().for_each(|unit| unit.round_outputs(&mut point));
        point
    }

    /// Fills in the outputs (and hidden tensors) that belong to the inputs of `point`, which has one list a tensor
    /// in declaration order.
    ///
    /// # Errors
    /// If the engine fails, or computes another number of values than the query declares.
    pub fn run(&self, mut point: Vec<Vec<f64>>, precision: Precision) -> Result<Vec<Vec<f64>>, ReplayError> {
        point.resize(self.query.tensors().len(), Vec::new());
        for unit in &self.units {
            let results = unit.run(&point, precision)?;
            unit.store_all(&self.query, results, &mut point)?;
        }
        Ok(point)
    }

    /// The same in ONNX Runtime; `None` where that is not at hand, or a hidden tensor is declared, which it does not
    /// show.
    ///
    /// # Errors
    /// As [`Replay::run`].
    #[cfg(feature = "ort")]
    pub fn run_in_runtime(&self, mut point: Vec<Vec<f64>>) -> Option<Result<Vec<Vec<f64>>, ReplayError>> {
        if self.units.iter().any(|unit| !unit.hidden.is_empty()) {
            return None;
        }
        point.resize(self.query.tensors().len(), Vec::new());
        let models: Vec<&Model> = self.units.iter().map(|unit| unit.engine.model()).collect();
        for (index, unit) in self.units.iter().enumerate() {
            let flat = unit.flat_inputs(&point);
            let results = self.runtime.run(&models, index, &unit.split(&flat))?;
            let stored = results
                .map_err(ReplayError::Run)
                .and_then(|results| unit.store_all(&self.query, results, &mut point));
            if let Err(error) = stored {
                return Some(Err(error));
            }
        }
        Some(Ok(point))
    }

    /// Without the feature `ort` there is no replay in ONNX Runtime.
    ///
    /// # Errors
    /// None.
    #[cfg(not(feature = "ort"))]
    pub fn run_in_runtime(&self, _point: Vec<Vec<f64>>) -> Option<Result<Vec<Vec<f64>>, ReplayError>> {
        None
    }

    /// Why candidates were not replayed in ONNX Runtime; `None` if they were, or there were none.
    pub fn runtime_missing(&self) -> Option<String> {
        #[cfg(feature = "ort")]
        return self.runtime.missing().map(ToString::to_string);
        #[cfg(not(feature = "ort"))]
        None
    }
}

impl Unit {
    fn new(query: &Query, network: &vnnlib::Network, engine: Engine) -> Result<Self, ReplayError> {
        let of_role = |role| {
            let tensors = network.tensors().map(vnnlib::TensorId::index);
            tensors.filter(|&t| query.tensors()[t].role() == role).collect::<Vec<_>>()
        };
        let inputs = of_role(Role::Input);
        let hidden = of_role(Role::Hidden).into_iter().filter_map(|tensor| {
            let name = query.tensors()[tensor].onnx_name()?;
            Some((tensor, name.trim_matches('"').to_owned()))
        });
        let feeds = engine.model().graph.inputs.iter().map(feed).collect::<Result<Vec<_>, _>>()?;
        let declared: usize = inputs.iter().map(|&tensor| query.tensors()[tensor].len()).sum();
        let has = feeds.iter().map(|&(_, len)| len).sum();
        if declared != has {
            let network = network.name().to_owned();
            return Err(ReplayError::Dimensions { network, what: "input", has, declared });
        }
        Ok(Self { inputs, hidden: hidden.collect(), outputs: of_role(Role::Output), feeds, engine })
    }

    fn run(&self, point: &[Vec<f64>], precision: Precision) -> Result<Vec<Vec<f64>>, ReplayError> {
        let flat = self.flat_inputs(point);
        let hidden: Vec<&str> = self.hidden.iter().map(|(_, name)| name.as_str()).collect();
        let outputs = self.engine.run_with_hidden(&self.split(&flat), precision, &hidden)?;
        Ok(outputs.into_iter().map(|output| output.values).collect())
    }

    /// Rounds its outputs in `point` to their type, where they have one for all.
    fn round_outputs(&self, point: &mut [Vec<f64>]) {
        let mut elements = self.engine.model().graph.outputs.iter().map(|output| output.element);
        let Some(element) = elements.next() else { return };
        if !element.is_float() || elements.any(|other| other != element) {
            return;
        }
        for &tensor in &self.outputs {
            point.get_mut(tensor).into_iter().flatten().for_each(|value| *value = cast(element, *value));
        }
    }

    /// The declared inputs' values, one after the other.
    fn flat_inputs(&self, point: &[Vec<f64>]) -> Vec<f64> {
        self.inputs.iter().filter_map(|&tensor| point.get(tensor)).flatten().copied().collect()
    }

    /// They, shared out to the model's inputs.
    fn split<'a>(&self, flat: &'a [f64]) -> Vec<&'a [f64]> {
        let mut rest = flat;
        let feed = |&(_, len): &(ElementType, usize)| {
            let (feed, behind) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            rest = behind;
            feed
        };
        self.feeds.iter().map(feed).collect()
    }

    /// Stores a run's results: first the model's outputs, then the hidden values.
    fn store_all(
        &self,
        query: &Query,
        results: Vec<Vec<f64>>,
        point: &mut [Vec<f64>],
    ) -> Result<(), ReplayError> {
        let (outputs, hidden) = results.split_at(results.len().saturating_sub(self.hidden.len()));
        self.store(query, outputs.concat(), &self.outputs, point)?;
        for ((tensor, _), values) in self.hidden.iter().zip(hidden) {
            self.store(query, values.clone(), &[*tensor], point)?;
        }
        Ok(())
    }

    /// Shares flat values out to declared tensors.
    fn store(
        &self,
        query: &Query,
        flat: Vec<f64>,
        tensors: &[usize],
        point: &mut [Vec<f64>],
    ) -> Result<(), ReplayError> {
        let lengths = || tensors.iter().map(|&tensor| query.tensors()[tensor].len());
        let declared = lengths().sum();
        if declared != flat.len() {
            let network = tensors.first().map_or(0, |&tensor| query.tensors()[tensor].network());
            let network = query.networks().get(network).map_or("", vnnlib::Network::name).to_owned();
            return Err(ReplayError::Dimensions { network, what: "output", has: flat.len(), declared });
        }
        let mut rest = flat.as_slice();
        for (&tensor, len) in tensors.iter().zip(lengths()) {
            let (values, behind) = rest.split_at(len);
            point[tensor] = values.to_vec();
            rest = behind;
        }
        Ok(())
    }
}

/// Type and number of values of a model input; symbolic dimensions count as 1.
fn feed(info: &ValueInfo) -> Result<(ElementType, usize), ReplayError> {
    let shapeless = || ReplayError::Shapeless { name: info.name.clone() };
    let dims = info.shape.as_ref().ok_or_else(shapeless)?;
    let extent = |dim: &Dim| if let Dim::Fixed(extent) = dim { *extent } else { 1 };
    let count = dims.iter().try_fold(1_usize, |product, dim| product.checked_mul(extent(dim)));
    Ok((info.element, count.ok_or_else(shapeless)?))
}
