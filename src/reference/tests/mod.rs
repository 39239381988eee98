//! Tests of the engine beyond the ONNX project's own (`tests/conformance`), which have one version of each operator.

mod byte_kernels;
mod errors;
mod networks;
mod old_versions;
mod runtime;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ByteKernels, Engine, Precision};
use crate::onnx::{Attribute, Data, Dim, ElementType, Graph, Model, Node, Tensor, ValueInfo};

/// A float tensor.
fn floats(shape: &[usize], values: &[f32]) -> Tensor {
    Tensor { element: ElementType::Float32, shape: shape.to_vec(), data: Data::F32(values.to_vec().into()) }
}

/// An integer tensor with one dimension.
fn ints(values: &[i64]) -> Tensor {
    Tensor { element: ElementType::Int64, shape: vec![values.len()], data: Data::I64(values.to_vec()) }
}

/// A node named `n` with operands `i0`, `i1` … and results `o0`, `o1` …
fn node(operator: &str, operands: usize, results: usize, attributes: &[(&str, Attribute)]) -> Node {
    Node {
        name: "n".into(),
        operator: operator.into(),
        domain: String::new(),
        inputs: (0..operands).map(|i| format!("i{i}")).collect(),
        outputs: (0..results).map(|i| format!("o{i}")).collect(),
        attributes: attributes.iter().map(|(name, value)| ((*name).into(), value.clone())).collect(),
    }
}

fn info(name: &str, tensor: &Tensor) -> ValueInfo {
    let shape = Some(tensor.shape.iter().map(|&n| Dim::Fixed(n)).collect());
    ValueInfo { name: name.into(), element: tensor.element, shape }
}

/// A model of one node whose operands are the model's inputs.
fn model(opset: i64, node: Node, inputs: &[Tensor]) -> Model {
    let outputs = node.outputs.iter().map(|name| info(name, &floats(&[], &[0.0]))).collect();
    let inputs = inputs.iter().enumerate().map(|(i, t)| info(&format!("i{i}"), t)).collect();
    let graph = Graph {
        name: String::new(),
        nodes: vec![node],
        inputs,
        outputs,
        initializers: BTreeMap::new(),
        refused: BTreeMap::new(),
    };
    Model { path: "net.onnx".into(), ir_version: 8, opset, graph }
}

/// The results of one node.
fn run(opset: i64, node: Node, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
    let engine = Engine::new(Arc::new(model(opset, node, inputs))).map_err(|e| e.to_string())?;
    let results = engine.run_tensors(inputs.to_vec(), Precision::Model, &[]).map_err(|e| e.to_string())?;
    Ok(results.into_iter().map(|(_, tensor)| Arc::unwrap_or_clone(tensor)).collect())
}
