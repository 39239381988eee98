//! `counterpatch attack`: a classifier and images in; for each method, images that it takes for something else, measured,
//! out. With several limits all that is done for each of them.

mod config;
mod features;
mod files;
mod limits;
mod sweep;
mod work;
mod write;

use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::args;
use super::config::UsageError;
use super::exit::Exit;
use super::failure::Failing;
use super::journal::JournalError;
use super::memory::MemoryLimit;
use super::object::Origin;
use super::repair::interrupt;
use crate::attack::images::Set;
use crate::attack::methods::NotUsable;
use crate::attack::run::{Chosen, Subject};
use crate::attack::{Preparation, Victim, table};
use crate::budget::Budget;
use crate::campaign::Digest;
use crate::cli::terminal::{self, note, say};
use crate::onnx;
use crate::report::Provenance;
use crate::witness::write::WriteError;
use config::AttackConfig;
use features::{Source, SourceError};
use files::{AttackFileError, ImageReading};
use work::{Work, WorkEnding};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum AttackFailure {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    File(Box<AttackFileError>),
    #[error(transparent)]
    Features(Box<SourceError>),
    #[error("method {method}: {source}")]
    Method { method: &'static str, source: NotUsable },
    #[error("none of the methods can be used here (help: name one with --method to see why)")]
    NoMethod,
    #[error("{}: reads its input in another order than the network under attack (help: give a companion of the same layout)", .0.display())]
    Companion(PathBuf),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("the system refuses a signal handler: {0}")]
    System(io::Error),
}

impl From<AttackFileError> for AttackFailure {
    fn from(error: AttackFileError) -> Self {
        Self::File(Box::new(error))
    }
}

impl From<SourceError> for AttackFailure {
    fn from(error: SourceError) -> Self {
        Self::Features(Box::new(error))
    }
}

impl From<onnx::ReadError> for AttackFailure {
    fn from(error: onnx::ReadError) -> Self {
        Self::from(AttackFileError::from(error))
    }
}

impl Failing for AttackFailure {
    fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Method { .. } | Self::NoMethod => Exit::Usage,
            Self::File(_) | Self::Features(_) | Self::Companion(_) => Exit::BadInput,
            Self::Journal(JournalError::Settings(_)) => Exit::BadInput,
            Self::Journal(JournalError::Io { .. }) | Self::Write(_) => Exit::CannotWrite,
            Self::System(_) => Exit::Bug,
        }
    }
}

/// Runs the command.
pub(super) fn run(args: &args::Attack, provenance: &Provenance) -> Exit {
    attack(args, provenance).unwrap_or_else(|failure| failure.tell(args.json.then_some(origin(args))))
}

/// What the outcome of an attack depends on, besides the image and the method: the first line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct AttackSettings {
    version: String,
    network: String,
    companions: Vec<String>,
    images: String,
    limits: String,
    targets: String,
    confidence: String,
    reading: String,
    patching: String,
    norm: String,
    round: bool,
    budget: f64,
    seed: u64,
}

/// What is read and classified once, however many limits there are.
struct Ready {
    set: Set,
    victim: Victim,
    others: Vec<(String, Victim)>,
    source: Source,
    subjects: Vec<Subject>,
    attacked: Vec<usize>,
    chosen: Vec<Chosen>,
    settings: AttackSettings,
}

impl Ready {
    fn new(args: &args::Attack, config: &AttackConfig) -> Result<Self, AttackFailure> {
        let set = files::images(&args.images, args.labels.as_deref())?;
        let reading =
            ImageReading { set: &set, order: config.order, mean: &args.mean, deviation: &config.deviation };
        let (model, bytes) = onnx::read_with_bytes(&args.network)?;
        let victim = reading.of_model(model.into(), &args.network)?;
        let (mut companions, mut companion_marks) = (Vec::new(), Vec::new());
        for path in &args.companions {
            let (model, bytes) = onnx::read_with_bytes(path)?;
            companions.push(reading.of_model(model.into(), path)?);
            companion_marks.push(mark(bytes));
        }
        if let Some(at) = companions.iter().position(|companion| companion.layout != victim.layout) {
            return Err(AttackFailure::Companion(args.companions[at].clone()));
        }
        let transfers = args.transfers.iter().map(|path| Ok((stem(path), reading.victim(path)?)));
        let others = transfers.collect::<Result<Vec<(String, Victim)>, AttackFileError>>()?;
        let source = Source::new(args, &reading, &victim)?;

        let subjects = subjects(&set, &victim, args.target_class)?;
        let attacked = chosen_images(&subjects, args.protocol);
        let chosen = methods(config, &victim, &companions, &subjects, args.seed)?;
        let settings = settings(args, config, mark(bytes), companion_marks, &set);
        Ok(Self { set, victim, others, source, subjects, attacked, chosen, settings })
    }
}

fn attack(args: &args::Attack, provenance: &Provenance) -> Result<Exit, AttackFailure> {
    let config = AttackConfig::try_from(args)?;
    let budget = Budget::unlimited()
        .with_interrupt(interrupt(MemoryLimit::of(&args.memory)?).map_err(AttackFailure::System)?);
    let ready = Ready::new(args, &config)?;
    let work = Work {
        args,
        config: &config,
        features: &ready.source.features(&ready.victim, config.threads, &budget),
        ready: &ready,
        budget: &budget,
        provenance,
        show: !args.quiet && io::stderr().is_terminal(),
    };
    let [typed] = config.limits.as_slice() else { return sweep::run(&work, &config.limits) };
    let network = args.network.file_name().unwrap_or_default().to_string_lossy();
    match work.run(typed, &args.output, &network)? {
        WorkEnding::Interrupted { done } => Ok(interrupted(done, work.pairs())),
        WorkEnding::Done { summary, records: _, json } => {
            let written = match args.json {
                true => terminal::print_json(&origin(args).line(json)),
                false => {
                    let text = table::text(&summary, typed.limits.norm(config.norm));
                    terminal::print(&format!("{text}{}", where_the_rest_is(&args.output)))
                }
            };
            Ok(terminal::ended(written, Exit::Answered))
        }
    }
}

/// Who writes what is written as JSON.
fn origin(args: &args::Attack) -> Origin {
    Origin::seeded("attack", args.seed)
}

/// A line that says where all other figures are.
fn where_the_rest_is(output: &Path) -> String {
    let file = |name: &str| output.join(name).display().to_string();
    format!("All figures: {}; to be looked at: {}\n", file("results.json"), file("report.html"))
}

fn interrupted(done: usize, all: usize) -> Exit {
    say!("interrupted: {done} of {all} attacks are done; the same command goes on from there");
    Exit::Interrupted
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The images as the victim reads them, classified. A class chosen for all is that of images that have none of their own.
fn subjects(set: &Set, victim: &Victim, chosen: Option<usize>) -> Result<Vec<Subject>, AttackFileError> {
    let classes = victim.classes();
    let one = |(number, image): (usize, &crate::attack::images::Image)| {
        let (label, target) = (image.label.unwrap_or(classes), image.target.or(chosen));
        if label >= classes {
            return Err(AttackFileError::Label { image: image.name.clone(), label, classes });
        }
        if let Some(target) = target.filter(|&target| target >= classes) {
            return Err(AttackFileError::Target { image: format!("image {}", image.name), target, classes });
        }
        Ok(Subject::new(victim, number, victim.reads(&image.values), label, target))
    };
    set.images.iter().enumerate().map(one).collect()
}

/// The numbers of the images that are attacked: those classified correctly and not as what they are to become, or the
/// first `protocol` of each class.
fn chosen_images(subjects: &[Subject], protocol: Option<usize>) -> Vec<usize> {
    let mut taken: HashMap<usize, usize> = HashMap::new();
    let correct =
        subjects.iter().filter(|subject| subject.is_correct() && subject.target != Some(subject.label));
    let wanted = correct.filter(|subject| {
        let taken = taken.entry(subject.label).or_insert(0);
        *taken += 1;
        protocol.is_none_or(|most| *taken <= most)
    });
    wanted.map(|subject| subject.number).collect()
}

/// The methods, made for this run. With `all`, those that cannot be used are left out, which is said.
fn methods(
    config: &AttackConfig,
    victim: &Victim,
    companions: &[Victim],
    subjects: &[Subject],
    seed: u64,
) -> Result<Vec<Chosen>, AttackFailure> {
    let images: Vec<Vec<f32>> = subjects.iter().map(|subject| subject.input.clone()).collect();
    let labels: Vec<usize> = subjects.iter().map(|subject| subject.label).collect();
    let (reading, norm) = (config.reading, config.norm);
    let preparation =
        Preparation { victim, companions, images: &images, labels: &labels, seed, reading, norm };
    let mut chosen = Vec::new();
    for &entry in &config.methods {
        match (entry.make)(&preparation) {
            Ok(method) => chosen.push(Chosen { entry, method }),
            Err(source) if !config.all => return Err(AttackFailure::Method { method: entry.name, source }),
            Err(source) => note!("method {} is left out: {source}", entry.name),
        }
    }
    if chosen.is_empty() { Err(AttackFailure::NoMethod) } else { Ok(chosen) }
}

/// What a journal knows a file or the images by.
fn mark(bytes: impl IntoIterator<Item = u8>) -> String {
    Digest::of(&Vec::from_iter(bytes)).to_string()
}

fn settings(
    args: &args::Attack,
    config: &AttackConfig,
    network: String,
    companions: Vec<String>,
    set: &Set,
) -> AttackSettings {
    let of_image = |image: &crate::attack::images::Image| {
        let number = |class: Option<usize>| class.map_or(u64::MAX, |class| class as u64).to_le_bytes();
        let classes = number(image.label).into_iter().chain(number(image.target));
        image.values.iter().flat_map(|value| value.to_le_bytes()).chain(classes).collect::<Vec<u8>>()
    };
    AttackSettings {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        network,
        companions,
        images: mark(set.images.iter().flat_map(of_image)),
        limits: String::new(),
        targets: format!("{:?}", config.targets),
        confidence: format!("{:?}", config.confidence),
        reading: format!("{:?}, mean {:?}, deviation {:?}", config.order, args.mean, config.deviation),
        patching: config.reading.to_string(),
        norm: config.norm.to_string(),
        round: args.round,
        budget: config.each.as_secs_f64(),
        seed: args.seed,
    }
}
