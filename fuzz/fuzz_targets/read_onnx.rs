//! No bytes make the ONNX reader panic, overflow the stack or allocate without bound. What it accepts has sorted
//! nodes, and the reference engine takes it or names every operator that it lacks.
#![no_main]

use std::collections::HashSet;
use std::sync::Arc;

use counterpatch::{onnx, reference::Engine};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(model) = onnx::from_bytes(data) else { return };
    let graph = &model.graph;
    let mut known: HashSet<&str> = graph.inputs.iter().map(|i| i.name.as_str()).collect();
    known.extend(graph.initializers.keys().map(String::as_str));
    for node in &graph.nodes {
        assert!(node.inputs.iter().all(|name| name.is_empty() || known.contains(name.as_str())));
        known.extend(node.outputs.iter().map(String::as_str));
    }
    if let Err(unsupported) = Engine::new(Arc::new(model)) {
        assert!(!unsupported.0.is_empty());
    }
});
