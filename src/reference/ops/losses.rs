//! Losses, as numbers: what a graph of training ends with, computed at one input. Nothing is trained here.

use ndarray::{Array3, Axis};

use super::super::array::{self, around, floats};
use super::super::call::{Call, Results};
use super::Entry;
use super::reduce::log_sum_exp;
use crate::onnx::Tensor;

pub(super) const OPERATORS: &[Entry] =
    &[("NegativeLogLikelihoodLoss", likelihood), ("SoftmaxCrossEntropyLoss", cross_entropy)];

/// `−w · log p` of the class that is right, for logarithms of probabilities.
fn likelihood(call: &Call<'_>) -> Results {
    let logarithms = by_class(call.input(0)?)?;
    loss(call, &logarithms).map(|loss| vec![loss])
}

/// The values of a tensor as an array in whose middle the classes are.
fn by_class(tensor: &Tensor) -> Result<Array3<f64>, String> {
    let seen = around(&tensor.shape, array::axis(1, tensor.shape.len())?);
    Array3::from_shape_vec(seen, floats(tensor).into_owned()).map_err(|e| e.to_string())
}

/// The same for scores, and the logarithms of their shares.
fn cross_entropy(call: &Call<'_>) -> Results {
    let scores = call.input(0)?;
    let mut logarithms = by_class(scores)?;
    for mut lane in logarithms.lanes_mut(Axis(1)) {
        let total = log_sum_exp(&lane.to_vec());
        lane.iter_mut().for_each(|x| *x -= total);
    }
    let loss = loss(call, &logarithms)?;
    Ok(vec![loss, call.store(scores.element, scores.shape.clone(), array::listed(logarithms))])
}

/// Operand 1 has the right classes, operand 2 a weight for each class; places of the ignored class count nothing.
fn loss(call: &Call<'_>, logarithms: &Array3<f64>) -> Result<Tensor, String> {
    let (scores, targets) = (call.input(0)?, call.input(1)?);
    let (outer, classes, inner) = logarithms.dim();
    let right = array::integers(targets)?;
    let weights = call.optional(2).map_or_else(|| vec![1.0; classes], |weights| floats(weights).into_owned());
    if right.len() != outer * inner || weights.len() != classes {
        let (a, b) = (&targets.shape, weights.len());
        return Err(format!("classes of shape {a:?} and {b} weights for scores of shape {:?}", scores.shape));
    }
    let ignored = call.has("ignore_index").then(|| call.int("ignore_index", 0)).transpose()?;
    let (mut losses, mut counted) = (Vec::with_capacity(right.len()), 0.0);
    for (place, &class) in right.iter().enumerate() {
        if Some(class) == ignored {
            losses.push(0.0);
            continue;
        }
        let class = usize::try_from(class).ok().filter(|&class| class < classes);
        let class = class.ok_or_else(|| format!("a class outside of the {classes} that there are"))?;
        losses.push(-weights[class] * logarithms[[place / inner, class, place % inner]]);
        counted += weights[class];
    }
    let total: f64 = losses.iter().sum();
    match call.string("reduction", "mean")? {
        "none" => Ok(call.store(scores.element, targets.shape.clone(), losses)),
        "sum" => Ok(call.store(scores.element, Vec::new(), vec![total])),
        "mean" => Ok(call.store(scores.element, Vec::new(), vec![total / counted])),
        other => Err(format!("its attribute reduction is {other}")),
    }
}
