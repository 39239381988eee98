//! Where a verdict goes: the results file and standard output. There is one verdict a run. The search, the time limit
//! and a signal may all have one; the first stays.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

use super::exit::Exit;
use super::object::Origin;
use super::panics;
use super::terminal::{self, say};
use crate::report::json;
use crate::witness::write::{self, WriteError};
use crate::witness::{Answer, ResultsFile};

/// How standard output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// The verdict, and the counterexample if there is no results file for it.
    Text,
    /// One JSON object a line, of this command.
    Json(Origin),
}

/// A verdict, and what is told of it where it is told as JSON.
pub(super) struct ToldVerdict<'a> {
    /// The verdict.
    pub(super) answer: Answer<'a>,
    /// Further fields of its object.
    pub(super) fields: Map<String, Value>,
}

impl<'a> From<Answer<'a>> for ToldVerdict<'a> {
    fn from(answer: Answer<'a>) -> Self {
        Self { answer, fields: Map::new() }
    }
}

/// Takes the verdict of a run.
#[derive(Debug)]
pub(super) struct Delivery {
    file: Option<ResultsFile>,
    /// Where a counterexample goes as files of tensors.
    folder: Option<PathBuf>,
    style: Style,
    delivered: Mutex<bool>,
}

impl Delivery {
    /// Delivers to `file`, if there is one, and to standard output; tensors of a counterexample to `folder`, if there
    /// is one.
    pub(super) fn new(file: Option<ResultsFile>, folder: Option<PathBuf>, style: Style) -> Self {
        Self { file, folder, style, delivered: Mutex::new(false) }
    }

    /// Delivers a verdict, unless one was delivered before: then `None`.
    pub(super) fn deliver<'a>(&self, told: impl Into<ToldVerdict<'a>>) -> Option<Exit> {
        let ToldVerdict { answer, fields } = told.into();
        let mut delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *delivered, true) {
            return None;
        }
        // What came of a search in which something panicked cannot be relied on.
        let (answer, exit) =
            if panics::seen() { (Answer::Error, Exit::Bug) } else { (answer, Exit::Answered) };
        if let Err(error) = self.write_files(answer) {
            say!("error: {error}");
            return Some(Exit::CannotWrite);
        }
        match self.print(answer, fields) {
            Ok(()) => Some(exit),
            // The answer is whole in the results file: that is what the caller asked for.
            Err(_) if self.file.is_some() => Some(exit),
            Err(error) => Some(terminal::lost(&error)),
        }
    }

    fn write_files(&self, answer: Answer<'_>) -> Result<(), WriteError> {
        if let (Some(folder), Answer::Sat(witness)) = (&self.folder, answer) {
            write::serialise(folder, witness)?;
        }
        self.file.as_ref().map_or(Ok(()), |file| file.write(answer))
    }

    fn print(&self, answer: Answer<'_>, fields: Map<String, Value>) -> io::Result<()> {
        match (self.style, answer) {
            (Style::Json(origin), _) => {
                let mut line = json::verdict(answer);
                if let Some(line) = line.as_object_mut() {
                    line.extend(fields);
                }
                terminal::print_json(&origin.line(line))
            }
            // Nothing but a verdict may stand on standard output.
            (Style::Text, Answer::Error) => Ok(()),
            // The standard's word; the competition's is `timeout`.
            (Style::Text, Answer::Timeout) => terminal::print("timed-out\n"),
            (Style::Text, Answer::Sat(_)) if self.file.is_none() && self.folder.is_none() => {
                let mut whole = Vec::new();
                answer.write_to(&mut whole)?;
                terminal::print(&String::from_utf8_lossy(&whole))
            }
            (Style::Text, _) => terminal::print(&format!("{}\n", answer.word())),
        }
    }
}
