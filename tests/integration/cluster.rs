//! Campaigns on a real Slurm: two nodes on this machine (`scripts/slurm.sh`). One test, because there is one cluster at a time.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::campaign::{HOLDS, calls, claims, count, folder, kill, planned, results};
use crate::model::model;
use crate::program::Program;
use crate::split::{BOX, TWO};

/// A cluster of `scripts/slurm.sh`, which ends with this.
struct Cluster(tempfile::TempDir);

impl Cluster {
    fn start() -> Self {
        let cluster = Self(tempfile::tempdir().unwrap());
        let output = cluster.script("start");
        assert!(output.status.success(), "{output:?}");
        cluster
    }

    fn script(&self, command: &str) -> std::process::Output {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/slurm.sh");
        Command::new(script).arg(command).arg(self.0.path()).output().unwrap()
    }

    /// One of Slurm's commands, or ours that calls them; what it says.
    fn ask(&self, command: &mut Command) -> String {
        let output = self.with_settings(command).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn with_settings<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env("SLURM_CONF", self.0.path().join("slurm.conf"))
    }

    /// Starts `campaign submit --wait`.
    fn waiting(&self, program: &Program) -> Child {
        let mut command =
            program.command(&["campaign", "submit", "c", "--slurm", "--array-size", "2", "--wait"]);
        self.with_settings(&mut command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Cancels what is left of all jobs: a requeued task waits for minutes before it may begin.
    fn clear(&self) {
        self.ask(Command::new("scancel").arg("--user=root"));
        until(|| self.ask(Command::new("squeue").arg("--noheader")).is_empty());
    }

    /// The task that has the first shard.
    fn first_task(&self) -> String {
        let jobs = self.ask(Command::new("squeue").args(["--noheader", "--array", "--format=%i"]));
        jobs.lines().find(|job| job.ends_with("_0")).expect("the task of the first shard").to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.script("stop");
    }
}

/// Waits until something is so.
fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
#[ignore = "needs Slurm and root: apt-get install slurmctld slurmd slurm-client munge"]
fn campaigns_run_on_slurm() {
    let cluster = Cluster::start();
    let scenarios = [
        a_task_is_killed_and_requeued,
        a_task_that_is_warned_leaves_its_units_and_asks_for_another_turn,
        waiting_ends_with_ctrl_c_and_with_the_tasks,
        a_split_question_is_decided,
    ];
    for scenario in scenarios {
        scenario(&cluster);
        cluster.clear();
    }
}

fn a_task_is_killed_and_requeued(cluster: &Cluster) {
    let program = folder(HOLDS);
    program.write("hold", "");
    planned(&program, "0..11");
    let submit = ["campaign", "submit", "c", "--slurm", "--array-size", "2"];
    cluster.ask(&mut program.command(&submit));
    // The task that holds seed 2 is killed and requeued by Slurm itself; then nothing is held any more.
    until(|| calls(&program).contains(&2));
    cluster.ask(Command::new("scontrol").args(["requeue", &cluster.first_task()]));
    fs::remove_file(program.path().join("hold")).unwrap();
    // A requeued job waits for a moment before it may begin.
    let output = cluster.waiting(&program).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.ends_with("12 of 12 units are done\n"), "{output:?}");
    let counts = count(&calls(&program));
    let twice: Vec<u64> = counts.iter().filter(|(_, count)| **count > 1).map(|(seed, _)| *seed).collect();
    assert_eq!((counts.len(), twice, results(&program, "c").len()), (12, vec![2], 12));
}

fn a_task_that_is_warned_leaves_its_units_and_asks_for_another_turn(cluster: &Cluster) {
    let program = folder(HOLDS);
    program.write("hold", "");
    planned(&program, "0..5");
    cluster.ask(&mut program.command(&["campaign", "submit", "c", "--slurm", "--array-size", "1"]));
    until(|| calls(&program).contains(&2));
    let task = cluster.first_task();
    // As Slurm does it before a task's time is up.
    cluster.ask(Command::new("scancel").args(["--batch", "--signal=USR1", &task]));
    let state = || cluster.ask(Command::new("scontrol").args(["show", "job", &task]));
    until(|| state().contains("Restarts=1"));
    assert_eq!((claims(&program, "c"), results(&program, "c").len()), (0, 2), "{}", state());
    fs::remove_file(program.path().join("hold")).unwrap();
    let output = cluster.waiting(&program).wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(results(&program, "c").len(), 6);
}

fn waiting_ends_with_ctrl_c_and_with_the_tasks(cluster: &Cluster) {
    let program = folder(HOLDS);
    program.write("hold", "");
    planned(&program, "0..5");
    let child = cluster.waiting(&program);
    until(|| calls(&program).contains(&2));
    kill("-INT", child.id());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(14) && said.contains("the tasks go on; `scancel "), "{output:?}");
    let task = cluster.first_task();
    let job = task.split('_').next().unwrap();
    assert!(said.contains(&format!("`scancel {job}`")), "{said}");
    // What is cancelled runs again, until nobody is left to run it.
    cluster.clear();
    let child = cluster.waiting(&program);
    until(|| {
        results(&program, "c").len() == 5 && calls(&program).iter().filter(|seed| **seed == 2).count() == 2
    });
    cluster.clear();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(15) && said.contains("is left, and 1 units have no result"),
        "{output:?}"
    );
}

fn a_split_question_is_decided(cluster: &Cluster) {
    let program = Program::new();
    program.write("sum.onnx", model("Add", [1.0, 2.0]));
    let cases = [("(assert (>= Y_0 2.5))", "unsat"), ("(assert (>= Y_0 1.25))", "sat")];
    for (assertion, verdict) in cases {
        program.write("p.vnnlib", format!("{TWO}{BOX}{assertion}"));
        let _ = fs::remove_dir_all(program.path().join("c"));
        let run =
            program.run(&["campaign", "split", "sum.onnx", "p.vnnlib", "--parts", "6", "--output", "c"]);
        assert_eq!(run.exit, Some(0), "{run:?}");
        let output = cluster.waiting(&program).wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let run =
            program.run(&["campaign", "answer", "c", "--results-file", "results", "--certificate", "proof"]);
        assert_eq!((run.exit, run.first_line()), (Some(0), verdict), "{run:?}");
        let (file, want) = if verdict == "sat" { ("results", "correct") } else { ("proof", "unsat:checked") };
        let run = program.run(&["check", "sum.onnx", "p.vnnlib", file]);
        assert_eq!((run.exit, run.first_line()), (Some(0), want), "{run:?}");
    }
}
