//! `attack`: images in, a report out; the same whatever the threads and however often it was interrupted.

use std::fs;

use serde_json::Value;

use crate::model::means;
use crate::program::{Program, Run, shipped};

fn attack(program: &Program, output: &str, more: &[&str]) -> Run {
    let (network, images) = (shipped("shapes_mlp.onnx"), shipped("shapes.npz"));
    let all = ["attack", &network, "--images", &images, "--output", output, "--quiet"];
    program.run(&[&all, more].concat())
}

/// All figures but the times.
fn figures(program: &Program, output: &str) -> Value {
    let text = fs::read_to_string(program.path().join(output).join("results.json")).unwrap();
    let mut json: Value = serde_json::from_str(&text).unwrap();
    for list in ["methods", "attacks"] {
        json[list].as_array_mut().unwrap().iter_mut().for_each(|entry| entry["seconds"] = Value::Null);
    }
    json
}

#[test]
fn a_run_does_not_depend_on_its_threads_and_goes_on_where_it_was() {
    let program = Program::new();
    let options = ["--method", "random-k,fgsm", "--limit", "linf=0.9", "--round", "--seed", "3"];
    let run = |output, threads| {
        let run = attack(&program, output, &[&options[..], &["--threads", threads]].concat());
        assert_eq!(run.exit, Some(0), "{run:?}");
    };
    run("one", "1");
    run("four", "4");
    let whole = figures(&program, "one");
    assert_eq!(whole, figures(&program, "four"));
    let successes = whole["methods"][0]["successes"].as_u64().unwrap();
    assert!(whole["correct"].as_u64() > Some(50) && successes > 20, "{whole}");

    // An end in the middle of a line of the journal: what was noted stays, the rest is done, nothing twice.
    let journal = program.path().join("one/journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, &text[..text.len() / 2]).unwrap();
    let kept: Vec<&str> = text[..text.len() / 2].lines().collect();
    run("one", "2");
    assert_eq!(figures(&program, "one"), whole);
    let again = fs::read_to_string(&journal).unwrap();
    let (noted, done) = (text.lines().count(), again.lines().count());
    assert!(again.starts_with(&kept[..kept.len() - 1].join("\n")), "what was noted is still there");
    assert_eq!(done, noted + 1, "every open image once, besides the line that was cut");

    let other = attack(&program, "one", &["--method", "fgsm", "--seed", "4"]);
    assert_eq!(other.exit, Some(3), "{other:?}");
    assert!(other.err.contains("made with other settings"), "{other:?}");
}

#[test]
fn every_success_has_its_pictures_and_a_line() {
    let program = Program::new();
    let other = shipped("shapes_other.onnx");
    let options = ["--method", "random-k", "--protocol", "3", "--transfer", &other, "--features", &other];
    let run = attack(&program, "out", &options);
    assert_eq!(run.exit, Some(0), "{run:?}");
    let json = figures(&program, "out");
    assert_eq!(json["attacked"], 18, "three of each of six classes");
    assert_eq!(json["methods"][0]["transfers"][0]["network"], "shapes_other", "{json}");
    assert!(run.out.lines().all(|line| line.chars().count() <= 100), "{run:?}");
    let page = program.read("out/report.html").unwrap();
    for part in
        ["transfer to shapes_other", "--protocol 3 --transfer", "the first 3", env!("CARGO_PKG_VERSION")]
    {
        assert!(page.contains(part), "no {part} in {page}");
    }
    let csv = fs::read_to_string(program.path().join("out/results.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 18, "{csv}");
    for attack in json["attacks"].as_array().unwrap() {
        let picture = |name: &str| {
            let file = format!("out/images/random-k/{}-{name}.png", attack["image"]);
            fs::read(program.path().join(file)).is_ok_and(|bytes| bytes.starts_with(b"\x89PNG"))
        };
        let there = ["original", "adversarial", "difference"].map(picture);
        let found = attack["ending"] == "adversarial";
        // A picture that 8 bits have undone has another name.
        let is_kept = found && attack["picture"]["adversarial"].is_number();
        assert_eq!(there, [found, is_kept, found], "{attack}");
    }
}

#[test]
fn features_are_those_of_any_network_of_images() {
    let program = Program::new();
    program.write("means.onnx", means(&[1, 3, 12, 10], &[1, 3, 1, 1]));
    let check = |output: &str, more: &[&str]| {
        let usual = ["--method", "random-k", "--protocol", "2", "--features", "means.onnx:y"];
        let run = attack(&program, output, &[&usual, more].concat());
        assert_eq!(run.exit, Some(0), "{run:?}");
        let json = figures(&program, output);
        let want = "3 values of output y of means, images resized from 8 x 8 x 1 to 12 x 10 x 3";
        assert_eq!(json["features"], want, "{json}");
        assert!(program.read(&format!("{output}/report.html")).unwrap().contains(want), "{want}");
        json["methods"][0]["frechet"].as_f64().unwrap()
    };
    let plain = check("plain", &[]);
    assert!(plain > 0.0);
    // The distance is a square: twice the scale, four times the distance, wherever the middle is.
    let scaled = check("scaled", &["--features-mean", "0.5", "--features-std", "0.5"]);
    assert!((scaled / plain - 4.0).abs() < 1e-3, "{scaled} and {plain}");
    // How the attacked network is fed does not matter: the journal goes on, too.
    let again = check("plain", &["--features-std", "1,1,1"]);
    assert_eq!(again, plain);
}

#[test]
fn pictures_of_searched_results_are_adversarial_too() {
    let program = Program::new();
    let check = |output: &str, more: &[&str], methods: &[&str]| {
        let names = methods.join(",");
        let run = attack(&program, output, &[&["--method", &names, "--protocol", "4"], more].concat());
        assert_eq!(run.exit, Some(0), "{run:?}");
        for row in figures(&program, output)["methods"].as_array().unwrap() {
            let successes = row["successes"].as_u64().unwrap();
            assert!(successes > 10, "{row}");
            assert_eq!(row["pictures"], successes, "{output}: {row}");
        }
    };
    check("default", &[], &["greedy-pixel", "patch", "patch-strong"]);
    check("round", &["--round"], &["greedy-pixel", "patch", "patch-strong", "patch-strong-l2"]);
    check("sure", &["--confidence", "0.5", "--round"], &["patch-strong"]);
}

#[test]
fn a_chosen_class_is_the_only_success() {
    let program = Program::new();
    let run = attack(&program, "out", &["--method", "greedy-pixel,patch-strong", "--target-class", "2"]);
    assert_eq!(run.exit, Some(0), "{run:?}");
    let json = figures(&program, "out");
    let found: Vec<&Value> =
        json["attacks"].as_array().unwrap().iter().map(|attack| &attack["class"]).collect();
    assert!(found.iter().filter(|class| class.is_number()).count() > 20, "{json}");
    assert!(found.iter().all(|class| class.is_null() || **class == 2), "{json}");
    let archive = fs::read(program.path().join("out/adversarial.npz")).unwrap();
    assert!(archive.starts_with(b"PK"), "an archive of arrays");
}

#[test]
fn limits_are_kept_to_the_last_bit() {
    let program = Program::new();
    let options = ["--method", "random-k,fgsm", "--limit", "linf=0.5,l2=1.5", "--pixels", "9"];
    let run = attack(&program, "out", &options);
    assert_eq!(run.exit, Some(0), "{run:?}");
    for attack in figures(&program, "out")["attacks"].as_array().unwrap() {
        let distance = &attack["distance"];
        let within = |name: &str, most: f64| distance[name].as_f64().is_none_or(|distance| distance <= most);
        assert!(within("linf", 0.5) && within("l2", 1.5) && within("pixels", 9.0), "{attack}");
    }
}

#[test]
fn what_cannot_be_used_is_refused_with_a_remedy() {
    let program = Program::new();
    program.write("noise.npz", "not images");
    program.write("five.onnx", means(&[1, 5, 9, 9], &[1, 5, 1, 1]));
    fs::create_dir(program.path().join("empty")).unwrap();
    let network = shipped("shapes_mlp.onnx");
    let check = |images: &str, more: &[&str], exit: i32, message: &str| {
        let images = if images == "shapes" { shipped("shapes.npz") } else { images.to_owned() };
        let all = ["attack", &network, "--images", &images, "--output", "out"];
        let run = program.run(&[&all, more].concat());
        assert_eq!(run.exit, Some(exit), "{run:?}");
        assert!(run.err.contains(message), "{message}: {run:?}");
    };
    check("shapes", &["--method", "magic"], 2, "there is no method magic");
    check("shapes", &["--limit", "l7=1"], 2, "--limit l7=1");
    check("shapes", &["--targets", "0"], 2, "--targets 0");
    check("shapes", &["--confidence", "-1"], 2, "--confidence -1");
    check("shapes", &["--target-class", "6"], 3, "is to become class 6, the network has 6 outputs");
    check("shapes", &["--std", "0"], 2, "--std");
    check("shapes", &["--features", "missing.onnx"], 3, "missing.onnx");
    check("shapes", &["--features", &format!("{network}:nothing")], 3, "no node nothing");
    check(
        "shapes",
        &["--features", "five.onnx"],
        3,
        "five.onnx: the network's input [1, 5, 9, 9] has no axis of channels",
    );
    check("shapes", &["--features", &network, "--features-mean", "1,2"], 3, "--features-mean has 2 numbers");
    check(
        "shapes",
        &["--features", &network, "--features-std", "0"],
        2,
        "--features-std: not a number above 0",
    );
    check("shapes", &["--features-mean", "0.5"], 2, "--features <FILE[:NODE]>");
    check("shapes", &["--method", "simba-ods"], 2, "name at least one with --companion");
    check("noise.npz", &[], 3, "no known format");
    check("missing.npz", &[], 3, "missing.npz");
    check("empty", &[], 3, "no PNG or JPEG file");
}
