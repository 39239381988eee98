//! `audit`: who is accused of what, on whose evidence; journals; pages.

use crate::model::model;
use crate::program::{Program, Run};

const TWO: &str =
    "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)";
const BOX: &str = "(assert (<= X_0 1))(assert (>= X_0 0))(assert (<= X_1 1))(assert (>= X_1 0))";

/// `y = x + (1, 2)` in a folder of benchmarks, with a property that is violated and one that is not.
pub(crate) fn folder() -> Program {
    let program = Program::new();
    std::fs::create_dir_all(program.path().join("all/sum")).unwrap();
    program.write("all/sum/sum.onnx", model("Add", [1.0, 2.0]));
    program
        .write("all/sum/possible.vnnlib", format!("{TWO}{BOX}(assert (>= Y_0 1.25))(assert (<= Y_1 2.5))"));
    program.write("all/sum/impossible.vnnlib", format!("{TWO}{BOX}(assert (>= Y_0 2.5))"));
    program.write("right.txt", "sat\n((X_0 0.5) (X_1 0.25))\n");
    program.write("near.txt", "sat\n((X_0 1.00001) (X_1 0.25))\n");
    program.write("wrong.txt", "sat\n((X_0 0.5) (X_1 0.25))\n");
    program.write("short.txt", "sat\n((X_0 0.5))\n");
    program
}

fn audit(program: &Program, table: &str, more: &[&str]) -> Run {
    program.write("claims.csv", table);
    let run = program.run(&[&["audit", "claims.csv", "--benchmarks", "all"], more].concat());
    assert_eq!(run.exit, Some(0), "{run:?}");
    run
}

/// The findings about one instance, `TOOL finding` in the order of the rows, and what is known of it.
fn check(property: &str, rows: &[&str], findings: &[&str], known: &str) {
    let program = folder();
    let mut table = "tool,benchmark,onnx,vnnlib,claim,witness\n".to_owned();
    for row in rows {
        let (tool, claim) = row.split_once(' ').unwrap();
        let (word, witness) = claim.split_once(' ').unwrap_or((claim, ""));
        table += &format!("{tool},sum,./benchmarks/sum/sum.onnx,sum/{property}.vnnlib,{word},{witness}\n");
    }
    if property == "missing" {
        // Where nothing is there at all, the folder is wrong.
        table += "z,sum,sum/sum.onnx,sum/possible.vnnlib,timeout,\n";
    }
    let run = audit(&program, &table, &["--json"]);
    let found: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let record = &found["records"][0];
    let name = |finding: &serde_json::Value| match finding {
        serde_json::Value::String(name) => name.clone(),
        other => other.as_object().and_then(|object| object.keys().next().cloned()).unwrap(),
    };
    let claims = record["claims"].as_array().unwrap();
    let got: Vec<String> = claims
        .iter()
        .map(|claim| format!("{} {}", claim["tool"].as_str().unwrap(), name(&claim["finding"])))
        .collect();
    assert_eq!(got, findings, "{property}: {run:?}");
    assert!(record["truth"].to_string().contains(known), "{run:?}");
}

#[test]
fn claims_are_judged_on_evidence() {
    check("possible", &["a unsat"], &["a false_unsat"], "our attack");
    check(
        "possible",
        &["a unsat", "b sat right.txt", "c sat near.txt", "d sat short.txt", "e sat", "f timeout"],
        &["a false_unsat", "b correct", "c tolerance", "d wrong_witness", "e confirmed", "f none"],
        "the counterexample of b",
    );
    check(
        "possible",
        &["a holds", "b violated near.txt"],
        &["a false_unsat", "b tolerance"],
        "the counterexample of b, moved by 1.0",
    );
    check(
        "impossible",
        &["a unsat", "b sat", "c sat wrong.txt"],
        &["a proved", "b false_sat", "c wrong_witness"],
        "unsat",
    );
    check("missing", &["a unsat", "b sat right.txt"], &["a not_attacked", "b unconfirmed"], "missing.vnnlib");
}

#[test]
fn the_text_names_the_accused_and_the_page_needs_nothing_else() {
    let program = folder();
    let table = "sum,./benchmarks/sum/sum.onnx,./benchmarks/sum/possible.vnnlib,0.1,unsat,1.5\n";
    let run = audit(&program, table, &["--html", "audit.html", "--tool", "somebody"]);
    assert!(run.has_row("| somebody | sum | 1 | 1 |"), "{run:?}");
    assert!(run.out.contains("False unsat (1):\n  somebody: ./benchmarks/sum/sum.onnx"), "{run:?}");
    let page = program.read("audit.html").unwrap();
    assert!(page.contains("False unsat (1)") && page.contains("(X_0 ") && !page.contains("src="), "{page}");
}

#[test]
fn published_counterexamples_are_found_beside_the_results() {
    let program = folder();
    std::fs::create_dir_all(program.path().join("tool/2025_sum")).unwrap();
    program.write("tool/2025_sum/sum_possible.counterexample", "((X_0 0.5) (X_1 0.25))");
    program.write("tool/results.csv", "sum,sum/sum.onnx,sum/possible.vnnlib,0.1,sat,1.5\n");
    let run = program.run(&["audit", "tool/results.csv", "--benchmarks", "all"]);
    assert!(run.has_row("| tool | benchmark | claims | correct |"), "{run:?}");
    assert!(run.has_row("| tool | sum | 1 | 1 |"), "{run:?}");
}

#[test]
fn a_journal_is_gone_on_with() {
    let program = folder();
    let table = "sum,sum/sum.onnx,sum/possible.vnnlib,0.1,unsat,1.5\n";
    let journal = ["--journal", "journal"];
    let first = audit(&program, table, &journal);
    let text = program.read("journal").unwrap();
    let second = audit(&program, table, &journal);
    assert_eq!(first.out, second.out);
    // Had it been attacked again, there would be one more line.
    assert_eq!(program.read("journal").unwrap(), text);
    let other =
        program.run(&["audit", "claims.csv", "--benchmarks", "all", "--journal", "journal", "--seed", "1"]);
    assert_eq!(other.exit, Some(3), "{other:?}");
    assert!(other.err.contains("made with other settings"), "{other:?}");
    // A file that has changed is another instance, whatever its name.
    program.write("all/sum/possible.vnnlib", "");
    let changed = audit(&program, table, &journal);
    assert!(changed.out != first.out && program.read("journal").unwrap().len() > text.len(), "{changed:?}");
}

#[test]
fn what_is_no_table_is_refused() {
    let program = folder();
    for (table, exit, why) in [
        ("", 3, "no claims"),
        ("a,b\n", 3, "column vnnlib is missing"),
        ("\"", 3, "claims.csv:1"),
        (
            "onnx,vnnlib,timeout\nsum/sum.onnx,sum/possible.vnnlib,60\n",
            3,
            "no column claim among onnx, vnnlib",
        ),
        ("sum/sum.onnx,sum/possible.vnnlib,60\n", 3, "column claim is missing"),
        ("sum,sum/sum.onnx,sum/none.vnnlib,1,sat,1\n", 3, "none of the 1 properties of the tables is there"),
    ] {
        program.write("claims.csv", table);
        let run = program.run(&["audit", "claims.csv", "--benchmarks", "all"]);
        assert!(run.exit == Some(exit) && run.err.contains(why), "{run:?}");
    }
    program.write("claims.csv", "sum,sum/sum.onnx,sum/possible.vnnlib,1,sat,1\n");
    let run = program.run(&["audit", "claims.csv", "--benchmarks", "nosuch"]);
    assert!(run.exit == Some(3) && run.out.is_empty() && run.err.contains("nosuch: none of"), "{run:?}");
    let run = program.run(&["audit", "none.csv", "--benchmarks", "all"]);
    assert_eq!(run.exit, Some(3), "{run:?}");
    let run = program.run(&["audit", "claims.csv", "--benchmarks", "all", "--budget", "soon"]);
    assert!(run.exit == Some(2) && run.err.contains("--budget"), "{run:?}");
}
