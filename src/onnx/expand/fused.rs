//! The fused operators of ONNX Runtime's optimiser, and activations that ONNX defines by a formula.
//! Source: `docs/ContribOperators.md` of ONNX Runtime, operators of ONNX 23 and 24.

use super::writer::Writer;
use super::{Entry, MICROSOFT};
use crate::onnx::error::ModelError;
use crate::onnx::model::Attribute;
use crate::onnx::tensor::ElementType;

/// The operator of ONNX with the same operands.
fn same(w: &mut Writer<'_>, operator: &str, attributes: &[&'static str]) -> Result<(), ModelError> {
    let operands: Vec<&str> = w.node.inputs.iter().map(String::as_str).collect();
    let attributes = w.handed_on(attributes);
    let y = w.with(operator, &operands, &attributes);
    w.give(0, &y);
    Ok(())
}

pub(super) const OPERATORS: &[Entry] = &[
    ("", "RMSNormalization", root_mean_square),
    ("", "SimplifiedLayerNormalization", root_mean_square),
    ("", "Swish", |w| {
        let x = w.input(0)?;
        let alpha = w.node.float("alpha")?.unwrap_or(1.0);
        let y = swish(w, &x, alpha);
        w.give(0, &y);
        Ok(())
    }),
    (MICROSOFT, "BiasGelu", |w| {
        let (x, bias) = (w.input(0)?, w.input(1)?);
        let sum = w.op("Add", &[&x, &bias]);
        give(w, gelu)(&sum)
    }),
    (MICROSOFT, "FastGelu", |w| {
        let mut x = w.input(0)?;
        if let Some(bias) = w.optional(1) {
            x = w.op("Add", &[&x, &bias]);
        }
        give(w, tanh_gelu)(&x)
    }),
    (MICROSOFT, "FusedConv", |w| {
        let operands: Vec<String> = (0..3).filter_map(|i| w.optional(i)).collect();
        let operands: Vec<&str> = operands.iter().map(String::as_str).collect();
        let attributes = w.handed_on(&["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"]);
        let mut y = w.with("Conv", &operands, &attributes);
        if let Some(residual) = w.optional(3) {
            y = w.op("Add", &[&y, &residual]);
        }
        let parameters = w.node.floats("activation_params")?.map(<[f32]>::to_vec).unwrap_or_default();
        activated(w, &y, parameters.iter().map(|&x| f64::from(x)).collect())
    }),
    (MICROSOFT, "FusedGemm", |w| {
        let operands: Vec<String> = (0..3).filter_map(|i| w.optional(i)).collect();
        let operands: Vec<&str> = operands.iter().map(String::as_str).collect();
        let attributes = w.handed_on(&["alpha", "beta", "transA", "transB"]);
        let y = w.with("Gemm", &operands, &attributes);
        let named = ["activation_alpha", "activation_beta", "activation_gamma"];
        let mut parameters = Vec::new();
        for name in named {
            parameters.extend(w.node.float(name)?);
        }
        activated(w, &y, parameters)
    }),
    // ONNX's own operators under the runtime's older names.
    (MICROSOFT, "ExpandDims", |w| {
        let (x, axis) = (w.input(0)?, w.input(1)?);
        let axis = w.cast(&axis, ElementType::Int64);
        let axis = w.reshape(&axis, &[1]);
        let y = w.op("Unsqueeze", &[&x, &axis]);
        w.give(0, &y);
        Ok(())
    }),
    (MICROSOFT, "Pad", |w| same(w, "Pad", &["mode"])),
    (MICROSOFT, "Trilu", |w| same(w, "Trilu", &["upper"])),
    (MICROSOFT, "FusedMatMul", fused_matmul),
    (MICROSOFT, "TransposeMatMul", fused_matmul),
    (MICROSOFT, "Gelu", |w| {
        let x = w.input(0)?;
        give(w, gelu)(&x)
    }),
    (MICROSOFT, "GemmFastGelu", |w| {
        let (x, weights) = (w.input(0)?, w.input(1)?);
        let mut y = w.op("MatMul", &[&x, &weights]);
        if let Some(bias) = w.optional(2) {
            y = w.op("Add", &[&y, &bias]);
        }
        give(w, tanh_gelu)(&y)
    }),
    (MICROSOFT, "QuickGelu", |w| {
        let x = w.input(0)?;
        let alpha = w.node.float("alpha")?.unwrap_or(1.702);
        let y = swish(w, &x, alpha);
        w.give(0, &y);
        Ok(())
    }),
    (MICROSOFT, "SkipLayerNormalization", |w| skip_normalization(w, false)),
    (MICROSOFT, "SkipSimplifiedLayerNormalization", |w| skip_normalization(w, true)),
];

/// A function of one value whose result is the node's.
fn give<'w, 'a>(
    w: &'w mut Writer<'a>,
    f: fn(&mut Writer<'a>, &str) -> String,
) -> impl FnOnce(&str) -> Result<(), ModelError> + use<'w, 'a> {
    move |x| {
        let y = f(w, x);
        w.give(0, &y);
        Ok(())
    }
}

/// `x · Φ(x)`
fn gelu(w: &mut Writer<'_>, x: &str) -> String {
    let (root, half, one) = (w.like(0.5_f64.sqrt(), x), w.like(0.5, x), w.like(1.0, x));
    let scaled = w.op("Mul", &[x, &root]);
    let erf = w.op("Erf", &[&scaled]);
    let sum = w.op("Add", &[&erf, &one]);
    let product = w.op("Mul", &[x, &sum]);
    w.op("Mul", &[&product, &half])
}

/// `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`
fn tanh_gelu(w: &mut Writer<'_>, x: &str) -> String {
    let (a, b) = (w.like(0.035_677_408_136_300_125, x), w.like(0.797_884_560_802_865_4, x));
    let (half, one) = (w.like(0.5, x), w.like(1.0, x));
    let square = w.op("Mul", &[x, x]);
    let scaled = w.op("Mul", &[&square, &a]);
    let sum = w.op("Add", &[&scaled, &b]);
    let inner = w.op("Mul", &[x, &sum]);
    let tanh = w.op("Tanh", &[&inner]);
    let sum = w.op("Add", &[&tanh, &one]);
    let product = w.op("Mul", &[x, &sum]);
    w.op("Mul", &[&product, &half])
}

/// `x · σ(α x)`
fn swish(w: &mut Writer<'_>, x: &str, alpha: f64) -> String {
    let alpha = w.like(alpha, x);
    let scaled = w.op("Mul", &[x, &alpha]);
    let gate = w.op("Sigmoid", &[&scaled]);
    w.op("Mul", &[x, &gate])
}

/// The activation that the attribute names, with its parameters in ONNX's order.
fn activated(w: &mut Writer<'_>, x: &str, parameters: Vec<f64>) -> Result<(), ModelError> {
    let name = w.node.string("activation")?.unwrap_or("").to_owned();
    let parameter = |i: usize, otherwise: f64| parameters.get(i).copied().unwrap_or(otherwise) as f32;
    let y = match name.as_str() {
        "" => x.to_owned(),
        "Relu" | "Sigmoid" | "Tanh" | "Softplus" | "Softsign" => w.op(&name, &[x]),
        "LeakyRelu" => w.with("LeakyRelu", &[x], &[("alpha", Attribute::Float(parameter(0, 0.01)))]),
        "Elu" => w.with("Elu", &[x], &[("alpha", Attribute::Float(parameter(0, 1.0)))]),
        "HardSigmoid" => {
            let (alpha, beta) = (Attribute::Float(parameter(0, 0.2)), Attribute::Float(parameter(1, 0.5)));
            w.with("HardSigmoid", &[x], &[("alpha", alpha), ("beta", beta)])
        }
        "Clip" => {
            let (low, high) = (parameter(0, f64::from(f32::MIN)), parameter(1, f64::from(f32::MAX)));
            let (low, high) = (w.like(low.into(), x), w.like(high.into(), x));
            let raised = w.op("Max", &[x, &low]);
            w.op("Min", &[&raised, &high])
        }
        other => return Err(w.error(format!("the fused activation {other} is not supported"))),
    };
    w.give(0, &y);
    Ok(())
}

fn fused_matmul(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let (mut a, mut b) = (w.input(0)?, w.input(1)?);
    if w.node.flag("transBatchA", false)? {
        a = with_first_axis_behind_the_batch(w, &a);
    }
    if w.node.flag("transBatchB", false)? {
        b = with_first_axis_behind_the_batch(w, &b);
    }
    let (turn_a, turn_b) = (w.node.flag("transA", false)?, w.node.flag("transB", false)?);
    let mut y = if turn_a || turn_b {
        let letters =
            |turned: bool, plain: &str, other: &str| if turned { other.to_owned() } else { plain.to_owned() };
        let equation =
            format!("...{},...{}->...ij", letters(turn_a, "ik", "ki"), letters(turn_b, "kj", "jk"));
        w.with("Einsum", &[&a, &b], &[("equation", Attribute::String(equation.into_bytes()))])
    } else {
        w.op("MatMul", &[&a, &b])
    };
    let alpha = w.node.float("alpha")?.unwrap_or(1.0);
    if alpha != 1.0 {
        let alpha = w.like(alpha, &y);
        y = w.op("Mul", &[&y, &alpha]);
    }
    w.give(0, &y);
    Ok(())
}

/// `[n, batch..., m]` as `[batch..., n, m]`, whatever the number of axes.
fn with_first_axis_behind_the_batch(w: &mut Writer<'_>, x: &str) -> String {
    let shape = w.op("Shape", &[x]);
    let (first, last) = (w.slice(&shape, 0, (0, 1), 1), w.slice(&shape, 0, (-1, i64::MAX), 1));
    let batch = w.slice(&shape, 0, (1, -1), 1);
    let rest = w.ints(&[-1]);
    let joined = |w: &mut Writer<'_>, parts: &[&str]| w.with("Concat", parts, &[("axis", Attribute::Int(0))]);
    let three = joined(w, &[&first, &rest, &last]);
    let flat = w.op("Reshape", &[x, &three]);
    let turned = w.transpose(&flat, &[1, 0, 2]);
    let to = joined(w, &[&batch, &first, &last]);
    w.op("Reshape", &[&turned, &to])
}

/// `x / √(mean(x²) + ε) · scale` over the axes from `axis` on.
fn root_mean_square(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let (x, scale) = (w.input(0)?, w.input(1)?);
    let axis = w.node.int("axis")?.unwrap_or(-1);
    let rank = w.shape(&x).map(|(_, dims)| dims.len() as i64);
    let axes: Vec<i64> = match (axis, rank) {
        (axis, _) if axis < 0 => (axis..0).collect(),
        (axis, Some(rank)) => (axis..rank).collect(),
        _ => {
            return Err(w.error(
                "a normalised axis counted from the front is not supported (help: count it from the end)",
            ));
        }
    };
    let epsilon = w.node.float("epsilon")?.unwrap_or(1e-5);
    let y = root_mean_squared(w, &x, &scale, &axes, epsilon);
    w.give(0, &y);
    Ok(())
}

fn root_mean_squared(w: &mut Writer<'_>, x: &str, scale: &str, axes: &[i64], epsilon: f64) -> String {
    let square = w.op("Mul", &[x, x]);
    let mean = if w.opset < 18 {
        w.with("ReduceMean", &[&square], &[("axes", Attribute::Ints(axes.to_vec()))])
    } else {
        let axes = w.ints(axes);
        w.op("ReduceMean", &[&square, &axes])
    };
    let epsilon = w.like(epsilon, x);
    let sum = w.op("Add", &[&mean, &epsilon]);
    let root = w.op("Sqrt", &[&sum]);
    let normal = w.op("Div", &[x, &root]);
    w.op("Mul", &[&normal, scale])
}

/// `normalised(input + skip + bias)`; the sum is result 3.
fn skip_normalization(w: &mut Writer<'_>, simplified: bool) -> Result<(), ModelError> {
    let (x, skip, gamma) = (w.input(0)?, w.input(1)?, w.input(2)?);
    let (beta, bias) = if simplified { (None, w.optional(3)) } else { (w.optional(3), w.optional(4)) };
    let mut sum = w.op("Add", &[&x, &skip]);
    if let Some(bias) = bias {
        sum = w.op("Add", &[&sum, &bias]);
    }
    let epsilon = w.node.float("epsilon")?.unwrap_or(1e-12);
    let y = if simplified {
        root_mean_squared(w, &sum, &gamma, &[-1], epsilon)
    } else {
        let operands: Vec<&str> =
            [Some(sum.as_str()), Some(&gamma), beta.as_deref()].into_iter().flatten().collect();
        let attributes = [("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(epsilon as f32))];
        w.with("LayerNormalization", &operands, &attributes)
    };
    w.give(0, &y);
    w.give(3, &sum);
    match (1..3).find(|&i| w.wants(i)) {
        Some(i) => Err(w.error(format!("result {i} of the normalisation is not supported"))),
        None => Ok(()),
    }
}
