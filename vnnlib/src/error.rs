//! What can be wrong with a text, where, and what to do about it.
//!
//! A [`Problem`] is the fact, a [`Diagnostic`] the fact with its place and source line, [`Errors`] all that were
//! found. Syntax errors end the reading (what follows would be guesswork); errors of names, shapes and types are
//! collected up to [`Errors::LIMIT`], so that reading a huge wrong file stays linear.

use std::fmt;
use std::sync::Arc;

use crate::ast::Span;

use crate::problem::Problem;

/// One problem with its place, ready to be printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    name: Arc<str>,
    span: Span,
    line: usize,
    column: usize,
    excerpt: String,
    caret: (usize, usize),
    problem: Problem,
}

impl Diagnostic {
    fn new(name: &Arc<str>, text: &str, span: Span, problem: Problem) -> Self {
        // What is missing at the end is shown behind the last word, not on an empty line.
        let end = text.trim_end().len();
        let span = if span.start() >= end { Span::new(end as u32, 0) } else { span };
        let (line, column) = line_and_column(text, span.start());
        let (excerpt, caret) = excerpt(text, span);
        Self { name: Arc::clone(name), span, line, column, excerpt, caret, problem }
    }

    /// The bytes of the text that are at fault.
    pub fn span(&self) -> Span {
        self.span
    }

    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, counted from 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:{}:{}: {}", self.name, self.line, self.column, self.problem)?;
        writeln!(f, "    {}", self.excerpt)?;
        let (before, width) = self.caret;
        writeln!(f, "    {}{}", " ".repeat(before), "^".repeat(width))?;
        write!(f, "help: {}", self.problem.help())
    }
}

/// All problems found in a text; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors {
    diagnostics: Vec<Diagnostic>,
    more: usize,
}

impl Errors {
    /// How many problems are kept; further ones are only counted.
    pub const LIMIT: usize = 20;

    /// The problems, in the order of the text.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// How many further problems were found and not kept.
    pub fn more(&self) -> usize {
        self.more
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.diagnostics.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{diagnostic}")?;
        }
        if self.more > 0 {
            write!(f, "\n(and {} more)", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// Problems as they are found, still without lines and columns.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    found: Vec<(Span, Problem)>,
    more: usize,
}

impl Collector {
    pub(crate) fn push(&mut self, span: Span, problem: Problem) {
        if self.found.len() < Errors::LIMIT {
            self.found.push((span, problem));
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn finish(mut self, name: &Arc<str>, text: &str) -> Errors {
        self.found.sort_by_key(|(span, _)| span.start());
        let diagnostics = self
            .found
            .into_iter()
            .map(|(span, problem)| Diagnostic::new(name, text, span, problem))
            .collect();
        Errors { diagnostics, more: self.more }
    }
}

/// The line and the column (in characters) of a byte offset, both from 1.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

/// A printable piece of the line that holds the span, and the place and width of the caret under it.
/// Benchmarks hold lines of megabytes: at most `BEFORE` and `AFTER` characters around the span are shown.
fn excerpt(text: &str, span: Span) -> (String, (usize, usize)) {
    const BEFORE: usize = 60;
    const AFTER: usize = 50;
    let start = span.start().min(text.len());
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let lead: Vec<char> = text[line_start..start].chars().rev().take(BEFORE + 1).collect();
    let cut_front = lead.len() > BEFORE;
    let mut shown = String::from(if cut_front { "..." } else { "" });
    shown.extend(lead.iter().take(BEFORE).rev().map(|&c| printable(c)));
    let before = shown.chars().count();
    let tail = text[start..line_end].trim_end();
    shown.extend(tail.chars().take(AFTER).map(printable));
    let here = tail.char_indices().take(AFTER).take_while(|(at, _)| start + at < span.end()).count();
    if tail.chars().nth(AFTER).is_some() {
        shown.push_str("...");
    }
    (shown, (before, here.max(1)))
}

/// Tabs and control characters would put the caret in the wrong place.
fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}
