//! The corpus in `grammar/corpus`: accepted texts with their trees, rejected ones with what is said about them.
//! The snapshots stand beside the texts. Review changes with `cargo insta review`.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use vnnlib::{Formula, Query, Span, Term};

fn corpus(folder: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/grammar/corpus")).join(folder)
}

/// Compares `describe` of every text in the folder with its snapshot.
fn check(folder: &str, describe: impl Fn(&str, &str) -> String) {
    let folder = corpus(folder);
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(&folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut texts: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "vnnlib"))
        .collect();
    texts.sort();
    assert!(!texts.is_empty());
    for path in texts {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let described = describe(&format!("{stem}.vnnlib"), &text);
        settings.bind(|| insta::assert_snapshot!(stem, described));
    }
}

fn accepted(name: &str, text: &str) -> String {
    let query = vnnlib::parse_named(name, text).unwrap_or_else(|errors| panic!("{errors}"));
    let again = vnnlib::parse(query.print()).unwrap_or_else(|errors| panic!("printed: {errors}"));
    assert!(again == query, "{name} is printed as another query");
    format!("{}\n{}", query.print(), tree(&query))
}

fn rejected(name: &str, text: &str) -> String {
    match vnnlib::parse_named(name, text) {
        Ok(query) => panic!("{name} is accepted: {query}"),
        Err(errors) => errors.to_string(),
    }
}

/// Declarations and assertions as an indented tree, with the text of every formula's span.
fn tree(query: &Query) -> String {
    let mut out = format!("{:?}\n", query.version());
    for network in query.networks() {
        writeln!(out, "network {:?} {:?}", network.name(), network.equivalence()).unwrap();
        for tensor in network.tensors() {
            writeln!(out, "  {:?}", query.tensors()[tensor.index()]).unwrap();
        }
    }
    for assertion in query.assertions() {
        writeln!(out, "assertion {} {}", assertion.index(), place(query, assertion.span())).unwrap();
        formula(query, assertion.formula(), 1, &mut out);
    }
    out
}

fn formula(query: &Query, node: Formula<'_>, depth: usize, out: &mut String) {
    let at = place(query, node.span());
    let indent = "  ".repeat(depth);
    match node {
        Formula::And(operands) | Formula::Or(operands) => {
            let name = if matches!(node, Formula::And(_)) { "and" } else { "or" };
            writeln!(out, "{indent}{name} {at}").unwrap();
            operands.for_each(|operand| formula(query, operand, depth + 1, out));
        }
        Formula::Compare(comparison) => {
            let bound = if comparison.as_bound().is_some() { " bound" } else { "" };
            writeln!(out, "{indent}{:?} {at}{bound}", comparison.relation()).unwrap();
            term(query, comparison.left(), depth + 1, out);
            term(query, comparison.right(), depth + 1, out);
        }
    }
}

fn term(query: &Query, node: Term<'_>, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let (name, operands) = match node {
        Term::Variable(variable) => {
            writeln!(out, "{indent}variable {}", query.variable_name(variable)).unwrap();
            return;
        }
        Term::Numeral(numeral) => {
            writeln!(out, "{indent}numeral {numeral}").unwrap();
            return;
        }
        Term::Negation(operands) => ("negation", operands),
        Term::Sum(operands) => ("sum", operands),
        Term::Difference(operands) => ("difference", operands),
        Term::Product(operands) => ("product", operands),
    };
    writeln!(out, "{indent}{name}").unwrap();
    operands.for_each(|operand| term(query, operand, depth + 1, out));
}

/// Line and column of a span, and its length.
fn place(query: &Query, span: Span) -> String {
    let (line, column) = query.line_and_column(span);
    format!("@{line}:{column}+{}", span.end() - span.start())
}

#[test]
fn texts_of_version_1_are_accepted() {
    check("accept/1", accepted);
}

#[test]
fn texts_of_version_1_are_rejected() {
    check("reject/1", rejected);
}

#[test]
fn texts_of_version_2_are_accepted() {
    check("accept/2", accepted);
}

#[test]
fn texts_of_version_2_are_rejected() {
    check("reject/2", rejected);
}

/// Every production is quoted word for word above the function that reads it. Digits and letters are nom's.
#[test]
fn every_production_is_quoted_in_the_parser() {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let read = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let quoted = |sources: &[&str]| -> String {
        let lines = sources.iter().map(|path| read(path)).collect::<String>();
        words(&lines.lines().filter_map(|line| line.trim().strip_prefix("///")).collect::<Vec<_>>().join(" "))
    };
    let shared = ["src/grammar/expression.rs", "src/lex.rs"];
    let versions =
        [("1", ["src/grammar/v1.rs", "src/check/v1.rs"]), ("2", ["src/grammar/v2.rs", "src/check/v2.rs"])];
    for (version, own) in versions {
        let quoted = quoted(&[&shared[..], &own[..]].concat());
        let grammar = read(&format!("grammar/vnnlib-{version}.ebnf"));
        let productions = grammar.split_once("*)").unwrap().1.split(" ;\n").map(words);
        for production in productions.filter(|production| !production.is_empty()) {
            let name = production.split_once(" =").unwrap().0;
            if !matches!(name, "digit" | "nonzero digit" | "letter") {
                assert!(
                    quoted.contains(&format!("{production} ;")),
                    "version {version} does not quote: {production}"
                );
            }
        }
    }
}

/// Nesting is limited by the text's size only; every walk of the crate keeps its own stack.
#[test]
fn a_million_nested_parentheses_are_read() {
    const DEPTH: usize = 1_000_000;
    let declarations = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert ";
    let formulas = format!("{declarations}{}(<= X_0 1.0){})", "(or ".repeat(DEPTH), ")".repeat(DEPTH));
    let terms = format!("{declarations}(<= {}X_0{} 1.0))", "(- ".repeat(DEPTH), ")".repeat(DEPTH));
    let point = [vec![0.5], vec![0.5]];
    for text in [formulas, terms] {
        let query = vnnlib::parse(text).unwrap();
        assert_eq!(query.holds(&point[..]), Ok(true));
        assert_eq!(query.violations(&point[..]), Ok(Vec::new()));
        let form = query.normal_form(1).unwrap();
        assert_eq!(form.common().count(), 1);
        assert!(form.common().all(|comparison| comparison.linear().is_ok()));
        assert!(vnnlib::parse(query.print()).unwrap() == query);
    }
    let open = format!("{declarations}{}", "(or ".repeat(DEPTH));
    assert!(vnnlib::parse(open).unwrap_err().to_string().contains("this parenthesis is never closed"));
}
