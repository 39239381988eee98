#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod ast;
mod check;
mod convert;
mod element_type;
mod error;
mod evaluate;
mod exact;
mod grammar;
mod lex;
mod linear;
mod node;
mod normal_form;
mod numeral;
mod polynomial;
mod print;
mod problem;
mod tree;
mod view;

use std::sync::Arc;

pub use ast::{Equivalence, Network, Query, Role, Span, Tensor, TensorId, Variable, Version};
pub use convert::{ConvertError, Signature};
pub use element_type::ElementType;
pub use error::{Diagnostic, Errors};
pub use evaluate::{Assignment, EvaluateError, Value, Violation};
pub use exact::{Exact, TooLarge};
pub use linear::{Coefficient, LinearRow, NotLinear};
pub use node::{Operator, Relation};
pub use normal_form::{NormalForm, TooManyCases};
pub use numeral::{Numeral, NumeralError};
pub use polynomial::{NotPolynomial, PolynomialRow};
pub use problem::Problem;
pub use tree::{FormulaTree, NetworkTree, QueryTree, TensorTree, TermTree, TooDeep};
pub use view::{Assertion, Bound, Comparison, Event, Events, Formula, FormulaId, Formulas, Term, Terms};

/// The oldest and the newest version of the language that [`parse`] reads.
pub const VERSIONS: [&str; 2] = ["1.0", "2.1"];

/// Reads a query of any version, which is told from the text.
///
/// # Errors
/// All problems that were found, each with its place and a remedy.
pub fn parse(text: impl Into<Box<str>>) -> Result<Query, Errors> {
    parse_named("<query>", text)
}

/// Like [`parse`]; `name`, usually that of the file, begins every message.
///
/// # Errors
/// All problems that were found, each with its place and a remedy.
pub fn parse_named(name: impl Into<Arc<str>>, text: impl Into<Box<str>>) -> Result<Query, Errors> {
    grammar::parse(name.into(), text.into())
}
