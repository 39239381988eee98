//! The property in the form that a search needs: regions of inputs, and for each the ways to violate.
//!
//! VNN-LIB asserts what a *counterexample* looks like. In disjunctive normal form that is a list of cases, each a
//! box of inputs and linear rows over inputs and outputs. Cases with the same box are one [`Region`] with several
//! [`Conjunction`]s; regions are made on demand, because files with 120,000 disjuncts over hundreds of inputs exist. The
//! form is never multiplied out: where a region's cases are too many, it keeps the formula ([`condition`]).

pub mod around;
mod bounds;
mod boxes;
pub mod condition;
pub mod decision;
pub mod doubt;
pub mod followed;
pub mod grid;
pub mod layout;
mod lower;
pub mod margin;
mod rows;
#[cfg(test)]
mod tests;
mod ways;
pub mod within;

pub use layout::{Layout, Space};
pub use lower::{Property, PropertyError};

use std::collections::BTreeMap;
use std::sync::Arc;

use condition::Condition;

/// Where a violating input may lie, and what its output must then satisfy.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Region {
    /// Smallest admissible value of each input, in the network's input type, widened.
    pub lower: Vec<f64>,
    /// Largest admissible value of each input, likewise; `lower ≤ upper` everywhere.
    pub upper: Vec<f64>,
    /// Numbers not above any real number that the file admits: a proof has to cover more than the network's type.
    pub hull_lower: Vec<f64>,
    /// Numbers not below any.
    pub hull_upper: Vec<f64>,
    /// Inputs whose interval contains no number of the network's type: `lower = upper` is the nearest one, and a
    /// witness prints this decimal, a bound of the file, instead.
    pub literals: BTreeMap<usize, String>,
    /// The ways to violate: one has to hold as a whole. Never empty. All of them, unless there is a condition.
    pub conjunctions: Vec<Conjunction>,
    /// What has to hold, where the ways are too many to be listed.
    pub condition: Option<Arc<Condition>>,
}

/// Rows that have to hold together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Conjunction {
    /// The rows; none at all means that every input of the region is a counterexample.
    pub rows: Vec<Row>,
}

/// `Σ coefficient · input + Σ coefficient · output` against `bound`.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Flat input indices with coefficients.
    pub inputs: Vec<(usize, f64)>,
    /// Flat output indices with coefficients.
    pub outputs: Vec<(usize, f64)>,
    /// The right-hand side.
    pub bound: f64,
    /// How the sum relates to it.
    pub kind: RowKind,
}

/// The relation of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// `sum ≤ bound`
    AtMost,
    /// `sum < bound`
    Below,
    /// `sum ≠ bound`
    Differs,
}

/// Whether a number has at most half of a double's digits. Lowering sees to it that a coefficient that was rounded
/// has more.
fn is_short(x: f64) -> bool {
    x.to_bits().trailing_zeros() >= 26
}

impl Row {
    /// How far the row is from being violated: `bound − sum`, or `|bound − sum|` for [`RowKind::Differs`].
    pub fn margin(&self, inputs: &[f64], outputs: &[f64]) -> f64 {
        let sum = |terms: &[(usize, f64)], x: &[f64]| terms.iter().map(|&(i, c)| c * x[i]).sum::<f64>();
        let gap = self.bound - sum(&self.inputs, inputs) - sum(&self.outputs, outputs);
        if self.kind == RowKind::Differs { gap.abs() } else { gap }
    }

    /// Whether it says nothing about outputs, or only which of two is larger.
    pub fn orders_outputs(&self) -> bool {
        match self.outputs[..] {
            [] => true,
            [(_, a), (_, b)] => a == -b && self.bound == 0.0 && self.inputs.is_empty(),
            _ => false,
        }
    }

    /// Whether the row holds, a strict one strictly.
    pub fn holds(&self, inputs: &[f64], outputs: &[f64]) -> bool {
        let margin = self.margin(inputs, outputs);
        margin > 0.0 || (margin == 0.0 && self.admits_zero())
    }

    /// Whether the coefficients are those of the file to the last digit, as far as this can be told: short ones are.
    pub fn is_exact(&self) -> bool {
        self.inputs.iter().chain(&self.outputs).all(|&(_, coefficient)| is_short(coefficient))
    }

    /// Whether a margin of exactly zero satisfies the row.
    pub fn admits_zero(&self) -> bool {
        self.kind == RowKind::AtMost
    }
}

impl Conjunction {
    /// The least margin of its rows (engine.md: `f_d(x) = min_r (c_r − A_r y(x))`); `+∞` without rows.
    pub fn margin(&self, inputs: &[f64], outputs: &[f64]) -> f64 {
        self.rows.iter().map(|row| row.margin(inputs, outputs)).fold(f64::INFINITY, f64::min)
    }

    /// Whether all rows hold, strict ones strictly.
    pub fn holds(&self, inputs: &[f64], outputs: &[f64]) -> bool {
        self.rows.iter().all(|row| row.holds(inputs, outputs))
    }
}

impl Region {
    /// The largest margin of its ways.
    pub fn margin(&self, inputs: &[f64], outputs: &[f64]) -> f64 {
        if let Some(condition) = &self.condition {
            return condition.best(|row| row.margin(inputs, outputs)).0;
        }
        let margins = self.conjunctions.iter().map(|c| c.margin(inputs, outputs));
        margins.fold(f64::NEG_INFINITY, f64::max)
    }

    /// The ways that are worth a try from a point: the best one of a condition, otherwise all.
    pub fn ways_at(&self, inputs: &[f64], outputs: &[f64]) -> Vec<Conjunction> {
        match &self.condition {
            Some(condition) => vec![condition.best(|row| row.margin(inputs, outputs)).1],
            None => self.conjunctions.clone(),
        }
    }

    /// The point of the box that is nearest to `point`.
    pub fn clamped(&self, point: &[f64]) -> Vec<f64> {
        point.iter().zip(self.lower.iter().zip(&self.upper)).map(|(x, (&l, &u))| x.max(l).min(u)).collect()
    }

    /// Cuts the box down to another one.
    fn narrow(&mut self, lower: &[f64], upper: &[f64]) {
        let cut = |values: &mut Vec<f64>, by: &[f64], end: fn(f64, f64) -> f64| {
            values.iter_mut().zip(by).for_each(|(x, &other)| *x = end(*x, other));
        };
        cut(&mut self.lower, lower, f64::max);
        cut(&mut self.hull_lower, lower, f64::max);
        cut(&mut self.upper, upper, f64::min);
        cut(&mut self.hull_upper, upper, f64::min);
    }

    /// Number of inputs.
    pub fn dimensions(&self) -> usize {
        self.lower.len()
    }

    /// Inputs that can take more than one value.
    pub fn free(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.lower.len()).filter(|&i| self.lower[i] < self.upper[i])
    }
}
