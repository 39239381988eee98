//! What was typed. What it means is decided in [`super::config`].

mod attack;
mod campaign;
mod point;

use std::path::PathBuf;

use clap::{ArgGroup, Args, ColorChoice, Parser, Subcommand, ValueEnum};

pub(super) use attack::{Attack, ChannelOrderArg};
pub(super) use campaign::{
    CampaignAnswer, CampaignArgs, CampaignCollect, CampaignPlan, CampaignRun, CampaignSplit, CampaignStatus,
    CampaignStep, CampaignSubmit, PlanWishes, SplitByArg, is_run,
};
pub(super) use point::{BoxNorm, Language, NearArgs, PropertyArgs, RadiusArgs};

/// Finds inputs on which a neural network does what it must not do.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub(super) struct Arguments {
    /// Print the name of this program
    #[arg(long)]
    pub(super) name: bool,
    #[command(flatten)]
    pub(super) messages: MessageArgs,
    /// The command.
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// How what is said on standard error is said, whatever the command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Messages")]
pub(super) struct MessageArgs {
    /// Whether help and messages are coloured: auto is where a terminal shows them and NO_COLOR is not set
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    pub(super) color: ColorChoice,
    /// Write what is said on standard error to the end of this file too, each line with its time, and also what --quiet keeps
    /// from standard error
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) log: Option<PathBuf>,
}

/// How much memory a command may take.
#[derive(Debug, Args)]
pub(super) struct MemoryArgs {
    /// Memory that this process may hold, such as 500M or 4G; a search that holds more is ended, as by a signal [default: no
    /// limit]
    #[arg(long, value_name = "BYTES")]
    pub(super) memory: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Search for a counterexample
    Verify(VerifyArgs),
    /// Search for a counterexample, and ask a second tool
    Pair(PairArgs),
    /// Judge a counterexample that any tool has written, as the competition does
    Check(CheckArgs),
    /// Change as little as possible of a network's weights so that it does what it should at given points
    Repair(RepairArgs),
    /// Change images so that a classifier takes them for something else, and measure it, method by method
    Attack(Box<Attack>),
    /// Say what a network consists of, what of it is supported, and whether patching applies to it
    Inspect(Inspect),
    /// Run a command and leave nothing of it behind; for this program's own use
    #[command(hide = true)]
    Guard(Guard),
    /// Write a VNN-LIB 1.0 property as VNN-LIB 2.0
    Convert(Convert),
    /// Write the property that nothing bad happens near a point
    Property(PropertyArgs),
    /// Say how far from a point the nearest counterexample is: what is found, and what is proved
    Radius(RadiusArgs),
    /// Say which of the claims in results files to believe
    Audit(AuditArgs),
    /// Run thousands of instances, on one machine or on many, and collect what comes of it
    Campaign(Box<CampaignArgs>),
    /// Say what this program can do
    #[command(alias = "capabilities")]
    Supports(Supports),
    /// Write what a shell needs to complete this program's arguments to standard output
    Completions(Completions),
    /// Write the manual, a page a command
    Man(Man),
}

impl Command {
    /// Whether nothing but warnings and errors is to be said.
    pub(super) fn is_quiet(&self) -> bool {
        match self {
            Self::Verify(args) => args.quiet,
            Self::Pair(args) => args.quiet,
            Self::Attack(args) => args.quiet,
            Self::Radius(args) => args.quiet,
            Self::Audit(args) => args.quiet,
            _ => false,
        }
    }
}

/// `counterpatch completions`
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

/// `counterpatch man`
#[derive(Debug, Args)]
pub(super) struct Man {
    /// The folder for counterpatch.1, counterpatch-verify.1 and so on
    #[arg(short = 'o', long, value_name = "FOLDER")]
    pub(super) output: PathBuf,
}

/// `counterpatch verify`
#[derive(Debug, Args)]
#[command(override_usage = "counterpatch verify [OPTIONS] <NETWORK> <PROPERTY>
       counterpatch verify [OPTIONS] <PROPERTY> --network <NAME=FILE>...")]
pub(super) struct VerifyArgs {
    /// The network (ONNX) and the property (VNN-LIB), in this order; only the property with --network.
    /// Either may be gzipped
    #[arg(required = true, num_args = 1..=2, value_name = "FILE")]
    pub(super) files: Vec<String>,
    /// A network by the name that the property declares
    #[arg(long = "network", value_name = "NAME=FILE")]
    pub(super) networks: Vec<String>,
    /// A value for a dimension that the network leaves open, by its name or as INPUT[AXIS]; may be repeated [default: what
    /// the property's declarations say, else 1]
    #[arg(long = "dim", value_name = "NAME=N", value_parser = dimension)]
    pub(super) dims: Vec<(String, usize)>,
    /// Seconds that the whole run may take, counted from the start of the process; a decimal number, or with a unit: 500ms,
    /// 10s, 5m, 2h; at most a year [default: no limit]
    #[arg(short = 't', long, value_name = "SECONDS", allow_hyphen_values = true)]
    pub(super) timeout: Option<String>,
    /// Where to write the answer in the competition's format
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(super) results_file: Option<PathBuf>,
    /// Say `sat` of a thin counterexample too: one that other engines' rounding may hide. Else the answer is
    /// `unknown`, and the counterexample goes to FILE.thin beside the results file
    #[arg(long)]
    pub(super) accept_thin: bool,
    /// Search on until there are so many counterexamples (up to 10000), each on another affine piece of the network: some neuron
    /// with a piecewise-linear activation, or some maximum, is elsewhere. Of networks without any, 0.01 apart. The results
    /// file has the most certain one, and of equals the first; --json and --save have all
    #[arg(long, value_name = "K", default_value_t = 1, conflicts_with = "nearest",
          value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(super) count: u16,
    /// Counterexamples differ if some input does by at least this part of its box's width, above 0; whatever piece they lie on
    #[arg(long, value_name = "D", requires = "count", allow_hyphen_values = true)]
    pub(super) apart: Option<String>,
    /// Write the counterexamples to this file: .json (numbers, and the decimals that count), .csv (a row a variable, a column a
    /// counterexample) or .npz (arrays by the network's names; with --count above 1 along a first axis). Nothing is written
    /// where there are none
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,
    /// Write the proof behind `unsat` to this file, for `check`
    #[arg(long, value_name = "FILE")]
    pub(super) certificate: Option<PathBuf>,
    /// Write the counterexample as TensorProto files NAME.pb into this folder, not to standard output
    #[arg(long, value_name = "DIR", aliases = ["assignments", "serialize-assignments"])]
    pub(super) serialise_assignments: Option<PathBuf>,
    /// Write the answer as a page to this file: the verdict and what it rests on, the property with its values, outputs, every
    /// input in its box, slices of the margin, and the picture if the input is one. It is written after the answer, for which
    /// it takes some seconds more
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    #[command(flatten)]
    pub(super) memory: MemoryArgs,
    /// Seed of all randomness
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) seed: u64,
    /// Threads, 1 to 256. With one thread, one seed gives one answer [default: as many as this process may use]
    #[arg(short = 'j', long, value_name = "N")]
    pub(super) threads: Option<usize>,
    /// Use these strategies only, separated by commas; may be repeated
    #[arg(long = "strategy", value_name = "NAME", value_delimiter = ',')]
    pub(super) only: Vec<String>,
    /// Leave these strategies out, separated by commas; may be repeated
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) without: Vec<String>,
    /// How the strategy `patch` understands the paper (Khan, Madhukar, Sharma): pairs KEY=VALUE, separated by commas. phases:
    /// free (exact), held, monotone, approximated (bounds of a class), approximated-box, tangent (linearised, and read again
    /// from the patched network; what free comes to with smooth activations). order: direct (the first layer at once; of a
    /// convolutional network the first behind the convolutions), middle-first (Algorithm 1), last (the last layer, all in
    /// front of it linearised). targets: exact, rectified, marked, elastic. shots: once, iterated. objective: sum, largest,
    /// fewest. marks: off, paths, gradient. inputs: sum, largest, fewest. alpha, margin: numbers. proof: a number of programs.
    /// The word `printed` stands for the paper's letter [default: phases=free, order=direct, targets=elastic,
    /// shots=iterated, objective=sum, alpha=inf, marks=off, inputs=sum, margin=1e-4, proof=0]
    #[arg(long, value_name = "KEY=VALUE,...")]
    pub(super) reading: Option<String>,
    /// Look for the nearest counterexample to this point, and prove how near one can be: a file of one point (as of
    /// `repair --points`), or `centre`, the middle of the property's box. A search for any counterexample comes first and has
    /// a quarter of the time. What is known when the time is up is said: distance, lower bound, gap
    #[arg(long, value_name = "POINT")]
    pub(super) nearest: Option<String>,
    /// How distance is measured
    #[arg(long, value_enum, default_value_t = DistanceArg::Linf, requires = "nearest")]
    pub(super) norm: DistanceArg,
    /// The part of the distance by which the lower bound may be below it: then the search is over
    #[arg(long, value_name = "X", default_value = "1e-4", requires = "nearest", allow_hyphen_values = true)]
    pub(super) gap: String,
    /// Say on standard error what each strategy has spent and reached
    #[arg(long)]
    pub(super) stats: bool,
    /// Write what each thread was at, and when, to this file: reading, import, each round of a strategy, replays, the judge of
    /// `unsat`. It opens in chrome://tracing, ui.perfetto.dev and speedscope.app
    #[arg(long, value_name = "FILE")]
    pub(super) profile: Option<PathBuf>,
    /// Write events and the verdict to standard output as one JSON object a line
    #[arg(long)]
    pub(super) json: bool,
    /// Say nothing on standard error but errors
    #[arg(short = 'q', long)]
    pub(super) quiet: bool,
}

/// `counterpatch pair`
#[derive(Debug, Args)]
#[command(override_usage = "counterpatch pair [OPTIONS] <NETWORK> <PROPERTY> --timeout <SECONDS> \
<--then <TOOL>|--then-script <FILE>>")]
#[command(group = ArgGroup::new("second").required(true).args(["then", "then_script"]))]
pub(super) struct PairArgs {
    /// The network (ONNX) and the property (VNN-LIB), in this order; only the property with --network.
    /// Either may be gzipped
    #[arg(required = true, num_args = 1..=2, value_name = "FILE")]
    pub(super) files: Vec<String>,
    /// A network by the name that the property declares
    #[arg(long = "network", value_name = "NAME=FILE")]
    pub(super) networks: Vec<String>,
    /// A value for a dimension that the network leaves open, by its name or as INPUT[AXIS]; may be repeated [default: what
    /// the property's declarations say, else 1]
    #[arg(long = "dim", value_name = "NAME=N", value_parser = dimension)]
    pub(super) dims: Vec<(String, usize)>,
    /// Seconds that the whole run may take, both tools together, counted from the start of the process
    #[arg(short = 't', long, value_name = "SECONDS", allow_hyphen_values = true)]
    pub(super) timeout: String,
    /// Where to write the answer in the competition's format
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(super) results_file: Option<PathBuf>,
    /// The second tool
    #[arg(long, value_enum, value_name = "TOOL")]
    pub(super) then: Option<Second>,
    /// The second tool, by its run_instance.sh of VNN-COMP. Its prepare_instance.sh is not called
    #[arg(long, value_name = "FILE")]
    pub(super) then_script: Option<PathBuf>,
    /// The program of --then, if it is not in PATH
    #[arg(long, value_name = "FILE", requires = "then")]
    pub(super) program: Option<PathBuf>,
    /// The CATEGORY that --then-script is given
    #[arg(long, value_name = "NAME", default_value = "none", requires = "then_script")]
    pub(super) category: String,
    /// Run both at once and stop the loser
    #[arg(long)]
    pub(super) race: bool,
    /// Seconds of our own search before the second tool is asked [default: a fifth of the limit, at most 10]
    #[arg(long, value_name = "SECONDS", conflicts_with = "race", allow_hyphen_values = true)]
    pub(super) first: Option<String>,
    /// Memory of all processes of the second tool together, such as 500M or 4G; it is stopped when it holds more
    /// [default: no limit]
    #[arg(long, value_name = "BYTES")]
    pub(super) memory: Option<String>,
    /// Seed of our search
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) seed: u64,
    /// Threads of our search, 1 to 256 [default: as many as this process may use]
    #[arg(short = 'j', long, value_name = "N")]
    pub(super) threads: Option<usize>,
    /// Write the verdict to standard output as one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Say nothing on standard error but errors and warnings
    #[arg(short = 'q', long)]
    pub(super) quiet: bool,
}

/// A tool that is driven through its own command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Second {
    /// Marabou: `pip install maraboupy`
    Marabou,
}

/// `counterpatch guard`
#[derive(Debug, Args)]
pub(super) struct Guard {
    /// The folder of the command: its standard output and standard error go to files there, and it is removed at the end
    #[arg(long)]
    pub(super) scratch: PathBuf,
    /// Bytes of memory that all processes of the command may hold together
    #[arg(long)]
    pub(super) memory: Option<u64>,
    /// The command
    #[arg(last = true, required = true)]
    pub(super) command: Vec<String>,
}

/// `counterpatch check`
#[derive(Debug, Args)]
#[command(override_usage = "counterpatch check [OPTIONS] <NETWORK> <PROPERTY> <RESULTS>
       counterpatch check [OPTIONS] <PROPERTY> <RESULTS> --network <NAME=FILE>...")]
pub(super) struct CheckArgs {
    /// The network (ONNX), the property (VNN-LIB) and the results file, counterexample or certificate of `unsat`, in
    /// this order; no network with --network. All may be gzipped
    #[arg(required = true, num_args = 2..=3, value_name = "FILE")]
    pub(super) files: Vec<String>,
    /// A network by the name that the property declares
    #[arg(long = "network", value_name = "NAME=FILE")]
    pub(super) networks: Vec<String>,
    /// A value for a dimension that the network leaves open, by its name or as INPUT[AXIS]; may be repeated [default: what
    /// the property's declarations say, else 1]
    #[arg(long = "dim", value_name = "NAME=N", value_parser = dimension)]
    pub(super) dims: Vec<(String, usize)>,
    /// Whose rules decide
    #[arg(long, value_enum, default_value_t = RulesArg::Of2026)]
    pub(super) rules: RulesArg,
    /// Write the nearest strictly correct counterexample to this file, if there is one near, and say how far it is
    #[arg(long, value_name = "FILE")]
    pub(super) repair: Option<PathBuf>,
    /// Write one JSON object instead of text
    #[arg(long)]
    pub(super) json: bool,
}

/// The rules of a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RulesArg {
    /// Listed outputs do not count; inputs may be off by 1e-4
    #[value(name = "2026")]
    Of2026,
    /// Listed outputs count; strictly correct is what needs a tolerance of at most 1e-7
    #[value(name = "2025-small")]
    Of2025Small,
    /// Listed outputs count; strictly correct is what needs no tolerance
    #[value(name = "2025-zero")]
    Of2025Zero,
}

/// `counterpatch repair`
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which layers"))]
pub(super) struct RepairArgs {
    /// The network (ONNX), possibly gzipped
    #[arg(value_name = "NETWORK")]
    pub(super) network: PathBuf,
    /// The points: one a line, the network's inputs separated by commas; or an array of numpy (.npy); or a results file
    /// of `verify`
    #[arg(long, value_name = "FILE")]
    pub(super) points: PathBuf,
    /// What a counterexample looks like (VNN-LIB): afterwards no point is one. A point outside of all its input boxes
    /// is left free
    #[arg(long, value_name = "FILE")]
    pub(super) property: PathBuf,
    /// Change this fully connected layer, counted from 0 at the input side of those that the network ends in
    /// [default: the last one]
    #[arg(long, value_name = "K", group = "which layers")]
    pub(super) layer: Option<usize>,
    /// Try each layer alone, and write the smallest repair
    #[arg(long, group = "which layers")]
    pub(super) all_layers: bool,
    /// Change these layers together
    #[arg(long, value_name = "K,K", value_delimiter = ',', group = "which layers")]
    pub(super) layers: Vec<usize>,
    /// What is to be small
    #[arg(long, value_enum, default_value_t = NormArg::L1)]
    pub(super) norm: NormArg,
    /// By how much each point must satisfy the property, in units of its rows; above 0
    #[arg(long, value_name = "X", default_value = "1e-3", allow_hyphen_values = true)]
    pub(super) margin: String,
    /// No weight may change by more; above 0 [default: no limit]
    #[arg(long, value_name = "X", allow_hyphen_values = true)]
    pub(super) limit: Option<String>,
    /// Where to write the repaired network
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(super) output: PathBuf,
    /// Inputs, as in --points: say for how many of them the repaired network decides differently
    #[arg(long, value_name = "FILE")]
    pub(super) sample: Option<PathBuf>,
    /// How a decision is read from the outputs
    #[arg(long, value_enum, default_value_t = DecisionArg::Largest)]
    pub(super) decision: DecisionArg,
    /// Seconds that the whole run may take, counted from the start of the process; what is found by then is written
    #[arg(short = 't', long, value_name = "SECONDS", default_value = "60", allow_hyphen_values = true)]
    pub(super) timeout: String,
    #[command(flatten)]
    pub(super) memory: MemoryArgs,
    /// Seed of all randomness
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) seed: u64,
    /// Write one JSON object instead of text
    #[arg(long)]
    pub(super) json: bool,
}

/// What is to be small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum NormArg {
    /// The sum of all changes
    L1,
    /// The largest change
    Linf,
    /// The number of changed weights
    L0,
}

/// How far an input is from the nominal one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DistanceArg {
    /// The number of changed inputs; of images, of changed pixels
    L0,
    /// The sum of all changes
    L1,
    /// The Euclidean length of the change
    L2,
    /// The largest change
    Linf,
}

impl From<DistanceArg> for crate::nearest::Norm {
    fn from(distance: DistanceArg) -> Self {
        match distance {
            DistanceArg::L0 => Self::L0,
            DistanceArg::L1 => Self::L1,
            DistanceArg::L2 => Self::L2,
            DistanceArg::Linf => Self::Linf,
        }
    }
}

/// How a decision is read from the outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DecisionArg {
    /// The largest output: classifiers
    Largest,
    /// The smallest output: ACAS Xu's costs
    Smallest,
}

/// `counterpatch inspect`
#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// The network (ONNX), possibly gzipped
    #[arg(value_name = "NETWORK")]
    pub(super) network: PathBuf,
    /// A property (VNN-LIB) of this one network: says how indices, sizes and conditions that are computed from its inputs are dealt with
    #[arg(long, value_name = "FILE")]
    pub(super) property: Option<PathBuf>,
    /// A value for a dimension that the network leaves open, by its name or as INPUT[AXIS]; may be repeated [default: 1]
    #[arg(long = "dim", value_name = "NAME=N", value_parser = dimension)]
    pub(super) dims: Vec<(String, usize)>,
    /// Write one JSON object instead of text
    #[arg(long)]
    pub(super) json: bool,
}

/// `counterpatch convert`
#[derive(Debug, Args)]
pub(super) struct Convert {
    /// The property (VNN-LIB 1.0), possibly gzipped
    #[arg(value_name = "PROPERTY")]
    pub(super) property: PathBuf,
    /// The network (ONNX) that gives the tensors their type and shapes; without it they are flat and `real`
    #[arg(long, value_name = "FILE")]
    pub(super) network: Option<PathBuf>,
    /// Where to write the property [default: standard output]
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Write one JSON object to standard output, with the property in it
    #[arg(long)]
    pub(super) json: bool,
}

/// `counterpatch audit`
#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// Tables of claims (CSV): either with a line of names (tool, benchmark, onnx, vnnlib, claim, witness), or
    /// results.csv of VNN-COMP. Counterexamples are looked for relative to their table
    #[arg(required = true, value_name = "CLAIMS")]
    pub(super) claims: Vec<PathBuf>,
    /// The folder that the tables' networks and properties are in
    #[arg(long, value_name = "FOLDER")]
    pub(super) benchmarks: PathBuf,
    /// Seconds of one attack. Each instance is attacked at most once, whoever makes claims about it
    #[arg(long, value_name = "SECONDS", default_value = "3s", allow_hyphen_values = true)]
    pub(super) budget: String,
    /// Whose claims they are, where the table does not say so [default: the name of the table's folder]
    #[arg(long, value_name = "NAME")]
    pub(super) tool: Option<String>,
    /// Instances at a time, 1 to 256; each is attacked on one thread [default: as many as this process may use]
    #[arg(short = 'j', long, value_name = "N")]
    pub(super) threads: Option<usize>,
    #[command(flatten)]
    pub(super) memory: MemoryArgs,
    /// Seed of all randomness
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) seed: u64,
    /// Note each instance here when it is done, and do not repeat what is noted already
    #[arg(long, value_name = "FILE")]
    pub(super) journal: Option<PathBuf>,
    /// Write the audit to this file as a page of HTML that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Write one JSON object instead of text
    #[arg(long)]
    pub(super) json: bool,
    /// Show no progress
    #[arg(short = 'q', long)]
    pub(super) quiet: bool,
}

/// `NAME=N`
fn dimension(text: &str) -> Result<(String, usize), String> {
    let parts = text.rsplit_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = parts.ok_or("not of the form NAME=N, such as batch=1 or input[0]=1")?;
    match value.trim().parse::<usize>() {
        Ok(value) if value > 0 => Ok((name.trim().to_owned(), value)),
        _ => Err(format!("{value} is not a whole number above 0")),
    }
}

/// `counterpatch supports`
#[derive(Debug, Args)]
pub(super) struct Supports {
    #[command(flatten)]
    pub(super) question: SupportsQuestion,
    /// Say of each strategy or method what it is
    #[arg(long)]
    pub(super) explain: bool,
}

/// What is asked.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct SupportsQuestion {
    /// Names of the ONNX operators, one a line
    #[arg(long)]
    pub(super) onnx_operators: bool,
    /// Element types of the networks' tensors, one a line
    #[arg(long)]
    pub(super) onnx_element_types: bool,
    /// The oldest and the newest ONNX operator set, one a line
    #[arg(long)]
    pub(super) onnx_opset_versions: bool,
    /// The oldest and the newest version of VNN-LIB, one a line
    #[arg(long)]
    pub(super) vnnlib_versions: bool,
    /// Theories of hidden nodes, one a line
    #[arg(long)]
    pub(super) hidden_node_theories: bool,
    /// Theories of inputs and outputs, one a line
    #[arg(long, alias = "multiple-inputs-output-theories")]
    pub(super) multiple_input_output_theories: bool,
    /// Theories of several networks, one a line
    #[arg(long)]
    pub(super) multiple_network_theories: bool,
    /// Theories of comparisons, one a line
    #[arg(long)]
    pub(super) multiple_node_comparison_theories: bool,
    /// Theories of arithmetic, one a line
    #[arg(long)]
    pub(super) arithmetic_complexity_theories: bool,
    /// Whether disjunctions are searched as such: `true` or `false`
    #[arg(long, alias = "optimized-disjunctive-reasoning")]
    pub(super) optimised_disjunctive_reasoning: bool,
    /// Whether `verify --serialise-assignments` works: `true` or `false`
    #[arg(long, aliases = ["assignments", "serialize-assignments"])]
    pub(super) serialise_assignments: bool,
    /// Names of the search strategies, one a line
    #[arg(long)]
    pub(super) strategies: bool,
    /// Names of the methods of `attack`, one a line
    #[arg(long)]
    pub(super) attack_methods: bool,
    /// The JSON Schema (draft 2020-12) of what all commands write with --json
    #[arg(long)]
    pub(super) json_schema: bool,
}
