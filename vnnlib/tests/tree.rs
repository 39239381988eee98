//! Trees and the converter: nothing is lost on the way.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use vnnlib::{ConvertError, ElementType, FormulaTree, Numeral, Query, Relation, Signature, TermTree};

/// The accepted texts of the corpus.
fn corpus(version: &str) -> Vec<Query> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/grammar/corpus/accept")).join(version);
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts = paths.filter(|path| path.extension().is_some_and(|extension| extension == "vnnlib"));
    texts.map(|path| vnnlib::parse(fs::read_to_string(path).unwrap()).unwrap()).collect()
}

#[test]
fn trees_give_the_same_query_back() {
    for query in corpus("1").into_iter().chain(corpus("2")) {
        let tree = query.to_tree().unwrap();
        assert!(tree.to_query().unwrap_or_else(|errors| panic!("{errors}")) == query, "{query}");
    }
}

#[cfg(feature = "serde")]
#[test]
fn json_gives_the_same_query_back() {
    for query in corpus("1").into_iter().chain(corpus("2")) {
        let json = serde_json::to_string(&query).unwrap();
        let again: Query = serde_json::from_str(&json).unwrap();
        assert!(again == query, "{json}");
    }
    let query = vnnlib::parse(
        "(vnnlib-version <2.0>)(declare-network N (declare-input X float32 [1,2]) (declare-output Y float32 []))\
         (assert (or (<= X[0,1] 0.50) (> (- Y) (* 2.0 X[0,0]))))",
    );
    insta::assert_snapshot!(serde_json::to_string(&query.unwrap()).unwrap(), @r#"{"version":{"v2":{"minor":0}},"networks":[{"name":"N","equivalence":null,"tensors":[{"name":"X","role":"input","element_type":"float32","shape":[1,2],"onnx_name":null,"initialized":false},{"name":"Y","role":"output","element_type":"float32","shape":[],"onnx_name":null,"initialized":false}]}],"assertions":[{"or":[{"compare":["less_equal",{"variable":["X",[0,1]]},{"numeral":"0.50"}]},{"compare":["greater",{"negation":{"variable":["Y",[]]}},{"product":[{"numeral":"2.0"},{"variable":["X",[0,0]]}]}]}]}]}"#);
    assert!(serde_json::from_str::<Query>(r#"{"version":"v1","networks":[],"assertions":[]}"#).is_err());
}

#[test]
fn wrong_trees_are_refused() {
    let good = corpus("1").into_iter().next().unwrap().to_tree().unwrap();
    let with = |assertion: FormulaTree| {
        let mut tree = good.clone();
        tree.assertions.push(assertion);
        tree.to_query().err().map(|errors| errors.to_string().lines().next().unwrap().to_string())
    };
    let compare = |name: &str, number: &str| {
        let variable = TermTree::Variable(name.into(), vec![0]);
        with(FormulaTree::Compare(Relation::LessEqual, variable, TermTree::Numeral(number.into())))
    };
    assert_eq!(compare("X", "1.0"), None);
    assert_eq!(
        compare("Z", "1.0").unwrap().split(": ").nth(1),
        Some("`Z_0` is not a variable name of VNN-LIB 1.0")
    );
    let injected = compare("X", "1.0)) (assert (<= X_0 2.0");
    assert_eq!(injected.as_deref(), Some("<tree>:1:1: the tree does not read back from its own text"));
    assert!(with(FormulaTree::And(Vec::new())).unwrap().contains("`and` has 0 operand(s)"));
    let mut huge = good.clone();
    huge.networks[0].tensors[0].shape = vec![u32::MAX];
    assert!(huge.to_query().unwrap_err().to_string().contains("larger than 4 GiB"));
}

#[test]
fn texts_nested_too_deeply_have_no_tree() {
    let nested = |depth: usize| {
        let text = format!("{}(<= X_0 1.0){}", "(or ".repeat(depth - 1), ")".repeat(depth - 1));
        vnnlib::parse(format!("(declare-const X_0 Real)(declare-const Y_0 Real)(assert {text})")).unwrap()
    };
    assert!(nested(500).to_tree().unwrap().to_query().unwrap() == nested(500));
    assert!(nested(501).to_tree().is_err());
}

#[test]
fn version_1_becomes_version_2() {
    let query = vnnlib::parse(
        "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const X_2 Real)(declare-const X_3 Real)\
         (declare-const Y_0 Real)(declare-const Y_1 Real)\
         (assert (<= X_3 1.2e-05))(assert (or (and (<= 1 X_0) (= Y_1 Y_0)) (< (- X_1) (* 3 X_2))))",
    );
    let query = query.unwrap();
    let signature = Signature { element_type: ElementType::Float32, input: vec![1, 2, 2], output: vec![2] };
    insta::assert_snapshot!(query.to_version_2(Some(&signature)).unwrap(), @r"
    (vnnlib-version <2.0>)
    (declare-network N
        (declare-input X float32 [1,2,2])
        (declare-output Y float32 [2]))
    (assert (<= X[0,1,1] 0.000012))
    (assert (or
        (and (<= 1.0 X[0,0,0]) (== Y[1] Y[0]))
        (< (- X[0,0,1]) (* 3.0 X[0,1,0]))))
    ");
    let flat = query.to_version_2(None).unwrap();
    assert!(flat.print().contains("(declare-input X real [4])"));
    assert_eq!(flat.to_version_2(None), Err(ConvertError::NotVersion1));
    let wrong = Signature { input: vec![5], ..signature.clone() };
    assert_eq!(
        query.to_version_2(Some(&wrong)),
        Err(ConvertError::WrongSize { name: "X".into(), expected: 4, found: 5 })
    );
    let integer = Signature { element_type: ElementType::Int32, ..signature };
    assert_eq!(query.to_version_2(Some(&integer)), Err(ConvertError::NotReal(ElementType::Int32)));
}

#[test]
fn converted_queries_mean_the_same() {
    for query in corpus("1") {
        let Ok(converted) = query.to_version_2(None) else {
            // 1e9999 is too long when written out.
            assert!(query.text().contains("1e9999"));
            continue;
        };
        for k in 0..50_i32 {
            let value = |i: usize| f64::from((k * 7 + i as i32 * 13) % 41 - 20) / 16.0;
            let point: Vec<Vec<f64>> =
                query.tensors().iter().map(|tensor| (0..tensor.len()).map(value).collect()).collect();
            assert_eq!(query.holds(&point[..]), converted.holds(&point[..]), "{query}{point:?}");
        }
    }
}

proptest! {
    #[test]
    fn plain_numbers_have_the_same_value(text in "-?[0-9]{1,12}(\\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?") {
        let numeral = Numeral::new(&text).unwrap();
        let plain = numeral.to_plain();
        let again = Numeral::new(&plain).unwrap();
        prop_assert_eq!(again.cmp_value(numeral), std::cmp::Ordering::Equal, "{}", plain);
        prop_assert!(plain.contains('.') && !plain.contains(['e', 'E']));
    }
}
