//! Two campaigns beside each other: what the newer one has won and what it has lost.

use serde::Serialize;

use super::collected::{Asked, Collected, CollectedUnit};
use super::result::UnitVerdict;

/// What has become of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shift {
    /// `sat` was `unsat` before, or the other way round: one of the two is wrong.
    Flipped,
    /// It was decided before, and is not any more.
    Lost,
    /// It is decided, and was not before.
    Won,
}

/// A unit whose answer is another one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShiftedUnit<'a> {
    /// What has become of it.
    pub shift: Shift,
    /// The benchmark.
    pub benchmark: &'a str,
    /// The network.
    pub network: &'a str,
    /// The property.
    pub property: &'a str,
    /// The tool.
    pub tool: &'a str,
    /// The seed.
    pub seed: u64,
    /// The verdict before, and its seconds.
    pub before: (UnitVerdict, f64),
    /// The verdict now, and its seconds.
    pub after: (UnitVerdict, f64),
}

/// Two campaigns.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Compared<'a> {
    /// Units that both have a result of.
    pub units: usize,
    /// Units that only one of the two has a result of: they are not compared.
    pub alone: usize,
    /// Units with another answer, flipped ones first, then by name.
    pub moved: Vec<ShiftedUnit<'a>>,
    /// Seconds of the units that both have decided: before, and now.
    pub seconds: (f64, f64),
}

impl<'a> Compared<'a> {
    /// Compares `after` with `before`.
    pub fn new(before: &'a Collected, after: &'a Collected) -> Self {
        let mut compared = Self::default();
        let only_before = before.found.keys().filter(|asked| !after.found.contains_key(*asked)).count();
        compared.alone = only_before;
        for (asked, now) in &after.found {
            match before.found.get(asked) {
                Some(then) => compared.add(asked, then, now),
                None => compared.alone += 1,
            }
        }
        compared.moved.sort_by_key(|moved| moved.shift);
        compared
    }

    fn add(&mut self, asked: &'a Asked, before: &CollectedUnit, after: &CollectedUnit) {
        self.units += 1;
        let end = |found: &CollectedUnit| (found.result.verdict, found.result.resources.wall_seconds);
        let (before, after) = (end(before), end(after));
        let shift = match (before.0.is_solved(), after.0.is_solved()) {
            (true, true) => {
                self.seconds.0 += before.1;
                self.seconds.1 += after.1;
                (before.0 != after.0).then_some(Shift::Flipped)
            }
            (true, false) => Some(Shift::Lost),
            (false, true) => Some(Shift::Won),
            (false, false) => None,
        };
        let (benchmark, network, property, tool, seed) = asked;
        self.moved.extend(shift.map(|shift| ShiftedUnit {
            shift,
            benchmark,
            network,
            property,
            tool,
            seed: *seed,
            before,
            after,
        }));
    }

    /// How many units have become so.
    pub fn count(&self, shift: Shift) -> usize {
        self.moved.iter().filter(|moved| moved.shift == shift).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::collected::tests::with;

    #[test]
    fn what_was_won_and_lost_is_found() {
        use UnitVerdict::{Sat, Timeout, Unknown, Unsat};
        let collected = |results: &[(UnitVerdict, f64)]| {
            let (_temporary, folder, plan) = with(results);
            let mut collected = Collected::default();
            collected.add(&folder, &plan).unwrap();
            collected
        };
        let before = collected(&[(Sat, 1.0), (Unknown, 3.0), (Unsat, 2.0), (Sat, 1.0), (Timeout, 3.0)]);
        let after = collected(&[(Sat, 0.5), (Unsat, 1.0), (Timeout, 3.0), (Unsat, 1.0)]);
        let compared = Compared::new(&before, &after);
        let changes: Vec<Shift> = compared.moved.iter().map(|moved| moved.shift).collect();
        assert_eq!(changes, [Shift::Flipped, Shift::Lost, Shift::Won]);
        assert_eq!((compared.units, compared.alone, compared.seconds), (4, 1, (2.0, 1.5)));
        assert_eq!(compared.count(Shift::Won), 1);
    }
}
