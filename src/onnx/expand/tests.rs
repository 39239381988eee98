//! Networks of one operator each, made and computed by `scripts/networks/composed.py`: both engines against ONNX Runtime.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use std::collections::BTreeMap;

use crate::network::Network;
use crate::onnx::{self, Attribute, Dim, ElementType, Graph, Model, Node, ValueInfo};
use crate::reference::{Engine, Precision};

#[derive(Deserialize)]
struct Point {
    x: Vec<f64>,
    y: Vec<f64>,
}

#[derive(Deserialize)]
struct Expected {
    points: Vec<Point>,
}

fn all() -> BTreeMap<String, Expected> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/composed");
    serde_json::from_str(&std::fs::read_to_string(folder.join("expected.json")).unwrap()).unwrap()
}

fn model(name: &str) -> Arc<Model> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/composed");
    Arc::new(
        onnx::read(&folder.join(format!("{name}.onnx"))).unwrap_or_else(|error| panic!("{name}: {error}")),
    )
}

/// The largest difference, relative to the largest number.
fn apart(got: &[f64], want: &[f64]) -> f64 {
    if got.len() != want.len() {
        return f64::INFINITY;
    }
    let scale = want.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
    got.iter().zip(want).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max)
}

#[test]
fn both_engines_compute_what_onnx_runtime_does() {
    let mut wrong = Vec::new();
    for (name, expected) in all() {
        let model = model(&name);
        let engine = match Engine::new(Arc::clone(&model)) {
            Ok(engine) => engine,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        let network: Network<f32> = match crate::network::import(&model) {
            Ok(network) => network,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        for (at, point) in expected.points.iter().enumerate() {
            match engine.run(&[&point.x], Precision::Model) {
                Ok(outputs) => {
                    let error = apart(&outputs[0].values, &point.y);
                    if error > 1e-5 {
                        wrong.push(format!("{name}: the plain engine is off by {error:.1e} at point {at}"));
                    }
                }
                Err(error) => wrong.push(format!("{name}: {error}")),
            }
            let single: Vec<f32> = point.x.iter().map(|&x| x as f32).collect();
            let got: Vec<f64> = network.evaluate(&single).iter().map(|&y| y.into()).collect();
            let error = apart(&got, &point.y);
            if error > 1e-5 {
                wrong.push(format!("{name}: the fast network is off by {error:.1e} at point {at}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_operator_that_is_written_out_has_a_network() {
    let mut seen = String::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/composed");
    for name in all().keys() {
        // Names of operators stand as text in the file.
        seen.push_str(&String::from_utf8_lossy(&std::fs::read(folder.join(format!("{name}.onnx"))).unwrap()));
    }
    let names = super::operators().into_iter().map(|name| name.rsplit('.').next().unwrap_or("").to_owned());
    let unseen: Vec<String> = names
        .chain(super::for_network().map(str::to_owned))
        // What is always refused, and other names of what has a network.
        .filter(|name| !["CastMap", "CategoryMapper", "DictVectorizer"].contains(&name.as_str()))
        .filter(|name| {
            !["TransposeMatMul", "DequantizeLinear", "QuantizeLinear", "GemmFastGelu"]
                .contains(&name.as_str())
        })
        .filter(|name| name != "QLinearAveragePool" && !seen.contains(name.as_str()))
        .collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}

fn floats(list: &[f32]) -> Attribute {
    Attribute::Floats(list.to_vec())
}

fn ints(list: &[i64]) -> Attribute {
    Attribute::Ints(list.to_vec())
}

fn texts(list: &[&str]) -> Attribute {
    Attribute::Strings(list.iter().map(|text| text.as_bytes().to_vec()).collect())
}

/// A model of one classical operator with two features, of which the result of this number is wanted.
fn classical(operator: &str, attributes: &[(&str, Attribute)], wanted: usize) -> Graph {
    let info = |name: &str| ValueInfo {
        name: name.into(),
        element: ElementType::Float32,
        shape: Some(vec![Dim::Fixed(1), Dim::Fixed(2)]),
    };
    let node = Node {
        name: "#0".into(),
        operator: operator.into(),
        domain: super::CLASSICAL.into(),
        inputs: vec!["x".into()],
        outputs: vec!["first".into(), "second".into()],
        attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
    };
    let output = info(["first", "second"][wanted]);
    Graph { nodes: vec![node], inputs: vec![info("x")], outputs: vec![output], ..Graph::default() }
}

/// What is said of it: by the reader, or by the importer, which knows what is needed.
fn said(mut graph: Graph) -> String {
    if let Err(error) = super::expand(&mut graph, 17) {
        return error.to_string();
    }
    let model = Model { path: "net.onnx".into(), ir_version: 8, opset: 17, graph };
    let engine = Engine::new(Arc::new(model.clone())).err().map(|error| error.to_string());
    let network = crate::network::import::<f32>(&model).err().map(|error| error.to_string());
    assert_eq!(engine, network);
    engine.unwrap_or_default()
}

/// A tree of one decision with weights for two classes.
fn both_classes() -> Vec<(&'static str, Attribute)> {
    vec![
        ("nodes_treeids", ints(&[0, 0, 0])),
        ("nodes_nodeids", ints(&[0, 1, 2])),
        ("nodes_featureids", ints(&[0, 0, 0])),
        ("nodes_modes", texts(&["BRANCH_LEQ", "LEAF", "LEAF"])),
        ("nodes_values", floats(&[0.5, 0.0, 0.0])),
        ("nodes_truenodeids", ints(&[1, 0, 0])),
        ("nodes_falsenodeids", ints(&[2, 0, 0])),
        ("class_treeids", ints(&[0; 4])),
        ("class_nodeids", ints(&[1, 1, 2, 2])),
        ("class_ids", ints(&[0, 1, 0, 1])),
        ("class_weights", floats(&[0.3, 0.7, 0.8, 0.2])),
        ("classlabels_int64s", ints(&[4, 7])),
    ]
}

#[test]
fn what_has_no_one_meaning_is_refused_where_it_is_needed() {
    let line = [("coefficients", floats(&[1.0, 2.0])), ("intercepts", floats(&[0.5]))];
    let logistic = ("post_transform", Attribute::String(b"LOGISTIC".to_vec()));
    let with = |list: &[(&'static str, Attribute)], more: (&'static str, Attribute)| {
        list.iter().cloned().chain([more]).collect::<Vec<_>>()
    };
    let pair = vec![
        ("coefficients", floats(&[1.0, -1.0])),
        ("rho", floats(&[0.1])),
        ("support_vectors", floats(&[1.0, 0.0, 0.0, 1.0])),
        ("vectors_per_class", ints(&[1, 1])),
        ("classlabels_ints", ints(&[0, 1])),
    ];
    let not_the_same = "is not what ONNX Runtime computes (help: leave post_transform out";
    let cases = [
        ("LinearRegressor", line.to_vec(), 0, ""),
        ("LinearRegressor", with(&line, logistic.clone()), 0, not_the_same),
        ("SVMClassifier", pair.clone(), 1, ""),
        ("SVMClassifier", with(&pair, logistic), 1, not_the_same),
        ("TreeEnsembleClassifier", both_classes(), 1, ""),
        (
            "TreeEnsembleClassifier",
            both_classes(),
            0,
            "the label of two classes that both have weights (help: give every leaf weights of all classes",
        ),
        ("CategoryMapper", vec![], 0, "it maps texts, and a property speaks of numbers (help: cut the model"),
        ("LabelEncoder", vec![("keys_strings", texts(&["a"]))], 0, "it maps texts"),
        ("OneHotEncoder", vec![("cats_strings", texts(&["a"]))], 0, "it maps texts"),
        (
            "DictVectorizer",
            vec![],
            0,
            "it takes a map, and a property speaks of numbers (help: cut the model",
        ),
    ];
    for (operator, attributes, wanted, expected) in cases {
        let words = said(classical(operator, &attributes, wanted));
        let fits = if expected.is_empty() { words.is_empty() } else { words.contains(expected) };
        assert!(fits, "{operator}: {words:?} is not {expected:?}");
        // Where nobody needs it, nothing is said.
        let mut graph = classical(operator, &attributes, wanted);
        graph.outputs[0].name = "x".into();
        assert_eq!(said(graph), "", "{operator}");
    }
}

/// Found by `loops_onnx`: the new axis was put in before the ranks were compared.
#[test]
fn a_list_of_tensors_of_different_ranks_is_refused_by_both_engines() {
    let mut graph = classical("", &[], 0);
    let node = |operator: &str, inputs: &[&str], output: &str, attributes: &[(&str, i64)]| Node {
        name: "#0".into(),
        operator: operator.into(),
        domain: String::new(),
        inputs: inputs.iter().map(|&name| name.to_owned()).collect(),
        outputs: vec![output.into()],
        attributes: attributes
            .iter()
            .map(|&(name, value)| (name.to_owned(), Attribute::Int(value)))
            .collect(),
    };
    graph.initializers.insert("c".into(), Arc::new(onnx::Tensor::int64(vec![0])));
    graph.nodes = vec![
        node("Gather", &["x", "c"], "row", &[("axis", 0)]),
        node("ReduceMax", &["x"], "most", &[("keepdims", 0)]),
        node("SequenceConstruct", &["row", "most"], "list", &[]),
        node("ConcatFromSequence", &["list"], "first", &[("axis", 2), ("new_axis", 1)]),
    ];
    let model = Model { path: "net.onnx".into(), ir_version: 8, opset: 17, graph };
    let refused = crate::network::import::<f32>(&model).err().map(|error| error.to_string());
    let expected = "the list holds tensors of different ranks";
    assert!(refused.clone().is_some_and(|text| text.contains(expected)), "{refused:?}");
    let engine = Engine::new(Arc::new(model)).unwrap();
    let error = engine.run(&[&[1.0, 2.0]], Precision::Model).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}
