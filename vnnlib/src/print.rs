//! A query printed in the language of its version: `parse(print(q)) == q`.
//!
//! One declaration, one assertion a line; the operands of an outermost `and` or `or` that hold several comparisons
//! stand on lines of their own. Numbers are printed as they were written; comments are lost.

use std::fmt::{self, Write};

use crate::ast::{Equivalence, Network, Query, Role, Tensor, Variable, Version};
use crate::node::{Operator, Relation};
use crate::view::{Event, Formula};

impl Query {
    /// The query's text. The same as its `Display`.
    pub fn print(&self) -> String {
        self.to_string()
    }

    /// The variable as the query's version writes it: `X_3`, or `X[0,3]`, or `X` for a scalar.
    pub fn variable_name(&self, variable: Variable) -> String {
        let mut name = String::new();
        // Writing to a string does not fail.
        let _ = write_variable(&Style::of(self), variable, &mut name);
        name
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version() {
            Version::V1 => write_variables(self, f)?,
            Version::V2 { minor } => {
                writeln!(f, "(vnnlib-version <2.{minor}>)")?;
                write_networks(self, f)?;
            }
        }
        write_assertions(self, &Style::of(self), f)
    }
}

/// The declarations of VNN-LIB 1.0.
fn write_variables(query: &Query, out: &mut impl Write) -> fmt::Result {
    for tensor in query.tensors() {
        for element in 0..tensor.len() {
            writeln!(out, "(declare-const {}_{element} Real)", tensor.name())?;
        }
    }
    Ok(())
}

/// The declarations of VNN-LIB 2.0.
fn write_networks(query: &Query, out: &mut impl Write) -> fmt::Result {
    for network in query.networks() {
        write!(out, "(declare-network {}", network.name())?;
        let name = |other: usize| query.networks().get(other).map_or("?", Network::name);
        match network.equivalence() {
            None => {}
            Some(Equivalence::EqualTo(other)) => write!(out, "\n    (equal-to {})", name(other))?,
            Some(Equivalence::IsomorphicTo(other)) => write!(out, "\n    (isomorphic-to {})", name(other))?,
        }
        for id in network.tensors() {
            out.write_str("\n    ")?;
            query.tensors().get(id.index()).map_or(Ok(()), |tensor| write_tensor(tensor, out))?;
        }
        out.write_str(")\n")?;
    }
    Ok(())
}

/// A tensor's declaration.
pub(crate) fn write_tensor(tensor: &Tensor, out: &mut impl Write) -> fmt::Result {
    let role = match tensor.role() {
        Role::Input => "input",
        Role::Hidden => "hidden",
        Role::Output => "output",
    };
    write!(out, "(declare-{role} {} {} [", tensor.name(), tensor.element_type())?;
    for (axis, extent) in tensor.shape().iter().enumerate() {
        write!(out, "{}{extent}", if axis == 0 { "" } else { "," })?;
    }
    out.write_char(']')?;
    if tensor.is_initialized() {
        out.write_str(" initialized")?;
    }
    if let Some(name) = tensor.onnx_name() {
        out.write_str(" \"")?;
        name.chars().try_for_each(|character| write_escaped(character, out))?;
        out.write_char('"')?;
    }
    out.write_char(')')
}

fn write_escaped(character: char, out: &mut impl Write) -> fmt::Result {
    match character {
        '"' => out.write_str("\\\""),
        '\\' => out.write_str("\\\\"),
        '\n' => out.write_str("\\n"),
        '\t' => out.write_str("\\t"),
        '\r' => out.write_str("\\r"),
        '\u{c}' => out.write_str("\\f"),
        other => out.write_char(other),
    }
}

/// How formulas are written.
pub(crate) struct Style<'q> {
    pub(crate) version: Version,
    /// Names and shapes of the tensors, in declaration order.
    pub(crate) tensors: Vec<(&'q str, &'q [u32])>,
    /// Whether every number is written out with a point and without exponent.
    pub(crate) plain_numbers: bool,
}

impl<'q> Style<'q> {
    /// The style of the query itself.
    fn of(query: &'q Query) -> Self {
        let tensors = query.tensors().iter().map(|tensor| (tensor.name(), tensor.shape())).collect();
        Self { version: query.version(), tensors, plain_numbers: false }
    }
}

/// Writes all assertions, one a line.
pub(crate) fn write_assertions(query: &Query, style: &Style<'_>, out: &mut impl Write) -> fmt::Result {
    for assertion in query.assertions() {
        out.write_str("(assert ")?;
        write_formula(style, assertion.formula(), out)?;
        out.write_str(")\n")?;
    }
    Ok(())
}

/// Writes a formula with a stack of what is open, however deep it is nested.
fn write_formula(style: &Style<'_>, formula: Formula<'_>, out: &mut impl Write) -> fmt::Result {
    let long = spans_lines(formula);
    let (mut depth, mut first) = (0_usize, true);
    for event in formula.events() {
        if !matches!(event, Event::Close { .. }) {
            let line_end = long && depth == 1;
            let separator = if line_end {
                "\n    "
            } else if first {
                ""
            } else {
                " "
            };
            out.write_str(separator)?;
        }
        first = false;
        match event {
            Event::Open(operator) => {
                write!(out, "({}", operator_symbol(style.version, operator))?;
                depth += 1;
            }
            Event::Close { .. } => {
                out.write_char(')')?;
                depth -= 1;
            }
            Event::Variable(variable) => write_variable(style, variable, out)?,
            Event::Numeral(numeral) if style.plain_numbers => out.write_str(&numeral.to_plain())?,
            Event::Numeral(numeral) => out.write_str(numeral.as_str())?,
        }
    }
    Ok(())
}

/// Whether an `and` or `or` has operands that are `and` or `or` themselves.
fn spans_lines(formula: Formula<'_>) -> bool {
    match formula {
        Formula::And(mut operands) | Formula::Or(mut operands) => {
            operands.any(|operand| !matches!(operand, Formula::Compare(_)))
        }
        Formula::Compare(_) => false,
    }
}

/// The operator as the version writes it.
pub(crate) fn operator_symbol(version: Version, operator: Operator) -> &'static str {
    match (version, operator) {
        (Version::V1, Operator::Compare(Relation::Equal)) => "=",
        _ => operator.symbol(),
    }
}

fn write_variable(style: &Style<'_>, variable: Variable, out: &mut impl Write) -> fmt::Result {
    // The checker knows every variable's tensor.
    let Some((name, shape)) = style.tensors.get(variable.tensor().index()) else {
        return out.write_char('?');
    };
    out.write_str(name)?;
    match style.version {
        Version::V1 => write!(out, "_{}", variable.element()),
        Version::V2 { .. } => write_index(shape, variable.element, out),
    }
}

/// The position in a tensor as `[i,j,...]`; nothing for a scalar.
fn write_index(shape: &[u32], element: u32, out: &mut impl Write) -> fmt::Result {
    let (mut rest, mut size) = (element, shape.iter().product::<u32>());
    for (axis, &extent) in shape.iter().enumerate() {
        size /= extent.max(1);
        write!(out, "{}{}", if axis == 0 { '[' } else { ',' }, rest / size.max(1))?;
        rest %= size.max(1);
    }
    if shape.is_empty() { Ok(()) } else { out.write_char(']') }
}
