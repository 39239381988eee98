//! What a query says that its author hardly meant: bounds that no number satisfies (swapped, as a rule), inputs without a
//! bound, no word about the outputs. Each is a legal query with an answer, and the answer misleads: `unsat` for swapped
//! bounds reads like a proof of safety. So each is told, whatever else is asked to be silent.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use vnnlib::{Comparison, Event, Formula, Numeral, Query, Relation, Role, Variable, Version};

/// One doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The variable, where it is about one.
    pub variable: Option<String>,
    /// The lines of the property that it is about, from 1.
    pub lines: Vec<usize>,
    /// What is doubtful, and what to do.
    pub text: String,
}

/// An end as a file gives it: the comparison, and whether equality is excluded.
#[derive(Clone, Copy)]
struct StatedEnd<'q> {
    numeral: Numeral<'q>,
    strict: bool,
    comparison: Comparison<'q>,
}

/// The tightest ends of one variable.
#[derive(Clone, Copy, Default)]
struct TightestEnds<'q> {
    lower: Option<StatedEnd<'q>>,
    upper: Option<StatedEnd<'q>>,
}

impl<'q> TightestEnds<'q> {
    fn add(&mut self, relation: Relation, end: StatedEnd<'q>) {
        let strict = matches!(relation, Relation::Less | Relation::Greater);
        let end = StatedEnd { strict, ..end };
        let tighter = |old: Option<StatedEnd<'q>>, order| {
            old.is_none_or(|old| {
                let compared = end.numeral.cmp_value(old.numeral);
                compared == order || (compared == Ordering::Equal && end.strict && !old.strict)
            })
        };
        if matches!(relation, Relation::GreaterEqual | Relation::Greater | Relation::Equal)
            && tighter(self.lower, Ordering::Greater)
        {
            self.lower = Some(end);
        }
        if matches!(relation, Relation::LessEqual | Relation::Less | Relation::Equal)
            && tighter(self.upper, Ordering::Less)
        {
            self.upper = Some(end);
        }
    }

    /// The two ends that leave no number between them.
    fn contradiction(&self) -> Option<(StatedEnd<'q>, StatedEnd<'q>)> {
        let (lower, upper) = (self.lower?, self.upper?);
        match lower.numeral.cmp_value(upper.numeral) {
            Ordering::Greater => Some((lower, upper)),
            Ordering::Equal if lower.strict || upper.strict => Some((lower, upper)),
            _ => None,
        }
    }
}

/// A tensor and an element of it, by their positions.
type Element = (usize, usize);

type Bounds<'q> = BTreeMap<Element, TightestEnds<'q>>;

/// All doubts about a query.
pub fn doubts(query: &Query) -> Vec<Doubt> {
    let mut common = Bounds::new();
    let mut disjunctions = Vec::new();
    let mut outputs = false;
    for assertion in query.assertions() {
        let formula = assertion.formula();
        outputs |= formula.events().any(|event| matches!(event, Event::Variable(v) if !is_input(query, v)));
        collect(formula, &mut common, &mut disjunctions);
    }
    let mut doubts = contradictions(query, &common);
    if doubts.is_empty() {
        doubts.extend(empty_disjunction(query, &common, &disjunctions));
    }
    doubts.extend(without_bounds(query, &common, &disjunctions));
    if !outputs {
        let text = "no assertion names an output: every input of the input set is a counterexample (help: assert what a \
            wrong output is)";
        doubts.push(Doubt { variable: None, lines: Vec::new(), text: text.to_owned() });
    }
    doubts
}

/// Bounds that hold in any case, and the disjunctions beside them. Bounds inside of those are not looked for here.
fn collect<'q>(formula: Formula<'q>, bounds: &mut Bounds<'q>, disjunctions: &mut Vec<Formula<'q>>) {
    let mut open = vec![formula];
    while let Some(formula) = open.pop() {
        match formula {
            Formula::And(operands) => open.extend(operands),
            Formula::Or(_) => disjunctions.push(formula),
            Formula::Compare(comparison) => {
                let Some(bound) = comparison.as_bound() else { continue };
                let key = (bound.variable.tensor().index(), bound.variable.element());
                let end = StatedEnd { numeral: bound.numeral, strict: false, comparison };
                bounds.entry(key).or_default().add(bound.relation, end);
            }
        }
    }
}

fn contradictions(query: &Query, bounds: &Bounds<'_>) -> Vec<Doubt> {
    const SHOWN: usize = 5;
    let found = bounds.iter().filter_map(|(&key, ends)| {
        let (lower, upper) = ends.contradiction()?;
        Some(contradiction(query, &variable_name(query, key), lower, upper))
    });
    found.take(SHOWN).collect()
}

fn contradiction(query: &Query, name: &str, lower: StatedEnd<'_>, upper: StatedEnd<'_>) -> Doubt {
    let line = |end: StatedEnd<'_>| query.line_and_column(end.comparison.span()).0;
    let mut ends = [(line(lower), lower, "above"), (line(upper), upper, "below")];
    ends.sort_by_key(|(line, ..)| *line);
    let said = |(line, end, side): (usize, StatedEnd<'_>, &str)| {
        let at = if end.strict { "" } else { "at or " };
        format!("line {line} wants it {at}{side} {}", end.numeral)
    };
    let text = format!(
        "no {name} satisfies the property: {}, {} (help: are the two bounds swapped? `unsat` then says nothing about \
         the network)",
        said(ends[0]),
        said(ends[1])
    );
    Doubt { variable: Some(name.to_owned()), lines: ends.iter().map(|(line, ..)| *line).collect(), text }
}

/// A disjunction none of whose cases any number satisfies.
fn empty_disjunction<'q>(query: &Query, common: &Bounds<'q>, disjunctions: &[Formula<'q>]) -> Option<Doubt> {
    disjunctions.iter().find_map(|disjunction| {
        let Formula::Or(cases) = *disjunction else { return None };
        let mut first = None;
        for case in cases {
            let (mut own, mut inner) = (Bounds::new(), Vec::new());
            collect(case, &mut own, &mut inner);
            let found = own.iter().find_map(|(key, ends)| {
                let mut all = *ends;
                if let Some(shared) = common.get(key) {
                    for (relation, end) in
                        [(Relation::GreaterEqual, shared.lower), (Relation::LessEqual, shared.upper)]
                    {
                        let strict = |end: StatedEnd<'_>| match (end.strict, relation) {
                            (true, Relation::GreaterEqual) => Relation::Greater,
                            (true, _) => Relation::Less,
                            _ => relation,
                        };
                        if let Some(end) = end {
                            all.add(strict(end), end);
                        }
                    }
                }
                all.contradiction().map(|(lower, upper)| (*key, lower, upper))
            });
            let (key, lower, upper) = found?;
            first.get_or_insert_with(|| contradiction(query, &variable_name(query, key), lower, upper));
        }
        first
    })
}

/// Inputs that neither the common bounds nor the first case of a disjunction bounds.
fn without_bounds<'q>(query: &Query, common: &Bounds<'q>, disjunctions: &[Formula<'q>]) -> Option<Doubt> {
    const SHOWN: usize = 3;
    let mut bounds = common.clone();
    for disjunction in disjunctions {
        if let Formula::Or(mut cases) = *disjunction
            && let Some(case) = cases.next()
        {
            collect(case, &mut bounds, &mut Vec::new());
        }
    }
    let ends = bounds.iter().map(|(&at, ends)| (at, [ends.lower.is_some(), ends.upper.is_some()])).collect();
    let mut there = EndsThere { query, ends };
    there.share();
    let mut open = Vec::new();
    for (at, tensor) in query.tensors().iter().enumerate().filter(|(_, tensor)| tensor.role() == Role::Input)
    {
        for element in 0..tensor.len() {
            let missing = match there.has((at, element)) {
                [true, true] => continue,
                [false, true] => "lower bound",
                [true, false] => "upper bound",
                [false, false] => "bounds",
            };
            open.push((variable_name(query, (at, element)), missing));
        }
    }
    let (first, missing) = open.first()?.clone();
    let names = open.iter().map(|(name, _)| name.clone());
    let text = match open.len() {
        1 => format!("input {first} has no {missing}"),
        count => {
            let shown: Vec<String> = names.take(SHOWN).collect();
            let more = if count > SHOWN { ", ..." } else { "" };
            format!("{count} inputs have no lower or no upper bound: {}{more}", shown.join(", "))
        }
    };
    let text = format!("{text}; the search goes only so far there (help: bound every input on both sides)");
    Some(Doubt { variable: Some(first), lines: Vec::new(), text })
}

/// Looks through the rows that compare inputs, at most so often: each look carries bounds one input further.
const MOST_LOOKS: usize = 16;

/// Which inputs have a lower and an upper end.
struct EndsThere<'q> {
    query: &'q Query,
    ends: BTreeMap<Element, [bool; 2]>,
}

impl EndsThere<'_> {
    fn has(&self, element: Element) -> [bool; 2] {
        self.ends.get(&element).copied().unwrap_or_default()
    }

    /// Inputs that are tied to others in any case, by `x = y` or `x ≤ y + 1`, are bounded where those are; so are those that are tied to
    /// what a network computes of bounded inputs.
    fn share(&mut self) {
        let rows = input_rows(self.query);
        for _ in 0..if rows.is_empty() { 0 } else { MOST_LOOKS } {
            let before = self.ends.clone();
            self.share_through_networks();
            rows.iter().for_each(|row| self.share_in(row));
            if self.ends == before {
                break;
            }
        }
    }

    /// Bounded inputs have bounded outputs.
    fn share_through_networks(&mut self) {
        let tensors = self.query.tensors();
        let elements = |at: usize| (0..tensors[at].len()).map(move |element| (at, element));
        for network in 0..self.query.networks().len() {
            let own = |at: &usize| tensors[*at].network() == network;
            let (inputs, others): (Vec<usize>, Vec<usize>) =
                (0..tensors.len()).filter(own).partition(|&at| tensors[at].role() == Role::Input);
            if inputs.into_iter().flat_map(elements).all(|at| self.has(at) == [true, true]) {
                self.ends.extend(others.into_iter().flat_map(elements).map(|at| (at, [true, true])));
            }
        }
    }

    /// A sum that may not rise above a number bounds a term upwards where all others are bounded downwards.
    fn share_in(&mut self, row: &InputRow) {
        let sides = [(row.below, true), (row.above, false)];
        for (_, upwards) in sides.into_iter().filter(|(stated, _)| *stated) {
            // By the sign of its coefficient: the end of the input that keeps its term on the other side.
            let end = |rises: bool| usize::from(rises != upwards);
            let open: Vec<_> = row.terms.iter().filter(|&&(at, rises)| !self.has(at)[end(rises)]).collect();
            let bounded: Vec<_> = match open[..] {
                [] => row.terms.iter().collect(),
                [only] => vec![only],
                _ => continue,
            };
            for &(at, rises) in bounded {
                self.ends.entry(at).or_default()[1 - end(rises)] = true;
            }
        }
    }
}

/// A comparison of a sum with a number.
struct InputRow {
    /// Each variable, and whether the sum rises with it.
    terms: Vec<(Element, bool)>,
    /// Whether the sum has to stay below the number, or above it; both where it has to be equal.
    below: bool,
    above: bool,
}

/// The rows of several variables, an input among them, that hold in any case.
fn input_rows(query: &Query) -> Vec<InputRow> {
    let mut open: Vec<Formula<'_>> = query.assertions().map(|assertion| assertion.formula()).collect();
    let mut rows = Vec::new();
    while let Some(formula) = open.pop() {
        match formula {
            Formula::And(operands) => open.extend(operands),
            Formula::Or(_) => {}
            Formula::Compare(comparison) => rows.extend(input_row(query, comparison)),
        }
    }
    rows
}

fn input_row(query: &Query, comparison: Comparison<'_>) -> Option<InputRow> {
    let is_alone = comparison.as_bound().is_some();
    let row = if is_alone { return None } else { comparison.linear().ok()? };
    let term = |(variable, coefficient): &(Variable, vnnlib::Coefficient)| {
        ((variable.tensor().index(), variable.element()), coefficient.value > 0.0)
    };
    if !row.terms.iter().any(|(variable, _)| is_input(query, *variable)) {
        return None;
    }
    let relation = comparison.relation();
    Some(InputRow {
        terms: row.terms.iter().map(term).collect(),
        below: matches!(relation, Relation::LessEqual | Relation::Less | Relation::Equal),
        above: matches!(relation, Relation::GreaterEqual | Relation::Greater | Relation::Equal),
    })
}

fn is_input(query: &Query, variable: Variable) -> bool {
    query.tensors().get(variable.tensor().index()).is_some_and(|tensor| tensor.role() == Role::Input)
}

/// A variable as the query writes it: an element of a tensor, both by their positions.
pub(crate) fn variable_name(query: &Query, (tensor, element): Element) -> String {
    let Some(tensor) = query.tensors().get(tensor) else { return String::new() };
    if query.version() == Version::V1 {
        return format!("{}_{element}", tensor.name());
    }
    let mut left = element;
    let mut indices: Vec<String> = Vec::new();
    for &extent in tensor.shape().iter().rev() {
        let extent = extent.max(1) as usize;
        indices.push((left % extent).to_string());
        left /= extent;
    }
    indices.reverse();
    if indices.is_empty() {
        tensor.name().to_owned()
    } else {
        format!("{}[{}]", tensor.name(), indices.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_doubtful_is_named_with_its_lines() {
        let check = |body: &str, want: &[(&str, &[usize], &str)]| {
            let text = format!(
                "(declare-const X_0 Real)\n(declare-const X_1 Real)\n(declare-const Y_0 Real)\n{body}"
            );
            let got = doubts(&vnnlib::parse(text).unwrap());
            assert_eq!(got.len(), want.len(), "{body}: {got:?}");
            for (doubt, (variable, lines, part)) in got.iter().zip(want) {
                assert_eq!(doubt.variable.as_deref().unwrap_or(""), *variable, "{body}");
                assert_eq!(doubt.lines, *lines, "{body}");
                assert!(doubt.text.contains(part), "{}", doubt.text);
            }
        };
        let fine = "(assert (<= X_1 1))(assert (>= X_1 0))(assert (<= Y_0 0))";
        check(&format!("{fine}\n(assert (>= X_0 -1))\n(assert (<= X_0 1))"), &[]);
        check(
            &format!("{fine}\n(assert (>= X_0 1))\n(assert (<= X_0 -1))"),
            &[("X_0", &[5, 6], "line 5 wants it at or above 1, line 6 wants it at or below -1")],
        );
        check(
            &format!("{fine}\n(assert (and (< 2 X_0)\n(< X_0 2)))"),
            &[("X_0", &[5, 6], "line 5 wants it above 2, line 6 wants it below 2")],
        );
        check(
            &format!("{fine}\n(assert (or (and (>= X_0 1) (<= X_0 0))\n(and (>= X_0 3) (<= X_0 2))))"),
            &[("X_0", &[5, 5], "no X_0 satisfies")],
        );
        check(&format!("{fine}\n(assert (or (and (>= X_0 1) (<= X_0 0)) (and (>= X_0 2) (<= X_0 3))))"), &[]);
        check(&format!("{fine}\n(assert (>= X_0 1))"), &[("X_0", &[], "input X_0 has no upper bound")]);
        check("(assert (<= Y_0 0))", &[("X_0", &[], "2 inputs have no lower or no upper bound: X_0, X_1")]);
        check(
            "(assert (and (>= X_0 1) (<= X_0 2) (>= X_1 1) (<= X_1 2)))",
            &[("", &[], "no assertion names an output")],
        );
        check(
            &format!("{fine}(assert (>= Y_0 1))\n(assert (= X_0 0))"),
            &[("Y_0", &[4, 4], "no Y_0 satisfies")],
        );
    }

    #[test]
    fn inputs_that_are_tied_to_others_share_their_bounds() {
        let check = |assertions: &str, want: Option<&str>| {
            let text = format!(
                "(vnnlib-version <2.0>)(declare-network f (declare-input X float32 [2]) (declare-output Y float32 [1]))\
                 (declare-network g (declare-input U float32 [2]) (declare-output V float32 [1]))\
                 (assert (and (<= X[0] 1.0) (>= X[0] 0.0) (<= X[1] 1.0)))(assert (>= V[0] Y[0])){assertions}"
            );
            let found = doubts(&vnnlib::parse(text).unwrap());
            let said = found.first().map(|doubt| doubt.text.as_str());
            assert_eq!(said.is_some(), want.is_some(), "{assertions}: {said:?}");
            let said = said.unwrap_or_default();
            assert!(said.starts_with(want.unwrap_or_default()), "{assertions}: {said}");
        };
        let tied = "(assert (and (== X[0] U[0]) (== U[1] X[1])))";
        check(&format!("{tied}(assert (>= U[1] 0.0))"), None);
        check("(assert (== X[0] U[0]))(assert (== X[1] U[1]))(assert (>= X[1] 0.0))", None);
        check("(assert (== X[0] U[0]))(assert (== X[0] X[1]))(assert (== U[1] X[1]))", None);
        check(tied, Some("2 inputs have no lower or no upper bound: X[1], U[1]"));
        check("(assert (== X[0] U[0]))(assert (>= X[1] 0.0))", Some("input U[1] has no bounds"));
        let or = "(assert (>= X[1] 0.0))(assert (== X[0] U[0]))(assert (or (== X[1] U[1]) (<= Y[0] 0.0)))";
        check(or, Some("input U[1] has no bounds"));
        check(&format!("{tied}(assert (<= X[1] (+ U[0] 0.5)))"), Some("2 inputs"));
        // A sum or a difference that is bounded bounds one input by the others.
        check(&format!("{tied}(assert (>= X[1] (- U[0] 0.5)))"), None);
        let apart = "(assert (and (<= (- U[0] X[0]) 0.1) (>= (- U[0] X[0]) -0.1) (>= (+ X[1] U[1]) -1.0)))";
        check(&format!("{apart}(assert (<= U[1] 2.0))"), None);
        check(apart, Some("2 inputs have no lower or no upper bound: X[1], U[1]"));
        // What a network computes of bounded inputs is bounded, and so is what equals it.
        let behind = "(assert (>= X[1] 0.0))(assert (== U[0] Y[0]))";
        check(&format!("{behind}(assert (== U[1] (+ Y[0] X[0])))"), None);
        check(behind, Some("input U[1] has no bounds"));
        check("(assert (== U[0] Y[0]))(assert (== U[1] Y[0]))", Some("3 inputs have no lower"));
    }

    #[test]
    fn elements_are_named_as_version_2_writes_them() {
        let text = "(vnnlib-version <2.0>)(declare-network f (declare-input X float32 [1,2,2])\
            (declare-output Y float32 [1]))\n(assert (and (<= X[0,1,0] 0.0) (>= X[0,1,0] 1.0)))\n(assert (>= Y[0] 0.0))";
        let found = doubts(&vnnlib::parse(text).unwrap());
        assert_eq!(found[0].variable.as_deref(), Some("X[0,1,0]"));
    }
}
