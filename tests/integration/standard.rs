//! The command line of the VNN-LIB 2.0 standard: both spellings, capabilities, files of tensors, conversion.

use crate::model::model;
use crate::program::{Program, shipped};

/// `y = x + (1, 2)` and a property of it in both languages.
fn folder() -> Program {
    let program = Program::new();
    program.write("sum.onnx", model("Add", [1.0, 2.0]));
    program.write(
        "first.vnnlib",
        "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)\
         (assert (and (<= X_0 1) (>= X_0 0) (<= X_1 1e0) (>= X_1 0)))(assert (or (>= Y_0 1.25) (<= Y_1 1)))",
    );
    program
}

#[test]
fn capabilities_are_told() {
    let program = Program::new();
    let lines = |command: &str, flag: &str| {
        let run = program.run(&[command, flag]);
        assert_eq!(run.exit, Some(0), "{flag}: {run:?}");
        run.out.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let cases: [(&str, &[&str]); 9] = [
        ("--onnx-opset-versions", &["7", "25"]),
        ("--vnnlib-versions", &["1.0", "2.1"]),
        ("--hidden-node-theories", &["NH", "H"]),
        ("--multiple-input-output-theories", &["SIO", "MIO"]),
        ("--multiple-inputs-output-theories", &["SIO", "MIO"]),
        ("--multiple-network-theories", &["SNET", "MENET", "MINET", "MNET"]),
        ("--multiple-node-comparison-theories", &["SNC", "MNC"]),
        ("--arithmetic-complexity-theories", &["BND", "OUTC", "LIN", "POLY"]),
        ("--serialise-assignments", &["true"]),
    ];
    for (flag, want) in cases {
        assert_eq!(lines("supports", flag), want, "{flag}");
        assert_eq!(lines("capabilities", flag), want, "{flag}");
    }
    assert_eq!(lines("supports", "--optimised-disjunctive-reasoning"), ["true"]);
    assert!(lines("supports", "--onnx-element-types").contains(&"float64".to_owned()));
    assert_eq!(program.run(&["supports", "--onnx-operators", "--vnnlib-versions"]).exit, Some(2));
}

#[test]
fn a_converted_property_has_the_same_answer() {
    let program = folder();
    let run = program.run(&["convert", "first.vnnlib", "--network", "sum.onnx", "--output", "second.vnnlib"]);
    assert_eq!((run.exit, run.out.as_str(), run.err.as_str()), (Some(0), "", ""), "{run:?}");
    let text = program.read("second.vnnlib").unwrap();
    assert!(text.contains("(declare-input X float32 [2])") && text.contains("(<= X[1] 1.0)"), "{text}");
    let flat = program.run(&["convert", "first.vnnlib"]);
    assert!(flat.out.contains("(declare-input X real [2])"), "{flat:?}");
    for property in ["first.vnnlib", "second.vnnlib"] {
        let run = program.run(&["verify", property, "--network", "N=sum.onnx"]);
        assert_eq!(run.first_line(), "sat", "{property}: {run:?}");
    }
    let again = program.run(&["convert", "second.vnnlib"]);
    assert_eq!(again.exit, Some(3), "{again:?}");
    let other = program.run(&["convert", "first.vnnlib", "--network", &shipped("digits_mlp.onnx")]);
    assert!(other.exit == Some(3) && other.err.contains("element(s) is given for X"), "{other:?}");
}

#[test]
fn assignments_may_go_to_files_of_tensors() {
    let program = folder();
    program.run(&["convert", "first.vnnlib", "--network", "sum.onnx", "--output", "second.vnnlib"]);
    for option in ["--serialise-assignments", "--assignments"] {
        let folder = format!("out{option}");
        let run =
            program.run(&["verify", "second.vnnlib", "--network", "N=sum.onnx", option, &folder, "--quiet"]);
        assert_eq!((run.exit, run.out.as_str()), (Some(0), "sat\n"), "{run:?}");
        let value = |name: &str| {
            let path = program.path().join(&folder).join(format!("{name}.pb"));
            let (own, tensor) = counterpatch::onnx::read_tensor(&path).unwrap();
            assert_eq!((own.as_str(), tensor.shape.as_slice()), (name, &[2][..]));
            tensor.to_f64()
        };
        let (x, y) = (value("X"), value("Y"));
        assert!(y[0] >= 1.25 || y[1] <= 1.0, "{x:?} {y:?}");
        assert!(x.iter().all(|x| (0.0..=1.0).contains(x)), "{x:?}");
        assert_eq!(y, [f64::from(x[0] as f32 + 1.0), f64::from(x[1] as f32 + 2.0)]);
    }
    program.write("taken", "");
    let run = program.run(&["verify", "second.vnnlib", "--network", "N=sum.onnx", "--assignments", "taken"]);
    assert_eq!(run.exit, Some(4), "{run:?}");
}

#[test]
fn too_few_and_too_many_networks_are_errors() {
    let program = folder();
    program.run(&["convert", "first.vnnlib", "--network", "sum.onnx", "--output", "second.vnnlib"]);
    let cases: [(&[&str], &str); 4] = [
        (&["--network", "M=sum.onnx"], "declares no network M"),
        (&["--network", "N=sum.onnx", "--network", "M=sum.onnx"], "declares no network M"),
        (&["--network", "N=sum.onnx", "--network", "N=other.onnx"], "network N has two files"),
        (&["--network", "N"], "not of the form NAME=FILE"),
    ];
    for (networks, says) in cases {
        let run = program.run(&[&["verify", "second.vnnlib"], networks].concat());
        assert_eq!((run.exit, run.out.as_str()), (Some(2), ""), "{run:?}");
        assert!(run.err.contains(says), "{run:?}");
    }
}
