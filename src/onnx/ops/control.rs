//! `If` with a condition that is known now: the branch taken is imported in the node's place.

use super::Entry;
use crate::network::Real;
use crate::onnx::call::{Built, Call};
use crate::onnx::import::Importer;

impl<T: Real> Importer<T> {
    pub(super) const CONTROL: &'static [Entry<T>] = &[("If", branch)];
}

fn branch<T: Real>(call: &mut Call<'_, T>) -> Built {
    let condition = call.constant(0)?;
    let Some(condition) = condition.scalar() else {
        return Err(call.error("the condition is not a single truth value"));
    };
    let name = if condition != 0.0 { "then_branch" } else { "else_branch" };
    let graph = call.node.graph(name)?.ok_or_else(|| call.error(format!("attribute {name} is missing")))?;
    call.importer.inner_graph(graph)
}
