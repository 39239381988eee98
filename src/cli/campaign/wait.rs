//! `counterpatch campaign submit --wait`: looks at the folder, which has the results whatever the scheduler says, and asks `squeue`
//! whether there are tasks left that could make more of them.

use std::io::{self, IsTerminal};
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::CampaignFailure;
use super::claimant::{lives, own};
use crate::budget::Interrupt;
use crate::campaign::{Campaign, CampaignFolder, Key};
use crate::cli::exit::Exit;
use crate::cli::terminal::{self, note, say};
use crate::report::Bar;

/// Between two looks at the folder and the queue.
const PAUSE: Duration = Duration::from_secs(2);
/// Between two looks at whether somebody has pressed Ctrl-C.
const TICK: Duration = Duration::from_millis(100);
/// Looks at an empty queue before that is believed: results may appear late on a network file system.
const LOOKS: usize = 3;

/// What is known of a job's tasks.
#[derive(Debug, PartialEq, Eq)]
enum QueueState {
    /// Some wait or run.
    Busy,
    /// None does.
    Empty,
    /// `squeue` does not say.
    Unknown(String),
}

/// A job that is waited for.
pub(super) struct AwaitedJob<'a> {
    folder: &'a CampaignFolder,
    /// The units whose results are wanted.
    keys: Vec<Key>,
    /// `None` if sbatch has not named it.
    job: Option<&'a str>,
}

impl<'a> AwaitedJob<'a> {
    /// A job that runs the units of a plan.
    pub(super) fn new(folder: &'a CampaignFolder, plan: &Campaign, job: Option<&'a str>) -> Self {
        let keys = plan.units().map(|unit| plan.key(unit)).collect();
        Self { folder, keys, job }
    }

    /// Waits until every unit has a result, or the question is decided, or no task is left.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub(super) fn wait(&self, interrupt: &Interrupt) -> Result<Exit, CampaignFailure> {
        let bar = io::stderr().is_terminal().then(|| Bar::start(0, self.keys.len()));
        let (mut shown, mut empty, mut told) = (0, 0, false);
        loop {
            // The queue first: whoever leaves it has written its results.
            let queue = queue_of(self.job);
            let done = self.done()?;
            (shown..done).for_each(|_| bar.iter().for_each(|bar| bar.step(String::new())));
            shown = done;
            if let Some(text) = self.answer(done) {
                return Ok(terminal::ended(terminal::print(&text), Exit::Answered));
            }
            match queue {
                QueueState::Busy => empty = 0,
                QueueState::Empty => empty += 1,
                QueueState::Unknown(why) if !told => {
                    note!("the queue is not known ({why}): waiting for results alone");
                    told = true;
                }
                QueueState::Unknown(_) => {}
            }
            // Units may be run by others, too.
            if empty >= LOOKS && self.folder.claimed(&own(), &lives)?.is_empty() {
                return Ok(self.unfinished(done));
            }
            if !pause(interrupt) {
                return Ok(self.interrupted());
            }
        }
    }

    /// How many units have a result.
    fn done(&self) -> Result<usize, CampaignFailure> {
        let listed = self.folder.keys()?;
        Ok(self.keys.iter().filter(|key| listed.contains(key)).count())
    }

    /// What there is to say when nothing is to be waited for any more.
    fn answer(&self, done: usize) -> Option<String> {
        let folder = self.folder.path().display();
        if self.folder.decided().is_some_and(|unit| self.keys.contains(&unit)) {
            return Some(format!("the question is decided: see counterpatch campaign answer {folder}\n"));
        }
        (done == self.keys.len()).then(|| format!("{done} of {done} units are done\n"))
    }

    fn unfinished(&self, done: usize) -> Exit {
        let (job, open) = (self.job.unwrap_or_default(), self.keys.len() - done);
        let endings = endings(job);
        say!(
            "error: no task of job {job} is left, and {open} units have no result{endings} (help: see the logs in {}; submit again, what has a result is not run again)",
            self.folder.path().display()
        );
        Exit::Unfinished
    }

    fn interrupted(&self) -> Exit {
        let cancel = self.job.map(|job| format!("; `scancel {job}` ends them, and nothing is lost"));
        say!(
            "interrupted: the tasks go on{}; `counterpatch campaign status {}` says how far they are",
            cancel.unwrap_or_default(),
            self.folder.path().display()
        );
        Exit::Interrupted
    }
}

/// Waits for the next look; whether nobody has pressed Ctrl-C.
fn pause(interrupt: &Interrupt) -> bool {
    let ticks = PAUSE.as_millis() / TICK.as_millis();
    (0..ticks).all(|_| {
        thread::sleep(TICK);
        !interrupt.is_raised()
    })
}

/// What `squeue` says of a job.
fn queue_of(job: Option<&str>) -> QueueState {
    let Some(job) = job else { return QueueState::Unknown("sbatch has not named the job".to_owned()) };
    let output = Command::new("squeue").args(["--noheader", "--format=%T", "--jobs", job]).output();
    match output {
        Err(error) => QueueState::Unknown(format!("squeue cannot be started: {error}")),
        Ok(output) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
            state_of(output.status.success(), &text(&output.stdout), &text(&output.stderr))
        }
    }
}

/// What an answer of `squeue` means. A job that has been forgotten is an error there.
fn state_of(is_answer: bool, out: &str, err: &str) -> QueueState {
    match (is_answer, out.is_empty()) {
        (true, true) => QueueState::Empty,
        (true, false) => QueueState::Busy,
        (false, _) if err.contains("Invalid job id") => QueueState::Empty,
        (false, _) => QueueState::Unknown(err.lines().next().unwrap_or("it has failed").to_owned()),
    }
}

/// How tasks have ended that did not complete, where `sacct` keeps account of that.
fn endings(job: &str) -> String {
    let asked = ["--noheader", "--allocations", "--parsable2", "--format=JobID,State", "--jobs", job];
    let said = match Command::new("sacct").args(asked).output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        _ => return String::new(),
    };
    let failed = said.lines().filter_map(|line| line.split_once('|'));
    let failed: Vec<String> = failed
        .filter(|(_, state)| *state != "COMPLETED")
        .map(|(task, state)| format!("{task} {state}"))
        .take(10)
        .collect();
    if failed.is_empty() { String::new() } else { format!(": {}", failed.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_squeue_are_read() {
        let unknown = |why: &str| QueueState::Unknown(why.to_owned());
        let cases = [
            (true, "RUNNING\nPENDING", "", QueueState::Busy),
            (true, "", "", QueueState::Empty),
            (false, "", "slurm_load_jobs error: Invalid job id specified", QueueState::Empty),
            (
                false,
                "",
                "slurm_load_jobs error: Unable to contact slurm controller",
                unknown("slurm_load_jobs error: Unable to contact slurm controller"),
            ),
            (false, "", "", unknown("it has failed")),
        ];
        for (is_answer, out, err, want) in cases {
            assert_eq!(state_of(is_answer, out, err), want, "{out}{err}");
        }
    }
}
