//! The processes that descend from this one, by `/proc`: how much memory they hold, and how to end them all.
//!
//! Process groups do not suffice: a tool may start groups and sessions of its own. As a *subreaper* a process becomes
//! the parent of descendants whose own parent has gone, so that none can slip away.

use std::collections::HashMap;
use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, wait, waitpid};

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

    /// Ends what guards that were killed have left to this process, at once: children that are neither guards nor on the
    /// way to become one.
    pub(in crate::cli) fn end_orphans(self) {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        let is_orphan = |id: &i32| {
            let words = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let command = words.split(|&byte| byte == 0).nth(1).unwrap_or_default();
            // Before it becomes another program, a new process has the words of this one.
            !words.is_empty() && command != b"guard" && command != b"campaign"
        };
        for _ in 0..LOOKS {
            let children = children();
            let orphans: Vec<i32> =
                children.get(&own).into_iter().flatten().copied().filter(is_orphan).collect();
            if orphans.is_empty() {
                return;
            }
            for pid in
                orphans.into_iter().flat_map(|orphan| below(&children, orphan)).filter_map(Pid::from_raw)
            {
                // It may have ended meanwhile. Only its own number is waited for: guards are waited for elsewhere.
                let _ = kill_process(pid, Signal::KILL);
                let _ = waitpid(Some(pid), WaitOptions::NOHANG);
            }
            thread::sleep(PAUSE);
        }
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

/// Whether a process lives that has this number and began then, in clock ticks since the machine did: numbers are given
/// again. A process that has ended and was not waited for does not live.
pub(in crate::cli) fn is_alive(id: i32, began: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let lives = parent_and_state(&stat).is_some_and(|(_, state)| !matches!(state, "Z" | "X"));
    lives && began_at(&stat) == Some(began)
}

/// When a process began: this one with `self`.
pub(in crate::cli) fn began(id: &str) -> Option<u64> {
    began_at(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
}

/// Field 22 of a process's line.
fn began_at(stat: &str) -> Option<u64> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
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
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let mut found = below(&children(), own);
    found.retain(|&id| id != own);
    found
}

/// The living children of each process.
fn children() -> HashMap<i32, Vec<i32>> {
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
    children
}

/// A process and all its descendants.
fn below(children: &HashMap<i32, Vec<i32>>, root: i32) -> Vec<i32> {
    let mut found = vec![root];
    let mut at = 0;
    while let Some(parent) = found.get(at) {
        let next = children.get(parent).cloned().unwrap_or_default();
        // Between two looks at them, numbers may have been given again: no circle is walked twice.
        let new = next.into_iter().filter(|id| !found.contains(id)).collect::<Vec<_>>();
        found.extend(new);
        at += 1;
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
        let fields: Vec<String> = (3..25).map(|number| number.to_string()).collect();
        assert_eq!(began_at(&format!("7 (a) b) {}", fields.join(" "))), Some(22));
    }

    #[test]
    fn a_child_is_a_descendant() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let id = child.id() as i32;
        assert!(descendants().contains(&id));
        let began = began(&id.to_string()).unwrap();
        assert!(is_alive(id, began) && !is_alive(id, began + 1));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!descendants().contains(&id) && !is_alive(id, began));
    }
}
