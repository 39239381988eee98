//! A comparison as a linear row: Σ coefficient · variable + constant, related to zero.
//!
//! Like terms are collected exactly; only the result is rounded, and [`Coefficient::error`] says by how much at most.

use crate::ast::Variable;
use crate::exact::{Exact, TooLarge};
use crate::node::{Operator, Relation};
use crate::view::{Comparison, Event};

/// A number rounded to the nearest float.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coefficient {
    /// The nearest float.
    pub value: f64,
    /// At least the distance to the exact number; 0 if the float is exact.
    pub error: f64,
}

/// `Σ coefficient · variable + constant  relation  0`.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearRow {
    /// The variables with their coefficients, in ascending order, none twice and none with coefficient zero.
    pub terms: Vec<(Variable, Coefficient)>,
    /// The constant.
    pub constant: Coefficient,
    /// How the sum relates to zero.
    pub relation: Relation,
}

/// Why a comparison is no linear row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotLinear {
    /// It multiplies variables.
    #[error("the comparison multiplies variables")]
    Polynomial,
    /// A number in it grows beyond bounds.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// A linear term while it is built: like terms are merged at the end only, which keeps long sums linear.
struct Sum {
    terms: Vec<(Variable, Exact)>,
    constant: Exact,
}

impl Comparison<'_> {
    /// Left side less right side as a linear row.
    ///
    /// # Errors
    /// If variables are multiplied, even where the products cancel.
    pub fn linear(self) -> Result<LinearRow, NotLinear> {
        let mut stack: Vec<Sum> = Vec::new();
        for event in self.events() {
            match event {
                Event::Open(_) => {}
                Event::Numeral(numeral) => stack.push(Sum { terms: Vec::new(), constant: numeral.into() }),
                Event::Variable(variable) => {
                    stack.push(Sum { terms: vec![(variable, Exact::one())], constant: Exact::zero() });
                }
                Event::Close { operator, operands } => {
                    let operands = stack.split_off(stack.len().saturating_sub(operands));
                    stack.push(apply(operator, operands)?);
                }
            }
        }
        let sum = stack.pop().unwrap_or_else(Sum::zero);
        Ok(LinearRow {
            terms: collect(sum.terms)?,
            constant: round(&sum.constant)?,
            relation: self.relation(),
        })
    }
}

impl Sum {
    fn zero() -> Self {
        Self { terms: Vec::new(), constant: Exact::zero() }
    }

    fn negate(mut self) -> Self {
        for (_, coefficient) in &mut self.terms {
            *coefficient = coefficient.negate();
        }
        self.constant = self.constant.negate();
        self
    }

    /// Appends the shorter list to the longer one, so that a left-leaning chain of sums costs no copies.
    fn add(mut self, mut other: Self) -> Result<Self, TooLarge> {
        if self.terms.len() < other.terms.len() {
            std::mem::swap(&mut self.terms, &mut other.terms);
        }
        self.terms.append(&mut other.terms);
        self.constant = self.constant.add(&other.constant)?;
        Ok(self)
    }

    fn multiply(self, other: Self) -> Result<Self, NotLinear> {
        let (factor, mut sum) = match (self.terms.is_empty(), other.terms.is_empty()) {
            (true, _) => (self.constant, other),
            (_, true) => (other.constant, self),
            _ => return Err(NotLinear::Polynomial),
        };
        for (_, coefficient) in &mut sum.terms {
            *coefficient = coefficient.multiply(&factor)?;
        }
        sum.constant = sum.constant.multiply(&factor)?;
        Ok(sum)
    }
}

/// An operator on linear terms; a comparison is the difference of its sides.
fn apply(operator: Operator, operands: Vec<Sum>) -> Result<Sum, NotLinear> {
    let mut operands = operands.into_iter();
    let first = operands.next().unwrap_or_else(Sum::zero);
    match operator {
        Operator::Negation => Ok(first.negate()),
        Operator::Product => operands.try_fold(first, Sum::multiply),
        Operator::Difference | Operator::Compare(_) => {
            Ok(operands.try_fold(first, |sum, next| sum.add(next.negate()))?)
        }
        _ => Ok(operands.try_fold(first, Sum::add)?),
    }
}

/// Adds like terms, drops those that cancel, rounds the rest.
fn collect(mut terms: Vec<(Variable, Exact)>) -> Result<Vec<(Variable, Coefficient)>, TooLarge> {
    terms.sort_by_key(|&(variable, _)| variable);
    let mut merged: Vec<(Variable, Exact)> = Vec::with_capacity(terms.len());
    for (variable, coefficient) in terms {
        match merged.last_mut() {
            Some((last, sum)) if *last == variable => *sum = sum.add(&coefficient)?,
            _ => merged.push((variable, coefficient)),
        }
    }
    merged.retain(|(_, coefficient)| !coefficient.is_zero());
    merged.into_iter().map(|(variable, coefficient)| Ok((variable, round(&coefficient)?))).collect()
}

/// The nearest float, and by how much it is off.
pub(crate) fn round(exact: &Exact) -> Result<Coefficient, TooLarge> {
    let value = exact.nearest_f64();
    let Some(rounded) = Exact::from_f64(value) else {
        return Ok(Coefficient { value, error: f64::INFINITY });
    };
    let rest = exact.subtract(&rounded)?;
    // The distance is itself rounded, so the next float above it is safe.
    let error = if rest.is_zero() { 0.0 } else { rest.nearest_f64().abs().next_up() };
    Ok(Coefficient { value, error })
}
