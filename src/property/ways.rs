//! The input boxes of a query, without multiplying it out.
//!
//! Every counterexample chooses an operand of each `or`. Those whose operands bound inputs divide the input set into boxes,
//! and are chosen one after the other, boxes without a number being dropped on the way; those that speak of outputs only
//! stay open, for the region to list or to evaluate as a formula. One `or` alone may have any number of operands (the
//! competition's largest has 120,000). Several multiply: when there would be too many boxes, the rest stay open too.

use std::collections::HashSet;

use vnnlib::{Comparison, Formula, FormulaId, NormalForm, Query};

/// Boxes that a product of several `or`s may have.
const MOST_BOXES: usize = 1024;
/// Operands of a single one: their list takes a gigabyte.
const MOST_OPERANDS: usize = 10_000_000;

/// Choices made, and those that are left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PartialChoice {
    /// The operands that were chosen.
    pub(super) chosen: Vec<FormulaId>,
    /// The `or`s that are open.
    pub(super) open: Vec<FormulaId>,
}

/// What choosing an operand adds.
#[derive(Default)]
pub(super) struct AddedParts<'q> {
    /// Comparisons that have to hold.
    pub(super) comparisons: Vec<Comparison<'q>>,
    /// Choices within.
    pub(super) choices: Vec<Formula<'q>>,
}

impl<'q> AddedParts<'q> {
    /// The parts of a formula outside of every choice.
    pub(super) fn of(form: &NormalForm, formula: Formula<'q>) -> Self {
        let (mut parts, mut left) = (Self::default(), vec![formula]);
        while let Some(formula) = left.pop() {
            match formula {
                Formula::Compare(comparison) => parts.comparisons.push(comparison),
                Formula::Or(_) if form.count_of(formula) > 1 => parts.choices.push(formula),
                Formula::And(operands) | Formula::Or(operands) => {
                    let begin = left.len();
                    left.extend(operands);
                    left[begin..].reverse();
                }
            }
        }
        parts
    }
}

/// The `or`s of a query that bound inputs, by what `bounds_input` says of comparisons.
pub(super) fn bounding<'q>(
    query: &'q Query,
    bounds_input: impl Fn(Comparison<'q>) -> bool,
) -> HashSet<FormulaId> {
    let mut found = HashSet::new();
    // Open operators: whether it is an `or`, its number, and what is left of it.
    let mut open = Vec::new();
    for assertion in query.assertions() {
        let mut current = Some(assertion.formula());
        loop {
            match current {
                Some(Formula::Compare(comparison)) => {
                    if bounds_input(comparison) {
                        mark(&open, &mut found);
                    }
                }
                Some(formula @ Formula::And(operands)) => open.push((false, formula.id(), operands)),
                Some(formula @ Formula::Or(operands)) => open.push((true, formula.id(), operands)),
                None => drop(open.pop()),
            }
            let Some((_, _, operands)) = open.last_mut() else { break };
            current = operands.next();
        }
    }
    found
}

/// Marks the open `or`s, from the innermost to the first that is marked already.
fn mark<T>(open: &[(bool, FormulaId, T)], found: &mut HashSet<FormulaId>) {
    for &(is_or, id, _) in open.iter().rev() {
        if is_or && !found.insert(id) {
            return;
        }
    }
}

/// Chooses as far as the number of boxes allows. `is_empty` says of chosen operands that no input satisfies them.
pub(super) fn choose(
    query: &Query,
    form: &NormalForm,
    bounding: &HashSet<FormulaId>,
    is_empty: impl Fn(&[FormulaId]) -> bool,
) -> Vec<PartialChoice> {
    let first = PartialChoice { chosen: Vec::new(), open: form.choices().map(Formula::id).collect() };
    let mut level = vec![first];
    for round in 0.. {
        let operands = |way: &PartialChoice| next(way, bounding).map_or(0, |at| count(query, way.open[at]));
        let boxes = level.iter().map(operands).fold(0, usize::saturating_add);
        if boxes == 0 || boxes > if round == 0 { MOST_OPERANDS } else { MOST_BOXES } {
            break;
        }
        let mut chosen = Vec::new();
        for way in level {
            match next(&way, bounding) {
                Some(at) => extend(&mut chosen, query, form, &way, at, &is_empty),
                None => chosen.push(way),
            }
        }
        level = chosen;
    }
    level
}

/// The position of the next choice that bounds inputs.
fn next(way: &PartialChoice, bounding: &HashSet<FormulaId>) -> Option<usize> {
    way.open.iter().position(|id| bounding.contains(id))
}

fn count(query: &Query, id: FormulaId) -> usize {
    match query.formula(id) {
        Some(Formula::Or(operands)) => operands.count(),
        _ => 0,
    }
}

/// The way with each operand of one of its choices in turn.
fn extend(
    ways: &mut Vec<PartialChoice>,
    query: &Query,
    form: &NormalForm,
    way: &PartialChoice,
    at: usize,
    is_empty: impl Fn(&[FormulaId]) -> bool,
) {
    let Some(Formula::Or(operands)) = query.formula(way.open[at]) else { return };
    // Where nothing is left to multiply, the caller looks at each box anyway.
    let multiplies = way.open.len() > 1;
    for operand in operands {
        let mut chosen = way.chosen.clone();
        chosen.push(operand.id());
        if multiplies && is_empty(&chosen) {
            continue;
        }
        let mut open = way.open.clone();
        let inner = AddedParts::of(form, operand).choices.into_iter().map(Formula::id);
        open.splice(at..=at, inner);
        ways.push(PartialChoice { chosen, open });
    }
}
