//! A file that appears whole or not at all: written under another name beside the wanted one, then renamed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::witness::write::WriteError;

/// A file to be.
#[derive(Debug)]
pub(super) struct Output {
    path: PathBuf,
    fresh: PathBuf,
}

impl Output {
    /// Makes sure that the file can be written, before anything is computed for it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn prepare(path: &Path) -> Result<Self, WriteError> {
        let fail = |source| WriteError { path: path.to_path_buf(), source };
        if path.is_dir() {
            return Err(fail(io::ErrorKind::IsADirectory.into()));
        }
        let name = path.file_name().ok_or_else(|| fail(io::ErrorKind::InvalidInput.into()))?;
        let fresh = path.with_file_name(format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
        let output = Self { path: path.to_path_buf(), fresh };
        File::create(&output.fresh).map_err(fail)?;
        Ok(output)
    }

    /// Writes all of it under the other name, in place of what was written before; that name.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<&Path, WriteError> {
        let written = File::create(&self.fresh).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_data()
        });
        written.map(|()| self.fresh.as_path()).map_err(|source| self.failed(source))
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// If that is refused.
    pub(super) fn publish(self) -> Result<(), WriteError> {
        fs::rename(&self.fresh, &self.path).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> WriteError {
        WriteError { path: self.path.clone(), source }
    }
}

impl Drop for Output {
    /// Without [`Output::publish`] nothing is left.
    fn drop(&mut self) {
        // After a rename there is nothing to remove.
        let _ = fs::remove_file(&self.fresh);
    }
}
