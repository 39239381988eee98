//! Operators on bytes beside what kernels for bytes make of them: products by hand, Softmax as ONNX Runtime gives it.

use super::*;

fn bytes(element: ElementType, shape: &[usize], values: &[i64]) -> Tensor {
    Tensor { element, shape: shape.to_vec(), data: Data::I64(values.to_vec()) }
}

fn step(operator: &str, inputs: &[&str], output: &str, attributes: &[(&str, Attribute)]) -> Node {
    Node {
        inputs: inputs.iter().map(|&name| name.into()).collect(),
        outputs: vec![output.into()],
        ..node(operator, 0, 0, attributes)
    }
}

/// What a graph from `x` to `y` computes exactly, and where bytes saturate.
fn both(
    nodes: Vec<Node>,
    x: &Tensor,
    constants: &[(&str, Tensor)],
    kernels: ByteKernels,
) -> (Vec<f64>, Vec<f64>) {
    let graph = Graph {
        name: String::new(),
        nodes,
        inputs: vec![info("x", x)],
        outputs: vec![info("y", &floats(&[], &[0.0]))],
        initializers: constants.iter().map(|(name, t)| ((*name).into(), Arc::new(t.clone()))).collect(),
        refused: BTreeMap::new(),
    };
    let engine =
        Engine::new(Arc::new(Model { path: "net.onnx".into(), ir_version: 8, opset: 13, graph })).unwrap();
    assert!(engine.may_differ_in_bytes() || constants.iter().all(|(_, t)| t.element != ElementType::Int8));
    let run = |precision| {
        let results = engine.run_tensors(vec![x.clone()], precision, &[]).unwrap();
        results[0].1.to_f64()
    };
    (run(Precision::Model), run(Precision::Bytes(kernels)))
}

#[track_caller]
fn check(nodes: Vec<Node>, x: &Tensor, constants: &[(&str, Tensor)], exact: &[f64], saturated: &[f64]) {
    assert_eq!(both(nodes, x, constants, ByteKernels::Saturating), (exact.to_vec(), saturated.to_vec()));
}

#[test]
fn neighbouring_products_saturate_at_sixteen_bits() {
    use ElementType::{Int8, UInt8};
    let product = || vec![step("MatMulInteger", &["x", "w"], "y", &[])];
    let cases = [
        // 255 · 127 twice is more than 32,767; three terms are a pair and a half.
        (UInt8, Int8, vec![255, 255, 255], vec![127, 127, 127], 97_155, 32_767 + 32_385),
        (UInt8, Int8, vec![255, 255, 255], vec![-128, -128, 1], -65_025, -32_768 + 255),
        (UInt8, Int8, vec![128, 128, 0], vec![127, 127, 1], 32_512, 32_512),
        // Neighbours of opposite signs leave each other room.
        (UInt8, Int8, vec![255, 255, 255], vec![127, -127, 127], 32_385, 32_385),
        (UInt8, UInt8, vec![255, 255, 255], vec![255, 255, 255], 195_075, 195_075),
        // 127 becomes 255, and what that adds is taken off again without saturation.
        (Int8, Int8, vec![127, 127, 0], vec![127, 127, 0], 32_258, 32_258 + 32_767 - 64_770),
    ];
    for (left, right, x, w, exact, saturated) in cases {
        let weights = [("w", bytes(right, &[3, 1], &w))];
        check(product(), &bytes(left, &[1, 3], &x), &weights, &[exact.into()], &[saturated.into()]);
    }
}

#[test]
fn dequantised_operands_saturate_in_units_of_their_scales() {
    let scale = |x: f32| floats(&[], &[x]);
    let constants = [
        ("s", scale(0.5)),
        ("t", floats(&[2], &[0.25, 2.0])),
        ("z", bytes(ElementType::UInt8, &[], &[1])),
        ("none", bytes(ElementType::Int8, &[2], &[0, 0])),
        ("w", bytes(ElementType::Int8, &[2, 2], &[127, 100, 127, -100])),
    ];
    let nodes = vec![
        step("DequantizeLinear", &["x", "s", "z"], "a", &[]),
        step("DequantizeLinear", &["w", "t", "none"], "b", &[("axis", Attribute::Int(1))]),
        step("Gemm", &["a", "b"], "y", &[]),
    ];
    let x = bytes(ElementType::UInt8, &[1, 2], &[255, 255]);
    // The first column: 254 · 127 · 2 units of 0.125, of which the kernel loses 255 · 127 · 2 − 32,767.
    let exact = 254.0 * 254.0 * 0.125;
    check(nodes, &x, &constants, &[exact, 0.0], &[exact - (64_770.0 - 32_767.0) * 0.125, 0.0]);
}

#[test]
fn channels_of_a_place_are_neighbours_in_a_window() {
    let constants =
        [("one", floats(&[], &[1.0])), ("w", bytes(ElementType::Int8, &[1, 2, 1, 2], &[127, 0, 127, 0]))];
    let nodes = vec![
        step("DequantizeLinear", &["x", "one"], "a", &[]),
        step("DequantizeLinear", &["w", "one"], "b", &[]),
        step("Conv", &["a", "b"], "y", &[("pads", Attribute::Ints(vec![0, 0, 0, 1]))]),
    ];
    // Two channels of one row; the weights of both channels at the first place are large.
    let x = bytes(ElementType::UInt8, &[1, 2, 1, 2], &[255, 10, 255, 200]);
    check(nodes, &x, &constants, &[64_770.0, 26_670.0], &[32_767.0, 26_670.0]);
}

#[test]
fn a_softmax_of_bytes_is_a_multiple_of_the_floor_of_its_scale() {
    let constants = [
        ("s", floats(&[], &[0.5])),
        ("t", floats(&[], &[1.0 / 255.0])),
        ("z", bytes(ElementType::UInt8, &[], &[0])),
    ];
    let nodes = vec![
        step("DequantizeLinear", &["x", "s", "z"], "a", &[]),
        step("Softmax", &["a"], "b", &[("axis", Attribute::Int(-1))]),
        step("QuantizeLinear", &["b", "t", "z"], "y", &[]),
    ];
    // Shares 0.6225 and 0.3775 of 255 and of 254.
    let x = bytes(ElementType::UInt8, &[1, 2], &[11, 10]);
    let got = both(nodes, &x, &constants, ByteKernels::Fused);
    assert_eq!(got, (vec![159.0, 96.0], vec![158.0, 96.0]));
}
