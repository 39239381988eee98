//! A linear or mixed-integer program as plain data: columns with bounds and cost, and sparse rows
//! `lower ≤ a·x ≤ upper`. It knows no solver.

use std::fmt;

use super::outcome::LpError;

/// Which end of the objective is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sense {
    /// The smallest objective.
    Minimise,
    /// The largest objective.
    Maximise,
}

/// A column (variable) of one program: its position, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnId(pub(super) usize);

/// A row (constraint) of one program: its position, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub(super) usize);

impl ColumnId {
    /// The position in [`Solution::values`](super::Solution::values) and its like.
    pub fn index(self) -> usize {
        self.0
    }
}

impl RowId {
    /// The position in [`Solution::row_duals`](super::Solution::row_duals) and its like.
    pub fn index(self) -> usize {
        self.0
    }
}

/// One variable: `lower ≤ x ≤ upper`, its cost in the objective, and whether it must be whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column {
    /// Lower bound; `-∞` if there is none.
    pub lower: f64,
    /// Upper bound; `+∞` if there is none.
    pub upper: f64,
    /// Coefficient in the objective.
    pub cost: f64,
    /// Only whole values are allowed.
    pub integer: bool,
}

/// One constraint, as [`LinearProgram::rows`] shows it: `lower ≤ Σ coefficient·column ≤ upper`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowView<'a> {
    /// Lower bound of the row's activity; `-∞` if there is none.
    pub lower: f64,
    /// Upper bound of the row's activity; `+∞` if there is none.
    pub upper: f64,
    /// Columns with a coefficient, ascending, each once.
    pub columns: &'a [usize],
    /// The coefficients, none of them zero; as many as columns.
    pub coefficients: &'a [f64],
}

/// A linear program, or a mixed-integer one if a column is integer.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearProgram {
    pub(super) sense: Sense,
    pub(super) columns: Vec<Column>,
    pub(super) row_lower: Vec<f64>,
    pub(super) row_upper: Vec<f64>,
    /// Row `r`'s terms stand at `starts[r]..starts[r + 1]`.
    pub(super) starts: Vec<usize>,
    pub(super) indices: Vec<usize>,
    pub(super) coefficients: Vec<f64>,
}

impl LinearProgram {
    /// A program without columns and rows.
    pub fn new(sense: Sense) -> Self {
        LinearProgram {
            sense,
            columns: Vec::new(),
            row_lower: Vec::new(),
            row_upper: Vec::new(),
            starts: vec![0],
            indices: Vec::new(),
            coefficients: Vec::new(),
        }
    }

    /// An empty program to be minimised.
    pub fn minimise() -> Self {
        Self::new(Sense::Minimise)
    }

    /// An empty program to be maximised.
    pub fn maximise() -> Self {
        Self::new(Sense::Maximise)
    }

    /// Adds a continuous variable; infinite bounds are allowed.
    pub fn column(&mut self, lower: f64, upper: f64, cost: f64) -> ColumnId {
        self.push_column(Column { lower, upper, cost, integer: false })
    }

    /// Adds a variable that takes whole values only.
    pub fn integer(&mut self, lower: f64, upper: f64, cost: f64) -> ColumnId {
        self.push_column(Column { lower, upper, cost, integer: true })
    }

    /// Adds a variable that is 0 or 1.
    pub fn binary(&mut self, cost: f64) -> ColumnId {
        self.integer(0.0, 1.0, cost)
    }

    fn push_column(&mut self, column: Column) -> ColumnId {
        self.columns.push(column);
        ColumnId(self.columns.len() - 1)
    }

    /// Adds `lower ≤ Σ coefficient·column ≤ upper`. Terms of one column are added up; zeros are dropped.
    pub fn row(&mut self, lower: f64, terms: impl IntoIterator<Item = (ColumnId, f64)>, upper: f64) -> RowId {
        let (indices, coefficients) = merge(terms);
        self.indices.extend(indices);
        self.coefficients.extend(coefficients);
        self.starts.push(self.indices.len());
        self.row_lower.push(lower);
        self.row_upper.push(upper);
        RowId(self.row_lower.len() - 1)
    }

    /// Adds `Σ coefficient·column ≤ upper`.
    pub fn at_most(&mut self, terms: impl IntoIterator<Item = (ColumnId, f64)>, upper: f64) -> RowId {
        self.row(f64::NEG_INFINITY, terms, upper)
    }

    /// Adds `Σ coefficient·column ≥ lower`.
    pub fn at_least(&mut self, terms: impl IntoIterator<Item = (ColumnId, f64)>, lower: f64) -> RowId {
        self.row(lower, terms, f64::INFINITY)
    }

    /// Adds `Σ coefficient·column = value`.
    pub fn equal(&mut self, terms: impl IntoIterator<Item = (ColumnId, f64)>, value: f64) -> RowId {
        self.row(value, terms, value)
    }

    /// Replaces a variable's bounds; a column of another program is an error.
    pub fn set_bounds(&mut self, column: ColumnId, lower: f64, upper: f64) -> Result<(), LpError> {
        let count = self.columns.len();
        let column =
            self.columns.get_mut(column.0).ok_or(LpError::NoSuchColumn { column: column.0, count })?;
        (column.lower, column.upper) = (lower, upper);
        Ok(())
    }

    /// Replaces a variable's cost; a column of another program is an error.
    pub fn set_cost(&mut self, column: ColumnId, cost: f64) -> Result<(), LpError> {
        let count = self.columns.len();
        let column =
            self.columns.get_mut(column.0).ok_or(LpError::NoSuchColumn { column: column.0, count })?;
        column.cost = cost;
        Ok(())
    }

    /// The same program with every column continuous: its value bounds the mixed-integer one.
    pub fn relaxed(mut self) -> Self {
        self.columns.iter_mut().for_each(|column| column.integer = false);
        self
    }

    /// Which end of the objective is wanted.
    pub fn sense(&self) -> Sense {
        self.sense
    }

    /// All columns, in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// How many rows there are.
    pub fn row_count(&self) -> usize {
        self.row_lower.len()
    }

    /// All rows, in order.
    pub fn rows(&self) -> impl Iterator<Item = RowView<'_>> {
        let bounds = self.row_lower.iter().zip(&self.row_upper);
        self.starts.windows(2).zip(bounds).map(|(span, (&lower, &upper))| RowView {
            lower,
            upper,
            columns: &self.indices[span[0]..span[1]],
            coefficients: &self.coefficients[span[0]..span[1]],
        })
    }

    /// The objective's value at a point (one value a column).
    pub fn objective_at(&self, values: &[f64]) -> f64 {
        self.columns.iter().zip(values).map(|(column, value)| column.cost * value).sum()
    }

    /// The largest amount by which a point misses a bound of a column or a row; 0 at a feasible point, infinite
    /// where a value is missing or NaN.
    pub fn violation_at(&self, values: &[f64]) -> f64 {
        let value = |j: usize| values.get(j).copied().unwrap_or(f64::NAN);
        let columns = self.columns.iter().enumerate().map(|(j, c)| excess(c.lower, value(j), c.upper));
        let rows = self.rows().map(|row| {
            let activity = row.columns.iter().zip(row.coefficients).map(|(&j, a)| a * value(j)).sum();
            excess(row.lower, activity, row.upper)
        });
        columns.chain(rows).fold(0.0, f64::max)
    }

    /// Refuses what no solver should see: numbers that are not numbers, bounds that exclude every value because
    /// they are infinite on the wrong side, terms of columns that do not exist, and a program without columns (HiGHS
    /// would not look at its rows).
    pub fn validate(&self) -> Result<(), LpError> {
        if self.columns.is_empty() {
            return Err(LpError::NoColumns);
        }
        for (index, column) in self.columns.iter().enumerate() {
            check_bounds("column", index, column.lower, column.upper)?;
            check_finite("the cost of column", index, column.cost)?;
        }
        let count = self.columns.len();
        for (index, row) in self.rows().enumerate() {
            check_bounds("row", index, row.lower, row.upper)?;
            if let Some(&column) = row.columns.last().filter(|&&column| column >= count) {
                return Err(LpError::NoSuchColumn { column, count });
            }
            row.coefficients.iter().try_for_each(|&a| check_finite("a coefficient of row", index, a))?;
        }
        Ok(())
    }
}

/// A row's terms sorted by column, those of one column added up, without zeros.
pub(crate) fn merged(terms: impl IntoIterator<Item = (ColumnId, f64)>) -> Vec<(ColumnId, f64)> {
    let mut terms: Vec<(ColumnId, f64)> = terms.into_iter().collect();
    if !terms.is_sorted_by(|a, b| a.0 < b.0) {
        terms.sort_by_key(|term| term.0);
        terms.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
    }
    terms.retain(|term| term.1 != 0.0);
    terms
}

/// The same as the solver wants it: columns, and what stands there.
pub(super) fn merge(terms: impl IntoIterator<Item = (ColumnId, f64)>) -> (Vec<usize>, Vec<f64>) {
    merged(terms).into_iter().map(|(column, value)| (column.0, value)).unzip()
}

pub(super) fn check_bounds(what: &'static str, index: usize, lower: f64, upper: f64) -> Result<(), LpError> {
    let possible = lower < f64::INFINITY && upper > f64::NEG_INFINITY;
    if possible { Ok(()) } else { Err(LpError::Bounds { what, index, lower, upper }) }
}

pub(super) fn check_finite(what: &'static str, index: usize, value: f64) -> Result<(), LpError> {
    if value.is_finite() { Ok(()) } else { Err(LpError::NotFinite { what, index, value }) }
}

fn excess(lower: f64, value: f64, upper: f64) -> f64 {
    if value.is_nan() { f64::INFINITY } else { (lower - value).max(value - upper).max(0.0) }
}

/// The program in the usual notation, one row a line. For tests and logs.
impl fmt::Display for LinearProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.sense {
            Sense::Minimise => "minimise",
            Sense::Maximise => "maximise",
        };
        let costs = self.columns.iter().enumerate().map(|(index, column)| (index, column.cost));
        writeln!(f, "{word} {}", DisplayedSum(costs.filter(|term| term.1 != 0.0).collect()))?;
        for row in self.rows() {
            let sum =
                DisplayedSum(row.columns.iter().copied().zip(row.coefficients.iter().copied()).collect());
            write_between(f, row.lower, &sum, row.upper)?;
        }
        for (index, column) in self.columns.iter().enumerate() {
            let domain = if column.integer { "integer " } else { "" };
            write_between(f, column.lower, &format_args!("{domain}x{index}"), column.upper)?;
        }
        Ok(())
    }
}

/// A linear expression for [`fmt::Display`]: (column, coefficient) pairs.
struct DisplayedSum(Vec<(usize, f64)>);

impl fmt::Display for DisplayedSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, &(column, value)) in self.0.iter().enumerate() {
            let sign = match (place, value < 0.0) {
                (0, false) => "",
                (0, true) => "-",
                (_, false) => " + ",
                (_, true) => " - ",
            };
            let size = value.abs();
            if size == 1.0 { write!(f, "{sign}x{column}")? } else { write!(f, "{sign}{size} x{column}")? }
        }
        if self.0.is_empty() { write!(f, "0") } else { Ok(()) }
    }
}

fn write_between(
    f: &mut fmt::Formatter<'_>,
    lower: f64,
    middle: &dyn fmt::Display,
    upper: f64,
) -> fmt::Result {
    write!(f, "  ")?;
    match (lower.is_finite(), upper.is_finite()) {
        (true, true) if lower == upper => writeln!(f, "{middle} = {lower}"),
        (true, true) => writeln!(f, "{lower} <= {middle} <= {upper}"),
        (true, false) => writeln!(f, "{middle} >= {lower}"),
        (false, true) => writeln!(f, "{middle} <= {upper}"),
        (false, false) => writeln!(f, "{middle} free"),
    }
}
