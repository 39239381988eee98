//! A run that is told to end leaves a complete results file and exit status 0, wherever it is at the time; `attack` leaves
//! a journal that goes on, and `audit` a report besides.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::model::model;
use crate::program::{Program, shipped};

const IMPOSSIBLE: &str = "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)\
    (assert (<= X_0 1))(assert (>= X_0 0))(assert (<= X_1 1))(assert (>= X_1 0))(assert (>= Y_0 2.5))";

fn kill(signal: &str, child: &Child) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

fn start(program: &Program, arguments: &[&str]) -> Child {
    program.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(program: &Program, child: Child, signal: &str) {
    kill(signal, &child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{signal}: {output:?}");
    assert_eq!(output.stdout, b"unknown\n", "{signal}: {output:?}");
    assert_eq!(program.read("out.txt").as_deref(), Some("unknown\n"), "{signal}");
}

#[test]
fn a_search_ends_with_unknown() {
    for signal in ["-TERM", "-INT", "-HUP"] {
        let program = Program::new();
        program.write("sum.onnx", model("Add", [1.0, 2.0]));
        program.write("impossible.vnnlib", IMPOSSIBLE);
        // The strategy that never ends by itself.
        let arguments =
            ["verify", "sum.onnx", "impossible.vnnlib", "--results-file", "out.txt", "--strategy", "sample"];
        let mut child = start(&program, &[&arguments[..], &["--json"]].concat());
        // The first event says that the handlers are in place and the search runs.
        let mut first = [0; 1];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
        kill(signal, &child);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{signal}: {output:?}");
        assert_eq!(program.read("out.txt").as_deref(), Some("unknown\n"), "{signal}");
    }
}

#[test]
fn a_run_that_waits_for_its_input_ends_too() {
    let program = Program::new();
    program.write("sum.onnx", model("Add", [1.0, 2.0]));
    // Nobody ever writes to this property: reading it does not return.
    let pipe = program.path().join("pipe.vnnlib");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let arguments = ["verify", "sum.onnx", "pipe.vnnlib", "--results-file", "out.txt"];
    let child = start(&program, &arguments);
    // Opening the pipe for writing returns as soon as the child, its handlers in place, opens it for reading.
    let writer = std::fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    ended(&program, child, "-TERM");
    drop(writer);

    // Open both ways, so that it waits for nobody.
    let writer = std::fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let child = start(&program, &[&arguments[..], &["--timeout", "0.2", "--stats"]].concat());
    let output = child.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains(" s in all; "), "{output:?}");
    assert_eq!(
        (output.status.code(), output.stdout.as_slice()),
        (Some(0), &b"timed-out\n"[..]),
        "{output:?}"
    );
    assert_eq!(program.read("out.txt").as_deref(), Some("timeout\n"));
    drop(writer);
}

#[test]
fn even_a_killed_run_leaves_a_complete_file() {
    let program = Program::new();
    let pipe = program.path().join("pipe.vnnlib");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut child = start(&program, &["verify", "sum.onnx", "pipe.vnnlib", "--results-file", "out.txt"]);
    let writer = std::fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(writer);
    assert_eq!(program.read("out.txt").as_deref(), Some("unknown\n"));
}

/// The whole lines of a journal behind its settings, by method and image: what was found, and how many lines say so.
fn journal(program: &Program) -> BTreeMap<(String, u64), (String, usize)> {
    let text = program.read("out/journal.jsonl").unwrap_or_default();
    let mut noted = BTreeMap::new();
    for line in text.split_inclusive('\n').skip(1).filter(|line| line.ends_with('\n')) {
        let record: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let key = (record["method"].as_str().unwrap().to_owned(), record["image"].as_u64().unwrap());
        noted.entry(key).or_insert((line.to_owned(), 0)).1 += 1;
    }
    noted
}

/// `results.json` without times.
fn results(program: &Program) -> Value {
    let mut json: Value = serde_json::from_str(&program.read("out/results.json").unwrap()).unwrap();
    for list in ["methods", "attacks"] {
        json[list].as_array_mut().unwrap().iter_mut().for_each(|entry| entry["seconds"] = Value::Null);
    }
    json
}

#[test]
fn an_interrupted_audit_keeps_what_is_done() {
    let (count, program) = (1500, Program::new());
    program.write("sum.onnx", model("Add", [1.0, 2.0]));
    let mut table = String::new();
    for number in 0..count {
        let names = ["X_0", "X_1", "Y_0", "Y_1"].map(|name| format!("(declare-const {name} Real)")).concat();
        let limits = "(assert (<= X_0 1))(assert (>= X_0 0))(assert (<= X_1 1))(assert (>= X_1 0))";
        program.write(&format!("p{number}.vnnlib"), format!("{names}{limits}(assert (>= Y_0 1.25))"));
        table += &format!("sum,sum.onnx,p{number}.vnnlib,0.1,unsat,1\n");
    }
    program.write("claims.csv", table);
    let arguments = [
        "audit",
        "claims.csv",
        "--benchmarks",
        ".",
        "--journal",
        "journal",
        "--html",
        "audit.html",
        "--json",
    ];
    let mut child = start(&program, &arguments);
    let noted = || program.read("journal").unwrap_or_default().lines().count().saturating_sub(1);
    while noted() < 3 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        thread::yield_now();
    }
    kill("-INT", &child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(14), "{output:?}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let done = found["records"].as_array().unwrap().len();
    assert!(0 < done && done < count, "{done}");
    assert_eq!(
        (found["instances"].as_u64(), found["open"].as_u64()),
        (Some(done as u64), Some((count - done) as u64))
    );
    assert_eq!(noted(), done, "what is said is in the journal, and nothing else");
    assert!(program.read("audit.html").unwrap().contains("Interrupted: "));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("the same command goes on from there"),
        "{output:?}"
    );

    let whole = program.run(&arguments);
    assert_eq!(whole.exit, Some(0), "{whole:?}");
    assert_eq!(noted(), count, "nothing is examined twice");
}

#[test]
fn an_interrupted_attack_goes_on_without_losing_or_redoing_an_image() {
    let (network, images) = (shipped("shapes_mlp.onnx"), shipped("shapes.npz"));
    // Within so small a distance every image takes all 5000 queries.
    let arguments = ["attack", &network, "--images", &images, "--output", "out", "--quiet", "--threads", "2"];
    let arguments = [&arguments[..], &["--method", "random-k,square", "--limit", "linf=0.01"]].concat();
    let whole = Program::new();
    assert_eq!(whole.run(&arguments).exit, Some(0));
    let expected = results(&whole);
    for signal in ["-INT", "-TERM"] {
        let program = Program::new();
        let mut child = start(&program, &arguments);
        while journal(&program).len() < 3 {
            assert!(child.try_wait().unwrap().is_none(), "{signal}: it ended by itself");
            thread::yield_now();
        }
        kill(signal, &child);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(14), "{signal}: {output:?}");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains("the same command goes on from there"), "{signal}: {message}");

        // The journal and nothing else, all its lines whole.
        let files = fs::read_dir(program.path().join("out")).unwrap();
        let files: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files, ["journal.jsonl"], "{signal}");
        assert!(program.read("out/journal.jsonl").unwrap().ends_with('\n'), "{signal}");
        let noted = journal(&program);
        assert!(message.contains(&format!("{} of ", noted.len())), "{signal}: {message}");

        assert_eq!(program.run(&arguments).exit, Some(0), "{signal}");
        let all = journal(&program);
        assert_eq!(all.len(), journal(&whole).len(), "{signal}");
        assert!(all.values().all(|(_, lines)| *lines == 1), "{signal}: an image was done twice");
        assert!(noted.iter().all(|(key, record)| all[key] == *record), "{signal}");
        assert_eq!(results(&program), expected, "{signal}");
    }
}
