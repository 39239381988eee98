//! `DynamicQuantizeLSTM` of ONNX Runtime: an LSTM whose products are those of bytes. The inputs of all steps are quantised together, the
//! hidden state at each step for itself, as its kernel does. Steps are a `Scan`, so that their number need not be known here.
//! Source: ONNX `LSTM` for the equations, `docs/ContribOperators.md` of ONNX Runtime for the operands.

use super::quantized::{centred, dynamic_bytes};
use super::writer::Writer;
use super::{Entry, MICROSOFT};
use crate::onnx::error::ModelError;
use crate::onnx::model::{Attribute, Graph, ValueInfo};
use crate::onnx::tensor::ElementType;

pub(super) const OPERATORS: &[Entry] = &[(MICROSOFT, "DynamicQuantizeLSTM", lstm)];

/// A matrix of bytes: its operand, and those of its scale and zero point.
type Matrix = [usize; 3];
const OF_INPUT: Matrix = [1, 8, 9];
const OF_HIDDEN: Matrix = [2, 10, 11];

fn lstm(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let named = w.node.attributes.keys().find(|name| {
        matches!(name.as_str(), "activations" | "activation_alpha" | "activation_beta" | "clip")
    });
    if let Some(name) = named {
        return Err(w.error(format!("its attribute {name} is not supported")));
    }
    if w.node.flag("input_forget", false)? || [4, 7].iter().any(|&i| w.optional(i).is_some()) {
        return Err(w.error("coupled gates, lengths of sequences and peepholes are not supported"));
    }
    let size = w.node.int("hidden_size")?.filter(|&n| n > 0 && n < 1 << 24);
    let size = size.ok_or_else(|| w.error("its attribute hidden_size is missing"))?;
    // Which way each direction goes.
    let turns: &[i64] = match w.node.string("direction")? {
        None | Some("forward") => &[0],
        Some("reverse") => &[1],
        Some("bidirectional") => &[0, 1],
        Some(other) => return Err(w.error(format!("its attribute direction is {other}"))),
    };
    let x = w.input(0)?;
    let bytes = dynamic_bytes(w, &x);
    let mut results = [vec![], vec![], vec![]];
    for (which, &turn) in (0..).zip(turns) {
        let parts = direction(w, &bytes, which, turn, size)?;
        // All steps get the axis of directions behind that of steps, the last states in front.
        for ((list, part), axis) in results.iter_mut().zip(parts).zip([1, 0, 0]) {
            list.push(w.unsqueeze(&part, axis));
        }
    }
    for ((i, list), axis) in results.iter().enumerate().zip([1, 0, 0]) {
        let parts: Vec<&str> = list.iter().map(String::as_str).collect();
        let joined = w.with("Concat", &parts, &[("axis", Attribute::Int(axis))]);
        w.give(i, &joined);
    }
    Ok(())
}

/// Hidden states of all steps, the last one, and the last cell state of one direction.
fn direction(
    w: &mut Writer<'_>,
    bytes: &[String; 3],
    which: i64,
    turn: i64,
    size: i64,
) -> Result<[String; 3], ModelError> {
    let mut inputs = product(w, bytes, OF_INPUT, which)?;
    if let Some(biases) = w.optional(3) {
        let biases = chosen(w, &biases, which);
        let (first, second) =
            (w.slice(&biases, 0, (0, 4 * size), 1), w.slice(&biases, 0, (4 * size, 8 * size), 1));
        let bias = w.op("Add", &[&first, &second]);
        inputs = w.op("Add", &[&inputs, &bias]);
    }
    let [hidden, cell] = [5, 6].map(|i| match w.optional(i) {
        Some(states) => chosen(w, &states, which),
        None => zeros(w, size),
    });
    let body = w.body(|w| step(w, which, size))?;
    let attributes = [
        ("body", Attribute::Graph(body.into())),
        ("num_scan_inputs", Attribute::Int(1)),
        ("scan_input_directions", Attribute::Ints(vec![turn])),
        ("scan_output_directions", Attribute::Ints(vec![turn])),
    ];
    let results = w.results("Scan", &[&hidden, &cell, &inputs], &attributes, 3);
    let [hidden, cell, all] = [0, 1, 2].map(|i| results[i].clone());
    Ok([all, hidden, cell])
}

/// One step: from hidden state, cell state and the input's share of the gates to the next two and the step's result.
fn step(w: &mut Writer<'_>, which: i64, size: i64) -> Result<Graph, ModelError> {
    let [hidden, cell, input] = [(); 3].map(|()| w.fresh());
    let bytes = dynamic_bytes(w, &hidden);
    let from_hidden = product(w, &bytes, OF_HIDDEN, which)?;
    let sums = w.op("Add", &[&input, &from_hidden]);
    let gate = |w: &mut Writer<'_>, i: i64, function: &str| {
        let part = w.slice(&sums, -1, (i * size, (i + 1) * size), 1);
        w.op(function, &[&part])
    };
    let (enter, leave) = (gate(w, 0, "Sigmoid"), gate(w, 1, "Sigmoid"));
    let (keep, new) = (gate(w, 2, "Sigmoid"), gate(w, 3, "Tanh"));
    let (kept, entered) = (w.op("Mul", &[&keep, &cell]), w.op("Mul", &[&enter, &new]));
    let next_cell = w.op("Add", &[&kept, &entered]);
    let shown = w.op("Tanh", &[&next_cell]);
    let next_hidden = w.op("Mul", &[&leave, &shown]);
    let result = w.op("Identity", &[&next_hidden]);
    let info = |name: &String| ValueInfo { name: name.clone(), element: ElementType::Float32, shape: None };
    Ok(Graph {
        inputs: [hidden, cell, input].iter().map(info).collect(),
        outputs: [next_hidden, next_cell, result].iter().map(info).collect(),
        ..Graph::default()
    })
}

/// What belongs to one direction.
fn chosen(w: &mut Writer<'_>, all: &str, which: i64) -> String {
    let which = w.ints(&[which]);
    let which = w.reshape(&which, &[]);
    w.with("Gather", &[all, &which], &[("axis", Attribute::Int(0))])
}

/// A state of zeros for each sequence of the batch.
fn zeros(w: &mut Writer<'_>, size: i64) -> String {
    let (x, one, size) = (w.node.inputs[0].clone(), w.ints(&[1]), w.ints(&[size]));
    let shape = w.op("Shape", &[&x]);
    let batch = w.op("Gather", &[&shape, &one]);
    let shape = w.with("Concat", &[&batch, &size], &[("axis", Attribute::Int(0))]);
    w.op("ConstantOfShape", &[&shape])
}

/// `bytes · matrix` in floats; `bytes` with their scale and zero point.
fn product(
    w: &mut Writer<'_>,
    [bytes, scale, zero]: &[String; 3],
    [matrix, scales, zeros]: Matrix,
    which: i64,
) -> Result<String, ModelError> {
    let (matrix, scales) = (w.input(matrix)?, w.input(scales)?);
    let (matrix, scales) = (chosen(w, &matrix, which), chosen(w, &scales, which));
    let zeros = w.optional(zeros).map(|zeros| chosen(w, &zeros, which));
    let bytes = centred(w, bytes, Some(zero.clone()), None)?;
    let mut matrix = w.cast(&matrix, ElementType::Float64);
    if let Some(zeros) = zeros {
        // One number, or one a column.
        let zeros = w.cast(&zeros, ElementType::Float64);
        matrix = w.op("Sub", &[&matrix, &zeros]);
    }
    let sums = w.op("MatMul", &[&bytes, &matrix]);
    let sums = w.cast(&sums, ElementType::Float32);
    let scale = w.op("Mul", &[scale, &scales]);
    Ok(w.op("Mul", &[&sums, &scale]))
}
