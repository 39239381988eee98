//! Convolutions and poolings against the sums that define them, and their gradients.

use super::{Sketch, check, close, int, ints, numbers, one};
use crate::onnx::Attribute;

/// One axis of a window.
#[derive(Clone, Copy)]
struct Axis {
    image: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    pads: (usize, usize),
}

impl Axis {
    fn windows(self) -> usize {
        (self.image + self.pads.0 + self.pads.1 - (self.kernel - 1) * self.dilation - 1) / self.stride + 1
    }

    fn place(self, window: usize, tap: usize) -> Option<usize> {
        (window * self.stride + tap * self.dilation).checked_sub(self.pads.0).filter(|&p| p < self.image)
    }
}

fn attributes(axes: [Axis; 2], groups: usize) -> Vec<(&'static str, Attribute)> {
    let list = |of: fn(Axis) -> usize| ints(&axes.map(|a| of(a) as i64));
    let pads = [axes[0].pads.0, axes[1].pads.0, axes[0].pads.1, axes[1].pads.1].map(|p| p as i64);
    vec![
        ("kernel_shape", list(|a| a.kernel)),
        ("strides", list(|a| a.stride)),
        ("dilations", list(|a| a.dilation)),
        ("pads", ints(&pads)),
        ("group", int(groups as i64)),
    ]
}

/// The sum that defines a convolution of `[channels][h][w]`.
fn plain_conv(x: &[f64], w: &[f64], axes: [Axis; 2], channels: [usize; 2], groups: usize) -> Vec<f64> {
    let [a, b] = axes;
    let [inputs, outputs] = [channels[0] / groups, channels[1] / groups];
    let mut y = Vec::new();
    for o in 0..channels[1] {
        for i in 0..a.windows() {
            for j in 0..b.windows() {
                let mut sum = 0.0;
                for c in 0..inputs {
                    for k in 0..a.kernel {
                        for l in 0..b.kernel {
                            if let (Some(p), Some(q)) = (a.place(i, k), b.place(j, l)) {
                                let channel = o / outputs * inputs + c;
                                sum += w[((o * inputs + c) * a.kernel + k) * b.kernel + l]
                                    * x[(channel * a.image + p) * b.image + q];
                            }
                        }
                    }
                }
                y.push(sum);
            }
        }
    }
    y
}

#[test]
fn convolutions_are_the_sums_that_define_them() {
    for (kernel, stride, dilation, pads) in [
        (1, 1, 1, (0, 0)),
        (1, 2, 1, (0, 0)),
        (3, 1, 1, (1, 1)),
        (3, 2, 1, (1, 0)),
        (2, 3, 1, (0, 1)),
        (3, 1, 2, (2, 2)),
        (3, 2, 3, (2, 3)),
        (5, 2, 1, (2, 2)),
    ] {
        let axis = |image| Axis { image, kernel, stride, dilation, pads };
        let tall = Axis { image: 9, kernel: 2, stride: 1, dilation: 1, pads: (0, 1) };
        for axes in [[axis(9), axis(8)], [axis(7), axis(17)], [tall, axis(8)]] {
            for (channels, groups) in [([2, 3], 1), ([4, 6], 2), ([3, 3], 3)] {
                check_conv(axes, channels, groups);
            }
        }
    }
}

/// One window over the whole image: of all its numbers, and of every other one.
#[test]
fn convolutions_of_the_whole_image() {
    for (image, kernel, dilation) in [(3, 3, 1), (3, 2, 2), (5, 3, 2)] {
        let axis = Axis { image, kernel, stride: 1, dilation, pads: (0, 0) };
        check_conv([axis; 2], [2, 3], 1);
    }
}

/// Enough channels and few enough windows for the channels to take the vectors.
#[test]
fn convolutions_with_few_windows_and_many_channels() {
    let axis = |image, kernel, stride| Axis { image, kernel, stride, dilation: 1, pads: (1, 1) };
    for axes in [[axis(4, 3, 1), axis(5, 3, 1)], [axis(7, 3, 2), axis(4, 2, 2)]] {
        check_conv(axes, [2, 40], 1);
        check_conv(axes, [4, 66], 2);
        // More channels than lie together in the packed weights.
        check_conv(axes, [1, 70], 1);
    }
}

fn check_conv(axes: [Axis; 2], channels: [usize; 2], groups: usize) {
    let [a, b] = axes;
    let label = format!("{}x{} stride {} groups {groups}", a.kernel, b.kernel, b.stride);
    let shape = [channels[1], channels[0] / groups, a.kernel, b.kernel];
    let w = numbers(shape.iter().product(), 2);
    let sketch = || Sketch::new(11).floats("w", &shape, &w);
    let forward = sketch()
        .input("x", &[1, channels[0], a.image, b.image])
        .node("Conv", &["x", "w"], &["y"], &attributes(axes, groups))
        .output("y")
        .network();
    let x = numbers(forward.input_len(), 1);
    close(&label, &forward.evaluate(&x), &plain_conv(&x, &w, axes, channels, groups), 1e-12);
    check(&label, &forward);
    // The transpose: ⟨conv x, z⟩ = ⟨x, convᵀ z⟩ wherever windows reach.
    let wanted = [("output_shape", ints(&[a.image as i64, b.image as i64]))];
    let mut list = attributes(axes, groups);
    list.retain(|(name, _)| *name != "pads");
    list.extend(wanted);
    let transposed = sketch()
        .input("x", &[1, channels[1], a.windows(), b.windows()])
        .node("ConvTranspose", &["x", "w"], &["y"], &list)
        .output("y")
        .network();
    check(&format!("{label} transposed"), &transposed);
    if a.pads == (0, 0) && b.pads == (0, 0) {
        let z = numbers(transposed.input_len(), 3);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let (left, right) = (dot(&forward.evaluate(&x), &z), dot(&x, &transposed.evaluate(&z)));
        assert!((left - right).abs() < 1e-11, "{label}: {left} {right}");
    }
}

#[test]
fn other_convolutions() {
    let w = |s: Sketch, shape: &[usize]| s.floats("w", shape, &numbers(shape.iter().product(), 3));
    let x = |shape: &[usize]| Sketch::new(13).input("x", shape);
    one("1-D", w(x(&[1, 2, 9]), &[3, 2, 3]), ("Conv", &["x", "w"], &[("strides", ints(&[2]))]));
    one(
        "3-D",
        w(x(&[1, 2, 4, 5, 4]), &[3, 2, 2, 3, 2]),
        ("Conv", &["x", "w"], &[("pads", ints(&[1, 1, 0, 0, 1, 1]))]),
    );
    one("batch", w(x(&[3, 2, 5, 5]), &[2, 2, 3, 3]), ("Conv", &["x", "w"], &[]));
    one("whole image", w(x(&[1, 2, 3, 4]), &[5, 2, 3, 4]), ("Conv", &["x", "w"], &[]));
    for pad in ["SAME_UPPER", "SAME_LOWER", "VALID"] {
        let list = [("auto_pad", Attribute::String(pad.into())), ("strides", ints(&[2, 2]))];
        one(pad, w(x(&[1, 2, 6, 7]), &[2, 2, 3, 2]), ("Conv", &["x", "w"], &list));
        one(pad, w(x(&[1, 2, 4, 3]), &[2, 2, 3, 2]), ("ConvTranspose", &["x", "w"], &list));
    }
    let list = [("strides", ints(&[2, 3])), ("output_padding", ints(&[1, 2])), ("group", int(2))];
    one("padded output", w(x(&[1, 2, 4, 3]), &[2, 2, 2, 2]), ("ConvTranspose", &["x", "w"], &list));
    let varying = x(&[1, 4, 5, 6]).input("z", &[6, 2, 3, 2]).floats("b", &[6], &numbers(6, 1));
    let list = [("group", int(2)), ("pads", ints(&[1, 0, 1, 1])), ("strides", ints(&[2, 1]))];
    one("varying weights", varying, ("Conv", &["x", "z", "b"], &list));
}

#[test]
fn weights_that_vary_and_weights_that_do_not_give_the_same_result() {
    let list = [("group", int(2)), ("pads", ints(&[1, 0, 1, 1])), ("strides", ints(&[2, 1]))];
    let (x, w) = (numbers(4 * 5 * 6, 1), numbers(6 * 2 * 3 * 2, 2));
    let constant = Sketch::new(13).input("x", &[1, 4, 5, 6]).floats("w", &[6, 2, 3, 2], &w);
    let varying = Sketch::new(13).input("x", &[1, 4, 5, 6]).input("w", &[6, 2, 3, 2]);
    let [a, b] =
        [constant, varying].map(|s| s.node("Conv", &["x", "w"], &["y"], &list).output("y").network());
    close("conv", &a.evaluate(&x), &b.evaluate(&[x.clone(), w].concat()), 1e-12);
}

#[test]
fn poolings() {
    let x = || Sketch::new(19).input("x", &[1, 2, 6, 7]);
    let kernel = ("kernel_shape", ints(&[3, 2]));
    let strides = ("strides", ints(&[2, 2]));
    let pads = ("pads", ints(&[1, 0, 1, 1]));
    let ceil = ("ceil_mode", int(1));
    for operator in ["MaxPool", "AveragePool", "LpPool"] {
        one(operator, x(), (operator, &["x"], std::slice::from_ref(&kernel)));
        one(operator, x(), (operator, &["x"], &[kernel.clone(), strides.clone(), pads.clone()]));
        one(operator, x(), (operator, &["x"], &[kernel.clone(), strides.clone(), ceil.clone()]));
        one(operator, x(), (operator, &["x"], &[kernel.clone(), ("dilations", ints(&[2, 3]))]));
    }
    let with_padding = ("count_include_pad", int(1));
    one("with padding", x(), ("AveragePool", &["x"], &[kernel, strides, pads, with_padding]));
    for operator in ["GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool"] {
        one(operator, x(), (operator, &["x"], &[]));
    }
}

#[test]
fn pooled_values() {
    let pool = |operator: &str, list: &[(&str, Attribute)]| {
        let network = Sketch::new(19)
            .input("x", &[1, 1, 1, 5])
            .node(operator, &["x"], &["y"], list)
            .output("y")
            .network();
        network.evaluate(&[1.0, 5.0, 2.0, -4.0, 3.0])
    };
    let list = |extra: &[(&'static str, Attribute)]| {
        [&[("kernel_shape", ints(&[1, 2])), ("strides", ints(&[1, 2]))], extra].concat()
    };
    assert_eq!(pool("MaxPool", &list(&[])), [5.0, 2.0]);
    assert_eq!(pool("MaxPool", &list(&[("ceil_mode", int(1))])), [5.0, 2.0, 3.0]);
    assert_eq!(pool("AveragePool", &list(&[("ceil_mode", int(1))])), [3.0, -1.0, 3.0]);
    let pads = ("pads", ints(&[0, 1, 0, 0]));
    assert_eq!(pool("AveragePool", &list(std::slice::from_ref(&pads))), [1.0, 3.5, -0.5]);
    assert_eq!(pool("AveragePool", &list(&[pads, ("count_include_pad", int(1))])), [0.5, 3.5, -0.5]);
}
