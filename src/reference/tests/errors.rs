//! What is wrong with a node is said with its name, its operator and the reason; nothing panics or allocates first.

use std::sync::Arc;

use super::{floats, info, ints, model, node, run};
use crate::onnx::{Attribute, Graph, Tensor};
use crate::reference::{Engine, Precision};

fn check(operator: &str, attributes: &[(&str, Attribute)], inputs: &[Tensor], expected: &str) {
    let message = run(17, node(operator, inputs.len(), 1, attributes), inputs).unwrap_err();
    let place = format!("node n ({operator}): ");
    assert!(message.starts_with(&place) && message.contains(expected), "{message} lacks {expected}");
}

#[test]
fn wrong_shapes_and_attributes_are_named() {
    use Attribute::{Int, Ints, String};
    let matrix = || floats(&[2, 3], &[0.0; 6]);
    let image = || floats(&[1, 2, 3, 3], &[0.0; 18]);
    let text = |t: &str| String(t.as_bytes().to_vec());
    check("Add", &[], &[matrix(), floats(&[2], &[0.0; 2])], "[2, 3], [2]] cannot be broadcast");
    check("Add", &[], &[matrix(), ints(&[1])], "operands of types float32 and int64");
    check("Add", &[], &[matrix()], "operand 1 is missing");
    check("MatMul", &[], &[matrix(), matrix()], "a product of operands of shapes [2, 3] and [2, 3]");
    check("Gemm", &[("transA", Int(1))], &[matrix(), ints(&[1])], "types float32 and int64");
    check("Gemm", &[("transB", text("x"))], &[matrix(), matrix()], "its attribute transB is no integer");
    check("Reshape", &[], &[matrix(), ints(&[4, -1])], "a shape [4, -1] for 6 values");
    check("Reshape", &[], &[matrix(), ints(&[-1, -1])], "a shape [-1, -1] for 6 values");
    check("Reshape", &[], &[matrix(), ints(&[-2])], "a shape [-2] for 6 values");
    check("Transpose", &[("perm", Ints(vec![0, 0]))], &[matrix()], "axis 0 is named twice");
    check("Flatten", &[("axis", Int(3))], &[matrix()], "axis 3 of an operand with 2 dimensions");
    check("Gather", &[], &[matrix(), ints(&[2])], "the index 2 into 2 values");
    check("Slice", &[], &[matrix(), ints(&[0]), ints(&[1]), ints(&[0]), ints(&[0])], "a step of 0");
    check("Concat", &[("axis", Int(1))], &[matrix(), image()], "parts of shapes [2, 3] and [1, 2, 3, 3]");
    check("Split", &[], &[matrix(), ints(&[1, 2])], "parts of sizes [1, 2] of axis 0 with 2 values");
    check("Conv", &[], &[image(), floats(&[1, 3, 1, 1], &[0.0; 3])], "filters of shape [1, 3, 1, 1]");
    check(
        "Conv",
        &[],
        &[image(), floats(&[1, 2, 4, 1], &[0.0; 8])],
        "a window of 4 does not fit into 3 values",
    );
    check("MaxPool", &[("kernel_shape", Ints(vec![0, 1]))], &[image()], "kernel [0, 1]");
    check(
        "MaxPool",
        &[("kernel_shape", Ints(vec![2]))],
        &[image()],
        "kernel_shape is [2] for 2 spatial axes",
    );
    check("Squeeze", &[], &[matrix(), ints(&[0])], "axis 0 of shape [2, 3] has more than one value");
    check("Pad", &[("mode", text("mirror"))], &[matrix(), ints(&[0; 4])], "its attribute mode is \"mirror\"");
    check("TopK", &[], &[matrix(), ints(&[4])], "the first 4 of 3 values");
    check("Div", &[], &[ints(&[1]), ints(&[0])], "an integer is divided by zero");
    check("Mod", &[], &[ints(&[i64::MIN]), ints(&[0])], "an integer is divided by zero");
    check(
        "Einsum",
        &[("equation", text("ij->ik"))],
        &[matrix()],
        "a label in the result that no operand has",
    );
    check("Cast", &[("to", Int(8))], &[matrix()], "its attribute to names strings");
}

#[test]
fn huge_results_are_refused_before_they_are_allocated() {
    let huge = 1 << 40;
    let one = || floats(&[1], &[0.0]);
    let repeated = Attribute::Int(1);
    check("Expand", &[], &[one(), ints(&[huge])], "more than");
    check("Expand", &[], &[floats(&[1, 0], &[]), ints(&[huge, 1])], "more than");
    check("Tile", &[], &[one(), ints(&[huge])], "more than");
    check("ConstantOfShape", &[], &[ints(&[huge, huge])], "more than");
    check("Pad", &[], &[one(), ints(&[0, huge])], "more than");
    check("Pad", &[], &[one(), ints(&[i64::MAX, i64::MAX])], "pads");
    check("Range", &[], &[ints(&[0]), ints(&[i64::MAX]), ints(&[1])], "more than");
    check(
        "OneHot",
        &[("axis", repeated)],
        &[ints(&[0]), ints(&[huge]), floats(&[2], &[0.0; 2])],
        "more than",
    );
    check("Resize", &[], &[one(), one(), floats(&[1], &[1e30])], "more than");
    let outer = |n: usize| floats(&[n, 1], &vec![0.0; n]);
    check("MatMul", &[], &[outer(1 << 14), floats(&[1, 1 << 14], &[0.0; 1 << 14])], "more than");
    check("Add", &[], &[outer(1 << 14), floats(&[1 << 14], &[0.0; 1 << 14])], "more than");
}

#[test]
fn all_unknown_operators_are_reported_together() {
    let x = floats(&[1], &[0.0]);
    let mut other = node("Fft", 1, 1, &[]);
    other.domain = "com.example".into();
    other.outputs = vec!["o1".into()];
    let inner = node("Inner", 1, 1, &[]);
    let result = info(&inner.outputs[0], &x);
    let body = Graph { nodes: vec![inner], outputs: vec![result], ..Graph::default() };
    let mut whole = model(
        17,
        node("Outer", 1, 1, &[("body", Attribute::Graph(Arc::new(body)))]),
        std::slice::from_ref(&x),
    );
    whole.graph.nodes.push(other);
    whole.graph.outputs.push(info("o1", &x));
    let mut dead = node("Dead", 1, 1, &[]);
    dead.outputs = vec!["o2".into()];
    whole.graph.nodes.push(dead);
    let message = Engine::new(Arc::new(whole)).unwrap_err().to_string();
    assert_eq!(
        message,
        "node n (Outer): this operator is not supported; node n (Inner): this operator is not supported; \
         node n (Fft): this operator of domain com.example is not supported"
    );
}

#[test]
fn wrong_inputs_and_names_are_refused() {
    let x = floats(&[2], &[0.0; 2]);
    let engine = Engine::new(Arc::new(model(17, node("Relu", 1, 1, &[]), &[x]))).unwrap();
    let run = |inputs: &[&[f64]], hidden: &[&str]| {
        engine.run_with_hidden(inputs, Precision::Model, hidden).map_err(|e| e.to_string())
    };
    assert_eq!(run(&[&[-1.0, 2.0]], &["i0"]).unwrap().len(), 2, "an input may be asked for too");
    assert_eq!(run(&[], &[]).unwrap_err(), "the model: the model has 1 inputs, 0 are given");
    assert_eq!(run(&[&[1.0]], &[]).unwrap_err(), "value i0: it has the shape [2], 1 values are given");
    assert_eq!(run(&[&[1.0; 2]], &["z"]).unwrap_err(), "value z: no node of the graph computes it");
    let counted = model(17, node("Relu", 1, 1, &[]), &[ints(&[1])]);
    let error = Engine::new(Arc::new(counted)).unwrap().run(&[&[0.5]], Precision::Model).unwrap_err();
    assert_eq!(error.to_string(), "value i0: it has the type int64, the value 0.5 is given");
}

#[test]
fn a_loop_without_end_is_refused() {
    let condition = || crate::onnx::Tensor { element: crate::onnx::ElementType::Bool, ..ints(&[1]) };
    let mut pass = node("Identity", 1, 1, &[]);
    pass.inputs = vec!["go".into()];
    let body = Graph {
        nodes: vec![pass],
        inputs: vec![info("round", &ints(&[0])), info("go", &condition())],
        outputs: vec![info("o0", &condition())],
        ..Graph::default()
    };
    let mut endless = node("Loop", 2, 1, &[("body", Attribute::Graph(Arc::new(body)))]);
    endless.inputs = vec![String::new(), "i0".into()];
    let message = run(17, endless, &[condition()]).unwrap_err();
    assert_eq!(message, "node n (Loop): more than 100000 rounds");
}
