//! Bytes that are read as a certificate are refused or checked, without a panic; what is accepted is no proof of what is false.
#![no_main]

use std::sync::{Arc, OnceLock};

use counterpatch::certificate::door::Door;
use counterpatch::certificate::{Certificate, Mending, Token};
use counterpatch::onnx::{Dim, ElementType, Graph, Model, Node, ValueInfo};
use libfuzzer_sys::fuzz_target;

/// A network of one rectifier.
fn relu() -> Arc<Model> {
    let info = |name: &str| ValueInfo {
        name: name.into(),
        element: ElementType::Float32,
        shape: Some(vec![Dim::Fixed(1)]),
    };
    let node = Node {
        name: "relu".into(),
        operator: "Relu".into(),
        domain: String::new(),
        inputs: vec!["x".into()],
        outputs: vec!["y".into()],
        attributes: Default::default(),
    };
    let graph =
        Graph { inputs: vec![info("x")], outputs: vec![info("y")], nodes: vec![node], ..Graph::default() };
    Arc::new(Model { path: "relu.onnx".into(), ir_version: 8, opset: 13, graph })
}

/// `max(x, 0)` at most 1 on [−1, 1]: as a query that holds nowhere, and as one that holds at 1.
fn doors() -> &'static [Door; 2] {
    static DOORS: OnceLock<[Door; 2]> = OnceLock::new();
    DOORS.get_or_init(|| {
        let model = relu();
        ["(> Y_0 1.5)", "(>= Y_0 1)"].map(|goal| {
            let text = format!(
                "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (>= X_0 (- 1)))(assert (<= X_0 1))(assert {goal})"
            );
            let query = vnnlib::parse(text).expect("the query is read");
            Door::new(&query, &[Arc::clone(&model)]).expect("there are rules for it")
        })
    })
}

fuzz_target!(|data: &[u8]| {
    // As a file, and as the lines in it.
    let tokens =
        data.split(|b| *b == b'\n').map(serde_json::from_slice::<Token>).collect::<Result<Vec<_>, _>>();
    let certificates = [Certificate::read(data).ok(), tokens.ok().map(|tokens| Certificate { tokens })];
    for certificate in certificates.into_iter().flatten() {
        let _ = doors()[0].check(&certificate, Mending::Cut);
        assert!(doors()[1].check(&certificate, Mending::Cut).is_err());
    }
});
