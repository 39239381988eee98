//! The flat form of expressions: nodes in the order of the text, each operator knowing where its operands end.

use std::fmt;

use crate::ast::{Span, TensorId, Variable};

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Relation {
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `=` in VNN-LIB 1.0, `==` in 2.0
    Equal,
    /// `!=`, only in VNN-LIB 2.0
    NotEqual,
}

impl Relation {
    /// The relation with the operands exchanged: `a < b` is `b > a`.
    pub fn flipped(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessEqual => Self::GreaterEqual,
            Self::Greater => Self::Less,
            Self::GreaterEqual => Self::LessEqual,
            Self::Equal => Self::Equal,
            Self::NotEqual => Self::NotEqual,
        }
    }

    /// Whether it holds between two numbers in the given order.
    pub fn admits(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterEqual => order.is_ge(),
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
        }
    }

    /// The symbol in VNN-LIB 2.0.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }
}

/// Everything that stands behind an opening parenthesis of a formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `and`
    And,
    /// `or`
    Or,
    /// A comparison of two terms.
    Compare(Relation),
    /// `+`
    Sum,
    /// `-` with two or more operands: the first less all others
    Difference,
    /// `*`
    Product,
    /// `-` with one operand
    Negation,
}

impl Operator {
    /// Whether it yields a truth value, as opposed to a number.
    pub fn is_formula(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Compare(_))
    }

    /// Whether its operands are truth values.
    pub fn takes_formulas(self) -> bool {
        matches!(self, Self::And | Self::Or)
    }

    /// The symbol in VNN-LIB 2.0.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::And => "and",
            Self::Or => "or",
            Self::Compare(relation) => relation.symbol(),
            Self::Sum => "+",
            Self::Difference | Self::Negation => "-",
            Self::Product => "*",
        }
    }
}

/// One node. 20 bytes, so that a plain bound takes about as much room as its text.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Node {
    /// An operator; its operands are the nodes behind it, up to `end`.
    Open { operator: Operator, start: u32, length: u32, end: u32 },
    /// A variable.
    Variable { variable: Variable, start: u32, length: u32 },
    /// A number, which stands in the text.
    Numeral { start: u32, length: u32 },
    /// A comparison of a variable with a number, if its text is short enough for this form.
    Bound(BoundNode),
}

/// See [`Node::Bound`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoundNode {
    pub(crate) element: u32,
    pub(crate) start: u32,
    pub(crate) tensor: u16,
    pub(crate) length: u16,
    /// Where the number begins, counted from `start`.
    pub(crate) numeral_at: u16,
    pub(crate) numeral_length: u8,
    /// The relation as written, whichever side the number is on.
    pub(crate) relation: Relation,
    pub(crate) numeral_first: bool,
}

impl BoundNode {
    /// The short form of `(relation left right)`, if one side is a variable, the other a number, and all is short.
    pub(crate) fn new(span: Span, relation: Relation, left: Node, right: Node) -> Option<Self> {
        let (variable, numeral, numeral_first) = match (left, right) {
            (Node::Variable { variable, .. }, Node::Numeral { start, length }) => {
                (variable, (start, length), false)
            }
            (Node::Numeral { start, length }, Node::Variable { variable, .. }) => {
                (variable, (start, length), true)
            }
            _ => return None,
        };
        let start = u32::try_from(span.start()).ok()?;
        Some(Self {
            element: variable.element,
            start,
            tensor: variable.tensor.0,
            length: u16::try_from(span.end() - span.start()).ok()?,
            numeral_at: u16::try_from(numeral.0.checked_sub(start)?).ok()?,
            numeral_length: u8::try_from(numeral.1).ok()?,
            relation,
            numeral_first,
        })
    }

    pub(crate) fn variable(self) -> Variable {
        Variable { tensor: TensorId(self.tensor), element: self.element }
    }

    pub(crate) fn numeral_span(self) -> Span {
        Span::new(self.start + u32::from(self.numeral_at), u32::from(self.numeral_length))
    }
}

impl Node {
    pub(crate) fn span(self) -> Span {
        match self {
            Self::Open { start, length, .. }
            | Self::Variable { start, length, .. }
            | Self::Numeral { start, length } => Span::new(start, length),
            Self::Bound(bound) => Span::new(bound.start, u32::from(bound.length)),
        }
    }

    /// The node behind this one and all that belongs to it, if this one stands at `index`.
    pub(crate) fn next(self, index: u32) -> u32 {
        match self {
            Self::Open { end, .. } => end,
            _ => index + 1,
        }
    }
}

/// An assertion: its place in the text and its formula's node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AssertionAt {
    pub(crate) span: Span,
    pub(crate) root: u32,
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.symbol())
    }
}
