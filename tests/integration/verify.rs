//! Verdicts: of the shipped networks, of what is not supported yet, and of a search that finds nothing.

use crate::model::model;
use crate::program::{Program, shipped};

const TWO: &str =
    "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)";
const BOX: &str = "(assert (<= X_0 1))(assert (>= X_0 0))(assert (<= X_1 1))(assert (>= X_1 0))";

/// `y = x + (1, 2)` with properties that are easy to see through.
fn folder() -> Program {
    let program = Program::new();
    program.write("sum.onnx", model("Add", [1.0, 2.0]));
    program.write("possible.vnnlib", format!("{TWO}{BOX}(assert (>= Y_0 1.25))(assert (<= Y_1 2.5))"));
    program.write("impossible.vnnlib", format!("{TWO}{BOX}(assert (>= Y_0 2.5))"));
    program.write(
        "second.vnnlib",
        "(vnnlib-version <2.0>)\
         (declare-network N (declare-input X float32 [2]) (declare-output Y float32 [2]))\
         (assert (and (<= X[0] 1.0) (>= X[0] 0.0) (<= X[1] 1.0) (>= X[1] 0.0)))\
         (assert (>= Y[0] 1.25))",
    );
    program
}

#[test]
fn a_counterexample_is_printed_and_passes_the_check() {
    let program = folder();
    let run = program.run(&["verify", "sum.onnx", "possible.vnnlib", "--timeout", "60"]);
    assert_eq!((run.exit, run.first_line()), (Some(0), "sat"), "{run:?}");
    assert!(run.out.starts_with("sat\n((X_0 ") && run.out.ends_with(")\n"), "{run:?}");
    program.write("printed.txt", &run.out);
    let judged = program.run(&["check", "sum.onnx", "possible.vnnlib", "printed.txt"]);
    assert_eq!((judged.exit, judged.first_line()), (Some(0), "correct"), "{judged:?}");

    let run = program.run(&["verify", "sum.onnx", "possible.vnnlib", "--results-file", "out.txt"]);
    assert_eq!((run.exit, run.out.as_str()), (Some(0), "sat\n"), "the counterexample is in the file");
    let judged = program.run(&["check", "sum.onnx", "possible.vnnlib", "out.txt"]);
    assert_eq!(judged.first_line(), "correct", "{judged:?}");
}

#[test]
fn the_same_seed_on_one_thread_gives_the_same_file() {
    let program = Program::new();
    let (network, property) = (shipped("digits_mlp.onnx"), shipped("digits_mlp_tight.vnnlib"));
    let run = |seed: &str| {
        let arguments = ["verify", &network, &property, "--threads", "1", "--seed", seed, "--timeout", "60"];
        let run = program.run(&arguments);
        assert_eq!(run.first_line(), "sat", "{run:?}");
        run.out
    };
    assert_eq!(run("7"), run("7"));
}

#[test]
fn networks_may_be_packed_listed_or_named() {
    let program = folder();
    let packed = {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&model("Add", [1.0, 2.0])).unwrap();
        encoder.finish().unwrap()
    };
    program.write("packed.onnx.gz", packed);
    for arguments in [
        &["packed.onnx", "possible.vnnlib"][..],
        &["./packed.onnx.gz", "./possible.vnnlib"],
        &["[('N', 'sum.onnx')]", "possible.vnnlib"],
        &["possible.vnnlib", "--network", "N=sum.onnx"],
    ] {
        let run = program.run(&[&["verify"], arguments].concat());
        assert_eq!((run.exit, run.first_line()), (Some(0), "sat"), "{arguments:?}: {run:?}");
    }
}

#[test]
fn a_search_without_success_is_unknown_and_says_how_near_it_came() {
    let program = folder();
    let arguments = [
        "verify",
        "sum.onnx",
        "impossible.vnnlib",
        "--timeout",
        "1",
        "--results-file",
        "out.txt",
        "--strategy",
        "sample",
    ];
    let run = program.run(&arguments);
    assert_eq!((run.exit, run.out.as_str()), (Some(0), "unknown\n"), "{run:?}");
    assert_eq!(program.read("out.txt").as_deref(), Some("unknown\n"));
    assert!(run.err.contains("the time is up; the best margin was -5."), "{run:?}");
    let quiet = program.run(&[&arguments[..], &["--quiet"]].concat());
    assert_eq!(quiet.err, "");
}

#[test]
fn bounds_prove_what_no_search_can() {
    let program = folder();
    let run = program.run(&["verify", "sum.onnx", "impossible.vnnlib", "--timeout", "60"]);
    assert_eq!((run.exit, run.out.as_str()), (Some(0), "unsat\n"), "{run:?}");
    assert!(run.err.contains("proved"), "{run:?}");
}

#[test]
fn a_property_in_version_2_is_answered_in_its_own_form() {
    let program = folder();
    for arguments in [
        &["second.vnnlib", "--network", "N=sum.onnx", "--timeout", "60.0"][..],
        &["sum.onnx", "second.vnnlib"],
        &["[('N', 'sum.onnx')]", "second.vnnlib"],
    ] {
        let run = program.run(&[&["verify"], arguments].concat());
        assert_eq!((run.exit, run.first_line()), (Some(0), "sat"), "{run:?}");
        let lines: Vec<&str> = run.out.lines().collect();
        assert_eq!((lines[1], lines[4], lines.len()), ("X float32 [2]", "Y float32 [2]", 7), "{run:?}");
        program.write("printed.txt", &run.out);
        let judged = program.run(&["check", "sum.onnx", "second.vnnlib", "printed.txt"]);
        assert_eq!((judged.exit, judged.first_line()), (Some(0), "correct"), "{judged:?}");
    }
}

/// Declarations of two networks with inputs coupled as wholes.
fn two_networks(relation: &str, assertions: &str) -> String {
    format!(
        "(vnnlib-version <2.0>)\
         (declare-network f (declare-input X float32 [2]) (declare-output Y float32 [2]))\
         (declare-network g {relation} (declare-input U float32 [2]) (declare-output V float32 [2]))\
         (assert (and (== X[0] U[0]) (== X[1] U[1])))\
         (assert (and (<= X[0] 1.0) (>= X[0] 0.0) (<= X[1] 1.0) (>= X[1] 0.0))){assertions}"
    )
}

#[test]
fn two_networks_are_compared() {
    let program = folder();
    program.write("other.onnx", model("Add", [1.5, 2.0]));
    program.write("product.onnx", model("Mul", [1.5, 2.0]));
    let both = ["--network", "f=sum.onnx", "--network", "g=other.onnx"];
    let cases: [(&str, &str, &[&str], &str); 7] = [
        ("", "(assert (>= (- V[0] Y[0]) 0.5))", &both, "sat"),
        ("", "(assert (> (- V[1] Y[1]) 0.001))", &both, "unsat"),
        ("", "(assert (>= (* V[0] Y[1]) 7.25))", &both, "sat"),
        ("", "(assert (>= (* V[0] Y[1]) 7.75))", &both, "unsat"),
        ("(isomorphic-to f)", "(assert (!= V[0] Y[0]))", &both, "sat"),
        ("(equal-to f)", "(assert (> V[0] (+ Y[0] 0.001)))", &both[..2], "unsat"),
        ("", "(assert (and (== V[1] Y[1]) (<= X[0] 0.25)))", &both, "sat"),
    ];
    for (relation, assertions, networks, want) in cases {
        program.write("two.vnnlib", two_networks(relation, assertions));
        let run = program.run(&[&["verify", "two.vnnlib", "--timeout", "60"], networks].concat());
        assert_eq!((run.exit, run.first_line()), (Some(0), want), "{relation} {assertions}: {run:?}");
        if want == "sat" {
            program.write("printed.txt", &run.out);
            let judged = program.run(&[&["check", "two.vnnlib", "printed.txt"], networks].concat());
            assert_eq!((judged.exit, judged.first_line()), (Some(0), "correct"), "{assertions}: {judged:?}");
        }
    }
    program.write("two.vnnlib", two_networks("(isomorphic-to f)", "(assert (<= V[0] Y[0]))"));
    let run =
        program.run(&["verify", "two.vnnlib", "--network", "f=sum.onnx", "--network", "g=product.onnx"]);
    assert_eq!((run.exit, run.out.as_str()), (Some(3), ""), "{run:?}");
    assert!(run.err.contains("declared isomorphic to f") && run.err.contains("(help: "), "{run:?}");
}

#[test]
fn a_network_reads_what_another_one_computes() {
    let program = folder();
    program.write("product.onnx", model("Mul", [1.1, 2.3]));
    let networks = ["--network", "f=sum.onnx", "--network", "g=product.onnx"];
    let declared = "(vnnlib-version <2.0>)\
         (declare-network f (declare-input X float32 [2]) (declare-output Y float32 [2]))\
         (declare-network g (declare-input U float32 [2]) (declare-output V float32 [2]))\
         (assert (and (<= X[0] 1.0) (>= X[0] 0.0) (<= X[1] 1.0) (>= X[1] 0.0)))";
    let all = "(assert (and (== U[0] Y[0]) (== U[1] Y[1])))";
    let scaled = "(assert (and (== U[0] (+ (* 2.0 Y[0]) 0.1)) (== U[1] (- X[0] 0.3))))";
    let cases = [
        (all, "(assert (and (>= V[0] 2.1) (<= V[1] 5.0)))", "sat"),
        (all, "(assert (>= V[0] 2.25))", "unsat"),
        (all, "(assert (and (<= U[0] 1.75) (>= V[1] 6.8)))", "sat"),
        (scaled, "(assert (>= V[0] 4.4))", "sat"),
        (
            "(assert (== U[0] Y[0]))(assert (and (<= U[1] 3.0) (>= U[1] 2.0)))",
            "(assert (>= (- V[1] V[0]) 5.0))",
            "sat",
        ),
        (
            "(assert (and (== X[0] V[0]) (<= U[0] 3.0) (>= U[0] 0.0) (== U[1] X[1])))",
            "(assert (>= Y[0] 1.8))",
            "sat",
        ),
    ];
    for (relation, assertion, want) in cases {
        program.write("behind.vnnlib", format!("{declared}{relation}{assertion}"));
        let run = program.run(&[&["verify", "behind.vnnlib", "--timeout", "60"], &networks[..]].concat());
        assert_eq!((run.exit, run.first_line()), (Some(0), want), "{relation} {assertion}: {run:?}");
        if want == "sat" {
            program.write("printed.txt", &run.out);
            let judged = program.run(&[&["check", "behind.vnnlib", "printed.txt"], &networks[..]].concat());
            assert_eq!((judged.exit, judged.first_line()), (Some(0), "correct"), "{assertion}: {judged:?}");
        }
    }
}

#[test]
fn declarations_that_do_not_fit_are_errors() {
    let program = folder();
    let text = program.read("second.vnnlib").unwrap();
    let cases = [
        (text.replace("X float32", "X float64"), "X is declared as float64"),
        (
            text.replace("(declare-output", "(declare-hidden H float32 [2] \"nowhere\") (declare-output"),
            "value nowhere",
        ),
    ];
    for (text, want) in cases {
        program.write("wrong.vnnlib", text);
        let run =
            program.run(&["verify", "wrong.vnnlib", "--network", "N=sum.onnx", "--results-file", "out.txt"]);
        assert_eq!((run.exit, run.out.as_str()), (Some(3), ""), "{run:?}");
        assert!(run.err.contains(want) && run.err.contains("(help: "), "{run:?}");
        assert_eq!(program.read("out.txt").as_deref(), Some("error\n"));
    }
}

#[test]
fn inputs_need_no_bounds() {
    let program = folder();
    let open = "(vnnlib-version <2.0>)\
        (declare-network N (declare-input X float32 [2]) (declare-output Y float32 [2]))\
        (assert (>= Y[0] 500.0))(assert (<= X[1] -2000.0))";
    program.write("open.vnnlib", open);
    let run = program.run(&["verify", "open.vnnlib", "--network", "N=sum.onnx", "--timeout", "60"]);
    assert_eq!((run.exit, run.first_line()), (Some(0), "sat"), "{run:?}");
}

#[test]
fn a_strategy_that_was_named_and_cannot_be_used_says_why() {
    let program = folder();
    let [network, property] = ["smooth.onnx", "smooth.vnnlib"].map(shipped);
    let run = program.run(&["verify", &network, &property, "--strategy", "patch", "--timeout", "20"]);
    assert_eq!(run.first_line(), "unknown", "{run:?}");
    assert!(run.err.contains("note: patch was not used: the network is not a chain of layers"), "{run:?}");
}

#[test]
fn statistics_and_events_are_told_on_request() {
    let program = folder();
    let run = program.run(&["verify", "sum.onnx", "possible.vnnlib", "--stats"]);
    assert!(run.err.contains("strategy") && run.err.contains("evaluations"), "{run:?}");
    assert!(run.err.lines().any(|line| line.contains("found")), "{run:?}");

    let run = program.run(&["verify", "sum.onnx", "possible.vnnlib", "--json"]);
    let lines: Vec<serde_json::Value> =
        run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.last().unwrap();
    assert_eq!(last["verdict"], "sat", "{run:?}");
    assert_eq!(last["witness"]["X"].as_array().map(Vec::len), Some(2), "{run:?}");
    assert!(lines.iter().any(|line| line["event"] == "finished"), "{run:?}");
}

#[test]
fn the_answer_may_go_to_a_stream() {
    let program = folder();
    let run =
        program.run(&["verify", "sum.onnx", "possible.vnnlib", "--results-file", "/dev/stderr", "--quiet"]);
    assert_eq!((run.exit, run.out.as_str()), (Some(0), "sat\n"), "{run:?}");
    assert!(run.err.starts_with("sat\n((X_0 "), "{run:?}");
}

#[test]
fn behind_a_link_the_file_is_replaced() {
    let program = folder();
    program.write("real.txt", "");
    std::os::unix::fs::symlink("real.txt", program.path().join("link.txt")).unwrap();
    program.run(&["verify", "sum.onnx", "possible.vnnlib", "--results-file", "link.txt"]);
    assert!(program.read("real.txt").unwrap().starts_with("sat\n"));
}

#[test]
fn names_and_versions_are_told() {
    let program = Program::new();
    assert_eq!(program.run(&["--name"]).out, "counterpatch\n");
    assert!(program.run(&["--version"]).out.starts_with("counterpatch "));
    let operators = program.run(&["supports", "--onnx-operators"]).out;
    assert!(operators.lines().any(|name| name == "Relu"), "{operators}");
    assert_eq!(program.run(&["supports"]).exit, Some(2));
    let help = program.run(&["verify", "--help"]).out;
    assert!(help.contains("Exit status:") && help.contains("<NETWORK> <PROPERTY>"), "{help}");
}

/// Runs a property of `y = x + (1, 2)`: the answer, and what is said. A counterexample is checked.
fn answer(property: &str, arguments: &[&str], want: &str, said: &str) {
    let program = folder();
    program.write("asked.vnnlib", format!("{TWO}{property}"));
    let run = program.run(&[&["verify", "sum.onnx", "asked.vnnlib"], arguments].concat());
    assert_eq!((run.exit, run.first_line()), (Some(0), want), "{property}: {run:?}");
    assert!(run.err.contains(said), "{property}: {run:?}");
    if want == "sat" {
        program.write("printed.txt", &run.out);
        let judged = program.run(&["check", "sum.onnx", "asked.vnnlib", "printed.txt"]);
        assert_eq!(judged.first_line(), "correct", "{property}: {judged:?}");
    }
}

#[test]
fn a_box_without_a_number_of_the_type_is_unknown_with_its_reason() {
    let narrow = "(> X_0 1))(assert (< X_0 1.0000001)";
    let reason = "no number of type float32 satisfies the bounds of input X_0 (> 1 and < 1.0000001)";
    let rest = "(assert (>= X_1 0))(assert (<= X_1 1))(assert (<= Y_0 5))";
    answer(&format!("(assert {narrow}){rest}"), &[], "unknown", reason);
    // Other disjuncts are searched.
    let one = "(and (> X_0 1) (< X_0 1.0000001))";
    answer(&format!("(assert (or {one} (and (>= X_0 2) (<= X_0 3)))){rest}"), &[], "sat", "");
    let high = "(and (>= X_0 7) (<= X_0 8))";
    answer(&format!("(assert (or {one} {high})){rest}"), &["--timeout", "3"], "unknown", reason);
    // Where the numbers as written contradict each other, there is no counterexample either.
    answer(&format!("(assert (> X_0 1))(assert (< X_0 1)){rest}"), &[], "unsat", "no input satisfies");
}

#[test]
fn outputs_are_found_to_the_last_digit() {
    let cases = [
        "(= Y_0 1.2999999523162842)",
        "(= (+ X_0 X_1) 1)",
        "(= X_0 (* 2 X_1))",
        "(and (>= Y_1 2.123456) (<= Y_1 2.1234563))",
    ];
    for case in cases {
        answer(&format!("{BOX}(assert {case})(assert (<= Y_0 1.75))"), &["--timeout", "30"], "sat", "");
    }
    // No number of the type is printed like this one.
    answer(&format!("{BOX}(assert (= Y_0 1.3))"), &["--timeout", "2"], "unknown", "the time is up");
}

#[test]
fn disjunctions_are_not_multiplied_out() {
    let both = |n: usize| {
        let either = |i: usize| format!("(assert (or (<= Y_{} 1.{i:02}) (>= Y_{} 1.{i:02}5)))", i % 2, i % 2);
        (0..n).map(either).collect::<String>()
    };
    for n in [10, 18, 60] {
        answer(&format!("{BOX}{}", both(n)), &["--timeout", "30"], "sat", "");
    }
    // Of inputs too, and nested; the last one makes it impossible.
    let mixed: String = (0..40)
        .map(|i| {
            format!(
                "(assert (or (<= X_{} 0.{i:02}) (and (>= X_{} 0.{i:02}4) (or (>= Y_0 1.2) (<= Y_1 2.6)))))",
                i % 2,
                i % 2
            )
        })
        .collect();
    answer(&format!("{BOX}{mixed}(assert (>= Y_0 1.5))"), &["--timeout", "30"], "sat", "");
    answer(&format!("{BOX}{mixed}(assert (>= Y_0 2.5))"), &["--timeout", "2"], "unknown", "");
    let many: String = (0..10_000).map(|i| format!("(and (>= Y_0 {}) (<= Y_1 {}))", 3 + i, -i)).collect();
    answer(&format!("{BOX}(assert (or {many} (>= Y_0 1.9)))"), &["--timeout", "30"], "sat", "");
    answer(&format!("{BOX}(assert (or {many}))"), &["--timeout", "60"], "unsat", "proved");
}

#[test]
fn inputs_without_a_bound_are_searched_further_and_further() {
    let open = "(assert (<= X_0 0))(assert (>= X_1 0))(assert (<= X_1 1))";
    answer(&format!("{open}(assert (<= Y_0 -1e12))"), &["--timeout", "30"], "sat", "");
    answer(&format!("{open}(assert (>= Y_0 2))"), &["--timeout", "20"], "unknown", "were searched as far as");
}

#[test]
fn the_page_of_an_answer_disturbs_nothing() {
    let program = folder();
    std::os::unix::fs::symlink("real.html", program.path().join("link.html")).unwrap();
    let check = |property: &str, page: &str, exit: i32, word: &str, said: &str| {
        let results = ["--results-file", "out.txt", "--timeout", "60", "--html", page];
        let run = program.run(&[&["verify", "sum.onnx", property], &results[..]].concat());
        assert_eq!((run.exit, run.first_line()), (Some(exit), word), "{run:?}");
        assert_eq!(program.read("out.txt").unwrap().lines().next(), Some(word), "{run:?}");
        assert!(run.err.contains(said), "{run:?}");
    };
    check("possible.vnnlib", "link.html", 0, "sat", "");
    let page = program.read("real.html").unwrap();
    for part in ["<b>sat</b>", "Y_0 \u{2265} 1.25", "--html link.html", "class=\"slice\""] {
        assert!(page.contains(part), "no {part} in {page}");
    }
    check("impossible.vnnlib", "link.html", 0, "unsat", "");
    assert!(program.read("real.html").unwrap().contains("<b>unsat</b>"));
    check("second.vnnlib", "page.html.gz", 0, "sat", "");
    assert!(std::fs::read(program.path().join("page.html.gz")).unwrap().starts_with(&[0x1f, 0x8b]));
    check("possible.vnnlib", "/dev/full", 4, "sat", "/dev/full");
    check("possible.vnnlib", "no/such/page.html", 4, "sat", "(help: name a file");
}
