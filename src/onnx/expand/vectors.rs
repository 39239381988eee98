//! Support vector machines of `ai.onnx.ml`: sums of kernels for a regressor, one such sum for each pair of classes for a
//! classifier. Source: <https://onnx.ai/onnx/operators/onnx_aionnxml_SVMClassifier.html>, and ONNX Runtime (1.32) where
//! that is silent: which columns there are, their signs, the class that wins.

use super::classical::{numbers, points};
use super::coupling;
use super::scores::{
    ClassLabels, SecondScore, along_last, contradicted, finished, first_largest, transform, two_columns,
};
use super::writer::Writer;
use super::{CLASSICAL, Entry};
use crate::onnx::error::ModelError;
use crate::onnx::tensor::ElementType;

pub(super) const OPERATORS: &[Entry] =
    &[(CLASSICAL, "SVMClassifier", classifier), (CLASSICAL, "SVMRegressor", regressor)];

/// `Σ coefficient · kernel(support vector, x) + rho`
fn regressor(w: &mut Writer<'_>) -> Result<(), ModelError> {
    if transform(w)? != "NONE" {
        return Err(contradicted(w, "post_transform of this operator"));
    }
    let x = points(w)?;
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
    w.give(0, &scores);
    Ok(())
}

fn classifier(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let labels = ClassLabels::of(w, "classlabels_ints", "classlabels_strings")?;
    let sizes = w.node.ints("vectors_per_class")?.unwrap_or_default().to_vec();
    let sizes: Option<Vec<usize>> = sizes.iter().map(|&size| usize::try_from(size).ok()).collect();
    let sizes = sizes.ok_or_else(|| w.error("its attribute vectors_per_class holds a negative number"))?;
    if sizes.iter().all(|&size| size == 0) {
        return without_vectors(w, &labels);
    }
    let machine = Pairs::of(w, &labels, &sizes)?;
    let scores = machine.scores(w)?;
    let votes = machine.votes(w, &scores);
    let best = first_largest(w, &votes);
    labels.give(w, &best);
    let chances =
        (w.node.floats("prob_a")?.unwrap_or_default(), w.node.floats("prob_b")?.unwrap_or_default());
    let y = if !chances.0.is_empty() {
        let coupled = coupling::probabilities(w, &scores, machine.classes, chances)?;
        finished(w, &coupled)?
    } else if machine.classes > 2 {
        finished(w, &scores)?
    } else if transform(w)? == "NONE" {
        two_columns(w, &scores, SecondScore::Opposite)?
    } else {
        return Err(contradicted(w, "post_transform of the single score of two classes"));
    };
    w.give(1, &y);
    Ok(())
}

/// A linear machine: one row of coefficients a class.
fn without_vectors(w: &mut Writer<'_>, labels: &ClassLabels) -> Result<(), ModelError> {
    let x = points(w)?;
    let (coefficients, rho) = (numbers(w, "coefficients")?, numbers(w, "rho")?);
    let classes = labels.count;
    if classes < 2 || coefficients.len() % classes != 0 {
        return Err(w.error(format!("{} coefficients for {classes} classes", coefficients.len())));
    }
    let features = coefficients.len() / classes;
    let turned = transposed(&coefficients, classes, features);
    let weights = w.floats(vec![features, classes], &turned);
    let products = w.op("MatMul", &[&x, &weights]);
    let rho = w.floats(vec![1], &rho[..1]);
    let scores = w.op("Add", &[&products, &rho]);
    let has_chances = !w.node.floats("prob_a")?.unwrap_or_default().is_empty();
    if classes == 2 && !has_chances {
        // Of two classes the second wins where either score is high.
        let largest = along_last(w, "ReduceMax", &scores);
        let positive = coefficients.iter().all(|&c| c >= 0.0);
        let bound = w.number(if positive { 0.5 } else { 0.0 });
        let is_high = w.op(if positive { "GreaterOrEqual" } else { "Greater" }, &[&largest, &bound]);
        let is_high = w.cast(&is_high, ElementType::Int64);
        let is_high = w.reshape(&is_high, &[-1]);
        let best = first_largest(w, &scores);
        let position = w.op("Max", &[&is_high, &best]);
        labels.give(w, &position);
    } else {
        labels.give_best(w, &scores);
    }
    let y = finished(w, &scores)?;
    w.give(1, &y);
    Ok(())
}

/// `[rows, columns]` as `[columns, rows]`.
fn transposed(numbers: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    (0..columns).flat_map(|c| (0..rows).map(move |r| numbers[r * columns + c])).collect()
}

/// A classifier that compares each class with each other one.
struct Pairs {
    classes: usize,
    /// Support vectors of each class.
    sizes: Vec<usize>,
    /// `[classes − 1, support vectors]`: of a vector of class `i`, its coefficient against class `j` is in row `j` if `j < i`,
    /// else in row `j − 1`.
    coefficients: Vec<f64>,
    vectors: Vec<f64>,
    rho: Vec<f64>,
}

impl Pairs {
    fn of(w: &Writer<'_>, labels: &ClassLabels, sizes: &[usize]) -> Result<Self, ModelError> {
        let (coefficients, rho) = (numbers(w, "coefficients")?, numbers(w, "rho")?);
        let vectors = numbers(w, "support_vectors")?;
        let classes = labels.count;
        let total = sizes.iter().try_fold(0_usize, |sum, &size| sum.checked_add(size)).unwrap_or(usize::MAX);
        let fits = classes >= 2
            && sizes.len() == classes
            && vectors.len().checked_rem(total) == Some(0)
            && total.checked_mul(classes - 1) == Some(coefficients.len())
            && rho.len() >= classes * (classes - 1) / 2;
        if !fits {
            return Err(
                w.error(format!("its lists do not fit {classes} classes and {total} support vectors"))
            );
        }
        Ok(Self { classes, sizes: sizes.to_vec(), coefficients, vectors, rho })
    }

    /// Pairs of classes, in the order of the scores.
    fn pairs(&self) -> Vec<(usize, usize)> {
        (0..self.classes).flat_map(|i| (i + 1..self.classes).map(move |j| (i, j))).collect()
    }

    /// Numbers `[points, pairs]`.
    fn scores(&self, w: &mut Writer<'_>) -> Result<String, ModelError> {
        let (total, pairs) = (self.sizes.iter().sum::<usize>(), self.pairs());
        let x = points(w)?;
        let values = kernel(w, &x, &self.vectors, total)?;
        let starts: Vec<usize> = (0..self.classes).map(|i| self.sizes[..i].iter().sum()).collect();
        let mut matrix = vec![0.0; total * pairs.len()];
        for (at, &(i, j)) in pairs.iter().enumerate() {
            for (class, row) in [(i, j - 1), (j, i)] {
                for vector in starts[class]..starts[class] + self.sizes[class] {
                    matrix[vector * pairs.len() + at] = self.coefficients[row * total + vector];
                }
            }
        }
        let matrix = w.floats(vec![total, pairs.len()], &matrix);
        let sums = w.op("MatMul", &[&values, &matrix]);
        let rho = w.floats(vec![pairs.len()], &self.rho[..pairs.len()]);
        Ok(w.op("Add", &[&sums, &rho]))
    }

    /// How many pairs each class wins, `[points, classes]`.
    fn votes(&self, w: &mut Writer<'_>, scores: &str) -> String {
        let pairs = self.pairs();
        let (mut matrix, mut otherwise) = (vec![0.0; pairs.len() * self.classes], vec![0.0; self.classes]);
        for (at, &(i, j)) in pairs.iter().enumerate() {
            matrix[at * self.classes + i] = 1.0;
            matrix[at * self.classes + j] = -1.0;
            otherwise[j] += 1.0;
        }
        let zero = w.number(0.0);
        let won = w.op("Greater", &[scores, &zero]);
        let won = w.cast(&won, ElementType::Float32);
        let matrix = w.floats(vec![pairs.len(), self.classes], &matrix);
        let otherwise = w.floats(vec![self.classes], &otherwise);
        let sums = w.op("MatMul", &[&won, &matrix]);
        w.op("Add", &[&sums, &otherwise])
    }
}

/// Values `[points, support vectors]`.
fn kernel(w: &mut Writer<'_>, x: &str, vectors: &[f64], supports: usize) -> Result<String, ModelError> {
    let features = vectors.len() / supports;
    let parameters = w.node.floats("kernel_params")?.unwrap_or_default();
    let parameter = |i: usize| parameters.get(i).map_or(0.0, |&x| f64::from(x));
    let (gamma, offset, degree) = (parameter(0), parameter(1), parameter(2));
    let name = w.node.string("kernel_type")?.unwrap_or("LINEAR").to_owned();
    if name == "RBF" {
        let column = w.unsqueeze(x, 1);
        let vectors = w.floats(vec![supports, features], vectors);
        let difference = w.op("Sub", &[&column, &vectors]);
        let square = w.op("Mul", &[&difference, &difference]);
        let ones = w.floats(vec![features, 1], &vec![1.0; features]);
        let distance = w.op("MatMul", &[&square, &ones]);
        let distance = w.reshape(&distance, &[-1, supports as i64]);
        let factor = w.number(-gamma);
        let scaled = w.op("Mul", &[&distance, &factor]);
        return Ok(w.op("Exp", &[&scaled]));
    }
    let turned = transposed(vectors, supports, features);
    let vectors = w.floats(vec![features, supports], &turned);
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
        other => Err(w.error(format!("the kernel {other} does not exist"))),
    }
}
