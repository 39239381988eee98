//! An archive of numpy arrays (`.npz`): images, and their classes if it has them.

use std::io::{self, Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::npy::{self, Array};
use super::{ImageError, Set};
use crate::unpack::limit::ARRAY;

/// Names under which images are kept, and those of their classes; the first that is there is taken.
const IMAGES: [&str; 6] = ["images", "x_test", "x", "data", "x_train", "arr_0"];
const LABELS: [&str; 6] = ["labels", "y_test", "y", "targets", "y_train", "arr_1"];

/// Reads the images, with their classes if they are there.
///
/// # Errors
/// [`ImageError`] where the archive is damaged or holds no images.
pub fn read(bytes: &[u8]) -> Result<Set, ImageError> {
    let mut archive = open(bytes)?;
    let set = find(&mut archive, &IMAGES)?.ok_or_else(|| missing(&archive, "images", &IMAGES))?.images()?;
    match find(&mut archive, &LABELS)? {
        Some(labels) => set.with_labels(labels.labels()?),
        None => Ok(set),
    }
}

/// Reads the classes alone.
///
/// # Errors
/// [`ImageError`] where the archive is damaged or holds none.
pub fn labels(bytes: &[u8]) -> Result<Vec<usize>, ImageError> {
    let mut archive = open(bytes)?;
    find(&mut archive, &LABELS)?.ok_or_else(|| missing(&archive, "labels", &LABELS))?.labels()
}

/// Writes an archive of named arrays, packed.
///
/// # Errors
/// If it grows larger than an archive may be.
pub fn write(arrays: &[(&str, npy::ArrayColumn<'_>)]) -> io::Result<Vec<u8>> {
    let file = |&(name, column): &(&str, npy::ArrayColumn<'_>)| {
        Ok((name.to_owned(), npy::write(column).map_err(io::Error::other)?))
    };
    archive(&arrays.iter().map(file).collect::<io::Result<Vec<_>>>()?)
}

/// Puts files of arrays, each with its name, into one archive.
///
/// # Errors
/// As [`write`].
pub fn archive(files: &[(String, Vec<u8>)]) -> io::Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive.start_file(format!("{name}.npy"), SimpleFileOptions::default().large_file(true))?;
        archive.write_all(bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

fn open(bytes: &[u8]) -> Result<Archive<'_>, ImageError> {
    ZipArchive::new(Cursor::new(bytes))
        .map_err(|error| ImageError::Damaged { at: 0, what: error.to_string() })
}

fn find(archive: &mut Archive<'_>, names: &[&str]) -> Result<Option<Array>, ImageError> {
    let held = names_of(archive);
    let is = |held: &&String, name: &str| {
        held.strip_suffix(".npy").is_some_and(|stem| stem.eq_ignore_ascii_case(name))
    };
    let Some(name) = names.iter().find_map(|name| held.iter().find(|held| is(held, name))) else {
        return Ok(None);
    };
    let damaged = |what: String| ImageError::Damaged { at: 0, what: format!("{name}: {what}") };
    let file = archive.by_name(name).map_err(|error| damaged(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(ARRAY + 1).read_to_end(&mut bytes).map_err(|error| damaged(error.to_string()))?;
    if bytes.len() as u64 > ARRAY {
        return Err(damaged(format!("more than {} MiB unpacked", ARRAY >> 20)));
    }
    npy::read(&bytes).map(Some)
}

fn missing(archive: &Archive<'_>, what: &str, names: &[&str]) -> ImageError {
    let held = names_of(archive);
    ImageError::Unknown(format!(
        "the archive holds {} but no {what}, which would be called {}",
        if held.is_empty() { "nothing".to_owned() } else { held.join(", ") },
        names.join(", ")
    ))
}

/// The names that can be read.
fn names_of(archive: &Archive<'_>) -> Vec<String> {
    archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect()
}
