//! `counterpatch guard`, which only this program itself calls: starts a command, reports how it ends, and leaves nothing
//! of it behind.
//!
//! Its standard input is a pipe. A byte on it says that the time is up: the guard ends the command's whole process tree. When
//! the other end is closed, on purpose or because the process there was killed, it removes the command's folder, too, and
//! goes. It reports on standard output, in one line, how the command ended and what the tree has used.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::report::{CommandEnding, GuardReport, Usage};
use super::tree::Adopted;
use crate::cli::args;
use crate::cli::exit::Exit;

/// Between two looks at the memory of the command's tree, at most: a look takes a millisecond. The first follow each other faster.
const PAUSE: Duration = Duration::from_millis(100);
/// Between the first two looks.
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// What the guard waits for: what the other end of the pipe says, and the command's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GuardWord {
    /// The command has ended.
    Ended,
    /// End the command, and report.
    End,
    /// Nobody is there any more.
    Gone,
}

/// Runs the command.
pub(in crate::cli) fn run(args: &args::Guard) -> Exit {
    let (sender, words) = channel();
    watch_input(sender.clone());
    let ending = match Adopted::all() {
        Ok(adopted) => {
            let ending = attend(args, sender, &words, adopted);
            adopted.end_all();
            ending
        }
        Err(error) => Some(CommandEnding::NotStarted(error.to_string())),
    };
    if let Some(ending) = ending {
        let finish = GuardReport { ending, usage: Usage::of_children() };
        // Whoever does not listen any more has closed the other pipe too.
        let _ = writeln!(io::stdout(), "{}", finish.to_line());
        let _ = io::stdout().flush();
        // Until the results are read, or the reader is gone. An error says the latter.
        while matches!(words.recv(), Ok(GuardWord::End | GuardWord::Ended)) {}
    }
    // Its owner may have removed it.
    let _ = fs::remove_dir_all(&args.scratch);
    Exit::Answered
}

/// Passes on what standard input says.
fn watch_input(sender: Sender<GuardWord>) {
    thread::spawn(move || {
        let mut byte = [0];
        // The receiver lives as long as the process.
        while matches!(io::stdin().read(&mut byte), Ok(1..)) {
            let _ = sender.send(GuardWord::End);
        }
        let _ = sender.send(GuardWord::Gone);
    });
}

/// Says when the command has ended. It stays to be reaped. Without a thread for it the end is seen at the next look.
fn watch_end(child: &Child, sender: Sender<GuardWord>) {
    let id = Pid::from_child(child);
    let wait = move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(waitid(WaitId::Pid(id), options), Err(Errno::INTR)) {}
        let _ = sender.send(GuardWord::Ended);
    };
    let _ = thread::Builder::new().spawn(wait);
}

/// Waits for the command's end; `None` if the other side went first.
fn attend(
    args: &args::Guard,
    sender: Sender<GuardWord>,
    words: &Receiver<GuardWord>,
    adopted: Adopted,
) -> Option<CommandEnding> {
    let mut child = match start(args) {
        Ok(child) => child,
        Err(error) => return Some(CommandEnding::NotStarted(error.to_string())),
    };
    watch_end(&child, sender);
    let mut pause = FIRST_PAUSE;
    loop {
        match words.recv_timeout(pause) {
            Err(RecvTimeoutError::Timeout) => pause = (2 * pause).min(PAUSE),
            Ok(GuardWord::Ended) => {}
            Ok(GuardWord::End) => return Some(CommandEnding::Stopped),
            Ok(GuardWord::Gone) | Err(RecvTimeoutError::Disconnected) => return None,
        }
        match child.try_wait() {
            Ok(Some(status)) => return Some(ended(status)),
            Ok(None) => {}
            Err(error) => return Some(CommandEnding::NotStarted(error.to_string())),
        }
        if args.memory.is_some_and(|limit| adopted.memory() > limit) {
            return Some(CommandEnding::OutOfMemory);
        }
    }
}

fn start(args: &args::Guard) -> io::Result<Child> {
    let file = |name: &str| File::create(args.scratch.join(name));
    let mut words = args.command.iter();
    let program = words.next().ok_or(io::ErrorKind::InvalidInput)?;
    Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(file("stdout")?)
        .stderr(file("stderr")?)
        .process_group(0)
        .spawn()
}

fn ended(status: ExitStatus) -> CommandEnding {
    match (status.code(), status.signal()) {
        (Some(code), _) => CommandEnding::Exited(code),
        (None, Some(signal)) => CommandEnding::Killed(signal),
        (None, None) => CommandEnding::Killed(0),
    }
}
