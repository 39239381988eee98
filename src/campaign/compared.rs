//! Two campaigns beside each other: what the newer one has won and what it has lost.

use std::cmp::Ordering;

use serde::{Serialize, Serializer};

use super::collected::{AskedWords, Collected, CollectedUnit};
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
    /// What was asked.
    #[serde(flatten)]
    pub asked: AskedWords<'a>,
    /// The verdict before, and its seconds.
    pub before: (UnitVerdict, f64),
    /// The verdict now, and its seconds.
    pub after: (UnitVerdict, f64),
}

/// Two campaigns.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Compared<'a> {
    /// Of units that both have a result of: verdict and seconds before, and now.
    #[serde(rename = "units", serialize_with = "number")]
    pub times: Vec<[(UnitVerdict, f64); 2]>,
    /// Units that only one of the two has a result of: they are not compared.
    pub alone: usize,
    /// Units with another answer, flipped ones first, then by name.
    pub moved: Vec<ShiftedUnit<'a>>,
    /// Seconds of the units that both have decided: before, and now.
    pub seconds: (f64, f64),
}

/// In JSON there is only the number of all.
fn number<S: Serializer>(times: &[[(UnitVerdict, f64); 2]], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(times.len() as u64)
}

impl<'a> Compared<'a> {
    /// Compares `after` with `before`.
    pub fn new(before: &'a Collected, after: &'a Collected) -> Self {
        let mut compared = Self::default();
        let (mut older, mut newer) = (before.found.as_slice(), after.found.as_slice());
        // Both are in the order of their words.
        while let (Some((then, behind)), Some((now, rest))) = (older.split_first(), newer.split_first()) {
            let (old, new) = (before.words(then.asked), after.words(now.asked));
            match old.cmp(&new) {
                Ordering::Equal => {
                    compared.add(new, then, now);
                    (older, newer) = (behind, rest);
                }
                Ordering::Less => {
                    compared.alone += 1;
                    older = behind;
                }
                Ordering::Greater => {
                    compared.alone += 1;
                    newer = rest;
                }
            }
        }
        compared.alone += older.len() + newer.len();
        compared.moved.sort_by_key(|moved| moved.shift);
        compared
    }

    fn add(&mut self, asked: AskedWords<'a>, before: &CollectedUnit, after: &CollectedUnit) {
        let end = |found: &CollectedUnit| (found.verdict, found.resources.wall_seconds);
        let (before, after) = (end(before), end(after));
        self.times.push([before, after]);
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
        self.moved.extend(shift.map(|shift| ShiftedUnit { shift, asked, before, after }));
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
        assert_eq!((compared.times.len(), compared.alone, compared.seconds), (4, 1, (2.0, 1.5)));
        assert_eq!(compared.count(Shift::Won), 1);
    }
}
