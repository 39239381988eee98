//! What came of one campaign or of several, merged: each unit once, and what follows from all of them.
//!
//! A campaign may have a million units, so that a result is held in some 170 bytes: its texts by their numbers, its log by the
//! place where it can be read. Results are read from journals (`folder::journal`), as many in a second as hundreds
//! of thousands; the file of a unit is opened where no journal has its line, or has several, or one of another length.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::thread;

use serde::Serialize;

use super::folder::{CampaignFolder, FolderError, JournalPlace, OpenJournals, StoredResult, journalled};
use super::key::{KeyTable, PackedKey, packed, unpacked};
use super::names::{NameNumber, SharedNames};
use super::plan::Campaign;
use super::result::{Resources, UnitExtract, UnitHead, UnitResult, UnitVerdict};

/// What tells units of several campaigns apart. These compare as their texts do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asked {
    /// The benchmark.
    pub benchmark: NameNumber,
    /// The network, as the plan calls it.
    pub network: NameNumber,
    /// The property, likewise.
    pub property: NameNumber,
    /// The tool, likewise.
    pub tool: NameNumber,
    /// The seed.
    pub seed: u64,
}

/// The same in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct AskedWords<'a> {
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
}

/// The result of a unit.
#[derive(Debug, Clone, Copy)]
pub struct CollectedUnit {
    /// What was asked.
    pub asked: Asked,
    /// How it has ended.
    pub verdict: UnitVerdict,
    /// The time limit, in seconds.
    pub limit: f64,
    /// What it has used.
    pub resources: Resources,
    /// The tool's version.
    pub version: NameNumber,
    /// Where it ran.
    pub host: NameNumber,
    /// More of its ending; may be empty.
    pub why: NameNumber,
    has_witness: bool,
    has_certificate: bool,
    has_log: bool,
    key: PackedKey,
    /// Of the folders.
    folder: u32,
    /// The journal, of all of them, and the place in it; `None` for the unit's own file.
    noted: Option<(u32, JournalPlace)>,
}

/// All results.
#[derive(Debug, Default)]
pub struct Collected {
    /// One a unit, by benchmark, network, property, tool and seed.
    pub found: Vec<CollectedUnit>,
    /// Units without a result, in the same order.
    pub open: Vec<Asked>,
    /// Units that several folders have results of; the folder that was named last counts.
    pub repeated: usize,
    /// Results that belong to no unit of their folder's plan: of other versions of files or programs.
    pub foreign: usize,
    /// Results that cannot be read: their units count as open.
    pub broken: Vec<PathBuf>,
    names: SharedNames,
    folders: Vec<CampaignFolder>,
    journals: Vec<PathBuf>,
    /// Tools that have run with several seeds.
    seeded: BTreeSet<NameNumber>,
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
    pub fn add(&mut self, unit: &CollectedUnit) {
        self.verdicts[unit.verdict as usize] += 1;
        self.wall_seconds += unit.resources.wall_seconds;
        self.cpu_seconds += unit.resources.cpu_seconds;
        self.peak_bytes = self.peak_bytes.max(unit.resources.peak_bytes);
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

/// What is known of a planned unit's key while its folder is read.
#[derive(Debug, Clone, Copy)]
enum UnitTrace {
    /// Nothing.
    None,
    /// A line of a journal.
    Noted(CollectedUnit),
    /// Several lines: a file was put aside, and made anew.
    Doubtful,
    /// A file that is to be read.
    File,
    /// A result.
    Found(CollectedUnit),
}

/// The units of a plan and their keys.
struct WantedUnits {
    /// One a unit, with the place of its key: units of different names may be one question.
    units: Vec<(Asked, u32)>,
    places: KeyTable<u32>,
    /// One a key.
    traces: Vec<UnitTrace>,
}

/// Reads the logs of results.
#[derive(Debug)]
pub struct CollectedLogs<'a> {
    collected: &'a Collected,
    journals: OpenJournals,
}

impl WantedUnits {
    fn new(plan: &Campaign, names: &mut SharedNames) -> Self {
        let mut called = |text: &str| names.number(text);
        let instances: Vec<[NameNumber; 3]> = plan
            .instances
            .iter()
            .map(|instance| {
                [&instance.benchmark, &instance.network, &instance.property].map(|text| called(text))
            })
            .collect();
        let tools: Vec<NameNumber> = plan.tools.iter().map(|tool| called(&tool.name)).collect();
        let count = plan.units().count();
        let (mut units, mut places) = (Vec::with_capacity(count), KeyTable::default());
        places.reserve(count);
        for (unit, key) in plan.keyed_units() {
            let [benchmark, network, property] = instances[unit.instance];
            let asked = Asked { benchmark, network, property, tool: tools[unit.tool], seed: unit.seed };
            let fresh = places.len() as u32;
            units.push((asked, *places.entry(key).or_insert(fresh)));
        }
        let traces = vec![UnitTrace::None; places.len()];
        Self { units, places, traces }
    }

    /// Which of the results have files, by a list of these; how many belong to no unit.
    fn look(&mut self, listed: Vec<(PackedKey, u64)>) -> usize {
        let mut foreign = 0;
        for (key, bytes) in listed {
            let Some(&place) = self.places.get(&key) else {
                foreign += 1;
                continue;
            };
            let trace = &mut self.traces[place as usize];
            *trace = match *trace {
                // The file has an end of line.
                UnitTrace::Noted(unit) if unit.noted.is_some_and(|(_, place)| place.bytes() + 1 == bytes) => {
                    UnitTrace::Found(unit)
                }
                _ => UnitTrace::File,
            };
        }
        // What was noted while the list was made may be there by now.
        for trace in &mut self.traces {
            if matches!(trace, UnitTrace::Noted(_) | UnitTrace::Doubtful) {
                *trace = UnitTrace::File;
            }
        }
        foreign
    }
}

impl Collected {
    /// Adds the results of a folder.
    ///
    /// # Errors
    /// If the system refuses to read what is there.
    pub fn add(&mut self, folder: &CampaignFolder, plan: &Campaign) -> Result<(), FolderError> {
        // A list of a million files takes as long as half of the rest.
        let (noted, listed) = thread::scope(|scope| {
            let listed = scope.spawn(|| folder.lengths());
            let noted = self.noted(folder, plan);
            (noted, listed.join().unwrap_or_else(|panic| resume_unwind(panic)))
        });
        let mut wanted = noted?;
        self.foreign += wanted.look(listed?);
        self.read_files(folder, &mut wanted)?;
        for (asked, place) in wanted.units {
            match wanted.traces[place as usize] {
                UnitTrace::Found(unit) => self.found.push(CollectedUnit { asked, ..unit }),
                _ => self.open.push(asked),
            }
        }
        self.settle();
        Ok(())
    }

    /// The units of a plan, and what the folder's journals tell of them.
    fn noted(&mut self, folder: &CampaignFolder, plan: &Campaign) -> Result<WantedUnits, FolderError> {
        let mut wanted = WantedUnits::new(plan, &mut self.names);
        self.folders.push(folder.clone());
        for journal in folder.segments()? {
            self.read_journal(journal, &mut wanted)?;
        }
        Ok(wanted)
    }

    fn read_journal(&mut self, journal: PathBuf, wanted: &mut WantedUnits) -> Result<(), FolderError> {
        let number = self.journals.len() as u32;
        journalled(&journal, |text, place| {
            // Lines of other forms are left to the units' files, which are named if they cannot be read.
            let Some(extract) = UnitExtract::of_line(text) else { return };
            let Some(key) = packed(&extract.key) else { return };
            let Some(&at) = wanted.places.get(&key) else { return };
            let trace = &mut wanted.traces[at as usize];
            *trace = match trace {
                UnitTrace::None => UnitTrace::Noted(self.unit(&extract, key, Some((number, place)))),
                _ => UnitTrace::Doubtful,
            };
        })?;
        self.journals.push(journal);
        Ok(())
    }

    /// Reads the files of results that no journal tells of for certain.
    fn read_files(&mut self, folder: &CampaignFolder, wanted: &mut WantedUnits) -> Result<(), FolderError> {
        for (key, &place) in &wanted.places {
            let trace = &mut wanted.traces[place as usize];
            if !matches!(trace, UnitTrace::File) {
                continue;
            }
            let name = unpacked(key);
            *trace = match folder.listed_result(&name)? {
                StoredResult::Whole(result) => {
                    UnitTrace::Found(self.unit(&UnitExtract::of(&result), *key, None))
                }
                StoredResult::Missing => UnitTrace::None,
                StoredResult::Broken(_) => {
                    self.broken.push(folder.beside(&format!("{name}.json")));
                    UnitTrace::None
                }
            };
        }
        self.broken.sort();
        Ok(())
    }

    /// A result of the folder that was added last; what was asked is what its plan says.
    fn unit(
        &mut self,
        extract: &UnitExtract<'_>,
        key: PackedKey,
        noted: Option<(u32, JournalPlace)>,
    ) -> CollectedUnit {
        let mut number = |text: &str| self.names.number(text);
        let nothing = number("");
        CollectedUnit {
            asked: Asked { benchmark: nothing, network: nothing, property: nothing, tool: nothing, seed: 0 },
            verdict: extract.verdict,
            limit: extract.limit,
            resources: extract.resources,
            version: number(&extract.version),
            host: number(&extract.host),
            why: number(&extract.why),
            has_witness: extract.witness.0,
            has_certificate: extract.certificate.0,
            has_log: extract.log.0,
            key,
            folder: self.folders.len() as u32 - 1,
            noted,
        }
    }

    /// Orders all by their names, and drops what later folders have results of.
    fn settle(&mut self) {
        let number = self.names.sort();
        let sorted = |asked: &mut Asked| {
            for name in [&mut asked.benchmark, &mut asked.network, &mut asked.property, &mut asked.tool] {
                *name = number(*name);
            }
        };
        for unit in &mut self.found {
            sorted(&mut unit.asked);
            for name in [&mut unit.version, &mut unit.host, &mut unit.why] {
                *name = number(*name);
            }
        }
        self.open.iter_mut().for_each(sorted);
        // Of equal ones the later stays behind the earlier.
        self.found.sort_by_key(|unit| unit.asked);
        let before = self.found.len();
        self.found.dedup_by(|later, kept| {
            let is_same = later.asked == kept.asked;
            if is_same {
                *kept = *later;
            }
            is_same
        });
        self.repeated += before - self.found.len();
        self.open.sort_unstable();
        self.open.dedup();
        let found = &self.found;
        self.open.retain(|asked| found.binary_search_by_key(asked, |unit| unit.asked).is_err());
        self.seeded = self.with_several_seeds();
    }

    fn with_several_seeds(&self) -> BTreeSet<NameNumber> {
        let mut first: HashMap<NameNumber, u64> = HashMap::new();
        let all = self.found.iter().map(|unit| unit.asked).chain(self.open.iter().copied());
        all.filter(|asked| *first.entry(asked.tool).or_insert(asked.seed) != asked.seed)
            .map(|asked| asked.tool)
            .collect()
    }

    /// A text by its number.
    pub fn text(&self, number: NameNumber) -> &str {
        self.names.text(number)
    }

    /// What was asked, in words.
    pub fn words(&self, asked: Asked) -> AskedWords<'_> {
        let Asked { benchmark, network, property, tool, seed } = asked;
        let [benchmark, network, property, tool] =
            [benchmark, network, property, tool].map(|number| self.text(number));
        AskedWords { benchmark, network, property, tool, seed }
    }

    /// Whether a unit is wanted and has no result.
    pub fn is_open(&self, words: AskedWords<'_>) -> bool {
        let known = |text| self.names.known(text);
        let asked = || {
            Some(Asked {
                benchmark: known(words.benchmark)?,
                network: known(words.network)?,
                property: known(words.property)?,
                tool: known(words.tool)?,
                seed: words.seed,
            })
        };
        asked().is_some_and(|asked| self.open.binary_search(&asked).is_ok())
    }

    /// What a tool is called in tables: with the seed, if it has run with several.
    pub fn label(&self, asked: Asked) -> Cow<'_, str> {
        let tool = self.text(asked.tool);
        match self.seeded.contains(&asked.tool) {
            true => format!("{tool}-seed{}", asked.seed).into(),
            false => tool.into(),
        }
    }

    /// The file with a unit's counterexample, if it has one.
    pub fn witness(&self, unit: &CollectedUnit) -> Option<PathBuf> {
        unit.has_witness.then(|| self.beside(unit, "txt"))
    }

    /// The file with a unit's certificate, if it has one.
    pub fn certificate(&self, unit: &CollectedUnit) -> Option<PathBuf> {
        unit.has_certificate.then(|| self.beside(unit, "proof.gz"))
    }

    fn beside(&self, unit: &CollectedUnit, end: &str) -> PathBuf {
        self.folders[unit.folder as usize].beside(&format!("{}.{end}", unpacked(&unit.key)))
    }

    /// Reads the logs of results.
    pub fn logs(&self) -> CollectedLogs<'_> {
        CollectedLogs { collected: self, journals: OpenJournals::default() }
    }

    /// Each tool, with all its seeds, on each benchmark, by name.
    pub fn scores(&self) -> BTreeMap<(&str, &str), Scores> {
        let mut scores: BTreeMap<(NameNumber, NameNumber), Scores> = BTreeMap::new();
        for unit in &self.found {
            scores.entry((unit.asked.tool, unit.asked.benchmark)).or_default().add(unit);
        }
        let named = |((tool, benchmark), scores)| ((self.text(tool), self.text(benchmark)), scores);
        scores.into_iter().map(named).collect()
    }

    /// Where one unit says `sat` and another one `unsat`.
    pub fn opposed(&self) -> Vec<Opposed<'_>> {
        let instance = |unit: &CollectedUnit| {
            let Asked { benchmark, network, property, .. } = unit.asked;
            (benchmark, network, property)
        };
        let of = |units: &[CollectedUnit]| {
            let says = |verdict| units.iter().filter(move |unit| unit.verdict == verdict);
            let [sat, unsat] = [UnitVerdict::Sat, UnitVerdict::Unsat].map(says);
            if sat.clone().next().is_none() || unsat.clone().next().is_none() {
                return None;
            }
            let AskedWords { benchmark, network, property, .. } = self.words(units[0].asked);
            let labels = |units: &mut dyn Iterator<Item = &CollectedUnit>| {
                units.map(|unit| self.label(unit.asked).into_owned()).collect()
            };
            let (sat, unsat) = (labels(&mut { sat }), labels(&mut { unsat }));
            Some(Opposed { benchmark, network, property, sat, unsat })
        };
        self.found.chunk_by(|a, b| instance(a) == instance(b)).filter_map(of).collect()
    }
}

impl CollectedLogs<'_> {
    /// The end of a unit's standard error.
    ///
    /// # Errors
    /// If the system refuses to read it, or it has been changed since.
    pub fn log(&mut self, unit: &CollectedUnit) -> Result<String, FolderError> {
        if !unit.has_log {
            return Ok(String::new());
        }
        let collected = self.collected;
        let key = unpacked(&unit.key);
        let Some((journal, place)) = unit.noted else {
            return match collected.folders[unit.folder as usize].listed_result(&key)? {
                StoredResult::Whole(result) => Ok(result.log),
                _ => Ok(String::new()),
            };
        };
        let path = &collected.journals[journal as usize];
        let text = self.journals.text(path, place)?;
        let changed = |why| FolderError::Read { path: path.clone(), source: io::Error::other(why) };
        UnitResult::parse(&text, &key).map(|result| result.log).map_err(changed)
    }

    /// All of a result, called as the folder's plan calls its instance and its tool.
    ///
    /// # Errors
    /// As [`CollectedLogs::log`].
    pub fn whole(&mut self, unit: &CollectedUnit) -> Result<UnitResult, FolderError> {
        let log = self.log(unit)?;
        let collected = self.collected;
        let AskedWords { benchmark, network, property, tool, seed } = collected.words(unit.asked);
        let head = UnitHead {
            key: unpacked(&unit.key),
            benchmark: benchmark.into(),
            network: network.into(),
            property: property.into(),
            tool: tool.into(),
            version: collected.text(unit.version).into(),
            seed,
            limit: unit.limit,
            host: collected.text(unit.host).into(),
        };
        let why = collected.text(unit.why).into();
        let name = |path: PathBuf| Some(path.file_name()?.to_str()?.to_owned());
        let mut result = head.ended(unit.verdict, why, log, unit.resources);
        result.witness = collected.witness(unit).and_then(name);
        result.certificate = collected.certificate(unit).and_then(name);
        Ok(result)
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
        let seconds: Vec<f64> = collected.found.iter().map(|unit| unit.resources.wall_seconds).collect();
        assert_eq!(seconds, [0.5, 2.0, 0.1]);
        let labels: Vec<_> = collected.found.iter().map(|unit| collected.label(unit.asked)).collect();
        assert_eq!(labels, ["counterpatch-seed0", "counterpatch-seed3", "other-seed0"]);
        let scores = collected.scores();
        let scores = scores[&("other", "b")];
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
