//! `counterpatch campaign run`: units that nobody has run and nobody is running, several at a time. Where they are parts of one
//! question, what decides it ends the rest, in whatever process they run (`stopping.rs`).

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use super::claimant::Claimant;
use super::stopping::Stopping;
use super::unit::{self, Ran};
use super::{CampaignFailure, instances, plan};
use crate::budget::{Budget, Interrupt};
use crate::campaign::{
    Campaign, CampaignFolder, CampaignUnit, Key, Shard, StoredResult, UnitEvidence, UnitResult, UnitVerdict,
    WriteOnce,
};
use crate::cli::args;
use crate::cli::exit::Exit;
use crate::cli::repair::interrupt;
use crate::cli::second::Adopted;
use crate::cli::terminal::{self, note, say};
use crate::report::Bar;
use crate::search::{MOST_THREADS, available_threads};

/// How often a unit is run that is ended from outside, before that is its result: a unit that uses up the machine's memory
/// would be run for ever.
const ATTEMPTS: usize = 3;

/// Runs the command.
pub(super) fn run(args: &args::CampaignRun, itself: &[OsString]) -> Result<Exit, CampaignFailure> {
    let shard = args.shard.as_deref().map_or(Ok(Shard::ALL), Shard::parse)?;
    let interrupt = interrupt(None).map_err(CampaignFailure::System)?;
    let (folder, plan) = prepared(args)?;
    let usual = (available_threads() / plan.limits.threads).clamp(1, MOST_THREADS);
    let jobs = args.jobs.unwrap_or(usual);
    if !(1..=MOST_THREADS).contains(&jobs) {
        return Err(CampaignFailure::Number { option: "jobs", number: jobs, most: MOST_THREADS });
    }
    let adopted = Adopted::all().map_err(CampaignFailure::System)?;
    let stopping = folder.split()?.map(|split| Stopping::new(&folder, split, &plan));
    let mut budget = Budget::unlimited().with_interrupt(interrupt.clone());
    if let Some(stopping) = &stopping {
        budget = budget.with_interrupt(stopping.flag().clone());
    }
    let units = shard.first(&plan.longest_first());
    let run = Runner {
        itself,
        folder: &folder,
        plan: &plan,
        claimant: Claimant::new(&folder),
        stopping,
        budget,
        interrupt,
        adopted,
        bar: (!args.quiet && io::stderr().is_terminal()).then(|| Bar::start(0, units.len())),
        tally: Mutex::default(),
        attempts: Mutex::default(),
    };
    let left = run.all(units, shard, jobs);
    // A guard that was killed itself has left its processes to us.
    adopted.end_all();
    let left = left?;
    let written = terminal::print(&locked(&run.tally).in_words());
    if run.is_decided() {
        say!(
            "the question is decided, the rest is stopped: see `counterpatch campaign answer {}`",
            folder.path().display()
        );
        return Ok(terminal::ended(written, Exit::Answered));
    }
    if run.interrupt.is_raised() {
        say!("interrupted: the same command goes on from there");
        return Ok(terminal::ended(written, Exit::Interrupted));
    }
    if left > 0 {
        note!("{left} units are being run by other processes: see `counterpatch campaign status`");
    }
    Ok(terminal::ended(written, Exit::Answered))
}

/// The campaign's folder and its plan, brought up to date.
fn prepared(args: &args::CampaignRun) -> Result<(CampaignFolder, Campaign), CampaignFailure> {
    if let Some(output) = &args.output {
        let folder = CampaignFolder::at(output);
        let (plan, _) = plan::make(&args.inputs, &args.wishes)?;
        folder.begin(&plan)?;
        return Ok((folder, plan));
    }
    let folder = match &args.inputs[..] {
        [only] if CampaignFolder::at(only).has_plan() => CampaignFolder::at(only),
        inputs => return Err(CampaignFailure::NoOutput(inputs.first().cloned().unwrap_or_default())),
    };
    let wishes = &args.wishes;
    let options = [
        ("--seeds", wishes.seeds.is_some()),
        ("--tool", !wishes.tools.is_empty()),
        ("--where", !wishes.wanted.is_empty()),
        ("--timeout-cap", wishes.timeout_cap.is_some()),
        ("--memory", wishes.memory.is_some()),
        ("--threads", wishes.threads.is_some()),
    ];
    if let Some((option, _)) = options.into_iter().find(|(_, given)| *given) {
        return Err(CampaignFailure::Planned { folder: folder.path().to_path_buf(), option });
    }
    let old = folder.plan()?;
    let new = up_to_date(old.clone())?;
    if new != old {
        folder.begin(&new)?;
    }
    Ok((folder, new))
}

/// The plan with the files and programs as they are now; what has changed is said: it makes new units.
fn up_to_date(mut plan: Campaign) -> Result<Campaign, CampaignFailure> {
    let mut missing = 0;
    for file in &mut plan.files {
        if instances::stamp(&file.path).is_ok_and(|stamp| stamp == (file.bytes, file.changed)) {
            continue;
        }
        match instances::marked(&file.path) {
            Ok((mark, _)) => {
                if mark.sha256 != file.sha256 {
                    note!("{} has changed since the plan: its units are new ones", file.path.display());
                }
                *file = mark;
            }
            Err(error) => {
                say!("error: {}: {error}", file.path.display());
                missing += 1;
            }
        }
    }
    if missing > 0 {
        return Err(CampaignFailure::Files(missing));
    }
    for tool in &mut plan.tools {
        let version = plan::version(tool.kind, tool.program.as_deref())?;
        if version != tool.version {
            let (name, old) = (&tool.name, &tool.version);
            note!("{name} is {version}, and was {old} in the plan: its units are new ones");
            tool.version = version;
        }
    }
    Ok(plan)
}

/// What was done so far.
#[derive(Debug, Clone, Copy, Default)]
struct RunTally {
    /// Results by verdict that this process has written.
    verdicts: [usize; 6],
    /// Results that were there, or came from elsewhere.
    others: usize,
}

impl RunTally {
    fn in_words(&self) -> String {
        let parts = UnitVerdict::ALL.iter().zip(self.verdicts).filter(|(_, number)| *number > 0);
        let parts: Vec<String> =
            parts.map(|(verdict, number)| format!("{number} {}", verdict.word())).collect();
        let ran: usize = self.verdicts.iter().sum();
        let parts = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
        format!("{ran} units run{parts}; {} had results already\n", self.others)
    }
}

/// What has become of a unit in one go over all.
enum UnitStep {
    /// It has a result.
    Done,
    /// Another process runs it.
    Elsewhere,
    /// It was ended from outside.
    Again,
    /// This process is to end.
    Interrupted,
}

struct Runner<'a> {
    /// What starts this program once more.
    itself: &'a [OsString],
    folder: &'a CampaignFolder,
    plan: &'a Campaign,
    claimant: Claimant<'a>,
    /// Of a question that was split.
    stopping: Option<Stopping<'a>>,
    budget: Budget,
    interrupt: Interrupt,
    adopted: Adopted,
    bar: Option<Bar>,
    tally: Mutex<RunTally>,
    attempts: Mutex<HashMap<CampaignUnit, usize>>,
}

impl Runner<'_> {
    /// Goes over the units until none is left that this process can run; how many others are running.
    fn all(&self, mut units: Vec<CampaignUnit>, shard: Shard, jobs: usize) -> Result<usize, CampaignFailure> {
        let mut own = shard.own(units.len());
        let (ended, end) = channel();
        thread::scope(|scope| {
            scope.spawn(|| self.claimant.renew(end));
            let (over, watched) = channel::<()>();
            if let Some(stopping) = &self.stopping {
                scope.spawn(move || stopping.watch(&watched));
            }
            let done = loop {
                match self.pass(&units, own, jobs) {
                    // What was ended from outside is run again, until that is its result. And a unit that is run elsewhere
                    // may be free by now, if its process has ended.
                    Ok((left, again))
                        if !self.is_over() && (again > 0 || !left.is_empty() && left.len() < units.len()) =>
                    {
                        units = left;
                        own = units.len();
                    }
                    Ok((left, _)) => break Ok(left.len()),
                    Err(failure) => break Err(failure),
                }
            };
            drop((ended, over));
            done
        })
    }

    /// Goes over the units once, several at a time; those without a result, and how many of them were ended from outside.
    /// Behind the `own` ones stand those of all other shards: which of them have results is asked once for all, because a
    /// thousand processes that ask for a million files each would be all that a file system does.
    fn pass(
        &self,
        units: &[CampaignUnit],
        own: usize,
        jobs: usize,
    ) -> Result<(Vec<CampaignUnit>, usize), CampaignFailure> {
        let next = AtomicUsize::new(0);
        let others = OnceLock::new();
        let work = || {
            let (mut left, mut again) = (Vec::new(), 0);
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let (false, Some(&unit)) = (self.is_over(), units.get(at)) else { break };
                // Where the list cannot be read, neither can the files, which say so.
                let done = || others.get_or_init(|| self.folder.keys().unwrap_or_default());
                if at >= own && done().contains(&self.plan.key(unit)) {
                    self.count(None);
                    continue;
                }
                // One that cannot write its results ends the others, too.
                match self.one(unit).inspect_err(|_| self.interrupt.raise())? {
                    UnitStep::Done => {}
                    UnitStep::Elsewhere => left.push(unit),
                    UnitStep::Again => {
                        left.push(unit);
                        again += 1;
                    }
                    UnitStep::Interrupted => break,
                }
            }
            Ok((left, again))
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs.min(units.len())).map(|_| scope.spawn(work)).collect();
            let (mut left, mut again, mut failed) = (Vec::new(), 0, None);
            for worker in workers {
                match worker.join() {
                    Ok(Ok((some, ended))) => {
                        left.extend(some);
                        again += ended;
                    }
                    Ok(Err(failure)) => failed = failed.or(Some(failure)),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            failed.map_or(Ok((left, again)), Err)
        })
    }

    /// Runs a unit, if nobody has and nobody does.
    fn one(&self, unit: CampaignUnit) -> Result<UnitStep, CampaignFailure> {
        let key = self.plan.key(unit);
        if self.stopping.as_ref().is_some_and(Stopping::look) {
            return Ok(UnitStep::Interrupted);
        }
        if self.has_result(&key)? {
            self.count(None);
            return Ok(UnitStep::Done);
        }
        if !self.claimant.claim(&key, self.plan.instances[unit.instance].limit)? {
            return Ok(UnitStep::Elsewhere);
        }
        let step = self.claimed(unit, &key);
        self.claimant.release(&key, matches!(step, Ok(UnitStep::Done)));
        step
    }

    /// Runs a unit that is this process's.
    fn claimed(&self, unit: CampaignUnit, key: &Key) -> Result<UnitStep, CampaignFailure> {
        // Whoever had it before may have written its result between the first look and the claim.
        if self.has_result(key)? {
            self.count(None);
            return Ok(UnitStep::Done);
        }
        let host = self.claimant.host();
        let ran = unit::run(self.itself, self.plan, unit, key.clone(), host, &self.budget)
            .map_err(CampaignFailure::of_unit)?;
        match ran {
            Ran::Interrupted => Ok(UnitStep::Interrupted),
            Ran::NoRoom(full) => Err(CampaignFailure::of_unit(full)),
            // A signal for all of a job's processes may have reached the unit first.
            Ran::Result(result, _) if self.is_over() && !result.verdict.is_solved() => {
                Ok(UnitStep::Interrupted)
            }
            Ran::Result(result, evidence) => self.keep(*result, &evidence),
            Ran::Ended(why) => {
                self.adopted.end_orphans();
                let attempts = {
                    let mut attempts = locked(&self.attempts);
                    let attempt = attempts.entry(unit).or_default();
                    *attempt += 1;
                    *attempt
                };
                if attempts < ATTEMPTS {
                    return Ok(UnitStep::Again);
                }
                let result = unit::given_up(self.plan, unit, key.clone(), host, &why);
                self.keep(result, &UnitEvidence::default())
            }
        }
    }

    fn keep(&self, result: UnitResult, evidence: &UnitEvidence) -> Result<UnitStep, CampaignFailure> {
        let (verdict, key) = (result.verdict, result.key.clone());
        match self.folder.write(result, evidence)? {
            WriteOnce::New => self.count(Some(verdict)),
            // This process was taken for dead, and another one was faster.
            WriteOnce::Before => self.count(None),
        }
        if self.stopping.is_some() && verdict.is_solved() {
            // As it is in the folder, with the files beside it.
            self.has_result(&key)?;
        }
        Ok(UnitStep::Done)
    }

    /// Whether nothing more is to be begun.
    fn is_over(&self) -> bool {
        self.interrupt.is_raised() || self.is_decided()
    }

    /// Whether the units are parts of a question that is decided.
    fn is_decided(&self) -> bool {
        self.stopping.as_ref().is_some_and(|stopping| stopping.flag().is_raised())
    }

    /// Whether a unit has a result; one that cannot be read is put aside and is none.
    fn has_result(&self, key: &Key) -> Result<bool, CampaignFailure> {
        match self.folder.result(key)? {
            StoredResult::Missing => Ok(false),
            StoredResult::Whole(result) => {
                if let Some(stopping) = &self.stopping {
                    stopping.consider(&result)?;
                }
                Ok(true)
            }
            StoredResult::Broken(why) => {
                note!(
                    "the result of unit {key} cannot be read ({why}): it is put aside, and the unit run again"
                );
                self.folder.set_aside(key)?;
                Ok(false)
            }
        }
    }

    /// Counts a result: one of this process, or another one.
    fn count(&self, verdict: Option<UnitVerdict>) {
        let mut tally = locked(&self.tally);
        match verdict {
            Some(verdict) => tally.verdicts[verdict as usize] += 1,
            None => tally.others += 1,
        }
        if let Some(bar) = &self.bar {
            let of = |verdict: UnitVerdict| tally.verdicts[verdict as usize];
            bar.step(format!("{} sat, {} unsat", of(UnitVerdict::Sat), of(UnitVerdict::Unsat)));
        }
    }
}

/// The content of a lock: what is behind it is whole between any two steps.
fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
