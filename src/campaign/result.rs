//! What came of one unit: `units/KEY.json`. It says whose it is and by whom, so that it can be read without its plan.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use super::key::Key;
use super::plan::{Campaign, CampaignUnit};
use crate::audit::claims::ClaimedVerdict;

/// The form of a unit's file.
const FORM: u32 = 1;

/// How a unit has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitVerdict {
    /// With a counterexample.
    Sat,
    /// With the claim that there is none.
    Unsat,
    /// Without an answer.
    Unknown,
    /// Its time was up.
    Timeout,
    /// It held more memory than allowed.
    Memory,
    /// It failed.
    Error,
}

impl UnitVerdict {
    /// All, in the order of tables.
    pub const ALL: [Self; 6] =
        [Self::Sat, Self::Unsat, Self::Unknown, Self::Timeout, Self::Memory, Self::Error];

    /// The word in tables, one that the competition knows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sat => "sat",
            Self::Unsat => "unsat",
            Self::Unknown => "unknown",
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Error => "error",
        }
    }

    /// What the first word of a results file means.
    pub fn of_word(word: &str) -> Self {
        let lower = word.trim().to_ascii_lowercase();
        match ClaimedVerdict::of(word) {
            ClaimedVerdict::Sat => Self::Sat,
            ClaimedVerdict::Unsat => Self::Unsat,
            ClaimedVerdict::Nothing if lower.starts_with("time") => Self::Timeout,
            ClaimedVerdict::Nothing if lower.starts_with("error") => Self::Error,
            ClaimedVerdict::Nothing => Self::Unknown,
        }
    }

    /// Whether the instance is decided.
    pub fn is_solved(self) -> bool {
        matches!(self, Self::Sat | Self::Unsat)
    }
}

/// What a unit has used.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Resources {
    /// Seconds from its start to its end.
    pub wall_seconds: f64,
    /// Processor seconds of all its processes.
    pub cpu_seconds: f64,
    /// Bytes of memory that its largest process has held.
    pub peak_bytes: u64,
}

/// A unit's file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitResult {
    counterpatch_unit: u32,
    /// What it is known by.
    pub key: Key,
    /// The benchmark.
    pub benchmark: String,
    /// The network's file or list of files, as in the plan.
    pub network: String,
    /// The property's file, likewise.
    pub property: String,
    /// The tool.
    pub tool: String,
    /// The tool's version.
    pub version: String,
    /// The seed.
    pub seed: u64,
    /// The time limit, in seconds.
    pub limit: f64,
    /// How it has ended.
    pub verdict: UnitVerdict,
    /// More of that, in words; may be empty.
    pub why: String,
    /// The file beside this one with what the tool has written: the counterexample.
    pub witness: Option<String>,
    /// The file beside this one with the proof behind `unsat`.
    pub certificate: Option<String>,
    /// The end of its standard error.
    pub log: String,
    /// What it has used.
    pub resources: Resources,
    /// Where it ran.
    pub host: String,
}

/// What a unit's result begins with, before it ran.
#[derive(Debug, Clone)]
pub struct UnitHead {
    /// As in [`UnitResult`].
    pub key: Key,
    /// The benchmark.
    pub benchmark: String,
    /// The network.
    pub network: String,
    /// The property.
    pub property: String,
    /// The tool.
    pub tool: String,
    /// The tool's version.
    pub version: String,
    /// The seed.
    pub seed: u64,
    /// Seconds.
    pub limit: f64,
    /// Where it runs.
    pub host: String,
}

impl UnitHead {
    /// Of a unit of a plan, whose key is known, on a machine.
    pub fn of(plan: &Campaign, unit: CampaignUnit, key: Key, host: &str) -> Self {
        let (instance, tool) = (&plan.instances[unit.instance], &plan.tools[unit.tool]);
        Self {
            key,
            benchmark: instance.benchmark.clone(),
            network: instance.network.clone(),
            property: instance.property.clone(),
            tool: tool.name.clone(),
            version: tool.version.clone(),
            seed: unit.seed,
            limit: instance.limit,
            host: host.to_owned(),
        }
    }

    /// The result, without files beside it.
    pub fn ended(self, verdict: UnitVerdict, why: String, log: String, resources: Resources) -> UnitResult {
        UnitResult {
            counterpatch_unit: FORM,
            key: self.key,
            benchmark: self.benchmark,
            network: self.network,
            property: self.property,
            tool: self.tool,
            version: self.version,
            seed: self.seed,
            limit: self.limit,
            verdict,
            why,
            witness: None,
            certificate: None,
            log,
            resources,
            host: self.host,
        }
    }
}

/// What tables hold of a unit's file: read from a journal without a copy of each text, because it may have a million lines.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct UnitExtract<'a> {
    counterpatch_unit: u32,
    /// As in [`UnitResult`], and so are the others.
    #[serde(borrow)]
    pub(super) key: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) version: Cow<'a, str>,
    pub(super) limit: f64,
    pub(super) verdict: UnitVerdict,
    #[serde(borrow)]
    pub(super) why: Cow<'a, str>,
    pub(super) witness: Presence,
    pub(super) certificate: Presence,
    pub(super) log: Presence,
    pub(super) resources: Resources,
    #[serde(borrow)]
    pub(super) host: Cow<'a, str>,
}

/// Whether there is a text, and more than an empty one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Presence(pub(super) bool);

impl<'de> Deserialize<'de> for Presence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self(false))
    }
}

impl Visitor<'_> for Presence {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or null")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self, E> {
        Ok(Self(!text.is_empty()))
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(Self(false))
    }
}

impl<'a> UnitExtract<'a> {
    /// From a line of a journal; nothing if it is of another form.
    pub(super) fn of_line(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|found: &Self| found.counterpatch_unit == FORM)
    }

    /// From a result.
    pub(super) fn of(result: &'a UnitResult) -> Self {
        Self {
            counterpatch_unit: result.counterpatch_unit,
            key: result.key.as_str().into(),
            version: result.version.as_str().into(),
            limit: result.limit,
            verdict: result.verdict,
            why: result.why.as_str().into(),
            witness: Presence(result.witness.is_some()),
            certificate: Presence(result.certificate.is_some()),
            log: Presence(!result.log.is_empty()),
            resources: result.resources,
            host: result.host.as_str().into(),
        }
    }
}

impl UnitResult {
    /// Reads a unit's file.
    ///
    /// # Errors
    /// What is wrong with it: cut short, of another form, or of another unit.
    pub fn parse(text: &str, key: &Key) -> Result<Self, String> {
        let found: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if found.counterpatch_unit != FORM {
            return Err(format!(
                "it is of form {}, and this program reads form {FORM}",
                found.counterpatch_unit
            ));
        }
        match found.key == *key {
            true => Ok(found),
            false => Err(format!("it is the result of unit {}", found.key)),
        }
    }

    /// The unit's file: one line, which a journal can hold too.
    ///
    /// # Errors
    /// If a number has no place in JSON.
    pub fn to_json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn result(key: Key, verdict: UnitVerdict, seconds: f64) -> UnitResult {
        let head = UnitHead {
            key,
            benchmark: "b".into(),
            network: "n.onnx".into(),
            property: "p.vnnlib".into(),
            tool: "counterpatch".into(),
            version: "1".into(),
            seed: 0,
            limit: 3.0,
            host: "here".into(),
        };
        let resources = Resources { wall_seconds: seconds, cpu_seconds: 2.0 * seconds, peak_bytes: 1 << 20 };
        head.ended(verdict, String::new(), "note: x\n".into(), resources)
    }

    #[test]
    fn a_result_survives_its_file_and_others_are_refused() {
        let key = Key::of(&[("a", "b")]);
        let written = result(key.clone(), UnitVerdict::Sat, 0.123_456_789);
        let text = written.to_json().unwrap();
        assert_eq!(UnitResult::parse(&text, &key), Ok(written));
        let other = Key::of(&[("a", "c")]);
        assert!(UnitResult::parse(&text, &other).unwrap_err().starts_with("it is the result of unit"));
        for end in [0, 1, text.len() / 2, text.len() - 3] {
            assert!(UnitResult::parse(&text[..end], &key).is_err(), "{end}");
        }
        let newer = text.replace("\"counterpatch_unit\":1", "\"counterpatch_unit\":2");
        assert!(UnitResult::parse(&newer, &key).unwrap_err().contains("form 2"));
    }

    #[test]
    fn an_extract_of_a_line_is_that_of_the_result() {
        let mut written = result(Key::of(&[("a", "b")]), UnitVerdict::Sat, 0.123_456_789);
        for (witness, log, why) in
            [(None, "", ""), (Some("w.txt".to_owned()), "a\n\"b\"", "it says \"\u{e4}\"\n")]
        {
            (written.witness, written.log, written.why) = (witness, log.into(), why.into());
            let text = written.to_json().unwrap();
            assert_eq!(UnitExtract::of_line(&text), Some(UnitExtract::of(&written)));
            for end in [0, 1, text.len() / 2, text.len() - 3] {
                assert_eq!(UnitExtract::of_line(&text[..end]), None, "{end}");
            }
            let newer = text.replace("\"counterpatch_unit\":1", "\"counterpatch_unit\":2");
            assert_eq!(UnitExtract::of_line(&newer), None);
        }
    }

    #[test]
    fn words_of_results_files_are_verdicts() {
        let cases = [
            ("sat", UnitVerdict::Sat),
            ("violated", UnitVerdict::Sat),
            ("unsat\n", UnitVerdict::Unsat),
            ("timeout", UnitVerdict::Timeout),
            ("timed-out", UnitVerdict::Timeout),
            ("ERROR", UnitVerdict::Error),
            ("unknown", UnitVerdict::Unknown),
            ("", UnitVerdict::Unknown),
        ];
        for (word, want) in cases {
            assert_eq!(UnitVerdict::of_word(word), want, "{word:?}");
        }
        for verdict in UnitVerdict::ALL {
            let json = serde_json::to_string(&verdict).unwrap();
            assert_eq!(json, format!("\"{}\"", verdict.word()));
        }
    }
}
