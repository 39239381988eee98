//! A formula over rows, evaluated as it stands: the least margin under `and`, the largest under `or`.
//!
//! A conjunction of n `or`s with two operands each has 2ⁿ ways to hold. Where that is more than can be listed, a region
//! keeps the formula. Its value at a point is the margin of the best way there, and the row that decides it has the
//! gradient; the way itself, a list of rows, is made only for points that are worth it. Both take time in proportion to
//! the formula's length, not to the number of ways.

use super::margin::{Block, lane_margin, row_margins};
use super::{Conjunction, Row};
use crate::network::Real;

/// How the operands between an opening and its end are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// All have to hold; with no operands it holds.
    All,
    /// One has to hold; with no operands it does not.
    Any,
}

/// A step of the walk over a formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormulaStep {
    /// A row, by its number.
    Row(u32),
    /// A group of operands begins.
    Open(Join),
    /// The group that began last ends.
    Close,
}

/// A formula over rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Condition {
    /// The rows.
    pub rows: Vec<Row>,
    /// The formula: one group, in the order of the text.
    pub steps: Vec<FormulaStep>,
}

/// The memory of an evaluation: a margin and the row that decides it for each lane, on every level of nesting.
#[derive(Debug, Default)]
pub struct Levels<T> {
    open: Vec<JoinLevel<T>>,
    row: Vec<T>,
    depth: usize,
}

#[derive(Debug)]
struct JoinLevel<T> {
    join: Join,
    margins: Vec<T>,
    rows: Vec<u32>,
}

impl Join {
    /// The value of a group without operands.
    fn neutral<T: Real>(self) -> T {
        match self {
            Self::All => T::infinity(),
            Self::Any => T::neg_infinity(),
        }
    }

    fn takes<T: PartialOrd>(self, new: T, old: T) -> bool {
        match self {
            Self::All => new < old,
            Self::Any => new > old,
        }
    }
}

impl<T: Real> Levels<T> {
    fn open(&mut self, join: Join, lanes: usize) {
        if self.depth == self.open.len() {
            self.open.push(JoinLevel { join, margins: Vec::new(), rows: Vec::new() });
        }
        let level = &mut self.open[self.depth];
        level.join = join;
        level.margins.clear();
        level.margins.resize(lanes, join.neutral());
        level.rows.clear();
        level.rows.resize(lanes, 0);
        self.depth += 1;
    }

    fn take_row(&mut self, number: u32) {
        let Some(level) = self.open[..self.depth].last_mut() else { return };
        for ((margin, deciding), &found) in level.margins.iter_mut().zip(&mut level.rows).zip(&self.row) {
            // A margin that is no number must not look like a violation.
            let found = if found.is_nan() { T::neg_infinity() } else { found };
            if level.join.takes(found, *margin) {
                (*margin, *deciding) = (found, number);
            }
        }
    }

    fn close(&mut self) {
        self.depth -= 1;
        let (outer, inner) = self.open.split_at_mut(self.depth);
        let (Some(outer), Some(inner)) = (outer.last_mut(), inner.first()) else { return };
        let found = inner.margins.iter().zip(&inner.rows);
        for ((margin, deciding), (&new, &row)) in outer.margins.iter_mut().zip(&mut outer.rows).zip(found) {
            if outer.join.takes(new, *margin) {
                (*margin, *deciding) = (new, row);
            }
        }
    }
}

impl Condition {
    /// For each lane the margin of its best way, and the row that decides it.
    pub fn margins<T: Real>(
        &self,
        block: Block<'_, T>,
        margins: &mut [T],
        deciding: &mut [u32],
        levels: &mut Levels<T>,
    ) {
        levels.depth = 0;
        levels.open(Join::All, block.lanes);
        levels.row.resize(block.lanes, T::zero());
        for &step in &self.steps {
            match step {
                FormulaStep::Open(join) => levels.open(join, block.lanes),
                FormulaStep::Close => levels.close(),
                FormulaStep::Row(number) => {
                    row_margins(&self.rows[number as usize], block, &mut levels.row);
                    levels.take_row(number);
                }
            }
        }
        margins.copy_from_slice(&levels.open[0].margins);
        deciding.copy_from_slice(&levels.open[0].rows);
    }

    /// The way whose margin is best at a lane.
    pub fn best_way<T: Real>(&self, block: Block<'_, T>, lane: usize) -> Conjunction {
        self.best(|row| lane_margin(row, block, lane)).1
    }

    /// The margin of the best way at a point, and that way, from the margins of the rows.
    pub fn best(&self, margin_of: impl Fn(&Row) -> f64) -> (f64, Conjunction) {
        let (margin, way) = self.best_rows(|row| margin_of(&self.rows[row]));
        (margin, Conjunction { rows: way.into_iter().map(|row| self.rows[row].clone()).collect() })
    }

    /// The same by the numbers of the rows.
    pub fn best_rows(&self, margin_of: impl Fn(usize) -> f64) -> (f64, Vec<usize>) {
        let begun = |join: Join| (join, join.neutral::<f64>(), None::<Vec<usize>>);
        let mut open = vec![begun(Join::All)];
        for &step in &self.steps {
            let (value, rows) = match step {
                FormulaStep::Open(join) => {
                    open.push(begun(join));
                    continue;
                }
                FormulaStep::Row(number) => {
                    let margin = margin_of(number as usize);
                    (if margin.is_nan() { f64::NEG_INFINITY } else { margin }, vec![number as usize])
                }
                FormulaStep::Close => match open.pop() {
                    Some((_, value, rows)) => (value, rows.unwrap_or_default()),
                    None => continue,
                },
            };
            let Some((join, best, way)) = open.last_mut() else { continue };
            match join {
                Join::All => {
                    *best = best.min(value);
                    way.get_or_insert_default().extend(rows);
                }
                // The first operand counts even if it is as bad as can be: a way has to choose one.
                Join::Any if value > *best || way.is_none() => (*best, *way) = (value, Some(rows)),
                Join::Any => {}
            }
        }
        let (_, margin, way) = open.swap_remove(0);
        (margin, way.unwrap_or_default())
    }

    /// Whether rows that cannot hold rule the whole formula out: one operand of every `and` on the way to each of them,
    /// all operands of an `or`.
    pub fn is_excluded(&self, row_is_excluded: impl Fn(usize) -> bool) -> bool {
        let mut open = vec![(Join::All, false)];
        for &step in &self.steps {
            let excluded = match step {
                FormulaStep::Open(join) => {
                    open.push((join, join == Join::Any));
                    continue;
                }
                FormulaStep::Row(number) => row_is_excluded(number as usize),
                FormulaStep::Close => open.pop().is_some_and(|(_, excluded)| excluded),
            };
            if let Some((join, so_far)) = open.last_mut() {
                *so_far = if *join == Join::All { *so_far || excluded } else { *so_far && excluded };
            }
        }
        open.first().is_some_and(|&(_, excluded)| excluded)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::property::RowKind;

    fn row(output: usize, coefficient: f64, bound: f64) -> Row {
        Row { inputs: vec![], outputs: vec![(output, coefficient)], bound, kind: RowKind::AtMost }
    }

    /// `(r0 or (r1 and r2)) and (r3 or r4 or r5) and r6`
    fn sample() -> Condition {
        use FormulaStep::{Close, Open};
        let rows = (0..7).map(|r| row(r % 3, if r % 2 == 0 { 1.0 } else { -2.0 }, r as f64 - 3.0)).collect();
        let steps = [
            &[
                Open(Join::Any),
                FormulaStep::Row(0),
                Open(Join::All),
                FormulaStep::Row(1),
                FormulaStep::Row(2),
                Close,
                Close,
            ][..],
            &[
                Open(Join::Any),
                FormulaStep::Row(3),
                FormulaStep::Row(4),
                FormulaStep::Row(5),
                Close,
                FormulaStep::Row(6),
            ],
        ];
        Condition { rows, steps: steps.concat() }
    }

    /// All ways, multiplied out by hand.
    fn ways() -> Vec<Vec<usize>> {
        let first = [vec![0], vec![1, 2]];
        first.iter().flat_map(|f| (3..6).map(move |s| [&f[..], &[s, 6]].concat())).collect()
    }

    proptest! {
        #[test]
        fn a_formula_is_worth_what_its_best_way_is(y in prop::collection::vec(-4.0f64..4.0, 3)) {
            let condition = sample();
            let margin = |way: &Vec<usize>| {
                way.iter().map(|&r| condition.rows[r].margin(&[], &y)).fold(f64::INFINITY, f64::min)
            };
            let want = ways().iter().map(margin).fold(f64::NEG_INFINITY, f64::max);
            let block = Block { inputs: &[], outputs: &y, lanes: 1 };
            let (mut margins, mut deciding) = ([0.0], [0]);
            condition.margins(block, &mut margins, &mut deciding, &mut Levels::default());
            prop_assert_eq!(margins[0], want);
            prop_assert_eq!(condition.rows[deciding[0] as usize].margin(&[], &y), want);
            prop_assert_eq!(condition.best_way(block, 0).margin(&[], &y), want);
        }

        #[test]
        fn it_is_excluded_where_every_way_is(excluded in prop::collection::vec(any::<bool>(), 7)) {
            let want = ways().iter().all(|way| way.iter().any(|&row| excluded[row]));
            prop_assert_eq!(sample().is_excluded(|row| excluded[row]), want);
        }
    }
}
