//! A search beside the interpreter: it runs on a thread of its own without the interpreter's lock, while the calling thread looks
//! for signals, so that Ctrl-C ends it.

use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use counterpatch::Interrupt;
use pyo3::prelude::*;

use crate::errors::refused;

/// Between two looks for signals: short to a person, and nothing to a processor.
const PAUSE: Duration = Duration::from_millis(50);
/// What a main thread has on most systems; other threads would get a quarter of it.
const STACK: usize = 8 << 20;

/// Does the work. A signal whose handler raises, as that of Ctrl-C does, raises the interrupt that the work is given, and the
/// handler's exception once the work has ended.
///
/// # Errors
/// The exception of a signal's handler, or that the system refuses a thread.
pub(crate) fn interruptible<R: Send>(
    py: Python<'_>,
    work: impl FnOnce(&Interrupt) -> R + Send,
) -> PyResult<R> {
    py.detach(|| {
        let interrupt = Interrupt::default();
        let (running, ended) = channel::<()>();
        thread::scope(|scope| {
            let worker = thread::Builder::new().name("search".into()).stack_size(STACK);
            let worker = worker.spawn_scoped(scope, || {
                // Dropped at the end, however that comes about: so the other side learns of it at once.
                let _running = running;
                work(&interrupt)
            });
            let worker = worker.map_err(|error| refused(&error))?;
            let signalled = loop {
                if ended.recv_timeout(PAUSE) == Err(RecvTimeoutError::Disconnected) {
                    break Ok(());
                }
                if let Err(raised) = Python::attach(|py| py.check_signals()) {
                    interrupt.raise();
                    break Err(raised);
                }
            };
            let result = worker.join().unwrap_or_else(|panic| resume_unwind(panic));
            signalled.map(|()| result)
        })
    })
}
