//! Certificates of `unsat` as files: what `verify --certificate` writes and `check` reads.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use flate2::read::MultiGzDecoder;
use serde_json::json;
use vnnlib::Query;

use super::exit::Exit;
use super::failure::Failure;
use super::terminal;
use crate::certificate::{self, Certificate, CertificateError, Enclosure, Ground, Mending, Proof};
use crate::error::Error;
use crate::onnx::Model;
use crate::unpack::FileError;
use crate::witness::write::WriteError;

/// How every certificate begins, unpacked.
const BEGINNING: &[u8] = b"{\"counterpatch-certificate\"";

/// Writes what a proof was checked by. The file is whole or not there.
///
/// # Errors
/// If it cannot be written.
pub(super) fn save(path: &Path, proof: &Proof) -> Result<(), Failure> {
    let failed = |source: io::Error| Error::from(WriteError { path: path.to_path_buf(), source });
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    proof.certificate().write(io::BufWriter::new(&mut file)).map_err(failed)?;
    file.as_file_mut().flush().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Whether a file is a certificate rather than an answer.
pub(super) fn is_one(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    if !file.metadata().is_ok_and(|data| data.is_file()) {
        return false;
    }
    let mut found = Vec::new();
    let read = MultiGzDecoder::new(file).take(BEGINNING.len() as u64).read_to_end(&mut found);
    read.is_ok() && found == BEGINNING
}

/// Checks a certificate, prints what came of it.
///
/// # Errors
/// If the file cannot be opened.
pub(super) fn check(
    path: &Path,
    query: &Query,
    models: &[Arc<Model>],
    as_json: bool,
) -> Result<Exit, Failure> {
    let file = File::open(path)
        .map_err(|source| Error::TextFile { path: path.to_path_buf(), source: FileError::Io(source) })?;
    let (word, details, exit) = match judge(file, query, models) {
        Ok(proof) => ("unsat:checked", proof.ground().to_string(), Exit::Answered),
        Err(Fault::Malformed(error)) => {
            ("incorrect:malformed_certificate", error.to_string(), Exit::Incorrect)
        }
        Err(Fault::Refused(why)) => ("incorrect:certificate", why, Exit::Incorrect),
    };
    let written = if as_json {
        terminal::print_json(&format!("{}\n", json!({ "verdict": word, "details": [details] })))
    } else {
        terminal::print(&format!("{word}\n  {details}\n"))
    };
    Ok(terminal::ended(written, exit))
}

/// Why a file proves nothing.
enum Fault {
    Malformed(CertificateError),
    Refused(String),
}

fn judge(file: File, query: &Query, models: &[Arc<Model>]) -> Result<Proof, Fault> {
    let certificate = Certificate::read(file).map_err(Fault::Malformed)?;
    let threads = thread::available_parallelism().map_or(1, |count| count.get());
    let checked = |enclosure: &Enclosure| {
        let checked = certificate::check(enclosure, &certificate, Mending::Refuse, threads, &|| true);
        checked.map_err(|refusal| Fault::Refused(refusal.to_string()))
    };
    match Enclosure::new(query, models) {
        Ok(enclosure) => checked(&enclosure),
        // A set of inputs that is empty is so whatever the network.
        Err(error) => {
            let inputs =
                Enclosure::of_inputs(query, models).map_err(|error| Fault::Refused(error.to_string()))?;
            checked(&inputs)
                .ok()
                .filter(|proof| proof.ground() == Ground::NoInputs)
                .ok_or(Fault::Refused(error.to_string()))
        }
    }
}
