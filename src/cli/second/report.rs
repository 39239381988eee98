//! What a guard reports of a command, in one line: how it ended, and what its process tree has used.

use std::fmt;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum CommandEnding {
    /// With this status.
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// It was told to, because its time was up or nobody wants its answer any more.
    Stopped,
    /// Its processes held more memory than allowed.
    OutOfMemory,
    /// It could not be started, and why.
    NotStarted(String),
    /// The guard itself is gone.
    Unguarded,
}

/// What all processes of a command have used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::cli) struct Usage {
    /// Time on processors, in the program and in the system.
    pub(in crate::cli) cpu: Duration,
    /// The most memory that any one of the processes has held, in bytes.
    pub(in crate::cli) peak: u64,
}

/// The whole report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct GuardReport {
    /// How it ended.
    pub(in crate::cli) ending: CommandEnding,
    /// What it took.
    pub(in crate::cli) usage: Usage,
}

impl Usage {
    /// Of all descendants of this process that have ended and were waited for.
    pub(super) fn of_children() -> Self {
        // It fails for no argument that there is.
        let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else { return Self::default() };
        let micros = |time: nix::sys::time::TimeVal| {
            let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
            Duration::from_secs(seconds) + Duration::from_micros(time.tv_usec().unsigned_abs())
        };
        // The kernel counts in units of 1024 bytes.
        let peak = u64::try_from(usage.max_rss()).unwrap_or_default() << 10;
        Self { cpu: micros(usage.user_time()) + micros(usage.system_time()), peak }
    }
}

impl GuardReport {
    /// One line for a pipe.
    pub(super) fn to_line(&self) -> String {
        let ending = match &self.ending {
            CommandEnding::Exited(code) => format!("exited {code}"),
            CommandEnding::Killed(signal) => format!("killed {signal}"),
            CommandEnding::Stopped => "stopped".to_owned(),
            CommandEnding::OutOfMemory => "memory".to_owned(),
            CommandEnding::NotStarted(why) => format!("not-started {}", why.replace('\n', " ")),
            CommandEnding::Unguarded => String::new(),
        };
        format!("{ending}\t{}\t{}", self.usage.cpu.as_micros(), self.usage.peak)
    }

    /// The reverse; without a report the guard is gone.
    pub(super) fn of_line(line: &str) -> Self {
        let gone = Self { ending: CommandEnding::Unguarded, usage: Usage::default() };
        let mut parts = line.trim_end_matches('\n').rsplitn(3, '\t');
        let (Some(peak), Some(cpu), Some(ending)) = (parts.next(), parts.next(), parts.next()) else {
            return gone;
        };
        let (Ok(peak), Ok(cpu)) = (peak.parse(), cpu.parse()) else { return gone };
        let (word, rest) = ending.split_once(' ').unwrap_or((ending, ""));
        let ending = match (word, rest.parse()) {
            ("exited", Ok(code)) => CommandEnding::Exited(code),
            ("killed", Ok(signal)) => CommandEnding::Killed(signal),
            ("stopped", _) => CommandEnding::Stopped,
            ("memory", _) => CommandEnding::OutOfMemory,
            ("not-started", _) => CommandEnding::NotStarted(rest.to_owned()),
            _ => return gone,
        };
        Self { ending, usage: Usage { cpu: Duration::from_micros(cpu), peak } }
    }
}

impl fmt::Display for CommandEnding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "it ended with status {code}"),
            Self::Killed(signal) => write!(f, "it was killed by signal {signal}"),
            Self::Stopped => f.write_str("it was stopped"),
            Self::OutOfMemory => f.write_str("it was stopped because of its memory"),
            Self::NotStarted(why) => write!(f, "it could not be started: {why}"),
            Self::Unguarded => f.write_str("its guard was killed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_passes_through_a_pipe() {
        let endings = [
            CommandEnding::Exited(-3),
            CommandEnding::Killed(9),
            CommandEnding::Stopped,
            CommandEnding::OutOfMemory,
            CommandEnding::NotStarted("no such\tfile".into()),
        ];
        for ending in endings {
            let usage = Usage { cpu: Duration::from_micros(1_250_001), peak: 4096 };
            let finish = GuardReport { ending, usage };
            assert_eq!(GuardReport::of_line(&format!("{}\n", finish.to_line())), finish);
        }
        for line in ["", "exited 0", "exited soon\t1\t2", "exited 0\t1\tmuch"] {
            assert_eq!(GuardReport::of_line(line).ending, CommandEnding::Unguarded, "{line}");
        }
    }

    #[test]
    fn a_child_that_was_waited_for_is_counted() {
        let status = std::process::Command::new("sh").args(["-c", ":"]).status().unwrap();
        assert!(status.success());
        assert!(Usage::of_children().peak > 0);
    }
}
