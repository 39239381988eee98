//! The judge of `sat`: whether a point violates the property in every permitted computation.

use std::cmp::Ordering;

use vnnlib::{Comparison, Numeral, Relation, Variable};

use super::directed::Interval;
use super::enclosure::Enclosure;
use super::formula::{Choices, Truth};
use super::worker::{Aim, Worker};

/// Multiplications that a pass over the tape may cost, about half a second; beyond, points stay uncertified.
pub(crate) const MOST_CERTIFIED: usize = 300_000_000;

impl Enclosure {
    /// Whether a point costs little enough for a search to have it certified.
    pub(crate) fn is_affordable(&self) -> bool {
        self.tape.steps.iter().map(|step| step.price()).fold(0, usize::saturating_add) <= MOST_CERTIFIED
    }
}

/// Whether every permitted computation at a point satisfies the query. `point` has the inputs as they are given to the networks,
/// one list a declared tensor; lists that are no input's are ignored. `printed` has a variable's value as it is printed, which is
/// what bounds of inputs are about.
pub(crate) fn certify<'p>(
    enclosure: &Enclosure,
    point: &[Vec<f64>],
    printed: &dyn Fn(Variable) -> Option<&'p str>,
) -> bool {
    // Inputs that are other networks' outputs are printed as one computation has them.
    if enclosure.follows || !enclosure.is_affordable() {
        return false;
    }
    let Some(values) = enclosure.values_of_inputs(point) else { return false };
    let ranges: Vec<Interval> = values.into_iter().map(Interval::point).collect();
    let mut worker = Worker::new(enclosure);
    worker.enclose(enclosure, &ranges);
    // What may be no number satisfies no comparison, not even with itself.
    if !enclosure.outputs().iter().all(|&output| worker.bounds().of(output).is_finite()) {
        return false;
    }
    let known = |comparison: Comparison<'_>| of_input(comparison, printed);
    worker.truth_with(enclosure, &Choices::new(), Aim::Affirm, &[], &known) == Truth::True
}

/// A bound of an input, decimal against decimal; `None` of anything else.
fn of_input<'p>(comparison: Comparison<'_>, printed: &dyn Fn(Variable) -> Option<&'p str>) -> Option<Truth> {
    let bound = comparison.as_bound()?;
    let value = printed(bound.variable)?;
    let order = Numeral::new(value).ok()?.cmp_value(bound.numeral);
    let holds = match bound.relation {
        Relation::LessEqual => order != Ordering::Greater,
        Relation::Less => order == Ordering::Less,
        Relation::GreaterEqual => order != Ordering::Less,
        Relation::Greater => order == Ordering::Greater,
        Relation::Equal => order == Ordering::Equal,
        Relation::NotEqual => order != Ordering::Equal,
    };
    Some(if holds { Truth::True } else { Truth::False })
}
