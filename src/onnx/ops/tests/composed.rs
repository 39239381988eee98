//! Reductions, normalisations and other operators that are compositions of few.

use super::{Sketch, int, ints, numbers, one};
use crate::onnx::Attribute;

#[test]
fn reductions() {
    let x = || Sketch::new(13).input("x", &[2, 3, 4]);
    for operator in
        ["ReduceL1", "ReduceL2", "ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd", "ReduceSumSquare", "ReduceLogSumExp"]
    {
        for axes in [&[1][..], &[0, 2], &[-1, -2], &[0, 1, 2]] {
            for keep in [0, 1] {
                let list = [("axes", ints(axes)), ("keepdims", int(keep))];
                one(operator, x(), (operator, &["x"], &list));
            }
        }
        one(operator, x(), (operator, &["x"], &[]));
    }
    one("ReduceSum", x().ints("a", &[1, 0]), ("ReduceSum", &["x", "a"], &[]));
    let none = [("noop_with_empty_axes", int(1))];
    one("ReduceSum of nothing", x(), ("ReduceSum", &["x"], &none));
}

#[test]
fn softmax_and_order() {
    for axis in [0, 1, 2] {
        for operator in ["Softmax", "LogSoftmax", "Hardmax"] {
            for opset in [11, 13] {
                let x = Sketch::new(opset).input("x", &[2, 3, 4]);
                one(operator, x, (operator, &["x"], &[("axis", int(axis))]));
            }
        }
        for operator in ["ArgMax", "ArgMin"] {
            let x = Sketch::new(13).input("x", &[2, 3, 4]);
            one(operator, x, (operator, &["x"], &[("axis", int(axis)), ("keepdims", int(axis % 2))]));
        }
        for largest in [0, 1] {
            let x = Sketch::new(13).input("x", &[2, 3, 4]).ints("k", &[2]);
            let list = [("axis", int(axis)), ("largest", int(largest))];
            one("TopK", x, ("TopK", &["x", "k"], &list));
        }
        for (exclusive, reverse) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let x = Sketch::new(13).input("x", &[2, 3, 4]).ints("a", &[axis]);
            one("CumSum", x, ("CumSum", &["x", "a"], &[("exclusive", int(exclusive)), ("reverse", int(reverse))]));
        }
    }
}

#[test]
fn normalizations() {
    let x = || Sketch::new(21).input("x", &[2, 4, 3, 2]);
    let list = |s: Sketch, name: &str, len: usize| s.floats(name, &[len], &numbers(len, name.len()));
    let positive: Vec<f64> = numbers(4, 1).iter().map(|x| x * x + 0.1).collect();
    let batch = list(list(list(x(), "s", 4), "bb", 4), "mmm", 4).floats("v", &[4], &positive);
    one("BatchNormalization", batch, ("BatchNormalization", &["x", "s", "bb", "mmm", "v"], &[]));
    let both = || list(list(x(), "s", 4), "bb", 4);
    one("InstanceNormalization", both(), ("InstanceNormalization", &["x", "s", "bb"], &[]));
    one("GroupNormalization", both(), ("GroupNormalization", &["x", "s", "bb"], &[("num_groups", int(2))]));
    let last = list(list(x(), "s", 6), "bb", 6);
    let shaped = last.ints("to", &[3, 2]).node("Reshape", &["s", "to"], &["s2"], &[]);
    one("LayerNormalization", shaped, ("LayerNormalization", &["x", "s2"], &[("axis", int(2))]));
    one("MeanVarianceNormalization", x(), ("MeanVarianceNormalization", &["x"], &[]));
    one("LRN", x(), ("LRN", &["x"], &[("size", int(3)), ("alpha", Attribute::Float(0.5))]));
    for p in [1, 2] {
        one("LpNormalization", x(), ("LpNormalization", &["x"], &[("p", int(p)), ("axis", int(1))]));
    }
}
