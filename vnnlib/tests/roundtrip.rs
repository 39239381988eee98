//! Random queries of both versions: written in random layout, read, printed, read again.
//!
//! The plain twin is a tree made here; what is read must have exactly its events, so neither the reader nor the
//! printer can lose or invent anything.

use std::fmt::Write;

use proptest::prelude::*;
use vnnlib::{Event, Operator, Query, Relation};

#[derive(Debug, Clone)]
enum Tree {
    /// A tensor's name and the indices of an element.
    Variable(&'static str, Vec<u32>),
    Numeral(String),
    Node(&'static str, Vec<Tree>),
}

/// What the versions differ in.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Language {
    One,
    Two,
}

/// Names and shapes of the tensors of version 2 that the queries use; in version 1, X and Y of the last extent.
const TENSORS: [(&str, &[u32]); 3] = [("X", &[2, 3]), ("H", &[]), ("Y", &[1, 2, 2])];

fn variable(language: Language) -> BoxedStrategy<Tree> {
    match language {
        Language::One => (prop_oneof![Just("X"), Just("Y")], 0..3_u32)
            .prop_map(|(name, i)| Tree::Variable(name, vec![i]))
            .boxed(),
        Language::Two => (0..3_usize, 0..1000_u32)
            .prop_map(|(tensor, seed)| {
                let (name, shape) = TENSORS[tensor];
                let mut rest = seed;
                let indices = shape.iter().map(|extent| (rest % extent, rest /= extent).0).collect();
                Tree::Variable(name, indices)
            })
            .boxed(),
    }
}

fn numeral(language: Language) -> BoxedStrategy<Tree> {
    let pattern = match language {
        Language::One => "-?[0-9]{1,9}(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,2})?",
        Language::Two => "-?[0-9]{1,9}\\.[0-9]{1,9}",
    };
    pattern.prop_map(Tree::Numeral).boxed()
}

fn term(language: Language) -> impl Strategy<Value = Tree> {
    prop_oneof![variable(language), numeral(language)].prop_recursive(3, 12, 4, |inner| {
        let operator = prop_oneof![Just("+"), Just("-"), Just("*")];
        (operator, prop::collection::vec(inner, 1..4))
            .prop_map(|(operator, operands)| Tree::Node(operator, operands))
    })
}

fn formula(language: Language) -> impl Strategy<Value = Tree> {
    let relations = match language {
        Language::One => vec!["<=", ">=", "<", ">", "="],
        Language::Two => vec!["<=", ">=", "<", ">", "==", "!="],
    };
    let simple = prop_oneof![variable(language), numeral(language), term(language)];
    let comparison = (prop::sample::select(relations), simple, term(language))
        .prop_map(|(relation, left, right)| Tree::Node(relation, vec![left, right]));
    comparison.prop_recursive(4, 16, 4, |inner| {
        (prop_oneof![Just("and"), Just("or")], prop::collection::vec(inner, 1..4))
            .prop_map(|(operator, operands)| Tree::Node(operator, operands))
    })
}

/// Writes a tree; `blanks` is used up for what stands between words, comments included.
fn write(tree: &Tree, language: Language, blanks: &mut dyn Iterator<Item = &'static str>, out: &mut String) {
    match tree {
        Tree::Numeral(text) => out.push_str(text),
        Tree::Variable(name, indices) if language == Language::One => {
            write!(out, "{name}_{}", indices[0]).unwrap()
        }
        Tree::Variable(name, indices) if indices.is_empty() => out.push_str(name),
        Tree::Variable(name, indices) => {
            let list: Vec<String> = indices.iter().map(u32::to_string).collect();
            write!(
                out,
                "{name}[{}]",
                list.join(blanks.next().map_or(",", |blank| if blank == " " { " , " } else { "," }))
            )
            .unwrap();
        }
        Tree::Node(operator, operands) => {
            write!(out, "({operator}").unwrap();
            for operand in operands {
                out.push_str(blanks.next().unwrap_or(" "));
                write(operand, language, blanks, out);
            }
            out.push(')');
        }
    }
}

/// The events that a tree must be read as, written as words.
fn expected(tree: &Tree, query: &Query, out: &mut Vec<String>) {
    match tree {
        Tree::Numeral(text) => out.push(text.clone()),
        Tree::Variable(name, indices) => {
            let (id, tensor) = query.tensor_ids().find(|(_, tensor)| tensor.name() == *name).unwrap();
            let element = indices.iter().zip(tensor.shape()).fold(0, |sum, (i, extent)| sum * extent + i);
            let variable = query.variable(id, element as usize).unwrap();
            out.push(format!("{variable:?}"));
        }
        Tree::Node(operator, operands) => {
            let operator = operator_of(operator);
            out.push(format!("open {operator:?}"));
            operands.iter().for_each(|operand| expected(operand, query, out));
            let negation = operator == Operator::Difference && operands.len() == 1;
            let operator = if negation { Operator::Negation } else { operator };
            out.push(format!("close {operator:?} {}", operands.len()));
        }
    }
}

fn found(event: Event<'_>) -> String {
    match event {
        // The reader knows that a minus is a negation only at its end, and the walk says so from the beginning.
        Event::Open(Operator::Negation) => format!("open {:?}", Operator::Difference),
        Event::Open(operator) => format!("open {operator:?}"),
        Event::Numeral(numeral) => numeral.as_str().into(),
        Event::Variable(variable) => format!("{variable:?}"),
        Event::Close { operator, operands } => format!("close {operator:?} {operands}"),
    }
}

fn operator_of(symbol: &str) -> Operator {
    match symbol {
        "and" => Operator::And,
        "or" => Operator::Or,
        "+" => Operator::Sum,
        "-" => Operator::Difference,
        "*" => Operator::Product,
        "<=" => Operator::Compare(Relation::LessEqual),
        ">=" => Operator::Compare(Relation::GreaterEqual),
        "<" => Operator::Compare(Relation::Less),
        ">" => Operator::Compare(Relation::Greater),
        "!=" => Operator::Compare(Relation::NotEqual),
        _ => Operator::Compare(Relation::Equal),
    }
}

fn declarations(language: Language) -> &'static str {
    match language {
        Language::One => {
            "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const X_2 Real)\n\
             (declare-const Y_0 Real)(declare-const Y_1 Real)(declare-const Y_2 Real)\n"
        }
        Language::Two => {
            "(vnnlib-version <2.0>)\n(declare-network N (declare-input X real [2,3])\
             (declare-hidden H real [] \"a\\\"b\") (declare-output Y real [1,2,2]))\n"
        }
    }
}

/// Blanks of every kind, cycled; a long comment makes a comparison too long for its short form.
fn layout() -> impl Strategy<Value = Vec<&'static str>> {
    let long: &'static str = format!(" ; {}\n", "long ".repeat(14_000)).leak();
    let blank = prop_oneof![30 => prop::sample::select(vec![" ", "\n", "\t ", " ; (and\r\n", "\r\n  "]), 1 => Just(long)];
    prop::collection::vec(blank, 1..12)
}

fn check(language: Language, formulas: &[Tree], layout: &[&'static str]) -> Result<(), TestCaseError> {
    let mut blanks = layout.iter().copied().cycle();
    let mut text = declarations(language).to_string();
    for formula in formulas {
        text.push_str("(assert ");
        write(formula, language, &mut blanks, &mut text);
        text.push_str(")\n");
    }
    let query = vnnlib::parse(text.as_str()).map_err(|errors| TestCaseError::fail(errors.to_string()))?;
    prop_assert_eq!(query.assertions().len(), formulas.len());
    for (assertion, formula) in query.assertions().zip(formulas) {
        let mut words = Vec::new();
        expected(formula, &query, &mut words);
        prop_assert_eq!(assertion.formula().events().map(found).collect::<Vec<_>>(), words);
    }
    let printed = query.print();
    let again = vnnlib::parse(printed.as_str()).map_err(|errors| TestCaseError::fail(errors.to_string()))?;
    prop_assert!(again == query, "printed: {}", printed);
    prop_assert_eq!(again.print(), printed);
    Ok(())
}

proptest! {
    #[test]
    fn queries_of_version_1(formulas in prop::collection::vec(formula(Language::One), 1..5), layout in layout()) {
        check(Language::One, &formulas, &layout)?;
    }

    #[test]
    fn queries_of_version_2(formulas in prop::collection::vec(formula(Language::Two), 1..5), layout in layout()) {
        check(Language::Two, &formulas, &layout)?;
    }

    /// Texts of the language's own words in any order: an error or a query, never a panic.
    #[test]
    fn any_sequence_of_words(words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..60)) {
        let text = words.join(" ");
        if let Err(errors) = vnnlib::parse(text.as_str()) {
            prop_assert!(!errors.to_string().is_empty());
        }
    }

    #[test]
    fn any_text(text in any::<String>()) {
        if let Err(errors) = vnnlib::parse(text.as_str()) {
            prop_assert!(!errors.to_string().is_empty());
        }
    }
}

/// Queries that differ are not equal.
#[test]
fn equality_sees_every_difference() {
    let texts = [
        "(assert (<= X_0 1.0))",
        "(assert (<= X_0 1.00))",
        "(assert (>= X_0 1.0))",
        "(assert (<= X_1 1.0))",
        "(assert (<= Y_0 1.0))",
        "(assert (<= 1.0 X_0))",
        "(assert (and (<= X_0 1.0)))",
        "(assert (or (<= X_0 1.0)))",
        "(assert (<= X_0 1.0))(assert (<= X_0 1.0))",
        "(assert (<= X_0 (+ 1.0)))",
    ];
    let queries = texts.map(|text| vnnlib::parse(format!("{}{text}", declarations(Language::One))).unwrap());
    for (i, a) in queries.iter().enumerate() {
        for (j, b) in queries.iter().enumerate() {
            assert_eq!(a == b, i == j, "{} {}", texts[i], texts[j]);
        }
    }
}

const WORDS: [&str; 30] = [
    "(",
    ")",
    "(assert",
    "(or",
    "(and",
    "(<=",
    "(==",
    "(-",
    "(+",
    "X_0",
    "Y_0",
    "X[0]",
    "Y",
    "[",
    "]",
    ",",
    "0",
    "-1.5",
    "1e3",
    "\"a\"",
    "(vnnlib-version <2.0>)",
    "(declare-network N",
    "(declare-input X float32 [1])",
    "(declare-output Y float32 []))",
    "(declare-const X_0 Real)",
    "(declare-const Y_0 Real)",
    "(check-sat)",
    "; c\n",
    "(assert (<= X_0 1.0))",
    "(assert (<= X[0] 1.0))",
];

/// The fast path for bounds in the usual layout against the general way, which a second blank forces.
#[test]
fn bounds_are_read_alike_in_every_layout() {
    let variables = [
        "X_0",
        "X_2",
        "X_3",
        "Y_2",
        "X_00",
        "X_4294967295",
        "Z_0",
        "X[0,1]",
        "X[1,2]",
        "X[2,0]",
        "X[0]",
        "X",
        "H",
        "H[0]",
        "Y[0,1,1]",
        "I[0]",
        "U[0]",
        "B",
        "X[00,1]",
        "X[0,99999999999]",
    ];
    let numbers =
        ["1.0", "1", "-1", "-0.50", "007", "1e3", "1.5E-3", ".5", "5.", "-", "+1", "1.0.0", "1e99999", "0x1"];
    let relations = ["<=", ">=", "<", ">", "=", "==", "!=", "=>"];
    let two = "(vnnlib-version <2.0>)(declare-network N (declare-input X real [2,3])(declare-input H real [])\
               (declare-input I int64 [1])(declare-input U uint8 [1])(declare-input B bool [])(declare-output Y real [1,2,2]))\n";
    let mut accepted = 0;
    for declarations in [declarations(Language::One), two] {
        for (variable, number) in variables.iter().flat_map(|v| numbers.iter().map(move |n| (v, n))) {
            for relation in relations {
                let read = |bound: String| {
                    vnnlib::parse(format!("{declarations}(assert (or {bound}))")).map_err(|errors| {
                        errors
                            .diagnostics()
                            .iter()
                            .map(|found| found.problem().to_string())
                            .collect::<Vec<_>>()
                    })
                };
                let usual = read(format!("({relation} {variable} {number})"));
                let general = read(format!("({relation}  {variable} {number})"));
                accepted += usize::from(usual.is_ok());
                assert_eq!(usual, general, "{relation} {variable} {number}");
            }
        }
    }
    assert_eq!(accepted, 372);
}
