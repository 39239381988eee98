//! Operators of fully connected networks, and what the importer says of models that it refuses.

use super::{Sketch, check, int, ints, numbers, one};
use crate::network::import::{ImportError, import};
use crate::onnx::{Attribute, ElementType, Tensor};

#[test]
fn matrix_products() {
    let x = |shape: &[usize]| Sketch::new(13).input("x", shape);
    let w = |s: Sketch, shape: &[usize]| s.floats("w", shape, &numbers(shape.iter().product(), 3));
    one("vector by matrix", w(x(&[4]), &[4, 3]), ("MatMul", &["x", "w"], &[]));
    one("matrix by matrix", w(x(&[2, 4]), &[4, 3]), ("MatMul", &["x", "w"], &[]));
    one("tokens by matrix", w(x(&[2, 5, 4]), &[4, 3]), ("MatMul", &["x", "w"], &[]));
    one("tokens by vector", w(x(&[2, 5, 4]), &[4]), ("MatMul", &["x", "w"], &[]));
    one("constant on the left of a vector", w(x(&[3]), &[2, 3]), ("MatMul", &["w", "x"], &[]));
    one("constant on the left", w(x(&[4, 3]), &[2, 4]), ("MatMul", &["w", "x"], &[]));
    one("constant on the left, batched", w(x(&[2, 4, 3]), &[2, 4]), ("MatMul", &["w", "x"], &[]));
    one("batched constant", w(x(&[2, 3, 4]), &[2, 4, 5]), ("MatMul", &["x", "w"], &[]));
    one("by itself", x(&[3, 3]), ("MatMul", &["x", "x"], &[]));
    let two = |a: &[usize], b: &[usize]| Sketch::new(13).input("x", a).input("z", b);
    one("batches broadcast", two(&[2, 1, 3, 4], &[3, 4, 2]), ("MatMul", &["x", "z"], &[]));
    one("row by matrices", two(&[4], &[2, 4, 3]), ("MatMul", &["x", "z"], &[]));
    one("matrices by column", two(&[2, 3, 4], &[4]), ("MatMul", &["x", "z"], &[]));
    one("inner product", two(&[4], &[4]), ("MatMul", &["x", "z"], &[]));
    for (turn_a, turn_b) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let a: &[usize] = if turn_a == 1 { &[4, 2] } else { &[2, 4] };
        let b: &[usize] = if turn_b == 1 { &[3, 4] } else { &[4, 3] };
        let attributes = [
            ("transA", int(turn_a)),
            ("transB", int(turn_b)),
            ("alpha", Attribute::Float(0.5)),
            ("beta", Attribute::Float(2.0)),
        ];
        for c in [&[3][..], &[1, 3], &[2, 3], &[2, 1], &[]] {
            let sketch = w(x(a), b).floats("c", c, &numbers(c.iter().product(), 9));
            one(&format!("Gemm {turn_a}{turn_b} {c:?}"), sketch, ("Gemm", &["x", "w", "c"], &attributes));
        }
        let sketch = w(x(b), a);
        one(&format!("Gemm {turn_a}{turn_b} constant A"), sketch, ("Gemm", &["w", "x"], &attributes));
        one(&format!("Gemm {turn_a}{turn_b} varying"), two(a, b), ("Gemm", &["x", "z"], &attributes));
    }
}

#[test]
fn functions_of_one_value() {
    for operator in [
        "Abs",
        "Acos",
        "Asin",
        "Asinh",
        "Atan",
        "Atanh",
        "Celu",
        "Cos",
        "Cosh",
        "Elu",
        "Erf",
        "Exp",
        "Gelu",
        "HardSigmoid",
        "HardSwish",
        "LeakyRelu",
        "Mish",
        "Neg",
        "Relu",
        "Selu",
        "Sigmoid",
        "Sin",
        "Sinh",
        "Softplus",
        "Softsign",
        "Tan",
        "Tanh",
        "Ceil",
        "Floor",
        "Sign",
        "Round",
        "Identity",
        "Swish",
        "Clip",
    ] {
        one(operator, Sketch::new(20).input("x", &[2, 5]), (operator, &["x"], &[]));
    }
    let bounds = |s: Sketch| s.floats("low", &[], &[-0.3]).floats("high", &[], &[0.4]);
    one("Clip both", bounds(Sketch::new(13).input("x", &[9])), ("Clip", &["x", "low", "high"], &[]));
    one("Clip above", bounds(Sketch::new(13).input("x", &[9])), ("Clip", &["x", "", "high"], &[]));
    let old = [("min", Attribute::Float(-0.25)), ("max", Attribute::Float(0.5))];
    one("Clip 6", Sketch::new(7).input("x", &[9]), ("Clip", &["x"], &old));
}

#[test]
fn functions_of_two_values() {
    for operator in ["Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean", "PRelu"] {
        for (a, b) in [(&[2, 3][..], &[2, 3][..]), (&[2, 3], &[3]), (&[2, 3, 2], &[3, 1]), (&[2, 3], &[])] {
            let sketch = || Sketch::new(14).input("x", a);
            one(operator, sketch().input("z", b), (operator, &["x", "z"], &[]));
            let constant = numbers(b.iter().product(), 4);
            one(operator, sketch().floats("c", b, &constant), (operator, &["x", "c"], &[]));
            if operator != "PRelu" {
                one(operator, sketch().floats("c", b, &constant), (operator, &["c", "x"], &[]));
            }
        }
    }
    for exponent in [2.0, 3.0, -1.0] {
        let sketch = Sketch::new(14).input("x", &[5]).floats("e", &[], &[exponent]);
        one("Pow", sketch, ("Pow", &["x", "e"], &[]));
    }
}

#[test]
fn shapes_and_slices() {
    let x = || Sketch::new(13).input("x", &[2, 3, 4]);
    one("Transpose", x(), ("Transpose", &["x"], &[("perm", ints(&[2, 0, 1]))]));
    one("Transpose reversed", x(), ("Transpose", &["x"], &[]));
    one("Flatten", x(), ("Flatten", &["x"], &[("axis", int(2))]));
    one("Reshape", x().ints("s", &[0, -1, 2]), ("Reshape", &["x", "s"], &[]));
    one("Unsqueeze", x().ints("s", &[0, -1]), ("Unsqueeze", &["x", "s"], &[]));
    let slice =
        x().ints("a", &[1, -1]).ints("b", &[i64::MAX, i64::MIN]).ints("c", &[1, 2]).ints("d", &[1, -2]);
    one("Slice", slice, ("Slice", &["x", "a", "b", "c", "d"], &[]));
    one("Gather", x().ints("i", &[3, -4, 3]), ("Gather", &["x", "i"], &[("axis", int(2))]));
    one("Concat", x(), ("Concat", &["x", "x", "x"], &[("axis", int(-2))]));
    one("Expand", Sketch::new(13).input("x", &[3, 1]).ints("s", &[2, 1, 4]), ("Expand", &["x", "s"], &[]));
    one("Tile", x().ints("s", &[1, 2, 3]), ("Tile", &["x", "s"], &[]));
    let image = || Sketch::new(13).input("x", &[1, 8, 2, 4]);
    one("DepthToSpace", image(), ("DepthToSpace", &["x"], &[("blocksize", int(2))]));
    one("SpaceToDepth", image(), ("SpaceToDepth", &["x"], &[("blocksize", int(2))]));
    let parts = x().node("Split", &["x"], &["a", "b"], &[("axis", int(2))]).output("b").output("a");
    check("Split", &parts.network());
}

#[test]
fn gathering_takes_the_rows_it_is_told_to() {
    let network = Sketch::new(13)
        .input("x", &[2, 3])
        .tensor("i", Tensor::int64(vec![2, 0, -1, 1]).reshaped(vec![2, 2]))
        .node("Gather", &["x", "i"], &["y"], &[("axis", int(1))])
        .output("y")
        .network();
    assert_eq!(network.node(network.outputs()[0]).shape, [2, 2, 2]);
    let y = network.evaluate(&[0.0, 1.0, 2.0, 10.0, 11.0, 12.0]);
    assert_eq!(y, [2.0, 0.0, 2.0, 1.0, 12.0, 10.0, 12.0, 11.0]);
}

#[test]
fn shape_chains_fold_to_constants() {
    let network = Sketch::new(13)
        .input("x", &[2, 3, 4])
        .ints("one", &[1])
        .ints("minus", &[-1])
        .tensor("last", Tensor::int64(vec![2]).reshaped(vec![]))
        .node("Shape", &["x"], &["s"], &[])
        .node("Gather", &["s", "last"], &["d"], &[])
        .node("Unsqueeze", &["d", "one0"], &["d1"], &[])
        .ints("one0", &[0])
        .node("Mul", &["d1", "one"], &["d2"], &[])
        .node("Concat", &["minus", "d2"], &["to"], &[("axis", int(0))])
        .node("Reshape", &["x", "to"], &["y"], &[])
        .output("y")
        .network();
    assert_eq!(network.node(network.outputs()[0]).shape, [6, 4]);
    assert_eq!(network.nodes().len(), 2, "an input and a reshape");
}

#[test]
fn integers_divide_towards_zero_and_casts_truncate() {
    let network = Sketch::new(13)
        .input("x", &[4])
        .tensor("two", Tensor::int64(vec![2]))
        .node("Cast", &["x"], &["i"], &[("to", int(7))])
        .node("Div", &["i", "two"], &["y"], &[])
        .output("y")
        .network();
    assert_eq!(network.node(network.outputs()[0]).element, ElementType::Int64);
    assert_eq!(network.evaluate(&[7.9, -7.9, 1.0, -1.0]), [3.0, -3.0, 0.0, 0.0]);
}

#[test]
fn errors_name_the_node() {
    let refuse = |sketch: Sketch| import::<f64>(&sketch.output("y").model()).unwrap_err().to_string();
    let x = || Sketch::new(13).input("x", &[2, 3]);
    let unknown = x().node("Foo", &["x"], &["a"], &[]).node("Bar", &["a"], &["y"], &[]);
    insta::assert_snapshot!(refuse(unknown), @"2 node(s) with unsupported operators: #0 (Foo), #1 (Bar) (help: `counterpatch supports --onnx-operators` lists what is supported)");
    let bad = x().floats("w", &[4, 2], &[0.0; 8]).node("MatMul", &["x", "w"], &["y"], &[]);
    insta::assert_snapshot!(refuse(bad), @"node #0 (MatMul): a matrix with 4 columns does not fit axis 1 of shape [2, 3]");
    let bad = x().ints("s", &[4, -1]).node("Reshape", &["x", "s"], &["y"], &[]);
    insta::assert_snapshot!(refuse(bad), @"node #0 (Reshape): shape [2, 3] cannot be reshaped to [4, -1]");
    let bad = x().node("Flatten", &["x"], &["y"], &[("axis", Attribute::Float(1.0))]);
    insta::assert_snapshot!(refuse(bad), @"node #0 (Flatten): attribute axis is not an integer");
    let bad = x().ints("i", &[3]).node("Gather", &["x", "i"], &["y"], &[("axis", int(1))]);
    insta::assert_snapshot!(refuse(bad), @"node #0 (Gather): an index of operand 1 is outside an axis of length 3");
    let huge = x().ints("s", &[1 << 39]).node("ConstantOfShape", &["s"], &["y"], &[]);
    insta::assert_snapshot!(refuse(huge), @"node #0 (ConstantOfShape): shape [549755813888] has more than 268435456 values");
    let bad = x().node("Reshape", &["x", "x"], &["y"], &[]);
    insta::assert_snapshot!(refuse(bad), @"node #0 (Reshape): operand 1 depends on the network's input; only constants are supported");
    assert!(matches!(import::<f64>(&x().output("y").model()), Err(ImportError::Model(_))));
}
