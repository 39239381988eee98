//! `Einsum`: a sum over all labels that the result does not have, exactly as the equation says.

use std::collections::BTreeMap;

use ndarray::{ArrayViewD, ShapeBuilder};

use super::super::array::{self, floats, listed, same_element, view};
use super::super::call::{Call, Results};
use super::Entry;
use crate::onnx::Tensor;

pub(super) const OPERATORS: &[Entry] = &[("Einsum", einsum)];

/// A label: a letter, or the number of a dimension (from the right) that an ellipsis stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Ellipsis(usize),
    Letter(char),
}

fn einsum(call: &Call<'_>) -> Results {
    let operands = call.all_inputs()?;
    let element = same_element(&operands)?;
    let equation: String = call.string("equation", "")?.chars().filter(|c| !c.is_whitespace()).collect();
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (equation.as_str(), None),
    };
    let terms: Vec<&str> = left.split(',').collect();
    if terms.len() != operands.len() {
        return Err(format!(
            "its equation {equation:?} has {} terms for {} operands",
            terms.len(),
            operands.len()
        ));
    }
    let labels: Vec<Vec<Label>> =
        terms.iter().zip(&operands).map(|(t, o)| labels(t, o.shape.len())).collect::<Result<_, _>>()?;
    let sizes = sizes(&labels, &operands)?;
    let kept = match right {
        Some(text) => {
            let dots = sizes.keys().filter(|l| matches!(l, Label::Ellipsis(_))).count();
            labels_of_result(text, dots)?
        }
        None => implied_result(&labels),
    };
    if kept.iter().any(|l| !sizes.contains_key(l)) {
        return Err(format!("its equation {equation:?} has a label in the result that no operand has"));
    }
    let shape = kept.iter().map(|l| sizes[l]).collect();
    if !element.is_float() {
        let values: Vec<&[i64]> = operands.iter().map(|o| array::integers(o)).collect::<Result<_, _>>()?;
        let sums = contract(
            &operands,
            &values,
            (0, 1),
            (i64::wrapping_add, i64::wrapping_mul),
            (&labels, &kept, &sizes),
        )?;
        return Ok(vec![call.store_integers(element, shape, sums)]);
    }
    let values: Vec<_> = operands.iter().map(|o| floats(o)).collect();
    let values: Vec<&[f64]> = values.iter().map(AsRef::as_ref).collect();
    let values =
        contract(&operands, &values, (0.0, 1.0), (|a, b| a + b, |a, b| a * b), (&labels, &kept, &sizes))?;
    Ok(vec![call.store(element, shape, values)])
}

/// The labels of an operand with `rank` dimensions.
fn labels(term: &str, rank: usize) -> Result<Vec<Label>, String> {
    let letters = term.chars().filter(|c| *c != '.').count();
    let dots = rank.checked_sub(letters).ok_or_else(|| format!("the term {term:?} for {rank} dimensions"))?;
    if !term.contains("...") && dots > 0 {
        return Err(format!("the term {term:?} for {rank} dimensions"));
    }
    labels_of_result(term, dots)
}

fn labels_of_result(term: &str, dots: usize) -> Result<Vec<Label>, String> {
    let (before, after) = term.split_once("...").unwrap_or((term, ""));
    if before.contains('.')
        || after.contains('.')
        || !term.chars().all(|c| c == '.' || c.is_ascii_alphabetic())
    {
        return Err(format!("the term {term:?} of its equation is not understood"));
    }
    let middle = (0..if term.contains("...") { dots } else { 0 }).rev().map(Label::Ellipsis);
    Ok(before.chars().map(Label::Letter).chain(middle).chain(after.chars().map(Label::Letter)).collect())
}

/// Without `->`: the ellipsis, then the letters that occur once, in alphabetical order.
fn implied_result(labels: &[Vec<Label>]) -> Vec<Label> {
    let mut counts: BTreeMap<Label, usize> = BTreeMap::new();
    labels.iter().flatten().for_each(|l| *counts.entry(*l).or_default() += 1);
    let dots = counts.keys().rev().filter(|l| matches!(l, Label::Ellipsis(_))).copied();
    let letters = counts.iter().filter(|(l, n)| matches!(l, Label::Letter(_)) && **n == 1).map(|(l, _)| *l);
    dots.chain(letters).collect()
}

fn sizes(labels: &[Vec<Label>], operands: &[&Tensor]) -> Result<BTreeMap<Label, usize>, String> {
    let mut sizes = BTreeMap::new();
    for (labels, operand) in labels.iter().zip(operands) {
        for (&label, &size) in labels.iter().zip(&operand.shape) {
            let known = sizes.entry(label).or_insert(size);
            if *known == 1 {
                *known = size;
            } else if size != 1 && size != *known {
                return Err(format!("label {label:?} stands for {known} and for {size}"));
            }
        }
    }
    Ok(sizes)
}

/// What makes one number of two.
type Operation<T> = fn(T, T) -> T;

/// Sums of products of `values`, which belong to `operands`, with what is neutral in a sum and in a product, and both.
fn contract<T: Copy>(
    operands: &[&Tensor],
    values: &[&[T]],
    (zero, one): (T, T),
    (add, multiply): (Operation<T>, Operation<T>),
    (labels, kept, sizes): (&[Vec<Label>], &[Label], &BTreeMap<Label, usize>),
) -> Result<Vec<T>, String> {
    let summed: Vec<Label> = sizes.keys().filter(|l| !kept.contains(l)).copied().collect();
    let shape = |labels: &[Label]| labels.iter().map(|l| sizes[l]).collect::<Vec<_>>();
    let (results, count) = (array::len(&shape(kept))?, array::len(&shape(&summed))?);
    // For each operand, how far it is to where the labels of a result, or those that are summed, stand.
    let (mut starts, mut steps) = (Vec::new(), Vec::new());
    for ((operand, own), values) in operands.iter().zip(labels).zip(values) {
        let numbers: Vec<usize> = (0..values.len()).collect();
        let strides = view(&operand.shape, values)?.strides().iter().map(|&s| s as usize).collect::<Vec<_>>();
        // A label that the operand has twice walks its diagonal: both strides add up. One that it has not stays where it is.
        let step = |d: usize| if operand.shape[d] == 1 { 0 } else { strides[d] };
        let stride = |label: &Label| (0..own.len()).filter(|&d| own[d] == *label).map(step).sum::<usize>();
        let places = |labels: &[Label]| {
            let walk = shape(labels).strides(labels.iter().map(stride).collect());
            ArrayViewD::from_shape(walk, &numbers).map(listed).map_err(|e| e.to_string())
        };
        starts.push(places(kept)?);
        steps.push(places(&summed)?);
    }
    let term = |o: usize, i: usize| (0..values.len()).map(move |k| (k, o, i));
    let factor = |(k, o, i): (usize, usize, usize)| values[k][starts[k][o] + steps[k][i]];
    let sum = |o: usize| (0..count).fold(zero, |sum, i| add(sum, term(o, i).map(factor).fold(one, multiply)));
    Ok((0..results).map(sum).collect())
}
