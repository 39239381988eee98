//! `counterpatch audit`: tables of claims in, what to believe of them out.

mod files;
mod journal;
mod text;

use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use super::args;
use super::config::{self, UsageError};
use super::exit::Exit;
use super::failure::Failing;
use super::journal::JournalError;
use super::memory::MemoryLimit;
use super::object::Origin;
use super::repair::interrupt;
use crate::audit::{AuditClaim, AuditRecord, AuditSummary, Finding, InstanceTruth, examine, page};
use crate::budget::{Budget, Interrupt};
use crate::cli::terminal::{self, say};
use crate::pack;
use crate::report::{Bar, Provenance};
use files::{Instance, TableError};
use journal::{Journal, Settings};

/// What is noted of an instance whose examination panicked.
const BUG: &str = "a bug in counterpatch; please report it with the two files";

/// Why there is no audit.
#[derive(Debug, thiserror::Error)]
enum AuditFailure {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("{}: {source} (help: name a file in a folder that exists and can be written)", .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("the system refuses a signal handler: {0}")]
    System(io::Error),
}

impl Failing for AuditFailure {
    fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Table(_) | Self::Journal(JournalError::Settings(_)) => Exit::BadInput,
            Self::Journal(JournalError::Io { .. }) | Self::Write { .. } => Exit::CannotWrite,
            Self::System(_) => Exit::Bug,
        }
    }
}

/// Runs the command.
pub(super) fn run(args: &args::AuditArgs, provenance: &Provenance) -> Exit {
    let json = args.json.then_some(Origin::seeded("audit", args.seed));
    audit(args, json, provenance).unwrap_or_else(|failure| failure.tell(json))
}

/// An interrupted audit writes what it has found until then, and says so.
fn audit(
    args: &args::AuditArgs,
    json: Option<Origin>,
    provenance: &Provenance,
) -> Result<Exit, AuditFailure> {
    let config = config::AuditConfig::try_from(args)?;
    let mut entries = Vec::new();
    for table in &args.claims {
        entries.extend(files::read_table(table, args.tool.as_deref())?);
    }
    let instances = files::instances(entries, &args.benchmarks)?;
    let settings = Settings { seed: args.seed, budget: config.budget.as_secs_f64() };
    let journal = args.journal.as_deref().map(|path| Journal::open(path, settings)).transpose()?;
    let show = !args.quiet && io::stderr().is_terminal();
    let interrupt = interrupt(MemoryLimit::of(&args.memory)?).map_err(AuditFailure::System)?;
    let budget = Budget::unlimited().with_interrupt(interrupt.clone());
    let records = examine_all(&instances, &config, journal.as_ref(), (&interrupt, &budget), show)
        .map_err(|source| AuditFailure::Write { path: args.journal.clone().unwrap_or_default(), source })?;
    let open = instances.len() - records.len();
    let summary = AuditSummary::new(&records).with_open(open);
    if let Some(path) = &args.html {
        let written = pack::write_bytes(path, page::page(&summary, provenance).as_bytes());
        written.map_err(|source| AuditFailure::Write { path: path.clone(), source })?;
    }
    let written = match json {
        Some(origin) => terminal::print_json(&origin.line(summary.to_json())),
        None => terminal::print(&text::of(&summary)),
    };
    if open == 0 {
        return Ok(terminal::ended(written, Exit::Answered));
    }
    let how = match &args.journal {
        Some(_) => "the same command goes on from there",
        None => "with --journal, the same command would go on from there",
    };
    say!("interrupted: {} of {} instances are done; {how}", records.len(), instances.len());
    Ok(terminal::ended(written, Exit::Interrupted))
}

/// Examines what the journal does not know, several instances at a time, until it is interrupted; the records are in the
/// instances' order.
fn examine_all(
    instances: &[Instance],
    config: &config::AuditConfig,
    journal: Option<&Journal>,
    (interrupt, budget): (&Interrupt, &Budget),
    show: bool,
) -> io::Result<Vec<AuditRecord>> {
    let mut files = HashMap::new();
    let marks: Vec<String> = journal
        .map_or_else(Vec::new, |_| instances.iter().map(|instance| instance.mark(&mut files)).collect());
    let known = |(at, instance): (usize, &Instance)| journal?.find(&claims_of(instance), &marks[at]);
    let mut records: Vec<Option<AuditRecord>> = instances.iter().enumerate().map(known).collect();
    let open: Vec<usize> = (0..instances.len()).filter(|&at| records[at].is_none()).collect();
    let bar = show.then(|| Bar::start(instances.len() - open.len(), instances.len()));
    let (sender, results) = channel();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..config.threads {
            let (sender, next, open) = (sender.clone(), &next, &open);
            scope.spawn(move || {
                while let (false, Some(&at)) =
                    (interrupt.is_raised(), open.get(next.fetch_add(1, Ordering::Relaxed)))
                {
                    let record = examine_one(&instances[at], config, budget);
                    // What a signal has cut short is done again. Nobody listens any more when the journal has failed.
                    let undecided = !matches!(record.truth, InstanceTruth::Sat(_) | InstanceTruth::Unsat);
                    if interrupt.is_raised() && undecided || sender.send((at, record)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let (mut false_unsat, mut done) = (0, Ok(()));
        while let Ok((at, record)) = results.recv() {
            // What a bug has kept from being examined is examined the next time.
            let bug = record.truth == InstanceTruth::Unusable(BUG.to_owned());
            done = journal.filter(|_| !bug).map_or(Ok(()), |journal| journal.note(&record, &marks[at]));
            false_unsat += record.claims.iter().filter(|claim| claim.finding == Finding::FalseUnsat).count();
            if let Some(bar) = &bar {
                bar.step(format!("{false_unsat} false unsat"));
            }
            records[at] = Some(record);
            if done.is_err() {
                break;
            }
        }
        drop(results);
        done
    })?;
    Ok(records.into_iter().flatten().collect())
}

fn claims_of(instance: &Instance) -> Vec<&AuditClaim> {
    instance.entries.iter().map(|entry| &entry.claim).collect()
}

fn examine_one(instance: &Instance, config: &config::AuditConfig, budget: &Budget) -> AuditRecord {
    let claims = claims_of(instance);
    let files: Vec<_> = instance.entries.iter().map(files::Entry::counterexample).collect();
    let budget = || budget.slice(config.budget);
    let found = catch_unwind(AssertUnwindSafe(|| {
        examine(&claims, &files, instance.read(), &config.search, &budget())
    }));
    // A panic has printed its message, and the program will end as one that has a bug; the other instances need not suffer.
    found.unwrap_or_else(|_| examine(&claims, &files, Err(BUG.to_owned()), &config.search, &budget()))
}
