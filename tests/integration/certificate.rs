//! Certificates of `unsat` as users handle them, and what a witness is said to rest on.

use std::io::Read;

use sha2::{Digest, Sha256};

use crate::model::model;
use crate::program::{Program, Run, shipped};

const DECLARE: &str =
    "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)";
const BOX: &str = "(assert (<= X_0 1))(assert (>= X_0 0))(assert (<= X_1 1))(assert (>= X_1 0))";

/// A folder with `y = x + (1, 2)` and a property of it.
fn folder(assertion: &str) -> Program {
    let program = Program::new();
    program.write("sum.onnx", model("Add", [1.0, 2.0]));
    program.write("p.vnnlib", format!("{DECLARE}{BOX}{assertion}"));
    program
}

fn check(program: &Program, file: &str) -> Run {
    program.run(&["check", "sum.onnx", "p.vnnlib", file])
}

#[test]
fn what_verify_writes_is_checked_again() {
    let cases = [
        ("(assert (>= Y_0 2.5))", "bounds of every permitted computation"),
        ("(assert (or (>= Y_0 2.5) (<= Y_1 1.5)))", "bounds of every permitted computation"),
        ("(assert (or (and (<= X_0 -1) (<= Y_0 9)) (and (>= X_1 2) (<= Y_0 9))))", "no input satisfies"),
    ];
    for (assertion, ground) in cases {
        for file in ["proof", "proof.gz"] {
            let program = folder(assertion);
            let run = program.run(&["verify", "sum.onnx", "p.vnnlib", "--certificate", file]);
            assert_eq!((run.exit, run.first_line()), (Some(0), "unsat"), "{assertion}: {run:?}");
            let mut unpacked = String::new();
            let packed = std::fs::File::open(program.path().join(file)).unwrap();
            flate2::read::GzDecoder::new(packed).read_to_string(&mut unpacked).unwrap();
            assert!(unpacked.starts_with("{\"counterpatch-certificate\""), "{file} is packed once");
            let checked = check(&program, file);
            assert_eq!((checked.exit, checked.first_line()), (Some(0), "unsat:checked"), "{checked:?}");
            assert!(checked.out.contains(ground) && run.err.contains(ground), "{checked:?} {run:?}");
            // It proves nothing about another property.
            program.write("p.vnnlib", format!("{DECLARE}{BOX}(assert (>= Y_0 1.5))"));
            let other = check(&program, file);
            assert_eq!((other.exit, other.first_line()), (Some(11), "incorrect:certificate"), "{other:?}");
        }
    }
}

#[test]
fn a_wrong_certificate_is_refused_with_its_place() {
    let header = |tokens: usize| format!("{{\"counterpatch-certificate\":2,\"tokens\":{tokens}}}\n");
    let sealed = |lines: String| {
        let digest: String = Sha256::digest(&lines).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{lines}{{\"sha256\":\"{digest}\"}}\n")
    };
    let leaf = "{\"leaf\":{}}\n";
    let open = sealed(format!("{}{leaf}", header(1)));
    let cases = [
        // Changed after it was written; both the digest and the place are named.
        (
            open.replace("{}", "{\"slopes\":[[0,0.5]]}"),
            "incorrect:malformed_certificate",
            "token 1: a slope belongs to no rectifier",
        ),
        (
            open.replace("{}", "{\"slopes\":[[0,0.5]]}"),
            "incorrect:malformed_certificate",
            "the SHA-256 of its lines is",
        ),
        (open, "incorrect:certificate", "token 1: the bounds of this part"),
        (
            sealed(format!("{}{{\"cut\":{{\"input\":0,\"at\":7.0}}}}\n{leaf}{leaf}", header(3))),
            "incorrect:certificate",
            "token 1: it is cut outside",
        ),
        (header(1), "incorrect:malformed_certificate", "line 2: the file ends here"),
        (
            format!("{}{{\"leap\":{{}}}}\n", header(1)),
            "incorrect:malformed_certificate",
            "line 2: unknown variant",
        ),
        (header(0).replace(":2,", ":99,"), "incorrect:malformed_certificate", "version 99"),
    ];
    for (text, word, place) in cases {
        let program = folder("(assert (>= Y_0 1.5))");
        program.write("proof", &text);
        let run = check(&program, "proof");
        assert_eq!((run.exit, run.first_line()), (Some(11), word), "{text}: {run:?}");
        assert!(run.out.contains(place), "{text}: {run:?}");
    }
}

#[test]
fn a_witness_says_what_it_rests_on() {
    let program = Program::new();
    let (network, property) = (shipped("digits_mlp.onnx"), shipped("digits_mlp_easy.vnnlib"));
    let run = program.run(&["verify", &network, &property, "--json"]);
    assert!(run.out.contains("\"certainty\":\"certified\""), "{run:?}");
    let run = program.run(&["verify", &network, &property, "--stats", "--results-file", "out.txt"]);
    assert!(run.err.contains("note: certified"), "{run:?}");
    let judged = program.run(&["check", &network, &property, "out.txt"]);
    assert!(judged.out.contains("certified: every permitted computation"), "{judged:?}");
}
