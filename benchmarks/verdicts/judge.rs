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
            let result = match open(node, &operands) {
                Some((shape, results)) => {
                    let compute = |result: Open| Type(element).compute(result, random);
                    Arc::new(tensor(element, shape, results.into_iter().map(compute).collect()))
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
        _ => Data::F32(values.into_iter().map(|x| in_type(element, x) as f32).collect::<Vec<_>>().into()),
    };
    Tensor { element, shape, data }
}

/// How a result comes about that ONNX leaves open.
enum Open {
    Sum(Sum),
    Normal(Normal),
}

/// `scale · Σ product of factors + Σ added`.
#[derive(Default)]
struct Sum {
    products: Vec<Vec<f64>>,
    scale: Option<f64>,
    added: Vec<f64>,
}

/// `(x − mean) / spread · scale + bias`.
struct Normal {
    x: f64,
    mean: f64,
    spread: f64,
    scale: f64,
    bias: f64,
}

/// The results of a node, with their shape; `None` for nodes that leave nothing open.
fn open(node: &Node, operands: &[Arc<Tensor>]) -> Option<(Vec<usize>, Vec<Open>)> {
    let values: Vec<Vec<f64>> = operands.iter().map(|t| t.to_f64()).collect();
    let all = |shape: Vec<usize>, sums: Vec<Sum>| Some((shape, sums.into_iter().map(Open::Sum).collect()));
    let alone = |numbers: &[f64]| numbers.iter().map(|&x| vec![x]).collect::<Vec<_>>();
    let mean = |numbers: &[f64]| Sum {
        products: alone(numbers),
        scale: Some(1.0 / numbers.len() as f64),
        added: Vec::new(),
    };
    match node.operator.as_str() {
        "MatMul" | "Gemm" => {
            let (x, w) = (&values[0], &values[1]);
            let flipped = node.int("transB").ok()?.unwrap_or(0) == 1;
            let alpha = f64::from(node.float("alpha").ok()?.unwrap_or(1.0) as f32);
            let beta = f64::from(node.float("beta").ok()?.unwrap_or(1.0) as f32);
            let n = x.len();
            let m = w.len() / n;
            let at = |i: usize, j: usize| if flipped { w[j * n + i] } else { w[i * m + j] };
            let row = |j: usize| Sum {
                products: (0..n).map(|i| vec![x[i], at(i, j)]).collect(),
                scale: (alpha != 1.0).then_some(alpha),
                added: values.get(2).map(|c| beta * c[j]).into_iter().collect(),
            };
            all(vec![1, m], (0..m).map(row).collect())
        }
        "Conv" => {
            let (x, w, b) = (&values[0], &values[1], &values[2]);
            let kernel = operands[1].shape[2];
            let places = x.len() + 1 - kernel;
            let row = |at: usize| {
                let (channel, place) = (at / places, at % places);
                let product = |k: usize| vec![x[place + k], w[channel * kernel + k]];
                Sum { products: (0..kernel).map(product).collect(), scale: None, added: vec![b[channel]] }
            };
            all(vec![1, b.len(), places], (0..b.len() * places).map(row).collect())
        }
        "AveragePool" => {
            let kernel = *node.ints("kernel_shape").ok()??.first()? as usize;
            let windows: Vec<Sum> = values[0].windows(kernel).map(mean).collect();
            all(vec![1, 1, windows.len()], windows)
        }
        "ReduceMean" => all(vec![1, 1], vec![mean(&values[0])]),
        "ReduceSum" => all(vec![1, 1], vec![Sum { products: alone(&values[0]), ..Sum::default() }]),
        "BatchNormalization" => {
            let epsilon = f64::from(node.float("epsilon").ok()?.unwrap_or(1e-5) as f32);
            let number = |i: usize| {
                Open::Normal(Normal {
                    x: values[0][i],
                    scale: values[1][i],
                    bias: values[2][i],
                    mean: values[3][i],
                    spread: (values[4][i] + epsilon).sqrt(),
                })
            };
            Some((operands[0].shape.clone(), (0..values[0].len()).map(number).collect()))
        }
        _ => None,
    }
}

/// Numbers of a type, with what its operators round.
#[derive(Clone, Copy)]
struct Type(ElementType);

impl Type {
    fn add(self, a: f64, b: f64) -> f64 {
        in_type(self.0, a + b)
    }

    fn times(self, a: f64, b: f64) -> f64 {
        in_type(self.0, a * b)
    }

    fn over(self, a: f64, b: f64) -> f64 {
        in_type(self.0, a / b)
    }

    /// `a · b + c`, rounded once.
    fn fused(self, a: f64, b: f64, c: f64) -> f64 {
        match self.0 {
            ElementType::Float32 => f64::from((a as f32).mul_add(b as f32, c as f32)),
            ElementType::Float64 => a.mul_add(b, c),
            _ => in_type(self.0, a * b + c),
        }
    }

    fn compute(self, open: Open, random: &mut Random) -> f64 {
        match open {
            Open::Sum(sum) => self.sum(sum, random),
            Open::Normal(normal) => self.normal(&normal, random),
        }
    }

    /// A sum in random order: two partial sums at a time, or one term after the other without rounding its product. The scale comes
    /// last, or first to one of the factors.
    fn sum(self, Sum { mut products, scale, added }: Sum, random: &mut Random) -> f64 {
        let Some(scale) = scale else {
            products.extend(added.into_iter().map(|x| vec![x]));
            return self.products(products, random);
        };
        let factor = match random.below(3) {
            0 => {
                let sum = self.products(products, random);
                let mut terms = vec![vec![self.times(scale, sum)]];
                terms.extend(added.into_iter().map(|x| vec![x]));
                return self.products(terms, random);
            }
            1 => 0,
            _ => 1,
        };
        for product in &mut products {
            let at = factor.min(product.len() - 1);
            product[at] = self.times(scale, product[at]);
        }
        products.extend(added.into_iter().map(|x| vec![x]));
        self.products(products, random)
    }

    fn products(self, mut terms: Vec<Vec<f64>>, random: &mut Random) -> f64 {
        for i in (1..terms.len()).rev() {
            terms.swap(i, random.below(i + 1));
        }
        if random.below(3) == 0 {
            let factors = |term: &[f64]| (term[0], term.get(1).copied().unwrap_or(1.0));
            return terms.iter().map(|term| factors(term)).fold(0.0, |sum, (a, b)| self.fused(a, b, sum));
        }
        let product = |term: &Vec<f64>| term.iter().copied().reduce(|a, b| self.times(a, b));
        let mut parts: Vec<f64> = terms.iter().filter_map(product).collect();
        while parts.len() > 1 {
            let a = parts.swap_remove(random.below(parts.len()));
            let b = parts.swap_remove(random.below(parts.len()));
            parts.push(self.add(a, b));
        }
        parts.pop().unwrap_or(0.0)
    }

    fn normal(self, &Normal { x, mean, spread, scale, bias }: &Normal, random: &mut Random) -> f64 {
        let spread = in_type(self.0, spread);
        let (factor, centred) = (self.over(1.0, spread), self.add(x, -mean));
        let slope = if random.below(2) == 0 { self.times(scale, factor) } else { self.over(scale, spread) };
        match random.below(5) {
            0 => self.add(self.times(self.times(centred, factor), scale), bias),
            1 => self.add(self.times(self.over(centred, spread), scale), bias),
            2 => self.add(self.times(self.times(centred, scale), factor), bias),
            3 => self.fused(centred, slope, bias),
            _ => self.fused(x, slope, self.add(bias, -self.times(mean, slope))),
        }
    }
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
