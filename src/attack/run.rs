//! A run: which images are attacked, one attack with its confirmation, and the threads that do them all.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::methods::{Entry, Method, Outcome};
use super::record::{Ending, Found, Record};
use super::victim::decision;
use super::{Limits, Session, Targets, Task, Victim, tidy};
use crate::budget::{Budget, StopReason, Stopwatch};
use crate::random::Random;

/// What holds for every attack of a run.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The classifier.
    pub victim: &'a Victim,
    /// What every method keeps.
    pub limits: Limits,
    /// The classes aimed at.
    pub targets: Targets,
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
    pub entry: Entry,
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
    /// The victim's class, by the reference engine.
    pub class: Option<usize>,
}

impl Subject {
    /// Classifies an image with the reference engine.
    pub fn new(victim: &Victim, number: usize, input: Vec<f32>, label: usize) -> Self {
        let class = victim.replay(&input).and_then(|outputs| decision(&outputs));
        Self { number, input, label, class }
    }

    /// Whether the victim is right.
    pub fn is_correct(&self) -> bool {
        self.class == Some(self.label)
    }
}

impl Plan<'_> {
    /// One method on one image; `None` if it was interrupted. The randomness depends on the run's seed, the image's
    /// number and the method's name alone.
    pub fn attack(&self, subject: &Subject, chosen: &Chosen, budget: &Budget) -> Option<Record> {
        let (limits, targets, victim) = (&self.limits, self.targets, self.victim);
        let task = Task { victim, image: &subject.input, label: subject.label, limits, targets };
        let slice = budget.slice(self.each);
        let random =
            Random::new(self.seed).fork(subject.number as u64).fork(fingerprint(chosen.entry.name.bytes()));
        let mut session = Session::new(&victim.network, &slice, random);
        let watch = Stopwatch::start();
        let outcome = catch_unwind(AssertUnwindSafe(|| chosen.method.attack(&task, &mut session)));
        let seconds = watch.elapsed().as_secs_f64();
        // A panic is a bug, has printed its message, and is no success; the other images need not suffer.
        let (ending, found) = match outcome.unwrap_or(Outcome::GaveUp) {
            Outcome::Adversarial(input) => self.confirm(&task, input, chosen.entry.leaves_range),
            Outcome::Stopped(StopReason::Interrupted) => return None,
            Outcome::Stopped(StopReason::TimeUp) => (Ending::TimeUp, None),
            Outcome::GaveUp
            | Outcome::Stopped(StopReason::Exhausted | StopReason::NoNumbers | StopReason::Unconfirmed) => {
                (Ending::GaveUp, None)
            }
        };
        let method = chosen.entry.name.to_owned();
        let Session { spent, proved, .. } = session;
        Some(Record { image: subject.number, method, ending, seconds, spent, proved, found })
    }

    /// Puts a result into the limits and has the reference engine classify it.
    fn confirm(&self, task: &Task<'_>, input: Vec<f32>, leaves_range: bool) -> (Ending, Option<Found>) {
        if input.len() != task.image.len() {
            return (Ending::NotConfirmed, None);
        }
        let mut tidied = input.clone();
        if !leaves_range {
            tidy::into_limits(task, &mut tidied);
            if self.round {
                tidy::onto_grid(task, &mut tidied);
            }
            if !tidy::within(task, &tidied) {
                return (Ending::LostInLimits, None);
            }
        }
        let class = self.victim.replay(&tidied).and_then(|outputs| decision(&outputs));
        match class.filter(|&class| class != task.label) {
            Some(class) => {
                let distance = task.change(&tidied);
                let ending = if leaves_range { Ending::OwnDefinition } else { Ending::Adversarial };
                (ending, Some(Found { class, distance, input: tidied }))
            }
            None if tidied == input => (Ending::NotConfirmed, None),
            None => (Ending::LostInLimits, None),
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

/// Bytes as a number (FNV-1a). Of a method's name: its random stream does not depend on which other methods run. Of
/// files: a journal knows whether it belongs to them.
pub fn fingerprint(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
