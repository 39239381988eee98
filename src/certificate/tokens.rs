//! A certificate of `unsat`: how a query's input set is taken apart, and what bounds the parts.
//!
//! The parts form a tree, written from the root on, each part before those that it is cut into ([`Token`]). A part is a box of
//! inputs, phases of neurons that are decided there, and for some `or`s of the query the operand whose turn it is. What is not
//! written is computed by whoever checks: a certificate claims nothing but that the check will succeed.
//!
//! The file is text, one token a line in JSON, compressed with gzip, so that `zcat` shows it. Its first line says which
//! version it has, its last one is the SHA-256 of all lines before: a file that was changed on its way is refused for that,
//! also where what became of it would still be a proof. Against a forger the check itself is the guard. Inputs are counted as the query declares them, those that it sets equal once; neurons are positions on the
//! tape (`tape.rs`), which [`VERSION`] stands for too.

use std::io::{BufRead, BufReader, Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::unpack::limit;

/// Of the file's form, of the rules that bound a part, and of the order of numbers on a tape.
pub const VERSION: u32 = 2;
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
    /// It is cut along an input between two neighbouring numbers of the input's type; first the part where that is smaller.
    Gap {
        /// Which input.
        input: u32,
        /// The largest number of the first part.
        at: f64,
    },
    /// A whole number that a node computes, an index or a condition, has one of so many values: a part for each.
    Values {
        /// Which network of the query.
        network: u32,
        /// The name of the value that the number belongs to.
        value: String,
        /// Its flat index there.
        at: u32,
        /// The least value; the others follow.
        low: i64,
        /// How many.
        count: u32,
    },
    /// From here on the networks are those of this part's box: whole numbers that have one value there are constants, and neurons
    /// are positions on a tape of its own.
    Settled,
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

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    sha256: String,
}

impl Seal {
    fn of(lines: Sha256) -> Self {
        Self { sha256: lines.finalize().iter().map(|byte| format!("{byte:02x}")).collect() }
    }
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
    /// Its lines are those of a certificate, but not those that were written.
    #[error(
        "the SHA-256 of its lines is {computed}, its last line says {written} (help: it was changed after it was written; write it again with verify --certificate)"
    )]
    Changed {
        /// Of the lines as they are.
        computed: String,
        /// What the last line says.
        written: String,
        /// What the lines say.
        read: Box<Certificate>,
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
        let mut lines = Sha256::new();
        let mut put = |mut line: String, lines: &mut Sha256| {
            line.push('\n');
            lines.update(&line);
            target.write_all(line.as_bytes())
        };
        let header = Header { version: VERSION, tokens: self.tokens.len() };
        put(serde_json::to_string(&header)?, &mut lines)?;
        for token in &self.tokens {
            put(serde_json::to_string(token)?, &mut lines)?;
        }
        let seal = Seal::of(lines.clone());
        put(serde_json::to_string(&seal)?, &mut lines)
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
        let mut lines = ProofLines::new(source);
        let header: Header = lines.json()?;
        if header.version != VERSION {
            return Err(CertificateError::Version { found: header.version });
        }
        let mut tokens = Vec::new();
        for _ in 0..header.tokens {
            tokens.push(lines.json()?);
        }
        let computed = Seal::of(lines.digest.clone());
        let seal: Seal = lines.json()?;
        lines.end()?;
        let read = Self { tokens };
        if seal.sha256 == computed.sha256 {
            Ok(read)
        } else {
            Err(CertificateError::Changed {
                computed: computed.sha256,
                written: seal.sha256,
                read: Box::new(read),
            })
        }
    }
}

/// The lines of a certificate, and the digest of those that were read.
struct ProofLines<R> {
    source: BufReader<std::io::Take<R>>,
    number: usize,
    digest: Sha256,
}

impl<R: Read> ProofLines<R> {
    fn new(source: R) -> Self {
        Self { source: BufReader::new(source.take(limit::CERTIFICATE)), number: 0, digest: Sha256::new() }
    }

    fn malformed(&self, what: impl ToString) -> CertificateError {
        CertificateError::Malformed { line: self.number, what: what.to_string() }
    }

    /// A line with its end; empty where the file ends.
    fn text(&mut self) -> Result<String, CertificateError> {
        self.number += 1;
        let mut text = String::new();
        let read = self.source.by_ref().take(MOST_LINE).read_line(&mut text);
        read.map_err(|source| CertificateError::Unreadable { line: self.number, source })?;
        Ok(text)
    }

    fn json<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, CertificateError> {
        let text = self.text()?;
        match text.strip_suffix('\n') {
            Some(line) => {
                self.digest.update(&text);
                serde_json::from_str(line).map_err(|error| self.malformed(error))
            }
            None if text.is_empty() => Err(self.malformed("the file ends here")),
            None => Err(self.malformed("the line has no end")),
        }
    }

    /// Nothing follows.
    fn end(&mut self) -> Result<(), CertificateError> {
        match self.text()?.is_empty() {
            true => Ok(()),
            false => Err(self.malformed("it should have ended before")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Certificate {
        let tokens = vec![
            Token::Cases { or: 7, count: 2 },
            Token::Cut { input: 3, at: 0.1 },
            Token::Gap { input: 0, at: -2.5 },
            Token::Values { network: 0, value: "start".into(), at: 1, low: -1, count: 2 },
            Token::plain_leaf(),
            Token::Settled,
            Token::plain_leaf(),
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

    /// A cut that is read one unit in the last place beside where it was made bounds other parts than those that were proved.
    #[test]
    fn numbers_are_read_to_the_last_bit() {
        let mut random = crate::random::Random::new(3);
        for _ in 0..20_000 {
            let at = random.normal() * 10f64.powf(random.between(-9.0, 9.0));
            let tokens = vec![Token::Cut { input: 0, at }, Token::plain_leaf(), Token::plain_leaf()];
            let read = Certificate::parse(Certificate { tokens: tokens.clone() }.text().as_bytes()).unwrap();
            assert_eq!(read.tokens, tokens);
        }
    }

    /// Any one byte of the text changed, dropped or doubled, although some of them would still be proofs.
    #[test]
    fn what_was_changed_is_refused() {
        let text = sample().text();
        assert_eq!(Certificate::parse(text.as_bytes()).unwrap(), sample());
        let bytes = text.as_bytes();
        for at in 0..bytes.len() {
            let (before, after) = (&bytes[..at], &bytes[at + 1..]);
            let other = [bytes[at] ^ 1];
            for middle in [&[][..], &other, &[bytes[at]; 2]] {
                let changed = [before, middle, after].concat();
                assert!(Certificate::parse(changed.as_slice()).is_err(), "byte {at}: {middle:?}");
            }
        }
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
            ("{\"counterpatch-certificate\":2,\"tokens\":0}", "line 1: the line has no end"),
            ("{\"counterpatch-certificate\":9,\"tokens\":0}\n", "version 9"),
            ("{\"counterpatch-certificate\":2,\"tokens\":1}\n", "line 2: the file ends here"),
            (
                "{\"counterpatch-certificate\":2,\"tokens\":1}\n{\"leaf\":{\"slope\":[]}}\n",
                "line 2: unknown field",
            ),
            (
                "{\"counterpatch-certificate\":2,\"tokens\":0}\n{\"leaf\":{}}\n",
                "line 2: unknown field `leaf`",
            ),
            ("{\"counterpatch-certificate\":2,\"tokens\":0}\n{\"sha256\":\"0\"}\n", "its last line says 0"),
            ("{\"counterpatch-certificate\":2,\"tokens\":0}\n", "line 2: the file ends here"),
        ];
        for (text, expected) in cases {
            let error = Certificate::read(packed(text).as_slice()).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!(Certificate::read(&b"sat"[..]).is_err());
    }
}
