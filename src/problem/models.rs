//! From the models of a query's networks to the problem.

use std::path::PathBuf;
use std::sync::Arc;

use vnnlib::{Equivalence, Query};

use super::isomorphism::{self, Difference};
use super::{Problem, ProblemError};
use crate::network::{self, ImportError, Network, Node, Real};
use crate::onnx::{Attribute, ElementType, Graph, Model};
use crate::unpack::shown;

/// Why models are not what a query's networks need.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// The network cannot be used.
    #[error("{}: {source}", shown(.path))]
    Import {
        /// The network's file.
        path: PathBuf,
        /// Why.
        source: Box<ImportError>,
    },
    /// A declared network without a model.
    #[error("network {network} has no model (help: name its file with --network {network}=FILE)")]
    Unassigned {
        /// The declared name.
        network: String,
    },
    /// More models than networks that need one.
    #[error("{more} more model(s) than the property declares networks (help: check the --network options)")]
    TooManyModels {
        /// How many too many.
        more: usize,
    },
    /// A network declared isomorphic to another one is not.
    #[error(
        "network {network} is declared isomorphic to {other}, but {difference} \
         (help: check the files, or leave `isomorphic-to` out)"
    )]
    NotIsomorphic {
        /// The declared name.
        network: String,
        /// The other one's.
        other: String,
        /// Where their models differ.
        difference: Box<Difference>,
    },
    /// The query does not fit the networks or cannot be searched.
    #[error(transparent)]
    Problem(#[from] ProblemError),
}

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
        && network::import::<f32>(model).is_ok_and(|network| network.nodes().iter().any(Node::wraps_wide))
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
    pub fn of_models(query: Query, models: &[Arc<Model>]) -> Result<Self, ModelsError> {
        let assigned = assigned(&query, models)?;
        let networks = assigned.iter().enumerate().map(|(number, model)| import::<T>(&query, number, model));
        let networks = networks.collect::<Result<_, _>>()?;
        Ok(Self::of_networks(query, networks)?)
    }
}

/// One model for each declared network; isomorphic ones are compared.
fn assigned(query: &Query, models: &[Arc<Model>]) -> Result<Vec<Arc<Model>>, ModelsError> {
    let (mut assigned, mut rest): (Vec<Arc<Model>>, _) = (Vec::new(), models.iter());
    for network in query.networks() {
        let missing = || ModelsError::Unassigned { network: network.name().to_owned() };
        let model = match network.equivalence() {
            Some(Equivalence::EqualTo(other)) => assigned.get(other).ok_or_else(missing)?.clone(),
            _ => rest.next().ok_or_else(missing)?.clone(),
        };
        if let Some(Equivalence::IsomorphicTo(other)) = network.equivalence()
            && let Some(first) = assigned.get(other)
        {
            isomorphism::compare(&first.graph, &model.graph).map_err(|difference| {
                ModelsError::NotIsomorphic {
                    network: network.name().to_owned(),
                    other: query.networks()[other].name().to_owned(),
                    difference: Box::new(difference),
                }
            })?;
        }
        assigned.push(model);
    }
    match rest.count() {
        0 => Ok(assigned),
        more => Err(ModelsError::TooManyModels { more }),
    }
}

/// The network of a model with the hidden values that a query declares of it.
fn import<T: Real>(query: &Query, number: usize, model: &Model) -> Result<Network<T>, ModelsError> {
    let own = query.tensors().iter().filter(|tensor| tensor.network() == number);
    let names = own.filter_map(vnnlib::Tensor::onnx_name).map(|name| name.trim_matches('"'));
    let hidden: Vec<&str> = names.collect();
    let failed = |error| ModelsError::Import { path: model.path.clone(), source: Box::new(error) };
    network::import_with_hidden(model, &hidden).map_err(failed)
}
