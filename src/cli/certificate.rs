//! Certificates of `unsat` as files: what `verify --certificate` writes and `check` reads.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use serde_json::json;
use vnnlib::Query;

use super::exit::Exit;
use super::failure::Failure;
use super::object::Origin;
use super::terminal;
use crate::certificate::{self, Certificate, CertificateError, Enclosure, Mending, Proof, Token};
use crate::error::Error;
use crate::onnx::Model;
use crate::witness::write::WriteError;
use crate::{pack, unpack};

/// How every certificate begins, unpacked.
const BEGINNING: &[u8] = b"{\"counterpatch-certificate\"";

/// Writes what a proof was checked by, packed once. The file is whole or not there.
///
/// # Errors
/// If it cannot be written.
pub(super) fn save(path: &Path, proof: &Proof) -> Result<(), Failure> {
    let written = write(path, proof);
    written.map_err(|source| Error::from(WriteError { path: path.to_path_buf(), source }).into())
}

/// The same, for whoever has words of its own for what goes wrong.
///
/// # Errors
/// If it cannot be written.
pub(super) fn write(path: &Path, proof: &Proof) -> io::Result<()> {
    let certificate = proof.certificate();
    match path.extension() {
        // Such files are packed by whoever writes them.
        Some(end) if end.eq_ignore_ascii_case("gz") => pack::write_bytes(path, certificate.text().as_bytes()),
        _ => pack::write(path, &|out| certificate.write(out)),
    }
}

/// The text of a certificate; `None` if the file is an answer. A stream can be read only once, and is taken for one.
pub(super) fn text_of(path: &Path) -> Option<Vec<u8>> {
    if path.as_os_str() == "-" || pack::is_stream(path) {
        return None;
    }
    let (_, bytes) = unpack::read(path, unpack::limit::CERTIFICATE).ok()?;
    bytes.starts_with(BEGINNING).then_some(bytes)
}

/// Checks the text of a certificate, prints what came of it.
pub(super) fn check(text: &[u8], query: &Query, models: &[Arc<Model>], origin: Option<Origin>) -> Exit {
    let (word, details, exit) = match Certificate::parse(text) {
        Ok(certificate) => match judge(&certificate, query, models) {
            Ok(proof) => ("unsat:checked", vec![proof.ground().to_string()], Exit::Answered),
            Err(why) => ("incorrect:certificate", vec![why], Exit::Incorrect),
        },
        Err(error) => ("incorrect:malformed_certificate", faults(&error, query, models), Exit::Incorrect),
    };
    let written = match origin {
        Some(origin) => terminal::print_json(&origin.line(json!({ "verdict": word, "details": details }))),
        None => terminal::print(&format!("{word}\n  {}\n", details.join("\n  "))),
    };
    terminal::ended(written, exit)
}

/// What is wrong with a file that is not accepted: of one that was changed also what its lines would prove.
fn faults(error: &CertificateError, query: &Query, models: &[Arc<Model>]) -> Vec<String> {
    let mut faults = vec![error.to_string()];
    if let CertificateError::Changed { read, .. } = error {
        faults.push(match judge(read, query, models) {
            Ok(_) => "as it is now it would still be a proof".into(),
            Err(why) => why,
        });
    }
    faults
}

/// Why a certificate proves nothing, if it does not prove it.
fn judge(certificate: &Certificate, query: &Query, models: &[Arc<Model>]) -> Result<Proof, String> {
    let threads = thread::available_parallelism().map_or(1, |count| count.get());
    let checked = |enclosure: &Enclosure| {
        let checked = certificate::check(enclosure, certificate, Mending::Refuse, threads, &|| true);
        checked.map_err(|refusal| refusal.to_string())
    };
    match Enclosure::new(query, models) {
        Ok(enclosure) => checked(&enclosure),
        // A set of inputs that is empty is so whatever the network, and parts of it may have networks of their own.
        Err(error) => {
            let root = Enclosure::root(query, models).map_err(|error| error.to_string())?;
            let has_own = certificate.tokens.contains(&Token::Settled);
            checked(&root).map_err(|refusal| if has_own { refusal } else { error.to_string() })
        }
    }
}
