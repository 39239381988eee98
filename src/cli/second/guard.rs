//! `counterpatch guard`, which only this program itself calls: starts a command, reports how it ends, and leaves nothing
//! of it behind.
//!
//! Its standard input is a pipe that nobody writes to. When the other end is closed, on purpose or because the process
//! there was killed, the guard ends the command's whole process tree, removes its folder and goes. It reports on
//! standard output, in one line, how the command ended.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::Ending;
use super::tree::Adopted;
use crate::cli::args;
use crate::cli::exit::Exit;

/// Between two looks at the command and its memory.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs the command.
pub(in crate::cli) fn run(args: &args::Guard) -> Exit {
    let closed = watch_input();
    let ending = match Adopted::all() {
        Ok(adopted) => {
            let ending = attend(args, &closed, adopted);
            adopted.end_all();
            ending
        }
        Err(error) => Some(Ending::NotStarted(error.to_string())),
    };
    if let Some(ending) = ending {
        // Whoever does not listen any more has closed the other pipe too.
        let _ = writeln!(io::stdout(), "{}", ending.to_line());
        let _ = io::stdout().flush();
        // Until the results are read, or the reader is gone. An error says the latter.
        let _ = closed.recv();
    }
    // Its owner may have removed it.
    let _ = fs::remove_dir_all(&args.scratch);
    Exit::Answered
}

/// Tells when standard input is closed.
fn watch_input() -> Receiver<()> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut nothing = [0; 64];
        while matches!(io::stdin().read(&mut nothing), Ok(1..)) {}
        // The receiver lives as long as the process.
        let _ = sender.send(());
    });
    receiver
}

/// Waits for the command's end; `None` if the other side went first.
fn attend(args: &args::Guard, closed: &Receiver<()>, adopted: Adopted) -> Option<Ending> {
    let mut child = match start(args) {
        Ok(child) => child,
        Err(error) => return Some(Ending::NotStarted(error.to_string())),
    };
    loop {
        match closed.recv_timeout(PAUSE) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return None,
        }
        match child.try_wait() {
            Ok(Some(status)) => return Some(ended(status)),
            Ok(None) => {}
            Err(error) => return Some(Ending::NotStarted(error.to_string())),
        }
        if args.memory.is_some_and(|limit| adopted.memory() > limit) {
            return Some(Ending::OutOfMemory);
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

fn ended(status: ExitStatus) -> Ending {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Exited(code),
        (None, Some(signal)) => Ending::Killed(signal),
        (None, None) => Ending::Killed(0),
    }
}
