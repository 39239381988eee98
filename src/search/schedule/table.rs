//! The table of strategies: who takes part, where, and with which share of the work.

use crate::network::Real;
use crate::search::strategy::{
    apgd, centre, coordinate, facet_walk, glance, last_digits, least_squares, line_sweep, minorant, patch,
    pgd, phase_milp, phase_split, region_walk, ridges, sample, split, square, target_propagation,
};
use crate::search::{Config, Make};

/// A strategy's row in the table.
pub(in crate::search) struct StrategyEntry<T> {
    pub name: &'static str,
    pub make: Make<T>,
    /// Its share of the work: one with weight 2 gets twice as much as one with weight 1.
    pub weight: f64,
    pub part: Participation,
    /// Whether it proves something about all ways to violate: where they are too many to be listed, it does not apply.
    pub needs_all_ways: bool,
}

impl<T> StrategyEntry<T> {
    /// Whether it is used on some thread.
    pub(in crate::search) fn takes_part(&self, config: &Config) -> bool {
        config.admits(self.name) && (self.part != Participation::ByName || config.names(self.name))
    }
}

/// Where a strategy takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::search) enum Participation {
    /// In the portfolio, on every thread with its own seed.
    EveryThread,
    /// In the portfolio, on one thread: it would do the same on each.
    OneThread,
    /// Only where it is asked for by name: the ablation (`benchmarks/strategies.md`) shows that the portfolio finds as
    /// much without it, but it is what the measurements of patching compare.
    ByName,
}

/// A row of a strategy that proves nothing.
pub(in crate::search) fn entry<T>(
    name: &'static str,
    make: Make<T>,
    weight: f64,
    part: Participation,
) -> StrategyEntry<T> {
    StrategyEntry { name, make, weight, part, needs_all_ways: false }
}

/// All strategies, roughly from the cheapest to the dearest. A new one is put last: the others keep their seeds.
pub(in crate::search) fn table<T: Real>() -> Vec<StrategyEntry<T>> {
    use Participation::*;
    vec![
        entry("centre", centre::make, 1.0, EveryThread),
        entry("sample", sample::make, 0.5, EveryThread),
        entry("pgd", pgd::make, 1.0, EveryThread),
        entry("region-walk", region_walk::make, 1.0, EveryThread),
        entry("apgd", apgd::make, 0.5, EveryThread),
        entry("coordinate", coordinate::make, 0.1, EveryThread),
        entry("square", square::make, 0.05, EveryThread),
        entry("split", split::make, 1.0, OneThread),
        StrategyEntry { needs_all_ways: true, ..entry("phase-split", phase_split::make, 1.0, OneThread) },
        entry("facet-walk", facet_walk::make, 0.5, EveryThread),
        entry("target-propagation", target_propagation::make, 0.25, ByName),
        entry("minorant", minorant::make, 0.25, ByName),
        entry("phase-milp", phase_milp::make, 0.5, ByName),
        entry(patch::strategy::NAME, patch::strategy::make, 0.1, EveryThread),
        entry("line-sweep", line_sweep::make, 0.5, OneThread),
        entry("last-digits", last_digits::make, 0.25, EveryThread),
        entry("least-squares", least_squares::make, 1.0, EveryThread),
        entry("ridges", ridges::make, 0.5, OneThread),
        entry("glance", glance::make, 1.0, OneThread),
    ]
}

/// Names of all strategies.
pub fn names() -> Vec<&'static str> {
    table::<f32>().iter().map(|entry| entry.name).collect()
}
