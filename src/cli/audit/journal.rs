//! The journal of an audit: which records belong to which claims about which files, by what these hold.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::audit::{AuditClaim, AuditRecord};
use crate::cli::journal::{self, JournalError};

/// What the findings depend on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Settings {
    /// Seed of the attacks.
    pub(super) seed: u64,
    /// Seconds of an attack.
    pub(super) budget: f64,
}

/// A line: what was found, and a digest of the files that it was found of.
#[derive(Serialize, Deserialize)]
struct Noted<R> {
    files: String,
    record: R,
}

/// An open journal.
pub(super) struct Journal {
    journal: journal::JournalFile,
    known: HashMap<String, AuditRecord>,
}

impl Journal {
    /// Opens or begins one.
    pub(super) fn open(path: &Path, settings: Settings) -> Result<Self, JournalError> {
        let (journal, noted) = journal::JournalFile::open::<Settings, Noted<AuditRecord>>(path, &settings)?;
        let known = noted.into_iter().map(|noted| (of_record(&noted.record, &noted.files), noted.record));
        Ok(Self { journal, known: known.collect() })
    }

    /// The record of an instance of these files about which exactly these claims were noted.
    pub(super) fn find(&self, claims: &[&AuditClaim], files: &str) -> Option<AuditRecord> {
        self.known.get(&of_claims(claims, files)).cloned()
    }

    /// Notes a record.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn note(&self, record: &AuditRecord, files: &str) -> io::Result<()> {
        self.journal.note(&Noted { files: files.to_owned(), record })
    }
}

fn of_record(record: &AuditRecord, files: &str) -> String {
    let claims = record.claims.iter().map(|claim| (&claim.tool, &claim.word, &claim.witness));
    key([&record.network, &record.property, files], claims)
}

fn of_claims(claims: &[&AuditClaim], files: &str) -> String {
    let (network, property) =
        claims.first().map_or(("", ""), |claim| (claim.network.as_str(), claim.property.as_str()));
    key([network, property, files], claims.iter().map(|claim| (&claim.tool, &claim.word, &claim.witness)))
}

fn key<'a>(
    instance: [&str; 3],
    claims: impl Iterator<Item = (&'a String, &'a String, &'a Option<String>)>,
) -> String {
    format!("{instance:?} {:?}", claims.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{ClaimedVerdict, Finding, InstanceTruth, Judged};

    fn claim(word: &str) -> AuditClaim {
        AuditClaim {
            tool: "x".into(),
            benchmark: "b".into(),
            network: "n".into(),
            property: "p".into(),
            answer: ClaimedVerdict::of(word),
            word: word.into(),
            witness: None,
        }
    }

    fn record(word: &str) -> AuditRecord {
        let claim = claim(word);
        let finding = Finding::Stands;
        let judged =
            Judged { tool: claim.tool, answer: claim.answer, word: claim.word, witness: None, finding };
        AuditRecord {
            benchmark: claim.benchmark,
            network: claim.network,
            property: claim.property,
            truth: InstanceTruth::Open,
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
        journal.note(&record("unsat"), "f").unwrap();
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"files\":\"f\",\"rec");
        std::fs::write(&path, text).unwrap();

        let journal = Journal::open(&path, settings).unwrap();
        assert_eq!(journal.find(&[&claim("unsat")], "f"), Some(record("unsat")));
        assert_eq!(journal.find(&[&claim("unsat")], "changed"), None);
        assert_eq!(journal.find(&[&claim("sat")], "f"), None);
        journal.note(&record("sat"), "f").unwrap();
        let journal = Journal::open(&path, settings).unwrap();
        assert_eq!(journal.find(&[&claim("sat")], "f"), Some(record("sat")));

        let other = Settings { budget: 10.0, ..settings };
        assert!(matches!(Journal::open(&path, other), Err(JournalError::Settings(_))));
    }
}
