//! The whole way from models and a query to a verdict, as one function; to several counterexamples, where they are asked for.

pub mod cells;
pub mod nearest;
pub mod parts;
pub mod point;
pub mod radius;
pub mod repair;
pub mod several;
mod transcript;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vnnlib::Query;

use crate::budget::{Budget, StopReason};
use crate::certificate::{self, Certificate, Enclosure, Mending, Proof, Refusal, Token};
use crate::counterexample::{NamedArray, named_inputs};
use crate::error::Error;
use crate::network::{Network, Node, Real};
use crate::onnx::Model;
use crate::problem::{Problem, need_double};
use crate::search::kernel::oracle::Best;
use crate::search::observer::{Activity, Event, Observer, timed};
use crate::search::proof::RegionProof;
use crate::search::schedule::summary::SearchSummary;
use crate::search::{self, Candidate, Config, Judge, Judgement};
use crate::witness::{Certainty, Lost, Validation, Validator, Witness, WitnessTensor};
use several::{KeptWitnesses, Several, WitnessPlaces};

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

/// What a search has found, whatever the verdict.
#[derive(Debug)]
pub struct Findings {
    /// The verdict; of several counterexamples it has the most certain, and of equals the first.
    pub verdict: Verdict,
    /// The other counterexamples, where several were asked for.
    pub others: Vec<Witness>,
    /// The input that came nearest to a violation, where no counterexample was found and the search has kept it.
    pub nearest_miss: Option<NearestMiss>,
}

/// The input that came nearest to a violation.
#[derive(Debug, Clone, PartialEq)]
pub struct NearestMiss {
    /// The largest margin that was reached: a violation from 0 on. One from 0 on did not hold when it was replayed.
    pub margin: f64,
    /// All inputs, as the query declares them.
    pub point: Vec<f64>,
}

impl NearestMiss {
    /// Its inputs, as the network names and shapes them.
    pub fn inputs(&self, query: &Query, models: &[Arc<Model>]) -> Vec<NamedArray> {
        named_inputs(&WitnessTensor::of_inputs(query, &self.point), query, models)
    }
}

impl From<Verdict> for Findings {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, others: Vec::new(), nearest_miss: None }
    }
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
    Ok(falsify_several(query, models, &Several::default(), config, budget, observer)?.verdict)
}

/// Searches on until there are as many counterexamples as are wanted, each different from all others, or the budget is used up, or
/// nothing is left to try.
///
/// # Errors
/// As [`falsify`].
pub fn falsify_several(
    query: Query,
    models: Vec<Arc<Model>>,
    several: &Several,
    config: &Config,
    budget: &Budget,
    observer: &dyn Observer,
) -> Result<Findings, Error> {
    if need_double(&models) {
        falsify_in::<f64>(query, models, several, config, budget, observer)
    } else {
        falsify_in::<f32>(query, models, several, config, budget, observer)
    }
}

/// The same, in the type that the search computes in.
fn falsify_in<T: Real>(
    query: Query,
    models: Vec<Arc<Model>>,
    several: &Several,
    config: &Config,
    budget: &Budget,
    observer: &dyn Observer,
) -> Result<Findings, Error> {
    let problem = timed(observer, Activity::Importing, || Problem::<T>::of_models(query.clone(), &models))?;
    if problem.property.has_no_inputs() {
        return Ok(prove_emptiness(&query, &models, budget).into());
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
        return Ok(Verdict::Unknown(StopReason::NoNumbers).into());
    }
    // A search skips regions that it cannot use. If the first is one, all will be.
    problem.property.region(0)?;
    let path = models.first().map(|model| model.path.clone()).unwrap_or_default();
    let validator = timed(observer, Activity::Preparing, || Validator::new(query.clone(), models.clone()))
        .map_err(|source| Error::replay(path, source))?;
    if let Some(proof) =
        timed(observer, Activity::Judging, || prove_at_once(&query, &models, &problem, budget))
    {
        return Ok(Verdict::Unsat(proof).into());
    }
    let is_affordable = problem.network.multiplications() <= certificate::MOST_CERTIFIED;
    let validator = if is_affordable { validator } else { validator.uncertified() };
    let validator = validator.with_threads(config.threads).following(problem.property.layout());
    let places = WitnessPlaces::new(&problem, *several);
    let jury = Jury { problem: &problem, validator, observer, places, kept: Mutex::default() };
    let question = CertificateQuestion { query: &query, models: &models, problem: &problem };
    let summary = match searched(&question, &jury, config, budget, observer) {
        Ok(summary) => summary,
        Err(cells::CellsOutcome::Proved(proof)) => return Ok(Verdict::Unsat(proof).into()),
        Err(cells::CellsOutcome::Left(reason)) => return Ok(jury.answer(reason)),
        Err(_) => return Ok(jury.answer(StopReason::Exhausted)),
    };
    if let Some(reach) = summary.reach {
        observer.event(&Event::Note(&format!(
            "inputs without a bound were searched as far as {reach:e} times the size of their other bound, or of 1"
        )));
    }
    let judged =
        || timed(observer, Activity::Judging, || question.judge(&summary.proofs, config.threads, budget));
    let nearest_miss = summary.best.as_ref().map(|best| nearest_miss(&problem, best));
    let findings = match summary.ending {
        // The jury keeps whatever it confirms.
        search::Ending::Found => jury.answer(StopReason::Exhausted),
        search::Ending::Stopped(reason) => jury.answer(reason),
        // Replayed by a second engine, a witness outweighs every proof.
        search::Ending::Proved if jury.has_witness() => jury.answer(StopReason::Exhausted),
        search::Ending::Proved => match judged() {
            Ok(proof) => Verdict::Unsat(proof).into(),
            Err((reason, why)) => {
                observer.event(&Event::Note(&format!("a proof of the search was not confirmed: {why}")));
                Verdict::Unknown(reason).into()
            }
        },
    };
    let is_open = matches!(findings.verdict, Verdict::Unknown(_));
    Ok(Findings { nearest_miss: nearest_miss.filter(|_| is_open), ..findings })
}

/// The best point of a search, as the query declares inputs.
fn nearest_miss<T: Real>(problem: &Problem<T>, best: &Best<T>) -> NearestMiss {
    let (point, _) = problem.declared_inputs(&best.input, &BTreeMap::new());
    NearestMiss { margin: best.margin.widen(), point }
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
        if brief.ending == search::Ending::Proved || jury.is_complete() || budget.check().is_err() {
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

/// Validates candidates and keeps the best witness, or the best of each place where several are wanted.
struct Jury<'a, T> {
    problem: &'a Problem<T>,
    validator: Validator,
    observer: &'a dyn Observer,
    places: WitnessPlaces<'a, T>,
    /// Held during a replay: two at a time would take twice the memory, and of a large network seconds that nobody needs
    /// once the first one is through.
    kept: Mutex<KeptWitnesses>,
}

impl<T: Real> Jury<'_, T> {
    fn validate(
        &self,
        place: several::WitnessPlace,
        input: &[f64],
        literals: &BTreeMap<usize, String>,
    ) -> Judgement {
        let mut kept = self.lock();
        if kept.confirmed {
            return Judgement::Late;
        }
        let alone = self.places.count() == 1;
        if !alone && kept.has(&self.places, &place) {
            return Judgement::Known;
        }
        let validate = || self.validator.validate(input, literals);
        let judgement = match timed(self.observer, Activity::Replaying, validate) {
            Validation::Confirmed(witness) => {
                let may_improve = witness.lost() != Lost::Nowhere
                    || witness.certainty() == Certainty::Replayed && self.validator.can_certify();
                kept.offer(&self.places, place, witness);
                if alone && may_improve { Judgement::Held } else { Judgement::Confirmed }
            }
            Validation::Thin(witness) => {
                self.observer.event(&Event::ThinWitness { short_by: -witness.excess() });
                kept.offer(&self.places, place, witness);
                Judgement::Thin
            }
            Validation::Rejected(rejection) => {
                if self.observer.listens() {
                    self.observer.event(&Event::CandidateRejected { reason: &rejection.to_string() });
                }
                Judgement::Rejected
            }
        };
        match judgement {
            Judgement::Confirmed if kept.answers() < self.places.count() => Judgement::Kept,
            // Its time to be improved is no reason to end a search for several.
            Judgement::Thin if !alone => Judgement::Kept,
            Judgement::Confirmed => {
                kept.confirmed = true;
                Judgement::Confirmed
            }
            other => other,
        }
    }

    fn lock(&self) -> MutexGuard<'_, KeptWitnesses> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it holds as many witnesses as are wanted that would end a search.
    fn is_complete(&self) -> bool {
        self.lock().answers() >= self.places.count()
    }

    /// Whether it holds one, if only a thin one.
    fn has_witness(&self) -> bool {
        !self.lock().is_empty()
    }

    /// The witnesses, or why there is none.
    fn answer(self, reason: StopReason) -> Findings {
        if let Some(why) = self.validator.replay().runtime_missing() {
            self.observer.event(&Event::Note(&why));
        }
        let count = self.places.count();
        let kept = self.kept.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut witnesses = kept.into_witnesses(count).into_iter();
        let verdict = witnesses.next().map_or(Verdict::Unknown(reason), Verdict::Sat);
        Findings { others: witnesses.collect(), ..verdict.into() }
    }
}

impl<T: Real> Judge<T> for Jury<'_, T> {
    fn judge(&self, candidate: &Candidate<T>) -> Judgement {
        let (input, literals) = self.problem.declared_inputs(&candidate.input, &candidate.literals);
        self.validate(self.places.of(&candidate.input), &input, &literals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::observer::Silent;

    /// What the jury says of points, one after the other, and how many witnesses it keeps.
    fn check(several: Several, cases: &[([f32; 2], Judgement)], kept: usize) {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        let model = Arc::new(crate::onnx::read(&folder.join("toy.onnx")).unwrap());
        let text = std::fs::read_to_string(folder.join("toy.vnnlib")).unwrap();
        let query = vnnlib::parse(text).unwrap();
        let problem = Problem::<f32>::of_models(query.clone(), std::slice::from_ref(&model)).unwrap();
        let validator = Validator::new(query, vec![model]).unwrap();
        let places = WitnessPlaces::new(&problem, several);
        let jury = Jury { problem: &problem, validator, observer: &Silent, places, kept: Mutex::default() };
        for &(input, expected) in cases {
            let candidate = Candidate { input: input.to_vec(), literals: BTreeMap::new() };
            assert_eq!(jury.judge(&candidate), expected, "{input:?}");
        }
        let findings = jury.answer(StopReason::Exhausted);
        assert!(matches!(findings.verdict, Verdict::Sat(_)));
        assert_eq!(findings.others.len() + 1, kept);
    }

    #[test]
    fn what_comes_after_a_confirmed_witness_is_late() {
        let cases = [
            ([1.0, 1.0], Judgement::Rejected),
            ([1.0, 0.02], Judgement::Confirmed),
            ([1.0, 0.02], Judgement::Late),
            ([1.0, 1.0], Judgement::Late),
        ];
        check(Several::default(), &cases, 1);
    }

    #[test]
    fn of_several_witnesses_each_lies_elsewhere() {
        let apart = Several { count: 2, distinction: several::Distinction::Apart(0.01) };
        let cases = [
            ([1.0, 0.02], Judgement::Kept),
            ([1.0, 0.021], Judgement::Known),
            ([1.0, 1.0], Judgement::Rejected),
            ([0.9, 0.02], Judgement::Confirmed),
            ([0.8, 0.02], Judgement::Late),
        ];
        check(apart, &cases, 2);
        // Both lie on one affine piece.
        let pattern = Several { count: 2, ..Several::default() };
        check(pattern, &[([1.0, 0.02], Judgement::Kept), ([1.0, 0.021], Judgement::Known)], 1);
    }
}
