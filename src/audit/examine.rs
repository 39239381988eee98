//! One instance: replays the counterexamples of all its claims, attacks it once if that leaves questions, and judges.

use std::sync::Arc;

use vnnlib::Query;

use super::claims::{AuditClaim, ClaimedVerdict};
use super::record::{AuditRecord, Evidence, Finding, InstanceTruth, Judged};
use crate::budget::{Budget, Stopwatch};
use crate::error::Error;
use crate::onnx::Model;
use crate::pipeline::{self, Verdict};
use crate::search::Config;
use crate::search::observer::Silent;
use crate::witness::check::{self, Class, Year, listed_inputs};
use crate::witness::read::WitnessReadError;
use crate::witness::{Answer, Certainty, PointChange, Reading, Replay, Witness, mend};

/// What a claim's counterexample file says; `None` if there is no file.
pub type File = Option<Result<Reading, WitnessReadError>>;

/// Examines an instance. `files` has one entry for each claim, `usable` is what its files hold or why they cannot be
/// used, `budget` is for the attack.
pub fn examine(
    claims: &[&AuditClaim],
    files: &[File],
    usable: Result<(Query, Vec<Arc<Model>>), String>,
    config: &Config,
    budget: &Budget,
) -> AuditRecord {
    let watch = Stopwatch::start();
    let (truth, replayed) = match usable.and_then(|(query, models)| {
        let case = Case { query, models };
        case.examine(claims, files, config, budget).map_err(|error| error.to_string())
    }) {
        Ok(found) => found,
        Err(why) => (InstanceTruth::Unusable(why), vec![None; claims.len()]),
    };
    let judged = claims.iter().zip(replayed).map(|(claim, replayed)| Judged {
        tool: claim.tool.clone(),
        answer: claim.answer,
        word: claim.word.clone(),
        witness: claim.witness.clone(),
        finding: finding(claim.answer, replayed, &truth),
    });
    let text = |part: fn(&AuditClaim) -> &String| {
        claims.first().map(|claim| part(claim).clone()).unwrap_or_default()
    };
    AuditRecord {
        benchmark: text(|claim| &claim.benchmark),
        network: text(|claim| &claim.network),
        property: text(|claim| &claim.property),
        claims: judged.collect(),
        truth,
        seconds: watch.elapsed().as_secs_f64(),
    }
}

/// What is found about a claim, once the truth is known as far as it will be.
fn finding(answer: ClaimedVerdict, replayed: Option<Finding>, truth: &InstanceTruth) -> Finding {
    match (answer, truth) {
        (ClaimedVerdict::Nothing, _) => Finding::None,
        (ClaimedVerdict::Unsat, InstanceTruth::Sat(_)) => Finding::FalseUnsat,
        (ClaimedVerdict::Unsat, InstanceTruth::Doubtful(_)) => Finding::Doubtful,
        (ClaimedVerdict::Unsat, InstanceTruth::Unsat) => Finding::Proved,
        (ClaimedVerdict::Unsat, InstanceTruth::Open | InstanceTruth::Contradiction { .. }) => Finding::Stands,
        (ClaimedVerdict::Unsat, InstanceTruth::Unusable(_)) => Finding::NotAttacked,
        (ClaimedVerdict::Sat, truth) => match (replayed, truth) {
            (Some(finding), _) => finding,
            (None, InstanceTruth::Sat(_) | InstanceTruth::Doubtful(_)) => Finding::Confirmed,
            (None, InstanceTruth::Unsat) => Finding::FalseSat,
            (
                None,
                InstanceTruth::Open | InstanceTruth::Unusable(_) | InstanceTruth::Contradiction { .. },
            ) => Finding::Unconfirmed,
        },
    }
}

/// A witness that speaks for `sat`, with where it comes from. Better ones are larger: one that is certified, then a point
/// that needed no change. Nobody is accused by less than a certified one.
struct Exhibit {
    rank: (bool, u8),
    evidence: Evidence,
}

impl Exhibit {
    fn new(witness: &Witness, change: PointChange, source: String) -> Self {
        let mut text = Vec::new();
        // Writing to memory cannot fail.
        let _ = Answer::Sat(witness).write_to(&mut text);
        let unchanged = match change {
            PointChange::None => 2,
            PointChange::Snapped => 1,
            PointChange::Stepped => 0,
        };
        let evidence = Evidence { source, text: String::from_utf8_lossy(&text).into_owned() };
        Self { rank: (witness.certainty() == Certainty::Certified, unchanged), evidence }
    }

    fn is_sound(&self) -> bool {
        self.rank.0
    }
}

struct Case {
    query: Query,
    models: Vec<Arc<Model>>,
}

impl Case {
    fn examine(
        &self,
        claims: &[&AuditClaim],
        files: &[File],
        config: &Config,
        budget: &Budget,
    ) -> Result<(InstanceTruth, Vec<Option<Finding>>), Error> {
        let path = self.models.first().map(|model| model.path.clone()).unwrap_or_default();
        let replay = Replay::new(self.query.clone(), self.models.iter().cloned());
        let replay = replay.map_err(|source| Error::replay(path, source))?;
        let mut best: Option<Exhibit> = None;
        let mut findings = Vec::with_capacity(claims.len());
        for (claim, file) in claims.iter().zip(files) {
            let (finding, exhibit) = match file {
                Some(file) if claim.answer == ClaimedVerdict::Sat => {
                    self.replay(&replay, &claim.tool, file)?
                }
                _ => (None, None),
            };
            findings.push(finding);
            if exhibit.as_ref().map(|e| e.rank) > best.as_ref().map(|e| e.rank) {
                best = exhibit;
            }
        }
        let answers = claims.iter().any(|claim| claim.answer != ClaimedVerdict::Nothing);
        let truth = match best {
            Some(sound) if sound.is_sound() => InstanceTruth::Sat(sound.evidence),
            doubtful if answers => self.attack(config, budget, doubtful.map(|doubtful| doubtful.evidence))?,
            _ => InstanceTruth::Open,
        };
        Ok((truth, findings))
    }

    /// Replays the file of a `sat` claim.
    fn replay(
        &self,
        replay: &Replay,
        tool: &str,
        file: &Result<Reading, WitnessReadError>,
    ) -> Result<(Option<Finding>, Option<Exhibit>), Error> {
        let wrong = |verdict: String, details| Some(Finding::WrongWitness { verdict, details });
        let reading = match file {
            Ok(reading) => reading,
            Err(WitnessReadError::Malformed(malformed)) => {
                let details = vec![malformed.to_string()];
                return Ok((wrong("incorrect:malformed_ce".to_owned(), details), None));
            }
            Err(error @ WitnessReadError::Io { .. }) => {
                return Ok((wrong("incorrect:no_ce".to_owned(), vec![error.to_string()]), None));
            }
        };
        let path = self.models.first().map(|model| model.path.clone()).unwrap_or_default();
        let report = check::check(replay, reading, Year::Of2026);
        let report = report.map_err(|source| Error::replay(path, source))?;
        let listed = reading.assignment.as_ref().and_then(|listed| listed_inputs(&self.query, listed));
        let mended =
            listed.map(|listed| mend::mend(self.query.clone(), &self.models, &listed)).transpose()?.flatten();
        let exhibit = mended.as_ref().map(|mended| {
            let source = match mended.change {
                PointChange::None => format!("the counterexample of {tool}"),
                _ => format!("the counterexample of {tool}, moved by {:.1e}", mended.distance),
            };
            Exhibit::new(&mended.witness, mended.change, source)
        });
        let finding = match report.class {
            Class::Correct => Some(Finding::Correct),
            Class::WithinTolerance => {
                Some(Finding::Tolerance { repaired_by: mended.map(|mended| mended.distance) })
            }
            ref class => wrong(class.word(), report.details()),
        };
        Ok((finding, exhibit))
    }

    fn attack(
        &self,
        config: &Config,
        budget: &Budget,
        doubtful: Option<Evidence>,
    ) -> Result<InstanceTruth, Error> {
        let open = |doubtful: Option<Evidence>| doubtful.map_or(InstanceTruth::Open, InstanceTruth::Doubtful);
        let verdict = pipeline::falsify(self.query.clone(), self.models.clone(), config, budget, &Silent)?;
        Ok(match verdict {
            Verdict::Sat(witness) => {
                let exhibit = Exhibit::new(&witness, PointChange::None, "our attack".to_owned());
                match exhibit.is_sound() {
                    true => InstanceTruth::Sat(exhibit.evidence),
                    false => InstanceTruth::Doubtful(exhibit.evidence),
                }
            }
            Verdict::Unsat(proof) => match doubtful {
                None => InstanceTruth::Unsat,
                Some(evidence) => {
                    InstanceTruth::Contradiction { evidence, certificate: proof.certificate().text() }
                }
            },
            Verdict::Unknown(_) => open(doubtful),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_held_against_what_is_known() {
        let evidence = || Evidence { source: "us".into(), text: "sat\n".into() };
        let wrong = || Finding::WrongWitness { verdict: "incorrect:no_ce".into(), details: Vec::new() };
        let (sat, doubtful) = (InstanceTruth::Sat(evidence()), InstanceTruth::Doubtful(evidence()));
        let cases = [
            (ClaimedVerdict::Unsat, None, &sat, Finding::FalseUnsat),
            (ClaimedVerdict::Unsat, None, &doubtful, Finding::Doubtful),
            (ClaimedVerdict::Unsat, None, &InstanceTruth::Unsat, Finding::Proved),
            (ClaimedVerdict::Unsat, None, &InstanceTruth::Open, Finding::Stands),
            (ClaimedVerdict::Unsat, None, &InstanceTruth::Unusable("why".into()), Finding::NotAttacked),
            (ClaimedVerdict::Sat, None, &sat, Finding::Confirmed),
            (ClaimedVerdict::Sat, None, &InstanceTruth::Open, Finding::Unconfirmed),
            (ClaimedVerdict::Sat, None, &InstanceTruth::Unsat, Finding::FalseSat),
            (ClaimedVerdict::Sat, Some(wrong()), &sat, wrong()),
            (ClaimedVerdict::Nothing, None, &sat, Finding::None),
        ];
        for (answer, replayed, truth, want) in cases {
            assert_eq!(finding(answer, replayed.clone(), truth), want, "{answer:?} {replayed:?} {truth:?}");
        }
    }
}
