//! The fast engine under test.
//!
//! A test feeds every operand as an input, also those that the fast engine wants as constants: shapes, indices,
//! weights. So three readings are tried in turn: all inputs vary, only the first does, none does. A test passes with
//! the first reading that can be imported.

use std::collections::BTreeMap;
use std::sync::Arc;

use counterpatch::network::{self, Network, Real};
use counterpatch::onnx::{Dim, ElementType, Model, Tensor};

pub(crate) fn run(model: Model, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, String> {
    let double = inputs.iter().any(|tensor| tensor.element == ElementType::Float64);
    if double { run_in::<f64>(&model, &inputs) } else { run_in::<f32>(&model, &inputs) }
}

fn run_in<T: Real>(model: &Model, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
    let mut problem = String::new();
    for varying in [inputs.len(), 1, 0] {
        match network::import::<T>(&with_constants(model, inputs, varying)) {
            Ok(network) => return Ok(evaluate(&network, &inputs[..varying.min(inputs.len())])),
            Err(error) => problem = error.to_string(),
        }
    }
    Err(problem)
}

/// The model with the inputs' shapes declared, and all but the first few made constants.
fn with_constants(model: &Model, inputs: &[Tensor], varying: usize) -> Model {
    let mut model = model.clone();
    let names: Vec<String> = model.graph.inputs.iter().map(|input| input.name.clone()).collect();
    let constants: BTreeMap<_, _> = names.into_iter().zip(inputs).skip(varying).collect();
    model.graph.inputs.truncate(inputs.len().min(varying));
    for (info, tensor) in model.graph.inputs.iter_mut().zip(inputs) {
        info.shape = Some(tensor.shape.iter().map(|&d| Dim::Fixed(d)).collect());
    }
    for (name, tensor) in constants {
        model.graph.initializers.insert(name, Arc::new(tensor.clone()));
    }
    model
}

fn evaluate<T: Real>(network: &Network<T>, inputs: &[Tensor]) -> Vec<Tensor> {
    let x: Vec<T> = inputs.iter().flat_map(|tensor| tensor.to_f64()).map(T::of).collect();
    let y: Vec<f64> = network.evaluate(&x).into_iter().map(Real::widen).collect();
    let mut at = 0;
    let outputs = network.outputs().iter().map(|&id| {
        let node = network.node(id);
        at += node.len();
        Tensor::rounded(node.element, node.shape.clone(), &y[at - node.len()..at])
    });
    outputs.collect()
}
