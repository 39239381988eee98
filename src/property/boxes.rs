//! A query's input boxes: their intervals, which of them hold numbers, and which ways to violate share one.

use std::collections::HashSet;

use vnnlib::{Comparison, FormulaId, Numeral, Relation};

use super::Region;
use super::bounds::{RepresentableValues, StatedInterval};
use super::grid;
use super::layout::Space;
use super::lower::{FIRST_REACHES, Group, Property};
use super::ways::{self, PartialChoice};
use crate::onnx::ElementType;

/// What an input box holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BoxContent {
    Empty,
    /// Real numbers, but none of the network's type for this input.
    Unreachable(usize),
    Bounded,
    Unbounded,
}

/// What an input box says, with the numbers as written.
pub(super) type Intervals<'q> = Vec<StatedInterval<'q>>;

/// A bound of one flat input. Two are equal if they are spelled alike.
pub(super) type InputBound<'q> = (usize, Relation, Numeral<'q>);

impl Property {
    pub(super) fn add_input(
        &self,
        region: &mut Region,
        input: usize,
        interval: &StatedInterval<'_>,
        reach: f64,
    ) {
        let element = self.layout.element(input);
        let (lower, upper) = match interval.values(element) {
            RepresentableValues::Range(lower, upper) => cut_off(element, lower, upper, reach),
            RepresentableValues::Nearest(x, text) => {
                region.literals.insert(input, text);
                (x, x)
            }
            // `group` has left such regions out.
            RepresentableValues::Unreachable | RepresentableValues::Empty => (0.0, 0.0),
        };
        let (least, most) = if element.is_float() { interval.hull() } else { (lower, upper) };
        region.lower.push(lower);
        region.upper.push(upper);
        region.hull_lower.push(if least.is_finite() { least.min(lower) } else { lower });
        region.hull_upper.push(if most.is_finite() { most.max(upper) } else { upper });
    }

    pub(super) fn common_intervals(&self) -> Intervals<'_> {
        let mut intervals = vec![StatedInterval::default(); self.layout.inputs()];
        for comparison in self.form.common() {
            self.tighten(&mut intervals, comparison);
        }
        intervals
    }

    pub(super) fn tighten<'q>(&self, intervals: &mut [StatedInterval<'q>], comparison: Comparison<'q>) {
        if let Some((input, relation, numeral)) = self.input_bound(comparison) {
            intervals[input].add(relation, numeral);
        }
    }

    /// The comparison as a bound of one input, if it is one that an interval can hold.
    pub(super) fn input_bound<'q>(&self, comparison: Comparison<'q>) -> Option<InputBound<'q>> {
        let bound = comparison.as_bound()?;
        match self.layout.place(bound.variable) {
            (Space::Input, input) if bound.relation != Relation::NotEqual => {
                Some((input, bound.relation, bound.numeral))
            }
            _ => None,
        }
    }

    /// Chooses boxes, joins neighbours that are alike, and drops those that are empty.
    pub(super) fn group(&mut self) {
        let common = self.common_intervals();
        let bounding = ways::bounding(&self.query, |comparison| self.input_bound(comparison).is_some());
        let is_empty = |chosen: &[FormulaId]| {
            let touched = touched(&common, &self.bounds_of(chosen));
            touched.iter().any(|(input, interval)| {
                interval.values(self.layout.element(*input)) == RepresentableValues::Empty
            })
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
                BoxContent::Empty => 0,
                BoxContent::Unreachable(input) => {
                    let reason = || (self.why_numberless(input, &common, &touched), 0);
                    numberless.get_or_insert_with(reason).1 += 1;
                    partial = true;
                    0
                }
                BoxContent::Bounded => 1,
                BoxContent::Unbounded => {
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
        common: &[StatedInterval<'_>],
        touched: &[(usize, StatedInterval<'_>)],
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

    fn content(&self, common: &[StatedInterval<'_>], touched: &[(usize, StatedInterval<'_>)]) -> BoxContent {
        let changed = |input: usize| touched.iter().find(|(i, _)| *i == input).map(|(_, interval)| interval);
        let all = touched.len() == common.len();
        let intervals: Vec<(usize, &StatedInterval<'_>)> = if all {
            touched.iter().map(|(i, interval)| (*i, interval)).collect()
        } else {
            common.iter().enumerate().map(|(i, interval)| (i, changed(i).unwrap_or(interval))).collect()
        };
        let mut content = BoxContent::Bounded;
        for (input, interval) in intervals {
            let element = self.layout.element(input);
            match interval.values(element) {
                RepresentableValues::Empty => return BoxContent::Empty,
                RepresentableValues::Unreachable => content = BoxContent::Unreachable(input),
                RepresentableValues::Range(lower, upper) if content == BoxContent::Bounded => {
                    let ends_at_cut = grid::is_cut(element) && interval.is_open();
                    if !lower.is_finite() || !upper.is_finite() || ends_at_cut {
                        content = BoxContent::Unbounded;
                    }
                }
                RepresentableValues::Range(..) | RepresentableValues::Nearest(..) => {}
            }
        }
        content
    }
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

fn is_open_in(way: &PartialChoice, bounding: &HashSet<FormulaId>) -> bool {
    way.open.iter().any(|id| bounding.contains(id))
}

/// The intervals that bounds change, changed.
fn touched<'q>(common: &[StatedInterval<'q>], bounds: &[InputBound<'q>]) -> Vec<(usize, StatedInterval<'q>)> {
    let mut touched: Vec<(usize, StatedInterval<'q>)> = Vec::new();
    for &(input, relation, numeral) in bounds {
        let place = touched.iter().rposition(|(i, _)| *i == input).unwrap_or_else(|| {
            touched.push((input, common[input]));
            touched.len() - 1
        });
        touched[place].1.add(relation, numeral);
    }
    touched
}
