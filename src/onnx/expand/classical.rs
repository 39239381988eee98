//! Models of `ai.onnx.ml`, as scikit-learn's converter writes them, as far as they are numbers:
//! <https://onnx.ai/onnx/operators/index_ml.html>. Labels that are texts are named, with what to do.

use super::writer::Writer;
use super::{CLASSICAL, Entry};
use crate::onnx::error::ModelError;
use crate::onnx::model::Attribute;
use crate::onnx::tensor::{ElementType, Tensor};

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
    (CLASSICAL, "SVMRegressor", support_vectors),
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

/// A list of numbers that the node must have.
pub(super) fn numbers(w: &Writer<'_>, name: &str) -> Result<Vec<f64>, ModelError> {
    let list = w.node.floats(name)?.unwrap_or_default();
    if list.is_empty() {
        return Err(w.error(format!("its attribute {name} is missing")));
    }
    Ok(list.iter().map(|&x| x.into()).collect())
}

/// What is done with the numbers at the end.
pub(super) fn finished(w: &mut Writer<'_>, scores: &str) -> Result<String, ModelError> {
    Ok(match w.node.string("post_transform")?.unwrap_or("NONE") {
        "NONE" => scores.to_owned(),
        "SOFTMAX" => w.softmax(scores),
        "LOGISTIC" => w.op("Sigmoid", &[scores]),
        other => return Err(w.error(format!("post_transform {other} is not supported"))),
    })
}

/// `x · coefficientsᵀ + intercepts`, the coefficients as `[targets, features]`.
fn linear(w: &mut Writer<'_>, targets: usize) -> Result<String, ModelError> {
    let x = float_input(w)?;
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
    let y = finished(w, &scores)?;
    w.give(0, &y);
    Ok(())
}

fn linear_classifier(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let intercepts = w.node.floats("intercepts")?.unwrap_or_default().len();
    let labels = w.node.ints("classlabels_ints")?.map(<[i64]>::to_vec);
    let texts = w.node.attributes.contains_key("classlabels_strings");
    let classes = match (&labels, intercepts) {
        (Some(labels), 0) => labels.len(),
        (_, count) => count,
    };
    let scores = linear(w, classes)?;
    // Scores of a binary classifier with one row stand for both classes.
    let scores = if classes == 1 { both_classes(w, &scores)? } else { finished(w, &scores)? };
    w.give(1, &scores);
    if w.wants(0) {
        give_labels(w, &scores, labels, texts)?;
    }
    Ok(())
}

/// The score of the second class with its counterpart in front.
fn both_classes(w: &mut Writer<'_>, score: &str) -> Result<String, ModelError> {
    let (second, first) = match w.node.string("post_transform")?.unwrap_or("NONE") {
        "LOGISTIC" => {
            let second = w.op("Sigmoid", &[score]);
            let one = w.number(1.0);
            let first = w.op("Sub", &[&one, &second]);
            (second, first)
        }
        "NONE" => (score.to_owned(), w.op("Neg", &[score])),
        other => return Err(w.error(format!("post_transform {other} of a single score is not supported"))),
    };
    Ok(w.with("Concat", &[&first, &second], &[("axis", Attribute::Int(1))]))
}

/// The label of the largest score.
pub(super) fn give_labels(
    w: &mut Writer<'_>,
    scores: &str,
    labels: Option<Vec<i64>>,
    texts: bool,
) -> Result<(), ModelError> {
    let Some(labels) = labels.filter(|_| !texts) else {
        // Nobody may want them; whoever does is told by the reader of the value, which holds texts.
        return Ok(());
    };
    let labels = w.constant(Tensor::int64(labels));
    let best = w.with("ArgMax", &[scores], &[("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(0))]);
    let chosen = w.op("Gather", &[&labels, &best]);
    w.give(0, &chosen);
    Ok(())
}

/// Each row divided by its norm, or left as it is where that is 0.
fn normalizer(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let x = float_input(w)?;
    let sum = |w: &mut Writer<'_>, operator: &str, x: &str| {
        if w.opset < 18 && !(operator == "ReduceSum" && w.opset >= 13) {
            return w.with(operator, &[x], &[("axes", Attribute::Ints(vec![-1]))]);
        }
        let axes = w.ints(&[-1]);
        w.op(operator, &[x, &axes])
    };
    let norm = match w.node.string("norm")?.unwrap_or("MAX") {
        // Of the numbers, not of their sizes: so ONNX defines it, unlike scikit-learn.
        "MAX" => sum(w, "ReduceMax", &x),
        "L1" => {
            let size = w.op("Abs", &[&x]);
            sum(w, "ReduceSum", &size)
        }
        "L2" => {
            let square = w.op("Mul", &[&x, &x]);
            let total = sum(w, "ReduceSum", &square);
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

/// `Σ coefficient · kernel(support vector, x) + rho`
fn support_vectors(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let x = float_input(w)?;
    let (coefficients, rho) = (numbers(w, "coefficients")?, numbers(w, "rho")?);
    let supports = usize::try_from(w.node.int("n_supports")?.unwrap_or(0)).unwrap_or(0);
    let products = if supports == 0 {
        let weights = w.floats(vec![coefficients.len(), 1], &coefficients);
        w.op("MatMul", &[&x, &weights])
    } else {
        let vectors = numbers(w, "support_vectors")?;
        if coefficients.len() != supports || vectors.len() % supports != 0 {
            return Err(
                w.error(format!("{} coefficients for {supports} support vectors", coefficients.len()))
            );
        }
        let values = kernel(w, &x, &vectors, supports)?;
        let weights = w.floats(vec![supports, 1], &coefficients);
        w.op("MatMul", &[&values, &weights])
    };
    let rho = w.floats(vec![1], &rho[..1]);
    let mut scores = w.op("Add", &[&products, &rho]);
    if w.node.flag("one_class", false)? {
        let (zero, one, minus) = (w.number(0.0), w.number(1.0), w.number(-1.0));
        let inside = w.op("Greater", &[&scores, &zero]);
        scores = w.op("Where", &[&inside, &one, &minus]);
    }
    let y = finished(w, &scores)?;
    w.give(0, &y);
    Ok(())
}

/// Values `[points, support vectors]`.
fn kernel(w: &mut Writer<'_>, x: &str, vectors: &[f64], supports: usize) -> Result<String, ModelError> {
    let features = vectors.len() / supports;
    let parameters = w.node.floats("kernel_params")?.unwrap_or_default();
    let parameter = |i: usize| parameters.get(i).map_or(0.0, |&x| f64::from(x));
    let (gamma, offset, degree) = (parameter(0), parameter(1), parameter(2));
    let name = w.node.string("kernel_type")?.unwrap_or("LINEAR").to_owned();
    if name == "RBF" {
        let points = w.unsqueeze(x, 1);
        let vectors = w.floats(vec![supports, features], vectors);
        let difference = w.op("Sub", &[&points, &vectors]);
        let square = w.op("Mul", &[&difference, &difference]);
        let ones = w.floats(vec![features, 1], &vec![1.0; features]);
        let distance = w.op("MatMul", &[&square, &ones]);
        let distance = w.reshape(&distance, &[-1, supports as i64]);
        let factor = w.number(-gamma);
        let scaled = w.op("Mul", &[&distance, &factor]);
        return Ok(w.op("Exp", &[&scaled]));
    }
    let transposed: Vec<f64> =
        (0..features).flat_map(|f| (0..supports).map(move |s| vectors[s * features + f])).collect();
    let vectors = w.floats(vec![features, supports], &transposed);
    let product = w.op("MatMul", &[x, &vectors]);
    if name == "LINEAR" {
        return Ok(product);
    }
    let (factor, offset) = (w.number(gamma), w.number(offset));
    let scaled = w.op("Mul", &[&product, &factor]);
    let moved = w.op("Add", &[&scaled, &offset]);
    match name.as_str() {
        "POLY" => {
            let degree = w.number(degree);
            Ok(w.op("Pow", &[&moved, &degree]))
        }
        "SIGMOID" => Ok(w.op("Tanh", &[&moved])),
        other => Err(w.error(format!("the kernel {other} is not supported"))),
    }
}
