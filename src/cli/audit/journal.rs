//! The journal of an audit: one line an instance, written when it is done, so that an audit that was ended goes on where
//! it was. The first line holds the settings; a journal of other settings is refused.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::audit::{Claim, Record};

/// What the findings depend on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Settings {
    /// Seed of the attacks.
    pub(super) seed: u64,
    /// Seconds of an attack.
    pub(super) budget: f64,
}

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
    /// It is of another audit.
    #[error("{}: made with other settings (help: use the seed and the budget of its first line, or another journal)", .0.display())]
    Settings(PathBuf),
}

/// An open journal.
pub(super) struct Journal {
    file: Mutex<File>,
    known: HashMap<String, Record>,
}

impl Journal {
    /// Opens or begins one.
    pub(super) fn open(path: &Path, settings: Settings) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io { path: path.to_path_buf(), source };
        let old = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(io(error)),
        };
        let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(io)?;
        let mut lines = old.lines();
        match lines.next().map(serde_json::from_str::<Settings>) {
            None => writeln!(file, "{}", serde_json::json!(settings)).map_err(io)?,
            Some(Ok(same)) if same == settings => {}
            Some(_) => return Err(JournalError::Settings(path.to_path_buf())),
        }
        if !old.is_empty() && !old.ends_with('\n') {
            // The end of a line that was never finished: its instance is done again.
            writeln!(file).map_err(io)?;
        }
        let records = lines.filter_map(|line| serde_json::from_str::<Record>(line).ok());
        let known = records.map(|record| (of_record(&record), record)).collect();
        Ok(Self { file: Mutex::new(file), known })
    }

    /// The record of an instance about which exactly these claims were noted.
    pub(super) fn find(&self, claims: &[&Claim]) -> Option<Record> {
        self.known.get(&of_claims(claims)).cloned()
    }

    /// Notes a record.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn note(&self, record: &Record) -> io::Result<()> {
        let line = format!("{}\n", serde_json::to_string(record)?);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes())
    }
}

fn of_record(record: &Record) -> String {
    let claims = record.claims.iter().map(|claim| (&claim.tool, &claim.word, &claim.witness));
    key(&record.network, &record.property, claims)
}

fn of_claims(claims: &[&Claim]) -> String {
    let (network, property) =
        claims.first().map_or(("", ""), |claim| (claim.network.as_str(), claim.property.as_str()));
    key(network, property, claims.iter().map(|claim| (&claim.tool, &claim.word, &claim.witness)))
}

fn key<'a>(
    network: &str,
    property: &str,
    claims: impl Iterator<Item = (&'a String, &'a String, &'a Option<String>)>,
) -> String {
    format!("{network:?} {property:?} {:?}", claims.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Finding, Judged, Said, Truth};

    fn claim(word: &str) -> Claim {
        Claim {
            tool: "x".into(),
            benchmark: "b".into(),
            network: "n".into(),
            property: "p".into(),
            answer: Said::of(word),
            word: word.into(),
            witness: None,
        }
    }

    fn record(word: &str) -> Record {
        let claim = claim(word);
        let finding = Finding::Stands;
        let judged =
            Judged { tool: claim.tool, answer: claim.answer, word: claim.word, witness: None, finding };
        Record {
            benchmark: claim.benchmark,
            network: claim.network,
            property: claim.property,
            truth: Truth::Open,
            claims: vec![judged],
            seconds: 1.0,
        }
    }

    #[test]
    fn what_was_noted_is_known_even_after_an_end_in_the_middle_of_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let settings = Settings { seed: 0, budget: 3.0 };
        let journal = Journal::open(&path, settings).unwrap();
        journal.note(&record("unsat")).unwrap();
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"benchmark\":\"b");
        std::fs::write(&path, text).unwrap();

        let journal = Journal::open(&path, settings).unwrap();
        assert_eq!(journal.find(&[&claim("unsat")]), Some(record("unsat")));
        assert_eq!(journal.find(&[&claim("sat")]), None);
        journal.note(&record("sat")).unwrap();
        let journal = Journal::open(&path, settings).unwrap();
        assert_eq!(journal.find(&[&claim("sat")]), Some(record("sat")));

        let other = Settings { budget: 10.0, ..settings };
        assert!(matches!(Journal::open(&path, other), Err(JournalError::Settings(_))));
    }
}
