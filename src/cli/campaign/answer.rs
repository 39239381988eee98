//! `counterpatch campaign answer`: what the parts of a question say of the whole. A counterexample is replayed for the whole
//! property; the certificates of all parts become one, which the judge checks as any other.

use vnnlib::Query;

use super::CampaignFailure;
use super::whole::{WholeQuestion, certificate_of, may_decide};
use crate::budget::Budget;
use crate::campaign::{Campaign, CampaignFolder, SplitQuestion, StoredResult, UnitResult, UnitVerdict};
use crate::certificate::{Certificate, Proof};
use crate::cli::exit::Exit;
use crate::cli::object::Origin;
use crate::cli::repair::interrupt;
use crate::cli::terminal;
use crate::cli::{args, certificate, input};
use crate::pack;
use crate::pipeline::parts;
use crate::search::available_threads;

/// Parts that are named before the rest is only counted.
const SHOWN: usize = 20;

/// What is known of the whole.
enum WholeAnswer {
    /// The results file of a part, as it stands: it holds for the whole.
    Sat(Vec<u8>),
    Unsat(Box<Proof>),
    Unknown,
}

impl WholeAnswer {
    fn word(&self) -> &'static str {
        match self {
            Self::Sat(_) => "sat",
            Self::Unsat(_) => "unsat",
            Self::Unknown => "unknown",
        }
    }
}

/// A part with its result.
struct AnsweredPart {
    /// Counted from 1.
    number: usize,
    name: String,
    stored: StoredResult,
}

/// Runs the command.
pub(super) fn run(args: &args::CampaignAnswer) -> Result<Exit, CampaignFailure> {
    let interrupt = interrupt(None).map_err(CampaignFailure::System)?;
    let folder = CampaignFolder::at(&args.folder);
    let plan = folder.plan()?;
    let split = folder.split()?.ok_or_else(|| CampaignFailure::NotSplit(args.folder.clone()))?;
    let parts = parts_of(&folder, &split, &plan)?;
    let budget = Budget::unlimited().with_interrupt(interrupt.clone());
    let (answer, details) =
        SplitFolder { folder: &folder, split: &split, plan: &plan, budget }.answer(&parts)?;
    if interrupt.is_raised() {
        return Ok(Exit::Interrupted);
    }
    if let Some(path) = &args.results_file {
        let text = match &answer {
            WholeAnswer::Sat(file) => file.clone(),
            other => format!("{}\n", other.word()).into_bytes(),
        };
        let written = pack::write_bytes(path, &text);
        written.map_err(|source| CampaignFailure::Write { path: path.clone(), source })?;
    }
    if let (Some(path), WholeAnswer::Unsat(proof)) = (&args.certificate, &answer) {
        let written = certificate::write(path, proof);
        written.map_err(|source| CampaignFailure::Write { path: path.clone(), source })?;
    }
    let written = if args.json {
        let object =
            serde_json::json!({ "verdict": answer.word(), "parts": parts.len(), "details": details });
        terminal::print_json(&Origin::of("campaign").line(object))
    } else {
        let lines: String = details.iter().map(|detail| format!("  {detail}\n")).collect();
        terminal::print(&format!("{}\n{lines}", answer.word()))
    };
    Ok(terminal::ended(written, Exit::Answered))
}

/// All parts in the order of the division: by seeds these are the seeds.
fn parts_of(
    folder: &CampaignFolder,
    split: &SplitQuestion,
    plan: &Campaign,
) -> Result<Vec<AnsweredPart>, CampaignFailure> {
    let part = |(number, unit): (usize, crate::campaign::CampaignUnit)| {
        let stored = folder.result(&plan.key(unit))?;
        let name = match split.is_by_seeds() {
            true => format!("seed {}", unit.seed),
            false => format!("part {number} ({})", plan.instances[unit.instance].property),
        };
        Ok(AnsweredPart { number, name, stored })
    };
    (1..).zip(plan.units()).map(part).collect()
}

/// A question that was split, and the folder of its parts.
struct SplitFolder<'a> {
    folder: &'a CampaignFolder,
    split: &'a SplitQuestion,
    plan: &'a Campaign,
    budget: Budget,
}

impl SplitFolder<'_> {
    /// What the parts say of the whole, and what led to it.
    fn answer(&self, parts: &[AnsweredPart]) -> Result<(WholeAnswer, Vec<String>), CampaignFailure> {
        let mut details = Vec::new();
        let results = parts.iter().filter_map(|part| match &part.stored {
            StoredResult::Whole(result) => Some((part, &**result)),
            _ => None,
        });
        let deciding: Vec<_> = results.filter(|(_, result)| may_decide(self.split, result)).collect();
        let all_proved = !self.split.is_by_seeds() && parts.iter().all(AnsweredPart::is_proved);
        if deciding.is_empty() && !all_proved {
            return Ok((WholeAnswer::Unknown, open(parts, details)));
        }
        let whole = WholeQuestion::load(self.folder, self.split, self.plan)?;
        for (part, result) in deciding {
            if result.verdict == UnitVerdict::Sat {
                match whole.accepts(self.folder, result) {
                    Ok(()) => return self.sat(part, result),
                    Err(why) => {
                        details.push(format!("{}: its counterexample is none of the whole: {why}", part.name))
                    }
                }
                continue;
            }
            let own = vec![(whole.query.clone(), part)];
            match self.prove(&whole, own) {
                Ok(proof) => return Ok(of_proof(proof, &part.name)),
                Err(why) => details.push(format!("{}: {why}", part.name)),
            }
        }
        if all_proved {
            let query = |part: &AnsweredPart| -> Result<Query, CampaignFailure> {
                Ok(input::property(&self.folder.part_path(part.number))?)
            };
            let with_texts = parts.iter().map(|part| Ok((query(part)?, part)));
            match self.prove(&whole, with_texts.collect::<Result<_, CampaignFailure>>()?) {
                Ok(proof) => return Ok(of_proof(proof, &format!("{} parts, each proved", parts.len()))),
                Err(why) => details.push(why),
            }
        }
        Ok((WholeAnswer::Unknown, open(parts, details)))
    }

    fn sat(
        &self,
        part: &AnsweredPart,
        result: &UnitResult,
    ) -> Result<(WholeAnswer, Vec<String>), CampaignFailure> {
        let path = self.folder.beside(result.witness.as_deref().unwrap_or_default());
        let read = std::fs::read(&path);
        let file = read.map_err(|source| CampaignFailure::File { path, source: source.into() })?;
        Ok((
            WholeAnswer::Sat(file),
            vec![format!("{}: its counterexample violates the whole property, replayed", part.name)],
        ))
    }

    /// Joins the certificates and has the whole checked; else why it is not proved.
    fn prove(&self, whole: &WholeQuestion, parts: Vec<(Query, &AnsweredPart)>) -> Result<Proof, String> {
        let with_proof = |(query, part): (Query, &AnsweredPart)| match part.certificate(self.folder) {
            Ok(proof) => Ok((query, proof)),
            Err(why) => Err(format!("the certificate of {} is missing: {why}", part.name)),
        };
        let parts = parts.into_iter().map(with_proof).collect::<Result<Vec<_>, String>>()?;
        let (query, models, steps) = (&whole.query, &whole.models, &self.split.steps);
        let proof = parts::prove(query, models, steps, &parts, available_threads(), &self.budget);
        proof.map_err(|refusal| refusal.to_string())
    }
}

fn of_proof(proof: Proof, by: &str) -> (WholeAnswer, Vec<String>) {
    let details = vec![by.to_owned(), proof.ground().to_string()];
    (WholeAnswer::Unsat(Box::new(proof)), details)
}

impl AnsweredPart {
    fn is_proved(&self) -> bool {
        matches!(&self.stored, StoredResult::Whole(result) if result.verdict == UnitVerdict::Unsat)
    }

    fn certificate(&self, folder: &CampaignFolder) -> Result<Certificate, String> {
        match &self.stored {
            StoredResult::Whole(result) => certificate_of(folder, result),
            _ => Err("the unit has left none".to_owned()),
        }
    }

    /// Why it does not answer, if it does not.
    fn in_words(&self) -> Option<String> {
        match &self.stored {
            StoredResult::Missing => Some(format!("{}: no result yet", self.name)),
            StoredResult::Broken(why) => Some(format!("{}: its result cannot be read: {why}", self.name)),
            StoredResult::Whole(result) if result.verdict.is_solved() => None,
            StoredResult::Whole(result) if result.why.is_empty() => {
                Some(format!("{}: {}", self.name, result.verdict.word()))
            }
            StoredResult::Whole(result) => {
                Some(format!("{}: {}: {}", self.name, result.verdict.word(), result.why))
            }
        }
    }
}

/// What is known, and the parts that do not answer.
fn open(parts: &[AnsweredPart], mut details: Vec<String>) -> Vec<String> {
    let left: Vec<String> = parts.iter().filter_map(AnsweredPart::in_words).collect();
    let more = left.len().saturating_sub(SHOWN);
    details.push(format!("{} of {} parts have no answer", left.len(), parts.len()));
    details.extend(left.into_iter().take(SHOWN));
    details.extend((more > 0).then(|| format!("and {more} more")));
    details
}
