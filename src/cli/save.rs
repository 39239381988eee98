//! `verify --save`: counterexamples as a file that other programs read, its form by its ending.
//!
//! - `.json`: an object as `--json` has it, with numbers and with the decimals that count;
//! - `.csv`: a row a variable, as the property names it, with its decimal; a column a counterexample;
//! - `.npz`: arrays of numpy by the network's names, in its types and shapes. Where several counterexamples were asked for they stand
//!   one behind the other along a first axis of their own.

use std::io;
use std::path::Path;

use serde_json::json;
use vnnlib::Query;

use super::config::UsageError;
use super::failure::Failure;
use super::object::Origin;
use super::output::OutputFile;
use crate::attack::images::{npy, npz};
use crate::counterexample::{Counterexample, NamedArray};
use crate::csv;
use crate::error::Error;
use crate::property::doubt::variable_name;
use crate::report::json::counterexample;
use crate::witness::write::WriteError;

/// What a file of counterexamples looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SavedForm {
    Json,
    Csv,
    Npz,
}

impl SavedForm {
    /// By a file's name; a `.gz` behind the ending does not matter.
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        let forms = [(".json", Self::Json), (".csv", Self::Csv), (".npz", Self::Npz)];
        forms.into_iter().find_map(|(ending, form)| name.ends_with(ending).then_some(form))
    }
}

/// A file for counterexamples.
pub(super) struct SavedFile {
    form: SavedForm,
    output: OutputFile,
    path: std::path::PathBuf,
}

impl SavedFile {
    /// Makes sure that it can be written, before anything is searched. Without [`SavedFile::save`] nothing is left of it.
    ///
    /// # Errors
    /// If it cannot be written, or its ending is none of the three.
    pub(super) fn prepare(path: &Path) -> Result<Self, Failure> {
        let form = SavedForm::of(path).ok_or_else(|| UsageError::Save(path.to_path_buf()))?;
        let output = OutputFile::prepare(path).map_err(Error::from)?;
        Ok(Self { form, output, path: path.to_path_buf() })
    }

    /// Writes counterexamples, at least one; `stacked` where several were asked for.
    ///
    /// # Errors
    /// If they cannot be written.
    pub(super) fn save(
        self,
        found: &[Counterexample],
        query: &Query,
        stacked: bool,
        origin: Origin,
    ) -> Result<(), WriteError> {
        let bytes = match self.form {
            SavedForm::Json => {
                let all: Vec<_> = found.iter().map(counterexample).collect();
                let object = origin.object(json!({ "verdict": "sat", "witnesses": all }));
                Ok(format!("{object:#}\n").into_bytes())
            }
            SavedForm::Csv => Ok(table(found, query).into_bytes()),
            SavedForm::Npz => archive(found, stacked),
        };
        let bytes = bytes.map_err(|source| WriteError { path: self.path, source })?;
        self.output.write(&bytes)?;
        self.output.publish()
    }
}

/// A row a variable, a column a counterexample.
fn table(found: &[Counterexample], query: &Query) -> String {
    let numbers = (2..=found.len()).map(|number| format!("value_{number}"));
    let mut rows = vec![["name", "value"].map(str::to_owned).into_iter().chain(numbers).collect()];
    for (at, tensor) in query.tensors().iter().enumerate() {
        for element in 0..tensor.len() {
            let value = |found: &Counterexample| {
                let tensor = found.witness().tensors().get(at);
                tensor.and_then(|tensor| tensor.values().get(element)).unwrap_or_default().to_owned()
            };
            let name = variable_name(query, (at, element));
            rows.push(std::iter::once(name).chain(found.iter().map(value)).collect::<Vec<String>>());
        }
    }
    csv::text(rows)
}

fn archive(found: &[Counterexample], stacked: bool) -> io::Result<Vec<u8>> {
    let arrays = |found: &Counterexample| -> Vec<NamedArray> {
        found.inputs().iter().chain(found.outputs()).cloned().collect()
    };
    let all: Vec<Vec<NamedArray>> = found.iter().map(arrays).collect();
    let Some(first) = all.first() else { return npz::archive(&[]) };
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for (at, array) in first.iter().enumerate() {
        let values: Vec<f64> = all
            .iter()
            .filter_map(|arrays| arrays.get(at))
            .flat_map(|array| array.values.iter().copied())
            .collect();
        let stack = stacked.then_some(all.len());
        let shape: Vec<usize> = stack.into_iter().chain(array.values.shape().iter().copied()).collect();
        // An input and an output may have one name, and an archive holds each once.
        let taken = files.iter().filter(|(name, _)| *name == array.name).count();
        let name = if taken > 0 { format!("{}_{}", array.name, taken + 1) } else { array.name.clone() };
        files.push((name, npy::typed(array.element, shape, &values).map_err(io::Error::other)?));
    }
    npz::archive(&files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_the_form() {
        let cases = [
            ("w.json", Some(SavedForm::Json)),
            ("a/W.CSV", Some(SavedForm::Csv)),
            ("w.npz", Some(SavedForm::Npz)),
            ("w.csv.gz", Some(SavedForm::Csv)),
            ("w.txt", None),
            ("json", None),
            ("", None),
        ];
        for (path, form) in cases {
            assert_eq!(SavedForm::of(Path::new(path)), form, "{path}");
        }
    }
}
