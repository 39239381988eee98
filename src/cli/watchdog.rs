//! A thread that makes sure of an answer in time: it waits for a signal or for the end of the time, and answers in
//! place of a main thread that is busy, be it in a file system, in a solver or in one long evaluation.
//!
//! SIGTERM, SIGINT and SIGHUP raise an interrupt that ends a search at its next look at the budget; the watchdog
//! answers itself if the main thread has not done so after a moment.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Map;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use super::delivery::{Delivery, ToldVerdict};
use super::memory::MemoryLimit;
use crate::budget::{Budget, Interrupt, StopReason};
use crate::witness::Answer;

/// Signals that ask the program to end. To be installed before anything is written: one that comes earlier than the
/// watchdog waits for it.
pub(super) struct Signals {
    stream: UnixStream,
    wake: UnixStream,
    interrupt: Interrupt,
}

/// Wakes the watchdog as a signal does.
pub(super) struct Alarm(UnixStream);

impl Alarm {
    /// Wakes it, once.
    pub(super) fn ring(mut self) {
        // It has ended with the process, then.
        let _ = self.0.write_all(&[0]);
    }
}

impl Signals {
    /// Catches SIGTERM, SIGINT and SIGHUP from now on.
    ///
    /// # Errors
    /// If the system refuses signal handlers.
    pub(super) fn install() -> io::Result<Self> {
        let (stream, wake) = UnixStream::pair()?;
        let interrupt = Interrupt::default();
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            flag::register(signal, interrupt.flag())?;
            low_level::pipe::register(signal, wake.try_clone()?)?;
        }
        Ok(Self { stream, wake, interrupt })
    }

    /// Watches over the memory of this process too: too much is a signal.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub(super) fn limit_memory(&self, limit: Option<MemoryLimit>) -> io::Result<()> {
        let Some(limit) = limit else { return Ok(()) };
        limit.watch(self.interrupt(), Some(Alarm(self.wake.try_clone()?)))
    }

    /// Raised by signals.
    pub(super) fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }
}

/// What the watchdog needs to know.
pub(super) struct Watchdog<F> {
    /// Where its answer goes.
    pub(super) delivery: Arc<Delivery>,
    /// Whether the search has begun: then the answer is `unknown`, before `timeout`.
    pub(super) searching: Arc<AtomicBool>,
    /// How long the main thread may take to answer after a signal.
    pub(super) grace: Duration,
    /// Called before the watchdog ends the program.
    pub(super) last_words: F,
}

impl<F: Fn() + Send + 'static> Watchdog<F> {
    /// Starts the thread. It fires when `budget`, which the search respects, has been over for `delay`.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub(super) fn start(self, signals: Signals, budget: &Budget, delay: Duration) -> io::Result<()> {
        let patience = budget.remaining().map(|left| left.saturating_add(delay));
        // A timeout of zero would mean none.
        signals.stream.set_read_timeout(patience.map(|patience| patience.max(Duration::from_millis(1))))?;
        thread::Builder::new().name("watchdog".into()).spawn(move || self.watch(signals))?;
        Ok(())
    }

    fn watch(self, mut signals: Signals) {
        let signalled = loop {
            match signals.stream.read(&mut [0]) {
                Err(interrupted) if interrupted.kind() == io::ErrorKind::Interrupted => {}
                result => break result.is_ok(),
            }
        };
        if signalled {
            thread::sleep(self.grace);
        }
        let answer = if signalled || self.searching.load(Ordering::Relaxed) {
            Answer::Unknown
        } else {
            Answer::Timeout
        };
        let reason = if signalled { signals.interrupt.reason() } else { StopReason::TimeUp };
        let fields = Map::from_iter([("reason".to_owned(), reason.to_string().into())]);
        if let Some(exit) = self.delivery.deliver(ToldVerdict { answer, fields }) {
            (self.last_words)();
            process::exit(i32::from(exit as u8));
        }
    }
}
