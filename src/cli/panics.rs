//! Nobody's panic is lost: whatever thread it happens on and whoever goes on after it, the run ends as a bug.

use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};

use super::terminal;

static SEEN: AtomicBool = AtomicBool::new(false);

/// Notes every panic from now on, before its message is printed.
pub(super) fn watch() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        SEEN.store(true, Ordering::SeqCst);
        print(panic);
        terminal::log(&panic.to_string());
    }));
}

/// Whether there was one.
pub(super) fn seen() -> bool {
    SEEN.load(Ordering::SeqCst)
}
