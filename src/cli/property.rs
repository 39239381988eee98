//! `counterpatch property`: from a point to the property that nothing bad happens near it.

use super::args::{self, BoxNorm, Language};
use super::convert::{deliver, signature};
use super::exit::Exit;
use super::failure::{Failing, Failure};
use super::object::Origin;
use super::{config, near};
use crate::error::Error;
use crate::onnx::Model;

/// Runs the command.
pub(super) fn run(args: &args::PropertyArgs) -> Exit {
    let json = args.json.then_some(Origin::of("property"));
    match property(args) {
        Ok(text) => deliver(&text, args.output.as_deref(), json),
        Err(failure) => failure.tell(json),
    }
}

fn property(args: &args::PropertyArgs) -> Result<String, Failure> {
    // What is within reach of an input in this norm is a box.
    let BoxNorm::Linf = args.norm;
    let reach = config::reach(&args.eps)?;
    let (model, around) = near::around(&args.near, reach)?;
    let text = around.text(&comment(args)).map_err(|source| Error::Around { source })?;
    match args.vnnlib {
        Language::First => Ok(text),
        Language::Second => Ok(second(args, text, &model)?),
    }
}

/// The same property in version 2.0.
fn second(args: &args::PropertyArgs, text: String, model: &Model) -> Result<String, Error> {
    let query = vnnlib::parse(text)?;
    let converted = query.to_version_2(signature(&model.graph).as_ref());
    let path = args.near.network.clone();
    Ok(converted.map_err(|source| Error::Convert { path, source })?.to_string())
}

/// How it was made, so that it can be made again.
fn comment(args: &args::PropertyArgs) -> Vec<String> {
    let near = &args.near;
    let clip = near.clip.as_ref().map(|clip| format!(", within {clip}")).unwrap_or_default();
    let index = near.index.map(|index| format!(" (point {index})")).unwrap_or_default();
    let (network, around, eps) = (near.network.display(), near.around.display(), args.eps.join(","));
    vec![
        format!("counterpatch {} property", env!("CARGO_PKG_VERSION")),
        format!("of {network}, around {around}{index}, at most {eps} away{clip}"),
    ]
}
