//! The grammars. One file a version, one function a production, the production quoted above it from
//! `grammar/vnnlib-1.ebnf` and `grammar/vnnlib-2.ebnf`; what both share is in [`expression`] and [`crate::lex`].

mod expression;
mod v1;
mod v2;

use std::sync::Arc;

use nom::Err;

use crate::ast::{Query, Span};
use crate::error::{Collector, Errors};
use crate::lex::{Fault, blank};
use crate::problem::Problem;

/// Reads a text of either version.
pub(crate) fn parse(name: Arc<str>, text: Box<str>) -> Result<Query, Errors> {
    let mut problems = Collector::default();
    let Ok(total) = u32::try_from(text.len()) else {
        problems.push(Span::new(0, 0), Problem::TextTooLarge);
        return Err(problems.finish(&name, &text));
    };
    if is_version_2(text.as_bytes()) { v2::parse(name, text, total) } else { v1::parse(name, text, total) }
}

/// Whether the first command is one that only VNN-LIB 2.0 has.
fn is_version_2(text: &[u8]) -> bool {
    let Some(inside) = blank(text).strip_prefix(b"(") else { return false };
    let inside = blank(inside);
    [&b"vnnlib-version"[..], b"declare-network"].iter().any(|word| inside.starts_with(word))
}

/// Puts the error that ended the reading among those found before it.
fn fault(total: u32, problems: &mut Collector, error: Err<Fault>) {
    let fault = match error {
        Err::Error(fault) | Err::Failure(fault) => fault,
        // Complete parsers never ask for more.
        Err::Incomplete(_) => Fault { remaining: 0, length: 0, problem: None },
    };
    // Both are at most the text's length, which fits.
    let (remaining, length) = (fault.remaining as u32, fault.length as u32);
    let problem = fault.problem.map_or(
        Problem::Unexpected { expected: "a command of VNN-LIB", found: "something else".into() },
        |problem| *problem,
    );
    problems.push(Span::new(total.saturating_sub(remaining), length), problem);
}
