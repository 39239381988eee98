//! The files of a report: `report.html`, `results.csv`, `results.json` and a picture of everything. Each appears whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::attack::Victim;
use crate::attack::csv;
use crate::attack::images::picture;
use crate::attack::page::{self, Content};
use crate::attack::record::Record;
use crate::attack::run::Subject;
use crate::attack::summary::Summary;
use crate::cli::args;
use crate::cli::output::Output;
use crate::witness::write::WriteError;

/// What is written.
pub(super) struct Report<'a> {
    pub(super) args: &'a args::Attack,
    pub(super) victim: &'a Victim,
    pub(super) subjects: &'a [Subject],
    pub(super) records: &'a [Record],
    pub(super) summary: &'a Summary,
}

/// Makes a folder, and those above it.
pub(super) fn folder(path: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(path).map_err(|source| WriteError { path: path.to_path_buf(), source })
}

impl Report<'_> {
    /// Writes all of it; the JSON, for standard output too.
    pub(super) fn write(&self, names: &[String], settings: Value) -> Result<Value, WriteError> {
        let output = &self.args.output;
        let json = self.summary.to_json(settings, self.records);
        self.pictures()?;
        whole(&output.join("results.csv"), csv::text(self.records, self.subjects, names).as_bytes())?;
        whole(&output.join("results.json"), format!("{json:#}\n").as_bytes())?;
        whole(&output.join("report.html"), self.page().as_bytes())?;
        Ok(json)
    }

    fn page(&self) -> String {
        page::page(&Content {
            title: self.args.network.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            summary: self.summary,
            victim: self.victim,
            subjects: self.subjects,
            records: self.records,
            gallery: self.args.gallery,
        })
    }

    /// `images/METHOD/INDEX-original.png`, `-adversarial.png` and `-difference.png` of every success.
    fn pictures(&self) -> Result<(), WriteError> {
        let shape = self.victim.shape();
        for record in self.records {
            let subject = self.subjects.iter().find(|subject| subject.number == record.image);
            let (Some(subject), Some(found)) = (subject, &record.found) else { continue };
            let below = self.args.output.join("images").join(&record.method);
            folder(&below)?;
            let (original, result) = (self.victim.shows(&subject.input), self.victim.shows(&found.input));
            let difference = picture::difference(&original, &result);
            for (name, values) in
                [("original", original), ("adversarial", result), ("difference", difference)]
            {
                let path = below.join(format!("{}-{name}.png", record.image));
                let bytes = picture::write(shape, &values).map_err(|error| WriteError {
                    path: path.clone(),
                    source: std::io::Error::other(error),
                })?;
                quick(&path, &bytes)?;
            }
        }
        Ok(())
    }
}

/// Writes a file that is whole even after a power cut.
fn whole(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let output = Output::prepare(path)?;
    output.write(bytes)?;
    output.publish()
}

/// The same, but for a power cut: there are thousands of pictures, and they can be made again from the journal.
fn quick(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let fresh: PathBuf = path.with_extension(format!("{}.new", std::process::id()));
    let failed = |source| WriteError { path: path.to_path_buf(), source };
    fs::write(&fresh, bytes).and_then(|()| fs::rename(&fresh, path)).map_err(failed)
}
