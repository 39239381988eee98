//! A tool of one's own choice, started beside or after our own search, or by a campaign: which one, how it is called, and what
//! it answers.
//!
//! Its whole process tree hangs on a [`guard`]: a process of this program that ends the tree when it is told to, and
//! also when the program that started it is gone, whatever has killed it.

pub(super) mod guard;
mod marabou;
mod report;
mod run;
pub(super) mod script;
mod tree;

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) use report::CommandEnding;
#[cfg(test)]
pub(super) use report::Usage;
pub(super) use run::{Attended, attend, run};
pub(super) use tree::{Adopted, began, is_alive};

use crate::unpack;
use crate::witness::Reading;

/// A tool that can be asked.
#[derive(Debug, Clone)]
pub(super) enum Tool {
    /// Marabou's command line; the program's name or path.
    Marabou(PathBuf),
    /// A `run_instance.sh` of VNN-COMP, with the CATEGORY that it is given.
    Script {
        /// The script.
        path: PathBuf,
        /// The category.
        category: String,
    },
}

/// What a tool is asked: one network and one property, with absolute paths.
#[derive(Debug)]
pub(super) struct ToolQuestion {
    /// The network's file, or the competition's list.
    pub(super) network: String,
    /// The property's file.
    pub(super) property: PathBuf,
    /// The time that it has; `None` for no limit.
    time: Option<Duration>,
}

/// What a tool says.
#[derive(Debug)]
pub(super) enum ToolAnswer {
    /// There is a counterexample: the one that it lists.
    Sat(Reading),
    /// There is none.
    Unsat,
    /// No answer, and why.
    None(String),
}

/// The command line of a tool.
#[derive(Debug)]
pub(super) struct ToolCall {
    /// The program.
    pub(super) program: PathBuf,
    /// Its arguments.
    pub(super) arguments: Vec<String>,
    /// Variables of its environment, beside those of this process.
    pub(super) environment: Vec<(&'static str, String)>,
}

impl Tool {
    /// What it is called in messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Marabou(_) => "Marabou".to_owned(),
            Self::Script { path, .. } => path.display().to_string(),
        }
    }

    /// Whether the program is there and may be run: asked before any time is spent.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let program = match self {
            Self::Marabou(program) => program,
            Self::Script { path, .. } => path,
        };
        // As the system does: a bare name of a program is looked for in PATH, everything else is a path. Scripts are
        // called by their full path.
        let is_bare = program.components().count() == 1 && !program.as_os_str().as_bytes().contains(&b'/');
        let path = std::env::var_os("PATH").unwrap_or_default();
        let places: Vec<PathBuf> = match self {
            Self::Marabou(_) if is_bare => std::env::split_paths(&path).map(|at| at.join(program)).collect(),
            _ => vec![program.clone()],
        };
        let files: Vec<_> = places.iter().filter_map(|place| place.metadata().ok()).collect();
        if files.is_empty() {
            return Err("there is no such file");
        }
        let may_run = |file: &std::fs::Metadata| file.is_file() && file.permissions().mode() & 0o111 != 0;
        if files.iter().any(may_run) { Ok(()) } else { Err("it is no program that may be run") }
    }

    /// How it is called; it works in `scratch`.
    pub(super) fn call(&self, question: &ToolQuestion, scratch: &Path) -> ToolCall {
        match self {
            Self::Marabou(program) => marabou::call(program, question, scratch),
            Self::Script { path, category } => script::call(path, category, question, scratch),
        }
    }

    /// Reads what the tool has left in its folder.
    pub(super) fn answer(&self, ending: &CommandEnding, scratch: &Path) -> ToolAnswer {
        match self {
            Self::Marabou(_) => marabou::answer(ending, scratch),
            Self::Script { .. } => script::answer(ending, scratch),
        }
    }
}

impl ToolQuestion {
    /// Unpacks what is packed into `scratch`: tools expect plain files. `networks` are files, or the competition's
    /// list of named ones.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub(super) fn new(
        networks: &[(Option<&str>, &Path)],
        property: &Path,
        time: Option<Duration>,
        scratch: &Path,
    ) -> io::Result<Self> {
        let unpacked = |(name, path): &(Option<_>, &Path)| Ok::<_, io::Error>((*name, plain(path, scratch)?));
        let networks = networks.iter().map(unpacked).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { network: listed(&networks), property: plain(property, scratch)?, time })
    }

    /// The same for our own `verify`, which unpacks its files itself.
    pub(super) fn packed(networks: &[(Option<&str>, &Path)], property: &Path) -> Self {
        let networks: Vec<_> = networks.iter().map(|(name, path)| (*name, path.to_path_buf())).collect();
        Self { network: listed(&networks), property: property.to_path_buf(), time: None }
    }
}

/// One file, or the competition's list of named ones.
fn listed(networks: &[(Option<&str>, PathBuf)]) -> String {
    let word = |(name, path): &(Option<&str>, PathBuf)| match name {
        Some(name) => format!("('{name}', '{}')", path.display()),
        None => path.display().to_string(),
    };
    let words: Vec<String> = networks.iter().map(word).collect();
    match networks {
        [(None, _)] => words.concat(),
        _ => format!("[{}]", words.join(", ")),
    }
}

/// The absolute path of a file, or of its unpacked copy.
fn plain(path: &Path, scratch: &Path) -> io::Result<PathBuf> {
    let mut magic = [0; 2];
    if path.exists() && File::open(path)?.read_exact(&mut magic).is_ok() && magic != [0x1f, 0x8b] {
        return path.canonicalize();
    }
    let (found, bytes) = unpack::read(path, unpack::limit::HANDED_ON).map_err(io::Error::other)?;
    let name = found.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let copy = scratch.join(name.strip_suffix(".gz").unwrap_or(&name));
    std::fs::write(&copy, bytes)?;
    Ok(copy)
}

/// The last line of a file that says anything, for messages.
pub(super) fn last_line(path: &Path) -> Option<String> {
    const SHOWN: u64 = 4096;
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    io::Seek::seek(&mut file, io::SeekFrom::Start(length.saturating_sub(SHOWN))).ok()?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).ok()?;
    let tail = String::from_utf8_lossy(&tail);
    tail.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_files_are_unpacked_and_others_stay_where_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let packed = {
            use std::io::Write;
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(b"text").unwrap();
            encoder.finish().unwrap()
        };
        std::fs::write(folder.path().join("plain"), "text").unwrap();
        std::fs::write(folder.path().join("packed.gz"), packed).unwrap();
        let ask = |name: &str| plain(&folder.path().join(name), scratch.path()).unwrap();
        assert_eq!(ask("plain"), folder.path().canonicalize().unwrap().join("plain"));
        for name in ["packed.gz", "packed"] {
            assert_eq!(ask(name), scratch.path().join("packed"));
            assert_eq!(std::fs::read_to_string(ask(name)).unwrap(), "text");
        }
        assert!(plain(&folder.path().join("missing"), scratch.path()).is_err());
    }

    #[test]
    fn a_tool_is_there_and_may_be_run_or_not() {
        let folder = tempfile::tempdir().unwrap();
        for (name, mode) in [("runs", 0o755), ("lies", 0o644)] {
            std::fs::write(folder.path().join(name), "#!/bin/sh").unwrap();
            std::fs::set_permissions(folder.path().join(name), PermissionsExt::from_mode(mode)).unwrap();
        }
        let script = |name: &str| Tool::Script { path: folder.path().join(name), category: String::new() };
        let cases = [
            (script("runs"), None),
            (script("lies"), Some("it is no program that may be run")),
            (script("none"), Some("there is no such file")),
            (script(""), Some("it is no program that may be run")),
            (Tool::Marabou("sh".into()), None),
            (Tool::Marabou(folder.path().join("runs")), None),
            (Tool::Marabou("no-such-program-anywhere".into()), Some("there is no such file")),
        ];
        for (tool, want) in cases {
            assert_eq!(tool.check().err(), want, "{tool:?}");
        }
    }

    #[test]
    fn the_last_words_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stderr");
        for (text, want) in [("a\n b \n\n", Some("b")), ("", None), ("\n", None)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(last_line(&path).as_deref(), want);
        }
    }
}
