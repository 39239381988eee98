//! `counterpatch convert`: a property of VNN-LIB 1.0 in VNN-LIB 2.0, on standard output or in a file.

use std::path::Path;

use serde_json::json;
use vnnlib::{Query, Signature};

use super::args;
use super::exit::Exit;
use super::failure::{Failing, Failure};
use super::input;
use super::object::Origin;
use super::terminal;
use crate::error::Error;
use crate::onnx::{self, Dim, ValueInfo};
use crate::pack;
use crate::witness::write::WriteError;

/// Runs the command.
pub(super) fn run(args: &args::Convert) -> Exit {
    let json = args.json.then_some(Origin::of("convert"));
    let converted = match convert(args) {
        Ok(converted) => converted.to_string(),
        Err(error) => return Failure::from(error).tell(json),
    };
    deliver(&converted, args.output.as_deref(), json)
}

/// Writes a property to a file, or to standard output: there as a field of an object, if one was asked for.
pub(super) fn deliver(property: &str, output: Option<&Path>, json: Option<Origin>) -> Exit {
    if let Some(path) = output {
        let written = pack::write_bytes(path, property.as_bytes());
        if let Err(source) = written {
            return Failure::from(WriteError { path: path.to_path_buf(), source }).tell(json);
        }
    }
    let printed = match (json, output) {
        (Some(origin), _) => {
            terminal::print_json(&origin.line(json!({ "property": property, "file": output })))
        }
        (None, Some(_)) => Ok(()),
        (None, None) => terminal::print(property),
    };
    terminal::ended(printed, Exit::Answered)
}

fn convert(args: &args::Convert) -> Result<Query, Error> {
    let query = input::property(&args.property)?;
    let signature = match &args.network {
        Some(path) => signature(&onnx::read(path)?.graph),
        None => None,
    };
    let file = args.property.clone();
    query.to_version_2(signature.as_ref()).map_err(|source| Error::Convert { path: file, source })
}

/// Type and shapes of a model's one input and output. Where it has several, or leaves a shape open, version 1.0 has no
/// word for it, and neither has its conversion: the tensors stay flat and `real`.
pub(super) fn signature(graph: &onnx::Graph) -> Option<Signature> {
    let ([input], [output]) = (graph.inputs.as_slice(), graph.outputs.as_slice()) else { return None };
    let shape = |info: &ValueInfo| {
        let extent =
            |dim: &Dim| if let Dim::Fixed(extent) = dim { u32::try_from(*extent).ok() } else { Some(1) };
        info.shape.as_ref()?.iter().map(extent).collect::<Option<Vec<u32>>>()
    };
    let named = |name: &str| vnnlib::ElementType::ALL.into_iter().find(|element| element.name() == name);
    let element_type = named(input.element.name()).filter(|_| input.element == output.element);
    Some(Signature {
        element_type: element_type.unwrap_or(vnnlib::ElementType::Real),
        input: shape(input)?,
        output: shape(output)?,
    })
}
