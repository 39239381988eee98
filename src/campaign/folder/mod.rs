//! A campaign's folder, which many processes on many machines may share:
//!
//! ```text
//! plan.json              what is run
//! units/KEY.json         the result of a unit, written once and whole
//! units/KEY.txt          its counterexample, as the tool has written it; there before the result
//! units/KEY.proof.gz     its certificate, likewise
//! units/KEY.json.broken  a result that could not be read, and was made anew
//! claims/KEY             who runs the unit now (see `claims`)
//! journal/PROCESS.lines  the results that a process has written once more, to be read all at once (see `journal`)
//! ```
//! A file appears whole under its name or not at all, and no result takes the place of another. Nothing rests on locks of
//! files, which network file systems have or do not have.

mod claims;
mod journal;
mod split;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use claims::{Claimed, Holder, Lease};
pub(super) use journal::{JournalPlace, OpenJournals, journalled};
pub use split::SplitQuestion;

use super::key::{Key, PackedKey, packed};
use super::plan::{Campaign, PlanError};
use super::result::UnitResult;
use crate::pack::{self, Durability};

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The system refused to read.
    #[error("{}: {source} (help: check the path and its permissions)", .path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// The system refused to write.
    #[error("{}: {source} (help: make room or name another folder; the same command goes on from what is there)", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// There is no plan in it.
    #[error("{}: no campaign: there is no plan.json in it (help: `counterpatch campaign plan` makes one)", .0.display())]
    NoPlan(PathBuf),
    /// The plan cannot be used.
    #[error("{}: {error}", .path.display())]
    Plan {
        /// The plan.
        path: PathBuf,
        /// What is wrong.
        error: PlanError,
    },
    /// It is another campaign's.
    #[error("{}: made by another plan (help: name another folder for this one, or run that one by naming the folder alone)", .0.display())]
    Other(PathBuf),
    /// What it says of a question that was split cannot be used.
    #[error("{}: no question that was split: {why} (help: split it anew, into another folder)", .path.display())]
    Split {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// What there is of a unit's result.
#[derive(Debug, Clone, PartialEq)]
pub enum StoredResult {
    /// Nothing.
    Missing,
    /// All of it.
    Whole(Box<UnitResult>),
    /// A file that is no result, and why.
    Broken(String),
}

/// Whether a result was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOnce {
    /// It was.
    New,
    /// There was one already, which stays.
    Before,
}

/// Files beside a result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnitEvidence {
    /// The tool's results file with the counterexample.
    pub witness: Option<Vec<u8>>,
    /// The certificate, packed.
    pub certificate: Option<Vec<u8>>,
}

/// Keys of results that were there at one moment.
#[derive(Debug, Default)]
pub struct ListedKeys(HashSet<PackedKey>);

impl ListedKeys {
    /// Whether a unit had a result.
    pub fn contains(&self, key: &Key) -> bool {
        packed(key.as_str()).is_some_and(|key| self.0.contains(&key))
    }
}

/// A folder.
#[derive(Debug, Clone)]
pub struct CampaignFolder {
    root: PathBuf,
    journal: Arc<journal::OwnJournal>,
}

impl CampaignFolder {
    /// The folder at a path, whatever is there.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_path_buf(), journal: Arc::default() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Whether there is a plan in it.
    pub fn has_plan(&self) -> bool {
        self.plan_path().is_file()
    }

    fn plan_path(&self) -> PathBuf {
        self.root.join("plan.json")
    }

    fn units(&self) -> PathBuf {
        self.root.join("units")
    }

    /// Reads the plan.
    ///
    /// # Errors
    /// If there is none that can be read.
    pub fn plan(&self) -> Result<Campaign, FolderError> {
        let path = self.plan_path();
        match fs::read_to_string(&path) {
            Ok(text) => Campaign::parse(&text).map_err(|error| FolderError::Plan { path, error }),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                Err(FolderError::NoPlan(self.root.clone()))
            }
            Err(source) => Err(FolderError::Read { path, source }),
        }
    }

    /// Makes the folder, if there is none, and its plan. A plan that asks the same is replaced.
    ///
    /// # Errors
    /// If it holds a plan that asks something else, or cannot be written.
    pub fn begin(&self, plan: &Campaign) -> Result<(), FolderError> {
        if self.has_plan() && !self.plan()?.asks_the_same(plan) {
            return Err(FolderError::Other(self.root.clone()));
        }
        for folder in [self.units(), self.claims()] {
            fs::create_dir_all(&folder)
                .map_err(|source| FolderError::Write { path: folder.clone(), source })?;
        }
        let path = self.plan_path();
        let text = plan.to_json().map_err(io::Error::from);
        let written = text.and_then(|text| pack::write_bytes(&path, text.as_bytes()));
        written.map_err(|source| FolderError::Write { path, source })
    }

    fn result_path(&self, key: &Key) -> PathBuf {
        self.units().join(format!("{key}.json"))
    }

    /// The file of a counterexample, by the name that its result has for it.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.units().join(name)
    }

    /// The result of a unit.
    ///
    /// # Errors
    /// If the system refuses to read what is there.
    pub fn result(&self, key: &Key) -> Result<StoredResult, FolderError> {
        // Network file systems remember what was not there. Opening the folder makes them ask whether that still holds.
        let _ = File::open(self.units());
        self.listed_result(key)
    }

    /// The result of a unit that was just seen to be there.
    ///
    /// # Errors
    /// If the system refuses to read it.
    pub fn listed_result(&self, key: &Key) -> Result<StoredResult, FolderError> {
        let path = self.result_path(key);
        match fs::read(&path) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let found = UnitResult::parse(&text, key);
                Ok(found.map_or_else(StoredResult::Broken, |result| StoredResult::Whole(Box::new(result))))
            }
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(StoredResult::Missing),
            Err(source) => Err(FolderError::Read { path, source }),
        }
    }

    /// The keys of all results that are there, readable or not, each with its file's length in bytes.
    ///
    /// # Errors
    /// If the system refuses.
    pub(super) fn lengths(&self) -> Result<Vec<(PackedKey, u64)>, FolderError> {
        // Asked for in the order of the list: network file systems send both together. A file that is gone has none.
        let length = |entry: fs::DirEntry| entry.metadata().map_or(0, |file| file.len());
        Ok(self.listed()?.map(|(key, entry)| (key, length(entry))).collect())
    }

    /// The keys of all results that are there now.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn keys(&self) -> Result<ListedKeys, FolderError> {
        Ok(ListedKeys(self.listed()?.map(|(key, _)| key).collect()))
    }

    fn listed(&self) -> Result<impl Iterator<Item = (PackedKey, fs::DirEntry)> + use<>, FolderError> {
        let entries =
            entries(&self.units()).map_err(|source| FolderError::Read { path: self.units(), source })?;
        let keyed = |entry: fs::DirEntry| {
            let key = packed(entry.file_name().to_str()?.strip_suffix(".json")?)?;
            Some((key, entry))
        };
        Ok(entries.filter_map(keyed))
    }

    /// Puts a file that is no result aside, so that a new one can take its name.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn set_aside(&self, key: &Key) -> Result<(), FolderError> {
        let path = self.result_path(key);
        match fs::rename(&path, self.units().join(format!("{key}.json.broken"))) {
            // Another process was faster.
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(|source| FolderError::Write { path, source }),
        }
    }

    /// Writes a result, after what stands beside it.
    ///
    /// # Errors
    /// If it cannot be written. Nothing of it is there then, or only what stands beside it.
    pub fn write(&self, mut result: UnitResult, evidence: &UnitEvidence) -> Result<WriteOnce, FolderError> {
        let key = result.key.clone();
        let put = |name: String, bytes: &Option<Vec<u8>>| {
            let Some(bytes) = bytes else { return Ok(None) };
            let path = self.units().join(&name);
            let written = whole(&self.fresh(&self.units()), bytes, Durability::Content)
                .and_then(|fresh| fs::rename(&fresh, &path).inspect_err(|_| forget(&fresh)));
            written.map(|()| Some(name)).map_err(|source| FolderError::Write { path, source })
        };
        result.witness = put(format!("{key}.txt"), &evidence.witness)?;
        result.certificate = put(format!("{key}.proof.gz"), &evidence.certificate)?;
        let path = self.result_path(&key);
        let fail = |source| FolderError::Write { path: path.clone(), source };
        let text = result.to_json().map_err(io::Error::from).map_err(fail)?;
        let written = self.publish(&path, text.as_bytes(), Durability::Content).map_err(fail)?;
        if written == WriteOnce::New {
            self.note(&text);
        }
        Ok(written)
    }

    /// Gives a content a name that nothing has yet.
    fn publish(&self, path: &Path, bytes: &[u8], durability: Durability) -> io::Result<WriteOnce> {
        let folder = path.parent().unwrap_or(&self.root);
        let fresh = whole(&self.fresh(folder), bytes, durability)?;
        let written = exclusive(&fresh, path);
        forget(&fresh);
        written
    }

    /// A name that no other process or thread uses, anywhere.
    fn fresh(&self, folder: &Path) -> PathBuf {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        folder.join(format!(".{}.{number}.new", claims::own_name()))
    }
}

/// Writes a new file.
fn whole(fresh: &Path, bytes: &[u8], durability: Durability) -> io::Result<PathBuf> {
    let write = || {
        let mut file = File::create(fresh)?;
        file.write_all(bytes)?;
        if durability == Durability::Content { file.sync_data() } else { Ok(()) }
    };
    write().map(|()| fresh.to_path_buf()).inspect_err(|_| forget(fresh))
}

/// Gives a file a second name, if nothing has it: that is one step on every file system, also on NFS.
fn exclusive(fresh: &Path, path: &Path) -> io::Result<WriteOnce> {
    use std::os::unix::fs::MetadataExt;
    match fs::hard_link(fresh, path) {
        Ok(()) => Ok(WriteOnce::New),
        // NFS may repeat a request whose answer was lost: the count of names tells the truth.
        Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => {
            let two = fs::metadata(fresh).is_ok_and(|fresh| fresh.nlink() == 2);
            Ok(if two { WriteOnce::New } else { WriteOnce::Before })
        }
        // File systems without second names.
        Err(refused)
            if matches!(refused.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) =>
        {
            let bytes = fs::read(fresh)?;
            match File::create_new(path) {
                // A part of it would be taken for the whole.
                Ok(mut file) => file.write_all(&bytes).map(|()| WriteOnce::New).inspect_err(|_| forget(path)),
                Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => Ok(WriteOnce::Before),
                Err(other) => Err(other),
            }
        }
        Err(other) => Err(other),
    }
}

/// Removes a file; what cannot be removed is left.
fn forget(path: &Path) {
    let _ = fs::remove_file(path);
}

/// The names in a folder; none where there is no folder yet.
fn names(folder: &Path) -> io::Result<impl Iterator<Item = String> + use<>> {
    Ok(entries(folder)?.filter_map(|entry| entry.file_name().into_string().ok()))
}

fn entries(folder: &Path) -> io::Result<impl Iterator<Item = fs::DirEntry> + use<>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => Some(entries),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => None,
        Err(other) => return Err(other),
    };
    Ok(entries.into_iter().flatten().filter_map(Result::ok))
}

#[cfg(test)]
mod tests;
