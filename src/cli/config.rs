//! What the command line means: numbers in their ranges, names that exist, files that are told apart.

use std::path::PathBuf;
use std::time::Duration;

use super::args;
use super::networks::Networks;
use crate::search::{Config, portfolio};

/// The longest time limit, a year: more is a mistake.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
/// The most threads.
const MOST_THREADS: usize = 256;

/// A command line that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum UsageError {
    /// The time limit is no number of seconds.
    #[error(
        "--timeout {0}: not a number of seconds above 0 and up to a year (help: write for instance 60 or 0.5)"
    )]
    Timeout(String),
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
    /// One file for several networks.
    #[error("the property declares the networks {0} (help: give each a file with --network NAME=FILE)")]
    OneNetwork(String),
    /// A network without a file.
    #[error("network {0} has no file (help: add --network {0}=FILE)")]
    MissingNetwork(String),
    /// A file for a network that is not declared.
    #[error("the property declares no network {0} (help: check the names)")]
    UndeclaredNetwork(String),
}

/// The meaning of `verify`'s arguments.
#[derive(Debug)]
pub(super) struct Verify {
    /// The network files.
    pub(super) networks: Networks,
    /// The property's file.
    pub(super) property: PathBuf,
    /// The time limit.
    pub(super) timeout: Option<Duration>,
    /// Settings of the search.
    pub(super) search: Config,
}

impl TryFrom<&args::Verify> for Verify {
    type Error = UsageError;

    fn try_from(args: &args::Verify) -> Result<Self, UsageError> {
        let (networks, [property]) =
            files(&args.files, &args.networks, "a network and a property are wanted")?;
        let timeout = args.timeout.as_deref().map(seconds).transpose()?;
        if !(1..=MOST_THREADS).contains(&args.threads) {
            return Err(UsageError::Threads(args.threads));
        }
        let search = Config {
            seed: args.seed,
            threads: args.threads,
            only: args.only.clone(),
            without: args.without.clone(),
        };
        check_strategies(&search)?;
        Ok(Self { networks, property, timeout, search })
    }
}

/// The meaning of `check`'s arguments.
#[derive(Debug)]
pub(super) struct Check {
    /// The network files.
    pub(super) networks: Networks,
    /// The property's file.
    pub(super) property: PathBuf,
    /// The results file.
    pub(super) results: PathBuf,
}

impl TryFrom<&args::Check> for Check {
    type Error = UsageError;

    fn try_from(args: &args::Check) -> Result<Self, UsageError> {
        let wanted = "a network, a property and a results file are wanted";
        let (networks, [property, results]) = files(&args.files, &args.networks, wanted)?;
        Ok(Self { networks, property, results })
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
    let wrong = |_| UsageError::Files { has: given.len(), wanted };
    Ok((networks, others.try_into().map_err(wrong)?))
}

fn seconds(text: &str) -> Result<Duration, UsageError> {
    let parsed = text.trim().parse::<f64>().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
    let in_range = parsed.filter(|limit| !limit.is_zero() && *limit <= LONGEST);
    in_range.ok_or_else(|| UsageError::Timeout(text.to_owned()))
}

fn check_strategies(search: &Config) -> Result<(), UsageError> {
    let known = portfolio::names();
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
    fn time_limits_are_decimal_numbers_of_seconds() {
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
            ("5s", None),
        ];
        for (text, millis) in cases {
            assert_eq!(seconds(text).ok(), millis.map(Duration::from_millis), "{text}");
        }
    }
}
