//! `counterpatch supports`: what this program can do, from the tables that it does it by.

use super::args;
use super::exit::Exit;
use super::object;
use super::terminal::{self, say};
use crate::attack::methods;
use crate::onnx::ElementType;
use crate::problem::theories;
use crate::search::schedule::table;
use crate::{onnx, reference};

/// Runs the command.
pub(super) fn run(args: &args::Supports) -> Exit {
    let question = &args.question;
    if args.explain && !question.strategies && !question.attack_methods {
        say!(
            "error: --explain: only strategies and methods are explained (help: ask with --strategies or --attack-methods)"
        );
        return Exit::Usage;
    }
    if question.json_schema {
        return terminal::ended(terminal::print_json(object::SCHEMA), Exit::Answered);
    }
    let lines: String = answer(question, args.explain).iter().flat_map(|line| [line, "\n"]).collect();
    terminal::ended(terminal::print(&lines), Exit::Answered)
}

/// The lines that answer the one question asked.
fn answer(args: &args::SupportsQuestion, explain: bool) -> Vec<String> {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    if args.onnx_operators {
        operators()
    } else if args.onnx_element_types {
        ElementType::ALL.iter().map(ToString::to_string).collect()
    } else if args.onnx_opset_versions {
        [onnx::OPSETS.start(), onnx::OPSETS.end()].map(ToString::to_string).to_vec()
    } else if args.vnnlib_versions {
        owned(&vnnlib::VERSIONS)
    } else if args.hidden_node_theories {
        owned(theories::HIDDEN_NODES)
    } else if args.multiple_input_output_theories {
        owned(theories::INPUTS_AND_OUTPUTS)
    } else if args.multiple_network_theories {
        owned(theories::NETWORKS)
    } else if args.multiple_node_comparison_theories {
        owned(theories::COMPARISONS)
    } else if args.arithmetic_complexity_theories {
        owned(theories::ARITHMETIC)
    } else if args.optimised_disjunctive_reasoning || args.serialise_assignments {
        // Cases with the same input box are searched together; assignments are written by `witness::write`.
        owned(&["true"])
    } else if args.attack_methods {
        explained(methods::TABLE.iter().map(|entry| (entry.name, entry.about)), explain)
    } else {
        explained(table::ABOUT.iter().copied(), explain)
    }
}

/// A name a line, and what it is in a second column.
fn explained<'t>(table: impl Iterator<Item = (&'t str, &'t str)> + Clone, explain: bool) -> Vec<String> {
    let width = table.clone().map(|(name, _)| name.len()).max().unwrap_or_default();
    let line = |(name, about): (&str, &str)| {
        if explain { format!("{name:width$}  {about}") } else { name.to_owned() }
    };
    table.map(line).collect()
}

/// Operators that a counterexample can be replayed with. Those that the fast engine lacks are searched as well, by what the
/// engine for replays computes: `inspect` says which a network has.
fn operators() -> Vec<String> {
    let replayed = reference::operators().into_iter().map(str::to_owned);
    let mut names: Vec<String> = replayed.chain(onnx::expanded_operators()).collect();
    names.sort_unstable();
    names.dedup();
    names
}
