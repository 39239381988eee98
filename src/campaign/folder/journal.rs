//! A second copy of all results, for whoever wants to read them all: `journal/PROCESS.lines`, one file for each process that
//! has written results. A line is a result's text, as its own file holds it, behind its check sum.
//!
//! The file of a unit stays the truth, and a line is only believed as long as that file is there and as long as the line. So
//! a line that is missing, cut short or written twice costs the time to open a file, and no result. That makes a journal
//! simple and safe: only one process ever writes to a file of it, also on NFS, where two that append write over each other;
//! nothing has to be flushed to the disk; nothing is locked; and a process that finds the disk full goes on without it.
//! Opening a file for each of a million results takes minutes where they lie on another machine, reading a thousand journals
//! seconds.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use flate2::Crc;

use super::{CampaignFolder, FolderError, claims, names};

/// How a journal's name ends.
const END: &str = ".lines";
/// The check sum of a line in hexadecimal digits, and a blank.
const HEAD: usize = 9;
/// Journals that are open at a time: a process may not have many files open.
const OPEN: usize = 200;

/// The journal of this process.
#[derive(Debug, Default)]
pub(super) struct OwnJournal(Mutex<Option<File>>);

/// Where a result stands in a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::campaign) struct JournalPlace {
    /// The byte that its text begins with.
    offset: u64,
    /// Its length in bytes.
    bytes: u32,
}

impl JournalPlace {
    /// How long the text is, in bytes.
    pub(in crate::campaign) fn bytes(self) -> u64 {
        u64::from(self.bytes)
    }
}

impl CampaignFolder {
    fn journals(&self) -> PathBuf {
        self.path().join("journal")
    }

    /// Notes a result that was written. What cannot be noted is read from its own file.
    pub(super) fn note(&self, text: &str) {
        let mut own = self.journal.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = || {
            fs::create_dir_all(self.journals())?;
            let path = self.journals().join(claims::own_name().to_owned() + END);
            OpenOptions::new().append(true).create(true).open(path)
        };
        if own.is_none() {
            *own = open().ok();
        }
        // The end of line in front, too: whatever was cut short before does not take this line with it.
        let line = format!("\n{:08x} {}\n", sum(text.trim_end().as_bytes()), text.trim_end());
        if own.as_mut().is_some_and(|file| file.write_all(line.as_bytes()).is_err()) {
            *own = None;
        }
    }

    /// The journals, by their paths.
    ///
    /// # Errors
    /// If the system refuses.
    pub(in crate::campaign) fn segments(&self) -> Result<Vec<PathBuf>, FolderError> {
        let names = names(&self.journals())
            .map_err(|source| FolderError::Read { path: self.journals(), source })?
            .filter(|name| name.ends_with(END) && !name.starts_with('.'));
        let mut paths: Vec<PathBuf> = names.map(|name| self.journals().join(name)).collect();
        paths.sort();
        Ok(paths)
    }
}

/// Reads the whole lines of a journal, each with its place; others are left out.
///
/// # Errors
/// If the system refuses.
pub(in crate::campaign) fn journalled(
    path: &Path,
    mut each: impl FnMut(&str, JournalPlace),
) -> Result<(), FolderError> {
    let mut read = || -> io::Result<()> {
        let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
        let (mut line, mut offset) = (Vec::new(), 0);
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(());
            }
            if let Some(text) = whole(&line) {
                let bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
                each(text, JournalPlace { offset: offset + HEAD as u64, bytes });
            }
            offset += read as u64;
        }
    };
    read().map_err(|source| FolderError::Read { path: path.to_path_buf(), source })
}

/// Journals that stay open while texts are read here and there.
#[derive(Debug, Default)]
pub(in crate::campaign) struct OpenJournals(HashMap<PathBuf, File>);

impl OpenJournals {
    /// The text at a place of a journal.
    ///
    /// # Errors
    /// If the system refuses, or the file was changed.
    pub(in crate::campaign) fn text(
        &mut self,
        path: &Path,
        place: JournalPlace,
    ) -> Result<String, FolderError> {
        self.read(path, place).map_err(|source| FolderError::Read { path: path.to_path_buf(), source })
    }

    fn read(&mut self, path: &Path, place: JournalPlace) -> io::Result<String> {
        if !self.0.contains_key(path) {
            if self.0.len() == OPEN {
                self.0.clear();
            }
            self.0.insert(path.to_path_buf(), File::open(path)?);
        }
        let mut bytes = vec![0; place.bytes as usize];
        self.0[path].read_exact_at(&mut bytes, place.offset)?;
        String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
    }
}

/// The text of a line, if it is all there.
fn whole(line: &[u8]) -> Option<&str> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let (head, text) = line.split_at_checked(HEAD)?;
    let digits = std::str::from_utf8(head.strip_suffix(b" ")?).ok()?;
    let is_whole = u32::from_str_radix(digits, 16) == Ok(sum(text));
    is_whole.then(|| std::str::from_utf8(text).ok()).flatten()
}

fn sum(text: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(text);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts in a journal of these bytes.
    fn check(bytes: &[u8], want: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lines");
        fs::write(&path, bytes).unwrap();
        let (mut texts, mut open) = (Vec::new(), OpenJournals::default());
        journalled(&path, |text, place| {
            assert_eq!(open.text(&path, place).unwrap(), text);
            texts.push(text.to_owned());
        })
        .unwrap();
        assert_eq!(texts, want, "{}", String::from_utf8_lossy(bytes));
    }

    #[test]
    fn only_whole_lines_are_read() {
        let line = |text: &str| format!("\n{:08x} {text}\n", sum(text.as_bytes()));
        let (one, two) = (line("{\"a\":1}"), line("{\"b\":\"\u{e4}\"}"));
        let both = ["{\"a\":1}", "{\"b\":\"\u{e4}\"}"];
        check(format!("{one}{two}").as_bytes(), &both);
        check(b"", &[]);
        check(b"\n\nx\n\0\0\0\0\n", &[]);
        for end in 0..one.len() - 1 {
            check(format!("{}{two}", &one[..end]).as_bytes(), &both[1..]);
        }
        check(one.replace('1', "2").as_bytes(), &[]);
        // Nothing is missing but the end of the line.
        check(one.trim_end().as_bytes(), &both[..1]);
    }
}
