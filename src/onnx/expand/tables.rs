//! Operators of `ai.onnx.ml` that look values up, replace them or put them together, as far as they are numbers:
//! <https://onnx.ai/onnx/operators/index_ml.html>. Texts and maps have no numbers that a property could speak of: what has
//! them is refused where it is needed, with what to do.

use super::classical::{float_input, numbers};
use super::writer::Writer;
use super::{CLASSICAL, Entry};
use crate::onnx::error::ModelError;
use crate::onnx::model::Attribute;
use crate::onnx::tensor::{ElementType, Tensor};

pub(super) const OPERATORS: &[Entry] = &[
    (CLASSICAL, "Binarizer", |w| {
        let x = float_input(w)?;
        let threshold = w.number(w.node.float("threshold")?.unwrap_or(0.0));
        let above = w.op("Greater", &[&x, &threshold]);
        let y = w.cast(&above, ElementType::Float32);
        w.give(0, &y);
        Ok(())
    }),
    (CLASSICAL, "CastMap", |w| Err(of_maps(w))),
    (CLASSICAL, "CategoryMapper", |w| Err(of_texts(w))),
    (CLASSICAL, "DictVectorizer", |w| Err(of_maps(w))),
    (CLASSICAL, "FeatureVectorizer", vectorizer),
    (CLASSICAL, "Imputer", imputer),
    (CLASSICAL, "LabelEncoder", label_encoder),
    (CLASSICAL, "OneHotEncoder", one_hot),
    // The numbers of its maps are those of its operand, in the order of the labels.
    (CLASSICAL, "ZipMap", |w| {
        let x = w.input(0)?;
        w.give(0, &x);
        w.keep_labels();
        Ok(())
    }),
];

fn of_texts(w: &Writer<'_>) -> ModelError {
    w.error("it maps texts, and a property speaks of numbers").help(
        "cut the model at the numbers behind it, or in front of it where it makes labels, with onnx.utils.extract_model",
    )
}

fn of_maps(w: &Writer<'_>) -> ModelError {
    w.error("it takes a map, and a property speaks of numbers")
        .help("cut the model at the numbers behind it with onnx.utils.extract_model")
}

/// All operands side by side.
fn vectorizer(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let widths = w.node.ints("inputdimensions")?.unwrap_or_default().to_vec();
    let count = w.node.inputs.len();
    if widths.len() != count || count == 0 {
        return Err(w.error(format!("its attribute inputdimensions does not have {count} entries")));
    }
    let mut parts = Vec::with_capacity(count);
    for (i, width) in widths.into_iter().enumerate() {
        let name = w.input(i)?;
        let known = w.shape(&name).and_then(|(_, dims)| *dims.last()?);
        if known.is_some_and(|own| i64::try_from(own) != Ok(width)) {
            return Err(w.error(format!("its operand {i} does not have the {width} numbers that it says")));
        }
        let x = w.cast(&name, ElementType::Float32);
        parts.push(w.reshape(&x, &[-1, width]));
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let y = w.with("Concat", &parts, &[("axis", Attribute::Int(1))]);
    w.give(0, &y);
    Ok(())
}

/// Another value in the place of one.
fn imputer(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let x = w.input(0)?;
    let integers = w.node.ints("imputed_value_int64s")?.unwrap_or_default();
    let (new, old) = if integers.is_empty() {
        let new = numbers(w, "imputed_value_floats")?;
        let old = w.node.float("replaced_value_float")?.unwrap_or(0.0);
        if old.is_nan() {
            // No input of a property is NaN.
            w.give(0, &x);
            return Ok(());
        }
        (w.floats(vec![new.len()], &new), w.number(old))
    } else {
        let old =
            Tensor { shape: vec![], ..Tensor::int64(vec![w.node.int("replaced_value_int64")?.unwrap_or(0)]) };
        (w.ints(integers), w.constant(old))
    };
    let replaced = w.op("Equal", &[&x, &old]);
    let y = w.op("Where", &[&replaced, &new, &x]);
    w.give(0, &y);
    Ok(())
}

/// Where a value stands in a list of others, as truths of shape `[.., list]`.
fn places(w: &mut Writer<'_>, x: &str, list: &str) -> String {
    let column = w.unsqueeze(x, -1);
    w.op("Equal", &[&column, list])
}

/// For each value 1 at its category; at a value of none nothing, or no result at all.
fn one_hot(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let categories = w.node.ints("cats_int64s")?.unwrap_or_default().to_vec();
    if categories.is_empty() {
        return Err(of_texts(w));
    }
    let x = w.input(0)?;
    let x = w.cast(&x, ElementType::Int64);
    let count = categories.len();
    let list = w.ints(&categories);
    let found = places(w, &x, &list);
    let mut y = w.cast(&found, ElementType::Float32);
    if !w.node.flag("zeros", true)? {
        // A value of no category has a row that is not there.
        let best = w.with("ArgMax", &[&y], &[("axis", Attribute::Int(-1)), ("keepdims", Attribute::Int(0))]);
        let row = or_else(w, &y, &best, |w| {
            w.constant(Tensor { shape: vec![], ..Tensor::int64(vec![count as i64]) })
        });
        let unit: Vec<f64> =
            (0..count * count).map(|at| f64::from(u8::from(at % (count + 1) == 0))).collect();
        let rows = w.floats(vec![count, count], &unit);
        y = w.op("Gather", &[&rows, &row]);
    }
    w.give(0, &y);
    Ok(())
}

/// A value where any of the numbers along the last axis is 1, else another one.
fn or_else(
    w: &mut Writer<'_>,
    found: &str,
    value: &str,
    otherwise: impl FnOnce(&mut Writer<'_>) -> String,
) -> String {
    let most = if w.opset < 18 {
        let axes = Attribute::Ints(vec![-1]);
        w.with("ReduceMax", &[found], &[("axes", axes), ("keepdims", Attribute::Int(0))])
    } else {
        let axes = w.ints(&[-1]);
        w.with("ReduceMax", &[found, &axes], &[("keepdims", Attribute::Int(0))])
    };
    let half = w.number(0.5);
    let is_found = w.op("Greater", &[&most, &half]);
    let otherwise = otherwise(w);
    w.op("Where", &[&is_found, value, &otherwise])
}

/// A list of an attribute in one of its three forms, as a tensor; `None` where it is of texts or missing.
fn table(w: &Writer<'_>, stem: &str) -> Result<Option<Tensor>, ModelError> {
    if let Some(tensor) = w.node.tensor(&format!("{stem}_tensor"))? {
        return Ok(Some(Tensor { shape: vec![tensor.len()], ..tensor.as_ref().clone().into_dense() }));
    }
    if let Some(list) = w.node.ints(&format!("{stem}_int64s"))?.filter(|list| !list.is_empty()) {
        return Ok(Some(Tensor::int64(list.to_vec())));
    }
    let list = w.node.floats(&format!("{stem}_floats"))?.unwrap_or_default();
    let list: Vec<f64> = list.iter().map(|&x| x.into()).collect();
    Ok((!list.is_empty()).then(|| Tensor::rounded(ElementType::Float32, vec![list.len()], &list)))
}

/// The value of the first key that is equal.
fn label_encoder(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let (Some(keys), Some(values)) = (table(w, "keys")?, table(w, "values")?) else {
        return Err(of_texts(w));
    };
    if keys.len() != values.len() {
        return Err(w.error(format!("{} keys for {} values", keys.len(), values.len())));
    }
    let element = values.element;
    let default = match w.node.tensor("default_tensor")? {
        Some(tensor) => Tensor { shape: vec![], ..tensor.as_ref().clone().into_dense() },
        None if element.is_float() => {
            Tensor::rounded(element, vec![], &[w.node.float("default_float")?.unwrap_or(-0.0)])
        }
        None => Tensor { shape: vec![], ..Tensor::int64(vec![w.node.int("default_int64")?.unwrap_or(-1)]) },
    };
    if default.len() != 1 || default.element != element {
        return Err(w.error("its default value is not one of the type of its values"));
    }
    let x = w.input(0)?;
    let (keys, values) = (w.constant(keys), w.constant(values));
    let found = places(w, &x, &keys);
    let found = w.cast(&found, ElementType::Float32);
    let first = w.with("ArgMax", &[&found], &[("axis", Attribute::Int(-1)), ("keepdims", Attribute::Int(0))]);
    let value = w.op("Gather", &[&values, &first]);
    let y = or_else(w, &found, &value, |w| w.constant(default));
    w.give(0, &y);
    Ok(())
}
