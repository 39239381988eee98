//! The judge of `sat`: whether a point violates the property in every permitted computation.

use super::directed::Interval;
use super::enclosure::{Aim, Enclosure, Worker};
use super::formula::{Choices, Truth};

/// Multiplications that a pass over the tape may cost, about half a second; beyond, points stay uncertified.
const MOST_WORK: usize = 300_000_000;

impl Enclosure {
    /// Whether a point costs little enough for a search to have it certified.
    pub(crate) fn is_affordable(&self) -> bool {
        self.tape.steps.iter().map(|step| step.price()).fold(0, usize::saturating_add) <= MOST_WORK
    }
}

/// Whether every permitted computation at a point satisfies the query. `point` has the inputs as they are given to the networks,
/// one list a declared tensor; lists that are no input's are ignored.
pub(crate) fn certify(enclosure: &Enclosure, point: &[Vec<f64>]) -> bool {
    if !enclosure.is_affordable() {
        return false;
    }
    let Some(values) = enclosure.values_of_inputs(point) else { return false };
    let ranges: Vec<Interval> = values.into_iter().map(Interval::point).collect();
    let mut worker = Worker::new(enclosure);
    worker.enclose(enclosure, &ranges);
    worker.truth(enclosure, &Choices::new(), Aim::Affirm, &[]) == Truth::True
}
