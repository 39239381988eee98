//! What is searched: a network, a property about it, and what they have in common.

use std::sync::OnceLock;

use vnnlib::Query;

use crate::network::bounds::{Bounder, NotSupported, Prepared};
use crate::network::layered::{Layered, NotLayered};
use crate::network::{Network, Real};
use crate::onnx::ElementType;
use crate::property::{Property, PropertyError};

/// A network and a property whose dimensions fit.
#[derive(Debug, Clone)]
pub struct Problem<T> {
    /// The network in the precision that the model declares; where the property only compares outputs with each
    /// other, without the functions at its end that keep their order.
    pub network: Network<T>,
    /// What a counterexample looks like.
    pub property: Property,
    /// The query that the property was made from: a witness is judged by its text.
    pub query: Query,
    double: OnceLock<Network<f64>>,
    prepared: OnceLock<Result<Prepared, NotSupported>>,
    layered: OnceLock<Result<Layered, NotLayered>>,
}

/// Why a network and a query do not make a problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProblemError {
    /// The property speaks of another number of inputs or outputs.
    #[error(
        "{file}: the property declares {declared} {what}, the network has {has} \
         (help: check that the two files belong together)"
    )]
    Dimensions {
        /// The property's file.
        file: String,
        /// `inputs` or `outputs`.
        what: &'static str,
        /// Number that the property declares.
        declared: usize,
        /// Number that the network has.
        has: usize,
    },
    /// The property cannot be searched.
    #[error(transparent)]
    Property(#[from] PropertyError),
}

impl<T: Real> Problem<T> {
    /// Puts the two together.
    ///
    /// # Errors
    /// If the dimensions differ or the property cannot be searched.
    pub fn new(query: Query, network: Network<T>) -> Result<Self, ProblemError> {
        let element = match std::mem::size_of::<T>() {
            8 => ElementType::Float64,
            _ => ElementType::Float32,
        };
        let property = Property::new(&query, element)?;
        let layout = property.layout();
        let sizes = [
            ("inputs", layout.inputs(), network.input_len()),
            ("outputs", layout.outputs(), network.output_len()),
        ];
        for (what, declared, has) in sizes {
            if declared != has {
                return Err(ProblemError::Dimensions { file: query.name().to_owned(), what, declared, has });
            }
        }
        let shortened = network.before_increasing_end().is_some() && property.only_orders_outputs()?;
        let network = if shortened { network.up_to_order() } else { network };
        Ok(Self {
            network,
            property,
            query,
            double: OnceLock::new(),
            prepared: OnceLock::new(),
            layered: OnceLock::new(),
        })
    }

    /// The network in double precision, for whatever reasons rather than searches; made when first asked for.
    pub fn double(&self) -> &Network<f64> {
        self.double.get_or_init(|| self.network.cast())
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
    /// The network as edge layers, convolutions written out; made when first asked for.
    ///
    /// # Errors
    /// If it is no chain of layers, or too large to be written out.
    pub fn layered(&self) -> Result<&Layered, NotLayered> {
        self.layered.get_or_init(|| Layered::new(self.double())).as_ref().map_err(|&reason| reason)
    }
}
