//! Comparisons as rows, and the ways to violate as lists of them or as a formula.

use vnnlib::{Coefficient, Comparison, Formula, NotLinear, Relation, Variable};

use super::bounds::{RepresentableValues, StatedInterval};
use super::boxes::InputBound;
use super::condition::{Condition, FormulaStep, Join};
use super::layout::Space;
use super::lower::{Property, PropertyError};
use super::ways::PartialChoice;
use super::{Conjunction, Row, RowKind};

impl Property {
    /// All ways, one by one.
    pub(super) fn conjunctions(&self, ways: &[PartialChoice]) -> Result<Vec<Conjunction>, PropertyError> {
        let mut common = Vec::new();
        for comparison in self.form.common() {
            self.rows(comparison, &mut common)?;
        }
        let mut conjunctions = Vec::new();
        for way in ways {
            let mut own = common.clone();
            for comparison in self.chosen(&way.chosen) {
                self.rows(comparison, &mut own)?;
            }
            let open = self.open(way);
            let cases = open.iter().map(|&formula| self.form.count_of(formula)).product::<u64>();
            for case in 0..cases {
                let mut rows = own.clone();
                for comparison in self.form.case_of(&open, case) {
                    self.rows(comparison, &mut rows)?;
                }
                conjunctions.push(Conjunction { rows });
            }
        }
        Ok(conjunctions)
    }

    /// All ways as a formula.
    pub(super) fn condition(&self, ways: &[PartialChoice]) -> Result<Condition, PropertyError> {
        let mut condition = Condition::default();
        for comparison in self.form.common() {
            self.add_comparison(comparison, false, &mut condition)?;
        }
        condition.steps.push(FormulaStep::Open(Join::Any));
        for way in ways {
            condition.steps.push(FormulaStep::Open(Join::All));
            for comparison in self.chosen(&way.chosen) {
                self.add_comparison(comparison, false, &mut condition)?;
            }
            for formula in self.open(way) {
                self.add_formula(formula, &mut condition)?;
            }
            condition.steps.push(FormulaStep::Close);
        }
        condition.steps.push(FormulaStep::Close);
        Ok(condition)
    }

    fn add_formula(&self, formula: Formula<'_>, condition: &mut Condition) -> Result<(), PropertyError> {
        let mut open = Vec::new();
        let mut current = Some(formula);
        loop {
            match current {
                Some(Formula::Compare(comparison)) => self.add_comparison(comparison, true, condition)?,
                Some(Formula::And(operands)) => {
                    condition.steps.push(FormulaStep::Open(Join::All));
                    open.push(operands);
                }
                Some(Formula::Or(operands)) => {
                    condition.steps.push(FormulaStep::Open(Join::Any));
                    open.push(operands);
                }
                None => {
                    condition.steps.push(FormulaStep::Close);
                    open.pop();
                }
            }
            let Some(operands) = open.last_mut() else { return Ok(()) };
            current = operands.next();
        }
    }

    /// Adds a comparison's rows; bounds of an input only if the box does not have them.
    fn add_comparison(
        &self,
        comparison: Comparison<'_>,
        bounds: bool,
        condition: &mut Condition,
    ) -> Result<(), PropertyError> {
        let mut rows = Vec::new();
        match self.input_bound(comparison) {
            Some(bound) if bounds => rows = self.rows_of_bound(bound),
            Some(_) => {}
            None => self.rows(comparison, &mut rows)?,
        }
        let first = condition.rows.len() as u32;
        let steps = (first..first + rows.len() as u32).map(FormulaStep::Row);
        match rows.len() {
            1 => condition.steps.extend(steps),
            _ => {
                condition.steps.push(FormulaStep::Open(Join::All));
                condition.steps.extend(steps);
                condition.steps.push(FormulaStep::Close);
            }
        }
        condition.rows.append(&mut rows);
        Ok(())
    }

    /// A bound of an input as rows, rounded to the numbers of its type that it admits.
    fn rows_of_bound(&self, (input, relation, numeral): InputBound<'_>) -> Vec<Row> {
        let mut interval = StatedInterval::default();
        interval.add(relation, numeral);
        let row = |inputs, bound| Row { inputs, outputs: Vec::new(), bound, kind: RowKind::AtMost };
        match interval.values(self.layout.element(input)) {
            RepresentableValues::Range(lower, upper) => {
                let below = lower.is_finite().then(|| row(vec![(input, -1.0)], -lower));
                let above = upper.is_finite().then(|| row(vec![(input, 1.0)], upper));
                below.into_iter().chain(above).collect()
            }
            // No number of the type satisfies it.
            RepresentableValues::Nearest(..)
            | RepresentableValues::Unreachable
            | RepresentableValues::Empty => vec![row(Vec::new(), -1.0)],
        }
    }

    /// Appends the rows of a comparison that an interval cannot hold.
    pub(super) fn rows(&self, comparison: Comparison<'_>, rows: &mut Vec<Row>) -> Result<(), PropertyError> {
        if self.input_bound(comparison).is_some() || self.layout.satisfies(comparison) {
            return Ok(());
        }
        let sum = self.sum(comparison)?;
        let (at_most, at_least) = match comparison.relation() {
            Relation::LessEqual => (Some(RowKind::AtMost), None),
            Relation::Less => (Some(RowKind::Below), None),
            Relation::GreaterEqual => (None, Some(RowKind::AtMost)),
            Relation::Greater => (None, Some(RowKind::Below)),
            Relation::Equal => (Some(RowKind::AtMost), Some(RowKind::AtMost)),
            Relation::NotEqual => (Some(RowKind::Differs), None),
        };
        let made = [at_most.map(|kind| sum.row(1.0, kind)), at_least.map(|kind| sum.row(-1.0, kind))];
        // A row without variables that holds says nothing.
        let idle = |row: &Row| row.inputs.is_empty() && row.outputs.is_empty() && row.holds(&[], &[]);
        rows.extend(made.into_iter().flatten().filter(|row| !idle(row)));
        Ok(())
    }

    /// Left side less right side, over flat indices.
    fn sum(&self, comparison: Comparison<'_>) -> Result<CoefficientSum, PropertyError> {
        let failed = |reason| PropertyError::not_polynomial(&self.query, comparison, reason);
        if !self.layout.has_couplings() {
            match comparison.linear() {
                Ok(row) => {
                    let terms = row.terms.iter().map(|&(v, coefficient)| (self.layout.place(v), coefficient));
                    return Ok(CoefficientSum { terms: terms.collect(), constant: row.constant });
                }
                Err(NotLinear::TooLarge(reason)) => return Err(failed(reason.into())),
                Err(NotLinear::Polynomial) => {}
            }
        }
        let row = comparison.polynomial(|variable| self.layout.leader(variable)).map_err(failed)?;
        let place = |variables: &[Variable]| match variables {
            [one] => Some(self.layout.place(*one)),
            // The layout has collected all products.
            several => self.layout.place_of_product(several),
        };
        let terms = row.terms.iter().filter_map(|(v, coefficient)| Some((place(v)?, *coefficient)));
        Ok(CoefficientSum { terms: terms.collect(), constant: row.constant })
    }
}

/// `Σ coefficient · value + constant`.
struct CoefficientSum {
    terms: Vec<((Space, usize), Coefficient)>,
    constant: Coefficient,
}

impl CoefficientSum {
    /// `sign · sum` at most zero (or whatever `kind` says).
    fn row(&self, sign: f64, kind: RowKind) -> Row {
        let bound = -sign * self.constant.value + 0.0;
        // Rounded up: what the row then excludes, the decimal excludes.
        let bound = if self.constant.error > 0.0 { bound.next_up() } else { bound };
        let mut row = Row { inputs: Vec::new(), outputs: Vec::new(), bound, kind };
        for &((space, index), coefficient) in &self.terms {
            let terms = if space == Space::Input { &mut row.inputs } else { &mut row.outputs };
            terms.push((index, sign * marked(coefficient)));
        }
        row
    }
}

/// The coefficient; one that is not exact never looks like a [`Row::is_exact`] one, at the cost of its last bit.
fn marked(coefficient: Coefficient) -> f64 {
    let Coefficient { value, error } = coefficient;
    if error > 0.0 && super::is_short(value) { value.next_up() } else { value }
}
