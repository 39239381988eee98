//! Models of `ai.onnx.ml`, as scikit-learn's converter writes them, as far as they are numbers:
//! <https://onnx.ai/onnx/operators/index_ml.html>. Labels that are texts are named, with what to do.

use super::scores::{ClassLabels, SecondScore, along_last, finished, finished_targets, two_columns};
use super::writer::Writer;
use super::{CLASSICAL, Entry};
use crate::onnx::error::ModelError;
use crate::onnx::model::Attribute;
use crate::onnx::tensor::ElementType;

pub(super) const OPERATORS: &[Entry] = &[
    (CLASSICAL, "ArrayFeatureExtractor", |w| {
        let (x, places) = (w.input(0)?, w.input(1)?);
        let places = w.reshape(&places, &[-1]);
        let mut y = w.with("Gather", &[&x, &places], &[("axis", Attribute::Int(-1))]);
        // Of a list it makes one row.
        if w.shape(&x).is_some_and(|(_, dims)| dims.len() == 1) {
            y = w.reshape(&y, &[1, -1]);
        }
        w.give(0, &y);
        Ok(())
    }),
    (CLASSICAL, "LinearClassifier", linear_classifier),
    (CLASSICAL, "LinearRegressor", linear_regressor),
    (CLASSICAL, "Normalizer", normalizer),
    (CLASSICAL, "Scaler", |w| {
        let x = float_input(w)?;
        let (offset, scale) = (numbers(w, "offset")?, numbers(w, "scale")?);
        let (offset, scale) = (w.floats(vec![offset.len()], &offset), w.floats(vec![scale.len()], &scale));
        let moved = w.op("Sub", &[&x, &offset]);
        let y = w.op("Mul", &[&moved, &scale]);
        w.give(0, &y);
        Ok(())
    }),
];

/// The operand as float32.
pub(super) fn float_input(w: &mut Writer<'_>) -> Result<String, ModelError> {
    let x = w.input(0)?;
    Ok(w.cast(&x, ElementType::Float32))
}

/// The same with a row for each point: a list is one.
pub(super) fn points(w: &mut Writer<'_>) -> Result<String, ModelError> {
    let x = float_input(w)?;
    let is_list = w.input(0).ok().and_then(|name| Some(w.shape(&name)?.1.len() == 1)).unwrap_or(false);
    Ok(if is_list { w.reshape(&x, &[1, -1]) } else { x })
}

/// A list of numbers that the node must have.
pub(super) fn numbers(w: &Writer<'_>, name: &str) -> Result<Vec<f64>, ModelError> {
    let list = w.node.floats(name)?.unwrap_or_default();
    if list.is_empty() {
        return Err(w.error(format!("its attribute {name} is missing")));
    }
    Ok(list.iter().map(|&x| x.into()).collect())
}

/// `x · coefficientsᵀ + intercepts`, the coefficients as `[targets, features]`.
fn linear(w: &mut Writer<'_>, targets: usize) -> Result<String, ModelError> {
    let x = points(w)?;
    let coefficients = numbers(w, "coefficients")?;
    if targets == 0 || coefficients.len() % targets != 0 {
        return Err(w.error(format!("{} coefficients for {targets} targets", coefficients.len())));
    }
    let features = coefficients.len() / targets;
    let transposed: Vec<f64> = (0..features)
        .flat_map(|f| (0..targets).map(move |t| (t, f)))
        .map(|(t, f)| coefficients[t * features + f])
        .collect();
    let weights = w.floats(vec![features, targets], &transposed);
    let product = w.op("MatMul", &[&x, &weights]);
    let intercepts = w.node.floats("intercepts")?.unwrap_or_default();
    if intercepts.is_empty() {
        return Ok(product);
    }
    let intercepts: Vec<f64> = intercepts.iter().map(|&x| x.into()).collect();
    let intercepts = w.floats(vec![intercepts.len()], &intercepts);
    Ok(w.op("Add", &[&product, &intercepts]))
}

fn linear_regressor(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let targets = usize::try_from(w.node.int("targets")?.unwrap_or(1)).unwrap_or(0);
    let scores = linear(w, targets)?;
    let y = finished_targets(w, &scores, targets)?;
    w.give(0, &y);
    Ok(())
}

fn linear_classifier(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let intercepts = w.node.floats("intercepts")?.unwrap_or_default().len();
    let labels = ClassLabels::of(w, "classlabels_ints", "classlabels_strings")?;
    let classes = if intercepts == 0 { labels.count } else { intercepts };
    let scores = linear(w, classes)?;
    if classes == 1 && labels.count == 2 {
        // One row of coefficients stands for both classes.
        let both = two_columns(w, &scores, SecondScore::Complement)?;
        w.give(1, &both);
        labels.give_above(w, &scores, 0.0);
        return Ok(());
    }
    if classes != labels.count || classes < 2 {
        return Err(w.error(format!("{} labels for {classes} rows of coefficients", labels.count)));
    }
    // A transform may keep the order, but not between numbers that it makes equal.
    labels.give_best(w, &scores);
    let y = finished(w, &scores)?;
    w.give(1, &y);
    Ok(())
}

/// Each row divided by its norm, or left as it is where that is 0.
fn normalizer(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let x = float_input(w)?;
    let norm = match w.node.string("norm")?.unwrap_or("MAX") {
        // Of the numbers, not of their sizes: so ONNX defines it, unlike scikit-learn.
        "MAX" => along_last(w, "ReduceMax", &x),
        "L1" => {
            let size = w.op("Abs", &[&x]);
            along_last(w, "ReduceSum", &size)
        }
        "L2" => {
            let square = w.op("Mul", &[&x, &x]);
            let total = along_last(w, "ReduceSum", &square);
            w.op("Sqrt", &[&total])
        }
        other => return Err(w.error(format!("the norm {other} is not supported"))),
    };
    let zero = w.number(0.0);
    let one = w.number(1.0);
    let none = w.op("Equal", &[&norm, &zero]);
    let divisor = w.op("Where", &[&none, &one, &norm]);
    let y = w.op("Div", &[&x, &divisor]);
    w.give(0, &y);
    Ok(())
}
