//! Checks that every name of a graph is defined once, and sorts its nodes so that definitions come before uses.
//!
//! ONNX asks for sorted nodes; some exporters do not obey. Nodes that are already sorted keep their order
//! (Kahn's algorithm, always taking the earliest node that is ready).

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;

use super::error::{ModelError, Place};
use super::model::{Attribute, Graph, Node};

/// The names that a subgraph may use from around it: those of the graph it stands in, and so on outwards.
struct NameScope<'a> {
    names: &'a Makers,
    outer: Option<&'a NameScope<'a>>,
}

/// Each name that a graph defines, with the node that computes it (`None`: an input or a constant).
type Makers = HashMap<String, Option<usize>>;

impl NameScope<'_> {
    fn holds(&self, name: &str) -> bool {
        self.names.contains_key(name) || self.outer.is_some_and(|o| o.holds(name))
    }
}

/// Sorts `graph` and its subgraphs.
pub(super) fn sort(graph: &mut Graph) -> Result<(), ModelError> {
    sort_within(graph, None)
}

fn sort_within(graph: &mut Graph, outer: Option<&NameScope<'_>>) -> Result<(), ModelError> {
    let makers = definitions(graph)?;
    let scope = NameScope { names: &makers, outer };
    if let Some(output) = graph.outputs.iter().find(|o| !scope.holds(&o.name)) {
        let place = Place::Value(output.name.clone());
        return Err(ModelError::new(place, "a graph output that no node computes")
            .help("export the model again, naming an existing value as its output"));
    }
    let order = order(graph, &scope)?;
    let mut nodes: Vec<Option<Node>> = std::mem::take(&mut graph.nodes).into_iter().map(Some).collect();
    graph.nodes = order.into_iter().filter_map(|i| nodes[i].take()).collect();
    for attribute in graph.nodes.iter_mut().flat_map(|n| n.attributes.values_mut()) {
        if let Attribute::Graph(body) = attribute {
            sort_within(Arc::make_mut(body), Some(&scope))?;
        }
    }
    Ok(())
}

fn definitions(graph: &Graph) -> Result<Makers, ModelError> {
    let mut makers = Makers::new();
    let constants = graph.initializers.keys().chain(graph.refused.keys());
    let given = graph.inputs.iter().map(|i| &i.name).chain(constants);
    for name in given {
        if makers.insert(name.clone(), None).is_some() {
            return Err(ModelError::new(Place::Value(name.clone()), "two graph inputs have this name"));
        }
    }
    for (i, node) in graph.nodes.iter().enumerate() {
        for name in node.outputs.iter().filter(|n| !n.is_empty()) {
            if makers.insert(name.clone(), Some(i)).is_some() {
                return Err(node
                    .error(format!("computes {name}, which is defined already"))
                    .help("every name of a graph needs one definition; export the model again"));
            }
        }
    }
    Ok(makers)
}

fn order(graph: &Graph, scope: &NameScope<'_>) -> Result<Vec<usize>, ModelError> {
    let count = graph.nodes.len();
    let mut waits_for = vec![0usize; count];
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (i, node) in graph.nodes.iter().enumerate() {
        for name in needs(node) {
            match scope.names.get(name) {
                Some(Some(maker)) => {
                    waits_for[i] += 1;
                    users[*maker].push(i);
                }
                Some(None) => {}
                None if scope.holds(name) => {}
                None => {
                    return Err(node
                        .error(format!("its operand {name} is nowhere defined"))
                        .help("no input, constant or node has this name; export the model again"));
                }
            }
        }
    }
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..count).filter(|&i| waits_for[i] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(Reverse(i)) = ready.pop() {
        order.push(i);
        for &user in &users[i] {
            waits_for[user] -= 1;
            if waits_for[user] == 0 {
                ready.push(Reverse(user));
            }
        }
    }
    match waits_for.iter().position(|&left| left > 0) {
        None => Ok(order),
        Some(stuck) => Err(graph.nodes[stuck].error("it needs its own result: the graph has a cycle")),
    }
}

/// Names that a node needs: its operands and what its subgraphs use from around them, each once.
pub(super) fn needs(node: &Node) -> BTreeSet<&str> {
    let mut names: BTreeSet<&str> =
        node.inputs.iter().map(String::as_str).filter(|n| !n.is_empty()).collect();
    for attribute in node.attributes.values() {
        if let Attribute::Graph(body) = attribute {
            names.extend(captured(body));
        }
    }
    names
}

/// Names that a subgraph uses but does not define.
fn captured(body: &Graph) -> BTreeSet<&str> {
    let mut names: BTreeSet<&str> = body.nodes.iter().flat_map(needs).collect();
    names.extend(body.outputs.iter().map(|o| o.name.as_str()));
    let results = body.nodes.iter().flat_map(|n| &n.outputs);
    let constants = body.initializers.keys().chain(body.refused.keys());
    let given = body.inputs.iter().map(|i| &i.name).chain(constants);
    for name in results.chain(given) {
        names.remove(name.as_str());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::model::ValueInfo;
    use crate::onnx::tensor::ElementType;

    fn value(name: &str) -> ValueInfo {
        ValueInfo { name: name.into(), element: ElementType::Float32, shape: None }
    }

    /// A graph from lines like `a b > c`: operands, then results; the node's name is its line.
    fn graph(lines: &[&str]) -> Graph {
        let names = |text: &str| text.split_whitespace().map(String::from).collect();
        let node = |line: &&str| {
            let (inputs, outputs) = line.split_once('>').unwrap();
            Node {
                name: line.to_string(),
                operator: "Op".into(),
                domain: String::new(),
                inputs: names(inputs),
                outputs: names(outputs),
                attributes: Default::default(),
            }
        };
        let nodes = lines.iter().map(node).collect();
        Graph { nodes, inputs: vec![value("x")], outputs: vec![value("y")], ..Default::default() }
    }

    fn sorted(lines: &[&str]) -> Result<String, String> {
        let mut graph = graph(lines);
        sort(&mut graph).map_err(|e| e.to_string())?;
        Ok(graph.nodes.iter().map(|n| n.name.clone()).collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn nodes_are_sorted_and_names_checked() {
        let cases: [(&[&str], Result<&str, &str>); 7] = [
            (&["x > a", "a > y"], Ok("x > a, a > y")),
            (&["a > y", "x > a"], Ok("x > a, a > y")),
            (&["x > b", "x > a", "b a > y"], Ok("x > b, x > a, b a > y")),
            (&["x b > a", "a > b", "a > y"], Err("it needs its own result")),
            (&["x z > y"], Err("node x z > y (Op): its operand z is nowhere defined")),
            (&["x > y", "x > y"], Err("computes y, which is defined already")),
            (&["x > a"], Err("value y: a graph output that no node computes")),
        ];
        for (lines, expected) in cases {
            match (sorted(lines), expected) {
                (Ok(order), Ok(want)) => assert_eq!(order, want),
                (Err(message), Err(want)) => assert!(message.contains(want), "{message} lacks {want}"),
                (got, want) => panic!("{lines:?}: {got:?} instead of {want:?}"),
            }
        }
    }

    #[test]
    fn a_subgraph_may_use_names_from_around_it() {
        let mut outer = graph(&["> y", "x > a"]);
        let mut body = graph(&["a > b", "b > y"]);
        body.inputs.clear();
        outer.nodes[0].attributes.insert("then_branch".into(), Attribute::Graph(Arc::new(body)));
        sort(&mut outer).unwrap();
        assert_eq!(outer.nodes[0].name, "x > a", "the node whose result the subgraph uses comes first");
        outer.nodes.remove(0);
        let message = sort(&mut outer).unwrap_err().to_string();
        assert!(message.contains("operand a is nowhere defined"), "{message}");
    }
}
