//! Query → property: cases are grouped by their input box and turned into rows when they are asked for.

use std::ops::Range;

use vnnlib::{
    Comparison, LinearRow, NormalForm, NotLinear, Numeral, Query, Relation, TooManyCases, Variable,
};

use super::bounds::{Interval, Values};
use super::layout::{Layout, Space};
use super::{Conjunction, Region, Row, RowKind};
use crate::onnx::ElementType;

/// Most cases that are accepted; the competition's largest file has 120,000.
const MAX_CASES: u64 = 100_000_000;

/// Why a query cannot be searched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PropertyError {
    /// Too many cases.
    #[error("the property has too many cases: {0} (help: split it into several properties)")]
    TooManyCases(#[from] TooManyCases),
    /// A row that is not linear.
    #[error("{place}: {reason} (help: only linear constraints are supported)")]
    NotLinear {
        /// File, line and column.
        place: String,
        /// What is wrong.
        reason: NotLinear,
    },
    /// An input without a bound.
    #[error("{file}: input {variable} has no {side} bound (help: assert a bound of it in every disjunct)")]
    Unbounded {
        /// The property's file.
        file: String,
        /// The variable as the file names it.
        variable: String,
        /// `lower` or `upper`.
        side: &'static str,
    },
}

/// A property: what a counterexample looks like, as a disjunction over regions.
#[derive(Clone)]
pub struct Property {
    query: Query,
    layout: Layout,
    element: ElementType,
    form: NormalForm,
    /// Cases of each region: neighbours with the same input box. Regions whose box is empty are left out.
    regions: Vec<Range<u64>>,
    /// Whether an input set was left out though it is not empty: nothing may then be called proved.
    unreachable: bool,
}

/// What an input box says, with the numbers as written.
type Intervals<'q> = Vec<Interval<'q>>;

/// A bound of one flat input. Two are equal if they are spelled alike.
type InputBound<'q> = (usize, Relation, Numeral<'q>);

impl Property {
    /// Groups the query's cases; `element` is the network's input type.
    ///
    /// # Errors
    /// If there are more than 100 million cases, an input has no bound, or a constraint is not linear.
    pub fn new(query: &Query, element: ElementType) -> Result<Self, PropertyError> {
        let form = query.normal_form(MAX_CASES)?;
        let layout = Layout::new(query);
        let mut property =
            Self { query: query.clone(), layout, element, form, regions: Vec::new(), unreachable: false };
        (property.regions, property.unreachable) = property.group()?;
        Ok(property)
    }

    /// Where the query's variables lie.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Number of regions; zero if every input box is empty.
    pub fn region_count(&self) -> usize {
        self.regions.len()
    }

    /// Whether no input at all satisfies the query's input constraints: proved from the decimals as written.
    pub fn has_no_inputs(&self) -> bool {
        self.regions.is_empty() && !self.unreachable
    }

    /// Whether a region was left out because no number of the network's type can be in it.
    pub fn has_unreachable_regions(&self) -> bool {
        self.unreachable
    }

    /// Whether outputs are only ever compared with each other, so that their order is all that matters.
    ///
    /// # Errors
    /// As [`Property::new`].
    pub fn only_orders_outputs(&self) -> Result<bool, PropertyError> {
        let mut rows = Vec::new();
        let mut orders = |comparison| {
            rows.clear();
            self.rows(comparison, &mut rows)?;
            Ok::<_, PropertyError>(rows.iter().all(Row::orders_outputs))
        };
        for comparison in self.form.common().chain(self.form.cases().flatten()) {
            if !orders(comparison)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A region (below [`Property::region_count`]).
    ///
    /// # Errors
    /// As [`Property::new`].
    pub fn region(&self, index: usize) -> Result<Region, PropertyError> {
        let cases = self.regions[index].clone();
        let mut intervals = self.common_intervals();
        let first = self.form.case(cases.start);
        for comparison in &first {
            self.tighten(&mut intervals, *comparison);
        }
        let mut region = Region {
            lower: Vec::with_capacity(intervals.len()),
            upper: Vec::with_capacity(intervals.len()),
            literals: Default::default(),
            conjunctions: Vec::with_capacity((cases.end - cases.start) as usize),
        };
        for (input, interval) in intervals.iter().enumerate() {
            let (lower, upper) = match interval.values(self.element) {
                Values::Range(lower, upper) => (lower, upper),
                Values::Nearest(x, text) => {
                    region.literals.insert(input, text);
                    (x, x)
                }
                // `group` has left such regions out.
                Values::Unreachable | Values::Empty => (0.0, 0.0),
            };
            region.lower.push(lower);
            region.upper.push(upper);
        }
        let mut common = Vec::new();
        for comparison in self.form.common() {
            self.rows(comparison, &mut common)?;
        }
        for case in cases {
            let mut rows = common.clone();
            for comparison in self.form.case(case) {
                self.rows(comparison, &mut rows)?;
            }
            region.conjunctions.push(Conjunction { rows });
        }
        Ok(region)
    }

    /// Joins neighbouring cases with the same input comparisons, and drops those whose box is empty; also says
    /// whether a box was dropped that is not empty but holds no number of the network's type.
    fn group(&self) -> Result<(Vec<Range<u64>>, bool), PropertyError> {
        let common = self.common_intervals();
        let (mut regions, mut unreachable): (Vec<Range<u64>>, bool) = (Vec::new(), false);
        let mut previous: Option<(Vec<InputBound<'_>>, bool)> = None;
        for (number, case) in (0..).zip(self.form.cases()) {
            let bounds: Vec<_> = case.iter().filter_map(|c| self.input_bound(*c)).collect();
            if let Some((last, kept)) = &previous
                && *last == bounds
            {
                if *kept && let Some(region) = regions.last_mut() {
                    region.end = number + 1;
                }
                continue;
            }
            let mut touched: Vec<(usize, Interval<'_>)> = Vec::new();
            for &(input, relation, numeral) in &bounds {
                match touched.iter_mut().rev().find(|(i, _)| *i == input) {
                    Some((_, interval)) => {
                        interval.add(relation, numeral);
                    }
                    None => {
                        let mut interval = common[input];
                        interval.add(relation, numeral);
                        touched.push((input, interval));
                    }
                }
            }
            let kept = self.keeps(&common, &touched)?;
            unreachable |= kept.is_none();
            if kept == Some(true) {
                regions.push(number..number + 1);
            }
            previous = Some((bounds, kept == Some(true)));
        }
        Ok((regions, unreachable))
    }

    /// `Some(false)` if the box is empty, `None` if it is not but holds no number of the network's type.
    fn keeps(
        &self,
        common: &[Interval<'_>],
        touched: &[(usize, Interval<'_>)],
    ) -> Result<Option<bool>, PropertyError> {
        let mut reachable = true;
        let changed = |input: usize| touched.iter().find(|(i, _)| *i == input).map(|(_, interval)| interval);
        let all = touched.len() == common.len();
        let intervals: Vec<(usize, &Interval<'_>)> = if all {
            touched.iter().map(|(i, interval)| (*i, interval)).collect()
        } else {
            common.iter().enumerate().map(|(i, interval)| (i, changed(i).unwrap_or(interval))).collect()
        };
        let mut unbounded = Ok(());
        for (input, interval) in intervals {
            match interval.values(self.element) {
                Values::Empty => return Ok(Some(false)),
                Values::Unreachable => reachable = false,
                Values::Range(lower, upper) if unbounded.is_ok() => {
                    unbounded = self.check_bounded(input, lower, upper);
                }
                Values::Range(..) | Values::Nearest(..) => {}
            }
        }
        unbounded?;
        Ok(reachable.then_some(true))
    }

    fn common_intervals(&self) -> Intervals<'_> {
        let mut intervals = vec![Interval::default(); self.layout.inputs()];
        for comparison in self.form.common() {
            self.tighten(&mut intervals, comparison);
        }
        intervals
    }

    fn tighten<'q>(&self, intervals: &mut [Interval<'q>], comparison: Comparison<'q>) {
        if let Some((input, relation, numeral)) = self.input_bound(comparison) {
            intervals[input].add(relation, numeral);
        }
    }

    /// The comparison as a bound of one input, if it is one that an interval can hold.
    fn input_bound<'q>(&self, comparison: Comparison<'q>) -> Option<InputBound<'q>> {
        let bound = comparison.as_bound()?;
        match self.layout.place(bound.variable) {
            (Space::Input, input) if bound.relation != Relation::NotEqual => {
                Some((input, bound.relation, bound.numeral))
            }
            _ => None,
        }
    }

    fn check_bounded(&self, input: usize, lower: f64, upper: f64) -> Result<(), PropertyError> {
        let side = match (lower.is_finite(), upper.is_finite()) {
            (true, true) => return Ok(()),
            (false, _) => "lower",
            (true, false) => "upper",
        };
        Err(PropertyError::Unbounded {
            file: self.query.name().to_owned(),
            variable: self.input_name(input),
            side,
        })
    }

    /// The name of a flat input as the file writes it.
    pub fn input_name(&self, input: usize) -> String {
        let mut offset = 0;
        for tensor in self.query.tensors().iter().filter(|t| t.role() == vnnlib::Role::Input) {
            if input < offset + tensor.len() {
                return match self.query.version() {
                    vnnlib::Version::V1 => format!("{}_{}", tensor.name(), input - offset),
                    vnnlib::Version::V2 { .. } => format!("{}[flat {}]", tensor.name(), input - offset),
                };
            }
            offset += tensor.len();
        }
        format!("input {input}")
    }

    /// Appends the rows of a comparison that an interval cannot hold.
    fn rows(&self, comparison: Comparison<'_>, rows: &mut Vec<Row>) -> Result<(), PropertyError> {
        if self.input_bound(comparison).is_some() {
            return Ok(());
        }
        let row = comparison.linear().map_err(|reason| {
            let (line, column) = self.query.line_and_column(comparison.span());
            PropertyError::NotLinear { place: format!("{}:{line}:{column}", self.query.name()), reason }
        })?;
        let (at_most, at_least) = match row.relation {
            Relation::LessEqual => (Some(RowKind::AtMost), None),
            Relation::Less => (Some(RowKind::Below), None),
            Relation::GreaterEqual => (None, Some(RowKind::AtMost)),
            Relation::Greater => (None, Some(RowKind::Below)),
            Relation::Equal => (Some(RowKind::AtMost), Some(RowKind::AtMost)),
            Relation::NotEqual => (Some(RowKind::Differs), None),
        };
        rows.extend(at_most.map(|kind| self.row(&row, 1.0, kind)));
        rows.extend(at_least.map(|kind| self.row(&row, -1.0, kind)));
        Ok(())
    }

    fn row(&self, row: &LinearRow, sign: f64, kind: RowKind) -> Row {
        let mut lowered =
            Row { inputs: Vec::new(), outputs: Vec::new(), bound: -sign * row.constant.value + 0.0, kind };
        for &(variable, coefficient) in &row.terms {
            let (terms, index) = self.terms(&mut lowered, variable);
            terms.push((index, sign * coefficient.value));
        }
        lowered
    }

    fn terms<'r>(&self, row: &'r mut Row, variable: Variable) -> (&'r mut Vec<(usize, f64)>, usize) {
        match self.layout.place(variable) {
            (Space::Input, index) => (&mut row.inputs, index),
            (Space::Output, index) => (&mut row.outputs, index),
        }
    }
}

impl std::fmt::Debug for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Property")
            .field("query", &self.query)
            .field("regions", &self.regions.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lower(text: &str) -> Property {
        Property::new(&vnnlib::parse(text).unwrap(), ElementType::Float32).unwrap()
    }

    const DECLARE: &str =
        "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)";
    const BOX: &str = "(assert (<= X_0 1))(assert (>= X_0 0))(assert (<= X_1 0.5))(assert (>= X_1 -0.5))";

    #[test]
    fn a_plain_property_is_one_region_with_one_conjunction() {
        let property = lower(&format!("{DECLARE}{BOX}(assert (<= Y_0 Y_1))(assert (> Y_1 2.5))"));
        assert_eq!(property.region_count(), 1);
        let region = property.region(0).unwrap();
        assert_eq!((region.lower, region.upper), (vec![0.0, -0.5], vec![1.0, 0.5]));
        let row = |outputs: &[(usize, f64)], bound, kind| Row {
            inputs: vec![],
            outputs: outputs.to_vec(),
            bound,
            kind,
        };
        let want =
            vec![row(&[(0, 1.0), (1, -1.0)], 0.0, RowKind::AtMost), row(&[(1, -1.0)], -2.5, RowKind::Below)];
        assert_eq!(region.conjunctions, [Conjunction { rows: want }]);
    }

    #[test]
    fn cases_with_the_same_box_are_one_region() {
        let boxes = "(assert (or (and (<= X_0 0.2) (>= X_0 0.1)) (and (<= X_0 0.9) (>= X_0 0.8)) (and (<= X_0 0.1) (>= X_0 0.8))))";
        let property = lower(&format!("{DECLARE}{BOX}{boxes}(assert (or (<= Y_0 0) (<= Y_1 0)))"));
        assert_eq!(property.region_count(), 2, "two boxes, and one that is empty");
        for index in 0..2 {
            assert_eq!(property.region(index).unwrap().conjunctions.len(), 2);
        }
        assert_eq!(property.region(1).unwrap().lower[0], f64::from(0.8f32));
    }

    #[test]
    fn an_empty_input_set_is_known() {
        let property = lower(&format!("{DECLARE}{BOX}(assert (>= X_0 1.0000001))"));
        assert!(property.has_no_inputs());
        let property = lower(&format!("{DECLARE}{BOX}(assert (> X_0 0.61))(assert (< X_0 0.6100000000001))"));
        assert!(!property.has_no_inputs() && property.has_unreachable_regions());
    }

    #[test]
    fn a_missing_bound_is_named() {
        let query = vnnlib::parse(format!("{DECLARE}(assert (<= X_0 1))(assert (<= Y_0 0))")).unwrap();
        let error = Property::new(&query, ElementType::Float32).unwrap_err();
        assert_eq!(
            error.to_string(),
            "<query>: input X_0 has no lower bound (help: assert a bound of it in every disjunct)"
        );
    }
}
