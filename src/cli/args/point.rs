//! What was typed of the commands that begin with a point.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{DecisionArg, MemoryArgs, dimension};

/// `counterpatch property`
#[derive(Debug, Args)]
pub(in crate::cli) struct PropertyArgs {
    #[command(flatten)]
    pub(in crate::cli) near: NearArgs,
    /// How far each input may be from it, in units of the network's inputs: one number for all, or one an input,
    /// separated by commas. Quotients such as 8/255 are numbers
    #[arg(long, value_name = "X,X", value_delimiter = ',', required = true, allow_hyphen_values = true)]
    pub(in crate::cli) eps: Vec<String>,
    /// What --eps measures. Balls of other norms are no boxes, and VNN-LIB has linear rows only: `verify --nearest --norm l2` looks
    /// into them
    #[arg(long, value_enum, default_value_t = BoxNorm::Linf)]
    pub(in crate::cli) norm: BoxNorm,
    /// The language's version
    #[arg(long, value_enum, default_value_t = Language::First)]
    pub(in crate::cli) vnnlib: Language,
    /// Where to write the property [default: standard output]
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// Write one JSON object to standard output, with the property in it
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// A point, and what must not happen near it.
#[derive(Debug, Args)]
pub(in crate::cli) struct NearArgs {
    /// The network (ONNX), possibly gzipped
    #[arg(value_name = "NETWORK")]
    pub(in crate::cli) network: PathBuf,
    /// The point: the network's inputs in a line, separated by commas; or an array of numpy (.npy); or a results file of
    /// `verify`
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) around: PathBuf,
    /// Which point of the file, from 0 [default: the only one]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) index: Option<usize>,
    /// What an input may be at all: what is near the point is cut off there [default: anything]
    #[arg(long, value_name = "LOW,HIGH", allow_hyphen_values = true)]
    pub(in crate::cli) clip: Option<String>,
    /// A counterexample is decided for another output than this one, from 0 [default: what the network decides for at
    /// the point]
    #[arg(long, value_name = "K", conflicts_with_all = ["target", "output_range"])]
    pub(in crate::cli) label: Option<usize>,
    /// A counterexample is decided for this output, from 0
    #[arg(long, value_name = "K", conflicts_with = "output_range")]
    pub(in crate::cli) target: Option<usize>,
    /// A counterexample has an output that is not between these numbers, of which either may be inf; may be repeated
    #[arg(long, value_name = "K=LOW,HIGH", allow_hyphen_values = true)]
    pub(in crate::cli) output_range: Vec<String>,
    /// How a decision is read from the outputs
    #[arg(long, value_enum, default_value_t = DecisionArg::Largest)]
    pub(in crate::cli) decision: DecisionArg,
    /// A value for a dimension that the network leaves open, by its name or as INPUT[AXIS]; may be repeated [default: 1]
    #[arg(long = "dim", value_name = "NAME=N", value_parser = dimension)]
    pub(in crate::cli) dims: Vec<(String, usize)>,
}

/// `counterpatch radius`
#[derive(Debug, Args)]
pub(in crate::cli) struct RadiusArgs {
    #[command(flatten)]
    pub(in crate::cli) near: NearArgs,
    /// The largest distance that is of interest, in units of the network's inputs
    #[arg(long, value_name = "X", default_value = "1", allow_hyphen_values = true)]
    pub(in crate::cli) most: String,
    /// The part of the distance by which what is proved may be below what is found: then it is over
    #[arg(long, value_name = "X", default_value = "0.01", allow_hyphen_values = true)]
    pub(in crate::cli) gap: String,
    /// Seconds that the whole run may take, counted from the start of the process, or with a unit: 10s, 5m
    #[arg(short = 't', long, value_name = "SECONDS", default_value = "60", allow_hyphen_values = true)]
    pub(in crate::cli) timeout: String,
    /// Seconds of one search
    #[arg(long, value_name = "SECONDS", default_value = "5", allow_hyphen_values = true)]
    pub(in crate::cli) each: String,
    /// Where to write the nearest counterexample, in the competition's format
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) memory: MemoryArgs,
    /// Seed of all randomness
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(in crate::cli) seed: u64,
    /// Threads, 1 to 256 [default: as many as this process may use]
    #[arg(short = 'j', long, value_name = "N")]
    pub(in crate::cli) threads: Option<usize>,
    /// Write one JSON object instead of text
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Say nothing on standard error but errors
    #[arg(short = 'q', long)]
    pub(in crate::cli) quiet: bool,
}

/// A norm whose balls are boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum BoxNorm {
    /// Each input by itself
    Linf,
}

/// A version of VNN-LIB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Language {
    /// Flat variables X_0, Y_0; what the competition's files are
    #[value(name = "1.0")]
    First,
    /// Tensors with types and shapes
    #[value(name = "2.0")]
    Second,
}
