//! A point that is shown: a witness with its exact decimals, or the nearest input of a search that found nothing.

use std::sync::Arc;

use vnnlib::{Query, Role, Variable};

use crate::onnx::Model;
use crate::reference::Precision;
use crate::witness::{Replay, Witness};

/// A value for each element of each declared tensor, in declaration order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ShownPoint {
    texts: Vec<Vec<String>>,
    floats: Vec<Vec<f64>>,
}

impl ShownPoint {
    /// The decimals of a witness.
    pub(super) fn of_witness(witness: &Witness) -> Self {
        let texts =
            witness.tensors().iter().map(|tensor| tensor.values().iter().map(str::to_owned).collect());
        Self::of_texts(texts.collect())
    }

    /// Inputs, in declaration order, and what the plain engine makes of them; `None` where it cannot.
    pub(super) fn replayed(query: &Query, models: &[Arc<Model>], inputs: &[f64]) -> Option<Self> {
        let replay = Replay::new(query.clone(), models.iter().cloned()).ok()?;
        let mut rest = inputs;
        let own = query.tensors().iter().map(|tensor| {
            let count = if tensor.role() == Role::Input { tensor.len().min(rest.len()) } else { 0 };
            let (own, after) = rest.split_at(count);
            rest = after;
            own.to_vec()
        });
        let run = replay.run(replay.rounded(own.collect()), Precision::Model).ok()?;
        Some(Self::of_texts(
            run.iter().map(|values| values.iter().map(ToString::to_string).collect()).collect(),
        ))
    }

    fn of_texts(texts: Vec<Vec<String>>) -> Self {
        let float = |text: &String| text.parse().unwrap_or(f64::NAN);
        let floats = texts.iter().map(|texts| texts.iter().map(float).collect()).collect();
        Self { texts, floats }
    }

    /// The decimal of a variable.
    pub(super) fn text(&self, variable: Variable) -> &str {
        let texts = self.texts.get(variable.tensor().index());
        texts.and_then(|texts| texts.get(variable.element())).map_or("", String::as_str)
    }

    /// The same as a number.
    pub(super) fn float(&self, variable: Variable) -> f64 {
        let floats = self.floats.get(variable.tensor().index());
        floats.and_then(|floats| floats.get(variable.element())).copied().unwrap_or(f64::NAN)
    }

    /// All inputs, in declaration order.
    pub(super) fn inputs(&self, query: &Query) -> Vec<f64> {
        variables(query, |role| role == Role::Input)
            .into_iter()
            .map(|variable| self.float(variable))
            .collect()
    }
}

/// The declared variables of some roles, in declaration order.
pub(super) fn variables(query: &Query, is_wanted: impl Fn(Role) -> bool) -> Vec<Variable> {
    let wanted = query.tensor_ids().filter(|(_, tensor)| is_wanted(tensor.role()));
    wanted.flat_map(|(id, tensor)| (0..tensor.len()).filter_map(move |at| query.variable(id, at))).collect()
}
