//! Starts a second tool under its guard and waits for its answer, its limit, or whatever else ends the waiting.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::{Answer, Question, Tool};
use crate::budget::{Budget, StopReason};

/// Between two looks at the budget.
const PAUSE: Duration = Duration::from_millis(20);

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Ending {
    /// With this status.
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// Its processes held more memory than allowed.
    OutOfMemory,
    /// It could not be started, and why.
    NotStarted(String),
    /// The guard itself is gone.
    Unguarded,
}

impl Ending {
    /// One line for a pipe.
    pub(super) fn to_line(&self) -> String {
        match self {
            Self::Exited(code) => format!("exited {code}"),
            Self::Killed(signal) => format!("killed {signal}"),
            Self::OutOfMemory => "memory".to_owned(),
            Self::NotStarted(why) => format!("not-started {}", why.replace('\n', " ")),
            Self::Unguarded => String::new(),
        }
    }

    fn of_line(line: &str) -> Self {
        let (word, rest) = line.trim_end().split_once(' ').unwrap_or((line.trim_end(), ""));
        match (word, rest.parse()) {
            ("exited", Ok(code)) => Self::Exited(code),
            ("killed", Ok(signal)) => Self::Killed(signal),
            ("memory", _) => Self::OutOfMemory,
            ("not-started", _) => Self::NotStarted(rest.to_owned()),
            _ => Self::Unguarded,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "it ended with status {code}"),
            Self::Killed(signal) => write!(f, "it was killed by signal {signal}"),
            Self::OutOfMemory => f.write_str("it was stopped because of its memory"),
            Self::NotStarted(why) => write!(f, "it could not be started: {why}"),
            Self::Unguarded => f.write_str("its guard was killed"),
        }
    }
}

/// Asks a tool, at most until `budget` is over. Nothing of the tool's process tree is left when this returns, unless
/// its guard is killed: then [`super::Adopted::end_all`] finds the rest. `itself` starts this program once more.
///
/// # Errors
/// If this program cannot be started once more.
pub(in crate::cli) fn run(
    itself: &[OsString],
    tool: &Tool,
    question: &Question,
    scratch: &Path,
    memory: Option<u64>,
    budget: &Budget,
) -> io::Result<Answer> {
    let call = tool.call(question, scratch);
    let nameless = || io::Error::other("it does not know how it was started");
    let (program, leading) = itself.split_first().ok_or_else(nameless)?;
    let mut command = Command::new(program);
    command.args(leading).arg("guard").arg("--scratch").arg(scratch);
    if let Some(bytes) = memory {
        command.arg("--memory").arg(bytes.to_string());
    }
    command.arg("--").arg(&call.program).args(&call.arguments);
    // A group of its own, so that a terminal's Ctrl-C does not end it before it has done its work.
    let mut guard = command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0).spawn()?;
    let waited = wait(&mut guard, budget);
    let answer = match waited {
        Ok(ending) => tool.answer(&ending, scratch),
        Err(StopReason::TimeUp) => Answer::None("its time was up".to_owned()),
        Err(_) => Answer::None("it was stopped".to_owned()),
    };
    // Closing its input tells the guard to clear up.
    drop(guard.stdin.take());
    guard.wait()?;
    Ok(answer)
}

fn wait(guard: &mut Child, budget: &Budget) -> Result<Ending, StopReason> {
    let (sender, report) = channel();
    if let Some(out) = guard.stdout.take() {
        thread::spawn(move || {
            let mut line = String::new();
            // Without a line there is no ending either.
            let _ = BufReader::new(out).read_line(&mut line);
            let _ = sender.send(Ending::of_line(&line));
        });
    }
    loop {
        match report.recv_timeout(PAUSE) {
            Ok(ending) => return Ok(ending),
            Err(RecvTimeoutError::Disconnected) => return Ok(Ending::Unguarded),
            Err(RecvTimeoutError::Timeout) => budget.check()?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_passes_through_a_pipe() {
        let endings = [
            Ending::Exited(-3),
            Ending::Killed(9),
            Ending::OutOfMemory,
            Ending::NotStarted("no such\tfile".into()),
            Ending::Unguarded,
        ];
        for ending in endings {
            assert_eq!(Ending::of_line(&format!("{}\n", ending.to_line())), ending);
        }
        assert_eq!(Ending::of_line("exited soon"), Ending::Unguarded);
    }
}
