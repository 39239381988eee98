//! The whole way from a model and a query to a verdict, as one function.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use vnnlib::Query;

use crate::budget::{Budget, StopReason};
use crate::error::Error;
use crate::network::Real;
use crate::onnx::{self, ElementType, Model};
use crate::problem::Problem;
use crate::report::{Event, Observer};
use crate::search::{self, Candidate, Config, Judge, Judgement};
use crate::witness::{Validation, Validator, Witness};

/// The answer of a search.
#[derive(Debug)]
pub enum Verdict {
    /// A validated counterexample.
    Sat(Witness),
    /// There is none.
    Unsat(UnsatReason),
    /// None was found.
    Unknown(StopReason),
}

/// How it was proved that there is no counterexample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnsatReason {
    /// The property's constraints of the inputs contradict each other.
    NoInputs,
    /// Sound bounds of the network's outputs exclude a violation everywhere in the input set.
    Bounds,
}

impl fmt::Display for UnsatReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInputs => f.write_str("no input satisfies the property's input constraints"),
            Self::Bounds => {
                f.write_str("proved: bounds on the outputs, sound under rounding, exclude a violation")
            }
        }
    }
}

/// Searches for a counterexample.
///
/// # Errors
/// If the network or the property cannot be used, or do not belong together.
pub fn falsify(
    query: Query,
    model: Arc<Model>,
    config: &Config,
    budget: &Budget,
    observer: &dyn Observer,
) -> Result<Verdict, Error> {
    let path = || model.path.clone();
    let Some(input) = model.graph.inputs.first() else { return Err(Error::NoInput(path())) };
    match input.element {
        ElementType::Float32 => falsify_in::<f32>(query, model, config, budget, observer),
        ElementType::Float64 => falsify_in::<f64>(query, model, config, budget, observer),
        element => Err(Error::Element { path: path(), input: input.name.clone(), element }),
    }
}

/// The same, in the type that the network computes in.
fn falsify_in<T: Real>(
    query: Query,
    model: Arc<Model>,
    config: &Config,
    budget: &Budget,
    observer: &dyn Observer,
) -> Result<Verdict, Error> {
    let path = model.path.clone();
    let network = onnx::import::<T>(&model).map_err(|source| Error::Import { path: path.clone(), source })?;
    let problem = Problem::new(query.clone(), network)?;
    if problem.property.has_no_inputs() {
        return Ok(Verdict::Unsat(UnsatReason::NoInputs));
    }
    if problem.property.region_count() > 0 {
        // A search skips regions that it cannot use. If the first is one, all will be.
        problem.property.region(0)?;
    }
    let validator = Validator::new(query, [model]).map_err(|source| Error::Replay { path, source })?;
    let jury = Jury { validator, observer, kept: Mutex::default() };
    let summary = search::falsify(&problem, config, budget, &jury, observer);
    if let Some(why) = jury.validator.replay().runtime_missing() {
        observer.event(&Event::Note(&why));
    }
    Ok(match (jury.verdict(), summary.ending) {
        // Replayed by a second engine, it outweighs every proof.
        (Some(witness), _) => Verdict::Sat(witness),
        (None, search::Ending::Proved) => Verdict::Unsat(UnsatReason::Bounds),
        (None, search::Ending::Stopped(reason)) => Verdict::Unknown(reason),
        // The jury keeps whatever it confirms.
        (None, search::Ending::Found) => Verdict::Unknown(StopReason::Exhausted),
    })
}

/// Validates candidates and keeps the best witness.
struct Jury<'a> {
    validator: Validator,
    observer: &'a dyn Observer,
    kept: Mutex<Option<Witness>>,
}

impl Jury<'_> {
    fn validate(&self, input: &[f64], literals: &BTreeMap<usize, String>) -> Judgement {
        match self.validator.validate(input, literals) {
            Validation::Confirmed(witness) => {
                self.keep(witness);
                Judgement::Confirmed
            }
            Validation::Thin(witness) => {
                self.observer.event(&Event::ThinWitness { short_by: -witness.excess() });
                self.keep(witness);
                Judgement::Thin
            }
            Validation::Rejected(rejection) => {
                if self.observer.listens() {
                    self.observer.event(&Event::CandidateRejected { reason: &rejection.to_string() });
                }
                Judgement::Rejected
            }
        }
    }

    fn keep(&self, witness: Witness) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_none_or(|old| witness.excess() > old.excess()) {
            *kept = Some(witness);
        }
    }

    fn verdict(self) -> Option<Witness> {
        self.kept.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Real> Judge<T> for Jury<'_> {
    fn judge(&self, candidate: &Candidate<T>) -> Judgement {
        let input: Vec<f64> = candidate.input.iter().map(|x| x.widen()).collect();
        self.validate(&input, &candidate.literals)
    }
}
