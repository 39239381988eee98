//! From the models of a query's networks to the problem.

use std::sync::Arc;

use vnnlib::{Equivalence, Query};

use super::{Problem, isomorphism};
use crate::error::Error;
use crate::network::{Network, Node, Real};
use crate::onnx::{self, Attribute, ElementType, Graph, Model};

/// Whether a search in single precision could not reach every value of an input, or would round integers before they
/// wrap around.
pub fn need_double(models: &[Arc<Model>]) -> bool {
    use ElementType::*;
    let double = |element| matches!(element, Float64 | Int32 | Int64 | UInt32 | UInt64);
    let inputs = models.iter().flat_map(|model| &model.graph.inputs);
    inputs.map(|input| input.element).any(double) || models.iter().any(|model| wraps_wide(model))
}

/// Whether integers of 32 or 64 bits that depend on the inputs may leave their type. Only the import tells, and it is only
/// asked where floats become integers at all.
fn wraps_wide(model: &Model) -> bool {
    makes_integers(&model.graph)
        && onnx::import::<f32>(model).is_ok_and(|network| network.nodes().iter().any(Node::wraps_wide))
}

fn makes_integers(graph: &Graph) -> bool {
    graph.nodes.iter().any(|node| {
        let inner = node.attributes.values().any(|a| matches!(a, Attribute::Graph(g) if makes_integers(g)));
        inner || matches!(node.operator.as_str(), "ArgMax" | "ArgMin" | "Cast" | "CastLike" | "TopK")
    })
}

impl<T: Real> Problem<T> {
    /// The problem of a query and `models`: those of the networks that need one of their own, in declaration order,
    /// not of networks that are declared equal to an earlier one.
    ///
    /// # Errors
    /// If there are too few or too many models, one cannot be used, they do not fit the declarations, or a network
    /// declared isomorphic to another one is not.
    pub fn of_models(query: Query, models: &[Arc<Model>]) -> Result<Self, Error> {
        let assigned = assigned(&query, models)?;
        let networks = assigned.iter().enumerate().map(|(number, model)| import::<T>(&query, number, model));
        let networks = networks.collect::<Result<_, _>>()?;
        Ok(Self::of_networks(query, networks)?)
    }
}

/// One model for each declared network; isomorphic ones are compared.
fn assigned(query: &Query, models: &[Arc<Model>]) -> Result<Vec<Arc<Model>>, Error> {
    let (mut assigned, mut rest): (Vec<Arc<Model>>, _) = (Vec::new(), models.iter());
    for network in query.networks() {
        let missing = || Error::Unassigned { network: network.name().to_owned() };
        let model = match network.equivalence() {
            Some(Equivalence::EqualTo(other)) => assigned.get(other).ok_or_else(missing)?.clone(),
            _ => rest.next().ok_or_else(missing)?.clone(),
        };
        if let Some(Equivalence::IsomorphicTo(other)) = network.equivalence()
            && let Some(first) = assigned.get(other)
        {
            isomorphism::compare(&first.graph, &model.graph).map_err(|difference| Error::NotIsomorphic {
                network: network.name().to_owned(),
                other: query.networks()[other].name().to_owned(),
                difference,
            })?;
        }
        assigned.push(model);
    }
    match rest.count() {
        0 => Ok(assigned),
        more => Err(Error::TooManyModels { more }),
    }
}

/// The network of a model with the hidden values that a query declares of it.
fn import<T: Real>(query: &Query, number: usize, model: &Model) -> Result<Network<T>, Error> {
    let own = query.tensors().iter().filter(|tensor| tensor.network() == number);
    let names = own.filter_map(vnnlib::Tensor::onnx_name).map(|name| name.trim_matches('"'));
    let hidden: Vec<&str> = names.collect();
    let failed = |source| Error::Import { path: model.path.clone(), source };
    onnx::import_with_hidden(model, &hidden).map_err(failed)
}
