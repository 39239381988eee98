//! What a search did, strategy by strategy, on all threads together.

use std::time::Duration;

use crate::budget::StopReason;
use crate::network::Real;
use crate::search::Config;
use crate::search::kernel::oracle::Best;
use crate::search::kernel::tally::Tally;
use crate::search::observer::{Ended, Event, Observer};
use crate::search::proof::RegionProof;
use crate::search::schedule::table::StrategyEntry;

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The judge holds a witness, if only a thin one.
    Found,
    /// Sound bounds exclude a counterexample everywhere.
    Proved,
    /// Neither.
    Stopped(StopReason),
}

/// What a search did.
#[derive(Debug, Clone)]
pub struct SearchSummary<T> {
    /// How it ended.
    pub ending: Ending,
    /// One entry a strategy, in the order of the table, all threads and regions together.
    pub strategies: Vec<StrategySummary>,
    /// The best point of all.
    pub best: Option<Best<T>>,
    /// Candidates that the judge rejected.
    pub rejected: usize,
    /// How far inputs without a bound were searched, if there are any.
    pub reach: Option<f64>,
    /// How the regions were proved, if all of them were.
    pub proofs: Vec<RegionProof>,
}

/// What one strategy did.
#[derive(Debug, Clone, PartialEq)]
pub struct StrategySummary {
    /// Its name.
    pub name: &'static str,
    /// Rounds.
    pub rounds: u64,
    /// Evaluations, gradients, programs.
    pub tally: Tally,
    /// Time on all threads together.
    pub time: Duration,
    /// The best margin that it saw; `None` if it never ran.
    pub best_margin: Option<f64>,
    /// Why it never ran, where that is so.
    pub not_applicable: Option<&'static str>,
    /// Whether its last round confirmed the witness.
    pub found: bool,
}

impl StrategySummary {
    /// Of a strategy that has not run.
    pub(in crate::search) fn new(name: &'static str) -> Self {
        Self {
            name,
            rounds: 0,
            tally: Tally::default(),
            time: Duration::ZERO,
            best_margin: None,
            not_applicable: None,
            found: false,
        }
    }
}

impl<T: Real> SearchSummary<T> {
    /// Adds the strategies of threads that were not needed, and brings all into the table's order.
    pub(in crate::search) fn complete(&mut self, config: &Config, table: &[StrategyEntry<T>]) {
        let wanted = table.iter().filter(|entry| entry.takes_part(config));
        let find = |entry: &StrategyEntry<T>| self.strategies.iter().find(|s| s.name == entry.name).cloned();
        self.strategies = wanted.map(|e| find(e).unwrap_or_else(|| StrategySummary::new(e.name))).collect();
    }

    pub(in crate::search) fn report(&self, observer: &dyn Observer) {
        for strategy in &self.strategies {
            let ended = match (self.ending, strategy.not_applicable) {
                _ if strategy.found => Ended::Found,
                (_, Some(reason)) if strategy.rounds == 0 => Ended::NotApplicable(reason),
                (Ending::Stopped(reason), _) => Ended::Stopped(reason),
                // Another strategy has settled it.
                (Ending::Found | Ending::Proved, _) => Ended::Stopped(StopReason::Interrupted),
            };
            observer.event(&Event::StrategyFinished {
                strategy: strategy.name,
                rounds: strategy.rounds,
                evaluations: strategy.tally.evaluations,
                gradients: strategy.tally.gradients,
                programs: strategy.tally.programs,
                best_margin: strategy.best_margin,
                time: strategy.time,
                ended,
            });
        }
    }

    pub(in crate::search) fn absorb(&mut self, other: Self) {
        if matches!(other.ending, Ending::Found | Ending::Proved) {
            self.ending = other.ending;
        }
        if self.proofs.is_empty() {
            self.proofs = other.proofs;
        }
        self.reach = self.reach.into_iter().chain(other.reach).reduce(f64::max);
        if let Some(theirs) = other.best
            && self.best.as_ref().is_none_or(|own| theirs.margin > own.margin)
        {
            self.best = Some(theirs);
        }
        for theirs in other.strategies {
            let Some(own) = self.strategies.iter_mut().find(|own| own.name == theirs.name) else {
                self.strategies.push(theirs);
                continue;
            };
            own.rounds += theirs.rounds;
            own.tally += theirs.tally;
            own.time += theirs.time;
            own.best_margin = own.best_margin.into_iter().chain(theirs.best_margin).reduce(f64::max);
            own.not_applicable = own.not_applicable.or(theirs.not_applicable);
            own.found |= theirs.found;
        }
    }
}
