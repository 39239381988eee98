//! A query as an ordinary owned tree: to build queries in a program, and to store them (feature `serde`).
//!
//! Trees are recursive and unchecked. [`Query::to_tree`] refuses texts nested deeper than [`QueryTree::MAX_DEPTH`];
//! [`QueryTree::to_query`] writes the tree as text and reads that, so what comes out is checked like any other query.

use std::fmt::Write;
use std::sync::Arc;

use crate::ast::{Equivalence, Query, Role, Span, Tensor, Variable, Version};
use crate::element_type::ElementType;
use crate::error::{Collector, Errors};
use crate::node::{Operator, Relation};
use crate::print::{operator_symbol, write_tensor};
use crate::problem::Problem;
use crate::view::{Event, Formula};

/// A formula is nested deeper than [`QueryTree::MAX_DEPTH`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a formula is nested deeper than {}", QueryTree::MAX_DEPTH)]
pub struct TooDeep;

/// A query.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct QueryTree {
    /// The version.
    pub version: Version,
    /// The networks; in VNN-LIB 1.0 one, with a flat input `X` and a flat output `Y`.
    pub networks: Vec<NetworkTree>,
    /// What is asserted.
    pub assertions: Vec<FormulaTree>,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NetworkTree {
    /// The name.
    pub name: String,
    /// The relation to an earlier network.
    pub equivalence: Option<Equivalence>,
    /// Inputs, hidden tensors, outputs, in this order.
    pub tensors: Vec<TensorTree>,
}

/// A tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TensorTree {
    /// The name.
    pub name: String,
    /// What it is to its network.
    pub role: Role,
    /// The element type.
    pub element_type: ElementType,
    /// The shape.
    pub shape: Vec<u32>,
    /// The ONNX name of a hidden tensor.
    pub onnx_name: Option<String>,
    /// Whether it is an input with an initialiser.
    pub initialized: bool,
}

/// A truth value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum FormulaTree {
    /// All operands hold.
    And(Vec<FormulaTree>),
    /// Some operand holds.
    Or(Vec<FormulaTree>),
    /// A comparison: relation, left side, right side.
    Compare(Relation, TermTree, TermTree),
}

/// A number.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum TermTree {
    /// An element of a tensor: name and indices, one a dimension.
    Variable(String, Vec<u32>),
    /// A number as written.
    Numeral(String),
    /// The opposite.
    Negation(Box<TermTree>),
    /// The sum.
    Sum(Vec<TermTree>),
    /// The first operand less the others, of which there is at least one.
    Difference(Vec<TermTree>),
    /// The product.
    Product(Vec<TermTree>),
}

impl Query {
    /// The query as a tree.
    ///
    /// # Errors
    /// If a formula is nested deeper than [`QueryTree::MAX_DEPTH`].
    pub fn to_tree(&self) -> Result<QueryTree, TooDeep> {
        let tensor = |tensor: &Tensor| TensorTree {
            name: tensor.name.clone(),
            role: tensor.role,
            element_type: tensor.element_type,
            shape: tensor.shape.clone(),
            onnx_name: tensor.onnx_name.clone(),
            initialized: tensor.initialized,
        };
        let networks = self.networks().iter().map(|network| NetworkTree {
            name: network.name().into(),
            equivalence: network.equivalence(),
            tensors: network.tensors().filter_map(|id| self.tensors().get(id.index())).map(tensor).collect(),
        });
        Ok(QueryTree {
            version: self.version(),
            networks: networks.collect(),
            assertions: self
                .assertions()
                .map(|assertion| self.formula_tree(assertion.formula()))
                .collect::<Result<_, _>>()?,
        })
    }

    fn formula_tree(&self, formula: Formula<'_>) -> Result<FormulaTree, TooDeep> {
        let (mut formulas, mut terms, mut depth) = (Vec::new(), Vec::new(), 0_usize);
        for event in formula.events() {
            match event {
                Event::Open(_) => depth += 1,
                Event::Variable(variable) => terms.push(self.variable_tree(variable)),
                Event::Numeral(numeral) => terms.push(TermTree::Numeral(numeral.as_str().into())),
                Event::Close { operator, operands } => {
                    depth -= 1;
                    close(operator, operands, &mut formulas, &mut terms);
                }
            }
            if depth > QueryTree::MAX_DEPTH {
                return Err(TooDeep);
            }
        }
        // A formula leaves exactly itself.
        Ok(formulas.pop().unwrap_or_else(|| FormulaTree::And(Vec::new())))
    }

    fn variable_tree(&self, variable: Variable) -> TermTree {
        // The checker knows every variable's tensor.
        let Some(tensor) = self.tensors().get(variable.tensor().index()) else {
            return TermTree::Sum(Vec::new());
        };
        let (mut rest, mut indices) = (variable.element, Vec::new());
        for &extent in tensor.shape().iter().rev() {
            indices.push(rest % extent.max(1));
            rest /= extent.max(1);
        }
        indices.reverse();
        TermTree::Variable(tensor.name().into(), indices)
    }
}

/// Replaces the operands on the stacks by the operator's tree.
fn close(operator: Operator, operands: usize, formulas: &mut Vec<FormulaTree>, terms: &mut Vec<TermTree>) {
    if operator.takes_formulas() {
        let inner = formulas.split_off(formulas.len().saturating_sub(operands));
        let whole = if operator == Operator::And { FormulaTree::And(inner) } else { FormulaTree::Or(inner) };
        return formulas.push(whole);
    }
    let mut inner = terms.split_off(terms.len().saturating_sub(operands));
    let term = match (operator, inner.pop()) {
        (Operator::Compare(relation), Some(right)) => {
            return formulas.extend(inner.pop().map(|left| FormulaTree::Compare(relation, left, right)));
        }
        (Operator::Negation, Some(one)) => TermTree::Negation(Box::new(one)),
        (_, last) => {
            inner.extend(last);
            match operator {
                Operator::Difference => TermTree::Difference(inner),
                Operator::Product => TermTree::Product(inner),
                _ => TermTree::Sum(inner),
            }
        }
    };
    terms.push(term);
}

impl QueryTree {
    /// The deepest nesting that [`Query::to_tree`] accepts. serde_json reads about 120 levels of JSON back.
    pub const MAX_DEPTH: usize = 500;

    /// The checked query that the tree stands for.
    ///
    /// # Errors
    /// Whatever is wrong with the tree, as errors of its text; also if its text reads as another tree, because a name
    /// or a number is not a single word of the language, or it is nested deeper than [`Self::MAX_DEPTH`].
    pub fn to_query(&self) -> Result<Query, Errors> {
        let name = "<tree>".into();
        let refuse = |problem| {
            let mut problems = Collector::default();
            problems.push(Span::new(0, 0), problem);
            Err(problems.finish(&name, ""))
        };
        if self.version == Version::V1 && self.variables() > u64::from(u32::MAX) / 20 {
            return refuse(Problem::TextTooLarge);
        }
        let query = crate::parse_named(Arc::clone(&name), self.text())?;
        if query.to_tree().as_ref() == Ok(self) { Ok(query) } else { refuse(Problem::AmbiguousTree) }
    }

    /// How many variables are declared.
    fn variables(&self) -> u64 {
        let size = |tensor: &TensorTree| {
            tensor.shape.iter().fold(1_u64, |count, &extent| count.saturating_mul(u64::from(extent)))
        };
        self.networks.iter().flat_map(|network| &network.tensors).map(size).fold(0, u64::saturating_add)
    }

    /// The text that the tree stands for; it may be wrong.
    fn text(&self) -> String {
        let mut out = String::new();
        match self.version {
            Version::V1 => self.write_variables(&mut out),
            Version::V2 { minor } => {
                out.push_str(&format!("(vnnlib-version <2.{minor}>)\n"));
                self.networks.iter().for_each(|network| self.write_network(network, &mut out));
            }
        }
        for assertion in &self.assertions {
            out.push_str("(assert ");
            assertion.write(self.version, &mut out);
            out.push_str(")\n");
        }
        out
    }

    fn write_variables(&self, out: &mut String) {
        for tensor in self.networks.iter().flat_map(|network| &network.tensors) {
            let count = tensor.shape.iter().fold(1_u32, |count, &extent| count.saturating_mul(extent));
            (0..count).for_each(|element| {
                out.push_str(&format!("(declare-const {}_{element} Real)\n", tensor.name))
            });
        }
    }

    fn write_network(&self, network: &NetworkTree, out: &mut String) {
        out.push_str(&format!("(declare-network {}", network.name));
        let name = |other: usize| self.networks.get(other).map_or("?", |network| network.name.as_str());
        match network.equivalence {
            None => {}
            Some(Equivalence::EqualTo(other)) => out.push_str(&format!("\n    (equal-to {})", name(other))),
            Some(Equivalence::IsomorphicTo(other)) => {
                out.push_str(&format!("\n    (isomorphic-to {})", name(other)))
            }
        }
        for tensor in &network.tensors {
            let TensorTree { name, role, element_type, shape, onnx_name, initialized } = tensor.clone();
            let tensor =
                Tensor { name, network: 0, role, element_type, shape, count: 0, onnx_name, initialized };
            out.push_str("\n    ");
            // Writing to a string does not fail, here and below.
            let _ = write_tensor(&tensor, out);
        }
        out.push_str(")\n");
    }
}

impl FormulaTree {
    fn write(&self, version: Version, out: &mut String) {
        let (operator, formulas) = match self {
            Self::And(formulas) => (Operator::And, formulas),
            Self::Or(formulas) => (Operator::Or, formulas),
            Self::Compare(relation, left, right) => {
                return write_terms(Operator::Compare(*relation), [left, right], version, out);
            }
        };
        out.push_str(&format!("({}", operator.symbol()));
        for formula in formulas {
            out.push(' ');
            formula.write(version, out);
        }
        out.push(')');
    }
}

impl TermTree {
    fn write(&self, version: Version, out: &mut String) {
        match self {
            Self::Numeral(text) => out.push_str(text),
            Self::Variable(name, indices) => {
                out.push_str(name);
                let separators = if version == Version::V1 { ("_", "_", "") } else { ("[", ",", "]") };
                write_indices(indices, separators, out);
            }
            Self::Negation(one) => write_terms(Operator::Negation, [&**one], version, out),
            Self::Sum(terms) => write_terms(Operator::Sum, terms, version, out),
            Self::Difference(terms) => write_terms(Operator::Difference, terms, version, out),
            Self::Product(terms) => write_terms(Operator::Product, terms, version, out),
        }
    }
}

fn write_indices(indices: &[u32], (first, between, last): (&str, &str, &str), out: &mut String) {
    for (axis, index) in indices.iter().enumerate() {
        let _ = write!(out, "{}{index}", if axis == 0 { first } else { between });
    }
    out.push_str(if indices.is_empty() { "" } else { last });
}

fn write_terms<'t>(
    operator: Operator,
    terms: impl IntoIterator<Item = &'t TermTree>,
    version: Version,
    out: &mut String,
) {
    out.push_str(&format!("({}", operator_symbol(version, operator)));
    for term in terms {
        out.push(' ');
        term.write(version, out);
    }
    out.push(')');
}

#[cfg(feature = "serde")]
impl serde::Serialize for Query {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_tree().map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Query {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        QueryTree::deserialize(deserializer)?.to_query().map_err(serde::de::Error::custom)
    }
}
