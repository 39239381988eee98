//! Enclosures against the plain engine, and verdicts about floats that are wrong about real numbers.

mod cells;
mod findings;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::directed::Interval;
use super::sweep::{SweepWorkspace, TapeRow};
use super::worker::Worker;
use super::{Certificate, Enclosure, Ground, Mending, Refusal, Token, certify, check};
use crate::onnx::{Attribute, Data, Dim, ElementType, Graph, Model, Node, Tensor, ValueInfo};
use crate::random::Random;
use crate::reference::{Engine, Precision};

/// A model of one input `x` and one output `y`, made node by node.
struct Builder {
    opset: i64,
    element: ElementType,
    shape: Vec<usize>,
    nodes: Vec<Node>,
    initializers: BTreeMap<String, Arc<Tensor>>,
}

impl Builder {
    fn new(shape: &[usize]) -> Self {
        Self {
            opset: 13,
            element: ElementType::Float32,
            shape: shape.to_vec(),
            nodes: Vec::new(),
            initializers: BTreeMap::new(),
        }
    }

    fn of(mut self, element: ElementType) -> Self {
        self.element = element;
        self
    }

    /// A float constant.
    fn constant(mut self, name: &str, shape: &[usize], values: &[f32]) -> Self {
        let tensor =
            Tensor { element: self.element, shape: shape.to_vec(), data: Data::F32(values.to_vec().into()) };
        self.initializers.insert(name.into(), Arc::new(tensor));
        self
    }

    fn ints(mut self, name: &str, values: &[i64]) -> Self {
        let tensor = Tensor {
            element: ElementType::Int64,
            shape: vec![values.len()],
            data: Data::I64(values.to_vec()),
        };
        self.initializers.insert(name.into(), Arc::new(tensor));
        self
    }

    /// `Gemm x w b -> y` as a node.
    fn node(self, text: &str) -> Self {
        self.node_with(text, &[])
    }

    fn node_with(mut self, text: &str, attributes: &[(&str, Attribute)]) -> Self {
        let mut words = text.split_whitespace();
        let operator = words.next().unwrap().to_owned();
        let inputs = words.by_ref().take_while(|word| *word != "->").map(String::from).collect();
        let outputs = words.map(String::from).collect();
        let attributes = attributes.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
        let name = format!("n{}", self.nodes.len());
        self.nodes.push(Node { name, operator, domain: String::new(), inputs, outputs, attributes });
        self
    }

    fn build(self) -> Arc<Model> {
        let info = |name: &str, shape: Option<Vec<Dim>>| ValueInfo {
            name: name.into(),
            element: self.element,
            shape,
        };
        let shape = self.shape.iter().map(|&n| Dim::Fixed(n)).collect();
        let graph = Graph {
            name: String::new(),
            inputs: vec![info("x", Some(shape))],
            outputs: vec![info("y", None)],
            nodes: self.nodes,
            initializers: self.initializers,
            ..Graph::default()
        };
        Arc::new(Model { path: "net.onnx".into(), ir_version: 8, opset: self.opset, graph })
    }
}

/// A query with inputs in a box, and one assertion about outputs.
fn query(inputs: &[(f64, f64)], outputs: usize, assertion: &str) -> vnnlib::Query {
    let mut text = String::new();
    (0..inputs.len()).for_each(|i| text += &format!("(declare-const X_{i} Real)"));
    (0..outputs).for_each(|i| text += &format!("(declare-const Y_{i} Real)"));
    for (i, (low, high)) in inputs.iter().enumerate() {
        text += &format!("(assert (>= X_{i} {low:.17}))(assert (<= X_{i} {high:.17}))");
    }
    vnnlib::parse(format!("{text}(assert {assertion})")).unwrap()
}

/// Whether one leaf proves that there is no counterexample.
fn proved(model: &Arc<Model>, query: &vnnlib::Query) -> bool {
    let enclosure = Enclosure::new(query, std::slice::from_ref(model)).unwrap();
    let certificate = Certificate { tokens: vec![Token::plain_leaf()] };
    check(&enclosure, &certificate, Mending::Cut, 1, &|| true).is_ok()
}

fn attribute(value: i64) -> Attribute {
    Attribute::Int(value)
}

#[test]
fn floats_are_not_real_numbers() {
    let check = |name: &str, builder: Builder, range: (f64, f64), assertion: &str, expected: bool| {
        let query = query(&[range], 1, assertion);
        assert_eq!(proved(&builder.build(), &query), expected, "{name}: {assertion} on {range:?}");
    };
    let one = || Builder::new(&[1, 1]);
    let cancel = || one().constant("k", &[1, 1], &[1e8]).node("Add x k -> a").node("Sub a k -> y");
    check("absorption", cancel(), (4.1, 4.5), "(>= Y_0 7.0)", false);
    check("absorption, far away", cancel(), (4.1, 4.5), "(>= Y_0 40.0)", true);
    let overflow =
        || one().constant("k", &[1, 1], &[3e38]).constant("q", &[1, 1], &[1e-30]).node("Mul x k -> a");
    check("overflow", overflow().node("Mul a q -> y"), (1.5, 2.0), "(>= Y_0 1e9)", false);
    check("no overflow", overflow().node("Mul a q -> y"), (0.5, 1.0), "(>= Y_0 1e9)", true);
    let sigmoid = || one().node("Sigmoid x -> y");
    check("saturation", sigmoid(), (17.5, 18.0), "(>= Y_0 1.0)", false);
    check("no saturation", sigmoid(), (1.5, 2.0), "(>= Y_0 1.0)", true);
    let half = || {
        one()
            .of(ElementType::Float16)
            .constant("k", &[1, 1], &[1000.0])
            .node("Add x k -> a")
            .node("Sub a k -> y")
    };
    check("halves", half(), (0.2, 0.24), "(>= Y_0 0.25)", false);
    check("halves, far away", half(), (0.2, 0.24), "(>= Y_0 2.0)", true);
    let whole = || {
        one()
            .node_with("Cast x -> a", &[("to", attribute(6))])
            .node_with("Cast a -> y", &[("to", attribute(1))])
    };
    check("whole numbers", whole(), (-3.5, 4.5), "(>= Y_0 5)", true);
    check("whole numbers that do not fit", whole(), (2e9, 3e9), "(<= Y_0 0)", false);
}

#[test]
fn whole_numbers_are_exact_in_any_order() {
    let weights: Vec<f32> = (0..64).map(|i| if i % 3 == 0 { 1.0 } else { -1.0 }).collect();
    let net = |scale: f32| {
        let signs = Builder::new(&[1, 32]).constant("w", &[32, 2], &weights).constant("s", &[1], &[scale]);
        signs.node("Sign x -> s1").node("MatMul s1 w -> m").node("Mul m s -> y").build()
    };
    // The two sums are -2 and -1 times ... whatever: their difference is a whole number, and ties are ties.
    let inputs = vec![(0.25, 0.5); 32];
    let sums = |j: usize| (0..32).map(|i| f64::from(weights[2 * i + j])).sum::<f64>();
    let exact = query(&inputs, 2, &format!("(> Y_0 {})", sums(0)));
    assert!(
        proved(&net(1.0), &exact)
            && proved(&net(0.5), &query(&inputs, 2, &format!("(> Y_0 {})", sums(0) / 2.0)))
    );
    assert!(!proved(&net(1.0), &query(&inputs, 2, &format!("(>= Y_0 {})", sums(0)))));
    assert!(!proved(&net(0.3), &query(&inputs, 2, &format!("(> Y_0 {})", f64::from(0.3f32) * sums(0)))));
}

#[test]
fn what_a_point_certifies() {
    let check = |builder: Builder, x: f64, assertion: &str, expected: bool| {
        let query = query(&[(-1e9, 1e9)], 1, assertion);
        let enclosure = Enclosure::new(&query, &[builder.build()]).unwrap();
        assert_eq!(certify(&enclosure, &[vec![x], vec![0.0]], &|_| None), expected, "{assertion} at {x}");
    };
    let cancel =
        || Builder::new(&[1, 1]).constant("k", &[1, 1], &[1e8]).node("Add x k -> a").node("Sub a k -> y");
    // The point alone decides; each sum has one rounding. 4.25 + 1e8 is rounded to 1e8 + 8 or 1e8, as rounding goes.
    check(cancel(), 8.0, "(>= Y_0 8.0)", true);
    check(cancel(), 8.0, "(> Y_0 8.0)", false);
    check(cancel(), 3.0, "(<= Y_0 12.0)", true);
    let scaled = || Builder::new(&[1, 1]).constant("k", &[1, 1], &[0.1]).node("Mul x k -> y");
    check(scaled(), 1.0, "(>= Y_0 0.0999)", true);
    check(scaled(), 1.0, "(>= Y_0 0.1)", true);
    check(scaled(), 0.3, "(> Y_0 0.0300000015)", false);
    check(Builder::new(&[1, 1]).node("Relu x -> y"), 2.0, "(= Y_0 2.0)", true);
}

/// Random networks of every kind of step, sampled in the plain engine.
#[test]
fn no_sample_leaves_its_enclosure() {
    let mut random = Random::new(11);
    for round in 0..40 {
        let scale = [1.0, 1e-3, 30.0][round % 3];
        let mut numbers =
            |count: usize| (0..count).map(|_| (scale * random.between(-1.0, 1.0)) as f32).collect::<Vec<_>>();
        let dense =
            |b: Builder, name: &str, k: usize, n: usize, values: Vec<f32>| b.constant(name, &[k, n], &values);
        let weights = [numbers(24), numbers(36), numbers(18)];
        let layers = |functions: [&str; 2]| {
            let mut b = Builder::new(&[1, 4]);
            for (name, k, n, w) in
                [("w0", 4, 6, &weights[0]), ("w1", 6, 6, &weights[1]), ("w2", 6, 3, &weights[2])]
            {
                b = dense(b, name, k, n, w.clone());
            }
            b = b
                .node("MatMul x w0 -> a0")
                .node(&format!("{} a0 -> h0", functions[0]))
                .node("MatMul h0 w1 -> a1");
            b.node(&format!("{} a1 -> h1", functions[1])).node("Add h0 h1 -> r").node("MatMul r w2 -> s")
        };
        let end = |b: Builder, node: &str| b.node(node).build();
        let models = [
            end(layers(["Relu", "Relu"]), "Identity s -> y"),
            end(layers(["LeakyRelu", "Tanh"]), "Softmax s -> y"),
            end(layers(["Tanh", "Relu"]), "LogSoftmax s -> y"),
            end(layers(["Sigmoid", "Relu"]), "Mul s s -> y"),
            end(layers(["Sin", "Cos"]), "Abs s -> y"),
            end(layers(["Sign", "Relu"]), "Exp s -> y"),
            end(
                layers(["Relu", "Sigmoid"]).node("ReduceSum s -> t").node("ReduceMax r -> m"),
                "Div t m -> y",
            ),
        ];
        for model in &models {
            check_samples(model, &mut random, scale);
        }
    }
}

fn check_samples(model: &Arc<Model>, random: &mut Random, scale: f64) {
    let width = 0.2 * random.unit();
    let inputs: Vec<(f64, f64)> = (0..4)
        .map(|_| {
            let low = f64::from((scale * random.between(-1.0, 1.0)) as f32);
            (low, f64::from((low + width) as f32))
        })
        .collect();
    let engine = Engine::new(Arc::clone(model)).unwrap();
    let middle: Vec<f64> = inputs.iter().map(|(l, h)| (0.5 * l + 0.5 * h).clamp(*l, *h)).collect();
    let outputs = engine.run(&[&middle], Precision::Model).unwrap()[0].values.len();
    let query = query(&inputs, outputs, "(<= Y_0 0)");
    let enclosure = Enclosure::new(&query, std::slice::from_ref(model)).unwrap();
    let numbers = enclosure.outputs();
    let ranges: Vec<Interval> = inputs.iter().map(|&(low, high)| Interval { low, high }).collect();
    let coefficients: Vec<f64> = numbers.iter().map(|_| random.between(-1.0, 1.0)).collect();
    let row = TapeRow {
        terms: numbers.iter().copied().zip(coefficients.iter().copied()).collect(),
        ..TapeRow::default()
    };
    for tightened in [false, true] {
        let mut worker = Worker::new(&enclosure);
        if tightened {
            assert!(worker.tighten(&enclosure, &ranges, &|| true));
        } else {
            worker.enclose(&enclosure, &ranges);
        }
        let least =
            SweepWorkspace::default().rows(&enclosure.tape, worker.bounds(), std::slice::from_ref(&row), &[])
                [0];
        for sample in 0..20 {
            let corner = sample % 2 == 0;
            let point: Vec<f64> = inputs
                .iter()
                .map(|&(low, high)| {
                    let share = if corner { random.unit().round() } else { random.unit() };
                    f64::from((low + share * (high - low)) as f32).clamp(low, high)
                })
                .collect();
            for precision in [Precision::Model, Precision::Double] {
                let values = &engine.run(&[&point], precision).unwrap()[0].values;
                for (&number, &value) in numbers.iter().zip(values) {
                    let range = worker.bounds().of(number);
                    let inside = range.low <= value && value <= range.high;
                    assert!(
                        inside || range == Interval::EVERYTHING,
                        "{value} is outside of {range:?} at {point:?}"
                    );
                }
                let value: f64 = coefficients.iter().zip(values).map(|(c, y)| c * y).sum();
                assert!(value.is_finite() || least == f64::NEG_INFINITY);
                assert!(
                    !value.is_finite() || least <= value + 1e-12 * value.abs(),
                    "the row is {value}, bounded by {least}"
                );
            }
        }
    }
}

#[test]
fn moved_values_keep_their_places() {
    let model = Builder::new(&[1, 2, 3])
        .ints("shape", &[3, 2])
        .ints("pads", &[0, 1, 0, 0])
        .ints("index", &[2, 0, 2])
        .constant("roi", &[0], &[])
        .constant("scales", &[2], &[2.0, 1.5])
        .node("Reshape x shape -> a")
        .node("Pad a pads -> b")
        .node_with("Gather b index -> c", &[("axis", attribute(0))])
        .node_with("Transpose c -> d", &[("perm", Attribute::Ints(vec![1, 0]))])
        .node_with("Concat d d -> e", &[("axis", attribute(0))])
        .node("Resize e roi scales -> y")
        .build();
    let inputs: Vec<(f64, f64)> = (0..6).map(|i| (f64::from(i) + 1.0, f64::from(i) + 1.0)).collect();
    let point: Vec<f64> = inputs.iter().map(|i| i.0).collect();
    let engine = Engine::new(Arc::clone(&model)).unwrap();
    let values = engine.run(&[&point], Precision::Model).unwrap()[0].values.clone();
    let enclosure = Enclosure::new(&query(&inputs, values.len(), "(<= Y_0 0)"), &[model]).unwrap();
    let ranges: Vec<Interval> = inputs.iter().map(|&(low, high)| Interval { low, high }).collect();
    let mut worker = Worker::new(&enclosure);
    worker.enclose(&enclosure, &ranges);
    let found: Vec<Interval> = enclosure.outputs().iter().map(|&n| worker.bounds().of(n)).collect();
    assert_eq!(found, values.iter().map(|&x| Interval { low: x, high: x }).collect::<Vec<_>>());
}

/// |x0| + |x1| as a network of four rectifiers, at least 1 on the box's upper right.
fn absolute_values() -> Arc<Model> {
    Builder::new(&[1, 2])
        .constant("w", &[2, 4], &[1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0, -1.0])
        .constant("v", &[4, 1], &[1.0, 1.0, 1.0, 1.0])
        .node("MatMul x w -> a")
        .node("Relu a -> h")
        .node("MatMul h v -> y")
        .build()
}

#[test]
fn trees_must_cover_and_leaves_must_hold() {
    let model = absolute_values();
    let query = query(&[(-1.0, 1.0), (0.5, 1.0)], 1, "(or (<= Y_0 0.4) (and (<= X_0 -2) (<= Y_0 9)))");
    let enclosure = Enclosure::new(&query, &[model]).unwrap();
    let leaf = Token::plain_leaf;
    let neuron = |i: usize| Token::Phase { neuron: enclosure.pre_activations("n1").unwrap()[i] };
    let cut = |input: u32, at: f64| Token::Cut { input, at };
    let (or, _) = super::formula::undecided(&enclosure.query, &Default::default())[0];
    let cases = |count: u32| Token::Cases { or, count };
    let weights = |weight: f32| Token::Leaf {
        slopes: vec![],
        weights: vec![(enclosure.pre_activations("n1").unwrap()[0], weight)],
    };
    let checks: Vec<(Vec<Token>, Result<usize, &str>)> = vec![
        (vec![cut(0, 0.0), leaf(), leaf()], Ok(2)),
        (vec![cases(2), cut(0, 0.0), leaf(), leaf(), leaf()], Ok(3)),
        (vec![neuron(0), weights(1.0), leaf()], Ok(2)),
        (vec![], Err("token 1: the tree ends here, 1 parts are missing")),
        (vec![cut(0, 0.0), leaf()], Err("token 3: the tree ends here, 1 parts are missing")),
        (vec![cut(0, 0.0), leaf(), leaf(), leaf()], Err("token 4: the tree was complete before it")),
        (vec![cut(0, 1.5), leaf(), leaf()], Err("token 1: it is cut outside of the part")),
        (vec![cut(0, f64::NAN), leaf(), leaf()], Err("token 1: it is cut outside of the part")),
        (vec![cut(2, 0.0), leaf(), leaf()], Err("token 1: there is no such input")),
        (vec![cases(3), leaf(), leaf(), leaf()], Err("another number of operands")),
        (vec![Token::Phase { neuron: 0 }, leaf(), leaf()], Err("no rectifier with this")),
        (vec![neuron(0), weights(-1.0), leaf()], Err("or is negative")),
        (
            vec![Token::Leaf { slopes: vec![(0, 0.5)], weights: vec![] }],
            Err("a slope belongs to no rectifier"),
        ),
    ];
    for (tokens, expected) in checks {
        let certificate = Certificate { tokens };
        let found = check(&enclosure, &certificate, Mending::Refuse, 2, &|| true);
        match (&found, expected) {
            (Ok(proof), Ok(leaves)) => assert_eq!(proof.ground(), Ground::Bounds(leaves), "{certificate:?}"),
            (Err(refusal), Err(text)) => {
                assert!(refusal.to_string().contains(text), "{certificate:?}: {refusal}")
            }
            _ => panic!("{certificate:?}: {found:?} instead of {expected:?}"),
        }
    }
}

#[test]
fn a_leaf_that_fails_is_named_or_mended() {
    let model = absolute_values();
    let tight = query(&[(-1.0, 1.0), (-1.0, 1.0)], 1, "(<= Y_0 -0.001)");
    let enclosure = Enclosure::new(&tight, std::slice::from_ref(&model)).unwrap();
    let root = Certificate { tokens: vec![Token::plain_leaf()] };
    // Sums of rectifiers are never negative: intervals will do.
    assert!(check(&enclosure, &root, Mending::Refuse, 1, &|| true).is_ok());
    let close = query(&[(-1.0, 1.0), (-1.0, 1.0)], 1, "(>= Y_0 2.2)");
    let enclosure = Enclosure::new(&close, std::slice::from_ref(&model)).unwrap();
    let refused = check(&enclosure, &root, Mending::Refuse, 1, &|| true);
    assert!(matches!(refused, Ok(_) | Err(Refusal::Open { token: 1 })), "{refused:?}");
    let mended = check(&enclosure, &root, Mending::Cut, 1, &|| true).unwrap();
    // What was mended needs no mending again.
    let again = check(&enclosure, mended.certificate(), Mending::Refuse, 1, &|| true).unwrap();
    assert_eq!(again.ground(), mended.ground());
    // A counterexample cannot be mended away.
    let wrong = query(&[(-1.0, 1.0), (-1.0, 1.0)], 1, "(>= Y_0 1.999)");
    let enclosure = Enclosure::new(&wrong, &[model]).unwrap();
    assert_eq!(check(&enclosure, &root, Mending::Cut, 1, &|| true).unwrap_err(), Refusal::Open { token: 1 });
    assert_eq!(check(&enclosure, &root, Mending::Cut, 1, &|| false).unwrap_err(), Refusal::Ended);
}
