//! Which instances lists mean, and the contents of all files that they name: each file is read once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::CampaignFailure;
use crate::campaign::{self, Digest, FileMark, Listing, PlannedInstance, external_files};
use crate::cli::networks::Networks;
use crate::cli::terminal::{note, say};
use crate::text;
use crate::unpack::{self, FileError};

/// Folders in folders that are searched for lists: BENCHMARKS/NAME/YEAR is usual.
const DEEPEST: usize = 4;
/// Messages about files before the rest is only counted.
const SHOWN: usize = 20;

/// Lists in folders, and the benchmarks that they stand for.
struct Lists {
    path: PathBuf,
    benchmark: String,
}

/// Which rows of a list are meant.
pub(super) struct WantedRows<'a> {
    /// Those whose columns hold these values.
    pub(super) wanted: &'a [(String, String)],
    /// Of these at most so many of each benchmark, spread evenly.
    pub(super) most: usize,
}

impl WantedRows<'_> {
    fn sampled(&self, listings: Vec<Listing>) -> Vec<Listing> {
        let mut sizes: BTreeMap<Option<String>, (usize, usize)> = BTreeMap::new();
        for row in &listings {
            sizes.entry(row.benchmark.clone()).or_default().0 += 1;
        }
        let is_chosen = |row: &Listing| {
            let Some((size, place)) = sizes.get_mut(&row.benchmark) else { return false };
            let count = self.most.min(*size);
            // Row `place` is the first behind a multiple of size / count.
            let chosen = (*place * count).div_ceil(*size) * *size / count == *place;
            *place += 1;
            chosen
        };
        listings.into_iter().filter(is_chosen).collect()
    }
}

/// All instances and their files.
#[derive(Default)]
pub(super) struct Instances {
    pub(super) instances: Vec<PlannedInstance>,
    pub(super) files: Vec<FileMark>,
    /// Rows that ask what another one asks: said, and left out.
    pub(super) duplicates: usize,
    known: BTreeMap<PathBuf, ReadFile>,
    asked: BTreeSet<String>,
    unusable: Vec<String>,
}

/// A file that was read: its place, and what lies beside it.
#[derive(Clone)]
struct ReadFile {
    file: usize,
    beside: Vec<usize>,
}

impl Instances {
    /// Reads lists and all files that their wanted rows name. `cap` is the longest time limit, and that of rows without one.
    ///
    /// # Errors
    /// If a list cannot be read, a row has no limit, or files are missing: those are all said before.
    pub(super) fn read(
        lists: &[PathBuf],
        rows: &WantedRows<'_>,
        cap: Option<Duration>,
    ) -> Result<Self, CampaignFailure> {
        let mut all = Self::default();
        for list in lists.iter().map(|path| found(path)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten()
        {
            all.add(&list, rows, cap)?;
        }
        if all.instances.is_empty() && all.unusable.is_empty() {
            return Err(CampaignFailure::NoRows(
                rows.wanted.iter().map(|(column, value)| format!("{column}={value}")).collect(),
            ));
        }
        match all.unusable.len() {
            0 => Ok(all),
            count => {
                all.unusable.iter().take(SHOWN).for_each(|what| say!("error: {what}"));
                if count > SHOWN {
                    say!("error: and {} more", count - SHOWN);
                }
                Err(CampaignFailure::Files(count))
            }
        }
    }

    fn add(
        &mut self,
        list: &Lists,
        rows: &WantedRows<'_>,
        cap: Option<Duration>,
    ) -> Result<(), CampaignFailure> {
        let path = &list.path;
        let (_, bytes) = unpack::read(path, unpack::limit::TEXT)
            .map_err(|source| CampaignFailure::File { path: path.clone(), source })?;
        let text =
            text::decoded(bytes.clone()).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into_owned());
        let listings = campaign::listings(&text, rows.wanted)
            .map_err(|source| CampaignFailure::List { path: path.clone(), source })?;
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        for listing in rows.sampled(listings) {
            let cap = cap.map(|cap| cap.as_secs_f64());
            let limit = match (listing.limit, cap) {
                (Some(limit), Some(cap)) => limit.min(cap),
                (Some(limit), None) => limit,
                (None, Some(cap)) => cap,
                (None, None) => {
                    return Err(CampaignFailure::NoLimit { path: path.clone(), line: listing.line });
                }
            };
            if let Some(instance) = self.instance(&listing, limit, list, &folder) {
                let asked = self.question(&instance);
                if self.asked.insert(asked) {
                    self.instances.push(instance);
                } else {
                    self.duplicates += 1;
                    note!(
                        "{}, line {}: asks what an earlier row of {} asks; it is left out",
                        path.display(),
                        listing.line,
                        instance.benchmark
                    );
                }
            }
        }
        Ok(())
    }

    /// The instance of a row; `None` if a file cannot be used, which is noted.
    fn instance(
        &mut self,
        row: &Listing,
        limit: f64,
        list: &Lists,
        folder: &Path,
    ) -> Option<PlannedInstance> {
        let mut beside = Vec::new();
        let mut networks = Some(Vec::new());
        for (name, path) in Networks::positional(&row.network).files() {
            match self.content(&folder.join(path), row.line, list, true) {
                Some(content) => {
                    beside.extend(content.beside);
                    if let Some(networks) = &mut networks {
                        networks.push((name.map(ToOwned::to_owned), content.file));
                    }
                }
                None => networks = None,
            }
        }
        let property = self.content(&folder.join(&row.property), row.line, list, false);
        Some(PlannedInstance {
            benchmark: row.benchmark.clone().unwrap_or_else(|| list.benchmark.clone()),
            network: row.network.clone(),
            property: row.property.clone(),
            limit,
            networks: networks?,
            property_file: property?.file,
            beside,
        })
    }

    /// Two rows of a benchmark are one instance if their files hold the same and they have the same time.
    fn question(&self, instance: &PlannedInstance) -> String {
        let names = instance.networks.iter().map(|(name, _)| name.clone().unwrap_or_default());
        let contents = instance.files().map(|file| self.files[file].sha256.to_string());
        let parts: Vec<String> = names.chain(contents).collect();
        format!("{}\n{}\n{}", instance.benchmark, instance.limit, parts.join(" "))
    }

    /// A file's place; `None` if it cannot be read.
    fn content(&mut self, path: &Path, line: usize, list: &Lists, is_network: bool) -> Option<ReadFile> {
        if let Some(content) = self.known.get(path) {
            return Some(content.clone());
        }
        let read = marked(path).and_then(|(mark, bytes)| {
            let mut beside = Vec::new();
            for name in if is_network { external_files(&bytes) } else { BTreeSet::new() } {
                let place = mark.path.parent().unwrap_or(Path::new("")).join(name);
                // What only looks like the name of a file is none.
                if place.is_file() {
                    beside.push(marked(&place)?.0);
                }
            }
            Ok((mark, beside))
        });
        match read {
            Ok((mark, beside)) => {
                let file = self.put(mark);
                let beside = beside.into_iter().map(|mark| self.put(mark)).collect();
                let content = ReadFile { file, beside };
                self.known.insert(path.to_path_buf(), content.clone());
                Some(content)
            }
            Err(error) => {
                let what = format!("{}, line {line}: {}: {error}", list.path.display(), unpack::shown(path));
                self.unusable.push(what);
                None
            }
        }
    }

    fn put(&mut self, mark: FileMark) -> usize {
        match self.files.iter().position(|file| file.path == mark.path) {
            Some(place) => place,
            None => {
                self.files.push(mark);
                self.files.len() - 1
            }
        }
    }
}

/// Reads a file, packed or not, under its name or with `.gz`: its mark and its content.
pub(super) fn marked(path: &Path) -> Result<(FileMark, Vec<u8>), FileError> {
    let (found, bytes) =
        unpack::read(path, unpack::limit::HANDED_ON).or_else(|error| match path.extension() {
            // A list may name the packed file where the plain one was kept.
            Some(end) if end == "gz" && !path.exists() => {
                unpack::read(&path.with_extension(""), unpack::limit::HANDED_ON)
            }
            _ => Err(error),
        })?;
    let path = fs::canonicalize(&found)?;
    let (length, changed) = stamp(&path)?;
    Ok((FileMark { path, sha256: Digest::of(&bytes), bytes: length, changed }, bytes))
}

/// A file's length and the time of its last change: while they stay, it is taken to stay.
pub(super) fn stamp(path: &Path) -> Result<(u64, i64), FileError> {
    let metadata = fs::metadata(path)?;
    let nanoseconds = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
    Ok((metadata.len(), nanoseconds))
}

/// A list, or those in a folder and below.
fn found(path: &Path) -> Result<Vec<Lists>, CampaignFailure> {
    let io =
        |source: std::io::Error| CampaignFailure::File { path: path.to_path_buf(), source: source.into() };
    let root = fs::canonicalize(path).or_else(|error| match error.kind() {
        // `instances.csv.gz` may be what is meant.
        std::io::ErrorKind::NotFound => Ok(path.to_path_buf()),
        _ => Err(io(error)),
    })?;
    if !root.is_dir() {
        let benchmark = root.parent().map(name).unwrap_or_default();
        return Ok(vec![Lists { path: root, benchmark }]);
    }
    let mut lists = Vec::new();
    search(&root, &root, 0, &mut lists).map_err(io)?;
    lists.sort_by(|a, b| a.path.cmp(&b.path));
    if lists.is_empty() { Err(CampaignFailure::NoLists(path.to_path_buf())) } else { Ok(lists) }
}

fn search(root: &Path, folder: &Path, depth: usize, lists: &mut Vec<Lists>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let own = name(&path);
        if path.is_dir() && depth < DEEPEST && !own.starts_with('.') {
            search(root, &path, depth + 1, lists)?;
        } else if path.is_file() && own.trim_end_matches(".gz").ends_with("instances.csv") {
            let below = folder.strip_prefix(root).unwrap_or(folder).display().to_string();
            let benchmark = if below.is_empty() { name(root) } else { below };
            lists.push(Lists { path, benchmark });
        }
    }
    Ok(())
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists in a folder, and what is planned: `benchmark network property limit`, or what is wrong.
    fn check(files: &[(&str, &str)], cap: Option<u64>, want: Result<&[&str], &str>) {
        check_most(files, usize::MAX, cap, want);
    }

    fn check_most(files: &[(&str, &str)], most: usize, cap: Option<u64>, want: Result<&[&str], &str>) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let read = Instances::read(
            &[folder.path().to_path_buf()],
            &WantedRows { wanted: &[], most },
            cap.map(Duration::from_secs),
        );
        let line = |instance: &PlannedInstance| {
            let PlannedInstance { benchmark, network, property, limit, .. } = instance;
            format!("{benchmark} {network} {property} {limit}")
        };
        let got = read.map(|all| all.instances.iter().map(line).collect::<Vec<_>>());
        match want {
            Ok(want) => assert_eq!(got.unwrap(), want),
            Err(want) => {
                let error = got.unwrap_err().to_string();
                assert!(error.contains(want), "{error}");
            }
        }
    }

    #[test]
    fn a_sample_is_spread_evenly_over_each_benchmark() {
        let rows: String = (1..=7).map(|limit| format!("b,n.onnx,p.vnnlib,{limit}\n")).collect();
        let rows = rows + "c,n.onnx,p.vnnlib,8\n";
        let files = [("n.onnx", "n"), ("p.vnnlib", "p"), ("instances.csv", rows.as_str())];
        let cases: [(usize, &[u32]); 5] = [
            (1, &[1, 8]),
            (2, &[1, 4, 8]),
            (3, &[1, 3, 5, 8]),
            (6, &[1, 2, 3, 4, 5, 6, 8]),
            (99, &[1, 2, 3, 4, 5, 6, 7, 8]),
        ];
        for (most, limits) in cases {
            let benchmark = |limit: &u32| if *limit == 8 { 'c' } else { 'b' };
            let want: Vec<String> =
                limits.iter().map(|limit| format!("{} n.onnx p.vnnlib {limit}", benchmark(limit))).collect();
            let want: Vec<&str> = want.iter().map(String::as_str).collect();
            check_most(&files, most, None, Ok(&want));
        }
    }

    #[test]
    fn folders_of_benchmarks_are_read() {
        let files = [("n.onnx", "n"), ("p.vnnlib", "p"), ("q.vnnlib.gz", "q")];
        let with = |lists: &[(&'static str, &'static str)]| {
            let inner = files.iter().map(|(name, text)| (format!("a/1.0/{name}"), *text));
            let all: Vec<(String, &str)> =
                inner.chain(lists.iter().map(|(name, text)| ((*name).to_owned(), *text))).collect();
            all
        };
        let run = |lists: &[(&'static str, &'static str)], cap, want| {
            let all = with(lists);
            let all: Vec<(&str, &str)> = all.iter().map(|(name, text)| (name.as_str(), *text)).collect();
            check(&all, cap, want);
        };
        let rows = "n.onnx,p.vnnlib,60\nn.onnx.gz,q.vnnlib,5\n";
        run(
            &[("a/1.0/instances.csv", rows)],
            None,
            Ok(&["a/1.0 n.onnx p.vnnlib 60", "a/1.0 n.onnx.gz q.vnnlib 5"]),
        );
        run(
            &[("a/1.0/instances.csv", rows)],
            Some(3),
            Ok(&["a/1.0 n.onnx p.vnnlib 3", "a/1.0 n.onnx.gz q.vnnlib 3"]),
        );
        run(
            &[("x_instances.csv", "benchmark,onnx,vnnlib\nb,a/1.0/n.onnx,a/1.0/p.vnnlib\n")],
            Some(2),
            Ok(&["b a/1.0/n.onnx a/1.0/p.vnnlib 2"]),
        );
        let twice = "n.onnx,p.vnnlib,60\n./n.onnx,p.vnnlib,60\nn.onnx,p.vnnlib,61\n";
        run(
            &[("a/1.0/instances.csv", twice)],
            None,
            Ok(&["a/1.0 n.onnx p.vnnlib 60", "a/1.0 n.onnx p.vnnlib 61"]),
        );
        let two = "\"[('f', 'n.onnx'), ('g', 'n.onnx')]\",p.vnnlib,1\n";
        run(
            &[("a/1.0/instances.csv", two)],
            None,
            Ok(&["a/1.0 [('f', 'n.onnx'), ('g', 'n.onnx')] p.vnnlib 1"]),
        );
        run(&[("a/1.0/instances.csv", "n.onnx,p.vnnlib\n")], None, Err("line 1: no time limit"));
        run(&[("a/1.0/instances.csv", "m.onnx,r.vnnlib,1\n")], None, Err("2 files cannot be used"));
        run(&[("a/1.0/instances.csv", "n.onnx,1\n")], None, Err("line 1: vnnlib is missing"));
        run(&[], None, Err("no lists of instances"));
    }
}
