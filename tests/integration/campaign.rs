//! `campaign`: nothing is lost and nothing is run twice, whatever ends the processes that share a folder. Most tools here are
//! scripts that note each call.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::thread;

use counterpatch::campaign::{
    Campaign, CampaignFolder, CampaignTool, Digest, FileMark, PlannedInstance, Resources, ToolKind,
    UnitEvidence, UnitHead, UnitLimits, UnitVerdict,
};

use crate::model::model;
use crate::program::{Program, Run};

const TWO: &str =
    "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)";
const BOX: &str = "(assert (<= X_0 1))(assert (>= X_0 0))(assert (<= X_1 1))(assert (>= X_1 0))";

/// A folder of one benchmark, `y = x + (1, 2)` with a property that is violated and one that is not; and a tool that notes
/// its seed in `calls` before it does what `script` says.
pub(crate) fn folder(script: &str) -> Program {
    let program = Program::new();
    fs::create_dir_all(program.path().join("all/sum")).unwrap();
    program.write("all/sum/sum.onnx", model("Add", [1.0, 2.0]));
    program
        .write("all/sum/possible.vnnlib", format!("{TWO}{BOX}(assert (>= Y_0 1.25))(assert (<= Y_1 2.5))"));
    program.write("all/sum/impossible.vnnlib", format!("{TWO}{BOX}(assert (>= Y_0 2.5))"));
    program.write("all/sum/instances.csv", "sum.onnx,possible.vnnlib,60\nsum.onnx,impossible.vnnlib,60\n");
    program.write("one.csv", "all/sum/sum.onnx,all/sum/impossible.vnnlib,60\n");
    let folder = program.path().display();
    program.write("tool.sh", format!("#!/bin/sh\ncd {folder}\necho $COUNTERPATCH_SEED >>calls\n{script}\n"));
    let tool = program.path().join("tool.sh");
    fs::set_permissions(tool, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

fn campaign(program: &Program, arguments: &[&str]) -> Run {
    program.run(&[&["campaign"], arguments].concat())
}

/// Plans the one instance with the script, for these seeds.
pub(crate) fn planned(program: &Program, seeds: &str) {
    let run = campaign(
        program,
        &["plan", "one.csv", "--tool", "script:tool.sh", "--seeds", seeds, "--output", "c"],
    );
    assert_eq!(run.exit, Some(0), "{run:?}");
}

/// The seeds that the script was called with, in their order.
pub(crate) fn calls(program: &Program) -> Vec<u64> {
    let text = program.read("calls").unwrap_or_default();
    // A line that is being written has no end yet.
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.parse().ok()).collect()
}

pub(crate) fn count(calls: &[u64]) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    calls.iter().for_each(|&seed| *counts.entry(seed).or_default() += 1);
    counts
}

fn start(program: &Program, arguments: &[&str]) -> Child {
    let mut command = program.command(&[&["campaign", "run"], arguments].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until the script was called with a seed.
fn wait_for(program: &Program, child: &mut Child, seed: u64) {
    while !calls(program).contains(&seed) {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        thread::yield_now();
    }
}

pub(crate) fn kill(signal: &str, id: u32) {
    assert!(Command::new("kill").args([signal, &id.to_string()]).status().unwrap().success());
}

/// The results in a folder: verdict and seed.
pub(crate) fn results(program: &Program, folder: &str) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(program.path().join(folder).join("units")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "json") {
            let unit: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            found.push((unit["verdict"].as_str().unwrap().to_owned(), unit["seed"].as_u64().unwrap()));
        }
    }
    found.sort();
    found
}

pub(crate) fn claims(program: &Program, folder: &str) -> usize {
    fs::read_dir(program.path().join(folder).join("claims")).unwrap().count()
}

/// A tool that does not end with seed 2 as long as there is a file `hold`.
pub(crate) const HOLDS: &str =
    "if [ $COUNTERPATCH_SEED = 2 ] && [ -e hold ]; then exec sleep 1000; fi\necho unsat >$5";

#[test]
fn a_campaign_is_planned_run_collected_and_audited() {
    let program = folder("echo unsat >$5");
    let tools = ["--tool", "ours", "--tool", "other=script:tool.sh"];
    let run = campaign(&program, &[&["run", "all", "--output", "c", "--quiet"], &tools[..]].concat());
    assert_eq!(run.exit, Some(0), "{run:?}");
    assert_eq!(run.out, "4 units run (1 sat, 3 unsat); 0 had results already\n", "{run:?}");
    let run = campaign(&program, &["run", "c"]);
    assert_eq!(run.out, "0 units run; 4 had results already\n", "{run:?}");
    let run = campaign(&program, &["status", "c"]);
    assert!(run.out.starts_with("4 of 4 units are done, 0 are running, 0 are open\n"), "{run:?}");
    assert!(run.has_row("| sum | 4 | 0 | 0 | 1 | 3 | 0 | 0 | 0 | 0 |"), "{run:?}");

    let files = ["--csv", "results.csv", "--json", "results.json", "--html", "results.html"];
    let run = campaign(&program, &[&["collect", "c"], &files[..]].concat());
    assert!(run.exit == Some(0) && run.out.contains("1 disagreements:"), "{run:?}");
    let json: serde_json::Value = serde_json::from_str(&program.read("results.json").unwrap()).unwrap();
    let units = json["units"].as_array().unwrap();
    assert!(units.iter().all(|unit| unit["resources"]["peak_bytes"].as_u64().unwrap() > 0), "{json}");
    assert!(program.read("results.html").unwrap().contains("Decided over time"));

    let audit = program.run(&["audit", "results.csv", "--benchmarks", "all", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&audit.out).unwrap();
    assert_eq!(found["total"]["claims"], 4, "{found}");
    // The script says `unsat` of both, and our counterexample accuses it of one.
    assert_eq!(
        (&found["total"]["correct"], &found["total"]["false_unsat"]),
        (&1.into(), &1.into()),
        "{found}"
    );
}

#[test]
fn what_was_killed_is_run_again_and_nothing_else() {
    for signal in ["-KILL", "-TERM", "-INT"] {
        let program = folder(HOLDS);
        program.write("hold", "");
        planned(&program, "0..5");
        let mut child = start(&program, &["c", "--jobs", "1"]);
        wait_for(&program, &mut child, 2);
        let status = campaign(&program, &["status", "c"]).out;
        assert!(status.contains("2 of 6 units are done, 1 are running, 3 are open"), "{signal}: {status}");
        kill(signal, child.id());
        let exit = child.wait().unwrap().code();
        if signal == "-KILL" {
            assert_eq!((exit, claims(&program, "c")), (None, 1), "{signal}");
        } else {
            // What it ran is given back.
            assert_eq!((exit, claims(&program, "c")), (Some(14), 0), "{signal}");
        }
        fs::remove_file(program.path().join("hold")).unwrap();
        let run = campaign(&program, &["run", "c"]);
        assert_eq!(run.out, "4 units run (4 unsat); 2 had results already\n", "{signal}: {run:?}");
        let counts = count(&calls(&program));
        let twice: Vec<u64> = counts.iter().filter(|(_, count)| **count > 1).map(|(seed, _)| *seed).collect();
        assert_eq!((counts.len(), twice), (6, vec![2]), "{signal}");
        let all: Vec<(String, u64)> = (0..6).map(|seed| ("unsat".to_owned(), seed)).collect();
        assert_eq!((results(&program, "c"), claims(&program, "c")), (all, 0), "{signal}");
    }
}

#[test]
fn processes_that_share_a_folder_share_the_work() {
    let program = folder("echo unsat >$5");
    planned(&program, "0..39");
    let children: Vec<Child> = (0..3).map(|_| start(&program, &["c", "--jobs", "2"])).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let counts = count(&calls(&program));
    assert!(counts.len() == 40 && counts.values().all(|&count| count == 1), "{counts:?}");
    assert_eq!((results(&program, "c").len(), claims(&program, "c")), (40, 0));
}

#[test]
fn a_shard_begins_with_its_own_units_and_then_helps() {
    let program = folder("echo unsat >$5");
    planned(&program, "0..6");
    let run = campaign(&program, &["run", "c", "--jobs", "1", "--shard", "1/3"]);
    assert_eq!(run.exit, Some(0), "{run:?}");
    assert_eq!(calls(&program), [1, 4, 2, 5, 0, 3, 6]);
}

#[test]
fn units_that_are_ended_from_outside_are_run_again_but_not_for_ever() {
    let program = folder("if [ ! -e once ]; then touch once; kill -9 $$; fi\necho unsat >$5");
    planned(&program, "0");
    let run = campaign(&program, &["run", "c"]);
    assert_eq!(
        (run.out.as_str(), calls(&program).len()),
        ("1 units run (1 unsat); 0 had results already\n", 2)
    );

    let program = folder("kill -9 $$");
    planned(&program, "0");
    let run = campaign(&program, &["run", "c"]);
    assert_eq!(
        (run.out.as_str(), calls(&program).len()),
        ("1 units run (1 error); 0 had results already\n", 3)
    );

    // The guard, which is the script's parent: what it leaves is ended, too.
    let program =
        folder("if [ ! -e once ]; then touch once; kill -9 $PPID; exec sleep 1000; fi\necho unsat >$5");
    planned(&program, "0");
    let run = campaign(&program, &["run", "c"]);
    assert_eq!(
        (run.out.as_str(), calls(&program).len()),
        ("1 units run (1 unsat); 0 had results already\n", 2)
    );
}

#[test]
fn a_unit_has_its_limits() {
    let program = folder("exec sleep 1000");
    let plan = ["plan", "one.csv", "--tool", "script:tool.sh", "--timeout-cap", "1", "--output", "c"];
    assert_eq!(campaign(&program, &plan).exit, Some(0));
    let run = campaign(&program, &["run", "c"]);
    assert_eq!(run.out, "1 units run (1 timeout); 0 had results already\n", "{run:?}");

    let program = folder("exec dd if=/dev/zero of=/dev/null bs=200M");
    let plan = ["plan", "one.csv", "--tool", "script:tool.sh", "--memory", "100M", "--output", "c"];
    assert_eq!(campaign(&program, &plan).exit, Some(0));
    let run = campaign(&program, &["run", "c"]);
    assert_eq!(run.out, "1 units run (1 memory); 0 had results already\n", "{run:?}");
}

#[test]
fn damaged_changed_and_foreign_results_are_named() {
    let program = folder("echo unsat >$5");
    planned(&program, "0..2");
    assert_eq!(campaign(&program, &["run", "c"]).exit, Some(0));
    let units = program.path().join("c/units");
    let first = fs::read_dir(&units).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&first).unwrap();
    fs::write(&first, &text[..text.len() / 2]).unwrap();
    let run = campaign(&program, &["collect", "c"]);
    assert!(run.err.contains("cannot be read; its unit counts as not run"), "{run:?}");
    let run = campaign(&program, &["run", "c"]);
    assert!(run.out.starts_with("1 units run") && run.err.contains("it is put aside"), "{run:?}");
    assert!(first.with_extension("json.broken").is_file());

    program.write("all/sum/impossible.vnnlib", format!("{TWO}{BOX}(assert (>= Y_0 2.75))"));
    let run = campaign(&program, &["run", "c"]);
    assert!(run.out.starts_with("3 units run") && run.err.contains("has changed since the plan"), "{run:?}");
    let run = campaign(&program, &["collect", "c"]);
    assert!(run.err.contains("3 results are of other versions of files or programs"), "{run:?}");
    assert!(run.has_row("| 3 | 0 | 3 |"), "{run:?}");

    let script = program.read("tool.sh").unwrap();
    program.write("tool.sh", script + "# a new version\n");
    let run = campaign(&program, &["run", "c"]);
    assert!(run.out.starts_with("3 units run") && run.err.contains("its units are new ones"), "{run:?}");
}

/// A folder with made-up results of four tools, whose names and files are as long as they are in the competition. `chance`
/// decides what they are.
pub(crate) fn made_up(program: &Program, folder: &str, instances: usize, chance: usize) {
    let file = |name: String| FileMark {
        sha256: Digest::of(name.as_bytes()),
        path: name.into(),
        bytes: 1,
        changed: 1,
    };
    let files = (0..instances).flat_map(|at| [file(format!("/n{at}")), file(format!("/p{at}"))]).collect();
    let instance = |at: usize| PlannedInstance {
        benchmark: format!("{}_2025", ["acasxu", "cifar100", "metaroom", "tinyimagenet_resnet"][at % 4]),
        network: format!("onnx/ACASXU_run2a_{}_{}_batch_2000_with_a_long_name.onnx", at % 5, at % 9),
        property: format!("vnnlib/a_property_of_many_words_and_numbers_{at}_eps_0.00784_idx_{at}.vnnlib"),
        limit: 300.0,
        networks: vec![(None, 2 * at)],
        property_file: 2 * at + 1,
        beside: Vec::new(),
    };
    let names = ["counterpatch", "alpha-beta-crown", "marabou", "a-tool-with-quite-a-long-name-of-its-own"];
    let tool = |name: &str| CampaignTool {
        arguments: Vec::new(),
        name: name.into(),
        kind: ToolKind::Script,
        program: Some(name.into()),
        version: format!("{name} {chance}"),
    };
    let limits = UnitLimits { threads: 1, memory: None };
    let tools = names.map(tool).into();
    let plan = Campaign::new(limits, tools, vec![0], files, (0..instances).map(instance).collect());
    let folder = CampaignFolder::at(&program.path().join(folder));
    folder.begin(&plan).unwrap();
    for unit in plan.units() {
        let number = unit.instance * 7919 + unit.tool * 13 + chance * 31;
        let verdict = match (number % 97, unit.instance % 2) {
            (0..2, _) => UnitVerdict::Error,
            (2..4, _) => UnitVerdict::Memory,
            (4, 0) | (5..50, 1) => UnitVerdict::Sat,
            (4, _) | (5..50, _) => UnitVerdict::Unsat,
            (50..60, _) => UnitVerdict::Unknown,
            _ => UnitVerdict::Timeout,
        };
        let host = format!("node-{}.of.a.cluster.example.org", number % 7);
        let head = UnitHead::of(&plan, unit, plan.key(unit), &host);
        let wall_seconds = 0.004 * 1.12_f64.powi((number % 100) as i32);
        let resources = Resources {
            wall_seconds,
            cpu_seconds: 1.5 * wall_seconds,
            peak_bytes: (number as u64 % 900) << 22,
        };
        let (why, log) =
            ("a reason of several words that a tool may give ".repeat(3), "a line of a log\n".repeat(9));
        folder.write(head.ended(verdict, why, log, resources), &UnitEvidence::default()).unwrap();
    }
}

/// How many results `collect` finds, and what it warns of.
fn collected(program: &Program, folders: &[&str]) -> (u64, String) {
    let run = campaign(program, &[&["collect", "--json", "collected.json"], folders].concat());
    assert_eq!(run.exit, Some(0), "{run:?}");
    let json: serde_json::Value = serde_json::from_str(&program.read("collected.json").unwrap()).unwrap();
    (json["units"].as_array().unwrap().len() as u64, run.err)
}

#[test]
fn journals_change_nothing_of_what_is_collected() {
    let program = Program::new();
    made_up(&program, "c", 5, 1);
    let whole = |program: &Program| {
        let run = campaign(program, &["collect", "c", "--csv", "results.csv"]);
        assert_eq!((run.exit, run.err.as_str()), (Some(0), ""), "{run:?}");
        program.read("results.csv").unwrap()
    };
    let want = whole(&program);
    let journals: Vec<_> = fs::read_dir(program.path().join("c/journal")).unwrap().collect();
    let [Ok(journal)] = &journals[..] else { panic!("{journals:?}") };
    let (journal, text) = (journal.path(), fs::read(journal.path()).unwrap());
    let middle = text.len() / 2;
    let mut damaged = text.clone();
    damaged[middle..middle + 9].fill(b'?');
    // Cut short, damaged, written twice by others, of nobody, gone: the files of the units tell the truth.
    let other = journal.with_file_name("other.lines");
    for (own, second) in [
        (Some(&text[..middle]), None),
        (Some(&damaged[..]), None),
        (Some(&text[..]), Some(&text[..])),
        (Some(&text[..middle]), Some(&text[middle..])),
        (Some(&b"\0\0\n{}\n\xff"[..]), None),
        (None, None),
    ] {
        for (path, bytes) in [(&journal, own), (&other, second)] {
            match bytes {
                Some(bytes) => fs::write(path, bytes).unwrap(),
                None => drop(fs::remove_file(path)),
            }
        }
        assert_eq!(whole(&program), want);
    }
    // And a line without its unit's file counts for nothing.
    fs::write(&journal, &text).unwrap();
    let unit = fs::read_dir(program.path().join("c/units")).unwrap().next().unwrap().unwrap().path();
    let half = fs::read(&unit).unwrap();
    fs::write(&unit, &half[..half.len() / 2]).unwrap();
    let (units, warned) = collected(&program, &["c"]);
    assert!(
        units == 19 && warned.contains("cannot be read; its unit counts as not run"),
        "{units}: {warned}"
    );
    fs::remove_file(&unit).unwrap();
    let (units, warned) = collected(&program, &["c", "c"]);
    assert!(units == 19 && warned.contains("1 units have no result yet"), "{units}: {warned}");
}

/// A small file system in memory, which ends with this.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(path: std::path::PathBuf, size: &str) -> Self {
        fs::create_dir_all(&path).unwrap();
        let disk = Self(path);
        disk.mounted(&["-t", "tmpfs", "-o", &format!("size={size}"), "none"]);
        disk
    }

    fn mounted(&self, options: &[&str]) {
        let output = Command::new("mount").args(options).arg(&self.0).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
#[ignore = "needs root and leave to mount a small file system"]
fn a_full_disk_loses_nothing_that_was_done() {
    let program = folder("echo unsat >$5");
    let disk = SmallDisk::mount(program.path().join("c"), "100k");
    planned(&program, "0..39");
    let run = campaign(&program, &["run", "c", "--jobs", "2", "--quiet"]);
    assert_eq!(run.exit, Some(4), "{run:?}");
    assert!(run.err.contains("c/") && run.err.contains("(help: make room"), "{run:?}");
    let (done, called) = (results(&program, "c").len(), calls(&program).len());
    // Two units at a time can be lost: each was run and found no room for its result.
    assert!((5..40).contains(&done) && (done..=done + 2).contains(&called), "{done} of {called}");
    assert_eq!(claims(&program, "c"), 0);
    let (units, warned) = collected(&program, &["c"]);
    assert!(units == done as u64 && !warned.contains("cannot be read"), "{units} of {done}: {warned}");
    // Nothing is lost by going on without room, either, and a little may have been left.
    let run = campaign(&program, &["run", "c", "--jobs", "1", "--quiet"]);
    let (before, done) = (done, results(&program, "c").len());
    assert!(run.exit == Some(4) && done >= before, "{done}: {run:?}");
    let before = calls(&program).len();
    disk.mounted(&["-o", "remount,size=4m"]);
    let run = campaign(&program, &["run", "c", "--quiet"]);
    let said = format!("{} units run ({0} unsat); {done} had results already\n", 40 - done);
    assert_eq!((run.exit, run.out.as_str()), (Some(0), said.as_str()), "{run:?}");
    assert_eq!(calls(&program).len() - before, 40 - done, "nothing was run twice but what was lost");
    assert_eq!(collected(&program, &["c"]).0, 40);
    let units = fs::read_dir(program.path().join("c/units")).unwrap();
    assert_eq!(units.count(), 40, "nothing half written is left");
}

#[test]
#[ignore = "needs root and leave to mount a small file system"]
fn a_unit_that_had_no_room_to_work_in_has_not_failed() {
    let program = folder("echo unsat >$5 || exit 1");
    let disk = SmallDisk::mount(program.path().join("scratch"), "64k");
    fs::write(disk.0.join("full"), vec![0; 1 << 20]).unwrap_err();
    planned(&program, "0..2");
    let run = || {
        let mut command = program.command(&["campaign", "run", "c", "--jobs", "1"]);
        let output = command.env("TMPDIR", &disk.0).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (exit, _, said) = run();
    assert!(exit == Some(4) && said.contains("scratch: ") && said.contains("with TMPDIR"), "{said}");
    assert_eq!((results(&program, "c").len(), claims(&program, "c")), (0, 0));
    disk.mounted(&["-o", "remount,size=4m"]);
    let (exit, out, said) = run();
    assert_eq!((exit, out.as_str()), (Some(0), "3 units run (3 unsat); 0 had results already\n"), "{said}");
}

#[test]
fn two_campaigns_are_compared() {
    let program = folder("[ -e better ] && echo unsat >$5 || echo unknown >$5");
    planned(&program, "0..1");
    assert_eq!(campaign(&program, &["run", "c"]).exit, Some(0));
    program.write("better", "");
    let plan = ["plan", "one.csv", "--tool", "script:tool.sh", "--seeds", "0..1", "--output", "d"];
    assert_eq!(campaign(&program, &plan).exit, Some(0));
    assert_eq!(campaign(&program, &["run", "d"]).exit, Some(0));
    let run = campaign(&program, &["collect", "d", "--against", "c"]);
    assert!(run.out.contains("of 2 units in both: 2 won, 0 lost, 0 flipped"), "{run:?}");
}

#[test]
fn what_cannot_be_planned_or_run_is_named_with_its_remedy() {
    let program = folder("echo unsat >$5");
    planned(&program, "0..1");
    let check = |arguments: &[&str], exit: i32, said: &str| {
        let run = campaign(&program, arguments);
        assert!(run.exit == Some(exit) && run.err.contains(said), "{arguments:?}: {run:?}");
    };
    program.write("gone.csv", "no.onnx,no.vnnlib,1\nall/sum/sum.onnx,nothing.vnnlib,1\n");
    check(&["plan", "gone.csv", "--output", "d"], 3, "gone.csv, line 1: ");
    check(&["plan", "gone.csv", "--output", "d"], 3, "3 files cannot be used; there is no plan");
    assert!(!program.path().join("d").exists(), "no plan, no folder");
    check(&["plan", "all", "--output", "c"], 3, "made by another plan");
    check(&["run", "c", "--seeds", "0..3"], 2, "--seeds belongs to the plan");
    check(&["run", "all"], 2, "there is no plan.json in it");
    check(&["run", "c", "--shard", "2/2"], 2, "--shard 2/2");
    check(&["run", "c", "--jobs", "0"], 2, "--jobs 0");
    check(&["plan", "all", "--output", "d", "--seeds", "3..1"], 2, "--seeds 3..1");
    check(&["plan", "all", "--output", "d", "--tool", "script:no.sh"], 2, "there is no such file");
    check(&["status", "all"], 3, "there is no plan.json in it");
    check(&["plan", "one.csv", "--output", "/proc/c"], 4, "/proc/c");
    let plan = program.read("c/plan.json").unwrap();
    program
        .write("c/plan.json", plan.replace("\"counterpatch_campaign\": 1", "\"counterpatch_campaign\": 7"));
    check(&["run", "c"], 3, "a plan of form 7");
    program.write("c/plan.json", &plan[..plan.len() / 2]);
    check(&["run", "c"], 3, "no plan of a campaign");
}

#[test]
fn a_submission_is_written_and_a_missing_sbatch_is_said() {
    let program = folder("echo unsat >$5");
    planned(&program, "0..5");
    let submit = ["campaign", "submit", "c", "--slurm", "--array-size", "3", "--partition", "long"];
    let run = program.run(&[&submit[..], &["--dry-run"]].concat());
    assert_eq!(run.exit, Some(0), "{run:?}");
    let script = program.read("c/slurm.sh").unwrap();
    assert!(
        script.contains("#SBATCH --array=0-2\n") && script.contains("#SBATCH --partition=long\n"),
        "{script}"
    );
    let output = program.command(&submit).env("PATH", "/nowhere").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(3) && said.contains("sbatch cannot be started"), "{said}");
}

#[test]
fn a_plan_is_a_file_that_says_all_of_it() {
    let program = folder("");
    program.write(
        "all/plan.toml",
        "instances = ['sum/list.csv']\nwhere = { truth = 'sat' }\nseeds = '0,1'\ntimeout_cap = '20s'\n\
         tools = ['ours', 'corners=ours:--strategy centre,sample']\n",
    );
    let rows = "sum.onnx,possible.vnnlib,60,sat\nsum.onnx,impossible.vnnlib,60,unsat\n";
    program.write("all/sum/list.csv", format!("onnx,vnnlib,timeout,truth\n{rows}"));
    let run = campaign(&program, &["run", "all/plan.toml", "--output", "c"]);
    assert_eq!(
        (run.exit, run.first_line()),
        (Some(0), "4 units run (4 sat); 0 had results already"),
        "{run:?}"
    );
    // `run` may be left out, and `plan.toml` is no step that is misspelt.
    let again = campaign(&program, &["all/plan.toml", "--output", "c", "--quiet"]);
    assert_eq!(again.first_line(), "0 units run; 4 had results already", "{again:?}");
    let misspelt = campaign(&program, &["colect", "c.csv"]);
    assert!(misspelt.exit == Some(2) && misspelt.err.contains("'collect'"), "{misspelt:?}");
    let collected = campaign(&program, &["collect", "c", "--csv", "c.csv"]);
    assert!(
        collected.has_row("counterpatch | sum | 2 | 2") && collected.has_row("corners | sum | 2 | 2"),
        "{collected:?}"
    );
    // What is typed goes before it: the other row, one seed, one tool.
    let typed =
        ["run", "all/plan.toml", "--where", "truth=unsat", "--seeds", "5", "--tool", "ours", "--output", "d"];
    let run = campaign(&program, &typed);
    assert_eq!(run.first_line(), "1 units run (1 unsat); 0 had results already", "{run:?}");
    for (arguments, want) in [
        (&["--where", "truth=maybe"][..], "no row of the lists is truth=maybe"),
        (&["--where", "year=2025"], "there is no column year"),
        (&["--tool", "ours:--timeout 3"], "the campaign says --timeout itself"),
        (&["all/plan.toml"], "all/plan.toml: a second plan"),
    ] {
        let run = campaign(&program, &[&["plan", "all/plan.toml", "--output", "e"], arguments].concat());
        assert!(run.err.contains(want) && run.exit != Some(0), "{arguments:?}: {run:?}");
    }
}

/// With a list of our own in the place of the data that they name, and a program of the name of each that they run.
#[test]
fn the_plans_of_the_project_are_plans() {
    let program = folder("");
    let rows = ["sat", "unsat", "unknown"]
        .map(|truth| format!("acasxu_2023,all/sum/sum.onnx,all/sum/possible.vnnlib,60,{truth}\n"));
    program.write("list.csv", format!("benchmark,onnx,vnnlib,timeout,truth\n{}", rows.concat()));
    fs::create_dir(program.path().join("bin")).unwrap();
    fs::copy(program.path().join("tool.sh"), program.path().join("bin/Marabou")).unwrap();
    let path = format!("{}:{}", program.path().join("bin").display(), std::env::var("PATH").unwrap());
    let plans = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/benchmarks/plans")).unwrap();
    let plans = plans
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml"));
    let names: Vec<String> = plans
        .map(|plan| {
            let name = plan.file_stem().unwrap().to_string_lossy().into_owned();
            let arguments =
                ["campaign", "plan", plan.to_str().unwrap(), "list.csv", "--output", name.as_str()];
            let output = program.command(&arguments).env("PATH", &path).output().unwrap();
            assert!(output.status.success(), "{plan:?}: {}", String::from_utf8_lossy(&output.stderr));
            name
        })
        .collect();
    assert!(names.iter().any(|name| name == "known-sat"), "{names:?}");
}
