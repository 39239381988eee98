//! A journal: one line of JSON a piece of work, written when it is done, so that a run that was ended goes on where it
//! was. The first line holds the settings; a journal of other settings is refused.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum JournalError {
    /// The system refused.
    #[error("{}: {source} (help: name a file in a folder that exists and can be written)", .path.display())]
    Io {
        /// The journal.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// It is of another run.
    #[error("{}: made with other settings (help: use the settings of its first line, or another journal)", .0.display())]
    Settings(PathBuf),
}

/// An open journal.
pub(super) struct JournalFile {
    file: Mutex<File>,
}

impl JournalFile {
    /// Opens or begins one; what was noted before, in its order. The end of a line that was never finished is left out:
    /// its piece of work is done again.
    pub(super) fn open<S, R>(path: &Path, settings: &S) -> Result<(Self, Vec<R>), JournalError>
    where
        S: Serialize + DeserializeOwned + PartialEq,
        R: DeserializeOwned,
    {
        let io = |source| JournalError::Io { path: path.to_path_buf(), source };
        let old = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(io(error)),
        };
        let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(io)?;
        let mut lines = old.lines();
        match lines.next().map(serde_json::from_str::<S>) {
            None => writeln!(file, "{}", serde_json::to_string(settings).map_err(|error| io(error.into()))?)
                .map_err(io)?,
            Some(Ok(same)) if same == *settings => {}
            Some(_) => return Err(JournalError::Settings(path.to_path_buf())),
        }
        if !old.is_empty() && !old.ends_with('\n') {
            writeln!(file).map_err(io)?;
        }
        let records = lines.filter_map(|line| serde_json::from_str::<R>(line).ok()).collect();
        Ok((Self { file: Mutex::new(file) }, records))
    }

    /// Notes a piece of work.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn note(&self, record: &impl Serialize) -> io::Result<()> {
        let line = format!("{}\n", serde_json::to_string(record)?);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes())
    }
}
