//! The judge of `sat`: whether a point violates the property in every permitted computation.

use super::directed::Interval;
use super::enclosure::{Aim, Enclosure, Worker};
use super::formula::{Choices, Truth};

/// Multiplications that a point may cost; beyond, it stays uncertified.
const MOST_WORK: usize = 4_000_000_000;

impl Enclosure {
    /// What one pass over the tape multiplies.
    fn price(&self) -> usize {
        self.tape.steps.iter().map(|step| step.price()).fold(0, usize::saturating_add)
    }
}

/// Whether every permitted computation at a point satisfies the query. `point` has the inputs as they are given to the networks,
/// one list a declared tensor; lists that are no input's are ignored.
pub(crate) fn certify(enclosure: &Enclosure, point: &[Vec<f64>]) -> bool {
    if enclosure.price() > MOST_WORK {
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
    worker.truth(enclosure, &Choices::new(), Aim::Affirm, &[]) == Truth::True
}
