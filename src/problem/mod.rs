//! What is searched: one network, a property about it, and what they have in common.
//!
//! A query may declare several networks, name hidden values, set inputs equal and multiply variables. `assemble`
//! makes one network of all that, so that the search need not know: couplings are wiring, hidden values and products
//! are further outputs. The replay knows nothing of it and runs each model alone.

mod assemble;
pub mod fit;
pub mod isomorphism;
mod models;
pub mod names;
mod signature;
#[cfg(test)]
mod tests;
pub mod theories;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use vnnlib::Query;

pub use models::{ModelsError, need_double};
pub use signature::SignatureError;

use crate::bounds::{Bounder, NotSupported, Prepared};
use crate::network::layered::{Layered, NotLayered};
use crate::network::{Network, Real, maxima};
use crate::property::{Property, PropertyError, Space, grid};

/// A network and a property whose dimensions fit.
#[derive(Debug, Clone)]
pub struct Problem<T> {
    /// The searched network: for a query about one network, that one; where the property only compares outputs with
    /// each other, without the functions at its end that keep their order.
    pub network: Network<T>,
    /// What a counterexample looks like.
    pub property: Property,
    /// The query that the property was made from: a witness is judged by its text.
    pub query: Query,
    double: OnceLock<Network<f64>>,
    prepared: OnceLock<Result<Prepared, NotSupported>>,
    layered: OnceLock<Result<Layered, NotLayered>>,
    /// `None` where there are no maxima to be written out, or too many.
    written_out: OnceLock<Option<Network<f64>>>,
}

/// Why a network and a query do not make a problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProblemError {
    /// The query and the networks do not belong together.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The property cannot be searched.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// The networks are too large to be joined.
    #[error("the networks cannot be joined: {0} (help: use smaller networks)")]
    TooLarge(String),
}

impl<T: Real> Problem<T> {
    /// Puts a query about one network together with that network.
    ///
    /// # Errors
    /// As [`Problem::of_networks`].
    pub fn new(query: Query, network: Network<T>) -> Result<Self, ProblemError> {
        Self::of_networks(query, vec![network])
    }

    /// Puts a query together with its networks, one for each that it declares. The outputs of each are the declared
    /// hidden values, in declaration order, then its outputs.
    ///
    /// # Errors
    /// If the declarations do not match the networks, or the property cannot be searched.
    pub fn of_networks(query: Query, networks: Vec<Network<T>>) -> Result<Self, ProblemError> {
        signature::check(&query, &networks)?;
        let elements: Vec<_> = networks.iter().flat_map(signature::input_elements).collect();
        let property = Property::new(&query, &elements)?;
        let plain = networks.len() == 1 && property.layout().products().is_empty();
        let network = assemble::assemble(networks, property.layout());
        let network = network.map_err(|error| ProblemError::TooLarge(error.0))?;
        let shortened =
            plain && network.before_increasing_end().is_some() && property.only_orders_outputs()?;
        let network = if shortened { network.up_to_order() } else { network };
        Ok(Self {
            network,
            property,
            query,
            double: OnceLock::new(),
            prepared: OnceLock::new(),
            layered: OnceLock::new(),
            written_out: OnceLock::new(),
        })
    }

    /// The declared inputs, in declaration order, that an input of the search stands for: each the nearest number of
    /// its own type; those that follow from outputs as this network computes them. `literals` are by input of the search, and become
    /// literals by declared input.
    pub fn declared_inputs(
        &self,
        input: &[T],
        literals: &BTreeMap<usize, String>,
    ) -> (Vec<f64>, BTreeMap<usize, String>) {
        let layout = self.property.layout();
        let outputs = if layout.followed().is_empty() { Vec::new() } else { self.network.evaluate(input) };
        let value = |declared: usize| {
            let (from, place) = match layout.place_of_input(declared) {
                (Space::Input, place) => (input, place),
                (Space::Output, place) => (outputs.as_slice(), place),
            };
            grid::nearest(
                layout.element_of_declared(declared),
                from.get(place).map_or(f64::NAN, |x| x.widen()),
            )
        };
        let sources = layout.sources().iter().enumerate();
        let literal = |(declared, source): (usize, &Option<usize>)| {
            Some((declared, literals.get(source.as_ref()?)?.clone()))
        };
        ((0..layout.declared_inputs()).map(value).collect(), sources.filter_map(literal).collect())
    }

    /// The network in double precision, for whatever reasons rather than searches; made when first asked for.
    pub fn double(&self) -> &Network<f64> {
        self.double.get_or_init(|| self.network.cast())
    }

    /// The network in double precision with its maxima written out as rectifiers, where it has some; made when first asked for.
    pub fn without_maxima(&self) -> &Network<f64> {
        self.written_out.get_or_init(|| maxima::written_out(self.double())).as_ref().unwrap_or(self.double())
    }

    /// The network as edge layers, convolutions and maxima written out; made when first asked for.
    ///
    /// # Errors
    /// If it is no chain of layers, or too large to be written out.
    pub fn layered(&self) -> Result<&Layered, NotLayered> {
        self.layered.get_or_init(|| Layered::new(self.without_maxima())).as_ref().map_err(|&reason| reason)
    }

    /// Sound bounds of the network.
    ///
    /// # Errors
    /// If an operator has none.
    pub fn bounder(&self) -> Result<Bounder<'_>, NotSupported> {
        let prepare = || Bounder::new(self.double()).map(|bounder| bounder.prepared());
        match self.prepared.get_or_init(prepare) {
            Ok(prepared) => Ok(Bounder::resume(self.double(), prepared)),
            Err(error) => Err(error.clone()),
        }
    }
}
