//! Validation, writing, reading and judging on the shipped network `toy`, whose outputs are known.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use vnnlib::Query;

use super::check::{Year, check};
use super::read::{Listed, parse};
use super::validate::{Validation, Validator};
use super::*;
use crate::onnx::{self, ElementType};

const DECLARE: &str = "(declare-const X_0 Real)\n(declare-const X_1 Real)\n(declare-const Y_0 Real)\n(declare-const Y_1 Real)\n";
const BOX: &str = "(assert (>= X_0 0.01))(assert (<= X_0 1.0))(assert (>= X_1 0.01))(assert (<= X_1 1.0))(assert (<= Y_0 Y_1))";
/// A point of the network's description: the outputs are (-2.63, 1.16).
const POINT: [f64; 2] = [0.8277025818824768, 0.40919914841651917];

fn query(text: &str) -> Query {
    vnnlib::parse_named("p.vnnlib", format!("{DECLARE}{text}")).unwrap()
}

fn validator(query: Query) -> Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/toy.onnx");
    Validator::new(query, [Arc::new(onnx::read(&path).unwrap())]).unwrap()
}

fn validate(text: &str, input: &[f64], literals: &[(usize, &str)]) -> Validation {
    let literals: BTreeMap<_, _> = literals.iter().map(|&(i, text)| (i, text.to_owned())).collect();
    validator(query(text)).validate(input, &literals)
}

/// The file of a confirmed or thin witness, or why there is none.
fn verdict(validation: Validation) -> String {
    match validation {
        Validation::Confirmed(witness) => format!("confirmed\n{}", file(Answer::Sat(&witness))),
        Validation::Thin(witness) => format!("thin\n{}", file(Answer::Sat(&witness))),
        Validation::Rejected(rejection) => rejection.to_string(),
    }
}

fn file(answer: Answer<'_>) -> String {
    let mut out = Vec::new();
    answer.write_to(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_witness_is_printed_with_all_values() {
    insta::assert_snapshot!(verdict(validate(BOX, &POINT, &[])), @r"
    confirmed
    sat
    ((X_0 0.8277025818824768)
     (X_1 0.40919914841651917)
     (Y_0 -2.631977081298828)
     (Y_1 1.1624670028686523))
    ");
}

#[test]
fn candidates_that_are_no_witness_are_rejected() {
    let outside = [1.0000001192092896, POINT[1]];
    let cases: [(&str, &[f64], &str); 6] = [
        (BOX, &[0.5118216276168823, 0.9504637122154236], "p.vnnlib:5:95: (<= Y_0 Y_1) does not hold, by 8.1"),
        (BOX, &outside, "p.vnnlib:5:31: (<= X_0 1.0) does not hold, by 1.19"),
        (BOX, &[0.1, 0.1], "input 0 is no finite number of the network's type"),
        (BOX, &[0.5, f64::NAN], "input 1 is no finite number"),
        (BOX, &[0.5], "the candidate has 1 inputs, the property declares 2"),
        ("(assert (<= Y_0 -2.6319772))", &POINT, "replayed in the model's type: p.vnnlib:5:9"),
    ];
    for (text, input, want) in cases {
        let got = verdict(validate(text, input, &[]));
        assert!(got.contains(want), "{got} lacks {want}");
    }
}

#[test]
fn both_precisions_must_agree() {
    // In double Y_0 is -2.6319766046…, a little off the float: a bound between the two is no violation.
    let (model, double) = {
        let validator = validator(query(BOX));
        let point = vec![POINT.to_vec(), Vec::new()];
        let run = |precision| validator.replay().run(point.clone(), precision).unwrap()[1][0];
        (run(crate::reference::Precision::Model), run(crate::reference::Precision::Double))
    };
    assert!(model != double, "the test needs a point where the precisions differ");
    let relation = if model < double { "<=" } else { ">=" };
    let got = verdict(validate(&format!("(assert ({relation} Y_0 {model}))"), &POINT, &[]));
    assert!(got.contains("in double precision"), "{got}");
}

#[test]
fn a_bound_at_the_last_digit_is_thin() {
    let got = verdict(validate("(assert (<= Y_0 -2.631976))", &POINT, &[]));
    assert!(got.starts_with("thin\nsat\n"), "{got}");
    let got = verdict(validate("(assert (<= Y_0 -2.63))", &POINT, &[]));
    assert!(got.starts_with("confirmed\nsat\n"), "{got}");
}

#[test]
fn a_decimal_between_two_floats_is_printed_as_it_stands() {
    let pinned = "(assert (= X_0 0.83))(assert (<= Y_0 Y_1))";
    let input = [f64::from(0.83f32), POINT[1]];
    let got = verdict(validate(pinned, &input, &[(0, "0.83")]));
    assert!(got.starts_with("confirmed\nsat\n((X_0 0.83)\n (X_1 0.40919914841651917)\n"), "{got}");
    let got = verdict(validate(pinned, &input, &[]));
    assert!(got.contains("(= X_0 0.83) does not hold"), "without its literal the point is outside: {got}");
}

#[test]
fn a_bound_with_more_digits_than_the_shortest_decimal_gets_all_digits() {
    // The float is 0.1500000059604644775390625 and inside; its shortest decimal 0.15000000596046448 is not.
    let x = f64::from(0.15f32);
    let text = "(assert (<= X_1 0.15000000596046447754))(assert (>= X_1 0))(assert (>= Y_0 -100))";
    let got = verdict(validate(text, &[0.5, x], &[]));
    assert!(got.contains("(X_1 0.1500000059604644775390625)"), "{got}");
}

#[test]
fn judges_round_as_they_do() {
    let float = ElementType::Float32;
    let strict = Rules::strict_2026(float);
    let lenient = Rules::lenient_2026(float);
    let near = f64::from(0.61f32);
    let next = f64::from(0.61f32.next_up());
    // (assertion, X_0, Y_0, strict 2026, lenient 2026, 2025 without tolerance)
    let cases = [
        ("(= X_0 0.61)", near, 0.0, true, true, false),
        ("(<= X_0 0.61)", near, 0.0, true, true, near <= 0.61),
        ("(<= X_0 0.61)", next, 0.0, false, true, false),
        ("(>= X_0 0.61)", near, 0.0, true, true, near >= 0.61),
        ("(<= X_0 0.6)", near, 0.0, false, false, false),
        ("(<= Y_0 0.5)", near, 0.50001, false, false, false),
        ("(<= Y_0 0.5)", near, 0.5, true, true, true),
        ("(< Y_0 0.5)", near, 0.5, false, false, false),
        ("(<= (- Y_0 X_0) 0)", near, near, true, true, true),
        ("(or (and (<= X_0 0) (<= Y_0 0)) (and (>= X_0 0.5) (>= Y_0 1)))", near, 1.0, true, true, true),
        ("(or (and (<= X_0 0) (<= Y_0 2)) (and (>= X_0 0.5) (>= Y_0 2)))", near, 1.0, false, false, false),
    ];
    for (text, x, y, is_strict, is_lenient, in_2025) in cases {
        let query = query(&format!("(assert {text})"));
        let point = [vec![x, 0.0], vec![y, 0.0]];
        assert_eq!(strict.holds(&query, &point), is_strict, "strict: {text} at {x}, {y}");
        assert_eq!(lenient.holds(&query, &point), is_lenient, "lenient: {text} at {x}, {y}");
        assert_eq!(Rules::of_2025(0.0).holds(&query, &point), in_2025, "2025: {text} at {x}, {y}");
    }
}

#[test]
fn in_version_2_sums_are_computed_in_the_networks_type() {
    let text = "(vnnlib-version <2.0>)(declare-network N (declare-input X float32 [2]) (declare-output Y float32 [1]))";
    let query = vnnlib::parse(format!("{text}(assert (<= (+ X[0] X[1]) 1.0))")).unwrap();
    // In float32 the sum rounds to 1; as doubles it is above.
    let point = [vec![1.0, f64::from(1e-9f32)], vec![0.0]];
    assert!(Rules::strict_2026(ElementType::Float32).holds(&query, &point));
    assert!(!Rules::of_2025(0.0).holds(&query, &point));
}

#[test]
fn files_are_judged() {
    let query = query(BOX);
    let validator = validator(query);
    let outputs = " (Y_0 -2.63197660446167) (Y_1 1.1624672412872314))";
    let near_one = "1.00005";
    let cases = [
        (format!("sat\n((X_0 {}) (X_1 {}){outputs}", POINT[0], POINT[1]), "correct", "correct"),
        (format!("((X_0 {}) (X_1 {}){outputs}", POINT[0], POINT[1]), "correct", "correct"),
        (format!("sat ((X_0 {}) (X_1 {}))", POINT[0], POINT[1]), "correct", "incorrect:exec_doesnt_match"),
        (
            format!("sat\n((X_0 {}) (X_1 {}) (Y_0 -2.7) (Y_1 1.1))", POINT[0], POINT[1]),
            "correct",
            "incorrect:exec_doesnt_match",
        ),
        (
            format!("sat\n((X_0 {near_one}) (X_1 0.4))"),
            "correct_up_to_tolerance",
            "incorrect:exec_doesnt_match",
        ),
        ("sat\n((X_0 0.5) (X_1 0.9))".into(), "incorrect:spec_not_violated", "incorrect:exec_doesnt_match"),
        ("sat\n((X_0 0.5))".into(), "incorrect:wrong_shape", "incorrect:wrong_shape"),
        (
            "sat\nX real [2]\n0.5\n0.5\nY real [2]\n0\n0\n".into(),
            "incorrect:malformed_ce",
            "incorrect:malformed_ce",
        ),
        ("sat\n".into(), "incorrect:no_ce", "incorrect:no_ce"),
        ("unsat\n".into(), "no_witness:unsat", "no_witness:unsat"),
    ];
    for (text, of_2026, of_2025) in cases {
        let reading = parse("out.txt", &text).unwrap();
        let word = |year| check(validator.replay(), &reading, year).unwrap().class.word();
        assert_eq!(
            (word(Year::Of2026).as_str(), word(Year::Of2025Small).as_str()),
            (of_2026, of_2025),
            "{text}"
        );
    }
}

#[test]
fn places_of_many_violations_are_those_of_each() {
    let text =
        "; é\n(assert (and (<= X_0 0.1)\n  (>= X_1 0.95)))\n\n(assert (<= Y_0 -100)) (assert (>= X_0 2))";
    let query = query(text);
    let point = validate::Printed { decimals: &[], floats: &[POINT.to_vec(), vec![0.0, 0.0]] };
    let violations = query.violations(&point).unwrap();
    assert_eq!(violations.len(), 3);
    let one_by_one: Vec<_> =
        violations.iter().map(|violation| validate::Unmet::of(&query, violation)).collect();
    assert_eq!(validate::Unmet::all(&query, &violations), one_by_one);
}

#[test]
fn malformed_files_are_refused_with_the_place() {
    let cases = [
        ("sat\n((X_0 1)\n (X_2 1))", "f:3:3: expected `X_1`, found `X_2`"),
        ("((X_0\t1))", "f:1:6: expected a pair such as `(X_0 0.5)`, found a tab"),
        ("(( X_0 1))", "f:1:3: expected a pair such as `(X_0 0.5)`, found a blank"),
        ("((X_0 1) ; no\n(X_1 1))", "f:1:10: expected a pair such as `(X_0 0.5)`, found `;`"),
        ("((X_0 1,5))", "f:1:7: expected a number, found `1,5))`"),
        ("((X_0 1 2))", "f:1:9: expected `)`, found `2))`"),
        ("((X_0 1)", "f:1:9: expected a pair such as `(X_0 0.5)`, found the end of the text"),
        ("((X_0 1)) (Y_0 1)", "f:1:11: expected the end of the text, found `(Y_0`"),
        ("((Z_0 1))", "f:1:3: expected a pair such as `(X_0 0.5)`, found `Z_0`"),
        ("((X_99999999999999999999999 1))", "f:1:3: expected `X_0`"),
        ("sat\nX float32\n", "f:2:1: expected the header of a tensor, found `X`"),
        (
            "sat\nX float32 [2]\n0.5\nY float32 [1]\n",
            "f:4:1: expected a number, element 1 of the 2 of X, found `Y`",
        ),
        ("sat\nX float32 [1 2]\n0.5\n", "f:2:1: `[1 2]` is no shape"),
        (
            "X float32 [4000000000,4000000000,4000000000]\n",
            "f:1:1: X has more elements than the file has characters",
        ),
    ];
    for (text, want) in cases {
        let got = parse("f", text).unwrap_err().to_string();
        assert!(got.starts_with(want), "{got}\nwanted {want}");
        assert!(got.contains("(help: "), "{got}");
    }
}

#[test]
fn the_second_form_is_read() {
    let text =
        "sat\r\n\r\n X float32 [1, 2]\r\n0.5\r\n\r\n -1e-3 \r\nb bool []\r\ntrue\r\nY real [1]\r\n.5\r\n";
    let reading = parse("f", text).unwrap();
    let Some(Listed::Tensors(tensors)) = reading.assignment else { panic!("no tensors") };
    let all: Vec<_> = tensors
        .iter()
        .map(|t| (t.name.as_str(), t.element_type.as_str(), t.shape.clone(), t.values.floats.clone(), t.line))
        .collect();
    assert_eq!(
        all,
        [
            ("X", "float32", vec![1, 2], vec![0.5, -1e-3], 3),
            ("b", "bool", vec![], vec![1.0], 7),
            ("Y", "real", vec![1], vec![0.5], 9),
        ]
    );
}

proptest! {
    #[test]
    fn what_is_written_reads_back(x in 0.01f32..1.0, y in 0.01f32..1.0) {
        let (x, y) = (f64::from(x), f64::from(y));
        let Validation::Confirmed(witness) = validate("(assert (>= X_0 0))(assert (>= Y_0 -1000))", &[x, y], &[]) else {
            return Err(TestCaseError::fail("every point is a witness"));
        };
        let reading = parse("f", &file(Answer::Sat(&witness))).unwrap();
        prop_assert_eq!(&reading.claim, &Claim::Sat);
        let Some(Listed::Pairs { inputs, outputs }) = reading.assignment else {
            return Err(TestCaseError::fail("no pairs"));
        };
        prop_assert_eq!(inputs.floats, vec![x, y]);
        prop_assert_eq!(&inputs.decimals, witness.tensors()[0].values());
        prop_assert_eq!(&outputs.decimals, witness.tensors()[1].values());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(sat\n)?[()XY_0-9 .e\n\t\\[\\],a-f-]{0,60}") {
        let _ = parse("f", &text);
    }
}

#[test]
fn productions_are_quoted_word_for_word() {
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let grammar = squeeze(include_str!("../../grammar/witness.ebnf"));
    let quotes: Vec<String> = include_str!("read.rs")
        .lines()
        .filter_map(|line| line.trim().strip_prefix("/// "))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter(|quote| quote.contains(" = "))
        .map(squeeze)
        .collect();
    assert!(quotes.len() >= 8, "{quotes:#?}");
    for quote in quotes {
        assert!(grammar.contains(&format!("{quote} ;")), "the grammar lacks {quote}");
    }
}
