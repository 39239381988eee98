//! The grammars. One file a version, one function a production, the production quoted above it from
//! `grammar/vnnlib-1.ebnf` and `grammar/vnnlib-2.ebnf`; what both share is in [`expression`] and [`crate::lex`].

pub(crate) mod expression;
pub(crate) mod v1;

use std::sync::Arc;

use nom::Err;

use crate::ast::{Query, Span};
use crate::error::{Collector, Errors};
use crate::lex::Fault;
use crate::problem::Problem;

/// Reads a text of either version.
pub(crate) fn parse(name: Arc<str>, text: Box<str>) -> Result<Query, Errors> {
    let mut problems = Collector::default();
    let Ok(total) = u32::try_from(text.len()) else {
        problems.push(Span::new(0, 0), Problem::TextTooLarge);
        return Err(problems.finish(&name, &text));
    };
    v1::parse(name, text, total)
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
