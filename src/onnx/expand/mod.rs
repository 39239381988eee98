//! Operators that are compositions of others, written out: the fused operators of ONNX Runtime's optimiser, quantised ones,
//! the models of `ai.onnx.ml` that are numbers, and operators that ONNX itself defines by a function body. What they
//! compute is in the documents of ONNX and of ONNX Runtime's contributed operators; the nodes are checked against ONNX
//! Runtime (`benchmarks/operators`). A model is expanded when it is read, so that both engines see plain nodes; operators
//! that the plain engine computes itself are expanded for the fast network only.

mod attention;
mod classical;
mod coupling;
mod forest;
mod fused;
mod quantized;
mod recurrent;
mod runtime_attention;
mod scores;
mod tables;
#[cfg(test)]
mod tests;
mod trees;
mod vectors;
mod writer;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::error::ModelError;
use super::live::Live;
use super::model::{Attribute, Graph, Node};
use writer::{Known, Writer};

/// Writes out one node.
type Expand = fn(&mut Writer<'_>) -> Result<(), ModelError>;

/// Domain, operator, and what it is made of.
type Entry = (&'static str, &'static str, Expand);

/// ONNX Runtime's contributed operators.
const MICROSOFT: &str = "com.microsoft";
/// ONNX's classical models.
const CLASSICAL: &str = "ai.onnx.ml";

/// For both engines.
const TABLES: &[&[Entry]] = &[
    attention::OPERATORS,
    classical::OPERATORS,
    fused::OPERATORS,
    quantized::OPERATORS,
    recurrent::OPERATORS,
    runtime_attention::OPERATORS,
    tables::OPERATORS,
    trees::OPERATORS,
    vectors::OPERATORS,
];

/// Who is to be written for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    Both,
    Network,
}

fn find(node: &Node, whom: For) -> Option<Expand> {
    let find = |table: &[Entry]| {
        let entry = table.iter().find(|entry| entry.0 == node.domain && entry.1 == node.operator)?;
        Some(entry.2)
    };
    match whom {
        For::Both => TABLES.iter().find_map(|table| find(table)),
        For::Network => find(quantized::FOR_NETWORK),
    }
}

/// Names of the operators that are written out for both engines, with the domain in front where it is not ONNX's own.
pub fn operators() -> Vec<String> {
    let name = |entry: &Entry| {
        if entry.0.is_empty() { entry.1.to_owned() } else { format!("{}.{}", entry.0, entry.1) }
    };
    TABLES.iter().flat_map(|table| table.iter().map(name)).collect()
}

/// Names of the operators that are written out for the fast network only.
#[cfg(test)]
pub(crate) fn for_network() -> impl Iterator<Item = &'static str> {
    quantized::FOR_NETWORK.iter().map(|entry| entry.1)
}

/// Whether an operator is written out for the fast network.
pub(crate) fn is_for_network(node: &Node) -> bool {
    find(node, For::Network).is_some()
}

/// Why a node that stands in the place of a result has no value.
pub(crate) fn refusal(node: &Node) -> Option<ModelError> {
    writer::refusal(node)
}

/// Writes out what a graph and its subgraphs apply, for both engines.
///
/// # Errors
/// If a node lacks what its operator needs, or has a form that is not supported.
pub(super) fn expand(graph: &mut Graph, opset: i64) -> Result<(), ModelError> {
    rewrite(graph, opset, For::Both)
}

/// A graph with what only the fast network needs written out; `None` where that is nothing.
///
/// # Errors
/// As [`expand`].
pub(crate) fn for_importer(graph: &Graph, opset: i64) -> Result<Option<Graph>, ModelError> {
    if !applies(graph, For::Network) {
        return Ok(None);
    }
    let mut graph = graph.clone();
    rewrite(&mut graph, opset, For::Network)?;
    Ok(Some(graph))
}

fn applies(graph: &Graph, whom: For) -> bool {
    graph.nodes.iter().any(|node| {
        let inner =
            |attribute: &Attribute| matches!(attribute, Attribute::Graph(body) if applies(body, whom));
        find(node, whom).is_some() || node.attributes.values().any(inner)
    })
}

fn rewrite(graph: &mut Graph, opset: i64, whom: For) -> Result<(), ModelError> {
    if !applies(graph, whom) {
        return Ok(());
    }
    let mut names = BTreeSet::new();
    collect_names(graph, &mut names);
    let known = Known::of(graph);
    // A node that nobody needs may be as it likes.
    let live: HashSet<String> = Live::of_outputs(graph).names.into_iter().map(str::to_owned).collect();
    let (mut nodes, mut constants) = (Vec::with_capacity(graph.nodes.len()), Vec::new());
    for mut node in std::mem::take(&mut graph.nodes) {
        for attribute in node.attributes.values_mut() {
            if let Attribute::Graph(body) = attribute {
                rewrite(Arc::make_mut(body), opset, whom)?;
            }
        }
        match find(&node, whom) {
            None => nodes.push(node),
            Some(expand) => {
                let mut writer = Writer::new(&node, opset, (&known, &live), &mut names);
                let is_live = node.outputs.iter().any(|name| live.contains(name));
                match expand(&mut writer) {
                    Err(error) if is_live => return Err(error),
                    Err(_) => {
                        nodes.push(node);
                        continue;
                    }
                    Ok(()) => {}
                }
                let (made, needed) = writer.finish();
                nodes.extend(made);
                constants.extend(needed);
            }
        }
    }
    graph.nodes = nodes;
    graph.initializers.extend(constants.into_iter().map(|(name, tensor)| (name, Arc::new(tensor))));
    Ok(())
}

/// All names that stand anywhere in a graph: a new one must differ from each, whatever the scope.
fn collect_names(graph: &Graph, names: &mut BTreeSet<String>) {
    names.extend(graph.initializers.keys().chain(graph.refused.keys()).cloned());
    names.extend(graph.inputs.iter().chain(&graph.outputs).map(|value| value.name.clone()));
    for node in &graph.nodes {
        names.extend(node.inputs.iter().chain(&node.outputs).cloned());
        for attribute in node.attributes.values() {
            if let Attribute::Graph(body) = attribute {
                collect_names(body, names);
            }
        }
    }
}
