//! Query → property: cases are grouped by their input box and turned into rows when they are asked for.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use vnnlib::{
    Coefficient, Comparison, Formula, FormulaId, NormalForm, NotLinear, NotPolynomial, Numeral, Query,
    Relation, TooManyCases, Variable,
};

use super::bounds::{Interval, Values};
use super::condition::{Condition, Join, Step};
use super::grid;
use super::layout::{Layout, Space};
use super::ways::{self, Parts, Way};
use super::{Conjunction, Region, Row, RowKind};
use crate::onnx::ElementType;

/// Rows that the conjunctions of a region may list together, or so many times as many as its formula has: more are
/// evaluated as a formula.
const MOST_ROWS: u64 = 4096;
const MOST_REPEATS: u64 = 32;

/// How far an input without a bound is searched, from its other bound or from zero: each of the first four reaches is a
/// region from the start, the others are for whoever has time left.
const REACHES: [f64; 13] = [1.0, 100.0, 1e4, 1e8, 1e12, 1e16, 1e20, 1e24, 1e28, 1e32, 1e36, 1e100, f64::MAX];
/// Those that every search begins with.
const FIRST_REACHES: usize = 4;

/// Why a query cannot be searched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PropertyError {
    /// A comparison that cannot be multiplied out.
    #[error("{place}: {reason} (help: write it as a shorter sum of products)")]
    NotPolynomial {
        /// File, line and column.
        place: String,
        /// What is wrong.
        reason: NotPolynomial,
    },
}

impl PropertyError {
    /// A comparison that cannot be multiplied out, with its place.
    pub(super) fn not_polynomial(query: &Query, comparison: Comparison<'_>, reason: NotPolynomial) -> Self {
        let (line, column) = query.line_and_column(comparison.span());
        Self::NotPolynomial { place: format!("{}:{line}:{column}", query.name()), reason }
    }
}

/// A property: what a counterexample looks like, as a disjunction over regions.
#[derive(Clone)]
pub struct Property {
    query: Query,
    layout: Layout,
    form: NormalForm,
    groups: Vec<Group>,
    /// The groups of boxes with inputs without a bound, the nearest reach of each.
    unbounded: Vec<usize>,
    /// Whether the regions leave some inputs out: nothing may then be called proved.
    partial: bool,
    /// Of the boxes without a number of the network's type, the first one's reason, and how many there are.
    numberless: Option<(String, usize)>,
}

/// Neighbouring ways with the same input box, which is not empty: a region.
#[derive(Debug, Clone, PartialEq)]
struct Group {
    ways: Vec<Way>,
    /// Which reach inputs without a bound have here.
    reach: usize,
}

/// What an input box holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Empty,
    /// Real numbers, but none of the network's type for this input.
    Unreachable(usize),
    Bounded,
    Unbounded,
}

/// What an input box says, with the numbers as written.
type Intervals<'q> = Vec<Interval<'q>>;

/// A bound of one flat input. Two are equal if they are spelled alike.
type InputBound<'q> = (usize, Relation, Numeral<'q>);

impl Property {
    /// Groups the query's ways to be violated; `elements` are the models' types of the declared flat inputs.
    ///
    /// # Errors
    /// If a constraint cannot be multiplied out.
    pub fn new(query: &Query, elements: &[ElementType]) -> Result<Self, PropertyError> {
        let form = query.normal_form(u64::MAX).unwrap_or_else(|TooManyCases { .. }| {
            unreachable!("no number of cases is more than the largest number")
        });
        let layout = Layout::new(query, &form, elements)?;
        let mut property = Self {
            query: query.clone(),
            layout,
            form,
            groups: Vec::new(),
            unbounded: Vec::new(),
            partial: false,
            numberless: None,
        };
        property.group();
        Ok(property)
    }

    /// Where the query's variables lie.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Number of regions; zero if every input box is empty.
    pub fn region_count(&self) -> usize {
        self.groups.len()
    }

    /// Whether no input at all satisfies the query's input constraints: proved from the decimals as written.
    pub fn has_no_inputs(&self) -> bool {
        self.groups.is_empty() && !self.partial
    }

    /// Whether the regions do not cover all inputs that the query admits: an input without a bound is searched in
    /// part only, and a box without a number of the network's type not at all.
    pub fn is_partial(&self) -> bool {
        self.partial
    }

    /// Why some input boxes are not searched: they hold real numbers, but none of the network's type.
    pub fn numberless(&self) -> Option<String> {
        let (reason, boxes) = self.numberless.as_ref()?;
        Some(match (boxes, self.groups.is_empty()) {
            (1, true) => format!("{reason}, so there is nothing to search"),
            (1, false) => format!("{reason}: one input box is left out"),
            (boxes, true) => format!("{reason}, and {} more boxes are like this one", boxes - 1),
            (boxes, false) => format!("{reason}: {boxes} input boxes like this one are left out"),
        })
    }

    /// Number of input boxes with inputs without a bound.
    pub fn unbounded_count(&self) -> usize {
        self.unbounded.len()
    }

    /// The number of reaches that the regions begin with, and of all.
    pub const fn reaches() -> (usize, usize) {
        (FIRST_REACHES, REACHES.len())
    }

    /// How far a reach goes.
    pub fn distance(reach: usize) -> Option<f64> {
        REACHES.get(reach).copied()
    }

    /// The region of an unbounded box (below [`Property::unbounded_count`]) with a further reach; `None` where the inputs'
    /// types end before.
    ///
    /// # Errors
    /// As [`Property::new`].
    pub fn further(&self, unbounded: usize, reach: usize) -> Result<Option<Region>, PropertyError> {
        let ways = &self.groups[self.unbounded[unbounded]].ways;
        let (Some(distance), Some(last)) = (Self::distance(reach), reach.checked_sub(1)) else {
            return Ok(None);
        };
        let region = self.region_of(ways, distance)?;
        let nearer = self.box_of(ways, REACHES[last]);
        Ok((region.lower != nearer.lower || region.upper != nearer.upper).then_some(region))
    }

    /// Whether outputs are only ever compared with each other, so that their order is all that matters.
    ///
    /// # Errors
    /// As [`Property::new`].
    pub fn only_orders_outputs(&self) -> Result<bool, PropertyError> {
        let mut rows = Vec::new();
        let mut left: Vec<Formula<'_>> =
            self.query.assertions().map(|assertion| assertion.formula()).collect();
        while let Some(formula) = left.pop() {
            match formula {
                Formula::And(operands) | Formula::Or(operands) => left.extend(operands),
                Formula::Compare(comparison) => {
                    rows.clear();
                    self.rows(comparison, &mut rows)?;
                    if !rows.iter().all(Row::orders_outputs) {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// A region (below [`Property::region_count`]).
    ///
    /// # Errors
    /// As [`Property::new`].
    pub fn region(&self, index: usize) -> Result<Region, PropertyError> {
        let group = &self.groups[index];
        self.region_of(&group.ways, REACHES[group.reach])
    }

    fn region_of(&self, ways: &[Way], reach: f64) -> Result<Region, PropertyError> {
        let mut region = self.box_of(ways, reach);
        if self.is_long(ways) {
            let condition = self.condition(ways)?;
            // A first way, for whoever needs one; better ones come with the points.
            region.conjunctions.push(condition.best(|_| 0.0).1);
            region.condition = Some(Arc::new(condition));
        } else {
            region.conjunctions = self.conjunctions(ways)?;
        }
        Ok(region)
    }

    /// The region without its ways.
    fn box_of(&self, ways: &[Way], reach: f64) -> Region {
        let mut intervals = self.common_intervals();
        for comparison in ways.first().into_iter().flat_map(|way| self.chosen(&way.chosen)) {
            self.tighten(&mut intervals, comparison);
        }
        let mut region = Region::default();
        for (input, interval) in intervals.iter().enumerate() {
            self.add_input(&mut region, input, interval, reach);
        }
        region
    }

    /// What each way to be in a region chooses: the number of an `or`, and the position of its operand in it.
    pub fn ways_of(&self, index: usize) -> Vec<Vec<(u32, u32)>> {
        let parents = self.parents();
        let chosen = |way: &Way| way.chosen.iter().filter_map(|id| parents.get(id).copied()).collect();
        self.groups[index].ways.iter().map(chosen).collect()
    }

    /// The same for each conjunction that a region lists.
    pub fn ways_of_conjunctions(&self, index: usize) -> Vec<Vec<(u32, u32)>> {
        let mut all = Vec::new();
        for (way, chosen) in self.groups[index].ways.iter().zip(self.ways_of(index)) {
            let open = self.open(way);
            let cases = open.iter().map(|&formula| self.form.count_of(formula)).product::<u64>();
            all.extend((0..cases).map(|case| [chosen.clone(), self.form.choices_of(&open, case)].concat()));
        }
        all
    }

    /// For each operand of an `or`: the `or`'s number and the operand's position.
    fn parents(&self) -> HashMap<FormulaId, (u32, u32)> {
        let mut parents = HashMap::new();
        let mut left: Vec<Formula<'_>> =
            self.query.assertions().map(|assertion| assertion.formula()).collect();
        while let Some(formula) = left.pop() {
            match formula {
                Formula::Compare(_) => {}
                Formula::And(operands) => left.extend(operands),
                or @ Formula::Or(operands) => {
                    parents.extend((0..).zip(operands).map(|(i, operand)| (operand.id(), (or.number(), i))));
                    left.extend(operands);
                }
            }
        }
        parents
    }

    /// The comparisons that chosen operands add.
    fn chosen(&self, operands: &[FormulaId]) -> Vec<Comparison<'_>> {
        let formulas = operands.iter().filter_map(|&id| self.query.formula(id));
        formulas.flat_map(|formula| Parts::of(&self.form, formula).comparisons).collect()
    }

    fn open(&self, way: &Way) -> Vec<Formula<'_>> {
        way.open.iter().filter_map(|&id| self.query.formula(id)).collect()
    }

    /// Whether the ways are too many to be listed.
    fn is_long(&self, ways: &[Way]) -> bool {
        let common = self.form.common().count();
        let (mut listed, mut plain) = (0_u64, common as u64);
        for way in ways {
            let open = self.open(way);
            let cases = open.iter().map(|&formula| self.form.count_of(formula)).fold(1, u64::saturating_mul);
            let own = self.chosen(&way.chosen).len();
            listed = listed.saturating_add(cases.saturating_mul((common + own + open.len()) as u64));
            plain += (own + open.iter().map(|&formula| comparisons(formula).len()).sum::<usize>()) as u64;
            if open.iter().any(|&formula| comparisons(formula).iter().any(|&c| self.input_bound(c).is_some()))
            {
                return true;
            }
        }
        listed > MOST_ROWS.max(plain.saturating_mul(MOST_REPEATS))
    }

    /// All ways, one by one.
    fn conjunctions(&self, ways: &[Way]) -> Result<Vec<Conjunction>, PropertyError> {
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
    fn condition(&self, ways: &[Way]) -> Result<Condition, PropertyError> {
        let mut condition = Condition::default();
        for comparison in self.form.common() {
            self.add_comparison(comparison, false, &mut condition)?;
        }
        condition.steps.push(Step::Open(Join::Any));
        for way in ways {
            condition.steps.push(Step::Open(Join::All));
            for comparison in self.chosen(&way.chosen) {
                self.add_comparison(comparison, false, &mut condition)?;
            }
            for formula in self.open(way) {
                self.add_formula(formula, &mut condition)?;
            }
            condition.steps.push(Step::Close);
        }
        condition.steps.push(Step::Close);
        Ok(condition)
    }

    fn add_formula(&self, formula: Formula<'_>, condition: &mut Condition) -> Result<(), PropertyError> {
        let mut open = Vec::new();
        let mut current = Some(formula);
        loop {
            match current {
                Some(Formula::Compare(comparison)) => self.add_comparison(comparison, true, condition)?,
                Some(Formula::And(operands)) => {
                    condition.steps.push(Step::Open(Join::All));
                    open.push(operands);
                }
                Some(Formula::Or(operands)) => {
                    condition.steps.push(Step::Open(Join::Any));
                    open.push(operands);
                }
                None => {
                    condition.steps.push(Step::Close);
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
        let steps = (first..first + rows.len() as u32).map(Step::Row);
        match rows.len() {
            1 => condition.steps.extend(steps),
            _ => {
                condition.steps.push(Step::Open(Join::All));
                condition.steps.extend(steps);
                condition.steps.push(Step::Close);
            }
        }
        condition.rows.append(&mut rows);
        Ok(())
    }

    /// A bound of an input as rows, rounded to the numbers of its type that it admits.
    fn rows_of_bound(&self, (input, relation, numeral): InputBound<'_>) -> Vec<Row> {
        let mut interval = Interval::default();
        interval.add(relation, numeral);
        let row = |inputs, bound| Row { inputs, outputs: Vec::new(), bound, kind: RowKind::AtMost };
        match interval.values(self.layout.element(input)) {
            Values::Range(lower, upper) => {
                let below = lower.is_finite().then(|| row(vec![(input, -1.0)], -lower));
                let above = upper.is_finite().then(|| row(vec![(input, 1.0)], upper));
                below.into_iter().chain(above).collect()
            }
            // No number of the type satisfies it.
            Values::Nearest(..) | Values::Unreachable | Values::Empty => vec![row(Vec::new(), -1.0)],
        }
    }

    fn add_input(&self, region: &mut Region, input: usize, interval: &Interval<'_>, reach: f64) {
        let element = self.layout.element(input);
        let (lower, upper) = match interval.values(element) {
            Values::Range(lower, upper) => cut_off(element, lower, upper, reach),
            Values::Nearest(x, text) => {
                region.literals.insert(input, text);
                (x, x)
            }
            // `group` has left such regions out.
            Values::Unreachable | Values::Empty => (0.0, 0.0),
        };
        let (least, most) = if element.is_float() { interval.hull() } else { (lower, upper) };
        region.lower.push(lower);
        region.upper.push(upper);
        region.hull_lower.push(if least.is_finite() { least.min(lower) } else { lower });
        region.hull_upper.push(if most.is_finite() { most.max(upper) } else { upper });
    }

    /// Chooses boxes, joins neighbours that are alike, and drops those that are empty.
    fn group(&mut self) {
        let common = self.common_intervals();
        let bounding = ways::bounding(&self.query, |comparison| self.input_bound(comparison).is_some());
        let is_empty = |chosen: &[FormulaId]| {
            let touched = touched(&common, &self.bounds_of(chosen));
            touched
                .iter()
                .any(|(input, interval)| interval.values(self.layout.element(*input)) == Values::Empty)
        };
        let ways = ways::choose(&self.query, &self.form, &bounding, is_empty);
        let (mut groups, mut unbounded): (Vec<Group>, Vec<usize>) = (Vec::new(), Vec::new());
        let (mut partial, mut numberless) = (false, None::<(String, usize)>);
        // The last way's bounds, and how many groups it began.
        let mut previous: Option<(Vec<InputBound<'_>>, usize)> = None;
        for way in ways {
            // Numbers of the type satisfy an open bound, and no others are looked for.
            partial |= is_open_in(&way, &bounding);
            let bounds = self.bounds_of(&way.chosen);
            if let Some((last, begun)) = &previous
                && *last == bounds
            {
                let first = groups.len().saturating_sub(*begun);
                groups[first..].iter_mut().for_each(|group| group.ways.push(way.clone()));
                continue;
            }
            let touched = touched(&common, &bounds);
            let reaches = match self.content(&common, &touched) {
                Content::Empty => 0,
                Content::Unreachable(input) => {
                    let reason = || (self.why_numberless(input, &common, &touched), 0);
                    numberless.get_or_insert_with(reason).1 += 1;
                    partial = true;
                    0
                }
                Content::Bounded => 1,
                Content::Unbounded => {
                    unbounded.push(groups.len());
                    partial = true;
                    FIRST_REACHES
                }
            };
            groups.extend((0..reaches).map(|reach| Group { ways: vec![way.clone()], reach }));
            previous = Some((bounds, reaches));
        }
        (self.groups, self.unbounded, self.partial, self.numberless) =
            (groups, unbounded, partial, numberless);
    }

    fn bounds_of(&self, chosen: &[FormulaId]) -> Vec<InputBound<'_>> {
        self.chosen(chosen).into_iter().filter_map(|comparison| self.input_bound(comparison)).collect()
    }

    fn why_numberless(
        &self,
        input: usize,
        common: &[Interval<'_>],
        touched: &[(usize, Interval<'_>)],
    ) -> String {
        let own = touched.iter().find(|(i, _)| *i == input).map(|(_, interval)| interval);
        let bounds = own.unwrap_or(&common[input]);
        let name = self.layout.variable(input).map(|variable| self.query.variable_name(variable));
        format!(
            "no number of type {} satisfies the bounds of input {} ({bounds})",
            self.layout.element(input),
            name.map_or_else(|| input.to_string(), |name| name.to_string()),
        )
    }

    fn content(&self, common: &[Interval<'_>], touched: &[(usize, Interval<'_>)]) -> Content {
        let changed = |input: usize| touched.iter().find(|(i, _)| *i == input).map(|(_, interval)| interval);
        let all = touched.len() == common.len();
        let intervals: Vec<(usize, &Interval<'_>)> = if all {
            touched.iter().map(|(i, interval)| (*i, interval)).collect()
        } else {
            common.iter().enumerate().map(|(i, interval)| (i, changed(i).unwrap_or(interval))).collect()
        };
        let mut content = Content::Bounded;
        for (input, interval) in intervals {
            let element = self.layout.element(input);
            match interval.values(element) {
                Values::Empty => return Content::Empty,
                Values::Unreachable => content = Content::Unreachable(input),
                Values::Range(lower, upper) if content == Content::Bounded => {
                    let ends_at_cut = grid::is_cut(element) && interval.is_open();
                    if !lower.is_finite() || !upper.is_finite() || ends_at_cut {
                        content = Content::Unbounded;
                    }
                }
                Values::Range(..) | Values::Nearest(..) => {}
            }
        }
        content
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

    /// Appends the rows of a comparison that an interval cannot hold.
    fn rows(&self, comparison: Comparison<'_>, rows: &mut Vec<Row>) -> Result<(), PropertyError> {
        if self.input_bound(comparison).is_some() {
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
    fn sum(&self, comparison: Comparison<'_>) -> Result<Sum, PropertyError> {
        let failed = |reason| PropertyError::not_polynomial(&self.query, comparison, reason);
        if !self.layout.has_couplings() {
            match comparison.linear() {
                Ok(row) => {
                    let terms = row.terms.iter().map(|&(v, coefficient)| (self.layout.place(v), coefficient));
                    return Ok(Sum { terms: terms.collect(), constant: row.constant });
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
        Ok(Sum { terms: terms.collect(), constant: row.constant })
    }
}

/// `Σ coefficient · value + constant`.
struct Sum {
    terms: Vec<((Space, usize), Coefficient)>,
    constant: Coefficient,
}

impl Sum {
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

/// The part of an interval of the type that is searched.
fn cut_off(element: ElementType, lower: f64, upper: f64, reach: f64) -> (f64, f64) {
    let (type_lower, type_upper) = grid::range(element);
    let from = |end: f64, open: bool| if open { 0.0 } else { end };
    let (open_below, open_above) = match grid::is_cut(element) {
        true => (lower <= type_lower, upper >= type_upper),
        false => (lower.is_infinite(), upper.is_infinite()),
    };
    let start = if open_above { from(lower, open_below) } else { upper };
    let distance = reach * start.abs().max(1.0);
    let least = if open_below { grid::nearest(element, start - distance) } else { lower };
    let most = if open_above { grid::nearest(element, start + distance) } else { upper };
    // Beyond the largest number of a type there is its infinity.
    let finite = |x: f64, towards: bool| if x.is_infinite() { grid::next(element, x, towards) } else { x };
    (finite(least, true), finite(most, false))
}

/// The comparisons of a formula.
fn comparisons(formula: Formula<'_>) -> Vec<Comparison<'_>> {
    let (mut found, mut left) = (Vec::new(), vec![formula]);
    while let Some(formula) = left.pop() {
        match formula {
            Formula::And(operands) | Formula::Or(operands) => left.extend(operands),
            Formula::Compare(comparison) => found.push(comparison),
        }
    }
    found
}

fn is_open_in(way: &Way, bounding: &HashSet<FormulaId>) -> bool {
    way.open.iter().any(|id| bounding.contains(id))
}

/// The intervals that bounds change, changed.
fn touched<'q>(common: &[Interval<'q>], bounds: &[InputBound<'q>]) -> Vec<(usize, Interval<'q>)> {
    let mut touched: Vec<(usize, Interval<'q>)> = Vec::new();
    for &(input, relation, numeral) in bounds {
        let place = touched.iter().rposition(|(i, _)| *i == input).unwrap_or_else(|| {
            touched.push((input, common[input]));
            touched.len() - 1
        });
        touched[place].1.add(relation, numeral);
    }
    touched
}

impl std::fmt::Debug for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Property")
            .field("query", &self.query)
            .field("regions", &self.groups.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn lower(text: &str) -> Property {
        Property::new(&vnnlib::parse(text).unwrap(), &[ElementType::Float32; 2]).unwrap()
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
        assert!(!property.has_no_inputs() && property.is_partial());
    }

    #[test]
    fn a_box_without_a_number_says_which_input_and_which_bounds() {
        use ElementType::*;
        let bounds = "(assert (> X_0 1))(assert (< X_0 1.0000001))(assert (>= X_1 0))(assert (<= X_1 1))";
        let either = "(assert (or (and (> X_0 1) (< X_0 1.0001)) (and (>= X_0 0) (<= X_0 1)) (and (> X_0 3) (< X_0 3.0001))))";
        let cases = [
            (
                Float32,
                bounds,
                0,
                Some("type float32 satisfies the bounds of input X_0 (> 1 and < 1.0000001), so there"),
            ),
            (Float64, bounds, 1, None),
            (Float16, either, 1, Some("X_0 (> 1 and < 1.0001): 2 input boxes like this one are left out")),
            (
                Int8,
                either,
                1,
                Some("type int8 satisfies the bounds of input X_0 (> 1 and < 1.0001): 2 input"),
            ),
            (UInt8, "(assert (< X_0 0))", 0, Some("type uint8 satisfies the bounds of input X_0 (< 0)")),
        ];
        for (element, bounds, regions, want) in cases {
            let query =
                vnnlib::parse(format!("{DECLARE}{bounds}(assert (>= X_1 0))(assert (<= X_1 1))")).unwrap();
            let property = Property::new(&query, &[element; 2]).unwrap();
            let said = property.numberless();
            assert_eq!(
                (property.region_count(), property.is_partial()),
                (regions, want.is_some()),
                "{bounds}"
            );
            assert!(!property.has_no_inputs(), "{bounds}");
            assert_eq!(said.is_some(), want.is_some(), "{bounds}");
            assert!(said.iter().zip(want).all(|(said, want)| said.contains(want)), "{said:?}");
        }
    }

    /// A random formula over two inputs and two outputs, `depth` levels deep.
    fn formula(random: &mut Random, depth: usize) -> String {
        if depth == 0 || random.below(4) == 0 {
            let name = ["X_0", "X_1", "Y_0", "Y_1"][random.below(4)];
            let relation = [">=", "<=", "<=", ">=", "="][random.below(if name < "Y" { 5 } else { 4 })];
            return format!("({relation} {name} {})", random.below(9) as f64 / 4.0 - 1.0);
        }
        let operands: Vec<String> = (0..2 + random.below(2)).map(|_| formula(random, depth - 1)).collect();
        format!("({} {})", ["and", "or", "or"][random.below(3)], operands.join(" "))
    }

    #[test]
    fn regions_hold_the_same_points_as_the_query() {
        let mut random = Random::new(11);
        let (mut formulas, mut inside) = (0, 0);
        for round in 0..400 {
            let assertions = 1 + random.below(if round % 4 == 0 { 24 } else { 4 });
            let text: String =
                (0..assertions).map(|_| format!("(assert {})", formula(&mut random, 3))).collect();
            let query = vnnlib::parse(format!("{DECLARE}{BOX}{text}")).unwrap();
            let property = Property::new(&query, &[ElementType::Float32; 2]).unwrap();
            let regions: Vec<Region> =
                (0..property.region_count()).map(|i| property.region(i).unwrap()).collect();
            formulas += usize::from(regions.iter().any(|region| region.condition.is_some()));
            for _ in 0..100 {
                let mut number = || random.below(17) as f64 / 8.0 - 1.0;
                let (x, y) = ([number(), number()], [number(), number()]);
                let within = |r: &Region| (0..2).all(|i| r.lower[i] <= x[i] && x[i] <= r.upper[i]);
                let found = regions.iter().any(|region| within(region) && region.margin(&x, &y) >= 0.0);
                let want = query.holds([x.to_vec(), y.to_vec()].as_slice()).unwrap();
                assert_eq!(found, want, "{text} at {x:?} {y:?}");
                inside += usize::from(want);
                let way = |region: &Region| region.ways_at(&x, &y).iter().any(|way| way.holds(&x, &y));
                assert_eq!(regions.iter().any(|region| within(region) && way(region)), want, "{text}");
            }
        }
        assert!(formulas >= 10 && inside > 1000, "{formulas} formulas, {inside} points inside");
    }

    #[test]
    fn no_number_of_ways_is_too_large() {
        let outputs = |n: usize| "(assert (or (<= Y_0 0.25) (>= Y_1 0.5)))".repeat(n);
        let inputs = |n: usize| "(assert (or (<= X_0 0.25) (>= X_1 0)))".repeat(n);
        let apart = |n: usize| {
            (0..n).map(|i| format!("(assert (or (<= X_0 0.{i:02}) (>= X_0 0.{i:02}5)))")).collect()
        };
        let cases: [(String, usize, usize, bool); 6] = [
            (outputs(5), 1, 32, false),
            (outputs(1000), 1, 1, true),
            (inputs(4), 4, 16, false),
            (inputs(100), 4, 1024, true),
            // Of 2⁹⁰ boxes all but 91 are empty.
            (apart(90), 91, 91, false),
            (format!("{}{}", outputs(60), apart(3)), 4, 4, true),
        ];
        for (text, at_least, at_most, formulas) in cases {
            let property = lower(&format!("{DECLARE}{BOX}{text}"));
            let count = property.region_count();
            let region = property.region(0).unwrap();
            let ways = if count == 1 { region.conjunctions.len() } else { count };
            assert!((at_least..=at_most).contains(&ways), "{count} regions, {ways} ways");
            assert_eq!(region.condition.is_some(), formulas);
        }
    }

    #[test]
    fn inputs_without_a_bound_are_searched_further_and_further() {
        let property = lower(&format!(
            "{DECLARE}(assert (<= X_0 1))(assert (>= X_1 -3))(assert (<= X_1 5e9))(assert (<= Y_0 0))"
        ));
        assert!(property.is_partial());
        let boxes: Vec<_> = (0..property.region_count()).map(|i| property.region(i).unwrap()).collect();
        let lowers: Vec<f64> = boxes.iter().map(|region| region.lower[0]).collect();
        assert_eq!(lowers, [0.0, -99.0, -9999.0, -1e8]);
        assert!(boxes.iter().all(|region| region.upper[0] == 1.0 && region.lower[1] == -3.0));
        let (first, all) = Property::reaches();
        let further: Vec<_> = (first..all).map(|reach| property.further(0, reach).unwrap()).collect();
        let lowers: Vec<f64> = further.iter().flatten().map(|region| region.lower[0]).collect();
        assert_eq!(lowers[0], f64::from(-1e12f32));
        assert!(lowers.is_sorted_by(|near, far| near > far) && lowers.last() == Some(&f64::from(f32::MIN)));
        assert!(further.last().unwrap().is_none(), "the type ends before");
    }

    #[test]
    fn products_are_outputs_of_their_own() {
        let property = lower(&format!("{DECLARE}{BOX}(assert (>= (* X_0 Y_1) (+ Y_0 0.1)))"));
        let region = property.region(0).unwrap();
        let row = &region.conjunctions[0].rows[0];
        assert_eq!((row.inputs.as_slice(), row.outputs.as_slice()), (&[][..], &[(2, -1.0), (0, 1.0)][..]));
        assert!(row.bound >= -0.1 && row.bound <= -0.1f64.next_down(), "{}", row.bound);
    }

    #[test]
    fn the_hull_holds_every_real_number_of_the_box() {
        let property = lower(&format!("{DECLARE}(assert (= X_0 0))(assert (<= X_1 0.1))(assert (>= X_1 0))"));
        let region = property.region(0).unwrap();
        assert_eq!((region.hull_lower, region.hull_upper), (vec![0.0, 0.0], vec![0.0, 0.1f64]));
        assert!(region.upper[1] < 0.1);
    }
}
