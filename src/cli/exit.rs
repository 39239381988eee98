//! Exit codes. They are an interface: scripts rely on them, so their numbers stay.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// There is a verdict: `sat`, `unsat`, `unknown` or `timeout`; of `check`, a strictly correct counterexample; of
    /// `repair`, a repaired network; of `attack`, a report; of `campaign run`, a result of every unit that no other process
    /// is running.
    /// Also after SIGTERM, SIGINT and SIGHUP, which end a search with `unknown`: the competition ignores the results
    /// file of a program that ends with anything else.
    Answered = 0,
    /// The command line is wrong.
    Usage = 2,
    /// A file cannot be read, or what it says cannot be used. The results file says `error`.
    BadInput = 3,
    /// The results file, a file of counterexamples, the repaired network, or standard output, cannot be written.
    CannotWrite = 4,
    /// A bug in this program. The results file says `error`.
    Bug = 5,
    /// `check`: the counterexample holds within the competition's tolerance only.
    WithinTolerance = 10,
    /// `check`: the counterexample is wrong.
    Incorrect = 11,
    /// `check`: the file claims something other than `sat`.
    NoClaim = 12,
    /// `repair`: no repair was found, or there is none.
    NotRepaired = 13,
    /// `attack`, `audit`, `campaign run`: a signal has ended it; the same command goes on where it was. `campaign submit --wait`: a
    /// signal has ended the waiting; the tasks go on.
    Interrupted = 14,
    /// `campaign submit --wait`: no task is left, and units have no result.
    Unfinished = 15,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
