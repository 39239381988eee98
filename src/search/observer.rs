//! The events of a search. A search reports facts and does not know who listens; with [`Silent`] an event costs a
//! call that does nothing, and whoever would have to compute something for an event asks [`Observer::listens`] first.

use std::time::Duration;

use crate::budget::StopReason;
use crate::nearest::{Nearest, Norm};

/// Listens to a search. Strategies on several threads report to the same observer.
pub trait Observer: Sync {
    /// Whether anybody wants to know. Ask before computing something only for an event.
    fn listens(&self) -> bool {
        true
    }

    /// Takes note of an event.
    fn event(&self, event: &Event<'_>);
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
        /// The point, in the order of the search's inputs: those that the property declares, equal ones once. Empty where nobody
        /// listens.
        point: &'a [f64],
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
}
