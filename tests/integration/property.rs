//! `property`: from a point to a property that `verify` reads, and back to an answer.

use crate::model::model;
use crate::program::{Program, Run, shipped};

/// `y = x + (1, 2)`, and the point (0.5, 0.5), where it decides for output 1.
fn folder() -> Program {
    let program = Program::new();
    program.write("sum.onnx", model("Add", [1.0, 2.0]));
    program.write("x.csv", "0.5,0.5\n");
    program.write("two.csv", "0.5,0.5\n0,3\n");
    program
}

fn property(program: &Program, options: &[&str]) -> Run {
    program.run(&[&["property", "sum.onnx", "--output", "p.vnnlib"], options].concat())
}

#[test]
fn what_is_written_has_the_answer_that_was_meant() {
    let program = folder();
    let cases: [(&[&str], &str, &str); 10] = [
        (&["--around", "x.csv", "--eps", "0.4"], "unsat", "decides for output 1 of 2"),
        (&["--around", "x.csv", "--eps", "0.6"], "sat", ""),
        (&["--around", "x.csv", "--eps", "6/10", "--norm", "linf"], "sat", ""),
        (&["--around", "x.csv", "--eps", "0.6", "--clip", "0,1"], "sat", ""),
        (&["--around", "x.csv", "--eps", "0.6", "--clip", "0.1,0.9"], "unsat", ""),
        (&["--around", "x.csv", "--eps", "0.9,0", "--vnnlib", "2.0"], "unsat", ""),
        (&["--around", "x.csv", "--eps", "0", "--label", "0"], "sat", "itself is a counterexample"),
        (&["--around", "x.csv", "--eps", "0", "--target", "0"], "unsat", ""),
        (&["--around", "x.csv", "--eps", "0.1", "--decision", "smallest"], "unsat", "decides for output 0"),
        (
            &[
                "--around",
                "two.csv",
                "--index",
                "1",
                "--eps",
                "0.5",
                "--output-range",
                "0=-inf,2",
                "--vnnlib",
                "2.0",
            ],
            "unsat",
            "",
        ),
    ];
    for (options, answer, note) in cases {
        let run = property(&program, options);
        assert_eq!((run.exit, run.out.as_str()), (Some(0), ""), "{options:?}: {run:?}");
        assert!(run.err.contains(note), "{options:?}: {run:?}");
        let run = program.run(&["verify", "p.vnnlib", "--network", "N=sum.onnx", "--timeout", "20"]);
        assert_eq!(run.first_line(), answer, "{options:?}: {run:?}");
    }
}

#[test]
fn an_image_of_the_shipped_digits() {
    let program = folder();
    let digits: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(shipped("digits_mlp.json")).unwrap()).unwrap();
    let image: Vec<String> = digits["inputs"][0].as_array().unwrap().iter().map(|x| x.to_string()).collect();
    program.write("digit.csv", image.join(","));
    let network = shipped("digits_mlp.onnx");
    let run =
        program.run(&["property", &network, "--around", "digit.csv", "--eps", "64/255", "--clip", "0,1"]);
    assert_eq!(run.exit, Some(0), "{run:?}");
    assert!(
        run.out.starts_with("; counterpatch ") && run.out.contains("(declare-const X_0 Real)"),
        "{}",
        run.out
    );
    program.write("p.vnnlib", &run.out);
    let run = program.run(&["verify", &network, "p.vnnlib", "--timeout", "20"]);
    assert_eq!(run.first_line(), "sat", "{run:?}");
}

#[test]
fn what_makes_no_property_is_said() {
    let program = folder();
    let cases: [(&[&str], i32, &str); 12] = [
        (&["--around", "x.csv"], 2, "--eps"),
        (&["--around", "x.csv", "--eps", "-1"], 2, "--eps -1: not a number from 0 on"),
        (&["--around", "x.csv", "--eps", "1/0"], 2, "--eps 1/0"),
        (&["--around", "x.csv", "--eps", "1,1,1"], 3, "3 distances, the network has 2 inputs"),
        (&["--around", "x.csv", "--eps", "1", "--clip", "1,0"], 2, "--clip 1,0"),
        (&["--around", "x.csv", "--eps", "0.1", "--clip", "2,3"], 3, "input 0 of the point is 0.5"),
        (&["--around", "x.csv", "--eps", "1", "--label", "2"], 3, "there is no output 2"),
        (&["--around", "x.csv", "--eps", "1", "--label", "1", "--target", "0"], 2, "cannot be used with"),
        (&["--around", "x.csv", "--eps", "1", "--output-range", "0:1"], 2, "--output-range 0:1"),
        (&["--around", "two.csv", "--eps", "1"], 3, "2 points (help: say which with --index"),
        (&["--around", "two.csv", "--eps", "1", "--index", "2"], 3, "no point 2"),
        (&["--around", "none.csv", "--eps", "1"], 3, "none.csv"),
    ];
    for (options, exit, says) in cases {
        let run = property(&program, options);
        assert_eq!((run.exit, run.out.as_str()), (Some(exit), ""), "{options:?}: {run:?}");
        assert!(run.err.contains(says), "{options:?}: {run:?}");
        assert_eq!(program.read("p.vnnlib"), None, "{options:?}");
    }
}

#[test]
fn the_radius_is_known_from_both_sides() {
    let program = folder();
    // The outputs tie where x0 + 1 = x1 + 2: half a unit away from (0.5, 0.5).
    let run = program
        .run(&["radius", "sum.onnx", "--around", "x.csv", "-t", "20", "-o", "out.txt", "--json", "-q"]);
    assert_eq!((run.exit, run.err.as_str()), (Some(0), ""), "{run:?}");
    let told: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let (proved, found) = (told["proved"].as_f64().unwrap(), told["found"]["eps"].as_f64().unwrap());
    assert!(proved < 0.5 + 1e-6 && found >= 0.5 - 1e-6 && found - proved <= 0.01 * found, "{run:?}");
    assert!(told["steps"].as_array().unwrap().len() < 20, "{run:?}");
    let witness = program.read("out.txt").unwrap();
    assert!(witness.starts_with("sat\n((X_0 "), "{witness}");

    let cases: [(&[&str], &str); 4] = [
        (&["--most", "0.4"], "no counterexample within 0.4 (proved)\nno counterexample was found\n"),
        (
            &["--label", "0"],
            "nothing is proved, not even of the point itself\na counterexample at 0 (certified), 0.00% of that",
        ),
        (&["--clip", "0.2,0.8"], "no counterexample within 1 (proved)\nno counterexample was found\n"),
        (&["--output-range", "0=0,1.75", "--gap", "0.2"], "a counterexample at 0."),
    ];
    for (options, says) in cases {
        let run = program.run(&[&["radius", "sum.onnx", "--around", "x.csv", "-t", "20"], options].concat());
        assert!(run.exit == Some(0) && run.out.contains(says), "{options:?}: {run:?}");
    }
    for (options, says) in
        [(["--most", "0"], "--most 0"), (["--gap", "x"], "--gap x"), (["--each", "0"], "--each 0")]
    {
        let run = program.run(&[&["radius", "sum.onnx", "--around", "x.csv"], &options[..]].concat());
        assert!(run.exit == Some(2) && run.err.contains(says), "{options:?}: {run:?}");
    }
}
