//! Arithmetic on quantised numbers. Products and sums are those of integers, exact in double precision; scales are applied
//! as ONNX Runtime's kernels do: the three scales become one factor, the product with it is rounded half to even, and the
//! zero point is added.
//! Source: ONNX `QLinearConv`, `QLinearMatMul`, `DynamicQuantizeLinear`, and `docs/ContribOperators.md` of ONNX Runtime.

use super::writer::Writer;
use super::{Entry, MICROSOFT};
use crate::onnx::error::ModelError;
use crate::onnx::model::Attribute;
use crate::onnx::tensor::ElementType;

pub(super) const OPERATORS: &[Entry] = &[
    ("", "QLinearConv", qlinear_conv),
    ("", "QLinearMatMul", qlinear_matmul),
    (MICROSOFT, "DequantizeLinear", |w| same(w, "DequantizeLinear")),
    (MICROSOFT, "DynamicQuantizeMatMul", dynamic_quantize_matmul),
    (MICROSOFT, "MatMulIntegerToFloat", matmul_integer_to_float),
    (MICROSOFT, "QGemm", qgemm),
    (MICROSOFT, "QLinearAdd", |w| qlinear_binary(w, "Add")),
    (MICROSOFT, "QLinearAveragePool", |w| {
        let names = ["auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides"];
        qlinear_unary(w, "AveragePool", &names)
    }),
    (MICROSOFT, "QLinearConcat", qlinear_concat),
    (MICROSOFT, "QLinearGlobalAveragePool", |w| qlinear_unary(w, "GlobalAveragePool", &[])),
    (MICROSOFT, "QLinearLeakyRelu", |w| qlinear_unary(w, "LeakyRelu", &["alpha"])),
    (MICROSOFT, "QLinearMul", |w| qlinear_binary(w, "Mul")),
    (MICROSOFT, "QLinearSigmoid", |w| qlinear_unary(w, "Sigmoid", &[])),
    (MICROSOFT, "QLinearSoftmax", qlinear_softmax),
    (MICROSOFT, "QuantizeLinear", |w| same(w, "QuantizeLinear")),
];

pub(super) const FOR_NETWORK: &[Entry] = &[
    ("", "ConvInteger", |w| {
        let (x, weights) = (w.input(0)?, w.input(1)?);
        let x = centred(w, &x, w.optional(2), None)?;
        let filters = filter_axis(w, &weights)?;
        let weights = centred(w, &weights, w.optional(3), filters.as_deref())?;
        let sums = convolved(w, &[&x, &weights]);
        let y = w.cast(&sums, ElementType::Int32);
        w.give(0, &y);
        Ok(())
    }),
    ("", "DynamicQuantizeLinear", |w| {
        let x = w.input(0)?;
        let [y, scale, zero] = dynamically_quantized(w, &x);
        w.give(0, &y);
        w.give(1, &scale);
        w.give(2, &zero);
        Ok(())
    }),
    ("", "MatMulInteger", |w| {
        let sums = integer_product(w, 0, 1, w.optional(2), w.optional(3))?;
        let y = w.cast(&sums, ElementType::Int32);
        w.give(0, &y);
        Ok(())
    }),
];

fn same(w: &mut Writer<'_>, operator: &str) -> Result<(), ModelError> {
    let operands: Vec<String> = (0..3).filter_map(|i| w.optional(i)).collect();
    let operands: Vec<&str> = operands.iter().map(String::as_str).collect();
    let attributes = w.handed_on(&["axis"]);
    let y = w.with(operator, &operands, &attributes);
    w.give(0, &y);
    Ok(())
}

/// `x − zero` in double precision; `shape` is that of a zero point with more than one number.
pub(super) fn centred(
    w: &mut Writer<'_>,
    x: &str,
    zero: Option<String>,
    shape: Option<&[i64]>,
) -> Result<String, ModelError> {
    let x = w.cast(x, ElementType::Float64);
    let Some(zero) = zero else { return Ok(x) };
    let zero = along(w, &zero, shape)?;
    let zero = w.cast(&zero, ElementType::Float64);
    Ok(w.op("Sub", &[&x, &zero]))
}

/// One number, or several under the given shape.
fn along(w: &mut Writer<'_>, value: &str, shape: Option<&[i64]>) -> Result<String, ModelError> {
    let many = w.shape(value).is_some_and(|(_, dims)| dims.iter().any(|dim| *dim != Some(1)));
    match shape {
        Some(shape) if many => Ok(w.reshape(value, shape)),
        _ if many => Err(w.error("a scale or zero point with several numbers is not supported here")),
        // One number, which may stand in a list.
        _ => Ok(w.reshape(value, &[])),
    }
}

/// The shape `[-1, 1, 1, …]` of what belongs to the filters of a convolution; `None` where the rank is not known.
fn filter_axis(w: &Writer<'_>, weights: &str) -> Result<Option<Vec<i64>>, ModelError> {
    Ok(w.shape(weights).map(|(_, dims)| (0..dims.len()).map(|axis| if axis == 0 { -1 } else { 1 }).collect()))
}

fn convolved(w: &mut Writer<'_>, operands: &[&str]) -> String {
    let attributes = w.handed_on(&["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"]);
    w.with("Conv", operands, &attributes)
}

/// The product of operands `a` and `b`, whose zero points may belong to rows of the first and columns of the second.
fn integer_product(
    w: &mut Writer<'_>,
    a: usize,
    b: usize,
    zero_a: Option<String>,
    zero_b: Option<String>,
) -> Result<String, ModelError> {
    let (a, b) = (w.input(a)?, w.input(b)?);
    let a = centred(w, &a, zero_a, Some(&[-1, 1]))?;
    let b = centred(w, &b, zero_b, Some(&[-1]))?;
    Ok(w.op("MatMul", &[&a, &b]))
}

/// The least and the largest number of a quantised type.
fn range(w: &Writer<'_>, element: ElementType) -> Result<(f64, f64), ModelError> {
    match element {
        ElementType::UInt8 => Ok((0.0, 255.0)),
        ElementType::Int8 => Ok((-128.0, 127.0)),
        ElementType::UInt16 => Ok((0.0, 65_535.0)),
        ElementType::Int16 => Ok((-32_768.0, 32_767.0)),
        other => Err(w.error(format!("quantisation to {other} is not supported"))),
    }
}

/// `clip(round(x · factor) + zero)` as the zero point's type, which has to be known.
fn requantized(w: &mut Writer<'_>, sums: &str, factor: &str, zero: &str) -> Result<String, ModelError> {
    let Some((element, _)) = w.shape(zero) else {
        return Err(w.error("a zero point that is computed is not supported"));
    };
    let (low, high) = range(w, element)?;
    let sums = w.cast(sums, ElementType::Float32);
    let scaled = w.op("Mul", &[&sums, factor]);
    let rounded = w.op("Round", &[&scaled]);
    let zero = w.reshape(zero, &[]);
    let zero = w.cast(&zero, ElementType::Float32);
    let moved = w.op("Add", &[&rounded, &zero]);
    let (low, high) = (w.number(low), w.number(high));
    let raised = w.op("Max", &[&moved, &low]);
    let clipped = w.op("Min", &[&raised, &high]);
    Ok(w.cast(&clipped, element))
}

/// `a · b / y`, the scales of both operands and of the result.
fn factor(w: &mut Writer<'_>, a: &str, b: &str, y: &str) -> String {
    let (a, y) = (w.reshape(a, &[]), w.reshape(y, &[]));
    let [a, b, y] = [a.as_str(), b, &y].map(|scale| w.cast(scale, ElementType::Float32));
    let product = w.op("Mul", &[&a, &b]);
    w.op("Div", &[&product, &y])
}

fn qlinear_matmul(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let sums = integer_product(w, 0, 3, w.optional(2), w.optional(5))?;
    let (a, b, y, zero) = (w.input(1)?, w.input(4)?, w.input(6)?, w.input(7)?);
    let b = along(w, &b, Some(&[-1]))?;
    let factor = factor(w, &a, &b, &y);
    let y = requantized(w, &sums, &factor, &zero)?;
    w.give(0, &y);
    Ok(())
}

fn qlinear_conv(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let (x, weights) = (w.input(0)?, w.input(3)?);
    let filters = filter_axis(w, &weights)?;
    // Of what belongs to the channels of the result.
    let channels: Option<Vec<i64>> =
        filters.as_ref().map(|axes| (0..axes.len()).map(|axis| if axis == 1 { -1 } else { 1 }).collect());
    let x = centred(w, &x, w.optional(2), None)?;
    let weights = centred(w, &weights, w.optional(5), filters.as_deref())?;
    let sums = match w.optional(8) {
        Some(bias) => {
            let bias = w.cast(&bias, ElementType::Float64);
            convolved(w, &[&x, &weights, &bias])
        }
        None => convolved(w, &[&x, &weights]),
    };
    let (a, b, y, zero) = (w.input(1)?, w.input(4)?, w.input(6)?, w.input(7)?);
    let b = along(w, &b, channels.as_deref())?;
    let factor = factor(w, &a, &b, &y);
    let y = requantized(w, &sums, &factor, &zero)?;
    w.give(0, &y);
    Ok(())
}

/// `alpha · A · B + C`, the bias in units of both scales; quantised again where a scale of the result is given.
fn qgemm(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let (a, b) = (w.input(0)?, w.input(3)?);
    let a = centred(w, &a, w.optional(2), None)?;
    let turned = w.node.flag("transB", false)?;
    let zero_shape: &[i64] = if turned { &[-1, 1] } else { &[-1] };
    let b = centred(w, &b, w.optional(5), Some(zero_shape))?;
    let (scale_a, scale_b) = (w.input(1)?, w.input(4)?);
    let alpha = w.node.float("alpha")?.unwrap_or(1.0);
    let attributes = w.handed_on(&["transA", "transB"]);
    let mut sums = w.with("Gemm", &[&a, &b], &attributes);
    if let Some(bias) = w.optional(6) {
        // In units of all scales, alpha among them.
        let bias = w.cast(&bias, ElementType::Float64);
        sums = w.op("Add", &[&sums, &bias]);
    }
    let (scale_a, scale_b) = (w.reshape(&scale_a, &[]), along(w, &scale_b, Some(&[-1]))?);
    let mut scale = w.op("Mul", &[&scale_a, &scale_b]);
    if alpha != 1.0 {
        let alpha = w.number(alpha);
        scale = w.op("Mul", &[&scale, &alpha]);
    }
    let y = match (w.optional(7), w.optional(8)) {
        (Some(to), Some(zero)) => {
            let to = w.reshape(&to, &[]);
            let factor = w.op("Div", &[&scale, &to]);
            requantized(w, &sums, &factor, &zero)?
        }
        _ => {
            let sums = w.cast(&sums, ElementType::Float32);
            w.op("Mul", &[&sums, &scale])
        }
    };
    w.give(0, &y);
    Ok(())
}

fn matmul_integer_to_float(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let mut y = scaled_sums(w, [0, 1], [2, 3], [4, 5])?;
    if let Some(bias) = w.optional(6) {
        y = w.op("Add", &[&y, &bias]);
    }
    w.give(0, &y);
    Ok(())
}

/// The product of two matrices of bytes in floats, by the operands of the matrices, their scales and their zero points.
pub(super) fn scaled_sums(
    w: &mut Writer<'_>,
    [a, b]: [usize; 2],
    scales: [usize; 2],
    zeros: [usize; 2],
) -> Result<String, ModelError> {
    let sums = integer_product(w, a, b, w.optional(zeros[0]), w.optional(zeros[1]))?;
    let (a, b) = (w.input(scales[0])?, w.input(scales[1])?);
    let (a, b) = (along(w, &a, Some(&[-1, 1]))?, along(w, &b, Some(&[-1]))?);
    let scale = w.op("Mul", &[&a, &b]);
    let sums = w.cast(&sums, ElementType::Float32);
    Ok(w.op("Mul", &[&sums, &scale]))
}

/// A value in bytes, their scale and their zero point.
pub(super) fn dynamic_bytes(w: &mut Writer<'_>, x: &str) -> [String; 3] {
    let results = w.results("DynamicQuantizeLinear", &[x], &[], 3);
    [0, 1, 2].map(|i| results[i].clone())
}

fn dynamic_quantize_matmul(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let (a, b, scale_b) = (w.input(0)?, w.input(1)?, w.input(2)?);
    let [a, scale_a, zero_a] = dynamic_bytes(w, &a);
    let a = centred(w, &a, Some(zero_a), None)?;
    let b = centred(w, &b, w.optional(3), Some(&[-1]))?;
    let sums = w.op("MatMul", &[&a, &b]);
    let scale_b = along(w, &scale_b, Some(&[-1]))?;
    let scale = w.op("Mul", &[&scale_a, &scale_b]);
    let sums = w.cast(&sums, ElementType::Float32);
    let mut y = w.op("Mul", &[&sums, &scale]);
    if let Some(bias) = w.optional(4) {
        y = w.op("Add", &[&y, &bias]);
    }
    w.give(0, &y);
    Ok(())
}

/// To uint8, the scale taken from the value's own range with zero in it.
fn dynamically_quantized(w: &mut Writer<'_>, x: &str) -> [String; 3] {
    let (none, zero, most) = (("keepdims", Attribute::Int(0)), w.number(0.0), w.number(255.0));
    let low = w.with("ReduceMin", &[x], std::slice::from_ref(&none));
    let high = w.with("ReduceMax", &[x], std::slice::from_ref(&none));
    let (low, high) = (w.op("Min", &[&low, &zero]), w.op("Max", &[&high, &zero]));
    let width = w.op("Sub", &[&high, &low]);
    let scale = w.op("Div", &[&width, &most]);
    // Where all numbers are zero, so is the scale, and any divisor gives zero.
    let least = w.number(f64::from(f32::MIN_POSITIVE));
    let divisor = w.op("Max", &[&scale, &least]);
    let clipped = |w: &mut Writer<'_>, value: &str| {
        let raised = w.op("Max", &[value, &zero]);
        w.op("Min", &[&raised, &most])
    };
    let ratio = w.op("Div", &[&low, &divisor]);
    let negative = w.op("Neg", &[&ratio]);
    let inside = clipped(w, &negative);
    let point = w.op("Round", &[&inside]);
    let ratio = w.op("Div", &[x, &divisor]);
    let rounded = w.op("Round", &[&ratio]);
    let moved = w.op("Add", &[&rounded, &point]);
    let inside = clipped(w, &moved);
    [w.cast(&inside, ElementType::UInt8), scale, w.cast(&point, ElementType::UInt8)]
}

fn dequantized(w: &mut Writer<'_>, x: &str, scale: &str, zero: Option<&str>) -> String {
    let operands: Vec<&str> = [Some(x), Some(scale), zero].into_iter().flatten().collect();
    w.op("DequantizeLinear", &operands)
}

fn quantized(w: &mut Writer<'_>, x: &str, scale: &str, zero: Option<&str>) {
    let operands: Vec<&str> = [Some(x), Some(scale), zero].into_iter().flatten().collect();
    let y = w.op("QuantizeLinear", &operands);
    w.give(0, &y);
}

/// Operands: value, scale and zero point of both sides and scale and zero point of the result.
fn qlinear_binary(w: &mut Writer<'_>, operator: &str) -> Result<(), ModelError> {
    let (a, scale_a, b, scale_b) = (w.input(0)?, w.input(1)?, w.input(3)?, w.input(4)?);
    let (zero_a, zero_b) = (w.optional(2), w.optional(5));
    let a = dequantized(w, &a, &scale_a, zero_a.as_deref());
    let b = dequantized(w, &b, &scale_b, zero_b.as_deref());
    let y = w.op(operator, &[&a, &b]);
    let (scale, zero) = (w.input(6)?, w.optional(7));
    quantized(w, &y, &scale, zero.as_deref());
    Ok(())
}

/// Operands: value, scale, zero point, scale and zero point of the result.
fn qlinear_unary(w: &mut Writer<'_>, operator: &str, names: &[&'static str]) -> Result<(), ModelError> {
    if w.node.flag("channels_last", false)? {
        return Err(w.error("channels_last is not supported"));
    }
    let (x, scale_x, scale) = (w.input(0)?, w.input(1)?, w.input(3)?);
    let (zero_x, zero) = (w.optional(2), w.optional(4));
    let x = dequantized(w, &x, &scale_x, zero_x.as_deref());
    let attributes = w.handed_on(names);
    let y = w.with(operator, &[&x], &attributes);
    quantized(w, &y, &scale, zero.as_deref());
    Ok(())
}

/// Softmax before operator set 13 is one over all axes behind the given one; both mean the same of the last axis.
fn qlinear_softmax(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let axis = w.node.int("axis")?.unwrap_or(-1);
    let rank = w.shape(&w.input(0)?).map(|(_, dims)| dims.len() as i64);
    let is_last = axis == -1 || rank.is_some_and(|rank| axis == rank - 1);
    if !is_last {
        return Err(w
            .error("only along the last axis is supported here")
            .help("turn the axis to the end with Transpose, or quantise with QuantFormat.QDQ"));
    }
    let (x, scale_x, scale) = (w.input(0)?, w.input(1)?, w.input(3)?);
    let x = dequantized(w, &x, &scale_x, w.optional(2).as_deref());
    let attributes = w.handed_on(&["axis"]);
    let shares = w.with("Softmax", &[&x], &attributes);
    // Its kernel divides whole numbers: by the floor of the scale, and half of the divisor is added first.
    let (one, half, scale) = (w.number(1.0), w.number(0.5), w.reshape(&scale, &[]));
    let most = w.op("Div", &[&one, &scale]);
    let most = w.op("Floor", &[&most]);
    let scaled = w.op("Mul", &[&shares, &most]);
    let moved = w.op("Add", &[&scaled, &half]);
    let whole = w.op("Floor", &[&moved]);
    quantized(w, &whole, &one, w.optional(4).as_deref());
    Ok(())
}

/// Operands: scale and zero point of the result, then value, scale and zero point of each part.
fn qlinear_concat(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let (scale, zero) = (w.input(0)?, w.input(1)?);
    let mut parts = Vec::new();
    for at in (2..w.node.inputs.len()).step_by(3) {
        let (x, scale, zero) = (w.input(at)?, w.input(at + 1)?, w.optional(at + 2));
        parts.push(dequantized(w, &x, &scale, zero.as_deref()));
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let attributes = w.handed_on(&["axis"]);
    let y = w.with("Concat", &parts, &attributes);
    quantized(w, &y, &scale, Some(&zero));
    Ok(())
}
