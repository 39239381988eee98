//! Inputs that follow from outputs, computed by the replay itself: network by network, each equality solved exactly for its input, in
//! decimals. What is printed then satisfies it to the last digit, in the computation that it was solved in.

use std::collections::BTreeMap;

use vnnlib::{Assignment, Comparison, Exact, Numeral, Role, Value, Variable};

use super::replay::{Replay, ReplayError, cast};
use super::validate::{Rejection, Run};
use crate::onnx::ElementType;
use crate::property::followed::{FollowedInput, comparisons_of};
use crate::property::layout::Layout;
use crate::reference::Precision;

/// Which computation equalities are solved in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Solved {
    In(Precision),
    InRuntime,
}

/// The inputs of a query that follow, and the order in which its networks are then computed.
#[derive(Debug, Default)]
pub(super) struct Followed {
    inputs: Vec<FollowedInput>,
    order: Vec<usize>,
    /// Where each declared input stands, and what type its model holds it in.
    declared: Vec<(Variable, ElementType)>,
}

/// All inputs of a query in declaration order, with the decimals that are printed for them.
pub(super) type CompletedInputs = (Vec<f64>, BTreeMap<usize, String>);

/// A point that is known in part: decimals of inputs, floats of outputs.
struct PartialPoint {
    decimals: BTreeMap<Variable, String>,
    floats: Vec<Vec<f64>>,
}

impl Assignment for PartialPoint {
    fn value(&self, variable: Variable) -> Option<Value<'_>> {
        match self.decimals.get(&variable) {
            Some(decimal) => Numeral::new(decimal).ok().map(Value::Decimal),
            None => {
                let values = self.floats.get(variable.tensor().index())?;
                values.get(variable.element()).map(|&float| Value::Float(float))
            }
        }
    }
}

impl Followed {
    pub(super) fn new(replay: &Replay, layout: &Layout) -> Self {
        let query = replay.query();
        let inputs = query.tensor_ids().filter(|(_, tensor)| tensor.role() == Role::Input);
        let variables =
            inputs.flat_map(|(id, tensor)| (0..tensor.len()).filter_map(move |i| query.variable(id, i)));
        let declared =
            variables.enumerate().map(|(i, variable)| (variable, layout.element_of_declared(i))).collect();
        Self { inputs: layout.followed().to_vec(), order: layout.order().to_vec(), declared }
    }

    /// Whether no input follows.
    pub(super) fn is_idle(&self) -> bool {
        self.inputs.is_empty()
    }

    /// The given inputs with those that follow solved for in a computation; what was given for these is not read.
    pub(super) fn complete(
        &self,
        replay: &Replay,
        input: &[f64],
        literals: &BTreeMap<usize, String>,
        solved: Solved,
    ) -> Result<CompletedInputs, Rejection> {
        let numbers = self.inputs.iter().map(|follows| follows.comparison).collect();
        let comparisons = comparisons_of(replay.query(), &numbers);
        let (mut input, mut literals) = (input.to_vec(), literals.clone());
        let mut left: Vec<&FollowedInput> = self.inputs.iter().collect();
        let mut point = self.known(replay, &input, &literals);
        let mut done: Vec<usize> = Vec::new();
        // Once more at the end, for what no network reads.
        for network in self.order.iter().map(Some).chain([None]) {
            let is_ready = |follows: &&FollowedInput| follows.networks.iter().all(|n| done.contains(n));
            let (ready, rest): (Vec<_>, Vec<_>) = left.into_iter().partition(is_ready);
            left = rest;
            for follows in ready {
                let comparison = comparisons.get(&follows.comparison).ok_or(Rejection::NotFinite)?;
                let decimal = solution(comparison, follows, &mut point)?;
                for &member in &follows.members {
                    let (variable, element) = self.declared[member];
                    input[member] = cast(element, decimal.parse().unwrap_or(f64::NAN));
                    literals.insert(member, decimal.clone());
                    point.decimals.insert(variable, decimal.clone());
                    point.floats[variable.tensor().index()][variable.element()] = input[member];
                }
            }
            if let Some(&network) = network {
                replay.run_one(network, &mut point.floats, solved)?;
                done.push(network);
            }
        }
        Ok((input, literals))
    }

    /// What is known before any network has run: the inputs that do not follow.
    fn known(&self, replay: &Replay, input: &[f64], literals: &BTreeMap<usize, String>) -> PartialPoint {
        let tensors = replay.query().tensors();
        let mut floats: Vec<Vec<f64>> = tensors
            .iter()
            .map(|tensor| if tensor.role() == Role::Input { vec![0.0; tensor.len()] } else { Vec::new() })
            .collect();
        let mut decimals = BTreeMap::new();
        for (place, (&(variable, element), &x)) in self.declared.iter().zip(input).enumerate() {
            let decimal = literals.get(&place).cloned().unwrap_or_else(|| x.to_string());
            floats[variable.tensor().index()][variable.element()] = cast(element, x);
            decimals.insert(variable, decimal);
        }
        PartialPoint { decimals, floats }
    }
}

/// The decimal that solves an equality for its input.
fn solution(
    equality: &Comparison<'_>,
    follows: &FollowedInput,
    point: &mut PartialPoint,
) -> Result<String, Rejection> {
    let not_evaluable = |error| Rejection::NotEvaluable { run: Run::Model, error };
    point.decimals.insert(follows.variable, "0".into());
    let rest = equality.difference(point).map_err(not_evaluable)?;
    // A power of two: its inverse is a float.
    let factor = Exact::from_f64(-1.0 / follows.scale).ok_or(Rejection::NotFinite)?;
    let solution = rest.multiply(&factor).map_err(|error| not_evaluable(error.into()))?;
    Ok(solution.to_decimal())
}

impl Replay {
    /// Runs one network on its inputs, and rounds its outputs to their type.
    fn run_one(&self, network: usize, point: &mut [Vec<f64>], solved: Solved) -> Result<(), ReplayError> {
        match solved {
            Solved::In(precision) => self.run_network(network, point, precision),
            Solved::InRuntime => self.run_network_in_runtime(network, point),
        }
    }
}
