//! A comparison as a polynomial row: Σ coefficient · product of variables + constant, related to zero.
//!
//! The general form of [`crate::LinearRow`]: products are multiplied out exactly, like terms are collected exactly,
//! and only the result is rounded. Multiplying out can explode, so that the number of terms has a limit.

use std::collections::BTreeMap;

use crate::ast::Variable;
use crate::exact::{Exact, TooLarge};
use crate::linear::{Coefficient, round};
use crate::node::{Operator, Relation};
use crate::view::{Comparison, Event};

/// `Σ coefficient · product + constant  relation  0`.
#[derive(Debug, Clone, PartialEq)]
pub struct PolynomialRow {
    /// Products of one or more variables (ascending, repeated for powers) with their coefficients: in ascending
    /// order, none twice and none with coefficient zero.
    pub terms: Vec<(Vec<Variable>, Coefficient)>,
    /// The constant.
    pub constant: Coefficient,
    /// How the sum relates to zero.
    pub relation: Relation,
}

/// Why a comparison is no polynomial row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPolynomial {
    /// Multiplied out it has too many terms.
    #[error("the comparison has more than {} terms when it is multiplied out", PolynomialRow::MAX_TERMS)]
    TooManyTerms,
    /// A number in it grows beyond bounds.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

impl PolynomialRow {
    /// The most terms of a comparison, also on the way.
    pub const MAX_TERMS: usize = 10_000;
}

/// Products with their coefficients; the empty product is the constant.
type Terms = BTreeMap<Vec<Variable>, Exact>;

impl Comparison<'_> {
    /// Left side less right side, multiplied out. Each variable is first replaced by what `stand_in` gives for it:
    /// where variables are known to be equal, one can stand for all.
    ///
    /// # Errors
    /// If there are too many terms, or a number is too large.
    pub fn polynomial(
        self,
        mut stand_in: impl FnMut(Variable) -> Variable,
    ) -> Result<PolynomialRow, NotPolynomial> {
        let mut stack: Vec<Terms> = Vec::new();
        for event in self.events() {
            match event {
                Event::Open(_) => {}
                Event::Numeral(numeral) => stack.push(BTreeMap::from([(Vec::new(), numeral.into())])),
                Event::Variable(variable) => {
                    stack.push(BTreeMap::from([(vec![stand_in(variable)], Exact::one())]));
                }
                Event::Close { operator, operands } => {
                    let operands = stack.split_off(stack.len().saturating_sub(operands));
                    stack.push(apply(operator, operands)?);
                }
            }
        }
        let mut sum = stack.pop().unwrap_or_default();
        let constant = sum.remove(&Vec::new()).unwrap_or_else(Exact::zero);
        sum.retain(|_, coefficient| !coefficient.is_zero());
        let terms = sum.into_iter().map(|(product, coefficient)| Ok((product, round(&coefficient)?)));
        Ok(PolynomialRow {
            terms: terms.collect::<Result<_, TooLarge>>()?,
            constant: round(&constant)?,
            relation: self.relation(),
        })
    }
}

/// An operator on multiplied-out terms; a comparison is the difference of its sides.
fn apply(operator: Operator, operands: Vec<Terms>) -> Result<Terms, NotPolynomial> {
    let mut operands = operands.into_iter();
    let first = operands.next().unwrap_or_default();
    match operator {
        Operator::Negation => Ok(negate(first)),
        Operator::Product => operands.try_fold(first, |product, next| multiply(&product, &next)),
        Operator::Difference | Operator::Compare(_) => {
            operands.try_fold(first, |sum, next| add(sum, negate(next)))
        }
        _ => operands.try_fold(first, add),
    }
}

fn negate(mut terms: Terms) -> Terms {
    terms.values_mut().for_each(|coefficient| *coefficient = coefficient.negate());
    terms
}

/// Moves the smaller sum into the larger one.
fn add(mut a: Terms, mut b: Terms) -> Result<Terms, NotPolynomial> {
    if a.len() < b.len() {
        std::mem::swap(&mut a, &mut b);
    }
    for (product, coefficient) in b {
        put(&mut a, product, coefficient)?;
    }
    Ok(a)
}

fn multiply(a: &Terms, b: &Terms) -> Result<Terms, NotPolynomial> {
    let mut product = Terms::new();
    for (left, by) in a {
        for (right, coefficient) in b {
            let mut variables = [left.as_slice(), right].concat();
            variables.sort_unstable();
            put(&mut product, variables, by.multiply(coefficient)?)?;
        }
    }
    Ok(product)
}

fn put(terms: &mut Terms, product: Vec<Variable>, coefficient: Exact) -> Result<(), NotPolynomial> {
    let sum = match terms.get(&product) {
        Some(old) => old.add(&coefficient)?,
        None if terms.len() >= PolynomialRow::MAX_TERMS => return Err(NotPolynomial::TooManyTerms),
        None => coefficient,
    };
    terms.insert(product, sum);
    Ok(())
}
