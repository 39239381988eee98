//! Reading whole files: from a path, a pipe or standard input (`-`); gzipped or not, known by their first bytes, whatever
//! the name; and where only `NAME.gz` exists, that is what `NAME` means, because benchmark repositories keep their files
//! packed. What no reader can use (archives, pointers of Git LFS, streams that are cut short) is named here, once for
//! networks, properties and everything else.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::read::MultiGzDecoder;

use crate::escape::escaped;

/// How often a file may be packed: a download that is packed again on the way is met, more is a bomb.
const MOST_LAYERS: usize = 3;

/// The most bytes that a file of each kind may unpack to: what claims to be larger is not unpacked any further.
pub(crate) mod limit {
    /// A model: protobuf's own limit.
    pub(crate) const MODEL: u64 = 2 << 30;
    /// A property, a list of points, a table or a results file: ten times the competition's largest property, a hundred times
    /// its largest witness.
    pub(crate) const TEXT: u64 = 1 << 30;
    /// A certificate is read line by line; its text may be as long as four properties.
    pub(crate) const CERTIFICATE: u64 = 4 << 30;
    /// A set of images or labels: CIFAR-10 in double precision has 1.5 GB.
    #[cfg(feature = "cli")]
    pub(crate) const IMAGES: u64 = 4 << 30;
    /// One array of an archive: the same set.
    #[cfg(feature = "cli")]
    pub(crate) const ARRAY: u64 = 2 << 30;
    /// Any file that is unpacked for another program: a second tool may read models with data that ours has beside them.
    #[cfg(feature = "cli")]
    pub(crate) const HANDED_ON: u64 = 4 << 30;
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused.
    #[error("{0} (help: {help})", help = remedy(.0))]
    Io(#[from] io::Error),
    /// The gzip stream ends too early.
    #[error("the gzip stream is cut short (help: fetch the file again; its size is not what it should be)")]
    Cut,
    /// The gzip stream is wrong.
    #[error("the gzip stream is damaged: {0} (help: fetch the file again, or pack it again with gzip)")]
    Damaged(io::Error),
    /// Packed more often than anybody would.
    #[error("packed more than {MOST_LAYERS} times over (help: unpack it with gunzip)")]
    Nested,
    /// The content is too large.
    #[error("more than {} MiB unpacked (help: this is more than any reader here takes; check the file)", .0 >> 20)]
    TooLarge(u64),
    /// A pointer in place of the content.
    #[error("a Git LFS pointer, not the file itself (help: run `git lfs pull` in the folder it came from)")]
    Pointer,
    /// Several files in one.
    #[error("a tar archive{0} (help: unpack it with `tar xf`, and name the file in it)")]
    Tar(&'static str),
    /// Standard input cannot be read twice.
    #[error(
        "standard input was read already (help: only one file can come from it; name the other by its path)"
    )]
    Taken,
}

/// What helps against a refusal of the system.
fn remedy(refusal: &io::Error) -> &'static str {
    match refusal.kind() {
        io::ErrorKind::PermissionDenied => "check the file's permissions",
        io::ErrorKind::IsADirectory => "name a file in this folder",
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "check the path and its permissions",
        io::ErrorKind::OutOfMemory => "this needs more memory than there is",
        _ => "the file is there, but reading it fails: check the disk, or whoever writes the pipe",
    }
}

/// Whether reading the path a second time would give something else: standard input, pipes, devices.
pub(crate) fn is_stream(path: &Path) -> bool {
    is_standard_input(path) || path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// Whether a path means standard input.
pub(crate) fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-") || path == Path::new("/dev/stdin")
}

/// The path that was found, and the unpacked content.
///
/// # Errors
/// What the system says, a damaged gzip stream, content that is none, or more than `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<(PathBuf, Vec<u8>), FileError> {
    let (found, source, size) = open(path)?;
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(limit)).unwrap_or(0));
    source.take(limit + 1).read_to_end(&mut bytes)?;
    let mut layers = 0;
    while is_gzip(&bytes) {
        if layers == MOST_LAYERS {
            return Err(FileError::Nested);
        }
        bytes = inflated(&bytes, limit)?;
        layers += 1;
    }
    if bytes.len() as u64 > limit {
        return Err(FileError::TooLarge(limit));
    }
    if bytes.starts_with(b"version https://git-lfs") {
        return Err(FileError::Pointer);
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return Err(FileError::Tar(if layers > 0 { " in gzip" } else { "" }));
    }
    Ok((found, bytes))
}

/// Whether the bytes are packed.
pub(crate) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

fn inflated(packed: &[u8], limit: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    match MultiGzDecoder::new(packed).take(limit + 1).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(cut) if cut.kind() == io::ErrorKind::UnexpectedEof => Err(FileError::Cut),
        Err(error) if error.kind() == io::ErrorKind::OutOfMemory => Err(FileError::Io(error)),
        Err(error) => Err(FileError::Damaged(error)),
    }
}

/// The file behind all links: those of the system, and one that was written out as text, as git and archives leave it
/// where there are no links: a file that holds nothing but the relative path of another one.
pub(crate) fn behind_links(path: &Path) -> PathBuf {
    const LONGEST: u64 = 1024;
    let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let written_out = || {
        let metadata =
            real.metadata().ok().filter(|metadata| metadata.is_file() && metadata.len() <= LONGEST)?;
        let mut text = String::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
        File::open(&real).ok()?.take(LONGEST).read_to_string(&mut text).ok()?;
        let target = Path::new(text.trim_end());
        let plain =
            target.is_relative() && target.components().count() > 1 && !text.contains(char::is_control);
        let target = real.parent()?.join(target);
        (plain && target.is_file()).then_some(target)
    };
    written_out().and_then(|target| target.canonicalize().ok()).unwrap_or(real)
}

/// A file that can be read at any place, of so many bytes, and how many they are. `None` for a smaller or larger one, one that is packed
/// or an archive, and one that cannot be opened: [`read`] says why.
pub(crate) fn open_plain(path: &Path, sizes: RangeInclusive<u64>) -> Option<(File, u64)> {
    // A small file costs no more than this.
    let size = path.metadata().ok().filter(Metadata::is_file)?.len();
    if !sizes.contains(&size) || is_standard_input(path) {
        return None;
    }
    let mut file = File::open(path).ok()?;
    let mut beginning = Vec::new();
    (&mut file).take(512).read_to_end(&mut beginning).ok()?;
    let is_plain = !is_gzip(&beginning) && beginning.get(257..262) != Some(b"ustar");
    is_plain.then_some((file, size))
}

type Source = Box<dyn Read>;

/// The path that was found, what to read, and how large it says it is.
fn open(path: &Path) -> Result<(PathBuf, Source, u64), FileError> {
    // A process has one standard input, and so this program one mark that it is used up.
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if is_standard_input(path) {
        if TAKEN.swap(true, Ordering::Relaxed) {
            return Err(FileError::Taken);
        }
        return Ok((path.to_path_buf(), Box::new(io::stdin()), 0));
    }
    let mut packed = path.as_os_str().to_owned();
    packed.push(".gz");
    let packed = PathBuf::from(packed);
    let (found, file) = match File::open(path) {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound && packed.is_file() => {
            let file = File::open(&packed)?;
            (packed, file)
        }
        opened => (path.to_path_buf(), opened?),
    };
    let file = match behind_links(&found) {
        real if found.is_file()
            && real.metadata().is_ok_and(|real| file.metadata().is_ok_and(|f| real.len() != f.len())) =>
        {
            File::open(real)?
        }
        _ => file,
    };
    let size = file.metadata()?.len();
    Ok((found, Box::new(file), size))
}

/// What content plainly is, where it is something that neither networks nor texts are; and what helps.
pub(crate) fn foreign(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let page = |bytes: &[u8]| {
        let start: Vec<u8> = bytes.iter().take(64).map(u8::to_ascii_lowercase).collect();
        let start = start.trim_ascii_start();
        start.starts_with(b"<!doctype") || start.starts_with(b"<html")
    };
    Some(if bytes.is_empty() {
        ("the file is empty", "fetch or export it again")
    } else if bytes.starts_with(b"PK\x03\x04") {
        (
            "a zip archive, such as PyTorch and Keras 3 save",
            "unpack it; a model is exported with torch.onnx.export",
        )
    } else if bytes.starts_with(b"\x89HDF") {
        ("an HDF5 file, such as Keras saves", "convert the model with tf2onnx")
    } else if bytes.starts_with(b"\x80\x02")
        || bytes.starts_with(b"\x80\x04")
        || bytes.starts_with(b"\x80\x05")
    {
        ("a pickle, such as Python and older PyTorch save", "export the model with torch.onnx.export")
    } else if bytes.starts_with(b"\xfd7zXZ\0") {
        ("an xz archive", "unpack it with `xz -d`")
    } else if bytes.starts_with(b"BZh") {
        ("a bzip2 archive", "unpack it with `bzip2 -d`")
    } else if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        ("a Zstandard archive", "unpack it with `zstd -d`")
    } else if bytes.starts_with(b"7z\xbc\xaf\x27\x1c") {
        ("a 7-Zip archive", "unpack it")
    } else if page(bytes) {
        ("a web page", "the download gave a page instead of the file: fetch it again, from its raw address")
    } else {
        return None;
    })
}

/// A path as messages show it.
pub(crate) fn shown(path: &Path) -> String {
    if is_standard_input(path) {
        "standard input".to_owned()
    } else {
        escaped(&path.to_string_lossy()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn content_is_unpacked_or_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut archive = vec![0; 512];
        archive[257..262].copy_from_slice(b"ustar");
        let (once, lfs) = (packed(b"content"), b"version https://git-lfs.github.com/spec/v1\n");
        let mut damaged = once.clone();
        damaged[14] ^= 0xff;
        let four = packed(&packed(&packed(&packed(b"content"))));
        type Case<'a> = (&'a [u8], Result<&'a [u8], &'a str>);
        let cases: [Case<'_>; 10] = [
            (b"content", Ok(b"content")),
            (&once, Ok(b"content")),
            (&packed(&once), Ok(b"content")),
            (&four, Err("packed more than 3 times")),
            (&once[..once.len() - 3], Err("the gzip stream is cut short")),
            (&damaged, Err("the gzip stream is damaged")),
            (lfs, Err("git lfs pull")),
            (&packed(lfs), Err("git lfs pull")),
            (&archive, Err("a tar archive (help")),
            (&packed(&archive), Err("a tar archive in gzip")),
        ];
        for (at, (bytes, want)) in cases.into_iter().enumerate() {
            let path = folder.path().join("file");
            std::fs::write(&path, bytes).unwrap();
            match (read(&path, 1000), want) {
                (Ok((_, got)), Ok(want)) => assert_eq!(got, want, "case {at}"),
                (Err(error), Err(want)) => assert!(error.to_string().contains(want), "case {at}: {error}"),
                (got, want) => panic!("case {at}: {got:?} instead of {want:?}"),
            }
        }
        let path = folder.path().join("file");
        std::fs::write(&path, packed(&[7; 2000])).unwrap();
        assert!(matches!(read(&path, 1000), Err(FileError::TooLarge(1000))));
        assert!(read(folder.path(), 1000).unwrap_err().to_string().contains("name a file in this folder"));
    }

    #[test]
    fn a_pipe_is_read_like_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        assert!(is_stream(&path));
        let writer = path.clone();
        let thread = std::thread::spawn(move || std::fs::write(writer, packed(b"content")).unwrap());
        assert_eq!(read(&path, 1000).unwrap().1, b"content");
        thread.join().unwrap();
    }
}
