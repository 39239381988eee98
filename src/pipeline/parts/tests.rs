//! Divisions cover the whole and nothing else, and what is proved of parts is proved of the whole.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::pipeline::{Verdict, falsify};
use crate::search::Config;
use crate::search::observer::Silent;

const TOY: &str =
    "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)
(assert (>= X_0 0.01))(assert (<= X_0 1.0))(assert (>= X_1 0.01))(assert (<= X_1 1))\n";
/// Input regions with a gap, and outputs that are never reached; comments that hold what looks like text.
const REGIONS: &str = "(assert (or ; first (
    (and (<= X_0 0.25) (>= X_1 0.5))
    (and (>= X_0 0.5) (or (<= X_1 0.25) (>= X_1 0.75))) ; second )
    (<= X_1 0.125)))
(assert (or (>= Y_0 100) (and (<= Y_0 -100) (>= Y_1 3)) (<= Y_1 -100)))";

fn model(name: &str) -> Arc<Model> {
    Arc::new(crate::onnx::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap())
}

/// Every point of a grid, with the numbers of the texts on it, is in the whole exactly if it is in a part.
fn covers(whole: &Query, parts: &[Query]) {
    let inputs = [0.0, 0.01, 0.125, 0.1875, 0.25, 0.3, 0.5, 0.515625, 0.75, 1.0];
    let outputs = [-100.0, 0.0, 3.0, 100.0];
    for x in inputs.iter().flat_map(|&a| inputs.map(|b| vec![a, b])) {
        for y in outputs.iter().flat_map(|&a| outputs.map(|b| vec![a, b])) {
            let point = [x.clone(), y];
            let inside = parts.iter().filter(|part| part.holds(&point[..]).unwrap()).count();
            assert_eq!(whole.holds(&point[..]).unwrap(), inside > 0, "{point:?}");
        }
    }
}

/// Divides a property of a network, and says how: by what, and how many parts. If all are proved, so is the whole.
fn check(network: &str, property: &str, wish: DivisionWish, count: usize) -> String {
    let (query, models) = (vnnlib::parse(property).unwrap(), vec![model(network)]);
    let divided = match divide(&query, &models, wish, count) {
        Ok(divided) => divided,
        Err(error) => return error.to_string(),
    };
    let parts: Vec<Query> = divided.texts.iter().map(|text| vnnlib::parse(text.as_str()).unwrap()).collect();
    if network == "toy.onnx" {
        covers(&query, &parts);
    }
    let budget = Budget::unlimited().slice(Duration::from_secs(60));
    let mut proofs = Vec::new();
    for part in parts {
        let config = Config { threads: 1, ..Config::default() };
        match falsify(part.clone(), models.clone(), &config, &budget, &Silent).unwrap() {
            Verdict::Unsat(proof) => proofs.push((part, proof.certificate().clone())),
            other => return format!("{:?} {}: {other:?}", divided.by, divided.texts.len()),
        }
    }
    let proof = prove(&query, &models, &divided.steps, &proofs, 1, &budget).unwrap();
    let root = Enclosure::root(&query, &models).unwrap();
    let again = certificate::check(&root, proof.certificate(), Mending::Refuse, 1, &|| true);
    assert!(again.is_ok(), "{again:?}");
    // One that lacks a part proves nothing.
    let lost = prove(&query, &models, &divided.steps, &proofs[1..], 1, &budget);
    assert!(lost.is_err(), "{lost:?}");
    format!("{:?} {}: proved", divided.by, divided.texts.len())
}

#[test]
fn parts_cover_the_whole_and_their_proofs_prove_it() {
    use DividedBy::{Box, Disjuncts, Seeds};
    let (auto, only) = (DivisionWish::Auto, DivisionWish::Only);
    let far = format!("{TOY}(assert (>= Y_0 100))");
    let regions = format!("{TOY}{REGIONS}");
    let equal = format!("{TOY}(assert (or (= X_0 X_1) (>= Y_0 100)))(assert (>= Y_0 100))");
    let point =
        "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)
        (assert (= X_0 0.5))(assert (>= X_1 0.1))(assert (>= Y_0 1e30))";
    let pair = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/smooth_monotone.vnnlib"),
    );
    let pair = pair
        .unwrap()
        // Without this bound nothing of it can be proved.
        .replace("(>= X_g[0,0,0] -1.0)", "(>= X_g[0,0,0] -1.0) (<= X_g[0,0,0] 1.0)")
        .replace("(< Y_f[0,2] (- Y_g[0,2] 0.05))", "(or (< Y_f[0,2] -1000.0) (> Y_g[0,1] 1000.0))");
    let cases = [
        ("toy.onnx", &far, only(Box), 5, "[Box] 5: proved"),
        ("toy.onnx", &far, auto, 2, "[Box] 2: proved"),
        ("toy.onnx", &far, only(Seeds), 4, "[Seeds] 1: proved"),
        ("toy.onnx", &far, only(Disjuncts), 4, "the property has no `or`"),
        ("toy.onnx", &regions, only(Disjuncts), 2, "[Disjuncts] 2: proved"),
        ("toy.onnx", &regions, only(Disjuncts), 4, "[Disjuncts] 4: proved"),
        ("toy.onnx", &regions, only(Disjuncts), 100, "[Disjuncts] 12: proved"),
        ("toy.onnx", &regions, auto, 30, "[Disjuncts, Box] 30: proved"),
        ("toy.onnx", &equal, only(Disjuncts), 2, "the property has no `or`"),
        ("toy.onnx", &point.to_owned(), only(Box), 3, "no input can be cut"),
        ("toy.onnx", &point.to_owned(), auto, 3, "[Seeds] 1: "),
        ("smooth.onnx", &pair, auto, 5, "[Disjuncts, Box] 5: proved"),
    ];
    for (network, property, wish, count, want) in cases {
        let got = check(network, property, wish, count);
        assert!(got.starts_with(want), "{property}\n{wish:?} {count}: {got}");
    }
}

#[test]
fn a_division_of_another_property_is_refused() {
    let (models, budget) = (vec![model("toy.onnx")], Budget::unlimited());
    let query = vnnlib::parse(format!("{TOY}{REGIONS}")).unwrap();
    let other = vnnlib::parse(format!("{TOY}(assert (>= Y_0 100))")).unwrap();
    let leaf = Certificate { tokens: vec![crate::certificate::Token::plain_leaf()] };
    let or = Enclosure::root(&query, &models).unwrap().undecided(&BTreeMap::new())[0].0;
    let cases = |or: u32, groups: &[&[u32]]| PartitionStep::Cases {
        or,
        groups: groups.iter().map(|group| group.to_vec()).collect(),
    };
    let part = PartitionStep::Part;
    let table = [
        (vec![], "the division is not one"),
        (vec![part(3)], "the division is not one"),
        (vec![cases(or, &[&[0], &[1, 1]]), part(0), part(0)], "the division is not one"),
        (vec![PartitionStep::Cut { input: 0, at: 0.5 }], "the division is not one"),
        (vec![PartitionStep::Cut { input: 9, at: 0.5 }, part(0), part(0)], "part 0 is not what"),
        (vec![cases(or, &[&[0], &[1, 2]]), part(0), part(0)], "part 0 is not what"),
    ];
    for (steps, want) in table {
        let parts = [(other.clone(), leaf.clone())];
        let refusal = prove(&query, &models, &steps, &parts, 1, &budget).unwrap_err().to_string();
        assert!(refusal.starts_with(want), "{steps:?}: {refusal}");
    }
}
