//! A counterexample for programs: a witness's numbers as arrays with names and shapes.
//!
//! VNN-LIB 2.0 declares a name and a shape for every tensor, and those are used. Version 1.0 only numbers variables: the names and
//! shapes are then those of the network, so that an array can be handed to any runtime as it is.

use std::sync::Arc;

use ndarray::{ArrayD, IxDyn};
use vnnlib::{Equivalence, Query, Role, Version};

use crate::onnx::{ElementType, Model, ValueInfo};
use crate::witness::{Answer, Certainty, Decimals, Witness, WitnessTensor};

/// The numbers of one input or output.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedArray {
    /// Its name.
    pub name: String,
    /// The type that the network declares for it.
    pub element: ElementType,
    /// Its numbers as doubles. Those of the network's type are exact, up to integers beyond 2⁵³.
    pub values: ArrayD<f64>,
    /// The decimals that count, row by row.
    pub decimals: Vec<String>,
}

/// An input that violates the property, validated, and what the network computes there.
#[derive(Debug, Clone)]
pub struct Counterexample {
    inputs: Vec<NamedArray>,
    outputs: Vec<NamedArray>,
    witness: Witness,
}

impl Counterexample {
    /// Of a witness of a query and its fitted models.
    pub fn new(witness: Witness, query: &Query, models: &[Arc<Model>]) -> Self {
        let [inputs, outputs] = arrays(witness.tensors(), query, models);
        Self { inputs, outputs, witness }
    }

    /// All inputs, in declaration order.
    pub fn inputs(&self) -> &[NamedArray] {
        &self.inputs
    }

    /// All outputs, behind the hidden values that the property declares.
    pub fn outputs(&self) -> &[NamedArray] {
        &self.outputs
    }

    /// The numbers of the input or output of this name.
    pub fn get(&self, name: &str) -> Option<&ArrayD<f64>> {
        let mut all = self.inputs.iter().chain(&self.outputs);
        all.find(|array| array.name == name).map(|array| &array.values)
    }

    /// What it rests on.
    pub fn certainty(&self) -> Certainty {
        self.witness.certainty()
    }

    /// By how much the violation exceeds what other engines' rounding may cost, in units of the outputs; negative for a thin one.
    pub fn excess(&self) -> f64 {
        self.witness.excess()
    }

    /// The results file, with the decimals that count: `sat`, then the assignment in the form of the property's version.
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        // Memory takes everything.
        let _ = Answer::Sat(&self.witness).write_to(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The witness itself.
    pub fn witness(&self) -> &Witness {
        &self.witness
    }
}

/// The inputs of a query's tensors, as the network names and shapes them.
pub(crate) fn named_inputs(
    tensors: &[WitnessTensor],
    query: &Query,
    models: &[Arc<Model>],
) -> Vec<NamedArray> {
    let [inputs, _] = arrays(tensors, query, models);
    inputs
}

/// The inputs, and what there is of outputs, of a query's tensors.
fn arrays(tensors: &[WitnessTensor], query: &Query, models: &[Arc<Model>]) -> [Vec<NamedArray>; 2] {
    let mut arrays = [Vec::new(), Vec::new()];
    let owners = owners(query);
    for (at, (tensor, listed)) in query.tensors().iter().zip(tensors).enumerate() {
        let is_input = tensor.role() == Role::Input;
        let model = owners.get(tensor.network()).and_then(|&owner| models.get(owner));
        let infos: &[ValueInfo] = match (model, tensor.role()) {
            (Some(model), Role::Input) => &model.graph.inputs,
            (Some(model), Role::Output) => &model.graph.outputs,
            _ => &[],
        };
        let own = &mut arrays[usize::from(!is_input)];
        let split = match query.version() {
            Version::V1 => of_network(infos, listed.values()),
            Version::V2 { .. } => None,
        };
        own.extend(split.unwrap_or_else(|| {
            let earlier = query.tensors().iter().take(at);
            let place =
                earlier.filter(|other| other.network() == tensor.network() && other.role() == tensor.role());
            let element = infos.get(place.count()).map_or(ElementType::Float64, |info| info.element);
            let shape = tensor.shape().iter().map(|&size| size as usize).collect();
            vec![array(tensor.name(), element, shape, listed.values().iter())]
        }));
    }
    arrays
}

/// The position of each declared network's model among the models given: a network that equals another one has its model.
fn owners(query: &Query) -> Vec<usize> {
    let mut owners: Vec<usize> = Vec::new();
    let mut next = 0;
    for network in query.networks() {
        let shared = match network.equivalence() {
            Some(Equivalence::EqualTo(other)) => owners.get(other).copied(),
            _ => None,
        };
        owners.push(shared.unwrap_or(next));
        next += usize::from(shared.is_none());
    }
    owners
}

/// The variables of version 1.0, one after the other, as what the network declares; `None` where their numbers differ.
fn of_network(infos: &[ValueInfo], values: &Decimals) -> Option<Vec<NamedArray>> {
    let shapes: Vec<Vec<usize>> = infos.iter().map(ValueInfo::closed_shape).collect::<Option<_>>()?;
    let sizes = shapes.iter().map(|shape| shape.iter().product::<usize>());
    if sizes.sum::<usize>() != values.len() {
        return None;
    }
    let mut rest = values.iter();
    let arrays = infos.iter().zip(shapes).map(|(info, shape)| {
        let size = shape.iter().product();
        array(&info.name, info.element, shape, rest.by_ref().take(size))
    });
    Some(arrays.collect())
}

/// Decimals as an array; flat where there are more or fewer of them than the shape says.
fn array<'d>(
    name: &str,
    element: ElementType,
    shape: Vec<usize>,
    decimals: impl Iterator<Item = &'d str>,
) -> NamedArray {
    let decimals: Vec<String> = decimals.map(str::to_owned).collect();
    let numbers: Vec<f64> = decimals.iter().map(|decimal| decimal.parse().unwrap_or(f64::NAN)).collect();
    let fits = shape.iter().product::<usize>() == numbers.len();
    let shape = if fits { shape } else { vec![numbers.len()] };
    // Cannot fail, as the shape is that of the numbers.
    let values = ArrayD::from_shape_vec(IxDyn(&shape), numbers).unwrap_or_default();
    NamedArray { name: name.to_owned(), element, values, decimals }
}
