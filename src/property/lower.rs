//! Query → property: cases are grouped by their input box and turned into rows when they are asked for.

use std::collections::HashMap;
use std::sync::Arc;

use vnnlib::{Comparison, Formula, FormulaId, NormalForm, NotPolynomial, Query};

use super::layout::Layout;
use super::ways::{AddedParts, PartialChoice};
use super::{Region, Row};
use crate::onnx::ElementType;

/// Rows that the conjunctions of a region may list together, or so many times as many as its formula has: more are
/// evaluated as a formula.
const MOST_ROWS: u64 = 4096;
const MOST_REPEATS: u64 = 32;

/// How far an input without a bound is searched, from its other bound or from zero: each of the first four reaches is a
/// region from the start, the others are for whoever has time left.
const REACHES: [f64; 13] = [1.0, 100.0, 1e4, 1e8, 1e12, 1e16, 1e20, 1e24, 1e28, 1e32, 1e36, 1e100, f64::MAX];
/// Those that every search begins with.
pub(super) const FIRST_REACHES: usize = 4;

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
    pub(super) query: Query,
    pub(super) layout: Layout,
    pub(super) form: NormalForm,
    pub(super) groups: Vec<Group>,
    /// The groups of boxes with inputs without a bound, the nearest reach of each.
    pub(super) unbounded: Vec<usize>,
    /// Whether the regions leave some inputs out: nothing may then be called proved.
    pub(super) partial: bool,
    /// Of the boxes without a number of the network's type, the first one's reason, and how many there are.
    pub(super) numberless: Option<(String, usize)>,
    /// The box that regions are cut down to, by input.
    pub(super) narrowed: Option<Arc<(Vec<f64>, Vec<f64>)>>,
}

/// Neighbouring ways with the same input box, which is not empty: a region.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    pub(super) ways: Vec<PartialChoice>,
    /// Which reach inputs without a bound have here.
    pub(super) reach: usize,
}

impl Property {
    /// Groups the query's ways to be violated; `elements` are the models' types of the declared flat inputs.
    ///
    /// # Errors
    /// If a constraint cannot be multiplied out.
    pub fn new(query: &Query, elements: &[ElementType]) -> Result<Self, PropertyError> {
        let form =
            query.normal_form(u64::MAX).expect("a count saturates at the largest number, which is the limit");
        let layout = Layout::new(query, &form, elements)?;
        let mut property = Self {
            query: query.clone(),
            layout,
            form,
            groups: Vec::new(),
            unbounded: Vec::new(),
            partial: false,
            numberless: None,
            narrowed: None,
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

    fn region_of(&self, ways: &[PartialChoice], reach: f64) -> Result<Region, PropertyError> {
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
    fn box_of(&self, ways: &[PartialChoice], reach: f64) -> Region {
        let mut intervals = self.common_intervals();
        for comparison in ways.first().into_iter().flat_map(|way| self.chosen(&way.chosen)) {
            self.tighten(&mut intervals, comparison);
        }
        let mut region = Region::default();
        for (input, interval) in intervals.iter().enumerate() {
            self.add_input(&mut region, input, interval, reach);
        }
        if let Some(narrowed) = &self.narrowed {
            region.narrow(&narrowed.0, &narrowed.1);
        }
        region
    }

    /// Cuts the regions down to a box, by input of the search; those without a point in it are left out.
    pub fn narrow(&mut self, lower: Vec<f64>, upper: Vec<f64>) {
        self.narrowed = Some(Arc::new((lower, upper)));
        let has_points = |group: &Group| {
            let region = self.box_of(&group.ways, REACHES[group.reach]);
            region.lower.iter().zip(&region.upper).all(|(low, high)| low <= high)
        };
        let groups = self.groups.iter().filter(|group| has_points(group)).cloned().collect();
        self.groups = groups;
    }

    /// What each way to be in a region chooses: the number of an `or`, and the position of its operand in it.
    pub fn ways_of(&self, index: usize) -> Vec<Vec<(u32, u32)>> {
        let parents = self.parents();
        let chosen =
            |way: &PartialChoice| way.chosen.iter().filter_map(|id| parents.get(id).copied()).collect();
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
    pub(super) fn chosen(&self, operands: &[FormulaId]) -> Vec<Comparison<'_>> {
        let formulas = operands.iter().filter_map(|&id| self.query.formula(id));
        formulas.flat_map(|formula| AddedParts::of(&self.form, formula).comparisons).collect()
    }

    pub(super) fn open(&self, way: &PartialChoice) -> Vec<Formula<'_>> {
        way.open.iter().filter_map(|&id| self.query.formula(id)).collect()
    }

    /// Whether the ways are too many to be listed.
    fn is_long(&self, ways: &[PartialChoice]) -> bool {
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

impl std::fmt::Debug for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Property")
            .field("query", &self.query)
            .field("regions", &self.groups.len())
            .finish_non_exhaustive()
    }
}
