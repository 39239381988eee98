//! `campaign split` and `campaign answer`: the parts say of the whole what the whole says itself, and what decides it ends the rest.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

use crate::campaign::{claims, results};
use crate::model::model;
use crate::program::{Program, Run};

pub(crate) const TWO: &str =
    "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)";
pub(crate) const BOX: &str = "(assert (<= X_0 1))(assert (>= X_0 0))(assert (<= X_1 1))(assert (>= X_1 0))";

/// `y = x + (1, 2)` and a property of it.
fn folder(assertion: &str) -> Program {
    let program = Program::new();
    program.write("sum.onnx", model("Add", [1.0, 2.0]));
    program.write("p.vnnlib", format!("{TWO}{BOX}{assertion}"));
    program
}

fn split(program: &Program, arguments: &[&str]) -> Run {
    program.run(&[&["campaign", "split", "sum.onnx", "p.vnnlib", "--output", "c"], arguments].concat())
}

fn answer(program: &Program) -> Run {
    program.run(&["campaign", "answer", "c", "--results-file", "results", "--certificate", "proof.gz"])
}

#[test]
fn a_split_question_has_the_answer_of_the_whole() {
    let regions =
        "(assert (or (and (<= X_0 0.25) (>= Y_0 1.5)) (and (>= X_0 0.5) (or (<= Y_0 1.25) (>= Y_1 3.5)))))";
    let violated = regions.replace("1.25", "1.625");
    let cases = [
        ("(assert (>= Y_0 2.5))", "box", "5", "5 parts, by parts of the box", "unsat"),
        ("(assert (>= Y_0 1.5))", "box", "5", "5 parts, by parts of the box", "sat"),
        (regions, "disjuncts", "2", "2 parts, by disjuncts", "unsat"),
        (regions, "auto", "7", "7 parts, by disjuncts and parts of the box", "unsat"),
        (&violated, "auto", "7", "7 parts, by disjuncts and parts of the box", "sat"),
        (regions, "disjuncts", "9", "3 parts, by disjuncts (there are no more than these)", "unsat"),
        (regions, "seeds", "3", "3 parts, by seeds", "unsat"),
        (&violated, "seeds", "3", "3 parts, by seeds", "sat"),
    ];
    for (assertion, by, parts, said, verdict) in cases {
        let program = folder(assertion);
        let run = split(&program, &["--parts", parts, "--by", by, "--timeout", "20"]);
        assert!(run.exit == Some(0) && run.first_line() == said, "{assertion}: {run:?}");
        let open = answer(&program);
        assert!(open.first_line() == "unknown" && open.out.contains("no result yet"), "{open:?}");
        let run = program.run(&["campaign", "run", "c", "--quiet", "--jobs", "1"]);
        assert_eq!(run.exit, Some(0), "{run:?}");
        let run = answer(&program);
        assert_eq!((run.exit, run.first_line()), (Some(0), verdict), "{assertion} {by}: {run:?}");
        let file = if verdict == "sat" { "results" } else { "proof.gz" };
        let want = if verdict == "sat" { "correct" } else { "unsat:checked" };
        let run = program.run(&["check", "sum.onnx", "p.vnnlib", file]);
        assert_eq!((run.exit, run.first_line()), (Some(0), want), "{assertion} {by}: {run:?}");
        // One part decides, and of the others none is begun.
        let decided = verdict == "sat" || by == "seeds";
        let status = program.run(&["campaign", "status", "c"]).out;
        assert_eq!(status.contains("the question is decided"), decided, "{status}");
        let line = program.run(&["campaign", "status", "c", "--json"]).out;
        assert!(line.contains(&format!("\"decided\":{decided}")), "{line}");
        if decided {
            let again = program.run(&["campaign", "run", "c"]);
            assert!(again.out.starts_with("0 units run") && again.err.contains("is decided"), "{again:?}");
        }
    }
}

#[test]
fn what_is_missing_makes_the_whole_unknown_and_is_named() {
    let program = folder("(assert (>= Y_0 2.5))");
    assert_eq!(split(&program, &["--parts", "3"]).exit, Some(0));
    assert_eq!(program.run(&["campaign", "run", "c", "--quiet"]).exit, Some(0));
    let units = program.path().join("c/units");
    let files = |end: &str| {
        let paths = fs::read_dir(&units).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = paths.filter(|path| path.to_str().unwrap().ends_with(end)).collect();
        paths.sort();
        paths
    };
    let proof = files(".proof.gz").remove(0);
    let bytes = fs::read(&proof).unwrap();
    let check = |said: &str| {
        let run = answer(&program);
        assert!(run.first_line() == "unknown" && run.out.contains(said), "{said}: {run:?}");
        assert!(
            program.read("results").unwrap().starts_with("unknown\n") && program.read("proof.gz").is_none()
        );
    };
    fs::remove_file(&proof).unwrap();
    check("(parts/000");
    check("is missing: ");
    fs::write(&proof, &bytes[..bytes.len() / 2]).unwrap();
    check("is missing: ");
    fs::write(&proof, &bytes).unwrap();
    fs::remove_file(files(".json").remove(0)).unwrap();
    check("1 of 3 parts have no answer");
    let whole = program.read("c/whole.vnnlib").unwrap();
    assert_eq!(program.run(&["campaign", "run", "c", "--quiet"]).exit, Some(0));
    program.write("c/whole.vnnlib", whole.replace("2.5", "2.25"));
    let run = answer(&program);
    assert!(run.exit == Some(3) && run.err.contains("it was changed since it was split"), "{run:?}");
}

/// A question by seeds, whose units are a script's instead: it does what `script` says.
fn scripted(assertion: &str, seeds: &str, script: &str) -> Program {
    let program = folder(assertion);
    assert_eq!(split(&program, &["--parts", seeds, "--by", "seeds"]).exit, Some(0));
    let tool = program.path().join("tool.sh");
    program.write("tool.sh", format!("#!/bin/sh\ncd {}\n{script}\n", program.path().display()));
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let mut plan: serde_json::Value = serde_json::from_str(&program.read("c/plan.json").unwrap()).unwrap();
    plan["tools"][0]["kind"] = "script".into();
    plan["tools"][0]["program"] = tool.to_str().unwrap().into();
    program.write("c/plan.json", plan.to_string());
    program
}

fn start(program: &Program) -> Child {
    let mut command = program.command(&["campaign", "run", "c", "--jobs", "1"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Seeds 0 and 1 do not end by themselves; seed 2 waits until both run and is then violated.
const WAITS: &str = "touch began$COUNTERPATCH_SEED
if [ $COUNTERPATCH_SEED -lt 2 ]; then exec sleep 1000; fi
while ! [ -e began0 ] || ! [ -e began1 ]; do sleep 0.1; done
printf 'sat\\n((X_0 1)\\n (X_1 0)\\n (Y_0 2)\\n (Y_1 2))\\n' >$5";

#[test]
fn a_counterexample_ends_the_units_of_every_process() {
    let program = scripted("(assert (>= Y_0 1.5))", "5", WAITS);
    let children: Vec<Child> = (0..3).map(|_| start(&program)).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("the question is decided"), "{output:?}");
    }
    assert_eq!((results(&program, "c"), claims(&program, "c")), (vec![("sat".to_owned(), 2)], 0));
    assert!(!program.path().join("began3").exists() && !program.path().join("began4").exists());
    assert_eq!(answer(&program).first_line(), "sat");
    // A changed network makes new units: what was decided is of another question.
    program.write("sum.onnx", model("Add", [1.0, 3.0]));
    program.write("tool.sh", "#!/bin/sh\necho unknown >$5\n");
    let run = program.run(&["campaign", "run", "c"]);
    assert_eq!(run.out, "5 units run (5 unknown); 0 had results already\n", "{run:?}");
    assert!(!program.path().join("c/stop").exists());
}

#[test]
fn a_counterexample_that_is_none_of_the_whole_decides_nothing() {
    let wrong = "printf 'sat\\n((X_0 0.25)\\n (X_1 0)\\n (Y_0 1.25)\\n (Y_1 2))\\n' >$5";
    let program = scripted("(assert (>= Y_0 1.5))", "2", wrong);
    let run = program.run(&["campaign", "run", "c", "--jobs", "1"]);
    assert!(run.exit == Some(0) && run.out.starts_with("2 units run (2 sat)"), "{run:?}");
    assert!(run.err.contains("does not decide the whole question: incorrect:spec_not_violated"), "{run:?}");
    let run = answer(&program);
    assert!(run.first_line() == "unknown" && run.out.contains("is none of the whole"), "{run:?}");
}

#[test]
fn what_cannot_be_split_is_named_with_its_remedy() {
    let program = folder("(assert (>= Y_0 1.5))");
    program.write("point.vnnlib", format!("{TWO}(assert (= X_0 1))(assert (= X_1 1))(assert (>= Y_0 3))"));
    let check = |arguments: &[&str], exit: i32, said: &str| {
        let run = program.run(&[&["campaign"], arguments].concat());
        assert!(run.exit == Some(exit) && run.err.contains(said), "{arguments:?}: {run:?}");
    };
    let question = ["split", "sum.onnx", "p.vnnlib", "--output", "c"];
    let with = |more: &[&'static str]| [&question[..], more].concat();
    check(&with(&["--parts", "1"]), 2, "--parts 1: not a number from 2");
    check(&with(&["--parts", "2", "--by", "disjuncts"]), 3, "help: --by box or --by seeds");
    check(&with(&["--parts", "2", "--timeout", "no"]), 2, "not a number of seconds");
    check(
        &["split", "sum.onnx", "point.vnnlib", "-o", "c", "--parts", "2", "--by", "box"],
        3,
        "help: --by disjuncts or",
    );
    check(&["split", "no.onnx", "p.vnnlib", "-o", "c", "--parts", "2"], 3, "no.onnx");
    assert_eq!(split(&program, &["--parts", "2"]).exit, Some(0));
    check(&with(&["--parts", "3"]), 3, "made by another plan");
    program.write("list.csv", "sum.onnx,p.vnnlib,5\n");
    check(&["plan", "list.csv", "--output", "d"], 0, "");
    check(&["answer", "d"], 3, "its units are no parts of one question");
    let split = program.read("c/split.json").unwrap();
    program.write("c/split.json", &split[..split.len() / 2]);
    check(&["answer", "c"], 3, "help: split it anew");
    check(&["run", "c"], 3, "help: split it anew");
}
