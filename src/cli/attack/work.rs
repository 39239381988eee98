//! One run: all methods on all images within the same limits, what the journal does not know of it, and its report.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use super::config::{self, AttackConfig};
use super::limits::Typed;
use super::{AttackFailure, AttackSettings, Ready, write};
use crate::attack::measures::features::Features;
use crate::attack::record::{AttackEnding, Record};
use crate::attack::run::{Chosen, RunPlan, Subject};
use crate::attack::summary::{Material, Summary};
use crate::attack::{Limits, Victim};
use crate::budget::Budget;
use crate::cli::args;
use crate::cli::journal::{JournalError, JournalFile};
use crate::report::{Bar, Provenance};

/// What all runs of a command share.
pub(super) struct Work<'a> {
    pub(super) args: &'a args::Attack,
    pub(super) config: &'a AttackConfig,
    pub(super) ready: &'a Ready,
    pub(super) features: &'a Features<'a>,
    pub(super) budget: &'a Budget,
    /// What its pages say that they were made by.
    pub(super) provenance: &'a Provenance,
    /// Whether there is somebody to see a bar.
    pub(super) show: bool,
}

/// How a run ended.
pub(super) enum WorkEnding {
    /// Its report is written.
    Done { summary: Box<Summary>, records: Vec<Record>, json: Value },
    /// So many attacks are in the journal.
    Interrupted { done: usize },
}

impl Work<'_> {
    /// Attacks of a run.
    pub(super) fn pairs(&self) -> usize {
        self.ready.attacked.len() * self.ready.chosen.len()
    }

    /// Does a run in a folder, or what is left of it. `title` is what its page is headed with.
    pub(super) fn run(&self, typed: &Typed, output: &Path, title: &str) -> Result<WorkEnding, AttackFailure> {
        let limits = &typed.limits;
        let Ready { victim, subjects, attacked, chosen, others, .. } = self.ready;
        let settings = AttackSettings { limits: self.told(limits), ..self.ready.settings.clone() };
        write::folder(output)?;
        let (journal, mut known) =
            JournalFile::open::<AttackSettings, Record>(&output.join("journal.jsonl"), &settings)?;
        known.retain(|record| fits(record, victim));
        let records = self.complete(limits, known, &journal)?;
        if self.budget.check().is_err() {
            return Ok(WorkEnding::Interrupted { done: records.len() });
        }
        let entries: Vec<_> = chosen.iter().map(|chosen| chosen.entry).collect();
        let summary = Summary::new(&Material {
            victim,
            subjects,
            attacked,
            methods: &entries,
            records: &records,
            features: self.features,
            others,
        });
        // A large network of features takes minutes: what it did not get to is no figure.
        if self.budget.check().is_err() {
            return Ok(WorkEnding::Interrupted { done: records.len() });
        }
        let report = write::WrittenReport {
            output,
            title,
            gallery: self.args.gallery,
            victim,
            subjects,
            records: &records,
            summary: &summary,
            norm: limits.norm(self.config.norm),
            names: &self.names(),
            told: &config::in_words(self.args, self.config, &typed.text),
            provenance: self.provenance,
        };
        let json = report.write(serde_json::json!(settings))?;
        Ok(WorkEnding::Done { summary: Box::new(summary), records, json })
    }

    /// The images' names, by number.
    pub(super) fn names(&self) -> Vec<String> {
        self.ready.set.images.iter().map(|image| image.name.clone()).collect()
    }

    /// What a journal knows limits by. Before they were in pixels, journals of scaled inputs had the same words.
    fn told(&self, limits: &Limits) -> String {
        let scaled = !(self.args.mean.is_empty() && self.config.deviation.is_empty());
        format!("{limits:?}{}", if scaled { " in pixels" } else { "" })
    }

    /// Does what the journal does not know; the records in the order of methods and images.
    fn complete(
        &self,
        limits: &Limits,
        known: Vec<Record>,
        journal: &JournalFile,
    ) -> Result<Vec<Record>, AttackFailure> {
        let Ready { victim, subjects, attacked, chosen, .. } = self.ready;
        let plan = RunPlan {
            victim,
            limits: limits.clone(),
            targets: self.config.targets,
            confidence: self.config.confidence,
            round: self.args.round,
            each: self.config.each,
            seed: self.args.seed,
        };
        let mut records: HashMap<(String, usize), Record> =
            known.into_iter().map(|record| ((record.method.clone(), record.image), record)).collect();
        let pairs: Vec<(&Subject, &Chosen)> = attacked
            .iter()
            .filter_map(|&number| subjects.get(number))
            .flat_map(|subject| chosen.iter().map(move |chosen| (subject, chosen)))
            .collect();
        let key = |(subject, chosen): &(&Subject, &Chosen)| (chosen.entry.name.to_owned(), subject.number);
        let open: Vec<_> = pairs.iter().filter(|pair| !records.contains_key(&key(pair))).copied().collect();
        let bar = self.show.then(|| Bar::start(pairs.len() - open.len(), pairs.len()));
        let (mut done, mut found) = (0, 0);
        plan.attack_all(&open, self.config.threads, self.budget, |record| {
            journal
                .note(&record)
                .map_err(|source| JournalError::Io { path: "the journal".into(), source })?;
            done += 1;
            found +=
                usize::from(matches!(record.ending, AttackEnding::Adversarial | AttackEnding::OwnDefinition));
            if let Some(bar) = &bar {
                bar.step(format!("{found} of {done} adversarial"));
            }
            records.insert((record.method.clone(), record.image), record);
            Ok::<(), JournalError>(())
        })?;
        let of_method = |chosen: &Chosen| {
            let of_image = |number: &usize| records.remove(&(chosen.entry.name.to_owned(), *number));
            attacked.iter().filter_map(of_image).collect::<Vec<_>>()
        };
        Ok(chosen.iter().flat_map(of_method).collect())
    }
}

/// Whether a record that was read back can be of this network: a file may say anything.
fn fits(record: &Record, victim: &Victim) -> bool {
    let found = record.found.as_ref();
    found.is_none_or(|found| found.class < victim.classes() && found.input.len() == victim.layout.len())
}
