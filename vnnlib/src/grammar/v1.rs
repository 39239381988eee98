//! VNN-LIB 1.0, productions of `grammar/vnnlib-1.ebnf`.

use std::sync::Arc;

use super::expression::{Builder, Dialect, formula};
use crate::ast::{Data, Query, Span, Variable, Version};
use crate::check::v1::Variables;
use crate::error::Errors;
use crate::lex::{self, Fault, Parsed, blank, delimiter, fail, shown, symbol, unexpected};
use crate::node::{AssertionAt, Operator, Relation};
use crate::problem::Problem;

/// The state of reading a script.
struct Script {
    builder: Builder,
    variables: Variables,
    assertions: Vec<AssertionAt>,
    /// Whether `check-sat` or `exit` has been read.
    ended: bool,
}

/// Reads a text of VNN-LIB 1.0 with `total` bytes.
pub(super) fn parse(name: Arc<str>, text: Box<str>, total: u32) -> Result<Query, Errors> {
    let mut state = Script {
        builder: Builder::new(total),
        variables: Variables::default(),
        assertions: Vec::new(),
        ended: false,
    };
    let read = script(&mut state, text.as_bytes());
    let Script { builder: Builder { nodes, mut problems, .. }, variables, assertions, .. } = state;
    if let Err(error) = read {
        super::fault(total, &mut problems, error);
        return Err(problems.finish(&name, &text));
    }
    let end = Span::new(total, 0);
    let (networks, tensors) = variables.finish(end, &mut problems);
    if assertions.is_empty() {
        problems.push(end, Problem::NoAssertion);
    }
    if !problems.is_empty() {
        return Err(problems.finish(&name, &text));
    }
    let data = Data { name, text, version: Version::V1, networks, tensors, nodes, assertions };
    Ok(Query { data: Arc::new(data) })
}

/// `script = { command } ;`
fn script<'a>(state: &mut Script, input: &'a [u8]) -> Result<(), nom::Err<Fault>> {
    let mut rest: &'a [u8] = blank(input);
    while !rest.is_empty() {
        rest = blank(command(state, rest)?.0);
    }
    Ok(())
}

/// `command = "(" ( declaration | assertion | ignored ) ")" ;`
fn command<'a>(state: &mut Script, input: &'a [u8]) -> Parsed<'a, ()> {
    let inside = blank(delimiter(input, b'(', "a command such as `(assert ...)`")?);
    let Ok((rest, word)) = symbol(inside) else { return unexpected(inside, "a command such as `assert`") };
    if state.ended && matches!(word, b"declare-const" | b"declare-fun" | b"assert") {
        return fail(inside, word.len(), Problem::AfterEnd(shown(word)));
    }
    let (rest, ()) = match word {
        b"declare-const" => declaration(state, rest, false)?,
        b"declare-fun" => declaration(state, rest, true)?,
        b"assert" => return assertion(state, input, rest),
        _ => ignored(state, inside, word)?,
    };
    Ok((delimiter(rest, b')', "`)`")?, ()))
}

/// `declaration = "declare-const" variable "Real" | "declare-fun" variable "(" ")" "Real" ;`
fn declaration<'a>(state: &mut Script, input: &'a [u8], is_function: bool) -> Parsed<'a, ()> {
    let input = blank(input);
    let Ok((mut rest, name)) = symbol(input) else { return unexpected(input, "a variable such as `X_0`") };
    let span = state.builder.span(input, rest);
    if is_function {
        rest = delimiter(rest, b'(', "`()`")?;
        rest = delimiter(rest, b')', "`)`, as functions here have no arguments")?;
    }
    let rest = blank(rest);
    let Ok((after, sort)) = symbol(rest) else { return unexpected(rest, "the sort `Real`") };
    if sort != b"Real" {
        state.builder.problems.push(state.builder.span(rest, after), Problem::UnknownSort(shown(sort)));
    }
    state.variables.declare(name, span, &mut state.builder.problems);
    Ok((after, ()))
}

/// `assertion = "assert" formula ;`
fn assertion<'a>(state: &mut Script, command: &'a [u8], input: &'a [u8]) -> Parsed<'a, ()> {
    let mut names = VariableNames(&state.variables);
    let (rest, root) = formula(&mut names, &mut state.builder, input)?;
    let rest = delimiter(rest, b')', "`)`")?;
    state.assertions.push(AssertionAt { span: state.builder.span(command, rest), root });
    Ok((rest, ()))
}

/// ```ebnf
/// ignored = ( "set-logic" | "set-info" | "set-option" | "check-sat" | "get-model" | "get-value" | "exit" ) { token } ;
/// ```
///
/// They do not change what is asked. Declarations and assertions behind the last three would, and are refused.
fn ignored<'a>(state: &mut Script, input: &'a [u8], word: &[u8]) -> Parsed<'a, ()> {
    match word {
        b"set-logic" | b"set-info" | b"set-option" => {}
        b"check-sat" | b"get-model" | b"get-value" | b"exit" => state.ended = true,
        _ => return fail(input, word.len(), Problem::UnknownCommand(shown(word))),
    }
    lex::skip_arguments(&input[word.len()..])
}

/// The words of VNN-LIB 1.0 inside of formulas.
struct VariableNames<'s>(&'s Variables);

impl Dialect for VariableNames<'_> {
    /// `operator = "and" | "or" | relation | "+" | "-" | "*" ;`
    /// `relation = "<=" | ">=" | "<" | ">" | "=" ;`
    fn operator<'a>(&self, input: &'a [u8]) -> Parsed<'a, Operator> {
        let input = blank(input);
        let Ok((rest, word)) = symbol(input) else {
            return unexpected(input, "an operator such as `and` or `<=`");
        };
        let operator = match word {
            b"<=" => Operator::Compare(Relation::LessEqual),
            b">=" => Operator::Compare(Relation::GreaterEqual),
            b"and" => Operator::And,
            b"or" => Operator::Or,
            b"<" => Operator::Compare(Relation::Less),
            b">" => Operator::Compare(Relation::Greater),
            b"=" => Operator::Compare(Relation::Equal),
            b"+" => Operator::Sum,
            b"-" => Operator::Difference,
            b"*" => Operator::Product,
            _ => return fail(input, word.len(), Problem::UnknownOperator(shown(word))),
        };
        Ok((rest, operator))
    }

    /// `variable = ( "X" | "Y" ) "_" index ;`, which the checker takes apart, or
    /// `numeral = [ "+" | "-" ] ( digits [ "." [ digits ] ] | "." digits ) [ exponent ] ;`
    fn operand<'a>(&mut self, builder: &mut Builder, input: &'a [u8]) -> Parsed<'a, ()> {
        let Ok((rest, word)) = symbol(input) else {
            return unexpected(input, "a number or a variable such as `X_0`");
        };
        if matches!(word, [b'0'..=b'9' | b'-' | b'+' | b'.', ..]) {
            return match lex::numeral(word) {
                Ok(([], _)) => builder.numeral(input, word),
                _ => fail(input, word.len(), Problem::BadNumeral(shown(word))),
            };
        }
        let span = builder.span(input, rest);
        let variable = self.0.look_up(word, span, &mut builder.problems);
        builder.variable(span, variable);
        Ok((rest, ()))
    }

    fn plain_variable<'a>(&self, input: &'a [u8]) -> Option<(&'a [u8], Variable)> {
        self.0.plain(input)
    }

    fn symbol(&self, operator: Operator) -> &'static str {
        match operator {
            Operator::Compare(Relation::Equal) => "=",
            other => other.symbol(),
        }
    }
}
