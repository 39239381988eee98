//! VNN-LIB 2.0, productions of `grammar/vnnlib-2.ebnf`.

use std::sync::Arc;

use super::expression::{Builder, Dialect, formula};
use crate::ast::{Data, Equivalence, Query, Role, Span, Variable, Version};
use crate::check::v2::{Declarations, NewTensor, check_types};
use crate::element_type::ElementType;
use crate::error::{Collector, Errors};
use crate::lex::{self, Fault, Parsed, blank, delimiter, digits, fail, name, shown, unexpected};
use crate::node::{AssertionAt, Node, Operator, Relation};
use crate::problem::Problem;

/// Reads a text of VNN-LIB 2.0 with `total` bytes.
pub(super) fn parse(file: Arc<str>, text: Box<str>, total: u32) -> Result<Query, Errors> {
    let mut builder = Builder::new(total);
    let mut declarations = Declarations::default();
    let mut assertions = Vec::new();
    let read = query(&mut builder, &mut declarations, &mut assertions, &text);
    let Builder { nodes, mut problems, .. } = builder;
    let version = match read {
        Ok(version) if problems.is_empty() => version,
        Ok(_) => return Err(problems.finish(&file, &text)),
        Err(error) => {
            super::fault(total, &mut problems, error);
            return Err(problems.finish(&file, &text));
        }
    };
    let (networks, tensors) = declarations.finish();
    let data = Data { name: file, text, version, networks, tensors, nodes, assertions };
    Ok(Query { data: Arc::new(data) })
}

/// `query = version network { network } assertion { assertion } ;`
fn query(
    builder: &mut Builder,
    declarations: &mut Declarations,
    assertions: &mut Vec<AssertionAt>,
    text: &str,
) -> Result<Version, nom::Err<Fault>> {
    let (mut rest, version) = version(blank(text.as_bytes()))?;
    loop {
        rest = network(builder, declarations, rest)?.0;
        if !blank(rest).starts_with(b"(declare-network") {
            break;
        }
    }
    loop {
        rest = blank(assertion(builder, declarations, assertions, text, rest)?.0);
        if rest.is_empty() {
            return Ok(version);
        }
    }
}

/// `version = "(vnnlib-version" "<" digits "." digits ">" ")" ;`
fn version(input: &[u8]) -> Parsed<'_, Version> {
    let rest = opening(input, "(vnnlib-version", "`(vnnlib-version <2.0>)`")?;
    let number = blank(rest);
    let Some((rest, major, minor)) = version_number(number) else {
        return unexpected(number, "a version such as `<2.0>`");
    };
    // Longer numbers are no versions that will ever exist.
    let minor = std::str::from_utf8(minor).ok().and_then(|digits| digits.parse().ok());
    let (true, Some(minor)) = (major == b"2", minor) else {
        let length = number.len() - rest.len();
        return fail(number, length, Problem::UnknownVersion(shown(&number[..length])));
    };
    Ok((delimiter(rest, b')', "`)`")?, Version::V2 { minor }))
}

/// `"<" digits "." digits ">"`
fn version_number(input: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (rest, major) = digits(input.strip_prefix(b"<")?).ok()?;
    let (rest, minor) = digits(rest.strip_prefix(b".")?).ok()?;
    Some((rest.strip_prefix(b">")?, major, minor))
}

/// A word of the form `(keyword`, after blanks. As in the standard's grammar it ends with the keyword, whatever follows.
fn opening<'a>(input: &'a [u8], word: &str, expected: &'static str) -> Result<&'a [u8], nom::Err<Fault>> {
    let input = blank(input);
    match input.strip_prefix(word.as_bytes()) {
        Some(rest) => Ok(rest),
        None => unexpected::<()>(input, expected).map(|(rest, ())| rest),
    }
}

/// `network = "(declare-network" name [ equivalence ] input { input } { hidden } output { output } ")" ;`
fn network<'a>(builder: &mut Builder, declarations: &mut Declarations, input: &'a [u8]) -> Parsed<'a, ()> {
    let rest = opening(input, "(declare-network", "`(declare-network NAME ...)`")?;
    let (rest, (word, span)) = identifier(builder, rest)?;
    declarations.begin_network(word, span, &mut builder.problems);
    let mut rest = equivalence(builder, declarations, rest)?;
    rest = tensors(builder, declarations, rest, Role::Input)?;
    rest = tensors(builder, declarations, rest, Role::Hidden)?;
    rest = tensors(builder, declarations, rest, Role::Output)?;
    declarations.end_network(span, &mut builder.problems);
    Ok((delimiter(rest, b')', "`(declare-output ...)` or `)`")?, ()))
}

/// `equivalence = "(equal-to" name ")" | "(isomorphic-to" name ")" ;`
///
/// The standard's grammar has any number of them and its text at most one.
fn equivalence<'a>(
    builder: &mut Builder,
    declarations: &mut Declarations,
    mut input: &'a [u8],
) -> Result<&'a [u8], nom::Err<Fault>> {
    loop {
        let begin = blank(input);
        let (inside, relation): (_, fn(usize) -> Equivalence) =
            match (begin.strip_prefix(b"(equal-to"), begin.strip_prefix(b"(isomorphic-to")) {
                (Some(inside), _) => (inside, Equivalence::EqualTo),
                (_, Some(inside)) => (inside, Equivalence::IsomorphicTo),
                _ => return Ok(input),
            };
        let (rest, (word, span)) = identifier(builder, inside)?;
        declarations.relate(word, span, relation, &mut builder.problems);
        input = delimiter(rest, b')', "`)`")?;
    }
}

/// All declarations of one role. There is at least one input and one output.
///
/// ```ebnf
/// input = "(declare-input" name element type shape [ "initialized" ] ")" ;
/// hidden = "(declare-hidden" name element type shape onnx name ")" ;
/// output = "(declare-output" name element type shape ")" ;
/// ```
fn tensors<'a>(
    builder: &mut Builder,
    declarations: &mut Declarations,
    mut input: &'a [u8],
    role: Role,
) -> Result<&'a [u8], nom::Err<Fault>> {
    let (word, expected) = match role {
        Role::Input => ("(declare-input", "`(declare-input NAME TYPE [SHAPE])`"),
        Role::Hidden => ("(declare-hidden", "`(declare-hidden NAME TYPE [SHAPE] \"ONNX NAME\")`"),
        Role::Output => ("(declare-output", "`(declare-output NAME TYPE [SHAPE])`"),
    };
    let mut needed = role != Role::Hidden;
    while needed || blank(input).starts_with(word.as_bytes()) {
        let rest = opening(input, word, expected)?;
        input = delimiter(tensor(builder, declarations, rest, role)?.0, b')', "`)`")?;
        needed = false;
    }
    Ok(input)
}

/// `name element type shape`, and what the role adds.
fn tensor<'a>(
    builder: &mut Builder,
    declarations: &mut Declarations,
    input: &'a [u8],
    role: Role,
) -> Parsed<'a, ()> {
    let (rest, (word, span)) = identifier(builder, input)?;
    let (rest, element_type) = element_type(builder, rest)?;
    let (rest, shape) = shape(rest)?;
    let (mut rest, mut initialized, mut onnx_name) = (rest, false, None);
    if role == Role::Input
        && let Some(after) = lex::initialized(blank(rest))
    {
        (rest, initialized) = (after, true);
    }
    if role == Role::Hidden {
        let begin = blank(rest);
        if !begin.starts_with(b"\"") {
            return unexpected(begin, "the ONNX name in double quotes");
        }
        let (after, string) = lex::string(begin)?;
        (rest, onnx_name) = (after, Some(lex::unescape(string)));
    }
    let new = NewTensor { role, element_type, shape, onnx_name, initialized };
    declarations.declare(word, span, new, &mut builder.problems);
    Ok((rest, ()))
}

/// `name = ( letter { letter | digit | "_" } ) - ( "and" | "or" | "initialized" ) ;`
fn identifier<'a>(builder: &Builder, input: &'a [u8]) -> Parsed<'a, (&'a [u8], Span)> {
    let input = blank(input);
    match name(input) {
        Ok((rest, word)) if !matches!(word, b"and" | b"or" | b"initialized") => {
            Ok((rest, (word, builder.span(input, rest))))
        }
        _ => unexpected(input, "a name: a letter, then letters, digits and `_`"),
    }
}

/// `element type = name ;`
///
/// `Real` with a capital is in the standard's examples.
fn element_type<'a>(builder: &mut Builder, input: &'a [u8]) -> Parsed<'a, ElementType> {
    let (rest, (word, span)) = identifier(builder, input)?;
    let known = ElementType::ALL.into_iter().find(|known| known.name().as_bytes() == word);
    match known.or((word == b"Real").then_some(ElementType::Real)) {
        Some(known) => Ok((rest, known)),
        None => {
            builder.problems.push(span, Problem::UnknownType(shown(word)));
            Ok((rest, ElementType::Real))
        }
    }
}

/// `shape = "[" [ digits { "," digits } ] "]" ;`
fn shape(input: &[u8]) -> Parsed<'_, Vec<u32>> {
    let rest = delimiter(input, b'[', "a shape such as `[1,5]`, or `[]` for a scalar")?;
    if let Some((b']', after)) = blank(rest).split_first() {
        return Ok((after, Vec::new()));
    }
    numbers(rest, "an extent such as `5`")
}

/// `digits { "," digits } "]"`
///
/// Numbers beyond `u32` become its maximum, which is too large for every use.
fn numbers<'a>(mut input: &'a [u8], expected: &'static str) -> Parsed<'a, Vec<u32>> {
    let mut numbers = Vec::new();
    loop {
        let begin = blank(input);
        let Ok((rest, word)) = digits(begin) else { return unexpected(begin, expected) };
        numbers.push(std::str::from_utf8(word).ok().and_then(|word| word.parse().ok()).unwrap_or(u32::MAX));
        let next = blank(rest);
        match next.split_first() {
            Some((b',', after)) => input = after,
            Some((b']', after)) => return Ok((after, numbers)),
            _ => return unexpected(next, "`,` or `]`"),
        }
    }
}

/// `assertion = "(assert" formula ")" ;`
fn assertion<'a>(
    builder: &mut Builder,
    declarations: &Declarations,
    assertions: &mut Vec<AssertionAt>,
    text: &str,
    input: &'a [u8],
) -> Parsed<'a, ()> {
    let begin = blank(input);
    let inside = opening(begin, "(assert", "`(assert ...)`")?;
    let mut names = DeclaredNames { declarations, text };
    let (rest, root) = formula(&mut names, builder, inside)?;
    let rest = delimiter(rest, b')', "`)`")?;
    assertions.push(AssertionAt { span: builder.span(begin, rest), root });
    Ok((rest, ()))
}

/// The words of VNN-LIB 2.0 inside of formulas.
struct DeclaredNames<'s> {
    declarations: &'s Declarations,
    text: &'s str,
}

impl Dialect for DeclaredNames<'_> {
    /// `operator = "and" | "or" | relation | "+" | "-" | "*" ;`
    /// `relation = "<=" | ">=" | "==" | "!=" | "<" | ">" ;`
    fn operator<'a>(&self, input: &'a [u8]) -> Parsed<'a, Operator> {
        let input = blank(input);
        let (operator, length) = match input {
            [b'<', b'=', ..] => (Operator::Compare(Relation::LessEqual), 2),
            [b'>', b'=', ..] => (Operator::Compare(Relation::GreaterEqual), 2),
            [b'=', b'=', ..] => (Operator::Compare(Relation::Equal), 2),
            [b'!', b'=', ..] => (Operator::Compare(Relation::NotEqual), 2),
            [b'<', ..] => (Operator::Compare(Relation::Less), 1),
            [b'>', ..] => (Operator::Compare(Relation::Greater), 1),
            [b'+', ..] => (Operator::Sum, 1),
            [b'*', ..] => (Operator::Product, 1),
            [b'-', b'0'..=b'9', ..] => return unexpected(input, "an operator such as `and` or `<=`"),
            [b'-', ..] => (Operator::Difference, 1),
            _ => match (name(input), lex::symbol(input)) {
                (Ok((rest, b"and")), _) => return Ok((rest, Operator::And)),
                (Ok((rest, b"or")), _) => return Ok((rest, Operator::Or)),
                (_, Ok((_, word))) => return fail(input, word.len(), Problem::UnknownOperator(shown(word))),
                _ => return unexpected(input, "an operator such as `and` or `<=`"),
            },
        };
        Ok((&input[length..], operator))
    }

    /// `numeral = [ "+" | "-" ] ( digits [ "." [ digits ] ] | "." digits ) [ exponent ] ;`
    /// `variable = name [ "[" digits { "," digits } "]" ] ;`
    fn operand<'a>(&mut self, builder: &mut Builder, input: &'a [u8]) -> Parsed<'a, ()> {
        let word = lex::symbol(input).map_or(&[][..], |(_, word)| word);
        if matches!(word, [b'0'..=b'9' | b'-' | b'+' | b'.', ..]) {
            // A name may follow without a blank, another number not.
            return match lex::numeral(input) {
                Ok((rest, read)) if !matches!(rest, [b'0'..=b'9' | b'-' | b'+' | b'.', ..]) => {
                    builder.numeral(input, read)
                }
                _ => fail(input, word.len(), Problem::BadNumeral(shown(word))),
            };
        }
        let Ok((rest, word)) = name(input) else {
            return unexpected(input, "a number or a variable such as `X[0]`");
        };
        if matches!(word, b"and" | b"or" | b"initialized") {
            return unexpected(input, "a number or a variable such as `X[0]`");
        }
        let (rest, indices) = match blank(rest).split_first() {
            Some((b'[', inside)) => numbers(inside, "an index such as `0`")?,
            _ => (rest, Vec::new()),
        };
        let span = builder.span(input, rest);
        let variable = self.declarations.look_up(word, &indices, span, &mut builder.problems);
        builder.variable(span, variable);
        Ok((rest, ()))
    }

    fn plain_variable<'a>(&self, input: &'a [u8]) -> Option<(&'a [u8], Variable)> {
        self.declarations.plain(input)
    }

    fn admits(&self, variable: Variable, number: &[u8]) -> bool {
        self.declarations.admits(variable, number)
    }

    fn check_comparison(&self, nodes: &[Node], problems: &mut Collector) {
        check_types(self.declarations, self.text, nodes, problems);
    }

    fn symbol(&self, operator: Operator) -> &'static str {
        operator.symbol()
    }
}
