//! Random networks that are hard on floats: cancellations, saturations, ties, overflow, few digits.

use std::collections::BTreeMap;
use std::sync::Arc;

use counterpatch::onnx::{Attribute, Data, Dim, ElementType, Graph, Model, Node, Tensor, ValueInfo};
use counterpatch::random::Random;

/// Functions of one operand, without attributes.
const FUNCTIONS: &[&str] = &[
    "Relu",
    "Relu",
    "Relu",
    "LeakyRelu",
    "Sigmoid",
    "Tanh",
    "Exp",
    "Abs",
    "Sign",
    "Floor",
    "Ceil",
    "Round",
    "Softplus",
    "Softsign",
    "Elu",
    "Selu",
    "HardSigmoid",
    "HardSwish",
    "Sqrt",
    "Sin",
    "Cos",
    "Erf",
    "Atan",
    "Neg",
    "Reciprocal",
    "Identity",
    "Log",
    "Mish",
    "Gelu",
];

/// A network in the making: one input `x` of shape 1 × n.
pub(crate) struct Maker<'r> {
    random: &'r mut Random,
    element: ElementType,
    palette: usize,
    nodes: Vec<Node>,
    constants: BTreeMap<String, Arc<Tensor>>,
    /// Values so far, with their lengths.
    values: Vec<(String, usize)>,
}

/// A number of a type, as it is stored.
pub(crate) fn in_type(element: ElementType, x: f64) -> f64 {
    match element {
        ElementType::Float16 => half_of(x),
        ElementType::Float64 => x,
        _ => f64::from(x as f32),
    }
}

/// The nearest number of half precision, ties to even; none of its subnormal numbers.
fn half_of(x: f64) -> f64 {
    // The smallest normal one itself is kept.
    if x.abs() < 2f64.powi(-14) {
        return 0.0;
    }
    let unit = 2f64.powi(x.abs().log2().floor() as i32 - 10);
    ((x / unit).round_ties_even() * unit).clamp(-65504.0, 65504.0)
}

impl<'r> Maker<'r> {
    /// A network with inputs of a random type, and how many it has.
    pub(crate) fn network(random: &'r mut Random) -> (Arc<Model>, usize) {
        let element = match random.below(10) {
            0 => ElementType::Float16,
            1 | 2 => ElementType::Float64,
            _ => ElementType::Float32,
        };
        let (palette, inputs) = (random.below(6), 1 + random.below(10).min(random.below(10)));
        let values = vec![("x".to_owned(), inputs)];
        let mut maker = Self { random, element, palette, nodes: vec![], constants: BTreeMap::new(), values };
        for _ in 0..1 + maker.random.below(5) {
            maker.layer();
        }
        (maker.finish(inputs), inputs)
    }

    fn finish(mut self, inputs: usize) -> Arc<Model> {
        let last = self.values.last().map_or(String::new(), |value| value.0.clone());
        self.put("Identity", &[&last], "y", &[]);
        let info = |name: &str, shape: Option<Vec<Dim>>| ValueInfo {
            name: name.into(),
            element: self.element,
            shape,
        };
        let graph = Graph {
            name: "random".into(),
            inputs: vec![info("x", Some(vec![Dim::Fixed(1), Dim::Fixed(inputs)]))],
            outputs: vec![info("y", None)],
            nodes: self.nodes,
            initializers: self.constants,
            ..Graph::default()
        };
        Arc::new(Model { path: "random.onnx".into(), ir_version: 8, opset: 20, graph })
    }

    fn put(&mut self, operator: &str, inputs: &[&str], output: &str, attributes: &[(&str, Attribute)]) {
        self.nodes.push(Node {
            name: format!("n{}", self.nodes.len()),
            operator: operator.into(),
            domain: String::new(),
            inputs: inputs.iter().map(|&name| name.into()).collect(),
            outputs: vec![output.into()],
            attributes: attributes.iter().map(|(name, value)| ((*name).into(), value.clone())).collect(),
        });
    }

    /// A node whose result is the newest value.
    fn then(
        &mut self,
        operator: &str,
        inputs: &[&str],
        len: usize,
        attributes: &[(&str, Attribute)],
    ) -> String {
        let name = format!("v{}", self.nodes.len());
        self.put(operator, inputs, &name, attributes);
        self.values.push((name.clone(), len));
        name
    }

    fn weight(&mut self) -> f64 {
        let sign = if self.random.below(2) == 0 { 1.0 } else { -1.0 };
        let large = if self.element == ElementType::Float16 { 1000.0 } else { 1e8 };
        let size = match (self.palette, self.random.below(8)) {
            (0, _) => 1.0,
            (1, n) => (n as f64) - 3.0,
            (2, _) => self.random.normal(),
            (3, 0) => large,
            (4, 0) => 1e30,
            (4, 1) => 1e-30,
            (_, 0..=2) => 1.0,
            (_, 3) => 2f64.powi(-(self.random.below(24) as i32)),
            (_, 4) => 1.0 - 2f64.powi(-24),
            (_, 5) => 0.0,
            _ => self.random.normal(),
        };
        in_type(self.element, sign * size)
    }

    fn constant(&mut self, shape: &[usize], values: Vec<f64>) -> String {
        let name = format!("c{}", self.constants.len());
        let data = match self.element {
            ElementType::Float64 => Data::F64(values),
            _ => Data::F32(values.into_iter().map(|x| x as f32).collect::<Vec<_>>().into()),
        };
        self.constants
            .insert(name.clone(), Arc::new(Tensor { element: self.element, shape: shape.into(), data }));
        name
    }

    fn weights(&mut self, shape: &[usize]) -> String {
        let values = (0..shape.iter().product()).map(|_| self.weight()).collect();
        self.constant(shape, values)
    }

    fn whole(&mut self, values: &[i64]) -> String {
        let name = format!("c{}", self.constants.len());
        let tensor = Tensor {
            element: ElementType::Int64,
            shape: vec![values.len()],
            data: Data::I64(values.to_vec()),
        };
        self.constants.insert(name.clone(), Arc::new(tensor));
        name
    }

    fn layer(&mut self) {
        let Some((x, n)) = self.values.last().cloned() else { return };
        match self.random.below(18) {
            0..=3 => self.product(&x, n),
            4..=7 => self.function(&x, n),
            8 => self.cancel(&x, n),
            9 => self.window(&x, n),
            10 | 11 => self.pair(&x, n),
            12 => self.normalise(&x, n),
            13 => drop(self.then("Softmax", &[&x], n, &[("axis", Attribute::Int(1))])),
            14 => self.reduce(&x, n),
            15 => self.cast(&x, n),
            16 => self.clip(&x, n),
            _ => self.choose(&x, n),
        }
    }

    fn product(&mut self, x: &str, n: usize) {
        let m = 1 + self.random.below(12);
        if self.random.below(2) == 0 {
            let w = self.weights(&[n, m]);
            self.then("MatMul", &[x, &w], m, &[]);
            return;
        }
        let flipped = self.random.below(2);
        let w = if flipped == 1 { self.weights(&[m, n]) } else { self.weights(&[n, m]) };
        let c = self.weights(&[m]);
        let mut scale = || [1.0, 1.0, 0.1, 0.5, 3.0, 1e-4, 1000.0][self.random.below(7)];
        let attributes = [
            ("transB", Attribute::Int(flipped as i64)),
            ("alpha", Attribute::Float(scale())),
            ("beta", Attribute::Float(scale())),
        ];
        self.then("Gemm", &[x, &w, &c], m, &attributes);
    }

    fn function(&mut self, x: &str, n: usize) {
        let name = FUNCTIONS[self.random.below(FUNCTIONS.len())];
        self.then(name, &[x], n, &[]);
    }

    /// `(x + large) − large`, or `x · large / large`.
    fn cancel(&mut self, x: &str, n: usize) {
        let large = if self.element == ElementType::Float16 { 1000.0 } else { 1e8 };
        let (there, back) = [("Add", "Sub"), ("Mul", "Div")][self.random.below(2)];
        let k = self.constant(&[1], vec![large]);
        let middle = self.then(there, &[x, &k], n, &[]);
        self.then(back, &[&middle, &k], n, &[]);
    }

    fn window(&mut self, x: &str, n: usize) {
        let row = self.whole(&[1, 1, n as i64]);
        let row = self.then("Reshape", &[x, &row], n, &[]);
        let kernel = 1 + self.random.below(n.min(3));
        let shape = [("kernel_shape", Attribute::Ints(vec![kernel as i64]))];
        let (made, len) = match self.random.below(3) {
            0 => (self.then("MaxPool", &[&row], n + 1 - kernel, &shape), n + 1 - kernel),
            1 => (self.then("AveragePool", &[&row], n + 1 - kernel, &shape), n + 1 - kernel),
            _ => {
                let channels = 1 + self.random.below(3);
                let (w, b) = (self.weights(&[channels, 1, kernel]), self.weights(&[channels]));
                let len = channels * (n + 1 - kernel);
                (self.then("Conv", &[&row, &w, &b], len, &[]), len)
            }
        };
        self.then("Flatten", &[&made], len, &[]);
        // What is between has another shape.
        let flat = self.values.pop();
        self.values.truncate(self.values.len() - 2);
        self.values.extend(flat);
    }

    /// The newest value with an earlier one, or with a constant.
    fn pair(&mut self, x: &str, n: usize) {
        let alike: Vec<String> = self.values.iter().filter(|v| v.1 == n).map(|v| v.0.clone()).collect();
        let other = match self.random.below(2) {
            0 => alike[self.random.below(alike.len())].clone(),
            _ => self.weights(&[1, n]),
        };
        let name = ["Add", "Sub", "Mul", "Max", "Min", "Div"][self.random.below(6)];
        self.then(name, &[x, &other], n, &[]);
    }

    fn normalise(&mut self, x: &str, n: usize) {
        let [scale, bias, mean] = [0; 3].map(|_| self.weights(&[n]));
        let spread = (0..n).map(|_| [1.0, 4.0, 0.3][self.random.below(3)]).collect();
        let variance = self.constant(&[n], spread);
        let epsilon = [1e-5, 0.0][self.random.below(2)];
        let inputs = [x, &scale, &bias, &mean, &variance];
        self.then("BatchNormalization", &inputs, n, &[("epsilon", Attribute::Float(epsilon))]);
    }

    fn reduce(&mut self, x: &str, n: usize) {
        let name = ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"][self.random.below(4)];
        let axes = self.whole(&[1]);
        let _ = n;
        self.then(name, &[x, &axes], 1, &[]);
    }

    /// To another type and back.
    fn cast(&mut self, x: &str, n: usize) {
        let number = |element: ElementType| match element {
            ElementType::Float16 => 10,
            ElementType::Float64 => 11,
            _ => 1,
        };
        let to = [6, 7, 10, 3][self.random.below(4)];
        let there = format!("t{}", self.nodes.len());
        self.put("Cast", &[x], &there, &[("to", Attribute::Int(to))]);
        let back = Attribute::Int(number(self.element));
        self.then("Cast", &[&there], n, &[("to", back)]);
    }

    fn clip(&mut self, x: &str, n: usize) {
        let (a, b) = (self.weight(), self.weight());
        let low = self.constant(&[], vec![a.min(b)]);
        let high = self.constant(&[], vec![a.max(b)]);
        self.then("Clip", &[x, &low, &high], n, &[]);
    }

    /// One of two values, by a comparison.
    fn choose(&mut self, x: &str, n: usize) {
        let (limit, other) = (self.weights(&[1]), self.weights(&[1, n]));
        let name = ["Less", "Greater", "Equal", "LessOrEqual"][self.random.below(4)];
        let chosen = format!("t{}", self.nodes.len());
        self.put(name, &[x, &limit], &chosen, &[]);
        self.then("Where", &[&chosen, x, &other], n, &[]);
    }
}
