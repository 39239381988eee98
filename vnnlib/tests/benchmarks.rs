//! Every VNN-LIB file of the competition that is at hand is read, printed and read again.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

/// The folder with the competition's benchmarks, if there is one.
fn benchmarks() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/benchmarks");
    let folder =
        std::env::var_os("COUNTERPATCH_BENCHMARKS").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    folder.is_dir().then_some(folder)
}

fn queries(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() {
            queries(&path, found);
        } else if name.ends_with(".vnnlib") || name.ends_with(".vnnlib.gz") {
            found.push(path);
        }
    }
}

fn read(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        GzDecoder::new(&*bytes).read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(bytes).unwrap();
    }
    text
}

#[test]
#[ignore = "needs the competition's instances: COUNTERPATCH_BENCHMARKS"]
fn all_files_of_the_competition_are_accepted_and_printed_back() {
    let folder =
        benchmarks().expect("no instances (help: set COUNTERPATCH_BENCHMARKS to the folder that holds them)");
    let mut found = Vec::new();
    queries(&folder, &mut found);
    assert!(!found.is_empty(), "no .vnnlib file below {}", folder.display());
    for path in &found {
        let query = vnnlib::parse_named(path.to_string_lossy(), read(path))
            .unwrap_or_else(|errors| panic!("{errors}"));
        let again = vnnlib::parse(query.print())
            .unwrap_or_else(|errors| panic!("printed {}: {errors}", path.display()));
        assert!(query == again, "{} is printed as another query", path.display());
    }
    eprintln!("{} files", found.len());
}
