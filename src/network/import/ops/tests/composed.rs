//! Reductions, normalisations and other operators that are compositions of few.

use super::{Sketch, int, ints, numbers, one};
use crate::onnx::{Attribute, ElementType, Tensor};

#[test]
fn reductions() {
    let x = || Sketch::new(13).input("x", &[2, 3, 4]);
    for operator in [
        "ReduceL1",
        "ReduceL2",
        "ReduceMax",
        "ReduceMin",
        "ReduceMean",
        "ReduceProd",
        "ReduceSumSquare",
        "ReduceLogSumExp",
    ] {
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
            one(
                "CumSum",
                x,
                ("CumSum", &["x", "a"], &[("exclusive", int(exclusive)), ("reverse", int(reverse))]),
            );
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

#[test]
fn padding_and_picking() {
    let x = || Sketch::new(13).input("x", &[2, 3, 4]);
    for mode in ["constant", "edge", "reflect", "wrap"] {
        let sketch = x().ints("p", &[0, 1, 2, 1, -1, 2]).floats("v", &[], &[0.5]);
        let list = [("mode", Attribute::String(mode.into()))];
        one(mode, sketch, ("Pad", &["x", "p", "v"], &list));
    }
    let same = |s: Sketch, name: &str, shape: &[usize], values: &[i64]| {
        s.tensor(name, Tensor::int64(values.to_vec()).reshaped(shape.to_vec()))
    };
    let elements = || same(x(), "i", &[2, 2, 4], &[0, 1, 2, 0, 1, 2, 0, 1, 2, 2, -3, 1, 0, 0, 1, -1]);
    one("GatherElements", elements(), ("GatherElements", &["x", "i"], &[("axis", int(1))]));
    let tuples = || same(x(), "i", &[3, 2], &[1, 2, 0, -1, 1, 2]);
    one("GatherND", tuples(), ("GatherND", &["x", "i"], &[]));
    for reduction in ["none", "add", "mul", "max"] {
        let list = [("axis", int(1)), ("reduction", Attribute::String(reduction.into()))];
        let sketch = elements().input("u", &[2, 2, 4]);
        one(reduction, sketch, ("ScatterElements", &["x", "i", "u"], &list));
        let sketch = tuples().input("u", &[3, 4]);
        one(reduction, sketch, ("ScatterND", &["x", "i", "u"], &list[1..]));
    }
    let lengths = x().ints("n", &[1, 3]);
    let axes = [("batch_axis", int(0)), ("time_axis", int(1))];
    one("ReverseSequence", lengths, ("ReverseSequence", &["x", "n"], &axes));
    one("Trilu", x(), ("Trilu", &["x"], &[("upper", int(0))]));
    let flags = x().tensor("c", Tensor::rounded(ElementType::Bool, vec![3], &[1.0, 0.0, 1.0]));
    one("Compress", flags, ("Compress", &["x", "c"], &[("axis", int(1))]));
    let compared =
        x().floats("h", &[3, 1], &[0.1234, -0.4321, 0.2345]).node("Less", &["x", "h"], &["c"], &[]);
    one("Where", compared, ("Where", &["c", "x", "h"], &[]));
    let place = x().floats("d", &[9, 2], &numbers(18, 2)).node("ArgMax", &["x"], &["i"], &[("axis", int(1))]);
    one("Gather by a value", place, ("Gather", &["d", "i"], &[]));
}

#[test]
fn values_of_selections() {
    let evaluate = |s: Sketch, x: &[f64]| s.output("y").network().evaluate(x);
    let x = |n: usize| Sketch::new(18).input("x", &[n]);
    let sum = [("reduction", Attribute::String("add".into()))];
    let scatter = |list| {
        x(3).ints("i", &[1, 1, 2]).floats("u", &[3], &[10.0, 20.0, 30.0]).node(
            "ScatterElements",
            &["x", "i", "u"],
            &["y"],
            list,
        )
    };
    assert_eq!(evaluate(scatter(&[]), &[1.0, 2.0, 3.0]), [1.0, 20.0, 30.0]);
    assert_eq!(evaluate(scatter(&sum), &[1.0, 2.0, 3.0]), [1.0, 32.0, 33.0]);
    let hot = x(2)
        .node("Cast", &["x"], &["i"], &[("to", int(7))])
        .ints("d", &[3])
        .floats("v", &[2], &[-1.0, 5.0])
        .node("OneHot", &["i", "d", "v"], &["y"], &[]);
    assert_eq!(evaluate(hot, &[2.0, -3.0]), [-1.0, -1.0, 5.0, 5.0, -1.0, -1.0]);
    let pad = |mode: &str| {
        let list = [("mode", Attribute::String(mode.into()))];
        let s = x(3).ints("p", &[2, 1]).node("Pad", &["x", "p"], &["y"], &list);
        evaluate(s, &[1.0, 2.0, 3.0])
    };
    assert_eq!(pad("reflect"), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
    assert_eq!(pad("edge"), [1.0, 1.0, 1.0, 2.0, 3.0, 3.0]);
    assert_eq!(pad("wrap"), [2.0, 3.0, 1.0, 2.0, 3.0, 1.0]);
}

#[test]
fn resizing() {
    let x = || Sketch::new(18).input("x", &[1, 2, 4, 5]);
    for mode in ["nearest", "linear", "cubic"] {
        for coordinates in ["half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"] {
            let list = [
                ("mode", Attribute::String(mode.into())),
                ("coordinate_transformation_mode", Attribute::String(coordinates.into())),
            ];
            for scales in [[1.0, 1.0, 2.0, 1.5], [1.0, 1.0, 0.5, 0.6]] {
                let sketch = x().floats("s", &[4], &scales);
                one(mode, sketch, ("Resize", &["x", "", "s"], &list));
            }
        }
    }
    one("Upsample", x().floats("s", &[4], &[1.0, 1.0, 2.0, 2.0]), ("Upsample", &["x", "s"], &[]));
}

#[test]
fn recurrent_cells() {
    let (steps, batch, width, hidden) = (3, 2, 3, 2);
    for (operator, gates) in [("RNN", 1), ("GRU", 3), ("LSTM", 4)] {
        for (direction, count) in [("forward", 1), ("reverse", 1), ("bidirectional", 2)] {
            let size = |shape: &[usize]| shape.iter().product::<usize>();
            let floats = |s: Sketch, name: &str, shape: &[usize]| {
                s.floats(name, shape, &numbers(size(shape), name.len()))
            };
            let s = Sketch::new(14).input("x", &[steps, batch, width]);
            let s = floats(s, "w", &[count, gates * hidden, width]);
            let s = floats(s, "rr", &[count, gates * hidden, hidden]);
            let s = floats(s, "bbb", &[count, 2 * gates * hidden]);
            let list =
                [("hidden_size", int(hidden as i64)), ("direction", Attribute::String(direction.into()))];
            one(&format!("{operator} {direction}"), s, (operator, &["x", "w", "rr", "bbb"], &list));
        }
    }
}

#[test]
fn einstein_sums() {
    let two = |a: &[usize], b: &[usize]| Sketch::new(13).input("x", a).input("z", b);
    for (equation, a, b) in [
        ("ij,jk->ik", &[2, 3][..], &[3, 4][..]),
        ("ij,jk", &[2, 3], &[3, 4]),
        ("bij,bkj->bki", &[2, 3, 4], &[2, 5, 4]),
        ("...ij,...jk->...ik", &[2, 3, 4], &[2, 4, 2]),
        ("i,j->ij", &[3], &[4]),
        ("ij,ij->", &[3, 2], &[3, 2]),
        ("bi,ij->b", &[2, 3], &[3, 4]),
    ] {
        let list = [("equation", Attribute::String(equation.into()))];
        one(equation, two(a, b), ("Einsum", &["x", "z"], &list));
    }
    for (equation, shape) in
        [("ii->i", &[3, 3][..]), ("ij->ji", &[2, 3]), ("ijk->j", &[2, 3, 4]), ("ii", &[3, 3])]
    {
        let list = [("equation", Attribute::String(equation.into()))];
        one(equation, Sketch::new(13).input("x", shape), ("Einsum", &["x"], &list));
    }
}
