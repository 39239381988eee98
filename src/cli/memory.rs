//! `--memory`: a thread that looks at what this process holds, and ends its work as a signal would once that is too much. Of a
//! process tree that is not ours see `second/tree.rs`.

use std::fs;
use std::io;
use std::thread;
use std::time::Duration;

use super::args::MemoryArgs;
use super::config::{self, UsageError};
use super::exit::Exit;
use super::terminal::say;
use super::watchdog::Alarm;
use crate::budget::Interrupt;

/// Between two looks. In this time a thread fills some 100 MB.
const PAUSE: Duration = Duration::from_millis(20);
/// How long what was interrupted may take to end. Commands that owe a verdict have a watchdog, which is faster.
const GRACE: Duration = Duration::from_secs(5);

/// How many bytes this process may hold in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MemoryLimit(u64);

impl MemoryLimit {
    /// What was typed, if anything was.
    ///
    /// # Errors
    /// If it is no number of bytes.
    pub(super) fn of(args: &MemoryArgs) -> Result<Option<Self>, UsageError> {
        args.memory.as_deref().map(config::bytes).transpose().map(|bytes| bytes.map(Self))
    }

    /// Watches from now on: raises `interrupt`, and rings `alarm` if there is somebody who hears it.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub(super) fn watch(self, interrupt: Interrupt, alarm: Option<Alarm>) -> io::Result<()> {
        let watch = move || {
            while held().is_none_or(|held| held <= self.0) {
                thread::sleep(PAUSE);
            }
            interrupt.raise_for_memory();
            say!("warning: this process holds more than --memory allows, {} bytes, and ends", self.0);
            if let Some(alarm) = alarm {
                alarm.ring();
            }
            thread::sleep(GRACE);
            std::process::exit(i32::from(Exit::Interrupted as u8));
        };
        thread::Builder::new().name("memory".into()).spawn(watch).map(drop)
    }
}

/// Bytes of this process in memory, as the kernel says; `None` where it does not.
fn held() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_grows_with_what_is_filled() {
        let before = held().unwrap();
        let filled = vec![1_u8; 64 << 20];
        assert!(held().unwrap() > before + (48 << 20), "{before}, {}", filled.len());
    }
}
