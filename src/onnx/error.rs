//! What can be wrong with a model, with the place and the remedy.

use std::fmt;

use crate::escape::escaped;

/// A model that cannot be used. Printed as `PLACE: WHAT (help: REMEDY)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelError {
    /// Where in the file.
    pub place: Place,
    /// What is wrong there.
    pub what: String,
    /// What the user can do about it; empty where there is nothing better to say than `what`.
    pub help: String,
}

/// A place in a model file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole.
    File,
    /// A byte of the (unpacked) file.
    Byte(u64),
    /// A node of the graph.
    Node {
        /// The node's name.
        name: String,
        /// Its operator.
        operator: String,
    },
    /// A named value: a graph input, output or initialiser.
    Value(String),
}

impl ModelError {
    /// An error at `place` without a remedy.
    pub fn new(place: Place, what: impl Into<String>) -> Self {
        Self { place, what: what.into(), help: String::new() }
    }

    /// The same error with a remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("the model"),
            Self::Byte(at) => write!(f, "byte {at}"),
            Self::Node { name, operator } => write!(f, "node {} ({})", escaped(name), escaped(operator)),
            Self::Value(name) => write!(f, "value {}", escaped(name)),
        }
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, escaped(&self.what))?;
        if !self.help.is_empty() {
            write!(f, " (help: {})", self.help)?;
        }
        Ok(())
    }
}

impl std::error::Error for ModelError {}
