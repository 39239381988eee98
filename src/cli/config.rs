//! What the command line means: numbers in their ranges, names that exist, files that are told apart.

use std::path::PathBuf;
use std::time::Duration;

use super::args;
use super::networks::Networks;
use super::second::Tool;
use crate::pipeline::radius::RadiusWish;
use crate::pipeline::repair::{LayerChoice, RepairWish};
use crate::pipeline::several::{Distinction, Several};
use crate::problem::names::Misnamed;
use crate::property::around::{OutputRange, Violation};
use crate::property::decision::Decision;
use crate::repair::{self, ChangeNorm};
use crate::search::schedule::table;
use crate::search::strategy::patch::reading::{PaperReading, ReadingError};
use crate::search::{Config, MOST_THREADS, available_threads};
use crate::unpack;

/// The longest time limit, a year: more is a mistake.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// A command line that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum UsageError {
    /// The time limit is no number of seconds.
    #[error(
        "--{option} {text}: not a number of seconds above 0 and up to a year (help: write for instance 60, 0.5, 500ms, 5m or 2h)"
    )]
    Seconds {
        /// The option's name.
        option: &'static str,
        /// What was typed.
        text: String,
    },
    /// A size that is none.
    #[error("--memory {0}: not a number of bytes (help: write for instance 500M or 4G)")]
    Memory(String),
    /// The number of threads is out of range.
    #[error("--threads {0}: not a number from 1 to 256")]
    Threads(usize),
    /// A strategy that does not exist.
    #[error("there is no strategy {name} (help: there are {})", .known.join(", "))]
    Strategy {
        /// The name.
        name: String,
        /// All names that exist.
        known: Vec<&'static str>,
    },
    /// A reading that is none.
    #[error("--reading {0}")]
    Reading(ReadingError),
    /// No strategy is left.
    #[error("no strategy is left (help: leave out fewer)")]
    NoStrategy,
    /// A `--network` option that is no pair.
    #[error("--network {0}: not of the form NAME=FILE")]
    Network(String),
    /// The number of files does not fit.
    #[error("{has} files are given, {wanted} (help: see --help)")]
    Files {
        /// How many there are.
        has: usize,
        /// What should be given.
        wanted: &'static str,
    },
    /// Standard input for several files.
    #[error(
        "standard input is named for two files (help: only one can come from it; name the other by its path)"
    )]
    StandardInput,
    /// One file for several networks.
    #[error("the property declares the networks {0} (help: give each a file with --network NAME=FILE)")]
    OneNetwork(String),
    /// A number that must be positive is not.
    #[error("{option} {text}: not a number above 0 (help: write for instance 1e-3)")]
    Positive {
        /// The option.
        option: &'static str,
        /// What was typed.
        text: String,
    },
    /// A limit that is none.
    #[error(
        "--limit {0}: not of the form linf=X or l2=X with a number above 0 (help: write for instance linf=8/255)"
    )]
    Limit(String),
    /// Two limits that are one.
    #[error("--limit {first} and --limit {second} are the same limit (help: name each once)")]
    SameLimit {
        /// The one.
        first: String,
        /// The other.
        second: String,
    },
    /// Targets that are none.
    #[error("--targets {0}: not runner-up, all, or a number above 0")]
    Targets(String),
    /// Distances that are none.
    #[error(
        "--eps {0}: not a number from 0 on (help: write for instance 0.03, 8/255, or one number an input: 0.1,0.1,0.5)"
    )]
    Eps(String),
    /// A file whose form is not known.
    #[error("--save {}: its ending says nothing of its form (help: let it end in .json, .csv or .npz)", .0.display())]
    Save(PathBuf),
    /// A range that is none.
    #[error("--clip {0}: not two numbers in their order (help: write for instance 0,1)")]
    Clip(String),
    /// A range of an output that is none.
    #[error("--output-range {0}: not of the form K=LOW,HIGH (help: write for instance 0=-1,2.5 or 3=-inf,0)")]
    OutputRange(String),
    /// A confidence that is none.
    #[error("--confidence {0}: not `picture` and not a number from 0 on, in units of the outputs")]
    Confidence(String),
    /// A method that does not exist.
    #[error("there is no method {name} (help: there are {})", .known.join(", "))]
    Method {
        /// The name.
        name: String,
        /// All names that exist.
        known: Vec<&'static str>,
    },
    /// A number that may be any has no end, or is none.
    #[error("{0}: not a finite number (help: write it like {0}=0.5 or {0}=-0.5)")]
    Finite(&'static str),
    /// A number that must be above 0 is 0, negative or none.
    #[error("{0}: not a number above 0")]
    AboveZero(&'static str),
    /// A layer that does not exist.
    #[error(transparent)]
    Layer(#[from] repair::NoSuchLayer),
    /// A second tool that cannot be run.
    #[error("the second tool {name}: {why} (help: name a program that exists and may be run)")]
    SecondTool {
        /// The tool.
        name: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A network without a file.
    #[error("network {0} has no file (help: add --network {0}=FILE)")]
    MissingNetwork(String),
    /// A network with several files.
    #[error("network {0} has two files (help: give each network once)")]
    TwoFiles(String),
    /// A file for a network that is not declared.
    #[error("the property declares no network {0} (help: check the names)")]
    UndeclaredNetwork(String),
}

impl From<Misnamed> for UsageError {
    fn from(misnamed: Misnamed) -> Self {
        match misnamed {
            Misnamed::Undeclared(name) => Self::UndeclaredNetwork(name),
            Misnamed::Twice(name) => Self::TwoFiles(name),
            Misnamed::Missing(name) => Self::MissingNetwork(name),
        }
    }
}

/// The meaning of `verify`'s arguments.
#[derive(Debug)]
pub(super) struct VerifyConfig {
    /// The network files.
    pub(super) networks: Networks,
    /// The property's file.
    pub(super) property: PathBuf,
    /// The time limit.
    pub(super) timeout: Option<Duration>,
    /// Settings of the search.
    pub(super) search: Config,
    /// How many counterexamples are wanted.
    pub(super) several: Several,
    /// The part of the distance by which the nearest counterexample's bound may be below it.
    pub(super) gap: f64,
}

impl TryFrom<&args::VerifyArgs> for VerifyConfig {
    type Error = UsageError;

    fn try_from(args: &args::VerifyArgs) -> Result<Self, UsageError> {
        let (networks, [property]) =
            files(&args.files, &args.networks, "a network and a property are wanted")?;
        let timeout = args.timeout.as_deref().map(|text| seconds("timeout", text)).transpose()?;
        let search = Config {
            seed: args.seed,
            threads: threads(args.threads)?,
            only: args.only.clone(),
            without: args.without.clone(),
            reading: args.reading.as_deref().map(reading).transpose()?,
            accept_thin: args.accept_thin,
        };
        check_strategies(&search)?;
        let gap = positive("--gap", &args.gap)?;
        let apart = args.apart.as_deref().map(|text| positive("--apart", text)).transpose()?;
        let distinction = apart.map_or(Distinction::Pattern, Distinction::Apart);
        let several = Several { count: args.count.into(), distinction };
        Ok(Self { networks, property, timeout, search, several, gap })
    }
}

/// The meaning of `pair`'s arguments.
#[derive(Debug)]
pub(super) struct PairConfig {
    /// The network files.
    pub(super) networks: Networks,
    /// The property's file.
    pub(super) property: PathBuf,
    /// The time limit of both tools together.
    pub(super) timeout: Duration,
    /// The second tool.
    pub(super) second: Tool,
    /// How the two take turns.
    pub(super) order: RunOrder,
    /// Bytes that the second tool may hold.
    pub(super) memory: Option<u64>,
    /// Settings of our search.
    pub(super) search: Config,
}

/// Who runs when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunOrder {
    /// Our search for this long, then the second tool.
    InTurn(Duration),
    /// Both at once.
    Race,
}

/// The longest that our search goes first, unless it is told otherwise.
const LONGEST_FIRST: Duration = Duration::from_secs(10);

impl TryFrom<&args::PairArgs> for PairConfig {
    type Error = UsageError;

    fn try_from(args: &args::PairArgs) -> Result<Self, UsageError> {
        let (networks, [property]) =
            files(&args.files, &args.networks, "a network and a property are wanted")?;
        let timeout = seconds("timeout", &args.timeout)?;
        let first = args.first.as_deref().map(|text| seconds("first", text)).transpose()?;
        let second = match &args.then_script {
            Some(path) => Tool::Script { path: path.clone(), category: args.category.clone() },
            None => Tool::Marabou(args.program.clone().unwrap_or_else(|| PathBuf::from("Marabou"))),
        };
        second.check().map_err(|why| UsageError::SecondTool { name: second.name(), why })?;
        Ok(Self {
            networks,
            property,
            timeout,
            second,
            order: match args.race {
                true => RunOrder::Race,
                false => RunOrder::InTurn(first.unwrap_or((timeout / 5).min(LONGEST_FIRST))),
            },
            memory: args.memory.as_deref().map(bytes).transpose()?,
            search: Config { seed: args.seed, threads: threads(args.threads)?, ..Config::default() },
        })
    }
}

/// The meaning of `check`'s arguments.
#[derive(Debug)]
pub(super) struct CheckConfig {
    /// The network files.
    pub(super) networks: Networks,
    /// The property's file.
    pub(super) property: PathBuf,
    /// The results file.
    pub(super) results: PathBuf,
    /// Values for open dimensions.
    pub(super) dims: Vec<(String, usize)>,
}

impl TryFrom<&args::CheckArgs> for CheckConfig {
    type Error = UsageError;

    fn try_from(args: &args::CheckArgs) -> Result<Self, UsageError> {
        let wanted = "a network, a property and a results file are wanted";
        let (networks, [property, results]) = files(&args.files, &args.networks, wanted)?;
        Ok(Self { networks, property, results, dims: args.dims.clone() })
    }
}

/// The meaning of `repair`'s arguments.
#[derive(Debug)]
pub(super) struct RepairConfig {
    /// What is wanted.
    pub(super) wish: RepairWish,
    /// How decisions are compared.
    pub(super) decision: Decision,
    /// The time limit.
    pub(super) timeout: Duration,
}

impl TryFrom<&args::RepairArgs> for RepairConfig {
    type Error = UsageError;

    fn try_from(args: &args::RepairArgs) -> Result<Self, UsageError> {
        let layers = match (args.layer, args.layers.as_slice()) {
            (Some(layer), _) => LayerChoice::Together(vec![layer]),
            (None, []) if args.all_layers => LayerChoice::Each,
            (None, []) => LayerChoice::Last,
            (None, layers) => LayerChoice::Together(layers.to_vec()),
        };
        let norm = match args.norm {
            args::NormArg::L1 => ChangeNorm::Total,
            args::NormArg::Linf => ChangeNorm::Largest,
            args::NormArg::L0 => ChangeNorm::Fewest,
        };
        let decision = match args.decision {
            args::DecisionArg::Largest => Decision::Largest,
            args::DecisionArg::Smallest => Decision::Smallest,
        };
        let margin = positive("--margin", &args.margin)?;
        let limit = args.limit.as_deref().map_or(Ok(f64::INFINITY), |text| positive("--limit", text))?;
        let settings = repair::RepairSettings { norm, margin, limit, seed: args.seed, ..Default::default() };
        let wish = RepairWish { layers, settings };
        Ok(Self { wish, decision, timeout: seconds("timeout", &args.timeout)? })
    }
}

/// The meaning of what is said of a point.
#[derive(Debug)]
pub(super) struct NearConfig {
    /// What an input may be at all.
    pub(super) valid: (f64, f64),
    /// What a counterexample does; `None` if it is decided for another output than the point.
    pub(super) violation: Option<Violation>,
    /// How a decision is read.
    pub(super) decision: Decision,
}

impl TryFrom<&args::NearArgs> for NearConfig {
    type Error = UsageError;

    fn try_from(args: &args::NearArgs) -> Result<Self, UsageError> {
        let valid = match &args.clip {
            None => (f64::NEG_INFINITY, f64::INFINITY),
            Some(text) => range(text).ok_or_else(|| UsageError::Clip(text.clone()))?,
        };
        let decision = args.decision.into();
        let output_range = |text: &String| {
            let (output, ends) = text.split_once('=')?;
            let (low, high) = range(ends)?;
            Some(OutputRange { output: output.trim().parse().ok()?, low, high })
        };
        let output_range = |text| output_range(text).ok_or_else(|| UsageError::OutputRange(text.clone()));
        let ranges: Vec<OutputRange> =
            args.output_range.iter().map(output_range).collect::<Result<_, _>>()?;
        let violation = match (args.label, args.target) {
            (Some(output), _) => Some(Violation::Leaves { output, decision }),
            (_, Some(output)) => Some(Violation::Reaches { output, decision }),
            _ => (!ranges.is_empty()).then_some(Violation::OutOf(ranges)),
        };
        Ok(Self { valid, violation, decision })
    }
}

/// How far inputs may be from a point: one number for all, or one an input.
pub(super) fn reach(texts: &[String]) -> Result<Vec<f64>, UsageError> {
    let number = |text: &String| {
        let number = fraction(text).filter(|x| *x >= 0.0 && x.is_finite());
        number.ok_or_else(|| UsageError::Eps(text.clone()))
    };
    texts.iter().map(number).collect()
}

/// The meaning of `radius`'s arguments.
#[derive(Debug)]
pub(super) struct RadiusConfig {
    /// What is wanted.
    pub(super) wish: RadiusWish,
    /// The time of all searches.
    pub(super) timeout: Duration,
    /// Settings of the searches.
    pub(super) search: Config,
}

impl TryFrom<&args::RadiusArgs> for RadiusConfig {
    type Error = UsageError;

    fn try_from(args: &args::RadiusArgs) -> Result<Self, UsageError> {
        let most = fraction(&args.most).filter(|x| *x > 0.0 && x.is_finite());
        let most = most.ok_or_else(|| UsageError::Positive { option: "--most", text: args.most.clone() })?;
        Ok(Self {
            wish: RadiusWish { most, gap: positive("--gap", &args.gap)?, each: seconds("each", &args.each)? },
            timeout: seconds("timeout", &args.timeout)?,
            search: Config { seed: args.seed, threads: threads(args.threads)?, ..Config::default() },
        })
    }
}

/// Two numbers in their order.
fn range(text: &str) -> Option<(f64, f64)> {
    let (low, high) = text.split_once(',')?;
    let (low, high) = (fraction(low)?, fraction(high)?);
    (low <= high && low < f64::INFINITY && high > f64::NEG_INFINITY).then_some((low, high))
}

/// A number, or a quotient of two such as 8/255.
pub(super) fn fraction(text: &str) -> Option<f64> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let Some((above, below)) = text.split_once('/') else { return number(text) };
    Some(number(above)? / number(below)?)
}

impl From<args::DecisionArg> for Decision {
    fn from(decision: args::DecisionArg) -> Self {
        match decision {
            args::DecisionArg::Largest => Self::Largest,
            args::DecisionArg::Smallest => Self::Smallest,
        }
    }
}

fn positive(option: &'static str, text: &str) -> Result<f64, UsageError> {
    let parsed = text.trim().parse::<f64>().ok().filter(|x| *x > 0.0 && x.is_finite());
    parsed.ok_or_else(|| UsageError::Positive { option, text: text.to_owned() })
}

/// The meaning of `audit`'s arguments.
#[derive(Debug)]
pub(super) struct AuditConfig {
    /// The time of one attack.
    pub(super) budget: Duration,
    /// Instances at a time.
    pub(super) threads: usize,
    /// Settings of an attack.
    pub(super) search: Config,
}

impl TryFrom<&args::AuditArgs> for AuditConfig {
    type Error = UsageError;

    fn try_from(args: &args::AuditArgs) -> Result<Self, UsageError> {
        Ok(Self {
            budget: seconds("budget", &args.budget)?,
            threads: threads(args.threads)?,
            search: Config { seed: args.seed, threads: 1, ..Config::default() },
        })
    }
}

/// Tells the network from the other files: it is the first one, unless networks are named.
fn files<const N: usize>(
    given: &[String],
    named: &[String],
    wanted: &'static str,
) -> Result<(Networks, [PathBuf; N]), UsageError> {
    let (networks, others) = match given {
        [network, others @ ..] if named.is_empty() => (Networks::positional(network), others),
        others => (Networks::named(named)?, others),
    };
    let others: Vec<PathBuf> = others.iter().map(PathBuf::from).collect();
    let all = networks.files().into_iter().map(|(_, path)| path).chain(others.iter().map(PathBuf::as_path));
    if all.filter(|path| unpack::is_standard_input(path)).count() > 1 {
        return Err(UsageError::StandardInput);
    }
    let wrong = |_| UsageError::Files { has: given.len(), wanted };
    Ok((networks, others.try_into().map_err(wrong)?))
}

/// The number of threads that was asked for, or as many as this process may use.
pub(super) fn threads(number: Option<usize>) -> Result<usize, UsageError> {
    let number = number.unwrap_or_else(available_threads);
    (1..=MOST_THREADS).contains(&number).then_some(number).ok_or(UsageError::Threads(number))
}

/// `4G`, `500M`, `64K` (powers of 1024) or plain bytes.
pub(super) fn bytes(text: &str) -> Result<u64, UsageError> {
    let (number, unit) = match text.trim().split_at_checked(text.trim().len().saturating_sub(1)) {
        Some((number, "K" | "k")) => (number, 1 << 10),
        Some((number, "M" | "m")) => (number, 1 << 20),
        Some((number, "G" | "g")) => (number, 1 << 30),
        _ => (text.trim(), 1_u64),
    };
    let size = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    size.filter(|&size| size > 0).ok_or_else(|| UsageError::Memory(text.to_owned()))
}

/// How the paper's method is to be understood.
pub(super) fn reading(text: &str) -> Result<PaperReading, UsageError> {
    text.parse().map_err(UsageError::Reading)
}

/// A time: seconds, or a number with a unit.
pub(super) fn seconds(option: &'static str, text: &str) -> Result<Duration, UsageError> {
    let units = [("ms", 1e-3), ("s", 1.0), ("min", 60.0), ("m", 60.0), ("h", 3600.0)];
    let with_unit =
        units.iter().find_map(|&(unit, seconds)| Some((text.trim().strip_suffix(unit)?, seconds)));
    let (number, unit) = with_unit.unwrap_or((text, 1.0));
    let number = number.trim().parse::<f64>().ok().map(|number| number * unit);
    let parsed = number.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let in_range = parsed.filter(|limit| !limit.is_zero() && *limit <= LONGEST);
    in_range.ok_or_else(|| UsageError::Seconds { option, text: text.to_owned() })
}

fn check_strategies(search: &Config) -> Result<(), UsageError> {
    let known = table::names();
    if let Some(name) = search.only.iter().chain(&search.without).find(|name| !known.contains(&name.as_str()))
    {
        return Err(UsageError::Strategy { name: name.clone(), known });
    }
    if known.iter().any(|name| search.admits(name)) { Ok(()) } else { Err(UsageError::NoStrategy) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_a_number_with_a_unit() {
        let cases = [
            ("4G", Some(4 << 30)),
            ("500M", Some(500 << 20)),
            ("64k", Some(64 << 10)),
            ("123", Some(123)),
            ("0G", None),
            ("", None),
            ("G", None),
            ("1.5G", None),
            ("99999999999999999999", None),
            ("18446744073709551615K", None),
            ("-1", None),
            ("é", None),
        ];
        for (text, want) in cases {
            assert_eq!(bytes(text).ok(), want, "{text}");
        }
    }

    #[test]
    fn threads_are_what_was_asked_for_or_what_there_is() {
        let cases = [(Some(1), Some(1)), (Some(256), Some(256)), (Some(0), None), (Some(257), None)];
        for (asked, want) in cases {
            assert_eq!(threads(asked).ok(), want, "{asked:?}");
        }
        assert_eq!(threads(None).ok(), Some(available_threads()));
    }

    #[test]
    fn time_limits_are_seconds_or_have_a_unit() {
        let cases = [
            ("60", Some(60_000)),
            ("300.0", Some(300_000)),
            ("0.5", Some(500)),
            ("1e3", Some(1_000_000)),
            ("0", None),
            ("-5", None),
            ("1e-30", None),
            ("1e10", None),
            ("1e400", None),
            ("inf", None),
            ("nan", None),
            ("", None),
            ("5s", Some(5_000)),
            ("5 s", Some(5_000)),
            ("500ms", Some(500)),
            ("1.5m", Some(90_000)),
            ("2min", Some(120_000)),
            ("2h", Some(7_200_000)),
            ("s", None),
            ("5d", None),
            ("5ss", None),
            ("-5s", None),
        ];
        for (text, millis) in cases {
            assert_eq!(seconds("timeout", text).ok(), millis.map(Duration::from_millis), "{text}");
        }
    }
}
