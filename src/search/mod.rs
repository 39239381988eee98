//! The search for a counterexample: strategies, what they evaluate through, and the schedule that runs them.
//!
//! A [`Falsifier`] is one idea in one file. It evaluates points through an [`Oracle`], which counts, remembers the
//! best point, and hands every point that seems to violate the property to a [`Judge`]. The [portfolio](schedule::portfolio) shares the
//! time out.

#[doc(hidden)]
pub mod kernel;
pub mod observer;
pub mod proof;
#[doc(hidden)]
pub mod schedule;
#[doc(hidden)]
pub mod strategy;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::budget::StopReason;
use crate::network::Real;
use crate::problem::Problem;
use crate::property::Region;
use strategy::patch::reading::PaperReading;

pub use kernel::oracle::{Objective, Oracle};
pub use kernel::tally::Tally;
pub use schedule::portfolio::{falsify, falsify_briefly};
pub use schedule::summary::Ending;

/// A point that violates the property as far as the fast engine can tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate<T> {
    /// The flat network input.
    pub input: Vec<T>,
    /// Inputs whose interval holds no number of type `T`: a witness prints this decimal of the file, and `input`
    /// has the nearest number.
    pub literals: BTreeMap<usize, String>,
}

/// What an independent replay says of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It is a counterexample with a margin that no other engine's rounding will eat up: the search is over.
    Confirmed,
    /// It is one that other engines should confirm, but not every permitted computation does: kept, and for a bounded
    /// share of work the search goes on towards one with a larger margin.
    Held,
    /// It is one, but barely: the search goes on for a while, and this one is kept.
    Thin,
    /// It is one of several that are wanted: kept, and the search goes on for others.
    Kept,
    /// It differs from none that is kept as the wanted ones should, and was not replayed.
    Known,
    /// It is none.
    Rejected,
    /// Nobody needs to know: another one was confirmed while it waited for its replay.
    Late,
}

/// Decides about candidates, and keeps the witness that it confirms.
pub trait Judge<T>: Sync {
    /// Replays the candidate.
    fn judge(&self, candidate: &Candidate<T>) -> Judgement;
}

/// Why a strategy has nothing to do on a problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotApplicable(pub &'static str);

/// Why a strategy returns before its round is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// A witness was confirmed, here or on another thread, or it was proved that there is none.
    Over,
    /// The budget is used up.
    Stopped(StopReason),
}

impl From<StopReason> for Halt {
    fn from(reason: StopReason) -> Self {
        Self::Stopped(reason)
    }
}

/// Whether another round makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It does.
    More,
    /// Everything that this strategy can try has been tried.
    Exhausted,
    /// The region holds no counterexample: bounds that are sound exclude it.
    Proved,
}

/// One strategy on one region. Its state lasts from round to round.
pub trait Falsifier<T: Real>: Send {
    /// Takes what the search's settings say of this strategy, before anything is asked of it.
    ///
    /// # Errors
    /// [`NotApplicable`] if it has nothing to do on the problem with these settings.
    fn configure(&mut self, _problem: &Problem<T>, _config: &Config) -> Result<(), NotApplicable> {
        Ok(())
    }

    /// What the first round costs, roughly, in multiplications: strategies begin in the order of their prices.
    fn price(&self, problem: &Problem<T>) -> u64;

    /// What its work is worth in its region just now, for its row in the schedule: 1 unless the region makes it worth
    /// less, or what it has done makes success likelier. `searched` is what all strategies together have spent in the
    /// region, in units of this one's price.
    fn promise(&self, _searched: f64) -> f64 {
        1.0
    }

    /// Whether it would try something else with another seed.
    fn depends_on_seed(&self) -> bool {
        true
    }

    /// How the region was proved, after [`Progress::Proved`].
    fn proof(&mut self) -> proof::Parts {
        proof::Parts::Together(vec![proof::Part::Excluded(Vec::new())])
    }

    /// Does a bounded piece of work: a batch of restarts, one walk, a block of samples.
    ///
    /// # Errors
    /// [`Halt`] when a witness was confirmed or the budget is used up.
    fn round(&mut self, oracle: &mut Oracle<'_, T>) -> Result<Progress, Halt>;
}

/// Makes a strategy for a region from a seed, or says why it does not apply.
pub type Make<T> = fn(&Problem<T>, &Region, u64) -> Result<Box<dyn Falsifier<T>>, NotApplicable>;

/// Settings of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Seed of all randomness. Default 0.
    pub seed: u64,
    /// Threads, at least 1. One thread and one seed give one answer. Default: [`available_threads`].
    pub threads: usize,
    /// Names of the strategies to use; empty for all. Default empty.
    pub only: Vec<String>,
    /// Names of the strategies to leave out. Default empty.
    pub without: Vec<String>,
    /// How the strategy `patch` understands the paper. Default: [`PaperReading::default`].
    pub reading: Option<PaperReading>,
    /// Whether a thin witness, which another engine's rounding may hide, is an answer: then it is improved for a while only.
    /// Default: no, and the search goes on for a better one as long as it may.
    pub accept_thin: bool,
}

/// The most threads that a search is given unless more are asked for.
pub const MOST_THREADS: usize = 256;

/// How many threads this process may run at the same time, from 1 to [`MOST_THREADS`]: the processors that its affinity
/// and its control group leave it; 1 where the system does not say.
pub fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |threads| threads.get().min(MOST_THREADS))
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 0,
            threads: available_threads(),
            only: Vec::new(),
            without: Vec::new(),
            reading: None,
            accept_thin: false,
        }
    }
}

impl Config {
    /// Whether a strategy is asked for by its name.
    pub fn names(&self, name: &str) -> bool {
        self.only.iter().any(|n| n == name)
    }

    /// Whether a strategy is to be used.
    pub fn admits(&self, name: &str) -> bool {
        (self.only.is_empty() || self.names(name)) && !self.without.iter().any(|n| n == name)
    }
}
