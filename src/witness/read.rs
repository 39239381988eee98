//! Reading results files and counterexamples of any tool: `grammar/witness.ebnf`, whose productions stand above their
//! functions. As strict as the competition's readers where those fail, so that what passes here passes there.

use std::path::{Path, PathBuf};

use nom::bytes::complete::{tag, take_while};
use nom::character::complete::{digit1, one_of};
use nom::error::{ErrorKind, ParseError};
use nom::{IResult, Parser};

use super::decimals::Decimals;
use super::word::{ClaimedVerdict, is_verdict};
use crate::text;
use crate::unpack::{self, FileError};

/// What a file claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// `sat`, or a bare counterexample, which claims the same.
    Sat,
    /// Another verdict, as written.
    Other(String),
}

/// What a file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The verdict.
    pub claim: Claim,
    /// The counterexample, where there is one.
    pub assignment: Option<Listed>,
    /// What a stricter reader would stumble over.
    pub remarks: Vec<String>,
}

/// A counterexample as listed.
#[derive(Debug, Clone, PartialEq)]
pub enum Listed {
    /// The form of VNN-LIB 1.0.
    Pairs {
        /// `X_0`, `X_1`, ...
        inputs: Values,
        /// `Y_0`, `Y_1`, ...; may be empty.
        outputs: Values,
    },
    /// The form of VNN-LIB 2.0.
    Tensors(Vec<ListedTensor>),
}

/// One tensor of the second form.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedTensor {
    /// Its name.
    pub name: String,
    /// Its type, as written.
    pub element_type: String,
    /// Its shape.
    pub shape: Vec<u32>,
    /// As many values as the shape says.
    pub values: Values,
    /// The line of its header, from 1.
    pub line: usize,
}

/// Numbers as written, and as doubles.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Values {
    /// The texts.
    pub decimals: Decimals,
    /// What they read as.
    pub floats: Vec<f64>,
}

/// A file that does not follow the format: one place, with what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}:{line}:{column}: {what} (help: {help})")]
pub struct Malformed {
    /// The file.
    pub name: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub help: &'static str,
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum WitnessReadError {
    /// The file system refused.
    #[error("{}: {source}", unpack::shown(.path))]
    Io {
        /// The file.
        path: PathBuf,
        /// The refusal.
        source: FileError,
    },
    /// The file does not follow the format.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// Reads a results file or a bare counterexample, which may be gzipped.
///
/// # Errors
/// If it cannot be read or does not follow the format.
pub fn read(path: &Path) -> Result<Reading, WitnessReadError> {
    let read = unpack::read(path, unpack::limit::TEXT);
    let (_, bytes) = read.map_err(|source| WitnessReadError::Io { path: path.to_path_buf(), source })?;
    let mark = bytes.starts_with(b"\xef\xbb\xbf")
        || bytes.starts_with(b"\xff\xfe")
        || bytes.starts_with(b"\xfe\xff");
    // What is no text is malformed, and the parser says where.
    let text = text::decoded(bytes.clone()).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into_owned());
    let mut reading = parse(&unpack::shown(path), &text)?;
    if text.trim().is_empty() {
        reading
            .remarks
            .push("the file is empty: there is neither a verdict nor a counterexample in it".to_owned());
    }
    if mark {
        let what =
            "a byte order mark stands before the verdict; the competition's reader finds no verdict then";
        reading.remarks.push(what.to_owned());
    }
    Ok(reading)
}

/// Reads the text of a results file or a bare counterexample; `name` begins every message.
///
/// # Errors
/// The first place where it does not follow the format.
pub fn parse(name: &str, text: &str) -> Result<Reading, Malformed> {
    results(text).map(|(_, reading)| reading).map_err(|error| match error {
        nom::Err::Error(fault) | nom::Err::Failure(fault) => fault.placed(name, text),
        // No parser here is a streaming one.
        nom::Err::Incomplete(_) => FileFault::at("", "the text ends too early", END).placed(name, text),
    })
}

const END: &str = "complete the file; is it cut off?";
const PAIR: &str = "write pairs as `(X_0 0.5)`: no blank behind `(`, one between name and value, no comments";
const HEADER: &str = "write `NAME TYPE [d0,d1]` on a line of its own, then one value a line";

type Parsed<'a, T> = IResult<&'a str, T, FileFault>;

/// Where reading failed, measured from the text's end, and why.
struct FileFault {
    remaining: usize,
    what: String,
    help: &'static str,
}

impl ParseError<&str> for FileFault {
    fn from_error_kind(input: &str, _: ErrorKind) -> Self {
        Self::at(input, "unexpected text", PAIR)
    }

    fn append(_: &str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

impl FileFault {
    fn at(input: &str, what: impl Into<String>, help: &'static str) -> Self {
        Self { remaining: input.len(), what: what.into(), help }
    }

    fn placed(self, name: &str, text: &str) -> Malformed {
        let before = text.get(..text.len().saturating_sub(self.remaining)).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Malformed {
            name: name.to_owned(),
            line: before.bytes().filter(|&byte| byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            what: self.what,
            help: self.help,
        }
    }
}

fn fail<'a, T>(input: &'a str, what: impl Into<String>, help: &'static str) -> Parsed<'a, T> {
    Err(nom::Err::Failure(FileFault::at(input, what, help)))
}

/// `what` was expected, something else stands there.
fn missing(input: &str, what: &str, help: &'static str) -> FileFault {
    let word: String = input.chars().take_while(|c| !c.is_whitespace()).take(20).collect();
    match input.chars().next() {
        None => FileFault::at(input, format!("expected {what}, found the end of the text"), END),
        Some('\n' | '\r') => {
            FileFault::at(input, format!("expected {what}, found the end of the line"), help)
        }
        Some('\t') => FileFault::at(input, format!("expected {what}, found a tab"), help),
        Some(_) if word.is_empty() => FileFault::at(input, format!("expected {what}, found a blank"), help),
        Some(_) => FileFault::at(input, format!("expected {what}, found `{word}`"), help),
    }
}

fn expected<'a, T>(input: &'a str, what: &str, help: &'static str) -> Parsed<'a, T> {
    Err(nom::Err::Failure(missing(input, what, help)))
}

/// `results = [ { white } verdict { blank } ( line end | end of text ) ] [ assignment ]`
fn results(input: &str) -> Parsed<'_, Reading> {
    let start = white(input.trim_start_matches('\u{feff}'));
    let mut remarks = Vec::new();
    let above = newlines_between(input, start);
    let (claim, rest) = verdict(start, &mut remarks);
    if above > 0 && rest.len() < start.len() {
        remarks.push(format!(
            "the verdict is in line {}; the competition's reader looks for it in the first line only",
            above + 1
        ));
    }
    let first_line = above + if rest.len() < start.len() { 2 } else { 1 };
    // Tools add all sorts of remarks to a verdict that needs no counterexample.
    if white(rest).is_empty() || claim != Claim::Sat {
        return Ok(("", Reading { claim, assignment: None, remarks }));
    }
    let (rest, listed) = if white(rest).starts_with('(') { pairs(rest)? } else { tensors(rest, first_line)? };
    Ok((rest, Reading { claim, assignment: Some(listed), remarks }))
}

/// `verdict = ? a word for a verdict, see src/witness/word.rs ?`
///
/// A file that begins with none of them is a bare counterexample. `sat (` on one line is taken for two lines, as the
/// competition does.
fn verdict<'a>(input: &'a str, remarks: &mut Vec<String>) -> (Claim, &'a str) {
    let (line, rest) = input.split_once('\n').unwrap_or((input, ""));
    match line.trim() {
        "sat" => (Claim::Sat, rest),
        line if line.starts_with("sat (") => (Claim::Sat, &input[input.find("sat").unwrap_or(0) + 4..]),
        word if is_verdict(word) && ClaimedVerdict::of(word) == ClaimedVerdict::Sat => {
            remarks.push(format!(
                "`{word}` counts as sat here; the competition keeps counterexamples of `sat` only"
            ));
            (Claim::Sat, rest)
        }
        word if is_verdict(word) => (Claim::Other(word.to_owned()), rest),
        _ => (Claim::Sat, input),
    }
}

/// `white = blank | line end`
fn white(input: &str) -> &str {
    input.trim_start_matches([' ', '\t', '\r', '\n'])
}

/// `pairs = { white } "(" { white } { pair { white } } ")" { white }`
fn pairs(input: &str) -> Parsed<'_, Listed> {
    let (mut inputs, mut outputs) = (Values::default(), Values::default());
    let (rest, _) = tag("(").parse(white(input))?;
    let mut rest = white(rest);
    while !rest.starts_with(')') {
        let (behind, (letter, index, value)) = pair(rest)?;
        let values = if letter == 'X' { &mut inputs } else { &mut outputs };
        if index != Some(values.floats.len()) {
            let wanted = values.floats.len();
            return expected(
                &rest[1..],
                &format!("`{letter}_{wanted}`"),
                "list each variable once, in order",
            );
        }
        values.decimals.push(value.0);
        values.floats.push(value.1);
        rest = white(behind);
    }
    let behind = white(&rest[1..]);
    if !behind.is_empty() {
        return expected(behind, "the end of the text", "nothing may follow the last `)`");
    }
    Ok((behind, Listed::Pairs { inputs, outputs }))
}

type Pair<'a> = (char, Option<usize>, (&'a str, f64));

/// `pair = "(" variable " " { " " } value { white } ")"`
fn pair(input: &str) -> Parsed<'_, Pair<'_>> {
    let (start, (letter, index)) = variable(input).map_err(|error| match error {
        // The sequence says only where it broke off.
        nom::Err::Error(fault) => {
            let at = &input[input.len().saturating_sub(fault.remaining)..];
            nom::Err::Failure(missing(at, "a pair such as `(X_0 0.5)`", PAIR))
        }
        other => other,
    })?;
    let end = start.find(|c: char| c.is_whitespace() || c == '(' || c == ')').unwrap_or(start.len());
    let (text, behind) = start.split_at(end);
    let Some(float) = number(text) else { return expected(start, "a number", PAIR) };
    let behind = white(behind);
    match behind.strip_prefix(')') {
        Some(rest) => Ok((rest, (letter, index.parse().ok(), (text, float)))),
        None => expected(behind, "`)`", PAIR),
    }
}

/// `variable = ( "X" | "Y" ) "_" digit { digit }`, with what surrounds it in a pair
fn variable(input: &str) -> Parsed<'_, (char, &str)> {
    let parts = (tag("("), one_of("XY"), tag("_"), digit1, tag(" "), take_while(|c| c == ' '));
    parts.map(|(_, letter, _, index, _, _)| (letter, index)).parse(input)
}

/// A number as Python's `float` reads it.
fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// `tensors = { empty line } tensor { tensor }`
///
/// Reads lines rather than characters: a witness of this form has one value a line.
fn tensors(input: &str, first_line: usize) -> Parsed<'_, Listed> {
    let (mut listed, mut line, mut rest) = (Vec::new(), first_line, input);
    loop {
        let start = white(rest);
        line += newlines_between(rest, start);
        if start.is_empty() {
            return Ok((start, Listed::Tensors(listed)));
        }
        let (behind, tensor) = tensor(start, line)?;
        line += newlines_between(start, behind);
        listed.push(tensor);
        rest = behind;
    }
}

/// Line ends in what was read between two rests of one text.
fn newlines_between(before: &str, after: &str) -> usize {
    let read = before.len().saturating_sub(after.len());
    before.as_bytes()[..read].iter().filter(|&&byte| byte == b'\n').count()
}

/// `tensor = header { empty line | value line }`, with as many values as the shape says
fn tensor(input: &str, line: usize) -> Parsed<'_, ListedTensor> {
    let (mut rest, (name, element_type, shape)) = header(input)?;
    let count = shape.iter().try_fold(1_usize, |product, &extent| product.checked_mul(extent as usize));
    let Some(count) = count.filter(|&count| count <= input.len()) else {
        return fail(input, format!("{name} has more elements than the file has characters"), END);
    };
    let mut values = Values::default();
    for index in 0..count {
        let start = white(rest);
        let (line, behind) = start.split_once('\n').unwrap_or((start, ""));
        let word = line.trim();
        let Some(float) = number(word).or_else(|| truth(word)) else {
            let what = format!("a number, element {index} of the {count} of {name}");
            return expected(start, &what, HEADER);
        };
        values.decimals.push(word);
        values.floats.push(float);
        rest = behind;
    }
    let (name, element_type) = (name.to_owned(), element_type.to_owned());
    Ok((rest, ListedTensor { name, element_type, shape, values, line }))
}

fn truth(word: &str) -> Option<f64> {
    match word.to_ascii_lowercase().as_str() {
        "true" => Some(1.0),
        "false" => Some(0.0),
        _ => None,
    }
}

type Header<'a> = (&'a str, &'a str, Vec<u32>);

/// `header = { blank } name blank { blank } name blank { blank } shape { blank } ( line end | end of text )`
fn header(input: &str) -> Parsed<'_, Header<'_>> {
    let (line, rest) = input.split_once('\n').unwrap_or((input, ""));
    let parts = (|| {
        let (name, behind) = line.trim().split_once([' ', '\t'])?;
        let (element_type, shape) = behind.trim_start().split_once([' ', '\t'])?;
        Some((name, element_type, shape.trim().strip_prefix('[')?.strip_suffix(']')?))
    })();
    let Some((name, element_type, inside)) = parts else {
        return expected(input, "the header of a tensor", HEADER);
    };
    let extent = |text: &str| text.trim().parse::<u32>().ok();
    let shape = match inside.trim() {
        "" => Some(Vec::new()),
        inside => inside.split(',').map(extent).collect(),
    };
    match shape {
        Some(shape) => Ok((rest, (name, element_type, shape))),
        None => fail(input, format!("`[{inside}]` is no shape"), HEADER),
    }
}
