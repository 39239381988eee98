//! What a query means: exact evaluation, violations, linear rows, the normal form.

use proptest::prelude::*;
use vnnlib::{Comparison, EvaluateError, Formula, NotLinear, Numeral, Query, TooManyCases};

/// A query over X_0, X_1, Y_0, Y_1 with the given assertions.
fn query(assertions: &str) -> Query {
    let declarations: String =
        ["X_0", "X_1", "Y_0", "Y_1"].map(|name| format!("(declare-const {name} Real)")).concat();
    vnnlib::parse(format!("{declarations}{assertions}")).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn points_are_judged_exactly() {
    let third = 1.0_f64 / 3.0;
    let cases: &[(&str, [f64; 4], bool)] = &[
        ("(<= X_0 0.1)", [0.1, 0.0, 0.0, 0.0], false),
        ("(>= X_0 0.1)", [0.1, 0.0, 0.0, 0.0], true),
        ("(<= 0.1 X_0)", [0.1, 0.0, 0.0, 0.0], true),
        ("(<= X_0 0.3)", [0.3, 0.0, 0.0, 0.0], true),
        ("(= X_0 0.1)", [0.1, 0.0, 0.0, 0.0], false),
        ("(= X_0 0.25)", [0.25, 0.0, 0.0, 0.0], true),
        ("(< X_0 X_1)", [0.0, -0.0, 0.0, 0.0], false),
        ("(<= X_0 X_1)", [0.0, -0.0, 0.0, 0.0], true),
        ("(> Y_0 Y_1)", [0.0, 0.0, third.next_up(), third], true),
        // In floats 0.1 + 0.2 is above 0.3, and so are the exact floats' sum and the decimal.
        ("(<= (+ X_0 X_1) 0.3)", [0.1, 0.2, 0.0, 0.0], false),
        ("(= (+ X_0 X_1) 1.0)", [1.0, 1e-300, 0.0, 0.0], false),
        ("(= (* X_0 X_0 4) 1)", [0.5, 0.0, 0.0, 0.0], true),
        ("(= (- X_0 X_1 1) (- (+ 1 1)))", [2.0, 3.0, 0.0, 0.0], true),
        ("(or (<= X_0 0.0) (and (>= X_0 1.0) (>= Y_0 1.0)))", [2.0, 0.0, 1.0, 0.0], true),
        ("(or (<= X_0 0.0) (and (>= X_0 1.0) (>= Y_0 1.0)))", [2.0, 0.0, 0.0, 0.0], false),
        ("(and (or (<= X_0 0.0) (<= X_1 0.0)) (or (<= Y_0 0.0) (<= Y_1 0.0)))", [1.0, 0.0, 0.0, 1.0], true),
    ];
    for &(assertion, point, expected) in cases {
        let query = query(&format!("(assert {assertion})"));
        let point = [point[..2].to_vec(), point[2..].to_vec()];
        assert_eq!(query.holds(&point[..]), Ok(expected), "{assertion}");
        assert_eq!(query.violations(&point[..]).unwrap().is_empty(), expected, "{assertion}");
    }
}

#[test]
fn decimals_are_values_too() {
    let query = query("(assert (>= X_0 0.1))(assert (<= X_0 0.1))(assert (= (+ X_0 X_1) Y_0))");
    let values = |texts: [&'static str; 2]| texts.map(|text| Numeral::new(text).unwrap()).to_vec();
    assert_eq!(query.holds(&[values(["0.1", "0.2"]), values(["0.3", "0"])][..]), Ok(true));
    assert_eq!(query.holds(&[values(["1e-1", "0.2"]), values(["0.30", "0"])][..]), Ok(true));
    assert_eq!(query.holds(&[values(["0.1000000000000000055", "0.2"]), values(["0.3", "0"])][..]), Ok(false));
}

#[test]
fn violations_name_the_comparison_and_the_amount() {
    let text = "(assert (<= X_0 1.0))\n(assert (or (and (<= X_1 0.0) (<= Y_0 1.0)) (and (<= X_1 3.0) (<= Y_1 3.5))))\n(assert (< Y_0 Y_0))";
    let query = query(text);
    let point = [vec![1.5, 2.0], vec![0.0, 4.0]];
    let found: Vec<(usize, &str, f64)> = query
        .violations(&point[..])
        .unwrap()
        .into_iter()
        .map(|v| (v.assertion, &query.text()[v.comparison.start()..v.comparison.end()], v.amount))
        .collect();
    assert_eq!(found, [(0, "(<= X_0 1.0)", 0.5), (1, "(<= Y_1 3.5)", 0.5), (2, "(< Y_0 Y_0)", 0.0)]);
}

#[test]
fn missing_and_infinite_values_are_errors() {
    let query = query("(assert (<= X_0 1.0))(assert (<= (+ X_1 Y_1) 1.0))");
    let y1 = query.variable(query.tensor_ids().last().unwrap().0, 1).unwrap();
    let holds = |y: f64| query.holds(&[vec![0.0, 0.0], vec![0.0, y]][..]);
    assert_eq!(holds(f64::NAN), Err(EvaluateError::NotFinite(y1)));
    assert_eq!(holds(f64::INFINITY), Err(EvaluateError::NotFinite(y1)));
    assert_eq!(query.holds(&[vec![0.0, 0.0], vec![0.0]][..]), Err(EvaluateError::Unassigned(y1)));
    assert_eq!(query.holds(&[vec![2.0, 0.0], vec![0.0]][..]), Ok(false), "the first assertion decides");
}

#[test]
fn products_without_bound_are_an_error() {
    let factors = "X_0 ".repeat(3000);
    let query = query(&format!("(assert (<= (* {factors}) 1.0))"));
    assert!(matches!(query.holds(&[vec![0.1, 0.0], vec![0.0, 0.0]][..]), Err(EvaluateError::TooLarge(_))));
    assert_eq!(query.holds(&[vec![1.0, 0.0], vec![0.0, 0.0]][..]), Ok(true));
}

/// The only comparison of a query.
fn only(query: &Query) -> Comparison<'_> {
    match query.assertions().next().unwrap().formula() {
        Formula::Compare(comparison) => comparison,
        _ => panic!("no comparison"),
    }
}

#[test]
fn comparisons_become_linear_rows() {
    let cases = [
        ("(<= X_0 0.5)", "1 X_0 + -0.5 <= 0"),
        ("(>= 2 Y_1)", "-1 Y_1 + 2 >= 0"),
        ("(< Y_0 Y_1)", "1 Y_0 + -1 Y_1 + 0 < 0"),
        ("(<= (+ X_0 X_0 1) (* 2 (- X_1 X_0 0.25)))", "4 X_0 + -2 X_1 + 1.5 <= 0"),
        ("(= (- X_0 X_1) (- X_0 X_1))", "0 = 0"),
        ("(<= (* 3 (- X_0) 2) (* (+ 1 1) 0.1))", "-6 X_0 + -0.2 <= 0"),
        ("(<= (* X_0 X_1) 1)", "polynomial"),
        ("(<= (* (+ X_0 1) (- X_0 1)) 1)", "polynomial"),
    ];
    for (text, expected) in cases {
        let query = query(&format!("(assert {text})"));
        let shown = match only(&query).linear() {
            Ok(row) => {
                let terms: String = row
                    .terms
                    .iter()
                    .map(|(v, c)| format!("{} {} + ", c.value, query.variable_name(*v)))
                    .collect();
                format!(
                    "{terms}{} {} 0",
                    row.constant.value,
                    if row.relation.symbol() == "==" { "=" } else { row.relation.symbol() }
                )
            }
            Err(NotLinear::Polynomial) => "polynomial".into(),
            Err(other) => other.to_string(),
        };
        assert_eq!(shown, expected, "{text}");
    }
}

#[test]
fn the_error_of_a_coefficient_is_its_rounding() {
    let query = query("(assert (<= (* 0.1 X_0) (* 0.5 X_1)))");
    let row = only(&query).linear().unwrap();
    assert_eq!(row.constant.error, 0.0);
    assert_eq!(row.terms[1].1.error, 0.0);
    // 0.1 as a float is too large by 5.55e-18.
    assert!(
        (5.551115123125e-18..5.551115123126e-18).contains(&row.terms[0].1.error),
        "{:e}",
        row.terms[0].1.error
    );
}

#[test]
fn too_many_cases_are_an_error_before_any_is_made() {
    let either = "(assert (or (<= X_0 0.0) (>= X_0 1.0)))".repeat(200);
    let query = query(&either);
    assert_eq!(
        query.normal_form(u64::MAX - 1).err(),
        Some(TooManyCases { count: u64::MAX, limit: u64::MAX - 1 })
    );
    let error = query.normal_form(1000).err().unwrap();
    assert_eq!(error.to_string(), "the query has over 10^19 cases, more than the limit of 1000");
}

#[test]
fn an_and_of_ors_is_multiplied_out_in_order() {
    let query = query(
        "(assert (<= X_0 9))(assert (or (<= X_0 0) (<= X_0 1)))(assert (or (<= Y_0 0) (and (<= Y_0 1) (or (<= Y_0 2) (<= Y_0 3)))))",
    );
    let form = query.normal_form(6).unwrap();
    let numbers = |comparisons: Vec<Comparison<'_>>| -> String {
        comparisons.iter().map(|c| c.as_bound().unwrap().numeral.as_str()).collect()
    };
    assert_eq!(numbers(form.common().collect()), "9");
    let cases: Vec<String> = form.cases().map(numbers).collect();
    assert_eq!(cases, ["00", "012", "013", "10", "112", "113"]);
    assert!(form.case(6).is_empty());
    assert!(query.normal_form(5).is_err());
}

#[test]
fn choices_are_told_one_by_one() {
    let query = query(
        "(assert (<= X_0 9))(assert (or (<= X_0 0) (<= X_0 1)))(assert (and (<= X_0 8) (or (<= Y_0 0) (and (<= Y_0 1) (or (<= Y_0 2) (<= Y_0 3))))))",
    );
    let form = query.normal_form(u64::MAX).unwrap();
    let choices: Vec<Formula<'_>> = form.choices().collect();
    let counts: Vec<u64> = choices.iter().map(|&choice| form.count_of(choice)).collect();
    assert_eq!(counts, [2, 3]);
    let numbers = |case: Vec<Comparison<'_>>| -> String {
        case.iter().map(|c| c.as_bound().unwrap().numeral.as_str()).collect()
    };
    let cases: Vec<String> = (0..3).map(|number| numbers(form.case_of(&choices[1..], number))).collect();
    assert_eq!(cases, ["0", "12", "13"]);
    for choice in choices {
        let again = query.formula(choice.id()).unwrap();
        assert_eq!((again.span(), again.id()), (choice.span(), choice.id()));
    }
}

/// The normal form multiplied out recursively, the plain way.
fn multiplied_out(formula: Formula<'_>) -> Vec<Vec<usize>> {
    match formula {
        Formula::Compare(comparison) => vec![vec![comparison.span().start()]],
        Formula::Or(operands) => operands.flat_map(multiplied_out).collect(),
        Formula::And(operands) => product(operands.map(multiplied_out)),
    }
}

fn product(factors: impl Iterator<Item = Vec<Vec<usize>>>) -> Vec<Vec<usize>> {
    factors.fold(vec![Vec::new()], |cases, factor| {
        cases.iter().flat_map(|case| factor.iter().map(|more| [&case[..], more].concat())).collect()
    })
}

fn formula() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (0..2_usize, -3..3_i32).prop_map(|(i, c)| format!("(<= X_{i} {c})")),
        (0..2_usize, -3..3_i32).prop_map(|(i, c)| format!("(> {c} Y_{i})")),
        Just("(>= (+ X_0 Y_0) (* 2 Y_1))".to_string()),
        Just("(= X_0 X_1)".to_string()),
    ];
    leaf.prop_recursive(4, 20, 3, |inner| {
        (any::<bool>(), prop::collection::vec(inner, 1..4))
            .prop_map(|(or, operands)| format!("({} {})", if or { "or" } else { "and" }, operands.join(" ")))
    })
}

/// Truth by plain recursion.
fn truth(formula: Formula<'_>, holds: &dyn Fn(Comparison<'_>) -> bool) -> bool {
    match formula {
        Formula::Compare(comparison) => holds(comparison),
        Formula::And(mut operands) => operands.all(|operand| truth(operand, holds)),
        Formula::Or(mut operands) => operands.any(|operand| truth(operand, holds)),
    }
}

/// A comparison at integer values, through its linear row.
fn holds_by_row(comparison: Comparison<'_>, values: &[Vec<f64>]) -> bool {
    let row = comparison.linear().unwrap();
    let at = |v: vnnlib::Variable| values[v.tensor().index()][v.element()];
    let sum: f64 = row.terms.iter().map(|&(v, c)| c.value * at(v)).sum::<f64>() + row.constant.value;
    row.relation.admits(sum.partial_cmp(&0.0).unwrap())
}

proptest! {
    #[test]
    fn the_lazy_normal_form_is_the_plain_one(formulas in prop::collection::vec(formula(), 1..4)) {
        let text: String = formulas.iter().map(|f| format!("(assert {f})")).collect();
        let query = query(&text);
        let plain = product(query.assertions().map(|a| multiplied_out(a.formula())));
        prop_assume!(plain.len() < 5000);
        let form = query.normal_form(5000).unwrap();
        prop_assert_eq!(form.count(), plain.len() as u64);
        let common: Vec<usize> = form.common().map(|c| c.span().start()).collect();
        for (case, mut expected) in form.cases().zip(plain) {
            let mut found: Vec<usize> = case.iter().map(|c| c.span().start()).chain(common.iter().copied()).collect();
            found.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn evaluation_agrees_with_plain_recursion(f in formula(), values in prop::collection::vec(-3..3_i32, 4)) {
        let query = query(&format!("(assert {f})"));
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        let point = [values[..2].to_vec(), values[2..].to_vec()];
        let root = query.assertions().next().unwrap().formula();
        let expected = truth(root, &|comparison| holds_by_row(comparison, &point));
        prop_assert_eq!(query.holds(&point[..]).unwrap(), expected);
        let violations = query.violations(&point[..]).unwrap();
        prop_assert_eq!(violations.is_empty(), expected);
        for violation in violations {
            let at = violation.comparison;
            prop_assert!(comparison_fails(&query, at.start(), &point));
        }
    }
}

/// The comparison that begins at this byte does not hold.
fn comparison_fails(query: &Query, start: usize, point: &[Vec<f64>]) -> bool {
    fn find(formula: Formula<'_>, start: usize) -> Option<Comparison<'_>> {
        match formula {
            Formula::Compare(comparison) => (comparison.span().start() == start).then_some(comparison),
            Formula::And(mut operands) | Formula::Or(mut operands) => {
                operands.find_map(|operand| find(operand, start))
            }
        }
    }
    query.assertions().find_map(|a| find(a.formula(), start)).is_some_and(|c| !holds_by_row(c, point))
}
