//! Operators whose meaning or whose place for parameters has changed: the versions before the newest one.

use super::{floats, ints, node, run};
use crate::onnx::Attribute::{self, Float, Floats, Int, Ints};
use crate::onnx::{ElementType, Tensor};

/// The first result of an operator is `shape` and `values`.
fn check(
    (operator, opset): (&str, i64),
    attributes: &[(&str, Attribute)],
    inputs: &[Tensor],
    (shape, values): (&[usize], &[f64]),
) {
    let results = run(opset, node(operator, inputs.len(), 1, attributes), inputs);
    let result = results.unwrap_or_else(|e| panic!("{operator} {opset}: {e}")).remove(0);
    let got = result.to_f64();
    assert_eq!(result.shape, shape, "{operator} {opset}");
    let close = got.len() == values.len() && got.iter().zip(values).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(close, "{operator} {opset}: {got:?} instead of {values:?}");
}

#[test]
fn axes_were_attributes() {
    let x = || floats(&[1, 2, 1], &[1.0, 2.0]);
    check(("Squeeze", 11), &[("axes", Ints(vec![0]))], &[x()], (&[2, 1], &[1.0, 2.0]));
    check(("Squeeze", 13), &[], &[x(), ints(&[-1])], (&[1, 2], &[1.0, 2.0]));
    check(("Unsqueeze", 11), &[("axes", Ints(vec![0, 4]))], &[x()], (&[1, 1, 2, 1, 1], &[1.0, 2.0]));
    check(("ReduceSum", 11), &[("axes", Ints(vec![1]))], &[x()], (&[1, 1, 1], &[3.0]));
    check(("ReduceSum", 13), &[], &[x(), ints(&[1])], (&[1, 1, 1], &[3.0]));
    check(("ReduceMean", 13), &[("axes", Ints(vec![1])), ("keepdims", Int(0))], &[x()], (&[1, 1], &[1.5]));
    check(("ReduceMean", 18), &[("keepdims", Int(0))], &[x(), ints(&[1])], (&[1, 1], &[1.5]));
}

#[test]
fn other_parameters_were_attributes() {
    let x = || floats(&[4], &[-2.0, -1.0, 1.0, 2.0]);
    check(("Clip", 7), &[("max", Float(1.5))], &[x()], (&[4], &[-2.0, -1.0, 1.0, 1.5]));
    check(("Clip", 11), &[], &[x(), floats(&[], &[-1.5])], (&[4], &[-1.5, -1.0, 1.0, 2.0]));
    let part = [("starts", Ints(vec![1])), ("ends", Ints(vec![-1]))];
    check(("Slice", 9), &part, &[x()], (&[2], &[-1.0, 1.0]));
    check(("Split", 11), &[("split", Ints(vec![3, 1]))], &[x()], (&[3], &[-2.0, -1.0, 1.0]));
    check(
        ("Pad", 7),
        &[("pads", Ints(vec![1, 0])), ("value", Float(9.0))],
        &[x()],
        (&[5], &[9.0, -2.0, -1.0, 1.0, 2.0]),
    );
    check(("TopK", 7), &[("k", Int(2))], &[x()], (&[2], &[2.0, 1.0]));
    check(("TopK", 10), &[], &[x(), ints(&[1])], (&[1], &[2.0]));
}

#[test]
fn the_softmax_family_worked_on_rows_of_a_matrix() {
    let x = || floats(&[1, 2, 2], &[0.0; 4]);
    check(("Softmax", 11), &[], &[x()], (&[1, 2, 2], &[0.25; 4]));
    check(("Softmax", 13), &[], &[x()], (&[1, 2, 2], &[0.5; 4]));
    check(("Softmax", 11), &[("axis", Int(2))], &[x()], (&[1, 2, 2], &[0.5; 4]));
    check(("LogSoftmax", 11), &[], &[x()], (&[1, 2, 2], &[0.25f64.ln(); 4]));
    check(("Hardmax", 11), &[], &[x()], (&[1, 2, 2], &[1.0, 0.0, 0.0, 0.0]));
    check(("Hardmax", 13), &[], &[x()], (&[1, 2, 2], &[1.0, 0.0, 1.0, 0.0]));
}

#[test]
fn resizing_has_grown() {
    let x = || floats(&[1, 1, 1, 2], &[1.0, 3.0]);
    let twice = || floats(&[4], &[1.0, 1.0, 1.0, 2.0]);
    let scales = [("scales", Floats(vec![1.0, 1.0, 1.0, 2.0]))];
    let linear = ("mode", Attribute::String(b"linear".to_vec()));
    check(("Upsample", 7), &scales, &[x()], (&[1, 1, 1, 4], &[1.0, 1.0, 3.0, 3.0]));
    check(("Upsample", 9), &[], &[x(), twice()], (&[1, 1, 1, 4], &[1.0, 1.0, 3.0, 3.0]));
    check(
        ("Upsample", 9),
        std::slice::from_ref(&linear),
        &[x(), twice()],
        (&[1, 1, 1, 4], &[1.0, 2.0, 3.0, 3.0]),
    );
    check(
        ("Resize", 10),
        std::slice::from_ref(&linear),
        &[x(), twice()],
        (&[1, 1, 1, 4], &[1.0, 2.0, 3.0, 3.0]),
    );
    let region = || floats(&[0], &[]);
    check(("Resize", 11), &[linear], &[x(), region(), twice()], (&[1, 1, 1, 4], &[1.0, 1.5, 2.5, 3.0]));
}

#[test]
fn masks_and_scales_had_other_types() {
    let x = floats(&[2], &[1.0, 2.0]);
    for (opset, element) in [(7, ElementType::Float32), (10, ElementType::Bool), (13, ElementType::Bool)] {
        let results = run(opset, node("Dropout", 1, 2, &[]), std::slice::from_ref(&x)).unwrap();
        assert_eq!(
            (results[0].to_f64(), results[1].element),
            (vec![1.0, 2.0], element),
            "operator set {opset}"
        );
    }
    let x = || floats(&[1, 4, 1], &[0.0, 2.0, 0.0, 4.0]);
    let groups = [("num_groups", Int(2)), ("epsilon", Float(0.0))];
    let (of_groups, of_channels) = (|| floats(&[2], &[1.0, 3.0]), || floats(&[4], &[1.0, 1.0, 3.0, 3.0]));
    let expected: (&[usize], &[f64]) = (&[1, 4, 1], &[0.0, 2.0, 0.0, 6.0]);
    check(("GroupNormalization", 18), &groups, &[x(), of_groups(), of_groups()], expected);
    check(("GroupNormalization", 21), &groups, &[x(), of_channels(), of_channels()], expected);
}
