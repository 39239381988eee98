//! Attention and rotary embeddings, which ONNX has since operator set 23 and defines by function bodies:
//! <https://onnx.ai/onnx/operators/onnx__Attention.html>, <https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html>.

use super::Entry;
use super::writer::Writer;
use crate::onnx::error::ModelError;
use crate::onnx::model::Attribute;
use crate::onnx::tensor::{ElementType, Tensor};

pub(super) const OPERATORS: &[Entry] = &[("", "Attention", attention), ("", "RotaryEmbedding", rotary)];

/// Queries, keys and values as `[batch, heads, length, size]`.
pub(super) struct Heads {
    pub(super) query: String,
    pub(super) key: String,
    pub(super) value: String,
    /// Whether the operands were `[batch, length, heads · size]`.
    pub(super) flat: bool,
}

fn attention(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let window = |name: &str| Ok::<_, ModelError>(w.node.int(name)?.unwrap_or(-1) >= 0);
    if window("left_window_size")? || window("right_window_size")? {
        return Err(w.error("a sliding window is not supported"));
    }
    if w.optional(6).is_some() {
        return Err(w.error("a number of padded keys (nonpad_kv_seqlen) is not supported"));
    }
    let mut heads = split_heads(w)?;
    let past = w.optional(4);
    let lengths = (length(w, 0), length(w, 1));
    if past.is_some()
        && lengths.0 == Some(1)
        && lengths.1.is_some_and(|n| n > 1)
        && w.node.flag("is_causal", false)?
    {
        // ONNX shows the query what came before it, ONNX Runtime (1.32) all keys.
        return Err(w
            .error(
                "is_causal of one query and several new keys behind a past is not what ONNX Runtime computes",
            )
            .help("leave is_causal out and give a mask"));
    }
    if let (Some(key), Some(value)) = (&past, w.optional(5)) {
        let axis = [("axis", Attribute::Int(2))];
        heads.key = w.with("Concat", &[key, &heads.key], &axis);
        heads.value = w.with("Concat", &[&value, &heads.value], &axis);
    }
    w.give(1, &heads.key);
    w.give(2, &heads.value);
    shared_heads(w, &mut heads)?;
    let scale = w.node.float("scale")?;
    let raw = scores(w, &heads, scale);
    let capped = match w.node.float("softcap")?.filter(|&cap| cap > 0.0) {
        None => raw.clone(),
        Some(cap) => {
            let cap = w.like(cap, &raw);
            let ratio = w.op("Div", &[&raw, &cap]);
            let tanh = w.op("Tanh", &[&ratio]);
            w.op("Mul", &[&tanh, &cap])
        }
    };
    let masked = masked(w, &capped, &heads, past.as_deref())?;
    let weights = w.softmax(&masked);
    let y = mixed(w, &weights, &heads);
    w.give(0, &y);
    let shown = match w.node.int("qk_matmul_output_mode")?.unwrap_or(0) {
        0 => raw,
        1 => capped,
        2 => masked,
        _ => weights,
    };
    w.give(3, &shown);
    Ok(())
}

/// The length of the queries or keys that an operand holds, where it is known beforehand.
fn length(w: &Writer<'_>, i: usize) -> Option<usize> {
    let name = w.optional(i)?;
    let (_, dims) = w.shape(&name)?;
    dims.get(dims.len().checked_sub(2)?).copied().flatten()
}

fn split_heads(w: &mut Writer<'_>) -> Result<Heads, ModelError> {
    let (query, key, value) = (w.input(0)?, w.input(1)?, w.input(2)?);
    let (of_query, of_key) = (w.node.int("q_num_heads")?, w.node.int("kv_num_heads")?);
    let (Some(of_query), Some(of_key)) = (of_query, of_key) else {
        return Ok(Heads { query, key, value, flat: false });
    };
    let (query, key) = (split(w, &query, of_query), split(w, &key, of_key));
    let value = split(w, &value, of_key);
    Ok(Heads { query, key, value, flat: true })
}

/// `[batch, length, heads · size]` as `[batch, heads, length, size]`.
pub(super) fn split(w: &mut Writer<'_>, x: &str, heads: i64) -> String {
    let parts = w.reshape(x, &[0, 0, heads, -1]);
    w.transpose(&parts, &[0, 2, 1, 3])
}

/// The values, mixed by the weights, in the form of the operands.
pub(super) fn mixed(w: &mut Writer<'_>, weights: &str, heads: &Heads) -> String {
    let y = w.op("MatMul", &[weights, &heads.value]);
    if !heads.flat {
        return y;
    }
    let turned = w.transpose(&y, &[0, 2, 1, 3]);
    w.reshape(&turned, &[0, 0, -1])
}

/// Where several heads of queries share one of keys, that one is repeated.
fn shared_heads(w: &mut Writer<'_>, heads: &mut Heads) -> Result<(), ModelError> {
    let declared = |w: &Writer<'_>, i: usize| {
        let name = w.optional(i)?;
        let (_, dims) = w.shape(&name)?;
        dims.get(1).copied().flatten().and_then(|n| i64::try_from(n).ok())
    };
    let (of_query, of_key) = match heads.flat {
        true => (w.node.int("q_num_heads")?, w.node.int("kv_num_heads")?),
        false => (declared(w, 0), declared(w, 1)),
    };
    let (Some(of_query), Some(of_key)) = (of_query, of_key) else { return Ok(()) };
    if of_key <= 0 || of_query <= 0 || of_query % of_key != 0 || of_query > 1 << 16 {
        return Err(w.error(format!("{of_query} heads of queries for {of_key} of keys")));
    }
    if of_query != of_key {
        let which: Vec<i64> = (0..of_query).map(|head| head / (of_query / of_key)).collect();
        let which = w.ints(&which);
        let axis = [("axis", Attribute::Int(1))];
        heads.key = w.with("Gather", &[&heads.key, &which], &axis);
        heads.value = w.with("Gather", &[&heads.value, &which], &axis);
    }
    Ok(())
}

/// Size `axis` of a value, a list of one number.
fn size(w: &mut Writer<'_>, x: &str, axis: i64) -> String {
    let shape = w.op("Shape", &[x]);
    let axis = w.ints(&[axis]);
    w.op("Gather", &[&shape, &axis])
}

/// `Q · Kᵀ · scale`, half of the scale (as a factor) on either side. Where there is none it is one over the root of a head's size.
pub(super) fn scores(w: &mut Writer<'_>, heads: &Heads, scale: Option<f64>) -> String {
    let half = match scale {
        Some(scale) => w.like(scale.sqrt(), &heads.query),
        None => {
            let size = size(w, &heads.query, 3);
            let size = w.cast(&size, ElementType::Float32);
            let (root, one) = (w.op("Sqrt", &[&size]), w.number(1.0));
            let scale = w.op("Div", &[&one, &root]);
            let half = w.op("Sqrt", &[&scale]);
            w.op("CastLike", &[&half, &heads.query])
        }
    };
    let query = w.op("Mul", &[&heads.query, &half]);
    let key = w.op("Mul", &[&heads.key, &half]);
    let key = w.transpose(&key, &[0, 1, 3, 2]);
    w.op("MatMul", &[&query, &key])
}

/// The scores with minus infinity where nothing is to be seen, and with the mask's own numbers added.
fn masked(w: &mut Writer<'_>, scores: &str, heads: &Heads, past: Option<&str>) -> Result<String, ModelError> {
    let mut result = scores.to_owned();
    if let Some(mask) = w.optional(3) {
        let element = w.shape(&mask).map(|(element, _)| element);
        result = match element {
            Some(ElementType::Bool) => hidden(w, &result, &mask),
            Some(_) => w.op("Add", &[&result, &mask]),
            None => return Err(w.error("a mask that is computed is not supported")),
        };
    }
    if w.node.flag("is_causal", false)? {
        result = causal(w, &result, heads, past);
    }
    Ok(result)
}

/// The scores with minus infinity for keys behind a query's own place; `past` has the keys before all of them.
pub(super) fn causal(w: &mut Writer<'_>, scores: &str, heads: &Heads, past: Option<&str>) -> String {
    let (rows, columns) = (size(w, &heads.query, 2), size(w, &heads.key, 2));
    let shape = w.with("Concat", &[&rows, &columns], &[("axis", Attribute::Int(0))]);
    let one = Tensor::rounded(ElementType::Float32, vec![1], &[1.0]);
    let ones = w.with("ConstantOfShape", &[&shape], &[("value", Attribute::Tensor(one.into()))]);
    let lower = [("upper", Attribute::Int(0))];
    let seen = match past {
        None => w.with("Trilu", &[&ones], &lower),
        Some(past) => {
            let before = size(w, past, 2);
            let before = w.reshape(&before, &[]);
            w.with("Trilu", &[&ones, &before], &lower)
        }
    };
    let seen = w.cast(&seen, ElementType::Bool);
    hidden(w, scores, &seen)
}

fn hidden(w: &mut Writer<'_>, scores: &str, seen: &str) -> String {
    let (none, all) = (w.like(f64::NEG_INFINITY, scores), w.like(0.0, scores));
    let bias = w.op("Where", &[seen, &all, &none]);
    w.op("Add", &[scores, &bias])
}

/// Pairs of numbers turned by angles whose cosines and sines are given.
fn rotary(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let x = w.input(0)?;
    let flat = match w.node.int("num_heads")?.filter(|&heads| heads > 0) {
        Some(heads) if w.shape(&x).is_none_or(|(_, dims)| dims.len() == 3) => Some(heads),
        _ => None,
    };
    // [batch, length, heads, size]
    let split = match flat {
        Some(heads) => w.reshape(&x, &[0, 0, heads, -1]),
        None => w.transpose(&x, &[0, 2, 1, 3]),
    };
    let turned = w.node.int("rotary_embedding_dim")?.unwrap_or(0);
    let (rotated, rest) = match turned {
        0 => (split.clone(), None),
        n if n > 0 => (w.slice(&split, 3, (0, n), 1), Some(w.slice(&split, 3, (n, i64::MAX), 1))),
        n => return Err(w.error(format!("rotary_embedding_dim {n}"))),
    };
    let angle = |w: &mut Writer<'_>, i: usize| {
        let mut cache = w.input(i)?;
        if let Some(positions) = w.optional(3) {
            cache = w.op("Gather", &[&cache, &positions]);
        }
        Ok::<_, ModelError>(w.unsqueeze(&cache, 2))
    };
    let (cos, sin) = (angle(w, 1)?, angle(w, 2)?);
    let interleaved = w.node.flag("interleaved", false)?;
    let (first, second) = if interleaved {
        (w.slice(&rotated, 3, (0, i64::MAX), 2), w.slice(&rotated, 3, (1, i64::MAX), 2))
    } else {
        let halves = if w.opset < 18 { vec![] } else { vec![("num_outputs", Attribute::Int(2))] };
        let attributes: Vec<_> = [("axis", Attribute::Int(-1))].into_iter().chain(halves).collect();
        let halves = w.results("Split", &[&rotated], &attributes, 2);
        (halves[0].clone(), halves[1].clone())
    };
    let product = |w: &mut Writer<'_>, x: &str, y: &str| w.op("Mul", &[x, y]);
    let (a, b) = (product(w, &cos, &first), product(w, &sin, &second));
    let (c, d) = (product(w, &sin, &first), product(w, &cos, &second));
    let (real, imaginary) = (w.op("Sub", &[&a, &b]), w.op("Add", &[&c, &d]));
    let last = [("axis", Attribute::Int(-1))];
    let mut y = if interleaved {
        let (real, imaginary) = (w.unsqueeze(&real, 4), w.unsqueeze(&imaginary, 4));
        let pairs = w.with("Concat", &[&real, &imaginary], &[("axis", Attribute::Int(4))]);
        let size = w.op("Shape", &[&rotated]);
        w.op("Reshape", &[&pairs, &size])
    } else {
        w.with("Concat", &[&real, &imaginary], &last)
    };
    if let Some(rest) = rest {
        y = w.with("Concat", &[&y, &rest], &last);
    }
    let y = match flat {
        Some(_) => w.reshape(&y, &[0, 0, -1]),
        None => w.transpose(&y, &[0, 2, 1, 3]),
    };
    w.give(0, &y);
    Ok(())
}
