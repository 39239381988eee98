//! The processes that descend from this one, by `/proc`: how much memory they hold, and how to end them all.
//!
//! Process groups do not suffice: a tool may start groups and sessions of its own. As a *subreaper* a process becomes
//! the parent of descendants whose own parent has gone, so that none can slip away.

use std::collections::HashMap;
use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, wait};

/// How long processes may take to end by themselves after SIGTERM.
const PATIENCE: Duration = Duration::from_millis(200);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);
/// Looks after SIGKILL: a process that is stuck in the kernel cannot be waited for.
const LOOKS: usize = 300;

/// Shows that this process is a subreaper.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Adopted(());

impl Adopted {
    /// Makes this process the parent of all descendants that lose their own.
    ///
    /// # Errors
    /// If the kernel does not know how to.
    pub(in crate::cli) fn all() -> std::io::Result<Self> {
        set_child_subreaper(Some(rustix::process::getpid()))?;
        Ok(Self(()))
    }

    /// Bytes that all descendants hold in memory; what several of them share counts for each.
    pub(super) fn memory(self) -> u64 {
        let resident = |id: &i32| -> Option<u64> {
            let text = fs::read_to_string(format!("/proc/{id}/statm")).ok()?;
            text.split_whitespace().nth(1)?.parse().ok()
        };
        let pages: u64 = descendants().iter().filter_map(resident).sum();
        pages.saturating_mul(rustix::param::page_size() as u64)
    }

    /// Ends all descendants: first politely, then not.
    pub(in crate::cli) fn end_all(self) {
        signal_all(Signal::TERM);
        let polite = PATIENCE.as_millis() / PAUSE.as_millis();
        for look in 0..LOOKS {
            reap();
            if descendants().is_empty() {
                return;
            }
            // Again each time: a process may have been born since.
            if look as u128 >= polite {
                signal_all(Signal::KILL);
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Collects children that have ended.
fn reap() {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
}

fn signal_all(signal: Signal) {
    for pid in descendants().into_iter().filter_map(Pid::from_raw) {
        // It may have ended meanwhile.
        let _ = kill_process(pid, signal);
    }
}

/// Living descendants of this process.
fn descendants() -> Vec<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        if let Some((parent, state)) = parent_and_state(&stat)
            && !matches!(state, "Z" | "X")
        {
            children.entry(parent).or_default().push(id);
        }
    }
    let mut found = Vec::new();
    let mut open = vec![rustix::process::getpid().as_raw_nonzero().get()];
    while let Some(parent) = open.pop() {
        let mut next = children.remove(&parent).unwrap_or_default();
        found.extend_from_slice(&next);
        open.append(&mut next);
    }
    found
}

/// `ID (NAME) STATE PARENT …`, where the name may hold blanks and parentheses.
fn parent_and_state(stat: &str) -> Option<(i32, &str)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    Some((fields.next()?.parse().ok()?, state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_described_in_one_line() {
        assert_eq!(parent_and_state("7 (a) b) S 3 7 7 0"), Some((3, "S")));
        assert_eq!(parent_and_state("7 (sh) Z 12 7"), Some((12, "Z")));
        assert_eq!(parent_and_state(""), None);
    }

    #[test]
    fn a_child_is_a_descendant() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(descendants().contains(&(child.id() as i32)));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!descendants().contains(&(child.id() as i32)));
    }
}
