//! `verify --profile`: where the time of the run went, in a file for viewers of traces.

use std::path::Path;

use super::output::OutputFile;
use crate::report::{Provenance, Timeline};
use crate::witness::write::WriteError;

/// What is collected, and the file that it goes to.
pub(super) struct ProfileFile {
    pub(super) timeline: Timeline,
    output: OutputFile,
}

impl ProfileFile {
    /// Makes sure that the file can be written, before anything is searched, and begins to collect.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn prepare(path: &Path) -> Result<Self, WriteError> {
        Ok(Self { output: OutputFile::prepare(path)?, timeline: Timeline::of_process() })
    }

    /// Writes it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn write(self, provenance: Option<&Provenance>) -> Result<(), WriteError> {
        let command = provenance.map_or("", |provenance| &provenance.command);
        self.output.write(self.timeline.text(command).as_bytes())?;
        self.output.publish()
    }
}
