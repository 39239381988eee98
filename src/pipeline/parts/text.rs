//! A part of a question as text: the text of the whole without the operands that are left out, and with bounds behind it.
//!
//! Nothing else is changed, comments and spelling of numbers included, so that whatever reads the whole reads its parts. Bounds are exact
//! decimals of numbers of the input's own type.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use vnnlib::{Comparison, Formula, Query, Role, Variable, Version};

use crate::certificate::Enclosure;
use crate::witness::Decimals;

/// Every comparison within an `or` of a query.
pub(super) fn comparisons_in(query: &Query, or: u32) -> Vec<Comparison<'_>> {
    let mut found = Vec::new();
    let mut open: Vec<(Formula<'_>, bool)> =
        query.assertions().map(|assertion| (assertion.formula(), false)).collect();
    while let Some((formula, inside)) = open.pop() {
        let inside = inside || formula.number() == or;
        match formula {
            Formula::Compare(comparison) => found.extend(inside.then_some(comparison)),
            Formula::And(operands) | Formula::Or(operands) => {
                open.extend(operands.map(|operand| (operand, inside)));
            }
        }
    }
    found
}

/// The first declared variable of each input, as a certificate counts them.
pub(super) fn names_of_inputs(query: &Query, enclosure: &Enclosure) -> HashMap<u32, Variable> {
    let inputs = query.tensor_ids().filter(|(_, tensor)| tensor.role() == Role::Input);
    let variables = inputs
        .flat_map(|(id, tensor)| (0..tensor.len()).filter_map(move |element| query.variable(id, element)));
    let mut names = HashMap::new();
    for (declared, variable) in variables.enumerate() {
        if let Some(input) = enclosure.input_of_declared(declared) {
            names.entry(input).or_insert(variable);
        }
    }
    names
}

/// The text of a part, the first number's of so many: `kept` operands by `or`, and the ends of inputs that were cut.
pub(super) fn of_part(
    query: &Query,
    names: &HashMap<u32, Variable>,
    kept: &BTreeMap<u32, Vec<u32>>,
    cuts: &BTreeMap<u32, (Option<f64>, Option<f64>)>,
    (number, total): (usize, usize),
) -> String {
    let mut out = format!("; Part {number} of {total} of a question.\n");
    let mut at = 0;
    for (start, end) in left_out(query, kept) {
        if start > at {
            out.push_str(&query.text()[at..start]);
        }
        at = at.max(end);
    }
    out.push_str(&query.text()[at..]);
    out.push('\n');
    for (input, (low, high)) in cuts {
        let Some(&variable) = names.get(input) else { continue };
        let name = query.variable_name(variable);
        for (relation, end) in [(">=", low), ("<=", high)] {
            if let Some(end) = end {
                // Writing to a String cannot fail.
                let _ = writeln!(out, "(assert ({relation} {name} {}))", decimal(query, variable, *end));
            }
        }
    }
    out
}

/// What is left out of the text, in its order; ranges of bytes may lie in one another.
fn left_out(query: &Query, kept: &BTreeMap<u32, Vec<u32>>) -> Vec<(usize, usize)> {
    let mut ranges = Vec::new();
    let mut open: Vec<Formula<'_>> = query.assertions().map(|assertion| assertion.formula()).collect();
    while let Some(formula) = open.pop() {
        let (Formula::And(operands) | Formula::Or(operands)) = formula else { continue };
        let all: Vec<Formula<'_>> = operands.collect();
        let kept = if matches!(formula, Formula::Or(_)) { kept.get(&formula.number()) } else { None };
        match kept.map(Vec::as_slice) {
            // The operand stands for the `or`.
            Some(&[only]) => {
                let (whole, inner) = (formula.span(), all[only as usize].span());
                ranges.extend([(whole.start(), inner.start()), (inner.end(), whole.end())]);
            }
            Some(some) => {
                let others = (0..).zip(&all).filter(|(operand, _)| !some.contains(operand));
                ranges.extend(others.map(|(_, other)| (other.span().start(), other.span().end())));
            }
            None => {}
        }
        open.extend(all);
    }
    ranges.sort_unstable();
    ranges
}

/// All digits of a number; with a point where the language tells numbers with one from those without.
fn decimal(query: &Query, variable: Variable, x: f64) -> String {
    let mut decimals = Decimals::default();
    decimals.push_exact(x);
    let digits = decimals.get(0).unwrap_or_default().to_owned();
    let real = query.tensors()[variable.tensor().index()].element_type().is_real_valued();
    let bare = !digits.contains('.');
    if matches!(query.version(), Version::V2 { .. }) && real && bare { digits + ".0" } else { digits }
}
