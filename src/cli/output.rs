//! A file that is looked at before it gets its name: written under another name beside the wanted one, then renamed. Where
//! nothing can be renamed (a pipe, a device) it waits in a folder of its own, and is then written as a whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::pack::{self, Durability, Target};
use crate::witness::write::WriteError;

/// A file to be.
#[derive(Debug)]
pub(super) struct OutputFile {
    /// As it was named.
    path: PathBuf,
    target: Target,
    fresh: PathBuf,
    /// Holds `fresh` where it cannot stand beside the file.
    _scratch: Option<TempDir>,
}

impl OutputFile {
    /// Makes sure that the file can be written, before anything is computed for it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn prepare(path: &Path) -> Result<Self, WriteError> {
        let fail = |source| WriteError { path: path.to_path_buf(), source };
        let target = Target::of(path).map_err(fail)?;
        let (fresh, scratch) = match &target {
            Target::Replaced(whole) => (pack::fresh_name(whole).map_err(fail)?, None),
            Target::Direct(_) => {
                let folder = tempfile::tempdir().map_err(fail)?;
                (folder.path().join("output"), Some(folder))
            }
        };
        let output = Self { path: path.to_path_buf(), target, fresh, _scratch: scratch };
        fs::File::create(&output.fresh).map_err(fail)?;
        Ok(output)
    }

    /// Writes all of it under the other name, in place of what was written before; that name.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<&Path, WriteError> {
        let named = match &self.target {
            Target::Replaced(whole) => whole,
            Target::Direct(path) => path,
        };
        let written = pack::write_new(&self.fresh, named, &|out| out.write_all(bytes), Durability::Content);
        written.map(|()| self.fresh.as_path()).map_err(|source| self.failed(source))
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// If that is refused.
    pub(super) fn publish(self) -> Result<(), WriteError> {
        let published = match &self.target {
            Target::Replaced(whole) => fs::rename(&self.fresh, whole),
            // Packed already, if its name wants it to be.
            Target::Direct(path) => {
                fs::read(&self.fresh).and_then(|bytes| pack::overwrite_as_is(path, &bytes))
            }
        };
        published.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> WriteError {
        WriteError { path: self.path.clone(), source }
    }
}

impl Drop for OutputFile {
    /// Without [`OutputFile::publish`] nothing is left.
    fn drop(&mut self) {
        // After a rename there is nothing to remove.
        let _ = fs::remove_file(&self.fresh);
    }
}
