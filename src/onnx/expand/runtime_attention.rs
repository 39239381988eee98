//! Attention as ONNX Runtime's optimiser and quantiser write it: one matrix for queries, keys and values, in floats or in bytes, and
//! several heads over operands of their own.
//! Source: `Attention`, `QAttention` and `MultiHeadAttention` in `docs/ContribOperators.md` of ONNX Runtime.

use super::attention::{Heads, causal, mixed, scores, split};
use super::quantized::scaled_sums;
use super::writer::Writer;
use super::{Entry, MICROSOFT};
use crate::onnx::error::ModelError;

pub(super) const OPERATORS: &[Entry] = &[
    (MICROSOFT, "Attention", |w| {
        refuse(w, &[(3, "a mask of keys"), (4, "a past"), (6, "a length of the past")])?;
        let (x, matrix) = (w.input(0)?, w.input(1)?);
        let product = w.op("MatMul", &[&x, &matrix]);
        of_one_matrix(w, product, w.optional(2), w.optional(5))
    }),
    (MICROSOFT, "QAttention", |w| {
        refuse(w, &[(5, "a mask of keys"), (8, "a past")])?;
        let product = scaled_sums(w, [0, 1], [3, 4], [6, 7])?;
        of_one_matrix(w, product, w.optional(2), None)
    }),
    (MICROSOFT, "MultiHeadAttention", |w| {
        refuse(w, &[(4, "a mask of keys"), (6, "a past"), (7, "a past"), (8, "a length of the past")])?;
        let mut parts = [w.input(0)?, w.input(1)?, w.input(2)?];
        let length =
            |name: &String| w.shape(name).filter(|(_, dims)| dims.len() == 3).and_then(|(_, dims)| dims[1]);
        if w.node.flag("unidirectional", false)?
            && let (Some(queries), Some(keys)) = (length(&parts[0]), length(&parts[1]))
            && queries != keys
        {
            // Its kernel (1.32) takes the two for equal and shows the last query all keys.
            return Err(w
                .error(format!("unidirectional of {queries} queries and {keys} keys has no one meaning"))
                .help("give a mask instead"));
        }
        if let Some(bias) = w.optional(3) {
            let ends = ends(w, &bias)?;
            for (part, end) in parts.iter_mut().zip(ends) {
                let share = w.slice(&bias, 0, end, 1);
                *part = w.op("Add", &[part, &share]);
            }
        }
        attend(w, parts, w.optional(5))
    }),
];

/// Operands that change the meaning and are not known here.
fn refuse(w: &Writer<'_>, operands: &[(usize, &str)]) -> Result<(), ModelError> {
    if w.node.flag("do_rotary", false)? {
        return Err(w.error("rotary embeddings inside are not supported"));
    }
    let help =
        "use the model from before ONNX Runtime's transformer optimiser fused it: its single nodes are read";
    match operands.iter().find(|&&(i, _)| w.optional(i).is_some()) {
        Some((_, what)) => Err(w.error(format!("{what} is not supported")).help(help)),
        None if w.wants(1) => Err(w.error("its second result is not supported").help(help)),
        None => Ok(()),
    }
}

/// From the product with a matrix that has the queries' columns first, then those of keys and of values.
fn of_one_matrix(
    w: &mut Writer<'_>,
    mut product: String,
    bias: Option<String>,
    added: Option<String>,
) -> Result<(), ModelError> {
    let matrix = w.input(1)?;
    let ends = ends(w, &matrix)?;
    if let Some(bias) = bias {
        product = w.op("Add", &[&product, &bias]);
    }
    let parts = ends.map(|end| w.slice(&product, 2, end, 1));
    attend(w, parts, added)
}

/// Where the columns of queries, keys and values begin and end: thirds of a constant's last axis, unless it says otherwise.
fn ends(w: &Writer<'_>, constant: &str) -> Result<[(i64, i64); 3], ModelError> {
    let [query, key, value] = match w.node.ints("qkv_hidden_sizes")? {
        Some(&[query, key, value]) => [query, key, value],
        Some(_) => return Err(w.error("its attribute qkv_hidden_sizes has not three numbers")),
        None => {
            let width = w.shape(constant).and_then(|(_, dims)| dims.last().copied().flatten());
            let third = width.filter(|n| n % 3 == 0).and_then(|n| i64::try_from(n / 3).ok());
            [third.ok_or_else(|| w.error("a matrix that is computed is not supported"))?; 3]
        }
    };
    Ok([(0, query), (query, query + key), (query + key, query + key + value)])
}

/// Queries, keys and values of shape `[batch, length, heads · size]`; `added` goes to the scores.
fn attend(w: &mut Writer<'_>, parts: [String; 3], added: Option<String>) -> Result<(), ModelError> {
    let heads = w.node.int("num_heads")?.filter(|&n| n > 0 && n < 1 << 16);
    let heads = heads.ok_or_else(|| w.error("its attribute num_heads is missing"))?;
    let [query, key, value] = parts.map(|part| split(w, &part, heads));
    let heads = Heads { query, key, value, flat: true };
    let scale = w.node.float("scale")?.filter(|&scale| scale != 0.0);
    let mut scores = scores(w, &heads, scale);
    if w.node.flag("unidirectional", false)? {
        scores = causal(w, &scores, &heads, None);
    }
    if let Some(added) = added {
        scores = w.op("Add", &[&scores, &added]);
    }
    let weights = w.softmax(&scores);
    let y = mixed(w, &weights, &heads);
    w.give(0, &y);
    Ok(())
}
