//! `If` and `Loop`, written out: which branch is taken and how often the body runs has to be known.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::{CompileScope, Compiler, HeldValue, NoEnclosure, TapeValue, doubles};
use crate::onnx::{Attribute, ElementType, Graph, Node};

/// Rounds of a loop that are written out, at most.
const MOST_ROUNDS: usize = 4096;

pub(super) fn is_known(node: &Node) -> bool {
    node.domain.is_empty() && matches!(node.operator.as_str(), "If" | "Loop")
}

pub(super) fn run(
    compiler: &mut Compiler<'_>,
    opset: i64,
    node: &Node,
    operands: &[Option<HeldValue>],
    scope: &CompileScope<'_>,
) -> Result<Vec<HeldValue>, NoEnclosure> {
    match node.operator.as_str() {
        "If" => branch(compiler, opset, node, operands, scope),
        _ => rounds(compiler, opset, node, operands, scope),
    }
}

fn fail(node: &Node, what: impl Into<String>) -> NoEnclosure {
    NoEnclosure(format!("node {} ({}): {}", node.name, node.operator, what.into()))
}

fn body<'n>(node: &'n Node, name: &str) -> Result<&'n Graph, NoEnclosure> {
    match node.attributes.get(name) {
        Some(Attribute::Graph(graph)) => Ok(graph),
        _ => Err(fail(node, format!("its attribute {name} is no graph"))),
    }
}

/// The one number of a known operand; `None` where the operand is left out.
fn known(node: &Node, operand: Option<&HeldValue>) -> Result<Option<f64>, NoEnclosure> {
    match operand.map(|held| &held.value) {
        None => Ok(None),
        Some(TapeValue::Known(tensor)) if tensor.len() == 1 => Ok(tensor.to_f64().first().copied()),
        Some(_) => Err(fail(node, "what decides depends on the inputs, which has no enclosure")),
    }
}

fn branch(
    compiler: &mut Compiler<'_>,
    opset: i64,
    node: &Node,
    operands: &[Option<HeldValue>],
    scope: &CompileScope<'_>,
) -> Result<Vec<HeldValue>, NoEnclosure> {
    let condition = known(node, operands.first().and_then(Option::as_ref))?;
    let condition = condition.ok_or_else(|| fail(node, "its condition is missing"))?;
    let graph = body(node, if condition != 0.0 { "then_branch" } else { "else_branch" })?;
    compiler.graph(opset, CompileScope { graph, values: HashMap::new(), outer: Some(scope) })
}

/// The body takes the round's number, the condition and the carried values; it gives the next condition and the next carried values.
fn rounds(
    compiler: &mut Compiler<'_>,
    opset: i64,
    node: &Node,
    operands: &[Option<HeldValue>],
    scope: &CompileScope<'_>,
) -> Result<Vec<HeldValue>, NoEnclosure> {
    let graph = body(node, "body")?;
    let limit = known(node, operands.first().and_then(Option::as_ref))?;
    let mut goes_on = known(node, operands.get(1).and_then(Option::as_ref))?.is_none_or(|c| c != 0.0);
    let mut carried: Vec<HeldValue> = operands.iter().skip(2).flatten().cloned().collect();
    if graph.inputs.len() != carried.len() + 2 || graph.outputs.len() != carried.len() + 1 {
        return Err(fail(node, "a loop that collects the results of its rounds has no enclosure"));
    }
    let mut round = 0;
    while goes_on && limit.is_none_or(|limit| (round as f64) < limit) {
        if round == MOST_ROUNDS {
            return Err(fail(node, format!("more than {MOST_ROUNDS} rounds have no enclosure")));
        }
        let scalar = |element, x| HeldValue {
            value: TapeValue::Known(Arc::new(doubles(vec![], element, vec![x]))),
            varies: false,
            open: Rc::default(),
        };
        let first = [scalar(ElementType::Int64, round as f64), scalar(ElementType::Bool, 1.0)];
        let names = graph.inputs.iter().map(|info| info.name.as_str());
        let values = names.zip(first.into_iter().chain(carried)).collect();
        let mut results =
            compiler.graph(opset, CompileScope { graph, values, outer: Some(scope) })?.into_iter();
        let condition = results.next();
        goes_on = known(node, condition.as_ref())
            .inspect_err(|_| compiler.note_open(std::slice::from_ref(&condition)))?
            .is_some_and(|c| c != 0.0);
        carried = results.collect();
        round += 1;
    }
    Ok(carried)
}
