//! Starts a tool under its guard and waits for its answer, its limit, or whatever else ends the waiting.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::report::{CommandEnding, GuardReport, Usage};
use super::{Tool, ToolAnswer, ToolCall, ToolQuestion};
use crate::budget::{Budget, StopReason};

/// Between two looks at the budget.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a guard may take to end a process tree: it waits for 3 s after SIGKILL itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the waiting for a command has ended.
#[derive(Debug)]
pub(in crate::cli) struct Attended {
    /// Its ending, or why nobody waited for that.
    pub(in crate::cli) waited: Result<CommandEnding, StopReason>,
    /// What its processes have used.
    pub(in crate::cli) usage: Usage,
}

/// Asks a tool, at most until `budget` is over. Nothing of the tool's process tree is left when this returns, unless
/// its guard is killed: then [`super::Adopted::end_all`] finds the rest. `itself` starts this program once more.
///
/// # Errors
/// If this program cannot be started once more.
pub(in crate::cli) fn run(
    itself: &[OsString],
    tool: &Tool,
    question: &ToolQuestion,
    scratch: &Path,
    memory: Option<u64>,
    budget: &Budget,
) -> io::Result<ToolAnswer> {
    let call = tool.call(question, scratch);
    attend(itself, &call, scratch, memory, budget, |attended| match &attended.waited {
        Ok(ending) => tool.answer(ending, scratch),
        Err(StopReason::TimeUp) => ToolAnswer::None("its time was up".to_owned()),
        Err(_) => ToolAnswer::None("it was stopped".to_owned()),
    })
}

/// Runs a command under a guard, at most until `budget` is over; `read` sees what it has left in its folder `scratch`,
/// which is removed then. `itself` starts this program once more.
///
/// # Errors
/// As [`run`].
pub(in crate::cli) fn attend<T>(
    itself: &[OsString],
    call: &ToolCall,
    scratch: &Path,
    memory: Option<u64>,
    budget: &Budget,
    read: impl FnOnce(&Attended) -> T,
) -> io::Result<T> {
    let nameless = || io::Error::other("it does not know how it was started");
    let (program, leading) = itself.split_first().ok_or_else(nameless)?;
    let mut command = Command::new(program);
    command.args(leading).arg("guard").arg("--scratch").arg(scratch);
    if let Some(bytes) = memory {
        command.arg("--memory").arg(bytes.to_string());
    }
    command.arg("--").arg(&call.program).args(&call.arguments);
    command.envs(call.environment.iter().map(|(name, value)| (name, value)));
    // A group of its own, so that a terminal's Ctrl-C does not end it before it has done its work.
    let mut guard = command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0).spawn()?;
    let attended = wait(&mut guard, budget);
    let found = read(&attended);
    // Closing its input tells the guard to clear up.
    drop(guard.stdin.take());
    guard.wait()?;
    Ok(found)
}

fn wait(guard: &mut Child, budget: &Budget) -> Attended {
    let report = reports(guard);
    loop {
        match report.recv_timeout(PAUSE) {
            Ok(GuardReport { ending, usage }) => return Attended { waited: Ok(ending), usage },
            Err(RecvTimeoutError::Disconnected) => {
                return Attended { waited: Ok(CommandEnding::Unguarded), usage: Usage::default() };
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Err(reason) = budget.check() {
            // A guard that is gone has nothing to report, nor anything left to end.
            let told = guard.stdin.as_mut().map(|input| input.write_all(b"\n"));
            let finish = told.and_then(|_| report.recv_timeout(PATIENCE).ok());
            let usage = finish.map(|finish| finish.usage).unwrap_or_default();
            return Attended { waited: Err(reason), usage };
        }
    }
}

/// What the guard reports, by a thread that waits for it.
fn reports(guard: &mut Child) -> Receiver<GuardReport> {
    let (sender, report) = channel();
    if let Some(out) = guard.stdout.take() {
        thread::spawn(move || {
            let mut line = String::new();
            // Without a line there is no ending either.
            let _ = BufReader::new(out).read_line(&mut line);
            let _ = sender.send(GuardReport::of_line(&line));
        });
    }
    report
}
