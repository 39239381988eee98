//! What was typed of `counterpatch campaign`.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

/// `counterpatch campaign`
#[derive(Debug, Args)]
pub(in crate::cli) struct CampaignArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: CampaignStep,
}

/// What is done with a campaign.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CampaignStep {
    /// Read lists of instances and all their files, and write a plan: instances x tools x seeds
    Plan(CampaignPlan),
    /// Run the units that nobody has run and nobody is running; any number of these may work on one folder. `run` may be left out
    Run(CampaignRun),
    /// Split one hard question into a campaign of its parts, which any number of machines may run
    Split(CampaignSplit),
    /// Say what the parts of a question say of the whole: its counterexample, or its proof joined of theirs
    Answer(CampaignAnswer),
    /// Say how far a campaign is, and who is running what
    Status(CampaignStatus),
    /// Merge the results of campaigns: tables, JSON, a page
    Collect(CampaignCollect),
    /// Run a campaign as an array of tasks of a cluster
    Submit(CampaignSubmit),
}

/// Whether `campaign` stands without a step: `campaign PLAN --output DIR` is `campaign run PLAN --output DIR`. A word that is
/// neither a step nor a file is left to the parser, which knows what it is like.
pub(in crate::cli) fn is_run(arguments: &[OsString]) -> bool {
    let [command, words @ ..] = arguments else { return false };
    let is_step = |word: &OsString| {
        word.to_str().is_some_and(|word| {
            CampaignStep::has_subcommand(word) || matches!(word, "help" | "--help" | "-h")
        })
    };
    command == "campaign" && !words.iter().any(is_step) && words.iter().any(|word| Path::new(word).exists())
}

/// What a plan is made of; of a plan that exists, all is said.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct PlanWishes {
    /// Seeds: 0..9 (both ends are meant), or a list, 0,3,7 [default: 0]
    #[arg(long, value_name = "SEEDS")]
    pub(in crate::cli) seeds: Option<String>,
    /// A tool: `ours`, `ours:OPTIONS` with further options of `verify`, `marabou`, or `script:FILE` with its run_instance.sh of
    /// VNN-COMP; NAME=TOOL calls it so in results. May be repeated [default: ours]
    #[arg(long = "tool", value_name = "TOOL")]
    pub(in crate::cli) tools: Vec<String>,
    /// Only rows of the lists whose column COLUMN is VALUE, such as truth=sat; may be repeated, and several values of one column
    /// are alternatives
    #[arg(long = "where", value_name = "COLUMN=VALUE", value_parser = wanted)]
    pub(in crate::cli) wanted: Vec<(String, String)>,
    /// At most so many rows of each benchmark in a list, spread evenly over them
    #[arg(long, value_name = "N")]
    pub(in crate::cli) sample: Option<NonZeroUsize>,
    /// Seconds that a unit may take at most, whatever its list says; needed for lists that say nothing
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    pub(in crate::cli) timeout_cap: Option<String>,
    /// Memory of all processes of a unit together, such as 500M or 4G; it is ended when it holds more [default: no limit]
    #[arg(long, value_name = "BYTES")]
    pub(in crate::cli) memory: Option<String>,
    /// Threads of our search in a unit, 1 to 256 [default: 1]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) threads: Option<usize>,
}

/// `COLUMN=VALUE`
fn wanted(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(column, _)| !column.trim().is_empty());
    let (column, value) = parts.ok_or("not of the form COLUMN=VALUE, such as truth=sat")?;
    Ok((column.trim().to_owned(), value.trim().to_owned()))
}

/// `counterpatch campaign plan`
#[derive(Debug, Args)]
pub(in crate::cli) struct CampaignPlan {
    /// Lists of instances (CSV, as VNN-COMP's instances.csv), or folders that hold some, in themselves or below; or one file (TOML)
    /// that names such lists (`instances`) and may say the options below: seeds, tools, where, sample, timeout_cap,
    /// memory, threads
    #[arg(required = true, value_name = "FOLDER|CSV|TOML")]
    pub(in crate::cli) lists: Vec<PathBuf>,
    /// The campaign's folder
    #[arg(short = 'o', long, value_name = "DIR")]
    pub(in crate::cli) output: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) wishes: PlanWishes,
}

/// `counterpatch campaign run`
#[derive(Debug, Args)]
pub(in crate::cli) struct CampaignRun {
    /// The campaign's folder; or, with --output, what `plan` takes
    #[arg(required = true, value_name = "DIR|FOLDER|CSV")]
    pub(in crate::cli) inputs: Vec<PathBuf>,
    /// Plan first, into this folder
    #[arg(short = 'o', long, value_name = "DIR")]
    pub(in crate::cli) output: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) wishes: PlanWishes,
    /// Units at a time [default: as many as this process may use processors, divided by --threads]
    #[arg(short = 'j', long, value_name = "N")]
    pub(in crate::cli) jobs: Option<usize>,
    /// Begin with this part of the units, I from 0 to N - 1, and then share what the other parts leave
    #[arg(long, value_name = "I/N")]
    pub(in crate::cli) shard: Option<String>,
    /// Show no progress
    #[arg(short = 'q', long)]
    pub(in crate::cli) quiet: bool,
}

/// `counterpatch campaign status`
#[derive(Debug, Args)]
pub(in crate::cli) struct CampaignStatus {
    /// The campaign's folder
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: PathBuf,
    /// Write one JSON object instead of text
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// `counterpatch campaign collect`
#[derive(Debug, Args)]
pub(in crate::cli) struct CampaignCollect {
    /// The campaigns' folders; where several have run the same unit, the last one counts
    #[arg(required = true, value_name = "DIR")]
    pub(in crate::cli) folders: Vec<PathBuf>,
    /// Write all results to this table, which `counterpatch audit` reads
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) csv: Option<PathBuf>,
    /// Write the same columns to this file in the format Parquet, which pandas, Polars and DuckDB read
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) parquet: Option<PathBuf>,
    /// Write all results, and what follows from them, to this file as one JSON object
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) json: Option<PathBuf>,
    /// Write all to this file as a page of HTML that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) html: Option<PathBuf>,
    /// Say what was won and lost since this campaign; may be repeated for one in several folders
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) against: Vec<PathBuf>,
}

/// `counterpatch campaign submit`
#[derive(Debug, Args)]
pub(in crate::cli) struct CampaignSubmit {
    /// The campaign's folder, on a file system that all nodes share
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: PathBuf,
    /// To Slurm, as a job array
    #[arg(long, required = true)]
    pub(in crate::cli) slurm: bool,
    /// Tasks of the array
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(in crate::cli) array_size: usize,
    /// Units at a time in each task; each unit of ours has as many threads as the plan says
    #[arg(short = 'j', long, value_name = "N", default_value_t = 1)]
    pub(in crate::cli) jobs: usize,
    /// The partition
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) partition: Option<String>,
    /// Further options of sbatch, such as '--time=2:00:00 --account=me'
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true)]
    pub(in crate::cli) sbatch: Option<String>,
    /// Write DIR/slurm.sh and submit nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Wait until every unit has a result, or the question that was split is decided. Ctrl-C leaves the tasks as they are
    #[arg(long, conflicts_with = "dry_run")]
    pub(in crate::cli) wait: bool,
}

/// `counterpatch campaign split`
#[derive(Debug, Args)]
pub(in crate::cli) struct CampaignSplit {
    /// The network (ONNX), or the competition's list of named ones, as of `verify`
    pub(in crate::cli) network: String,
    /// The property (VNN-LIB)
    pub(in crate::cli) property: PathBuf,
    /// How many parts, 2 to 4096; fewer where there is nothing left to split
    #[arg(long, value_name = "N")]
    pub(in crate::cli) parts: usize,
    /// The campaign's folder
    #[arg(short = 'o', long, value_name = "DIR")]
    pub(in crate::cli) output: PathBuf,
    /// What parts are made of
    #[arg(long, value_enum, default_value_t = SplitByArg::Auto)]
    pub(in crate::cli) by: SplitByArg,
    /// Seconds for each part
    #[arg(long, value_name = "SECONDS", default_value = "60", allow_hyphen_values = true)]
    pub(in crate::cli) timeout: String,
    /// Memory of all processes of a part together, such as 500M or 4G [default: no limit]
    #[arg(long, value_name = "BYTES")]
    pub(in crate::cli) memory: Option<String>,
    /// Threads of the search in each part, 1 to 256 [default: 1]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) threads: Option<usize>,
}

/// What parts are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SplitByArg {
    /// The whole question with other seeds: the first answer of any counts
    Seeds,
    /// Operands of the property's `or`s: input regions, output disjuncts
    Disjuncts,
    /// Boxes of inputs, cut where bounds gain most
    Box,
    /// Disjuncts, then boxes where there are few inputs; seeds where neither is possible
    Auto,
}

/// `counterpatch campaign answer`
#[derive(Debug, Args)]
pub(in crate::cli) struct CampaignAnswer {
    /// The folder of `campaign split`
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: PathBuf,
    /// Write the answer to this file, as the competition wants it
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) results_file: Option<PathBuf>,
    /// Write the proof behind `unsat` to this file, which `counterpatch check` checks for the whole property
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) certificate: Option<PathBuf>,
    /// Write one JSON object instead of text
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
