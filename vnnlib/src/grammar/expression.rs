//! Formulas and terms, which have the same form in both versions.
//!
//! The nesting is kept on a stack of open operators rather than the call stack: texts nested a million deep are read
//! like others. Each step, [`opening`], an operand or [`closing`], is linear in what it reads.

use crate::ast::{Span, Variable};
use crate::error::Collector;
use crate::lex::{self, Parsed, blank, fail, shown, unexpected};
use crate::node::{BoundNode, Node, Operator, Relation};
use crate::numeral::Numeral;
use crate::problem::Problem;

/// What the versions do not share.
pub(crate) trait Dialect {
    /// `operator`, which stands behind an opening parenthesis.
    fn operator<'a>(&self, input: &'a [u8]) -> Parsed<'a, Operator>;

    /// `numeral | variable`: reads one and adds its node.
    fn operand<'a>(&mut self, builder: &mut Builder, input: &'a [u8]) -> Parsed<'a, ()>;

    /// A declared variable at the very beginning of the text, written without blanks. `None` if it is not plainly one:
    /// [`Self::operand`] then reads it again and says what is wrong.
    fn plain_variable<'a>(&self, input: &'a [u8]) -> Option<(&'a [u8], Variable)>;

    /// Whether a number belongs to the variable's type.
    fn admits(&self, _variable: Variable, _number: &[u8]) -> bool {
        true
    }

    /// Checks the types of a comparison whose nodes are those given.
    fn check_comparison(&self, _nodes: &[Node], _problems: &mut Collector) {}

    /// How the operator is written, for messages.
    fn symbol(&self, operator: Operator) -> &'static str;
}

/// The nodes read so far.
pub(crate) struct Builder {
    total: u32,
    pub(crate) nodes: Vec<Node>,
    open: Vec<OpenApplication>,
    pub(crate) problems: Collector,
}

#[derive(Clone, Copy)]
struct OpenApplication {
    operator: Operator,
    node: u32,
    operands: u32,
}

impl Builder {
    /// A builder for a text of `total` bytes.
    pub(crate) fn new(total: u32) -> Self {
        // A bound takes about 24 bytes of text, and most files are made of bounds. Memory that is not used costs nothing.
        Self {
            total,
            nodes: Vec::with_capacity(total as usize / 24),
            open: Vec::new(),
            problems: Collector::default(),
        }
    }

    /// The position of the rest of the text.
    pub(crate) fn position(&self, input: &[u8]) -> u32 {
        // The rest is no longer than the text.
        self.total.saturating_sub(input.len() as u32)
    }

    /// From one rest of the text to a later one.
    pub(crate) fn span(&self, from: &[u8], to: &[u8]) -> Span {
        Span::new(self.position(from), from.len().saturating_sub(to.len()) as u32)
    }

    fn last(&self) -> u32 {
        // Each node takes at least one byte of text, so the count fits.
        self.nodes.len() as u32
    }

    /// Adds a variable.
    pub(crate) fn variable(&mut self, span: Span, variable: Variable) {
        self.nodes.push(Node::Variable {
            variable,
            start: span.start() as u32,
            length: (span.end() - span.start()) as u32,
        });
    }

    /// Adds the number that `word` at the beginning of `input` is, if it is in range.
    pub(crate) fn numeral<'a>(&mut self, input: &'a [u8], word: &[u8]) -> Parsed<'a, ()> {
        let text = std::str::from_utf8(word).unwrap_or_default();
        if Numeral::within_range(text).is_err() {
            return fail(input, word.len(), Problem::NumeralOutOfRange(shown(word)));
        }
        self.nodes.push(Node::Numeral { start: self.position(input), length: word.len() as u32 });
        Ok((&input[word.len()..], ()))
    }
}

/// Reads one formula, which becomes the nodes from the returned one on.
///
/// ```ebnf
/// formula = "(" ( "and" | "or" ) formula { formula } ")" | comparison ;
/// comparison = "(" relation term term ")" ;
/// term = numeral | variable | "(" "-" term ")" | "(" ( "+" | "-" | "*" ) term { term } ")" ;
/// ```
pub(crate) fn formula<'a>(
    dialect: &mut impl Dialect,
    builder: &mut Builder,
    input: &'a [u8],
) -> Parsed<'a, u32> {
    let root = builder.last();
    let mut rest = opening(dialect, builder, blank(input))?.0;
    while let Some(&open) = builder.open.last() {
        rest = blank(rest);
        rest = match rest.first() {
            Some(b')') => closing(dialect, builder, rest)?.0,
            Some(b'(') => match plain_bound(dialect, builder, open, rest) {
                Some(after) => after,
                None => opening(dialect, builder, rest)?.0,
            },
            None => return unclosed(builder, open, input),
            Some(_) if open.operator.takes_formulas() => {
                return unexpected(rest, "a formula such as `(<= X_0 1.0)`, or `)`");
            }
            Some(_) => {
                let (after, ()) = dialect.operand(builder, rest)?;
                count_operand(builder);
                after
            }
        };
    }
    Ok((rest, root))
}

/// `"(" relation variable numeral ")"` in the usual layout: the one form that nearly all of a large file consists of.
///
/// Several times as fast as the general way, which reads everything that this function declines, and gives the same
/// nodes: printed queries have this layout, so every round trip compares the two.
fn plain_bound<'a>(
    dialect: &impl Dialect,
    builder: &mut Builder,
    open: OpenApplication,
    input: &'a [u8],
) -> Option<&'a [u8]> {
    let (relation, rest) = match input {
        [b'(', b'<', b'=', b' ', rest @ ..] => (Relation::LessEqual, rest),
        [b'(', b'>', b'=', b' ', rest @ ..] => (Relation::GreaterEqual, rest),
        [b'(', b'<', b' ', rest @ ..] => (Relation::Less, rest),
        [b'(', b'>', b' ', rest @ ..] => (Relation::Greater, rest),
        _ => return None,
    };
    if !open.operator.takes_formulas() {
        return None;
    }
    let (rest, variable) = dialect.plain_variable(rest)?;
    let number = rest.strip_prefix(b" ")?;
    let length = lex::plain_length(number)?;
    let [b')', rest @ ..] = &number[length..] else { return None };
    if !dialect.admits(variable, &number[..length]) {
        return None;
    }
    let bound = BoundNode {
        element: variable.element,
        start: builder.position(input),
        tensor: variable.tensor.0,
        length: u16::try_from(input.len() - rest.len()).ok()?,
        numeral_at: u16::try_from(input.len() - number.len()).ok()?,
        numeral_length: u8::try_from(length).ok()?,
        relation,
        numeral_first: false,
    };
    count_operand(builder);
    builder.nodes.push(Node::Bound(bound));
    Some(rest)
}

/// `"(" operator`
fn opening<'a>(dialect: &impl Dialect, builder: &mut Builder, input: &'a [u8]) -> Parsed<'a, ()> {
    let [b'(', inside @ ..] = input else { return unexpected(input, "a formula such as `(<= X_0 1.0)`") };
    let (rest, operator) = dialect.operator(inside)?;
    let wants_formula = builder.open.last().is_none_or(|open| open.operator.takes_formulas());
    if operator.is_formula() != wants_formula {
        let sort = |formula| if formula { "a truth value" } else { "a number" };
        let (found, expected) = (sort(operator.is_formula()), sort(wants_formula));
        let problem = Problem::WrongSort { operator: dialect.symbol(operator).into(), found, expected };
        return fail(input, input.len() - rest.len(), problem);
    }
    count_operand(builder);
    let node = builder.last();
    builder.open.push(OpenApplication { operator, node, operands: 0 });
    builder.nodes.push(Node::Open { operator, start: builder.position(input), length: 0, end: 0 });
    Ok((rest, ()))
}

fn count_operand(builder: &mut Builder) {
    if let Some(open) = builder.open.last_mut() {
        open.operands += 1;
    }
}

/// `")"`: checks how many operands there are and completes the operator's node.
fn closing<'a>(dialect: &impl Dialect, builder: &mut Builder, input: &'a [u8]) -> Parsed<'a, ()> {
    let rest = &input[1..];
    let Some(OpenApplication { operator, node, operands }) = builder.open.pop() else {
        return unexpected(input, "a command");
    };
    let start = builder.nodes[node as usize].span().start() as u32;
    let length = builder.position(rest) - start;
    let expected = match operator {
        Operator::Compare(_) if operands != 2 => Some("exactly two"),
        _ if operands == 0 => Some("at least one"),
        _ => None,
    };
    if let Some(expected) = expected {
        let problem =
            Problem::WrongArity { operator: dialect.symbol(operator), expected, found: operands as usize };
        builder.problems.push(Span::new(start, length), problem);
    }
    let operator =
        if operator == Operator::Difference && operands == 1 { Operator::Negation } else { operator };
    let end = builder.last();
    builder.nodes[node as usize] = Node::Open { operator, start, length, end };
    if let Operator::Compare(relation) = operator {
        dialect.check_comparison(&builder.nodes[node as usize + 1..], &mut builder.problems);
        if let [left, right] = builder.nodes[node as usize + 1..]
            && let Some(bound) = BoundNode::new(Span::new(start, length), relation, left, right)
        {
            builder.nodes.truncate(node as usize);
            builder.nodes.push(Node::Bound(bound));
        }
    }
    Ok((rest, ()))
}

/// The text ends inside of a formula: the innermost open parenthesis is at fault.
fn unclosed<'a>(builder: &Builder, open: OpenApplication, input: &'a [u8]) -> Parsed<'a, u32> {
    let start = builder.nodes[open.node as usize].span().start() as u32;
    let inside = (start.saturating_sub(builder.position(input))) as usize;
    fail(input.get(inside..).unwrap_or(input), 1, Problem::Unclosed)
}
