//! `If`, `Loop` and `Scan`, the operators that compute subgraphs.

use std::sync::Arc;

use crate::onnx::{Attribute, Data, ElementType, Graph, ModelError, Node, Tensor};

use super::array;
use super::call::{Call, single};
use super::engine::Walk;
use super::scope::{Scope, Value};

/// Names of the operators of this file.
pub(super) const OPERATORS: [&str; 3] = ["If", "Loop", "Scan"];

/// A loop that goes on longer is refused: the file can ask for 2^63 rounds.
const MAX_ROUNDS: usize = 100_000;

pub(super) fn is_known(node: &Node) -> bool {
    node.domain.is_empty() && OPERATORS.contains(&node.operator.as_str())
}

pub(super) fn run(walk: &Walk, call: &Call<'_>, scope: &Scope<'_>) -> Result<Vec<Value>, ModelError> {
    match call.node.operator.as_str() {
        "If" => branch(walk, call, scope),
        "Scan" => scan(walk, call, scope),
        _ => rounds(walk, call, scope),
    }
}

fn body<'a>(call: &'a Call<'_>, name: &str) -> Result<&'a Graph, ModelError> {
    match call.node.attributes.get(name) {
        Some(Attribute::Graph(graph)) => Ok(graph),
        _ => Err(call.node.error(format!("its attribute {name} is no graph"))),
    }
}

/// A result that is collected over the rounds; lists are not.
fn slice(call: &Call<'_>, value: Value) -> Result<Arc<Tensor>, ModelError> {
    match value {
        Value::Tensor(tensor) => Ok(tensor),
        Value::List(_) => Err(call.node.error("its body gives a list where a slice is collected")),
    }
}

/// The operands from `from` to `to` as they stand, lists too.
fn operands(call: &Call<'_>, scope: &Scope<'_>, from: usize, to: usize) -> Result<Vec<Value>, ModelError> {
    let find = |name: &String| {
        scope.value(name).ok_or_else(|| call.node.error(format!("its operand {name} has no value")))
    };
    call.node.inputs.iter().take(to).skip(from).map(find).collect()
}

fn compute(
    walk: &Walk,
    graph: &Graph,
    inputs: Vec<Value>,
    scope: &Scope<'_>,
) -> Result<Vec<Value>, ModelError> {
    let wanted: Vec<&str> = graph.outputs.iter().map(|o| o.name.as_str()).collect();
    walk.graph(graph, inputs, Some(scope), &wanted)
}

fn branch(walk: &Walk, call: &Call<'_>, scope: &Scope<'_>) -> Result<Vec<Value>, ModelError> {
    let condition = call.input(0).and_then(single).map_err(|what| call.node.error(what))?;
    let name = if condition != 0.0 { "then_branch" } else { "else_branch" };
    compute(walk, body(call, name)?, Vec::new(), scope)
}

/// `Loop`: the body takes the round's number, the condition and the carried values; it gives the next condition, the
/// next carried values and one slice of each scanned result.
fn rounds(walk: &Walk, call: &Call<'_>, scope: &Scope<'_>) -> Result<Vec<Value>, ModelError> {
    let fail = |what: String| call.node.error(what);
    let graph = body(call, "body")?;
    let limit = call.scalar(0).map_err(fail)?;
    let mut go_on = call.scalar(1).map_err(fail)?.is_none_or(|c| c != 0.0);
    let mut carried = operands(call, scope, 2, usize::MAX)?;
    let count = carried.len();
    if graph.inputs.len() != count + 2 || graph.outputs.len() < count + 1 {
        return Err(fail(format!("its body does not fit {count} carried values")));
    }
    let mut scanned: Vec<Vec<Arc<Tensor>>> = vec![Vec::new(); graph.outputs.len() - count - 1];
    let mut round = 0;
    while go_on && limit.is_none_or(|n| (round as f64) < n) {
        if round == MAX_ROUNDS {
            return Err(fail(format!("more than {MAX_ROUNDS} rounds")));
        }
        let number = Arc::new(array::int64(vec![], vec![round as i64]));
        let condition = Tensor { element: ElementType::Bool, shape: vec![], data: Data::I64(vec![1]) };
        let own = [number, Arc::new(condition)].map(Value::Tensor);
        let inputs = own.into_iter().chain(carried).collect();
        let mut results = compute(walk, graph, inputs, scope)?.into_iter();
        go_on = match results.next() {
            Some(Value::Tensor(condition)) => single(&condition).is_ok_and(|c| c != 0.0),
            _ => false,
        };
        carried = results.by_ref().take(count).collect();
        for (list, value) in scanned.iter_mut().zip(results) {
            list.push(slice(call, value)?);
        }
        round += 1;
    }
    for slices in scanned {
        carried.push(Value::Tensor(Arc::new(stacked(&slices, 0).map_err(fail)?)));
    }
    Ok(carried)
}

/// `Scan`, from operator set 9 on: the body takes the states and a slice of each scanned operand, and gives the next states
/// and a slice of each result.
fn scan(walk: &Walk, call: &Call<'_>, scope: &Scope<'_>) -> Result<Vec<Value>, ModelError> {
    let fail = |what: String| call.node.error(what);
    let graph = body(call, "body")?;
    let scans = call.int("num_scan_inputs", 0).map_err(fail)?;
    let scans = usize::try_from(scans).ok().filter(|&n| n > 0 && n <= call.inputs.len());
    let Some(scans) = scans.filter(|_| graph.inputs.len() == call.inputs.len() && walk.opset() >= 9) else {
        return Err(fail("its body does not fit its operands".into()));
    };
    let states = call.inputs.len() - scans;
    let results = graph.outputs.len().checked_sub(states);
    let results = results.ok_or_else(|| fail(format!("its body does not fit {states} states")))?;
    let list = |name: &str, len: usize| match call.ints(name) {
        Ok(None) => Ok(vec![0; len]),
        Ok(Some(given)) if given.len() == len => Ok(given.to_vec()),
        Ok(Some(_)) => Err(fail(format!("its attribute {name} does not have {len} entries"))),
        Err(what) => Err(fail(what)),
    };
    let (axes, backwards) = (list("scan_input_axes", scans)?, list("scan_input_directions", scans)?);
    let (to_axes, to_backwards) =
        (list("scan_output_axes", results)?, list("scan_output_directions", results)?);
    let mut slices = Vec::new();
    for ((i, &axis), &back) in (states..).zip(&axes).zip(&backwards) {
        let tensor = call.input(i).map_err(fail)?;
        let axis = array::axis(axis, tensor.shape.len()).map_err(fail)?;
        let mut parts = array::slices(tensor, axis).map_err(fail)?;
        if back != 0 {
            parts.reverse();
        }
        slices.push(parts);
    }
    let length = slices.first().map_or(0, Vec::len);
    if length > MAX_ROUNDS || slices.iter().any(|parts| parts.len() != length) {
        return Err(fail(format!("its operands are not scanned over one length of at most {MAX_ROUNDS}")));
    }
    let mut carried = operands(call, scope, 0, states)?;
    let mut collected: Vec<Vec<Arc<Tensor>>> = vec![Vec::new(); results];
    for round in 0..length {
        let scanned = slices.iter().map(|parts| Value::Tensor(Arc::new(parts[round].clone())));
        let mut made = compute(walk, graph, carried.into_iter().chain(scanned).collect(), scope)?.into_iter();
        carried = made.by_ref().take(states).collect();
        for (list, value) in collected.iter_mut().zip(made) {
            list.push(slice(call, value)?);
        }
    }
    for ((mut list, axis), back) in collected.into_iter().zip(to_axes).zip(to_backwards) {
        if back != 0 {
            list.reverse();
        }
        carried.push(Value::Tensor(Arc::new(stacked(&list, axis).map_err(fail)?)));
    }
    Ok(carried)
}

fn stacked(slices: &[Arc<Tensor>], axis: i64) -> Result<Tensor, String> {
    let Some(first) = slices.first() else { return Err("a loop of no rounds has no scanned result".into()) };
    let views: Vec<&Tensor> = slices.iter().map(|s| &**s).collect();
    if views.iter().any(|s| s.shape != first.shape) {
        return Err("its rounds give results of different shapes".into());
    }
    array::stacked(&views, array::axis(axis, first.shape.len() + 1)?)
}
