//! Writing whole files, the counterpart of [`unpack`](crate::unpack): a file appears whole or not at all. It is written
//! under another name beside the wanted one, which it then takes. Links are followed; what cannot be replaced (pipes,
//! devices, files in folders without write permission) is written directly; files that are marked as read-only are
//! refused; and where the name ends in `.gz`, the content is packed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

/// What writes the content.
pub(crate) type Content<'a> = &'a dyn Fn(&mut dyn Write) -> io::Result<()>;

/// How a file is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// Another file takes its place: the path behind all links.
    Replaced(PathBuf),
    /// Something that can only be written to.
    Direct(PathBuf),
}

/// What must have reached the disk before the new file takes the old one's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Its content, so that it survives a crash of the machine.
    Content,
    /// Nothing: another process sees it at once all the same.
    Name,
}

impl Target {
    /// How the file at `path` is to be written.
    ///
    /// # Errors
    /// If it is a folder or is not to be written.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(_) if is_stream(path) => Ok(Self::Direct(path.to_path_buf())),
            Ok(_) => {
                // Its name could be taken without asking the file whether it may be written.
                OpenOptions::new().write(true).open(path)?;
                // Behind a symbolic link the file is replaced, not the link.
                Ok(Self::Replaced(fs::canonicalize(path)?))
            }
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                Ok(Self::Replaced(beyond_links(path)?))
            }
            Err(other) => Err(other),
        }
    }

    /// Writes the content.
    ///
    /// # Errors
    /// If it cannot be written. A file that is replaced then holds what it held before.
    pub(crate) fn write(&self, content: Content<'_>, durability: Durability) -> io::Result<()> {
        match self {
            Self::Direct(path) => overwrite(path, content),
            Self::Replaced(path) => {
                let fresh = fresh_name(path)?;
                let written =
                    write_new(&fresh, path, content, durability).and_then(|()| fs::rename(&fresh, path));
                if written.is_err() {
                    // Whatever is left of it; the first error is the one to report.
                    let _ = fs::remove_file(&fresh);
                }
                written
            }
        }
    }
}

/// Writes a file in one go.
///
/// # Errors
/// If it cannot be written. An old file then stays as it was.
pub(crate) fn write(path: &Path, content: Content<'_>) -> io::Result<()> {
    match Target::of(path)? {
        Target::Replaced(whole) => {
            match Target::Replaced(whole.clone()).write(content, Durability::Content) {
                // The folder takes no new file; the old one can be written all the same.
                Err(refused) if refused.kind() == io::ErrorKind::PermissionDenied && whole.exists() => {
                    overwrite(&whole, content)
                }
                written => written,
            }
        }
        direct => direct.write(content, Durability::Content),
    }
}

/// `bytes` as [`Content`] for [`write`].
///
/// # Errors
/// As [`write`].
#[cfg(any(feature = "cli", test))]
pub(crate) fn write_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, &|out| out.write_all(bytes))
}

/// Streams get one content only, and no other file can take their place.
pub(crate) fn is_stream(path: &Path) -> bool {
    path.starts_with("/dev") || path.starts_with("/proc") || fs::metadata(path).is_ok_and(|m| !m.is_file())
}

/// Where a chain of links to a file that does not exist yet ends.
fn beyond_links(path: &Path) -> io::Result<PathBuf> {
    const MOST: usize = 40;
    let mut path = path.to_path_buf();
    for _ in 0..MOST {
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many links"))
}

/// The name under which a file is written before it takes its own.
pub(crate) fn fresh_name(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy().into_owned();
    Ok(path.with_file_name(format!(".{name}.{}.new", std::process::id())))
}

/// Writes a new file, packed if `named` says so.
pub(crate) fn write_new(
    fresh: &Path,
    named: &Path,
    content: Content<'_>,
    durability: Durability,
) -> io::Result<()> {
    let file = File::create(fresh)?;
    if let Ok(old) = fs::metadata(named) {
        // Whoever may read the old file may read the new one. Where the file system has no such thing, neither needs it.
        let _ = file.set_permissions(old.permissions());
    }
    fill(&mut BufWriter::new(&file), named, content)?;
    if durability == Durability::Content { file.sync_data() } else { Ok(()) }
}

fn fill(out: &mut dyn Write, named: &Path, content: Content<'_>) -> io::Result<()> {
    if named.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz")) {
        let mut packer = GzEncoder::new(&mut *out, Compression::default());
        content(&mut packer)?;
        packer.finish()?;
    } else {
        content(out)?;
    }
    out.flush()
}

/// Writes to what exists. One write call, so that a reader of a pipe or a killed process gets as much as possible.
pub(crate) fn overwrite(path: &Path, content: Content<'_>) -> io::Result<()> {
    let mut bytes = Vec::new();
    fill(&mut bytes, path, content)?;
    overwrite_as_is(path, &bytes)
}

/// The same with bytes that are packed already where they should be.
pub(crate) fn overwrite_as_is(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let stream = is_stream(path);
    // Not opened with `create`: only what exists is written directly.
    let mut file = OpenOptions::new().write(true).truncate(!stream).open(path)?;
    file.write_all(bytes)?;
    if stream { Ok(()) } else { file.sync_data() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn links_are_followed_and_stay() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("old"), "old").unwrap();
        symlink("old", at("link")).unwrap();
        symlink("link", at("chain")).unwrap();
        symlink("new", at("dangling")).unwrap();
        for (link, behind) in [("link", "old"), ("chain", "old"), ("dangling", "new")] {
            write_bytes(&at(link), link.as_bytes()).unwrap();
            assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
            assert_eq!(fs::read_to_string(at(behind)).unwrap(), link);
        }
        symlink("loop", at("loop")).unwrap();
        assert!(write_bytes(&at("loop"), b"").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 6, "nothing else is left behind");
    }

    #[test]
    fn what_is_read_only_is_refused_and_modes_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "old").unwrap();
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o444);
        // Whoever may write everything may write this, too.
        let mighty = OpenOptions::new().write(true).open(&path).is_ok();
        assert_eq!(write_bytes(&path, b"new").is_ok(), mighty);
        assert_eq!(fs::read_to_string(&path).unwrap(), if mighty { "new" } else { "old" });
        mode(0o600);
        write_bytes(&path, b"new").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_name_that_ends_in_gz_is_packed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.gz");
        write_bytes(&path, b"content").unwrap();
        assert!(crate::unpack::is_gzip(&fs::read(&path).unwrap()));
        assert_eq!(crate::unpack::read(&path, 100).unwrap().1, b"content");
    }

    #[test]
    fn devices_are_written_to_and_full_ones_say_so() {
        write_bytes(Path::new("/dev/null"), b"content").unwrap();
        assert!(write_bytes(Path::new("/dev/full"), b"content").is_err());
        assert!(write_bytes(Path::new("."), b"").is_err());
    }
}
