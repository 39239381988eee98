//! Which files a table of claims means. Tables are written on other machines: `./benchmarks/acasxu_2023/onnx/a.onnx` may
//! be `acasxu_2023/onnx/a.onnx.gz` here.

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use vnnlib::Query;

use crate::audit::AuditClaim;
use crate::audit::claims::{self, ClaimsError};
use crate::audit::examine::File;
use crate::campaign::Digest;
use crate::cli::input;
use crate::cli::networks::Networks;
use crate::onnx::Model;
use crate::text;
use crate::unpack::{self, FileError};
use crate::witness::read;

/// Why a table cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum TableError {
    /// The system refused.
    #[error("{}: {source}", unpack::shown(.path))]
    Io {
        /// The table.
        path: PathBuf,
        /// The refusal.
        source: FileError,
    },
    /// It holds no claims that can be read.
    #[error(transparent)]
    Claims(#[from] ClaimsError),
    /// No property that the tables name exists.
    #[error(
        "{}: none of the {count} properties of the tables is there, for instance {} (help: --benchmarks names the folder \
        that holds the benchmarks' folders)", .root.display(), .first.display()
    )]
    Benchmarks {
        /// The folder.
        root: PathBuf,
        /// How many properties there should be.
        count: usize,
        /// One of them.
        first: PathBuf,
    },
}

/// A claim, and the folder that its counterexample's name is relative to.
pub(super) struct Entry {
    pub(super) claim: AuditClaim,
    folder: PathBuf,
}

/// All claims about one instance.
pub(super) struct Instance {
    networks: Networks,
    property: PathBuf,
    pub(super) entries: Vec<Entry>,
}

/// Reads a table; `tool` is whose claims they are where it does not say so.
pub(super) fn read_table(path: &Path, tool: Option<&str>) -> Result<Vec<Entry>, TableError> {
    let io = |source| TableError::Io { path: path.to_path_buf(), source };
    let (_, bytes) = unpack::read(path, unpack::limit::TEXT).map_err(io)?;
    let folder = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let folder = folder.parent().map(Path::to_path_buf).unwrap_or_default();
    let named = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let text = text::decoded(bytes.clone()).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into_owned());
    let claims = claims::read(&path.display().to_string(), &text, tool.unwrap_or(&named))?;
    Ok(claims.into_iter().map(|claim| Entry { claim, folder: folder.clone() }).collect())
}

/// Puts claims about the same files together, in the order of the first.
///
/// # Errors
/// If no property exists: that is a wrong folder, which should not be said once for each instance.
pub(super) fn instances(entries: Vec<Entry>, benchmarks: &Path) -> Result<Vec<Instance>, TableError> {
    let mut places: HashMap<(String, PathBuf), usize> = HashMap::new();
    let mut instances: Vec<Instance> = Vec::new();
    for entry in entries {
        let claim = &entry.claim;
        let here = |path: &Path| find(benchmarks, &claim.benchmark, path);
        let networks = Networks::positional(&claim.network).mapped(here);
        let property = here(Path::new(&claim.property));
        let place = *places.entry((format!("{networks:?}"), property.clone())).or_insert(instances.len());
        match instances.get_mut(place) {
            Some(instance) => instance.entries.push(entry),
            None => instances.push(Instance { networks, property, entries: vec![entry] }),
        }
    }
    match instances.first() {
        Some(first) if !instances.iter().any(|instance| exists(&instance.property)) => {
            let first = first.property.clone();
            Err(TableError::Benchmarks { root: benchmarks.to_path_buf(), count: instances.len(), first })
        }
        _ => Ok(instances),
    }
}

/// The file that a name means: under `root`, or under the benchmark's folder there, after leaving out as few leading
/// parts as possible. Where there is none, the name under `root` stays, for the message.
fn find(root: &Path, benchmark: &str, name: &Path) -> PathBuf {
    let parts: Vec<_> = name.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let all: PathBuf = parts.iter().collect();
    let suffixes = (0..parts.len()).map(|skipped| parts.iter().skip(skipped).collect::<PathBuf>());
    let candidates = suffixes.flat_map(|suffix| [root.join(&suffix), root.join(benchmark).join(suffix)]);
    let mut candidates = candidates.chain(name.is_absolute().then(|| name.to_path_buf()));
    candidates.find(|path| exists(path)).unwrap_or_else(|| root.join(all))
}

fn exists(path: &Path) -> bool {
    let mut packed = path.as_os_str().to_owned();
    packed.push(".gz");
    path.is_file() || Path::new(&packed).is_file()
}

impl Instance {
    /// What a journal knows the instance's files by: a digest of what they hold, witnesses included. A changed file is another
    /// instance; what cannot be read is told from what can. `known` are files that were read already: many instances share
    /// a network.
    pub(super) fn mark(&self, known: &mut HashMap<PathBuf, String>) -> String {
        let networks = self.networks.files().into_iter().map(|(_, path)| path.to_path_buf());
        let witnesses = self.entries.iter().filter_map(Entry::witness);
        let files = networks.chain([self.property.clone()]).chain(witnesses);
        let read = |path: &PathBuf| match unpack::read(path, unpack::limit::MODEL) {
            Ok((_, bytes)) => Digest::of(&bytes).to_string(),
            Err(_) => "unreadable".to_owned(),
        };
        let marks = files.map(|path| {
            let mark = known.get(&path).cloned().unwrap_or_else(|| read(&path));
            known.entry(path).or_insert(mark).clone()
        });
        Digest::of(marks.collect::<Vec<_>>().join(" ").as_bytes()).to_string()
    }

    /// Reads the property and the networks; else says why that is not possible.
    pub(super) fn read(&self) -> Result<(Query, Vec<std::sync::Arc<Model>>), String> {
        let query = input::property(&self.property).map_err(|error| error.to_string())?;
        let files = self.networks.files_for(&query).map_err(|error| error.to_string())?;
        let (models, _) = input::models(&files, &query, &[]).map_err(|error| error.to_string())?;
        Ok((query, models))
    }
}

impl Entry {
    /// What the claim's counterexample file says; `None` if none is named and none is where the competition publishes
    /// them. One that is named and missing is an error, as `check` would have it.
    pub(super) fn counterexample(&self) -> File {
        self.witness().map(|path| read::read(&path))
    }

    /// Where that file is.
    fn witness(&self) -> Option<PathBuf> {
        match &self.claim.witness {
            Some(name) => Some(find(&self.folder, &self.claim.benchmark, Path::new(name))),
            None => self.published(),
        }
    }

    /// Where the competition publishes them, beside `results.csv`: `CATEGORY/NETWORK_PROPERTY.counterexample`, the
    /// category perhaps behind a year.
    fn published(&self) -> Option<PathBuf> {
        let stem = |name: &str| {
            let plain = name.strip_suffix(".gz").unwrap_or(name);
            Some(Path::new(plain).file_stem()?.to_string_lossy().into_owned())
        };
        let file = format!("{}_{}.counterexample", stem(&self.claim.network)?, stem(&self.claim.property)?);
        let of_category = |folder: &Path| {
            let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            !self.claim.benchmark.is_empty() && name.ends_with(&self.claim.benchmark)
        };
        let folders = fs::read_dir(&self.folder).ok()?.flatten().map(|entry| entry.path());
        folders
            .filter(|folder| of_category(folder))
            .map(|folder| folder.join(&file))
            .find(|path| exists(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_machines_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("acas/onnx")).unwrap();
        fs::write(root.join("acas/onnx/a.onnx.gz"), "").unwrap();
        fs::write(root.join("plain.onnx"), "").unwrap();
        let cases = [
            ("acas/onnx/a.onnx.gz", "acas/onnx/a.onnx.gz"),
            ("acas/onnx/a.onnx", "acas/onnx/a.onnx"),
            ("./benchmarks/acas/onnx/a.onnx", "acas/onnx/a.onnx"),
            ("./benchmarks/acas/1.0/onnx/a.onnx", "acas/onnx/a.onnx"),
            ("/home/you/acas/onnx/a.onnx", "acas/onnx/a.onnx"),
            ("onnx/a.onnx", "acas/onnx/a.onnx"),
            ("../plain.onnx", "plain.onnx"),
            ("acas/missing.onnx", "acas/missing.onnx"),
        ];
        for (name, want) in cases {
            assert_eq!(find(root, "acas", Path::new(name)), root.join(want), "{name}");
        }
    }
}
