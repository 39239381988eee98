//! What a node sees of the graph that it stands in: the values so far, and those of the graphs around.

use std::collections::HashMap;
use std::sync::Arc;

use super::lists::List;
use crate::onnx::{Graph, Node, Tensor};

/// What a name stands for.
#[derive(Clone)]
pub(super) enum Value {
    Tensor(Arc<Tensor>),
    List(List),
}

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

    /// What a name stands for: in this graph, else in the one around it.
    pub(super) fn value(&self, name: &str) -> Option<Value> {
        if let Some(list) = self.lists.get(name) {
            return Some(Value::List(list.clone()));
        }
        let own = self.values.get(name).or_else(|| self.graph.initializers.get(name));
        own.cloned().map(Value::Tensor).or_else(|| self.outer.and_then(|outer| outer.value(name)))
    }

    pub(super) fn get(&self, name: &str) -> Option<Arc<Tensor>> {
        if let Some(Value::Tensor(tensor)) = self.value(name) { Some(tensor) } else { None }
    }

    /// The list of a name.
    pub(super) fn list(&self, name: &str) -> Option<List> {
        if let Some(Value::List(list)) = self.value(name) { Some(list) } else { None }
    }
}

impl<'a> Scope<'a> {
    /// Gives a name a value.
    pub(super) fn bind(&mut self, name: &'a str, value: Value) {
        match value {
            Value::Tensor(tensor) => drop(self.values.insert(name, tensor)),
            Value::List(list) => drop(self.lists.insert(name, list)),
        }
    }
}
