//! What came of one campaign or of several, merged: each unit once, and what follows from all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Serialize;

use super::folder::{CampaignFolder, FolderError, StoredResult};
use super::plan::{Campaign, PlannedInstance};
use super::result::{UnitResult, UnitVerdict};

/// The result of a unit, and the folder that it is in.
#[derive(Debug, Clone)]
pub struct CollectedUnit {
    /// The result, called as the folder's plan calls its instance and its tool.
    pub result: UnitResult,
    /// The folder.
    pub folder: CampaignFolder,
}

/// What tells units of several campaigns apart: benchmark, network, property, tool, seed.
pub type Asked = (String, String, String, String, u64);

/// All results.
#[derive(Debug, Default)]
pub struct Collected {
    /// One a unit, by benchmark, network, property, tool and seed.
    pub found: BTreeMap<Asked, CollectedUnit>,
    /// Units without a result.
    pub open: BTreeSet<Asked>,
    /// Units that several folders have results of; the folder that was named last counts.
    pub repeated: usize,
    /// Results that belong to no unit of their folder's plan: of other versions of files or programs.
    pub foreign: usize,
    /// Results that cannot be read: their units count as open.
    pub broken: Vec<PathBuf>,
}

/// How a tool does on a benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Scores {
    /// Units by verdict, in the order of [`UnitVerdict::ALL`].
    pub verdicts: [usize; 6],
    /// Seconds of all units together.
    pub wall_seconds: f64,
    /// Processor seconds of all units together.
    pub cpu_seconds: f64,
    /// Bytes that the largest process has held.
    pub peak_bytes: u64,
}

/// An instance about which there are opposite claims.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Opposed<'a> {
    /// The benchmark.
    pub benchmark: &'a str,
    /// The network.
    pub network: &'a str,
    /// The property.
    pub property: &'a str,
    /// Who says `sat`.
    pub sat: Vec<String>,
    /// Who says `unsat`.
    pub unsat: Vec<String>,
}

impl Scores {
    /// Adds a result.
    pub fn add(&mut self, result: &UnitResult) {
        self.verdicts[result.verdict as usize] += 1;
        self.wall_seconds += result.resources.wall_seconds;
        self.cpu_seconds += result.resources.cpu_seconds;
        self.peak_bytes = self.peak_bytes.max(result.resources.peak_bytes);
    }

    /// How many units there are.
    pub fn units(&self) -> usize {
        self.verdicts.iter().sum()
    }

    /// How many of them are decided.
    pub fn solved(&self) -> usize {
        self.verdicts[UnitVerdict::Sat as usize] + self.verdicts[UnitVerdict::Unsat as usize]
    }
}

impl Collected {
    /// Adds the results of a folder.
    ///
    /// # Errors
    /// If the system refuses to read what is there.
    pub fn add(&mut self, folder: &CampaignFolder, plan: &Campaign) -> Result<(), FolderError> {
        let there = folder.keys()?;
        let mut known = BTreeSet::new();
        for unit in plan.units() {
            let key = plan.key(unit);
            let (instance, tool) = (&plan.instances[unit.instance], &plan.tools[unit.tool]);
            let PlannedInstance { benchmark, network, property, .. } = instance.clone();
            let asked = (benchmark, network, property, tool.name.clone(), unit.seed);
            let stored =
                if there.contains(key.as_str()) { folder.result(&key)? } else { StoredResult::Missing };
            known.insert(key.to_string());
            match stored {
                StoredResult::Whole(mut result) => {
                    (result.benchmark, result.network, result.property) =
                        (asked.0.clone(), asked.1.clone(), asked.2.clone());
                    result.tool.clone_from(&asked.3);
                    self.open.remove(&asked);
                    let found = CollectedUnit { result: *result, folder: folder.clone() };
                    self.repeated += usize::from(self.found.insert(asked, found).is_some());
                }
                StoredResult::Broken(_) | StoredResult::Missing => {
                    if let StoredResult::Broken(_) = stored {
                        self.broken.push(folder.beside(&format!("{key}.json")));
                    }
                    if !self.found.contains_key(&asked) {
                        self.open.insert(asked);
                    }
                }
            }
        }
        self.foreign += there.iter().filter(|key| !known.contains(*key)).count();
        Ok(())
    }

    /// All results, in their order.
    pub fn results(&self) -> impl Iterator<Item = &UnitResult> {
        self.found.values().map(|found| &found.result)
    }

    /// Tools that have run with several seeds.
    fn seeded(&self) -> BTreeSet<&str> {
        let mut seeds: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
        for (_, _, _, tool, seed) in self.found.keys().chain(&self.open) {
            seeds.entry(tool).or_default().insert(*seed);
        }
        seeds.into_iter().filter(|(_, seeds)| seeds.len() > 1).map(|(tool, _)| tool).collect()
    }

    /// All results with their tools' names for tables.
    pub fn labelled(&self) -> impl Iterator<Item = (String, &CollectedUnit)> {
        let seeded = self.seeded();
        self.found.values().map(move |found| (label(&seeded, &found.result), found))
    }

    /// Each tool, with all its seeds, on each benchmark, by name.
    pub fn scores(&self) -> BTreeMap<(String, String), Scores> {
        let mut scores: BTreeMap<(String, String), Scores> = BTreeMap::new();
        for result in self.results() {
            scores.entry((result.tool.clone(), result.benchmark.clone())).or_default().add(result);
        }
        scores
    }

    /// The times of what each tool has decided, the shortest first.
    pub fn solved_over_time(&self) -> BTreeMap<String, Vec<f64>> {
        let mut times: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (label, found) in self.labelled() {
            let of_tool = times.entry(label).or_default();
            of_tool.extend(found.result.verdict.is_solved().then_some(found.result.resources.wall_seconds));
        }
        times.values_mut().for_each(|times| times.sort_by(f64::total_cmp));
        times
    }

    /// Where one unit says `sat` and another one `unsat`.
    pub fn opposed(&self) -> Vec<Opposed<'_>> {
        let mut claims: BTreeMap<(&str, &str, &str), [Vec<String>; 2]> = BTreeMap::new();
        for (label, found) in self.labelled() {
            let result = &found.result;
            let side = match result.verdict {
                UnitVerdict::Sat => 0,
                UnitVerdict::Unsat => 1,
                _ => continue,
            };
            let instance = (result.benchmark.as_str(), result.network.as_str(), result.property.as_str());
            claims.entry(instance).or_default()[side].push(label);
        }
        let both = |((benchmark, network, property), [sat, unsat]): ((_, _, _), [Vec<String>; 2])| {
            let opposed = !sat.is_empty() && !unsat.is_empty();
            opposed.then_some(Opposed { benchmark, network, property, sat, unsat })
        };
        claims.into_iter().filter_map(both).collect()
    }
}

/// What a result's tool is called in tables: with the seed, if the tool has run with several.
fn label(seeded: &BTreeSet<&str>, result: &UnitResult) -> String {
    match seeded.contains(result.tool.as_str()) {
        true => format!("{}-seed{}", result.tool, result.seed),
        false => result.tool.clone(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::campaign::folder::UnitEvidence;
    use crate::campaign::plan::tests::campaign;
    use crate::campaign::result::tests::result;

    /// A folder with results of the first units of the plan: verdicts and seconds, in their order.
    pub(crate) fn with(results: &[(UnitVerdict, f64)]) -> (tempfile::TempDir, CampaignFolder, Campaign) {
        let (temporary, plan) = (tempfile::tempdir().unwrap(), campaign());
        let folder = CampaignFolder::at(temporary.path());
        folder.begin(&plan).unwrap();
        for (unit, &(verdict, seconds)) in plan.units().zip(results) {
            let mut result = result(plan.key(unit), verdict, seconds);
            result.seed = unit.seed;
            let witness = (verdict == UnitVerdict::Sat).then(|| b"sat\n((X_0 1))\n".to_vec());
            folder.write(result, &UnitEvidence { witness, certificate: None }).unwrap();
        }
        (temporary, folder, plan)
    }

    #[test]
    fn folders_are_merged_and_nothing_is_counted_twice() {
        use UnitVerdict::{Sat, Unknown, Unsat};
        let (_first, one, plan) = with(&[(Sat, 1.0), (Unknown, 3.0)]);
        let (_second, two, _) = with(&[(Sat, 0.5), (Sat, 2.0), (Unsat, 0.1)]);
        let mut collected = Collected::default();
        collected.add(&one, &plan).unwrap();
        assert_eq!((collected.found.len(), collected.open.len()), (2, 6));
        collected.add(&two, &plan).unwrap();
        assert_eq!((collected.found.len(), collected.open.len(), collected.repeated), (3, 5, 2));
        let seconds: Vec<f64> = collected.results().map(|result| result.resources.wall_seconds).collect();
        assert_eq!(seconds, [0.5, 2.0, 0.1]);
        let labels: Vec<String> = collected.labelled().map(|(label, _)| label).collect();
        assert_eq!(labels, ["counterpatch-seed0", "counterpatch-seed3", "other-seed0"]);
        let times = collected.solved_over_time();
        assert_eq!(times["counterpatch-seed3"], [2.0]);
        let scores = collected.scores();
        let scores = scores[&("other".to_owned(), "b".to_owned())];
        assert_eq!((scores.units(), scores.solved(), scores.cpu_seconds), (1, 1, 0.2));
        let [opposed] = &collected.opposed()[..] else { panic!() };
        assert_eq!((opposed.sat.len(), opposed.unsat.as_slice()), (2, &["other-seed0".to_owned()][..]));
    }

    #[test]
    fn results_of_other_versions_and_broken_ones_are_named_and_not_counted() {
        let (_temporary, folder, mut plan) = with(&[(UnitVerdict::Sat, 1.0), (UnitVerdict::Unsat, 1.0)]);
        let key = plan.key(plan.units().nth(1).unwrap());
        std::fs::write(folder.beside(&format!("{key}.json")), "{\"counterpatch").unwrap();
        plan.tools[1].version = "new".into();
        let mut collected = Collected::default();
        collected.add(&folder, &plan).unwrap();
        assert_eq!((collected.found.len(), collected.foreign, collected.broken.len()), (1, 0, 1));
        plan.tools[0].version = "new".into();
        let mut collected = Collected::default();
        collected.add(&folder, &plan).unwrap();
        assert_eq!((collected.found.len(), collected.foreign, collected.open.len()), (0, 2, 8));
    }
}
