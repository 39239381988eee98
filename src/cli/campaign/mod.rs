//! `counterpatch campaign`: thousands of instances, planned, run by any number of processes on any number of machines, and
//! collected.

mod answer;
mod claimant;
mod collect;
mod instances;
mod plan;
mod recipe;
mod run;
mod split;
mod status;
mod stopping;
mod submit;
mod unit;
mod wait;
mod whole;

use std::io;
use std::path::PathBuf;

use super::config::UsageError;
use super::exit::Exit;
use super::{Invocation, args};
use crate::campaign::{FolderError, ListingError, PlanError};
use crate::cli::failure::Failing;
use crate::cli::object::Origin;
use crate::error::Error;
use crate::pipeline::parts::{DivideError, MOST_PARTS};
use crate::unpack::{self, FileError};

/// Why a step of a campaign is not done.
#[derive(Debug, thiserror::Error)]
enum CampaignFailure {
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// What belongs to the plan, given with a plan that exists.
    #[error("{} holds a plan already, and {option} belongs to the plan (help: leave it out, or plan anew with --output)", .folder.display())]
    Planned { folder: PathBuf, option: &'static str },
    /// Lists, and nowhere to put the campaign.
    #[error("{} is no campaign's folder: there is no plan.json in it (help: --output DIR plans one from lists of instances)", .0.display())]
    NoOutput(PathBuf),
    #[error("--{option} {number}: not a number from 1 to {most}")]
    Number { option: &'static str, number: usize, most: usize },
    #[error(
        "--tool {0}: not ours, marabou or script:FILE, perhaps behind NAME= (help: write for instance script:crown/run_instance.sh)"
    )]
    Tool(String),
    #[error("two tools are called {0} (help: name one of them, --tool NAME=TOOL)")]
    SameTool(String),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("{}: {source}", unpack::shown(.path))]
    List { path: PathBuf, source: ListingError },
    #[error("{}: {source}", unpack::shown(.path))]
    File { path: PathBuf, source: FileError },
    #[error("{}: no lists of instances in it or below (help: they are called instances.csv)", .0.display())]
    NoLists(PathBuf),
    /// The list has no limit, and there is no cap.
    #[error("{}, line {line}: no time limit (help: --timeout-cap SECONDS is the limit of rows without one)", .path.display())]
    NoLimit { path: PathBuf, line: usize },
    /// A plan as a file that is none.
    #[error("{}: {why} (help: see `counterpatch campaign plan --help` for what it may say)", .path.display())]
    PlanFile { path: PathBuf, why: String },
    #[error("{}: a second plan (help: name one, and lists of instances)", .0.display())]
    TwoRecipes(PathBuf),
    #[error("no row of the lists is {} (help: leave out --where, or what the plan says of it)", .0.join(" and "))]
    NoRows(Vec<String>),
    #[error("--tool ours:{options}: {why} (help: `counterpatch verify --help` lists the options)")]
    Options { options: String, why: String },
    /// Some files are not there or cannot be read; each was named.
    #[error(
        "{0} files cannot be used; there is no plan (help: fetch them, or take their rows out of the lists)"
    )]
    Files(usize),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("{}: {source} (help: name a file in a folder that exists and can be written)", .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(
        "sbatch cannot be started: {0} (help: submit from a node of the cluster where Slurm's commands are installed; {1} is written and can be submitted there: sbatch {1})"
    )]
    Sbatch(io::Error, String),
    #[error("sbatch has refused {0} (help: see what it said above)")]
    Refused(String),
    /// The folder that units work in is full.
    #[error("{}: {source} (help: make room, or name another folder for what units write with TMPDIR; the same command goes on from what is there)", .path.display())]
    Scratch { path: PathBuf, source: io::Error },
    #[error("--parts {0}: not a number from 2 to {MOST_PARTS}")]
    Parts(usize),
    #[error("{}: its units are no parts of one question (help: `counterpatch campaign collect` makes tables of instances; `campaign split` splits a question)", .0.display())]
    NotSplit(PathBuf),
    #[error(transparent)]
    Divide(#[from] DivideError),
    /// A network or a property cannot be used.
    #[error("{0}")]
    Input(Box<Error>),
    #[error("the system refuses a signal handler, a thread or a process: {0}")]
    System(io::Error),
}

impl CampaignFailure {
    /// A unit that could not be begun.
    fn of_unit(error: io::Error) -> Self {
        match unit::is_full(&error) {
            true => Self::Scratch { path: std::env::temp_dir(), source: error },
            false => Self::System(error),
        }
    }
}

impl From<Error> for CampaignFailure {
    fn from(error: Error) -> Self {
        Self::Input(Box::new(error))
    }
}

impl Failing for CampaignFailure {
    fn exit(&self) -> Exit {
        match self {
            Self::Usage(_)
            | Self::Planned { .. }
            | Self::NoOutput(_)
            | Self::Number { .. }
            | Self::Parts(_)
            | Self::TwoRecipes(_)
            | Self::Options { .. }
            | Self::Tool(_) => Exit::Usage,
            Self::SameTool(_) | Self::Plan(PlanError::Seeds(_) | PlanError::Shard(_)) => Exit::Usage,
            Self::Folder(FolderError::Write { .. }) | Self::Write { .. } | Self::Scratch { .. } => {
                Exit::CannotWrite
            }
            Self::System(_) => Exit::Bug,
            Self::Plan(_)
            | Self::List { .. }
            | Self::PlanFile { .. }
            | Self::NoRows(_)
            | Self::File { .. }
            | Self::NoLists(_)
            | Self::NoLimit { .. }
            | Self::Files(_)
            | Self::Folder(_)
            | Self::NotSplit(_)
            | Self::Divide(_)
            | Self::Input(_)
            | Self::Sbatch(..)
            | Self::Refused(_) => Exit::BadInput,
        }
    }
}

/// Runs the command.
pub(super) fn run(args: &args::CampaignArgs, invocation: &Invocation) -> Exit {
    let itself = &invocation.itself;
    let done = match &args.command {
        args::CampaignStep::Plan(args) => plan::run(args),
        args::CampaignStep::Split(args) => split::run(args),
        args::CampaignStep::Run(args) => run::run(args, itself),
        args::CampaignStep::Answer(args) => answer::run(args),
        args::CampaignStep::Status(args) => status::run(args),
        args::CampaignStep::Collect(args) => collect::run(args, &invocation.provenance()),
        args::CampaignStep::Submit(args) => submit::run(args, itself),
    };
    let json = match &args.command {
        args::CampaignStep::Status(args) => args.json,
        args::CampaignStep::Answer(args) => args.json,
        _ => false,
    };
    done.unwrap_or_else(|failure| failure.tell(json.then_some(Origin::of("campaign"))))
}
