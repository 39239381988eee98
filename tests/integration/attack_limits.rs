//! `attack --limit`: limits are in pixels, and a norm that is named several times means a run for each and an overview.

use std::fs;

use serde_json::Value;

use crate::program::{Program, Run, shipped};

const METHODS: [&str; 2] = ["--method", "random-k,fgsm"];
const BOTH: [&str; 4] = ["--limit", "linf=0.1", "--limit", "linf=9/10"];

fn attack(program: &Program, output: &str, more: &[&str]) -> Run {
    let (network, images) = (shipped("shapes_mlp.onnx"), shipped("shapes.npz"));
    let all = ["attack", &network, "--images", &images, "--output", output, "--quiet"];
    program.run(&[&all, &METHODS[..], more].concat())
}

fn done(program: &Program, output: &str, more: &[&str]) -> Run {
    let run = attack(program, output, more);
    assert_eq!(run.exit, Some(0), "{run:?}");
    run
}

fn json(program: &Program, file: &str) -> Value {
    serde_json::from_str(&program.read(file).unwrap()).unwrap()
}

/// All figures but the times.
fn figures(program: &Program, output: &str) -> Value {
    let mut json = json(program, &format!("{output}/results.json"));
    for list in ["methods", "attacks"] {
        json[list].as_array_mut().unwrap().iter_mut().for_each(|entry| entry["seconds"] = Value::Null);
    }
    json
}

fn names(program: &Program, folder: &str) -> Vec<String> {
    let files = fs::read_dir(program.path().join(folder)).unwrap();
    let mut names: Vec<String> =
        files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn several_limits_are_a_run_each_with_an_overview() {
    let program = Program::new();
    let run = done(&program, "out", &BOTH);
    let files = ["journal.jsonl", "linf-0.1", "linf-9_10", "report.html", "results.csv", "results.json"];
    assert_eq!(names(&program, "out"), files);
    let whole = ["adversarial.npz", "images", "journal.jsonl", "report.html", "results.csv", "results.json"];
    for (folder, limit) in [("linf-0.1", "linf=0.1"), ("linf-9_10", "linf=9/10")] {
        let (folder, single) = (format!("out/{folder}"), format!("single-{folder}"));
        assert_eq!(names(&program, &folder), whole, "{folder}");
        done(&program, &single, &["--limit", limit]);
        assert_eq!(figures(&program, &folder), figures(&program, &single), "{folder}");
        let page = program.read("out/report.html").unwrap();
        assert!(page.contains(&format!("href=\"{}/report.html\"", &folder[4..])), "{page}");
    }

    let overview = json(&program, "out/results.json");
    let runs = overview["runs"].as_array().unwrap();
    assert_eq!(
        runs.iter().map(|run| run["limit"].as_str().unwrap()).collect::<Vec<_>>(),
        ["linf=0.1", "linf=9/10"]
    );
    assert!((runs[1]["limits"]["linf"].as_f64().unwrap() - 0.9).abs() < 1e-6, "{overview}");
    for (at, method) in ["random-k", "fgsm"].into_iter().enumerate() {
        let of = |run: &Value| {
            assert_eq!(run["methods"][at]["method"], method);
            run["methods"][at]["successes"].as_u64().unwrap()
        };
        assert!(of(&runs[1]) >= of(&runs[0]) && of(&runs[1]) > 20, "{method}: {overview}");
        let line = run.out.lines().find(|line| line.starts_with(method)).unwrap_or_default().to_owned();
        let share = |run: &Value| format!("({}/{})", of(run), run["attacked"]);
        assert!(line.contains(&share(&runs[0])) && line.contains(&share(&runs[1])), "{run:?}");
    }
    let fooled = |run: &Value| run["fooled"].as_u64().unwrap();
    let most =
        |run: &Value| [0, 1].map(|at| run["methods"][at]["successes"].as_u64().unwrap()).into_iter().max();
    assert!(runs.iter().all(|run| Some(fooled(run)) >= most(run)), "{overview}");

    let robust = run.out.lines().find(|line| line.starts_with("robust accuracy")).unwrap();
    for part in runs {
        let images = part["images"].as_u64().unwrap();
        let left = part["correct"].as_u64().unwrap() - fooled(part);
        assert!(robust.contains(&format!("({left}/{images})")), "{robust}: {overview}");
    }

    let csv = program.read("out/results.csv").unwrap();
    let of_limit = |limit: &str| csv.lines().filter(|line| line.starts_with(&format!("{limit},"))).count();
    let attacks = 2 * runs[0]["attacked"].as_u64().unwrap() as usize;
    assert!(csv.starts_with("limit,method,image,"), "{csv}");
    assert_eq!(["linf=0.1", "linf=9/10"].map(of_limit), [attacks; 2]);
    assert_eq!(csv.lines().count(), 1 + 2 * attacks);
}

#[test]
fn several_limits_go_on_where_they_were() {
    let program = Program::new();
    done(&program, "out", &BOTH);
    let journals = || {
        ["out", "out/linf-0.1", "out/linf-9_10"]
            .map(|folder| program.read(&format!("{folder}/journal.jsonl")).unwrap())
    };
    let (before, figured) = (journals(), figures(&program, "out/linf-9_10"));
    done(&program, "out", &BOTH);
    assert_eq!(journals(), before, "nothing is done anew");

    // The end came in the second run: the first is not touched, the second goes on.
    let half = &before[2][..before[2].len() / 2];
    fs::write(program.path().join("out/linf-9_10/journal.jsonl"), half).unwrap();
    let run = done(&program, "out", &[&BOTH[..], &["--limit", "linf=0.5"]].concat());
    assert!(run.out.contains("linf=0.5"), "{run:?}");
    let after = journals();
    assert_eq!(after[..2], before[..2], "a limit may be added");
    assert_eq!(after[2].lines().count(), before[2].lines().count() + 1, "besides the line that was cut");
    assert_eq!(figures(&program, "out/linf-9_10"), figured);

    // Neither an overview nor a single run takes the other's place.
    let check = |output: &str, more: &[&str]| {
        let run = attack(&program, output, more);
        assert_eq!(run.exit, Some(3), "{run:?}");
        assert!(run.err.contains("made with other settings"), "{run:?}");
    };
    check("out", &["--limit", "linf=0.1"]);
    check("out/linf-0.1", &BOTH);
    check("out", &[&BOTH[..], &["--seed", "7"]].concat());
}

#[test]
fn limits_of_both_norms_are_combined_and_none_is_named_twice() {
    let program = Program::new();
    let run = done(&program, "out", &["--limit", "linf=0.1,l2=1,l2=2", "--protocol", "1", "--json"]);
    let overview: Value = serde_json::from_str(&run.out).unwrap();
    let folders: Vec<&Value> =
        overview["runs"].as_array().unwrap().iter().map(|run| &run["folder"]).collect();
    assert_eq!(folders, ["linf-0.1-l2-1", "linf-0.1-l2-2"]);
    let attacks = json(&program, "out/linf-0.1-l2-1/results.json");
    for attack in attacks["attacks"].as_array().unwrap() {
        assert!(attack["distance"]["l2"].as_f64().is_none_or(|l2| l2 <= 1.0), "{attack}");
    }
    let twice = attack(&program, "out", &["--limit", "linf=0.1,linf=1/10"]);
    assert_eq!(twice.exit, Some(2), "{twice:?}");
    assert!(twice.err.contains("--limit linf=0.1 and --limit linf=1/10 are the same limit"), "{twice:?}");
}

#[test]
fn limits_are_in_pixels_whatever_the_network_reads() {
    let program = Program::new();
    let check = |output: &str, more: &[&str]| {
        done(&program, output, &[more, &["--limit", "linf=0.3"]].concat());
        let found: Vec<f64> = json(&program, &format!("{output}/results.json"))["attacks"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|attack| attack["method"] == "fgsm")
            .filter_map(|attack| attack["distance"]["linf"].as_f64())
            .collect();
        // Fast gradient signs go as far as they may.
        assert!(
            !found.is_empty() && found.iter().all(|linf| (linf - 0.3).abs() < 1e-6),
            "{output}: {found:?}"
        );
    };
    check("plain", &[]);
    check("std", &["--mean", "0.25", "--std", "0.75"]);
    check("scale", &["--scale", "2"]);
}
