//! The ONNX project's own node tests, run against the engines of this crate.
//!
//! `scripts/node_tests.sh` fetches the tests; COUNTERPATCH_ONNX_NODE_TESTS names another folder. A test that an engine
//! does not pass must stand in an omissions file with the reason, and one that stands there must not pass.

mod case;
mod compare;
mod fast;
mod omissions;

use std::path::PathBuf;
use std::sync::Arc;

use counterpatch::onnx::{Model, Tensor};
use counterpatch::reference::{Engine, Precision};

use case::Case;
use omissions::Omissions;

/// An engine under test: computes a model's outputs, or says why it cannot.
type Run = fn(Model, Vec<Tensor>) -> Result<Vec<Tensor>, String>;

fn reference(model: Model, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, String> {
    let engine = Engine::new(Arc::new(model)).map_err(|e| e.to_string())?;
    let results = engine.run_tensors(inputs, Precision::Model, &[]).map_err(|e| e.to_string())?;
    Ok(results.into_iter().map(|(_, value)| Arc::unwrap_or_clone(value)).collect())
}

/// In double precision the results must agree as well; their storage differs.
fn reference_in_double(model: Model, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, String> {
    let engine = Engine::new(Arc::new(model)).map_err(|e| e.to_string())?;
    let results = engine.run_tensors(inputs, Precision::Double, &[]).map_err(|e| e.to_string())?;
    Ok(results.into_iter().map(|(_, value)| Arc::unwrap_or_clone(value)).collect())
}

fn folder() -> Option<PathBuf> {
    let fetched = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("build/onnx-node-tests");
    let named = std::env::var_os("COUNTERPATCH_ONNX_NODE_TESTS").map(PathBuf::from);
    named.or_else(|| fetched.join("complete").exists().then_some(fetched))
}

/// `lists` are the engine's omissions, `least` the share in percent that has to pass.
fn check(engine: &str, run: Run, lists: &[&str], least: f64) {
    let folder = folder().expect("no ONNX node tests (help: scripts/node_tests.sh fetches them)");
    let cases = Case::all(&folder);
    assert!(cases.len() > 1000, "{} has only {} node tests", folder.display(), cases.len());
    let outside = Omissions::read(&["outside.txt"]);
    let missing = Omissions::read(lists);
    let (mut passed, mut relevant, mut faults) = (0, 0, Vec::new());
    for case in &cases {
        let outcome = case.run(run);
        let listed = outside.reason(&case.name).or_else(|| missing.reason(&case.name));
        relevant += usize::from(outside.reason(&case.name).is_none());
        passed += usize::from(outcome.is_ok() && outside.reason(&case.name).is_none());
        match (outcome, listed) {
            (Ok(()), Some(reason)) => faults.push(format!("{}: passes; remove \"{reason}\"", case.name)),
            (Err(why), None) => faults.push(format!("{}: {why}", case.name)),
            _ => {}
        }
    }
    faults.extend(outside.unused(&cases).into_iter().chain(missing.unused(&cases)));
    let share = 100.0 * passed as f64 / relevant as f64;
    println!("| engine | tests | outside its task | passed | share |\n|---|---|---|---|---|");
    println!("| {engine} | {} | {} | {passed} | {share:.1}% |", cases.len(), cases.len() - relevant);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(share >= least, "only {share:.1}% of the tests that matter pass");
}

#[test]
#[ignore = "needs the ONNX node tests: scripts/node_tests.sh"]
fn fast_engine() {
    check("fast", fast::run, &["fast.txt"], 96.5);
}

#[test]
#[ignore = "needs the ONNX node tests: scripts/node_tests.sh"]
fn reference_engine() {
    check("reference", reference, &["reference.txt"], 98.0);
}

#[test]
#[ignore = "needs the ONNX node tests: scripts/node_tests.sh"]
fn reference_engine_in_double_precision() {
    check("reference, double", reference_in_double, &["reference.txt", "reference_double.txt"], 98.0);
}
