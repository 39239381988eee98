//! `counterpatch repair` on the shipped networks: what is written holds, differs from the original in the changed
//! weights only, and bad input is told with its place.

use crate::program::{Program, Run, shipped};

/// Two points of the paper's first figure, and a property whose counterexamples have output 0 above output 1.
fn paper() -> Program {
    let program = Program::new();
    program.write("points.csv", "1,1\n0.5,1\n");
    program.write("wins.vnnlib", property(2, 2, "(assert (>= Y_0 Y_1))"));
    program
}

fn property(inputs: usize, outputs: usize, rows: &str) -> String {
    let mut text = String::new();
    for i in 0..inputs {
        text += &format!("(declare-const X_{i} Real)(assert (>= X_{i} 0))(assert (<= X_{i} 1))");
    }
    for i in 0..outputs {
        text += &format!("(declare-const Y_{i} Real)");
    }
    text + rows
}

fn repair(program: &Program, network: &str, options: &[&str]) -> Run {
    let network = shipped(network);
    let files = ["--points", "points.csv", "--property", "wins.vnnlib", "--output", "patched.onnx"];
    program.run(&[&["repair", &network], &files[..], options].concat())
}

/// Without the seconds, which differ from run to run.
fn timeless(text: &str) -> String {
    let line = |line: &str| match line.rsplit_once(", ") {
        Some((head, time)) if time.ends_with(" s") => format!("{head}, TIME\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

fn json(run: &Run) -> serde_json::Value {
    assert_eq!((run.exit, run.err.as_str()), (Some(0), ""), "{run:?}");
    serde_json::from_str(&run.out).unwrap()
}

/// The last digits are another machine's.
fn round(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Number(number) if number.is_f64() => {
            *value = format!("{:.4}", number.as_f64().unwrap()).into();
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(round),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(round),
        _ => {}
    }
}

#[test]
fn the_report_in_words() {
    let program = paper();
    program.write("sample.csv", "x0,x1\n1,1\n0.5,0.5\n0.1,0.9\n0,0\n");
    let run = repair(&program, "toy.onnx", &["--all-layers", "--sample", "sample.csv"]);
    assert_eq!((run.exit, run.err.as_str()), (Some(0), ""), "{run:?}");
    insta::assert_snapshot!(timeless(&run.out));
}

#[test]
fn the_report_as_json() {
    let program = paper();
    let run = repair(&program, "toy.onnx", &["--json", "--norm", "linf"]);
    let mut value = json(&run);
    value["attempts"][0]["seconds"] = "TIME".into();
    (value["seconds"], value["counterpatch"]) = ("TIME".into(), "VERSION".into());
    round(&mut value);
    insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap());
}

#[test]
fn digits_are_unlearned_in_every_layer_and_norm() {
    // The digit at a point must not be what it is now: one clause of nine half-spaces for each point.
    let file = std::fs::read_to_string(shipped("digits_mlp.json")).unwrap();
    let stored: serde_json::Value = serde_json::from_str(&file).unwrap();
    let list = |value: &serde_json::Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    };
    let point = list(&stored["inputs"][0]);
    let outputs = list(&stored["outputs"][0]);
    let label = (0..10).max_by(|&a, &b| outputs[a].total_cmp(&outputs[b])).unwrap();
    let program = Program::new();
    program.write("points.csv", point.iter().map(f64::to_string).collect::<Vec<_>>().join(","));
    let others = (0..10).filter(|&other| other != label);
    let rows: String = others.map(|other| format!("(assert (>= Y_{label} Y_{other}))")).collect();
    program.write("wins.vnnlib", property(64, 10, &rows));
    let original = std::fs::read(shipped("digits_mlp.onnx")).unwrap();
    let check = |options: &[&str]| {
        let run = repair(&program, "digits_mlp.onnx", &[&["--json", "--timeout", "20"], options].concat());
        let report = json(&run);
        assert!(report["written"]["margin"].as_f64().unwrap() > 0.9e-3, "{options:?}: {report}");
        let weights = report["attempts"][0]["weights"].as_u64().unwrap();
        let patched = std::fs::read(program.path().join("patched.onnx")).unwrap();
        assert_eq!(patched.len(), original.len());
        let places = original.chunks(1).zip(patched.chunks(1)).filter(|(a, b)| a != b).count();
        assert!(weights >= 1 && places >= 1 && places <= 4 * weights as usize, "{options:?}: {places} bytes");
        report["attempts"][0]["total"].as_f64().unwrap()
    };
    for layer in ["0", "1", "2"] {
        let least = check(&["--layer", layer]);
        assert!(check(&["--layer", layer, "--norm", "linf"]) >= least * (1.0 - 1e-5));
        assert!(check(&["--layer", layer, "--norm", "l0"]) >= least * (1.0 - 1e-5));
    }
    check(&["--layers", "1,2"]);
}

#[test]
fn the_layer_behind_convolutions_is_repaired() {
    let program = Program::new();
    program.write("points.csv", vec!["0.5"; 64].join(","));
    program.write("wins.vnnlib", property(64, 10, "(assert (<= Y_3 Y_4))"));
    let report = json(&repair(&program, "digits_cnn.onnx", &["--json"]));
    assert!(report["written"]["margin"].as_f64().unwrap() > 0.9e-3, "{report}");
}

#[test]
fn what_cannot_be_repaired_is_said_and_nothing_is_written() {
    let program = paper();
    let run = repair(&program, "toy.onnx", &["--layer", "2", "--limit", "1e-4"]);
    assert_eq!((run.exit, run.err.as_str()), (Some(13), ""), "{run:?}");
    assert_eq!(timeless(&run.out), "layer 2: proved that no change does, TIME\nnot repaired\n");
    assert!(!program.path().join("patched.onnx").exists());
    assert_eq!(std::fs::read_dir(program.path()).unwrap().count(), 2, "something is left over");
}

#[test]
fn bad_input_is_told_with_its_place() {
    let check = |name: &str, content: &str, options: &[&str], exit: i32, says: &str| {
        let program = paper();
        program.write(name, content);
        let run = repair(&program, "toy.onnx", options);
        assert_eq!((run.exit, run.out.as_str()), (Some(exit), ""), "{run:?}");
        assert!(run.err.contains(says), "{} lacks {says}", run.err);
        assert!(!program.path().join("patched.onnx").exists());
    };
    check("points.csv", "1,1\n1,x", &[], 3, "points.csv: line 2, column 3: `x` is no finite number");
    check("points.csv", "1,1,1", &[], 3, "points.csv: line 1, column 5: 3 numbers in this line");
    check("points.csv", "5,5", &[], 3, "no point lies in an input box of the property");
    check("wins.vnnlib", "(assert", &[], 3, "wins.vnnlib:1:");
    check("wins.vnnlib", &property(2, 3, "(assert (>= Y_0 Y_2))"), &[], 3, "3 outputs, the network has 2");
    check("wins.vnnlib", &property(2, 2, ""), &[], 3, "point 0 is a counterexample whatever the outputs are");
    check("sample.csv", "1,1\n?", &["--sample", "sample.csv"], 3, "sample.csv: line 2, column 1");
    check("unused", "", &["--sample", "missing.csv"], 3, "missing.csv: No such file");
    check("unused", "", &["--layer", "7"], 2, "there is no layer 7");
    check("unused", "", &["--margin", "0"], 2, "--margin 0: not a number above 0");
    check("unused", "", &["--limit", "-1"], 2, "--limit -1: not a number above 0");
    check("unused", "", &["--timeout", "soon"], 2, "--timeout soon");
    check("unused", "", &["--layer", "1", "--all-layers"], 2, "cannot be used with");
}

#[test]
fn networks_without_a_fully_connected_end_and_unwritable_outputs_are_refused() {
    let program = paper();
    let files = ["--points", "points.csv", "--property", "wins.vnnlib"];
    let network = shipped("toy.onnx");
    for output in ["missing/patched.onnx", "."] {
        let run = program.run(&[&["repair", &network, "--output", output], &files[..]].concat());
        assert_eq!(run.exit, Some(4), "{run:?}");
    }
    program.write("unknown.onnx", crate::model::model("Sigmoid", [1.0, 0.0]));
    let run = program.run(&[&["repair", "unknown.onnx", "--output", "p.onnx"], &files[..]].concat());
    assert_eq!(run.exit, Some(3), "{run:?}");
}
