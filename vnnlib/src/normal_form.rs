//! The disjunctive normal form, without building it.
//!
//! A query is a conjunction of formulas; its cases are the ways to choose one operand of every `or`. Their number is
//! the product over conjunctions and the sum over disjunctions, and is counted first: above the caller's limit there
//! is an error and no case is made. Each case is then decoded from its number, in mixed radix, in time linear in its
//! own size. What all cases share, such as an input box stated once, is kept apart ([`NormalForm::common`]).

use std::collections::HashMap;

use crate::ast::Query;
use crate::view::{Comparison, Formula, Formulas};

/// A query has more cases than the caller allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the query has {} cases, more than the limit of {limit}", self.count_text())]
pub struct TooManyCases {
    /// The number of cases; [`u64::MAX`] stands for that many or more.
    pub count: u64,
    /// The limit that was given.
    pub limit: u64,
}

impl TooManyCases {
    fn count_text(&self) -> String {
        if self.count == u64::MAX { "over 10^19".into() } else { self.count.to_string() }
    }
}

/// An operand of an `or`, and how many cases the operands before it have.
#[derive(Clone, Copy)]
struct Branch {
    node: u32,
    before: u64,
}

/// A query as a disjunction of conjunctions of comparisons.
#[derive(Clone)]
pub struct NormalForm {
    query: Query,
    common: Vec<u32>,
    /// The outermost formulas with more than one case.
    choices: Vec<u32>,
    /// The number of cases of every operator that has more than one.
    counts: HashMap<u32, u64>,
    /// The operands of every `or` with more than one case.
    branches: HashMap<u32, Vec<Branch>>,
    count: u64,
}

impl Query {
    /// The normal form, if it has at most `limit` cases.
    ///
    /// # Errors
    /// If it has more.
    pub fn normal_form(&self, limit: u64) -> Result<NormalForm, TooManyCases> {
        let mut form = NormalForm {
            query: self.clone(),
            common: Vec::new(),
            choices: Vec::new(),
            counts: HashMap::new(),
            branches: HashMap::new(),
            count: 1,
        };
        for assertion in self.assertions() {
            let cases = form.count_cases(assertion.formula());
            form.count = form.count.saturating_mul(cases);
        }
        if form.count > limit {
            return Err(TooManyCases { count: form.count, limit });
        }
        form.separate();
        Ok(form)
    }
}

/// An operator whose operands are being counted.
struct OpenOperator<'q> {
    formula: Formula<'q>,
    operands: Formulas<'q>,
    cases: u64,
    branches: Vec<Branch>,
}

impl<'q> OpenOperator<'q> {
    fn new(formula: Formula<'q>) -> Option<Self> {
        match formula {
            Formula::And(operands) => Some(Self { formula, operands, cases: 1, branches: Vec::new() }),
            Formula::Or(operands) => Some(Self { formula, operands, cases: 0, branches: Vec::new() }),
            Formula::Compare(_) => None,
        }
    }

    fn take(&mut self, operand: Formula<'_>, cases: u64) {
        if let Formula::Or(_) = self.formula {
            self.branches.push(Branch { node: operand.index(), before: self.cases });
            self.cases = self.cases.saturating_add(cases);
        } else {
            self.cases = self.cases.saturating_mul(cases);
        }
    }
}

impl NormalForm {
    /// The number of cases, at least 1.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The comparisons that belong to every case.
    pub fn common(&self) -> impl Iterator<Item = Comparison<'_>> {
        self.common.iter().filter_map(|&node| match self.query.formula_at(node) {
            Formula::Compare(comparison) => Some(comparison),
            _ => None,
        })
    }

    /// What case `number`, counted from 0, adds to the common comparisons; nothing beyond [`Self::count`].
    pub fn case(&self, number: u64) -> Vec<Comparison<'_>> {
        let mut case = Vec::new();
        if number < self.count {
            self.case_into(number, &mut case);
        }
        case
    }

    /// All cases, one by one, each without the common comparisons.
    pub fn cases(&self) -> impl Iterator<Item = Vec<Comparison<'_>>> {
        (0..self.count).map(|number| self.case(number))
    }

    /// The outermost `or`s with more than one case, in the order of the text: every case chooses in each of them.
    pub fn choices(&self) -> impl Iterator<Item = Formula<'_>> {
        self.choices.iter().map(|&node| self.query.formula_at(node))
    }

    /// The number of cases of a formula of this query; [`u64::MAX`] stands for that many or more.
    pub fn count_of(&self, formula: Formula<'_>) -> u64 {
        self.cases_of(formula.index())
    }

    /// Case `number` of the conjunction of some formulas of this query, the last of which changes fastest. `number` is
    /// below the product of their [`Self::count_of`], which must not be that of too many to count.
    pub fn case_of<'q>(&'q self, formulas: &[Formula<'q>], number: u64) -> Vec<Comparison<'q>> {
        let mut case = Vec::new();
        self.decode(formulas.iter().copied(), number, &mut case, &mut |_, _| {});
        case
    }

    /// What [`Self::case_of`] chooses: the number of each `or` with more than one case, and the position of its operand.
    pub fn choices_of(&self, formulas: &[Formula<'_>], number: u64) -> Vec<(u32, u32)> {
        let mut choices = Vec::new();
        let mut note = |or: u32, operand: usize| choices.push((or, operand as u32));
        self.decode(formulas.iter().copied(), number, &mut Vec::new(), &mut note);
        choices
    }

    /// Counts the cases of a formula, and notes those of every operator in it that has more than one.
    fn count_cases(&mut self, formula: Formula<'_>) -> u64 {
        let mut open: Vec<OpenOperator<'_>> = Vec::new();
        let mut current = formula;
        loop {
            if let Some(operator) = OpenOperator::new(current) {
                open.push(operator);
            } else if let Some(operator) = open.last_mut() {
                operator.take(current, 1);
            }
            current = loop {
                let Some(operator) = open.last_mut() else { return 1 };
                if let Some(next) = operator.operands.next() {
                    break next;
                }
                let Some(OpenOperator { formula, cases, branches, .. }) = open.pop() else { return 1 };
                self.note(formula, cases, branches);
                match open.last_mut() {
                    Some(operator) => operator.take(formula, cases),
                    None => return cases,
                }
            };
        }
    }

    fn note(&mut self, formula: Formula<'_>, cases: u64, branches: Vec<Branch>) {
        if cases > 1 {
            self.counts.insert(formula.index(), cases);
            if let Formula::Or(_) = formula {
                self.branches.insert(formula.index(), branches);
            }
        }
    }

    fn cases_of(&self, node: u32) -> u64 {
        self.counts.get(&node).copied().unwrap_or(1)
    }

    /// Puts the comparisons outside of every choice into `common`, the outermost choices into `choices`.
    fn separate(&mut self) {
        let query = self.query.clone();
        for assertion in query.assertions() {
            let mut left = vec![assertion.formula()];
            while let Some(formula) = left.pop() {
                match formula {
                    Formula::Compare(comparison) => self.common.push(comparison.index()),
                    Formula::Or(_) if self.cases_of(formula.index()) > 1 => {
                        self.choices.push(formula.index())
                    }
                    Formula::And(operands) | Formula::Or(operands) => extend_reversed(&mut left, operands),
                }
            }
        }
    }

    /// Decodes a number below `count`: the last choice changes fastest.
    fn case_into<'q>(&'q self, number: u64, case: &mut Vec<Comparison<'q>>) {
        self.decode(
            self.choices.iter().map(|&node| self.query.formula_at(node)),
            number,
            case,
            &mut |_, _| {},
        );
    }

    fn decode<'q>(
        &'q self,
        formulas: impl DoubleEndedIterator<Item = Formula<'q>>,
        mut number: u64,
        case: &mut Vec<Comparison<'q>>,
        note: &mut dyn FnMut(u32, usize),
    ) {
        let mut left: Vec<(Formula<'q>, u64)> = Vec::new();
        for formula in formulas.rev() {
            let cases = self.cases_of(formula.index());
            left.push((formula, number % cases));
            number /= cases;
        }
        while let Some((formula, number)) = left.pop() {
            match formula {
                Formula::Compare(comparison) => case.push(comparison),
                Formula::Or(operands) => match self.branches.get(&formula.index()) {
                    Some(branches) => {
                        let chosen =
                            branches.partition_point(|branch| branch.before <= number).saturating_sub(1);
                        let branch = branches[chosen];
                        note(formula.index(), chosen);
                        left.push((self.query.formula_at(branch.node), number - branch.before));
                    }
                    // One case only: one operand, which has one case.
                    None => left.extend(operands.map(|operand| (operand, 0))),
                },
                Formula::And(operands) => self.split(operands, number, &mut left),
            }
        }
    }

    /// Divides the number of a conjunction's case among its operands.
    fn split<'q>(&'q self, operands: Formulas<'q>, mut number: u64, left: &mut Vec<(Formula<'q>, u64)>) {
        let begin = left.len();
        left.extend(operands.map(|operand| (operand, 0)));
        // Turned around, the first operand is on top of the stack and the last one takes the lowest digit.
        left[begin..].reverse();
        for (formula, digit) in &mut left[begin..] {
            let cases = self.cases_of(formula.index());
            *digit = number % cases;
            number /= cases;
        }
    }
}

fn extend_reversed<'q>(stack: &mut Vec<Formula<'q>>, operands: Formulas<'q>) {
    let begin = stack.len();
    stack.extend(operands);
    stack[begin..].reverse();
}
