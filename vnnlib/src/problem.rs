//! The list of everything that can be wrong with a text, each with its remedy.

use std::borrow::Cow;

use crate::element_type::ElementType;

/// What is wrong. `Display` says it in one line, [`Problem::help`] gives the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The text does not go on as the grammar wants.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What the grammar allows here.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A string is never closed.
    #[error("this string is never closed")]
    UnclosedString,
    /// A backslash in a string before something that it cannot stand before.
    #[error("unknown escape in a string")]
    UnknownEscape,
    /// A parenthesis is never closed.
    #[error("this parenthesis is never closed")]
    Unclosed,
    /// The text is larger than 4 GiB.
    #[error("the text is larger than 4 GiB")]
    TextTooLarge,
    /// A command that the language does not have.
    #[error("unknown command `{0}`")]
    UnknownCommand(String),
    /// A command after `check-sat` or `exit` would change the query.
    #[error("`{0}` after the end of the query")]
    AfterEnd(String),
    /// A word that is no operator here.
    #[error("unknown operator `{0}`")]
    UnknownOperator(String),
    /// An operator of another sort than its place wants.
    #[error("`{operator}` yields {found}, but {expected} is needed here")]
    WrongSort {
        /// The operator as written.
        operator: String,
        /// What it yields.
        found: &'static str,
        /// What the place needs.
        expected: &'static str,
    },
    /// An operator has too few or too many operands.
    #[error("`{operator}` has {found} operand(s), it takes {expected}")]
    WrongArity {
        /// The operator as written.
        operator: &'static str,
        /// What it takes.
        expected: &'static str,
        /// How many there are.
        found: usize,
    },
    /// A word that begins like a number and is none.
    #[error("`{0}` is not a number")]
    BadNumeral(String),
    /// A number too long, or an exponent too large, for exact arithmetic.
    #[error("the number `{0}` is out of range")]
    NumeralOutOfRange(String),
    /// A sort other than `Real` in VNN-LIB 1.0.
    #[error("unknown sort `{0}`")]
    UnknownSort(String),
    /// A VNN-LIB 1.0 variable that is neither `X_i` nor `Y_i`.
    #[error("`{0}` is not a variable name of VNN-LIB 1.0")]
    BadVariableName(String),
    /// A name that no declaration introduces.
    #[error("`{0}` is not declared")]
    Undeclared(String),
    /// A second declaration of one name.
    #[error("`{0}` is declared twice")]
    DeclaredTwice(String),
    /// A VNN-LIB 1.0 variable is missing between declared ones.
    #[error("`{declared}` is declared, but `{missing}` is not")]
    Gap {
        /// The first variable behind the gap.
        declared: String,
        /// The first variable that is missing.
        missing: String,
    },
    /// No input or no output variable is declared.
    #[error("no {0} is declared")]
    NothingDeclared(&'static str),
    /// A version other than 2.x.
    #[error("version `{0}` is not supported")]
    UnknownVersion(String),
    /// An element type that is none.
    #[error("unknown element type `{0}`")]
    UnknownType(String),
    /// A tensor without elements.
    #[error("`{0}` has no elements")]
    EmptyTensor(String),
    /// A tensor with more elements, or more tensors, than are supported.
    #[error("`{0}` is too large: elements and tensors are limited to 2^32 - 2 and 65535")]
    TensorTooLarge(String),
    /// `equal-to` or `isomorphic-to` names a network that is not declared before.
    #[error("no network `{0}` is declared before this one")]
    UnknownNetwork(String),
    /// A network is declared equivalent to itself.
    #[error("`{0}` is this network itself")]
    EquivalentToItself(String),
    /// A network is declared equivalent to one that is declared equivalent itself.
    #[error("`{0}` is itself declared by `equal-to` or `isomorphic-to`")]
    ChainedEquivalence(String),
    /// A network has two equivalences.
    #[error("a network has at most one of `equal-to` and `isomorphic-to`")]
    TwoEquivalences,
    /// Equivalent networks have different numbers of inputs or of outputs.
    #[error("the network declares {found} tensor(s) where `{other}` declares {expected}")]
    DifferentCount {
        /// The other network.
        other: String,
        /// How many inputs or outputs this one has.
        found: usize,
        /// How many the other one has.
        expected: usize,
    },
    /// Corresponding tensors of equivalent networks differ.
    #[error("`{tensor}` differs from `{other}` in shape or element type")]
    DifferentTensor {
        /// The tensor of this network.
        tensor: String,
        /// The tensor of the other one.
        other: String,
    },
    /// A variable has too few or too many indices.
    #[error("`{name}` has {expected} dimension(s), here are {found} indices")]
    WrongRank {
        /// The tensor.
        name: String,
        /// Its rank.
        expected: usize,
        /// The number of indices.
        found: usize,
    },
    /// An index is not below its extent.
    #[error("the index of dimension {axis} is out of range: `{name}` has size {extent} there")]
    IndexOutOfRange {
        /// The tensor.
        name: String,
        /// The dimension, from 0.
        axis: usize,
        /// The size of the dimension.
        extent: u32,
    },
    /// Variables of different types meet.
    #[error("`{name}` is {found}, but the comparison is about {expected}")]
    DifferentTypes {
        /// The tensor at fault.
        name: String,
        /// Its type.
        found: ElementType,
        /// The type of the comparison's first variable.
        expected: ElementType,
    },
    /// A number does not belong to the type of the variables.
    #[error("`{number}` is not a number of type {expected}")]
    WrongNumber {
        /// The number as written.
        number: String,
        /// The type.
        expected: ElementType,
    },
    /// A comparison of numbers alone mixes integers with others.
    #[error("`{0}` is written otherwise than the numbers before it")]
    MixedNumbers(String),
    /// The text of a [`crate::QueryTree`] reads as another tree.
    #[error("the tree does not read back from its own text")]
    AmbiguousTree,
    /// The text holds no assertion.
    #[error("the query has no assertion")]
    NoAssertion,
}

impl Problem {
    /// How to mend it, in one line.
    pub fn help(&self) -> Cow<'static, str> {
        match self {
            Self::Unexpected { found, .. } => unexpected_help(found),
            Self::UnclosedString => "add the missing `\"`".into(),
            Self::UnknownEscape => "the escapes are `\\\"`, `\\\\`, `\\n`, `\\t`, `\\r` and `\\f`".into(),
            Self::Unclosed => "add the missing `)`; is the file cut off?".into(),
            Self::TextTooLarge => "split the query into several files".into(),
            Self::UnknownCommand(word) => command_help(word),
            Self::AfterEnd(_) => "move it before `(check-sat)` and `(exit)`: one file is one query".into(),
            Self::UnknownOperator(word) => operator_help(word),
            Self::WrongSort { found: "a truth value", .. } => "compare numbers, not truth values".into(),
            Self::WrongSort { .. } => "compare it with something, as in `(<= X_0 1.0)`".into(),
            Self::WrongArity { operator: "<=" | ">=" | "<" | ">" | "=" | "==" | "!=", .. } => {
                "write a chain as `(and (<= a b) (<= b c))`".into()
            }
            Self::WrongArity { .. } => "add the missing operand, or leave the operator out".into(),
            Self::BadNumeral(_) => "write numbers as `-1`, `0.5` or `1.5e-3`".into(),
            Self::NumeralOutOfRange(_) => {
                "use at most 4096 characters and exponents from -9999 to 9999".into()
            }
            Self::UnknownSort(_) => "VNN-LIB 1.0 has the sort `Real` only".into(),
            Self::BadVariableName(_) => "inputs are named X_0, X_1, ... and outputs Y_0, Y_1, ...".into(),
            Self::Undeclared(_) => "declare it before its first use, or correct the name".into(),
            Self::DeclaredTwice(_) => "remove one of the two declarations".into(),
            Self::Gap { missing, .. } => {
                format!("declare `{missing}` too: indices count from 0 without gaps").into()
            }
            Self::NothingDeclared("input") => "declare the inputs, as in `(declare-const X_0 Real)`".into(),
            Self::NothingDeclared(_) => "declare the outputs, as in `(declare-const Y_0 Real)`".into(),
            Self::UnknownVersion(_) => "this reader knows VNN-LIB 1.0 and 2.x; write `<2.0>`".into(),
            Self::UnknownType(_) => {
                "the types are real, float32, int64 and the other ONNX types, in lower case".into()
            }
            Self::EmptyTensor(_) => "every dimension is at least 1; a scalar has the shape `[]`".into(),
            Self::TensorTooLarge(_) => "check the shape".into(),
            Self::UnknownNetwork(_) => "name a network that is declared above".into(),
            Self::EquivalentToItself(_) => "name another network, or leave it out".into(),
            Self::ChainedEquivalence(_) => "name the network that it refers to".into(),
            Self::TwoEquivalences => "keep one of them".into(),
            Self::DifferentCount { .. } | Self::DifferentTensor { .. } => {
                "equal networks have the same inputs and outputs in the same order, isomorphic ones at least the same shapes".into()
            }
            Self::WrongRank { expected: 0, .. } => "a scalar is written without brackets".into(),
            Self::WrongRank { .. } => "write one index a dimension, as in `X[0,2]`".into(),
            Self::IndexOutOfRange { .. } => "indices count from 0".into(),
            Self::DifferentTypes { .. } => "types are never converted: compare variables of one type".into(),
            Self::WrongNumber { expected, .. } => wrong_number_help(*expected),
            Self::MixedNumbers(_) => "write all of them with a point, or all without".into(),
            Self::AmbiguousTree => {
                "names and numbers must be single words of the language, and nesting at most 500 deep".into()
            }
            Self::NoAssertion => "add `(assert ...)`; is the file cut off?".into(),
        }
    }
}

fn unexpected_help(found: &str) -> Cow<'static, str> {
    match found {
        "the end of the text" => "complete the text; is the file cut off?".into(),
        "`)`" => "check that the parentheses before it pair up".into(),
        "`(`" => "leave no blank behind the parenthesis, and check that those before it pair up".into(),
        found if found.starts_with("`(declare-") => {
            "declare inputs, hidden tensors and outputs in this order, all of them before the assertions"
                .into()
        }
        found if found.starts_with("`(") => {
            "check that the parentheses before it pair up; several formulas are joined by `and`".into()
        }
        _ => "replace it".into(),
    }
}

fn wrong_number_help(expected: ElementType) -> Cow<'static, str> {
    match expected {
        ElementType::Bool | ElementType::String | ElementType::Complex64 | ElementType::Complex128 => {
            "VNN-LIB has no constants of this type: compare variables".into()
        }
        other if other.is_real_valued() => "write it with a point, as in `1.0`".into(),
        _ => "write it as an integer of that type, as in `1`".into(),
    }
}

fn command_help(word: &str) -> Cow<'static, str> {
    match word {
        "define-fun" | "define-const" => "VNN-LIB has no definitions: write the expression out".into(),
        "push" | "pop" => "one file is one query: split the file".into(),
        "declare-network" | "vnnlib-version" => "begin the file with `(vnnlib-version <2.0>)`".into(),
        _ => "VNN-LIB 1.0 knows `declare-const`, `declare-fun` without arguments, and `assert`".into(),
    }
}

fn operator_help(word: &str) -> Cow<'static, str> {
    match word {
        "==" => "VNN-LIB 1.0 writes equality as `=`".into(),
        "=" => "VNN-LIB 2.0 writes equality as `==`".into(),
        "!=" | "distinct" => "write `(or (< a b) (> a b))`".into(),
        "not" => "turn the comparison around: `(not (<= a b))` is `(> a b)`".into(),
        "=>" => "write `(or not-a b)` with the comparison of `a` turned around".into(),
        "/" => "write the quotient as a decimal number, or multiply both sides".into(),
        "let" | "ite" => "VNN-LIB has no definitions and no conditionals: write the cases out".into(),
        _ => "the operators are and, or, the comparisons, and + - *".into(),
    }
}
