//! What a campaign runs: instances, each with every tool and every seed, and the contents of all files by their digests.
//! It is one JSON file, `plan.json`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::key::{Digest, Key, KeyText, PackedKey, unpacked};

/// The form of `plan.json`, and of what goes into a key.
const FORMAT: u32 = 1;
/// Most seeds: more is a mistake.
const MOST_SEEDS: u64 = 1_000_000;

/// Seconds of a unit that is decided.
const MOMENT: f64 = 0.1;

/// Why a plan cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// It is none.
    #[error("no plan of a campaign: {0} (help: `counterpatch campaign plan` writes one)")]
    Broken(String),
    /// Of another program.
    #[error(
        "a plan of form {0}, and this program reads form {FORMAT} (help: plan anew, into another folder)"
    )]
    Form(u64),
    /// Seeds that are none.
    #[error("--seeds {0}: not a list of seeds without repetition (help: write for instance 0..9 or 0,3,7)")]
    Seeds(String),
    /// A shard that is none.
    #[error("--shard {0}: not of the form I/N with I from 0 to N - 1 (help: write for instance 0/4)")]
    Shard(String),
}

/// A plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Campaign {
    counterpatch_campaign: u32,
    /// What each unit may use.
    pub limits: UnitLimits,
    /// The tools.
    pub tools: Vec<CampaignTool>,
    /// The seeds, each once.
    pub seeds: Vec<u64>,
    /// All files, each once.
    pub files: Vec<FileMark>,
    /// The instances.
    pub instances: Vec<PlannedInstance>,
}

/// What a unit may use, beside the time limit of its instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitLimits {
    /// Threads of our own search.
    pub threads: usize,
    /// Bytes that all its processes may hold together; `None` for no limit.
    pub memory: Option<u64>,
}

/// How a tool is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolKind {
    /// This program's `verify`.
    Ours,
    /// Marabou's command line.
    Marabou,
    /// A `run_instance.sh` of VNN-COMP.
    Script,
}

/// A tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CampaignTool {
    /// What it is called in results.
    pub name: String,
    /// How it is called.
    pub kind: ToolKind,
    /// Its program; none of ours.
    pub program: Option<PathBuf>,
    /// Its version: it makes a new key.
    pub version: String,
    /// Further options; of ours alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
}

/// A file, and by what a change of it is noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMark {
    /// Its absolute path.
    pub path: PathBuf,
    /// Of its unpacked content.
    pub sha256: Digest,
    /// Its length, as it is.
    pub bytes: u64,
    /// When it was changed, in nanoseconds since 1970.
    pub changed: i64,
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedInstance {
    /// The benchmark.
    pub benchmark: String,
    /// The network's file or list of files, as the table writes it.
    pub network: String,
    /// The property's file, likewise.
    pub property: String,
    /// The time limit, in seconds.
    pub limit: f64,
    /// The networks' files by their places in [`Campaign::files`], with the names that a list gives them.
    pub networks: Vec<(Option<String>, usize)>,
    /// The property's file.
    pub property_file: usize,
    /// Files that the networks keep constants in.
    pub beside: Vec<usize>,
}

/// One run of one tool on one instance: places in the plan's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CampaignUnit {
    /// In [`Campaign::instances`].
    pub instance: usize,
    /// In [`Campaign::tools`].
    pub tool: usize,
    /// The seed.
    pub seed: u64,
}

impl PlannedInstance {
    /// All its files.
    pub fn files(&self) -> impl Iterator<Item = usize> {
        let networks = self.networks.iter().map(|(_, file)| *file);
        networks.chain([self.property_file]).chain(self.beside.iter().copied())
    }
}

impl Campaign {
    /// A plan of these parts.
    pub fn new(
        limits: UnitLimits,
        tools: Vec<CampaignTool>,
        seeds: Vec<u64>,
        files: Vec<FileMark>,
        instances: Vec<PlannedInstance>,
    ) -> Self {
        Self { counterpatch_campaign: FORMAT, limits, tools, seeds, files, instances }
    }

    /// Reads `plan.json`.
    ///
    /// # Errors
    /// If it is none, or of another form.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let broken = |why: String| PlanError::Broken(why);
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| broken(error.to_string()))?;
        match value.get("counterpatch_campaign").and_then(serde_json::Value::as_u64) {
            None => return Err(broken("it does not say so".to_owned())),
            Some(form) if form != u64::from(FORMAT) => return Err(PlanError::Form(form)),
            Some(_) => {}
        }
        let plan: Self = serde_json::from_value(value).map_err(|error| broken(error.to_string()))?;
        let known = |instance: &PlannedInstance| instance.files().all(|file| file < plan.files.len());
        match plan.instances.iter().all(known) {
            true => Ok(plan),
            false => Err(broken("it names files that it does not list".to_owned())),
        }
    }

    /// `plan.json`.
    ///
    /// # Errors
    /// If a number has no place in JSON.
    pub fn to_json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// All units, in the order of the lists.
    pub fn units(&self) -> impl Iterator<Item = CampaignUnit> {
        let of_instance = move |instance| {
            let of_tool =
                move |tool| self.seeds.iter().map(move |&seed| CampaignUnit { instance, tool, seed });
            (0..self.tools.len()).flat_map(of_tool)
        };
        (0..self.instances.len()).flat_map(of_instance)
    }

    /// The units, longest expected first: by the time limit, then by the size of the networks, which have to be read.
    pub fn longest_first(&self) -> Vec<CampaignUnit> {
        let mut units: Vec<CampaignUnit> = self.units().collect();
        let bytes = |instance: &PlannedInstance| -> u64 {
            instance.networks.iter().map(|(_, file)| self.files[*file].bytes).sum()
        };
        units.sort_by(|a, b| {
            let (a, b) = (&self.instances[a.instance], &self.instances[b.instance]);
            b.limit.total_cmp(&a.limit).then_with(|| bytes(b).cmp(&bytes(a)))
        });
        units
    }

    /// What a unit is known by.
    pub fn key(&self, unit: CampaignUnit) -> Key {
        let mut text = KeyText::default();
        self.describe(unit, &mut text);
        unpacked(&text.digest())
    }

    /// All units with their keys, of which there may be a million.
    pub(super) fn keyed_units(&self) -> impl Iterator<Item = (CampaignUnit, PackedKey)> {
        let mut text = KeyText::default();
        self.units().map(move |unit| {
            text.clear();
            self.describe(unit, &mut text);
            (unit, text.digest())
        })
    }

    /// All that the result of a unit may depend on.
    fn describe(&self, unit: CampaignUnit, text: &mut KeyText) {
        let (instance, tool) = (&self.instances[unit.instance], &self.tools[unit.tool]);
        let content = |file: usize| self.files[file].sha256.as_str();
        text.number("unit", u64::from(FORMAT));
        for (name, file) in &instance.networks {
            text.part("name", name.as_deref().unwrap_or_default());
            text.part("network", content(*file));
        }
        text.part("property", content(instance.property_file));
        instance.beside.iter().for_each(|&file| text.part("beside", content(file)));
        match tool.kind {
            ToolKind::Ours => {
                text.number("threads", self.limits.threads as u64);
                tool.arguments.iter().for_each(|argument| text.part("argument", argument));
            }
            ToolKind::Marabou => text.part("tool", "marabou"),
            // A script is told the category, and may do with it what it likes.
            ToolKind::Script => text.part("category", &instance.benchmark),
        }
        text.part("version", &tool.version);
        text.number("seed", unit.seed);
        text.part("milliseconds", &format!("{:.0}", 1000.0 * instance.limit));
        text.number("memory", self.limits.memory.unwrap_or_default());
    }

    /// Processor seconds that all units together take at most.
    pub fn most_cpu_seconds(&self) -> f64 {
        let limits: f64 = self.instances.iter().map(|instance| instance.limit).sum();
        limits * self.threads_on_each() as f64
    }

    /// Processor seconds that all units together are expected to take, by the sizes of their files.
    pub fn expected_cpu_seconds(&self) -> f64 {
        let seconds: f64 = self.instances.iter().map(|instance| self.expected_seconds(instance)).sum();
        seconds * self.threads_on_each() as f64
    }

    /// Threads of all units of an instance together.
    fn threads_on_each(&self) -> usize {
        let threads = |tool: &CampaignTool| if tool.kind == ToolKind::Ours { self.limits.threads } else { 1 };
        self.seeds.len() * self.tools.iter().map(threads).sum::<usize>()
    }

    /// What is decided takes moments, and the rest its time: of 2,764 instances of the competition with three seconds each, 8% of
    /// those with up to 60,000 bytes stayed open and half of the others (`benchmarks/scale.md`).
    fn expected_seconds(&self, instance: &PlannedInstance) -> f64 {
        let bytes: u64 = instance.files().map(|file| self.files[file].bytes).sum();
        let open = if bytes <= 60_000 { 0.08 } else { 0.5 };
        (MOMENT + open * instance.limit).min(instance.limit)
    }

    /// Whether another plan asks the same, though files or programs may have changed since.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        self.question() == other.question()
    }

    /// The plan without what changes with files and programs.
    fn question(&self) -> Self {
        let mut question = self.clone();
        question.tools.iter_mut().for_each(|tool| tool.version.clear());
        for file in &mut question.files {
            *file = FileMark { path: file.path.clone(), sha256: Digest::of(b""), bytes: 0, changed: 0 };
        }
        question
    }
}

/// Seeds from `0..9` (both ends are meant), `0,3,7`, or both.
///
/// # Errors
/// If it is no such list, or names a seed twice.
pub fn seeds(text: &str) -> Result<Vec<u64>, PlanError> {
    let wrong = || PlanError::Seeds(text.to_owned());
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
    let mut found = Vec::new();
    for part in text.split(',') {
        match part.split_once("..") {
            None => found.push(number(part)?),
            Some((first, last)) => {
                let (first, last) = (number(first)?, number(last)?);
                if last < first || last - first >= MOST_SEEDS {
                    return Err(wrong());
                }
                found.extend(first..=last);
            }
        }
    }
    let mut sorted = found.clone();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() == found.len() { Ok(found) } else { Err(wrong()) }
}

/// A part of a campaign's units, which a process begins with. What the others leave it shares with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// The whole.
    pub const ALL: Self = Self { index: 0, count: 1 };

    /// From `I/N`.
    ///
    /// # Errors
    /// If it is no such pair.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let pair = || {
            let (index, count) = text.split_once('/')?;
            Some(Self { index: index.trim().parse().ok()?, count: count.trim().parse().ok()? })
        };
        pair().filter(|shard| shard.index < shard.count).ok_or_else(|| PlanError::Shard(text.to_owned()))
    }

    /// The units with the shard's own first, then those of the next one, and so on: shards that have done theirs do not all
    /// go on with the same one.
    pub fn first<T: Copy>(self, units: &[T]) -> Vec<T> {
        let of = |shard: usize| units.iter().skip(shard).step_by(self.count).copied();
        (0..self.count).flat_map(|step| of((self.index + step) % self.count)).collect()
    }

    /// How many of so many units are its own.
    pub fn own(self, units: usize) -> usize {
        units.saturating_sub(self.index).div_ceil(self.count)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Two instances, two tools, two seeds.
    pub(crate) fn campaign() -> Campaign {
        let file = |name: &str, bytes| FileMark {
            path: PathBuf::from(name),
            sha256: Digest::of(name.as_bytes()),
            bytes,
            changed: 7,
        };
        let instance = |limit, network| PlannedInstance {
            benchmark: "b".into(),
            network: format!("n{network}.onnx"),
            property: "p.vnnlib".into(),
            limit,
            networks: vec![(None, network)],
            property_file: 2,
            beside: Vec::new(),
        };
        let tool = |name: &str, kind, program: Option<&str>, version: &str| CampaignTool {
            arguments: Vec::new(),
            name: name.into(),
            kind,
            program: program.map(PathBuf::from),
            version: version.into(),
        };
        Campaign::new(
            UnitLimits { threads: 2, memory: Some(1 << 30) },
            vec![
                tool("counterpatch", ToolKind::Ours, None, "1.0"),
                tool("other", ToolKind::Script, Some("/other.sh"), "sha"),
            ],
            vec![0, 3],
            vec![file("/n0.onnx", 10), file("/n1.onnx", 20), file("/p.vnnlib", 5)],
            vec![instance(1.0, 0), instance(2.0, 1)],
        )
    }

    #[test]
    fn a_plan_survives_its_file_and_others_are_refused() {
        let plan = campaign();
        let text = plan.to_json().unwrap();
        assert_eq!(Campaign::parse(&text).unwrap(), plan);
        let other = text.replace("\"counterpatch_campaign\": 1", "\"counterpatch_campaign\": 2");
        assert_eq!(Campaign::parse(&other), Err(PlanError::Form(2)));
        let lost = text.replace("\"property_file\": 2", "\"property_file\": 9");
        for broken in ["", "{}", "[]", &text[..text.len() / 2], &lost] {
            assert!(matches!(Campaign::parse(broken), Err(PlanError::Broken(_))), "{broken}");
        }
    }

    #[test]
    fn units_are_all_combinations_longest_first() {
        let plan = campaign();
        let units: Vec<CampaignUnit> = plan.units().collect();
        assert_eq!(units.len(), 8);
        let order: Vec<usize> = plan.longest_first().iter().map(|unit| unit.instance).collect();
        assert_eq!(order, [1, 1, 1, 1, 0, 0, 0, 0]);
        // Three limits of seconds, two threads of ours and one of the other, two seeds.
        assert_eq!(plan.most_cpu_seconds(), 3.0 * 3.0 * 2.0);
        let limits = plan.instances.iter().map(|instance| instance.limit);
        let expected: f64 = limits.map(|limit| 0.1 + 0.08 * limit).sum();
        assert!((plan.expected_cpu_seconds() - 3.0 * 2.0 * expected).abs() < 1e-9);
        let mut large = plan.clone();
        large.files[0].bytes = 60_000;
        assert!(large.expected_cpu_seconds() > plan.expected_cpu_seconds());
        large.instances.iter_mut().for_each(|instance| instance.limit = 0.01);
        assert!(
            (large.expected_cpu_seconds() - large.most_cpu_seconds()).abs() < 1e-9,
            "never more than the limit"
        );
    }

    #[test]
    fn a_change_is_another_key_and_a_move_is_none() {
        let plan = campaign();
        let units: Vec<CampaignUnit> = plan.units().collect();
        let keys: std::collections::BTreeSet<Key> = units.iter().map(|&unit| plan.key(unit)).collect();
        assert_eq!(keys.len(), units.len());
        type Change = fn(&mut Campaign);
        let changes: [(Change, bool, bool); 8] = [
            (|plan| plan.files[0].sha256 = Digest::of(b"x"), true, true),
            (|plan| plan.files[2].sha256 = Digest::of(b"x"), true, true),
            (|plan| plan.tools[0].version = "1.1".into(), true, true),
            (|plan| plan.limits.threads = 3, true, false),
            (|plan| plan.limits.memory = None, true, false),
            (|plan| plan.instances[0].limit = 1.5, true, false),
            (|plan| plan.files[0].path = "/moved".into(), false, false),
            (|plan| plan.files[0].changed = 8, false, true),
        ];
        for (at, (change, new_key, same_question)) in changes.into_iter().enumerate() {
            let mut other = plan.clone();
            change(&mut other);
            assert_eq!(other.key(units[0]) != plan.key(units[0]), new_key, "change {at}");
            assert_eq!(other.asks_the_same(&plan), same_question, "change {at}");
        }
    }

    #[test]
    fn seeds_and_shards_are_read() {
        let cases: [(&str, Option<&[u64]>); 8] = [
            ("0..3", Some(&[0, 1, 2, 3])),
            ("0,3,7", Some(&[0, 3, 7])),
            ("5, 0..1", Some(&[5, 0, 1])),
            ("4..4", Some(&[4])),
            ("3..1", None),
            ("0,0", None),
            ("", None),
            ("0..99999999999", None),
        ];
        for (text, want) in cases {
            assert_eq!(seeds(text).ok().as_deref(), want, "{text}");
        }
        for text in ["", "1", "2/2", "-1/2", "0/0", "a/b"] {
            assert_eq!(Shard::parse(text), Err(PlanError::Shard(text.into())));
        }
        let units: Vec<usize> = (0..7).collect();
        assert_eq!(Shard::parse("1/3").unwrap().first(&units), [1, 4, 2, 5, 0, 3, 6]);
        assert_eq!(Shard::ALL.first(&units), units);
        let own = |text| Shard::parse(text).unwrap().own(7);
        assert_eq!(["0/3", "1/3", "2/3", "6/9", "7/9", "8/9"].map(own), [3, 2, 2, 1, 0, 0]);
        assert_eq!(Shard::parse("5/9").unwrap().first(&[0, 1]).len(), 2);
    }
}
