//! The table of strategies: who takes part, where, and with which share of the work.

use super::{Config, Make};
use super::{
    apgd_strategy, centre, coordinate, facet_walk, line_sweep, minorant, patch, pgd, phase_milp, phase_split,
    region_walk, sample, split, square_strategy, target_propagation,
};
use crate::network::Real;

/// A strategy's row in the table.
pub(super) struct Entry<T> {
    pub name: &'static str,
    pub make: Make<T>,
    /// Its share of the work: one with weight 2 gets twice as much as one with weight 1.
    pub weight: f64,
    pub part: Part,
}

impl<T> Entry<T> {
    /// Whether it is used on some thread.
    pub(super) fn takes_part(&self, config: &Config) -> bool {
        config.admits(self.name) && (self.part != Part::ByName || config.names(self.name))
    }
}

/// Where a strategy takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// In the portfolio, on every thread with its own seed.
    EveryThread,
    /// In the portfolio, on one thread: it would do the same on each.
    OneThread,
    /// Only where it is asked for by name: the ablation (`benchmarks/strategies.md`) shows that the portfolio finds as
    /// much without it, but it is what the measurements of patching compare.
    ByName,
}

/// All strategies, roughly from the cheapest to the dearest. A new one is put last: the others keep their seeds.
pub(super) fn table<T: Real>() -> Vec<Entry<T>> {
    use Part::*;
    vec![
        Entry { name: "centre", make: centre::make, weight: 1.0, part: EveryThread },
        Entry { name: "sample", make: sample::make, weight: 0.5, part: EveryThread },
        Entry { name: "pgd", make: pgd::make, weight: 1.0, part: EveryThread },
        Entry { name: "region-walk", make: region_walk::make, weight: 1.0, part: EveryThread },
        Entry { name: "apgd", make: apgd_strategy::make, weight: 0.5, part: EveryThread },
        Entry { name: "coordinate", make: coordinate::make, weight: 0.1, part: EveryThread },
        Entry { name: "square", make: square_strategy::make, weight: 0.05, part: EveryThread },
        Entry { name: "split", make: split::make, weight: 1.0, part: OneThread },
        Entry { name: "phase-split", make: phase_split::make, weight: 1.0, part: OneThread },
        Entry { name: "facet-walk", make: facet_walk::make, weight: 0.5, part: EveryThread },
        Entry { name: "target-propagation", make: target_propagation::make, weight: 0.25, part: ByName },
        Entry { name: "minorant", make: minorant::make, weight: 0.25, part: ByName },
        Entry { name: "phase-milp", make: phase_milp::make, weight: 0.5, part: EveryThread },
        Entry { name: "patch", make: patch::strategy::make, weight: 0.1, part: EveryThread },
        Entry { name: "line-sweep", make: line_sweep::make, weight: 0.5, part: OneThread },
    ]
}

/// Names of all strategies.
pub fn names() -> Vec<&'static str> {
    table::<f32>().iter().map(|entry| entry.name).collect()
}
