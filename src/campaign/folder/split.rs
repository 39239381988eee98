//! A folder whose units are parts of one question:
//!
//! ```text
//! split.json     what the question is and how it is divided
//! whole.vnnlib   the property as a whole
//! parts/N.vnnlib its parts; the units' properties
//! stop           which unit has decided the question: nobody begins another, and those that run are ended
//! ```
//! `stop` appears whole, once, as a result does. It counts only while the unit is one of the plan: a changed network makes new units.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{CampaignFolder, FolderError, WriteOnce, forget};
use crate::campaign::key::{Digest, Key};
use crate::certificate::PartitionStep;
use crate::pack::{self, Durability};
use crate::pipeline::parts::DividedBy;

/// The form of `split.json`.
const FORM: u32 = 1;

/// A question that was divided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SplitQuestion {
    counterpatch_split: u32,
    /// The network's file or list of files, as it was named.
    pub network: String,
    /// The property's file, likewise.
    pub property: String,
    /// The digest of the property's text.
    pub whole: Digest,
    /// By what it was divided.
    pub by: Vec<DividedBy>,
    /// How: the plan's instances are the parts, in their order.
    pub steps: Vec<PartitionStep>,
}

/// What stands in `stop`.
#[derive(Debug, Serialize, Deserialize)]
struct DecidedBy {
    unit: Key,
}

impl SplitQuestion {
    /// A question by these parts of it.
    pub fn new(
        network: String,
        property: String,
        whole: &str,
        by: Vec<DividedBy>,
        steps: Vec<PartitionStep>,
    ) -> Self {
        let whole = Digest::of(whole.as_bytes());
        Self { counterpatch_split: FORM, network, property, whole, by, steps }
    }

    /// Whether every unit asks the whole question, each with another seed.
    pub fn is_by_seeds(&self) -> bool {
        self.by == [DividedBy::Seeds]
    }
}

impl CampaignFolder {
    /// Where the property is as a whole.
    pub fn whole_path(&self) -> PathBuf {
        self.path().join("whole.vnnlib")
    }

    /// Where a part is, counted from 1.
    pub fn part_path(&self, number: usize) -> PathBuf {
        self.path().join("parts").join(format!("{number:04}.vnnlib"))
    }

    fn split_path(&self) -> PathBuf {
        self.path().join("split.json")
    }

    fn stop_path(&self) -> PathBuf {
        self.path().join("stop")
    }

    /// Makes the folder, and in it the whole property, its parts, and `split.json`.
    ///
    /// # Errors
    /// If something cannot be written, or there is a plan in it already.
    pub fn begin_split(
        &self,
        split: &SplitQuestion,
        whole: &str,
        parts: &[String],
    ) -> Result<(), FolderError> {
        if self.has_plan() {
            return Err(FolderError::Other(self.path().to_path_buf()));
        }
        let folder = self.path().join("parts");
        fs::create_dir_all(&folder).map_err(|source| FolderError::Write { path: folder.clone(), source })?;
        let write = |path: PathBuf, text: &str| {
            let written = pack::write_bytes(&path, text.as_bytes());
            written.map_err(|source| FolderError::Write { path, source })
        };
        write(self.whole_path(), whole)?;
        for (number, part) in (1..).zip(parts) {
            write(self.part_path(number), part)?;
        }
        let text = serde_json::to_string_pretty(split).map_err(io::Error::from);
        let text = text.map_err(|source| FolderError::Write { path: self.split_path(), source })?;
        write(self.split_path(), &(text + "\n"))
    }

    /// The question that the units are parts of; `None` if they are instances of their own.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn split(&self) -> Result<Option<SplitQuestion>, FolderError> {
        let path = self.split_path();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(FolderError::Read { path, source }),
        };
        let broken = |why: String| FolderError::Split { path: path.clone(), why };
        let split: SplitQuestion = serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
        match split.counterpatch_split {
            FORM => Ok(Some(split)),
            other => Err(broken(format!("it is of form {other}, and this program reads form {FORM}"))),
        }
    }

    /// Says that a unit has decided the question. What was said first stays.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn decide(&self, unit: &Key) -> Result<WriteOnce, FolderError> {
        let path = self.stop_path();
        let text = serde_json::to_string(&DecidedBy { unit: unit.clone() }).map_err(io::Error::from);
        let written = text.and_then(|text| self.publish(&path, text.as_bytes(), Durability::Content));
        written.map_err(|source| FolderError::Write { path, source })
    }

    /// The unit that has decided the question, if one has.
    pub fn decided(&self) -> Option<Key> {
        // Network file systems remember what was not there, as of results.
        let _ = File::open(self.path());
        let text = fs::read_to_string(self.stop_path()).ok()?;
        serde_json::from_str::<DecidedBy>(&text).ok().map(|decided| decided.unit)
    }

    /// Takes back what a unit has decided that is none of the plan any more.
    pub fn forget_decision(&self) {
        forget(&self.stop_path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_survives_its_file_and_the_first_decision_stays() {
        let root = tempfile::tempdir().unwrap();
        let folder = CampaignFolder::at(&root.path().join("c"));
        assert!(folder.split().unwrap().is_none() && folder.decided().is_none());
        let steps = vec![
            PartitionStep::Cases { or: 3, groups: vec![vec![0, 2], vec![1]] },
            PartitionStep::Part(0),
            PartitionStep::Cut { input: 1, at: 0.1 },
            PartitionStep::Part(1),
            PartitionStep::Part(2),
        ];
        let by = vec![DividedBy::Disjuncts, DividedBy::Box];
        let split = SplitQuestion::new("n.onnx".into(), "p.vnnlib".into(), "whole", by, steps);
        let parts = ["a", "b", "c"].map(String::from);
        folder.begin_split(&split, "whole", &parts).unwrap();
        assert_eq!(folder.split().unwrap().as_ref(), Some(&split));
        assert_eq!(fs::read_to_string(folder.part_path(3)).unwrap(), "c");
        let (one, two) = (Key::of(&[("a", "1")]), Key::of(&[("a", "2")]));
        assert_eq!(folder.decide(&one).unwrap(), WriteOnce::New);
        assert_eq!(folder.decide(&two).unwrap(), WriteOnce::Before);
        assert_eq!(folder.decided(), Some(one));
        folder.forget_decision();
        assert_eq!(folder.decided(), None);

        let text = fs::read_to_string(folder.split_path()).unwrap();
        fs::write(
            folder.split_path(),
            text.replace("\"counterpatch_split\": 1", "\"counterpatch_split\": 2"),
        )
        .unwrap();
        assert!(folder.split().unwrap_err().to_string().contains("form 2"));
        fs::write(folder.split_path(), &text[..text.len() / 2]).unwrap();
        assert!(matches!(folder.split(), Err(FolderError::Split { .. })));
    }
}
