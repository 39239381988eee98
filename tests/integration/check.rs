//! `check`: verdicts, exit codes, and what is said about a wrong counterexample.

use crate::program::{Program, shipped};

/// A point of `toy` with its outputs, and the file's inputs replaced by these.
fn check(inputs: &str, outputs: &str, rules: &str) -> (Option<i32>, String, String) {
    let program = Program::new();
    program.write("w.txt", format!("sat\n({inputs}\n {outputs})\n"));
    let (network, property) = (shipped("toy.onnx"), shipped("toy.vnnlib"));
    let run = program.run(&["check", &network, &property, "w.txt", "--rules", rules]);
    (run.exit, run.first_line().to_owned(), run.out)
}

const RIGHT: &str = "(X_0 0.8277025818824768) (X_1 0.40919914841651917)";
const OUTPUTS: &str = "(Y_0 -2.631977081298828) (Y_1 1.1624670028686523)";

#[test]
fn every_class_has_its_word_and_its_exit_code() {
    let cases = [
        (RIGHT, OUTPUTS, "2026", 0, "correct"),
        (RIGHT, OUTPUTS, "2025-zero", 0, "correct"),
        (RIGHT, "(Y_0 -2.6319) (Y_1 1.1624)", "2025-zero", 10, "correct_up_to_tolerance"),
        (RIGHT, "(Y_0 2.6) (Y_1 1.1)", "2025-small", 11, "incorrect:exec_doesnt_match"),
        (RIGHT, "", "2026", 0, "correct"),
        ("(X_0 1.00005) (X_1 0.4)", "", "2026", 10, "correct_up_to_tolerance"),
        ("(X_0 1.001) (X_1 0.4)", "", "2026", 11, "incorrect:spec_not_violated"),
        ("(X_0 0.5) (X_1 0.95)", "", "2026", 11, "incorrect:spec_not_violated"),
        ("(X_0 0.5)", "", "2026", 11, "incorrect:wrong_shape"),
        ("(X_1 0.5)", "", "2026", 11, "incorrect:malformed_ce"),
    ];
    for (inputs, outputs, rules, exit, word) in cases {
        let (got, first, out) = check(inputs, outputs, rules);
        assert_eq!((got, first.as_str()), (Some(exit), word), "{inputs} {outputs} by {rules}: {out}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let (_, _, out) = check("(X_0 1.00005) (X_1 0.4)", "", "2026");
    assert!(out.contains("toy.vnnlib:8:9: (<= X_0 1.0) does not hold, by 5"), "{out}");
    let (_, _, out) = check("(X_1 0.5)", "", "2026");
    assert!(out.contains("w.txt:2:3: expected `X_0`, found `X_1`"), "{out}");
    let (_, _, out) = check(RIGHT, "(Y_0 -2.6319) (Y_1 1.1624)", "2026");
    assert!(out.contains("listed and replayed outputs differ by at most 7.7e-5"), "{out}");
}

#[test]
fn other_claims_are_no_counterexamples() {
    let program = Program::new();
    let (network, property) = (shipped("toy.onnx"), shipped("toy.vnnlib"));
    for (text, exit, word) in [
        ("unsat\n", 12, "no_witness:unsat"),
        ("timeout", 12, "no_witness:timeout"),
        ("sat", 11, "incorrect:no_ce"),
    ] {
        program.write("w.txt", text);
        let run = program.run(&["check", &network, &property, "w.txt"]);
        assert_eq!((run.exit, run.first_line()), (Some(exit), word), "{run:?}");
    }
    let run = program.run(&["check", &network, &property, "missing.txt"]);
    assert_eq!(run.exit, Some(3), "{run:?}");
    let run = program.run(&["check", &network, &property]);
    assert_eq!(run.exit, Some(2), "{run:?}");
}

#[test]
fn json_says_the_same() {
    let program = Program::new();
    program.write("w.txt", "((X_0 1.00005) (X_1 0.4))");
    let (network, property) = (shipped("toy.onnx"), shipped("toy.vnnlib"));
    let run = program.run(&["check", &network, &property, "w.txt", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(report["verdict"], "correct_up_to_tolerance");
    assert_eq!(report["unmet"][0]["text"], "(<= X_0 1.0)");
}

#[test]
fn a_repair_is_strictly_correct_and_near() {
    let program = Program::new();
    let (network, property) = (shipped("toy.onnx"), shipped("toy.vnnlib"));
    let cases = [
        // Already correct; a hair outside the box; on the safe side, beside the border of the violation.
        (RIGHT, "correct", "none", 0.0, 1e-9),
        ("(X_0 1.00005) (X_1 0.4)", "correct_up_to_tolerance", "snapped", 4.9e-5, 5.1e-5),
        ("(X_0 0.5) (X_1 0.95)", "incorrect:spec_not_violated", "stepped", 0.01, 0.5),
    ];
    for (inputs, verdict, change, least, most) in cases {
        program.write("w.txt", format!("({inputs})"));
        let repair = ["--repair", "new.txt", "--json"];
        let run = program.run(&[&["check", &network, &property, "w.txt"], &repair[..]].concat());
        let report: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(
            (report["verdict"].as_str(), report["repair"]["change"].as_str()),
            (Some(verdict), Some(change))
        );
        let distance = report["repair"]["distance"].as_f64().unwrap();
        assert!((least..most).contains(&distance), "{inputs}: {run:?}");
        let judged = program.run(&["check", &network, &property, "new.txt"]);
        assert_eq!((judged.exit, judged.first_line()), (Some(0), "correct"), "{judged:?}");
    }
}

#[test]
fn where_nothing_can_be_repaired_nothing_is_written() {
    let program = Program::new();
    let (network, property) = (shipped("toy.onnx"), shipped("toy.vnnlib"));
    for (text, exit, why) in [
        ("((X_0 0.5))", 11, "no repair: no inputs are listed that fit the property"),
        ("((X_0 nan) (X_1 0.5))", 11, "no repair: no counterexample is near"),
        ("unsat\n", 12, "no repair: no inputs are listed"),
    ] {
        program.write("w.txt", text);
        let run = program.run(&["check", &network, &property, "w.txt", "--repair", "new.txt"]);
        assert_eq!(run.exit, Some(exit), "{run:?}");
        assert!(run.out.contains(why), "{run:?}");
        assert_eq!(program.read("new.txt"), None);
    }
    program.write("w.txt", format!("({RIGHT})"));
    let run = program.run(&["check", &network, &property, "w.txt", "--repair", "no/such/folder/new.txt"]);
    assert_eq!(run.exit, Some(4), "{run:?}");
}
