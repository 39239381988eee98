//! The operators: a table from names to functions for each family.

mod activation;
mod arithmetic;
mod arrange;
mod boxes;
mod cast;
mod compare;
mod conv;
mod einsum;
mod gather;
mod generate;
pub(super) mod linear;
mod losses;
mod normalise;
mod pad;
mod pool;
pub(super) mod product;
mod recurrent;
mod reduce;
mod resize;
mod sample;
mod scatter;
mod select;
mod shape;
mod softmax;
mod sort;
mod unary;
pub(super) mod window;

use crate::onnx::Node;

use super::call::{Call, Results};

/// An operator's name and what computes it.
pub(super) type Entry = (&'static str, fn(&Call<'_>) -> Results);

/// All operators of the standard domain, by family.
pub(super) const TABLES: &[&[Entry]] = &[
    activation::OPERATORS,
    arithmetic::OPERATORS,
    arrange::OPERATORS,
    boxes::OPERATORS,
    cast::OPERATORS,
    compare::OPERATORS,
    conv::OPERATORS,
    einsum::OPERATORS,
    gather::OPERATORS,
    generate::OPERATORS,
    linear::OPERATORS,
    losses::OPERATORS,
    normalise::OPERATORS,
    pad::OPERATORS,
    pool::OPERATORS,
    recurrent::OPERATORS,
    reduce::OPERATORS,
    resize::OPERATORS,
    sample::OPERATORS,
    scatter::OPERATORS,
    select::OPERATORS,
    shape::OPERATORS,
    softmax::OPERATORS,
    sort::OPERATORS,
    unary::OPERATORS,
];

fn find(node: &Node) -> Option<fn(&Call<'_>) -> Results> {
    let standard = node.domain.is_empty();
    let entry = TABLES.iter().flat_map(|t| t.iter()).find(|(name, _)| standard && *name == node.operator);
    entry.map(|(_, run)| *run)
}

pub(super) fn is_known(node: &Node) -> bool {
    find(node).is_some()
}

/// Computes a node's results.
pub(super) fn run(call: &Call<'_>) -> Results {
    match find(call.node) {
        Some(run) => run(call),
        None => Err("this operator is not supported".into()),
    }
}
