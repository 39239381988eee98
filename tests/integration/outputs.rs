//! What a search writes beside its verdict: several counterexamples, files of them, and objects of JSON.

use serde_json::Value;

use crate::program::{Program, Run, shipped};

fn verify(program: &Program, name: &str, options: &[&str]) -> Run {
    let [network, property] = ["onnx", "vnnlib"].map(|end| shipped(&format!("{name}.{end}")));
    let always = ["verify", &network, &property, "--timeout", "60", "--threads", "1"];
    program.run(&[&always, options].concat())
}

/// The last line of a run as an object.
fn object(run: &Run) -> Value {
    serde_json::from_str(run.out.lines().last().unwrap_or_default()).unwrap_or_else(|_| panic!("{run:?}"))
}

fn numbers(array: &Value) -> Vec<f64> {
    array["values"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// The inputs of all counterexamples that are wanted with these options.
fn found(program: &Program, name: &str, options: &[&str]) -> Vec<Vec<f64>> {
    let run = verify(program, name, &[options, &["--json", "--results-file", "out.txt"]].concat());
    assert_eq!(run.exit, Some(0), "{run:?}");
    let object = object(&run);
    let witnesses = object["witnesses"].as_array().unwrap().clone();
    assert!(witnesses.iter().all(|witness| witness["certainty"] != "thin"), "{object}");
    let first = witnesses[0]["inputs"][0]["decimals"].clone();
    assert_eq!(object["witness"]["X"], first, "the verdict's own is the first of all");
    let written = program.read("out.txt").unwrap();
    assert!(written.starts_with(&format!("sat\n((X_0 {})", first[0].as_str().unwrap())), "{written}");
    assert_eq!(written.matches("(X_0 ").count(), 1, "the results file has one");
    witnesses.iter().map(|witness| numbers(&witness["inputs"][0])).collect()
}

#[test]
fn several_counterexamples_differ_and_are_the_same_each_time() {
    let program = Program::new();
    for (name, options) in [
        ("digits_mlp_easy", &["--count", "5"][..]),
        ("toy", &["--count", "4", "--apart", "0.05"]),
        ("smooth", &["--count", "3"]),
    ] {
        let network = name.trim_end_matches("_easy");
        let [onnx, property] = [shipped(&format!("{network}.onnx")), shipped(&format!("{name}.vnnlib"))];
        let wanted: usize = options[1].parse().unwrap();
        let search = || {
            let always = ["verify", &onnx, &property, "--timeout", "60", "--threads", "1", "--json"];
            let run = program.run(&[&always, options].concat());
            let object = object(&run);
            let witnesses = object["witnesses"].as_array().unwrap().clone();
            assert_eq!((run.exit, witnesses.len()), (Some(0), wanted), "{name}: {}", run.err);
            witnesses
        };
        let once = search();
        assert_eq!(once, search(), "{name}");
        for (at, a) in once.iter().enumerate() {
            assert!(once[..at].iter().all(|b| a["inputs"] != b["inputs"]), "{name}");
        }
    }
}

#[test]
fn each_counterexample_of_several_is_one_by_itself() {
    let program = Program::new();
    let points = found(&program, "toy", &["--count", "4", "--apart", "0.1"]);
    for (at, a) in points.iter().enumerate() {
        let apart = |b: &Vec<f64>| a.iter().zip(b).any(|(a, b)| (a - b).abs() >= 0.099 * 0.99);
        assert!(points[..at].iter().all(apart), "{points:?}");
        program.write("one.txt", format!("sat\n((X_0 {}) (X_1 {}))\n", a[0], a[1]));
        let (network, property) = (shipped("toy.onnx"), shipped("toy.vnnlib"));
        let judged = program.run(&["check", &network, &property, "one.txt"]);
        assert_eq!(judged.exit, Some(0), "{judged:?}");
    }
    assert_eq!(found(&program, "toy", &[]).len(), 1);
}

#[test]
fn fewer_than_were_wanted_are_said() {
    let program = Program::new();
    // The box is 0.99 wide: nine of such a distance do not fit in a row, and the counterexamples lie in a corner.
    let (network, property) = (shipped("toy.onnx"), shipped("toy.vnnlib"));
    let options = ["--count", "200", "--apart", "0.9", "--timeout", "2", "--json"];
    let run = program.run(&[&["verify", &network, &property], &options[..]].concat());
    let object = object(&run);
    assert_eq!((run.exit, &object["verdict"]), (Some(0), &"sat".into()), "{run:?}");
    let kept = object["witnesses"].as_array().unwrap().len();
    assert!((1..5).contains(&kept), "{object}");
    assert!(run.err.contains(&format!("{kept} of 200 different counterexamples were found")), "{}", run.err);
}

#[test]
fn counterexamples_are_saved_in_three_forms() {
    let program = Program::new();
    let run = verify(&program, "toy", &["--count", "2", "--apart", "0.1", "--save", "w.csv"]);
    assert_eq!(run.exit, Some(0), "{run:?}");
    let table = program.read("w.csv").unwrap();
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines[0], ["name", "value", "value_2"], "{table}");
    let names: Vec<&str> = lines[1..].iter().map(|line| line[0]).collect();
    assert_eq!(names, ["X_0", "X_1", "Y_0", "Y_1"]);
    assert!(run.out.contains(&format!("(X_0 {})", lines[1][1])), "the first is the one that is printed");

    let run = verify(&program, "toy", &["--save", "w.json"]);
    let saved: Value = serde_json::from_str(&program.read("w.json").unwrap()).unwrap();
    let decimal = saved["witnesses"][0]["inputs"][0]["decimals"][0].as_str().unwrap();
    assert!(run.out.contains(&format!("(X_0 {decimal})")), "{run:?}");

    for (options, shape) in
        [(&["--save", "w.npz"][..], "(1, 2)"), (&["--count", "2", "--save", "w.npz"], "(2, 1, 2)")]
    {
        let run = verify(&program, "toy", options);
        assert_eq!(run.exit, Some(0), "{run:?}");
        let bytes = std::fs::read(program.path().join("w.npz")).unwrap();
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        let mut names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
        names.sort();
        assert_eq!(names, ["input.npy", "output.npy"]);
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut archive.by_name("input.npy").unwrap(), &mut content).unwrap();
        let header = String::from_utf8_lossy(&content[..120]).into_owned();
        assert!(header.contains("'<f4'") && header.contains(shape), "{header}");
    }
}

#[test]
fn what_cannot_be_saved_is_said() {
    let program = Program::new();
    let check = |file: &str, exit: i32, says: &str| {
        let run = verify(&program, "toy", &["--save", file, "--results-file", "out.txt", "--json"]);
        assert_eq!(run.exit, Some(exit), "{run:?}");
        assert!(run.err.contains(says), "{run:?}");
        run
    };
    let run = check("w.txt", 2, "--save w.txt: its ending says nothing of its form (help: ");
    let error = &object(&run)["error"];
    assert_eq!((&error["place"], &error["exit"]), (&"--save w.txt".into(), &2.into()), "{error}");
    check("no/such/folder/w.csv", 4, "(help: name a file in a folder that exists");
    assert_eq!(program.read("out.txt").as_deref(), Some("error\n"));
    // A name that ends as it must, and leads to a disk that is full.
    std::os::unix::fs::symlink("/dev/full", program.path().join("full.npz")).unwrap();
    check("full.npz", 4, "full.npz: ");
    assert!(program.read("out.txt").unwrap().starts_with("sat\n"), "the verdict stands");
    let robust = [shipped("digits_mlp.onnx"), shipped("digits_mlp_robust.vnnlib")];
    let run = program.run(&["verify", &robust[0], &robust[1], "--timeout", "60", "--save", "none.json"]);
    assert_eq!((run.exit, run.first_line(), program.read("none.json")), (Some(0), "unsat", None), "{run:?}");
}

#[test]
fn an_unknown_says_what_came_nearest() {
    let program = Program::new();
    let (network, property) = (shipped("digits_mlp.onnx"), shipped("digits_mlp_robust.vnnlib"));
    let run =
        program.run(&["verify", &network, &property, "--timeout", "1", "--strategy", "sample", "--json"]);
    let object = object(&run);
    assert_eq!((run.exit, &object["verdict"]), (Some(0), &"unknown".into()), "{run:?}");
    let miss = &object["nearest_miss"];
    let margin = miss["margin"].as_f64().unwrap();
    assert!(margin < 0.0 && numbers(&miss["inputs"][0]).len() == 64, "{miss}");
    assert_eq!(object["reason"], "the time is up");
    assert_eq!(object["strategies"], serde_json::json!(["sample"]));
    let line = run.err.lines().find(|line| line.starts_with("note: the time is up")).unwrap();
    assert!(
        line.contains(&format!("the best margin was {margin:.3e} at ")) && line.contains(", ...)"),
        "{line}"
    );
}

#[test]
fn errors_are_objects_too() {
    let program = Program::new();
    let property = shipped("toy.vnnlib");
    let cases: [(&[&str], i32, Option<&str>); 6] = [
        (&["verify", "no.onnx", &property, "--json"], 3, Some("no.onnx")),
        (&["check", "no.onnx", &property, "no.txt", "--json"], 3, Some("no.txt")),
        (&["inspect", "no.onnx", "--json"], 3, Some("no.onnx")),
        (&["convert", "no.vnnlib", "--json"], 3, Some("no.vnnlib")),
        (&["radius", "no.onnx", "--around", "x.csv", "--each", "0", "--json"], 2, Some("--each 0")),
        (&["inspect", "--json"], 2, None),
    ];
    for (arguments, exit, place) in cases {
        let run = program.run(arguments);
        let object = object(&run);
        assert_eq!((run.exit, &object["command"]), (Some(exit), &arguments[0].into()), "{run:?}");
        assert_eq!(object["error"]["exit"], exit, "{object}");
        if place.is_some() {
            assert_eq!(object["error"]["place"].as_str(), place, "{object}");
        }
    }
}

#[test]
fn a_profile_says_what_each_thread_was_at_and_when() {
    let program = Program::new();
    let run = verify(&program, "toy", &["--profile", "run.json", "--json"]);
    assert_eq!(run.exit, Some(0), "{run:?}");
    let file: Value = serde_json::from_str(&program.read("run.json").unwrap()).unwrap();
    assert!(file["otherData"]["command"].as_str().unwrap().contains("--profile run.json"), "{file}");
    let bars = file["traceEvents"].as_array().unwrap().iter().filter(|event| event["ph"] == "X");
    let bars: Vec<(&str, f64, f64)> = bars
        .map(|bar| {
            let [begin, length] = ["ts", "dur"].map(|key| bar[key].as_f64().unwrap());
            (bar["name"].as_str().unwrap(), begin, begin + length)
        })
        .collect();
    let used = object(&run)["strategies"].as_array().unwrap().clone();
    for name in
        ["read", "import", "prepare replay", "replay", "write"].into_iter().map(Value::from).chain(used)
    {
        assert!(bars.iter().any(|bar| name == bar.0), "no {name} in {file}");
    }
    let begin = |name: &str| bars.iter().find(|bar| bar.0 == name).unwrap().1;
    let order = ["read", "import", "replay", "write"].map(begin);
    assert!(order.is_sorted(), "{order:?}");

    let run = verify(&program, "toy", &["--profile", "no/such/run.json", "--results-file", "out.txt"]);
    assert_eq!((run.exit, program.read("out.txt").as_deref()), (Some(4), Some("error\n")), "{run:?}");
}
