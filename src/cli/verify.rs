//! `counterpatch verify`: files in, verdict out, in time.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use vnnlib::Query;

use super::config;
use super::delivery::{Delivery, Style};
use super::exit::Exit;
use super::failure::Failure;
use super::session::{self, Outlets};
use super::terminal::{self, say};
use super::watchdog::{Signals, Watchdog};
use super::{args, input};
use crate::budget::{self, Budget};
use crate::pipeline::{self, Verdict};
use crate::property::doubt::{self, Doubt};
use crate::report::{Event, JsonLines, Listeners, Observer, Progress, Statistics};
use crate::witness::Answer;

/// How long the search may take to end after a signal.
const GRACE: Duration = Duration::from_millis(300);

/// Runs the command.
pub(super) fn run(args: &args::Verify) -> Exit {
    let style = if args.json { Style::Json } else { Style::Text };
    let outlets = Outlets {
        results_file: args.results_file.as_deref(),
        folder: args.serialise_assignments.as_deref(),
        style,
    };
    session::run(outlets, |signals, delivery| verify(args, signals, delivery))
}

/// Searches, and delivers what comes of it.
fn verify(args: &args::Verify, signals: Signals, delivery: &Arc<Delivery>) -> Result<Exit, Failure> {
    let config = config::Verify::try_from(args)?;
    let budget = config.timeout.map_or_else(Budget::unlimited, Budget::of_process);
    let budget = budget.with_interrupt(signals.interrupt());
    let statistics = Arc::new(Statistics::default());
    let searching = Arc::new(AtomicBool::new(false));
    let last_words = {
        let (statistics, budget, wanted) = (Arc::clone(&statistics), budget.clone(), args.stats);
        move || {
            if wanted {
                terminal::tell(format_args!("{}", statistics.table(budget.elapsed())));
            }
        }
    };
    let watchdog = Watchdog {
        delivery: Arc::clone(delivery),
        searching: Arc::clone(&searching),
        grace: GRACE,
        last_words,
    };
    let delay = config.timeout.map(budget::reserve).unwrap_or_default() / 2;
    watchdog.start(signals, &budget, delay).map_err(Failure::System)?;

    let verdict = search(args, &config, &budget, &statistics, &searching)?;
    let exit = match &verdict {
        Found::Verdict(Verdict::Sat(witness)) => delivery.deliver(Answer::Sat(witness)),
        Found::Verdict(Verdict::Unsat(_)) => delivery.deliver(Answer::Unsat),
        Found::Verdict(Verdict::Unknown(_)) => delivery.deliver(Answer::Unknown),
        Found::OutOfTime => delivery.deliver(Answer::Timeout),
    };
    if !args.quiet {
        explain(&verdict, &statistics);
    }
    if args.stats {
        terminal::tell(format_args!("{}", statistics.table(budget.elapsed())));
    }
    Ok(exit.unwrap_or(Exit::Answered))
}

/// What came of it.
enum Found {
    Verdict(Verdict),
    /// The time was up before the search could begin.
    OutOfTime,
}

fn search(
    args: &args::Verify,
    config: &config::Verify,
    budget: &Budget,
    statistics: &Statistics,
    searching: &AtomicBool,
) -> Result<Found, Failure> {
    let query = input::property(&config.property)?;
    let files = config.networks.files_for(&query)?;
    let doubts = doubts(&query);
    let (models, notes) = input::models(&files, &query, &args.dims)?;
    if !args.quiet {
        notes.iter().for_each(|note| say!("note: {note}"));
    }
    if budget.check() == Err(crate::budget::StopReason::TimeUp) {
        return Ok(Found::OutOfTime);
    }
    searching.store(true, Ordering::Relaxed);
    let mut listeners = Listeners::default();
    listeners.add(statistics);
    let lines = args.json.then(|| JsonLines::new(io::stdout()));
    let progress = (!args.quiet && !args.json && io::stderr().is_terminal()).then(Progress::start);
    lines.iter().for_each(|lines| listeners.add(lines));
    progress.iter().for_each(|progress| listeners.add(progress));
    for doubt in &doubts {
        let Doubt { variable, lines, text } = doubt;
        listeners.event(&Event::Warning { variable: variable.as_deref(), lines, text });
    }
    notes.iter().for_each(|note| listeners.event(&Event::Note(note)));
    Ok(Found::Verdict(pipeline::falsify(query, models, &config.search, budget, &listeners)?))
}

/// Says what the property's author may not have meant, a line each: no option hides it, because it turns the meaning of a
/// verdict around.
pub(super) fn doubts(query: &Query) -> Vec<Doubt> {
    let doubts = doubt::doubts(query);
    doubts.iter().for_each(|doubt| say!("warning: {}", doubt.text));
    doubts
}

/// One line on standard error that says what the verdict rests on.
fn explain(found: &Found, statistics: &Statistics) {
    match found {
        Found::Verdict(Verdict::Sat(witness)) if witness.excess() < 0.0 => {
            say!(
                "note: the counterexample holds with zero tolerance, but by so little that another engine's \
                 rounding may hide it (short by {:.1e})",
                -witness.excess()
            );
        }
        Found::Verdict(Verdict::Sat(_)) => {}
        Found::Verdict(Verdict::Unsat(reason)) => say!("note: {reason}"),
        Found::Verdict(Verdict::Unknown(reason)) => match statistics.best_margin() {
            Some(margin) => say!("note: {reason}; the best margin was {margin:.3e}, 0 is needed"),
            None => say!("note: {reason}"),
        },
        Found::OutOfTime => say!("note: the time was up before the search could begin"),
    }
}
