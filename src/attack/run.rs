//! A run: which images are attacked, one attack with its confirmation, and the threads that do them all.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::methods::{Method, MethodEntry, Outcome};
use super::record::{AttackEnding, ConfirmedResult, Picture, Record};
use super::victim::decision;
use super::{Confidence, Limits, Session, TargetClasses, Task, Victim, grid, tidy};
use crate::budget::{Budget, StopReason, Stopwatch};
use crate::random::Random;

/// What holds for every attack of a run.
#[derive(Debug)]
pub struct RunPlan<'a> {
    /// The classifier.
    pub victim: &'a Victim,
    /// What every method keeps.
    pub limits: Limits,
    /// The classes aimed at.
    pub targets: TargetClasses,
    /// By how much a class has to lead.
    pub confidence: Confidence,
    /// Whether results are put on the grid of 8-bit pictures.
    pub round: bool,
    /// Time of one method on one image.
    pub each: Duration,
    /// The run's seed.
    pub seed: u64,
}

/// A method of the run.
pub struct Chosen {
    /// Its row in the table.
    pub entry: MethodEntry,
    /// The method, made for this run.
    pub method: Box<dyn Method>,
}

/// One image with its class.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// The image's number in the set.
    pub number: usize,
    /// The input as the victim reads it.
    pub input: Vec<f32>,
    /// The right class.
    pub label: usize,
    /// The only class that counts as a success, if one was chosen for this image.
    pub target: Option<usize>,
    /// The victim's class, by the reference engine.
    pub class: Option<usize>,
}

impl Subject {
    /// Classifies an image with the reference engine.
    pub fn new(victim: &Victim, number: usize, input: Vec<f32>, label: usize, target: Option<usize>) -> Self {
        let class = victim.replay(&input).and_then(|outputs| decision(&outputs));
        Self { number, input, label, target, class }
    }

    /// Whether the victim is right.
    pub fn is_correct(&self) -> bool {
        self.class == Some(self.label)
    }
}

impl RunPlan<'_> {
    /// One method on one image; `None` if it was interrupted. The randomness depends on the run's seed, the image's
    /// number and the method's name alone.
    pub fn attack(&self, subject: &Subject, chosen: &Chosen, budget: &Budget) -> Option<Record> {
        let task = self.task(subject);
        let whole = budget.slice(self.each);
        let searches = self.searches_grid(chosen.entry);
        // A fifth of the time is kept for the grid.
        let slice = if searches { whole.slice(self.each.mul_f64(0.8)) } else { whole.clone() };
        let random =
            Random::new(self.seed).fork(subject.number as u64).fork(fingerprint(chosen.entry.name.bytes()));
        let mut session = Session::new(&self.victim.network, &slice, random);
        let watch = Stopwatch::start();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let outcome = chosen.method.attack(&task, &mut session);
            session.budget = &whole;
            if searches { self.settled(&task, &mut session, outcome) } else { outcome }
        }));
        let seconds = watch.elapsed().as_secs_f64();
        // A panic is a bug, has printed its message, and is no success; the other images need not suffer.
        let (ending, found) = match outcome.unwrap_or(Outcome::GaveUp) {
            Outcome::Adversarial(input) => self.confirm(&task, input, chosen.entry.leaves_range),
            Outcome::Stopped(StopReason::Interrupted | StopReason::MemoryUp) => return None,
            Outcome::Stopped(StopReason::TimeUp) => (AttackEnding::TimeUp, None),
            Outcome::GaveUp
            | Outcome::Stopped(StopReason::Exhausted | StopReason::NoNumbers | StopReason::Unconfirmed) => {
                (AttackEnding::GaveUp, None)
            }
        };
        let method = chosen.entry.name.to_owned();
        let Session { spent, proved, .. } = session;
        Some(Record { image: subject.number, method, ending, seconds, spent, proved, found })
    }

    fn task<'a>(&'a self, subject: &'a Subject) -> Task<'a> {
        Task {
            victim: self.victim,
            image: &subject.input,
            label: subject.label,
            limits: &self.limits,
            targets: subject.target.map_or(self.targets, TargetClasses::Only),
            confidence: self.confidence,
        }
    }

    fn searches_grid(&self, entry: MethodEntry) -> bool {
        entry.searches_grid && (self.round || self.confidence == Confidence::Picture)
    }

    /// A result whose picture is one too, where that is asked; the result as it was where none is found.
    fn settled(&self, task: &Task<'_>, session: &mut Session<'_>, outcome: Outcome) -> Outcome {
        let Outcome::Adversarial(mut input) = outcome else { return outcome };
        tidy::into_limits(task, &mut input);
        let survives = |session: &mut Session<'_>, input: &[f32]| {
            let picture = self.victim.pictured(input);
            picture.is_none_or(|picture| session.fools(task, &picture).unwrap_or(false))
        };
        if !self.round && survives(session, &input) {
            return Outcome::Adversarial(input);
        }
        match grid::settle(task, session, &input) {
            Ok(Some(settled)) => Outcome::Adversarial(settled),
            Ok(None) | Err(_) => Outcome::Adversarial(input),
        }
    }

    /// What the reference engine says of an input: its class, and the class if it is a success.
    fn success(&self, task: &Task<'_>, input: &[f32]) -> (Option<usize>, Option<usize>) {
        let outputs = self.victim.replay(input).unwrap_or_default();
        (decision(&outputs), task.confirmed(&outputs))
    }

    /// What comes of the PNG file of a result of this class when it is read back.
    fn picture(&self, task: &Task<'_>, input: &[f32], class: usize) -> Picture {
        match self.victim.pictured(input) {
            None => Picture::Lost(None),
            Some(picture) if picture == input => Picture::Adversarial(class),
            Some(picture) => match self.success(task, &picture) {
                (_, Some(class)) => Picture::Adversarial(class),
                (class, None) => Picture::Lost(class),
            },
        }
    }

    /// Puts a result into the limits and has the reference engine classify it.
    fn confirm(
        &self,
        task: &Task<'_>,
        input: Vec<f32>,
        leaves_range: bool,
    ) -> (AttackEnding, Option<ConfirmedResult>) {
        if input.len() != task.image.len() {
            return (AttackEnding::NotConfirmed, None);
        }
        let mut tidied = input.clone();
        if !leaves_range {
            tidy::into_limits(task, &mut tidied);
            if self.round {
                tidy::onto_grid(task, &mut tidied);
            }
            if !task.keeps_limits(&tidied) {
                return (AttackEnding::LostInLimits, None);
            }
        }
        match self.success(task, &tidied).1 {
            Some(class) => {
                let (distance, picture) = (task.change(&tidied), self.picture(task, &tidied, class));
                let ending =
                    if leaves_range { AttackEnding::OwnDefinition } else { AttackEnding::Adversarial };
                (ending, Some(ConfirmedResult { class, distance, picture, input: tidied }))
            }
            None if tidied == input => (AttackEnding::NotConfirmed, None),
            None => (AttackEnding::LostInLimits, None),
        }
    }

    /// Does the open pairs of subject and method on some threads, in no certain order, and hands each record to `note`,
    /// on this thread. Ends early when the budget is interrupted or `note` fails.
    ///
    /// # Errors
    /// What `note` says.
    pub fn attack_all<E>(
        &self,
        open: &[(&Subject, &Chosen)],
        threads: usize,
        budget: &Budget,
        mut note: impl FnMut(Record) -> Result<(), E>,
    ) -> Result<(), E> {
        let (sender, records) = channel();
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..threads {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || {
                    while let Some((subject, chosen)) = open.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let Some(record) = self.attack(subject, chosen, budget) else { return };
                        // A failure after a signal may be due to the signal: the image is done again.
                        let cut = budget.check().is_err() && record.found.is_none();
                        // Nobody listens any more when the journal has failed.
                        if cut || sender.send(record).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut done = Ok(());
            while let (Ok(()), Ok(record)) = (&done, records.recv()) {
                done = note(record);
            }
            drop(records);
            done
        })
    }
}

/// Bytes as a number (FNV-1a), of a method's name: its random stream does not depend on which other methods run.
fn fingerprint(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
