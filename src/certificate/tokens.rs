//! A certificate of `unsat`: how a query's input set is taken apart, and what bounds the parts.
//!
//! The parts form a tree, written from the root on, each part before those that it is cut into ([`Token`]). A part is a box of
//! inputs, phases of neurons that are decided there, and for some `or`s of the query the operand whose turn it is. What is not
//! written is computed by whoever checks: a certificate claims nothing but that the check will succeed.
//!
//! The file is text, one token a line in JSON, compressed with gzip, so that `zcat` shows it. Its first line says which
//! version it has. Inputs are counted as the query declares them, those that it sets equal once; neurons are positions on the
//! tape (`tape.rs`), which [`VERSION`] stands for too.

use std::io::{BufRead, BufReader, Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

/// Of the file's form, of the rules that bound a part, and of the order of numbers on a tape.
pub const VERSION: u32 = 1;
/// Bytes that a certificate may unpack to.
const MOST_BYTES: u64 = 1 << 32;
/// Bytes of a line.
const MOST_LINE: u64 = 1 << 26;

/// What becomes of a part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Token {
    /// Bounds show that the query is false everywhere in it.
    Leaf {
        /// Slopes of the lines below open rectifiers: pre-activation, share of the way from the leak to 1.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        slopes: Vec<(u32, f32)>,
        /// Multipliers of decided phases: pre-activation, weight.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        weights: Vec<(u32, f32)>,
    },
    /// It is cut along an input; first the part where that is smaller.
    Cut {
        /// Which input.
        input: u32,
        /// Where: this number belongs to both parts.
        at: f64,
    },
    /// A neuron's phase is decided; first the part where its pre-activation is at least zero.
    Phase {
        /// The pre-activation.
        neuron: u32,
    },
    /// An operand of an `or` must hold: a part for each.
    Cases {
        /// The number of the `or` in the query.
        or: u32,
        /// How many operands it has.
        count: u32,
    },
}

impl Token {
    /// A part that needs no choices of multipliers.
    pub fn plain_leaf() -> Self {
        Self::Leaf { slopes: Vec::new(), weights: Vec::new() }
    }
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    #[serde(rename = "counterpatch-certificate")]
    version: u32,
    tokens: usize,
}

/// A certificate that nobody has checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Certificate {
    /// The tree, from the root on.
    pub tokens: Vec<Token>,
}

/// Why a file is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// It cannot be read, or not be unpacked.
    #[error(
        "line {line}: {source} (help: the file is cut short or no certificate; write it again with verify --certificate)"
    )]
    Unreadable {
        /// Lines from 1.
        line: usize,
        /// What was wrong.
        source: std::io::Error,
    },
    /// A line is none of a certificate.
    #[error(
        "line {line}: {what} (help: the file is damaged or no certificate; write it again with verify --certificate)"
    )]
    Malformed {
        /// Lines from 1.
        line: usize,
        /// What was wrong.
        what: String,
    },
    /// Another version wrote it.
    #[error(
        "it has version {found}, this program reads version {VERSION} (help: check it with the program that wrote it)"
    )]
    Version {
        /// The file's.
        found: u32,
    },
}

impl Certificate {
    /// Writes it, compressed.
    ///
    /// # Errors
    /// If the target refuses.
    pub fn write(&self, target: impl Write) -> std::io::Result<()> {
        let mut target = GzEncoder::new(target, Compression::default());
        self.write_lines(&mut target)?;
        target.finish()?.flush()
    }

    /// The file's text, unpacked.
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        // Writing to memory cannot fail.
        let _ = self.write_lines(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    fn write_lines(&self, target: &mut impl Write) -> std::io::Result<()> {
        let header = Header { version: VERSION, tokens: self.tokens.len() };
        writeln!(target, "{}", serde_json::to_string(&header)?)?;
        for token in &self.tokens {
            writeln!(target, "{}", serde_json::to_string(token)?)?;
        }
        Ok(())
    }

    /// Reads what [`Certificate::write`] has written.
    ///
    /// # Errors
    /// If it is not that, with the line.
    pub fn read(source: impl Read) -> Result<Self, CertificateError> {
        Self::parse(MultiGzDecoder::new(source))
    }

    /// Reads what that is unpacked.
    ///
    /// # Errors
    /// As [`Certificate::read`].
    pub fn parse(source: impl Read) -> Result<Self, CertificateError> {
        let mut source = BufReader::new(source.take(MOST_BYTES));
        let mut number = 0;
        let mut line = |needed: bool| -> Result<Option<String>, CertificateError> {
            number += 1;
            let mut text = String::new();
            let read = source.by_ref().take(MOST_LINE).read_line(&mut text);
            read.map_err(|source| CertificateError::Unreadable { line: number, source })?;
            let what = match text.pop() {
                Some('\n') => return Ok(Some(text)),
                None if !needed => return Ok(None),
                None => "the file ends here",
                Some(_) => "the line has no end",
            };
            Err(CertificateError::Malformed { line: number, what: what.into() })
        };
        let malformed = |line: usize, error: serde_json::Error| CertificateError::Malformed {
            line,
            what: error.to_string(),
        };
        let first = line(true)?.unwrap_or_default();
        let header: Header = serde_json::from_str(&first).map_err(|error| malformed(1, error))?;
        if header.version != VERSION {
            return Err(CertificateError::Version { found: header.version });
        }
        let mut tokens = Vec::new();
        while let Some(text) = line(tokens.len() < header.tokens)? {
            let token = serde_json::from_str(&text).map_err(|error| malformed(tokens.len() + 2, error))?;
            tokens.push(token);
        }
        if tokens.len() != header.tokens {
            let what = format!("{} tokens are announced, {} are there", header.tokens, tokens.len());
            return Err(CertificateError::Malformed { line: 1, what });
        }
        Ok(Self { tokens })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Certificate {
        let tokens = vec![
            Token::Cases { or: 7, count: 2 },
            Token::Cut { input: 3, at: 0.1 },
            Token::plain_leaf(),
            Token::Phase { neuron: 12 },
            Token::Leaf { slopes: vec![(4, 1.0), (9, 0.1)], weights: vec![(12, 0.25)] },
            Token::plain_leaf(),
            Token::plain_leaf(),
        ];
        Certificate { tokens }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = Vec::new();
        sample().write(&mut bytes).unwrap();
        assert_eq!(Certificate::read(bytes.as_slice()).unwrap(), sample());
    }

    #[test]
    fn what_is_no_certificate_is_refused_with_its_line() {
        let packed = |text: &str| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap()
        };
        let cases = [
            ("", "line 1: the file ends here"),
            ("{\"counterpatch-certificate\":1,\"tokens\":0}", "line 1: the line has no end"),
            ("{\"counterpatch-certificate\":9,\"tokens\":0}\n", "version 9"),
            ("{\"counterpatch-certificate\":1,\"tokens\":1}\n", "line 2: the file ends here"),
            (
                "{\"counterpatch-certificate\":1,\"tokens\":1}\n{\"leaf\":{\"slope\":[]}}\n",
                "line 2: unknown field",
            ),
            (
                "{\"counterpatch-certificate\":1,\"tokens\":0}\n{\"leaf\":{}}\n",
                "0 tokens are announced, 1 are there",
            ),
        ];
        for (text, expected) in cases {
            let error = Certificate::read(packed(text).as_slice()).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!(Certificate::read(&b"sat"[..]).is_err());
    }
}
