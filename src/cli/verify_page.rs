//! What `verify --html` writes: a page about the answer of a run, after the answer was delivered.

use std::path::Path;
use std::time::Duration;

use super::args;
use super::config::VerifyConfig;
use super::failure::Failure;
use super::verify::{VerifyOutcome, is_withheld};
use crate::answer_page::{self, AnswerContent, AnswerFinding};
use crate::budget::{Budget, Interrupt};
use crate::error::Error;
use crate::pack;
use crate::pipeline::Verdict;
use crate::report::{Provenance, Statistics};
use crate::witness::write::WriteError;

/// What the slices of a page may take.
const LONGEST: Duration = Duration::from_secs(10);
/// What they may take where the time of the run is up.
const SHORTEST: Duration = Duration::from_millis(100);

/// A run whose answer is delivered.
pub(super) struct FinishedRun<'a> {
    pub(super) args: &'a args::VerifyArgs,
    pub(super) config: &'a VerifyConfig,
    pub(super) outcome: &'a VerifyOutcome,
    pub(super) statistics: &'a Statistics,
    pub(super) seconds: Duration,
}

impl FinishedRun<'_> {
    /// Writes the page. `budget` is the run's.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn write(
        &self,
        path: &Path,
        provenance: &Provenance,
        budget: &Budget,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        let left = budget.remaining().map_or(LONGEST, |left| left.clamp(SHORTEST, LONGEST));
        let budget = Budget::unlimited().with_interrupt(interrupt.clone()).slice(left);
        let content = AnswerContent {
            networks: self.networks(),
            query: &self.outcome.query,
            models: &self.outcome.models,
            finding: self.finding(),
            notes: &self.outcome.nearest.iter().cloned().chain(self.statistics.notes()).collect::<Vec<_>>(),
            seconds: self.seconds.as_secs_f64(),
            settings: &self.settings(),
            provenance,
        };
        let written = pack::write_bytes(path, answer_page::page(&content, &budget).as_bytes());
        written.map_err(|source| Error::from(WriteError { path: path.to_path_buf(), source }).into())
    }

    fn networks(&self) -> String {
        let name = |path: &Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let files = self.config.networks.files();
        files.into_iter().map(|(_, path)| name(path)).collect::<Vec<_>>().join(", ")
    }

    fn finding(&self) -> AnswerFinding<'_> {
        match self.outcome.verdict() {
            Some(Verdict::Sat(witness)) if is_withheld(self.args, witness) => AnswerFinding::Thin(witness),
            Some(Verdict::Sat(witness)) => AnswerFinding::Sat(witness),
            Some(Verdict::Unsat(proof)) => AnswerFinding::Unsat(proof),
            Some(Verdict::Unknown(reason)) => {
                let miss = self.outcome.findings.as_ref().and_then(|findings| findings.nearest_miss.as_ref());
                AnswerFinding::Unknown {
                    reason: reason.to_string(),
                    nearest: miss.map(|miss| miss.point.clone()),
                }
            }
            None => AnswerFinding::Unknown {
                reason: "the time was up before the search could begin".to_owned(),
                nearest: None,
            },
        }
    }

    /// What the run was told.
    fn settings(&self) -> Vec<(&'static str, String)> {
        let Self { args, config, .. } = *self;
        let files: Vec<String> =
            config.networks.files().into_iter().map(|(_, path)| path.display().to_string()).collect();
        let limit = config.timeout.map_or("none".to_owned(), |limit| format!("{} s", limit.as_secs_f64()));
        let mut settings = vec![
            ("network", files.join(", ")),
            ("property", config.property.display().to_string()),
            ("time limit", limit),
            ("seed", config.search.seed.to_string()),
            ("threads", config.search.threads.to_string()),
            ("thin counterexamples", if args.accept_thin { "accepted" } else { "no answer" }.to_owned()),
        ];
        let dims: Vec<String> = args.dims.iter().map(|(name, size)| format!("{name}={size}")).collect();
        let reading = config.search.reading.as_ref().map_or(String::new(), ToString::to_string);
        let more = [
            ("dimensions", dims.join(", ")),
            ("strategies", config.search.only.join(", ")),
            ("without", config.search.without.join(", ")),
            ("reading of patch", reading),
        ];
        settings.extend(more.into_iter().filter(|(_, value)| !value.is_empty()));
        if let Some(point) = &args.nearest {
            settings.push((
                "nearest to",
                format!("{point}, norm {}, gap {}", crate::nearest::Norm::from(args.norm), config.gap),
            ));
        }
        settings
    }
}
