//! How the program says things: what is said to whom, in which colours, and what becomes of it.

use serde_json::Value;

use crate::program::{Program, Run, shipped};

/// A search that finds nothing: sampling misses what a robust property excludes.
fn in_vain(program: &Program, timeout: &str, more: &[&str]) -> Run {
    let (network, property) = (shipped("digits_mlp.onnx"), shipped("digits_mlp_robust.vnnlib"));
    let search = ["verify", &network, &property, "--timeout", timeout, "--strategy", "sample"];
    program.run(&[&search, more].concat())
}

#[test]
fn a_log_has_all_that_is_said_and_what_a_quiet_run_keeps_to_itself() {
    let program = Program::new();
    let quiet = in_vain(&program, "0.5", &["--quiet", "--log", "log.txt"]);
    assert_eq!((quiet.exit, quiet.err.as_str()), (Some(0), ""), "{quiet:?}");
    let bad = program.run(&["--log", "log.txt", "inspect", "no.onnx"]);
    assert_eq!(bad.exit, Some(3), "{bad:?}");
    let log = program.read("log.txt").unwrap();
    let is_stamped = |line: &str| {
        let (stamp, message) = line.split_once(' ').unwrap_or_default();
        stamp.len() == 20
            && stamp.ends_with('Z')
            && (message.starts_with("note: ") || message.starts_with("error: "))
    };
    assert!(log.lines().all(is_stamped), "{log}");
    for part in ["Z note: the time is up", "Z error: no.onnx"] {
        assert_eq!(log.matches(part).count(), 1, "{part}: {log}");
    }
}

#[test]
fn a_log_that_cannot_be_written_is_an_error_before_anything_else() {
    let program = Program::new();
    let run = in_vain(&program, "60", &["--log", "no/log.txt", "--results-file", "out.txt"]);
    assert_eq!(run.exit, Some(4), "{run:?}");
    assert!(run.err.starts_with("error: --log no/log.txt: "), "{run:?}");
    assert_eq!(program.read("out.txt").as_deref(), Some("error\n"));
}

#[test]
fn colours_are_for_terminals_unless_they_are_asked_for() {
    let program = Program::new();
    let check = |color: &[&str], arguments: &[&str], want: bool| {
        let run = program.run(&[color, arguments].concat());
        let said = format!("{}{}", run.out, run.err);
        assert_eq!(said.contains('\u{1b}'), want, "{color:?}: {run:?}");
    };
    for arguments in [&["inspect", "no.onnx"][..], &["verify", "--help"], &["verify", "--no-such-option"]] {
        check(&[], arguments, false);
        check(&["--color", "never"], arguments, false);
        check(&["--color=always"], arguments, true);
    }
}

#[test]
fn a_search_that_holds_too_much_memory_ends_with_its_answer() {
    let program = Program::new();
    let run = in_vain(&program, "100", &["--memory", "1M", "--json", "--results-file", "out.txt"]);
    assert_eq!(run.exit, Some(0), "{run:?}");
    assert!(
        run.err.contains("warning: this process holds more than --memory allows, 1048576 bytes"),
        "{run:?}"
    );
    let line: Value = serde_json::from_str(run.out.lines().last().unwrap_or_default()).unwrap();
    assert_eq!(
        (&line["verdict"], &line["reason"]),
        (&"unknown".into(), &"the memory is used up".into()),
        "{run:?}"
    );
    assert_eq!(program.read("out.txt").as_deref(), Some("unknown\n"));
    let enough = in_vain(&program, "0.5", &["--memory", "20G", "--json"]);
    assert!(enough.out.contains("the time is up") && !enough.err.contains("--memory"), "{enough:?}");
    let wrong = in_vain(&program, "1", &["--memory", "much"]);
    assert_eq!(wrong.exit, Some(2), "{wrong:?}");
}

#[test]
fn strategies_and_methods_are_explained() {
    let program = Program::new();
    for list in ["--strategies", "--attack-methods"] {
        let (names, explained) =
            (program.run(&["supports", list]), program.run(&["supports", list, "--explain"]));
        assert_eq!(names.out.lines().count(), explained.out.lines().count());
        for (name, line) in names.out.lines().zip(explained.out.lines()) {
            let about = line.strip_prefix(name).map(str::trim).unwrap_or_default();
            assert!(about.len() > 10, "{line}");
        }
    }
    let run = program.run(&["supports", "--onnx-operators", "--explain"]);
    assert_eq!(run.exit, Some(2), "{run:?}");
}
