//! Results files, never half written.
//!
//! A [`ResultsFile`] is complete from the moment that it is opened: it says `unknown` until a better answer replaces
//! it, so that even a killed process leaves an answer. Each answer is written to a new file beside the old one, which
//! then takes its name. Where that cannot be (a pipe, a device, a folder without write permission), the file itself
//! is written: see `pack.rs`.
//!
//! Format: `grammar/witness.ebnf`, after the rules of VNN-COMP and the VNN-LIB 2.0 standard.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use vnnlib::Version;

use super::validate::{Witness, WitnessTensor};
use crate::onnx::{self, ElementType};
use crate::pack::{self, Durability, Target};

/// The answer of a run, as the competition names them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Answer<'a> {
    /// A counterexample was found.
    Sat(&'a Witness),
    /// There is none: proved.
    Unsat,
    /// None was found.
    Unknown,
    /// The time was up before the search could begin.
    Timeout,
    /// The files cannot be used.
    Error,
}

impl Answer<'_> {
    /// The word that stands in the first line of a results file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sat(_) => "sat",
            Self::Unsat => "unsat",
            Self::Unknown => "unknown",
            Self::Timeout => "timeout",
            Self::Error => "error",
        }
    }

    /// Writes the file's whole content.
    ///
    /// # Errors
    /// If `out` fails.
    pub fn write_to(self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.word())?;
        match self {
            Self::Sat(witness) => witness.write_to(out),
            _ => Ok(()),
        }
    }
}

impl Witness {
    /// Writes the assignment, in the form of the property's version.
    ///
    /// # Errors
    /// If `out` fails.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.version() {
            Version::V1 => self.write_v1(out),
            Version::V2 { .. } => self.tensors().iter().try_for_each(|tensor| write_v2(tensor, out)),
        }
    }

    fn write_v1(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut opening = "(";
        for tensor in self.tensors() {
            for (index, value) in tensor.values().iter().enumerate() {
                write!(out, "{opening}({}_{index} {value})", tensor.name())?;
                opening = "\n ";
            }
        }
        writeln!(out, ")")
    }
}

fn write_v2(tensor: &WitnessTensor, out: &mut dyn Write) -> io::Result<()> {
    let shape: Vec<String> = tensor.shape().iter().map(u32::to_string).collect();
    writeln!(out, "{} {} [{}]", tensor.name(), tensor.element_type(), shape.join(","))?;
    tensor.values().iter().try_for_each(|value| writeln!(out, "{value}"))
}

/// Writes `sat` and a witness to a new file, or in place of an old one.
///
/// # Errors
/// If it cannot be written. An old file then stays as it was.
pub fn save(path: &Path, witness: &Witness) -> Result<(), WriteError> {
    let written = pack::write(path, &|out| Answer::Sat(witness).write_to(out));
    written.map_err(|source| WriteError { path: path.to_path_buf(), source })
}

/// Writes each tensor of a witness to the file `NAME.pb` of a folder, which is made if there is none, as ONNX's
/// `TensorProto` of the declared type; where that is `real`, as doubles.
///
/// # Errors
/// If a file cannot be written.
pub fn serialise(folder: &Path, witness: &Witness) -> Result<(), WriteError> {
    let fail = |path: &Path, source| WriteError { path: path.to_path_buf(), source };
    fs::create_dir_all(folder).map_err(|source| fail(folder, source))?;
    for tensor in witness.tensors() {
        let path = folder.join(format!("{}.pb", tensor.name()));
        let declared = tensor.element_type().name();
        let element = ElementType::ALL.into_iter().find(|element| element.name() == declared);
        let values: Vec<f64> =
            tensor.values().iter().map(|decimal| decimal.parse().unwrap_or(f64::NAN)).collect();
        let bytes = onnx::tensor_bytes(
            tensor.name(),
            element.unwrap_or(ElementType::Float64),
            tensor.shape(),
            &values,
        )
        .map_err(|error| fail(&path, io::Error::other(error)))?;
        fs::write(&path, bytes).map_err(|source| fail(&path, source))?;
    }
    Ok(())
}

/// A results file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source} (help: name a file in a folder that exists and can be written)", .path.display())]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Where the answer of a run goes.
#[derive(Debug)]
pub struct ResultsFile {
    path: PathBuf,
    target: Target,
}

impl ResultsFile {
    /// Makes sure that the file can be written, and lets it say `unknown` for the time being.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn open(path: &Path) -> Result<Self, WriteError> {
        let fail = |source| WriteError { path: path.to_path_buf(), source };
        let target = Target::of(path).map_err(fail)?;
        if let Target::Replaced(whole) = &target {
            remove_left_over(whole);
        }
        let mut file = Self { path: path.to_path_buf(), target };
        if let Target::Replaced(whole) = &file.target
            && let Err(refused) = file.put(Answer::Unknown, Durability::Name)
        {
            if !whole.exists() {
                return Err(fail(refused));
            }
            file.target = Target::Direct(whole.clone());
        }
        if matches!(file.target, Target::Direct(_)) && !pack::is_stream(path) {
            file.put(Answer::Unknown, Durability::Name).map_err(fail)?;
        }
        Ok(file)
    }

    /// Writes an answer in place of whatever the file says.
    ///
    /// # Errors
    /// If it cannot be written. The file then says what it said before.
    pub fn write(&self, answer: Answer<'_>) -> Result<(), WriteError> {
        let written = self.put(answer, Durability::Content);
        written.map_err(|source| WriteError { path: self.path.clone(), source })
    }

    fn put(&self, answer: Answer<'_>, durability: Durability) -> io::Result<()> {
        self.target.write(&|out| answer.write_to(out), durability)
    }
}

/// Removes new files that killed processes have left beside this one: `.NAME.PID.new` of processes that are no more.
fn remove_left_over(path: &Path) {
    let Some(name) = path.file_name() else { return };
    let prefix = format!(".{}.", name.to_string_lossy());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let other = entry.file_name();
        let other = other.to_string_lossy();
        let process = other.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".new"));
        let dead = process.and_then(|id| id.parse::<u32>().ok()).is_some_and(|id| {
            Path::new("/proc/self").exists() && !Path::new("/proc").join(id.to_string()).exists()
        });
        if dead {
            // It does no harm; another run may have removed it by now.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_file_is_complete_from_the_first_moment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.txt");
        fs::write(&path, "sat\nleft over from another run\n").unwrap();
        let file = ResultsFile::open(&path).unwrap();
        assert_eq!(read(&path), "unknown\n");
        file.write(Answer::Unsat).unwrap();
        assert_eq!(read(&path), "unsat\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left behind");
    }

    #[test]
    fn what_killed_runs_have_left_beside_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.txt");
        // No process has the largest number that fits; this one is alive.
        let (dead, alive) =
            (".out.txt.4294967295.new".to_owned(), format!(".out.txt.{}.new", std::process::id()));
        let kept = [alive.as_str(), ".out.txt.mine.new", ".other.txt.4294967295.new"];
        for name in kept.iter().copied().chain([dead.as_str()]) {
            fs::write(folder.path().join(name), "half").unwrap();
        }
        remove_left_over(&path);
        assert!(!folder.path().join(dead).exists());
        assert!(kept.iter().all(|name| folder.path().join(name).exists()));
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("real.txt"), folder.path().join("link.txt"));
        fs::write(&path, "").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        ResultsFile::open(&link).unwrap().write(Answer::Timeout).unwrap();
        assert_eq!(read(&path), "timeout\n");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn what_cannot_be_written_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["no/such/folder/out.txt", ".", ""] {
            let error = ResultsFile::open(&folder.path().join(path)).map(|_| ()).unwrap_err();
            assert!(error.to_string().contains("(help: name a file"), "{error}");
        }
    }

    #[test]
    fn a_device_is_written_directly() {
        let file = ResultsFile::open(Path::new("/dev/null")).unwrap();
        file.write(Answer::Unknown).unwrap();
    }
}
