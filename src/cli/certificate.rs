//! Certificates of `unsat` as files: what `verify --certificate` writes and `check` reads.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use serde_json::json;
use vnnlib::Query;

use super::exit::Exit;
use super::failure::Failure;
use super::terminal;
use crate::certificate::{self, Certificate, CertificateError, Enclosure, Ground, Mending, Proof};
use crate::error::Error;
use crate::onnx::Model;
use crate::witness::write::WriteError;
use crate::{pack, unpack};

/// How every certificate begins, unpacked.
const BEGINNING: &[u8] = b"{\"counterpatch-certificate\"";

/// Bytes that a certificate may unpack to.
const MOST_BYTES: u64 = 1 << 32;

/// Writes what a proof was checked by, packed. The file is whole or not there.
///
/// # Errors
/// If it cannot be written.
pub(super) fn save(path: &Path, proof: &Proof) -> Result<(), Failure> {
    let written = pack::write(path, &|out| proof.certificate().write(out));
    written.map_err(|source| Error::from(WriteError { path: path.to_path_buf(), source }).into())
}

/// The text of a certificate; `None` if the file is an answer. A stream can be read only once, and is taken for one.
pub(super) fn text_of(path: &Path) -> Option<Vec<u8>> {
    if path.as_os_str() == "-" || pack::is_stream(path) {
        return None;
    }
    let (_, bytes) = unpack::read(path, MOST_BYTES).ok()?;
    bytes.starts_with(BEGINNING).then_some(bytes)
}

/// Checks the text of a certificate, prints what came of it.
pub(super) fn check(text: &[u8], query: &Query, models: &[Arc<Model>], as_json: bool) -> Exit {
    let (word, details, exit) = match judge(text, query, models) {
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
    terminal::ended(written, exit)
}

/// Why a file proves nothing.
enum Fault {
    Malformed(CertificateError),
    Refused(String),
}

fn judge(text: &[u8], query: &Query, models: &[Arc<Model>]) -> Result<Proof, Fault> {
    let certificate = Certificate::parse(text).map_err(Fault::Malformed)?;
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
