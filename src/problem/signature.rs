//! Whether a query declares the networks that it is given.
//!
//! VNN-LIB 2.0 wants every input and output of a model declared, in the model's order and with its type, unless that
//! is `real`. A declared shape may differ from the model's as long as it has as many elements, as the competition's
//! scorer has it. VNN-LIB 1.0 knows one flat input and one flat output.

use vnnlib::{Query, Role, Tensor, Version};

use crate::network::{Network, Node, Real};
use crate::onnx::ElementType;

/// A query and a network that do not belong together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Another number of networks.
    #[error("the property declares {declared} networks, {given} are given (help: name each with --network)")]
    Networks {
        /// Number that the property declares.
        declared: usize,
        /// Number that there are.
        given: usize,
    },
    /// VNN-LIB 1.0: another number of inputs or outputs.
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
    /// VNN-LIB 2.0: another number of input or output tensors.
    #[error(
        "{file}: network {network} declares {declared} {what} tensor(s), its model has {has} \
         (help: declare all of them, in the model's order)"
    )]
    Tensors {
        /// The property's file.
        file: String,
        /// The declared network.
        network: String,
        /// `input` or `output`.
        what: &'static str,
        /// Number that the property declares.
        declared: usize,
        /// Number that the model has.
        has: usize,
    },
    /// A tensor with another number of elements.
    #[error(
        "{file}: {tensor} is declared with the shape {declared:?}, the model's {name} has {has:?} \
         (help: declare the model's own shape, symbolic dimensions as 1)"
    )]
    Shape {
        /// The property's file.
        file: String,
        /// The declared tensor.
        tensor: String,
        /// Its shape.
        declared: Vec<u32>,
        /// The model's value.
        name: String,
        /// Its shape.
        has: Vec<usize>,
    },
    /// A tensor of another type.
    #[error(
        "{file}: {tensor} is declared as {declared}, the model's {name} is {has} \
         (help: declare it as {has} or as real)"
    )]
    Type {
        /// The property's file.
        file: String,
        /// The declared tensor.
        tensor: String,
        /// Its type.
        declared: vnnlib::ElementType,
        /// The model's value.
        name: String,
        /// Its type.
        has: ElementType,
    },
    /// An input with an initialiser.
    #[error(
        "{file}: {tensor} is declared as initialized, which is not supported \
         (help: leave the declaration out: the input then has the model's own value)"
    )]
    Initialized {
        /// The property's file.
        file: String,
        /// The declared tensor.
        tensor: String,
    },
}

/// The element types of a network's flat inputs.
pub(super) fn input_elements<T: Real>(network: &Network<T>) -> impl Iterator<Item = ElementType> + '_ {
    let nodes = network.inputs().iter().map(|&id| network.node(id));
    nodes.flat_map(|node| std::iter::repeat_n(node.element, node.len()))
}

/// Compares a query's declarations with its networks.
///
/// # Errors
/// The first difference.
pub(super) fn check<T: Real>(query: &Query, networks: &[Network<T>]) -> Result<(), SignatureError> {
    let declared = query.networks().len();
    if declared != networks.len() {
        return Err(SignatureError::Networks { declared, given: networks.len() });
    }
    for (number, network) in networks.iter().enumerate() {
        match query.version() {
            Version::V1 => check_flat(query, network)?,
            Version::V2 { .. } => DeclaredNetwork { query, number }.check(network)?,
        }
    }
    Ok(())
}

fn check_flat<T: Real>(query: &Query, network: &Network<T>) -> Result<(), SignatureError> {
    let count = |role| query.tensors().iter().filter(|t| t.role() == role).map(Tensor::len).sum::<usize>();
    let sizes = [
        ("inputs", count(Role::Input), network.input_len()),
        ("outputs", count(Role::Output), network.output_len()),
    ];
    match sizes.into_iter().find(|(_, declared, has)| declared != has) {
        None => Ok(()),
        Some((what, declared, has)) => {
            Err(SignatureError::Dimensions { file: query.name().to_owned(), what, declared, has })
        }
    }
}

/// A network as a query of version 2 declares it.
struct DeclaredNetwork<'a> {
    query: &'a Query,
    number: usize,
}

impl DeclaredNetwork<'_> {
    fn check<T: Real>(&self, network: &Network<T>) -> Result<(), SignatureError> {
        let own = self.query.tensors().iter().filter(|tensor| tensor.network() == self.number);
        let (inputs, others): (Vec<&Tensor>, Vec<&Tensor>) = own.partition(|t| t.role() == Role::Input);
        if let Some(tensor) = inputs.iter().find(|tensor| tensor.is_initialized()) {
            let (file, tensor) = (self.query.name().to_owned(), tensor.name().to_owned());
            return Err(SignatureError::Initialized { file, tensor });
        }
        let hidden = others.iter().filter(|tensor| tensor.role() == Role::Hidden).count();
        self.check_count("input", inputs.len(), network.inputs().len())?;
        self.check_count("output", others.len() - hidden, network.outputs().len().saturating_sub(hidden))?;
        let models = network.inputs().iter().chain(network.outputs()).map(|&id| network.node(id));
        inputs
            .iter()
            .chain(&others)
            .zip(models)
            .try_for_each(|(tensor, node)| self.check_tensor(tensor, node))
    }

    fn check_count(&self, what: &'static str, declared: usize, has: usize) -> Result<(), SignatureError> {
        if declared == has {
            return Ok(());
        }
        let network = self.query.networks().get(self.number).map_or("", vnnlib::Network::name).to_owned();
        Err(SignatureError::Tensors { file: self.query.name().to_owned(), network, what, declared, has })
    }

    fn check_tensor<T>(&self, tensor: &Tensor, node: &Node<T>) -> Result<(), SignatureError> {
        let (file, name) = (self.query.name().to_owned(), node.name.clone());
        let (declared, type_name) = (tensor.element_type(), tensor.name().to_owned());
        if tensor.len() != node.len() {
            let (declared, has) = (tensor.shape().to_vec(), node.shape.clone());
            return Err(SignatureError::Shape { file, tensor: type_name, declared, name, has });
        }
        if declared != vnnlib::ElementType::Real && declared.name() != node.element.name() {
            let has = node.element;
            return Err(SignatureError::Type { file, tensor: type_name, declared, name, has });
        }
        Ok(())
    }
}
