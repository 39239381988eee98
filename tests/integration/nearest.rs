//! `counterpatch verify --nearest` and `attack --method nearest` on the shipped networks: the bound meets the distance, what is
//! found is validated, and what cannot be used is refused with a remedy.

use serde_json::Value;

use crate::program::{Program, Run, shipped};

fn verify(program: &Program, name: &str, options: &[&str]) -> Run {
    let (network, property) = (shipped(&format!("{name}.onnx")), shipped(&format!("{name}.vnnlib")));
    program.run(&[&["verify", &network, &property, "--timeout", "60", "--threads", "1"], options].concat())
}

fn events(run: &Run) -> Vec<Value> {
    run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The nearest counterexample to a point, which has this distance.
fn check(point: &str, norm: &str, expected: f64) {
    let program = Program::new();
    program.write("point.csv", point);
    let options = ["--nearest", "point.csv", "--norm", norm, "--json", "--results-file", "out.txt"];
    let run = verify(&program, "toy", &options);
    assert_eq!(run.exit, Some(0), "{run:?}");
    let events = events(&run);
    let nearest = events.iter().find(|event| event["event"] == "nearest").unwrap();
    let (distance, bound) = (nearest["distance"].as_f64().unwrap(), nearest["bound"].as_f64().unwrap());
    assert!(bound <= distance && (distance - expected).abs() < 1e-3 * expected, "{nearest}");
    assert!(nearest["optimal"] == true && nearest["gap"].as_f64().unwrap() <= 1e-4, "{nearest}");
    assert_eq!(events.last().unwrap()["verdict"], "sat", "{run:?}");
    let network = shipped("toy.onnx");
    let judged = program.run(&["check", &network, &shipped("toy.vnnlib"), "out.txt"]);
    assert_eq!(judged.exit, Some(0), "{judged:?}");
}

#[test]
fn the_nearest_counterexample_is_found_and_proved() {
    let program = Program::new();
    program.write("point.csv", "1,1\n");
    for norm in ["linf", "l1", "l2", "l0"] {
        let run = verify(&program, "toy", &["--nearest", "point.csv", "--norm", norm]);
        assert_eq!((run.exit, run.first_line()), (Some(0), "sat"), "{run:?}");
        assert!(run.err.contains("optimal") && run.err.contains("none is nearer than"), "{run:?}");
    }
    // (1, 0.02) is a counterexample, (1, 1) is none.
    check("1,1\n", "l0", 1.0);
}

#[test]
fn what_cannot_be_used_is_refused_with_a_remedy() {
    let program = Program::new();
    program.write("two.csv", "1,1\n0.5,0.5\n");
    for (name, point, message) in [
        ("toy", "two.csv", "2 points, where one is wanted (help: keep one)"),
        ("toy", "missing.csv", "missing.csv"),
        ("smooth", "centre", "--nearest"),
    ] {
        let run = verify(&program, name, &["--nearest", point]);
        assert_eq!(run.exit, Some(3), "{run:?}");
        assert!(run.err.contains(message), "{run:?}");
    }
    let run = verify(&program, "toy", &["--norm", "l1"]);
    assert_eq!(run.exit, Some(2), "{run:?}");
}

#[test]
fn images_have_their_bound_in_the_table() {
    let program = Program::new();
    let (network, images) = (shipped("shapes_mlp.onnx"), shipped("shapes.npz"));
    let options = ["--method", "nearest", "--norm", "l1", "--protocol", "1", "--output", "out", "--quiet"];
    let run = program.run(&[&["attack", &network, "--images", &images], &options[..]].concat());
    assert_eq!(run.exit, Some(0), "{run:?}");
    let table = program.read("out/results.csv").unwrap();
    let attacks = table.lines().skip(1).filter(|line| line.contains(",adversarial,"));
    let proved = attacks.filter(|line| line.ends_with(",true") && line.contains(",l1,")).count();
    assert!(proved >= 1, "{table}");
}
