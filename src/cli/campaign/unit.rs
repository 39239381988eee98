//! One unit: a process tree of its own under a guard, with its own limits, and what comes of it.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use super::plan::as_tool;
use crate::budget::{Budget, StopReason, Stopwatch};
use crate::campaign::{
    Campaign, CampaignUnit, Key, Resources, ToolKind, UnitEvidence, UnitHead, UnitLimits, UnitResult,
    UnitVerdict,
};
use crate::cli::second::script::RESULTS;
use crate::cli::second::{Attended, CommandEnding, ToolAnswer, ToolCall, ToolQuestion, attend, last_line};
use crate::witness::read::Listed;

/// What a tool may take beyond the limit that it is told, before it is ended: to write its results, on a busy machine.
const GRACE: Duration = Duration::from_secs(3);
/// The certificate, in the unit's folder.
const CERTIFICATE: &str = "certificate.gz";
/// Bytes that a unit's folder must have room for when it has no answer. If not, that may be why, and it is no result.
const ROOM: usize = 1 << 16;
/// How much of the end of standard error is kept, in bytes.
const LOG: u64 = 4096;
/// What `verify` says on standard error when a signal has ended it: its `unknown` is no result.
const INTERRUPTED: &str = "note: interrupted";
/// Signals by which people, batch systems and the kernel end processes; others are a program's own fault.
const FROM_OUTSIDE: [i32; 4] = [1, 2, 9, 15];

/// What has come of a unit.
#[derive(Debug)]
pub(super) enum Ran {
    /// A result.
    Result(Box<UnitResult>, UnitEvidence),
    /// It was ended from outside, and how: it is to be run again.
    Ended(String),
    /// It has no answer, and the folder for it has no room left.
    NoRoom(io::Error),
    /// This process is to end.
    Interrupted,
}

/// A verdict with its reason and its evidence.
struct JudgedUnit {
    verdict: UnitVerdict,
    why: String,
    evidence: UnitEvidence,
}

/// Runs a unit, whose key is known, on the machine `host`; `itself` starts this program once more.
///
/// # Errors
/// If the system refuses a process or a folder for it.
pub(super) fn run(
    itself: &[OsString],
    plan: &Campaign,
    unit: CampaignUnit,
    key: Key,
    host: &str,
    budget: &Budget,
) -> io::Result<Ran> {
    let (instance, tool) = (&plan.instances[unit.instance], &plan.tools[unit.tool]);
    let scratch = tempfile::Builder::new().prefix("counterpatch-").tempdir()?;
    let limit = Duration::from_secs_f64(instance.limit);
    let watch = Stopwatch::start();
    let call = match call(itself, plan, unit, limit, scratch.path()) {
        Ok(call) => call,
        // Without its files there is no unit; the run has seen them a moment ago.
        Err(error) => return Ok(Ran::Ended(format!("its files cannot be read: {error}"))),
    };
    let slice = budget.slice(limit.saturating_add(GRACE));
    let head = UnitHead::of(plan, unit, key, host);
    let UnitLimits { memory, .. } = plan.limits;
    attend(itself, &call, scratch.path(), memory, &slice, |attended| {
        let wall_seconds = watch.elapsed().as_secs_f64();
        let log = tail(&scratch.path().join("stderr"));
        match judge(attended, tool.kind, scratch.path(), &log) {
            Err(ran) => ran,
            Ok(judged) => {
                if let (false, Some(full)) = (judged.verdict.is_solved(), no_room(scratch.path())) {
                    return Ran::NoRoom(full);
                }
                let usage = attended.usage;
                let cpu_seconds = usage.cpu.as_secs_f64();
                let resources = Resources { wall_seconds, cpu_seconds, peak_bytes: usage.peak };
                let result = head.ended(judged.verdict, judged.why, log, resources);
                Ran::Result(Box::new(result), judged.evidence)
            }
        }
    })
}

/// What the system says if a folder takes no file any more.
fn no_room(scratch: &Path) -> Option<io::Error> {
    fs::write(scratch.join("room"), vec![1; ROOM]).err().filter(is_full)
}

/// Whether this is for want of room.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// A unit that was ended from outside as often as it was run.
pub(super) fn given_up(plan: &Campaign, unit: CampaignUnit, key: Key, host: &str, why: &str) -> UnitResult {
    let why = format!("given up after several attempts: {why}");
    UnitHead::of(plan, unit, key, host).ended(UnitVerdict::Error, why, String::new(), Resources::default())
}

/// The command line of a unit.
fn call(
    itself: &[OsString],
    plan: &Campaign,
    unit: CampaignUnit,
    limit: Duration,
    scratch: &Path,
) -> io::Result<ToolCall> {
    let (instance, tool) = (&plan.instances[unit.instance], &plan.tools[unit.tool]);
    let path = |file: usize| plan.files[file].path.as_path();
    let networks: Vec<_> =
        instance.networks.iter().map(|(name, file)| (name.as_deref(), path(*file))).collect();
    let property = path(instance.property_file);
    let Some(program) = &tool.program else {
        let question = ToolQuestion::packed(&networks, property);
        let mut words = itself.iter().map(|word| word.to_string_lossy().into_owned());
        let program = words.next().ok_or_else(|| io::Error::other("it does not know how it was started"))?;
        let mut arguments: Vec<String> = words.collect();
        arguments.extend(["verify".to_owned(), question.network, question.property.display().to_string()]);
        let files = [("--results-file", RESULTS), ("--certificate", CERTIFICATE)];
        for (option, name) in files {
            arguments.extend([option.to_owned(), scratch.join(name).display().to_string()]);
        }
        arguments.extend(["--timeout".to_owned(), limit.as_secs_f64().to_string()]);
        arguments.extend(["--seed".to_owned(), unit.seed.to_string()]);
        arguments.extend(["--threads".to_owned(), plan.limits.threads.to_string()]);
        arguments.extend(tool.arguments.iter().cloned());
        return Ok(ToolCall { program: program.into(), arguments, environment: Vec::new() });
    };
    let question = ToolQuestion::new(&networks, property, Some(limit), scratch)?;
    let mut call = as_tool(tool.kind, program, &instance.benchmark).call(&question, scratch);
    // The competition's interface has no seed. A script that knows of it may read it.
    call.environment.push(("COUNTERPATCH_SEED", unit.seed.to_string()));
    Ok(call)
}

/// What a unit's ending means; `Err` if it has no result.
fn judge(attended: &Attended, kind: ToolKind, scratch: &Path, log: &str) -> Result<JudgedUnit, Ran> {
    let plain = |verdict, why: String| Ok(JudgedUnit { verdict, why, evidence: UnitEvidence::default() });
    let ending = match &attended.waited {
        Ok(ending) => ending,
        Err(StopReason::TimeUp) => {
            return plain(UnitVerdict::Timeout, "it was ended at its limit".to_owned());
        }
        Err(_) => return Err(Ran::Interrupted),
    };
    match ending {
        CommandEnding::Exited(0) => {}
        CommandEnding::Exited(_) => {
            let said = last_line(&scratch.join("stderr")).map_or(String::new(), |line| format!(": {line}"));
            return plain(UnitVerdict::Error, format!("{ending}{said}"));
        }
        CommandEnding::OutOfMemory => return plain(UnitVerdict::Memory, ending.to_string()),
        CommandEnding::Killed(signal) if !FROM_OUTSIDE.contains(signal) => {
            return plain(UnitVerdict::Error, ending.to_string());
        }
        CommandEnding::Killed(_)
        | CommandEnding::NotStarted(_)
        | CommandEnding::Unguarded
        | CommandEnding::Stopped => {
            return Err(Ran::Ended(ending.to_string()));
        }
    }
    match kind {
        ToolKind::Marabou => Ok(of_marabou(ending, scratch)),
        ToolKind::Ours if log.contains(INTERRUPTED) => Err(Ran::Ended("a signal has ended it".to_owned())),
        ToolKind::Ours | ToolKind::Script => Ok(of_results(scratch)),
    }
}

/// From a results file in the competition's form. `unsat` may have a certificate.
fn of_results(scratch: &Path) -> JudgedUnit {
    let mut evidence = UnitEvidence::default();
    let bytes = match fs::read(scratch.join(RESULTS)) {
        Ok(bytes) => bytes,
        Err(error) => {
            let why = format!("it has written no results file: {error}");
            return JudgedUnit { verdict: UnitVerdict::Error, why, evidence };
        }
    };
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let word = String::from_utf8_lossy(line).trim().to_owned();
    let verdict = UnitVerdict::of_word(&word);
    let why = if word == verdict.word() { String::new() } else { format!("it says {word:?}") };
    match verdict {
        UnitVerdict::Sat => evidence.witness = Some(bytes),
        UnitVerdict::Unsat => evidence.certificate = fs::read(scratch.join(CERTIFICATE)).ok(),
        _ => {}
    }
    JudgedUnit { verdict, why, evidence }
}

/// From what Marabou has printed: its counterexample in the competition's form.
fn of_marabou(ending: &CommandEnding, scratch: &Path) -> JudgedUnit {
    let tool = as_tool(ToolKind::Marabou, Path::new("Marabou"), "");
    let (verdict, why, witness) = match tool.answer(ending, scratch) {
        ToolAnswer::Unsat => (UnitVerdict::Unsat, String::new(), None),
        ToolAnswer::Sat(reading) => {
            let listed = reading.assignment.as_ref().map(written);
            (UnitVerdict::Sat, String::new(), listed.map(String::into_bytes))
        }
        ToolAnswer::None(why) => (UnitVerdict::of_word(&why), why, None),
    };
    JudgedUnit { verdict, why, evidence: UnitEvidence { witness, certificate: None } }
}

/// A counterexample as a results file.
fn written(listed: &Listed) -> String {
    let mut out = "sat\n".to_owned();
    if let Listed::Pairs { inputs, outputs } = listed {
        let pairs = [("X", inputs), ("Y", outputs)].into_iter().flat_map(|(name, values)| {
            values.decimals.iter().enumerate().map(move |(at, value)| format!("({name}_{at} {value})"))
        });
        out += &format!("({})\n", pairs.collect::<Vec<_>>().join("\n "));
    }
    out
}

/// The end of a file; nothing if there is none.
fn tail(path: &Path) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG)))?;
        let mut bytes = Vec::new();
        file.take(LOG).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::second::Usage;

    /// An ending with a results file and standard error; the verdict, or why there is none.
    fn check(ending: Result<CommandEnding, StopReason>, results: &str, stderr: &str, want: &str) {
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join(RESULTS), results).unwrap();
        fs::write(scratch.path().join("stderr"), stderr).unwrap();
        let attended = Attended { waited: ending, usage: Usage::default() };
        let got = match judge(&attended, ToolKind::Ours, scratch.path(), stderr) {
            Ok(judged) => {
                assert_eq!(judged.evidence.witness.is_some(), judged.verdict == UnitVerdict::Sat);
                format!("{} {}", judged.verdict.word(), judged.why)
            }
            Err(Ran::Ended(why)) => format!("again {why}"),
            Err(Ran::Interrupted) => "interrupted".to_owned(),
            Err(Ran::Result(..) | Ran::NoRoom(_)) => "a result".to_owned(),
        };
        assert_eq!(got.trim_end(), want);
    }

    #[test]
    fn endings_are_results_or_reasons_to_run_again() {
        let ended = || Ok(CommandEnding::Exited(0));
        check(ended(), "sat\n((X_0 1))\n", "", "sat");
        check(ended(), "unsat\n", "", "unsat");
        check(ended(), "unknown\n", "note: the time is up\n", "unknown");
        check(ended(), "timeout\n", "", "timeout");
        check(ended(), "violated\n", "", "sat it says \"violated\"");
        check(ended(), "", "", "unknown it says \"\"");
        check(
            ended(),
            "unknown\n",
            "note: interrupted; the best margin was 1\n",
            "again a signal has ended it",
        );
        check(
            Ok(CommandEnding::Exited(3)),
            "error\n",
            "x\nerror: no file\n",
            "error it ended with status 3: error: no file",
        );
        check(Ok(CommandEnding::Killed(11)), "unknown\n", "", "error it was killed by signal 11");
        check(Ok(CommandEnding::Killed(9)), "unknown\n", "", "again it was killed by signal 9");
        check(Ok(CommandEnding::Unguarded), "unknown\n", "", "again its guard was killed");
        check(Ok(CommandEnding::OutOfMemory), "unknown\n", "", "memory it was stopped because of its memory");
        check(Err(StopReason::TimeUp), "sat\n", "", "timeout it was ended at its limit");
        check(Err(StopReason::Interrupted), "sat\n", "", "interrupted");
    }

    #[test]
    fn the_end_of_a_file_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stderr");
        assert_eq!(tail(&path), "");
        fs::write(&path, "a".repeat(5000) + "end").unwrap();
        assert!(tail(&path).ends_with("aend") && tail(&path).len() == 4096);
    }
}
