//! What the threads of a search share: whether it is over, and what the judge holds.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::budget::{Budget, Interrupt, Stopwatch};
use crate::search::Config;

/// Shared by the threads of one search.
#[derive(Debug, Default)]
pub struct Shared {
    /// Raised when a witness is confirmed, or it is proved that there is none.
    pub over: Interrupt,
    /// Candidates that the judge rejected.
    pub rejected: AtomicUsize,
    /// Work that each thread may do, in multiplications; without a limit where there is none.
    pub(super) most_work: Option<u64>,
    /// Whether a thin witness is an answer.
    accept_thin: bool,
    thin: Mutex<Option<Stopwatch>>,
    held: AtomicBool,
    gathers: AtomicBool,
}

impl Shared {
    /// Of a search with these settings, in which each thread may do so much work.
    pub(in crate::search) fn new(config: &Config, most_work: Option<u64>) -> Self {
        Self { most_work, accept_thin: config.accept_thin, ..Self::default() }
    }

    /// Whether the judge holds a witness that has not ended the search.
    pub fn has_witness(&self) -> bool {
        self.held.load(Ordering::Relaxed) || self.thin.lock().is_ok_and(|thin| thin.is_some())
    }

    /// The judge holds one that other engines should confirm.
    pub(in crate::search) fn note_held(&self) {
        self.held.store(true, Ordering::Relaxed);
    }

    /// Whether the judge keeps one of several that are wanted.
    pub(in crate::search) fn gathers(&self) -> bool {
        self.gathers.load(Ordering::Relaxed)
    }

    /// The judge keeps one of several.
    pub(in crate::search) fn note_gathered(&self) {
        self.note_held();
        self.gathers.store(true, Ordering::Relaxed);
    }

    /// The judge has rejected one more.
    pub(in crate::search) fn note_rejected(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    /// The judge holds one from now on.
    pub(in crate::search) fn note_thin(&self) {
        if let Ok(mut thin) = self.thin.lock() {
            thin.get_or_insert_with(Stopwatch::start);
        }
    }

    /// A thin witness that is an answer is improved for a second, or for as long again as it took to find it, whichever is longer.
    /// Where it is none, a better one is looked for as long as there is time.
    pub(in crate::search) fn patience_is_over(&self, budget: &Budget) -> bool {
        if !self.accept_thin {
            return false;
        }
        let Ok(thin) = self.thin.lock() else { return false };
        thin.is_some_and(|since| {
            let waited = since.elapsed();
            let took = budget.elapsed().saturating_sub(waited);
            waited > took.max(Duration::from_secs(1))
        })
    }
}
