//! Small classifiers for the tests of the attacks, made of random numbers.

use std::sync::Arc;

use super::victim::{Scaling, decision};
use super::{ChannelOrder, Confidence, ImageLayout, Limits, Session, TargetClasses, Task, Victim};
use crate::attack::methods::{Method, Outcome};
use crate::budget::Budget;
use crate::onnx::{Attribute, Data, Dim, ElementType, Graph, Model, Node, Tensor, ValueInfo};
use crate::random::Random;

/// A graph that grows node by node; every node is named after its result.
struct Sketch {
    graph: Graph,
    random: Random,
    last: String,
}

impl Sketch {
    fn new(shape: &[usize], seed: u64) -> Self {
        let mut graph = Graph::default();
        graph.inputs.push(info("input", shape));
        Self { graph, random: Random::new(seed), last: "input".into() }
    }

    /// A random constant whose deviation is `1 / sqrt(fan)`.
    fn weights(&mut self, shape: &[usize], fan: usize) -> String {
        let scale = 1.0 / (fan as f64).sqrt();
        let len: usize = shape.iter().product();
        let data = (0..len).map(|_| (scale * self.random.normal()) as f32).collect();
        self.constant(shape, data)
    }

    fn constant(&mut self, shape: &[usize], data: Vec<f32>) -> String {
        let name = format!("w{}", self.graph.initializers.len());
        let tensor =
            Tensor { element: ElementType::Float32, shape: shape.to_vec(), data: Data::F32(data.into()) };
        self.graph.initializers.insert(name.clone(), Arc::new(tensor));
        name
    }

    fn push(&mut self, operator: &str, more: Vec<String>, attributes: &[(&str, Attribute)]) {
        let name = format!("n{}", self.graph.nodes.len());
        let inputs = std::iter::once(self.last.clone()).chain(more).collect();
        let attributes = attributes.iter().map(|(key, value)| ((*key).into(), value.clone())).collect();
        let (operator, domain) = (operator.into(), String::new());
        let outputs = vec![name.clone()];
        let node = Node { name: name.clone(), operator, domain, inputs, outputs, attributes };
        self.graph.nodes.push(node);
        self.last = name;
    }

    fn full(&mut self, inputs: usize, outputs: usize) {
        self.full_of(inputs, outputs, 1);
    }

    /// Of weights so many times as large.
    fn full_of(&mut self, inputs: usize, outputs: usize, times: usize) {
        let weights = self.weights(&[outputs, inputs], (inputs / (times * times)).max(1));
        let bias = self.weights(&[outputs], 4);
        self.gemm(weights, bias);
    }

    fn gemm(&mut self, weights: String, bias: String) {
        self.push("Gemm", vec![weights, bias], &[("transB", Attribute::Int(1))]);
    }

    fn model(mut self, outputs: usize) -> Model {
        self.graph.outputs.push(info(&self.last, &[1, outputs]));
        Model { path: "sketch.onnx".into(), ir_version: 8, opset: 13, graph: self.graph }
    }

    fn finish(self, classes: usize, layout: ImageLayout) -> Victim {
        self.finish_scaled(classes, layout, Scaling::unit(layout.channels))
    }

    fn finish_scaled(self, classes: usize, layout: ImageLayout, scaling: Scaling) -> Victim {
        Victim::new(Arc::new(self.model(classes)), layout, scaling).unwrap()
    }
}

fn info(name: &str, shape: &[usize]) -> ValueInfo {
    let shape = Some(shape.iter().map(|&n| Dim::Fixed(n)).collect());
    ValueInfo { name: name.into(), element: ElementType::Float32, shape }
}

/// Fully connected ReLU layers of these widths over images of one row, one channel.
pub(crate) fn mlp(widths: &[usize], seed: u64) -> Victim {
    activated("Relu", widths, seed)
}

/// Fully connected layers of these widths, with an activation between them, over images of one row, one channel.
pub(crate) fn activated(operator: &str, widths: &[usize], seed: u64) -> Victim {
    let layout = ImageLayout { channels: 1, height: 1, width: widths[0], order: ChannelOrder::ChannelsFirst };
    activated_over(layout, operator, widths, seed)
}

/// Fully connected ReLU layers over images of a layout.
pub(crate) fn mlp_over(layout: ImageLayout, widths: &[usize], seed: u64) -> Victim {
    activated_over(layout, "Relu", widths, seed)
}

fn activated_over(layout: ImageLayout, operator: &str, widths: &[usize], seed: u64) -> Victim {
    let mut sketch = Sketch::new(&[1, widths[0]], seed);
    for (at, pair) in widths.windows(2).enumerate() {
        if at > 0 {
            sketch.push(operator, vec![], &[]);
        }
        // Functions that squash their sums leave small ones all alike.
        sketch.full_of(pair[0], pair[1], if operator == "Relu" { 1 } else { 4 });
    }
    sketch.finish(widths[widths.len() - 1], layout)
}

/// One output of a layer: its weights and its bias.
pub(crate) type Row<'a> = (&'a [f64], f64);

/// Fully connected layers of these weights, with ReLU between them, on grey images of this height and width.
pub(crate) fn dense(height: usize, width: usize, layers: &[&[Row<'_>]]) -> Victim {
    let layout = ImageLayout { channels: 1, height, width, order: ChannelOrder::ChannelsFirst };
    dense_over(layout, Scaling::unit(1), layers)
}

/// The same over images of a layout, whose values are scaled.
pub(crate) fn dense_over(layout: ImageLayout, scaling: Scaling, layers: &[&[Row<'_>]]) -> Victim {
    let mut sketch = Sketch::new(&[1, layout.len()], 0);
    for (at, rows) in layers.iter().enumerate() {
        if at > 0 {
            sketch.push("Relu", vec![], &[]);
        }
        let values = rows.iter().flat_map(|row| row.0).map(|&weight| weight as f32).collect();
        let weights = sketch.constant(&[rows.len(), rows[0].0.len()], values);
        let bias = sketch.constant(&[rows.len()], rows.iter().map(|row| row.1 as f32).collect());
        sketch.gemm(weights, bias);
    }
    let classes = layers.last().map_or(0, |rows| rows.len());
    sketch.finish_scaled(classes, layout, scaling)
}

/// A convolution, a max-pooling and two full layers over 2 × 6 × 6 images, four classes.
pub(crate) fn cnn(seed: u64) -> Victim {
    let mut sketch = Sketch::new(&[1, 2, 6, 6], seed);
    let (weights, bias) = (sketch.weights(&[3, 2, 3, 3], 18), sketch.weights(&[3], 4));
    sketch.push("Conv", vec![weights, bias], &[("pads", Attribute::Ints(vec![1, 1, 1, 1]))]);
    sketch.push("Relu", vec![], &[]);
    let two = || Attribute::Ints(vec![2, 2]);
    sketch.push("MaxPool", vec![], &[("kernel_shape", two()), ("strides", two())]);
    sketch.push("Flatten", vec![], &[]);
    sketch.full(27, 10);
    sketch.push("Relu", vec![], &[]);
    sketch.full(10, 4);
    sketch.finish(4, ImageLayout { channels: 2, height: 6, width: 6, order: ChannelOrder::ChannelsFirst })
}

/// A convolution with ReLU, and five features from the means of its channels: of colour images of 7 rows and 5 columns, their
/// channels first or last, and with one set of weights a seed. The node of the means is called `means`.
pub(crate) fn feature_model(order: ChannelOrder, seed: u64) -> Model {
    let sizes = match order {
        ChannelOrder::ChannelsFirst => [1, 3, 7, 5],
        ChannelOrder::ChannelsLast => [1, 7, 5, 3],
    };
    let mut sketch = Sketch::new(&sizes, seed);
    if order == ChannelOrder::ChannelsLast {
        sketch.push("Transpose", vec![], &[("perm", Attribute::Ints(vec![0, 3, 1, 2]))]);
    }
    let (weights, bias) = (sketch.weights(&[6, 3, 3, 3], 27), sketch.weights(&[6], 4));
    sketch.push("Conv", vec![weights, bias], &[]);
    sketch.push("Relu", vec![], &[]);
    sketch.push("GlobalAveragePool", vec![], &[]);
    if let Some(node) = sketch.graph.nodes.last_mut() {
        node.name = "means".into();
    }
    sketch.push("Flatten", vec![], &[]);
    sketch.full(6, 5);
    sketch.model(5)
}

/// A random image of a victim's size.
pub(crate) fn image(victim: &Victim, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed);
    (0..victim.layout.len()).map(|_| random.unit() as f32).collect()
}

/// An image's class.
pub(crate) fn class(victim: &Victim, image: &[f32]) -> usize {
    decision(&victim.network.evaluate(image)).unwrap()
}

/// Attacks random images one after the other; checks what every result has to keep, and gives the results.
pub(crate) fn attack_all(
    method: &dyn Method,
    victim: &Victim,
    limits: &Limits,
    images: std::ops::Range<u64>,
) -> Vec<(Vec<f32>, Option<Vec<f32>>)> {
    let budget = Budget::unlimited();
    let run = |seed| {
        let image = image(victim, seed);
        let label = class(victim, &image);
        let targets = TargetClasses::Strongest(3);
        let task = Task { victim, image: &image, label, limits, targets, confidence: Confidence::Picture };
        let mut session = Session::new(&victim.network, &budget, Random::new(seed));
        let found = match method.attack(&task, &mut session) {
            Outcome::Adversarial(input) => Some(input),
            Outcome::GaveUp => None,
            Outcome::Stopped(reason) => panic!("stopped without a limit: {reason}"),
        };
        if let Some(input) = &found {
            assert!(task.keeps_limits(input), "image {seed} leaves the limits");
            let replayed = victim.replay(input).unwrap();
            assert_ne!(decision(&replayed), Some(label), "image {seed}: the reference engine disagrees");
            assert!(session.spent.evaluations > 0);
        }
        (image.clone(), found)
    };
    images.map(run).collect()
}

/// Values that differ.
pub(crate) fn changed(image: &[f32], input: &[f32]) -> usize {
    image.iter().zip(input).filter(|(a, b)| a != b).count()
}

/// What a method's maker is given.
pub(crate) fn preparation(victim: &Victim) -> crate::attack::Preparation<'_> {
    crate::attack::Preparation {
        victim,
        companions: &[],
        images: &[],
        labels: &[],
        seed: 1,
        reading: Default::default(),
        norm: crate::nearest::Norm::Linf,
    }
}

#[test]
fn sketches_agree_with_the_reference_engine() {
    for victim in [mlp(&[9, 7, 3], 1), cnn(2)] {
        let image = image(&victim, 3);
        let (fast, slow) = (victim.network.evaluate(&image), victim.replay(&image).unwrap());
        let distance = fast.iter().zip(&slow).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(distance < 1e-5, "{fast:?} and {slow:?}");
    }
}
