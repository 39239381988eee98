//! What a node sees of the graph that it stands in: the values so far, and those of the graphs around.

use std::collections::HashMap;
use std::sync::Arc;

use super::lists::List;
use crate::onnx::{Graph, Node, Tensor};

/// Names and values of a graph that is being computed, and of those around it.
pub(super) struct Scope<'a> {
    pub(super) graph: &'a Graph,
    pub(super) values: HashMap<&'a str, Arc<Tensor>>,
    pub(super) lists: HashMap<&'a str, List>,
    pub(super) outer: Option<&'a Scope<'a>>,
}

impl Scope<'_> {
    /// The node of this graph that computes a value.
    pub(super) fn maker(&self, name: &str) -> Option<&Node> {
        self.graph.nodes.iter().find(|node| node.outputs.iter().any(|output| output == name))
    }

    pub(super) fn get(&self, name: &str) -> Option<Arc<Tensor>> {
        let own = self.values.get(name).or_else(|| self.graph.initializers.get(name));
        own.cloned().or_else(|| self.outer.and_then(|o| o.get(name)))
    }

    /// The list of a name.
    pub(super) fn list(&self, name: &str) -> Option<List> {
        self.lists.get(name).cloned().or_else(|| self.outer.and_then(|outer| outer.list(name)))
    }
}
