//! `pair`: what a second tool says is checked, and nothing of it is left. The tools here are shell scripts.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::model::model;
use crate::program::{Program, Run};

const TWO: &str =
    "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)";
const BOX: &str = "(assert (<= X_0 1))(assert (>= X_0 0))(assert (<= X_1 1))(assert (>= X_1 0))";

/// `y = x + (1, 2)`, with a property that is violated and one that is not.
fn folder(script: &str) -> Program {
    let program = Program::new();
    program.write("sum.onnx", model("Add", [1.0, 2.0]));
    program.write("possible.vnnlib", format!("{TWO}{BOX}(assert (>= Y_0 1.25))(assert (<= Y_1 2.5))"));
    program.write("impossible.vnnlib", format!("{TWO}{BOX}(assert (>= Y_0 2.5))"));
    program.write("tool.sh", format!("#!/bin/sh\n{script}\n"));
    let tool = program.path().join("tool.sh");
    std::fs::set_permissions(tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    program
}

/// Our search gets no time to speak of, so that the second tool decides.
const NO_SEARCH: [&str; 2] = ["--first", "1e-9"];

fn pair(program: &Program, property: &str, more: &[&str]) -> Run {
    let arguments = ["pair", "sum.onnx", property, "--timeout", "60", "--results-file", "out.txt"];
    program.run(&[&arguments[..], more].concat())
}

/// Runs a script as second tool; the first line of the results file, and what was said.
fn check(script: &str, property: &str, want: &str, said: &str) {
    let program = folder(script);
    let run = pair(&program, property, &[&["--then-script", "./tool.sh"], &NO_SEARCH[..]].concat());
    let written = program.read("out.txt").unwrap();
    assert_eq!((run.exit, written.lines().next()), (Some(0), Some(want)), "{script}: {run:?}");
    assert!(run.err.contains(said), "{script}: {run:?}");
    if want == "sat" {
        let judged = program.run(&["check", "sum.onnx", property, "out.txt"]);
        assert_eq!(judged.first_line(), "correct", "{script}: {judged:?}");
    }
}

#[test]
fn what_the_second_tool_says_is_checked() {
    let sat = |values: &str| format!("echo 'sat\n({values})' >$5");
    check(&sat("(X_0 0.5) (X_1 0.25)"), "possible.vnnlib", "sat", "note: sat by ./tool.sh");
    check(&sat("(X_0 0.5) (X_1 0.5001)"), "possible.vnnlib", "sat", "on the safe side of the property");
    check(&sat("(X_0 1.00001) (X_1 0.25)"), "possible.vnnlib", "sat", "outside the input set");
    // Where its counterexample does not count, our search goes on.
    check(&sat("(X_0 0.5) (X_1 0.25)"), "impossible.vnnlib", "unsat", "violates nothing");
    check(&sat("(X_0 0.5)"), "possible.vnnlib", "sat", "does not fit the property");
    check("echo sat >$5", "possible.vnnlib", "sat", "lists no counterexample");
    check("echo unsat >$5", "impossible.vnnlib", "unsat", "note: unsat by ./tool.sh");
    check("echo timeout >$5", "impossible.vnnlib", "unsat", "no answer of ./tool.sh: timeout");
    check("echo 'sat\n((X_0 1)' >$5", "possible.vnnlib", "sat", "results.txt:3:1: expected");
}

#[test]
fn a_tool_that_fails_says_nothing() {
    // The rest of the time is ours.
    check("exit 0", "possible.vnnlib", "sat", "its results file cannot be used");
    let crash = "echo 'sat\n((X_0 0.5) (X_1 0.25))' >$5; echo 'out of luck' >&2; exit 3";
    check(crash, "possible.vnnlib", "sat", "it ended with status 3: out of luck");
    check("kill -9 $$", "impossible.vnnlib", "unsat", "it was killed by signal 9");
}

/// The reason in the one line of `--json`.
#[test]
fn the_line_says_what_the_verdict_rests_on() {
    let check = |script: &str, property: &str, want: &str| {
        let program = folder(script);
        let tool = ["--timeout", "60", "--then-script", "./tool.sh", "--json"];
        let run = program.run(&[&["pair", "sum.onnx", property], &tool[..], &NO_SEARCH[..]].concat());
        let line: serde_json::Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{run:?}"));
        let reason = line["reason"].as_str().unwrap_or_else(|| panic!("{run:?}"));
        assert!(reason.contains(want), "{script}: {reason}");
    };
    check("echo unsat >$5", "impossible.vnnlib", "./tool.sh says so");
    check("echo 'sat\n((X_0 0.5) (X_1 0.25))' >$5", "possible.vnnlib", "a counterexample, ");
    check("exit 3", "impossible.vnnlib", "bounds");
}

#[test]
fn a_tool_that_does_not_exist_is_an_error_before_the_search() {
    let program = folder("");
    let run = pair(&program, "possible.vnnlib", &[&["--then-script", "none.sh"], &NO_SEARCH[..]].concat());
    assert_eq!(run.exit, Some(2), "{run:?}");
    assert!(run.err.contains("the second tool none.sh: there is no such file"), "{run:?}");
    assert_eq!(program.read("out.txt").as_deref(), Some("error\n"));
}

#[test]
fn what_we_find_needs_no_second_tool() {
    let program = folder("touch called; echo unsat >$5");
    let tool = ["--then-script", "./tool.sh"];
    let run = pair(&program, "possible.vnnlib", &tool);
    assert!(run.err.contains("note: sat by our search"), "{run:?}");
    let run = pair(&program, "impossible.vnnlib", &tool);
    assert!(run.err.contains("note: unsat by our search"), "{run:?}");
    assert_eq!(program.read("called"), None);
}

#[test]
fn the_loser_of_a_race_is_stopped() {
    let program = folder("echo $$ >tool.pid; exec sleep 1000");
    let run = pair(&program, "possible.vnnlib", &["--then-script", "./tool.sh", "--race"]);
    assert!(run.err.contains("note: sat by our search"), "{run:?}");
    if let Some(id) = program.read("tool.pid") {
        assert!(is_gone(&id), "{run:?}");
    }
}

#[test]
fn scripts_get_unpacked_files_absolute_paths_and_whole_seconds() {
    let program = folder("echo \"$@\" >arguments; cat \"$4\" >property; echo unsat >$5");
    let packed = {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(program.read("impossible.vnnlib").unwrap().as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    program.write("packed.vnnlib.gz", packed);
    let tool = ["--then-script", "./tool.sh", "--category", "some category"];
    pair(&program, "packed.vnnlib", &[&tool, &NO_SEARCH[..]].concat());
    assert_eq!(program.read("property"), program.read("impossible.vnnlib"));
    let arguments = program.read("arguments").unwrap();
    let network = program.path().canonicalize().unwrap().join("sum.onnx");
    assert!(arguments.starts_with(&format!("v1 some category {} /", network.display())), "{arguments}");
    let seconds: u64 = arguments.split_whitespace().last().unwrap().parse().unwrap();
    assert!((1..60).contains(&seconds), "{arguments}");
}

#[test]
fn marabou_is_called_and_read_as_it_is() {
    // Six digits of 0.7500004 are outside the property.
    let script = "for last; do [ \"$previous\" = --summary-file ] && summary=$last; previous=$last; done
        echo 'sat 1 2 3' >\"$summary\"; echo \"$1 $2\" >files
        printf 'sat\\nInput assignment:\\n\\tx0 = 0.249999\\n\\tx1 = 0.100000\\n\\nOutput:\\n\\ty0 = 1.250000\\n'";
    let program = folder(script);
    let tool = ["--then", "marabou", "--program", "./tool.sh"];
    let run = pair(&program, "possible.vnnlib", &[&tool, &NO_SEARCH[..]].concat());
    assert!(run.err.contains("note: sat by Marabou") && run.err.contains("safe side"), "{run:?}");
    let judged = program.run(&["check", "sum.onnx", "possible.vnnlib", "out.txt"]);
    assert_eq!(judged.first_line(), "correct", "{judged:?}");
    assert!(program.read("files").unwrap().contains("possible.vnnlib"));
}

/// Ignores SIGTERM, as do its children, of which one has left the session.
const STUBBORN: &str = "trap '' TERM
    sleep 1000 & echo $! >>pids
    setsid sh -c 'echo $$ >>pids; exec sleep 1000' &
    while [ \"$(wc -l <pids)\" != 2 ]; do sleep 0.01; done
    echo $$ >>pids; mv pids started
    while :; do sleep 1; done";

fn is_gone(id: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(id.trim()).join("stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}

fn all_gone(program: &Program) -> bool {
    program.read("started").unwrap().lines().all(is_gone)
}

#[test]
fn a_stubborn_tool_is_ended_at_the_limit_with_all_its_children() {
    let program = folder(STUBBORN);
    let tool = ["--then-script", "./tool.sh", "--timeout", "8", "--results-file", "out.txt"];
    let run = program.run(&[&["pair", "sum.onnx", "impossible.vnnlib"], &tool[..], &NO_SEARCH[..]].concat());
    // What is left of the time may do for a proof of our own.
    assert_eq!(run.exit, Some(0), "{run:?}");
    assert!(["unknown\n", "unsat\n"].contains(&run.out.as_str()), "{run:?}");
    assert!(run.err.contains("its time was up"), "{run:?}");
    assert!(all_gone(&program), "{run:?}");
}

#[test]
fn memory_is_limited_for_all_processes_together() {
    let program =
        folder("head -c 100000000 /dev/zero | tail & head -c 100000000 /dev/zero | tail & wait; sleep 100");
    let tool = ["--then-script", "./tool.sh", "--memory", "64M"];
    let run = pair(&program, "impossible.vnnlib", &[&tool, &NO_SEARCH[..]].concat());
    assert!(run.err.contains("because of its memory"), "{run:?}");
}

#[test]
fn signals_leave_a_complete_file_and_no_process() {
    for signal in ["-TERM", "-INT", "-KILL"] {
        let program = folder(STUBBORN);
        let tool = ["--then-script", "./tool.sh", "--timeout", "600", "--results-file", "out.txt"];
        let arguments = [&["pair", "sum.onnx", "impossible.vnnlib"], &tool[..], &NO_SEARCH[..]].concat();
        let mut child =
            program.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while program.read("started").is_none() {
            assert_eq!(child.try_wait().unwrap(), None, "it ended before it was told to");
            std::thread::yield_now();
        }
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let status = child.wait().unwrap();
        if signal == "-KILL" {
            // The guard notices by itself.
            while !all_gone(&program) {
                std::thread::yield_now();
            }
        } else {
            assert_eq!(status.code(), Some(0), "{signal}");
            assert!(all_gone(&program), "{signal}");
        }
        assert_eq!(program.read("out.txt").as_deref(), Some("unknown\n"), "{signal}");
    }
}

#[test]
fn a_command_line_without_a_second_tool_is_refused_in_the_file_too() {
    let program = folder("");
    let run = pair(&program, "possible.vnnlib", &[]);
    assert_eq!((run.exit, program.read("out.txt").as_deref()), (Some(2), Some("error\n")), "{run:?}");
    let run = pair(&program, "possible.vnnlib", &["--then-script", "./tool.sh", "--memory", "much"]);
    assert!(run.exit == Some(2) && run.err.contains("--memory much: not a number of bytes"), "{run:?}");
}
