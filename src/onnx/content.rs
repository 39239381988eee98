//! Bytes of a model: held in memory, or left in their file until somebody asks for them.
//!
//! Nearly all of a large model are its weights. They are read from the file piece by piece, straight into the numbers that they are,
//! so that a network of 550 MB takes 550 MB and not twice as much while it is read.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes that are read from a file at once.
const PIECE: usize = 1 << 20;

/// Bytes that are held, or those of a file.
#[derive(Debug, Clone)]
pub(super) enum ModelBytes<'a> {
    /// All of them.
    Held(&'a [u8]),
    /// So many of a file from a place on.
    InFile(FilePart),
}

/// A part of an open file.
#[derive(Debug, Clone)]
pub(super) struct FilePart {
    file: Arc<File>,
    start: u64,
    len: usize,
}

impl FilePart {
    /// `len` bytes from `start` on.
    pub(super) fn new(file: File, start: u64, len: usize) -> Self {
        Self { file: Arc::new(file), start, len }
    }
}

impl<'a> ModelBytes<'a> {
    /// Number of bytes.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Held(bytes) => bytes.len(),
            Self::InFile(part) => part.len,
        }
    }

    /// The bytes in a range, which ends where these end or before.
    pub(super) fn part(&self, range: Range<usize>) -> Self {
        match self {
            Self::Held(bytes) => Self::Held(&bytes[range]),
            Self::InFile(FilePart { file, start, len }) => {
                assert!(range.start <= range.end && range.end <= *len, "a part lies within the whole");
                let (file, start) = (Arc::clone(file), start + range.start as u64);
                Self::InFile(FilePart { file, start, len: range.len() })
            }
        }
    }

    /// All bytes.
    ///
    /// # Errors
    /// What the file system says, and a file that has become shorter.
    pub(super) fn bytes(&self) -> io::Result<Cow<'a, [u8]>> {
        match self {
            Self::Held(bytes) => Ok(Cow::Borrowed(bytes)),
            Self::InFile(part) => {
                let mut bytes = vec![0; part.len];
                part.file.read_exact_at(&mut bytes, part.start)?;
                Ok(Cow::Owned(bytes))
            }
        }
    }

    /// The bytes in pieces, of which all but the last have a multiple of 8 bytes.
    ///
    /// # Errors
    /// As [`ModelBytes::bytes`].
    pub(super) fn for_pieces(&self, mut visit: impl FnMut(&[u8])) -> io::Result<()> {
        let part = match self {
            Self::Held(bytes) => {
                visit(bytes);
                return Ok(());
            }
            Self::InFile(part) => part,
        };
        let mut piece = vec![0; PIECE.min(part.len)];
        for from in (0..part.len).step_by(PIECE) {
            let piece = &mut piece[..PIECE.min(part.len - from)];
            part.file.read_exact_at(piece, part.start + from as u64)?;
            visit(piece);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_has_the_bytes_that_were_written() {
        let bytes: Vec<u8> = (0..2 * PIECE + 77).map(|i| (i * 7 % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let in_file = ModelBytes::InFile(FilePart::new(file, 0, bytes.len()));
        let held = ModelBytes::Held(&bytes);
        for range in [0..bytes.len(), 5..5, 3..PIECE + 3, PIECE..2 * PIECE + 77] {
            for content in [&held, &in_file] {
                let part = content.part(range.clone());
                assert_eq!(part.len(), range.len());
                assert!(*part.bytes().unwrap() == bytes[range.clone()], "{range:?}");
                let mut pieces = Vec::new();
                part.for_pieces(|piece| pieces.extend_from_slice(piece)).unwrap();
                assert!(pieces == bytes[range.clone()], "{range:?}");
                assert!(
                    *part.part(0..range.len() / 2).bytes().unwrap()
                        == bytes[range.start..][..range.len() / 2]
                );
            }
        }
    }

    #[test]
    fn a_file_that_has_become_shorter_is_an_error() {
        let file = tempfile::tempfile().unwrap();
        let content = ModelBytes::InFile(FilePart::new(file, 4, 100));
        assert_eq!(content.bytes().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(content.for_pieces(|_| {}).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
