//! Exact evaluation of a query at a point: nothing is rounded, neither the point, nor the numbers of the text, nor
//! sums and products. Plain bounds of floats, nearly all comparisons of nearly all files, need no big integers.

use std::cmp::Ordering;

use crate::ast::{Query, Span, Variable};
use crate::exact::{Exact, TooLarge};
use crate::node::Operator;
use crate::numeral::Numeral;
use crate::view::{Comparison, Event, Formula, Formulas, Term};

/// The value of a variable at a point.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// A binary float; finite.
    Float(f64),
    /// A decimal number, as a witness prints it.
    Decimal(Numeral<'a>),
}

/// A point: a value for every variable that the query uses.
pub trait Assignment {
    /// The value of a variable, `None` if it has none.
    fn value(&self, variable: Variable) -> Option<Value<'_>>;
}

/// One list of floats a tensor, in declaration order, each row-major.
impl Assignment for [Vec<f64>] {
    fn value(&self, variable: Variable) -> Option<Value<'_>> {
        self.get(variable.tensor().index())?.get(variable.element()).map(|&float| Value::Float(float))
    }
}

/// One list of decimal numbers a tensor, in declaration order, each row-major.
impl Assignment for [Vec<Numeral<'_>>] {
    fn value(&self, variable: Variable) -> Option<Value<'_>> {
        self.get(variable.tensor().index())?.get(variable.element()).map(|&numeral| Value::Decimal(numeral))
    }
}

/// Why a query cannot be evaluated at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    /// The point gives no value for a variable.
    #[error("element {} of tensor {} has no value", .0.element(), .0.tensor().index())]
    Unassigned(Variable),
    /// The point gives NaN or an infinity.
    #[error("the value of element {} of tensor {} is not finite", .0.element(), .0.tensor().index())]
    NotFinite(Variable),
    /// An exact sum or product grows beyond bounds.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// An assertion that does not hold at a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Violation {
    /// The position of the assertion, from 0.
    pub assertion: usize,
    /// The comparison that decides: the worst one of the disjunct that comes closest.
    pub comparison: Span,
    /// By how much that comparison fails, rounded to the nearest float: the distance between its sides; 0 where a
    /// strict relation meets equal sides.
    pub amount: f64,
}

impl Query {
    /// Whether the point satisfies all assertions. Stops at the first that it does not.
    ///
    /// # Errors
    /// If a variable that matters has no finite value.
    pub fn holds<A: Assignment + ?Sized>(&self, point: &A) -> Result<bool, EvaluateError> {
        for assertion in self.assertions() {
            if !assertion.formula().holds(point)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The assertions that the point does not satisfy, each with the comparison at fault and the amount.
    ///
    /// # Errors
    /// If a variable has no finite value.
    pub fn violations<A: Assignment + ?Sized>(&self, point: &A) -> Result<Vec<Violation>, EvaluateError> {
        let mut violations = Vec::new();
        for assertion in self.assertions() {
            if let Some(Miss { comparison, amount }) = assertion.formula().miss(point)? {
                violations.push(Violation {
                    assertion: assertion.index(),
                    comparison: comparison.span(),
                    amount,
                });
            }
        }
        Ok(violations)
    }
}

/// A comparison that does not hold, and by how much.
#[derive(Clone, Copy)]
struct Miss<'q> {
    comparison: Comparison<'q>,
    amount: f64,
}

impl<'q> Formula<'q> {
    /// Whether it holds. Keeps the open operators on a stack and leaves each as soon as it is decided.
    fn holds<A: Assignment + ?Sized>(self, point: &A) -> Result<bool, EvaluateError> {
        let mut open = Vec::new();
        let mut current = self;
        loop {
            let truth = match current {
                Formula::Compare(comparison) => comparison.holds(point)?,
                Formula::And(operands) => {
                    open.push((false, operands));
                    true
                }
                Formula::Or(operands) => {
                    open.push((true, operands));
                    false
                }
            };
            current = loop {
                let Some((deciding, operands)) = open.last_mut() else { return Ok(truth) };
                let undecided = truth != *deciding;
                match operands.next() {
                    Some(next) if undecided => break next,
                    _ => open.pop(),
                };
            };
        }
    }

    /// The comparison at fault: the worst under `and`, the best under `or`; `None` if the formula holds.
    fn miss<A: Assignment + ?Sized>(self, point: &A) -> Result<Option<Miss<'q>>, EvaluateError> {
        let mut open: Vec<(bool, Formulas<'q>, Option<Miss<'q>>)> = Vec::new();
        let mut current = self;
        loop {
            let mut result = match current {
                Formula::Compare(comparison) => Some(comparison.miss(point)?),
                Formula::And(operands) => {
                    open.push((false, operands, None));
                    None
                }
                Formula::Or(operands) => {
                    open.push((true, operands, None));
                    None
                }
            };
            current = loop {
                let Some((is_or, operands, chosen)) = open.last_mut() else { return Ok(result.flatten()) };
                let satisfied = *is_or && matches!(result, Some(None));
                if let Some(Some(miss)) = result {
                    let replaces = |old: &Miss<'_>| {
                        if *is_or { miss.amount < old.amount } else { miss.amount > old.amount }
                    };
                    if chosen.as_ref().is_none_or(replaces) {
                        *chosen = Some(miss);
                    }
                }
                match operands.next() {
                    Some(next) if !satisfied => break next,
                    _ => {
                        result = Some(if satisfied { None } else { *chosen });
                        open.pop();
                    }
                }
            };
        }
    }
}

impl<'q> Comparison<'q> {
    /// The left side less the right one at a point, exactly.
    ///
    /// # Errors
    /// If a variable has no finite value, or a number grows beyond bounds.
    pub fn difference<A: Assignment + ?Sized>(self, point: &A) -> Result<Exact, EvaluateError> {
        let (left, right) = self.sides(point)?;
        Ok(left.subtract(&right)?)
    }

    fn holds<A: Assignment + ?Sized>(self, point: &A) -> Result<bool, EvaluateError> {
        Ok(self.relation().admits(self.order(point)?))
    }

    fn miss<A: Assignment + ?Sized>(self, point: &A) -> Result<Option<Miss<'q>>, EvaluateError> {
        if self.holds(point)? {
            return Ok(None);
        }
        Ok(Some(Miss { comparison: self, amount: self.difference(point)?.nearest_f64().abs() }))
    }

    /// The order of the left side relative to the right one.
    fn order<A: Assignment + ?Sized>(self, point: &A) -> Result<Ordering, EvaluateError> {
        match (self.left(), self.right()) {
            (Term::Variable(variable), Term::Numeral(numeral)) => Ok(compare(point, variable, numeral)?),
            (Term::Numeral(numeral), Term::Variable(variable)) => {
                Ok(compare(point, variable, numeral)?.reverse())
            }
            (Term::Variable(left), Term::Variable(right)) => {
                match (value(point, left)?, value(point, right)?) {
                    // Both are finite, so they have an order; equality stands for both zeros.
                    (Value::Float(left), Value::Float(right)) => {
                        Ok(left.partial_cmp(&right).unwrap_or(Ordering::Equal))
                    }
                    _ => self.exact_order(point),
                }
            }
            _ => self.exact_order(point),
        }
    }

    fn exact_order<A: Assignment + ?Sized>(self, point: &A) -> Result<Ordering, EvaluateError> {
        let (left, right) = self.sides(point)?;
        Ok(left.cmp(&right))
    }

    /// Both sides' exact values, by the postfix form on a stack.
    fn sides<A: Assignment + ?Sized>(self, point: &A) -> Result<(Exact, Exact), EvaluateError> {
        let mut stack: Vec<Exact> = Vec::new();
        for event in self.events() {
            match event {
                Event::Open(_) | Event::Close { operator: Operator::Compare(_), .. } => {}
                Event::Numeral(numeral) => stack.push(numeral.into()),
                Event::Variable(variable) => stack.push(exact(value(point, variable)?, variable)?),
                Event::Close { operator, operands } => {
                    let result = apply(operator, &stack.split_off(stack.len().saturating_sub(operands)))?;
                    stack.push(result);
                }
            }
        }
        // A comparison has two operands, which the checker has made sure of.
        let right = stack.pop().unwrap_or_else(Exact::zero);
        Ok((stack.pop().unwrap_or_else(Exact::zero), right))
    }
}

/// An arithmetic operator on exact values.
fn apply(operator: Operator, operands: &[Exact]) -> Result<Exact, TooLarge> {
    match (operator, operands) {
        (Operator::Negation, [one]) => Ok(one.negate()),
        (Operator::Difference, [first, rest @ ..]) => {
            rest.iter().try_fold(first.clone(), |sum, next| sum.subtract(next))
        }
        (Operator::Product, _) => {
            operands.iter().try_fold(Exact::one(), |product, next| product.multiply(next))
        }
        _ => operands.iter().try_fold(Exact::zero(), |sum, next| sum.add(next)),
    }
}

fn value<A: Assignment + ?Sized>(point: &A, variable: Variable) -> Result<Value<'_>, EvaluateError> {
    match point.value(variable) {
        None => Err(EvaluateError::Unassigned(variable)),
        Some(Value::Float(float)) if !float.is_finite() => Err(EvaluateError::NotFinite(variable)),
        Some(value) => Ok(value),
    }
}

fn exact(value: Value<'_>, variable: Variable) -> Result<Exact, EvaluateError> {
    match value {
        Value::Float(float) => Exact::from_f64(float).ok_or(EvaluateError::NotFinite(variable)),
        Value::Decimal(numeral) => Ok(numeral.into()),
    }
}

/// The order of a variable's value relative to a number.
fn compare<A: Assignment + ?Sized>(
    point: &A,
    variable: Variable,
    numeral: Numeral<'_>,
) -> Result<Ordering, EvaluateError> {
    match value(point, variable)? {
        Value::Float(float) => {
            numeral.cmp_f64(float).map(Ordering::reverse).ok_or(EvaluateError::NotFinite(variable))
        }
        Value::Decimal(decimal) => Ok(decimal.cmp_value(numeral)),
    }
}
