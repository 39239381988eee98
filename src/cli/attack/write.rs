//! The files of a report: `report.html`, `results.csv`, `results.json`, `adversarial.npz` and a picture of everything. Each
//! appears whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::attack::Victim;
use crate::attack::csv;
use crate::attack::images::npy::ArrayColumn;
use crate::attack::images::{npz, picture};
use crate::attack::page::{self, Content};
use crate::attack::record::{ConfirmedResult, Record};
use crate::attack::run::Subject;
use crate::attack::summary::Summary;
use crate::cli::output::OutputFile;
use crate::nearest::Norm;
use crate::report::Provenance;
use crate::witness::write::WriteError;

/// What is written.
pub(super) struct WrittenReport<'a> {
    /// The folder.
    pub(super) output: &'a Path,
    /// The page's heading.
    pub(super) title: &'a str,
    /// Most images on the page.
    pub(super) gallery: usize,
    pub(super) victim: &'a Victim,
    pub(super) subjects: &'a [Subject],
    pub(super) records: &'a [Record],
    pub(super) summary: &'a Summary,
    /// The norm that the run is about.
    pub(super) norm: Norm,
    /// The images' names, by number.
    pub(super) names: &'a [String],
    /// What the run was told, for the page.
    pub(super) told: &'a [(&'static str, String)],
    pub(super) provenance: &'a Provenance,
}

/// Makes a folder, and those above it.
pub(super) fn folder(path: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(path).map_err(|source| WriteError { path: path.to_path_buf(), source })
}

impl WrittenReport<'_> {
    /// Writes all of it; the JSON, for standard output too.
    pub(super) fn write(&self, settings: Value) -> Result<Value, WriteError> {
        let output = self.output;
        let json = self.summary.to_json(settings, self.records);
        self.pictures()?;
        whole(&output.join("adversarial.npz"), &self.arrays()?)?;
        whole(&output.join("results.csv"), csv::text(self.records, self.subjects, self.names).as_bytes())?;
        whole(&output.join("results.json"), format!("{json:#}\n").as_bytes())?;
        whole(&output.join("report.html"), self.page().as_bytes())?;
        Ok(json)
    }

    fn page(&self) -> String {
        page::page(&Content {
            title: self.title.to_owned(),
            summary: self.summary,
            victim: self.victim,
            subjects: self.subjects,
            records: self.records,
            gallery: self.gallery,
            names: self.names,
            norm: self.norm,
            settings: self.told,
            provenance: self.provenance,
        })
    }

    /// Every success with its image.
    fn successes(&self) -> impl Iterator<Item = (&Record, &Subject, &ConfirmedResult)> {
        self.records.iter().filter_map(|record| {
            let subject = self.subjects.iter().find(|subject| subject.number == record.image)?;
            Some((record, subject, record.found.as_ref()?))
        })
    }

    /// Every success as numbers, exactly: `inputs` and `originals` as the network reads them (one row each), `labels`,
    /// `classes` (what the network says), `images` (numbers of the set), `methods` and whether the picture is adversarial
    /// too (`pictures`, 1 or 0).
    fn arrays(&self) -> Result<Vec<u8>, WriteError> {
        let width = self.victim.layout.len();
        let inputs: Vec<f32> = self.successes().flat_map(|(.., found)| found.input.iter().copied()).collect();
        let originals: Vec<f32> =
            self.successes().flat_map(|(_, subject, _)| subject.input.iter().copied()).collect();
        let numbers = |number: &dyn Fn(&Record, &Subject, &ConfirmedResult) -> usize| -> Vec<i64> {
            let all = self.successes().map(|(record, subject, found)| number(record, subject, found));
            all.map(|number| i64::try_from(number).unwrap_or(i64::MAX)).collect()
        };
        let labels = numbers(&|_, subject, _| subject.label);
        let classes = numbers(&|_, _, found| found.class);
        let images = numbers(&|record, _, _| record.image);
        let pictures = numbers(&|_, _, found| usize::from(found.picture.is_adversarial()));
        let methods: Vec<&str> = self.successes().map(|(record, ..)| record.method.as_str()).collect();
        let arrays = [
            ("inputs", ArrayColumn::Floats(&inputs, width)),
            ("originals", ArrayColumn::Floats(&originals, width)),
            ("labels", ArrayColumn::Numbers(&labels)),
            ("classes", ArrayColumn::Numbers(&classes)),
            ("images", ArrayColumn::Numbers(&images)),
            ("pictures", ArrayColumn::Numbers(&pictures)),
            ("methods", ArrayColumn::Texts(&methods)),
        ];
        npz::write(&arrays).map_err(|source| WriteError { path: self.output.join("adversarial.npz"), source })
    }

    /// `images/METHOD/INDEX-original.png`, `-adversarial.png` and `-difference.png` of every success; where 8 bits have
    /// undone it the second is called `-lost-in-8-bits.png`.
    fn pictures(&self) -> Result<(), WriteError> {
        let shape = self.victim.shape();
        for (record, subject, found) in self.successes() {
            let below = self.output.join("images").join(&record.method);
            folder(&below)?;
            let (original, result) = (self.victim.shows(&subject.input), self.victim.shows(&found.input));
            let difference = picture::difference(&original, &result);
            let (own, other) = match found.picture.is_adversarial() {
                true => ("adversarial", "lost-in-8-bits"),
                false => ("lost-in-8-bits", "adversarial"),
            };
            // What an earlier run with other settings left.
            let _ = fs::remove_file(below.join(format!("{}-{other}.png", record.image)));
            for (name, values) in [("original", original), (own, result), ("difference", difference)] {
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
pub(super) fn whole(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let output = OutputFile::prepare(path)?;
    output.write(bytes)?;
    output.publish()
}

/// The same, but for a power cut: there are thousands of pictures, and they can be made again from the journal.
fn quick(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let fresh: PathBuf = path.with_extension(format!("{}.new", std::process::id()));
    let failed = |source| WriteError { path: path.to_path_buf(), source };
    fs::write(&fresh, bytes).and_then(|()| fs::rename(&fresh, path)).map_err(failed)
}
