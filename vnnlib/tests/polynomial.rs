//! Comparisons multiplied out, against exact evaluation.

use proptest::prelude::*;
use vnnlib::{Comparison, Formula, NotPolynomial, PolynomialRow, Query, Variable};

fn query(assertion: &str) -> Query {
    let declarations: String =
        ["X_0", "X_1", "Y_0"].map(|name| format!("(declare-const {name} Real)")).concat();
    vnnlib::parse(format!("{declarations}(assert {assertion})")).unwrap_or_else(|errors| panic!("{errors}"))
}

fn only(query: &Query) -> Comparison<'_> {
    match query.assertions().next().unwrap().formula() {
        Formula::Compare(comparison) => comparison,
        _ => panic!("no comparison"),
    }
}

fn shown(query: &Query, row: &PolynomialRow) -> String {
    let product = |variables: &[Variable]| {
        variables.iter().map(|&v| query.variable_name(v).to_string()).collect::<Vec<_>>().join("*")
    };
    let terms: String = row.terms.iter().map(|(p, c)| format!("{} {} + ", c.value, product(p))).collect();
    format!("{terms}{}", row.constant.value)
}

#[test]
fn products_are_multiplied_out() {
    let cases = [
        ("(<= (* X_0 X_1) 4.5)", "1 X_0*X_1 + -4.5"),
        ("(<= (* X_1 X_0 Y_0 2) 0)", "2 X_0*X_1*Y_0 + 0"),
        ("(<= (* (+ X_0 1) (- X_0 1)) 1)", "1 X_0*X_0 + -2"),
        ("(>= (* (- X_0 X_1) (- X_0 X_1)) 0)", "1 X_0*X_0 + -2 X_0*X_1 + 1 X_1*X_1 + 0"),
        ("(= (* X_0 X_1) (* X_1 X_0))", "0"),
        ("(<= (- X_0) 2)", "-1 X_0 + -2"),
    ];
    for (text, expected) in cases {
        let query = query(text);
        let row = only(&query).polynomial(|v| v).unwrap();
        assert_eq!(shown(&query, &row), expected, "{text}");
    }
}

#[test]
fn one_variable_may_stand_for_another() {
    let query = query("(<= (- (* 3 X_0) (* 2 X_1) Y_0) 0)");
    let (x, _) = query.tensor_ids().next().unwrap();
    let first = query.variable(x, 0).unwrap();
    let row = only(&query).polynomial(|v| if v.tensor() == x { first } else { v }).unwrap();
    assert_eq!(shown(&query, &row), "1 X_0 + -1 Y_0 + 0");
}

#[test]
fn an_explosion_is_an_error() {
    let factor = "(+ X_0 X_1 Y_0 1) ".repeat(60);
    let query = query(&format!("(<= (* {factor}) 1)"));
    assert_eq!(only(&query).polynomial(|v| v), Err(NotPolynomial::TooManyTerms));
}

fn term() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["X_0", "X_1", "Y_0"]).prop_map(String::from),
        (-3..4_i32).prop_map(|c| c.to_string()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let operator = prop::sample::select(vec!["+", "-", "*"]);
        (operator, prop::collection::vec(inner, 1..4)).prop_map(|(operator, operands)| {
            let operator = if operands.len() == 1 { "-" } else { operator };
            format!("({operator} {})", operands.join(" "))
        })
    })
}

proptest! {
    #[test]
    fn rows_agree_with_exact_evaluation(left in term(), right in term(), at in prop::collection::vec(-3..4_i32, 3)) {
        let query = query(&format!("(<= {left} {right})"));
        let point = [vec![f64::from(at[0]), f64::from(at[1])], vec![f64::from(at[2])]];
        let row = only(&query).polynomial(|v| v).unwrap();
        let value = |v: &Variable| point[v.tensor().index()][v.element()];
        let sum: f64 = row.terms.iter().map(|(p, c)| c.value * p.iter().map(value).product::<f64>()).sum();
        prop_assert_eq!(query.holds(&point[..]).unwrap(), sum + row.constant.value <= 0.0);
    }
}
