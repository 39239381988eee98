//! What the wanted values need of a graph. Everything else may be as it likes: exporters leave dead nodes behind, results
//! of training that nobody reads, constants of types that no number has.

use std::collections::HashSet;

use super::error::ModelError;
use super::model::{Graph, Node};
use super::order::needs;

/// What is needed of a graph.
#[derive(Debug, Default)]
pub struct Live<'g> {
    /// For each node, whether it is.
    pub nodes: Vec<bool>,
    /// Names of the needed values, those from around the graph included.
    pub names: HashSet<&'g str>,
}

impl<'g> Live<'g> {
    /// What the values named in `wanted` need. Nodes are in topological order.
    pub fn of(graph: &'g Graph, wanted: impl IntoIterator<Item = &'g str>) -> Self {
        let mut names: HashSet<&str> = wanted.into_iter().collect();
        let mut nodes = vec![false; graph.nodes.len()];
        for (node, live) in graph.nodes.iter().zip(&mut nodes).rev() {
            *live = node.outputs.iter().any(|name| names.contains(name.as_str()));
            if *live {
                names.extend(needs(node));
            }
        }
        Self { nodes, names }
    }

    /// What the graph's own outputs need.
    pub fn of_outputs(graph: &'g Graph) -> Self {
        Self::of(graph, graph.outputs.iter().map(|output| output.name.as_str()))
    }

    /// The needed nodes.
    pub fn filter(&self, graph: &'g Graph) -> impl Iterator<Item = &'g Node> {
        graph.nodes.iter().zip(&self.nodes).filter(|(_, live)| **live).map(|(node, _)| node)
    }

    /// Why a needed constant could not be read.
    pub fn refusal(&self, graph: &Graph) -> Option<ModelError> {
        graph
            .refused
            .iter()
            .find(|(name, _)| self.names.contains(name.as_str()))
            .map(|(_, error)| error.clone())
    }
}
