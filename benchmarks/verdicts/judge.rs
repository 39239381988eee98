//! Permitted computations of a network, among them sums in random order, and points to look at.

use std::collections::HashMap;
use std::sync::Arc;

use counterpatch::onnx::{Data, Dim, ElementType, Graph, Model, Node, Tensor, ValueInfo};
use counterpatch::random::Random;
use counterpatch::reference::{Engine, Precision};

use crate::networks::in_type;

/// A network, node by node.
pub(crate) struct Judge {
    model: Arc<Model>,
    engine: Engine,
    nodes: Vec<Engine>,
}

impl Judge {
    pub(crate) fn new(model: &Arc<Model>) -> Option<Self> {
        let engine = Engine::new(Arc::clone(model)).ok()?;
        let nodes = model.graph.nodes.iter().map(|node| alone(model, node)).collect::<Option<Vec<_>>>()?;
        Some(Self { model: Arc::clone(model), engine, nodes })
    }

    /// The output in the plain engine.
    pub(crate) fn plain(&self, point: &[f64], precision: Precision) -> Option<Vec<f64>> {
        Some(self.engine.run(&[point], precision).ok()?.swap_remove(0).values)
    }

    /// The output with all sums in random order, some of them by fused multiply-adds.
    pub(crate) fn permuted(&self, point: &[f64], random: &mut Random) -> Option<Vec<f64>> {
        let graph = &self.model.graph;
        let element = graph.inputs[0].element;
        let mut values: HashMap<&str, Arc<Tensor>> = HashMap::new();
        graph.initializers.iter().for_each(|(name, tensor)| drop(values.insert(name, Arc::clone(tensor))));
        values.insert("x", Arc::new(tensor(element, vec![1, point.len()], point.to_vec())));
        for (node, engine) in graph.nodes.iter().zip(&self.nodes) {
            let operands: Vec<Arc<Tensor>> =
                node.inputs.iter().map(|name| values.get(name.as_str()).cloned()).collect::<Option<_>>()?;
            let result = match sums(node, &operands) {
                Some((shape, rows)) => {
                    let add = |row: Vec<Vec<f64>>| added(element, row, random);
                    Arc::new(tensor(element, shape, rows.into_iter().map(add).collect()))
                }
                None => {
                    let own = operands.iter().map(|t| Tensor::clone(t)).collect();
                    engine.run_tensors(own, Precision::Model, &[]).ok()?.swap_remove(0).1
                }
            };
            values.insert(&node.outputs[0], result);
        }
        Some(values.get("y")?.to_f64())
    }
}

/// A model of one node, whose operands are all inputs.
fn alone(model: &Model, node: &Node) -> Option<Engine> {
    let info = |name: &String| ValueInfo { name: name.clone(), element: ElementType::Float32, shape: None };
    let mut names = node.inputs.clone();
    let mut node = node.clone();
    // The same value twice is two inputs.
    names.iter_mut().enumerate().for_each(|(i, name)| *name = format!("{name}_{i}"));
    node.inputs.clone_from(&names);
    let graph = Graph {
        name: String::new(),
        inputs: names.iter().map(info).collect(),
        outputs: node.outputs.iter().map(info).collect(),
        nodes: vec![node],
        initializers: Default::default(),
        ..Graph::default()
    };
    Engine::new(Arc::new(Model { graph, ..model.clone() })).ok()
}

fn tensor(element: ElementType, shape: Vec<usize>, values: Vec<f64>) -> Tensor {
    let data = match element {
        ElementType::Float64 => Data::F64(values),
        _ => Data::F32(values.into_iter().map(|x| in_type(element, x) as f32).collect()),
    };
    Tensor { element, shape, data }
}

/// The terms of a sum: products of factors.
type Terms = Vec<Vec<f64>>;

/// Each result of a matrix product, a convolution or a sum as a list of terms; `None` for other nodes.
fn sums(node: &Node, operands: &[Arc<Tensor>]) -> Option<(Vec<usize>, Vec<Terms>)> {
    let values: Vec<Vec<f64>> = operands.iter().map(|t| t.to_f64()).collect();
    match node.operator.as_str() {
        "MatMul" | "Gemm" => {
            let (x, w) = (&values[0], &values[1]);
            let flipped = node.int("transB").ok()?.unwrap_or(0) == 1;
            let scale = node.float("alpha").ok()?.unwrap_or(1.0);
            let n = x.len();
            let m = w.len() / n;
            let at = |i: usize, j: usize| if flipped { w[j * n + i] } else { w[i * m + j] };
            let row = |j: usize| {
                let mut terms: Terms = (0..n).map(|i| vec![scale, x[i], at(i, j)]).collect();
                terms.extend(values.get(2).map(|c| vec![c[j]]));
                terms
            };
            Some((vec![1, m], (0..m).map(row).collect()))
        }
        "Conv" => {
            let (x, w, b) = (&values[0], &values[1], &values[2]);
            let kernel = operands[1].shape[2];
            let places = x.len() + 1 - kernel;
            let row = |at: usize| {
                let (channel, place) = (at / places, at % places);
                let mut terms: Terms =
                    (0..kernel).map(|k| vec![x[place + k], w[channel * kernel + k]]).collect();
                terms.push(vec![b[channel]]);
                terms
            };
            Some((vec![1, b.len(), places], (0..b.len() * places).map(row).collect()))
        }
        "ReduceSum" => Some((vec![1, 1], vec![values[0].iter().map(|&x| vec![x]).collect()])),
        _ => None,
    }
}

/// A sum in random order: two partial sums at a time, or one term after the other without rounding its product.
fn added(element: ElementType, mut terms: Terms, random: &mut Random) -> f64 {
    for i in (1..terms.len()).rev() {
        terms.swap(i, random.below(i + 1));
    }
    if random.below(3) == 0 && element != ElementType::Float64 {
        return terms.iter().fold(0.0, |sum, term| {
            let [product, factor] = match term.as_slice() {
                [a, b, c] => [in_type(element, a * b), *c],
                [a, b] => [*a, *b],
                _ => [term[0], 1.0],
            };
            match element {
                ElementType::Float32 => f64::from((product as f32).mul_add(factor as f32, sum as f32)),
                _ => in_type(element, product * factor + sum),
            }
        });
    }
    let product = |term: &Vec<f64>| term.iter().copied().reduce(|a, b| in_type(element, a * b));
    let mut parts: Vec<f64> = terms.iter().filter_map(product).collect();
    while parts.len() > 1 {
        let a = parts.swap_remove(random.below(parts.len()));
        let b = parts.swap_remove(random.below(parts.len()));
        parts.push(in_type(element, a + b));
    }
    parts.pop().unwrap_or(0.0)
}

/// A point of a box: a corner, the middle, a float beside one of them, or anything.
pub(crate) fn point(element: ElementType, ranges: &[(f64, f64)], random: &mut Random) -> Vec<f64> {
    let way = random.below(4);
    let one = |&(low, high): &(f64, f64), random: &mut Random| {
        let x = match way {
            0 => [low, high][random.below(2)],
            1 => [low, high, 0.5 * low + 0.5 * high][random.below(3)],
            2 => random.between(low, high),
            _ => {
                let end = [low, high, 0.0][random.below(3)];
                let float = end as f32;
                [float.next_up(), float.next_down(), float][random.below(3)].into()
            }
        };
        in_type(element, x.clamp(low, high)).clamp(low, high)
    };
    ranges.iter().map(|range| one(range, random)).collect()
}

/// The declared shape of a model's input.
pub(crate) fn width(model: &Model) -> usize {
    let dims = model.graph.inputs[0].shape.as_deref().unwrap_or_default();
    dims.iter().map(|d| if let Dim::Fixed(n) = d { *n } else { 1 }).product()
}
