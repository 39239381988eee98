//! The events of a search. A search reports facts and does not know who listens; with [`Silent`] an event costs a
//! call that does nothing, and whoever would have to compute something for an event asks [`Observer::listens`] first.

use std::time::Duration;

use super::Tally;
use crate::budget::{StopReason, Stopwatch};
use crate::nearest::{Nearest, Norm};

/// Listens to a search. Strategies on several threads report to the same observer.
pub trait Observer: Sync {
    /// Whether anybody wants to know. Ask before computing something only for an event.
    fn listens(&self) -> bool {
        true
    }

    /// Takes note of an event.
    fn event(&self, event: &Event<'_>);

    /// Whether anybody wants to know what each piece of work took.
    fn is_timing(&self) -> bool {
        false
    }

    /// Takes note of a piece of work that has just ended on this thread.
    fn worked(&self, _: &Chore) {}
}

/// A piece of work of one thread that has just ended.
#[derive(Debug, Clone, Copy)]
pub struct Chore {
    /// What it was for.
    pub activity: Activity,
    /// Started when it began.
    pub watch: Stopwatch,
    /// What a strategy's round has spent.
    pub spent: Option<Tally>,
}

/// What a thread may be at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Reading the property and the networks from their files.
    Reading,
    /// Joining them into one problem: import, rewriting, matching declarations.
    Importing,
    /// Making the replay's engines.
    Preparing,
    /// Making strategies: bounds, layers, starting points.
    Planning,
    /// A round of a strategy.
    Round(&'static str),
    /// Replaying a candidate.
    Replaying,
    /// Asking the judge of `unsat`.
    Judging,
    /// Writing the answer.
    Writing,
}

impl Activity {
    /// In a word; of a round the strategy's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reading => "read",
            Self::Importing => "import",
            Self::Preparing => "prepare replay",
            Self::Planning => "make strategies",
            Self::Round(strategy) => strategy,
            Self::Replaying => "replay",
            Self::Judging => "judge unsat",
            Self::Writing => "write",
        }
    }
}

/// Does a piece of work, and tells the observer, if it wants to know.
pub fn timed<R>(observer: &dyn Observer, activity: Activity, work: impl FnOnce() -> R) -> R {
    if !observer.is_timing() {
        return work();
    }
    let watch = Stopwatch::start();
    let result = work();
    observer.worked(&Chore { activity, watch, spent: None });
    result
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn listens(&self) -> bool {
        false
    }

    fn event(&self, _: &Event<'_>) {}
}

/// How a strategy's work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended<'a> {
    /// It found a witness.
    Found,
    /// It stopped without one.
    Stopped(StopReason),
    /// It does not apply to the problem, and why.
    NotApplicable(&'a str),
}

/// Something that happened in a search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event<'a> {
    /// A strategy begins to work.
    StrategyStarted {
        /// Its name.
        strategy: &'static str,
    },
    /// A strategy works no more: what it has spent and reached, on all threads and regions together.
    StrategyFinished {
        /// Its name.
        strategy: &'static str,
        /// Rounds of work.
        rounds: u64,
        /// Forward evaluations, in points.
        evaluations: u64,
        /// Backward passes, in points.
        gradients: u64,
        /// Linear and mixed-integer programs solved.
        programs: u64,
        /// The largest margin that it has seen: violated from 0 on. `None` if it evaluated nothing.
        best_margin: Option<f64>,
        /// How long it worked, summed over the threads.
        time: Duration,
        /// How it ended.
        ended: Ended<'a>,
    },
    /// No strategy had reached this margin before on its thread.
    BestMargin {
        /// The strategy that reached it.
        strategy: &'static str,
        /// The margin: violated from 0 on.
        margin: f64,
        /// Points that the thread had evaluated by then.
        evaluations: u64,
    },
    /// The replay did not confirm a candidate; it goes back to its strategy.
    CandidateRejected {
        /// Why it is no witness.
        reason: &'a str,
    },
    /// The replay found a witness whose margin another engine's rounding might eat up; the search goes on.
    ThinWitness {
        /// By how much the margin falls short of what is asked.
        short_by: f64,
    },
    /// What is known of the nearest counterexample, when the search for it ends.
    Nearest {
        /// How distance is measured.
        norm: Norm,
        /// What was found, and the bound.
        answer: &'a Nearest,
    },
    /// Something about the property that its author may not have meant.
    Warning {
        /// The variable, where it is about one.
        variable: Option<&'a str>,
        /// The lines of the property that it is about.
        lines: &'a [usize],
        /// What it is.
        text: &'a str,
    },
    /// Something that the user may want to know, such as what the schedule was chosen by.
    Note(&'a str),
}

/// Several observers as one.
#[derive(Default)]
pub struct Listeners<'a> {
    observers: Vec<&'a dyn Observer>,
}

impl<'a> Listeners<'a> {
    /// Tells this one too.
    pub fn add(&mut self, observer: &'a dyn Observer) {
        self.observers.push(observer);
    }
}

impl Observer for Listeners<'_> {
    fn listens(&self) -> bool {
        self.observers.iter().any(|observer| observer.listens())
    }

    fn event(&self, event: &Event<'_>) {
        self.observers.iter().for_each(|observer| observer.event(event));
    }

    fn is_timing(&self) -> bool {
        self.observers.iter().any(|observer| observer.is_timing())
    }

    fn worked(&self, chore: &Chore) {
        self.observers.iter().for_each(|observer| observer.worked(chore));
    }
}
