//! Everything that can be wrong with the input: one message that names the place and the remedy, an exit status
//! other than 0, and a complete results file.

use crate::model::model;
use crate::program::{Program, shipped};

const TWO: &str =
    "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)";
const BOX: &str = "(assert (<= X_0 1))(assert (>= X_0 0))(assert (<= X_1 1))(assert (>= X_1 0))";

/// A folder with sound and unsound files.
fn folder() -> Program {
    let program = Program::new();
    let sound = std::fs::read(shipped("digits_mlp.onnx")).unwrap();
    program.write("good.onnx", model("Add", [1.0, 2.0]));
    program.write("nan.onnx", model("Add", [1.0, f32::NAN]));
    program.write("unknown.onnx", model("Frobnicate", [1.0, 2.0]));
    program.write("cut.onnx", &sound[..sound.len() / 2]);
    program.write("pretends.onnx.gz", [0x1f, 0x8b, 8, 0, 1, 2, 3]);
    program.write("empty.onnx", "");
    program.write("good.vnnlib", format!("{TWO}{BOX}(assert (>= Y_0 100))"));
    program.write(
        "larger.vnnlib",
        format!(
            "{TWO}(declare-const X_2 Real){BOX}(assert (<= X_2 1))(assert (>= X_2 0))(assert (>= Y_0 100))"
        ),
    );
    program.write("syntax.vnnlib", format!("{TWO}{BOX}\n(assert (=< Y_0 100))"));
    let factors = "(+ X_0 X_1 Y_0 Y_1 1) ".repeat(60);
    program.write("explosion.vnnlib", format!("{TWO}{BOX}(assert (>= (* {factors}) 100))"));
    program.write("open.vnnlib", format!("{TWO}{BOX}(assert (>= Y_0 100)"));
    program.write("binary.vnnlib", [b'(', 0xff, 0xfe]);
    program.write("pretends.vnnlib.gz", [0x1f, 0x8b, 8, 0, 1, 2, 3]);
    program
}

/// Runs `verify` with a results file; the message must contain `says`.
fn check(program: &Program, arguments: &[&str], exit: i32, says: &[&str]) {
    program.write("out.txt", "left over\n");
    let arguments = [&["verify", "--results-file", "out.txt"], arguments].concat();
    let run = program.run(&arguments);
    assert_eq!(run.exit, Some(exit), "{arguments:?}: {run:?}");
    for say in says {
        assert!(run.err.contains(say), "{arguments:?}: {} lacks {say}", run.err);
    }
    assert_eq!(run.out, "", "{arguments:?}");
    assert_eq!(program.read("out.txt").as_deref(), Some("error\n"), "{arguments:?}");
    let count = std::fs::read_dir(program.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".new"));
    assert_eq!(count.count(), 0, "{arguments:?}: a temporary file is left");
}

#[test]
fn unusable_files_are_refused_with_place_and_remedy() {
    let program = folder();
    let cases: [(&str, &str, &[&str]); 14] = [
        ("missing.onnx", "good.vnnlib", &["missing.onnx: No such file", "(help: check the path"]),
        ("good.onnx", "missing.vnnlib", &["missing.vnnlib: No such file", "(help: check the path"]),
        (".", "good.vnnlib", &["Is a directory"]),
        ("pretends.onnx.gz", "good.vnnlib", &["pretends.onnx.gz: ", "(help: "]),
        ("good.onnx", "pretends.vnnlib.gz", &["pretends.vnnlib.gz: ", "(help: "]),
        ("cut.onnx", "good.vnnlib", &["cut.onnx: "]),
        ("empty.onnx", "good.vnnlib", &["empty.onnx: the model: the file is empty"]),
        ("good.vnnlib", "good.vnnlib", &["(help: check the order of the arguments"]),
        ("good.onnx", "binary.vnnlib", &["binary.vnnlib: byte 1 is not UTF-8", "(help: "]),
        ("nan.onnx", "good.vnnlib", &["nan.onnx: value w: holds NaN"]),
        ("unknown.onnx", "good.vnnlib", &["unknown.onnx: ", "the_node", "Frobnicate", "(help: "]),
        (
            "good.onnx",
            "larger.vnnlib",
            &["larger.vnnlib: the property declares 3 inputs, the network has 2", "(help: "],
        ),
        ("good.onnx", "syntax.vnnlib", &["syntax.vnnlib:2:10: unknown operator `=<`", "help: "]),
        ("good.onnx", "open.vnnlib", &["open.vnnlib:1:", "is the file cut off?"]),
    ];
    for (network, property, says) in cases {
        check(&program, &[network, property, "--timeout", "5"], 3, says);
    }
    check(
        &program,
        &["good.onnx", "explosion.vnnlib"],
        3,
        &["explosion.vnnlib:1:", "more than 10000 terms", "(help: "],
    );
}

#[test]
fn arguments_that_mean_nothing_are_refused() {
    let program = folder();
    let files = ["good.onnx", "good.vnnlib"];
    let cases: [(&[&str], &str); 12] = [
        (&["--timeout", "0"], "--timeout 0: not a number of seconds above 0"),
        (&["--timeout", "-3"], "--timeout -3: not a number of seconds"),
        (&["--timeout", "soon"], "--timeout soon: not a number of seconds"),
        (&["--timeout", "nan"], "--timeout nan: not a number of seconds"),
        (&["--timeout", "1e300"], "--timeout 1e300: not a number of seconds"),
        (&["--timeout", "99999999999"], "up to a year"),
        (&["--threads", "0"], "--threads 0: not a number from 1 to 256"),
        (&["--threads", "x"], "invalid value 'x' for '--threads"),
        (&["--strategy", "magic"], "there is no strategy magic (help: there are "),
        (&["--frobnicate"], "unexpected argument '--frobnicate'"),
        (&["--network", "good.onnx"], "--network good.onnx: not of the form NAME=FILE"),
        (&["--network", "N=good.onnx"], "2 files are given, a network and a property are wanted"),
    ];
    for (options, says) in cases {
        check(&program, &[&files, options].concat(), 2, &[says]);
    }
    check(&program, &["good.onnx"], 2, &["1 files are given"]);
}

#[test]
fn results_that_cannot_be_written_are_an_error_before_anything_is_read() {
    let program = folder();
    for path in ["no/such/folder/out.txt", "."] {
        let run = program.run(&["verify", "missing.onnx", "missing.vnnlib", "--results-file", path]);
        assert_eq!(run.exit, Some(4), "{run:?}");
        assert!(run.err.starts_with(&format!("error: {path}: ")) && run.err.contains("(help: "), "{run:?}");
        assert_eq!(run.out, "");
    }
}

#[test]
fn a_contradictory_input_set_is_unsat_with_the_reason() {
    let program = folder();
    program.write("empty.vnnlib", format!("{TWO}{BOX}(assert (>= X_0 1.0000001))(assert (>= Y_0 0))"));
    let run = program.run(&["verify", "good.onnx", "empty.vnnlib", "--results-file", "out.txt"]);
    assert_eq!((run.exit, run.out.as_str()), (Some(0), "unsat\n"));
    assert!(run.err.contains("no input satisfies"), "{run:?}");
    assert_eq!(program.read("out.txt").as_deref(), Some("unsat\n"));
}
