//! What decides a question that was split ends all its other parts: in this process and, by a file in the folder, in every other one.
//!
//! A part's counterexample is replayed for the whole property before it counts. A process looks for the file before each unit and,
//! while units run, every half second.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::CampaignFailure;
use super::whole::{WholeQuestion, certificate_of, may_decide};
use crate::budget::Interrupt;
use crate::campaign::{Campaign, CampaignFolder, Key, SplitQuestion, UnitResult, UnitVerdict};
use crate::cli::terminal::note;

/// Between two looks for the file.
const PAUSE: Duration = Duration::from_millis(500);

/// The folder of a question, as one process sees it.
pub(super) struct Stopping<'a> {
    folder: &'a CampaignFolder,
    split: SplitQuestion,
    plan: &'a Campaign,
    /// The plan's units: what another one has decided is of another question.
    keys: HashSet<Key>,
    decided: Interrupt,
    whole: OnceLock<WholeQuestion>,
    /// Units whose answers were refused: said once.
    refused: Mutex<HashSet<Key>>,
}

impl<'a> Stopping<'a> {
    /// Of a folder and its plan.
    pub(super) fn new(folder: &'a CampaignFolder, split: SplitQuestion, plan: &'a Campaign) -> Self {
        let keys = plan.units().map(|unit| plan.key(unit)).collect();
        let (decided, whole, refused) = Default::default();
        let stopping = Self { folder, split, plan, keys, decided, whole, refused };
        if folder.decided().is_some_and(|unit| !stopping.keys.contains(&unit)) {
            folder.forget_decision();
        }
        stopping
    }

    /// Raised once the question is decided.
    pub(super) fn flag(&self) -> &Interrupt {
        &self.decided
    }

    /// Looks whether a unit has decided the question, anywhere.
    pub(super) fn look(&self) -> bool {
        if self.decided.is_raised() {
            return true;
        }
        let is_decided = self.folder.decided().is_some_and(|unit| self.keys.contains(&unit));
        if is_decided {
            self.decided.raise();
        }
        is_decided
    }

    /// Looks again and again, until `ended` is closed.
    pub(super) fn watch(&self, ended: &Receiver<()>) {
        while !self.look() && ended.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {}
    }

    /// A unit's result, which may decide the question.
    ///
    /// # Errors
    /// If the folder refuses, or the whole question cannot be loaded.
    pub(super) fn consider(&self, result: &UnitResult) -> Result<(), CampaignFailure> {
        if self.decided.is_raised() || !may_decide(&self.split, result) || self.is_refused(&result.key) {
            return Ok(());
        }
        match self.holds(result)? {
            Ok(()) => {
                self.folder.decide(&result.key)?;
                self.decided.raise();
            }
            Err(why) => {
                let (property, word) = (&result.property, result.verdict.word());
                note!("{property} is {word}, and that does not decide the whole question: {why}");
                self.refused().insert(result.key.clone());
            }
        }
        Ok(())
    }

    /// Whether a result holds for the whole, or why not.
    fn holds(&self, result: &UnitResult) -> Result<Result<(), String>, CampaignFailure> {
        if result.verdict == UnitVerdict::Unsat {
            // The program that wrote it has checked it, and `answer` does again: here it has to be there and whole.
            return Ok(certificate_of(self.folder, result).map(drop));
        }
        let whole = match self.whole.get() {
            Some(whole) => whole,
            None => {
                let loaded = WholeQuestion::load(self.folder, &self.split, self.plan)?;
                self.whole.get_or_init(|| loaded)
            }
        };
        Ok(whole.accepts(self.folder, result))
    }

    fn is_refused(&self, unit: &Key) -> bool {
        self.refused().contains(unit)
    }

    fn refused(&self) -> std::sync::MutexGuard<'_, HashSet<Key>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
