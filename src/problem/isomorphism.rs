//! Whether two models have the same graph with other weights, as `isomorphic-to` claims.
//!
//! The two graphs are walked from their outputs towards their inputs, side by side: values that stand at the same
//! place must be computed by the same operator with the same attributes from values at the same places. Constants
//! must agree in shape, not in value.

use std::collections::HashMap;

use crate::onnx::{Attribute, Dim, Graph, Node, ValueInfo};

/// Two graphs that are not isomorphic: where they differ.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("they differ at {first} and {second}: {what}")]
pub struct Difference {
    /// A value of the first graph.
    pub first: String,
    /// The value at the same place of the second one.
    pub second: String,
    /// What is different.
    pub what: &'static str,
}

/// Compares two graphs.
///
/// # Errors
/// The first difference that was found.
pub fn compare(first: &Graph, second: &Graph) -> Result<(), Difference> {
    let graphs = [GraphSide::new(first), GraphSide::new(second)];
    let ends = |list: fn(&Graph) -> &[ValueInfo]| (list(first).len(), list(second).len());
    for (a, b) in [ends(|graph| &graph.inputs), ends(|graph| &graph.outputs)] {
        if a != b {
            return Err(differ(&first.name, &second.name, "the numbers of inputs or outputs"));
        }
    }
    let mut pairs: HashMap<&str, &str> = HashMap::new();
    let mut back: HashMap<&str, &str> = HashMap::new();
    let names = |graph: &'_ [ValueInfo]| graph.iter().map(|value| value.name.clone()).collect::<Vec<_>>();
    let (inputs, others) = (names(&first.inputs), names(&second.inputs));
    let mut open: Vec<(&str, &str)> = Vec::new();
    open.extend(first.outputs.iter().zip(&second.outputs).map(|(a, b)| (a.name.as_str(), b.name.as_str())));
    while let Some((a, b)) = open.pop() {
        match (pairs.insert(a, b), back.insert(b, a)) {
            (None, None) => {}
            (Some(old), Some(other)) if old == b && other == a => continue,
            _ => return Err(differ(a, b, "a value is used once here, and twice there")),
        }
        let place = |names: &[String], name: &str| names.iter().position(|input| input == name);
        if place(&inputs, a) != place(&others, b) {
            return Err(differ(a, b, "an input stands at the place of another value"));
        }
        match (graphs[0].nodes.get(a), graphs[1].nodes.get(b)) {
            (Some(&(from, result)), Some(&(to, other))) => {
                if result != other || !same_node(from, to) {
                    return Err(differ(a, b, "the operators or their attributes"));
                }
                open.extend(from.inputs.iter().zip(&to.inputs).map(|(a, b)| (a.as_str(), b.as_str())));
            }
            (None, None) if graphs[0].shape(a) == graphs[1].shape(b) => {}
            (None, None) => return Err(differ(a, b, "the shapes of constants or inputs")),
            _ => return Err(differ(a, b, "one is computed, the other is not")),
        }
    }
    Ok(())
}

fn differ(first: &str, second: &str, what: &'static str) -> Difference {
    Difference { first: first.to_owned(), second: second.to_owned(), what }
}

/// One of the two graphs, by names of values.
struct GraphSide<'a> {
    graph: &'a Graph,
    /// The node that computes a value, and the number of its result.
    nodes: HashMap<&'a str, (&'a Node, usize)>,
}

impl<'a> GraphSide<'a> {
    fn new(graph: &'a Graph) -> Self {
        let results = graph.nodes.iter().flat_map(|node| {
            let named = node.outputs.iter().enumerate().filter(|(_, name)| !name.is_empty());
            named.map(move |(result, name)| (name.as_str(), (node, result)))
        });
        Self { graph, nodes: results.collect() }
    }

    /// The shape of a constant or an input; `None` for an operand that is left out.
    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let constant = self.graph.initializers.get(name).map(|tensor| tensor.shape.clone());
        constant.or_else(|| {
            let input = self.graph.inputs.iter().find(|input| input.name == name)?;
            let extent = |dim: &Dim| if let Dim::Fixed(extent) = dim { *extent } else { 1 };
            Some(input.shape.as_ref()?.iter().map(extent).collect())
        })
    }
}

fn same_node(a: &Node, b: &Node) -> bool {
    a.operator == b.operator
        && a.domain == b.domain
        && a.inputs.len() == b.inputs.len()
        && a.outputs.len() == b.outputs.len()
        && a.inputs.iter().zip(&b.inputs).all(|(a, b)| a.is_empty() == b.is_empty())
        && a.attributes.len() == b.attributes.len()
        && a.attributes
            .iter()
            .zip(&b.attributes)
            .all(|((name, a), (other, b))| name == other && same_value(a, b))
}

fn same_value(a: &Attribute, b: &Attribute) -> bool {
    match (a, b) {
        (Attribute::Float(a), Attribute::Float(b)) => a.to_bits() == b.to_bits(),
        (Attribute::Int(a), Attribute::Int(b)) => a == b,
        (Attribute::String(a), Attribute::String(b)) => a == b,
        (Attribute::Ints(a), Attribute::Ints(b)) => a == b,
        (Attribute::Strings(a), Attribute::Strings(b)) => a == b,
        (Attribute::Floats(a), Attribute::Floats(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
        }
        // A constant's value is a weight.
        (Attribute::Tensor(a), Attribute::Tensor(b)) => a.shape == b.shape,
        (Attribute::Graph(a), Attribute::Graph(b)) => {
            a.nodes.len() == b.nodes.len() && a.nodes.iter().zip(&b.nodes).all(|(a, b)| same_node(a, b))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::onnx::{Data, ElementType, Tensor};

    /// A graph of lines such as `Gemm x w > y`; names that begin with `w` are constants of the given length.
    fn graph(lines: &[&str], length: usize) -> Graph {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let node = |line: &&str| {
            let (left, right) = line.split_once('>').unwrap();
            let mut inputs = words(left);
            let operator = inputs.remove(0);
            let attributes = BTreeMap::from([("axis".to_owned(), Attribute::Int(1))]);
            Node {
                name: String::new(),
                operator,
                domain: String::new(),
                inputs,
                outputs: words(right),
                attributes,
            }
        };
        let nodes: Vec<Node> = lines.iter().map(node).collect();
        let value = |name: &str| {
            let shape = Some(vec![Dim::Fixed(2)]);
            ValueInfo { name: name.to_owned(), element: ElementType::Float32, shape }
        };
        let constants = nodes.iter().flat_map(|node| &node.inputs).filter(|name| name.starts_with('w'));
        let tensor = |name: &String| {
            let data = Data::F32(vec![name.len() as f32; length].into());
            (name.clone(), Arc::new(Tensor { element: ElementType::Float32, shape: vec![length], data }))
        };
        let initializers = constants.map(tensor).collect();
        let last = nodes.last().unwrap().outputs[0].clone();
        Graph {
            name: String::new(),
            inputs: vec![value("x")],
            outputs: vec![value(&last)],
            initializers,
            nodes,
            refused: Default::default(),
        }
    }

    #[test]
    fn graphs_are_compared_up_to_names_and_weights() {
        let one = graph(&["Mul x w1 > a", "Relu a > b", "Add a b > y"], 3);
        let cases: [(Graph, bool); 7] = [
            (graph(&["Mul x w22 > p", "Relu p > q", "Add p q > z"], 3), true),
            (graph(&["Mul x w1 > a", "Relu a > b", "Add a b > y"], 4), false),
            (graph(&["Mul x w1 > a", "Tanh a > b", "Add a b > y"], 3), false),
            (graph(&["Mul x w1 > a", "Relu a > b", "Add b a > y"], 3), false),
            (graph(&["Mul x w1 > a", "Relu a > b", "Add b b > y"], 3), false),
            (graph(&["Mul w1 x > a", "Relu a > b", "Add a b > y"], 3), false),
            (graph(&["Mul x w1 > a", "Mul x w1 > c", "Relu c > b", "Add a b > y"], 3), false),
        ];
        for (number, (other, same)) in cases.iter().enumerate() {
            assert_eq!(compare(&one, other).is_ok(), *same, "case {number}");
            assert_eq!(compare(other, &one).is_ok(), *same, "case {number}, the other way");
        }
        let mut other = one.clone();
        other.nodes[1].attributes.insert("axis".to_owned(), Attribute::Int(2));
        let difference = compare(&one, &other).unwrap_err();
        assert_eq!((difference.first.as_str(), difference.what), ("b", "the operators or their attributes"));
    }
}
