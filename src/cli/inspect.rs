//! `counterpatch inspect`: what a network consists of and what can be done with it, as text or JSON.

use std::fmt::Write as _;
use std::sync::Arc;

use vnnlib::Query;

use super::args;
use super::exit::Exit;
use super::failure::{Failing, Failure};
use super::object::Origin;
use super::terminal;
use crate::budget::Budget;
use crate::error::Error;
use crate::escape::escaped;
use crate::load;
use crate::onnx::{self, Model};
use crate::pipeline::cells;
use crate::problem::fit;
use crate::report::Inspection;
use crate::report::inspection::{Computation, Dimension, InspectedValue};

/// Runs the command. A network that no search can run on is bad input, and described all the same.
pub(super) fn run(args: &args::Inspect) -> Exit {
    let json = args.json.then_some(Origin::of("inspect"));
    let inspection = match inspected(args) {
        Ok(inspection) => inspection,
        Err(error) => return Failure::from(error).tell(json),
    };
    let written = match json {
        Some(origin) => terminal::print_json(&origin.line(serde_json::json!(inspection))),
        None => terminal::print(&text(&inspection)),
    };
    terminal::ended(written, if inspection.is_usable() { Exit::Answered } else { Exit::BadInput })
}

/// Reads and describes the network. Its own interface is told as it stands in the file, what was decided beside it.
fn inspected(args: &args::Inspect) -> Result<Inspection, Error> {
    let model = Arc::new(onnx::read(&args.network)?);
    let fitted = fit::alone(&model, &args.dims.iter().cloned().collect())?;
    let mut inspection = Inspection::of(&fitted.model);
    inspection.inputs = model.graph.inputs.iter().map(InspectedValue::from).collect();
    inspection.bound = fitted.notes;
    if !fitted.ones.is_empty() {
        let what = format!(
            "open dimensions that are 1 as long as nothing says otherwise: {}",
            fitted.ones.join(", ")
        );
        inspection.bound.push(what);
    }
    if let Some(path) = &args.property {
        let query = load::property(path)?;
        let fitted = fit::models(&query, &[model], &args.dims.iter().cloned().collect())?;
        let models: Vec<_> = fitted.into_iter().map(|fitted| fitted.model).collect();
        inspection.computed = Some(computed(&query, &models));
    }
    Ok(inspection)
}

/// How a search of this property deals with what is computed from the inputs' values.
fn computed(query: &Query, models: &[Arc<Model>]) -> String {
    match cells::described(query, models, &Budget::unlimited()) {
        Ok(Some(cells)) => cells,
        Ok(None) => "no index, size or condition that is computed from the inputs is taken apart".into(),
        Err(why) => format!(
            "indices, sizes or conditions are computed from the inputs and cannot be enumerated ({why}): searched point by point, without a proof"
        ),
    }
}

/// The description in words, one thing a line.
fn text(inspection: &Inspection) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", escaped(&line));
    };
    line(format!("ONNX: IR version {}, operator set {}", inspection.ir_version, inspection.opset));
    inspection.inputs.iter().for_each(|value| line(format!("input: {}", of_value(value))));
    inspection.outputs.iter().for_each(|value| line(format!("output: {}", of_value(value))));
    inspection.bound.iter().for_each(|what| line(format!("bound: {what}")));
    let operators: Vec<String> = inspection.operators.iter().map(|(name, n)| format!("{n} {name}")).collect();
    line(format!("nodes: {} ({})", inspection.nodes(), operators.join(", ")));
    let (parameters, nonzero) = (inspection.parameters, inspection.nonzero_parameters);
    line(match parameters == nonzero {
        true => format!("parameters: {parameters}"),
        false => format!("parameters: {parameters}, {nonzero} of them not zero"),
    });
    for (operator, nodes) in &inspection.unsupported {
        line(format!("unsupported operator: {operator} (nodes: {})", nodes.join(", ")));
    }
    if let Some(computed) = &inspection.computed {
        line(format!("computed: {computed}"));
    }
    if let Some(error) = &inspection.error {
        line(format!("not supported: {error}"));
    }
    if let Some(network) = &inspection.network {
        of_network(network).into_iter().for_each(line);
    }
    text
}

fn of_value(value: &InspectedValue) -> String {
    let dimension = |dim: &Dimension| match dim {
        Dimension::Fixed(n) => n.to_string(),
        Dimension::Symbolic(name) if name.is_empty() => "?".into(),
        Dimension::Symbolic(name) => name.clone(),
    };
    let shape = value.shape.as_ref().map_or("of no declared shape".into(), |dims| {
        format!("[{}]", dims.iter().map(dimension).collect::<Vec<_>>().join(", "))
    });
    format!("{} {} {shape}", value.name, value.element)
}

fn of_network(network: &Computation) -> Vec<String> {
    let mut lines = vec!["unsupported operators: none".to_owned()];
    lines.push(format!(
        "network: {} inputs, {} outputs, {} multiplications a point",
        network.input_len, network.output_len, network.multiplications
    ));
    for (function, activation) in &network.activations {
        lines.push(format!(
            "activation: {function}, nodes {}, values {}",
            activation.nodes, activation.values
        ));
    }
    for (operator, count) in &network.plain {
        lines.push(format!(
            "computed by the plain engine, point by point and without bounds: {count} {operator}"
        ));
    }
    lines.push(match &network.bounds.reason {
        None => "sound bounds: yes".into(),
        Some(reason) => format!("sound bounds: no, {reason}"),
    });
    lines.push(match &network.patching.reason {
        None if network.behind_convolutions => {
            format!("patching: applies, to {} edge layers behind the convolutions", network.edge_layers.len())
        }
        None => format!("patching: applies, to {} edge layers", network.edge_layers.len()),
        Some(reason) => format!("patching: does not apply, {reason}"),
    });
    if !network.readings.is_empty() {
        lines.push(format!("readings of patching: {}", network.readings.join(", ")));
    }
    for (number, layer) in network.edge_layers.iter().enumerate() {
        let activation = layer.activation.as_deref().unwrap_or("output");
        lines.push(format!("edge layer {number}: {} → {}, {activation}", layer.sources, layer.targets));
    }
    lines
}
