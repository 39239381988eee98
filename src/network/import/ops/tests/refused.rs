//! Models that no engine could run, each refused with its node, operator and reason, and before anything of the size
//! that it claims is allocated. Files that are broken as files are tested beside the reader.

use super::{Sketch, int, ints, numbers};
use crate::network::import::import;
use crate::onnx::Attribute;

/// The refusal of a model whose last node is at fault.
fn refusal(operator: &str, sketch: Sketch) -> String {
    let model = sketch.output("y").model();
    let last = model.graph.nodes.len() - 1;
    let message = import::<f64>(&model).map_or_else(|error| error.to_string(), |_| "accepted".into());
    let place = format!("node #{last} ({operator}): ");
    assert!(message.starts_with(&place) && message.len() > place.len(), "{operator}: {message}");
    message
}

fn sketch() -> Sketch {
    let sketch = Sketch::new(13).input("x", &[1, 3, 4, 4]).input("row", &[1, 3]).floats("one", &[1], &[1.0]);
    sketch.floats("w", &[2, 3, 3, 3], &numbers(54, 1)).floats("m", &[3, 2], &numbers(6, 2))
}

fn apply(operator: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
    refusal(operator, sketch().node(operator, inputs, &["y"], attributes))
}

/// As [`apply`], with a list of integers named `n`.
fn apply_with(operator: &str, list: &[i64], inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
    refusal(operator, sketch().ints("n", list).node(operator, inputs, &["y"], attributes))
}

#[test]
fn ranks_shapes_and_axes() {
    let messages = [
        apply("Conv", &["row", "w"], &[]),
        apply("Conv", &["x", "m"], &[]),
        apply("Conv", &["x", "w"], &[("group", int(2))]),
        apply("Conv", &["x", "w"], &[("strides", ints(&[0, 1]))]),
        apply("Conv", &["x", "w"], &[("pads", ints(&[-9, 0, 0, 0]))]),
        apply("Conv", &["x", "w"], &[("kernel_shape", ints(&[7, 7]))]),
        apply("MaxPool", &["x"], &[("kernel_shape", ints(&[-1, 2]))]),
        apply("AveragePool", &["row"], &[("kernel_shape", ints(&[2, 2]))]),
        apply("Gemm", &["x", "m"], &[]),
        apply("Gemm", &["row", "m"], &[("transA", int(1))]),
        apply("MatMul", &["x", "m"], &[]),
        apply("Add", &["x", "m"], &[]),
        apply("Concat", &["x", "row"], &[("axis", int(0))]),
        apply("Softmax", &["x"], &[("axis", int(9))]),
        apply("Transpose", &["x"], &[("perm", ints(&[0, 1, 2, 2]))]),
        apply("Flatten", &["x"], &[("axis", int(-7))]),
        apply_with("Reshape", &[-1, -1], &["x", "n"], &[]),
        apply_with("Reshape", &[-2, 24], &["x", "n"], &[]),
        apply_with("Reshape", &[5, 5], &["x", "n"], &[]),
        apply_with("Squeeze", &[1], &["x", "n"], &[]),
        apply_with("Unsqueeze", &[9], &["x", "n"], &[]),
        apply_with("Split", &[1, 1], &["x", "n"], &[("axis", int(1))]),
        apply_with("Gather", &[7], &["x", "n"], &[("axis", int(1))]),
        apply_with("TopK", &[9], &["x", "n"], &[]),
        apply_with("Expand", &[2, 2], &["x", "n"], &[]),
        apply_with("Pad", &[1, 1], &["x", "n"], &[]),
        apply_with("ReduceSum", &[4], &["x", "n"], &[]),
        apply("Relu", &["nowhere"], &[]),
        apply("Relu", &[], &[]),
        apply("Cast", &["x"], &[]),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn claims_of_size() {
    let most = 1 << 40;
    let messages = [
        apply_with("ConstantOfShape", &[most], &["n"], &[]),
        apply_with("ConstantOfShape", &[most, most], &["n"], &[]),
        apply_with("ConstantOfShape", &[-3], &["n"], &[]),
        apply_with("Expand", &[1 << 30, 3, 4, 4], &["x", "n"], &[]),
        apply_with("Tile", &[most, 1, 1, 1], &["x", "n"], &[]),
        apply_with("Pad", &[0, 0, 0, 0, most, 0, 0, 0], &["x", "n"], &[]),
        refusal("Range", {
            let ends =
                sketch().floats("from", &[], &[0.0]).floats("to", &[], &[1e30]).floats("step", &[], &[1.0]);
            ends.node("Range", &["from", "to", "step"], &["y"], &[])
        }),
        refusal("Resize", {
            let scales = sketch().floats("scales", &[4], &[1.0, 1.0, 1e9, 1e9]);
            scales.node("Resize", &["x", "", "scales"], &["y"], &[])
        }),
        refusal("Mul", {
            let sides = sketch().input("a", &[1 << 20, 1]).input("b", &[1, 1 << 20]);
            sides.node("Mul", &["a", "b"], &["y"], &[])
        }),
        refusal("Relu", doubling()),
        apply("MaxPool", &["x"], &[kernel(1 << 23), ("pads", ints(&[1 << 23; 4]))]),
        apply("AveragePool", &["x"], &[kernel(1 << 23), ("pads", ints(&[1 << 23; 4]))]),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

fn kernel(taps: i64) -> (&'static str, Attribute) {
    ("kernel_shape", ints(&[taps, taps]))
}

/// Each node is harmless, together they are not: every one holds twice as much as the one before.
fn doubling() -> Sketch {
    let mut sketch = Sketch::new(13).input("v0", &[1 << 21]);
    for i in 0..7 {
        let (from, to) = (format!("v{i}"), format!("v{}", i + 1));
        sketch = sketch.node("Concat", &[&from, &from], &[&to], &[("axis", int(0))]);
    }
    sketch.node("Relu", &["v7"], &["y"], &[])
}
