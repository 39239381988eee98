//! Names, shapes, equivalences and types of VNN-LIB 2.0.

use std::collections::HashMap;

use crate::ast::{Equivalence, Network, Role, Span, Tensor, TensorId, Variable};
use crate::element_type::ElementType;
use crate::error::Collector;
use crate::lex::{name, shown, small_number};
use crate::node::Node;
use crate::problem::Problem;

/// All networks and tensors declared so far.
#[derive(Default)]
pub(crate) struct Declarations {
    networks: Vec<Network>,
    tensors: Vec<Tensor>,
    by_name: HashMap<Vec<u8>, TensorId>,
    network_names: HashMap<Vec<u8>, usize>,
}

/// What a tensor's declaration says besides its name.
pub(crate) struct NewTensor {
    pub(crate) role: Role,
    pub(crate) element_type: ElementType,
    pub(crate) shape: Vec<u32>,
    pub(crate) onnx_name: Option<String>,
    pub(crate) initialized: bool,
}

/// The element that stands for a variable which is not known. Checks of types pass over it, as the error is noted.
/// No declared element has this number, because counts fit in `u32`.
const UNKNOWN: u32 = u32::MAX;

impl Declarations {
    /// The declared networks and tensors.
    pub(crate) fn finish(self) -> (Vec<Network>, Vec<Tensor>) {
        (self.networks, self.tensors)
    }

    fn tensor_count(&self) -> u16 {
        // `declare` keeps no more than fit.
        self.tensors.len() as u16
    }

    /// Notes a network's beginning.
    pub(crate) fn begin_network(&mut self, name: &[u8], span: Span, problems: &mut Collector) {
        if self.network_names.insert(name.to_vec(), self.networks.len()).is_some() {
            problems.push(span, Problem::DeclaredTwice(shown(name)));
        }
        let name = String::from_utf8_lossy(name).into_owned();
        self.networks.push(Network {
            name,
            equivalence: None,
            tensors: self.tensor_count()..self.tensor_count(),
        });
    }

    /// Notes `equal-to` or `isomorphic-to` for the network that has begun.
    pub(crate) fn relate(
        &mut self,
        name: &[u8],
        span: Span,
        relation: fn(usize) -> Equivalence,
        problems: &mut Collector,
    ) {
        let target = self.network_names.get(name).copied();
        let current = self.networks.len().saturating_sub(1);
        let Some(network) = self.networks.get(current) else { return };
        let problem = match target {
            _ if network.equivalence.is_some() => Problem::TwoEquivalences,
            None => Problem::UnknownNetwork(shown(name)),
            Some(target) if target == current => Problem::EquivalentToItself(shown(name)),
            Some(target) if self.networks[target].equivalence.is_some() => {
                Problem::ChainedEquivalence(shown(name))
            }
            Some(target) => {
                self.networks[current].equivalence = Some(relation(target));
                return;
            }
        };
        problems.push(span, problem);
    }

    /// Notes a tensor of the network that has begun.
    pub(crate) fn declare(&mut self, name: &[u8], span: Span, new: NewTensor, problems: &mut Collector) {
        let NewTensor { role, element_type, shape, onnx_name, initialized } = new;
        if shape.contains(&0) {
            problems.push(span, Problem::EmptyTensor(shown(name)));
        }
        let count =
            shape.iter().try_fold(1_u32, |count, &extent| count.checked_mul(extent)).filter(|&n| n < UNKNOWN);
        if count.is_none() || self.tensors.len() >= usize::from(u16::MAX) {
            return problems.push(span, Problem::TensorTooLarge(shown(name)));
        }
        let id = TensorId(self.tensor_count());
        if self.by_name.insert(name.to_vec(), id).is_some() {
            problems.push(span, Problem::DeclaredTwice(shown(name)));
        }
        let network = self.networks.len().saturating_sub(1);
        let (name, count) = (String::from_utf8_lossy(name).into_owned(), count.unwrap_or(0));
        self.tensors.push(Tensor { name, network, role, element_type, shape, count, onnx_name, initialized });
        let end = self.tensor_count();
        if let Some(network) = self.networks.last_mut() {
            network.tensors.end = end;
        }
    }

    /// Compares the network that has begun with the one it is declared equivalent to. Isomorphic networks may differ
    /// in element types, as the standard's text says; its parser refuses that.
    pub(crate) fn end_network(&mut self, span: Span, problems: &mut Collector) {
        let Some(network) = self.networks.last() else { return };
        let (other, same_types) = match network.equivalence {
            Some(Equivalence::EqualTo(other)) => (other, true),
            Some(Equivalence::IsomorphicTo(other)) => (other, false),
            None => return,
        };
        for role in [Role::Input, Role::Output] {
            let (mine, theirs) = (self.of_role(network, role), self.of_role(&self.networks[other], role));
            if mine.len() != theirs.len() {
                let name = self.networks[other].name.clone();
                problems.push(
                    span,
                    Problem::DifferentCount { other: name, found: mine.len(), expected: theirs.len() },
                );
            }
            for (mine, theirs) in mine.iter().zip(&theirs) {
                if mine.shape != theirs.shape || same_types && mine.element_type != theirs.element_type {
                    let (tensor, other) = (mine.name.clone(), theirs.name.clone());
                    problems.push(span, Problem::DifferentTensor { tensor, other });
                }
            }
        }
    }

    fn of_role(&self, network: &Network, role: Role) -> Vec<&Tensor> {
        network
            .tensors()
            .filter_map(|id| self.tensors.get(id.index()))
            .filter(|tensor| tensor.role == role)
            .collect()
    }

    /// Looks a use up. A wrong one is noted and stands for an unknown variable, so that reading can go on.
    pub(crate) fn look_up(
        &self,
        name: &[u8],
        indices: &[u32],
        span: Span,
        problems: &mut Collector,
    ) -> Variable {
        let found = match self.tensor_named(name) {
            None => Err(Problem::Undeclared(shown(name))),
            Some(tensor) => self.element(tensor, indices).map(|element| Variable { tensor, element }),
        };
        found.unwrap_or_else(|problem| {
            problems.push(span, problem);
            Variable { tensor: TensorId(0), element: UNKNOWN }
        })
    }

    /// A declared variable at the beginning of the text, if it is written without blanks and its indices are right.
    pub(crate) fn plain<'a>(&self, input: &'a [u8]) -> Option<(&'a [u8], Variable)> {
        let (mut rest, name) = name(input).ok()?;
        let tensor = self.tensor_named(name)?;
        let mut element = 0;
        for (axis, &extent) in self.tensors[tensor.index()].shape.iter().enumerate() {
            let (after, index) = small_number(rest.strip_prefix(if axis == 0 { b"[" } else { b"," })?)?;
            if index >= extent {
                return None;
            }
            // Below the tensor's count, which fits.
            element = element * extent + index;
            rest = after;
        }
        let rest =
            if self.tensors[tensor.index()].shape.is_empty() { rest } else { rest.strip_prefix(b"]")? };
        Some((rest, Variable { tensor, element }))
    }

    /// Few tensors are found faster by comparing than by hashing.
    fn tensor_named(&self, name: &[u8]) -> Option<TensorId> {
        if self.tensors.len() > 8 {
            return self.by_name.get(name).copied();
        }
        let at = self.tensors.iter().rposition(|tensor| tensor.name.as_bytes() == name)?;
        u16::try_from(at).ok().map(TensorId)
    }

    /// Whether a number as written belongs to the variable's type.
    pub(crate) fn admits(&self, variable: Variable, number: &[u8]) -> bool {
        admits(self.tensors[variable.tensor.index()].element_type, number)
    }

    /// The row-major position of an element.
    fn element(&self, tensor: TensorId, indices: &[u32]) -> Result<u32, Problem> {
        let Tensor { name, shape, .. } = &self.tensors[tensor.index()];
        if shape.len() != indices.len() {
            let (name, expected) = (name.clone(), shape.len());
            return Err(Problem::WrongRank { name, expected, found: indices.len() });
        }
        let mut element = 0;
        for (axis, (&index, &extent)) in indices.iter().zip(shape).enumerate() {
            if index >= extent {
                return Err(Problem::IndexOutOfRange { name: name.clone(), axis, extent });
            }
            // Below the tensor's count, which fits.
            element = element * extent + index;
        }
        Ok(element)
    }
}

/// The type that a leaf of a comparison asks of the others.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Variable(ElementType),
    Integer,
    Decimal,
}

/// All variables of a comparison have one type, and all numbers belong to it.
///
/// The nodes are those of the comparison without the comparison itself. Numbers alone must be written alike.
pub(crate) fn check_types(declarations: &Declarations, text: &str, nodes: &[Node], problems: &mut Collector) {
    let mut expected: Option<Kind> = None;
    for &node in nodes {
        let span = node.span();
        let written = text.get(span.start()..span.end()).unwrap_or_default();
        let kind = match node {
            Node::Variable { variable, .. } if variable.element == UNKNOWN => return,
            Node::Variable { variable, .. } => {
                Kind::Variable(declarations.tensors[variable.tensor.index()].element_type)
            }
            Node::Numeral { .. } if is_decimal(written.as_bytes()) => Kind::Decimal,
            Node::Numeral { .. } => Kind::Integer,
            _ => continue,
        };
        match (expected, kind) {
            (None, _) | (Some(Kind::Integer | Kind::Decimal), Kind::Variable(_)) => expected = Some(kind),
            _ => {}
        }
    }
    let Some(expected) = expected else { return };
    for &node in nodes {
        let span = node.span();
        let written = text.get(span.start()..span.end()).unwrap_or_default();
        let problem = match (node, expected) {
            (Node::Variable { variable, .. }, Kind::Variable(expected)) => {
                let tensor = &declarations.tensors[variable.tensor.index()];
                (tensor.element_type != expected).then(|| Problem::DifferentTypes {
                    name: tensor.name.clone(),
                    found: tensor.element_type,
                    expected,
                })
            }
            (Node::Numeral { .. }, Kind::Variable(expected)) => (!admits(expected, written.as_bytes()))
                .then(|| Problem::WrongNumber { number: written.into(), expected }),
            (Node::Numeral { .. }, kind) => {
                let found = if is_decimal(written.as_bytes()) { Kind::Decimal } else { Kind::Integer };
                (found != kind).then(|| Problem::MixedNumbers(written.into()))
            }
            _ => None,
        };
        if let Some(problem) = problem {
            problems.push(span, problem);
        }
    }
}

/// Whether a number as written belongs to the type: `1` is not a float32, `1.0` not an int32, `-1` not a uint8.
fn admits(element_type: ElementType, written: &[u8]) -> bool {
    use ElementType as T;
    match element_type {
        T::Bool | T::String | T::Complex64 | T::Complex128 => false,
        T::Int8 | T::Int16 | T::Int32 | T::Int64 => !is_decimal(written),
        T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64 => !is_decimal(written) && !written.starts_with(b"-"),
        _ => is_decimal(written),
    }
}

/// Whether a number is written as a decimal: with a point or an exponent.
fn is_decimal(written: &[u8]) -> bool {
    written.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
}
