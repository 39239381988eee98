//! The whole way from models and a query to a verdict, as one function.

pub mod cells;
pub mod nearest;
pub mod point;
pub mod radius;
pub mod repair;
mod transcript;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use vnnlib::Query;

use crate::budget::{Budget, StopReason};
use crate::certificate::{self, Certificate, Enclosure, Mending, Proof, Refusal, Token};
use crate::error::Error;
use crate::network::{Network, Node, Real};
use crate::onnx::Model;
use crate::problem::{Problem, need_double};
use crate::search::observer::{Event, Observer};
use crate::search::proof::RegionProof;
use crate::search::schedule::summary::SearchSummary;
use crate::search::{self, Candidate, Config, Judge, Judgement};
use crate::witness::{Certainty, Lost, Validation, Validator, Witness};

/// The answer of a search.
#[derive(Debug)]
pub enum Verdict {
    /// A validated counterexample.
    Sat(Witness),
    /// There is none: proved, and the proof checked by a judge that shares nothing with the search.
    Unsat(Proof),
    /// None was found.
    Unknown(StopReason),
}

/// Searches for a counterexample. `models` are those of the query's networks that need one of their own, in
/// declaration order: not of networks that are declared equal to an earlier one.
///
/// # Errors
/// If the networks or the property cannot be used, or do not belong together.
pub fn falsify(
    query: Query,
    models: Vec<Arc<Model>>,
    config: &Config,
    budget: &Budget,
    observer: &dyn Observer,
) -> Result<Verdict, Error> {
    if need_double(&models) {
        falsify_in::<f64>(query, models, config, budget, observer)
    } else {
        falsify_in::<f32>(query, models, config, budget, observer)
    }
}

/// The same, in the type that the search computes in.
fn falsify_in<T: Real>(
    query: Query,
    models: Vec<Arc<Model>>,
    config: &Config,
    budget: &Budget,
    observer: &dyn Observer,
) -> Result<Verdict, Error> {
    let problem = Problem::<T>::of_models(query.clone(), &models)?;
    if problem.property.has_no_inputs() {
        return Ok(prove_emptiness(&query, &models, budget));
    }
    if let Some(why) = problem.property.numberless() {
        observer.event(&Event::Note(&why));
    }
    if let Some(what) = left_to_the_plain_engine(&problem.network) {
        observer.event(&Event::Note(&format!(
            "{what}: searched more slowly, and bounded only where indices have one value"
        )));
    }
    if problem.property.region_count() == 0 {
        return Ok(Verdict::Unknown(StopReason::NoNumbers));
    }
    // A search skips regions that it cannot use. If the first is one, all will be.
    problem.property.region(0)?;
    let path = models.first().map(|model| model.path.clone()).unwrap_or_default();
    let validator =
        Validator::new(query.clone(), models.clone()).map_err(|source| Error::replay(path, source))?;
    if let Some(proof) = prove_at_once(&query, &models, &problem, budget) {
        return Ok(Verdict::Unsat(proof));
    }
    let jury = Jury { problem: &problem, validator, observer, kept: Mutex::default() };
    let question = CertificateQuestion { query: &query, models: &models, problem: &problem };
    let summary = match searched(&question, &jury, config, budget, observer) {
        Ok(summary) => summary,
        Err(cells::CellsOutcome::Proved(proof)) => return Ok(Verdict::Unsat(proof)),
        Err(cells::CellsOutcome::Left(reason)) => return Ok(jury.answer(reason)),
        Err(_) => return Ok(jury.answer(StopReason::Exhausted)),
    };
    if let Some(why) = jury.validator.replay().runtime_missing() {
        observer.event(&Event::Note(&why));
    }
    if let Some(reach) = summary.reach {
        observer.event(&Event::Note(&format!(
            "inputs without a bound were searched as far as {reach:e} times the size of their other bound, or of 1"
        )));
    }
    Ok(match (jury.verdict(), summary.ending) {
        // Replayed by a second engine, it outweighs every proof.
        (Some(witness), _) => Verdict::Sat(witness),
        (None, search::Ending::Proved) => match question.judge(&summary.proofs, config.threads, budget) {
            Ok(proof) => Verdict::Unsat(proof),
            Err((reason, why)) => {
                observer.event(&Event::Note(&format!("a proof of the search was not confirmed: {why}")));
                Verdict::Unknown(reason)
            }
        },
        (None, search::Ending::Stopped(reason)) => Verdict::Unknown(reason),
        // The jury keeps whatever it confirms.
        (None, search::Ending::Found) => Verdict::Unknown(StopReason::Exhausted),
    })
}

/// Searches the networks as they are, or cell by cell where that settles it.
fn searched<T: Real>(
    question: &CertificateQuestion<'_, T>,
    jury: &Jury<'_, T>,
    config: &Config,
    budget: &Budget,
    observer: &dyn Observer,
) -> Result<SearchSummary<T>, cells::CellsOutcome> {
    let problem = question.problem;
    let help = cells::help(&problem.network);
    if help == cells::Help::Some {
        let brief = search::falsify_briefly(problem, config, budget, cells::WORK_BEFORE, jury, observer);
        // Its own ending counts a thin witness as found, which for the jury is no answer.
        if brief.ending == search::Ending::Proved || jury.has_answer() || budget.check().is_err() {
            return Ok(brief);
        }
    }
    if help != cells::Help::None {
        match cells::search(question, jury, config, budget, observer) {
            cells::CellsOutcome::None => {}
            outcome => return Err(outcome),
        }
    }
    Ok(search::falsify(problem, config, budget, jury, observer))
}

/// Which operators the plain engine computes, in words; `None` where there are none.
pub fn left_to_the_plain_engine<T: Real>(network: &Network<T>) -> Option<String> {
    let operators = network.plain_operators();
    let names: Vec<String> = operators.iter().map(|(name, count)| format!("{count} {name}")).collect();
    (!names.is_empty()).then(|| format!("computed by the plain engine, point by point: {}", names.join(", ")))
}

/// Multiplications of networks for which the judge is asked before the search: its first look then takes milliseconds.
const MOST_AT_ONCE: usize = 100_000;

/// What the judge of `unsat` is asked about.
struct CertificateQuestion<'q, T: Real> {
    query: &'q Query,
    models: &'q [Arc<Model>],
    problem: &'q Problem<T>,
}

impl<T: Real> CertificateQuestion<'_, T> {
    /// Has a search's proof checked; else why it was not confirmed.
    fn judge(
        &self,
        proofs: &[RegionProof],
        threads: usize,
        budget: &Budget,
    ) -> Result<Proof, (StopReason, String)> {
        let unconfirmed = |why: String| (StopReason::Unconfirmed, why);
        let enclosure =
            Enclosure::new(self.query, self.models).map_err(|error| unconfirmed(error.to_string()))?;
        let certificate = transcript::transcribe(self.problem, &enclosure, proofs)
            .ok_or_else(|| unconfirmed("a neuron of it is none of the file's".into()))?;
        let keep_going = || budget.check().is_ok();
        certificate::check(&enclosure, &certificate, Mending::Cut, threads, &keep_going).map_err(|refusal| {
            match refusal {
                Refusal::Ended => (budget.check().err().unwrap_or(StopReason::TimeUp), refusal.to_string()),
                _ => unconfirmed(refusal.to_string()),
            }
        })
    }
}

/// Where the search has no bounds to prove with, or weak ones, as of casts to whole numbers, the judge may have better: as one part, and its halves.
fn prove_at_once<T: Real>(
    query: &Query,
    models: &[Arc<Model>],
    problem: &Problem<T>,
    budget: &Budget,
) -> Option<Proof> {
    let network = &problem.network;
    let is_whole = |node: &Node<T>| node.varies && !node.element.is_float();
    let is_weak = || network.nodes().iter().any(is_whole) || problem.bounder().is_err();
    if network.multiplications() > MOST_AT_ONCE || !is_weak() {
        return None;
    }
    let enclosure = Enclosure::new(query, models).ok()?;
    let certificate = Certificate { tokens: vec![Token::plain_leaf()] };
    certificate::check(&enclosure, &certificate, Mending::Cut, 1, &|| budget.check().is_ok()).ok()
}

/// Where bounds of inputs contradict each other, wherever one looks: nothing of the networks matters.
fn prove_emptiness(query: &Query, models: &[Arc<Model>], budget: &Budget) -> Verdict {
    let keep_going = || budget.check().is_ok();
    let proof = Enclosure::of_inputs(query, models).ok().and_then(|enclosure| {
        let certificate = transcript::of_emptiness(&enclosure)?;
        certificate::check(&enclosure, &certificate, Mending::Refuse, 1, &keep_going).ok()
    });
    proof.map_or(Verdict::Unknown(StopReason::Unconfirmed), Verdict::Unsat)
}

/// Validates candidates and keeps the best witness.
struct Jury<'a, T> {
    problem: &'a Problem<T>,
    validator: Validator,
    observer: &'a dyn Observer,
    /// Held during a replay: two at a time would take twice the memory, and of a large network seconds that nobody needs
    /// once the first one is through.
    kept: Mutex<KeptWitness>,
}

/// The best witness so far.
#[derive(Default)]
struct KeptWitness {
    witness: Option<Witness>,
    /// Whether one was confirmed.
    confirmed: bool,
}

impl<T: Real> Jury<'_, T> {
    fn validate(&self, input: &[f64], literals: &BTreeMap<usize, String>) -> Judgement {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.confirmed {
            return Judgement::Late;
        }
        match self.validator.validate(input, literals) {
            Validation::Confirmed(witness)
                if witness.lost() != Lost::Nowhere
                    || witness.certainty() == Certainty::Replayed && self.validator.can_certify() =>
            {
                kept.offer(witness);
                Judgement::Held
            }
            Validation::Confirmed(witness) => {
                kept.confirmed = true;
                kept.offer(witness);
                Judgement::Confirmed
            }
            Validation::Thin(witness) => {
                self.observer.event(&Event::ThinWitness { short_by: -witness.excess() });
                kept.offer(witness);
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

    /// Whether it holds a witness that ends the search.
    fn has_answer(&self) -> bool {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.witness.as_ref().is_some_and(|witness| witness.certainty() != Certainty::Thin)
    }

    /// The witness, or why there is none.
    fn answer(self, reason: StopReason) -> Verdict {
        if let Some(why) = self.validator.replay().runtime_missing() {
            self.observer.event(&Event::Note(&why));
        }
        self.verdict().map_or(Verdict::Unknown(reason), Verdict::Sat)
    }

    fn verdict(self) -> Option<Witness> {
        self.kept.into_inner().unwrap_or_else(PoisonError::into_inner).witness
    }
}

impl KeptWitness {
    fn offer(&mut self, witness: Witness) {
        let rank = |witness: &Witness| {
            let (certainty, lost) = (witness.certainty(), Reverse(witness.lost()));
            // A thin one is no answer: one that a runtime's kernels for bytes lose is better than that.
            (certainty != Certainty::Thin, lost, certainty == Certainty::Certified, witness.excess())
        };
        if self.witness.as_ref().is_none_or(|old| rank(&witness) > rank(old)) {
            self.witness = Some(witness);
        }
    }
}

impl<T: Real> Judge<T> for Jury<'_, T> {
    fn judge(&self, candidate: &Candidate<T>) -> Judgement {
        let (input, literals) = self.problem.declared_inputs(&candidate.input, &candidate.literals);
        self.validate(&input, &literals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::observer::Silent;

    #[test]
    fn what_comes_after_a_confirmed_witness_is_late() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        let model = Arc::new(crate::onnx::read(&folder.join("toy.onnx")).unwrap());
        let text = std::fs::read_to_string(folder.join("toy.vnnlib")).unwrap();
        let query = vnnlib::parse(text).unwrap();
        let problem = Problem::<f32>::of_models(query.clone(), std::slice::from_ref(&model)).unwrap();
        let validator = Validator::new(query, vec![model]).unwrap();
        let jury = Jury { problem: &problem, validator, observer: &Silent, kept: Mutex::default() };
        let cases = [
            ([1.0, 1.0], Judgement::Rejected),
            ([1.0, 0.02], Judgement::Confirmed),
            ([1.0, 0.02], Judgement::Late),
            ([1.0, 1.0], Judgement::Late),
        ];
        for (input, expected) in cases {
            let candidate = Candidate { input: input.to_vec(), literals: BTreeMap::new() };
            assert_eq!(jury.judge(&candidate), expected, "{input:?}");
        }
        assert!(jury.verdict().is_some());
    }
}
