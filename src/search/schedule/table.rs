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

/// Those that need nothing but the network: they are made before what the others need of a large one, its layers and its
/// bounds, and the last of them begins at once. They stand first in the table.
pub(in crate::search) const EARLY: [&str; 3] = ["centre", "sample", "pgd"];

/// Names of all strategies.
pub fn names() -> Vec<&'static str> {
    table::<f32>().iter().map(|entry| entry.name).collect()
}

/// What each strategy does, in a line, in the table's order.
#[cfg(feature = "cli")]
pub const ABOUT: &[(&str, &str)] = &[
    ("centre", "the middle of the box, and its corners"),
    ("sample", "points of the box, spread evenly at first and by chance then"),
    ("pgd", "many ascents at once by the sign of the gradient, with momentum"),
    ("region-walk", "linear programs within activation regions, from one to the next"),
    ("apgd", "Auto-PGD: ascents whose step adapts, on two losses in turn"),
    ("coordinate", "blocks of single-input moves, for gradients that vanish or mislead"),
    ("square", "the Square Attack: corners of the box, without gradients"),
    ("split", "boxes that bounds exclude are discarded, the rest is cut and searched; proves"),
    ("phase-split", "branching on activation phases with bounds sharpened by multipliers; proves"),
    ("facet-walk", "across the facet of the region that keeps the margin down, and on from there"),
    ("target-propagation", "what layers should compute, and then which input makes them; by name only"),
    ("minorant", "a convex function below the margin, by increment and decrement marking; by name only"),
    (
        "phase-milp",
        "the margin over all phases of a few neurons at once, as a mixed-integer program; by name only",
    ),
    (
        "patch",
        "the paper: patches of layers from the middle to the first one, then an input that does the same",
    ),
    ("line-sweep", "every point of a line through the box, bend by bend; proves where one input is free"),
    ("last-digits", "neighbouring floats of points whose margin is zero but for rounding"),
    ("least-squares", "the violated rows as residuals: Levenberg-Marquardt within the box"),
    ("ridges", "what the rows ask of single sums of inputs, as one small program: puzzles, locks, logic"),
    ("glance", "one look at the whole box with the cheapest bounds; proves"),
];

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;

    #[test]
    fn every_strategy_is_explained() {
        let explained: Vec<&str> = ABOUT.iter().map(|(name, _)| *name).collect();
        assert_eq!(explained, names());
        assert_eq!(names()[..EARLY.len()], EARLY);
    }
}
