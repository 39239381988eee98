//! Reading whole files that may be gzipped: known by their first bytes, whatever the name; and where only `NAME.gz`
//! exists, that is what `NAME` means, because benchmark repositories keep their files packed.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

/// The path that was found, and the unpacked content.
///
/// # Errors
/// What the system says, a damaged gzip stream, or more than `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<(PathBuf, Vec<u8>)> {
    let (found, file) = open(path)?;
    let too_large = || io::Error::other(format!("more than {} MiB unpacked", limit >> 20));
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(limit)).unwrap_or(0));
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let packed = std::mem::take(&mut bytes);
        MultiGzDecoder::new(packed.as_slice()).take(limit + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok((found, bytes)) }
}

fn open(path: &Path) -> io::Result<(PathBuf, File)> {
    let mut packed = path.as_os_str().to_owned();
    packed.push(".gz");
    let packed = PathBuf::from(packed);
    match File::open(path) {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound && packed.is_file() => {
            let file = File::open(&packed)?;
            Ok((packed, file))
        }
        opened => Ok((path.to_path_buf(), opened?)),
    }
}
