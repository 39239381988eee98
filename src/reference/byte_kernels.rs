//! What ONNX Runtime's kernels for bytes compute otherwise than ONNX means.
//!
//! Its optimiser fuses operators between `DequantizeLinear` and `QuantizeLinear` into kernels for bytes. Most give what the operators
//! give. Two do not, so that a witness may hold as ONNX defines the network, and not at a judge:
//! - A Softmax becomes `QLinearSoftmax`, which multiplies by the *floor* of one over the result's scale: 254 where the scale is 1/255.
//! - On x86 without VNNI products rest on the instruction `vpmaddubsw`, which adds two neighbouring products of unsigned by signed bytes
//!   in 16 bits and saturates: 255 · 127 twice is 32,767. So it depends on the machine. Signed numbers on the left are moved by
//!   128 first. Windows are laid out place by place with a place's channels beside each other, which decides who is whose neighbour.
//!
//! [`Precision::Bytes`](super::Precision) computes the same. Source: ONNX Runtime, "Quantize ONNX models", on S8S8, U8S8 and
//! `reduce_range`, and its `QLinearSoftmax`; Intel's manual, `VPMADDUBSW`. The floor was found by comparing (1.32.0).

use std::borrow::Cow;

use super::array::{floats, integers};
use super::call::{ByteKernels, Call};
use super::ops::linear::{Plan, gemm_sizes};
use super::ops::product::Sizes;
use super::ops::window;
use super::scope::Scope;
use crate::onnx::{ElementType, Graph, Node, Tensor};

/// An operand that stands for 8-bit numbers.
struct Bytes {
    /// The numbers as the kernel multiplies them.
    values: Vec<i64>,
    shape: Vec<usize>,
    signed: bool,
    /// The number that stands for zero.
    zero: i64,
    /// What one unit is worth: one number, or one an index of the axis that products keep.
    units: Vec<f64>,
}

impl Bytes {
    /// What a name stands for; `None` where it is not made of 8-bit numbers.
    fn of(scope: &Scope<'_>, name: &str) -> Option<Self> {
        let direct = |name: &str| {
            let tensor = scope.get(name)?;
            let signed = match tensor.element {
                ElementType::Int8 => true,
                ElementType::UInt8 => false,
                _ => return None,
            };
            let values = integers(&tensor).ok()?.to_vec();
            Some(Self { values, shape: tensor.shape.clone(), signed, zero: 0, units: vec![1.0] })
        };
        if let Some(bytes) = direct(name) {
            return Some(bytes);
        }
        let node = scope.maker(name)?;
        let operand = |i: usize| node.inputs.get(i).filter(|name| !name.is_empty());
        let first_of = |name: &String| floats(&*scope.get(name)?).first().map(|&x| x as i64);
        match node.operator.as_str() {
            "Cast" => direct(operand(0)?),
            "Sub" => {
                let zero = first_of(operand(1)?)?;
                Some(Self { zero, ..Self::of(scope, operand(0)?)? })
            }
            "DequantizeLinear" => {
                let units = floats(&*scope.get(operand(1)?)?).into_owned();
                let zero = operand(2).and_then(first_of).unwrap_or(0);
                Some(Self { zero, units, ..direct(operand(0)?)? })
            }
            _ => None,
        }
    }

    /// As the left side of a product, whose numbers are not negative.
    fn left(mut self) -> Self {
        if self.signed {
            self.values.iter_mut().for_each(|x| *x += 128);
            self.zero += 128;
        }
        self
    }

    fn unit(&self, at: usize) -> f64 {
        self.units.get(at).or(self.units.first()).copied().unwrap_or(1.0)
    }
}

/// By how much the saturated sum of products exceeds the exact one.
fn excess(left: &[i64], right: impl Iterator<Item = i64>) -> i64 {
    let (mut half, mut total) = (None, 0);
    for product in left.iter().zip(right).map(|(a, b)| a * b) {
        half = match half {
            None => Some(product),
            Some(first) => {
                let sum: i64 = first + product;
                total += sum.clamp(i16::MIN.into(), i16::MAX.into()) - sum;
                None
            }
        };
    }
    total
}

/// Whether such kernels may compute something else of a graph: where it has weights that they multiply, or a Softmax of bytes.
pub(super) fn may_differ(graph: &Graph) -> bool {
    let is_softmax = |node: &Node| node.operator == "Softmax" && quantizer(graph, node).is_some();
    graph.initializers.values().any(|tensor| tensor.element == ElementType::Int8)
        || graph.nodes.iter().any(is_softmax)
}

/// The node that makes bytes of a node's result, where nothing else needs it.
fn quantizer<'g>(graph: &'g Graph, node: &Node) -> Option<&'g Node> {
    let result = node.outputs.first()?;
    let mut users = graph.nodes.iter().filter(|user| user.inputs.contains(result));
    let user = users
        .next()
        .filter(|user| user.operator == "QuantizeLinear" && user.inputs.first() == Some(result))?;
    users.next().is_none().then_some(user)
}

/// Computes a node's results as kernels for bytes do.
pub(super) fn adjust(call: &Call<'_>, scope: &Scope<'_>, kernels: ByteKernels, results: &mut [Tensor]) {
    if call.node.operator == "Softmax" {
        round_softmax(call, scope, results);
    } else if kernels == ByteKernels::Saturating {
        saturate(call, scope, results);
    }
}

/// Makes of shares the multiples of the result's scale that `QLinearSoftmax` gives.
fn round_softmax(call: &Call<'_>, scope: &Scope<'_>, results: &mut [Tensor]) {
    let (Some(user), [result]) = (quantizer(scope.graph, call.node), results) else { return };
    let is_of_bytes = call.node.inputs.first().is_some_and(|name| Bytes::of(scope, name).is_some());
    let scale = user.inputs.get(1).and_then(|name| floats(&*scope.get(name)?).first().copied());
    let Some(scale) = scale.filter(|&scale| is_of_bytes && scale > 0.0) else { return };
    let most = f64::from((1.0 / scale as f32).floor());
    let shares = floats(result).iter().map(|share| (share * most + 0.5).floor() * scale).collect();
    *result = call.store(result.element, result.shape.clone(), shares);
}

/// What saturation adds to the results of a product; `None` where the node is none, or nothing saturates.
fn shift(call: &Call<'_>, scope: &Scope<'_>) -> Option<Vec<f64>> {
    let operator = call.node.operator.as_str();
    if !matches!(operator, "MatMul" | "MatMulInteger" | "Gemm" | "Conv") {
        return None;
    }
    let operand = |i: usize| Bytes::of(scope, call.node.inputs.get(i)?);
    let (left, right) = (operand(0)?.left(), operand(1).filter(|right| right.signed)?);
    let shift = match operator {
        "Gemm" => of_gemm(call, &left, &right)?,
        "Conv" => of_windows(call, &left, &right)?,
        _ => of_matrices(&left, &right)?,
    };
    shift.iter().any(|&x| x != 0.0).then_some(shift)
}

/// Has products of 8-bit numbers saturate.
fn saturate(call: &Call<'_>, scope: &Scope<'_>, results: &mut [Tensor]) {
    let (Some(shift), [result]) = (shift(call, scope), results) else { return };
    let add = |values: Cow<'_, [f64]>| values.iter().zip(&shift).map(|(x, by)| x + by).collect();
    *result = match result.element.is_float() {
        true => call.store(result.element, result.shape.clone(), add(floats(result))),
        false => {
            let values = integers(result).unwrap_or_default();
            let moved = values.iter().zip(&shift).map(|(x, &by)| x + by as i64).collect();
            call.store_integers(result.element, result.shape.clone(), moved)
        }
    };
}

fn of_matrices(left: &Bytes, right: &Bytes) -> Option<Vec<f64>> {
    let plan = Plan::new(&left.shape, &right.shape).ok()?;
    let Sizes { m, k, n } = plan.sizes;
    let mut out = Vec::with_capacity(plan.pairs.len() * m * n);
    for &(x, y) in &plan.pairs {
        for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
            let row = left.values.get((x * m + i) * k..(x * m + i + 1) * k)?;
            let column = (0..k).map(|t| right.values[(y * k + t) * n + j]);
            out.push(excess(row, column) as f64 * left.unit(0) * right.unit(j));
        }
    }
    Some(out)
}

fn of_gemm(call: &Call<'_>, left: &Bytes, right: &Bytes) -> Option<Vec<f64>> {
    let Sizes { m, k, n } = gemm_sizes(call).ok()?;
    let (turned, other) = (call.flag("transB", false).ok()?, call.flag("transA", false).ok()?);
    if other {
        return None;
    }
    let alpha = call.float("alpha", 1.0).ok()?;
    let mut out = Vec::with_capacity(m * n);
    for (row, j) in left.values.chunks_exact(k.max(1)).flat_map(|row| (0..n).map(move |j| (row, j))) {
        let column = (0..k).map(|t| right.values[if turned { j * k + t } else { t * n + j }]);
        out.push(alpha * excess(row, column) as f64 * left.unit(0) * right.unit(j));
    }
    Some(out)
}

fn of_windows(call: &Call<'_>, left: &Bytes, right: &Bytes) -> Option<Vec<f64>> {
    let ([batch, channels, spatial @ ..], [filters, depth, kernel @ ..]) =
        (left.shape.as_slice(), right.shape.as_slice())
    else {
        return None;
    };
    // With one channel a group there is a kernel of its own, which multiplies in 16 bits.
    if *depth == 1 && *channels > 1 {
        return None;
    }
    let windows = window::windows(&window::axes(call, spatial, kernel).ok()?).ok()?;
    let (plane, taps): (usize, usize) = (spatial.iter().product(), kernel.iter().product());
    let in_group = filters / (channels / depth.max(&1)).max(1);
    let mut out = vec![0.0; batch * filters * windows.len()];
    let mut row = Vec::new();
    for (n, f, (p, window)) in (0..*batch)
        .flat_map(|n| (0..*filters).map(move |f| (n, f)))
        .flat_map(|(n, f)| windows.iter().enumerate().map(move |w| (n, f, w)))
    {
        row.clear();
        row.resize(depth * taps, left.zero);
        for (&(tap, at), c) in window.taps.iter().flat_map(|tap| (0..*depth).map(move |c| (tap, c))) {
            let channel = n * channels + f / in_group.max(1) * depth + c;
            row[tap * depth + c] = *left.values.get(channel * plane + at)?;
        }
        let filter = (0..depth * taps).map(|i| right.values[(f * depth + i % depth) * taps + i / depth]);
        out[(n * filters + f) * windows.len() + p] =
            excess(&row, filter) as f64 * left.unit(0) * right.unit(f);
    }
    Some(out)
}
