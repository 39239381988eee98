//! What ONNX leaves open, or says otherwise than it is read: the plain engine gives what ONNX Runtime 1.32 gives, and
//! refuses what the two contradict each other about. `benchmarks/operators-vs-ort.md` has the whole list.

use super::{floats, ints, node, run};
use crate::onnx::Attribute::{self, Float, Floats, Int, Ints};
use crate::onnx::{Data, ElementType, Tensor};

fn text(t: &str) -> Attribute {
    Attribute::String(t.as_bytes().to_vec())
}

fn check((operator, opset): (&str, i64), attributes: &[(&str, Attribute)], inputs: &[Tensor], want: &[f64]) {
    let results = run(opset, node(operator, inputs.len(), 1, attributes), inputs);
    let got = results.unwrap_or_else(|e| panic!("{operator} {opset}: {e}")).remove(0).to_f64();
    let near = |(a, b): (&f64, &f64)| a == b || (a - b).abs() < 1e-6 || (a.is_nan() && b.is_nan());
    assert!(got.len() == want.len() && got.iter().zip(want).all(near), "{operator}: {got:?} not {want:?}");
}

#[test]
fn nearest_positions_round_as_in_onnx_runtime() {
    let line = |n: usize| floats(&[1, 1, n], &(0..n).map(|i| i as f32).collect::<Vec<_>>());
    let scales = |s: f32| floats(&[3], &[1.0, 1.0, s]);
    let nearest = [("mode", text("nearest"))];
    // Operator set 10 shrinks upwards and grows downwards.
    check(("Resize", 10), &nearest, &[line(4), scales(0.6)], &[0.0, 2.0]);
    check(("Resize", 10), &nearest, &[line(3), scales(1.5)], &[0.0, 0.0, 1.0, 2.0]);
    let tf = |mode| [("mode", text(mode)), ("coordinate_transformation_mode", text("tf_half_pixel_for_nn"))];
    let none = || floats(&[0], &[]);
    check(("Resize", 11), &tf("nearest"), &[line(2), none(), scales(2.0)], &[0.0, 1.0, 1.0, 1.0]);
    check(("Resize", 11), &tf("linear"), &[line(2), none(), scales(2.0)], &[0.25, 0.75, 1.0, 1.0]);
}

#[test]
fn casts_do_what_x86_does() {
    let cast = |x: &[f32], to: i64, want: &[f64]| {
        check(("Cast", 13), &[("to", Int(to))], &[floats(&[x.len()], x)], want);
    };
    cast(&[200.0, -1.9, 3e9, f32::NAN], 3, &[-56.0, -1.0, 0.0, 0.0]);
    cast(&[-1.0, 70_000.0], 2, &[255.0, 112.0]);
    cast(&[-70_000.0], 4, &[61_072.0]);
    cast(&[3e9, f32::NAN, -5.5], 6, &[-2_147_483_648.0, -2_147_483_648.0, -5.0]);
    cast(&[f32::INFINITY], 7, &[-9_223_372_036_854_775_808.0]);
    cast(&[3e9, -1.0], 12, &[3e9, 4_294_967_295.0]);
    cast(&[1.9e19, -1.0, f32::NAN], 13, &[0.0, 18_446_744_073_709_551_615.0, 9_223_372_036_854_775_808.0]);
}

#[test]
fn integers_wrap_everywhere() {
    let of = |element, shape: &[usize], values: &[i64]| Tensor {
        element,
        shape: shape.to_vec(),
        data: Data::I64(values.to_vec()),
    };
    use ElementType::{Int32, UInt64};
    let big = of(Int32, &[2], &[i32::MAX.into(), i32::MAX.into()]);
    check(("ReduceSum", 13), &[], std::slice::from_ref(&big), &[-2.0]);
    check(("ReduceProd", 13), &[], std::slice::from_ref(&big), &[1.0]);
    check(("Einsum", 12), &[("equation", text("i,i->"))], &[big.clone(), big], &[2.0]);
    // 2⁶⁴ - 1 is larger than 1, and no negative number.
    let most = || of(UInt64, &[1], &[-1]);
    let one = || of(UInt64, &[1], &[1]);
    check(("Max", 13), &[], &[most(), one()], &[18_446_744_073_709_551_615.0]);
    check(("Greater", 13), &[], &[most(), one()], &[1.0]);
    check(("Div", 13), &[], &[most(), of(UInt64, &[1], &[2])], &[9_223_372_036_854_775_807.0]);
    check(("ReduceMax", 13), &[], &[of(UInt64, &[2], &[-1, 1])], &[18_446_744_073_709_551_615.0]);
}

#[test]
fn functions_are_applied_where_nothing_is_reduced() {
    let noop = [("noop_with_empty_axes", Int(1))];
    let x = || floats(&[2], &[-2.0, 3.0]);
    check(("ReduceL1", 18), &noop, &[x()], &[2.0, 3.0]);
    check(("ReduceSumSquare", 18), &noop, &[x()], &[4.0, 9.0]);
    check(("ReduceSum", 13), &noop, &[x()], &[-2.0, 3.0]);
}

#[test]
fn other_details() {
    let line = floats(&[4], &[0.0, 1.0, 2.0, 3.0]);
    let slice = [line.clone(), ints(&[3]), ints(&[i64::MAX]), ints(&[0]), ints(&[-2])];
    check(("Slice", 13), &[], &slice, &[3.0, 1.0]);
    let slice = [line, ints(&[-9]), ints(&[-9]), ints(&[0]), ints(&[-1])];
    check(("Slice", 13), &[], &slice, &[0.0]);
    check(("Swish", 24), &[("alpha", Float(2.0))], &[floats(&[1], &[1.0])], &[0.880_797_1]);
    // Of two zeros the first is the largest, whatever its sign.
    let zeros = floats(&[3], &[-1.0, -0.0, 0.0]);
    let found = run(13, node("TopK", 2, 2, &[]), &[zeros, ints(&[1])]).unwrap();
    assert_eq!(found[1].to_f64(), [1.0]);
}

#[test]
fn cells_clip_their_gates_and_not_their_state() {
    // One step of an LSTM whose gates are all clipped to 1, from a cell state of 4: c = σ(1)·4 + σ(1)·tanh(1).
    let sigmoid = 1.0 / (1.0 + (-1f64).exp());
    let cell = sigmoid * 4.0 + sigmoid * 1f64.tanh();
    let zero = || floats(&[1, 1, 1], &[0.0]);
    let (w, r) = (floats(&[1, 4, 1], &[9.0; 4]), floats(&[1, 4, 1], &[0.0; 4]));
    let (b, lengths) = (floats(&[1, 8], &[0.0; 8]), {
        let mut lengths = ints(&[1]);
        lengths.element = ElementType::Int32;
        lengths
    });
    let inputs = [floats(&[1, 1, 1], &[1.0]), w, r, b, lengths, zero(), floats(&[1, 1, 1], &[4.0])];
    let attributes = [("hidden_size", Int(1)), ("clip", Float(1.0))];
    check(("LSTM", 14), &attributes, &inputs, &[sigmoid * cell.tanh()]);
}

#[test]
fn contradictions_are_refused() {
    let refuse = |operator: &str, attributes: &[(&str, Attribute)], inputs: &[Tensor], want: &str| {
        let message = run(18, node(operator, inputs.len(), 1, attributes), inputs).unwrap_err();
        assert!(message.contains(want), "{operator}: {message} lacks {want}");
    };
    let image = || floats(&[1, 1, 4, 4], &[0.0; 16]);
    let same = [
        ("kernel_shape", Ints(vec![2, 2])),
        ("dilations", Ints(vec![2, 2])),
        ("auto_pad", text("SAME_UPPER")),
    ];
    for operator in ["MaxPool", "LpPool"] {
        refuse(operator, &same, &[image()], "ONNX and ONNX Runtime pad differently");
    }
    let sparse = [("strides", Ints(vec![3, 3])), ("auto_pad", text("SAME_LOWER"))];
    refuse("ConvTranspose", &sparse, &[image(), floats(&[1, 1, 1, 1], &[1.0])], "differ about the size");
    refuse("Shrink", &[], &[ints(&[1])], "floats are needed");
    refuse("ReduceSumSquare", &[], &[ints(&[1])], "int64 is not supported");
    let crop = [("coordinate_transformation_mode", text("tf_crop_and_resize")), ("mode", text("linear"))];
    let region = floats(&[8], &[0.0, 0.0, 0.1, 0.1, 1.0, 1.0, 0.9, 0.9]);
    refuse("Resize", &crop, &[image(), region, floats(&[4], &[1.0, 1.0, 1.0, 2.0])], "ONNX crops it");
    let step = || [floats(&[1, 1, 1], &[1.0]), floats(&[1, 1, 1], &[1.0]), floats(&[1, 1, 1], &[0.0])];
    for name in ["Affine", "ScaledTanh", "ThresholdedRelu"] {
        let activations = ("activations", Attribute::Strings(vec![name.as_bytes().to_vec()]));
        let wanted = format!("{name} needs its activation_alpha");
        refuse("RNN", &[("hidden_size", Int(1)), activations.clone()], &step(), &wanted);
        let numbers = [("activation_alpha", Floats(vec![0.5])), ("activation_beta", Floats(vec![1.0]))];
        let given = [&numbers[..], &[("hidden_size", Int(1)), activations]].concat();
        assert!(run(18, node("RNN", 3, 1, &given), &step()).is_ok(), "{name}");
    }
}
