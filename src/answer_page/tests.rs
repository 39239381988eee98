//! Pages about answers on a shipped network.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::pipeline::{self, Verdict};
use crate::search::Config;
use crate::search::observer::Silent;
use crate::witness::{Validation, Validator};

fn provenance() -> Provenance {
    Provenance {
        command: "counterpatch verify toy.onnx '<b>.vnnlib'".into(),
        version: "1.2.3".into(),
        commit: None,
        date: "2026-11-30 20:34 UTC".into(),
    }
}

fn toy() -> Arc<Model> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/toy.onnx");
    Arc::new(crate::onnx::read(&path).unwrap())
}

/// The text without what stands between each `begin` and the next quote.
fn without(text: &str, begin: &str) -> String {
    let mut pieces = text.split(begin);
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |all, piece| all + begin + "\u{2026}" + piece.trim_start_matches(|c| c != '"'))
}

/// The page about a finding on the toy network, an element a line and without the bytes of its pictures.
fn check(query: &Query, finding: AnswerFinding<'_>, budget: &Budget) -> String {
    let models = [toy()];
    let page = page(
        &AnswerContent {
            networks: "toy.onnx".into(),
            query,
            models: &models,
            finding,
            notes: &["a < note".to_owned()],
            seconds: 0.25,
            settings: &[("seed", "<7>".into())],
            provenance: &provenance(),
        },
        budget,
    );
    assert!(!page.contains("<b>.vnnlib") && !page.contains("<script") && !page.contains("http"), "{page}");
    // Bytes of pictures, and coordinates that another machine's sums may move.
    let page = ["base64,", "class=\"border\" d=\""].iter().fold(page, |page, begin| without(&page, begin));
    page.split_once("</style>").unwrap().1.replace("><", ">\n<")
}

fn query(text: &str) -> Query {
    let query =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/toy.vnnlib")).unwrap();
    vnnlib::parse_named("toy.vnnlib", format!("{query}{text}")).unwrap()
}

#[test]
fn a_counterexample_is_shown_with_its_property_box_outputs_and_slices() {
    let query = query("");
    let validator = Validator::new(query.clone(), [toy()]).unwrap();
    let Validation::Confirmed(witness) = validator.validate(&[1.0, f64::from(0.02_f32)], &Default::default())
    else {
        panic!("the tests of pipeline confirm it");
    };
    insta::assert_snapshot!(check(&query, AnswerFinding::Sat(&witness), &Budget::unlimited()));
    let thin = check(&query, AnswerFinding::Thin(&witness), &Budget::unlimited());
    assert!(thin.contains("<b>unknown</b>") && thin.contains("it is no answer"), "{thin}");
}

#[test]
fn a_proof_says_what_it_is_and_shows_the_middle_of_the_box() {
    let query = query("(assert (>= Y_0 1000))");
    let verdict =
        pipeline::falsify(query.clone(), vec![toy()], &Config::default(), &Budget::unlimited(), &Silent)
            .unwrap();
    let Verdict::Unsat(proof) = verdict else { panic!("{verdict:?}") };
    let page = check(&query, AnswerFinding::Unsat(&proof), &Budget::unlimited());
    for part in [
        "<b>unsat</b>",
        "entries of the certificate",
        "the middle of the box",
        "Y_0 \u{2265} 1000",
        "class=\"slice\"",
    ] {
        assert!(page.contains(part), "no {part} in {page}");
    }
    assert!(!page.contains("Outputs") && !page.contains('\u{2713}'), "there is no point: {page}");
}

#[test]
fn an_unknown_shows_its_reason_and_what_came_nearest() {
    let unknown = |nearest| AnswerFinding::Unknown { reason: "the time is up".into(), nearest };
    let page = check(&query(""), unknown(Some(vec![1.0, 1.0])), &Budget::unlimited());
    for part in ["the time is up", "nearest margin", "does not", "<h2>Outputs</h2>"] {
        assert!(page.contains(part), "no {part} in {page}");
    }
    // Without time there are no slices, and nothing else is missing.
    let interrupt = crate::budget::Interrupt::default();
    interrupt.raise();
    let page = check(&query(""), unknown(None), &Budget::unlimited().with_interrupt(interrupt));
    for part in ["There was no time left to evaluate it", "Inputs in their box", "a &lt; note"] {
        assert!(page.contains(part), "no {part} in {page}");
    }
}
