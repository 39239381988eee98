//! A query's formula, true or false of all points of a box as far as its comparisons are known to be.
//!
//! It is the formula of the text, not its normal form: `and` and `or` of comparisons, which are never multiplied out. Where a
//! proof goes through the operands of an `or` one by one, the `or` stands for the operand whose turn it is.

use std::collections::BTreeMap;

use vnnlib::{Comparison, Formula, Formulas, Query};

/// What is known of a truth value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    False,
    Open,
    True,
}

/// The operand that stands for an `or`, by the `or`'s number.
pub(super) type Choices = BTreeMap<u32, u32>;

/// The truth of a query. Each comparison that matters is asked for.
pub(super) fn truth<'q>(
    query: &'q Query,
    choices: &Choices,
    leaf: &mut impl FnMut(Comparison<'q>) -> Truth,
) -> Truth {
    let mut whole = Truth::True;
    for assertion in query.assertions() {
        whole = and(whole, of(assertion.formula(), choices, leaf));
        if whole == Truth::False {
            return Truth::False;
        }
    }
    whole
}

fn and(a: Truth, b: Truth) -> Truth {
    match (a, b) {
        (Truth::False, _) | (_, Truth::False) => Truth::False,
        (Truth::True, Truth::True) => Truth::True,
        _ => Truth::Open,
    }
}

fn or(a: Truth, b: Truth) -> Truth {
    match (a, b) {
        (Truth::True, _) | (_, Truth::True) => Truth::True,
        (Truth::False, Truth::False) => Truth::False,
        _ => Truth::Open,
    }
}

/// An operator whose operands are being looked at.
struct FormulaLevel<'q> {
    is_or: bool,
    operands: Formulas<'q>,
    so_far: Truth,
}

fn of<'q>(formula: Formula<'q>, choices: &Choices, leaf: &mut impl FnMut(Comparison<'q>) -> Truth) -> Truth {
    let mut open: Vec<FormulaLevel<'q>> = Vec::new();
    let mut current = resolved(formula, choices);
    loop {
        let mut value = match current {
            Formula::Compare(comparison) => leaf(comparison),
            Formula::And(operands) => {
                open.push(FormulaLevel { is_or: false, operands, so_far: Truth::True });
                Truth::True
            }
            Formula::Or(operands) => {
                open.push(FormulaLevel { is_or: true, operands, so_far: Truth::False });
                Truth::False
            }
        };
        current = loop {
            let Some(level) = open.last_mut() else { return value };
            level.so_far = if level.is_or { or(level.so_far, value) } else { and(level.so_far, value) };
            let decided = level.so_far == if level.is_or { Truth::True } else { Truth::False };
            match level.operands.next() {
                Some(next) if !decided => break resolved(next, choices),
                _ => {
                    value = level.so_far;
                    open.pop();
                }
            }
        };
    }
}

/// The formula, or the operand that has been chosen of it.
fn resolved<'q>(mut formula: Formula<'q>, choices: &Choices) -> Formula<'q> {
    while let Formula::Or(mut operands) = formula {
        let chosen = choices.get(&formula.number()).and_then(|&operand| operands.nth(operand as usize));
        let Some(operand) = chosen else { break };
        formula = operand;
    }
    formula
}

/// Calls `visit` with every comparison.
pub(super) fn for_each_comparison<'q>(query: &'q Query, mut visit: impl FnMut(Comparison<'q>)) {
    let mut open: Vec<Formula<'q>> = query.assertions().map(|assertion| assertion.formula()).collect();
    while let Some(formula) = open.pop() {
        match formula {
            Formula::Compare(comparison) => visit(comparison),
            Formula::And(operands) | Formula::Or(operands) => open.extend(operands),
        }
    }
}

/// The comparisons that every point must satisfy: those under `and` alone.
pub(super) fn asserted<'q>(query: &'q Query, choices: &Choices) -> Vec<Comparison<'q>> {
    let mut found = Vec::new();
    let mut open: Vec<Formula<'q>> = query.assertions().map(|assertion| assertion.formula()).collect();
    while let Some(formula) = open.pop() {
        match resolved(formula, choices) {
            Formula::Compare(comparison) => found.push(comparison),
            Formula::And(operands) => open.extend(operands),
            Formula::Or(_) => {}
        }
    }
    found
}

/// The outermost `or`s that no operand has been chosen of, with the number of their operands.
pub(super) fn undecided(query: &Query, choices: &Choices) -> Vec<(u32, u32)> {
    let mut found = Vec::new();
    let mut open: Vec<Formula<'_>> = query.assertions().map(|assertion| assertion.formula()).collect();
    open.reverse();
    while let Some(formula) = open.pop() {
        match resolved(formula, choices) {
            Formula::Compare(_) => {}
            Formula::And(operands) => open.extend(operands),
            or @ Formula::Or(operands) => found.push((or.number(), operands.count() as u32)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECLARE: &str = "(declare-const X_0 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)";

    /// Comparisons that name `X_0` are true, `Y_0` false, `Y_1` open.
    fn check(assertion: &str, choose: Option<u32>, expected: Truth) {
        let query = vnnlib::parse(format!("{DECLARE}(assert {assertion})")).unwrap();
        let ors = undecided(&query, &Choices::new());
        let choices = choose.map(|operand| (ors[0].0, operand)).into_iter().collect();
        let mut leaf = |comparison: Comparison<'_>| {
            let span = comparison.span();
            match &query.text()[span.start()..span.end()] {
                text if text.contains("X_0") => Truth::True,
                text if text.contains("Y_0") => Truth::False,
                _ => Truth::Open,
            }
        };
        assert_eq!(truth(&query, &choices, &mut leaf), expected, "{assertion} with {choose:?}");
    }

    #[test]
    fn three_values() {
        let (yes, no, open) = ("(<= X_0 1)", "(<= Y_0 1)", "(<= Y_1 1)");
        check(yes, None, Truth::True);
        check(&format!("(and {yes} {open})"), None, Truth::Open);
        check(&format!("(and {open} {no})"), None, Truth::False);
        check(&format!("(or {no} {open})"), None, Truth::Open);
        check(&format!("(or {no} {open})"), Some(0), Truth::False);
        check(&format!("(or {no} (and {yes} {yes}))"), Some(1), Truth::True);
        check(&format!("(or {no} (or {no} {no}))"), None, Truth::False);
    }
}
