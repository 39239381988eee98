//! The property in words: its assertions as they stand in the file, and what each comparison comes to at a point. Bounds of
//! inputs alone are in the table of inputs.

use std::cmp::Ordering;

use maud::{Markup, html};
use vnnlib::{Assertion, Event, Formula, Operator, Query, Relation, Role};

use super::folded;
use super::point::ShownPoint;
use crate::report::chart::short;

/// Characters of an assertion that are shown.
const SHOWN: usize = 4000;
/// Comparisons that are read of all assertions together.
const MOST: usize = 2000;
/// Rows before the rest is folded.
const FIRST: usize = 24;

/// A line of the table.
#[derive(Debug, Clone, PartialEq)]
struct ClauseLine {
    depth: usize,
    clause: Clause,
}

#[derive(Debug, Clone, PartialEq)]
enum Clause {
    /// Operands follow, one level deeper.
    Group(Operator),
    /// Left side, relation, right side.
    Comparison(TermShown, Relation, TermShown),
}

/// A side of a comparison: how it is written, and its value where there is a point.
#[derive(Debug, Clone, PartialEq)]
struct TermShown {
    text: String,
    value: f64,
    /// A single variable's decimal, exactly.
    exact: Option<String>,
    /// Whether it needs parentheses as an operand.
    joined: bool,
}

/// The section.
pub(super) fn property(query: &Query, point: Option<&ShownPoint>) -> Markup {
    let shown: Vec<Assertion<'_>> =
        query.assertions().filter(|assertion| !is_box(query, assertion.formula())).collect();
    let mut lines = Vec::new();
    for assertion in &shown {
        clauses(query, assertion.formula(), point, &mut lines);
        if lines.len() > MOST {
            break;
        }
    }
    let cut = lines.len() > MOST;
    lines.truncate(MOST);
    html! {
        h2 { "The property" }
        p {
            "A counterexample is an input of the set for which "
            @if lines.iter().filter(|line| line.depth == 0).count() > 1 { "all of this holds" } @else { "this holds" }
            @if point.is_some() { "; the values are those at the point that is shown on this page" }
            "."
        }
        @if lines.is_empty() { p { "Nothing is asked of outputs: every input of the set is a counterexample." } }
        @else { (table(&lines, point.is_some())) }
        @if cut { p { "Further comparisons are in the file." } }
        @if !shown.is_empty() {
            details { summary { "As it stands in " (query.name().rsplit('/').next().unwrap_or_default()) } pre { (as_it_stands(query, &shown)) } }
        }
    }
}

fn as_it_stands(query: &Query, assertions: &[Assertion<'_>]) -> String {
    let text = |assertion: &Assertion<'_>| query.text().get(assertion.span().start()..assertion.span().end());
    let all: Vec<&str> = assertions.iter().filter_map(text).collect();
    let mut all = all.join("\n");
    if let Some((end, _)) = all.char_indices().nth(SHOWN) {
        all.truncate(end);
        all.push_str(" \u{2026}");
    }
    all
}

/// Whether only inputs are bounded, one by one.
fn is_box(query: &Query, formula: Formula<'_>) -> bool {
    let is_bound = |formula: Formula<'_>| match formula {
        Formula::Compare(comparison) => comparison.as_bound().is_some_and(|bound| {
            let tensor = query.tensors().get(bound.variable.tensor().index());
            tensor.is_some_and(|tensor| tensor.role() == Role::Input) && bound.relation != Relation::NotEqual
        }),
        Formula::And(_) | Formula::Or(_) => false,
    };
    match formula {
        Formula::And(mut operands) => operands.all(is_bound),
        other => is_bound(other),
    }
}

/// The lines of a formula, in the order of the text. Groups of one operand are that operand. Texts may be nested deep: what is
/// open is on a stack.
fn clauses(query: &Query, formula: Formula<'_>, point: Option<&ShownPoint>, lines: &mut Vec<ClauseLine>) {
    let mut terms: Vec<TermShown> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for event in formula.events() {
        match event {
            Event::Open(_) if lines.len() > MOST => return,
            Event::Open(operator) if operator.takes_formulas() => {
                lines.push(ClauseLine { depth: open.len(), clause: Clause::Group(operator) });
                open.push(lines.len() - 1);
            }
            Event::Close { operator, operands } if operator.takes_formulas() => {
                if let Some(at) = open.pop().filter(|_| operands == 1) {
                    lines.remove(at);
                    lines[at..].iter_mut().for_each(|line| line.depth = line.depth.saturating_sub(1));
                }
            }
            Event::Open(_) => {}
            Event::Variable(variable) => terms.push(TermShown {
                text: query.variable_name(variable),
                value: point.map_or(f64::NAN, |point| point.float(variable)),
                exact: point.map(|point| point.text(variable).to_owned()),
                joined: false,
            }),
            Event::Numeral(numeral) => terms.push(TermShown {
                text: numeral.as_str().to_owned(),
                value: numeral.nearest_f64(),
                exact: Some(numeral.as_str().to_owned()),
                joined: false,
            }),
            Event::Close { operator: Operator::Compare(relation), .. } => {
                if let (Some(right), Some(left)) = (terms.pop(), terms.pop()) {
                    lines.push(ClauseLine {
                        depth: open.len(),
                        clause: Clause::Comparison(left, relation, right),
                    });
                }
            }
            Event::Close { operator, operands } => {
                let own = terms.split_off(terms.len().saturating_sub(operands));
                terms.push(joined(operator, &own));
            }
        }
    }
}

/// Operands of an arithmetic operator as people write them.
fn joined(operator: Operator, operands: &[TermShown]) -> TermShown {
    let values = operands.iter().map(|operand| operand.value);
    let (between, value) = match operator {
        Operator::Product => (" \u{b7} ", values.product()),
        Operator::Difference => (" \u{2212} ", values.reduce(|all, next| all - next).unwrap_or(0.0)),
        Operator::Negation => ("", -values.sum::<f64>()),
        _ => (" + ", values.sum()),
    };
    let text = |operand: &TermShown| {
        if operand.joined { format!("({})", operand.text) } else { operand.text.clone() }
    };
    let texts: Vec<String> = operands.iter().map(text).collect();
    let sign = if operator == Operator::Negation { "\u{2212}" } else { "" };
    TermShown {
        text: format!("{sign}{}", texts.join(between)),
        value,
        exact: None,
        joined: operands.len() > 1,
    }
}

impl TermShown {
    fn value(&self) -> String {
        self.exact.clone().unwrap_or_else(|| short(self.value))
    }
}

fn table(lines: &[ClauseLine], has_values: bool) -> Markup {
    let heads = html! {
        th.text { "what has to hold" }
        @if has_values { th { "left" } th { "right" } th { "by" } th.text { "" } }
    };
    folded(&heads, lines, FIRST, |line| row(line, has_values))
}

fn row(line: &ClauseLine, has_values: bool) -> Markup {
    let indent = format!("padding-left:{:.1}rem", 0.6 + 1.2 * line.depth.min(8) as f64);
    match &line.clause {
        Clause::Group(operator) => html! {
            tr {
                td.text.clause style=(indent) { i { (if *operator == Operator::Or { "one of" } else { "all of" }) } }
                @if has_values { td {} td {} td {} td {} }
            }
        },
        Clause::Comparison(left, relation, right) => {
            let (holds, by) = compared(left.value, *relation, right.value);
            let text = format!("{} {} {}", left.text, sign(*relation), right.text);
            html! {
                tr.holds[has_values && holds] {
                    td.text.clause style=(indent) title=(text) { (text) }
                    @if has_values {
                        td { (left.value()) }
                        td { (right.value()) }
                        td { (short(by)) }
                        td.text { (if holds { "\u{2713} holds" } else { "\u{2717} does not" }) }
                    }
                }
            }
        }
    }
}

/// Whether a comparison holds, and by how much: negative where it does not.
fn compared(left: f64, relation: Relation, right: f64) -> (bool, f64) {
    let by = match relation {
        Relation::Less | Relation::LessEqual => right - left,
        Relation::Greater | Relation::GreaterEqual => left - right,
        Relation::Equal => -(left - right).abs(),
        Relation::NotEqual => (left - right).abs(),
    };
    (left.partial_cmp(&right).is_some_and(|order: Ordering| relation.admits(order)), by)
}

fn sign(relation: Relation) -> &'static str {
    match relation {
        Relation::Less => "<",
        Relation::LessEqual => "\u{2264}",
        Relation::Greater => ">",
        Relation::GreaterEqual => "\u{2265}",
        Relation::Equal => "=",
        Relation::NotEqual => "\u{2260}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of all assertions that are not bounds, as texts.
    fn check(assertions: &str, want: &[&str]) {
        let names = ["X_0", "X_1", "Y_0", "Y_1"].map(|name| format!("(declare-const {name} Real)")).concat();
        let query = vnnlib::parse(format!("{names}{assertions}")).unwrap();
        let mut lines = Vec::new();
        for assertion in query.assertions().filter(|assertion| !is_box(&query, assertion.formula())) {
            clauses(&query, assertion.formula(), None, &mut lines);
        }
        let text = |line: &ClauseLine| match &line.clause {
            Clause::Group(operator) => format!("{}{}", "  ".repeat(line.depth), operator.symbol()),
            Clause::Comparison(left, relation, right) => {
                format!("{}{} {} {}", "  ".repeat(line.depth), left.text, sign(*relation), right.text)
            }
        };
        assert_eq!(lines.iter().map(text).collect::<Vec<_>>(), want, "{assertions}");
    }

    #[test]
    fn assertions_are_said_in_lines() {
        check(
            "(assert (<= X_0 1))(assert (and (>= X_0 0) (<= X_1 2)))(assert (>= Y_0 1.50))",
            &["Y_0 ≥ 1.50"],
        );
        check(
            "(assert (or (and (>= Y_0 Y_1)) (and (<= Y_1 2) (> X_0 0))))",
            &["or", "  Y_0 ≥ Y_1", "  and", "    Y_1 ≤ 2", "    X_0 > 0"],
        );
        check("(assert (and (or (>= Y_0 Y_1))))", &["Y_0 ≥ Y_1"]);
        check("(assert (<= (+ Y_0 (* 2 (- Y_1 X_0)) (- X_1)) 3))", &["Y_0 + (2 · (Y_1 − X_0)) + −X_1 ≤ 3"]);
    }

    #[test]
    fn comparisons_say_by_how_much() {
        for (left, relation, right, want) in [
            (1.0, Relation::LessEqual, 3.0, (true, 2.0)),
            (3.0, Relation::Greater, 3.0, (false, 0.0)),
            (3.0, Relation::GreaterEqual, 4.0, (false, -1.0)),
            (3.0, Relation::Equal, 4.0, (false, -1.0)),
            (3.0, Relation::NotEqual, 4.0, (true, 1.0)),
        ] {
            assert_eq!(compared(left, relation, right), want, "{left} {relation:?} {right}");
        }
        assert!(!compared(f64::NAN, Relation::LessEqual, 1.0).0);
    }
}
