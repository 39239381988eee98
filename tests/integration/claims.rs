//! `check` on the public witnesses of VNN-COMP 2025, where they are at hand, against the official verdicts.

use std::path::PathBuf;

use crate::program::Program;

/// Verdicts that hang on the last bit may differ without ONNX Runtime: of 369, two do.
const MOST_DIFFERENCES: usize = 2;

/// The claims beside the benchmarks that COUNTERPATCH_BENCHMARKS names, or beside the checkout.
fn folder() -> PathBuf {
    let named = std::env::var_os("COUNTERPATCH_BENCHMARKS").map(PathBuf::from);
    named.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/benchmarks"))
}

#[test]
#[ignore = "needs the claims of 2025 beside the instances: COUNTERPATCH_BENCHMARKS"]
fn public_witnesses_get_their_official_verdicts() {
    let benchmarks = folder();
    let claims = benchmarks.join("../claims_2025");
    let table = std::fs::read_to_string(claims.join("claims.csv"))
        .unwrap_or_else(|why| panic!("{}: {why} (help: set COUNTERPATCH_BENCHMARKS)", claims.display()));
    let program = Program::new();
    let mut differences = Vec::new();
    let mut count = 0;
    for row in table.lines().skip(1) {
        let columns: Vec<&str> = row.split(',').collect();
        let [_, _, network, property, _, _, witness, verdict] = columns[..] else { panic!("odd row {row}") };
        if witness.is_empty() {
            continue;
        }
        count += 1;
        let path = |folder: &PathBuf, name: &str| folder.join(name).to_str().unwrap().to_owned();
        let (network, property) = (path(&benchmarks, network), path(&benchmarks, property));
        let run = program.run(&["check", &network, &property, &path(&claims, witness), "--json"]);
        let report: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        if report["verdict"] != verdict {
            assert_eq!(report["fragile"], true, "{row}: {}", run.out);
            differences.push(format!("{row}: {}", run.out));
        }
    }
    assert!(count > 300, "only {count} witnesses");
    assert!(differences.len() <= MOST_DIFFERENCES, "{differences:#?}");
}
