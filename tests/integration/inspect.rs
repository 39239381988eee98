//! What `inspect` says of the shipped networks, of one with operators that nobody has, and of files that are none.

use crate::model::model;
use crate::program::{Program, shipped};

fn describe(network: &str, options: &[&str]) -> String {
    let run = Program::new().run(&[&["inspect", &shipped(network)], options].concat());
    assert_eq!((run.exit, run.err.as_str()), (Some(0), ""), "{network}: {run:?}");
    run.out
}

#[test]
fn the_shipped_networks_are_described() {
    let networks =
        ["attention", "convolutional", "digits_cnn", "digits_mlp", "toy", "residual", "sign", "smooth"];
    let describe = |name: &&str| format!("# {name}\n{}", describe(&format!("{name}.onnx"), &[]));
    insta::assert_snapshot!(networks.iter().map(describe).collect::<Vec<_>>().join("\n"));
}

#[test]
fn json_says_the_same() {
    let line = describe("digits_mlp.onnx", &["--json"]);
    let mut value: serde_json::Value = serde_json::from_str(&line).unwrap();
    (value["seconds"], value["counterpatch"]) = ("TIME".into(), "VERSION".into());
    insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap());
}

#[test]
fn unsupported_operators_are_listed_with_what_can_be_said() {
    let program = Program::new();
    program.write("unknown.onnx", model("Frobnicate", [1.0, 0.0]));
    let run = program.run(&["inspect", "unknown.onnx"]);
    assert_eq!((run.exit, run.err.as_str()), (Some(3), ""));
    insta::assert_snapshot!(run.out, @"
    ONNX: IR version 8, operator set 13
    input: x float32 [2]
    output: y float32 [2]
    nodes: 1 (1 Frobnicate)
    parameters: 2, 1 of them not zero
    unsupported operator: Frobnicate (nodes: the_node)
    ");
    let run = program.run(&["inspect", "unknown.onnx", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(run.exit, Some(3));
    assert_eq!(value["unsupported"]["Frobnicate"][0], "the_node");
    assert_eq!(value["network"], serde_json::Value::Null);
}

#[test]
fn what_is_no_network_is_refused() {
    let program = Program::new();
    program.write("text.onnx", "(assert (<= X_0 1))");
    for (file, says) in [("text.onnx", "text.onnx: "), ("missing.onnx", "No such file")] {
        let run = program.run(&["inspect", file]);
        assert_eq!((run.exit, run.out.as_str()), (Some(3), ""), "{run:?}");
        assert!(run.err.starts_with("error: ") && run.err.contains(says), "{run:?}");
    }
}
