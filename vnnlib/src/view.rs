//! The flat nodes of a query seen as a tree.
//!
//! [`Formula`], [`Comparison`] and [`Term`] are small copyable handles; walking them allocates nothing. Texts may be
//! nested a million deep, so code that must survive every text walks [`Events`] and keeps its own stack.

use crate::ast::{Data, Query, Span, Variable};
use crate::node::{Node, Operator, Relation};
use crate::numeral::Numeral;

/// A handle to one node. The node exists: handles are made here only, from a checked query.
#[derive(Clone, Copy)]
pub(crate) struct At<'q> {
    data: &'q Data,
    index: u32,
}

impl<'q> At<'q> {
    fn node(self) -> Node {
        self.data.nodes[self.index as usize]
    }

    fn numeral(self, span: Span) -> Numeral<'q> {
        Numeral::accepted(&self.data.text[span.start()..span.end()])
    }

    fn children(self, end: u32) -> Children<'q> {
        Children { at: At { index: self.index + 1, ..self }, end }
    }
}

#[derive(Clone, Copy)]
struct Children<'q> {
    at: At<'q>,
    end: u32,
}

impl<'q> Iterator for Children<'q> {
    type Item = At<'q>;

    fn next(&mut self) -> Option<At<'q>> {
        (self.at.index < self.end).then(|| {
            let child = self.at;
            self.at.index = child.node().next(child.index);
            child
        })
    }
}

/// One `(assert ...)`.
#[derive(Clone, Copy)]
pub struct Assertion<'q> {
    index: usize,
    span: Span,
    root: At<'q>,
}

impl<'q> Assertion<'q> {
    /// Its position among the assertions, from 0.
    pub fn index(self) -> usize {
        self.index
    }

    /// The whole command.
    pub fn span(self) -> Span {
        self.span
    }

    /// What it asserts.
    pub fn formula(self) -> Formula<'q> {
        Formula::at(self.root)
    }
}

impl Query {
    /// The assertions, in the order of the text. A point satisfies the query if it satisfies all of them.
    pub fn assertions(&self) -> impl ExactSizeIterator<Item = Assertion<'_>> {
        let data = &*self.data;
        data.assertions.iter().enumerate().map(move |(index, assertion)| Assertion {
            index,
            span: assertion.span,
            root: At { data, index: assertion.root },
        })
    }

    pub(crate) fn formula_at(&self, index: u32) -> Formula<'_> {
        Formula::at(At { data: &self.data, index })
    }

    /// The formula that has this number in this query; `None` if the query has no such node.
    pub fn formula(&self, id: FormulaId) -> Option<Formula<'_>> {
        ((id.0 as usize) < self.data.nodes.len()).then(|| self.formula_at(id.0))
    }
}

/// A formula's number in its query: what to keep where a handle, which borrows the query, cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FormulaId(u32);

/// A truth value.
#[derive(Clone, Copy)]
pub enum Formula<'q> {
    /// All operands hold.
    And(Formulas<'q>),
    /// Some operand holds.
    Or(Formulas<'q>),
    /// A comparison of two terms.
    Compare(Comparison<'q>),
}

impl<'q> Formula<'q> {
    fn at(at: At<'q>) -> Self {
        match at.node() {
            Node::Open { operator: Operator::And, end, .. } => {
                Self::And(Formulas { at, children: at.children(end) })
            }
            Node::Open { operator: Operator::Or, end, .. } => {
                Self::Or(Formulas { at, children: at.children(end) })
            }
            _ => Self::Compare(Comparison { at }),
        }
    }

    fn start(self) -> At<'q> {
        match self {
            Self::And(formulas) | Self::Or(formulas) => formulas.at,
            Self::Compare(comparison) => comparison.at,
        }
    }

    /// Where it stands in the text.
    pub fn span(self) -> Span {
        self.start().node().span()
    }

    /// Everything in it, in the order of the text.
    pub fn events(self) -> Events<'q> {
        Events::of(self.start())
    }

    /// Its number in its query.
    pub fn id(self) -> FormulaId {
        FormulaId(self.index())
    }

    pub(crate) fn index(self) -> u32 {
        self.start().index
    }

    /// A number that no other formula or comparison of the query has; the same for the same text.
    pub fn number(self) -> u32 {
        self.index()
    }
}

/// The operands of `and` or `or`.
#[derive(Clone, Copy)]
pub struct Formulas<'q> {
    at: At<'q>,
    children: Children<'q>,
}

impl<'q> Iterator for Formulas<'q> {
    type Item = Formula<'q>;

    fn next(&mut self) -> Option<Formula<'q>> {
        self.children.next().map(Formula::at)
    }
}

/// A comparison of two terms.
#[derive(Clone, Copy)]
pub struct Comparison<'q> {
    at: At<'q>,
}

/// A comparison of a variable with a number, turned so that the variable is on the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound<'q> {
    /// The left side.
    pub variable: Variable,
    /// The relation, with the variable on the left.
    pub relation: Relation,
    /// The right side.
    pub numeral: Numeral<'q>,
}

impl<'q> Comparison<'q> {
    /// The relation between [`Self::left`] and [`Self::right`].
    pub fn relation(self) -> Relation {
        match self.at.node() {
            Node::Bound(bound) => bound.relation,
            Node::Open { operator: Operator::Compare(relation), .. } => relation,
            // The checker makes comparisons of these two nodes only.
            _ => Relation::Equal,
        }
    }

    /// The first operand.
    pub fn left(self) -> Term<'q> {
        self.operand(true)
    }

    /// The second operand.
    pub fn right(self) -> Term<'q> {
        self.operand(false)
    }

    fn operand(self, first: bool) -> Term<'q> {
        if let Node::Bound(bound) = self.at.node() {
            return if bound.numeral_first == first {
                Term::Numeral(self.at.numeral(bound.numeral_span()))
            } else {
                Term::Variable(bound.variable())
            };
        }
        let left = At { index: self.at.index + 1, ..self.at };
        Term::at(if first { left } else { At { index: left.node().next(left.index), ..left } })
    }

    /// The comparison as a plain bound, if one side is a variable and the other a number. Costs nothing.
    pub fn as_bound(self) -> Option<Bound<'q>> {
        match (self.left(), self.right()) {
            (Term::Variable(variable), Term::Numeral(numeral)) => {
                Some(Bound { variable, relation: self.relation(), numeral })
            }
            (Term::Numeral(numeral), Term::Variable(variable)) => {
                Some(Bound { variable, relation: self.relation().flipped(), numeral })
            }
            _ => None,
        }
    }

    /// Where it stands in the text.
    pub fn span(self) -> Span {
        self.at.node().span()
    }

    /// Everything in it, in the order of the text.
    pub fn events(self) -> Events<'q> {
        Events::of(self.at)
    }

    pub(crate) fn index(self) -> u32 {
        self.at.index
    }

    /// A number that no other formula or comparison of the query has; the same for the same text.
    pub fn number(self) -> u32 {
        self.index()
    }
}

/// A number.
#[derive(Clone, Copy)]
pub enum Term<'q> {
    /// A variable.
    Variable(Variable),
    /// A number as written.
    Numeral(Numeral<'q>),
    /// The opposite of its one operand.
    Negation(Terms<'q>),
    /// The sum of one or more operands.
    Sum(Terms<'q>),
    /// The first operand less all others, of which there is at least one.
    Difference(Terms<'q>),
    /// The product of one or more operands.
    Product(Terms<'q>),
}

/// The operands of an arithmetic operator.
#[derive(Clone, Copy)]
pub struct Terms<'q> {
    children: Children<'q>,
}

impl<'q> Iterator for Terms<'q> {
    type Item = Term<'q>;

    fn next(&mut self) -> Option<Term<'q>> {
        self.children.next().map(Term::at)
    }
}

impl<'q> Term<'q> {
    fn at(at: At<'q>) -> Self {
        match at.node() {
            Node::Variable { variable, .. } => Self::Variable(variable),
            Node::Numeral { .. } => Self::Numeral(at.numeral(at.node().span())),
            // A bound is never an operand of a term.
            Node::Bound(bound) => Self::Variable(bound.variable()),
            Node::Open { operator, end, .. } => {
                let terms = Terms { children: at.children(end) };
                match operator {
                    Operator::Negation => Self::Negation(terms),
                    Operator::Difference => Self::Difference(terms),
                    Operator::Product => Self::Product(terms),
                    _ => Self::Sum(terms),
                }
            }
        }
    }
}

/// A step of a walk over a formula. The `Close` events are the postfix form: whoever keeps a stack of values, pushes
/// at `Variable` and `Numeral` and replaces the top `operands` values at `Close`, evaluates without recursion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'q> {
    /// An operator begins.
    Open(Operator),
    /// A variable.
    Variable(Variable),
    /// A number as written.
    Numeral(Numeral<'q>),
    /// An operator ends.
    Close {
        /// The operator that ends.
        operator: Operator,
        /// How many operands it has.
        operands: usize,
    },
}

/// The walk over a formula, in the order of the text.
pub struct Events<'q> {
    at: At<'q>,
    end: u32,
    open: Vec<(Operator, u32, usize)>,
    /// What is left of a [`Node::Bound`], which one node stands for four events: taken from the end.
    pending: Vec<Event<'q>>,
}

impl<'q> Events<'q> {
    fn of(at: At<'q>) -> Self {
        Self { at, end: at.node().next(at.index), open: Vec::new(), pending: Vec::new() }
    }

    fn count_operand(&mut self) {
        if let Some((_, _, operands)) = self.open.last_mut() {
            *operands += 1;
        }
    }

    fn enter(&mut self, node: Node) -> Event<'q> {
        let at = self.at;
        self.at.index += 1;
        match node {
            Node::Open { operator, end, .. } => {
                self.open.push((operator, end, 0));
                Event::Open(operator)
            }
            Node::Variable { variable, .. } => Event::Variable(variable),
            Node::Numeral { .. } => Event::Numeral(at.numeral(node.span())),
            Node::Bound(bound) => {
                let operator = Operator::Compare(bound.relation);
                let numeral = Event::Numeral(at.numeral(bound.numeral_span()));
                let variable = Event::Variable(bound.variable());
                self.pending.push(Event::Close { operator, operands: 2 });
                self.pending.extend(if bound.numeral_first {
                    [variable, numeral]
                } else {
                    [numeral, variable]
                });
                Event::Open(operator)
            }
        }
    }
}

impl<'q> Iterator for Events<'q> {
    type Item = Event<'q>;

    fn next(&mut self) -> Option<Event<'q>> {
        if let Some(event) = self.pending.pop() {
            return Some(event);
        }
        if let Some(&(operator, end, operands)) = self.open.last()
            && end == self.at.index
        {
            self.open.pop();
            return Some(Event::Close { operator, operands });
        }
        if self.at.index == self.end {
            return None;
        }
        self.count_operand();
        Some(self.enter(self.at.node()))
    }
}
